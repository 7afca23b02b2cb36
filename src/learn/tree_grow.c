/* tree_grow.c: growing a decision tree: CART (Breiman, Friedman, Olshen, Stone 1984) with Gini impurity.
 *
 * Grows what scikit-learn's DecisionTreeClassifier grows with its default settings (max_depth,
 * min_samples_leaf and max_leaf_nodes apart): values rounded to float; cuts between neighbouring values more
 * than 1e-7 apart, at the middle in double; the impurity in the same double arithmetic, so that what is equal
 * there is equal here; splits without gain are taken. Where several cuts are equally good scikit-learn draws
 * a column; here the first column wins, then the smallest threshold.
 *
 * Each node has its own codes: a column's values in the node, numbered in their order without gaps, so that
 * no table is longer than the node has rows, nothing is sorted after the start, and rows are read one after
 * the other. Codes, and the values they stand for, lie in the node's range of every column and are parted in
 * place: 8 bytes a cell, as much as the matrix. A column that is constant in a node, or has the codes of an
 * earlier one (the logarithm of a size, say), can win neither here nor below and is dropped for good. Sums of
 * squared counts are whole numbers; what they show to be clearly worse than the best cut so far is not
 * evaluated in doubles. Time: O(columns * rows) a level. */
#include "tree_grow.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const float SAME = 1e-7F; /* values no further apart than this are not told apart */

/* A column that is alive in a node. */
typedef struct live {
    uint32_t column, codes;
} live;

/* Where a node is parted: codes up to `code` go left. */
typedef struct split {
    double merit, gain;
    double loss_left, loss_right; /* rows * impurity */
    double bound; /* what squares / rows of both children must sum up to for a cut to be worth evaluating */
    uint32_t column, code;
    bool found;
} split;

/* A node whose split is known but not made. */
typedef struct todo {
    uint32_t node, columns;
    live *column;
    split at;
} todo;

/* A node whose cuts are tried, and the best one so far. */
typedef struct search {
    const cw_grown_node *node; /* NULL = none */
    uint32_t id;
    size_t rows, least; /* least: rows of a child */
    double all;         /* rows of the root */
    size_t classes;     /* that its rows have */
    const uint16_t *y;  /* rows: classes, numbered without gaps */
    int64_t *total;     /* classes: rows */
    int64_t squares;    /* sum of squares of total */
    live *column;       /* [0, columns): those alive, of those tried so far */
    uint64_t *mark;     /* of each: equal where codes are equal */
    uint32_t columns;
    split best;
} search;

typedef struct grower {
    const cw_matrix *data;
    cw_grow_limits limits;
    cw_grown *out;
    uint32_t *code;  /* columns x rows */
    float *value;    /* columns x rows */
    uint32_t *codes; /* columns: of the root */
    uint16_t *y;     /* rows, in the order of out->row */
    todo *open;
    size_t open_count, open_capacity;
    bool limited;     /* may max_leaves be met? */
    search search[2]; /* of the right child, and of the left one or the root */
    /* Scratch. */
    uint32_t *aside;    /* rows */
    float *value_aside; /* rows */
    uint32_t *table;    /* 4 x rows */
    uint16_t *sorted;   /* rows */
    uint16_t *y_here;   /* rows: what the searches' y point to */
    uint16_t *name;     /* classes: number in y_here, from 1 */
    uint32_t *from[2];  /* rows: which rows of the node at hand go right, and left */
    uint8_t *seen;      /* rows */
    int64_t *left;      /* classes, numbered as in y_here: rows left of the cut */
} grower;

/* ---- Looking for the best cut ---- */

/* Gini impurity of n rows from the sum of squared class counts. */
static double gini(int64_t squares, double n) {
    return 1.0 - (double)squares / (n * n);
}

/* What is maximised is minus the children's impurity, weighted by their rows; in exact arithmetic that is
 * squares_left / left + squares_right / right - rows. Rounding in either formula is below 16 of the last
 * digits of `rows`, so what misses the best merit by 64 cannot win. */
