/* boost_tree.c: growing one tree of a gradient boosting from histograms (Chen, Guestrin: XGBoost, 2016; Ke et
 * al.: LightGBM, 2017).
 *
 * A node's histogram has, for each bin of each column, the sums of gradient and hessian and the number of
 * rows. Only the smaller child's is made from rows; its sibling's is what is left of the parent's. Looking
 * for a node's best cut also finds the range of bins that it has rows in; its children look at no others, and
 * not at columns in which it has one bin only, which deep down are most of them. */
#include "boost.h"
#include "trees.h"
#include <math.h>
#include <string.h>

static const double LEAST_GAIN = 1e-6; /* rounding to whole numbers makes tiny gains of nothing */

/* Sums over the rows of a bin: gradient, hessian, rows, (unused). One 128-bit addition a row and column. */
typedef int32_t cell __attribute__((vector_size(16), may_alias));
enum { GRADIENT, HESSIAN, ROWS };

/* A column that a node may be cut by, and the bins [first, last] that its rows can be in. */
typedef struct range {
    uint16_t column;
    uint8_t first, last;
} range;

/* A level's buffers: of the smaller child's histogram, and of the columns that are open to both children. */
typedef struct level {
    cell *histogram;
    range *open;
} level;

struct cw_boost_scratch {
    cw_boost_entry *aside; /* entries: of parting */
    size_t *offset;        /* columns: where a column's cells begin */
    size_t cells;
    level *levels; /* max_depth + 1; the first is the root's */
    size_t level_count;
    cw_boost_tree *tree;                    /* being grown */
    double gradient_unit, hessian_unit, l2; /* l2: in units of the hessian */
    double least_gain;                      /* in units of gradient^2 / hessian */
    int32_t least_hessian, min_leaf;
};

typedef struct spot {
    size_t start, end, depth;
    cell sum;
    cell *histogram;
    range *open; /* columns that the node may be cut by; narrowed by find_split */
    size_t open_count;
} spot;

typedef struct split {
    double score; /* G^2 / (H + l2) of both sides */
    size_t column;
    uint32_t code;
    cell left;
} split;

void cw_boost_grower_release(cw_boost_grower *g) {
    struct cw_boost_scratch *s = g->scratch;
    for (size_t d = 0; s && s->levels && d < s->level_count; d++) {
        cw_free(s->levels[d].histogram);
        cw_free(s->levels[d].open);
    }
    if (s) {
        cw_free(s->levels);
        cw_free(s->aside);
        cw_free(s->offset);
    }
    cw_free(s);
    cw_free(g->entry);
    *g = (cw_boost_grower){0};
}

cw_status cw_boost_grower_make(const cw_bins *bins, const cw_boost_limits *limits, size_t most,
                               cw_boost_grower *g, cw_error *err) {
    *g = (cw_boost_grower){.bins = bins, .limits = *limits};
    struct cw_boost_scratch *s = g->scratch = cw_alloc(sizeof *s);
    if (!s) return cw_fail_memory(err);
    s->level_count = limits->max_depth + 1;
    g->entry = cw_alloc_n(most, sizeof *g->entry);
    s->aside = cw_alloc_n(most, sizeof *s->aside);
    s->offset = cw_alloc_n(bins->columns, sizeof *s->offset);
    s->levels = cw_alloc_n(s->level_count, sizeof *s->levels);
    if (!g->entry || !s->aside || !s->offset || !s->levels) return cw_fail_memory(err);
    for (size_t c = 0; c < bins->columns; c++) {
        s->offset[c] = s->cells;
        s->cells += bins->count[c];
    }
    return CW_OK;
}

/* Levels get their buffers when a tree first reaches them: few trees are as deep as they may be. */
static bool level_ready(cw_boost_grower *g, size_t depth) {
    level *l = &g->scratch->levels[depth];
    if (!l->histogram) l->histogram = cw_alloc_n(g->scratch->cells, sizeof *l->histogram);
    if (!l->open) l->open = cw_alloc_n(g->bins->columns, sizeof *l->open);
    return l->histogram && l->open;
}

/* ---- Histograms ---- */

static cell cell_of(const cw_boost_entry *e) {
    return (cell){e->gradient, e->hessian, 1, 0};
}

/* Four columns at once: an entry is loaded once, and additions to the same bin of one column, each of which
 * waits for the one before, overlap with those of the others. */
static void add_four(const cw_boost_entry *entry, size_t count, const uint8_t *const code[4],
                     cell *const at[4]) {
    const uint8_t *c0 = code[0], *c1 = code[1], *c2 = code[2], *c3 = code[3];
    cell *a0 = at[0], *a1 = at[1], *a2 = at[2], *a3 = at[3];
    for (size_t i = 0; i < count; i++) {
        cell v = cell_of(&entry[i]);
        size_t row = entry[i].row;
        a0[c0[row]] += v;
        a1[c1[row]] += v;
        a2[c2[row]] += v;
        a3[c3[row]] += v;
    }
}

