/* forest_cuts.c: the best cut of a node.
 *
 * Values of the target become whole numbers ("levels"), so that sums are exact whatever their order. Where
 * all cuts are tried, a column's histogram has the sums of each bin and class; only bins that the node's rows
 * are in are visited, and of the node's classes only those it has. Time: a node's entries and its bins times
 * its classes, for each column looked at.
 *
 * Where cuts are drawn, all columns are summed at once, row by row: their codes lie side by side in a second
 * copy of the codes, and whether each of them goes left is a byte mask over a few vector registers. Levels
 * have 8 bits there. Time: a node's entries times all columns, but a cycle or so for each. */
#include "forest_cuts.h"
#include <math.h>
#include <string.h>

enum {
    NOWHERE = UINT16_MAX,
    MOST_ROWS = (1 << 24) - 1,
    WORD = 8,         /* codes a word of `seen` */
    PILE = UINT8_MAX, /* rows whose 8-bit levels a 16-bit sum can hold */
    COUNT_SHIFT = 40  /* of a bin: draws above, sum of draws * level below */
};
static const uint64_t ONE_ROW = UINT64_C(1) << 32; /* in sums of rows, above, and draws, below */
static const uint64_t LEVELS = (UINT64_C(1) << COUNT_SHIFT) - 1;

/* An entry of the target in the node at hand. */
typedef struct cell {
    uint32_t row;          /* place in the node, 24 bits from bit 8; draws */
    uint16_t class, level; /* class: place in the node's list of classes */
} cell;

struct cw_cutter {
    const cw_forest_growth *how;
    const uint8_t *draws; /* rows, NULL = 1 each */
    size_t classes;
    uint32_t *column; /* those that say something, in an order that drawing stirs */
    size_t columns;
    float to_level;
    bool labels;     /* each row has one entry, of value 1, level 1: rows are counted */
    uint16_t *place; /* classes: place in the node, NOWHERE */
    uint16_t *member;
    /* The node at hand: classes that it has, its entries, row by row. */
    size_t n, present;
    cell *cells;
    size_t cell_count;
    uint64_t *total; /* classes: as a bin */
    uint64_t drawn;
    /* All cuts of a column. Zero between columns. */
    uint64_t bin[CW_BINS]; /* rows above bit 32, draws below */
    uint8_t seen[CW_BINS];
    uint64_t *histogram; /* CW_BINS x present */
    uint64_t *left;      /* classes: as a bin */
    uint8_t *code;       /* rows */
    /* Drawn cuts: `width` columns side by side. */
    uint8_t *least, *most, *cut, *mask, *pile_rows;
    uint8_t *pile_count; /* classes x width */
    uint16_t *pile_sum;
    float *rows, *count, *sum; /* rows: width; others: classes x width */
    float *merit, *other;      /* width */
};

static unsigned draws_of(const cw_cutter *c, uint32_t row) {
    return c->draws ? c->draws[row] : 1;
}

/* 0..n - 1 out of 32 random bits; chances are even but for n in 2^32. */
static size_t below(uint64_t bits, size_t n) {
    return (size_t)(bits * n >> 32);
}

static double level_sum(uint64_t bin) {
    return (double)(int64_t)(bin & LEVELS);
}

static double draw_sum(uint64_t bin) {
    return (double)(int64_t)(bin >> COUNT_SHIFT);
}

