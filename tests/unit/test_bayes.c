/* test_bayes.c: naive Bayes on cases worked out by hand, and its limits. Equality with scikit-learn is
 * test_learn_sklearn.py, emitted C is test_learn_emit.py. */
#include "unit.h"
#include "src/learn/learn.h"
#include <float.h>
#include <math.h>

static const cw_learn_options plain = {.min_leaf = 1, .var_smoothing = 1e-9};

static const cw_learner *bayes(void) {
    return cw_learner_find("bayes");
}

static void *train(const cw_matrix *m, const cw_learn_options *options) {
    cw_error err;
    void *state = NULL;
    assert_ok(bayes()->train(m, options, &state, &err), err);
    return state;
}

/* Class 0: 1, 3 (mean 2, variance 1); class 1: 6, 8, 10 (mean 8, variance 8/3). All rows: 1 3 6 8 10,
 * mean 5.6, variance 10.64. Smoothing 0.5 adds 5.32 to both. */
static void test_bayes__costs_are_the_negative_log_likelihood(void **unused) {
    (void)unused;
    const double x[] = {1, 3, 6, 8, 10}, at = 5;
    const int32_t y[] = {0, 0, 1, 1, 1};
    void *state =
        train(&(cw_matrix){5, 1, 2, x, y, NULL, NULL, NULL, NULL}, &(cw_learn_options){.var_smoothing = 0.5});
    double v0 = 1 + 5.32, v1 = 8.0 / 3 + 5.32, pi = acos(-1.0), cost[2], share[2], ns[2];
    double c0 = -log(0.4 * exp(-9 / (2 * v0)) / sqrt(2 * pi * v0));
    double c1 = -log(0.6 * exp(-9 / (2 * v1)) / sqrt(2 * pi * v1));
    bayes()->predict(state, &at, cost, share, ns);
    assert_true(fabs(cost[0] - c0) < 1e-12 && fabs(cost[1] - c1) < 1e-12);
    assert_true(fabs(share[0] - exp(-c0) / (exp(-c0) + exp(-c1))) < 1e-12);
    assert_true(fabs(share[0] + share[1] - 1) < 1e-15);
    assert_true(isnan(ns[0]) && isnan(ns[1]));
    bayes()->destroy(state);
}

static void test_bayes__mean_far_from_zero_keeps_its_variance(void **unused) {
    (void)unused;
    double x[] = {1e9 + 1, 1e9 + 3, 1e9 + 6, 1e9 + 8, 1e9 + 10}, near[] = {1, 3, 6, 8, 10}, at = 1e9 + 5,
           low = 5;
    const int32_t y[] = {0, 0, 1, 1, 1};
    void *far = train(&(cw_matrix){5, 1, 2, x, y, NULL, NULL, NULL, NULL}, &plain);
    void *state = train(&(cw_matrix){5, 1, 2, near, y, NULL, NULL, NULL, NULL}, &plain);
    double a[2], b[2];
    bayes()->predict(far, &at, a, NULL, NULL);
    bayes()->predict(state, &low, b, NULL, NULL);
    assert_true(fabs(a[0] - b[0]) < 1e-5 && fabs(a[1] - b[1]) < 1e-5);
    bayes()->destroy(far);
    bayes()->destroy(state);
}

static void test_bayes__a_class_never_seen_is_never_first(void **unused) {
    (void)unused;
    const double x[] = {1, 2, 6, 8}, at[] = {1, 1e6, 1e300, INFINITY, NAN};
    const int32_t y[] = {0, 0, 2, 2};
    void *state = train(&(cw_matrix){4, 1, 3, x, y, NULL, NULL, NULL, NULL}, &plain);
    for (size_t i = 0; i < CW_COUNT(at); i++) {
        double cost[3], share[3];
        bayes()->predict(state, &at[i], cost, share, NULL);
        for (size_t c = 0; c < 3; c++) {
            assert_true(isfinite(cost[c]));
            assert_true(share[c] >= 0 && share[c] <= 1);
        }
        assert_true(cost[1] == DBL_MAX);
        assert_true(fabs(share[0] + share[1] + share[2] - 1) < 1e-12);
        if (at[i] < 1e100) assert_true(share[1] == 0);
    }
    bayes()->destroy(state);
}

