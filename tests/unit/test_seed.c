/* test_seed.c: the seed's experiment on tables small enough to score by hand, and the published totals of the
 * seed's own tables where they are at hand. */
#include "fixture_store.h"
#include "../../include/convwise/import.h"
#include "../../include/convwise/seed.h"
#include "../../src/dataset/dataset.h"
#include <math.h>

static const char *const impls[] = {"armcl.gemm", "armcl.direct", "armcl.winograd"};
static const cw_family families[] = {CW_FAMILY_GEMM, CW_FAMILY_DIRECT, CW_FAMILY_WINOGRAD};

static void put(cw_store *store, const char *text, size_t impl, double us) {
    cw_measurement m = measured(text, impls[impl], us * 1e3);
    m.family = families[impl];
    m.backend = "armcl";
    if (us <= 0) {
        m.state = CW_STATE_LABEL;
        m.time_ns = 0;
    }
    add(store, &m);
}

static void put_times(cw_store *store, const char *text, double gemm, double direct, double winograd) {
    if (gemm > 0) put(store, text, 0, gemm);
    if (direct > 0) put(store, text, 1, direct);
    if (winograd > 0) put(store, text, 2, winograd);
}

static void put_net(cw_store *store, const char *name, const char *const *layers) {
    cw_layer list[8] = {0};
    cw_net net = {.layers = list};
    cw_error err;
    snprintf(net.name, sizeof net.name, "%s", name);
    for (; layers[net.count]; net.count++) {
        list[net.count].problem = problem(layers[net.count]);
        list[net.count].problem.zp = 1;
        snprintf(list[net.count].name, sizeof list[net.count].name, "layer%zu", net.count + 1);
    }
    assert_ok(cw_store_add_net(store, &net, &err), err);
}

#define A  "ic32ih10oc8kh3ph1,nchw" /* Winograd where it runs, as the Arm library has it */
#define B  "ic8ih10oc8kh3ph1,nchw"
#define C  "ic64ih20oc8kh3ph1,nchw"
#define A8 "ic32ih10oc8kh3ph1,nchw,u8,zp"

/* Labels say: kernel 3 with a pad is winograd, kernel 1 gemm, whatever else. A is in the labels itself, in
 * both precisions, and so is a neighbour of another size. */
static void fill(cw_store *store) {
    static const struct {
        const char *problem;
        size_t impl;
    } labels[] = {
        {"ic4ih9oc4kh3ph1,nchw", 2},
        {"ic4ih9oc4kh1,nchw", 0},
        {A, 1},
        {A8, 1},
        {"ic32ih11oc8kh3ph1,nchw", 1},
        {"ic4ih9oc4kh1,nchw", 0},
        {"ic4ih8oc4kh1,nchw", 0},
        {"ic4ih9oc5kh3ph1,nchw", 2},
        {"ic4ih9oc6kh3ph1,nchw", 2},
        {"ic4ih9oc6kh3ph0,nchw", 2},
    };
    for (size_t i = 0; i < CW_COUNT(labels); i++) put(store, labels[i].problem, labels[i].impl, 0);
    put_times(store, A, 40, 20, 0); /* winograd cannot run */
    put_times(store, B, 10, 0, 5);
    put_times(store, C, 100, 90, 50);
    put_times(store, A8, 7, 8, 0);
    put_net(store, "one", (const char *const[]){A, B, C, B, NULL});
}

typedef struct loaded {
    cw_dataset *labels, *timed;
    cw_seed_report *report;
} loaded;

static loaded run(const char *path) {
    loaded l = {0};
    cw_error err = {0};
    cw_dataset_options o = {.features = "seed", .prec = -1};
    cw_store *store = open_at(path, CW_STORE_READ);
    assert_ok(cw_dataset_load(store, &o, &l.timed, &err), err);
    o.labels = true;
    assert_ok(cw_dataset_load(store, &o, &l.labels, &err), err);
    cw_store_close(store);
    assert_ok(cw_seed_validate(l.labels, l.timed, NULL, &l.report, &err), err);
    return l;
}

static void release(loaded *l) {
    cw_seed_report_free(l->report);
    cw_dataset_free(l->labels);
    cw_dataset_free(l->timed);
}

static loaded run_small(const char *path) {
    cw_store *store = open_writer_at(path);
    fill(store);
    cw_store_close(store);
    return run(path);
}

