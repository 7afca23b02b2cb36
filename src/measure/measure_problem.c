/* measure_problem.c: measures all implementations of one problem in the calling process, in three phases:
 *   look    prepare, run once, compare with the reference; a second, warm look where it is cheap
 *   cut     what is clearly slower than the best look is not timed any further
 *   sample  several passes in fresh random order, each implementation sampled in each
 * Outcomes go to the job's sink as soon as they are final. Not here: processes, stores. */
#include "measure.h"
#include "stats.h"
#include "verify.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    SAMPLES_A_PASS = 5,       /* most, for what is fast */
    LOOKS_MAX = 10,           /* most, for what is very fast: a first run of microseconds says little */
    LOOKS_NS = 1000000,       /* looks go on until they lasted this long together */
    EXPENSIVE_NS = 100000000, /* no second look beyond, where the first was slow enough to be cut off */
    DREADED_NS = 500000000,   /* no first look beyond, where it is expected and hopeless */
    GUARD_BYTES = 64,         /* behind the destination, to catch writes beyond it */
    LINE_BYTES = 64,
    COLD_CACHES = 2,           /* times a core's caches are read to fill them with something else, ... */
    COLD_BYTES_MAX = 64 << 20, /* ... but no more: beyond, a last-level cache is shared by many cores */
    COLD_BYTES_UNKNOWN = 32 << 20,
    POISON = 0xFF, /* NaN in f32, 255 in u8: a result left by another is never taken for a new one */
};

typedef enum step { STEP_RUN, STEP_SRC, STEP_DST, STEP_COUNT } step;

/* Times of one step of one implementation, in ns a call. */
typedef struct series {
    double estimate; /* the fastest seen so far; 0 = not run */
    double samples[CW_PASSES_MAX * SAMPLES_A_PASS];
    size_t count;
    double pass_ns[CW_PASSES_MAX]; /* medians of the passes */
} series;

typedef struct subject {
    cw_found found;
    bool live; /* not yet final */
    cw_kernel *kernel;
    void *src_own; /* the source in its own layout */
    series times[STEP_COUNT];
    cw_outcome outcome;
} subject;

typedef struct sitting {
    const cw_job *job;
    cw_rng rng;
    subject *subjects;
    size_t count, capacity;
    subject **order;
    cw_case problem_case;
    bool made;
    /* Shared by all, as large as the largest needs. */
    void *dst, *dst_own, *workspace;
    size_t dst_own_bytes, workspace_bytes;
    /* Cold caches: what they are filled with. */
    uint64_t *other;
    size_t other_bytes;
} sitting;

/* ---- Telling ---- */

static cw_status touch(const sitting *z, const cw_outcome *outcome) {
    return z->job->sink(z->job->sink_arg, CW_NOTE_TOUCH, outcome);
}

static cw_status touch_nobody(const sitting *z) {
    cw_outcome nobody = {0};
    return touch(z, &nobody);
}

static void release(subject *s) {
    if (s->kernel) s->kernel->destroy(s->kernel);
    cw_free(s->src_own);
    s->kernel = NULL;
    s->src_own = NULL;
}

static cw_status finish(const sitting *z, subject *s, cw_state state, const char *detail) {
    s->live = false;
    s->outcome.state = (int32_t)state;
    snprintf(s->outcome.detail, sizeof s->outcome.detail, "%s", detail);
    release(s);
    return z->job->sink(z->job->sink_arg, CW_NOTE_RESULT, &s->outcome);
}

/* The state a subject ends in when one of its calls fails. */
static cw_status finish_failed(const sitting *z, subject *s, cw_status status, const char *what,
                               const char *why) {
    cw_state state = status == CW_NO_MEMORY     ? CW_STATE_NO_MEMORY
                     : status == CW_UNSUPPORTED ? CW_STATE_UNSUPPORTED
                     : status == CW_WRONG       ? CW_STATE_WRONG
                                                : CW_STATE_FAILED;
    char detail[240];
    if (state == CW_STATE_UNSUPPORTED || state == CW_STATE_WRONG)
        snprintf(detail, sizeof detail, "%s", why);
    else
        snprintf(detail, sizeof detail, "%s: %.200s", what, why[0] ? why : cw_status_name(status));
    return finish(z, s, state, detail);
}

