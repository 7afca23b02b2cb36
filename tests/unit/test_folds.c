/* test_folds.c: groups dealt to folds, rows of a fold, and which rows of a dataset are a group. */
#include "fixture.h"
#include "../../src/learn/folds.h"
#include <string.h>

static void test_folds__groups_stay_together_and_folds_are_even(void **state) {
    (void)state;
    enum { ROWS = 500 };
    int32_t group[ROWS], fold[ROWS], of_group[60];
    cw_rng rng = cw_rng_seed(3);
    for (size_t i = 0; i < ROWS; i++) group[i] = (int32_t)cw_rng_below(&rng, 60);
    for (size_t wanted = 2; wanted <= 7; wanted++) {
        size_t folds = wanted, size[7] = {0};
        assert_int_equal(cw_folds_deal(group, ROWS, &folds, wanted, fold, NULL), CW_OK);
        assert_int_equal(folds, wanted);
        for (size_t g = 0; g < 60; g++) of_group[g] = -1;
        for (size_t i = 0; i < ROWS; i++) {
            assert_in_range(fold[i], 0, folds - 1);
            if (of_group[group[i]] < 0) of_group[group[i]] = fold[i];
            assert_int_equal(of_group[group[i]], fold[i]);
            size[fold[i]]++;
        }
        for (size_t f = 0; f < folds; f++) assert_in_range(size[f], ROWS / folds - 25, ROWS / folds + 25);
    }
}

static void test_folds__names_of_groups_do_not_matter_and_the_seed_does(void **state) {
    (void)state;
    enum { ROWS = 200 };
    int32_t group[ROWS], renamed[ROWS], a[ROWS], b[ROWS], c[ROWS];
    size_t folds = 4;
    for (int32_t i = 0; i < ROWS; i++) {
        group[i] = i * 37 % 50;
        renamed[i] = 1000000 - 7 * group[i];
    }
    assert_int_equal(cw_folds_deal(group, ROWS, &folds, 1, a, NULL), CW_OK);
    assert_int_equal(cw_folds_deal(renamed, ROWS, &folds, 1, b, NULL), CW_OK);
    assert_int_equal(cw_folds_deal(group, ROWS, &folds, 2, c, NULL), CW_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

static void test_folds__no_more_folds_than_groups(void **state) {
    (void)state;
    const int32_t group[] = {4, 4, 9, 4};
    int32_t fold[4];
    size_t folds = 5;
    assert_int_equal(cw_folds_deal(group, 4, &folds, 0, fold, NULL), CW_OK);
    assert_int_equal(folds, 2);
    assert_int_equal(fold[0], fold[3]);
    assert_int_not_equal(fold[0], fold[2]);
    folds = 3;
    assert_int_equal(cw_folds_deal(NULL, 4, &folds, 0, fold, NULL), CW_OK);
    assert_int_equal(folds, 3);
}

static void test_folds__rows_of_a_fold_are_copied_in_order(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4, 5, 6}, cost[] = {1, 9, 9, 2, NONE, 3};
    const int32_t y[] = {0, 1, 1}, fold[] = {0, 1, 0}, group[] = {7, 8, 9};
    const uint8_t lost[] = {0, 1, 0, 0, 1, 0};
    cw_matrix data = {3, 2, 2, x, y, cost, NULL, lost, group}, in, out;
    assert_int_equal(cw_rows_of_fold(&data, fold, 0, true, &in, NULL), CW_OK);
    assert_int_equal(cw_rows_of_fold(&data, fold, 0, false, &out, NULL), CW_OK);
    assert_int_equal(in.rows, 2);
    assert_int_equal(out.rows, 1);
    assert_memory_equal(in.x, ((double[]){1, 2, 5, 6}), 4 * sizeof *x);
    assert_memory_equal(out.x, x + 2, 2 * sizeof *x);
    assert_true(isnan(in.cost[2]) && in.cost[3] == 3 && out.cost[1] == 2);
    assert_memory_equal(in.y, ((int32_t[]){0, 1}), 2 * sizeof *y);
    assert_memory_equal(in.lost, ((uint8_t[]){0, 1, 1, 0}), 4);
    assert_int_equal(in.group[1], 9);
    assert_null(in.scale);
    cw_rows_release(&in);
    cw_rows_release(&out);
}

/* What belongs together, by split: rows with the same letter. */
static void test_folds__groups_follow_the_split(void **state) {
    (void)state;
    static const char *const problems[] = {
        "ic8ih8oc8kh3ph1",       /* 0: of net one */
        "ic8ih8oc8kh3ph1,u8",    /* 1: the same shape, no layer */
        "ic8ih9oc8kh3ph1",       /* 2: near 0; of net two */
        "ic8ih9oc8kh3ph1sh2",    /* 3: other stride; no net */
        "ic64ih8oc8kh3ph1",      /* 4: of both nets: the first counts */
        "mb2ic8ih8oc8kh3ph1sh2", /* 5: near 3; no net */
    };
    static const struct {
        const char *split, *letters;
    } cases[] = {
        {"group", "aaaaba"}, {"near", "aaabcb"},    {"network", "aabcac"},
        {NULL, "aabcac"},    {"kfold:3", "abcdef"},
    };
    cw_dataset *data = fixture_make(6, ic_only, abc, abc_families);
    for (size_t i = 0; i < 6; i++) fixture_row(data, i, problems[i], (double[]){1, 2, 3}, 0);
    fixture_layer(data, "one", 0, 1);
    fixture_layer(data, "one", 4, 1);
    fixture_layer(data, "two", 2, 1);
    fixture_layer(data, "two", 4, 1);
    int32_t group[6];
    for (size_t k = 0; k < CW_COUNT(cases); k++) {
        assert_int_equal(cw_split_groups(data, cases[k].split, group, NULL), CW_OK);
        for (size_t i = 0; i < 6; i++)
            for (size_t j = 0; j < i; j++)
                if ((group[i] == group[j]) != (cases[k].letters[i] == cases[k].letters[j]))
                    fail_msg("split %s: rows %zu and %zu", cases[k].split ? cases[k].split : "default", i, j);
    }
    data->labelled = true; /* labels have no networks to speak of */
    assert_int_equal(cw_split_groups(data, "group", group, NULL), CW_OK);
    assert_true(group[0] == group[2] && group[0] != group[3] && group[3] == group[5]);
    cw_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folds__groups_stay_together_and_folds_are_even),
        cmocka_unit_test(test_folds__names_of_groups_do_not_matter_and_the_seed_does),
        cmocka_unit_test(test_folds__no_more_folds_than_groups),
        cmocka_unit_test(test_folds__rows_of_a_fold_are_copied_in_order),
        cmocka_unit_test(test_folds__groups_follow_the_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
