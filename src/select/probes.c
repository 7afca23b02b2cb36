/* probes.c: which of many problems to measure where only another machine's model is there. What is learned
 * from them is src/learn's (adapt.h). */
#include "host.h"
#include "../learn/trees.h"
#include "../../include/convwise/tools.h"
#include <math.h>
#include <string.h>

enum { TREES = 256 };

typedef struct pool {
    size_t count, trees;
    cw_problem *problems; /* canonical */
    uint16_t *leaf;       /* count x trees: which leaf of each tree looked at (lowest bits of its place) */
    double *loss;         /* NaN = not known */
    double *worth;        /* weight, 0 = nothing to choose */
    double *covered;      /* how alike the most alike probe is so far, 0..1 */
    double *bound;        /* what a pick gained when it was last looked at: never less than now */
    bool *out;            /* picked, or the same as one picked */
} pool;

static void release(pool *p) {
    void *const owned[] = {p->problems, p->leaf, p->loss, p->worth, p->covered, p->bound, p->out};
    for (size_t i = 0; i < CW_COUNT(owned); i++) cw_free(owned[i]);
}

static cw_status make(const cw_trees *trees, size_t count, pool *p, cw_error *err) {
    p->count = count;
    p->trees = trees->tree_count < TREES ? trees->tree_count : TREES;
    p->problems = cw_alloc_n(count, sizeof *p->problems);
    p->leaf = cw_alloc_n(count, p->trees * sizeof *p->leaf);
    p->loss = cw_alloc_n(count, sizeof *p->loss);
    p->worth = cw_alloc_n(count, sizeof *p->worth);
    p->covered = cw_alloc_n(count, sizeof *p->covered);
    p->bound = cw_alloc_n(count, sizeof *p->bound);
    p->out = cw_alloc_n(count, sizeof *p->out);
    return p->problems && p->leaf && p->loss && p->worth && p->covered && p->bound && p->out
               ? CW_OK
               : cw_fail_memory(err);
}

static cw_status find_leaves(const cw_model *base, cw_context *ctx, pool *p, cw_error *err) {
    const cw_trees *trees = base->state;
    double x[CW_MODEL_MOST];
    float rounded[CW_MODEL_MOST];
    cw_host host;
    cw_status status = cw_model_host(base, ctx, &host, err);
    for (size_t i = 0; status == CW_OK && i < p->count; i++) {
        cw_features_eval_on((const cw_feature *const *)base->bound, base->column_count, &p->problems[i],
                            &host, x);
        for (size_t c = 0; c < base->column_count; c++) rounded[c] = (float)x[c];
        for (size_t t = 0; t < p->trees; t++)
            p->leaf[i * p->trees + t] =
                (uint16_t)cw_trees_leaf(trees, t * trees->tree_count / p->trees, rounded);
    }
    return status;
}

/* What the base expects to lose, and what is to be gained: nothing where there is no choice. Not weighted by
 * the loss: the base's doubts are about the other machine, and probes that follow them are no fair sample of
 * this one (docs/few-shot.md). */
static cw_status find_worth(const cw_model *base, cw_context *ctx, const double *weights, pool *p,
                            cw_error *err) {
    for (size_t i = 0; i < p->count; i++) {
        cw_choice first[2] = {{0}};
        size_t n = 0;
        const double weight = weights ? weights[i] : 1;
        if (!(weight > 0 && weight < INFINITY))
            return cw_fail(err, CW_INVALID, "problem %zu: its weight must be above 0", i);
        cw_status status = cw_choose(base, ctx, &p->problems[i], first, CW_COUNT(first), &n, err);
        if (status != CW_OK && status != CW_UNSUPPORTED) return status;
        bool any = status == CW_OK && n > 1 && (!ctx || !first[1].why_not);
        p->loss[i] = any ? first[0].regret : 0;
        p->worth[i] = any ? weight : 0;
    }
    return CW_OK;
}

static double alike(const pool *p, size_t a, size_t b) {
    const uint16_t *x = p->leaf + a * p->trees, *y = p->leaf + b * p->trees;
    uint32_t same = 0;
    for (size_t t = 0; t < p->trees; t++) same += x[t] == y[t];
    return (double)same / (double)p->trees;
}

static double gain(const pool *p, size_t probe) {
    double sum = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->worth[i] > 0) sum += p->worth[i] * fmax(alike(p, probe, i) - p->covered[i], 0);
    return sum;
}

/* The probe of the largest gain, of equal ones the first. Gains only shrink, so a problem is looked at again
 * only where its last gain could still win. */
static size_t best_probe(pool *p) {
    for (;;) {
        size_t next = SIZE_MAX;
        for (size_t i = 0; i < p->count; i++)
            if (!p->out[i] && (next == SIZE_MAX || p->bound[i] > p->bound[next])) next = i;
        if (next == SIZE_MAX) return next;
        double now = gain(p, next), before = p->bound[next];
        p->bound[next] = now;
        if (!(now < before)) return next;
    }
}

static void pick(pool *p, size_t probe) {
    for (size_t i = 0; i < p->count; i++) {
        p->covered[i] = fmax(p->covered[i], alike(p, probe, i));
        p->out[i] |= cw_problem_compare(&p->problems[i], &p->problems[probe]) == 0;
    }
}

static cw_status check(const cw_model *base, cw_error *err) {
    if (!base->bound) return cw_fail(err, CW_MISMATCH, "the base is not bound to features of problems");
    if (base->learner->predict == cw_trees_predict) return CW_OK;
    return cw_fail(
        err, CW_MISMATCH,
        "the base's learner, %s, is no sum of trees: train it with --learner boost, ensemble or one of "
        "the forests",
        base->learner->name);
}

cw_status cw_pick_probes(const cw_model *base, cw_context *ctx, const cw_problem *problems,
                         const double *weights, size_t count, cw_probe *out, size_t most, size_t *picked,
                         cw_error *err) {
    pool p = {0};
    double all = 0;
    *picked = 0;
    cw_status status = check(base, err);
    if (status == CW_OK) status = make(base->state, count, &p, err);
    for (size_t i = 0; status == CW_OK && i < count; i++) {
        status = cw_problem_check(&problems[i], err);
        p.problems[i] = problems[i];
        if (status == CW_OK) cw_problem_canonical(&p.problems[i]);
        p.bound[i] = INFINITY;
    }
    if (status == CW_OK) status = find_worth(base, ctx, weights, &p, err);
    if (status == CW_OK) status = find_leaves(base, ctx, &p, err);
    for (size_t i = 0; status == CW_OK && i < count; i++) all += p.worth[i];
    while (status == CW_OK && *picked < most) {
        size_t probe = best_probe(&p);
        if (probe == SIZE_MAX) break;
        out[(*picked)++] = (cw_probe){probe, p.loss[probe], all > 0 ? p.bound[probe] / all : 0};
        pick(&p, probe);
    }
    release(&p);
    return status;
}