/* ---- Listing ---- */

static bool wanted(const char *patterns, const char *name) {
    return !patterns || cw_matches(patterns, name);
}

static cw_status add_subject(sitting *z, const cw_found *found, cw_error *err) {
    if (!cw_grow(&z->subjects, &z->capacity, z->count + 1, sizeof *z->subjects)) return cw_fail_memory(err);
    subject *s = &z->subjects[z->count++];
    memset(s, 0, sizeof *s);
    s->found = *found;
    s->live = true;
    cw_outcome *o = &s->outcome;
    snprintf(o->impl, sizeof o->impl, "%s", found->impl->name);
    snprintf(o->backend, sizeof o->backend, "%s", found->backend->name);
    o->family = (int32_t)found->impl->family;
    o->candidate = found->impl->candidate;
    o->library_choice = found->library_choice;
    return CW_OK;
}

/* One backend at a time, so that the culprit is known where listing crashes. */
static cw_status list_backend(sitting *z, size_t index, cw_error *err) {
    const cw_job *job = z->job;
    cw_context one = *job->ctx;
    one.open += index;
    one.count = 1;
    one.infos += index;
    const char *version = one.infos[0].version;
    cw_outcome listing = {0};
    snprintf(listing.impl, sizeof listing.impl, "%s.list", one.open[0].backend->name);
    snprintf(listing.backend, sizeof listing.backend, "%s", one.open[0].backend->name);
    if (job->skip(job->skip_arg, listing.impl, version)) return CW_OK;
    cw_status status = touch(z, &listing);
    cw_found *found = NULL;
    size_t count = 0;
    if (status != CW_OK) return status;
    cw_error why = {0};
    status = cw_context_list(&one, &job->problem, &found, &count, &why);
    if (status != CW_OK) {
        listing.state = CW_STATE_FAILED;
        snprintf(listing.detail, sizeof listing.detail, "%s", why.message);
        return job->sink(job->sink_arg, CW_NOTE_RESULT, &listing);
    }
    for (size_t i = 0; i < count && status == CW_OK; i++) {
        const char *name = found[i].impl->name;
        if (found[i].impl->reduced && job->fpmath == CW_FPMATH_STRICT) continue;
        if (!wanted(job->only, name) || job->skip(job->skip_arg, name, version)) continue;
        status = add_subject(z, &found[i], err);
        subject *s = &z->subjects[z->count - 1];
        if (status == CW_OK && found[i].why_not)
            status = finish(z, s, CW_STATE_UNSUPPORTED, found[i].why_not);
    }
    cw_free(found);
    return status;
}

/* The subjects still live, in a fresh random order (Fisher, Yates). */
static size_t shuffle(sitting *z) {
    size_t n = 0;
    for (size_t i = 0; i < z->count; i++)
        if (z->subjects[i].live) z->order[n++] = &z->subjects[i];
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)cw_rng_below(&z->rng, i);
        subject *other = z->order[j];
        z->order[j] = z->order[i - 1];
        z->order[i - 1] = other;
    }
    return n;
}

/* ---- Running ---- */

static cw_status call(const sitting *z, const subject *s, step what) {
    cw_kernel *k = s->kernel;
    switch (what) {
    case STEP_SRC:
        return k->src_reorder(k, z->problem_case.src, s->src_own);
    case STEP_DST:
        return k->dst_reorder(k, z->dst_own, z->dst);
    default:
        return k->run(k, s->src_own ? s->src_own : z->problem_case.src,
                      k->dst_own_bytes ? z->dst_own : z->dst, z->workspace);
    }
}

static bool has_step(const subject *s, step what) {
    return what == STEP_RUN || (what == STEP_SRC ? s->kernel->src_own_bytes : s->kernel->dst_own_bytes) > 0;
}

/* Fills the caches with something else, of every core that takes part. */
static void evict(const sitting *z) {
    const int32_t threads = z->job->problem.threads;
    const uint64_t *other = z->other;
    uint64_t sum = 0;
    (void)threads; /* where OpenMP is not there */
#pragma omp parallel num_threads(threads) reduction(+ : sum) if (threads > 1)
    for (size_t i = 0; i < z->other_bytes / sizeof *other; i += LINE_BYTES / sizeof *other) sum += other[i];
    ((volatile uint64_t *)z->other)[0] = sum | 1; /* so that nobody leaves out the reading */
}

