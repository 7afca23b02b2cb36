/* limits.c: judges one implementation by the limits of a choice. What is not known is not allowed. Which of
 * the allowed is best is choose.c's. */
#include "limits.h"
#include "../problem/facts.h"
#include <math.h>
#include <string.h>

/* What verification holds exact kinds to (src/measure/verify.h). */
static const double exact_f32 = 1e-5, exact_bf16 = 0x1p-7, exact_u8 = 1;

const double *cw_facts_of(const cw_model *model, size_t class) {
    return model->facts ? model->facts->value + class * model->facts->fields : NULL;
}

static double fact(const cw_candidate *of, size_t which) {
    return of->facts ? of->facts[which] : NAN;
}

cw_status cw_limits_check(const cw_limits *l, cw_error *err) {
    if (l->workspace_bytes < CW_NO_WORKSPACE)
        return cw_fail(err, CW_INVALID, "limit workspace: %lld bytes: must not be negative",
                       (long long)l->workspace_bytes);
    if (!(l->max_error >= 0 && l->max_error < INFINITY))
        return cw_fail(err, CW_INVALID, "limit max-error: must be a number above 0");
    if (!(l->calls >= 0 && l->calls < INFINITY))
        return cw_fail(err, CW_INVALID, "calls: must be a number above 0");
    if (l->fpmath != CW_FPMATH_STRICT && l->fpmath != CW_FPMATH_BF16)
        return cw_fail(err, CW_INVALID, "limit fpmath: is neither strict nor bf16");
    return CW_OK;
}

static const char *exclude_workspace(int64_t limit, const cw_candidate *of, const cw_sizes *s) {
    double most = limit == CW_NO_WORKSPACE ? 0 : (double)limit;
    double needs = of->found && of->found->workspace >= 0
                       ? (double)of->found->workspace
                       : fact(of, CW_FACT_workspace) * (double)(s->src_bytes + s->wei_bytes + s->dst_bytes);
    if (isnan(needs)) return "limit workspace: not known how much it takes";
    return needs > most ? "limit workspace: it takes more" : NULL;
}

static double error_met(const cw_candidate *of, const cw_problem *p) {
    if (p->prec == CW_F32) return fact(of, CW_FACT_error_f32);
    return p->prec == CW_U8 ? fact(of, CW_FACT_error_u8) : NAN;
}

static const char *exclude_inexact(const cw_candidate *of, const cw_problem *p) {
    if (cw_impl_is_reduced(of->name)) return "limit exact: it is not";
    if (of->found) return of->found->impl->exact ? NULL : "limit exact: it is not";
    if (isnan(fact(of, CW_FACT_transforms))) return "limit exact: not known whether it is";
    bool saturates = p->prec == CW_U8 && fact(of, CW_FACT_error_u8) > exact_u8;
    return fact(of, CW_FACT_transforms) > 0 || saturates ? "limit exact: it is not" : NULL;
}

static const char *exclude_error(double most, const cw_candidate *of, const cw_problem *p) {
    double met = error_met(of, p);
    if (isnan(met) && of->found && of->found->impl->exact)
        met = p->prec == CW_U8 ? exact_u8 : p->prec == CW_BF16 ? exact_bf16 : exact_f32;
    if (isnan(met)) return "limit max-error: its error was not measured";
    return met > most ? "limit max-error: larger errors were measured" : NULL;
}

static const char *exclude_reorders(const cw_candidate *of) {
    if (of->found)
        return of->found->impl->own_layout ? "limit no-reorders: it works in a layout of its own" : NULL;
    if (isnan(fact(of, CW_FACT_reorders))) return "limit no-reorders: not known whether it reorders";
    return fact(of, CW_FACT_reorders) > 0 ? "limit no-reorders: it works in a layout of its own" : NULL;
}

static const char *exclude_varying(const cw_candidate *of) {
    if (!of->found) return "limit deterministic: not known here";
    return of->found->impl->deterministic ? NULL : "limit deterministic: it may vary";
}

const char *cw_limits_exclude(const cw_limits *l, const cw_candidate *of, const cw_problem *p,
                              const cw_sizes *sizes) {
    const char *why = NULL;
    if (l->allow && !cw_matches(l->allow, of->name)) why = "limit allow: not among the allowed";
    if (!why && l->forbid && cw_matches(l->forbid, of->name)) why = "limit forbid: forbidden";
    if (!why && l->fpmath == CW_FPMATH_STRICT && cw_impl_is_reduced(of->name))
        why = "limit fpmath: it computes f32 in bf16";
    if (!why && l->workspace_bytes) why = exclude_workspace(l->workspace_bytes, of, sizes);
    if (!why && l->exact) why = exclude_inexact(of, p);
    if (!why && l->max_error > 0) why = exclude_error(l->max_error, of, p);
    if (!why && l->deterministic) why = exclude_varying(of);
    if (!why && l->no_reorders) why = exclude_reorders(of);
    return why;
}

double cw_prepare_ns(const double *facts, const cw_sizes *s) {
    if (!facts) return NAN;
    return exp(facts[CW_FACT_prepare] + facts[CW_FACT_prepare_weights] * log((double)s->wei_bytes) +
               facts[CW_FACT_prepare_macs] * log((double)s->macs));
}
