/* tune.c: settings of a learner, chosen by cross-validation inside the rows it learns from. */
#include "heldout_inside.h"
#include <math.h>
#include <string.h>

void cw_settings_fill(const cw_learner *learner, const cw_learn_options *given, const cw_learn_options *over,
                      cw_learn_options *out) {
    *out = *given;
#define X(type, field, option, least, most, help)                                                            \
    if (!(given->field > 0)) out->field = over && over->field > 0 ? over->field : learner->defaults.field;
    CW_SETTINGS(X)
#undef X
}

static bool is_end(const cw_learn_options *entry) {
#define X(type, field, option, least, most, help)                                                            \
    if (entry->field > 0) return false;
    CW_SETTINGS(X)
#undef X
    return true;
}

static bool same(const cw_learn_options *a, const cw_learn_options *b) {
#define X(type, field, option, least, most, help)                                                            \
    if (a->field < b->field || a->field > b->field) return false;
    CW_SETTINGS(X)
#undef X
    return true;
}

typedef struct total {
    const cw_inner *inner;
    double loss;
    size_t rows;
} total;

static void add(void *arg, size_t row, const double *cost, const double *share) {
    total *t = arg;
    (void)share;
    t->loss += cw_inner_loss(t->inner, row, cw_inner_choose(t->inner, row, cost));
    t->rows++;
}

/* Mean loss; INFINITY = it could not be tried. */
static cw_status try(const cw_inner *inner, const cw_learner *learner, const cw_learn_options *settings,
                     double *loss, cw_error *err) {
    size_t folds = 3;
    total t = {.inner = inner};
    cw_status status = cw_heldout(inner, learner, settings, &folds, add, &t, err);
    *loss = t.rows ? t.loss / (double)t.rows : INFINITY;
    return status;
}

/* Was the same tried before? The user's settings make entries of the grid equal. */
static bool tried(const cw_learner *learner, const cw_learn_options *given, size_t before,
                  const cw_learn_options *settings) {
    cw_learn_options other;
    cw_settings_fill(learner, given, NULL, &other);
    if (same(&other, settings)) return true;
    for (size_t i = 0; i < before; i++) {
        cw_settings_fill(learner, given, &learner->grid[i], &other);
        if (same(&other, settings)) return true;
    }
    return false;
}

cw_status cw_tune(const cw_inner *inner, const cw_learner *learner, const cw_learn_options *given,
                  cw_learn_options *out, cw_error *err) {
    cw_settings_fill(learner, given, NULL, out);
    if (!learner->grid || is_end(learner->grid)) return CW_OK;
    double least, loss;
    cw_status status = try(inner, learner, out, &least, err);
    for (size_t i = 0; status == CW_OK && !isinf(least) && !is_end(&learner->grid[i]); i++) {
        cw_learn_options settings;
        cw_settings_fill(learner, given, &learner->grid[i], &settings);
        if (tried(learner, given, i, &settings)) continue;
        status = try(inner, learner, &settings, &loss, err);
        if (status != CW_OK || !(loss < least)) continue;
        least = loss;
        *out = settings;
    }
    return status;
}
