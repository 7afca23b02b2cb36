/* trees.c: sums of trees: how they are put together, and predict. Saving, loading and explaining are
 * trees_io.c, C is trees_emit.c. */
#include "trees.h"
#include "tree.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Draft ---- */

cw_status cw_trees_draft_make(size_t columns, size_t classes, cw_trees_draft **out, cw_error *err) {
    cw_trees_draft *draft = cw_alloc(sizeof *draft);
    *out = NULL;
    if (!draft) return cw_fail_memory(err);
    draft->trees.columns = columns;
    draft->trees.classes = classes;
    draft->trees.unit = draft->trees.temperature = 1;
    draft->start = cw_alloc_n(classes, sizeof *draft->start);
    if (!draft->start) {
        cw_trees_draft_free(draft);
        return cw_fail_memory(err);
    }
    *out = draft;
    return CW_OK;
}

static void release(cw_trees *trees) {
    cw_free(trees->tree);
    cw_free(trees->node);
    cw_free(trees->value);
    cw_free(trees->wide);
    cw_free(trees->base);
}

void cw_trees_draft_free(cw_trees_draft *draft) {
    if (!draft) return;
    release(&draft->trees);
    cw_free(draft->leaf);
    cw_free(draft->start);
    cw_free(draft);
}

void cw_trees_destroy(void *state) {
    if (!state) return;
    release(state);
    cw_free(state);
}

enum { VALUE_MOST = INT16_MAX };

static int32_t in_units(double value, double unit) {
    double x = rint(value / unit);
    return (int32_t)(x > CW_TREES_SUM ? CW_TREES_SUM : x < -CW_TREES_SUM ? -CW_TREES_SUM : x);
}

/* The finest unit for leaves of at most `most` whose sums are at most `sum`. Rounding adds at most half a
 * unit a tree and half a one for the base, so that many are kept free. */
static double finest(double most, double sum, size_t trees) {
    double unit = fmax(most / VALUE_MOST, sum / (double)(CW_TREES_SUM - 1 - (double)trees));
    return unit == 0 ? 1 : fmax(unit, DBL_MIN);
}

void cw_trees_round_to(cw_trees_draft *draft, size_t trees, double most) {
    draft->trees.unit = finest(most, most * (double)trees, trees);
    draft->rounded = true;
}

bool cw_trees_begin(cw_trees_draft *draft, size_t first, size_t width) {
    cw_trees *t = &draft->trees;
    if (!cw_grow(&t->tree, &t->tree_capacity, t->tree_count + 1, sizeof *t->tree)) return false;
    t->tree[t->tree_count++] = (cw_trees_tree){(uint32_t)t->node_count, (uint16_t)first, (uint16_t)width};
    return true;
}

static size_t add_node(cw_trees *t, cw_trees_node node) {
    if (t->node_count >= UINT32_MAX ||
        !cw_grow(&t->node, &t->node_capacity, t->node_count + 1, sizeof *t->node))
        return SIZE_MAX;
    t->node[t->node_count] = node;
    return t->node_count++;
}

size_t cw_trees_add_inner(cw_trees_draft *draft, int32_t column, float threshold) {
    return add_node(&draft->trees, (cw_trees_node){threshold, column, 0});
}

size_t cw_trees_add_leaf(cw_trees_draft *draft, const double *values) {
    cw_trees *t = &draft->trees;
    size_t width = t->tree[t->tree_count - 1].width, from = t->value_count;
    bool room = draft->rounded
                    ? cw_grow(&t->value, &t->value_capacity, from + width, sizeof *t->value)
                    : cw_grow(&draft->leaf, &draft->leaf_capacity, from + width, sizeof *draft->leaf);
    if (from + width > UINT32_MAX || !room) return SIZE_MAX;
    size_t index = add_node(t, (cw_trees_node){0, -1, (uint32_t)from});
    if (index == SIZE_MAX) return SIZE_MAX;
    if (draft->rounded)
        for (size_t i = 0; i < width; i++) t->value[from + i] = (int16_t)in_units(values[i], t->unit);
    else
        memcpy(draft->leaf + from, values, width * sizeof *values);
    t->value_count += width;
    return index;
}

