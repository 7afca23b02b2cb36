/* trees.h: a sum of trees: cost[c] = unit * (base[c] + sum of what the leaves of a row hold for c). Forests,
 * boosted trees, trees on costs and their weighted sums are all this one thing, and differ in how they are
 * trained; so there is one way to predict, explain, save, load, emit as C and exchange as ONNX-ML.
 *
 * Values are rounded to float where a tree looks at them: (float)x <= threshold goes left; thresholds are
 * floats. What leaves hold are whole numbers of `unit`: sums are exact, in any order, in C, in SIMD and in
 * ONNX (floats below 2^24), so that no two implementations of one model can disagree.
 *
 * Costs are in units of log(time / best time) as far as the trainer can: 0.05 = 5 % slower. */
#ifndef CW_TREES_H
#define CW_TREES_H

#include "learn.h"

/* Inner nodes of a path; trees; what no sum of units passes, on no row: whole numbers a float can hold. */
enum { CW_TREES_DEEPEST = 64, CW_TREES_MOST = 100000, CW_TREES_SUM = 1 << 24 };

/* A tree's nodes lie side by side in preorder: the left child of an inner node is the one behind it. Trees
 * follow each other without gaps, and leaves hold their values in the order of the nodes. */
typedef struct cw_trees_node {
    float threshold;
    int32_t column; /* -1 = leaf */
    uint32_t
        next; /* inner node: its right child, as an index into all nodes; leaf: its first value's index */
} cw_trees_node;

typedef struct cw_trees_tree {
    uint32_t root;         /* index of its first node */
    uint16_t first, width; /* leaves hold values of classes [first, first + width) */
} cw_trees_tree;

/* How shares (probabilities) follow from costs. */
typedef enum cw_trees_share {
    CW_SHARE_SOFTMAX, /* proportional to exp(-cost / temperature) */
    CW_SHARE_VOTES    /* minus the cost: leaves hold shares of rows */
} cw_trees_share;

typedef struct cw_trees {
    size_t columns, classes;
    size_t tree_count, node_count, value_count;
    cw_trees_tree *tree;
    cw_trees_node *node;
    int16_t *value;
    int32_t *wide;      /* in place of value where one does not fit 16 bits: imported models */
    int32_t *base;      /* classes */
    double unit;        /* above 0 */
    double temperature; /* above 0 */
    cw_trees_share share;
    bool log_time; /* exp(cost) is the predicted time, ns, over the row's scale */
    size_t tree_capacity, node_capacity, value_capacity;
} cw_trees;

/* What trainers grow: leaves hold doubles until all trees are known. cw_trees_finish rounds them to whole
 * numbers of one unit, the finest for which the largest fits 16 bits and no sum can pass 2^24. Whoever knows
 * beforehand how large values get (cw_trees_round_to) has them rounded at once, in a quarter of the memory.
 */
typedef struct cw_trees_draft {
    cw_trees trees;
    bool rounded;  /* to trees.unit: the values are in trees.value */
    double *leaf;  /* value_count, in place of trees.value */
    double *start; /* classes, in place of trees.base */
    size_t leaf_capacity;
} cw_trees_draft;

cw_status cw_trees_draft_make(size_t columns, size_t classes, cw_trees_draft **out, cw_error *err);
/* Before the first tree: there will be so many, and no value of a leaf is further from 0 than `most`. */
void cw_trees_round_to(cw_trees_draft *draft, size_t trees, double most);
/* Begins a tree; then its nodes are added in preorder. false = out of memory. Set trees.share, .temperature
 * and .log_time, and start, at any time before finish. */
bool cw_trees_begin(cw_trees_draft *draft, size_t first, size_t width);
/* Returns the index of the node, SIZE_MAX = out of memory. Set node[i].next when the right child's index is
 * known. */
size_t cw_trees_add_inner(cw_trees_draft *draft, int32_t column, float threshold);
/* width values. */
size_t cw_trees_add_leaf(cw_trees_draft *draft, const double *values);
/* Appends the trees of a finished state, its costs times weight. It may have fewer classes: the first ones.
 */
cw_status cw_trees_add_all(cw_trees_draft *draft, const cw_trees *trees, double weight, cw_error *err);
/* Takes the draft, whether it succeeds or not. CW_INVALID: a value is not finite, or above 1e30 units.
 * CW_FORMAT: not trees in preorder. */
cw_status cw_trees_finish(cw_trees_draft *draft, cw_trees **out, cw_error *err);
/* The same in whole numbers of a given unit, which need not fit 16 bits. CW_FORMAT too: a sum can pass 2^24
 * units. */
cw_status cw_trees_finish_in(cw_trees_draft *draft, double unit, cw_trees **out, cw_error *err);
/* sum[classes]: what no cost of a class can pass on either side; largest[classes] is scratch. Returns the
 * largest |leaf|, NAN = something is not finite. */
double cw_trees_bound(const cw_trees_draft *draft, double *sum, double *largest);
/* NULL is fine. */
void cw_trees_draft_free(cw_trees_draft *draft);

/* Does it hold what is said above, with sums within CW_TREES_SUM? Finish and load end with it. CW_FORMAT */
cw_status cw_trees_check(const cw_trees *trees, cw_error *err);
static inline int32_t cw_trees_value(const cw_trees *trees, size_t index) {
    return trees->wide ? trees->wide[index] : trees->value[index];
}
/* Index behind the last node of a tree. */
size_t cw_trees_tree_end(const cw_trees *trees, size_t tree);
/* For a row of floats: index of the first value of the tree's leaf; base and leaves added up a class. */
uint32_t cw_trees_leaf(const cw_trees *trees, size_t tree, const float *x);
void cw_trees_sums(const cw_trees *trees, const float *x, int32_t *sum);

void cw_trees_destroy(void *state);
/* The rest of cw_learner's contract for states of this kind; learners name them in their cw_learner. */
void cw_trees_predict(const void *state, const double *x, double *cost, double *share, double *ns_per_unit);
void cw_trees_explain(const void *state, const double *x, const char *const *columns,
                      const char *const *classes, cw_buf *out);
json_t *cw_trees_save(const void *state);
cw_status cw_trees_load(const json_t *json, size_t columns, size_t classes, void **state, cw_error *err);
cw_status cw_trees_emit(const void *state, const char *prefix, const int32_t *static_rank, size_t classes,
                        cw_buf *out, cw_error *err);
void cw_trees_thresholds(const void *state, void (*visit)(void *arg, int32_t column, double value),
                         void *arg);
void cw_trees_columns_used(const void *state, bool *used);
size_t cw_trees_size(const void *state); /* nodes */

/* The functions of a cw_learner whose state is a cw_trees, all but name, settings and train. */
#define CW_TREES_LEARNER                                                                                     \
    .predict = cw_trees_predict, .explain = cw_trees_explain, .save = cw_trees_save, .load = cw_trees_load,  \
    .emit_c = cw_trees_emit, .thresholds = cw_trees_thresholds, .columns_used = cw_trees_columns_used,       \
    .size = cw_trees_size, .destroy = cw_trees_destroy

#endif
