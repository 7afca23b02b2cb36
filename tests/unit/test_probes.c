/* test_probes.c: which problems are picked to be measured, where the right ones are evident. */
#include "fixture.h"
#include "../../src/learn/trees.h"

static const char *const families[] = {"t.a", "t.b", NULL};

/* A base of three kinds of kernel, between which a and b change with the channels. */
static cw_model *base_of(const char *learner) {
    cw_dataset *data = fixture_make(60, (const char *const[]){"ic", "kh", NULL}, families, abc_families);
    for (size_t i = 0; i < 60; i++) {
        char text[64];
        size_t kernel = 1 + 2 * (i % 3), step = i / 3;
        bool first = (step / 5 + i) % 2;
        snprintf(text, sizeof text, "ic%zuih32oc8kh%zuph%zu", 8 * (step + 1), kernel, kernel / 2);
        fixture_row(data, i, text, (double[]){first ? 100 : 200, first ? 200 : 100}, 0);
    }
    cw_model *model;
    cw_error err = {0};
    assert_ok(cw_train(data, &(cw_train_options){.learner = learner, .split = "group"}, &model, &err), err);
    cw_dataset_free(data);
    return model;
}

static cw_problem parsed(const char *text) {
    cw_problem p;
    cw_error err = {0};
    assert_ok(cw_problem_parse(text, &p, &err), err);
    return p;
}

/* Three crowds of different size: the first probe stands for the largest, and so on; the crowd's own size
 * does not matter once weights say otherwise. */
static void test_probes__each_stands_for_the_largest_crowd_left(void **state) {
    (void)state;
    static const char *const texts[] = {"ic40ih32oc8kh3ph1", "ic41ih32oc8kh3ph1", "ic120ih32oc8kh1",
                                        "ic121ih32oc8kh1",   "ic122ih32oc8kh1",   "ic123ih32oc8kh1",
                                        "ic80ih32oc8kh5ph2", "ic81ih32oc8kh5ph2", "ic82ih32oc8kh5ph2"};
    static const double heavy[] = {10, 10, 1, 1, 1, 1, 1, 1, 1};
    enum { N = CW_COUNT(texts) };
    static const int crowd[N] = {3, 3, 1, 1, 1, 1, 5, 5, 5};
    cw_model *base = base_of("boost");
    cw_problem problems[N];
    cw_probe out[N];
    size_t picked;
    cw_error err = {0};
    for (size_t i = 0; i < N; i++) problems[i] = parsed(texts[i]);
    assert_ok(cw_pick_probes(base, NULL, problems, NULL, N, out, 3, &picked, &err), err);
    assert_int_equal(picked, 3);
    assert_int_equal(crowd[out[0].index], 1);
    assert_int_equal(crowd[out[1].index], 5);
    assert_int_equal(crowd[out[2].index], 3);
    assert_true(out[0].gain > out[1].gain && out[1].gain > out[2].gain);
    assert_ok(cw_pick_probes(base, NULL, problems, heavy, N, out, 1, &picked, &err), err);
    assert_int_equal(crowd[out[0].index], 3);
    cw_model_free(base);
}

/* Against all pairs tried one by one: the second pick is the best there is beside the first, and gains are
 * shares that add up to what is covered. */
static void test_probes__greedy_is_greedy(void **state) {
    (void)state;
    enum { N = 40, MOST = 12 };
    cw_model *base = base_of("regret-forest");
    const cw_trees *trees = base->state;
    cw_problem problems[N];
    static double same[N][N];
    double covered[N] = {0};
    cw_probe out[MOST];
    size_t picked;
    cw_error err = {0};
    for (size_t i = 0; i < N; i++) {
        char text[64];
        snprintf(text, sizeof text, "ic%zuih32oc8kh%zuph%zu", 5 + 11 * i % 170, 1 + 2 * (i % 3), i % 3);
        problems[i] = parsed(text);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            const float x[] = {(float)problems[i].ic, (float)problems[i].kh},
                        y[] = {(float)problems[j].ic, (float)problems[j].kh};
            for (size_t t = 0; t < trees->tree_count; t++)
                same[i][j] +=
                    (cw_trees_leaf(trees, t, x) == cw_trees_leaf(trees, t, y)) / (double)trees->tree_count;
        }
    assert_ok(cw_pick_probes(base, NULL, problems, NULL, N, out, MOST, &picked, &err), err);
    assert_int_equal(picked, MOST);
    for (size_t k = 0; k < MOST; k++) {
        double most = -1, got = 0;
        for (size_t c = 0; c < N; c++) {
            double gain = 0;
            for (size_t i = 0; i < N; i++) gain += fmax(same[c][i] - covered[i], 0) / N;
            if (gain > most) most = gain;
            if (c == out[k].index) got = gain;
        }
        assert_true(got >= most - 1e-9);
        assert_true(fabs(got - out[k].gain) < 1e-9);
        for (size_t i = 0; i < N; i++) covered[i] = fmax(covered[i], same[out[k].index][i]);
    }
    cw_model_free(base);
}

static void test_probes__never_twice_and_never_more_than_there_are(void **state) {
    (void)state;
    enum { N = 12 };
    cw_model *base = base_of("boost");
    cw_problem problems[N];
    cw_probe out[2 * N];
    size_t picked;
    cw_error err = {0};
    for (size_t i = 0; i < N; i++) { /* each twice */
        char text[64];
        snprintf(text, sizeof text, "ic%zuih32oc8kh3ph1", 8 + 8 * (i / 2));
        problems[i] = parsed(text);
    }
    assert_ok(cw_pick_probes(base, NULL, problems, NULL, N, out, 2 * N, &picked, &err), err);
    assert_int_equal(picked, N / 2);
    for (size_t i = 0; i < picked; i++)
        for (size_t j = 0; j < i; j++) assert_true(out[i].index / 2 != out[j].index / 2);
    assert_ok(cw_pick_probes(base, NULL, problems, NULL, N, out, 0, &picked, &err), err);
    assert_int_equal(picked, 0);
    assert_ok(cw_pick_probes(base, NULL, problems, NULL, 0, out, 5, &picked, &err), err);
    assert_int_equal(picked, 0);
    cw_model_free(base);
}

static void test_probes__refuses_what_it_cannot_weigh(void **state) {
    (void)state;
    cw_model *base = base_of("boost"), *tree = base_of("tree");
    cw_problem p = parsed("ic8ih32oc8kh3ph1"), bad = p;
    cw_probe out[1];
    size_t picked;
    cw_error err = {0};
    bad.ic = 0;
    assert_refused(cw_pick_probes(tree, NULL, &p, NULL, 1, out, 1, &picked, &err), CW_MISMATCH, err,
                   "no sum of trees");
    assert_refused(cw_pick_probes(base, NULL, &bad, NULL, 1, out, 1, &picked, &err), CW_INVALID, err, "ic");
    static const double weights[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < CW_COUNT(weights); i++)
        assert_refused(cw_pick_probes(base, NULL, &p, &weights[i], 1, out, 1, &picked, &err), CW_INVALID, err,
                       "weight");
    cw_model_free(base);
    cw_model_free(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes__each_stands_for_the_largest_crowd_left),
        cmocka_unit_test(test_probes__greedy_is_greedy),
        cmocka_unit_test(test_probes__never_twice_and_never_more_than_there_are),
        cmocka_unit_test(test_probes__refuses_what_it_cannot_weigh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