cw_status cw_trees_add_all(cw_trees_draft *draft, const cw_trees *trees, double weight, cw_error *err) {
    cw_trees *t = &draft->trees;
    if (t->columns != trees->columns || t->classes < trees->classes)
        return cw_fail(err, CW_MISMATCH, "trees of %zu columns and %zu classes do not add to %zu and %zu",
                       trees->columns, trees->classes, t->columns, t->classes);
    size_t nodes = t->node_count + trees->node_count, values = t->value_count + trees->value_count;
    if (nodes > UINT32_MAX || values > UINT32_MAX)
        return cw_fail(err, CW_UNSUPPORTED, "the sum has too many nodes: %zu", nodes);
    if (!cw_grow(&t->tree, &t->tree_capacity, t->tree_count + trees->tree_count, sizeof *t->tree) ||
        !cw_grow(&t->node, &t->node_capacity, nodes, sizeof *t->node) ||
        !cw_grow(&draft->leaf, &draft->leaf_capacity, values, sizeof *draft->leaf))
        return cw_fail_memory(err);
    const uint32_t first_node = (uint32_t)t->node_count, first_value = (uint32_t)t->value_count;
    for (size_t i = 0; i < trees->tree_count; i++) {
        cw_trees_tree tree = trees->tree[i];
        tree.root += first_node;
        t->tree[t->tree_count++] = tree;
    }
    for (size_t i = 0; i < trees->node_count; i++) {
        cw_trees_node node = trees->node[i];
        node.next += node.column < 0 ? first_value : first_node;
        t->node[t->node_count++] = node;
    }
    for (size_t i = 0; i < trees->value_count; i++)
        draft->leaf[t->value_count++] = weight * (trees->unit * cw_trees_value(trees, i));
    for (size_t c = 0; c < trees->classes; c++) draft->start[c] += weight * (trees->unit * trees->base[c]);
    return CW_OK;
}

/* ---- Finish ---- */

size_t cw_trees_tree_end(const cw_trees *t, size_t tree) {
    return tree + 1 < t->tree_count ? t->tree[tree + 1].root : t->node_count;
}

/* The largest |leaf| of each tree and class, summed over trees, with |start|: no cost can pass it. Returns
 * the largest |leaf| of all; NAN = one is not finite. */
double cw_trees_bound(const cw_trees_draft *draft, double *sum, double *largest) {
    const cw_trees *t = &draft->trees;
    double most = 0;
    for (size_t c = 0; c < t->classes; c++) {
        if (!isfinite(draft->start[c])) return NAN;
        sum[c] = fabs(draft->start[c]);
    }
    for (size_t i = 0; i < t->tree_count; i++) {
        const cw_trees_tree *tree = &t->tree[i];
        memset(largest, 0, t->classes * sizeof *largest);
        for (size_t n = tree->root; n < cw_trees_tree_end(t, i); n++) {
            if (t->node[n].column >= 0) continue;
            const double *leaf = draft->leaf + t->node[n].next;
            for (size_t k = 0; k < tree->width; k++) {
                double size = fabs(leaf[k]);
                if (!isfinite(size)) return NAN;
                largest[k] = size > largest[k] ? size : largest[k];
            }
        }
        for (size_t k = 0; k < tree->width; k++) {
            sum[tree->first + k] += largest[k];
            most = fmax(most, largest[k]);
        }
    }
    return most;
}

static cw_status choose_unit(const cw_trees_draft *draft, double *out, cw_error *err) {
    const cw_trees *t = &draft->trees;
    double *sum = cw_alloc_n(2 * t->classes, sizeof *sum), largest = 0;
    if (!sum) return cw_fail_memory(err);
    double most = cw_trees_bound(draft, sum, sum + t->classes);
    for (size_t c = 0; c < t->classes; c++) largest = fmax(largest, sum[c]);
    cw_free(sum);
    *out = finest(most, largest, t->tree_count);
    if (isnan(most) || !(*out < 1e30))
        return cw_fail(err, CW_INVALID, "a leaf's value is not finite or too large");
    return CW_OK;
}

