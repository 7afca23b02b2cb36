/* tree_grow.h: growing a decision tree, before it is pruned and written as a cw_tree (tree_train.c). */
#ifndef CW_TREE_GROW_H
#define CW_TREE_GROW_H

#include "learn.h"

/* A node holds the rows row[start], .. row[end - 1]; children part the range of their parent. */
typedef struct cw_grown_node {
    uint32_t start, end;
    uint32_t left, right; /* nodes, behind this one; 0 = leaf */
    int32_t column;
    uint32_t depth;
    double threshold;
    double loss; /* rows * Gini impurity */
} cw_grown_node;

typedef struct cw_grown {
    cw_grown_node *node; /* the first one is the root */
    size_t nodes, capacity;
    uint32_t *row; /* all rows, those of a node side by side */
} cw_grown;

typedef struct cw_grow_limits {
    size_t max_depth, min_leaf, max_leaves; /* min_leaf >= 1, max_leaves >= 1 */
} cw_grow_limits;

/* data is checked already (cw_matrix_check). CW_INVALID: a value beyond a float. Release either way. */
cw_status cw_grow_tree(const cw_matrix *data, const cw_grow_limits *limits, cw_grown *out, cw_error *err);
void cw_grown_release(cw_grown *grown);

/* Numbers each column's different values, rounded to float, in their order: code[c * rows + r] is the number
 * of row r's in value[c * rows ...], codes[c] how many there are. CW_INVALID as above. */
cw_status cw_tree_code(const cw_matrix *data, uint32_t *code, float *value, uint32_t *codes, cw_error *err);

#endif
