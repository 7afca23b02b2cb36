/* forest_grow.c: growing one tree on binned columns. Where all cuts are tried, a node's rows are put in the
 * order of a column's codes by counting, then walked once; where cuts are drawn, one pass sums what lies left
 * of it. Either way a node costs its rows times the columns it looks at. */
#include "forest_grow.h"
#include <math.h>
#include <string.h>

typedef struct split {
    size_t column;
    uint8_t code; /* codes up to it go left */
    double merit; /* -INFINITY = there is none */
} split;

/* A node that may still be parted: its rows, [from, to) of grower.row. */
typedef struct todo {
    uint32_t node, from, to, depth;
    split best;
    double gain;
    uint64_t
        constant[CW_MODEL_MOST / 64]; /* a bit a column: known to be the same in all its rows, so below too */
} todo;

typedef struct range {
    uint32_t from, to;
} range;

/* Sums over rows: of values and of draws by class, and of all draws. */
typedef struct sums {
    double *value, *count, all;
} sums;

/* An entry of the target in the node at hand: drawn so many times, value times draws. */
typedef struct cell {
    float value;
    uint16_t class, count; /* place in the node's list of classes */
} cell;

typedef struct grower {
    const cw_forest_growth *how;
    const uint8_t *draws; /* rows, NULL = 1 each */
    cw_rng rng;
    size_t classes;
    uint32_t *row, *aside; /* the drawn rows, by node; scratch */
    uint32_t *column;      /* those that say something, in an order that drawing stirs */
    size_t columns;
    /* The node at hand, copied together: its rows count from 0, its classes are those it has. */
    size_t present;
    uint32_t *cell_start, *order;
    cell *cells;
    uint8_t *row_draws;
    bool labels;            /* each row has one entry of value 1: counts are whole numbers */
    uint32_t *item;         /* rows, 24 bits from bit 8: with labels class and draws, else the row */
    uint32_t *key, *sorted; /* items with the column's code in the low 8 bits; in order of the codes */
    uint32_t *label_left, *label_right; /* classes: draws on either side of the cut */
    uint8_t *code;                      /* in the column at hand */
    uint16_t *place;                    /* classes: place in the node, NOWHERE */
    uint16_t *member;
    double *numbers; /* what sums and means are made of */
    sums total, left;
    double *mean; /* (CW_TREES_DEEPEST + 1) x classes: the way from the root to a leaf */
    todo *open;
    size_t open_count, open_capacity;
    range *range; /* nodes */
    size_t range_capacity;
    cw_forest_tree *out;
} grower;

enum { NOWHERE = UINT16_MAX, MOST_ROWS = 1 << 24 };

static unsigned draws_of(const grower *g, uint32_t row) {
    return g->draws ? g->draws[row] : 1;
}

static void clear(sums *s, size_t classes) {
    for (size_t c = 0; c < classes; c++) s->value[c] = s->count[c] = 0;
    s->all = 0;
}

/* Copies a node's part of the target together and sums it; returns the sum of squared values. */
static double gather(grower *g, const todo *node) {
    const cw_target *t = g->how->target;
    uint32_t used = 0;
    double squares = 0;
    g->present = 0;
    g->total.all = 0;
    for (uint32_t i = node->from; i < node->to; i++) {
        uint32_t row = g->row[i];
        unsigned draws = draws_of(g, row);
        g->total.all += draws;
        g->cell_start[i - node->from] = used;
        g->row_draws[i - node->from] = (uint8_t)draws;
        for (uint32_t e = t->start[row]; e < t->start[row + 1]; e++) {
            uint16_t place = g->place[t->class[e]];
            if (place == NOWHERE) {
                place = g->place[t->class[e]] = (uint16_t)g->present;
                g->member[g->present++] = t->class[e];
                g->total.value[place] = g->total.count[place] = 0;
            }
            float value = (float)draws * t->value[e];
            g->cells[used++] = (cell){value, place, (uint16_t)draws};
            g->total.value[place] += (double)value;
            g->total.count[place] += draws;
            squares += (double)value * (double)t->value[e];
        }
        const uint32_t at = i - node->from;
        g->item[at] = g->labels ? (uint32_t)g->cells[used - 1].class << 16 | draws << 8 : at << 8;
    }
    g->cell_start[node->to - node->from] = used;
    for (size_t i = 0; i < g->present; i++) g->place[g->member[i]] = NOWHERE;
    return squares;
}

/* Sum of (sum of values)^2 / draws: what is left of the squared values after taking off the squared error
 * around the means. */
static double merit_of(const grower *g, const sums *s) {
    double merit = 0;
    if (!g->how->target->per_class) {
        for (size_t c = 0; c < g->present; c++) merit += s->value[c] * s->value[c];
        return merit / s->all;
    }
    for (size_t c = 0; c < g->present; c++)
        if (s->count[c] > 0) merit += s->value[c] * s->value[c] / s->count[c];
    return merit;
}

