/* bench_fewshot.c: what a model of another machine is worth where few problems are measured.
 *     bench_fewshot BASE TARGET [key=value]...
 * BASE, TARGET: stores. Keys: precision (f32), families (0), seed (0), learner of the base (boost), draws of
 * random probes (5), pool (2000). Forward, two dimensions, problems with at least two times. A fifth of
 * TARGET's groups (split group) is for tests: what has their channels and kernels is left out of BASE, too.
 * Probes come from a pool of TARGET's other rows: at random (mean of the draws), or picked by cw_pick_probes.
 * One line a result: seed, probes, how they were found, who chooses, geomean of time over the best, pooled
 * loss. bench/probes.sh makes tables of them. */
#include "../src/base/base.h"
#include "../src/dataset/validate.h"
#include "../include/convwise/tools.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct options {
    int prec, families, draws;
    uint64_t seed;
    size_t pool;
    const char *learner;
} options;

typedef struct scene {
    const options *o;
    cw_dataset *there, *here;
    cw_split split;
    const cw_fold *fold;
    cw_model *base;
    size_t *pool, *probes; /* rows of `here` that may be measured; those that are, in order */
    size_t pool_count;
    size_t *order; /* static, of the probes */
} scene;

static const size_t counts[] = {5, 10, 20, 50, 100, 200, 500, 1000};

static void die(const cw_error *err) {
    fprintf(stderr, "bench_fewshot: %s\n", err->message);
    exit(1);
}

static void *rows_of(size_t n) {
    void *rows = cw_alloc_n(n, sizeof(size_t));
    if (!rows) die(&(cw_error){.message = "out of memory"});
    return rows;
}

static cw_dataset *load(const char *path, const options *o) {
    cw_error err = {0};
    cw_store *store;
    cw_dataset *data = NULL;
    const cw_dataset_options how = {.prec = o->prec, .dims = 2, .least = 2, .families = o->families};
    if (cw_store_open(path, CW_STORE_READ, &store, &err) != CW_OK ||
        cw_dataset_load(store, &how, &data, &err) != CW_OK)
        die(&err);
    cw_store_close(store);
    return data;
}

/* ---- Training of the base ---- */

/* A group of the split: channels and kernel. */
static int by_group(const void *a, const void *b) {
    const cw_problem *x = a, *y = b;
    const int32_t fields[][2] = {{x->ic, y->ic}, {x->oc, y->oc}, {x->kh, y->kh}, {x->kw, y->kw}};
    for (size_t i = 0; i < CW_COUNT(fields); i++)
        if (fields[i][0] != fields[i][1]) return fields[i][0] < fields[i][1] ? -1 : 1;
    return 0;
}

/* Without the groups of the tests. */
static void train_base(scene *s) {
    cw_error err = {0};
    size_t n = s->fold->test_count, kept = 0, *rows = rows_of(s->there->rows);
    cw_problem *tests = cw_alloc_n(n, sizeof *tests);
    if (!tests) die(&(cw_error){.message = "out of memory"});
    for (size_t i = 0; i < n; i++) tests[i] = s->here->problems[s->fold->tests[i].row];
    qsort(tests, n, sizeof *tests, by_group);
    for (size_t row = 0; row < s->there->rows; row++)
        if (!bsearch(&s->there->problems[row], tests, n, sizeof *tests, by_group)) rows[kept++] = row;
    const cw_train_options how = {
        .learner = s->o->learner, .split = "group", .calibrate = true, .threads = 1, .seed = s->o->seed};
    if (cw_train_rows(s->there, rows, kept, &how, &s->base, &err) != CW_OK) die(&err);
    fprintf(stderr, "base: %zu of %zu rows; %zu tests, %zu others\n", kept, s->there->rows, n,
            s->fold->train_count);
    cw_free(tests);
    cw_free(rows);
}

/* ---- Scoring ---- */

/* model NULL: the static order. */
static cw_score score(const scene *s, const cw_model *model) {
    cw_error err = {0};
    cw_score out = {0};
    cw_scored_model scored = {0};
    cw_knowledge know = {.data = s->here, .models = &scored};
    for (size_t p = 0; p < CW_COUNT(know.order); p++) know.order[p] = s->order;
    know.scratch = cw_alloc_n(CW_MODEL_MOST, 2 * sizeof *know.scratch);
    know.allowed = cw_alloc_n(CW_MODEL_MOST, sizeof *know.allowed);
    if (!know.scratch || !know.allowed) die(&(cw_error){.message = "out of memory"});
    if (model && cw_scored_model_bind(s->here, model, &scored, &err) != CW_OK) die(&err);
    for (size_t i = 0; i < s->fold->test_count; i++) {
        const cw_test *test = &s->fold->tests[i];
        cw_verdict v = cw_judge(&know, cw_pick_class(&know, CW_KIND_LEARNER, 0, test->row), test->row);
        cw_score_add(&out, &v, test->count);
    }
    cw_score_finish(&out);
    cw_free(know.scratch);
    cw_free(know.allowed);
    cw_free(scored.class_of);
    return out;
}

static void print(const scene *s, size_t count, const char *how, const char *who, double geomean,
                  double regret) {
    printf("%llu\t%zu\t%s\t%s\t%.6f\t%.6f\n", (unsigned long long)s->o->seed, count, how, who, geomean,
           regret);
    fflush(stdout);
}

enum { STATIC, SCRATCH, BASE, WAYS };
static const char *const ways[] = {"static order", "from scratch", "on the base"};