static const cw_seed_total *total(const loaded *l, const char *name, const char *split, const char *mode,
                                  cw_prec prec) {
    const cw_seed_contender *c = cw_seed_find(l->report, name, split, mode);
    if (!c) fail_msg("no %s", name);
    for (size_t g = 0; g < l->report->group_count; g++)
        if (l->report->groups[g].prec == prec) return &c->groups[g];
    fail_msg("no such precision");
    return NULL;
}

static void check_total(const cw_seed_total *t, int64_t ran, int64_t right, double published,
                        double charged) {
    if (t->ran != ran || t->right != right || t->published_us != published || t->charged_us != charged)
        fail_msg("%lld ran, %lld right, %g, %g; not %lld, %lld, %g, %g", (long long)t->ran,
                 (long long)t->right, t->published_us, t->charged_us, (long long)ran, (long long)right,
                 published, charged);
}

/* ---- Labels as a dataset ---- */

static void test_seed__labels_keep_order_and_repeats(void **state) {
    const fixture *f = *state;
    loaded l = run_small(f->path);
    static const int32_t y[] = {2, 1, 0, 0, 0, 1, 1, 2, 2, 2}; /* by name: direct, gemm, winograd */
    static const double third[] = {32, 10, 10, 3, 8, 1, 1, 0, 0, 0},
                        fourth[] = {32, 10, 10, 3, 8, 1, 1, 0, 1, 0};
    assert_int_equal(l.labels->rows, CW_COUNT(y));
    assert_int_equal(l.labels->columns, 10);
    for (size_t i = 0; i < CW_COUNT(y); i++) {
        assert_int_equal(l.labels->y[i], y[i]);
        for (size_t c = 0; c < 3; c++) assert_true(isnan(cw_dataset_time(l.labels, i, c)));
    }
    assert_memory_equal(l.labels->x + 2 * 10, third, sizeof third);
    assert_memory_equal(l.labels->x + 3 * 10, fourth, sizeof fourth);
    assert_string_equal(l.labels->features[0]->name, "tensor_1");
    assert_string_equal(l.labels->features[9]->name, "architecture");
    assert_int_equal(l.timed->rows, 4); /* a label hides no time, although it is of the same implementation */
    release(&l);
}

static void test_seed__labels_train_a_model(void **state) {
    const fixture *f = *state;
    loaded l = run_small(f->path);
    cw_error err;
    static const char *const seeds_own[] = {"tree", "bayes", NULL};
    for (const char *const *name = seeds_own; *name; name++) {
        cw_model *model;
        cw_choice choice[3];
        size_t count;
        cw_problem p = problem("ic4ih9oc4kh3ph1,nchw");
        assert_ok(cw_train(l.labels, &(cw_train_options){.learner = *name}, &model, &err), err);
        assert_ok(cw_choose(model, NULL, &p, choice, 3, &count, &err), err);
        assert_int_equal(count, 3);
        assert_string_equal(choice[0].impl, "armcl.winograd");
        assert_true(isnan(choice[0].ns));
        cw_model_free(model);
    }
    release(&l);
}

static void test_seed__store_without_labels_is_refused(void **state) {
    const fixture *f = *state;
    make_small_store(f->path);
    cw_error err;
    cw_dataset *data = NULL;
    cw_store *store = open_at(f->path, CW_STORE_READ);
    assert_refused(cw_dataset_load(store, &(cw_dataset_options){.prec = -1, .labels = true}, &data, &err),
                   CW_NOT_FOUND, err, "no labels");
    assert_ok(cw_dataset_load(store, &(cw_dataset_options){.prec = -1}, &data, &err), err);
    cw_seed_report *report;
    assert_refused(cw_seed_validate(data, data, NULL, &report, &err), CW_INVALID, err, "dataset of labels");
    cw_dataset_free(data);
    cw_store_close(store);
}

/* ---- Scores ---- */