/* Cold: each step as the steps before it leave the caches, these having begun with caches of something else.
 */
static cw_status call_cold(const sitting *z, subject *s, step what, int64_t *took) {
    cw_status status = CW_OK;
    evict(z);
    if (what == STEP_RUN && has_step(s, STEP_SRC)) status = call(z, s, STEP_SRC);
    if (what == STEP_DST) status = call(z, s, STEP_RUN);
    int64_t begin = cw_now_ns();
    if (status == CW_OK) status = call(z, s, what);
    *took += cw_now_ns() - begin;
    return status;
}

/* Times `reps` calls in a row: ns a call. */
static cw_status clock_calls(const sitting *z, subject *s, step what, int64_t reps, double *ns) {
    cw_status status = CW_OK;
    int64_t begin = cw_now_ns(), took = 0;
    if (z->job->problem.cache == CW_COLD) {
        for (int64_t i = 0; i < reps && status == CW_OK; i++) status = call_cold(z, s, what, &took);
    } else {
        for (int64_t i = 0; i < reps && status == CW_OK; i++) status = call(z, s, what);
        took = cw_now_ns() - begin;
    }
    *ns = (double)took / (double)reps;
    double *estimate = &s->times[what].estimate;
    if (*ns > 0 && (*estimate == 0 || *ns < *estimate)) *estimate = *ns;
    return status;
}

/* Run and reorders together, as far as known. */
static double total(const subject *s) {
    return s->times[STEP_RUN].estimate + s->times[STEP_SRC].estimate + s->times[STEP_DST].estimate;
}

/* Fastest candidate so far; infinite where there is none. */
static double best(const sitting *z) {
    double least = INFINITY;
    for (size_t i = 0; i < z->count; i++) {
        const subject *s = &z->subjects[i];
        if (s->live && s->found.impl->candidate && total(s) > 0 && total(s) < least) least = total(s);
    }
    return least;
}

static bool enlarge(void **buffer, size_t *bytes, size_t need) {
    if (need <= *bytes) return true;
    cw_free(*buffer);
    *buffer = cw_alloc(need);
    *bytes = *buffer ? need : 0;
    return *buffer != NULL;
}

static bool make_room(sitting *z, subject *s) {
    const cw_kernel *k = s->kernel;
    if (k->src_own_bytes && !(s->src_own = cw_alloc(k->src_own_bytes))) return false;
    return enlarge(&z->dst_own, &z->dst_own_bytes, k->dst_own_bytes) &&
           enlarge(&z->workspace, &z->workspace_bytes, k->workspace_bytes);
}

/* ---- Look ---- */

/* Runs once on a poisoned destination. */
static cw_status run_poisoned(sitting *z, subject *s) {
    memset(z->dst, POISON, (size_t)z->problem_case.sizes.dst_bytes + GUARD_BYTES);
    if (s->kernel->dst_own_bytes) memset(z->dst_own, POISON, s->kernel->dst_own_bytes);
    cw_status status = CW_OK;
    double ns;
    for (int i = 0; i < STEP_COUNT && status == CW_OK; i++) {
        step what = (step[]){STEP_SRC, STEP_RUN, STEP_DST}[i];
        if (has_step(s, what)) status = clock_calls(z, s, what, 1, &ns);
    }
    return status;
}

/* Only what may be chosen: the reference is what others are compared with, and `null` computes nothing. */
static cw_status compare(sitting *z, subject *s, cw_error *why) {
    if (!s->found.impl->candidate && !s->found.impl->reduced) return CW_OK;
    const unsigned char *end = (const unsigned char *)z->dst + z->problem_case.sizes.dst_bytes;
    for (int i = 0; i < GUARD_BYTES; i++)
        if (end[i] != POISON) return cw_fail(why, CW_WRONG, "wrote beyond the end of its output");
    s->outcome.mean_error = cw_case_mean_error(&z->problem_case, z->dst);
    return cw_case_compare(&z->problem_case, s->found.impl, z->dst, &s->outcome.error, why);
}