static inline void try_cut(search *s, const float *value, uint32_t column, uint32_t code, size_t rows_left,
                           int64_t squares_left, int64_t squares_right) {
    size_t rows_right = s->rows - rows_left;
    double left = (double)rows_left, right = (double)rows_right;
    if ((double)squares_left * right + (double)squares_right * left < s->best.bound * (left * right)) return;
    if (rows_left < s->least || rows_right < s->least || value[code + 1] <= value[code] + SAME) return;
    double gini_left = gini(squares_left, left), gini_right = gini(squares_right, right);
    double merit = -right * gini_right - left * gini_left;
    if (!(merit > s->best.merit)) return;
    double n = (double)s->rows;
    s->best.merit = merit;
    s->best.bound = merit + n - 64 * DBL_EPSILON * n;
    s->best.column = column;
    s->best.code = code;
    s->best.loss_left = left * gini_left;
    s->best.loss_right = right * gini_right;
    s->best.gain = n / s->all * (gini(s->squares, n) - right / n * gini_right - left / n * gini_left);
    s->best.found = true;
}

/* Few values: rows are counted by value and class. Returns the column's mark. */
static uint64_t try_counts(grower *g, search *s, live column) {
    uint64_t mark = 0;
    size_t classes = s->classes, rows_left = 0;
    const uint32_t *code = g->code + column.column * g->data->rows + s->node->start;
    const float *value = g->value + column.column * g->data->rows + s->node->start;
    const uint16_t *y = s->y;
    uint32_t *count = g->table;
    memset(count, 0, column.codes * classes * sizeof *count);
    memset(g->left, 0, classes * sizeof *g->left);
    /* Two tables, by turns: rows that follow each other are often alike, and would wait for each other. */
    uint32_t *other = count + (column.codes * classes * 2 <= 2 * s->rows ? column.codes * classes : 0);
    size_t cells = column.codes * classes, i = 0;
    memset(other, 0, cells * sizeof *other);
    for (; i + 1 < s->rows; i += 2) {
        count[code[i] * classes + y[i]]++;
        other[code[i + 1] * classes + y[i + 1]]++;
    }
    if (i < s->rows) count[code[i] * classes + y[i]]++;
    for (size_t j = 0; other != count && j < cells; j++) count[j] += other[j];
    int64_t squares_left = 0, product = 0; /* product: of counts left and in all, summed over classes */
    for (uint32_t k = 0; k + 1 < column.codes; k++) {
        const uint32_t *of = count + k * classes;
        for (size_t c = 0; c < classes; c++) {
            int64_t n = of[c];
            squares_left += n * (2 * g->left[c] + n);
            product += n * s->total[c];
            g->left[c] += n;
            rows_left += of[c];
        }
        mark += (uint64_t)product;
        try_cut(s, value, column.column, k, rows_left, squares_left, s->squares - 2 * product + squares_left);
    }
    return mark;
}

/* Many values: classes are put in the order of the values, by counting. Where all values differ a code is a
 * place already. */
static uint64_t try_sorted(grower *g, search *s, live column) {
    uint64_t mark = 0;
    const uint32_t *code = g->code + column.column * g->data->rows + s->node->start;
    const float *value = g->value + column.column * g->data->rows + s->node->start;
    const uint16_t *y = s->y;
    uint32_t *end = g->table;
    bool all_differ = column.codes == s->rows;
    if (all_differ) {
        for (size_t i = 0; i < s->rows; i++) g->sorted[code[i]] = y[i];
    } else {
        memset(end, 0, column.codes * sizeof *end);
        for (size_t i = 0; i < s->rows; i++) end[code[i]]++;
        for (uint32_t k = 0, before = 0; k < column.codes; k++) {
            uint32_t rows = end[k];
            end[k] = before;
            before += rows;
        }
        for (size_t i = 0; i < s->rows; i++) g->sorted[end[code[i]]++] = y[i];
    }
    for (size_t i = 0; i < s->rows; i++) g->left[y[i]] = 0;
    int64_t squares_left = 0, product = 0;
    size_t i = 0;
    for (uint32_t k = 0; k + 1 < column.codes; k++) {
        for (size_t stop = all_differ ? k + (size_t)1 : end[k]; i < stop; i++) {
            uint16_t c = g->sorted[i];
            squares_left += 2 * g->left[c]++ + 1;
            product += s->total[c];
        }
        mark += (uint64_t)product;
        try_cut(s, value, column.column, k, i, squares_left, s->squares - 2 * product + squares_left);
    }
    return mark;
}

/* Has an earlier column the same codes, all of them told apart? */
static bool is_copy(const grower *g, const search *s, size_t at) {
    live column = s->column[at];
    for (size_t c = 0; c < at; c++) {
        live other = s->column[c];
        if (other.codes != column.codes || s->mark[c] != s->mark[at]) continue;
        const float *value = g->value + other.column * g->data->rows + s->node->start;
        bool apart = true;
        for (uint32_t k = 1; apart && k < other.codes; k++) apart = value[k] > value[k - 1] + SAME;
        if (apart &&
            memcmp(g->code + other.column * g->data->rows + s->node->start,
                   g->code + column.column * g->data->rows + s->node->start, s->rows * sizeof *g->code) == 0)
            return true;
    }
    return false;
}