/* Copies a node's part of the target together and sums it; returns the sum of squared levels. */
static double gather(cw_cutter *c, const uint32_t *row, size_t n) {
    const cw_target *t = c->how->target;
    size_t used = 0;
    uint64_t squares = 0;
    c->n = n;
    c->present = 0;
    c->drawn = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = row[i], draws = draws_of(c, r);
        c->drawn += draws;
        for (uint32_t e = t->start[r]; e < t->start[r + 1]; e++) {
            const uint32_t level = (uint32_t)(t->value[e] * c->to_level + 0.5F);
            uint16_t place = c->place[t->class[e]];
            if (place == NOWHERE) {
                place = c->place[t->class[e]] = (uint16_t)c->present;
                c->total[c->present] = 0;
                c->member[c->present++] = t->class[e];
            }
            c->cells[used++] = (cell){(uint32_t)i << 8 | draws, place, (uint16_t)level};
            c->total[place] += (uint64_t)draws << COUNT_SHIFT | draws * level;
            squares += (uint64_t)draws * level * level;
        }
    }
    c->cell_count = used;
    for (size_t i = 0; i < c->present; i++) c->place[c->member[i]] = NOWHERE;
    return (double)squares;
}

static double merit_of_node(const cw_cutter *c) {
    double merit = 0;
    for (size_t p = 0; p < c->present; p++) {
        double sum = level_sum(c->total[p]);
        merit += sum * sum / (c->how->target->per_class ? draw_sum(c->total[p]) : (double)c->drawn);
    }
    return merit;
}

/* ---- All cuts of a column ---- */

/* Reads the node's codes into c->seen; returns which words of it have any. Labels go into the histogram in
 * the same pass. differ = 0: all codes are the same. */
static uint32_t read_codes(cw_cutter *c, const uint32_t *restrict row, size_t column, uint8_t *differ) {
    const uint8_t *restrict from = c->how->bins->code + column * c->how->bins->rows;
    uint8_t *restrict code = c->code, *restrict seen = c->seen, first = from[row[0]], other = 0;
    uint32_t words = 0;
    for (size_t i = 0; i < c->n; i++) {
        const uint8_t at = from[row[i]];
        code[i] = at;
        seen[at] = 1;
        other |= at ^ first;
        words |= UINT32_C(1) << at / WORD;
    }
    *differ = other;
    return words;
}

static uint32_t read_labels(cw_cutter *c, const uint32_t *restrict row, size_t column, uint8_t *differ) {
    const uint8_t *restrict from = c->how->bins->code + column * c->how->bins->rows;
    uint8_t *restrict seen = c->seen, first = from[row[0]], other = 0;
    const cell *restrict cells = c->cells;
    uint64_t *restrict histogram = c->histogram;
    const size_t present = c->present;
    uint32_t words = 0;
    for (size_t i = 0; i < c->n; i++) {
        const uint8_t at = from[row[i]];
        histogram[at * present + cells[i].class] += ONE_ROW | (cells[i].row & 255);
        seen[at] = 1;
        other |= at ^ first;
        words |= UINT32_C(1) << at / WORD;
    }
    *differ = other;
    return words;
}

/* Which of the eight bytes of a word, each 0 or 1, are 1; forgets them. */
static uint32_t take_seen(cw_cutter *c, uint32_t word) {
    uint8_t *seen = c->seen + word * WORD;
    uint32_t bits = 0;
    for (uint32_t i = 0; i < WORD; i++) bits |= (uint32_t)seen[i] << i;
    memset(seen, 0, WORD);
    return bits;
}

static void fill_histogram(cw_cutter *c) {
    const size_t present = c->present;
    const uint8_t *restrict code = c->code;
    const cell *restrict cells = c->cells;
    uint64_t *restrict histogram = c->histogram, *restrict bin = c->bin;
    uint32_t before = UINT32_MAX;
    for (size_t i = 0; i < c->cell_count; i++) {
        const uint32_t row = cells[i].row, draws = row & 255, at = code[row >> 8];
        histogram[at * present + cells[i].class] += (uint64_t)draws << COUNT_SHIFT | draws * cells[i].level;
        bin[at] += row != before ? ONE_ROW | draws : 0;
        before = row;
    }
}

/* Merits of what is left of a cut and of the rest, where all rows count for each class: levels are so small
 * that squares of sums fit (cw_cutter_make). */
