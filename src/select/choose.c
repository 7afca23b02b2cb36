/* choose.c: problem to ranking: features, the model's costs, what can run here, the last resort. The only
 * place that knows models and implementations both; the learner's arithmetic is in src/learn. */
#include "host.h"
#include "limits.h"
#include "overlay.h"
#include "../backend/context.h"
#include "../learn/heldout.h"
#include "../problem/facts.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"
#include <math.h>
#include <string.h>

static cw_status check(const cw_model *model, const cw_problem *p, cw_error *err) {
    if (!model->bound) return cw_fail(err, CW_MISMATCH, "the model is not bound to features of problems");
    return cw_problem_check(p, err);
}

cw_status cw_model_host(const cw_model *model, const cw_context *ctx, cw_host *out, cw_error *err) {
    bool own = model->host && (model->host_asked || !ctx);
    *out = own ? *(const cw_host *)model->host : ctx ? cw_host_of(&ctx->machine) : (cw_host){0};
    for (size_t i = 0; !model->host && !ctx && i < model->column_count; i++)
        if (cw_feature_of_host(model->bound[i]))
            return cw_fail(
                err, CW_INVALID,
                "the model was trained on several machines: say for which to choose (--machine, or "
                "cw_model_on)");
    return CW_OK;
}

static const cw_found *find(const cw_found *found, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(found[i].impl->name, name) == 0) return &found[i];
    return NULL;
}

/* Libraries list what they offer for a problem; what is missing there may exist for others. */
static const char *missing(const cw_context *ctx, const char *name) {
    for (size_t i = 0; i < ctx->count; i++) {
        const char *backend = ctx->open[i].backend->name;
        size_t length = strlen(backend);
        if (strncmp(name, backend, length) == 0 && name[length] == '.')
            return "its library does not offer it for this problem";
    }
    return "this build has no implementation of that name";
}

static const char never_measured[] = "never measured on such a kernel";

/* What was seen on the problem's kind, or on the narrowest wider one that training had; NULL = nothing. */
static const uint8_t *seen_on(const cw_model *model, const cw_problem *p, int *width) {
    int32_t key[CW_KIND_FIELD_COUNT];
    const uint8_t *seen = NULL;
    for (*width = 0; model->seen && *width < CW_KIND_WIDTHS; ++*width) {
        cw_problem_kind(p, *width, key);
        if ((seen = cw_seen_find(model->seen, key))) break;
    }
    return seen;
}

/* ---- One choice ---- */

/* All that a choice is made from. */
typedef struct question {
    const cw_model *model;
    const cw_context *ctx; /* NULL = only what the model saw is known */
    const cw_problem *p;   /* canonical */
    cw_host host;
    const cw_limits *limits;
    const cw_overlay *overlay; /* NULL = nothing is measured */
    cw_sizes sizes;
    const cw_found *found;
    size_t found_count;
} question;

/* Where ranking is going on. */
typedef struct answer {
    cw_choice *out;
    size_t capacity, held, count;
    bool any;                         /* one that can run, or may */
    const char *last_why;             /* why the last one that was looked at is not */
    bool by_static_order, by_library; /* of all */
    const char *unlike;
} answer;

/* NULL, or why an implementation is out of the question. */
static const char *rule_out(const question *q, const char *name, const double *facts) {
    cw_candidate of = {name, facts, q->ctx ? find(q->found, q->found_count, name) : NULL};
    if (q->ctx && !of.found) return missing(q->ctx, name);
    if (of.found && of.found->why_not) return of.found->why_not;
    return cw_limits_exclude(q->limits, &of, q->p, &q->sizes);
}

/* Those that were measured; that can run; that may, for all that is known; the rest. */
static int tier(const cw_choice *choice) {
    if (choice->why_not) return choice->why_not == never_measured ? 2 : 3;
    return choice->measured ? 0 : 1;
}

static bool before(const cw_choice *a, const cw_choice *b) {
    if (tier(a) != tier(b)) return tier(a) < tier(b);
    return a->cost < b->cost;
}

