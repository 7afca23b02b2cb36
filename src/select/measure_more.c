/* measure_more.c: predict, or measure first? What measuring costs against what it is expected to save. */
#include "overlay.h"
#include "../backend/context.h"
#include "../base/base.h"
#include <math.h>
#include <string.h>

enum { MOST = 3, TURNS = 6, PASSES = 3 }; /* defaults; a turn: a warm-up and five samples */

/* The reference that outputs are compared with does about 2e9 multiply-accumulates a second. */
static const double reference_ns_per_mac = 0.5;

/* About what docs/measuring.md says: looks and turns, each at least a sample's time, what is slow but twice a
 * pass. */
static double cost_of(const cw_choice *c, const cw_measure_options *how) {
    double passes = how->passes ? how->passes : PASSES,
           sample = (how->sample_ms > 0 ? how->sample_ms : 1) * 1e6;
    double turns = c->ns > 5 * sample ? 2 : TURNS;
    double prepare = isnan(c->prepare_ns) ? 0 : c->prepare_ns;
    return prepare + 2 * c->ns + passes * turns * fmax(sample, c->ns);
}

static void weigh(const cw_choice *ranked, size_t count, const cw_problem *p, double regret, double calls,
                  const cw_measure_options *how, size_t most, cw_trade *trade) {
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    *trade = (cw_trade){.saving_ns = regret * ranked[0].ns * calls,
                        .cost_ns = reference_ns_per_mac * (double)sizes.macs};
    for (size_t i = 0; i < count && i < most && !ranked[i].why_not && !isnan(ranked[i].ns); i++) {
        trade->cost_ns += cost_of(&ranked[i], how);
        trade->candidates++;
    }
    if (ranked[0].measured)
        trade->saving_ns = 0, trade->why = "measured before";
    else if (isnan(trade->saving_ns))
        trade->why = "not measured: the model promises nothing here (train it with calibration)";
    else if (trade->candidates < 2)
        trade->why = "not measured: there is nothing else to compare with";
    else if (trade->saving_ns <= trade->cost_ns)
        trade->why = "not measured: it would cost more than it is expected to save";
    else
        trade->worth = true, trade->why = "measured: it is expected to save more than it costs";
}

static cw_status measure(cw_context *ctx, cw_store *store, const cw_problem *p, cw_fpmath fpmath,
                         const cw_choice *ranked, size_t candidates, const cw_measure_options *how,
                         cw_error *err) {
    cw_buf names = {0};
    cw_measure_options options = *how;
    for (size_t i = 0; i < candidates; i++) cw_buf_printf(&names, "%s%s", i ? "," : "", ranked[i].impl);
    options.problems = p;
    options.count = 1;
    options.only = names.text;
    options.fpmath = fpmath;
    cw_status status = names.failed ? cw_fail_memory(err) : cw_measure(ctx, store, &options, err);
    cw_buf_release(&names);
    return status;
}

/* The whole ranking by the store's times and the model's; overlay is made anew. */
static cw_status look(const cw_model *model, cw_context *ctx, cw_store *store, const cw_problem *p,
                      const cw_limits *limits, cw_choice *out, size_t *count, cw_error *err) {
    cw_overlay *overlay;
    cw_status status = cw_overlay_load(store, ctx->machine.fingerprint, &overlay, err);
    if (status != CW_OK) return status;
    status = cw_choose_measured(model, ctx, overlay, p, limits, out, cw_model_classes(model) + 1, count, err);
    cw_overlay_free(overlay);
    return status;
}

cw_status cw_choose_or_measure(const cw_model *model, cw_context *ctx, cw_store *store, const cw_problem *p,
                               const cw_limits *limits, size_t most, const cw_measure_options *how,
                               cw_choice *out, size_t capacity, size_t *count, cw_trade *trade,
                               cw_error *err) {
    static const cw_measure_options by_default = {0};
    if (!limits || !(limits->calls > 0))
        return cw_fail(err, CW_INVALID, "to weigh what measuring saves, say how often it will run: calls");
    cw_limits plain = *limits;
    plain.calls = 0; /* promises are of the learner's own order */
    cw_choice first = {0}, *all = cw_alloc_n(cw_model_classes(model) + 1, sizeof *all);
    size_t n = 0;
    if (!all) return cw_fail_memory(err);
    if (!how) how = &by_default;
    cw_status status = cw_choose_within(model, ctx, p, &plain, &first, 1, &n, err);
    if (status == CW_OK) status = look(model, ctx, store, p, limits, all, &n, err);
    if (status == CW_OK) weigh(all, n, p, first.regret, limits->calls, how, most ? most : MOST, trade);
    if (status == CW_OK && trade->worth) {
        status = measure(ctx, store, p, limits->fpmath, all, trade->candidates, how, err);
        if (status == CW_OK) status = look(model, ctx, store, p, limits, all, &n, err);
    }
    if (status == CW_OK) {
        memcpy(out, all, (n < capacity ? n : capacity) * sizeof *out);
        *count = n;
    }
    cw_free(all);
    return status;
}
