/* test_train.c: which classes a model gets, its static order, its provenance; what cannot be learnt from. */
#include "fixture.h"

static cw_dataset *three_rows(void) {
    cw_dataset *data = fixture_make(3, ic_only, abc, abc_families);
    fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){10, NONE, 11}, 0);
    fixture_row(data, 1, "ic16ih8oc8kh3ph1", (double[]){12, NONE, 10}, 2);
    fixture_row(data, 2, "ic32ih8oc8kh3ph1", (double[]){40, 5, 20}, 1);
    return data;
}

static void test_train__classes_are_those_with_times_in_the_rows(void **state) {
    (void)state;
    cw_dataset *data = three_rows();
    cw_model *model;
    cw_error err = {0};
    const cw_train_options tree = {.learner = "tree"};
    assert_ok(cw_train_rows(data, (const size_t[]){0, 1}, 2, &tree, &model, &err), err);
    assert_int_equal(cw_model_classes(model), 2);
    assert_string_equal(cw_model_class(model, 0), "t.a");
    assert_string_equal(cw_model_class(model, 1), "t.c");
    double cost[2];
    model->learner->predict(model->state, (const double[]){16}, cost, NULL, NULL);
    assert_true(cost[1] < cost[0]); /* c won the row with 16 channels */
    cw_model_free(model);
    assert_ok(cw_train(data, &tree, &model, &err), err);
    assert_int_equal(cw_model_classes(model), 3);
    assert_int_equal(model->rows, 3);
    cw_model_free(model);
    cw_dataset_free(data);
}

/* c is far ahead in the one row it can run, and a missing time counts as the row's slowest: a plain order
 * puts it last, one with fall-back first. Then a: behind it only row 2 counts on b, which is never better
 * elsewhere. */
static void test_train__static_order_puts_a_specialist_first(void **state) {
    (void)state;
    cw_dataset *data = fixture_make(3, ic_only, abc, abc_families);
    fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){10, 40, NONE}, 0);
    fixture_row(data, 1, "ic16ih8oc8kh3ph1", (double[]){10, 40, NONE}, 0);
    fixture_row(data, 2, "ic32ih8oc8kh3ph1", (double[]){10, 10, 9}, 0);
    size_t order[3];
    cw_error err = {0};
    assert_ok(cw_static_order(data, (const size_t[]){0, 1, 2}, 3, -1, order, &err), err);
    assert_memory_equal(order, ((size_t[]){2, 0, 1}), sizeof order);
    cw_dataset_free(data);
}

/* Row 2: a 8x, c 4x its best, b best. Row 0: a 1, c 1.1, b missing = slowest 1.1. Row 1: a 1.2, c 1, b
 * missing = slowest 1.2. Products: a 9.6, b 1.32, c 4.4. */
static void test_train__static_rank_counts_a_missing_time_as_the_slowest(void **state) {
    (void)state;
    cw_dataset *data = three_rows();
    cw_model *model;
    cw_error err = {0};
    assert_ok(cw_train(data, &(cw_train_options){.learner = "tree"}, &model, &err), err);
    assert_int_equal(model->static_rank[0], 2);
    assert_int_equal(model->static_rank[1], 0);
    assert_int_equal(model->static_rank[2], 1);
    cw_model_free(model);
    const struct {
        size_t rows[3], count;
        int32_t prec;
        size_t order[3];
    } cases[] = {
        {{0, 1, 2}, 3, -1, {1, 2, 0}},
        {{0}, 1, -1, {0, 1, 2}},         /* b and c tie at 1.1: the order of the classes */
        {{1, 2}, 2, CW_F32, {1, 2, 0}},  /* 1.2 * 8, 1.2, 1 * 4 */
        {{0, 1, 2}, 3, CW_U8, {1, 2, 0}} /* none has it: all count */
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        size_t order[3];
        assert_ok(cw_static_order(data, cases[i].rows, cases[i].count, cases[i].prec, order, &err), err);
        assert_memory_equal(order, cases[i].order, sizeof order);
    }
    cw_dataset_free(data);
}

static void test_train__static_order_is_one_a_precision(void **state) {
    (void)state;
    cw_dataset *data = three_rows();
    fixture_row(data, 1, "ic16ih8oc8kh3ph1,u8", (double[]){12, NONE, 10}, 2);
    size_t order[3];
    cw_error err = {0};
    assert_ok(cw_static_order(data, (const size_t[]){0, 1, 2}, 3, CW_U8, order, &err), err);
    assert_memory_equal(order, ((size_t[]){2, 0, 1}), sizeof order);
    cw_dataset_free(data);
}

