/* tree_draws.h: what a decision tree says of a row where equally good splits are drawn by lot, as
 * scikit-learn's does without a seed. */
#ifndef CW_TREE_DRAWS_H
#define CW_TREE_DRAWS_H

#include "learn.h"

/* Follows x through every tree that can be grown without limits (depth, leaf size) from data by drawing among
 * columns whose best cuts are equally good. classes (as many as data has) is set for each that some such
 * tree predicts for x; of a leaf's equally frequent classes that of the smallest rank counts. A row that ends
 * in one class only is settled: its prediction depends on no draw. Gives up where there are too many ways to
 * follow: *complete is false then, and what was found so far is set. */
cw_status cw_tree_draws(const cw_matrix *data, const double *x, const int32_t *rank, bool *classes,
                        bool *complete, cw_error *err);

#endif
