/* validate_split.c: which rows a fold learns from and which it chooses for. */
#include "validate.h"
#include "../learn/folds.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- When two rows belong together: both sides of a fold may not have one each ---- */

/* The fields of a problem that make two rows alike; 0 = alike. */
typedef int comparison(const cw_problem *a, const cw_problem *b);

/* The same layer, whatever its precision, zero point and threads. */
static int by_shape(const cw_problem *a, const cw_problem *b) {
    cw_problem x = *a, y = *b;
    x.prec = y.prec = x.zp = y.zp = x.threads = y.threads = 0;
    return cw_problem_compare(&x, &y);
}

static int by_fields(const int32_t *x, const int32_t *y, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}

/* The same layer at another image size, batch, padding or grouping. */
static int by_near(const cw_problem *a, const cw_problem *b) {
    const int32_t x[] = {a->ic, a->oc, a->kh, a->kw, a->sh, a->sw};
    const int32_t y[] = {b->ic, b->oc, b->kh, b->kw, b->sh, b->sw};
    return by_fields(x, y, CW_COUNT(x));
}

static int by_channels(const cw_problem *a, const cw_problem *b) {
    const int32_t x[] = {a->ic, a->oc, a->kh, a->kw}, y[] = {b->ic, b->oc, b->kh, b->kw};
    return by_fields(x, y, CW_COUNT(x));
}

typedef struct sorting {
    const cw_problem *problems;
    comparison *compare;
} sorting;

static int compare_rows(const void *a, const void *b, void *arg) {
    const sorting *s = arg;
    return s->compare(&s->problems[*(const size_t *)a], &s->problems[*(const size_t *)b]);
}

/* Numbers the rows so that those alike have the same number, from 0. */
static cw_status number_alike(const cw_dataset *data, comparison *compare, int32_t *number, cw_error *err) {
    size_t *order = cw_alloc_n(data->rows, sizeof *order);
    if (!order) return cw_fail_memory(err);
    for (size_t row = 0; row < data->rows; row++) order[row] = row;
    sorting how = {data->problems, compare};
    qsort_r(order, data->rows, sizeof *order, compare_rows, &how);
    int32_t last = 0;
    for (size_t i = 0; i < data->rows; i++) {
        if (i > 0 && compare_rows(&order[i - 1], &order[i], &how) != 0) last++;
        number[order[i]] = last;
    }
    cw_free(order);
    return CW_OK;
}

static size_t nets_with_rows(const cw_dataset *data) {
    size_t count = 0;
    for (size_t i = 0; i < data->layer_count; i++)
        count += i == 0 || data->layers[i].net != data->layers[i - 1].net;
    return count;
}

static const char *default_split(const cw_dataset *data) {
    return nets_with_rows(data) >= 2 ? "network" : "group";
}

/* Rows of a network together (of several: of the first), with every row of the same shape. number: the
 * near copies; gets what the nets' rows are instead. */
static cw_status join_nets(const cw_dataset *data, int32_t *number, cw_error *err) {
    int32_t *shape = cw_alloc_n(data->rows, sizeof *shape), *net = cw_alloc_n(data->rows, sizeof *net);
    cw_status status = shape && net ? number_alike(data, by_shape, shape, err) : cw_fail_memory(err);
    if (status == CW_OK) {
        for (size_t i = data->layer_count; i-- > 0;) /* backwards: the first network is the last to write */
            net[shape[data->layers[i].row]] = (int32_t)data->layers[i].net + 1;
        for (size_t row = 0; row < data->rows; row++)
            if (net[shape[row]] > 0) number[row] = -net[shape[row]];
    }
    cw_free(shape);
    cw_free(net);
    return status;
}

cw_status cw_split_groups(const cw_dataset *data, const char *split, int32_t *group, cw_error *err) {
    if (!split) split = default_split(data);
    if (data->labelled || strcmp(split, "near") == 0) return number_alike(data, by_near, group, err);
    if (strcmp(split, "group") == 0) return number_alike(data, by_channels, group, err);
    if (strcmp(split, "network") == 0) {
        cw_status status = number_alike(data, by_near, group, err);
        return status == CW_OK ? join_nets(data, group, err) : status;
    }
    bool hosts = strcmp(split, "machine") == 0 && data->host;
    for (size_t row = 0; row < data->rows; row++) group[row] = hosts ? data->host[row] : (int32_t)row;
    return CW_OK;
}

