/* forest_grow.c: growing one tree on binned columns: which node is parted next, its rows, the means of its
 * leaves. Where a node is cut is forest_cuts.c. */
#include "forest_cuts.h"
#include <string.h>

/* A node that may still be parted: its rows, [from, to) of grower.row. */
typedef struct todo {
    uint32_t node, from, to, depth;
    cw_cut best;
    cw_columns constant;
} todo;

typedef struct range {
    uint32_t from, to;
} range;

typedef struct grower {
    const cw_forest_growth *how;
    const uint8_t *draws; /* rows, NULL = 1 each */
    cw_rng rng;
    size_t classes;
    cw_cutter *cutter;
    uint32_t *row, *aside; /* the drawn rows, by node; scratch */
    double *mean;          /* (CW_TREES_DEEPEST + 1) x classes: the way from the root to a leaf */
    double *sum, *count;   /* classes */
    todo *open;
    size_t open_count, open_capacity;
    range *range; /* nodes */
    size_t range_capacity;
    cw_forest_tree *out;
} grower;

/* Rows that go left first, both sides keep their order. */
static uint32_t part(grower *g, const todo *node) {
    const uint8_t *code = g->how->bins->code + node->best.column * g->how->bins->rows;
    uint32_t left = node->from, right = 0;
    for (uint32_t i = node->from; i < node->to; i++) {
        uint32_t row = g->row[i];
        if (code[row] <= node->best.code)
            g->row[left++] = row;
        else
            g->aside[right++] = row;
    }
    memcpy(g->row + left, g->aside, right * sizeof *g->row);
    return left;
}

static bool add_node(grower *g, const todo *above, uint32_t from, uint32_t to) {
    cw_forest_tree *out = g->out;
    if (!cw_grow(&out->node, &out->node_capacity, out->nodes + 1, sizeof *out->node) ||
        !cw_grow(&g->range, &g->range_capacity, out->nodes + 1, sizeof *g->range) ||
        !cw_grow(&g->open, &g->open_capacity, g->open_count + 1, sizeof *g->open))
        return false;
    todo node = {.node = (uint32_t)out->nodes, .from = from, .to = to};
    if (above) {
        node.depth = above->depth + 1;
        node.constant = above->constant;
    }
    out->node[out->nodes] = (cw_forest_node){.column = -1};
    g->range[out->nodes++] = (range){from, to};
    out->leaves++;
    if (node.depth < g->how->max_depth && to - from >= 2 * g->how->min_leaf)
        node.best = cw_cutter_best(g->cutter, g->row + from, to - from, &g->rng, &node.constant);
    if (node.best.merit > 0) g->open[g->open_count++] = node;
    return true;
}

static todo take(grower *g) {
    size_t at = g->open_count - 1;
    if (g->how->max_leaves < SIZE_MAX)
        for (size_t i = 0; i < g->open_count; i++)
            if (g->open[i].best.gain > g->open[at].best.gain) at = i;
    todo node = g->open[at];
    g->open[at] = g->open[--g->open_count];
    return node;
}

/* false = out of memory. */
static bool grow(grower *g, uint32_t rows) {
    if (!add_node(g, NULL, 0, rows)) return false;
    while (g->open_count > 0 && g->out->leaves < g->how->max_leaves) {
        todo node = take(g);
        uint32_t middle = part(g, &node), left = (uint32_t)g->out->nodes;
        g->out->leaves--;
        if (!add_node(g, &node, node.from, middle)) return false;
        uint32_t right = (uint32_t)g->out->nodes;
        if (!add_node(g, &node, middle, node.to)) return false;
        const cw_bins *bins = g->how->bins;
        g->out->node[node.node] =
            (cw_forest_node){.threshold = bins->upper[node.best.column * CW_BINS + node.best.code],
                             .column = (int32_t)node.best.column,
                             .left = left,
                             .right = right};
    }
    return true;
}

/* Sums values and draws of a node's rows by class; returns all draws. */
static double sum_rows(const grower *g, range at) {
    const cw_target *t = g->how->target;
    double all = 0;
    memset(g->sum, 0, 2 * g->classes * sizeof *g->sum);
    for (uint32_t i = at.from; i < at.to; i++) {
        const uint32_t row = g->row[i];
        const double draws = g->draws ? g->draws[row] : 1;
        all += draws;
        for (uint32_t e = t->start[row]; e < t->start[row + 1]; e++) {
            g->sum[t->class[e]] += draws * (double)t->value[e];
            g->count[t->class[e]] += draws;
        }
    }
    return all;
}