/* The same of what is in total but not in left. */
static double merit_of_rest(const grower *g) {
    const sums *a = &g->total, *b = &g->left;
    double merit = 0;
    if (!g->how->target->per_class) {
        for (size_t c = 0; c < g->present; c++)
            merit += (a->value[c] - b->value[c]) * (a->value[c] - b->value[c]);
        return merit / (a->all - b->all);
    }
    for (size_t c = 0; c < g->present; c++)
        if (a->count[c] > b->count[c])
            merit += (a->value[c] - b->value[c]) * (a->value[c] - b->value[c]) / (a->count[c] - b->count[c]);
    return merit;
}

/* The node's codes in the column, for drawing a cut; false = all are the same. */
static bool read_codes(grower *g, const todo *node, size_t column, uint8_t *least, uint8_t *most) {
    const uint8_t *restrict from = g->how->bins->code + column * g->how->bins->rows;
    const uint32_t *restrict row = g->row + node->from;
    uint8_t *restrict code = g->code, lo = 255, hi = 0;
    for (size_t i = 0, n = node->to - node->from; i < n; i++) {
        uint8_t c = from[row[i]];
        code[i] = c;
        lo = c < lo ? c : lo;
        hi = c > hi ? c : hi;
    }
    *least = lo, *most = hi;
    return lo < hi;
}

/* The node's keys in the column, for trying all cuts; false = all codes are the same. */
static bool read_keys(grower *g, const todo *node, size_t column) {
    const uint8_t *restrict from = g->how->bins->code + column * g->how->bins->rows;
    const uint32_t *restrict row = g->row + node->from, *restrict item = g->item;
    uint32_t *restrict key = g->key, differ = 0, first = from[row[0]];
    for (size_t i = 0, n = node->to - node->from; i < n; i++) {
        uint32_t c = from[row[i]];
        key[i] = item[i] | c;
        differ |= c ^ first;
    }
    return differ != 0;
}

static void add_cells(grower *g, size_t row) {
    uint32_t end = g->cell_start[row + 1];
    for (uint32_t e = g->cell_start[row]; e < end; e++) {
        const cell *c = &g->cells[e];
        g->left.value[c->class] += (double)c->value;
        g->left.count[c->class] += c->count;
    }
}

static void try_random_cut(grower *g, const todo *node, size_t column, uint8_t least, uint8_t most,
                           split *best) {
    uint8_t cut = (uint8_t)(least + cw_rng_below(&g->rng, (uint64_t)(most - least)));
    size_t n = node->to - node->from, left = 0, right = n;
    /* Left rows to the front, right rows to the back; the smaller part is summed. */
    for (uint32_t i = 0; i < n; i++) {
        bool goes_left = g->code[i] <= cut;
        g->order[left] = i;
        left += goes_left;
        g->order[n + right] = i;
        right -= !goes_left;
    }
    if (left < g->how->min_leaf || n - left < g->how->min_leaf) return;
    clear(&g->left, g->present);
    const uint32_t *list = left <= n - left ? g->order : g->order + n + right + 1;
    size_t count = left <= n - left ? left : n - left;
    for (size_t i = 0; i < count; i++) {
        add_cells(g, list[i]);
        g->left.all += g->row_draws[list[i]];
    }
    double merit = merit_of(g, &g->left) + merit_of_rest(g);
    if (merit > best->merit) *best = (split){column, cut, merit};
}

/* One pass of a radix sort: by the digit of four bits from `shift`. */
static void sort_digit(const uint32_t *restrict from, uint32_t *restrict to, size_t n, unsigned shift) {
    uint32_t end[16] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) end[from[i] >> shift & 15]++;
    for (size_t d = 0; d < 16; d++) {
        uint32_t count = end[d];
        end[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) to[end[from[i] >> shift & 15]++] = from[i];
}

/* Fills g->sorted with the node's keys in the order of their codes; equal ones keep theirs. */
static void order_by_code(const grower *g, size_t n) {
    enum { FEW = 12, MANY = 256 };
    const uint32_t *restrict key = g->key;
    uint32_t *restrict sorted = g->sorted;
    if (n <= FEW) {
        for (size_t i = 0; i < n; i++) {
            size_t at = i;
            for (; at > 0 && (sorted[at - 1] & 255) > (key[i] & 255); at--) sorted[at] = sorted[at - 1];
            sorted[at] = key[i];
        }
        return;
    }
    if (n <= MANY) {
        sort_digit(key, g->aside, n, 0);
        sort_digit(g->aside, sorted, n, 4);
        return;
    }
    uint32_t end[CW_BINS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) end[key[i] & 255]++;
    for (size_t c = 0; c < CW_BINS; c++) {
        uint32_t count = end[c];
        end[c] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) sorted[end[key[i] & 255]++] = key[i];
}