/* f32: A (gemm 40, direct 20), twice B (gemm 10, winograd 5), C (100, 90, 50). */
static void test_seed__baselines(void **state) {
    const fixture *f = *state;
    loaded l = run_small(f->path);
    assert_int_equal(l.report->group_count, 2);
    const cw_seed_total *oracle = total(&l, "oracle", NULL, NULL, CW_F32);
    check_total(oracle, 4, 4, 20 + 5 + 5 + 50, 20 + 5 + 5 + 50);
    assert_int_equal(oracle->layers, 4);
    assert_true(oracle->best_static_us == 160);
    check_total(total(&l, "always gemm", NULL, NULL, CW_F32), 4, 0, 160, 160);
    check_total(total(&l, "always direct", NULL, NULL, CW_F32), 2, 1, 110, 20 + 10 + 10 + 90);
    check_total(total(&l, "always winograd", NULL, NULL, CW_F32), 3, 3, 60, 40 + 5 + 5 + 50);
    check_total(total(&l, "best static", NULL, NULL, CW_F32), 4, 0, 160, 160);
    /* B has 8 channels: GEMM; A and C: Winograd. */
    check_total(total(&l, "arm cl", NULL, NULL, CW_F32), 3, 1, 10 + 10 + 50, 40 + 10 + 10 + 50);
    check_total(total(&l, "arm neon", NULL, NULL, CW_U8), 1, 1, 7, 7);
    check_total(total(&l, "always winograd", NULL, NULL, CW_U8), 0, 0, 0, 7);
    assert_true(cw_seed_accuracy(total(&l, "arm cl", NULL, NULL, CW_F32)) == 0.25);
    assert_true(fabs(cw_seed_speedup(total(&l, "always winograd", NULL, NULL, CW_F32), false) -
                     (160.0 / 60 * 100 - 100)) < 1e-9);
    assert_true(fabs(cw_seed_speedup(total(&l, "always winograd", NULL, NULL, CW_F32), true) - 60) < 1e-9);
    assert_true(fabs(cw_seed_regret(total(&l, "always winograd", NULL, NULL, CW_F32)) - 0.25) < 1e-9);
    const cw_seed_contender *gemm = cw_seed_find(l.report, "always gemm", NULL, NULL);
    check_total(&gemm->pooled[CW_F32], 4, 0, 160, 160);
    assert_int_equal(gemm->pooled[CW_F16].layers, 0);
    release(&l);
}

/* Network: the labels of A leave in both precisions, its neighbour of 11 stays and says direct. Near: it
 * leaves too, and all with kernel 3 is Winograd, which A cannot run. */
static void test_seed__purge(void **state) {
    const fixture *f = *state;
    loaded l = run_small(f->path);
    for (size_t g = 0; g < 2; g++) {
        assert_int_equal(cw_seed_find(l.report, "tree", "network", "ALL")->rows[g], 8);
        assert_int_equal(cw_seed_find(l.report, "tree", "network", "CV")->rows[g], 6);
        assert_int_equal(cw_seed_find(l.report, "bayes", "near", "ALL")->rows[g], 7);
        assert_int_equal(cw_seed_find(l.report, "bayes", "near", "CV")->rows[g], 5);
    }
    const cw_seed_contender *tree = cw_seed_find(l.report, "tree", "near", "ALL");
    for (size_t i = 0; i < l.report->layer_count; i++) assert_int_equal(tree->chosen[i], 2);
    check_total(total(&l, "tree", "near", "ALL", CW_F32), 3, 3, 60, 100);
    check_total(total(&l, "tree", "near", "ALL", CW_U8), 0, 0, 0, 7);
    release(&l);
}

static void test_seed__survives_want_of_memory(void **state) {
    const fixture *f = *state;
    loaded l = run_small(f->path);
    cw_error err = {0};
    cw_status status = CW_NO_MEMORY;
    for (long n = 1; status == CW_NO_MEMORY; n++) {
        cw_seed_report *report = NULL;
        cw_alloc_fail_at(n);
        status = cw_seed_validate(l.labels, l.timed, NULL, &report, &err);
        cw_alloc_fail_at(0);
        cw_seed_report_free(report);
    }
    if (status != CW_OK) fail_msg("%s", err.message);
    release(&l);
}

/* ---- A network that was measured as a whole ---- */

static void put_own(cw_store *store, const char *text, int32_t position, double gemm, double direct) {
    for (size_t i = 0; i < 2; i++) {
        cw_measurement m = measured(text, impls[i], (i ? direct : gemm) * 1e3);
        m.family = families[i];
        m.backend = "armcl";
        m.net = "own";
        m.position = position;
        add(store, &m);
    }
}