static void add_one(const cw_boost_entry *entry, size_t count, const uint8_t *code, cell *at) {
    for (size_t i = 0; i < count; i++) at[code[entry[i].row]] += cell_of(&entry[i]);
}

static void build(cw_boost_grower *g, size_t start, size_t end, const range *open, size_t open_count,
                  cell *histogram) {
    const struct cw_boost_scratch *s = g->scratch;
    const cw_boost_entry *entry = g->entry + start;
    const uint8_t *code[4];
    cell *at[4];
    size_t filled = 0;
    for (size_t i = 0; i < open_count; i++) {
        at[filled] = histogram + s->offset[open[i].column];
        code[filled] = g->bins->code + open[i].column * g->bins->rows;
        memset(at[filled] + open[i].first, 0, (size_t)(open[i].last - open[i].first + 1) * sizeof(cell));
        if (++filled < 4) continue;
        add_four(entry, end - start, code, at);
        filled = 0;
    }
    for (size_t i = 0; i < filled; i++) add_one(entry, end - start, code[i], at[i]);
}

static void subtract(const struct cw_boost_scratch *s, const range *open, size_t open_count, cell *parent,
                     const cell *child) {
    for (size_t i = 0; i < open_count; i++) {
        size_t offset = s->offset[open[i].column];
        for (size_t b = offset + open[i].first; b <= offset + open[i].last; b++) parent[b] -= child[b];
    }
}

/* ---- Cuts ---- */

typedef int32_t pair_i __attribute__((vector_size(8)));
typedef double pair_d __attribute__((vector_size(16)));

/* Gradient and hessian. */
static pair_d sums_of(cell sum) {
    return __builtin_convertvector(__builtin_shufflevector(sum, sum, GRADIENT, HESSIAN), pair_d);
}

static bool may_split(const cw_boost_grower *g, cell sum, size_t depth) {
    return depth < g->limits.max_depth && (size_t)sum[ROWS] >= 2 * g->limits.min_leaf &&
           sum[HESSIAN] / 2 >= g->scratch->least_hessian;
}

/* Tries every cut of one column between bins with rows; narrows its range to these. The cut lies in the
 * middle of the empty bins. false: the node has one bin only.
 *
 * A cut is better where G^2 / H of both sides, H with l2, is more than best->score. Multiplied out that needs
 * no division; and that the cuts between empty bins are looked at too costs less than branches which nobody
 * could predict: they are no better than the cut before. */
static bool try_column(const cw_boost_grower *g, const spot *n, range *r, split *best) {
    const struct cw_boost_scratch *s = g->scratch;
    const cell *at = n->histogram + s->offset[r->column];
    while (at[r->first][ROWS] == 0) r->first++;
    while (at[r->last][ROWS] == 0) r->last--;
    const pair_d l2 = {0, s->l2}, total = sums_of(n->sum) + 2 * l2;
    cell sum = {0};
    for (uint32_t b = r->first; b < r->last; b++) {
        sum += at[b];
        pair_d left = sums_of(sum) + l2, right = total - left;
        double above = left[0] * left[0] * right[1] + right[0] * right[0] * left[1];
        double below = left[1] * right[1];
        if (!(above > best->score * below)) continue;
        if (at[b][ROWS] == 0 || !(above / below > best->score)) continue; /* equal but for rounding */
        cell other = n->sum - sum;
        if (sum[ROWS] < s->min_leaf || other[ROWS] < s->min_leaf || sum[HESSIAN] < s->least_hessian ||
            other[HESSIAN] < s->least_hessian)
            continue;
        uint32_t next = b + 1;
        while (at[next][ROWS] == 0) next++;
        *best = (split){above / below, r->column, (b + next - 1) / 2, sum};
    }
    return r->first < r->last;
}

/* score 0 = none. */
static split find_split(const cw_boost_grower *g, spot *n) {
    const struct cw_boost_scratch *s = g->scratch;
    pair_d whole = sums_of(n->sum);
    split best = {.score = whole[0] * whole[0] / (whole[1] + s->l2) + s->least_gain};
    const double none = best.score;
    size_t kept = 0;
    for (size_t i = 0; i < n->open_count; i++) {
        range r = n->open[i];
        if (try_column(g, n, &r, &best)) n->open[kept++] = r;
    }
    n->open_count = kept;
    if (!(best.score > none)) best.score = 0;
    return best;
}

/* Entries that go left first, both sides in order. */
static size_t part(cw_boost_grower *g, const spot *n, const split *at) {
    const uint8_t *code = g->bins->code + at->column * g->bins->rows;
    cw_boost_entry *aside = g->scratch->aside;
    size_t left = n->start, right = 0;
    for (size_t i = n->start; i < n->end; i++) {
        cw_boost_entry e = g->entry[i];
        bool goes_left = code[e.row] <= at->code;
        g->entry[left] = e;
        aside[right] = e;
        left += goes_left;
        right += !goes_left;
    }
    memcpy(g->entry + left, aside, right * sizeof *aside);
    return left;
}