static bool round_values(cw_trees *t, const double *leaf) {
    bool fits = true;
    for (size_t i = 0; i < t->value_count && fits; i++) fits = abs(in_units(leaf[i], t->unit)) <= VALUE_MOST;
    if (fits)
        t->value = cw_alloc_n(t->value_count, sizeof *t->value);
    else
        t->wide = cw_alloc_n(t->value_count, sizeof *t->wide);
    for (size_t i = 0; t->value && i < t->value_count; i++) t->value[i] = (int16_t)in_units(leaf[i], t->unit);
    for (size_t i = 0; t->wide && i < t->value_count; i++) t->wide[i] = in_units(leaf[i], t->unit);
    return t->value || t->wide;
}

cw_status cw_trees_finish_in(cw_trees_draft *draft, double unit, cw_trees **out, cw_error *err) {
    cw_trees *t = cw_alloc(sizeof *t);
    *out = NULL;
    cw_status status = t ? CW_OK : cw_fail_memory(err);
    if (status != CW_OK) goto out;
    *t = draft->trees;
    draft->trees = (cw_trees){0};
    t->unit = unit;
    t->base = cw_alloc_n(t->classes, sizeof *t->base);
    if (!t->base || (!draft->rounded && !round_values(t, draft->leaf))) {
        status = cw_fail_memory(err);
        goto out;
    }
    for (size_t c = 0; c < t->classes; c++) t->base[c] = in_units(draft->start[c], unit);
    status = cw_trees_check(t, err);
out:
    cw_trees_draft_free(draft);
    if (status == CW_OK)
        *out = t;
    else
        cw_trees_destroy(t);
    return status;
}

cw_status cw_trees_finish(cw_trees_draft *draft, cw_trees **out, cw_error *err) {
    double unit = draft->trees.unit;
    cw_status status = draft->rounded ? CW_OK : choose_unit(draft, &unit, err);
    if (status == CW_OK) return cw_trees_finish_in(draft, unit, out, err);
    *out = NULL;
    cw_trees_draft_free(draft);
    return status;
}

/* ---- Check ---- */

static cw_status check_inner(const cw_trees *t, size_t at, size_t end, cw_error *err) {
    const cw_trees_node *node = &t->node[at];
    if ((size_t)node->column >= t->columns)
        return cw_fail(err, CW_FORMAT, "node %zu: column %d is not one of the %zu", at, (int)node->column,
                       t->columns);
    if (!(fabsf(node->threshold) <= FLT_MAX))
        return cw_fail(err, CW_FORMAT, "node %zu: the threshold is not a finite float", at);
    if (node->next < at + 2 || node->next >= end) /* room for a left child */
        return cw_fail(err, CW_FORMAT, "node %zu: right child %u is not one of the nodes %zu to %zu", at,
                       node->next, at + 2, end - 1);
    return CW_OK;
}

/* In preorder, what follows a leaf is the right child that is waited for last. Holding every node to that
 * rules out cycles, shared and unreachable nodes at once. */
static cw_status check_tree(const cw_trees *t, size_t tree, size_t *values, cw_error *err) {
    uint32_t right[CW_TREES_DEEPEST]; /* nodes of the path that still wait for their right child */
    uint8_t depth_of[CW_TREES_DEEPEST] = {0};
    size_t end = cw_trees_tree_end(t, tree), waiting = 0, depth = 0, at = t->tree[tree].root;
    for (; at < end; at++) {
        if (t->node[at].column >= 0) {
            cw_status status = check_inner(t, at, end, err);
            if (status != CW_OK) return status;
            if (++depth > CW_TREES_DEEPEST)
                return cw_fail(err, CW_FORMAT, "node %zu: deeper than %d nodes", at, CW_TREES_DEEPEST);
            depth_of[waiting] = (uint8_t)depth;
            right[waiting++] = t->node[at].next;
            continue;
        }
        if (t->node[at].next != *values)
            return cw_fail(err, CW_FORMAT, "node %zu: leaves must hold values in order", at);
        *values += t->tree[tree].width;
        size_t expected = waiting > 0 ? right[--waiting] : end;
        if (at + 1 != expected)
            return cw_fail(err, CW_FORMAT, "node %zu: not a tree in preorder: node %zu should follow", at,
                           expected);
        depth = depth_of[waiting]; /* of the node whose right child comes next */
    }
    return CW_OK;
}

