/* folds.h: groups of rows dealt to folds, and a fold's rows as a matrix: what all cross-validation shares. */
#ifndef CW_FOLDS_H
#define CW_FOLDS_H

#include "learn.h"

/* Groups in random order, each to the fold with the fewest rows so far. group: a number a row, any; NULL =
 * each row is its own. *folds: how many are wanted (2..64); becomes fewer where there are fewer groups, so
 * that none is empty. fold: rows entries, 0 .. *folds - 1. Same seed, same folds; what the groups are called
 * does not matter. */
cw_status cw_folds_deal(const int32_t *group, size_t rows, size_t *folds, uint64_t seed, int32_t *fold,
                        cw_error *err);
/* The rows whose fold is (inside) or is not (outside) `number`, in their
 * order, copied; release with cw_rows_release. */
cw_status cw_rows_of_fold(const cw_matrix *data, const int32_t *fold, int32_t number, bool inside,
                          cw_matrix *out, cw_error *err);
void cw_rows_release(cw_matrix *m);

#endif
