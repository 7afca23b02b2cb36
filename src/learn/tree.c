/* tree.c: the decision tree as a learner: predict, explain, save, load. Training it is tree_train.c, writing
 * it as C is tree_emit.c. */
#include "tree.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>

/* ---- The structure ---- */

bool cw_tree_add(cw_tree *tree, int32_t column, double threshold) {
    if (tree->nodes >= UINT32_MAX ||
        !cw_grow(&tree->node, &tree->node_capacity, tree->nodes + 1, sizeof *tree->node))
        return false;
    tree->node[tree->nodes++] = (cw_tree_node){threshold, column, 0};
    return true;
}

bool cw_tree_add_leaf(cw_tree *tree, bool timed) {
    size_t from = tree->leaves * tree->classes, to = from + tree->classes;
    if (!cw_grow(&tree->count, &tree->count_capacity, to, sizeof *tree->count)) return false;
    if (timed && !cw_grow(&tree->log_ns, &tree->log_ns_capacity, to, sizeof *tree->log_ns)) return false;
    if (!cw_tree_add(tree, -1, 0)) return false;
    for (size_t i = from; i < to; i++) {
        tree->count[i] = 0;
        if (timed) tree->log_ns[i] = NAN;
    }
    tree->node[tree->nodes - 1].next = (uint32_t)tree->leaves++;
    return true;
}

void cw_tree_destroy(void *state) {
    cw_tree *tree = state;
    if (!tree) return;
    cw_free(tree->node);
    cw_free(tree->count);
    cw_free(tree->log_ns);
    cw_free(tree);
}

/* ---- Predict ---- */

static bool goes_left(const cw_tree_node *node, const double *x) {
    return (double)(float)x[node->column] <= node->threshold;
}

size_t cw_tree_leaf(const cw_tree *tree, const double *x) {
    const cw_tree_node *node = tree->node;
    while (node->column >= 0) node = goes_left(node, x) ? node + 1 : tree->node + node->next;
    return node->next;
}

double cw_tree_boundary(double threshold) {
    float below = (float)threshold; /* the largest float that goes left */
    if ((double)below > threshold) below = nextafterf(below, -INFINITY);
    float above = nextafterf(below, INFINITY);
    /* Doubles between the two round to one of them; at the middle the even one wins. */
    double middle = isinf(above) ? 0x1.ffffffp127 : ((double)below + (double)above) / 2;
    return (float)middle <= below ? middle : nextafter(middle, -INFINITY);
}

void cw_tree_leaf_cost(const cw_tree *tree, size_t leaf, double *cost) {
    const int64_t *count = tree->count + leaf * tree->classes;
    int64_t total = 0;
    for (size_t c = 0; c < tree->classes; c++) total += count[c];
    for (size_t c = 0; c < tree->classes; c++) cost[c] = -((double)count[c] / (double)total);
}

static void predict(const void *state, const double *x, double *cost, double *share, double *ns_per_unit) {
    const cw_tree *tree = state;
    size_t leaf = cw_tree_leaf(tree, x);
    cw_tree_leaf_cost(tree, leaf, cost);
    for (size_t c = 0; share && c < tree->classes; c++) share[c] = fabs(cost[c]);
    for (size_t c = 0; ns_per_unit && c < tree->classes; c++)
        ns_per_unit[c] = tree->log_ns ? exp(tree->log_ns[leaf * tree->classes + c]) : NAN;
}

/* ---- Explain ---- */

static void explain_leaf(const cw_tree *tree, size_t leaf, const char *const *classes, cw_buf *out) {
    const int64_t *count = tree->count + leaf * tree->classes;
    int64_t total = 0, below = INT64_MAX;
    for (size_t c = 0; c < tree->classes; c++) total += count[c];
    cw_buf_printf(out, "leaf of %" PRId64 " row%s:", total, total == 1 ? "" : "s");
    /* Largest first, equal ones by class: each turn lists those with the largest count below the last one. */
    for (bool first = true;; first = false) {
        int64_t most = 0;
        for (size_t c = 0; c < tree->classes; c++)
            if (count[c] < below && count[c] > most) most = count[c];
        if (most == 0) break;
        for (size_t c = 0, listed = 0; c < tree->classes; c++)
            if (count[c] == most) {
                cw_buf_put(out, first && listed++ == 0 ? " " : ", ");
                cw_buf_rounded(out, 100 * (double)most / (double)total, 1);
                cw_buf_printf(out, " %% %s", classes[c]);
            }
        below = most;
    }
    cw_buf_put(out, "\n");
}

static void explain(const void *state, const double *x, const char *const *columns,
                    const char *const *classes, cw_buf *out) {
    const cw_tree *tree = state;
    const cw_tree_node *node = tree->node;
    while (node->column >= 0) {
        bool left = goes_left(node, x);
        cw_buf_printf(out, "%s = ", columns[node->column]);
        cw_buf_double(out, (double)(float)x[node->column]);
        cw_buf_put(out, left ? " <= " : " > ");
        cw_buf_double(out, node->threshold);
        cw_buf_put(out, "\n");
        node = left ? node + 1 : tree->node + node->next;
    }
    explain_leaf(tree, node->next, classes, out);
}