typedef struct shared_sums {
    uint64_t squares, squares_left, product; /* sums over classes: of total^2, left^2, left * total */
} shared_sums;

/* Labels: a bin has rows and draws. */
static void move_labels(cw_cutter *c, uint64_t *restrict at, shared_sums *sums, uint64_t *moved) {
    uint64_t *restrict left = c->left;
    const uint64_t *restrict total = c->total;
    uint64_t squares = 0, product = 0, all = 0;
    for (size_t p = 0; p < c->present; p++) {
        const uint64_t added = at[p] & UINT32_MAX, before = left[p];
        squares += added * (2 * before + added);
        product += added * (total[p] & LEVELS);
        left[p] = before + added;
        all += at[p];
        at[p] = 0;
    }
    sums->squares_left += squares;
    sums->product += product;
    *moved += all;
}

static void move_bin(cw_cutter *c, uint64_t *restrict at, shared_sums *sums) {
    uint64_t *restrict left = c->left;
    const uint64_t *restrict total = c->total;
    uint64_t squares = 0, product = 0;
    for (size_t p = 0; p < c->present; p++) {
        const uint64_t added = at[p] & LEVELS, before = left[p];
        squares += added * (2 * before + added);
        product += added * (total[p] & LEVELS);
        left[p] = before + added;
        at[p] = 0;
    }
    sums->squares_left += squares;
    sums->product += product;
}

static double move_bin_per_class(cw_cutter *c, uint64_t *restrict at) {
    double merit = 0;
    for (size_t p = 0; p < c->present; p++) {
        const uint64_t left = c->left[p] += at[p], right = c->total[p] - left;
        at[p] = 0;
        if (left >> COUNT_SHIFT) merit += level_sum(left) * level_sum(left) / draw_sum(left);
        if (right >> COUNT_SHIFT) merit += level_sum(right) * level_sum(right) / draw_sum(right);
    }
    return merit;
}

/* Moves a bin to the left; returns the merit of the cut behind it. moved: rows and draws so far. */
static double move(cw_cutter *c, uint32_t code, shared_sums *sums, uint64_t *moved) {
    uint64_t *at = c->histogram + code * c->present;
    if (c->labels) {
        move_labels(c, at, sums, moved);
    } else {
        *moved += c->bin[code];
        c->bin[code] = 0;
        if (c->how->target->per_class) return move_bin_per_class(c, at);
        move_bin(c, at, sums);
    }
    const uint64_t draws = *moved & UINT32_MAX;
    if (draws == c->drawn) return 0;
    return (double)(int64_t)sums->squares_left / (double)(int64_t)draws +
           (double)(int64_t)(sums->squares - 2 * sums->product + sums->squares_left) /
               (double)(int64_t)(c->drawn - draws);
}

static void try_all_cuts(cw_cutter *c, uint32_t words, size_t column, cw_cut *best) {
    const size_t min_leaf = c->how->min_leaf;
    shared_sums sums = {.squares = 0};
    uint64_t moved = 0;
    if (!c->labels) fill_histogram(c);
    memset(c->left, 0, c->present * sizeof *c->left);
    for (size_t p = 0; p < c->present; p++) sums.squares += (c->total[p] & LEVELS) * (c->total[p] & LEVELS);
    for (; words; words &= words - 1) {
        const uint32_t word = (uint32_t)__builtin_ctz(words);
        for (uint32_t bits = take_seen(c, word); bits; bits &= bits - 1) {
            const uint32_t code = word * WORD + (uint32_t)__builtin_ctz(bits);
            const double merit = move(c, code, &sums, &moved);
            const size_t rows = moved >> 32;
            if (merit > best->merit && rows >= min_leaf && c->n - rows >= min_leaf)
                *best = (cw_cut){.merit = merit, .column = column, .code = (uint8_t)code};
        }
    }
}

