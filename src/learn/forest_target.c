/* forest_target.c: what trees are grown on: labels, soft labels, costs. */
#include "forest_grow.h"
#include <math.h>

/* A soft label's entry below this says nothing and only takes time. */
static const double LEAST_SHARE = 1e-3;

static cw_status target_make(const cw_matrix *data, size_t most, cw_target *out, cw_error *err) {
    *out = (cw_target){.rows = data->rows, .classes = data->classes};
    if (most > UINT32_MAX) return cw_fail(err, CW_UNSUPPORTED, "%zu times are too many for a tree", most);
    out->start = cw_alloc_n(data->rows + 1, sizeof *out->start);
    out->class = cw_alloc_n(most, sizeof *out->class);
    out->value = cw_alloc_n(most, sizeof *out->value);
    return out->start && out->class && out->value ? CW_OK : cw_fail_memory(err);
}

void cw_target_release(cw_target *target) {
    cw_free(target->start);
    cw_free(target->class);
    cw_free(target->value);
    *target = (cw_target){0};
}

static void put(cw_target *target, size_t *used, size_t class, double value) {
    target->class[*used] = (uint16_t) class;
    target->value[(*used)++] = (float)value;
}

/* Smallest and largest time of a row; false = it has none. */
static bool bounds(const double *cost, size_t classes, double *best, double *slowest) {
    *best = INFINITY, *slowest = 0;
    for (size_t c = 0; c < classes; c++) {
        if (cost[c] < *best) *best = cost[c];
        if (cost[c] > *slowest) *slowest = cost[c];
    }
    return *slowest > 0;
}

static size_t times_in(const cw_matrix *data) {
    size_t count = 0;
    for (size_t i = 0; i < data->rows * data->classes; i++)
        count += !isnan(data->cost[i]) || (data->lost && data->lost[i]);
    return count;
}

static void soften(const cw_matrix *data, size_t row, double temperature, cw_target *out, size_t *used) {
    const double *cost = data->cost + row * data->classes;
    double best, slowest, sum = 0, kept = 0;
    if (!bounds(cost, data->classes, &best, &slowest)) {
        put(out, used, (size_t)data->y[row], 1);
        return;
    }
    for (size_t c = 0; c < data->classes; c++)
        if (!isnan(cost[c])) sum += pow(best / cost[c], 1 / temperature);
    for (size_t c = 0; c < data->classes; c++)
        if (!isnan(cost[c])) {
            double share = pow(best / cost[c], 1 / temperature) / sum;
            kept += share >= LEAST_SHARE ? share : 0;
        }
    for (size_t c = 0; c < data->classes; c++) {
        double share = isnan(cost[c]) ? 0 : pow(best / cost[c], 1 / temperature) / sum;
        if (share >= LEAST_SHARE) put(out, used, c, share / kept);
    }
}

cw_status cw_target_labels(const cw_matrix *data, double temperature, cw_target *out, cw_error *err) {
    bool soft = data->cost && temperature > 0;
    /* A row of labels only still has its one entry. */
    cw_status status = target_make(data, data->rows + (soft ? times_in(data) : 0), out, err);
    size_t used = 0;
    for (size_t r = 0; status == CW_OK && r < data->rows; r++) {
        out->start[r] = (uint32_t)used;
        if (soft)
            soften(data, r, temperature, out, &used);
        else
            put(out, &used, (size_t)data->y[r], 1);
    }
    if (status == CW_OK) out->start[data->rows] = (uint32_t)used;
    return status;
}

/* log(time / best), at most cap; NaN = the row says nothing about the class. */
static double cost_of(const cw_matrix *data, size_t row, size_t class, double best, double slowest,
                      double cap) {
    size_t at = row * data->classes + class;
    double time = data->lost && data->lost[at] ? slowest : data->cost[at];
    double cost = log(time / best);
    return cost > cap ? cap : cost;
}

cw_status cw_target_costs(const cw_matrix *data, double cap, cw_target *out, cw_error *err) {
    size_t most = data->cost ? data->rows + times_in(data) : data->rows;
    for (size_t r = 0; r < data->rows; r++) {
        double best, slowest;
        if (!data->cost || !bounds(data->cost + r * data->classes, data->classes, &best, &slowest))
            most += data->classes;
    }
    cw_status status = target_make(data, most, out, err);
    out->per_class = true;
    size_t used = 0;
    for (size_t r = 0; status == CW_OK && r < data->rows; r++) {
        double best, slowest;
        bool timed = data->cost && bounds(data->cost + r * data->classes, data->classes, &best, &slowest);
        out->start[r] = (uint32_t)used;
        for (size_t c = 0; c < data->classes; c++) {
            double cost =
                timed ? cost_of(data, r, c, best, slowest, cap) : ((size_t)data->y[r] == c ? 0 : cap);
            if (!isnan(cost)) put(out, &used, c, cost);
        }
    }
    if (status == CW_OK) out->start[data->rows] = (uint32_t)used;
    return status;
}