static void test_train__model_says_where_it_comes_from(void **state) {
    (void)state;
    cw_dataset *data = three_rows();
    cw_model *model;
    cw_error err = {0};
    const cw_train_options options = {.learner = "bayes", .max_depth = 3, .var_smoothing = 0.25, .seed = 7};
    assert_ok(cw_train(data, &options, &model, &err), err);
    assert_string_equal(cw_model_learner(model), "bayes");
    assert_string_equal(cw_model_features(model), "raw");
    assert_string_equal(model->machine, data->fingerprint);
    assert_string_equal(model->cpu, "Test CPU");
    assert_string_equal(model->data_hash, "feedc0defeedc0de");
    assert_string_equal(model->tool_version, cw_version());
    assert_string_equal(model->settings, "var_smoothing 0.25, seed 7");
    assert_string_equal(model->columns[0], "ic");
    assert_ptr_equal(model->bound[0], cw_feature_find("ic"));
    assert_null(model->validation);
    cw_model_free(model);
    cw_dataset_free(data);
}

static void test_train__same_data_and_options_same_bytes(void **state) {
    (void)state;
    const char *const learners[] = {"tree", "bayes"};
    for (size_t i = 0; i < CW_COUNT(learners); i++) {
        char *text[2];
        for (size_t j = 0; j < 2; j++) {
            cw_dataset *data = three_rows();
            cw_model *model;
            cw_error err = {0};
            assert_ok(cw_train(data, &(cw_train_options){.learner = learners[i], .seed = 5}, &model, &err),
                      err);
            assert_ok(cw_model_json(model, &text[j], &err), err);
            cw_model_free(model);
            cw_dataset_free(data);
        }
        assert_string_equal(text[0], text[1]);
        cw_free(text[0]);
        cw_free(text[1]);
    }
}

static void test_train__what_cannot_be_learnt_is_refused(void **state) {
    (void)state;
    cw_dataset *data = three_rows();
    cw_model *model;
    cw_error err = {0};
    cw_train_options options = {.learner = "tree"};
    const size_t twice[] = {2, 2};
    assert_refused(cw_train_rows(data, twice, 2, &options, &model, &err), CW_INVALID, err,
                   "all 2 problems are won by t.b");
    assert_null(model);
    assert_refused(cw_train_rows(data, twice, 0, &options, &model, &err), CW_NOT_FOUND, err,
                   "convwise measure");
    options.learner = "oak";
    assert_refused(cw_train(data, &options, &model, &err), CW_NOT_FOUND, err, "oak");
    assert_non_null(strstr(err.message, "bayes")); /* says what there is */
    const cw_train_options bad[] = {{.learner = "tree", .max_depth = -1},
                                    {.learner = "tree", .min_leaf = -1},
                                    {.learner = "bayes", .var_smoothing = -1},
                                    {.learner = "bayes", .var_smoothing = NAN},
                                    {.learner = "bayes", .var_smoothing = INFINITY}};
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        assert_refused(cw_train(data, &bad[i], &model, &err), CW_INVALID, err, "must be between");
    cw_dataset_free(data);
}

static void test_train__survives_every_failed_allocation(void **state) {
    (void)state;
    cw_dataset *data = three_rows();
    const cw_train_options options = {.learner = "tree"};
    cw_status status = CW_NO_MEMORY;
    for (long n = 1; status != CW_OK; n++) {
        cw_model *model = NULL;
        cw_alloc_fail_at(n);
        status = cw_train(data, &options, &model, NULL);
        cw_alloc_fail_at(0);
        assert_true(status == CW_OK || status == CW_NO_MEMORY);
        assert_true((status == CW_OK) == (model != NULL));
        cw_model_free(model);
    }
    cw_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train__classes_are_those_with_times_in_the_rows),
        cmocka_unit_test(test_train__static_order_puts_a_specialist_first),
        cmocka_unit_test(test_train__static_rank_counts_a_missing_time_as_the_slowest),
        cmocka_unit_test(test_train__static_order_is_one_a_precision),
        cmocka_unit_test(test_train__model_says_where_it_comes_from),
        cmocka_unit_test(test_train__same_data_and_options_same_bytes),
        cmocka_unit_test(test_train__what_cannot_be_learnt_is_refused),
        cmocka_unit_test(test_train__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