/* Undoes read_codes or read_labels of a column with one code. */
static void forget(cw_cutter *c, uint32_t words) {
    const uint32_t word = (uint32_t)__builtin_ctz(words);
    const uint32_t code = word * WORD + (uint32_t)__builtin_ctz(take_seen(c, word));
    if (c->labels) memset(c->histogram + code * c->present, 0, c->present * sizeof *c->histogram);
}

/* The best cut of columns drawn one after the other; constant ones do not count. */
static void search_all(cw_cutter *c, const uint32_t *row, cw_rng *rng, cw_columns *constant, cw_cut *best) {
    const size_t wanted = c->how->columns_a_node;
    for (size_t drawn = 0, looked = 0; drawn < c->columns && looked < wanted; drawn++) {
        size_t at = drawn;
        if (wanted < c->columns) at += below(cw_rng_next(rng) >> 32, c->columns - drawn);
        const uint32_t column = c->column[at];
        c->column[at] = c->column[drawn];
        c->column[drawn] = column;
        if (constant->bits[column / 64] >> column % 64 & 1) continue;
        uint8_t differ;
        const uint32_t words =
            c->labels ? read_labels(c, row, column, &differ) : read_codes(c, row, column, &differ);
        if (differ) {
            try_all_cuts(c, words, column, best);
            looked++;
        } else {
            forget(c, words);
            constant->bits[column / 64] |= UINT64_C(1) << column % 64;
        }
    }
}

/* ---- Drawn cuts ---- */

static void find_ranges(cw_cutter *c, const uint32_t *row) {
    const size_t width = c->how->width;
    uint8_t *restrict least = c->least, *restrict most = c->most;
    memset(least, 255, width);
    memset(most, 0, width);
    for (size_t i = 0; i < c->n; i++) {
        const uint8_t *restrict code = c->how->by_row + row[i] * width;
        for (size_t k = 0; k < width; k++) {
            least[k] = code[k] < least[k] ? code[k] : least[k];
            most[k] = code[k] > most[k] ? code[k] : most[k];
        }
    }
}

/* Draws columns among those that differ, and a cut of each, c->cut: the first of c->column, that many. */
static size_t draw_cuts(cw_cutter *c, cw_rng *rng) {
    uint32_t *column = c->column;
    size_t differ = 0, drawn = 0;
    for (size_t i = 0; i < c->columns; i++) {
        const uint32_t at = column[i];
        if (c->least[at] == c->most[at]) continue;
        column[i] = column[differ];
        column[differ++] = at;
    }
    for (; drawn < differ && drawn < c->how->columns_a_node; drawn++) {
        const uint64_t number = cw_rng_next(rng); /* for two draws */
        const size_t other = drawn + below(number >> 32, differ - drawn);
        const uint32_t at = column[other];
        column[other] = column[drawn];
        column[drawn] = at;
        const uint32_t cuts = c->most[at] - c->least[at];
        c->cut[at] = (uint8_t)(c->least[at] + below(number & UINT32_MAX, cuts));
    }
    return drawn;
}

/* Piles become sums. */
static void flush(cw_cutter *c) {
    const size_t width = c->how->width, cells = c->present * width;
    for (size_t k = 0; k < width; k++) c->rows[k] += (float)c->pile_rows[k];
    for (size_t k = 0; k < cells; k++) {
        c->sum[k] += (float)c->pile_sum[k];
        c->count[k] += (float)c->pile_count[k];
    }
    memset(c->pile_rows, 0, width);
    memset(c->pile_sum, 0, cells * sizeof *c->pile_sum);
    memset(c->pile_count, 0, cells);
}

static void add_row(const uint8_t *restrict code, const uint8_t *restrict cut, uint8_t *restrict mask,
                    uint8_t *restrict rows, size_t width) {
    for (size_t k = 0; k < width; k++) {
        mask[k] = code[k] <= cut[k] ? 255 : 0;
        rows[k] = (uint8_t)(rows[k] - mask[k]);
    }
}