/* Into the sorted choices, behind its equals; the worst falls off the end. */
static void insert(answer *a, const cw_choice *choice) {
    size_t at = a->held;
    a->count++;
    a->any |= tier(choice) < 3;
    if (choice->why_not) a->last_why = choice->why_not;
    while (at > 0 && before(choice, &a->out[at - 1])) at--;
    if (at == a->capacity) return;
    size_t last = a->held < a->capacity ? a->held++ : a->capacity - 1;
    memmove(&a->out[at + 1], &a->out[at], (last - at) * sizeof *a->out);
    a->out[at] = *choice;
}

/* The learner's prediction, one entry a class. */
typedef struct prediction {
    double cost[CW_MODEL_MOST], share[CW_MODEL_MOST], ns[CW_MODEL_MOST], prepare[CW_MODEL_MOST];
    size_t order[CW_MODEL_MOST]; /* classes by cost, ties by place in the static order */
    bool by_order;               /* costs are places in the static order */
    bool by_library;             /* but the library's own choice is before all */
    const char *unlike;          /* in what the problem is outside of training */
    const uint8_t *seen; /* classes that had a time on such a kernel; NULL = nothing like it was there */
    bool new_kernel;     /* training had others only, which `seen` is of */
} prediction;

/* The class that a library would take itself; CW_MODEL_MOST = not known, or it is out of the question. */
static size_t library_choice(const question *q) {
    const cw_model *model = q->model;
    for (size_t i = 0; i < q->found_count; i++)
        for (size_t c = 0; q->found[i].library_choice && c < model->class_count; c++)
            if (strcmp(q->found[i].impl->name, model->classes[c]) == 0 &&
                !rule_out(q, model->classes[c], cw_facts_of(model, c)))
                return c;
    return CW_MODEL_MOST;
}

/* Whose word counts. The learner's, but: outside of training, and in groups of shapes where it did worse than
 * they, the library's own choice, else the static order; on a kernel that training never had, the
 * library's own choice, else the learner's. */
static void take_turns(const question *q, prediction *to) {
    const cw_model *model = q->model;
    int32_t group = cw_problem_shape_group(q->p);
    bool outside = to->unlike != NULL;
    bool ask = outside || to->new_kernel || model->library_groups >> group & 1;
    size_t library = ask ? library_choice(q) : CW_MODEL_MOST;
    to->by_library = library < CW_MODEL_MOST;
    to->by_order = to->by_library || outside || model->static_groups >> group & 1;
    if (to->by_order) cw_model_take_static(model, to->cost);
    if (to->by_library) to->cost[library] = -1;
    if (to->new_kernel && !outside) to->unlike = "no such kernel was there in training";
}

static void predict(const question *q, prediction *to) {
    const cw_model *model = q->model;
    double x[CW_MODEL_MOST];
    int width;
    cw_features_eval_on((const cw_feature *const *)model->bound, model->column_count, q->p, &q->host, x);
    model->learner->predict(model->state, x, to->cost, to->share, to->ns);
    to->unlike = cw_problem_outside(q->p, cw_model_bounds(model, 0), cw_model_bounds(model, 1));
    to->seen = seen_on(model, q->p, &width);
    to->new_kernel = width > 0;
    take_turns(q, to);
    for (size_t c = 0; c < model->class_count; c++) {
        to->ns[c] *= (double)q->sizes.macs;
        to->prepare[c] = cw_prepare_ns(cw_facts_of(model, c), &q->sizes);
        to->order[model->static_rank[c]] = c;
    }
}

static void sort_by_cost(prediction *by, size_t n) {
    for (size_t i = 1; i < n; i++) {
        size_t c = by->order[i], at = i;
        for (; at > 0 && by->cost[c] < by->cost[by->order[at - 1]]; at--) by->order[at] = by->order[at - 1];
        by->order[at] = c;
    }
}