/* Moves a row from right to left; adds to the sums of squares of either side. */
static void move_shared(grower *g, size_t row, double *left, double *right) {
    uint32_t end = g->cell_start[row + 1];
    for (uint32_t e = g->cell_start[row]; e < end; e++) {
        const cell *c = &g->cells[e];
        double v = (double)c->value, s = g->left.value[c->class], rest = g->total.value[c->class] - s;
        *left += v * (2 * s + v);
        *right -= v * (2 * rest - v);
        g->left.value[c->class] = s + v;
    }
}

static double term(double value, double count) {
    return count > 0 ? value * value / count : 0;
}

/* Moves a row from right to left; returns the change of the merit. */
static double move_per_class(grower *g, size_t row) {
    double change = 0;
    uint32_t end = g->cell_start[row + 1];
    for (uint32_t e = g->cell_start[row]; e < end; e++) {
        const cell *c = &g->cells[e];
        double all = g->total.value[c->class], all_n = g->total.count[c->class];
        double s = g->left.value[c->class], n = g->left.count[c->class];
        change -= term(s, n) + term(all - s, all_n - n);
        s = g->left.value[c->class] += (double)c->value;
        n = g->left.count[c->class] += c->count;
        change += term(s, n) + term(all - s, all_n - n);
    }
    return change;
}

static void try_all_cuts(grower *g, size_t n, size_t column, double merit, split *best) {
    const uint32_t *key = g->sorted;
    clear(&g->left, g->present);
    bool per_class = g->how->target->per_class;
    double left = 0, right = per_class ? merit : merit * g->total.all;
    for (size_t i = 0; i + 1 < n; i++) {
        size_t row = key[i] >> 8;
        g->left.all += g->row_draws[row];
        if (per_class)
            right += move_per_class(g, row);
        else
            move_shared(g, row, &left, &right);
        if (((key[i] ^ key[i + 1]) & 255) == 0 || i + 1 < g->how->min_leaf) continue;
        if (n - i - 1 < g->how->min_leaf) return;
        double cut = per_class ? right : left / g->left.all + right / (g->total.all - g->left.all);
        if (cut > best->merit) *best = (split){column, (uint8_t)(key[i] & 255), cut};
    }
}

/* The same for labels. */
static void try_all_cuts_of_labels(grower *g, size_t n, size_t column, split *best) {
    const uint32_t *restrict key = g->sorted;
    uint32_t *restrict in_left = g->label_left, *restrict in_right = g->label_right;
    const size_t min_leaf = g->how->min_leaf;
    int64_t left = 0, right = 0, drawn = 0, all = (int64_t)g->total.all;
    for (size_t c = 0; c < g->present; c++) {
        in_left[c] = 0;
        in_right[c] = (uint32_t)g->total.count[c];
        right += (int64_t)in_right[c] * in_right[c];
    }
    for (size_t i = 0; i + 1 < n; i++) {
        const uint32_t class = key[i] >> 16, d = key[i] >> 8 & 255, l = in_left[class], r = in_right[class];
        left += (int64_t)d * (2 * (int64_t)l + d); /* (l + d)^2 - l^2 */
        right -= (int64_t)d * (2 * (int64_t)r - d);
        in_left[class] = l + d;
        in_right[class] = r - d;
        drawn += d;
        if (((key[i] ^ key[i + 1]) & 255) == 0 || i + 1 < min_leaf) continue;
        if (n - i - 1 < min_leaf) return;
        double cut = (double)left / (double)drawn + (double)right / (double)(all - drawn);
        if (cut > best->merit) *best = (split){column, (uint8_t)(key[i] & 255), cut};
    }
}

/* The best cut of the columns drawn; its gain decides which node is parted first. */
static void find_split(grower *g, todo *node) {
    const cw_forest_growth *how = g->how;
    size_t n = node->to - node->from, looked = 0;
    node->best.merit = -INFINITY;
    if (node->depth >= how->max_depth || n < 2 * how->min_leaf) return;
    double squares = gather(g, node), merit = merit_of(g, &g->total);
    if (squares - merit <= 1e-9 * squares) return; /* all the same */
    for (size_t drawn = 0; drawn < g->columns && looked < how->columns_a_node; drawn++) {
        size_t at = drawn;
        if (how->columns_a_node < g->columns) at += (size_t)cw_rng_below(&g->rng, g->columns - drawn);
        uint32_t column = g->column[at];
        g->column[at] = g->column[drawn];
        g->column[drawn] = column;
        if (node->constant[column / 64] >> column % 64 & 1) continue;
        uint8_t least = 0, most = 0;
        bool differs =
            how->random_thresholds ? read_codes(g, node, column, &least, &most) : read_keys(g, node, column);
        if (!differs) {
            node->constant[column / 64] |= UINT64_C(1) << column % 64;
            continue;
        }
        if (how->random_thresholds) {
            try_random_cut(g, node, column, least, most, &node->best);
        } else {
            order_by_code(g, n);
            if (g->labels)
                try_all_cuts_of_labels(g, n, column, &node->best);
            else
                try_all_cuts(g, n, column, merit, &node->best);
        }
        looked++;
    }
    node->gain = node->best.merit - merit;
}

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
        memcpy(node.constant, above->constant, sizeof node.constant);
    }
    out->node[out->nodes] = (cw_forest_node){.column = -1};
    g->range[out->nodes++] = (range){from, to};
    out->leaves++;
    find_split(g, &node);
    if (node.best.merit > -INFINITY) g->open[g->open_count++] = node;
    return true;
}