/* Means of the leaves below a node, from the root down. */
static void fill(grower *g, uint32_t node, size_t depth) {
    const cw_forest_growth *how = g->how;
    cw_forest_node *n = &g->out->node[node];
    double *mean = g->mean + depth * g->classes;
    if (how->target->per_class) {
        /* A class that the node has not: the mean above. */
        sum_rows(g, g->range[node]);
        for (size_t c = 0; c < g->classes; c++) {
            double above = depth > 0 ? mean[(ptrdiff_t)c - (ptrdiff_t)g->classes] : how->missing;
            double prior = depth > 0 ? how->prior : 0;
            mean[c] = g->count[c] > 0 ? (g->sum[c] + prior * above) / (g->count[c] + prior) : above;
        }
    } else if (n->column < 0) {
        double all = sum_rows(g, g->range[node]);
        for (size_t c = 0; c < g->classes; c++) mean[c] = g->sum[c] / all;
    }
    if (n->column < 0) {
        n->left = (uint32_t)(g->out->leaves * g->classes);
        for (size_t c = 0; c < g->classes; c++) g->out->value[n->left + c] = (float)mean[c];
        g->out->leaves++;
        return;
    }
    fill(g, n->left, depth + 1);
    fill(g, n->right, depth + 1);
}

static cw_status prepare(grower *g, cw_error *err) {
    const size_t rows = g->how->bins->rows, k = g->classes;
    cw_status status = cw_cutter_make(g->how, g->draws, &g->cutter, err);
    if (status != CW_OK) return status;
    g->row = cw_alloc_n(rows, sizeof *g->row);
    g->aside = cw_alloc_n(rows, sizeof *g->aside);
    g->mean = cw_alloc_n((CW_TREES_DEEPEST + 3) * k, sizeof *g->mean);
    if (!g->row || !g->aside || !g->mean) return cw_fail_memory(err);
    g->sum = g->mean + (CW_TREES_DEEPEST + 1) * k;
    g->count = g->sum + k;
    return CW_OK;
}

static void release(grower *g) {
    void *const arrays[] = {g->row, g->aside, g->mean, g->open, g->range};
    for (size_t i = 0; i < CW_COUNT(arrays); i++) cw_free(arrays[i]);
    cw_cutter_free(g->cutter);
}

uint8_t *cw_forest_by_row(const cw_bins *bins, size_t *width) {
    *width = (bins->columns + 15) / 16 * 16;
    uint8_t *code = cw_alloc_n(bins->rows, *width);
    enum { BLOCK = 64 };
    for (size_t from = 0; code && from < bins->rows; from += BLOCK)
        for (size_t c = 0; c < bins->columns; c++)
            for (size_t r = from; r < from + BLOCK && r < bins->rows; r++)
                code[r * *width + c] = bins->code[c * bins->rows + r];
    return code;
}

cw_status cw_forest_grow(const cw_forest_growth *how, const uint8_t *draws, cw_rng rng, cw_forest_tree *out,
                         cw_error *err) {
    grower g = {.how = how, .draws = draws, .rng = rng, .classes = how->target->classes, .out = out};
    *out = (cw_forest_tree){0};
    cw_status status = prepare(&g, err);
    uint32_t rows = 0;
    for (size_t r = 0; status == CW_OK && r < how->bins->rows; r++)
        if (!draws || draws[r]) g.row[rows++] = (uint32_t)r;
    if (status == CW_OK && !grow(&g, rows)) status = cw_fail_memory(err);
    if (status == CW_OK) {
        out->value = cw_alloc_n(out->leaves * g.classes, sizeof *out->value);
        out->leaves = 0;
        if (out->value)
            fill(&g, 0, 0);
        else
            status = cw_fail_memory(err);
    }
    release(&g);
    return status;
}

void cw_forest_tree_release(cw_forest_tree *grown) {
    cw_free(grown->node);
    cw_free(grown->value);
    *grown = (cw_forest_tree){0};
}

static bool add_below(const cw_forest_tree *grown, uint32_t at, double *values, double factor, size_t classes,
                      cw_trees_draft *draft) {
    const cw_forest_node *n = &grown->node[at];
    if (n->column < 0) {
        for (size_t c = 0; c < classes; c++) values[c] = factor * (double)grown->value[n->left + c];
        return cw_trees_add_leaf(draft, values) != SIZE_MAX;
    }
    size_t node = cw_trees_add_inner(draft, n->column, n->threshold);
    if (node == SIZE_MAX || !add_below(grown, n->left, values, factor, classes, draft)) return false;
    draft->trees.node[node].next = (uint32_t)draft->trees.node_count;
    return add_below(grown, n->right, values, factor, classes, draft);
}

bool cw_forest_tree_add(const cw_forest_tree *grown, double factor, size_t classes, cw_trees_draft *draft) {
    double values[CW_MODEL_MOST];
    return cw_trees_begin(draft, 0, classes) && add_below(grown, 0, values, factor, classes, draft);
}