static void add_cell(const uint8_t *restrict mask, uint8_t level, uint8_t *restrict count,
                     uint16_t *restrict sum, size_t width) {
    for (size_t k = 0; k < width; k++) {
        count[k] = (uint8_t)(count[k] - mask[k]);
        sum[k] = (uint16_t)(sum[k] + (mask[k] & level));
    }
}

/* Sums what goes left of each column's cut. */
static void sum_left(cw_cutter *c, const uint32_t *row) {
    const size_t width = c->how->width;
    const cell *at = c->cells, *end = at + c->cell_count;
    memset(c->rows, 0, width * sizeof *c->rows);
    memset(c->sum, 0, c->present * width * sizeof *c->sum);
    memset(c->count, 0, c->present * width * sizeof *c->count);
    for (size_t i = 0; i < c->n; i++) {
        if (i > 0 && i % PILE == 0) flush(c);
        add_row(c->how->by_row + row[i] * width, c->cut, c->mask, c->pile_rows, width);
        for (; at < end && at->row >> 8 == i; at++)
            add_cell(c->mask, (uint8_t)at->level, c->pile_count + at->class * width,
                     c->pile_sum + at->class * width, width);
    }
    flush(c);
}

/* Of a whole number; without a choice, which compilers would not make vectors of. */
static float at_least_one(float count) {
    return count + (count < 1 ? 1.0F : 0.0F);
}

static void add_merits(float *restrict merit, const float *restrict sum, const float *restrict count,
                       float all, float all_count, size_t width) {
    for (size_t k = 0; k < width; k++) {
        const float left = sum[k], right = all - left, rest = all_count - count[k];
        merit[k] += left * left / at_least_one(count[k]) + right * right / at_least_one(rest);
    }
}

static void add_squares(float *restrict merit, float *restrict other, const float *restrict sum, float all,
                        size_t width) {
    for (size_t k = 0; k < width; k++) {
        merit[k] += sum[k] * sum[k];
        other[k] += (all - sum[k]) * (all - sum[k]);
    }
}

/* c->merit of each column. */
static void find_merits(cw_cutter *c) {
    const size_t width = c->how->width;
    memset(c->merit, 0, width * sizeof *c->merit);
    memset(c->other, 0, width * sizeof *c->other);
    for (size_t p = 0; p < c->present; p++) {
        const float all = (float)level_sum(c->total[p]);
        const float *sum = c->sum + p * width;
        if (c->how->target->per_class)
            add_merits(c->merit, sum, c->count + p * width, all, (float)draw_sum(c->total[p]), width);
        else
            add_squares(c->merit, c->other, sum, all, width);
    }
    if (c->how->target->per_class) return;
    for (size_t k = 0; k < width; k++)
        c->merit[k] =
            c->merit[k] / at_least_one(c->rows[k]) + c->other[k] / at_least_one((float)c->n - c->rows[k]);
}

static void search_drawn(cw_cutter *c, const uint32_t *row, cw_rng *rng, cw_cut *best) {
    find_ranges(c, row);
    const size_t drawn = draw_cuts(c, rng);
    const float least = (float)c->how->min_leaf;
    if (drawn == 0) return;
    sum_left(c, row);
    find_merits(c);
    for (size_t i = 0; i < drawn; i++) {
        const uint32_t at = c->column[i];
        if (c->rows[at] < least || (float)c->n - c->rows[at] < least) continue;
        if ((double)c->merit[at] > best->merit)
            *best = (cw_cut){.merit = (double)c->merit[at], .column = at, .code = c->cut[at]};
    }
}

/* ---- */

cw_cut cw_cutter_best(cw_cutter *c, const uint32_t *row, size_t n, cw_rng *rng, cw_columns *constant) {
    cw_cut best = {0};
    const double squares = gather(c, row, n), merit = merit_of_node(c);
    if (squares - merit <= 1e-9 * squares) return best; /* all the same */
    if (c->how->random_thresholds)
        search_drawn(c, row, rng, &best);
    else
        search_all(c, row, rng, constant, &best);
    best.gain = best.merit - merit;
    return best;
}