static cw_status first_look(sitting *z, subject *s) {
    cw_error why = {0};
    cw_status told = touch(z, &s->outcome);
    if (told != CW_OK) return told;
    int64_t begin = cw_now_ns();
    cw_status status = cw_found_prepare(&s->found, &z->job->problem, &z->problem_case.args, &s->kernel, &why);
    s->outcome.prepare_ns = (double)(cw_now_ns() - begin);
    if (status != CW_OK) {
        s->kernel = NULL;
        return finish_failed(z, s, status, "prepare", why.message);
    }
    s->outcome.workspace_bytes = (double)s->kernel->workspace_bytes;
    if (!make_room(z, s)) return finish_failed(z, s, CW_NO_MEMORY, "buffers", "");
    status = run_poisoned(z, s);
    if (status != CW_OK) return finish_failed(z, s, status, "run", "");
    status = compare(z, s, &why);
    if (status != CW_OK) return finish_failed(z, s, status, "compare", why.message);
    s->outcome.samples = 1;
    return CW_OK;
}

/* A warm look: again and again until it says something. */
static cw_status second_look(sitting *z, subject *s) {
    cw_status status = touch(z, &s->outcome);
    if (status != CW_OK) return status;
    int64_t begin = cw_now_ns();
    for (int looks = 1; looks < LOOKS_MAX && (looks < 2 || cw_now_ns() - begin < LOOKS_NS); looks++) {
        status = run_poisoned(z, s);
        if (status != CW_OK) return finish_failed(z, s, status, "run", "");
        s->outcome.samples++;
    }
    return CW_OK;
}

static bool stopped(const sitting *z) {
    return z->job->stop && *z->job->stop;
}

/* What one run takes at the implementation's best speed so far; 0 = unknown. */
static double expected(const sitting *z, const subject *s) {
    double speed = z->job->speed(z->job->speed_arg, s->outcome.impl);
    return speed > 0 ? (double)z->problem_case.sizes.macs / speed * 1e9 : 0;
}

/* A naive loop must not cost minutes: what is expected to take long comes last, and where it is expected to
 * be beyond the square of the cut-off factor it is not run at all. */
static cw_status look_or_skip(sitting *z, subject *s, double least) {
    double ns = expected(z, s), cut_off = z->job->cut_off;
    if (!(ns > cut_off * cut_off * least)) return first_look(z, s);
    char detail[120];
    snprintf(detail, sizeof detail,
             "one run would take %.1f s at its best speed so far, %.0f times the best here", ns / 1e9,
             ns / least);
    return finish(z, s, CW_STATE_SKIPPED, detail);
}

static cw_status first_looks(sitting *z, size_t n) {
    cw_status status = CW_OK;
    for (int dreaded = 0; dreaded < 2; dreaded++) {
        double least = best(z);
        for (size_t i = 0; i < n && status == CW_OK; i++) {
            subject *s = z->order[i];
            if ((expected(z, s) > DREADED_NS) != dreaded) continue;
            if (stopped(z)) return CW_STOPPED;
            status = dreaded ? look_or_skip(z, s, least) : first_look(z, s);
        }
    }
    return status;
}

static cw_status look(sitting *z) {
    size_t n = shuffle(z);
    cw_status status = first_looks(z, n);
    double least = best(z);
    for (size_t i = 0; i < n && status == CW_OK; i++) {
        subject *s = z->order[i];
        bool hopeless = total(s) > z->job->cut_off * least && total(s) > EXPENSIVE_NS;
        if (s->live && !hopeless) status = second_look(z, s);
    }
    return status;
}

/* ---- Cut ---- */

static void set_times(subject *s, double run_ns) {
    cw_outcome *o = &s->outcome;
    o->time_ns = o->min_ns = o->median_ns = run_ns;
    o->src_reorder_ns = s->times[STEP_SRC].estimate;
    o->dst_reorder_ns = s->times[STEP_DST].estimate;
}

