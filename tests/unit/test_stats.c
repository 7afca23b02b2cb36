/* test_stats.c: medians, deviations and repetitions against values worked out by hand. */
#include "unit.h"
#include "src/measure/stats.h"

static const struct {
    const char *name;
    double x[6];
    size_t n;
    cw_summary want;
} cases[] = {
    {"none", {0}, 0, {0, 0, 0}},
    {"one", {7}, 1, {7, 7, 0}},
    {"two: the mean", {4, 1}, 2, {1, 2.5, 1.5}},
    {"odd, unsorted", {9, 1, 5}, 3, {1, 5, 4}},
    /* median 3; deviations 2 1 0 1 97 -> sorted 0 1 1 2 97 -> 1: an outlier moves neither */
    {"an outlier", {1, 100, 3, 2, 4}, 5, {1, 3, 1}},
    /* median (3+4)/2; deviations 2.5 1.5 .5 .5 1.5 2.5 -> 1.5 */
    {"even", {6, 1, 5, 2, 4, 3}, 6, {1, 3.5, 1.5}},
    {"equal", {2, 2, 2, 2}, 4, {2, 2, 0}},
};

static void test_stats__summary_matches_hand_values(void **state) {
    (void)state;
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        double x[6];
        memcpy(x, cases[i].x, sizeof x);
        cw_summary got = cw_summarise(x, cases[i].n);
        if (got.min != cases[i].want.min || got.median != cases[i].want.median ||
            got.mad != cases[i].want.mad)
            fail_msg("%s: min %g median %g mad %g", cases[i].name, got.min, got.median, got.mad);
    }
}

static void test_stats__median_of_huge_values_does_not_overflow(void **state) {
    (void)state;
    double x[] = {1.7e308, 1.5e308};
    assert_true(cw_median(x, 2) == 1.6e308);
}

static void test_stats__calibration_fills_a_sample_and_no_more(void **state) {
    (void)state;
    static const struct {
        double estimate, sample;
        int64_t want;
    } rows[] = {
        {1000, 1e6, 1000},     {999, 1e6, 1002},         {3e6, 1e6, 1}, {1e6, 1e6, 1}, {0.5e6, 1e6, 2},
        {0, 1e6, CW_REPS_MAX}, {1e-9, 1e9, CW_REPS_MAX}, {1000, 0, 1},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++)
        assert_int_equal(cw_calibrate(rows[i].estimate, rows[i].sample), rows[i].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats__summary_matches_hand_values),
        cmocka_unit_test(test_stats__median_of_huge_values_does_not_overflow),
        cmocka_unit_test(test_stats__calibration_fills_a_sample_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
