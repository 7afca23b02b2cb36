/* explain.c: what surrounds a choice: which small change of the shape would flip it, and what was measured
 * nearby. Why the learner ranks as it does is the learner's (cw_model_explain). */
#include "../base/base.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Flips ---- */

/* X(name, least, most, read, write): what one change changes, in p; v = the new value. Groups: a change of
 * channels that does not divide is no problem, and is passed over; depthwise changes all three. */
#define CHANGES(X)                                                                                           \
    X(mb, 1, 1024, p->mb, p->mb = v)                                                                         \
    X(ic, 1, 65536, p->ic, p->ic = v)                                                                        \
    X(oc, 1, 65536, p->oc, p->oc = v)                                                                        \
    X(channels, 1, 65536, p->ic, p->ic = p->oc = p->g = v)                                                   \
    X(size, 1, 65536, p->ih, (p->iw = p->ih == p->iw ? v : p->iw, p->ih = v))                                \
    X(kernel, 1, 31, p->kh, set_kernel(p, v))                                                                \
    X(stride, 1, 8, p->sh, p->sh = p->sw = v)                                                                \
    X(threads, 1, 64, p->threads, p->threads = v)

/* Padding that kept the size goes on doing so. */
static void set_kernel(cw_problem *p, int32_t v) {
    if (p->pt == p->kh / 2 && p->pl == p->kw / 2) p->pt = p->pl = p->pb = p->pr = v / 2;
    p->kh = p->kw = v;
}

typedef enum change {
#define X(name, least, most, read, write) CHANGE_##name,
    CHANGES(X)
#undef X
        CHANGE_COUNT
} change;

static const struct {
    const char *name;
    int32_t least, most;
} changes[] = {
#define X(name, least, most, read, write) {#name, least, most},
    CHANGES(X)
#undef X
};

static int32_t value_of(const cw_problem *p, change which) {
    switch (which) {
#define X(name, least, most, read, write)                                                                    \
    case CHANGE_##name:                                                                                      \
        return read;
        CHANGES(X)
#undef X
    case CHANGE_COUNT:
        break;
    }
    return 0;
}

/* false: there is no such problem. */
static bool changed(const cw_problem *from, change which, int32_t v, cw_problem *p) {
    *p = *from;
    bool depthwise = p->g > 1 && p->g == p->ic;
    if ((which == CHANGE_channels) != depthwise &&
        (which == CHANGE_channels || which == CHANGE_ic || which == CHANGE_oc))
        return false;
    switch (which) {
#define X(name, least, most, read, write)                                                                    \
    case CHANGE_##name:                                                                                      \
        write;                                                                                               \
        break;
        CHANGES(X)
#undef X
    case CHANGE_COUNT:
        break;
    }
    if (cw_problem_check(p, NULL) != CW_OK) return false;
    cw_problem_canonical(p);
    return true;
}

typedef struct search {
    const cw_model *model;
    cw_context *ctx;
    const cw_limits *limits;
    const cw_problem *from;
    char first[96]; /* chosen for it */
    cw_status status;
    cw_error *err;
} search;

/* Is another chosen for the changed problem? name: which. */
static bool flips(search *s, change which, int32_t v, char name[96]) {
    cw_problem p;
    cw_choice best;
    size_t count;
    if (s->status != CW_OK || !changed(s->from, which, v, &p)) return false;
    cw_status status = cw_choose_within(s->model, s->ctx, &p, s->limits, &best, 1, &count, s->err);
    if (status == CW_UNSUPPORTED) return false; /* nothing at all for it */
    s->status = status;
    if (status != CW_OK || strcmp(best.impl, s->first) == 0) return false;
    snprintf(name, 96, "%s", best.impl);
    return true;
}

/* From the value outwards by factors of 2^(1/2), at most 16; then halving the last step. */
static bool search_one(search *s, change which, int direction, cw_flip *flip) {
    enum { STEPS = 8 };
    char name[96];
    int32_t start = value_of(s->from, which), same = start;
    for (int step = 1; step <= STEPS; step++) {
        double to = start * pow(2, direction * step / 2.0);
        int32_t v = (int32_t)(direction > 0 ? ceil(to) : floor(to));
        if (v == same) continue;
        if (v < changes[which].least || v > changes[which].most) return false;
        if (!flips(s, which, v, name)) {
            same = v;
            continue;
        }
        snprintf(flip->impl, sizeof flip->impl, "%s", name);
        while (abs(v - same) > 1) {
            int32_t middle = same + (v - same) / 2;
            bool flipped = flips(s, which, middle, name);
            if (flipped) snprintf(flip->impl, sizeof flip->impl, "%s", name);
            *(flipped ? &v : &same) = middle;
        }
        flip->what = changes[which].name;
        flip->from = start;
        flip->to = v;
        return s->status == CW_OK;
    }
    return false;
}

