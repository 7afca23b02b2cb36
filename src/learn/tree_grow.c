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

typedef struct grower {
    const cw_matrix *data;
    cw_grow_limits limits;
    cw_grown *out;
    uint32_t *code; /* columns x rows */
    float *value;   /* columns x rows */
    uint16_t *y;    /* rows, in the order of out->row */
    todo *open;
    size_t open_count, open_capacity;
    bool limited; /* may max_leaves be met? */
    live *live;   /* columns: of the node at hand */
    live *live_left, *live_right;
    /* Scratch. */
    uint32_t *aside;       /* rows */
    float *value_aside;    /* rows */
    uint32_t *table;       /* 2 x rows */
    uint16_t *sorted;      /* rows */
    uint16_t *y_here;      /* rows: classes of the node at hand, numbered without gaps */
    uint16_t *name;        /* classes: number in y_here, from 1 */
    uint32_t *from[2];     /* rows: which rows of the node at hand go right, and left */
    uint8_t *seen;         /* rows */
    uint64_t *mark;        /* columns: equal for columns with equal codes */
    int64_t *total, *left; /* of the classes in y_here: rows of the node, and of those left of the cut */
} grower;

/* ---- Codes ---- */

typedef struct cell {
    uint32_t key, row;
} cell;

/* Order of keys = order of floats. */
static uint32_t key_of(float x) {
    uint32_t bits;
    x += 0.0F; /* -0 is 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

static float value_of(uint32_t key) {
    uint32_t bits = key & 0x80000000U ? key & 0x7FFFFFFFU : ~key;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Radix sort by key; passes in which all keys agree are left out. Returns where the result is. */
static cell *sort_cells(cell *from, cell *to, size_t n) {
    enum { BITS = 11, SLOTS = 1 << BITS };
    static const uint32_t shift[] = {0, BITS, 2 * BITS};
    size_t start[3][SLOTS] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < 3; p++) start[p][from[i].key >> shift[p] & (SLOTS - 1)]++;
    for (int p = 0; p < 3; p++) {
        if (start[p][from[0].key >> shift[p] & (SLOTS - 1)] == n) continue;
        size_t sum = 0;
        for (size_t s = 0; s < SLOTS; s++) {
            size_t count = start[p][s];
            start[p][s] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++) to[start[p][from[i].key >> shift[p] & (SLOTS - 1)]++] = from[i];
        cell *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* Numbers the values of a column; returns how many there are. */
static uint32_t number_values(const cell *sorted, size_t n, uint32_t *code, float *value) {
    uint32_t codes = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || sorted[i].key != sorted[i - 1].key) value[codes++] = value_of(sorted[i].key);
        code[sorted[i].row] = codes - 1;
    }
    return codes;
}

static int compare_keys(const void *a, const void *b) {
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* The same for a column of few values, without sorting all rows: numbers the keys in the order of their
 * appearance, then renames them. Returns 0 where there are too many. */
static uint32_t number_few(const uint32_t *key, size_t n, uint32_t *code, float *value) {
    enum { FEW = 512, BITS = 11 };
    struct slot {
        uint32_t key, code; /* key 0 = empty; no number has it */
    } slots[1 << BITS] = {{0, 0}};
    uint32_t keys[FEW], name[FEW], codes = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = key[i] * 2654435769U >> (32 - BITS);
        while (slots[at].key != key[i] && slots[at].key != 0) at = (at + 1) & ((1 << BITS) - 1);
        if (slots[at].key == 0) {
            if (codes == FEW) return 0;
            slots[at] = (struct slot){key[i], codes};
            keys[codes++] = key[i];
        }
        code[i] = slots[at].code;
    }
    qsort(keys, codes, sizeof *keys, compare_keys);
    for (uint32_t k = 0; k < codes; k++) {
        uint32_t at = keys[k] * 2654435769U >> (32 - BITS);
        while (slots[at].key != keys[k]) at = (at + 1) & ((1 << BITS) - 1);
        name[slots[at].code] = k;
        value[k] = value_of(keys[k]);
    }
    for (size_t i = 0; i < n; i++) code[i] = name[code[i]];
    return codes;
}

static cw_status find_beyond_float(const cw_matrix *m, cw_error *err) {
    for (size_t i = 0; i < m->rows * m->columns; i++)
        if (fabs(m->x[i]) > FLT_MAX)
            return cw_fail(err, CW_INVALID, "row %zu, column %zu: %g is beyond a float", i / m->columns,
                           i % m->columns, m->x[i]);
    return CW_OK;
}

/* Keys of all columns, side by side, by blocks of rows that stay in the cache. */
static cw_status read_keys(grower *g, cw_error *err) {
    enum { BLOCK = 256 };
    const cw_matrix *m = g->data;
    bool beyond = false;
    for (size_t from = 0; from < m->rows; from += BLOCK) {
        size_t to = m->rows - from < BLOCK ? m->rows : from + BLOCK;
        for (size_t c = 0; c < m->columns; c++) {
            uint32_t *key = g->code + c * m->rows;
            for (size_t r = from; r < to; r++) {
                double x = m->x[r * m->columns + c];
                beyond |= fabs(x) > FLT_MAX;
                key[r] = key_of((float)x);
            }
        }
    }
    return beyond ? find_beyond_float(m, err) : CW_OK;
}

