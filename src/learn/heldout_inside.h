/* heldout_inside.h: between heldout.c and its two users. */
#ifndef CW_HELDOUT_INSIDE_H
#define CW_HELDOUT_INSIDE_H

#include "heldout.h"

typedef void cw_heldout_visit(void *arg, size_t row, const double *cost, const double *share);
/* Learns without each fold in turn and visits its rows, in order. Folds whose rest knows one winner only are
 * left out: nothing can be learned there. *folds: wanted; 0 or 1 = it could not be done. */
cw_status cw_heldout(const cw_inner *inner, const cw_learner *learner, const cw_learn_options *settings,
                     size_t *folds, cw_heldout_visit *visit, void *arg, cw_error *err);

#endif
