/* measure.c: measures many problems into a store: each once, skipping what the store has, within a budget.
 * Not here: how one problem is measured (measure_problem.c), and what happens when it crashes
 * (measure_child.c). */
#include "measure.h"
#include "../problem/problem.h"
#include <jansson.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static const double default_sample_ms = 1, default_cut_off = 4;
enum { DEFAULT_PASSES = 3 };
/* The slowest code that is waited for: a step gets 30 s and the time of its multiply-accumulates at this
 * rate, about a hundredth of what plain loops reach. */
static const double timeout_base_s = 30, timeout_macs_per_s = 1e7;
static const double timeout_device_s = 300; /* instead of 30: a device's driver compiles kernels */
/* What a problem costs besides its multiply-accumulates, in their unit, for the estimate of the time left. */
static const double problem_weight = 8e7;
static const double clock_steps_a_sample = 100;

typedef struct done {
    char impl[128], version[64];
} done;

/* The most multiply-accumulates a second that an implementation reached. */
typedef struct speed {
    char impl[128];
    int32_t prec;
    double macs_per_s;
} speed;

typedef struct runner {
    cw_context *ctx;
    cw_store *store;
    const cw_measure_options *options;
    cw_job job;
    char *conditions;
    int32_t run_threads; /* of the run begun in the store, 0 = none */
    /* What is settled of the problem at hand: in the store before, or measured now. */
    done *done;
    size_t done_count, done_capacity;
    speed *speeds;
    size_t speed_count, speed_capacity;
    size_t stored;
    cw_error *err;
} runner;

/* ---- What need not be measured ---- */

static cw_status remember(runner *r, const char *impl, const char *version) {
    if (!cw_grow(&r->done, &r->done_capacity, r->done_count + 1, sizeof *r->done))
        return cw_fail_memory(r->err);
    done *d = &r->done[r->done_count++];
    snprintf(d->impl, sizeof d->impl, "%s", impl);
    snprintf(d->version, sizeof d->version, "%s", version);
    return CW_OK;
}

static cw_status remember_stored(void *arg, const char *impl, const char *version, cw_state state) {
    (void)state; /* a failure, too, is settled for this version */
    return remember(arg, impl, version);
}

static bool is_done(void *arg, const char *impl, const char *version) {
    const runner *r = arg;
    for (size_t i = 0; i < r->done_count; i++)
        if (strcmp(r->done[i].impl, impl) == 0 && strcmp(r->done[i].version, version) == 0) return true;
    return false;
}

/* ---- What is known to be slow ---- */

static speed *find_speed(const runner *r, const char *impl) {
    for (size_t i = 0; i < r->speed_count; i++)
        if (r->speeds[i].prec == r->job.problem.prec && strcmp(r->speeds[i].impl, impl) == 0)
            return &r->speeds[i];
    return NULL;
}

static double speed_of(void *arg, const char *impl) {
    const speed *s = find_speed(arg, impl);
    return s ? s->macs_per_s : 0;
}

static cw_status remember_speed(runner *r, const cw_outcome *o) {
    cw_sizes sizes;
    cw_problem_sizes(&r->job.problem, &sizes);
    if (!(o->time_ns > 0)) return CW_OK;
    double reached = (double)sizes.macs / o->time_ns * 1e9;
    speed *s = find_speed(r, o->impl);
    if (!s) {
        if (!cw_grow(&r->speeds, &r->speed_capacity, r->speed_count + 1, sizeof *r->speeds))
            return cw_fail_memory(r->err);
        s = &r->speeds[r->speed_count++];
        *s = (speed){.prec = r->job.problem.prec};
        snprintf(s->impl, sizeof s->impl, "%s", o->impl);
    }
    if (reached > s->macs_per_s) s->macs_per_s = reached;
    return CW_OK;
}

/* ---- Storing ---- */

static const char *version_of(const runner *r, const char *backend) {
    for (size_t i = 0; i < r->ctx->count; i++)
        if (strcmp(r->ctx->open[i].backend->name, backend) == 0) return r->ctx->infos[i].version;
    return NULL;
}

/* A run of the store has one thread count. */
static cw_status begin_run(runner *r) {
    int32_t threads = r->job.problem.threads;
    if (threads == r->run_threads) return CW_OK;
    cw_status status = cw_store_begin_run(r->store, &r->ctx->machine, r->conditions, threads, r->err);
    if (status == CW_OK) r->run_threads = threads;
    return status;
}

