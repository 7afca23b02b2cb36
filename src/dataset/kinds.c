/* kinds.c: which implementations the rows show to run on which kind of problem, and which lost there. */
#include "dataset.h"
#include <math.h>

typedef struct keyed {
    int32_t key[CW_KIND_FIELD_COUNT];
    size_t row;
} keyed;

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    return cw_seen_compare(x->key, y->key, CW_KIND_FIELD_COUNT);
}

cw_status cw_dataset_seen(const cw_dataset *data, const size_t *rows, size_t count, const int32_t *class_of,
                          size_t classes, cw_seen **out, cw_error *err) {
    keyed *sorted = cw_alloc_n(count, sizeof *sorted);
    if (!sorted) return cw_fail_memory(err);
    size_t kinds = 0;
    for (size_t i = 0; i < count; i++) {
        sorted[i].row = rows[i];
        cw_problem_kind(&data->problems[rows[i]], sorted[i].key);
    }
    qsort(sorted, count, sizeof *sorted, by_key);
    for (size_t i = 0; i < count; i++) kinds += i == 0 || by_key(&sorted[i - 1], &sorted[i]) != 0;
    cw_seen *seen = *out = cw_seen_alloc(cw_kind_names, CW_KIND_FIELD_COUNT, kinds, classes);
    for (size_t i = 0, kind = 0; seen && i < count; i++) {
        const double *time = data->time + sorted[i].row * data->classes;
        if (i > 0 && by_key(&sorted[i - 1], &sorted[i]) != 0) kind++;
        for (size_t f = 0; f < CW_KIND_FIELD_COUNT; f++)
            seen->key[kind * CW_KIND_FIELD_COUNT + f] = sorted[i].key[f];
        for (size_t c = 0; c < data->classes; c++) {
            int64_t class = class_of ? class_of[c] : (int64_t)c;
            if (class >= 0 && !isnan(time[c])) seen->has[kind * classes + (size_t) class] = 1;
        }
    }
    cw_free(sorted);
    return seen ? CW_OK : cw_fail_memory(err);
}

const uint8_t *cw_row_seen(const cw_dataset *data, size_t row, const cw_seen *seen) {
    int32_t key[CW_KIND_FIELD_COUNT];
    cw_problem_kind(&data->problems[row], key);
    return cw_seen_find(seen, key);
}
