/* tree_train.c: growing a decision tree: CART (Breiman, Friedman, Olshen, Stone 1984) with Gini impurity.
 *
 * Grows what scikit-learn's DecisionTreeClassifier grows with its default settings (max_depth and
 * min_samples_leaf apart): values rounded to float; cuts between neighbouring values more than 1e-7 apart,
 * at the middle in double; the impurity in the same double arithmetic, so that what is equal there is equal
 * here; splits without gain are taken. Where several cuts are equally good scikit-learn draws a column; here
 * the first column wins, then the smallest threshold.
 *
 * Every column is sorted once and stays sorted within each node as nodes are parted: O(columns * rows) a
 * level after O(columns * rows * log rows). */
#include "tree.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const float SAME = 1e-7F; /* values no further apart than this are not told apart */

typedef struct cell {
    float value;
    uint32_t row;
} cell;

/* A node still to be grown: the cells [start, end) of every column. */
typedef struct todo {
    size_t start, end, depth;
    size_t parent; /* SIZE_MAX: not a right child */
} todo;

typedef struct grower {
    const cw_matrix *data;
    size_t max_depth, min_leaf;
    cw_tree *tree;
    cell *order;           /* columns x rows; in each node's range, each column in order of its values */
    cell *aside;           /* rows: scratch of parting */
    bool *left_side;       /* rows */
    int64_t *total, *left; /* classes: rows of the node, and of those left of the cut */
    todo *stack;
    size_t stack_count, stack_capacity;
} grower;

typedef struct split {
    size_t column, middle; /* cells [start, middle) go left; middle == end: no split */
    double threshold, merit;
} split;