/* ---- Building folds ---- */

static cw_status fold_reserve(const cw_dataset *data, cw_fold *fold, cw_error *err) {
    fold->train = cw_alloc_n(data->rows, sizeof *fold->train);
    fold->tests = cw_alloc_n(data->rows, sizeof *fold->tests);
    return fold->train && fold->tests ? CW_OK : cw_fail_memory(err);
}

static cw_status folds_alloc(const cw_dataset *data, cw_split *split, size_t count, cw_error *err) {
    split->folds = cw_alloc_n(count, sizeof *split->folds);
    if (!split->folds) return cw_fail_memory(err);
    split->count = count;
    cw_status status = CW_OK;
    for (size_t f = 0; status == CW_OK && f < count; f++) status = fold_reserve(data, &split->folds[f], err);
    return status;
}

/* Rows that are not like any of the fold's tests. held: scratch, one a number, all false. */
static void leave_out(const cw_dataset *data, const int32_t *number, bool *held, cw_fold *fold) {
    for (size_t t = 0; t < fold->test_count; t++) held[number[fold->tests[t].row]] = true;
    for (size_t row = 0; row < data->rows; row++)
        if (!held[number[row]]) fold->train[fold->train_count++] = row;
    for (size_t t = 0; t < fold->test_count; t++) held[number[fold->tests[t].row]] = false;
}

static cw_status split_nets(const cw_dataset *data, comparison *compare, cw_split *split, cw_error *err) {
    size_t nets = nets_with_rows(data), f = 0;
    if (nets == 0)
        return cw_fail(
            err, CW_INVALID,
            "split %s: no network has measured layers here (measure one with --net, or try --split group)",
            split->name);
    int32_t *number = cw_alloc_n(data->rows, sizeof *number);
    bool *held = cw_alloc_n(data->rows, sizeof *held);
    cw_status status = number && held ? folds_alloc(data, split, nets, err) : cw_fail_memory(err);
    if (status == CW_OK) status = number_alike(data, compare, number, err);
    for (size_t i = 0; status == CW_OK && i < data->layer_count; f++) {
        cw_fold *fold = &split->folds[f];
        size_t net = data->layers[i].net;
        snprintf(fold->name, sizeof fold->name, "%s", data->nets[net]);
        for (; i < data->layer_count && data->layers[i].net == net; i++)
            fold->tests[fold->test_count++] = (cw_test){data->layers[i].row, (int64_t)data->layers[i].count};
        leave_out(data, number, held, fold);
        if (fold->train_count == 0)
            status =
                cw_fail(err, CW_INVALID,
                        "split %s: without %s no rows are left to learn from (measure another network, or "
                        "try --split group)",
                        split->name, fold->name);
    }
    cw_free(number);
    cw_free(held);
    return status;
}

/* Fills the folds from the fold of each row. */
static void deal(const cw_dataset *data, const int32_t *fold_of_row, cw_split *split) {
    for (size_t f = 0; f < split->count; f++) {
        cw_fold *fold = &split->folds[f];
        snprintf(fold->name, sizeof fold->name, "fold %zu", f + 1);
        for (size_t row = 0; row < data->rows; row++) {
            if (fold_of_row[row] == (int32_t)f)
                fold->tests[fold->test_count++] = (cw_test){row, 1};
            else
                fold->train[fold->train_count++] = row;
        }
    }
}

static void shuffle(size_t *items, size_t count, cw_rng *rng) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)cw_rng_below(rng, i), kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}

static cw_status split_groups(const cw_dataset *data, uint64_t seed, cw_split *split, cw_error *err) {
    size_t folds = 5;
    int32_t *group = cw_alloc_n(data->rows, sizeof *group),
            *fold_of = cw_alloc_n(data->rows, sizeof *fold_of);
    cw_status status = group && fold_of ? number_alike(data, by_channels, group, err) : cw_fail_memory(err);
    if (status == CW_OK) status = cw_folds_deal(group, data->rows, &folds, seed, fold_of, err);
    if (status == CW_OK && folds < 2)
        status = cw_fail(err, CW_INVALID,
                         "split group: all rows have the same channels and kernel (measure more layers)");
    if (status == CW_OK) status = folds_alloc(data, split, folds, err);
    if (status == CW_OK) deal(data, fold_of, split);
    cw_free(group);
    cw_free(fold_of);
    return status;
}

