/* tree.h: inside view of the decision tree, shared by tree.c (use, explain, save), tree_train.c and
 * tree_emit.c.
 *
 * Values are rounded to float wherever a tree looks at them: (double)(float)x <= threshold goes left. That is
 * how scikit-learn trains and predicts, so on the same rows both can be compared split by split. Features
 * below 2^24 are not changed by it. */
#ifndef CW_TREE_H
#define CW_TREE_H

#include "learn.h"

/* A path longer than this is cut when training and refused when loading; it bounds the time of a choice. */
enum { CW_TREE_DEEPEST = 4096 };

/* Nodes lie in preorder: the left child of an inner node is the one behind it. */
typedef struct cw_tree_node {
    double threshold;
    int32_t column; /* -1 = leaf */
    uint32_t next;  /* inner node: its right child; leaf: the number of the leaf */
} cw_tree_node;

typedef struct cw_tree {
    size_t columns, classes;
    size_t nodes, leaves;
    cw_tree_node *node;
    int64_t *count; /* leaves x classes: training rows */
    double *log_ns; /* leaves x classes: mean of log(ns per unit of scale) over the leaf's rows with a time,
                       NaN = none has one; NULL = trained without times */
    size_t node_capacity, count_capacity, log_ns_capacity;
} cw_tree;

/* Adds a node, or a leaf with counts 0 and times NaN (where `timed`); false = out of memory. */
bool cw_tree_add(cw_tree *tree, int32_t column, double threshold);
bool cw_tree_add_leaf(cw_tree *tree, bool timed);
void cw_tree_destroy(void *state);
/* The leaf of a row. */
size_t cw_tree_leaf(const cw_tree *tree, const double *x);
/* The largest double x with (double)(float)x <= threshold: lets emitted C compare without rounding. */
double cw_tree_boundary(double threshold);

cw_status cw_tree_train(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err);
cw_status cw_tree_emit(const void *state, const char *prefix, const int32_t *static_rank, size_t classes,
                       cw_buf *out, cw_error *err);
/* cost[c] = minus the share of class c among the leaf's rows. */
void cw_tree_leaf_cost(const cw_tree *tree, size_t leaf, double *cost);

#endif