static todo take(grower *g) {
    size_t at = g->open_count - 1;
    if (g->how->max_leaves < SIZE_MAX)
        for (size_t i = 0; i < g->open_count; i++)
            if (g->open[i].gain > g->open[at].gain) at = i;
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

/* Means of the leaves below a node, from the root down. */
static void fill(grower *g, uint32_t node, size_t depth) {
    const cw_forest_growth *how = g->how;
    cw_forest_node *n = &g->out->node[node];
    double *mean = g->mean + depth * g->classes;
    if (how->target->per_class || n->column < 0) {
        const todo all = {.from = g->range[node].from, .to = g->range[node].to};
        gather(g, &all);
        /* A class that the node has not: the mean above per class, else 0. */
        for (size_t c = 0; c < g->classes; c++)
            mean[c] = !how->target->per_class ? 0
                      : depth > 0             ? mean[(ptrdiff_t)c - (ptrdiff_t)g->classes]
                                              : how->missing;
        for (size_t i = 0; i < g->present; i++) {
            double *m = &mean[g->member[i]], prior = depth > 0 ? how->prior : 0;
            *m = how->target->per_class ? (g->total.value[i] + prior * *m) / (g->total.count[i] + prior)
                                        : g->total.value[i] / g->total.all;
        }
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
    const cw_bins *bins = g->how->bins;
    const cw_target *target = g->how->target;
    size_t k = g->classes, rows = bins->rows, cells = target->start[rows];
    if (rows > MOST_ROWS)
        return cw_fail(err, CW_UNSUPPORTED, "%zu rows are too many for a forest: at most %d", rows,
                       MOST_ROWS);
    g->labels = !target->per_class && cells == rows;
    uint32_t **const arrays[] = {&g->row, &g->aside, &g->item, &g->key, &g->sorted};
    for (size_t i = 0; i < CW_COUNT(arrays); i++)
        if (!(*arrays[i] = cw_alloc_n(rows, sizeof **arrays[i]))) return cw_fail_memory(err);
    g->order = cw_alloc_n(2 * rows + 1, sizeof *g->order);
    g->code = cw_alloc_n(rows, sizeof *g->code);
    g->row_draws = cw_alloc_n(rows, sizeof *g->row_draws);
    g->cell_start = cw_alloc_n(rows + 1, sizeof *g->cell_start);
    g->cells = cw_alloc_n(cells, sizeof *g->cells);
    g->column = cw_alloc_n(bins->columns, sizeof *g->column);
    g->place = cw_alloc_n(2 * k, sizeof *g->place);
    g->label_left = cw_alloc_n(2 * k, sizeof *g->label_left);
    g->numbers = cw_alloc_n((4 + CW_TREES_DEEPEST + 1) * k, sizeof *g->numbers);
    if (!g->order || !g->code || !g->row_draws || !g->cell_start || !g->cells || !g->column || !g->place ||
        !g->label_left || !g->numbers)
        return cw_fail_memory(err);
    g->label_right = g->label_left + k;
    g->member = g->place + k;
    for (size_t c = 0; c < k; c++) g->place[c] = NOWHERE;
    g->total = (sums){.value = g->numbers, .count = g->numbers + k};
    g->left = (sums){.value = g->numbers + 2 * k, .count = g->numbers + 3 * k};
    g->mean = g->numbers + 4 * k;
    for (size_t c = 0; c < bins->columns; c++)
        if (bins->count[c] > 1) g->column[g->columns++] = (uint32_t)c;
    return CW_OK;
}

static void release(grower *g) {
    void *const arrays[] = {g->row,        g->aside,     g->item,       g->key,   g->sorted, g->order,
                            g->code,       g->row_draws, g->cell_start, g->cells, g->column, g->place,
                            g->label_left, g->numbers,   g->open,       g->range};
    for (size_t i = 0; i < CW_COUNT(arrays); i++) cw_free(arrays[i]);
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