/* Leave one machine out. */
static cw_status split_hosts(const cw_dataset *data, cw_split *split, cw_error *err) {
    if (data->host_count < 2)
        return cw_fail(
            err, CW_INVALID,
            "split machine: the rows are of one machine (take those of several with --machine all)");
    cw_status status = folds_alloc(data, split, data->host_count, err);
    if (status != CW_OK) return status;
    deal(data, data->host, split);
    for (size_t f = 0; f < split->count; f++) {
        snprintf(split->folds[f].name, sizeof split->folds[f].name, "%s", data->hosts[f].fingerprint);
        if (split->folds[f].test_count == 0 || split->folds[f].train_count == 0)
            return cw_fail(err, CW_INVALID, "split machine: only one machine has such rows");
    }
    return CW_OK;
}

/* Rows in random order. parts > 0: dealt to so many folds; else the first `held` are the only fold's tests.
 */
static cw_status split_rows(const cw_dataset *data, size_t parts, size_t held, uint64_t seed, cw_split *split,
                            cw_error *err) {
    size_t *order = cw_alloc_n(data->rows, sizeof *order);
    int32_t *fold_of = cw_alloc_n(data->rows, sizeof *fold_of);
    cw_status status =
        order && fold_of ? folds_alloc(data, split, parts ? parts : 1, err) : cw_fail_memory(err);
    if (status == CW_OK) {
        for (size_t row = 0; row < data->rows; row++) order[row] = row;
        cw_rng rng = cw_rng_seed(seed);
        shuffle(order, data->rows, &rng);
        for (size_t i = 0; i < data->rows; i++) fold_of[order[i]] = (int32_t)(parts ? i % parts : i >= held);
        deal(data, fold_of, split);
        split->random = true;
        if (!parts) snprintf(split->folds[0].name, sizeof split->folds[0].name, "held out");
    }
    cw_free(order);
    cw_free(fold_of);
    return status;
}

static cw_status split_kfold(const cw_dataset *data, const char *parts, uint64_t seed, cw_split *split,
                             cw_error *err) {
    int64_t count;
    if (!cw_parse_int(parts, 2, (int64_t)data->rows, &count))
        return cw_fail(err, CW_INVALID, "split kfold:%.40s: N is between 2 and the number of rows, %zu",
                       parts, data->rows);
    return split_rows(data, (size_t)count, 0, seed, split, err);
}

static cw_status split_holdout(const cw_dataset *data, const char *share, uint64_t seed, cw_split *split,
                               cw_error *err) {
    double part;
    if (!cw_parse_double(share, &part) || !(part > 0 && part < 1))
        return cw_fail(err, CW_INVALID,
                       "split holdout:%.40s: the share held out is between 0 and 1, e.g. holdout:0.2", share);
    double held = round(part * (double)data->rows);
    if (held < 1 || held > (double)data->rows - 1)
        return cw_fail(err, CW_INVALID, "split holdout:%.40s: of %zu rows that leaves one side empty", share,
                       data->rows);
    return split_rows(data, 0, (size_t)held, seed, split, err);
}

cw_status cw_split_make(const cw_dataset *data, const char *split, uint64_t seed, cw_split *out,
                        cw_error *err) {
    *out = (cw_split){0};
    if (!split) split = default_split(data);
    if ((size_t)snprintf(out->name, sizeof out->name, "%s", split) < sizeof out->name) {
        if (strcmp(split, "network") == 0) return split_nets(data, by_shape, out, err);
        if (strcmp(split, "near") == 0) return split_nets(data, by_near, out, err);
        if (strcmp(split, "machine") == 0) return split_hosts(data, out, err);
        if (strcmp(split, "group") == 0) return split_groups(data, seed, out, err);
        if (strncmp(split, "kfold:", 6) == 0) return split_kfold(data, split + 6, seed, out, err);
        if (strncmp(split, "holdout:", 8) == 0) return split_holdout(data, split + 8, seed, out, err);
    }
    return cw_fail(err, CW_INVALID,
                   "no split is called %.60s (there are: network, near, group, machine, kfold:N, holdout:F)",
                   split);
}

void cw_split_release(cw_split *split) {
    for (size_t f = 0; f < split->count; f++) {
        cw_free(split->folds[f].train);
        cw_free(split->folds[f].tests);
    }
    cw_free(split->folds);
    *split = (cw_split){0};
}