/* ---- Save ---- */

/* {"nodes": [...]} in preorder. An inner node is [column, threshold, number of its right child]; a leaf is
 * {"counts": [a class], "log_ns_per_unit": [a class, or null]}, the latter in all leaves or in none. */

static json_t *leaf_to_json(const cw_tree *tree, size_t leaf) {
    json_t *json = json_object(), *counts = json_array(), *times = tree->log_ns ? json_array() : NULL;
    int bad = 0;
    for (size_t i = leaf * tree->classes; i < (leaf + 1) * tree->classes; i++) {
        bad |= json_array_append_new(counts, json_integer(tree->count[i]));
        if (times)
            bad |= json_array_append_new(times,
                                         isnan(tree->log_ns[i]) ? json_null() : json_real(tree->log_ns[i]));
    }
    bad |= json_object_set_new(json, "counts", counts);
    if (tree->log_ns) bad |= json_object_set_new(json, "log_ns_per_unit", times);
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *node_to_json(const cw_tree_node *node) {
    json_t *json = json_array();
    int bad = json_array_append_new(json, json_integer(node->column));
    bad |= json_array_append_new(json, json_real(node->threshold));
    bad |= json_array_append_new(json, json_integer(node->next));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *save(const void *state) {
    const cw_tree *tree = state;
    json_t *json = json_object(), *nodes = json_array();
    int bad = 0;
    for (size_t i = 0; i < tree->nodes && !bad; i++) {
        const cw_tree_node *node = tree->node + i;
        bad |= json_array_append_new(nodes,
                                     node->column < 0 ? leaf_to_json(tree, node->next) : node_to_json(node));
    }
    bad |= json_object_set_new(json, "nodes", nodes);
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

/* ---- Load ---- */

static cw_status load_counts(cw_tree *tree, size_t at, const json_t *counts, cw_error *err) {
    int64_t total = 0, *count = tree->count + (tree->leaves - 1) * tree->classes;
    if (!json_is_array(counts) || json_array_size(counts) != tree->classes)
        return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: counts must be a list of %zu numbers, one a class",
                       at, tree->classes);
    for (size_t c = 0; c < tree->classes; c++) {
        const json_t *value = json_array_get(counts, c);
        /* At most 2^31 a class: rows are counted by 32 bits, and the sum cannot overflow. */
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT32_MAX)
            return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: counts[%zu] must be a whole number from 0", at,
                           c);
        total += count[c] = json_integer_value(value);
    }
    if (total == 0) return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: a leaf without rows", at);
    return CW_OK;
}

static cw_status load_times(cw_tree *tree, size_t at, const json_t *times, cw_error *err) {
    double *log_ns = tree->log_ns + (tree->leaves - 1) * tree->classes;
    if (!json_is_array(times) || json_array_size(times) != tree->classes)
        return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: log_ns_per_unit must be a list of %zu, one a class",
                       at, tree->classes);
    for (size_t c = 0; c < tree->classes; c++) {
        const json_t *value = json_array_get(times, c);
        if (json_is_null(value)) continue;
        log_ns[c] = json_number_value(value);
        if (!json_is_number(value) || !(fabs(log_ns[c]) < 700))
            return cw_fail(err, CW_FORMAT,
                           "state.nodes[%zu]: log_ns_per_unit[%zu] must be null or a logarithm below 700", at,
                           c);
    }
    return CW_OK;
}

/* The first leaf decides whether all have times. */
static cw_status load_leaf(cw_tree *tree, size_t at, const json_t *json, cw_error *err) {
    const json_t *times = json_object_get(json, "log_ns_per_unit");
    if (tree->leaves > 0 && !times != !tree->log_ns)
        return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: all leaves or none must have log_ns_per_unit", at);
    if (!cw_tree_add_leaf(tree, times)) return cw_fail_memory(err);
    cw_status status = load_counts(tree, at, json_object_get(json, "counts"), err);
    if (status == CW_OK && times) status = load_times(tree, at, times, err);
    return status;
}

static cw_status load_inner(cw_tree *tree, size_t at, const json_t *json, size_t nodes, cw_error *err) {
    const json_t *column = json_array_get(json, 0), *threshold = json_array_get(json, 1),
                 *right = json_array_get(json, 2);
    if (json_array_size(json) != 3 || !json_is_integer(column) || !json_is_number(threshold) ||
        !json_is_integer(right))
        return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: must be [column, threshold, right child] or a leaf",
                       at);
    if (json_integer_value(column) < 0 || json_integer_value(column) >= (json_int_t)tree->columns)
        return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: column %lld is not one of the %zu features", at,
                       (long long)json_integer_value(column), tree->columns);
    if (!(fabs(json_number_value(threshold)) <= FLT_MAX))
        return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: the threshold is beyond a float", at);
    /* Room for a left child between this node and its right one. */
    if (json_integer_value(right) < (json_int_t)at + 2 || json_integer_value(right) >= (json_int_t)nodes)
        return cw_fail(err, CW_FORMAT,
                       "state.nodes[%zu]: right child %lld is not one of the nodes %zu to %zu", at,
                       (long long)json_integer_value(right), at + 2, nodes - 1);
    if (!cw_tree_add(tree, (int32_t)json_integer_value(column), json_number_value(threshold)))
        return cw_fail_memory(err);
    tree->node[at].next = (uint32_t)json_integer_value(right);
    return CW_OK;
}