static void test_bayes__constant_columns_leave_the_priors(void **unused) {
    (void)unused;
    const double x[] = {5, 5, 5, 5}, at = 5;
    const int32_t y[] = {0, 1, 1, 1};
    void *state = train(&(cw_matrix){4, 1, 2, x, y, NULL, NULL, NULL, NULL}, &plain);
    double cost[2], share[2];
    bayes()->predict(state, &at, cost, share, NULL);
    assert_true(fabs(share[0] - 0.25) < 1e-12 && fabs(share[1] - 0.75) < 1e-12);
    bayes()->destroy(state);
}

static void test_bayes__refuses_what_cannot_be_learned(void **unused) {
    (void)unused;
    const double x[] = {1, 2}, huge[] = {1e200, -1e200};
    const int32_t y[] = {0, 1}, one[] = {0, 0};
    cw_error err;
    void *state = NULL;
    const cw_matrix good = {2, 1, 2, x, y, NULL, NULL, NULL, NULL};
    const double smoothings[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < CW_COUNT(smoothings); i++)
        assert_refused(
            bayes()->train(&good, &(cw_learn_options){.var_smoothing = smoothings[i]}, &state, &err),
            CW_INVALID, err, "smoothing");
    assert_refused(
        bayes()->train(&(cw_matrix){2, 1, 2, x, one, NULL, NULL, NULL, NULL}, &plain, &state, &err),
        CW_INVALID, err, "nothing to learn");
    assert_refused(
        bayes()->train(&(cw_matrix){2, 1, 2, huge, y, NULL, NULL, NULL, NULL}, &plain, &state, &err),
        CW_INVALID, err, "too large");
    assert_null(state);
}

static void test_bayes__explains_the_columns_that_decide(void **unused) {
    (void)unused;
    /* Column b parts the classes, column a does not. */
    const double x[] = {1, 10, 3, 12, 1, 50, 3, 52};
    const int32_t y[] = {0, 0, 1, 1};
    const char *const columns[] = {"a", "b"}, *const classes[] = {"own.gemm", "own.direct"};
    void *state = train(&(cw_matrix){4, 2, 2, x, y, NULL, NULL, NULL, NULL}, &plain);
    cw_buf out = {0};
    bayes()->explain(state, x, columns, classes, &out);
    char *text = cw_buf_take(&out);
    const char *a = strstr(text, "a = 1.0"), *b = strstr(text, "b = 10.0 (mean 11.0 against 51.0)");
    if (strncmp(text, "own.gemm: probability 1.0", 25) != 0 || !a || !b || b > a) fail_msg("%s", text);
    cw_free(text);
    bayes()->destroy(state);
}

static void test_bayes__survives_lack_of_memory(void **unused) {
    (void)unused;
    const double x[] = {1, 2, 6, 8};
    const int32_t y[] = {0, 0, 1, 1}, place[] = {0, 1};
    int failed = 0;
    for (long n = 1;; n++) {
        void *state = NULL;
        cw_buf out = {0};
        cw_alloc_fail_at(n);
        cw_status status =
            bayes()->train(&(cw_matrix){4, 1, 2, x, y, NULL, NULL, NULL, NULL}, &plain, &state, NULL);
        if (status == CW_OK) status = bayes()->emit_c(state, "p", place, 2, &out, NULL);
        cw_alloc_fail_at(0);
        bayes()->destroy(state);
        cw_buf_release(&out);
        if (status == CW_OK) break;
        assert_int_equal(status, CW_NO_MEMORY);
        failed++;
    }
    assert_true(failed >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bayes__costs_are_the_negative_log_likelihood),
        cmocka_unit_test(test_bayes__mean_far_from_zero_keeps_its_variance),
        cmocka_unit_test(test_bayes__a_class_never_seen_is_never_first),
        cmocka_unit_test(test_bayes__constant_columns_leave_the_priors),
        cmocka_unit_test(test_bayes__refuses_what_cannot_be_learned),
        cmocka_unit_test(test_bayes__explains_the_columns_that_decide),
        cmocka_unit_test(test_bayes__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