/* A stands there three times, twice with the same times. */
static loaded run_own(const char *path) {
    cw_store *store = open_writer_at(path);
    fill(store);
    put_own(store, A, 1, 40, 20);
    put_own(store, A, 2, 30, 50);
    put_own(store, C, 3, 100, 90);
    put_own(store, A, 4, 40, 20);
    cw_store_close(store);
    return run(path);
}

static void test_seed__a_network_has_the_times_of_its_own(void **state) {
    const fixture *f = *state;
    loaded l = run_own(f->path);
    static const double us[][2] = {{20, 40}, {50, 30}, {90, 100}}; /* direct, gemm */
    assert_int_equal(l.report->group_count, 3);
    assert_string_equal(l.report->groups[0].network, "one");
    assert_int_equal(l.report->groups[1].prec, CW_U8);
    const cw_seed_group *group = &l.report->groups[2];
    assert_string_equal(group->network, "own");
    assert_int_equal(group->count, CW_COUNT(us));
    for (size_t i = 0; i < group->count; i++) {
        const cw_seed_layer *layer = &l.report->layers[group->first + i];
        assert_memory_equal(layer->us, us[i], sizeof us[i]);
        assert_true(
            isnan(layer->us[2])); /* of winograd nothing is known here, although C has a time elsewhere */
        assert_int_equal(layer->repeats, i == 0 ? 2 : 1);
        assert_int_equal(layer->best, i == 1);
    }
    assert_int_equal(group->best_static, 0);
    const cw_seed_total *oracle = &cw_seed_find(l.report, "oracle", NULL, NULL)->groups[2];
    assert_true(oracle->layers == 4 && oracle->oracle_us == 160 && oracle->best_static_us == 180);
    check_total(&cw_seed_find(l.report, "always gemm", NULL, NULL)->groups[2], 4, 1, 210, 210);
    release(&l);
}

static void test_seed__own_times_survive_want_of_memory(void **state) {
    const fixture *f = *state;
    loaded l = run_own(f->path);
    cw_error err = {0};
    const cw_dataset_options o = {.features = "seed", .prec = -1};
    cw_store *store = open_at(f->path, CW_STORE_READ);
    cw_status status = CW_NO_MEMORY;
    for (long n = 1; status == CW_NO_MEMORY; n++) {
        cw_dataset *timed = NULL;
        cw_seed_report *report = NULL;
        cw_alloc_fail_at(n);
        status = cw_dataset_load(store, &o, &timed, &err);
        if (status == CW_OK) status = cw_seed_validate(l.labels, timed, NULL, &report, &err);
        cw_alloc_fail_at(0);
        cw_seed_report_free(report);
        cw_dataset_free(timed);
    }
    cw_store_close(store);
    if (status != CW_OK) fail_msg("%s", err.message);
    release(&l);
}

/* ---- Published figures ---- */

#define HEADS                                                                                                \
    "network,classifier,mode,precision,conv_us,conv_n,direct_us,direct_n,winograd_us,winograd_n,"            \
    "predicted_us,predicted_n,layers_n,oracle_us,best_static_us,best_static_name,accuracy_pct,speedup_pct\n"
#define TOTALS "160,4,110,2,60,3,"

static void write_file(const fixture *f, const char *text, char path[128]) {
    cw_error err;
    snprintf(path, 128, "%s/published.csv", f->folder);
    assert_ok(cw_write_file(path, text, strlen(text), &err), err);
}

static cw_seed_comparison compare_line(const fixture *f, const loaded *l, const char *line) {
    char path[128], text[1024];
    cw_seed_published *rows;
    size_t count;
    cw_error err = {0};
    cw_seed_comparison out;
    snprintf(text, sizeof text, HEADS "%s\n", line);
    write_file(f, text, path);
    assert_ok(cw_seed_published_read(path, &rows, &count, &err), err);
    assert_int_equal(count, 1);
    assert_ok(cw_seed_compare(l->report, rows, &out, &err), err);
    cw_free(rows);
    return out;
}

