/* folds.c: groups of rows dealt to folds. What counts as a group is the caller's. */
#include "folds.h"
#include <string.h>

enum { FOLDS_MOST = 64 };

static int compare_rows(const void *a, const void *b, void *arg) {
    const int32_t *group = arg;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    if (group[x] != group[y]) return group[x] < group[y] ? -1 : 1;
    return (x > y) - (x < y);
}

/* Numbers the groups 0, 1, ... by their first rows; returns how many there are. order: scratch. */
static size_t number_groups(const int32_t *group, size_t rows, size_t *order, size_t *number) {
    size_t groups = 0;
    for (size_t i = 0; i < rows; i++) order[i] = number[i] = i;
    if (!group) return rows;
    qsort_r(order, rows, sizeof *order, compare_rows, (void *)(uintptr_t)group);
    for (size_t i = 1; i < rows; i++) /* each row points to the first of its group */
        if (group[order[i]] == group[order[i - 1]]) number[order[i]] = number[order[i - 1]];
    for (size_t i = 0; i < rows; i++) number[i] = number[i] == i ? groups++ : number[number[i]];
    return groups;
}

static void shuffle(size_t *items, size_t count, cw_rng *rng) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)cw_rng_below(rng, i), kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}

cw_status cw_folds_deal(const int32_t *group, size_t rows, size_t *folds, uint64_t seed, int32_t *fold,
                        cw_error *err) {
    size_t *order = cw_alloc_n(rows, sizeof *order), *number = cw_alloc_n(rows, sizeof *number);
    size_t *size = cw_alloc_n(rows, sizeof *size), load[FOLDS_MOST] = {0};
    int32_t *of_group = cw_alloc_n(rows, sizeof *of_group);
    cw_status status = order && number && size && of_group ? CW_OK : cw_fail_memory(err);
    if (status == CW_OK) {
        size_t groups = number_groups(group, rows, order, number);
        if (*folds > FOLDS_MOST) *folds = FOLDS_MOST;
        if (*folds > groups) *folds = groups;
        for (size_t i = 0; i < rows; i++) size[number[i]]++;
        for (size_t g = 0; g < groups; g++) order[g] = g;
        cw_rng rng = cw_rng_seed(seed);
        shuffle(order, groups, &rng);
        for (size_t i = 0; i < groups; i++) {
            size_t least = 0;
            for (size_t f = 1; f < *folds; f++)
                if (load[f] < load[least]) least = f;
            load[least] += size[order[i]];
            of_group[order[i]] = (int32_t)least;
        }
        for (size_t i = 0; i < rows; i++) fold[i] = of_group[number[i]];
    }
    cw_free(order);
    cw_free(number);
    cw_free(size);
    cw_free(of_group);
    return status;
}

/* ---- Rows of a fold ---- */

/* An array of `width` bytes a row; NULL stays NULL. */
static bool take(const void *from, size_t width, const int32_t *fold, size_t rows, int32_t number,
                 bool inside, size_t kept, const void **out) {
    if (!from) return true;
    char *to = cw_alloc_n(kept, width);
    *out = to;
    for (size_t i = 0; to && i < rows; i++)
        if ((fold[i] == number) == inside) {
            memcpy(to, (const char *)from + i * width, width);
            to += width;
        }
    return to != NULL;
}

cw_status cw_rows_of_fold(const cw_matrix *data, const int32_t *fold, int32_t number, bool inside,
                          cw_matrix *out, cw_error *err) {
    size_t kept = 0;
    for (size_t i = 0; i < data->rows; i++) kept += (fold[i] == number) == inside;
    *out = (cw_matrix){.rows = kept, .columns = data->columns, .classes = data->classes};
    const struct {
        const void *from;
        size_t width;
        const void **to;
    } parts[] = {
        {data->x, data->columns * sizeof *data->x, (const void **)&out->x},
        {data->y, sizeof *data->y, (const void **)&out->y},
        {data->cost, data->classes * sizeof *data->cost, (const void **)&out->cost},
        {data->scale, sizeof *data->scale, (const void **)&out->scale},
        {data->lost, data->classes * sizeof *data->lost, (const void **)&out->lost},
        {data->group, sizeof *data->group, (const void **)&out->group},
    };
    bool made = true;
    for (size_t i = 0; i < CW_COUNT(parts); i++)
        made =
            made && take(parts[i].from, parts[i].width, fold, data->rows, number, inside, kept, parts[i].to);
    if (made) return CW_OK;
    cw_rows_release(out);
    return cw_fail_memory(err);
}

void cw_rows_release(cw_matrix *m) {
    const void *const owned[] = {m->x, m->y, m->cost, m->scale, m->lost, m->group};
    for (size_t i = 0; i < CW_COUNT(owned); i++) cw_free((void *)(uintptr_t)owned[i]);
    *m = (cw_matrix){0};
}