static int by_ratio(const void *a, const void *b) {
    const cw_flip *x = a, *y = b;
    double p = fabs(log((double)x->to / x->from)), q = fabs(log((double)y->to / y->from));
    return p != q ? (p < q ? -1 : 1) : strcmp(x->what, y->what);
}

cw_status cw_choice_flips(const cw_model *model, cw_context *ctx, const cw_problem *p,
                          const cw_limits *limits, cw_flip *out, size_t capacity, size_t *count,
                          cw_error *err) {
    cw_problem from = *p;
    cw_choice best;
    size_t n = 0;
    cw_flip all[2 * CHANGE_COUNT];
    cw_status status = cw_choose_within(model, ctx, p, limits, &best, 1, &n, err);
    if (status != CW_OK) return status;
    cw_problem_canonical(&from);
    search s = {.model = model, .ctx = ctx, .limits = limits, .from = &from, .err = err};
    snprintf(s.first, sizeof s.first, "%s", best.impl);
    n = 0;
    for (int which = 0; which < CHANGE_COUNT; which++)
        for (int direction = -1; direction <= 1; direction += 2)
            n += search_one(&s, (change)which, direction, &all[n]);
    if (s.status != CW_OK) return s.status;
    qsort(all, n, sizeof *all, by_ratio);
    memcpy(out, all, (n < capacity ? n : capacity) * sizeof *out);
    *count = n;
    return CW_OK;
}

/* ---- Nearest ---- */

typedef struct nearest {
    cw_problem from;
    cw_neighbour *out, now; /* now: the problem whose measurements are being read */
    size_t capacity, held, count;
    bool reading;
} nearest;

/* Sizes count by their logs; what is not a size must be the same: INFINITY where it is not. */
static double distance(const cw_problem *a, const cw_problem *b) {
    if (a->prec != b->prec || a->zp != b->zp || a->layout != b->layout || a->dir != b->dir ||
        a->cache != b->cache)
        return INFINITY;
    double sum = 0;
#define X(field) sum += pow(log2((1.0 + a->field) / (1.0 + b->field)), 2);
    CW_PROBLEM_FIELDS(X)
#undef X
    return sqrt(sum);
}

static void keep(nearest *n) {
    size_t at = n->held;
    if (!n->reading || !(n->now.distance < INFINITY)) return;
    n->count++;
    while (at > 0 && n->now.distance < n->out[at - 1].distance) at--;
    if (at == n->capacity) return;
    size_t last = n->held < n->capacity ? n->held++ : n->capacity - 1;
    memmove(&n->out[at + 1], &n->out[at], (last - at) * sizeof *n->out);
    n->out[at] = n->now;
}

static cw_status visit(void *arg, const cw_measurement *m) {
    nearest *n = arg;
    double ns = m->time_ns + m->src_reorder_ns + m->dst_reorder_ns;
    if (!m->candidate || (m->state != CW_STATE_OK && m->state != CW_STATE_CUT_OFF)) return CW_OK;
    bool same = n->reading && cw_problem_compare(&n->now.problem, &m->problem) == 0;
    if (same && ns >= n->now.ns) return CW_OK;
    if (!same) {
        keep(n);
        n->reading = true;
        n->now = (cw_neighbour){.problem = m->problem, .distance = distance(&n->from, &m->problem)};
    }
    n->now.ns = ns;
    snprintf(n->now.impl, sizeof n->now.impl, "%s", m->impl);
    return CW_OK;
}

cw_status cw_store_nearest(cw_store *store, const char *fingerprint, const cw_problem *p, cw_neighbour *out,
                           size_t capacity, size_t *count, cw_error *err) {
    nearest n = {.from = *p, .out = out, .capacity = capacity};
    cw_status status = cw_problem_check(p, err);
    if (status != CW_OK) return status;
    cw_problem_canonical(&n.from);
    status = cw_store_each(store, fingerprint, visit, &n, err);
    if (status != CW_OK) return status;
    keep(&n);
    *count = n.count;
    return CW_OK;
}
