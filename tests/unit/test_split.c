/* test_split.c: splits keep what they must out of training. */
#include "fixture.h"

static const char *const split_problems[] = {
    "ic8ih8oc8kh3ph1",       /* 0: one */
    "ic8ih8oc8kh3ph1,u8",    /* 1: one, and two has it as well */
    "ic8ih8oc8kh3ph1,u8,zp", /* 2: nobody's, but row 0's shape */
    "ic8ih8oc8kh3ph1,t2",    /* 3: likewise */
    "ic8ih16oc8kh3ph1",      /* 4: two: near row 0 */
    "ic8ih8oc8kh3sh2ph1",    /* 5: two: other stride */
    "ic8ih8oc8kh1",          /* 6: two */
    "ic16ih8oc8kh3ph1",      /* 7: nobody's */
    "mb2ic8ih8oc8kh3ph1",    /* 8: nobody's: near row 0 */
    "ic32ih8oc8kh3ph1",      /* 9: three */
};

static cw_dataset *for_splits(void) {
    cw_dataset *data = fixture_make(CW_COUNT(split_problems), ic_only, abc, abc_families);
    for (size_t i = 0; i < data->rows; i++)
        fixture_row(data, i, split_problems[i], (double[]){1, 2, (double)(i % 3) + 0.5}, 0);
    fixture_layer(data, "one", 0, 1);
    fixture_layer(data, "one", 1, 1);
    fixture_layer(data, "three", 9, 5);
    fixture_layer(data, "two", 1, 1);
    fixture_layer(data, "two", 4, 1);
    fixture_layer(data, "two", 5, 1);
    fixture_layer(data, "two", 6, 1);
    return data;
}