/* No sum can pass CW_TREES_SUM. */
static cw_status check_sums(const cw_trees *t, cw_error *err) {
    double sum[CW_MODEL_MOST];
    for (size_t c = 0; c < t->classes; c++) sum[c] = fabs((double)t->base[c]);
    for (size_t i = 0; i < t->tree_count; i++) {
        int32_t largest[CW_MODEL_MOST] = {0};
        const cw_trees_tree *tree = &t->tree[i];
        for (size_t n = tree->root; n < cw_trees_tree_end(t, i); n++)
            for (size_t k = 0; t->node[n].column < 0 && k < tree->width; k++) {
                int32_t size = abs(cw_trees_value(t, t->node[n].next + k));
                if (size > largest[k]) largest[k] = size;
            }
        for (size_t k = 0; k < tree->width; k++) sum[tree->first + k] += largest[k];
    }
    for (size_t c = 0; c < t->classes; c++)
        if (sum[c] > CW_TREES_SUM)
            return cw_fail(err, CW_FORMAT, "class %zu: its values can add up to %.0f, beyond %d", c, sum[c],
                           CW_TREES_SUM);
    return CW_OK;
}

cw_status cw_trees_check(const cw_trees *t, cw_error *err) {
    size_t values = 0;
    if (t->columns == 0 || t->columns > CW_MODEL_MOST || t->classes == 0 || t->classes > CW_MODEL_MOST)
        return cw_fail(err, CW_FORMAT, "trees need 1 to %d columns and classes", CW_MODEL_MOST);
    if (t->tree_count == 0 || t->tree_count > CW_TREES_MOST)
        return cw_fail(err, CW_FORMAT, "%zu trees: must be 1 to %d", t->tree_count, CW_TREES_MOST);
    if (!(t->unit > 0 && t->unit < 1e30 && t->temperature > 0 && t->temperature < 1e30))
        return cw_fail(err, CW_FORMAT, "unit and temperature must be above 0");
    for (size_t i = 0; i < t->tree_count; i++) {
        const cw_trees_tree *tree = &t->tree[i];
        if (tree->width == 0 || tree->first + (size_t)tree->width > t->classes)
            return cw_fail(err, CW_FORMAT, "tree %zu: classes %u to %u are not among the %zu", i, tree->first,
                           tree->first + tree->width - 1U, t->classes);
        if ((i == 0 && tree->root != 0) || tree->root >= cw_trees_tree_end(t, i) ||
            tree->root >= t->node_count)
            return cw_fail(err, CW_FORMAT, "tree %zu: has no nodes", i);
    }
    for (size_t i = 0; i < t->tree_count; i++) {
        cw_status status = check_tree(t, i, &values, err);
        if (status != CW_OK) return status;
    }
    if (values != t->value_count)
        return cw_fail(err, CW_FORMAT, "%zu values; the leaves hold %zu", t->value_count, values);
    return check_sums(t, err);
}

/* ---- Predict ---- */

uint32_t cw_trees_leaf(const cw_trees *t, size_t tree, const float *x) {
    uint32_t at = t->tree[tree].root;
    while (t->node[at].column >= 0)
        at = x[t->node[at].column] <= t->node[at].threshold ? at + 1 : t->node[at].next;
    return t->node[at].next;
}

/* The child that the row goes to; a leaf stays. Without branches: which way a row goes cannot be foreseen. */
static inline uint32_t step(const cw_trees_node *node, const float *x, uint32_t at) {
    const cw_trees_node *n = node + at;
    const uint32_t column = (uint32_t)n->column, inner = (column >> 31) - 1; /* all bits or none */
    const uint32_t left = -(uint32_t)(x[column & inner] <= n->threshold);
    const uint32_t to = n->next ^ ((n->next ^ (at + 1)) & left);
    return at ^ ((at ^ to) & inner);
}

/* As cw_trees_leaf for `count` trees from `first` on, side by side: what one waits for is hidden by the
 * others. */
