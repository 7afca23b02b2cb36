/* adapt.h: how much of a sum of trees that learned from other rows (another machine's) to keep for these.
 * As XGBoost goes on from a given margin, but how much of it counts is chosen inside the rows. */
#ifndef CW_ADAPT_H
#define CW_ADAPT_H

#include "heldout.h"
#include "trees.h"

/* Fewer rows, or groups of rows, cannot tell what to keep: half of the base, and offsets only. */
enum { CW_ADAPT_ROWS = 20, CW_ADAPT_GROUPS = 5 };

/* The base's trees with the classes of `data` (at least as many: the base's come first). One that the base
 * does not know costs what the base's cost on average in the rows. Free with cw_trees_destroy. */
cw_status cw_adapt_widen(const cw_matrix *data, const cw_trees *base, cw_trees **out, cw_error *err);
/* Sets how much to keep of trees: all, half, a quarter or nothing (scale 0: better start anew), with or
 * without correcting trees; what loses least in a cross-validation of 5 folds of groups. Thirty trainings, or
 * none where rows or groups are too few. settings: of boost; its base is not read. out borrows trees. */
cw_status cw_adapt_choose(const cw_inner *inner, const cw_trees *trees, const cw_learn_options *settings,
                          cw_learn_base *out, cw_error *err);

#endif