static cw_status cut(sitting *z) {
    double least = best(z);
    cw_status status = CW_OK;
    for (size_t i = 0; i < z->count && status == CW_OK; i++) {
        subject *s = &z->subjects[i];
        if (!s->live || !(total(s) > z->job->cut_off * least)) continue;
        char detail[80];
        snprintf(detail, sizeof detail, "%.1f times the best after %d runs", total(s) / least,
                 s->outcome.samples);
        set_times(s, s->times[STEP_RUN].estimate);
        status = finish(z, s, CW_STATE_CUT_OFF, detail);
    }
    return status;
}

/* ---- Sample ---- */

/* Calls in a row that last as long as a sample should; of cold caches each is one. */
static int64_t repetitions(const sitting *z, const series *t) {
    return z->job->problem.cache == CW_COLD ? 1 : cw_calibrate(t->estimate, z->job->sample_ns);
}

/* One pass of one step: a warm-up, then up to `most` samples, fewer where a call takes long. */
static cw_status sample(const sitting *z, subject *s, step what, int32_t pass, int32_t most) {
    series *t = &s->times[what];
    double ns, lasts = z->job->sample_ns, *mine = t->samples + t->count;
    cw_status status = clock_calls(z, s, what, most > 1 ? repetitions(z, t) : 1, &ns);
    int64_t reps = repetitions(z, t);
    if (t->estimate > lasts) lasts = t->estimate;
    int32_t count = (int32_t)fmax(1, fmin(most, floor(z->job->sample_ns * most / lasts)));
    for (int32_t i = 0; i < count && status == CW_OK; i++) {
        status = clock_calls(z, s, what, reps, &ns);
        mine[i] = ns;
    }
    if (status != CW_OK) return status;
    double copy[SAMPLES_A_PASS];
    memcpy(copy, mine, (size_t)count * sizeof *mine);
    t->pass_ns[pass] = cw_median(copy, (size_t)count);
    t->count += (size_t)count;
    return CW_OK;
}

/* Run first: it leaves a real output for the reorder of the destination. */
static cw_status sample_subject(sitting *z, subject *s, int32_t pass) {
    cw_status status = touch(z, &s->outcome);
    if (status != CW_OK) return status;
    const char *what = "run";
    status = sample(z, s, STEP_RUN, pass, SAMPLES_A_PASS);
    if (status == CW_OK) what = "source reorder";
    if (status == CW_OK && has_step(s, STEP_SRC)) status = sample(z, s, STEP_SRC, pass, 1);
    if (status == CW_OK && has_step(s, STEP_DST)) {
        what = "destination reorder";
        status = sample(z, s, STEP_DST, pass, 1);
    }
    return status == CW_OK ? CW_OK : finish_failed(z, s, status, what, "");
}

static double fastest_pass(const series *t, int32_t passes) {
    double least = t->pass_ns[0];
    for (int32_t i = 1; i < passes; i++) least = fmin(least, t->pass_ns[i]);
    return least;
}

static cw_status finish_ok(sitting *z, subject *s, const char *detail) {
    series *run = &s->times[STEP_RUN];
    cw_outcome *o = &s->outcome;
    o->samples = (int32_t)run->count;
    o->time_ns = fastest_pass(run, z->job->passes);
    memcpy(o->pass_ns, run->pass_ns, sizeof o->pass_ns);
    cw_summary all = cw_summarise(run->samples, run->count);
    o->min_ns = all.min;
    o->median_ns = all.median;
    o->mad_ns = all.mad;
    o->src_reorder_ns = fastest_pass(&s->times[STEP_SRC], z->job->passes);
    o->dst_reorder_ns = fastest_pass(&s->times[STEP_DST], z->job->passes);
    return finish(z, s, CW_STATE_OK, detail);
}

/* The problem's noise, in percent: the median over its candidates of how far their slowest pass lies above
 * their fastest. */
static double noise(const sitting *z, double *scratch) {
    size_t n = 0;
    for (size_t i = 0; i < z->count; i++) {
        const subject *s = &z->subjects[i];
        if (!s->live || !s->found.impl->candidate) continue;
        double least = fastest_pass(&s->times[STEP_RUN], z->job->passes), most = least;
        for (int32_t p = 0; p < z->job->passes; p++) most = fmax(most, s->times[STEP_RUN].pass_ns[p]);
        if (least > 0) scratch[n++] = 100 * (most / least - 1);
    }
    return cw_median(scratch, n);
}