/* Makes cost the time of a run with its share of preparing; cw_limits says how what is unknown is filled. */
static cw_status amortise(const question *q, prediction *by, cw_error *err) {
    size_t n = q->model->class_count;
    double dearest = NAN, before_it = 0;
    bool timed = false;
    for (size_t c = 0; c < n; c++)
        if (!isnan(by->prepare[c]) && !(by->prepare[c] <= dearest)) dearest = by->prepare[c];
    if (isnan(dearest))
        return cw_fail(err, CW_UNSUPPORTED,
                       "calls: this model does not know what preparing costs: train it on a store that "
                       "'convwise measure' filled");
    sort_by_cost(by, n);
    for (size_t i = 0; i < n; i++) {
        size_t c = by->order[i];
        const double *facts = cw_facts_of(q->model, c);
        if (isnan(by->ns[c]))
            by->ns[c] = fmax(exp(facts[CW_FACT_log_ns_per_mac]) * (double)q->sizes.macs, before_it);
        if (!isnan(by->ns[c])) timed = true, before_it = fmax(before_it, by->ns[c]);
        double total = by->ns[c] + (isnan(by->prepare[c]) ? dearest : by->prepare[c]) / q->limits->calls;
        by->cost[c] = isnan(total) ? INFINITY : total;
    }
    return timed ? CW_OK : cw_fail(err, CW_UNSUPPORTED, "calls: this model does not know any times");
}

/* What training says of the first, where it is the learner's cost that ranks. */
static double promise(const question *q, const prediction *by, const uint8_t *allowed) {
    const cw_model *model = q->model;
    size_t best = CW_MODEL_MOST;
    if (!model->calibration || by->unlike || by->by_order || q->limits->calls > 0)
        return NAN; /* it promises nothing */
    for (size_t i = 0; i < model->class_count; i++) {
        size_t c = by->order[i];
        if (allowed[c] && (best == CW_MODEL_MOST || by->cost[c] < by->cost[best])) best = c;
    }
    if (best == CW_MODEL_MOST) return NAN;
    return expm1(
        cw_calibration_promise(model->calibration, by->cost, by->share, model->class_count, allowed, best));
}

/* Puts what was measured of this very problem in the place of what was predicted. */
static void lay_over(const question *q, cw_choice *choice) {
    const cw_overlay_entry *e = cw_overlay_find(q->overlay, q->p, choice->impl);
    if (!e || choice->why_not) return;
    if (!isnan(e->prepare_ns)) choice->prepare_ns = e->prepare_ns;
    double prepare =
        q->limits->calls > 0 && !isnan(choice->prepare_ns) ? choice->prepare_ns / q->limits->calls : 0;
    choice->ns = e->ns;
    choice->cost = e->ns + prepare;
    choice->measured = true;
}

/* The scratch of 48 kB is the price of not allocating. */
static cw_status rank(const question *q, answer *a, cw_error *err) {
    const cw_model *model = q->model;
    prediction by;
    uint8_t allowed[CW_MODEL_MOST];
    predict(q, &by);
    cw_status status = q->limits->calls > 0 ? amortise(q, &by, err) : CW_OK;
    if (status != CW_OK) return status;
    bool judged = !q->ctx && model->seen; /* a context knows better */
    a->by_static_order = by.by_order || (judged && !by.seen);
    a->by_library = by.by_library;
    a->unlike = by.unlike;
    for (size_t c = 0; c < model->class_count; c++) by.order[model->static_rank[c]] = c;
    for (size_t i = 0; i < model->class_count; i++) { /* in order of place, so that ties keep it */
        size_t c = by.order[i];
        cw_choice choice = {.impl = model->classes[c],
                            .cost = by.cost[c],
                            .share = by.share[c],
                            .ns = by.ns[c],
                            .why_not = rule_out(q, model->classes[c], cw_facts_of(model, c)),
                            .regret = NAN,
                            .prepare_ns = by.prepare[c],
                            .by_static_order = a->by_static_order,
                            .by_library = a->by_library,
                            .unlike = a->unlike};
        lay_over(q, &choice);
        if (judged && !choice.measured &&
            !(by.seen && by.seen[c])) { /* the learner has nothing to go by: behind the others, by place */
            choice.cost = INFINITY;
            choice.ns = NAN;
            if (!choice.why_not) choice.why_not = never_measured;
        }
        allowed[c] = !choice.why_not;
        insert(a, &choice);
    }
    if (a->held > 0 && !a->out[0].measured) a->out[0].regret = promise(q, &by, allowed);
    return CW_OK;
}

