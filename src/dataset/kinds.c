/* kinds.c: which implementations the rows show to run on which kind of problem, and on which wider kinds. */
#include "dataset.h"
#include <math.h>
#include <string.h>

/* A key of a kind, and what it stands for: a row, or a kind of the table being made. */
typedef struct keyed {
    int32_t key[CW_KIND_FIELD_COUNT];
    size_t of;
} keyed;

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    return cw_seen_compare(x->key, y->key, CW_KIND_FIELD_COUNT);
}

/* Sorts keys; returns how many different ones there are. */
static size_t sort_keys(keyed *keys, size_t count) {
    size_t different = 0;
    qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 0; i < count; i++) different += i == 0 || by_key(&keys[i - 1], &keys[i]) != 0;
    return different;
}

static size_t run_end(const keyed *keys, size_t from, size_t count) {
    size_t end = from + 1;
    while (end < count && by_key(&keys[from], &keys[end]) == 0) end++;
    return end;
}

static void take_rows(const cw_dataset *data, const keyed *keys, size_t count, const int32_t *class_of,
                      uint8_t *has) {
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < data->classes; c++) {
            int64_t class = class_of ? class_of[c] : (int64_t)c;
            if (class >= 0 && !isnan(data->time[keys[i].of * data->classes + c])) has[class] = 1;
        }
}

/* A wide kind has what half as many kinds of it know as know its best known class: so what is made for one
 * kernel is not taken for another, but a class that a censored record lacks here and there is. */
static void take_common(const cw_seen *narrow, const keyed *keys, size_t count, uint8_t *has) {
    size_t most = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t c = 0; c < narrow->classes; c++) {
            size_t known = 0;
            for (size_t i = 0; i < count; i++) known += narrow->has[keys[i].of * narrow->classes + c];
            if (pass == 0 && known > most) most = known;
            if (pass == 1) has[c] = 2 * known >= most;
        }
}

/* The table of the kinds that the rows have. */
static cw_seen *see_rows(const cw_dataset *data, const size_t *rows, size_t count, const int32_t *class_of,
                         size_t classes) {
    keyed *keys = cw_alloc_n(count, sizeof *keys);
    if (!keys) return NULL;
    for (size_t i = 0; i < count; i++) {
        keys[i].of = rows[i];
        cw_problem_kind(&data->problems[rows[i]], 0, keys[i].key);
    }
    cw_seen *seen = cw_seen_alloc(cw_kind_names, CW_KIND_FIELD_COUNT, sort_keys(keys, count), classes);
    for (size_t from = 0, kind = 0, end; seen && from < count; from = end, kind++) {
        end = run_end(keys, from, count);
        memcpy(seen->key + kind * CW_KIND_FIELD_COUNT, keys[from].key, sizeof keys->key);
        take_rows(data, keys + from, end - from, class_of, seen->has + kind * classes);
    }
    cw_free(keys);
    return seen;
}

/* All kinds of a table, and all wider ones around them. */
static cw_seen *widen(const cw_seen *narrow) {
    size_t count = CW_KIND_WIDTHS * narrow->kinds;
    keyed *keys = cw_alloc_n(count, sizeof *keys);
    if (!keys) return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t width = i / narrow->kinds;
        keys[i].of = i % narrow->kinds;
        for (size_t f = 0; f < CW_KIND_FIELD_COUNT; f++)
            keys[i].key[f] = cw_kind_widenings[f] > 0 && cw_kind_widenings[f] <= width
                                 ? CW_KIND_ANY
                                 : narrow->key[keys[i].of * CW_KIND_FIELD_COUNT + f];
    }
    cw_seen *seen =
        cw_seen_alloc(cw_kind_names, CW_KIND_FIELD_COUNT, sort_keys(keys, count), narrow->classes);
    for (size_t from = 0, kind = 0, end; seen && from < count; from = end, kind++) {
        end = run_end(keys, from, count);
        memcpy(seen->key + kind * CW_KIND_FIELD_COUNT, keys[from].key, sizeof keys->key);
        take_common(narrow, keys + from, end - from, seen->has + kind * narrow->classes);
    }
    cw_free(keys);
    return seen;
}

cw_status cw_dataset_seen(const cw_dataset *data, const size_t *rows, size_t count, const int32_t *class_of,
                          size_t classes, cw_seen **out, cw_error *err) {
    cw_seen *narrow = see_rows(data, rows, count, class_of, classes);
    *out = narrow ? widen(narrow) : NULL;
    cw_seen_free(narrow);
    return *out ? CW_OK : cw_fail_memory(err);
}

const uint8_t *cw_row_seen(const cw_dataset *data, size_t row, const cw_seen *seen, int *width) {
    int32_t key[CW_KIND_FIELD_COUNT];
    const uint8_t *found = NULL;
    int w = 0;
    for (; w < CW_KIND_WIDTHS && !found; w++) {
        cw_problem_kind(&data->problems[row], w, key);
        found = cw_seen_find(seen, key);
    }
    if (width) *width = found ? w - 1 : w;
    return found;
}