static cw_status store(runner *r, const cw_outcome *o) {
    const char *version = version_of(r, o->backend);
    if (!version)
        return cw_fail(r->err, CW_BACKEND, "measuring: a result for an unknown backend '%.60s'", o->backend);
    cw_measurement m = {
        .problem = r->job.problem,
        .impl = o->impl,
        .backend = o->backend,
        .version = version,
        .family = (cw_family)o->family,
        .candidate = o->candidate != 0,
        .library_choice = o->library_choice != 0,
        .state = (cw_state)o->state,
        .detail = o->detail,
        .samples = o->samples,
        .time_ns = o->time_ns,
        .min_ns = o->min_ns,
        .median_ns = o->median_ns,
        .mad_ns = o->mad_ns,
        .prepare_ns = o->prepare_ns,
        .src_reorder_ns = o->src_reorder_ns,
        .dst_reorder_ns = o->dst_reorder_ns,
        .workspace_bytes = o->workspace_bytes,
        .error = o->error,
        .mean_error = o->mean_error,
    };
    memcpy(m.pass_ns, o->pass_ns, sizeof m.pass_ns);
    cw_status status = begin_run(r);
    if (status == CW_OK) status = cw_store_add(r->store, &m, r->err);
    if (status == CW_OK) status = remember(r, o->impl, version);
    if (status == CW_OK) status = remember_speed(r, o);
    if (status == CW_OK) r->stored++;
    return status;
}

static cw_status on_note(void *arg, cw_note note, const cw_outcome *outcome) {
    return note == CW_NOTE_RESULT ? store(arg, outcome) : CW_OK;
}

/* ---- One problem ---- */

static cw_status measure_one(runner *r) {
    r->done_count = 0;
    cw_status status = CW_OK;
    if (!r->options->again)
        status =
            cw_store_done(r->store, r->ctx->machine.fingerprint, &r->job.problem, remember_stored, r, r->err);
    if (status != CW_OK) return status;
    if (r->options->in_process) return cw_measure_problem(&r->job, r->err);
    /* Each round settles the one that crashed, so the rounds end. */
    for (;;) {
        cw_outcome culprit;
        status = cw_measure_in_child(&r->job, &culprit, r->err);
        bool known = culprit.impl[0] && version_of(r, culprit.backend);
        if (status != CW_BACKEND || !known || is_done(r, culprit.impl, version_of(r, culprit.backend)))
            return status;
        status = store(r, &culprit);
        if (status != CW_OK) return status;
    }
}

/* ---- All problems ---- */

static int by_problem(const void *a, const void *b) {
    const cw_problem *const *x = a, *const *y = b;
    int order = cw_problem_compare(*x, *y);
    return order ? order : (*x > *y) - (*x < *y);
}

/* The given problems, canonical, each once, in the order given. */
static cw_status collect(const cw_measure_options *options, int32_t cores, cw_problem **out, size_t *count,
                         cw_error *err) {
    cw_problem *all = cw_alloc_n(options->count, sizeof *all);
    const cw_problem **sorted = cw_alloc_n(options->count, sizeof *sorted);
    bool *twice = cw_alloc_n(options->count, sizeof *twice);
    cw_status status = all && sorted && twice ? CW_OK : cw_fail_memory(err);
    for (size_t i = 0; i < options->count && status == CW_OK; i++) {
        all[i] = options->problems[i];
        sorted[i] = &all[i];
        status = cw_problem_check(&all[i], err);
        if (status == CW_OK) cw_problem_canonical(&all[i]);
        if (status == CW_OK && all[i].threads > cores)
            status = cw_fail(err, CW_INVALID, "%d threads on %d usable cores: times would say nothing",
                             all[i].threads, cores);
    }
    *count = 0;
    if (status == CW_OK) {
        qsort(sorted, options->count, sizeof *sorted, by_problem);
        for (size_t i = 1; i < options->count; i++)
            twice[sorted[i] - all] = cw_problem_compare(sorted[i - 1], sorted[i]) == 0;
        for (size_t i = 0; i < options->count; i++)
            if (!twice[i]) all[(*count)++] = all[i];
        *out = all;
        all = NULL;
    }
    cw_free(all);
    cw_free(sorted);
    cw_free(twice);
    return status;
}

static double weight(const cw_problem *p) {
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    return (double)sizes.macs + problem_weight;
}

static double seconds_since(int64_t begin) {
    return (double)(cw_now_ns() - begin) / 1e9;
}

/* Weights of the problems still to come, of those that were measured, and how long these took. */
typedef struct pace {
    double left, spent, spent_s;
} pace;

static void report(const runner *r, size_t done_problems, size_t total, int64_t begin, const pace *sofar,
                   const char *now) {
    if (!r->options->progress) return;
    cw_measure_progress progress = {
        .done = done_problems,
        .total = total,
        .stored = r->stored,
        .elapsed_s = seconds_since(begin),
        .eta_s = sofar->spent > 0 ? sofar->spent_s / sofar->spent * sofar->left : NAN,
        .now = now,
    };
    r->options->progress(r->options->arg, &progress);
}