enum { LANES = 4 };
static void find_leaves(const cw_trees *t, size_t first, size_t count, const float *x, uint32_t *leaf) {
    const cw_trees_node *node = t->node;
    const cw_trees_tree *tree = t->tree + first, *last = tree + count - 1;
    uint32_t a = tree->root, b = count > 1 ? tree[1].root : a, c = count > 2 ? tree[2].root : a,
             d = last->root;
    size_t before;
    do {
        before = (size_t)a + b + c + d; /* nodes are only left behind: the sum grows until all have arrived */
        a = step(node, x, a);
        b = step(node, x, b);
        c = step(node, x, c);
        d = step(node, x, d);
    } while ((size_t)a + b + c + d != before);
    const uint32_t at[LANES] = {a, b, c, d};
    for (size_t i = 0; i < count; i++) leaf[i] = node[at[i]].next;
}

void cw_trees_sums(const cw_trees *t, const float *x, int32_t *sum) {
    memcpy(sum, t->base, t->classes * sizeof *sum);
    for (size_t first = 0; first < t->tree_count; first += LANES) {
        size_t count = t->tree_count - first < LANES ? t->tree_count - first : LANES;
        uint32_t leaf[LANES];
        find_leaves(t, first, count, x, leaf);
        for (size_t i = 0; i < count; i++) {
            size_t width = t->tree[first + i].width;
            int32_t *to = sum + t->tree[first + i].first;
            for (size_t k = 0; t->value && k < width; k++) to[k] += t->value[leaf[i] + k];
            for (size_t k = 0; t->wide && k < width; k++) to[k] += t->wide[leaf[i] + k];
        }
    }
}

/* Minus the cost as a share of all; where nothing is above 0, equal shares. */
static void votes(const double *cost, size_t classes, double *share) {
    double sum = 0;
    for (size_t c = 0; c < classes; c++) sum += share[c] = fmax(-cost[c], 0);
    for (size_t c = 0; c < classes; c++) share[c] = sum > 0 ? share[c] / sum : 1 / (double)classes;
}

static void softmax(const double *cost, size_t classes, double temperature, double *share) {
    double least = INFINITY, sum = 0;
    for (size_t c = 0; c < classes; c++) least = fmin(least, cost[c]);
    for (size_t c = 0; c < classes; c++) sum += share[c] = exp((least - cost[c]) / temperature);
    for (size_t c = 0; c < classes; c++) share[c] /= sum;
}

void cw_trees_predict(const void *state, const double *x, double *cost, double *share, double *ns_per_unit) {
    const cw_trees *t = state;
    float rounded[CW_MODEL_MOST];
    int32_t sum[CW_MODEL_MOST];
    for (size_t c = 0; c < t->columns; c++) rounded[c] = (float)x[c];
    cw_trees_sums(t, rounded, sum);
    for (size_t c = 0; c < t->classes; c++) cost[c] = t->unit * sum[c];
    if (share && t->share == CW_SHARE_VOTES)
        votes(cost, t->classes, share);
    else if (share)
        softmax(cost, t->classes, t->temperature, share);
    for (size_t c = 0; ns_per_unit && c < t->classes; c++) /* what overflows is no prediction */
        ns_per_unit[c] = t->log_time && fabs(cost[c]) < 700 ? exp(cost[c]) : NAN;
}

/* ---- The rest of the contract ---- */

void cw_trees_thresholds(const void *state, void (*visit)(void *arg, int32_t column, double value),
                         void *arg) {
    const cw_trees *t = state;
    for (size_t i = 0; i < t->node_count; i++) {
        const cw_trees_node *node = t->node + i;
        if (node->column < 0) continue;
        visit(arg, node->column, (double)node->threshold);
        visit(arg, node->column, cw_tree_boundary((double)node->threshold));
    }
}

void cw_trees_columns_used(const void *state, bool *used) {
    const cw_trees *t = state;
    memset(used, 0, t->columns * sizeof *used);
    for (size_t i = 0; i < t->node_count; i++)
        if (t->node[i].column >= 0) used[t->node[i].column] = true;
}

size_t cw_trees_size(const void *state) {
    return ((const cw_trees *)state)->node_count;
}