/* In preorder, what follows a leaf is the right child that is waited for last. Holding every node to that
 * rules out cycles, shared and unreachable nodes at once. */
typedef struct waiting {
    uint32_t *right; /* nodes [0, count) of the path that still wait for their right child */
    size_t *depth;
    size_t count, right_capacity, depth_capacity;
} waiting;

static cw_status load_nodes(cw_tree *tree, const json_t *list, waiting *wait, cw_error *err) {
    size_t nodes = json_array_size(list), depth = 0;
    for (size_t at = 0; at < nodes; at++) {
        const json_t *json = json_array_get(list, at);
        if (json_is_array(json)) {
            cw_status status = load_inner(tree, at, json, nodes, err);
            if (status != CW_OK) return status;
            if (++depth > CW_TREE_DEEPEST)
                return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: deeper than %d nodes", at, CW_TREE_DEEPEST);
            if (!cw_grow(&wait->right, &wait->right_capacity, wait->count + 1, sizeof *wait->right) ||
                !cw_grow(&wait->depth, &wait->depth_capacity, wait->count + 1, sizeof *wait->depth))
                return cw_fail_memory(err);
            wait->right[wait->count] = tree->node[at].next;
            wait->depth[wait->count++] = depth;
            continue;
        }
        if (!json_is_object(json))
            return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: must be a list or an object", at);
        cw_status status = load_leaf(tree, at, json, err);
        if (status != CW_OK) return status;
        size_t expected = wait->count > 0 ? wait->right[--wait->count] : nodes;
        if (at + 1 != expected)
            return cw_fail(err, CW_FORMAT, "state.nodes[%zu]: not a tree in preorder: node %zu should follow",
                           at, expected);
        if (expected < nodes) depth = wait->depth[wait->count];
    }
    return CW_OK;
}

static cw_status load(const json_t *json, size_t columns, size_t classes, void **state, cw_error *err) {
    const json_t *list = json_object_get(json, "nodes");
    if (!json_is_array(list) || json_array_size(list) == 0)
        return cw_fail(err, CW_FORMAT, "state.nodes: must be a list of at least one node");
    cw_tree *tree = cw_alloc(sizeof *tree);
    if (!tree) return cw_fail_memory(err);
    tree->columns = columns;
    tree->classes = classes;
    waiting wait = {0};
    cw_status status = load_nodes(tree, list, &wait, err);
    cw_free(wait.right);
    cw_free(wait.depth);
    if (status == CW_OK)
        *state = tree;
    else
        cw_tree_destroy(tree);
    return status;
}

/* ---- The rest of the contract ---- */

/* The threshold as trained, and where it lies for a double that is rounded to float. */
static void thresholds(const void *state, void (*visit)(void *arg, int32_t column, double value), void *arg) {
    const cw_tree *tree = state;
    for (size_t i = 0; i < tree->nodes; i++) {
        const cw_tree_node *node = tree->node + i;
        if (node->column < 0) continue;
        visit(arg, node->column, node->threshold);
        visit(arg, node->column, cw_tree_boundary(node->threshold));
    }
}

static void columns_used(const void *state, bool *used) {
    const cw_tree *tree = state;
    for (size_t c = 0; c < tree->columns; c++) used[c] = false;
    for (size_t i = 0; i < tree->nodes; i++)
        if (tree->node[i].column >= 0) used[tree->node[i].column] = true;
}

static size_t size(const void *state) {
    return ((const cw_tree *)state)->nodes;
}

/* From small to large; pruning suits some data, limits others. */
static const cw_learn_options grid[] = {
    {.max_leaves = 16},
    {.max_leaves = 64},
    {.max_leaves = 256},
    {.max_leaves = 1024},
    {.max_depth = 6},
    {.max_depth = 8, .min_leaf = 2},
    {.max_depth = 12, .min_leaf = 4},
    {.min_leaf = 4},
    {.min_leaf = 8},
    {.min_leaf = 16},
    {.min_leaf = 32},
    {.ccp_alpha = 3e-5},
    {.ccp_alpha = 1e-4},
    {.ccp_alpha = 3e-4},
    {.ccp_alpha = 1e-3},
    {.ccp_alpha = 1e-4, .min_leaf = 4},
    {0},
};

extern const cw_learner cw_learner_tree;
const cw_learner cw_learner_tree = {
    .name = "tree",
    .summary = "decision tree, Gini impurity (CART)",
    .defaults = {.max_depth = CW_TREE_DEEPEST, .max_leaves = 1000000000, .min_leaf = 1},
    .grid = grid,
    .train = cw_tree_train,
    .predict = predict,
    .explain = explain,
    .save = save,
    .load = load,
    .emit_c = cw_tree_emit,
    .thresholds = thresholds,
    .columns_used = columns_used,
    .size = size,
    .destroy = cw_tree_destroy,
};