static bool time_is_up(const runner *r, int64_t begin) {
    const cw_measure_options *o = r->options;
    return (o->stop && *o->stop) || (o->budget_s > 0 && seconds_since(begin) >= o->budget_s);
}

static cw_status measure_all(runner *r, const cw_problem *problems, size_t count) {
    const double base_s = r->ctx->machine.device[0] ? timeout_device_s : timeout_base_s;
    int64_t begin = cw_now_ns();
    pace sofar = {0};
    cw_status status = CW_OK, lost = CW_OK;
    for (size_t i = 0; i < count; i++) sofar.left += weight(&problems[i]);
    for (size_t i = 0; i < count && status == CW_OK; i++) {
        char text[CW_PROBLEM_TEXT];
        cw_problem_format(&problems[i], text, sizeof text);
        report(r, i, count, begin, &sofar, text);
        if (time_is_up(r, begin)) return CW_STOPPED;
        double heavy = weight(&problems[i]);
        size_t before = r->stored;
        int64_t start = cw_now_ns();
        r->job.problem = problems[i];
        r->job.timeout_s =
            r->options->timeout_s > 0 ? r->options->timeout_s : base_s + heavy / timeout_macs_per_s;
        status = measure_one(r);
        sofar.left -= heavy;
        if (r->stored > before) { /* what the store had costs nothing and says nothing about the rest */
            sofar.spent += heavy;
            sofar.spent_s += seconds_since(start);
        }
        /* The other problems need not suffer; the message stays that of the last loss. */
        if (status == CW_BACKEND) lost = CW_BACKEND, status = CW_OK;
    }
    if (status == CW_OK) report(r, count, count, begin, &sofar, "");
    return status == CW_OK ? lost : status;
}

/* Conditions of the machine, and how this run measures. */
static char *make_conditions(const cw_measure_options *options, const cw_job *job, const char *machine) {
    json_t *object = json_loads(machine, 0, NULL);
    json_t *more = json_pack("{s:f, s:i, s:f, s:I, s:b, s:s?}", "sample_ns", job->sample_ns, "passes",
                             job->passes, "cut_off", job->cut_off, "seed", (json_int_t)job->seed,
                             "child_process", !options->in_process, "environment", options->environment);
    char *text = NULL;
    if (object && more && json_object_update(object, more) == 0) text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    json_decref(more);
    return text;
}

static cw_status set_up(runner *r) {
    const cw_measure_options *o = r->options;
    char *machine = NULL;
    if (o->passes < 0 || o->passes > CW_PASSES_MAX)
        return cw_fail(r->err, CW_INVALID, "passes must be from 1 to %d", CW_PASSES_MAX);
    if (o->sample_ms < 0 || o->timeout_s < 0 || o->budget_s < 0 || (o->cut_off != 0 && !(o->cut_off > 1)))
        return cw_fail(r->err, CW_INVALID,
                       "durations must not be negative, and the cut-off factor must be larger than 1");
    cw_status status = cw_machine_conditions(&machine, r->err);
    if (status != CW_OK) return status;
    json_t *conditions = json_loads(machine, 0, NULL);
    double step = json_number_value(json_object_get(conditions, "clock_ns"));
    json_decref(conditions);
    r->job = (cw_job){
        .ctx = r->ctx,
        .only = o->only,
        .fpmath = o->fpmath,
        .sample_ns =
            fmax((o->sample_ms > 0 ? o->sample_ms : default_sample_ms) * 1e6, clock_steps_a_sample * step),
        .cut_off = o->cut_off > 0 ? o->cut_off : default_cut_off,
        .passes = o->passes ? o->passes : DEFAULT_PASSES,
        .seed = o->seed,
        .stop = o->stop,
        .skip = is_done,
        .skip_arg = r,
        .speed = speed_of,
        .speed_arg = r,
        .sink = on_note,
        .sink_arg = r,
    };
    r->conditions = make_conditions(o, &r->job, machine);
    cw_free(machine);
    return r->conditions ? CW_OK : cw_fail_memory(r->err);
}

cw_status cw_measure(cw_context *ctx, cw_store *store, const cw_measure_options *options, cw_error *err) {
    runner r = {.ctx = ctx, .store = store, .options = options, .err = err};
    cw_problem *problems = NULL;
    size_t count = 0;
    cw_status status = set_up(&r);
    if (status == CW_OK) status = collect(options, ctx->machine.cores, &problems, &count, err);
    if (status == CW_OK) status = measure_all(&r, problems, count);
    cw_free(problems);
    cw_free(r.done);
    cw_free(r.speeds);
    cw_free(r.conditions);
    return status;
}
