/* choose.c: problem to ranking: features, the model's costs, what can run here, the last resort. The only
 * place that knows models and implementations both; the learner's arithmetic is in src/learn. */
#include "../backend/context.h"
#include "../learn/heldout.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"
#include <math.h>
#include <string.h>

static cw_status check(const cw_model *model, const cw_problem *p, cw_error *err) {
    if (!model->bound) return cw_fail(err, CW_MISMATCH, "the model is not bound to features of problems");
    return cw_problem_check(p, err);
}

static bool before(const cw_choice *a, const cw_choice *b) {
    if (!a->why_not != !b->why_not) return !a->why_not;
    return a->cost < b->cost;
}

/* Into the sorted `held` choices of out, behind its equals; the worst falls off the end. */
static void insert(cw_choice *out, size_t capacity, size_t *held, const cw_choice *choice) {
    size_t at = *held;
    while (at > 0 && before(choice, &out[at - 1])) at--;
    if (at == capacity) return;
    size_t last = *held < capacity ? (*held)++ : capacity - 1;
    memmove(&out[at + 1], &out[at], (last - at) * sizeof *out);
    out[at] = *choice;
}

static const cw_found *find(const cw_found *found, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(found[i].impl->name, name) == 0) return &found[i];
    return NULL;
}

/* Libraries list what they offer for a problem; what is missing there may exist for others. */
static const char *why_not(const cw_context *ctx, const cw_found *found, size_t count, const char *name) {
    const cw_found *it = find(found, count, name);
    if (it) return it->why_not;
    for (size_t i = 0; i < ctx->count; i++) {
        const char *backend = ctx->open[i].backend->name;
        size_t length = strlen(backend);
        if (strncmp(name, backend, length) == 0 && name[length] == '.')
            return "its library does not offer it for this problem";
    }
    return "this build has no implementation of that name";
}

static const char never_measured[] = "never measured on such a kernel";

static const uint8_t *seen_on(const cw_model *model, const cw_problem *p) {
    int32_t key[CW_KIND_FIELD_COUNT];
    if (!model->seen) return NULL;
    cw_problem_kind(p, key);
    return cw_seen_find(model->seen, key);
}

/* Ranks by cost; ctx NULL = only what the model saw is known. Returns whether any can run. The scratch of 40
 * kB is the price of not allocating. */
static bool rank(const cw_model *model, const cw_context *ctx, const cw_problem *p, const cw_found *found,
                 size_t found_count, cw_choice *out, size_t capacity, size_t *count) {
    double x[CW_MODEL_MOST], cost[CW_MODEL_MOST], share[CW_MODEL_MOST], unit[CW_MODEL_MOST];
    size_t by_place[CW_MODEL_MOST], n = model->class_count, held = 0;
    uint8_t allowed[CW_MODEL_MOST];
    size_t best = 0;
    cw_sizes sizes;
    bool any = false;
    cw_problem_sizes(p, &sizes);
    cw_features_eval((const cw_feature *const *)model->bound, model->column_count, p, x);
    model->learner->predict(model->state, x, cost, share, unit);
    bool by_order = cw_model_apply_static(model, cw_problem_shape_group(p), cost);
    const uint8_t *seen = ctx ? NULL : seen_on(model, p); /* a context knows better */
    bool judged = !ctx && model->seen;
    for (size_t c = 0; c < n; c++) by_place[model->static_rank[c]] = c;
    for (size_t i = 0; i < n; i++) { /* in order of place, so that ties keep it */
        size_t c = by_place[i];
        cw_choice choice = {model->classes[c], cost[c], share[c], unit[c] * (double)sizes.macs, NULL, NAN};
        if (ctx) choice.why_not = why_not(ctx, found, found_count, choice.impl);
        if (judged &&
            !(seen && seen[c])) { /* the learner has nothing to go by: behind the others, by place */
            choice.cost = INFINITY;
            choice.ns = NAN;
            choice.why_not = never_measured;
        }
        allowed[c] = !choice.why_not;
        if (allowed[c] && (!any || cost[c] < cost[best])) best = c;
        any |= allowed[c];
        insert(out, capacity, &held, &choice);
    }
    if (any && held > 0 && model->calibration && !by_order) /* nothing is promised of the order */
        out[0].regret = expm1(cw_calibration_promise(model->calibration, cost, share, n, allowed, best));
    *count = n;
    return any;
}

static cw_status last_resort(const cw_context *ctx, const cw_found *found, size_t found_count, cw_choice *out,
                             size_t capacity, size_t *count, cw_error *err) {
    const char *why = why_not(ctx, found, found_count, CW_LAST_RESORT);
    if (why)
        return cw_fail(err, CW_UNSUPPORTED,
                       "no implementation of the model can run this problem here, nor can %s: %s",
                       CW_LAST_RESORT, why);
    if (capacity > 0) out[0] = (cw_choice){CW_LAST_RESORT, 0, 0, NAN, NULL, NAN};
    *count = 1;
    return CW_OK;
}

cw_status cw_choose(const cw_model *model, cw_context *ctx, const cw_problem *p, cw_choice *out,
                    size_t capacity, size_t *count, cw_error *err) {
    cw_status status = check(model, p, err);
    if (status != CW_OK) return status;
    cw_problem canonical = *p;
    cw_problem_canonical(&canonical);
    if (!ctx) {
        rank(model, NULL, &canonical, NULL, 0, out, capacity, count);
        return CW_OK;
    }
    cw_found *found;
    size_t found_count;
    status = cw_context_list(ctx, &canonical, &found, &found_count, err);
    if (status != CW_OK) return status;
    if (!rank(model, ctx, &canonical, found, found_count, out, capacity, count))
        status = last_resort(ctx, found, found_count, out, capacity, count, err);
    cw_free(found);
    return status;
}

cw_status cw_model_explain(const cw_model *model, const cw_problem *p, char **out, cw_error *err) {
    enum { TOP = 3 };
    double x[CW_MODEL_MOST];
    cw_choice top[TOP];
    size_t count;
    cw_buf buf = {0};
    cw_status status = cw_choose(model, NULL, p, top, TOP, &count, err);
    if (status != CW_OK) return status;
    cw_problem canonical = *p;
    cw_problem_canonical(&canonical);
    cw_features_eval((const cw_feature *const *)model->bound, model->column_count, &canonical, x);
    model->learner->explain(model->state, x, (const char *const *)model->columns,
                            (const char *const *)model->classes, &buf);
    if (cw_model_apply_static(model, cw_problem_shape_group(&canonical), x))
        cw_buf_put(
            &buf,
            "but on held-out problems of this group of shapes the static order was faster: it chooses\n");
    cw_buf_put(&buf, "likely fastest:");
    for (size_t i = 0; i < count && i < TOP; i++)
        cw_buf_printf(&buf, "%s %s %.0f %%", i ? "," : "", top[i].impl, 100 * top[i].share);
    cw_buf_put(&buf, "\n");
    *out = cw_buf_take(&buf);
    return *out ? CW_OK : cw_fail_memory(err);
}