static bool is_class(const cw_model *model, const char *name) {
    for (size_t c = 0; c < model->class_count; c++)
        if (strcmp(model->classes[c], name) == 0) return true;
    return false;
}

/* Behind those of the model that can run: whatever they do, this one serves. */
static void add_last_resort(const question *q, answer *a) {
    cw_choice choice = {.impl = CW_LAST_RESORT,
                        .cost = INFINITY,
                        .ns = NAN,
                        .why_not = rule_out(q, CW_LAST_RESORT, NULL),
                        .regret = NAN,
                        .prepare_ns = NAN,
                        .by_static_order = a->by_static_order,
                        .by_library = a->by_library,
                        .unlike = a->unlike};
    lay_over(q, &choice);
    insert(a, &choice);
}

static cw_status choose(const question *q, answer *a, cw_error *err) {
    cw_status status = rank(q, a, err);
    if (status != CW_OK) return status;
    if (q->ctx && !is_class(q->model, CW_LAST_RESORT)) add_last_resort(q, a);
    if (a->any) return CW_OK;
    if (q->ctx)
        return cw_fail(err, CW_UNSUPPORTED,
                       "nothing can run this problem here within the limits, not even %s: %s", CW_LAST_RESORT,
                       rule_out(q, CW_LAST_RESORT, NULL));
    return cw_fail(err, CW_UNSUPPORTED,
                   "no implementation of the model is left within the limits; the last: %s", a->last_why);
}

cw_status cw_choose_measured(const cw_model *model, cw_context *ctx, const cw_overlay *overlay,
                             const cw_problem *p, const cw_limits *limits, cw_choice *out, size_t capacity,
                             size_t *count, cw_error *err) {
    static const cw_limits none = {0};
    cw_status status = check(model, p, err);
    if (status == CW_OK && limits) status = cw_limits_check(limits, err);
    if (status != CW_OK) return status;
    cw_problem canonical = *p;
    cw_problem_canonical(&canonical);
    cw_found *found = NULL;
    question q = {
        .model = model, .ctx = ctx, .p = &canonical, .limits = limits ? limits : &none, .overlay = overlay};
    answer a = {.out = out, .capacity = capacity};
    cw_problem_sizes(&canonical, &q.sizes);
    status = cw_model_host(model, ctx, &q.host, err);
    if (status == CW_OK && ctx) status = cw_context_list(ctx, &canonical, &found, &q.found_count, err);
    if (status != CW_OK) return status;
    q.found = found;
    status = choose(&q, &a, err);
    if (status == CW_OK) *count = a.count;
    cw_free(found);
    return status;
}

cw_status cw_choose_within(const cw_model *model, cw_context *ctx, const cw_problem *p,
                           const cw_limits *limits, cw_choice *out, size_t capacity, size_t *count,
                           cw_error *err) {
    return cw_choose_measured(model, ctx, NULL, p, limits, out, capacity, count, err);
}

cw_status cw_choose(const cw_model *model, cw_context *ctx, const cw_problem *p, cw_choice *out,
                    size_t capacity, size_t *count, cw_error *err) {
    return cw_choose_within(model, ctx, p, NULL, out, capacity, count, err);
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
    cw_host host;
    status = cw_model_host(model, NULL, &host, err); /* it has one: the choice above was made */
    if (status != CW_OK) return status;
    cw_features_eval_on((const cw_feature *const *)model->bound, model->column_count, &canonical, &host, x);
    model->learner->explain(model->state, x, (const char *const *)model->columns,
                            (const char *const *)model->classes, &buf);
    if (top[0].unlike)
        cw_buf_printf(&buf, "unlike the problems of training: %s%s\n", top[0].unlike,
                      top[0].by_static_order ? "; so the order that needs no problem chooses" : "");
    else if (top[0].by_static_order)
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
