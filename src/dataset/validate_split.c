/* validate_split.c: which rows a fold learns from and which it chooses for. */
#include "validate.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- When two rows belong together: both sides of a fold may not have one each ---- */

/* The same layer, whatever its precision, zero point and threads. */
static bool same_shape(const cw_problem *a, const cw_problem *b) {
    cw_problem x = *a, y = *b;
    x.prec = y.prec = x.zp = y.zp = x.threads = y.threads = 0;
    return cw_problem_compare(&x, &y) == 0;
}

/* The same layer at another image size, batch, padding or grouping. */
static bool near_shape(const cw_problem *a, const cw_problem *b) {
    return same_shape(a, b) || (a->ic == b->ic && a->oc == b->oc && a->kh == b->kh && a->kw == b->kw &&
                                a->sh == b->sh && a->sw == b->sw);
}

static bool same_group(const cw_problem *a, const cw_problem *b) {
    return a->ic == b->ic && a->oc == b->oc && a->kh == b->kh && a->kw == b->kw;
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

static size_t nets_with_rows(const cw_dataset *data) {
    size_t count = 0;
    for (size_t i = 0; i < data->layer_count; i++)
        count += i == 0 || data->layers[i].net != data->layers[i - 1].net;
    return count;
}

typedef bool related(const cw_problem *a, const cw_problem *b);

static bool held_out(const cw_dataset *data, const cw_fold *fold, size_t row, related *alike) {
    for (size_t t = 0; t < fold->test_count; t++)
        if (alike(&data->problems[row], &data->problems[fold->tests[t].row])) return true;
    return false;
}

static cw_status split_nets(const cw_dataset *data, related *alike, cw_split *split, cw_error *err) {
    size_t nets = nets_with_rows(data), f = 0;
    if (nets == 0)
        return cw_fail(
            err, CW_INVALID,
            "split %s: no network has measured layers here (measure one with --net, or try --split group)",
            split->name);
    cw_status status = folds_alloc(data, split, nets, err);
    for (size_t i = 0; status == CW_OK && i < data->layer_count; f++) {
        cw_fold *fold = &split->folds[f];
        size_t net = data->layers[i].net;
        snprintf(fold->name, sizeof fold->name, "%s", data->nets[net]);
        for (; i < data->layer_count && data->layers[i].net == net; i++)
            fold->tests[fold->test_count++] = (cw_test){data->layers[i].row, (int64_t)data->layers[i].count};
        for (size_t row = 0; row < data->rows; row++)
            if (!held_out(data, fold, row, alike)) fold->train[fold->train_count++] = row;
        if (fold->train_count == 0)
            status =
                cw_fail(err, CW_INVALID,
                        "split %s: without %s no rows are left to learn from (measure another network, or "
                        "try --split group)",
                        split->name, fold->name);
    }
    return status;
}

/* Fills the folds from the fold of each row. */
static void deal(const cw_dataset *data, const size_t *fold_of_row, cw_split *split) {
    for (size_t f = 0; f < split->count; f++) {
        cw_fold *fold = &split->folds[f];
        snprintf(fold->name, sizeof fold->name, "fold %zu", f + 1);
        for (size_t row = 0; row < data->rows; row++) {
            if (fold_of_row[row] == f)
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

/* group_of[row]; returns the number of groups. */
static size_t find_groups(const cw_dataset *data, size_t *group_of) {
    size_t groups = 0;
    for (size_t row = 0; row < data->rows; row++) {
        size_t other = 0;
        while (!same_group(&data->problems[row], &data->problems[other])) other++;
        group_of[row] = other == row ? groups++ : group_of[other];
    }
    return groups;
}

/* Groups in random order, each to the fold with the fewest rows so far. */
static cw_status split_groups(const cw_dataset *data, uint64_t seed, cw_split *split, cw_error *err) {
    enum { FOLDS = 5 };
    size_t *group_of = cw_alloc_n(data->rows, sizeof *group_of),
           *order = cw_alloc_n(data->rows, sizeof *order);
    size_t *fold_of = cw_alloc_n(data->rows, sizeof *fold_of), *size = cw_alloc_n(data->rows, sizeof *size);
    size_t load[FOLDS] = {0};
    cw_status status = group_of && order && fold_of && size ? CW_OK : cw_fail_memory(err);
    if (status != CW_OK) goto out;
    size_t groups = find_groups(data, group_of), folds = groups < FOLDS ? groups : FOLDS;
    if (folds < 2) {
        status = cw_fail(err, CW_INVALID,
                         "split group: all rows have the same channels and kernel (measure more layers)");
        goto out;
    }
    for (size_t row = 0; row < data->rows; row++) size[group_of[row]]++;
    for (size_t g = 0; g < groups; g++) order[g] = g;
    cw_rng rng = cw_rng_seed(seed);
    shuffle(order, groups, &rng);
    for (size_t i = 0; i < groups; i++) {
        size_t least = 0;
        for (size_t f = 1; f < folds; f++)
            if (load[f] < load[least]) least = f;
        load[least] += size[order[i]];
        fold_of[order[i]] = least;
    }
    for (size_t row = 0; row < data->rows; row++) order[row] = fold_of[group_of[row]];
    if ((status = folds_alloc(data, split, folds, err)) == CW_OK) deal(data, order, split);
out:
    cw_free(group_of);
    cw_free(order);
    cw_free(fold_of);
    cw_free(size);
    return status;
}

/* Rows in random order. parts > 0: dealt to so many folds; else the first `held` are the only fold's tests.
 */
static cw_status split_rows(const cw_dataset *data, size_t parts, size_t held, uint64_t seed, cw_split *split,
                            cw_error *err) {
    size_t *order = cw_alloc_n(data->rows, sizeof *order), *fold_of = cw_alloc_n(data->rows, sizeof *fold_of);
    cw_status status =
        order && fold_of ? folds_alloc(data, split, parts ? parts : 1, err) : cw_fail_memory(err);
    if (status == CW_OK) {
        for (size_t row = 0; row < data->rows; row++) order[row] = row;
        cw_rng rng = cw_rng_seed(seed);
        shuffle(order, data->rows, &rng);
        for (size_t i = 0; i < data->rows; i++) fold_of[order[i]] = parts ? i % parts : i >= held;
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
    if (!split) split = nets_with_rows(data) >= 2 ? "network" : "group";
    if ((size_t)snprintf(out->name, sizeof out->name, "%s", split) < sizeof out->name) {
        if (strcmp(split, "network") == 0) return split_nets(data, same_shape, out, err);
        if (strcmp(split, "near") == 0) return split_nets(data, near_shape, out, err);
        if (strcmp(split, "group") == 0) return split_groups(data, seed, out, err);
        if (strncmp(split, "kfold:", 6) == 0) return split_kfold(data, split + 6, seed, out, err);
        if (strncmp(split, "holdout:", 8) == 0) return split_holdout(data, split + 8, seed, out, err);
    }
    return cw_fail(err, CW_INVALID,
                   "no split is called %.60s (there are: network, near, group, kfold:N, holdout:F)", split);
}

void cw_split_release(cw_split *split) {
    for (size_t f = 0; f < split->count; f++) {
        cw_free(split->folds[f].train);
        cw_free(split->folds[f].tests);
    }
    cw_free(split->folds);
    *split = (cw_split){0};
}
