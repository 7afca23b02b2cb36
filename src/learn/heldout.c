/* heldout.c: learning without some rows and asking about them. */
#include "heldout_inside.h"
#include "folds.h"
#include <math.h>

bool cw_inner_may(const cw_inner *inner, size_t row, size_t class) {
    const cw_matrix *m = inner->data;
    size_t cell = row * m->classes + class;
    return !m->cost || !isnan(m->cost[cell]) || (inner->also && inner->also[cell]);
}

int32_t cw_inner_choose(const cw_inner *inner, size_t row, const double *cost) {
    const cw_matrix *m = inner->data;
    int32_t best = -1;
    for (size_t c = 0; c < m->classes; c++) {
        if (!cw_inner_may(inner, row, c)) continue;
        if (best < 0 || cost[c] < cost[best] || (cost[c] == cost[best] && inner->rank[c] < inner->rank[best]))
            best = (int32_t)c;
    }
    return best;
}

double cw_inner_loss(const cw_inner *inner, size_t row, int32_t class) {
    const cw_matrix *m = inner->data;
    if (!m->cost) return m->y[row] == class ? 0 : 1;
    const double *time = m->cost + row * m->classes;
    double best = INFINITY, slowest = 0;
    for (size_t c = 0; c < m->classes; c++) {
        if (time[c] < best) best = time[c];
        if (time[c] > slowest) slowest = time[c];
    }
    return log((isnan(time[class]) ? slowest : time[class]) / best);
}

static bool one_winner(const cw_matrix *m) {
    for (size_t i = 1; i < m->rows; i++)
        if (m->y[i] != m->y[0]) return false;
    return true;
}

static cw_status ask(const cw_matrix *rest, const cw_inner *inner, const int32_t *fold, int32_t number,
                     const cw_learner *learner, const cw_learn_options *settings, cw_heldout_visit *visit,
                     void *arg, cw_error *err) {
    const cw_matrix *m = inner->data;
    double cost[CW_MODEL_MOST], share[CW_MODEL_MOST];
    void *state = NULL;
    cw_status status = learner->train(rest, settings, &state, err);
    for (size_t i = 0; status == CW_OK && i < m->rows; i++) {
        if (fold[i] != number) continue;
        learner->predict(state, m->x + i * m->columns, cost, share, NULL);
        visit(arg, i, cost, share);
    }
    if (state) learner->destroy(state);
    return status;
}

cw_status cw_heldout(const cw_inner *inner, const cw_learner *learner, const cw_learn_options *settings,
                     size_t *folds, cw_heldout_visit *visit, void *arg, cw_error *err) {
    const cw_matrix *m = inner->data;
    int32_t *fold = cw_alloc_n(m->rows, sizeof *fold);
    cw_status status =
        fold ? cw_folds_deal(m->group, m->rows, folds, settings->seed, fold, err) : cw_fail_memory(err);
    for (size_t f = 0; status == CW_OK && *folds > 1 && f < *folds; f++) {
        cw_matrix rest;
        status = cw_rows_of_fold(m, fold, (int32_t)f, false, &rest, err);
        if (status == CW_OK && (settings->base || !one_winner(&rest)))
            status = ask(&rest, inner, fold, (int32_t)f, learner, settings, visit, arg, err);
        cw_rows_release(&rest);
    }
    cw_free(fold);
    return status;
}
