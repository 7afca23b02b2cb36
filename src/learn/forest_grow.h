/* forest_grow.h: growing one tree on binned columns: the part that forests, trees on costs and single cost
 * trees share. What is learned is in the target; a learner is a target, a way to draw rows and columns, and
 * limits.
 *
 * All criteria are squared error: on labels (one entry of value 1 a row) it is the Gini impurity, on soft
 * labels its generalisation, on costs that of regression trees with several outputs (De'ath 2002). */
#ifndef CW_FOREST_GROW_H
#define CW_FOREST_GROW_H

#include "bins.h"
#include "trees.h"

/* What a tree predicts: row r has the entries [start[r], start[r + 1]), classes ascending. */
typedef struct cw_target {
    size_t rows, classes;
    uint32_t *start; /* rows + 1 */
    uint16_t *class; /* entries */
    float *value;    /* entries, from 0 */
    bool per_class; /* each class is judged by the rows that have an entry of it; else all rows count, and one
                       without an entry counts as 0 there */
} cw_target;

/* Labels: from the costs, where there are any, each class gets exp(-log(time / best) / temperature), scaled
 * to sum 1; temperature 0 or no costs: all to the label. Entries below 1/1000 are left out. */
cw_status cw_target_labels(const cw_matrix *data, double temperature, cw_target *out, cw_error *err);
/* Costs: log(time / best), at most cap; per class; a class that lost counts as the row's slowest; without
 * costs 0 for the label and `cap` for all others. */
cw_status cw_target_costs(const cw_matrix *data, double cap, cw_target *out, cw_error *err);
void cw_target_release(cw_target *target);

typedef struct cw_forest_growth {
    const cw_bins *bins;
    const cw_target *target;
    size_t max_depth;       /* from 0, at most CW_TREES_DEEPEST */
    size_t max_leaves;      /* SIZE_MAX = any; otherwise the best splits are made first */
    size_t min_leaf;        /* rows, from 1 */
    size_t columns_a_node;  /* drawn for each node, those that are constant in it not counted */
    bool random_thresholds; /* one cut a column, drawn from the bins of the node (Geurts et al. 2006) */
    const uint8_t *by_row;  /* with random_thresholds: the bins' codes, rows x width (cw_forest_by_row) */
    size_t width;
    double prior; /* per class: a node's mean counts that of its parent as so many rows (0 for the
                     root, whose classes without rows get `missing`) */
    double missing;
} cw_forest_growth;

typedef struct cw_forest_node {
    float threshold;
    int32_t column;       /* -1 = leaf */
    uint32_t left, right; /* inner: nodes; leaf: left = its values' place */
} cw_forest_node;

/* A tree; node 0 is its root. */
typedef struct cw_forest_tree {
    cw_forest_node *node;
    float *value; /* leaves x classes: means */
    size_t nodes, leaves, node_capacity;
} cw_forest_tree;

/* Codes of a row side by side, `width` of them: columns, and zeros up to a multiple of 16. NULL = out of
 * memory. */
uint8_t *cw_forest_by_row(const cw_bins *bins, size_t *width);

/* draws: rows: how often each is drawn (with random_thresholds at most once), 0 = left out; NULL = all once.
 * Only the generator decides what is random. Release *out either way. */
cw_status cw_forest_grow(const cw_forest_growth *how, const uint8_t *draws, cw_rng rng, cw_forest_tree *out,
                         cw_error *err);
void cw_forest_tree_release(cw_forest_tree *grown);
/* Adds the tree to the draft, its values times factor. false = out of memory. */
bool cw_forest_tree_add(const cw_forest_tree *grown, double factor, size_t classes, cw_trees_draft *draft);

#endif