static void check_train(const cw_fold *fold, const char *name, const char *rows) {
    char text[64] = "";
    for (size_t i = 0; i < fold->train_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%zu ", fold->train[i]);
    assert_string_equal(fold->name, name);
    assert_string_equal(text, rows);
}

static void test_split__network_split_removes_every_copy_of_its_layers(void **state) {
    (void)state;
    cw_dataset *data = for_splits();
    cw_split split;
    assert_int_equal(cw_split_make(data, "network", 1, &split, NULL), CW_OK);
    assert_int_equal(split.count, 3);
    assert_false(split.random);
    check_train(&split.folds[0], "one", "4 5 6 7 8 9 ");
    check_train(&split.folds[1], "three", "0 1 2 3 4 5 6 7 8 ");
    check_train(&split.folds[2], "two", "7 8 9 ");
    assert_int_equal(split.folds[1].test_count, 1);
    assert_int_equal(split.folds[1].tests[0].row, 9);
    assert_int_equal(split.folds[1].tests[0].count, 5);
    cw_split_release(&split);
    cw_dataset_free(data);
}

static void test_split__near_split_removes_other_sizes_too(void **state) {
    (void)state;
    cw_dataset *data = for_splits();
    cw_split split;
    assert_int_equal(cw_split_make(data, "near", 1, &split, NULL), CW_OK);
    check_train(&split.folds[0], "one", "5 6 7 9 ");
    check_train(&split.folds[1], "three", "0 1 2 3 4 5 6 7 8 ");
    check_train(&split.folds[2], "two", "7 9 ");
    cw_split_release(&split);
    cw_dataset_free(data);
}

static void test_split__group_split_keeps_groups_together(void **state) {
    (void)state;
    cw_dataset *data = for_splits();
    for (uint64_t seed = 0; seed < 20; seed++) {
        cw_split split;
        size_t seen = 0;
        assert_int_equal(cw_split_make(data, "group", seed, &split, NULL), CW_OK);
        assert_int_equal(split.count, 4); /* ic 8, 16, 32 with 3x3, ic 8 with 1x1 */
        for (size_t f = 0; f < split.count; f++) {
            const cw_fold *fold = &split.folds[f];
            seen += fold->test_count;
            assert_int_equal(fold->test_count + fold->train_count, data->rows);
            for (size_t t = 0; t < fold->test_count; t++)
                for (size_t i = 0; i < fold->train_count; i++) {
                    const cw_problem *a = &data->problems[fold->tests[t].row],
                                     *b = &data->problems[fold->train[i]];
                    assert_false(a->ic == b->ic && a->oc == b->oc && a->kh == b->kh && a->kw == b->kw);
                }
        }
        assert_int_equal(seen, data->rows);
        cw_split_release(&split);
    }
    cw_dataset_free(data);
}

static void test_split__kfold_tests_each_row_once(void **state) {
    (void)state;
    cw_dataset *data = for_splits();
    const char *const splits[] = {"kfold:2", "kfold:3", "kfold:10"};
    for (size_t s = 0; s < CW_COUNT(splits); s++) {
        cw_split split;
        int tested[CW_COUNT(split_problems)] = {0};
        assert_int_equal(cw_split_make(data, splits[s], 7, &split, NULL), CW_OK);
        assert_true(split.random);
        for (size_t f = 0; f < split.count; f++) {
            int here[CW_COUNT(split_problems)] = {0};
            for (size_t t = 0; t < split.folds[f].test_count; t++) {
                tested[split.folds[f].tests[t].row]++;
                here[split.folds[f].tests[t].row]++;
            }
            for (size_t i = 0; i < split.folds[f].train_count; i++) here[split.folds[f].train[i]]++;
            for (size_t row = 0; row < data->rows; row++) assert_int_equal(here[row], 1);
        }
        for (size_t row = 0; row < data->rows; row++) assert_int_equal(tested[row], 1);
        cw_split_release(&split);
    }
    cw_dataset_free(data);
}

static void test_split__holdout_holds_its_share_out(void **state) {
    (void)state;
    cw_dataset *data = for_splits();
    cw_split split;
    assert_int_equal(cw_split_make(data, "holdout:0.3", 7, &split, NULL), CW_OK);
    assert_int_equal(split.count, 1);
    assert_int_equal(split.folds[0].test_count, 3);
    assert_int_equal(split.folds[0].train_count, 7);
    cw_split_release(&split);
    cw_dataset_free(data);
}

static void test_split__default_split_follows_the_data(void **state) {
    (void)state;
    cw_dataset *data = for_splits();
    cw_split split;
    assert_int_equal(cw_split_make(data, NULL, 7, &split, NULL), CW_OK);
    assert_string_equal(split.name, "network");
    cw_split_release(&split);
    data->layer_count = 2; /* only "one" is left */
    assert_int_equal(cw_split_make(data, NULL, 7, &split, NULL), CW_OK);
    assert_string_equal(split.name, "group");
    cw_split_release(&split);
    cw_dataset_free(data);
}

static void test_split__impossible_splits_are_refused(void **state) {
    (void)state;
    cw_dataset *data = for_splits();
    const char *const splits[] = {"",
                                  "networks",
                                  "kfold",
                                  "kfold:",
                                  "kfold:1",
                                  "kfold:11",
                                  "kfold:2x",
                                  "holdout:0",
                                  "holdout:1",
                                  "holdout:0.01",
                                  "holdout:nan",
                                  "holdout:-1",
                                  "holdout:0.99",
                                  "group:5",
                                  "a split whose name goes on and on and on and on"};
    for (size_t i = 0; i < CW_COUNT(splits); i++) {
        cw_split split;
        cw_error err = {0};
        if (cw_split_make(data, splits[i], 1, &split, &err) != CW_INVALID) fail_msg("%s", splits[i]);
        assert_non_null(strstr(err.message, "split"));
        cw_split_release(&split);
    }
    data->layer_count = 0;
    cw_split split;
    assert_int_equal(cw_split_make(data, "network", 1, &split, NULL), CW_INVALID);
    cw_split_release(&split);
    cw_dataset_free(data);
}

/* ---- Leaks: winners are drawn at random, so only who has seen a layer can know its winner ---- */

static cw_dataset *noise(void) {
    enum { SHAPES = 60, NETS = 6 };
    cw_dataset *data = fixture_make(2 * SHAPES, ic_only, abc, abc_families);
    cw_rng rng = cw_rng_seed(11);
    for (size_t i = 0; i < SHAPES; i++) {
        char text[2][64];
        double us[3] = {2, 2, 2};
        us[cw_rng_below(&rng, 3)] = 1;
        /* Near ones: same channels at two sizes, with the same winner. */
        snprintf(text[0], sizeof text[0], "ic%zuih8oc8kh3ph1", 8 + i);
        snprintf(text[1], sizeof text[1], "ic%zuih8oc8kh3ph1,u8", 8 + i);
        fixture_row(data, 2 * i, text[0], us, 0);
        fixture_row(data, 2 * i + 1, text[1], us, 0);
    }
    for (size_t net = 0; net < NETS; net++)
        for (size_t i = 0; i < SHAPES / NETS; i++) {
            char name[8];
            snprintf(name, sizeof name, "n%zu", net);
            fixture_layer(data, name, 2 * (net * SHAPES / NETS + i), 1); /* the f32 row only */
        }
    return data;
}

static void test_split__held_out_rows_are_never_learned(void **state) {
    (void)state;
    cw_dataset *data = noise();
    const char *const honest[] = {"network", "near", "group"};
    for (size_t i = 0; i < CW_COUNT(honest); i++) {
        cw_report *report = validated(data, honest[i], tree_only, 3);
        assert_true(contender(report, "tree")->pooled.accuracy < 0.6); /* chance: a third */
        assert_null(report->note);
        cw_report_free(report);
    }
    cw_report *report = validated(data, "kfold:10", tree_only, 3);
    assert_true(contender(report, "tree")->pooled.accuracy > 0.8); /* the other precision tells */
    assert_string_equal(report->note, "random: flatters");
    cw_report_free(report);
    cw_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split__network_split_removes_every_copy_of_its_layers),
        cmocka_unit_test(test_split__near_split_removes_other_sizes_too),
        cmocka_unit_test(test_split__group_split_keeps_groups_together),
        cmocka_unit_test(test_split__kfold_tests_each_row_once),
        cmocka_unit_test(test_split__holdout_holds_its_share_out),
        cmocka_unit_test(test_split__default_split_follows_the_data),
        cmocka_unit_test(test_split__impossible_splits_are_refused),
        cmocka_unit_test(test_split__held_out_rows_are_never_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
