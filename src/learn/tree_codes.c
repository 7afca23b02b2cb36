/* tree_codes.c: a matrix's columns as numbers of their different values, for growing a tree. Unlike bins.c it
 * keeps every value apart. */
#include "tree_grow.h"
#include <float.h>
#include <math.h>
#include <string.h>

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
    uint32_t start[3][SLOTS] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < 3; p++) start[p][from[i].key >> shift[p] & (SLOTS - 1)]++;
    for (int p = 0; p < 3; p++) {
        if (start[p][from[0].key >> shift[p] & (SLOTS - 1)] == n) continue;
        uint32_t sum = 0;
        for (size_t s = 0; s < SLOTS; s++) {
            uint32_t count = start[p][s];
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
static cw_status read_keys(const cw_matrix *m, uint32_t *keys, cw_error *err) {
    enum { BLOCK = 256 };
    bool beyond = false;
    for (size_t from = 0; from < m->rows; from += BLOCK) {
        size_t to = m->rows - from < BLOCK ? m->rows : from + BLOCK;
        for (size_t c = 0; c < m->columns; c++) {
            uint32_t *key = keys + c * m->rows;
            for (size_t r = from; r < to; r++) {
                double x = m->x[r * m->columns + c];
                beyond |= fabs(x) > FLT_MAX;
                key[r] = key_of((float)x);
            }
        }
    }
    return beyond ? find_beyond_float(m, err) : CW_OK;
}

cw_status cw_tree_code(const cw_matrix *m, uint32_t *code, float *value, uint32_t *codes, cw_error *err) {
    cw_status status = read_keys(m, code, err);
    if (status != CW_OK) return status;
    cell *cells = cw_alloc_n(2 * m->rows, sizeof *cells);
    uint32_t *numbers = cw_alloc_n(m->rows, sizeof *numbers);
    if (!cells || !numbers) status = cw_fail_memory(err);
    for (size_t c = 0; status == CW_OK && c < m->columns; c++) {
        uint32_t *key = code + c * m->rows;
        codes[c] = number_few(key, m->rows, numbers, value + c * m->rows);
        if (codes[c] == 0) {
            for (size_t r = 0; r < m->rows; r++) cells[r] = (cell){key[r], (uint32_t)r};
            const cell *sorted = sort_cells(cells, cells + m->rows, m->rows);
            codes[c] = number_values(sorted, m->rows, numbers, value + c * m->rows);
        }
        memcpy(key, numbers, m->rows * sizeof *key);
    }
    cw_free(cells);
    cw_free(numbers);
    return status;
}