/* With pure children the merit is 0, the best there is; no column is needed any more, here or below. */
static bool is_done(const search *s) {
    return !s->node || s->best.merit >= 0;
}

static void try_column(grower *g, search *s, live column) {
    if (column.codes < 2 || is_done(s)) return;
    bool few = column.codes * s->classes <= 4 * s->rows;
    s->column[s->columns] = column;
    s->mark[s->columns] = few ? try_counts(g, s, column) : try_sorted(g, s, column);
    if (!is_copy(g, s, s->columns)) s->columns++;
}

/* Numbers the classes of a node's rows without gaps. */
static void number_classes(grower *g, search *s) {
    uint16_t *y = g->y_here + s->node->start;
    const uint16_t *from = g->y + s->node->start;
    s->classes = 0;
    s->y = y;
    memset(g->name, 0, g->data->classes * sizeof *g->name);
    for (size_t i = 0; i < s->rows; i++) {
        uint16_t *name = &g->name[from[i]]; /* 0 = none yet */
        if (*name == 0) {
            s->total[s->classes] = 0;
            *name = (uint16_t)++s->classes;
        }
        y[i] = (uint16_t)(*name - 1);
        s->total[*name - 1]++;
    }
}

static int64_t square_sum(const int64_t *count, size_t n) {
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += count[i] * count[i];
    return sum;
}

/* Might the node be parted? Only then it needs its codes. */
static bool is_open(const grower *g, const cw_grown_node *node) {
    size_t n = node->end - node->start;
    if (node->depth >= g->limits.max_depth || n < 2 || n < 2 * g->limits.min_leaf) return false;
    for (uint32_t i = node->start + 1; i < node->end; i++)
        if (g->y[i] != g->y[node->start]) return true;
    return false; /* pure */
}

/* ---- Parting ---- */

/* Numbers the codes of some of a node's rows anew; returns how many codes there are, writes none if it is
 * only one. The output may be what is read. */
static uint32_t number_again(grower *g, const uint32_t *from, size_t n, live column,
                             const cw_grown_node *node, uint32_t *code_out, float *value_out) {
    const uint32_t *code = g->code + column.column * g->data->rows + node->start;
    const float *value = g->value + column.column * g->data->rows + node->start;
    uint32_t *rank = g->table, codes = 0;
    uint8_t *seen = g->seen;
    memset(seen, 0, column.codes);
    /* Of few codes all are soon seen. */
    for (size_t i = 0; i < n && memchr(seen, 0, column.codes);) {
        size_t stop = n - i < 64 + column.codes ? n : i + 64 + column.codes;
        for (; i < stop; i++) seen[code[from[i]]] = 1;
    }
    for (uint32_t k = 0; k < column.codes; k++) {
        rank[k] = codes;
        codes += seen[k];
    }
    if (codes < 2) return codes;
    for (uint32_t k = 0; k < column.codes; k++)
        if (seen[k]) value_out[rank[k]] = value[k];
    for (size_t i = 0; i < n; i++) code_out[i] = rank[code[from[i]]];
    return codes;
}

/* Rows and classes parted, g->from set for the columns. Returns how many rows go left. */
static uint32_t part_rows(grower *g, const cw_grown_node *node, const split *at) {
    uint32_t n = node->end - node->start, left = 0;
    const uint32_t *code = g->code + at->column * g->data->rows + node->start;
    uint32_t *row = g->out->row + node->start;
    uint16_t *y = g->y + node->start;
    for (uint32_t i = 0; i < n; i++) {
        bool side = code[i] <= at->code;
        g->from[0][i - left] = i;
        g->from[1][left] = i;
        g->aside[i - left] = row[i];
        g->sorted[i - left] = y[i];
        row[left] = row[i];
        y[left] = y[i];
        left += side;
    }
    memcpy(row + left, g->aside, (n - left) * sizeof *row);
    memcpy(y + left, g->sorted, (n - left) * sizeof *y);
    return left;
}

/* ---- The frontier ---- */