static cw_status code_columns(grower *g, cw_error *err) {
    const cw_matrix *m = g->data;
    cw_status status = read_keys(g, err);
    if (status != CW_OK) return status;
    cell *cells = cw_alloc_n(2 * m->rows, sizeof *cells);
    if (!cells) return cw_fail_memory(err);
    for (size_t c = 0; c < m->columns; c++) {
        const uint32_t *key = g->code + c * m->rows;
        float *value = g->value + c * m->rows;
        uint32_t codes = number_few(key, m->rows, g->aside, value);
        if (codes == 0) {
            for (size_t r = 0; r < m->rows; r++) cells[r] = (cell){key[r], (uint32_t)r};
            codes = number_values(sort_cells(cells, cells + m->rows, m->rows), m->rows, g->aside, value);
        }
        memcpy(g->code + c * m->rows, g->aside, m->rows * sizeof *key);
        g->live_left[c] = (live){(uint32_t)c, codes};
    }
    cw_free(cells);
    return CW_OK;
}

/* ---- Looking for the best cut ---- */

/* Gini impurity of n rows from the sum of squared class counts. */
static double gini(int64_t squares, double n) {
    return 1.0 - (double)squares / (n * n);
}

/* The node whose cuts are tried, and the best one so far. */
typedef struct search {
    const cw_grown_node *node;
    size_t rows, least; /* least: rows of a child */
    double all;         /* rows of the root */
    int64_t squares;    /* sum of squared class counts */
    split best;
    uint64_t mark;  /* of the column at hand */
    size_t classes; /* that its rows have */
} search;

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

/* Few values: rows are counted by value and class. */
static void try_counts(grower *g, search *s, live column) {
    size_t classes = s->classes, rows_left = 0;
    const uint32_t *code = g->code + column.column * g->data->rows + s->node->start;
    const float *value = g->value + column.column * g->data->rows + s->node->start;
    const uint16_t *y = g->y_here;
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
            product += n * g->total[c];
            g->left[c] += n;
            rows_left += of[c];
        }
        s->mark += (uint64_t)product;
        try_cut(s, value, column.column, k, rows_left, squares_left, s->squares - 2 * product + squares_left);
    }
}

/* Many values: classes are put in the order of the values, by counting. Where all values differ a code is a
 * place already. */
static void try_sorted(grower *g, search *s, live column) {
    const uint32_t *code = g->code + column.column * g->data->rows + s->node->start;
    const float *value = g->value + column.column * g->data->rows + s->node->start;
    const uint16_t *y = g->y_here;
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
            product += g->total[c];
        }
        s->mark += (uint64_t)product;
        try_cut(s, value, column.column, k, i, squares_left, s->squares - 2 * product + squares_left);
    }
}