static void test_seed__compares_with_published(void **state) {
    const fixture *f = *state;
    loaded l = run_small(f->path);
    static const struct {
        const char *line;
        bool totals;
        cw_seed_match match;
    } cases[] = {
        {"two,DecisionTree,ALL,fp32," TOTALS "1,4,4,80,160,Conv,0,0", false, CW_SEED_NOT_TRIED},
        {"one,RandomForest,ALL,fp32," TOTALS "1,4,4,80,160,Conv,0,0", true, CW_SEED_NOT_TRIED},
        {"one,RandomForest,ALL,fp32,160,4,110,3,60,3,1,4,4,80,160,Conv,0,0", false, CW_SEED_NOT_TRIED},
        {"one,RandomForest,ALL,fp32," TOTALS "1,4,4,81,160,Conv,0,0", false, CW_SEED_NOT_TRIED},
        {"one,RandomForest,ALL,fp32," TOTALS "1,4,4,80,160,Directconv,0,0", false, CW_SEED_NOT_TRIED},
        {"one,DecisionTree,ALL,fp32," TOTALS "1,4,4,80,160,Conv,0,0", true, CW_SEED_DIFFERENT},
        {"one,Bayesian,ALL,fp32," TOTALS "1,4,4,80,160,Conv,0,0", true, CW_SEED_DIFFERENT},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_seed_comparison got = compare_line(f, &l, cases[i].line);
        if (got.totals != cases[i].totals || got.match != cases[i].match)
            fail_msg("%s: totals %d, match %d", cases[i].line, got.totals, (int)got.match);
        assert_null(got.drawn);
    }
    release(&l);
}

/* A published run that drew otherwise for one layer. */
static void test_seed__explains_by_draws(void **state) {
    const fixture *f = *state;
    loaded l = run_small(f->path);
    const cw_seed_contender *tree = cw_seed_find(l.report, "tree", "network", "ALL");
    const cw_seed_group *group = &l.report->groups[0];
    assert_int_equal(group->prec, CW_F32);
    cw_seed_total theirs = {.best_static_us = 160};
    size_t open = SIZE_MAX;
    for (size_t i = 0; i < group->count; i++)
        if (tree->draws[i] & (tree->draws[i] - 1)) open = i;
    assert_true(open != SIZE_MAX); /* the fixture is made so that some layer hangs on a draw */
    for (size_t i = 0; i < group->count; i++) {
        const cw_seed_layer *layer = &l.report->layers[i];
        int32_t chosen = tree->chosen[i];
        if (i == open) /* the other one */
            for (int32_t c = 0; c < 3; c++)
                if (tree->draws[i] >> c & 1 && c != tree->chosen[i]) chosen = c;
        bool ran = !isnan(layer->us[chosen]);
        theirs.layers += layer->repeats;
        theirs.ran += ran ? layer->repeats : 0;
        theirs.right += chosen == layer->best ? layer->repeats : 0;
        theirs.published_us += ran ? (double)layer->repeats * layer->us[chosen] : 0;
    }
    char line[200];
    snprintf(line, sizeof line, "one,DecisionTree,ALL,fp32," TOTALS "%.0f,%lld,4,80,160,Conv,%.2f,%.2f",
             theirs.published_us, (long long)theirs.ran, 100 * cw_seed_accuracy(&theirs),
             cw_seed_speedup(&theirs, false));
    cw_seed_comparison got = compare_line(f, &l, line);
    assert_int_equal(got.match, CW_SEED_DRAWN);
    for (size_t i = 0; i < group->count; i++) assert_int_equal(got.drawn[i] != tree->chosen[i], i == open);
    cw_free(got.drawn);
    release(&l);
}

/* A model cannot choose otherwise for one place of a shape than for another. */
static void test_seed__draws_are_of_a_shape(void **state) {
    const fixture *f = *state;
    loaded l = run_own(f->path);
    const cw_seed_contender *tree = cw_seed_find(l.report, "tree", "network", "ALL");
    const cw_seed_group *group = &l.report->groups[2];
    uint32_t *draws = (uint32_t *)(uintptr_t)&tree->draws[group->first];
    int32_t *chosen = (int32_t *)(uintptr_t)&tree->chosen[group->first];
    cw_seed_total *total = (cw_seed_total *)(uintptr_t)&tree->groups[2];
    for (size_t i = 0; i < 3; i++) draws[i] = i < 2 ? 3 : 1, chosen[i] = 0;
    *total = (cw_seed_total){.layers = 4, .ran = 4, .right = 3, .published_us = 180, .best_static_us = 180};
    static const struct {
        const char *line;
        cw_seed_match match;
    } cases[] = {
        {"own,DecisionTree,ALL,fp32,210,4,180,4,0,0,180,4,4,160,180,Directconv,75,0", CW_SEED_SAME},
        /* gemm for A: 40 + 40 + 30 + 90 */
        {"own,DecisionTree,ALL,fp32,210,4,180,4,0,0,200,4,4,160,180,Directconv,50,-10", CW_SEED_DRAWN},
        /* gemm for the second of A only */
        {"own,DecisionTree,ALL,fp32,210,4,180,4,0,0,160,4,4,160,180,Directconv,100,12.5", CW_SEED_DIFFERENT},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_seed_comparison got = compare_line(f, &l, cases[i].line);
        assert_true(got.totals);
        assert_int_equal(got.match, cases[i].match);
        cw_free(got.drawn);
    }
    release(&l);
}

