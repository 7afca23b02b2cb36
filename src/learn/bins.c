/* bins.c: binned matrices: one radix sort a column for its bins, then a binary search a value. */
#include "bins.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* Columns taken out of the matrix at a time: a row's share of them is one cache line. */
enum { BUNCH = 8 };

typedef struct scratch {
    float *value;          /* BUNCH x rows */
    uint32_t *key, *aside; /* rows each */
} scratch;

/* Floats in order of whole numbers: the sign bit turned for positive ones, all bits for negative ones. */
static uint32_t key_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000U;
}

static float value_of(uint32_t key) {
    uint32_t bits = key >> 31 ? key & 0x7fffffffU : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Radix sort by 11, 11 and 10 bits; passes in which all keys agree are left out. */
static void sort_keys(scratch *s, size_t rows) {
    enum { BITS = 11, PASSES = 3, DIGITS = 1 << BITS };
    static const unsigned mask = DIGITS - 1;
    size_t start[PASSES][DIGITS];
    memset(start, 0, sizeof start);
    for (size_t r = 0; r < rows; r++)
        for (int p = 0; p < PASSES; p++) start[p][s->key[r] >> (p * BITS) & mask]++;
    for (int p = 0; p < PASSES; p++) {
        if (start[p][s->key[0] >> (p * BITS) & mask] == rows) continue;
        for (size_t d = 0, sum = 0; d < DIGITS; d++) {
            size_t count = start[p][d];
            start[p][d] = sum;
            sum += count;
        }
        for (size_t r = 0; r < rows; r++) s->aside[start[p][s->key[r] >> (p * BITS) & mask]++] = s->key[r];
        uint32_t *swap = s->key;
        s->key = s->aside;
        s->aside = swap;
    }
}

/* The middle of two neighbouring values, rounded down: at least low and below high. */
static float between(uint32_t low, uint32_t high) {
    double middle = ((double)value_of(low) + (double)value_of(high)) / 2;
    float down = (float)middle;
    return (double)down > middle ? nextafterf(down, -INFINITY) : down;
}

/* Equal keys that start at `from` end before this. */
static size_t run_end(const uint32_t *key, size_t from, size_t rows) {
    size_t end = from + 1;
    while (end < rows && key[end] == key[from]) end++;
    return end;
}

/* Different keys, at most `most` + 1 of them counted; rows and number of those that have at least a bin's
 * share of all rows. */
typedef struct census {
    size_t different, heavy, heavy_rows;
} census;

static census count_keys(const uint32_t *key, size_t rows, size_t most) {
    census c = {0, 0, 0};
    for (size_t from = 0, end; from < rows; from = end) {
        end = run_end(key, from, rows);
        c.different += c.different <= most;
        if ((end - from) * most < rows) continue;
        c.heavy++;
        c.heavy_rows += end - from;
    }
    return c;
}

/* Sets upper and returns the number of bins of sorted keys. Where there are too many different ones, heavy
 * ones get a bin each, and the others share what is left: a bin is closed before the value that would take it
 * further beyond its share than it is below now. */
static uint16_t cut(const uint32_t *key, size_t rows, size_t most, float *upper) {
    const census all = count_keys(key, rows, most);
    size_t bins = 0, start = 0, light_rows = rows - all.heavy_rows, light_bins = most - all.heavy;
    for (size_t from = 0, end = run_end(key, 0, rows), next; end < rows; from = end, end = next) {
        next = run_end(key, end, rows);
        bool heavy = (end - from) * most >= rows, heavy_next = (next - end) * most >= rows, close;
        double target = light_bins > 0 ? (double)light_rows / (double)light_bins : INFINITY;
        double filled = (double)(end - start);
        if (all.different <= most || heavy)
            close = true;
        else if (heavy_next)
            close = filled >= target / 2;
        else
            close = filled + (double)(next - end) / 2 > target;
        if (!close || bins + 1 == most) continue;
        if (!heavy) light_rows -= end - start, light_bins--;
        upper[bins++] = between(key[end - 1], key[end]);
        start = end;
    }
    for (size_t b = bins; b < CW_BINS; b++) upper[b] = INFINITY; /* what encode searches in */
    return (uint16_t)(bins + 1);
}

/* The number of upper ends below each value, by binary searches that go side by side: each step of one waits
 * for memory, and without branches they wait together. */
static void encode(const float *value, size_t rows, const float *upper, size_t bins, uint8_t *code) {
    enum { SIDE = 16 };
    uint32_t half = 1;
    while (2 * half < bins) half *= 2;
    for (size_t from = 0; from < rows; from += SIDE) {
        size_t width = rows - from < SIDE ? rows - from : SIDE;
        uint32_t at[SIDE] = {0};
        for (uint32_t step = half; step > 0; step /= 2)
            for (size_t i = 0; i < width; i++)
                at[i] += step & -(uint32_t)(upper[at[i] + step - 1] < value[from + i]);
        for (size_t i = 0; i < width; i++) code[from + i] = (uint8_t)at[i];
    }
}

static cw_status take_bunch(const cw_matrix *m, size_t first, size_t width, float *value, cw_error *err) {
    for (size_t r = 0; r < m->rows; r++)
        for (size_t i = 0; i < width; i++) {
            double x = m->x[r * m->columns + first + i];
            if (!(fabs(x) <= FLT_MAX))
                return cw_fail(err, CW_INVALID, "row %zu, column %zu: %g is beyond a float", r, first + i, x);
            value[i * m->rows + r] = (float)x + 0.0F; /* -0 becomes 0 */
        }
    return CW_OK;
}

static cw_status fill(const cw_matrix *m, size_t most, cw_bins *out, scratch *s, cw_error *err) {
    for (size_t first = 0; first < m->columns; first += BUNCH) {
        size_t width = m->columns - first < BUNCH ? m->columns - first : BUNCH;
        cw_status status = take_bunch(m, first, width, s->value, err);
        if (status != CW_OK) return status;
        for (size_t c = first; c < first + width; c++) {
            const float *value = s->value + (c - first) * m->rows;
            for (size_t r = 0; r < m->rows; r++) s->key[r] = key_of(value[r]);
            sort_keys(s, m->rows);
            float *upper = out->upper + c * CW_BINS;
            out->count[c] = cut(s->key, m->rows, most, upper);
            encode(value, m->rows, upper, out->count[c], out->code + c * m->rows);
        }
    }
    return CW_OK;
}

cw_status cw_bins_make(const cw_matrix *data, size_t most, cw_bins *out, cw_error *err) {
    size_t bunch = data->columns < BUNCH ? data->columns : BUNCH;
    *out = (cw_bins){.rows = data->rows, .columns = data->columns};
    out->code = cw_alloc_n(data->columns, data->rows);
    out->count = cw_alloc_n(data->columns, sizeof *out->count);
    out->upper = cw_alloc_n(data->columns, CW_BINS * sizeof *out->upper);
    scratch s = {.value = cw_alloc_n(data->rows, bunch * sizeof *s.value),
                 .key = cw_alloc_n(data->rows, sizeof *s.key),
                 .aside = cw_alloc_n(data->rows, sizeof *s.aside)};
    cw_status status = CW_OK;
    if (!out->code || !out->count || !out->upper || !s.value || !s.key || !s.aside)
        status = cw_fail_memory(err);
    else if (data->rows > 0)
        status = fill(data, most, out, &s, err);
    cw_free(s.value);
    cw_free(s.key);
    cw_free(s.aside);
    return status;
}

void cw_bins_release(cw_bins *bins) {
    cw_free(bins->code);
    cw_free(bins->count);
    cw_free(bins->upper);
    *bins = (cw_bins){0};
}