static int compare_cells(const void *a, const void *b) {
    const cell *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static cw_status sort_columns(grower *g, cw_error *err) {
    const cw_matrix *m = g->data;
    for (size_t c = 0; c < m->columns; c++) {
        cell *order = g->order + c * m->rows;
        for (size_t r = 0; r < m->rows; r++) {
            double x = m->x[r * m->columns + c];
            if (fabs(x) > FLT_MAX)
                return cw_fail(err, CW_INVALID, "row %zu, column %zu: %g is beyond a float", r, c, x);
            order[r] = (cell){(float)x, (uint32_t)r};
        }
        qsort(order, m->rows, sizeof *order, compare_cells);
    }
    return CW_OK;
}

/* Gini impurity of n rows from the sum of squared class counts. */
static double gini(int64_t squares, double n) {
    return 1.0 - (double)squares / (n * n);
}

/* What to maximise: minus the children's impurity, weighted by their rows. */
static double merit_of(int64_t squares_left, double left, int64_t squares_right, double right) {
    return -right * gini(squares_right, right) - left * gini(squares_left, left);
}

static int64_t square_sum(const int64_t *count, size_t n) {
    int64_t sum = 0;
    for (size_t c = 0; c < n; c++) sum += count[c] * count[c];
    return sum;
}

/* Tries every cut of one column; keeps the best in *best if it beats it. */
static void try_column(grower *g, const todo *node, size_t column, int64_t squares, split *best) {
    const int32_t *y = g->data->y;
    const cell *order = g->order + column * g->data->rows;
    if (order[node->end - 1].value <= order[node->start].value + SAME) return;
    memset(g->left, 0, g->data->classes * sizeof *g->left);
    int64_t squares_left = 0, squares_right = squares;
    for (size_t i = node->start; i + 1 < node->end; i++) {
        /* One row of class c moves from right to left: (n + 1)^2 - n^2 = 2n + 1. */
        int32_t c = y[order[i].row];
        squares_right -= 2 * (g->total[c] - g->left[c]) - 1;
        squares_left += 2 * g->left[c]++ + 1;
        size_t left = i + 1 - node->start, right = node->end - i - 1;
        if (order[i + 1].value <= order[i].value + SAME || left < g->min_leaf || right < g->min_leaf)
            continue;
        double merit = merit_of(squares_left, (double)left, squares_right, (double)right);
        if (merit > best->merit)
            *best =
                (split){column, i + 1, (double)order[i].value / 2 + (double)order[i + 1].value / 2, merit};
    }
}

/* Rounding can make a split without gain look like a loss: more than DBL_EPSILON of it is not taken. Both
 * children's impurities are needed anew for that. */
static bool loses(grower *g, const todo *node, const split *best, int64_t squares) {
    const cell *order = g->order + best->column * g->data->rows;
    double n = (double)(node->end - node->start), left = (double)(best->middle - node->start),
           right = n - left;
    memset(g->left, 0, g->data->classes * sizeof *g->left);
    for (size_t i = node->start; i < best->middle; i++) g->left[g->data->y[order[i].row]]++;
    int64_t squares_left = square_sum(g->left, g->data->classes), squares_right = 0;
    for (size_t c = 0; c < g->data->classes; c++)
        squares_right += (g->total[c] - g->left[c]) * (g->total[c] - g->left[c]);
    double gain =
        n / (double)g->data->rows *
        (gini(squares, n) - right / n * gini(squares_right, right) - left / n * gini(squares_left, left));
    return gain + DBL_EPSILON < 0;
}

static split find_split(grower *g, const todo *node) {
    split best = {0, node->end, 0, -INFINITY};
    size_t n = node->end - node->start;
    int64_t squares = square_sum(g->total, g->data->classes);
    bool pure = gini(squares, (double)n) <= DBL_EPSILON;
    if (node->depth >= g->max_depth || n < 2 || n < 2 * g->min_leaf || pure) return best;
    for (size_t c = 0; c < g->data->columns; c++) try_column(g, node, c, squares, &best);
    if (best.middle < node->end && loses(g, node, &best, squares)) best.middle = node->end;
    return best;
}

/* Parts the node's range of every column, keeping each in order. */
static void part(grower *g, const todo *node, const split *at) {
    size_t rows = g->data->rows;
    const cell *by = g->order + at->column * rows;
    for (size_t i = node->start; i < node->end; i++) g->left_side[by[i].row] = i < at->middle;
    for (size_t c = 0; c < g->data->columns; c++) {
        cell *order = g->order + c * rows;
        size_t left = node->start, right = 0;
        for (size_t i = node->start; i < node->end; i++) {
            if (g->left_side[order[i].row])
                order[left++] = order[i];
            else
                g->aside[right++] = order[i];
        }
        memcpy(order + left, g->aside, right * sizeof *order);
    }
}

static bool make_leaf(grower *g, const todo *node) {
    const cw_matrix *m = g->data;
    bool timed = m->cost && m->scale;
    if (!cw_tree_add_leaf(g->tree, timed)) return false;
    size_t leaf = (g->tree->leaves - 1) * m->classes;
    memcpy(g->tree->count + leaf, g->total, m->classes * sizeof *g->total);
    for (size_t c = 0; timed && c < m->classes; c++) {
        double sum = 0;
        size_t n = 0;
        for (size_t i = node->start; i < node->end; i++) {
            size_t row = g->order[i].row;
            double ns = m->cost[row * m->classes + c];
            if (isnan(ns)) continue;
            sum += log(ns / m->scale[row]);
            n++;
        }
        if (n > 0) g->tree->log_ns[leaf + c] = sum / (double)n;
    }
    return true;
}

static bool push(grower *g, todo node) {
    if (!cw_grow(&g->stack, &g->stack_capacity, g->stack_count + 1, sizeof *g->stack)) return false;
    g->stack[g->stack_count++] = node;
    return true;
}

/* Left children are grown before right ones, which makes the order of nodes preorder. false = out of memory.
 */
static bool grow(grower *g) {
    if (!push(g, (todo){0, g->data->rows, 0, SIZE_MAX})) return false;
    while (g->stack_count > 0) {
        todo node = g->stack[--g->stack_count];
        if (node.parent != SIZE_MAX) g->tree->node[node.parent].next = (uint32_t)g->tree->nodes;
        memset(g->total, 0, g->data->classes * sizeof *g->total);
        for (size_t i = node.start; i < node.end; i++) g->total[g->data->y[g->order[i].row]]++;
        split at = find_split(g, &node);
        if (at.middle == node.end) {
            if (!make_leaf(g, &node)) return false;
            continue;
        }
        size_t id = g->tree->nodes;
        if (!cw_tree_add(g->tree, (int32_t)at.column, at.threshold)) return false;
        part(g, &node, &at);
        if (!push(g, (todo){at.middle, node.end, node.depth + 1, id}) ||
            !push(g, (todo){node.start, at.middle, node.depth + 1, SIZE_MAX}))
            return false;
    }
    return true;
}

cw_status cw_tree_train(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err) {
    cw_status status = cw_matrix_check(data, err);
    if (status != CW_OK) return status;
    if (options->max_depth < 0 || options->min_leaf < 1)
        return cw_fail(err, CW_INVALID,
                       "tree: max depth must be at least 0 (unlimited), min leaf at least 1");
    size_t deepest = options->max_depth ? (size_t)options->max_depth : CW_TREE_DEEPEST;
    grower g = {.data = data,
                .max_depth = deepest < CW_TREE_DEEPEST ? deepest : CW_TREE_DEEPEST,
                .min_leaf = (size_t)options->min_leaf,
                .tree = cw_alloc(sizeof *g.tree),
                .order = cw_alloc_n(data->columns * data->rows, sizeof *g.order),
                .aside = cw_alloc_n(data->rows, sizeof *g.aside),
                .left_side = cw_alloc_n(data->rows, sizeof *g.left_side),
                .total = cw_alloc_n(data->classes, sizeof *g.total),
                .left = cw_alloc_n(data->classes, sizeof *g.left)};
    if (!g.tree || !g.order || !g.aside || !g.left_side || !g.total || !g.left) {
        status = cw_fail_memory(err);
        goto out;
    }
    g.tree->columns = data->columns;
    g.tree->classes = data->classes;
    status = sort_columns(&g, err);
    if (status == CW_OK && !grow(&g)) status = cw_fail_memory(err);
out:
    if (status == CW_OK)
        *state = g.tree;
    else
        cw_tree_destroy(g.tree);
    cw_free(g.order);
    cw_free(g.aside);
    cw_free(g.left_side);
    cw_free(g.total);
    cw_free(g.left);
    cw_free(g.stack);
    return status;
}
