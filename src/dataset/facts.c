/* facts.c: what the measurements of a dataset show of each implementation, beside which is fastest. */
#include "dataset.h"
#include "../problem/facts.h"
#include <math.h>

void cw_tally_add(cw_tally *t, const cw_measurement *m, double ns) {
    const cw_problem *p = &m->problem;
    cw_sizes s;
    cw_problem_sizes(p, &s);
    double macs = log((double)s.macs), weights = log((double)s.wei_bytes);
    t->times += 1;
    t->log_ns_per_mac += log(ns) - macs;
    t->reorders += m->src_reorder_ns > 0 || m->dst_reorder_ns > 0;
    if (!isnan(m->error) && p->prec <= CW_U8 && m->samples > 0) {
        double *worst = &t->error[p->prec];
        if (t->errors[p->prec]++ == 0 || m->error > *worst) *worst = m->error;
    }
    /* Who says neither how long preparing takes nor a workspace does not know them (imports). */
    if (!(m->prepare_ns > 0) && !(m->workspace_bytes > 0)) return;
    double bytes = m->workspace_bytes;
    if (m->src_reorder_ns > 0) bytes += (double)s.src_bytes / p->ic * (double)((p->ic + 15) / 16 * 16);
    if (m->dst_reorder_ns > 0) bytes += (double)s.dst_bytes / p->oc * (double)((p->oc + 15) / 16 * 16);
    double share = bytes / (double)(s.src_bytes + s.wei_bytes + s.dst_bytes);
    if (t->workspaces++ == 0 || share > t->workspace) t->workspace = share;
    if (!(m->prepare_ns > 0)) return;
    const double z[3] = {weights, macs, log(m->prepare_ns)};
    t->prepares += 1;
    for (int i = 0; i < 3; i++) {
        t->sum[i] += z[i];
        for (int k = 0; k < 3; k++) t->product[i][k] += z[i] * z[k];
    }
}

/* Least squares with a slight pull of the slopes towards 0 (ridge), which decides where the shapes do not:
 * one measurement, or weights in step with the work. */
static void fit_prepare(const cw_tally *t, double *fact) {
    double n = t->prepares, mean[3], cov[3][3];
    for (int i = 0; i < 3; i++) mean[i] = t->sum[i] / n;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) cov[i][k] = t->product[i][k] / n - mean[i] * mean[k];
    const double pull = 0.01;
    double a = cov[0][0] + pull, b = cov[0][1], d = cov[1][1] + pull, determinant = a * d - b * b;
    double weights = (cov[0][2] * d - cov[1][2] * b) / determinant;
    double macs = (cov[1][2] * a - cov[0][2] * b) / determinant;
    fact[CW_FACT_prepare_weights] = weights;
    fact[CW_FACT_prepare_macs] = macs;
    fact[CW_FACT_prepare] = mean[2] - weights * mean[0] - macs * mean[1];
}

static void conclude(const cw_class_info *info, double *fact) {
    const cw_tally *t = &info->tally;
    fact[CW_FACT_transforms] = info->family == CW_FAMILY_WINOGRAD || info->family == CW_FAMILY_FFT;
    if (t->reorders > 0 || t->prepares > 0) fact[CW_FACT_reorders] = t->reorders > 0;
    if (t->workspaces > 0) fact[CW_FACT_workspace] = t->workspace;
    if (t->errors[CW_F32] > 0) fact[CW_FACT_error_f32] = t->error[CW_F32];
    if (t->errors[CW_U8] > 0) fact[CW_FACT_error_u8] = t->error[CW_U8];
    if (t->prepares > 0) fit_prepare(t, fact);
    if (t->times > 0) fact[CW_FACT_log_ns_per_mac] = t->log_ns_per_mac / t->times;
    for (int i = 0; i < CW_FACT_COUNT; i++)
        if (!isfinite(fact[i])) fact[i] = NAN;
}

cw_status cw_dataset_extents(const cw_dataset *data, const size_t *rows, size_t count, cw_facts **out,
                             cw_error *err) {
    cw_facts *extents = *out = cw_facts_alloc(cw_extent_names, CW_EXTENT_COUNT, 2);
    if (!extents) return cw_fail_memory(err);
    double *least = extents->value, *most = extents->value + CW_EXTENT_COUNT;
    for (size_t i = 0; i < count; i++) {
        int64_t x[CW_EXTENT_COUNT];
        cw_problem_extents(&data->problems[rows[i]], x);
        for (int k = 0; k < CW_EXTENT_COUNT; k++) {
            if (!((double)x[k] >= least[k])) least[k] = (double)x[k];
            if (!((double)x[k] <= most[k])) most[k] = (double)x[k];
        }
    }
    for (int k = 0; k < CW_EXTENT_COUNT; k++) {
        least[k] = ceil(least[k] / cw_extent_slacks[k]);
        most[k] = fmin(most[k] * cw_extent_slacks[k], CW_EXTENT_MOST);
    }
    return CW_OK;
}

cw_status cw_dataset_facts(const cw_dataset *data, const int32_t *class_of, size_t classes, cw_facts **out,
                           cw_error *err) {
    cw_facts *facts = *out = cw_facts_alloc(cw_fact_names, CW_FACT_COUNT, classes);
    if (!facts) return cw_fail_memory(err);
    for (size_t c = 0; c < data->classes; c++)
        if (class_of[c] >= 0)
            conclude(&data->class_info[c], facts->value + (size_t)class_of[c] * CW_FACT_COUNT);
    return CW_OK;
}
