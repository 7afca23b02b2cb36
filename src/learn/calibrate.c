/* calibrate.c: how much a choice is expected to lose, found out on rows that were held out. */
#include "heldout_inside.h"
#include <math.h>
#include <string.h>

static const char *const signal_names[CW_SIGNAL_COUNT] = {"share", "margin", "spread"};

/* Share: of being another than the chosen. Margin: minus the distance in cost to the runner-up. Spread: the
 * expected distance in cost to the fastest, if the shares were the truth. Those not allowed do not count. */
double cw_signal_of(cw_signal signal, const double *cost, const double *share, size_t classes,
                    const uint8_t *allowed, size_t chosen) {
    double total = 0, runner_up = INFINITY, spread = 0;
    for (size_t c = 0; c < classes; c++) {
        if (allowed && !allowed[c]) continue;
        total += share[c];
        spread += share[c] * (cost[c] - cost[chosen]);
        if (c != chosen && cost[c] < runner_up) runner_up = cost[c];
    }
    double value = signal == CW_SIGNAL_SHARE    ? 1 - share[chosen] / total
                   : signal == CW_SIGNAL_MARGIN ? cost[chosen] - runner_up
                                                : spread / total;
    return isnan(value) ? 0 : value < -1e300 ? -1e300 : value > 1e300 ? 1e300 : value;
}

double cw_calibration_promise(const cw_calibration *map, const double *cost, const double *share,
                              size_t classes, const uint8_t *allowed, size_t chosen) {
    size_t others = 0, step = 0;
    for (size_t c = 0; c < classes; c++) others += c != chosen && (!allowed || allowed[c]);
    if (others == 0) return 0;
    double value = cw_signal_of(map->signal, cost, share, classes, allowed, chosen);
    while (step + 1 < map->steps && value > map->upto[step]) step++;
    return map->loss[step];
}

/* ---- Fitting ---- */

typedef struct pair {
    double signal, loss;
    size_t row;
} pair;

typedef struct pairs {
    const cw_inner *inner;
    pair *of[CW_SIGNAL_COUNT]; /* the same rows, each with its signal */
    uint8_t *allowed;          /* classes: scratch */
    size_t count;
} pairs;

/* Rows with a single candidate promise nothing, and teach nothing. */
static void collect(void *arg, size_t row, const double *cost, const double *share) {
    pairs *all = arg;
    const cw_matrix *m = all->inner->data;
    size_t candidates = 0;
    for (size_t c = 0; c < m->classes; c++) {
        size_t cell = row * m->classes + c;
        all->allowed[c] = !isnan(m->cost[cell]) || (all->inner->also && all->inner->also[cell]);
        candidates += all->allowed[c];
    }
    if (candidates < 2) return;
    int32_t chosen = cw_inner_choose(all->inner, row, cost);
    double loss = cw_inner_loss(all->inner, row, chosen);
    for (int s = 0; s < CW_SIGNAL_COUNT; s++)
        all->of[s][all->count] = (pair){
            cw_signal_of((cw_signal)s, cost, share, m->classes, all->allowed, (size_t)chosen), loss, row};
    all->count++;
}

