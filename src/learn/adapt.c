/* adapt.c: how much of a base to keep, tried on rows that were held out. */
#include "adapt.h"
#include "heldout_inside.h"
#include <math.h>

extern const cw_learner cw_learner_boost;

cw_status cw_adapt_widen(const cw_matrix *data, const cw_trees *base, cw_trees **out, cw_error *err) {
    cw_trees_draft *draft;
    double cost[CW_MODEL_MOST], sum = 0;
    *out = NULL;
    for (size_t r = 0; r < data->rows; r++) {
        cw_trees_predict(base, data->x + r * data->columns, cost, NULL, NULL);
        for (size_t c = 0; c < base->classes; c++) sum += cost[c];
    }
    cw_status status = cw_trees_draft_make(data->columns, data->classes, &draft, err);
    if (status != CW_OK) return status;
    if ((status = cw_trees_add_all(draft, base, 1, err)) != CW_OK) {
        cw_trees_draft_free(draft);
        return status;
    }
    for (size_t c = base->classes; c < data->classes; c++)
        draft->start[c] = sum / (double)(data->rows * base->classes);
    return cw_trees_finish(draft, out, err);
}

/* Best known first: it wins ties. */
static const cw_learn_base candidates[] = {{NULL, 1, true},    {NULL, 0.5, true},   {NULL, 1, false},
                                           {NULL, 0.5, false}, {NULL, 0.25, false}, {NULL, 0, false}};

typedef struct total {
    const cw_inner *inner;
    double loss;
} total;

static void add(void *arg, size_t row, const double *cost, const double *share) {
    total *t = arg;
    (void)share;
    t->loss += cw_inner_loss(t->inner, row, cw_inner_choose(t->inner, row, cost));
}

/* Nothing can be learned anew. */
static bool one_winner(const cw_matrix *m) {
    for (size_t i = 1; i < m->rows; i++)
        if (m->y[i] != m->y[0]) return false;
    return true;
}

cw_status cw_adapt_choose(const cw_inner *inner, const cw_trees *trees, const cw_learn_options *settings,
                          cw_learn_base *out, cw_error *err) {
    cw_status status = CW_OK;
    double least = INFINITY;
    *out = (cw_learn_base){trees, 0.5, true};
    if (inner->data->rows < CW_ADAPT_ROWS) return CW_OK;
    for (size_t i = 0; status == CW_OK && i < CW_COUNT(candidates); i++) {
        size_t folds = CW_ADAPT_GROUPS;
        total t = {.inner = inner};
        cw_learn_base base = candidates[i];
        if (!(base.scale > 0) && one_winner(inner->data)) continue;
        cw_learn_options with = *settings;
        base.trees = trees;
        with.base = &base;
        status = cw_heldout(inner, &cw_learner_boost, &with, &folds, add, &t, err);
        if (status != CW_OK || folds < CW_ADAPT_GROUPS) break;
        if (!(t.loss < least)) continue;
        least = t.loss;
        *out = base;
    }
    return status;
}