/* Is a grown before b? Only asked where leaves are limited. */
static bool is_before(const todo *a, const todo *b) {
    return a->at.gain > b->at.gain || (a->at.gain == b->at.gain && a->node < b->node);
}

static void swap_todo(todo *a, todo *b) {
    todo swap = *a;
    *a = *b;
    *b = swap;
}

/* A heap where leaves are limited, else a stack. */
static bool push(grower *g, todo item) {
    if (!cw_grow(&g->open, &g->open_capacity, g->open_count + 1, sizeof *g->open)) return false;
    size_t i = g->open_count++;
    g->open[i] = item;
    for (; g->limited && i > 0 && is_before(&g->open[i], &g->open[(i - 1) / 2]); i = (i - 1) / 2)
        swap_todo(&g->open[i], &g->open[(i - 1) / 2]);
    return true;
}

static todo pop(grower *g) {
    todo *open = g->open;
    size_t n = --g->open_count;
    if (!g->limited) return open[n];
    todo top = open[0];
    open[0] = open[n];
    for (size_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_before(&open[child + 1], &open[child])) child++;
        if (!is_before(&open[child], &open[i])) break;
        swap_todo(&open[child], &open[i]);
    }
    return top;
}

/* Is the node to be parted at all? Then columns may be tried. */
static void begin(grower *g, search *s, uint32_t id) {
    const cw_grown_node *node = g->out->node + id;
    s->node = is_open(g, node) ? node : NULL;
    s->id = id;
    s->columns = 0;
    s->best = (split){.merit = -INFINITY, .bound = -INFINITY};
    if (!s->node) return;
    s->rows = node->end - node->start;
    number_classes(g, s);
    s->squares = square_sum(s->total, s->classes);
}

/* Puts the node on the frontier if there is a split. false = out of memory. */
static bool finish(grower *g, const search *s) {
    /* Rounding can make a split without gain look like a loss: more than DBL_EPSILON of it is not taken. */
    if (!s->node || !s->best.found || s->best.gain + DBL_EPSILON < 0) return true;
    todo item = {s->id, s->columns, cw_alloc_n(s->columns, sizeof *item.column), s->best};
    if (!item.column) return false;
    memcpy(item.column, s->column, s->columns * sizeof *item.column);
    if (push(g, item)) return true;
    cw_free(item.column);
    return false;
}

static bool add_node(grower *g, cw_grown_node node) {
    cw_grown *out = g->out;
    if (!cw_grow(&out->node, &out->capacity, out->nodes + 1, sizeof *out->node)) return false;
    out->node[out->nodes++] = node;
    return true;
}

/* Parts a node of the frontier and considers its children. false = out of memory. */
static bool expand(grower *g, const todo *item) {
    uint32_t id = item->node, first = (uint32_t)g->out->nodes;
    cw_grown_node node = g->out->node[id];
    const float *value = g->value + item->at.column * g->data->rows + node.start + item->at.code;
    node.column = (int32_t)item->at.column;
    node.threshold = (double)value[0] / 2 + (double)value[1] / 2;
    node.left = first;
    node.right = first + 1;
    uint32_t left_rows = part_rows(g, &node, &item->at), middle = node.start + left_rows;
    g->out->node[id] = node;
    if (!add_node(g, (cw_grown_node){.start = node.start,
                                     .end = middle,
                                     .column = -1,
                                     .depth = node.depth + 1,
                                     .loss = item->at.loss_left}) ||
        !add_node(g, (cw_grown_node){.start = middle,
                                     .end = node.end,
                                     .column = -1,
                                     .depth = node.depth + 1,
                                     .loss = item->at.loss_right}))
        return false;
    search *left = &g->search[1], *right = &g->search[0];
    begin(g, left, first);
    begin(g, right, first + 1);
    for (uint32_t c = 0; c < item->columns && !(is_done(left) && is_done(right)); c++) {
        live column = item->column[c], below = {column.column, 0}, above = {column.column, 0};
        uint32_t *code_at = g->code + column.column * g->data->rows + node.start;
        float *value_at = g->value + column.column * g->data->rows + node.start;
        /* The left ones are written over what both are read from. */
        if (!is_done(right))
            above.codes = number_again(g, g->from[0], right->rows, column, &node, g->aside, g->value_aside);
        if (!is_done(left))
            below.codes = number_again(g, g->from[1], left->rows, column, &node, code_at, value_at);
        if (above.codes > 1) {
            memcpy(code_at + left_rows, g->aside, right->rows * sizeof *code_at);
            memcpy(value_at + left_rows, g->value_aside, above.codes * sizeof *value_at);
        }
        try_column(g, left, below);
        try_column(g, right, above);
    }
    return finish(g, left) && finish(g, right);
}