static cw_status sample_all(sitting *z, cw_error *err) {
    cw_status status = CW_OK;
    for (int32_t pass = 0; pass < z->job->passes && status == CW_OK; pass++) {
        size_t n = shuffle(z);
        for (size_t i = 0; i < n && status == CW_OK; i++)
            status = stopped(z) ? CW_STOPPED : sample_subject(z, z->order[i], pass);
    }
    double *scratch = cw_alloc_n(z->count, sizeof *scratch);
    if (!scratch) return cw_fail_memory(err);
    char detail[80];
    snprintf(detail, sizeof detail, "overhead of a call; noise between passes %.1f %%", noise(z, scratch));
    cw_free(scratch);
    for (size_t i = 0; i < z->count && status == CW_OK; i++) {
        subject *s = &z->subjects[i];
        bool overhead = s->found.backend == &cw_backend_null;
        if (s->live) status = touch(z, &s->outcome); /* its destroy may crash, too */
        if (s->live && status == CW_OK) status = finish_ok(z, s, overhead ? detail : "");
    }
    return status;
}

/* ---- All of it ---- */

static cw_status make_other(sitting *z, cw_error *err) {
    const cw_machine *m = &z->job->ctx->machine;
    const int64_t caches = COLD_CACHES * (m->l1d + m->l2 + m->l3);
    z->other_bytes = (size_t)(caches == 0               ? COLD_BYTES_UNKNOWN
                              : caches < COLD_BYTES_MAX ? caches
                                                        : COLD_BYTES_MAX);
    z->other = cw_alloc(z->other_bytes);
    if (!z->other) return cw_fail_memory(err);
    memset(z->other, 1, z->other_bytes); /* pages of its own, not one page of zeros */
    return CW_OK;
}

static cw_status make_case(sitting *z, cw_error *err) {
    cw_status status = touch_nobody(z);
    if (status != CW_OK) return status;
    status = cw_case_make(&z->job->problem, CW_FILL_NORMAL, cw_rng_next(&z->rng), &z->problem_case, err);
    if (status != CW_OK) return status;
    z->made = true;
    z->dst = cw_alloc((size_t)z->problem_case.sizes.dst_bytes + GUARD_BYTES);
    z->order = cw_alloc_n(z->count, sizeof *z->order);
    if (!z->dst || !z->order) return cw_fail_memory(err);
    return z->job->problem.cache == CW_COLD ? make_other(z, err) : CW_OK;
}

/* No memory for the tensors is a result, too: of every implementation. */
static cw_status finish_without_memory(sitting *z) {
    cw_status status = CW_OK;
    for (size_t i = 0; i < z->count && status == CW_OK; i++)
        if (z->subjects[i].live)
            status = finish_failed(z, &z->subjects[i], CW_NO_MEMORY, "tensors of the problem", "");
    return status;
}

static size_t count_live(const sitting *z) {
    size_t live = 0;
    for (size_t i = 0; i < z->count; i++) live += z->subjects[i].live;
    return live;
}

cw_status cw_measure_problem(const cw_job *job, cw_error *err) {
    sitting z = {.job = job, .rng = cw_rng_seed(cw_hash(&job->problem, sizeof job->problem, job->seed))};
    cw_status status = CW_OK;
    for (size_t i = 0; i < job->ctx->count && status == CW_OK; i++) status = list_backend(&z, i, err);
    if (status == CW_OK && count_live(&z) > 0) {
        cw_quiet quiet;
        cw_quiet_begin(&quiet, job->problem.threads);
        status = make_case(&z, err);
        if (status == CW_NO_MEMORY)
            status = finish_without_memory(&z);
        else if (status == CW_OK)
            status = look(&z);
        if (status == CW_OK) status = cut(&z);
        if (status == CW_OK) status = sample_all(&z, err);
        cw_quiet_end(&quiet);
    }
    for (size_t i = 0; i < z.count; i++) release(&z.subjects[i]);
    if (z.made) cw_case_release(&z.problem_case);
    cw_free(z.subjects);
    cw_free(z.order);
    cw_free(z.dst);
    cw_free(z.dst_own);
    cw_free(z.workspace);
    cw_free(z.other);
    return status;
}