static int by_signal(const void *a, const void *b) {
    const pair *x = a, *y = b;
    if (x->signal != y->signal) return x->signal < y->signal ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

typedef struct block {
    double upto, sum, count;
} block;

/* Bins of about equally many pairs, equal signals together, then pooled until their means do not descend.
 * Returns the sum of squared errors. */
static double fit(pair *p, size_t count, size_t least, cw_calibration *map) {
    block blocks[CW_CALIBRATION_STEPS];
    size_t bins = count / least, n = 0, from = 0;
    double squares = 0;
    if (bins > CW_CALIBRATION_STEPS) bins = CW_CALIBRATION_STEPS;
    qsort(p, count, sizeof *p, by_signal);
    for (size_t bin = 0; from < count; bin++) {
        size_t to = bin + 1 < bins ? (bin + 1) * count / bins : count;
        if (to <= from) continue;
        while (to < count && p[to].signal <= p[to - 1].signal) to++;
        block next = {p[to - 1].signal, 0, (double)(to - from)};
        for (; from < to; from++) next.sum += p[from].loss;
        while (n > 0 && blocks[n - 1].sum / blocks[n - 1].count >= next.sum / next.count) {
            n--;
            next.sum += blocks[n].sum;
            next.count += blocks[n].count;
        }
        blocks[n++] = next;
    }
    map->steps = n;
    from = 0;
    for (size_t i = 0; i < n; i++) {
        map->upto[i] = blocks[i].upto;
        map->loss[i] = blocks[i].sum / blocks[i].count;
        for (size_t k = (size_t)blocks[i].count; k > 0; k--, from++)
            squares += (p[from].loss - map->loss[i]) * (p[from].loss - map->loss[i]);
    }
    return squares;
}

cw_status cw_calibration_fit(const cw_inner *inner, const cw_learner *learner,
                             const cw_learn_options *settings, cw_calibration **out, cw_error *err) {
    enum { LEAST = 20 }; /* pairs a bin */
    const cw_matrix *m = inner->data;
    size_t folds = 5;
    double best = INFINITY;
    *out = NULL;
    if (!m->cost || m->rows < 2 * LEAST) return CW_OK;
    pairs all = {.inner = inner, .allowed = cw_alloc_n(m->classes, sizeof *all.allowed)};
    cw_calibration *map = cw_alloc(sizeof *map);
    bool made = all.allowed && map;
    for (int s = 0; s < CW_SIGNAL_COUNT; s++) {
        all.of[s] = cw_alloc_n(m->rows, sizeof *all.of[s]);
        made = made && all.of[s];
    }
    cw_status status =
        made ? cw_heldout(inner, learner, settings, &folds, collect, &all, err) : cw_fail_memory(err);
    for (int s = 0; status == CW_OK && all.count >= 2 * LEAST && s < CW_SIGNAL_COUNT; s++) {
        cw_calibration this = {.signal = (cw_signal)s};
        double squares = fit(all.of[s], all.count, LEAST, &this);
        if (!(squares < best)) continue;
        best = squares;
        *map = this;
    }
    if (status == CW_OK && map->steps > 0) {
        *out = map;
        map = NULL;
    }
    for (int s = 0; s < CW_SIGNAL_COUNT; s++) cw_free(all.of[s]);
    cw_free(all.allowed);
    cw_free(map);
    return status;
}

/* ---- JSON ---- */

json_t *cw_calibration_save(const cw_calibration *map) {
    json_t *steps = json_array(), *object = json_object();
    int bad = 0;
    for (size_t i = 0; i < map->steps; i++) {
        json_t *step = json_array();
        bad |= json_array_append_new(step, json_real(map->upto[i]));
        bad |= json_array_append_new(step, json_real(map->loss[i]));
        bad |= json_array_append_new(steps, step);
    }
    bad |= json_object_set_new(object, "signal", json_string(signal_names[map->signal]));
    bad |= json_object_set_new(object, "steps", steps);
    if (!bad) return object;
    json_decref(object);
    return NULL;
}

cw_status cw_calibration_load(const json_t *json, cw_calibration **out, cw_error *err) {
    const char *name = json_string_value(json_object_get(json, "signal"));
    const json_t *steps = json_object_get(json, "steps");
    size_t count = json_array_size(steps);
    cw_calibration map = {.signal = CW_SIGNAL_COUNT, .steps = count};
    for (int s = 0; name && s < CW_SIGNAL_COUNT; s++)
        if (strcmp(name, signal_names[s]) == 0) map.signal = (cw_signal)s;
    if (map.signal == CW_SIGNAL_COUNT)
        return cw_fail(err, CW_FORMAT, "calibration.signal: must be share, margin or spread");
    if (count == 0 || count > CW_CALIBRATION_STEPS)
        return cw_fail(err, CW_FORMAT, "calibration.steps: must be a list of 1 to %d steps",
                       CW_CALIBRATION_STEPS);
    for (size_t i = 0; i < count; i++) {
        const json_t *step = json_array_get(steps, i), *upto = json_array_get(step, 0),
                     *loss = json_array_get(step, 1);
        map.upto[i] = json_number_value(upto);
        map.loss[i] = json_number_value(loss);
        bool ascends = i == 0 || (map.upto[i] > map.upto[i - 1] && map.loss[i] >= map.loss[i - 1]);
        if (json_array_size(step) != 2 || !json_is_number(upto) || !json_is_number(loss) || !ascends ||
            !(map.loss[i] >= 0))
            return cw_fail(
                err, CW_FORMAT,
                "calibration.steps[%zu]: must be two numbers, the first ascending, the second from 0 and "
                "not descending",
                i);
    }
    *out = cw_alloc(sizeof **out);
    if (!*out) return cw_fail_memory(err);
    **out = map;
    return CW_OK;
}