/* false = out of memory. */
static bool grow(grower *g) {
    size_t rows = g->data->rows, leaves = 1;
    for (size_t r = 0; r < rows; r++) {
        g->out->row[r] = (uint32_t)r;
        g->y[r] = (uint16_t)g->data->y[r];
    }
    if (!add_node(g, (cw_grown_node){.end = (uint32_t)rows, .column = -1})) return false;
    search *root = &g->search[1];
    begin(g, root, 0);
    for (size_t c = 0; c < g->data->columns; c++) try_column(g, root, (live){(uint32_t)c, g->codes[c]});
    if (root->node)
        g->out->node[0].loss = (double)rows * gini(square_sum(root->total, root->classes), (double)rows);
    if (!finish(g, root)) return false;
    for (; g->open_count > 0 && leaves < g->limits.max_leaves; leaves++) {
        todo item = pop(g);
        bool fine = expand(g, &item);
        cw_free(item.column);
        if (!fine) return false;
    }
    return true;
}

static bool make_search(const grower *g, search *s) {
    const cw_matrix *m = g->data;
    *s = (search){.least = g->limits.min_leaf,
                  .all = (double)m->rows,
                  .total = cw_alloc_n(m->classes, sizeof *s->total),
                  .column = cw_alloc_n(m->columns, sizeof *s->column),
                  .mark = cw_alloc_n(m->columns, sizeof *s->mark)};
    return s->total && s->column && s->mark;
}

static void release_search(search *s) {
    cw_free(s->total);
    cw_free(s->column);
    cw_free(s->mark);
}

cw_status cw_grow_tree(const cw_matrix *data, const cw_grow_limits *limits, cw_grown *out, cw_error *err) {
    size_t rows = data->rows, cells = rows * data->columns;
    *out = (cw_grown){.row = cw_alloc_n(rows, sizeof *out->row)};
    grower g = {.data = data,
                .limits = *limits,
                .limited = limits->max_leaves < rows,
                .out = out,
                .code = cw_alloc_n(cells, sizeof *g.code),
                .value = cw_alloc_n(cells, sizeof *g.value),
                .y = cw_alloc_n(rows, sizeof *g.y),
                .codes = cw_alloc_n(data->columns, sizeof *g.codes),
                .aside = cw_alloc_n(rows, sizeof *g.aside),
                .value_aside = cw_alloc_n(rows, sizeof *g.value_aside),
                .table = cw_alloc_n(4 * rows, sizeof *g.table),
                .sorted = cw_alloc_n(rows, sizeof *g.sorted),
                .y_here = cw_alloc_n(rows, sizeof *g.y_here),
                .name = cw_alloc_n(data->classes, sizeof *g.name),
                .from = {cw_alloc_n(rows, sizeof **g.from), cw_alloc_n(rows, sizeof **g.from)},
                .seen = cw_alloc_n(rows, sizeof *g.seen),
                .left = cw_alloc_n(data->classes, sizeof *g.left)};
    cw_status status = CW_OK;
    bool fine = out->row && g.code && g.value && g.codes && g.y && g.aside && g.value_aside && g.table &&
                g.sorted && g.y_here && g.name && g.from[0] && g.from[1] && g.seen && g.left;
    for (size_t i = 0; i < CW_COUNT(g.search); i++) fine &= make_search(&g, &g.search[i]);
    if (!fine) status = cw_fail_memory(err);
    if (status == CW_OK) status = cw_tree_code(data, g.code, g.value, g.codes, err);
    if (status == CW_OK && !grow(&g)) status = cw_fail_memory(err);
    for (size_t i = 0; i < g.open_count; i++) cw_free(g.open[i].column);
    for (size_t i = 0; i < CW_COUNT(g.search); i++) release_search(&g.search[i]);
    void *const scratch[] = {g.code,        g.value,   g.codes,  g.y,      g.aside,
                             g.value_aside, g.table,   g.sorted, g.y_here, g.name,
                             g.from[0],     g.from[1], g.seen,   g.left,   g.open};
    for (size_t i = 0; i < CW_COUNT(scratch); i++) cw_free(scratch[i]);
    return status;
}

void cw_grown_release(cw_grown *grown) {
    cw_free(grown->node);
    cw_free(grown->row);
    *grown = (cw_grown){0};
}
