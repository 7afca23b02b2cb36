/* boost.h: inside view of gradient boosting, shared by boost.c (objectives, rounds) and boost_tree.c (growing
 * one tree). */
#ifndef CW_BOOST_H
#define CW_BOOST_H

#include "bins.h"

/* A row that a tree learns from. Gradient and hessian are whole numbers, so that sums do not depend on their
 * order and a child's histogram is exactly its parent's minus its sibling's. */
typedef struct cw_boost_entry {
    int32_t gradient, hessian;
    uint32_t row;
    uint32_t pair; /* the trainer's number of it */
} cw_boost_entry;

/* Bounds of growing: a gain is G^2 / (H + l2), summed over both children, minus the same of the node. */
typedef struct cw_boost_limits {
    size_t max_depth; /* from 1 */
    size_t min_leaf;  /* rows, from 1 */
    double min_hessian, l2;
    double rate; /* a leaf's value is -rate * G / (H + l2) */
} cw_boost_limits;

/* Nodes in preorder: the left child of an inner node is the one behind it. A leaf has the entries
 * [start, end) of those it was grown from, and a value. */
typedef struct cw_boost_node {
    int32_t column; /* -1 = leaf */
    uint32_t code;  /* inner node: bins up to this go left */
    uint32_t right; /* inner node: index of the right child */
    uint32_t start, end;
    float value;
} cw_boost_node;

typedef struct cw_boost_tree {
    cw_boost_node *node;
    size_t count, capacity;
} cw_boost_tree;

/* What growing needs, one a thread. */
typedef struct cw_boost_grower {
    const cw_bins *bins;
    cw_boost_limits limits;
    cw_boost_entry *entry; /* the tree's rows, ascending: the caller fills them in; growing puts each leaf's
                              side by side */
    struct cw_boost_scratch *scratch;
} cw_boost_grower;

/* most: entries of the largest tree. Release either way. */
cw_status cw_boost_grower_make(const cw_bins *bins, const cw_boost_limits *limits, size_t most,
                               cw_boost_grower *out, cw_error *err);
void cw_boost_grower_release(cw_boost_grower *grower);
/* Grows a tree of the first `count` entries on the columns listed, in place of what `tree` held.
 * gradient_unit, hessian_unit: what the whole numbers stand for; their absolute sums must be below 2^31.
 * false = out of memory. */
bool cw_boost_grow(cw_boost_grower *grower, size_t count, const uint16_t *columns, size_t column_count,
                   double gradient_unit, double hessian_unit, cw_boost_tree *tree);
/* The value of a row's leaf. */
float cw_boost_walk(const cw_boost_tree *tree, const cw_bins *bins, size_t row);

#endif