/* Rows from which nothing can be learned leave the static order. */
static void try_probes(scene *s, size_t count, double geomean[WAYS], double regret[WAYS]) {
    cw_error err = {0};
    for (int way = 0; way < WAYS; way++) {
        cw_model *model = NULL;
        const cw_train_options how = {.learner = "boost",
                                      .split = "group",
                                      .threads = 1,
                                      .seed = s->o->seed,
                                      .base = way == BASE ? s->base : NULL};
        if (cw_static_order(s->here, s->probes, count, -1, s->order, &err) != CW_OK) die(&err);
        if (way != STATIC && cw_train_rows(s->here, s->probes, count, &how, &model, &err) != CW_OK &&
            (way == BASE || err.status != CW_INVALID))
            die(&err);
        cw_score got = score(s, model);
        geomean[way] += log(got.geomean);
        regret[way] += got.regret;
        cw_model_free(model);
    }
}

/* ---- Probes ---- */

static void shuffle(size_t *rows, size_t count, uint64_t seed) {
    cw_rng rng = cw_rng_seed(seed);
    for (size_t i = 0; i + 1 < count; i++) {
        size_t other = i + cw_rng_below(&rng, count - i), row = rows[i];
        rows[i] = rows[other];
        rows[other] = row;
    }
}

static void pick(scene *s, size_t most) {
    cw_error err = {0};
    size_t picked;
    cw_problem *problems = cw_alloc_n(s->pool_count, sizeof *problems);
    cw_probe *probes = cw_alloc_n(most, sizeof *probes);
    if (!problems || !probes) die(&(cw_error){.message = "out of memory"});
    for (size_t i = 0; i < s->pool_count; i++) problems[i] = s->here->problems[s->pool[i]];
    if (cw_pick_probes(s->base, NULL, problems, NULL, s->pool_count, probes, most, &picked, &err) != CW_OK)
        die(&err);
    for (size_t i = 0; i < picked; i++) s->probes[i] = s->pool[probes[i].index];
    cw_free(problems);
    cw_free(probes);
}

static void curve(scene *s, const char *how, int draws) {
    double geomean[CW_COUNT(counts)][WAYS] = {{0}}, regret[CW_COUNT(counts)][WAYS] = {{0}};
    for (int draw = 0; draw < draws; draw++) {
        memcpy(s->probes, s->pool, s->pool_count * sizeof *s->probes);
        if (strcmp(how, "random") == 0)
            shuffle(s->probes, s->pool_count, s->o->seed * 1000 + (uint64_t)draw);
        else
            pick(s, counts[CW_COUNT(counts) - 1]);
        for (size_t k = 0; k < CW_COUNT(counts) && counts[k] <= s->pool_count; k++)
            try_probes(s, counts[k], geomean[k], regret[k]);
    }
    for (size_t k = 0; k < CW_COUNT(counts) && counts[k] <= s->pool_count; k++)
        for (int way = 0; way < WAYS; way++)
            print(s, counts[k], how, ways[way], exp(geomean[k][way] / draws), regret[k][way] / draws);
}

static void run(scene *s) {
    cw_error err = {0};
    if (cw_split_make(s->here, "group", s->o->seed, &s->split, &err) != CW_OK) die(&err);
    s->fold = &s->split.folds[0];
    s->order = rows_of(s->here->classes);
    s->pool = rows_of(s->fold->train_count);
    s->probes = rows_of(s->fold->train_count);
    memcpy(s->pool, s->fold->train, s->fold->train_count * sizeof *s->pool);
    shuffle(s->pool, s->fold->train_count, s->o->seed);
    s->pool_count = s->o->pool < s->fold->train_count ? s->o->pool : s->fold->train_count;
    train_base(s);
    if (cw_static_order(s->here, s->fold->train, s->fold->train_count, -1, s->order, &err) != CW_OK)
        die(&err);
    cw_score base = score(s, s->base), order = score(s, NULL);
    print(s, 0, "none", "base alone", base.geomean, base.regret);
    print(s, s->fold->train_count, "all", ways[STATIC], order.geomean, order.regret);
    curve(s, "random", s->o->draws);
    curve(s, "picked", 1);
    cw_model_free(s->base);
    cw_split_release(&s->split);
    cw_free(s->order);
    cw_free(s->pool);
    cw_free(s->probes);
}

static bool set(options *o, const char *text) {
    const char *value = strchr(text, '=');
    if (!value) return false;
    const size_t length = (size_t)(value++ - text);
    if (strncmp(text, "precision", length) == 0) {
        for (o->prec = 0; o->prec < CW_PREC_COUNT; o->prec++)
            if (strcmp(cw_prec_name((cw_prec)o->prec), value) == 0) return true;
        return false;
    }
    if (strncmp(text, "learner", length) == 0) {
        o->learner = value;
        return true;
    }
    int64_t number;
    if (!cw_parse_int(value, 0, 1000000, &number)) return false;
    if (strncmp(text, "families", length) == 0) o->families = (int)number;
    if (strncmp(text, "draws", length) == 0) o->draws = (int)number;
    if (strncmp(text, "seed", length) == 0) o->seed = (uint64_t)number;
    if (strncmp(text, "pool", length) == 0) o->pool = (size_t)number;
    return true;
}

int main(int argc, char **argv) {
    options o = {.draws = 5, .pool = 2000, .learner = "boost"};
    bool good = argc >= 3;
    for (int i = 3; good && i < argc; i++) good = set(&o, argv[i]);
    if (!good) {
        fprintf(stderr, "usage: bench_fewshot BASE TARGET [precision=P] [families=0|1] [seed=N] [learner=L] "
                        "[draws=N] [pool=N]\n");
        return 2;
    }
    scene s = {.o = &o, .there = load(argv[1], &o), .here = load(argv[2], &o)};
    run(&s);
    cw_dataset_free(s.there);
    cw_dataset_free(s.here);
    return 0;
}
