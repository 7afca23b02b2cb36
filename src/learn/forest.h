/* forest.h: inside view of the forests, for what builds on them. */
#ifndef CW_FOREST_H
#define CW_FOREST_H

#include "forest_grow.h"

/* How a forest differs from another; settings are in cw_learn_options. */
typedef struct cw_forest_recipe {
    const char *name; /* for messages */
    bool costs;       /* learns costs, else labels */
    bool bootstrap;   /* a tree sees as many rows as there are, drawn with repeats; else row_share of them */
    bool random_thresholds;
    double cap; /* costs: the largest, log(time / best) */
} cw_forest_recipe;

extern const cw_forest_recipe cw_forest_regrets;

/* Reads trees, max_depth, min_leaf, column_share, row_share (not with bootstrap), temperature (labels: 0 =
 * hard ones) and l2 (costs: a leaf counts its parent's mean as so many rows). */
cw_status cw_forest_train(const cw_forest_recipe *recipe, const cw_matrix *data,
                          const cw_learn_options *options, cw_trees **out, cw_error *err);

#endif