static void test_seed__published_file_is_checked(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {"network,mode\n", ":1: no column is called classifier"},
        {HEADS "one,Tree,ALL\n", ":2: 3 fields, not 18"},
        {HEADS "one,Tree,ALL,fp64," TOTALS "1,4,4,80,160,Conv,0,0\n", ":2: precision is \"fp64\""},
        {HEADS "one,Tree,ALL,fp32," TOTALS "-1,4,4,80,160,Conv,0,0\n", "predicted_us is \"-1\""},
        {HEADS "one,Tree,ALL,fp32," TOTALS "inf,4,4,80,160,Conv,0,0\n", "predicted_us"},
        {HEADS "one,Tree,ALL,fp32," TOTALS "1,4,4,80,160,Con,0,0\n", "best_static_name"},
        {HEADS ",Tree,ALL,fp32," TOTALS "1,4,4,80,160,Conv,0,0\n", "network is \"\""},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char path[128];
        cw_seed_published *rows;
        size_t count;
        cw_error err;
        write_file(f, cases[i].text, path);
        assert_refused(cw_seed_published_read(path, &rows, &count, &err), CW_FORMAT, err, cases[i].says);
    }
}

/* ---- The seed's own tables ---- */

#define SEED CW_SOURCE "/../shared/data/mali-t860/"

static void test_seed__published_totals_are_reproduced(void **state) {
    const fixture *f = *state;
    if (access(SEED "reported.csv", R_OK) != 0) {
        printf("SKIP test_seed__published_totals_are_reproduced: " SEED " is absent\n");
        skip();
    }
    cw_error err = {0};
    cw_store *store = open_at(f->path, CW_STORE_WRITE);
    cw_import_options o = {.preset = "mali-t860"};
    cw_import_summary sum;
    assert_ok(cw_import(store, "arff", SEED "dataset.arff", &o, &sum, &err), err);
    assert_ok(cw_import(store, "layers", SEED "layers.csv", &o, &sum, &err), err);
    cw_store_close(store);
    loaded l = run(f->path);
    cw_seed_published *rows;
    size_t count, by_match[CW_SEED_DIFFERENT + 1] = {0};
    assert_ok(cw_seed_published_read(SEED "reported.csv", &rows, &count, &err), err);
    assert_int_equal(count, 40);
    for (size_t i = 0; i < count; i++) {
        cw_seed_comparison got;
        assert_ok(cw_seed_compare(l.report, &rows[i], &got, &err), err);
        if (!got.totals) fail_msg("row %zu: other totals", i + 1);
        by_match[got.match]++;
        bool bayes = rows[i].learner && strcmp(rows[i].learner, "bayes") == 0;
        if (bayes) assert_int_equal(got.match, CW_SEED_SAME);
        cw_free(got.drawn);
    }
    assert_int_equal(by_match[CW_SEED_NOT_TRIED], 10); /* the forest's */
    assert_int_equal(by_match[CW_SEED_DIFFERENT], 0);
    cw_free(rows);
    release(&l);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {
        T(test_seed__labels_keep_order_and_repeats),
        T(test_seed__labels_train_a_model),
        T(test_seed__store_without_labels_is_refused),
        T(test_seed__baselines),
        T(test_seed__purge),
        T(test_seed__survives_want_of_memory),
        T(test_seed__compares_with_published),
        T(test_seed__explains_by_draws),
        T(test_seed__a_network_has_the_times_of_its_own),
        T(test_seed__own_times_survive_want_of_memory),
        T(test_seed__draws_are_of_a_shape),
        T(test_seed__published_file_is_checked),
        T(test_seed__published_totals_are_reproduced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