/* ---- Growing ---- */

static bool add_node(cw_boost_tree *tree, cw_boost_node added) {
    if (!cw_grow(&tree->node, &tree->capacity, tree->count + 1, sizeof *tree->node)) return false;
    tree->node[tree->count++] = added;
    return true;
}

static bool make_leaf(const cw_boost_grower *g, const spot *n) {
    const struct cw_boost_scratch *s = g->scratch;
    double value =
        -g->limits.rate * s->gradient_unit * n->sum[GRADIENT] / (s->hessian_unit * (n->sum[HESSIAN] + s->l2));
    return add_node(s->tree, (cw_boost_node){.column = -1,
                                             .start = (uint32_t)n->start,
                                             .end = (uint32_t)n->end,
                                             .value = (float)value});
}

/* The children's histograms: the smaller one's from its rows, the larger one's in place of the parent's.
 * Children that cannot be cut need none. false = out of memory. */
static bool pass_on(cw_boost_grower *g, const spot *n, spot *left, spot *right) {
    bool split_left = may_split(g, left->sum, left->depth),
         split_right = may_split(g, right->sum, right->depth);
    if (!split_left && !split_right) return true;
    if (!level_ready(g, left->depth)) return false;
    level *l = &g->scratch->levels[left->depth];
    bool left_smaller = left->end - left->start <= right->end - right->start;
    spot *smaller = left_smaller ? left : right, *larger = left_smaller ? right : left;
    build(g, smaller->start, smaller->end, n->open, n->open_count, l->histogram);
    smaller->histogram = l->histogram;
    if (left_smaller ? split_right : split_left) {
        subtract(g->scratch, n->open, n->open_count, n->histogram, l->histogram);
        larger->histogram = n->histogram;
    }
    /* Each child narrows its own list; the left one's is not needed once the right one is grown. */
    memcpy(l->open, n->open, n->open_count * sizeof *n->open);
    left->open = l->open;
    right->open = n->open;
    left->open_count = right->open_count = n->open_count;
    return true;
}

/* Calls itself at most max_depth deep. false = out of memory. */
static bool grow(cw_boost_grower *g, spot *n) {
    split at = {0};
    if (may_split(g, n->sum, n->depth)) at = find_split(g, n);
    if (at.score == 0) return make_leaf(g, n);
    size_t middle = part(g, n, &at), id = g->scratch->tree->count;
    spot left = {.start = n->start, .end = middle, .depth = n->depth + 1, .sum = at.left};
    spot right = {.start = middle, .end = n->end, .depth = n->depth + 1, .sum = n->sum - at.left};
    if (!add_node(g->scratch->tree, (cw_boost_node){.column = (int32_t)at.column, .code = at.code}) ||
        !pass_on(g, n, &left, &right) || !grow(g, &left))
        return false;
    g->scratch->tree->node[id].right = (uint32_t)g->scratch->tree->count;
    return grow(g, &right);
}

bool cw_boost_grow(cw_boost_grower *g, size_t count, const uint16_t *columns, size_t column_count,
                   double gradient_unit, double hessian_unit, cw_boost_tree *tree) {
    struct cw_boost_scratch *s = g->scratch;
    s->tree = tree;
    tree->count = 0;
    s->gradient_unit = gradient_unit;
    s->hessian_unit = hessian_unit;
    s->l2 = g->limits.l2 / hessian_unit;
    s->least_gain = LEAST_GAIN * hessian_unit / (gradient_unit * gradient_unit);
    s->least_hessian = (int32_t)fmin(g->limits.min_hessian / hessian_unit, INT32_MAX / 2);
    s->min_leaf = g->limits.min_leaf < INT32_MAX / 2 ? (int32_t)g->limits.min_leaf : INT32_MAX / 2;
    if (!level_ready(g, 0)) return false;
    spot root = {.end = count, .histogram = s->levels[0].histogram, .open = s->levels[0].open};
    for (size_t i = 0; i < count; i++) root.sum += cell_of(&g->entry[i]);
    for (size_t i = 0; i < column_count; i++)
        if (g->bins->count[columns[i]] > 1)
            root.open[root.open_count++] = (range){columns[i], 0, (uint8_t)(g->bins->count[columns[i]] - 1)};
    if (may_split(g, root.sum, 0)) build(g, 0, count, root.open, root.open_count, root.histogram);
    return grow(g, &root);
}

float cw_boost_walk(const cw_boost_tree *tree, const cw_bins *bins, size_t row) {
    const cw_boost_node *node = tree->node;
    size_t at = 0;
    while (node[at].column >= 0)
        at =
            bins->code[(size_t)node[at].column * bins->rows + row] <= node[at].code ? at + 1 : node[at].right;
    return node[at].value;
}