/* Has an earlier column the same codes, all of them told apart? */
static bool is_copy(const grower *g, const search *s, size_t at) {
    live column = g->live[at];
    for (size_t c = 0; c < at; c++) {
        live other = g->live[c];
        if (other.codes != column.codes || g->mark[c] != g->mark[at]) continue;
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

/* The best cut of a node whose columns are g->live[0], .. [count - 1]; drops the columns that cannot matter
 * below it and returns how many are left. */
static uint32_t find_split(grower *g, search *s, uint32_t count) {
    uint32_t kept = 0;
    /* With pure children the merit is 0, the best there is, and no column is needed any more. */
    for (uint32_t c = 0; c < count && s->best.merit < 0; c++) {
        live column = g->live[c];
        if (column.codes < 2) continue;
        s->mark = 0;
        if (column.codes * s->classes <= 2 * s->rows)
            try_counts(g, s, column);
        else
            try_sorted(g, s, column);
        g->live[kept] = column;
        g->mark[kept] = s->mark;
        kept += !is_copy(g, s, kept);
    }
    return kept;
}

/* Numbers the classes of a node's rows without gaps, in g->y_here and g->total; returns how many. */
static size_t number_classes(grower *g, const cw_grown_node *node) {
    size_t classes = 0;
    memset(g->name, 0, g->data->classes * sizeof *g->name);
    for (uint32_t i = node->start; i < node->end; i++) {
        uint16_t *name = &g->name[g->y[i]]; /* 0 = none yet */
        if (*name == 0) {
            g->total[classes] = 0;
            *name = (uint16_t)++classes;
        }
        g->y_here[i - node->start] = (uint16_t)(*name - 1);
        g->total[*name - 1]++;
    }
    return classes;
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

/* Looks for the node's split, among the columns g->live; puts it on the frontier if there is one. false = out
 * of memory. */
static bool consider(grower *g, uint32_t id, const live *columns, uint32_t count) {
    cw_grown_node *node = g->out->node + id;
    search s = {.node = node,
                .rows = node->end - node->start,
                .all = (double)g->data->rows,
                .least = g->limits.min_leaf,
                .classes = number_classes(g, node),
                .best = {.merit = -INFINITY, .bound = -INFINITY}};
    s.squares = square_sum(g->total, s.classes);
    memcpy(g->live, columns, count * sizeof *columns);
    count = find_split(g, &s, count);
    /* Rounding can make a split without gain look like a loss: more than DBL_EPSILON of it is not taken. */
    if (!s.best.found || s.best.gain + DBL_EPSILON < 0) return true;
    todo item = {id, count, cw_alloc_n(count, sizeof *item.column), s.best};
    if (!item.column) return false;
    memcpy(item.column, g->live, count * sizeof *item.column);
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
    uint32_t id = item->node, first = (uint32_t)g->out->nodes, counts[2] = {0, 0};
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
    bool left = is_open(g, g->out->node + first), right = is_open(g, g->out->node + first + 1);
    uint32_t right_rows = node.end - middle;
    for (uint32_t c = 0; (left || right) && c < item->columns; c++) {
        live column = item->column[c];
        uint32_t *code_at = g->code + column.column * g->data->rows + node.start, below = 0, above = 0;
        float *value_at = g->value + column.column * g->data->rows + node.start;
        /* The left ones are written over what both are read from. */
        if (right) above = number_again(g, g->from[0], right_rows, column, &node, g->aside, g->value_aside);
        if (left) below = number_again(g, g->from[1], left_rows, column, &node, code_at, value_at);
        if (below > 1) g->live_left[counts[0]++] = (live){column.column, below};
        if (above < 2) continue;
        memcpy(code_at + left_rows, g->aside, right_rows * sizeof *code_at);
        memcpy(value_at + left_rows, g->value_aside, above * sizeof *value_at);
        g->live_right[counts[1]++] = (live){column.column, above};
    }
    return (!left || consider(g, first, g->live_left, counts[0])) &&
           (!right || consider(g, first + 1, g->live_right, counts[1]));
}

/* false = out of memory. */
static bool grow(grower *g) {
    size_t rows = g->data->rows, leaves = 1;
    for (size_t r = 0; r < rows; r++) {
        g->out->row[r] = (uint32_t)r;
        g->y[r] = (uint16_t)g->data->y[r];
    }
    cw_grown_node root = {.end = (uint32_t)rows, .column = -1};
    root.loss = (double)rows * gini(square_sum(g->total, number_classes(g, &root)), (double)rows);
    if (!add_node(g, root)) return false;
    if (is_open(g, g->out->node) && !consider(g, 0, g->live_left, (uint32_t)g->data->columns)) return false;
    for (; g->open_count > 0 && leaves < g->limits.max_leaves; leaves++) {
        todo item = pop(g);
        bool fine = expand(g, &item);
        cw_free(item.column);
        if (!fine) return false;
    }
    return true;
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
                .live = cw_alloc_n(data->columns, sizeof *g.live),
                .live_left = cw_alloc_n(data->columns, sizeof *g.live),
                .live_right = cw_alloc_n(data->columns, sizeof *g.live),
                .aside = cw_alloc_n(rows, sizeof *g.aside),
                .value_aside = cw_alloc_n(rows, sizeof *g.value_aside),
                .table = cw_alloc_n(2 * rows, sizeof *g.table),
                .sorted = cw_alloc_n(rows, sizeof *g.sorted),
                .y_here = cw_alloc_n(rows, sizeof *g.y_here),
                .name = cw_alloc_n(data->classes, sizeof *g.name),
                .from = {cw_alloc_n(rows, sizeof **g.from), cw_alloc_n(rows, sizeof **g.from)},
                .seen = cw_alloc_n(rows, sizeof *g.seen),
                .mark = cw_alloc_n(data->columns, sizeof *g.mark),
                .total = cw_alloc_n(data->classes, sizeof *g.total),
                .left = cw_alloc_n(data->classes, sizeof *g.left)};
    cw_status status = CW_OK;
    if (!out->row || !g.code || !g.value || !g.y || !g.live || !g.live_left || !g.live_right || !g.aside ||
        !g.value_aside || !g.table || !g.sorted || !g.y_here || !g.name || !g.from[0] || !g.from[1] ||
        !g.seen || !g.mark || !g.total || !g.left)
        status = cw_fail_memory(err);
    if (status == CW_OK) status = code_columns(&g, err);
    if (status == CW_OK && !grow(&g)) status = cw_fail_memory(err);
    for (size_t i = 0; i < g.open_count; i++) cw_free(g.open[i].column);
    void *const scratch[] = {g.code,        g.value, g.y,      g.live,   g.live_left, g.live_right, g.aside,
                             g.value_aside, g.table, g.sorted, g.y_here, g.name,      g.from[0],    g.from[1],
                             g.seen,        g.mark,  g.total,  g.left,   g.open};
    for (size_t i = 0; i < CW_COUNT(scratch); i++) cw_free(scratch[i]);
    return status;
}

void cw_grown_release(cw_grown *grown) {
    cw_free(grown->node);
    cw_free(grown->row);
    *grown = (cw_grown){0};
}