static bool is_labels(const cw_target *t) {
    return !t->per_class && t->start[t->rows] == t->rows;
}

/* Levels: as fine as the squares of sums over all rows allow, 8 bits where cuts are drawn. */
static float levels_of(const cw_forest_growth *how) {
    const cw_target *t = how->target;
    float most = 0;
    for (size_t e = 0; e < t->start[t->rows]; e++) most = fmaxf(most, t->value[e]);
    if (is_labels(t)) return 1;
    double levels = how->random_thresholds ? UINT8_MAX : fmin(UINT16_MAX, UINT32_MAX / (double)t->rows);
    return most > 0 ? (float)(floor(levels) / (double)most) : 0;
}

static bool make_search(cw_cutter *c) {
    const size_t k = c->classes, width = c->how->width;
    if (!c->how->random_thresholds) {
        c->histogram = cw_alloc_n(k * CW_BINS, sizeof *c->histogram);
        c->left = cw_alloc_n(k, sizeof *c->left);
        c->code = cw_alloc(c->how->bins->rows);
        return c->histogram && c->left && c->code;
    }
    c->least = cw_alloc_n(5, width);
    c->pile_count = cw_alloc_n(k, width);
    c->pile_sum = cw_alloc_n(k * width, sizeof *c->pile_sum);
    c->rows = cw_alloc_n((2 * k + 3) * width, sizeof *c->rows);
    if (!c->least || !c->pile_count || !c->pile_sum || !c->rows) return false;
    c->most = c->least + width;
    c->cut = c->most + width;
    c->mask = c->cut + width;
    c->pile_rows = c->mask + width;
    c->merit = c->rows + width;
    c->other = c->merit + width;
    c->count = c->other + width;
    c->sum = c->count + k * width;
    return true;
}

cw_status cw_cutter_make(const cw_forest_growth *how, const uint8_t *draws, cw_cutter **out, cw_error *err) {
    const cw_target *t = how->target;
    const cw_bins *bins = how->bins;
    *out = NULL;
    if (t->rows > MOST_ROWS)
        return cw_fail(err, CW_UNSUPPORTED, "%zu rows are too many for a forest: at most %d", t->rows,
                       MOST_ROWS);
    cw_cutter *c = cw_alloc(sizeof *c);
    if (!c) return cw_fail_memory(err);
    *c = (cw_cutter){.how = how,
                     .draws = draws,
                     .classes = t->classes,
                     .to_level = levels_of(how),
                     .labels = is_labels(t)};
    c->column = cw_alloc_n(bins->columns, sizeof *c->column);
    c->place = cw_alloc_n(2 * t->classes, sizeof *c->place);
    c->cells = cw_alloc_n(t->start[t->rows], sizeof *c->cells);
    c->total = cw_alloc_n(t->classes, sizeof *c->total);
    if (!c->column || !c->place || !c->cells || !c->total || !make_search(c)) {
        cw_cutter_free(c);
        return cw_fail_memory(err);
    }
    c->member = c->place + t->classes;
    for (size_t k = 0; k < t->classes; k++) c->place[k] = NOWHERE;
    for (size_t k = 0; k < bins->columns; k++)
        if (bins->count[k] > 1) c->column[c->columns++] = (uint32_t)k;
    *out = c;
    return CW_OK;
}

void cw_cutter_free(cw_cutter *c) {
    if (!c) return;
    void *const arrays[] = {c->column, c->place, c->cells, c->total,      c->histogram, c->left,
                            c->code,   c->least, c->rows,  c->pile_count, c->pile_sum};
    for (size_t i = 0; i < CW_COUNT(arrays); i++) cw_free(arrays[i]);
    cw_free(c);
}
