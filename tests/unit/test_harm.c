/* test_harm.c: where a learner is worse than the static order, the order chooses; expectations are counted by
 * hand from times that are made so that one group of shapes can be learned and another cannot. */
#include "fixture.h"

static const char *const ic_and_kh[] = {"ic", "kh", NULL};
static const char *const ab[] = {"t.a", "t.b", NULL};

/* Times of what cannot be learned: b always takes 100; a 96 or 1000, which the channels do not tell. */
static void noise_row(cw_dataset *data, size_t row, const char *format, int channels) {
    char text[64];
    snprintf(text, sizeof text, format, channels);
    bool lucky = (uint32_t)(channels * channels) * 2654435761U >> 30 & 1;
    fixture_row(data, row, text, (double[]){lucky ? 96 : 1000, 100}, -1);
}

/* 40 learnable rows of 1x1 (a up to 40 channels, b above, 4 times as fast), 40 of 3x3 that are noise. */
static cw_dataset *half_learnable(void) {
    cw_dataset *data = fixture_make(80, ic_and_kh, ab, abc_families);
    for (int i = 0; i < 40; i++) {
        char text[64];
        snprintf(text, sizeof text, "ic%dih8oc8kh1", 2 * i + 2);
        fixture_row(data, (size_t)i, text, (double[]){i < 20 ? 100 : 400, i < 20 ? 400 : 100}, -1);
        noise_row(data, (size_t)(40 + i), "ic%dih8oc8kh3ph1", 2 * i + 1);
    }
    return data;
}

static cw_model *trained(const cw_dataset *data, double margin) {
    cw_model *model;
    cw_error err = {0};
    assert_ok(cw_train(data, &(cw_train_options){.learner = "tree", .no_harm = margin}, &model, &err), err);
    return model;
}

static const json_t *group_of(const cw_model *model, const char *name) {
    const json_t *groups = json_object_get(model->no_harm, "groups"), *entry;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)groups, i, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "group")), name) == 0) return entry;
    }
    fail_msg("no group %s", name);
    return NULL;
}

static double figure(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static const char *first_choice(const cw_model *model, const char *format, int channels) {
    char text[64];
    cw_problem p;
    cw_choice best;
    size_t count;
    cw_error err = {0};
    snprintf(text, sizeof text, format, channels);
    assert_ok(cw_problem_parse(text, &p, &err), err);
    assert_ok(cw_choose(model, NULL, &p, &best, 1, &count, &err), err);
    return best.impl;
}

static void test_harm__groups_are_the_first_condition_that_holds(void **state) {
    (void)state;
    static const struct {
        const char *problem, *group;
    } cases[] = {
        {"ic8ih9oc8kh1", "f32 1x1"},
        {"ic8ih9oc8kh1sh2,u8", "u8 1x1"},
        {"g2ic8ih9oc8kh1", "f32 1x1"},
        {"g8ic8ih9oc8kh1", "f32 depthwise"},
        {"g8ic8ih9oc8kh3ph1", "f32 depthwise"},
        {"ic8ih9oc8kh3ph1", "f32 3x3s1"},
        {"ic8ih9oc8kh3ph1sh2", "f32 other"},
        {"ic8ih9oc8kh3ph2dh1", "f32 other"},
        {"ic8ih9oc8kh1kw3pw1", "f32 other"},
        {"ic8id5ih9oc8od5kd3pd1kh1", "f32 other"},
        {"ic8ih9oc8kh5ph2,f16", "f16 other"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_problem p;
        cw_error err = {0};
        char name[32];
        if (cw_problem_parse(cases[i].problem, &p, &err) != CW_OK)
            fail_msg("%s: %s", cases[i].problem, err.message);
        cw_shape_group_name(cw_problem_shape_group(&p), name, sizeof name);
        if (strcmp(name, cases[i].group) != 0) fail_msg("%s is %s", cases[i].problem, name);
        assert_int_equal(cw_shape_group_find(name), cw_problem_shape_group(&p));
    }
    assert_int_equal(cw_shape_group_find("f32 7x7"), -1);
}

static void test_harm__static_order_chooses_where_it_is_better(void **state) {
    (void)state;
    cw_dataset *data = half_learnable();
    cw_model *model = trained(data, 0.01), *plain = trained(data, 0);
    const json_t *noise = group_of(model, "f32 3x3s1"), *learnable = group_of(model, "f32 1x1"),
                 *overall = json_object_get(model->no_harm, "overall");
    assert_true(json_is_true(json_object_get(noise, "static")));
    assert_true(json_is_false(json_object_get(learnable, "static")));
    assert_true(figure(noise, "pooled") > 1.01 && figure(learnable, "pooled") < 0.7);
    close_to(figure(noise, "rows"), 40);
    close_to(figure(learnable, "rows"), 40);
    /* always b: 40 x 100 for the noise, 20 x 400 + 20 x 100 for the others */
    close_to(figure(overall, "static_us"), 40 * 100 + 20 * 400 + 20 * 100);
    /* the noise by b, the others by the learner */
    close_to(figure(overall, "us"), 40 * 100 + figure(learnable, "pooled") * 10000);
    assert_true(json_is_false(json_object_get(overall, "worse")));
    assert_null(plain->no_harm);
    int differ = 0;
    for (int i = 0; i < 40; i++) {
        assert_string_equal(first_choice(model, "ic%dih8oc8kh3ph1", 2 * i + 1), "t.b");
        assert_string_equal(first_choice(model, "ic%dih8oc8kh1", 2 * i + 2),
                            first_choice(plain, "ic%dih8oc8kh1", 2 * i + 2));
        differ += strcmp(first_choice(plain, "ic%dih8oc8kh3ph1", 2 * i + 1), "t.b") != 0;
    }
    assert_true(differ > 0); /* the learner alone chooses otherwise */
    cw_model_free(model);
    cw_model_free(plain);
    cw_dataset_free(data);
}

static void test_harm__a_loaded_model_falls_back_too(void **state) {
    (void)state;
    cw_dataset *data = half_learnable();
    cw_model *model = trained(data, 0.01), *loaded;
    cw_error err = {0};
    char *text, *again;
    assert_ok(cw_model_json(model, &text, &err), err);
    assert_ok(cw_model_parse(text, strlen(text), "text", &loaded, &err), err);
    assert_ok(cw_model_json(loaded, &again, &err), err);
    assert_string_equal(text, again);
    assert_int_equal(loaded->static_groups, model->static_groups);
    assert_string_equal(first_choice(loaded, "ic%dih8oc8kh3ph1", 15), "t.b");
    cw_model_free(loaded);
    char *name = strstr(text, "f32 3x3s1");
    memcpy(name, "f32 7x7s1", 9);
    assert_int_equal(cw_model_parse(text, strlen(text), "text", &loaded, &err), CW_MISMATCH);
    assert_non_null(strstr(err.message, "f32 7x7s1"));
    cw_free(text);
    cw_free(again);
    cw_model_free(model);
    cw_dataset_free(data);
}

/* In the rows of the noise the given model loses nothing more than b does. */
static void test_harm__validation_honours_it(void **state) {
    (void)state;
    cw_dataset *data = half_learnable();
    cw_model *model = trained(data, 0.01);
    cw_report *report;
    cw_error err = {0};
    assert_ok(cw_validate_model(data, model, CW_MASK_RECORD, &report, &err), err);
    close_to(contender(report, "tree")->pooled.chosen_us, 40 * 100 + 40 * 100);
    cw_report_free(report);
    cw_model_free(model);
    cw_dataset_free(data);
}

/* The library knows what no feature tells: 96 where a is lucky, else b's 100. It has no say on 1x1. */
static void test_harm__the_library_chooses_where_it_is_better(void **state) {
    (void)state;
    cw_dataset *data = half_learnable();
    double best = 0;
    for (size_t row = 40; row < 80; row++) {
        data->library[row] = data->y[row];
        best += data->time[row * data->classes + (size_t)data->y[row]] / 1e3;
    }
    cw_model *model = trained(data, 0.01);
    assert_true(json_is_true(json_object_get(group_of(model, "f32 3x3s1"), "library")));
    assert_true(json_is_false(json_object_get(group_of(model, "f32 1x1"), "library")));
    cw_report *report;
    cw_error err = {0};
    assert_ok(cw_validate_model(data, model, CW_MASK_RECORD, &report, &err), err);
    close_to(contender(report, "tree")->pooled.chosen_us, best + 40 * 100);
    cw_report_free(report);
    cw_model_free(model);
    cw_dataset_free(data);
}

/* Two groups of 15: too few rows for a verdict on either, enough for one on the model. */
static void test_harm__worse_overall_is_said(void **state) {
    (void)state;
    cw_dataset *data = fixture_make(30, ic_and_kh, ab, abc_families);
    for (int i = 0; i < 30; i++)
        noise_row(data, (size_t)i, i < 15 ? "ic%dih8oc8kh1" : "ic%dih8oc8kh3ph1", i < 15 ? 2 * i + 1 : 2 * i);
    cw_model *model = trained(data, 0.01);
    assert_int_equal(model->static_groups, 0);
    assert_true(json_is_true(json_object_get(json_object_get(model->no_harm, "overall"), "worse")));
    cw_model_free(model);
    model = trained(data, 1); /* twice the time and more is asked for */
    bool worse = json_is_true(json_object_get(json_object_get(model->no_harm, "overall"), "worse"));
    const json_t *overall = json_object_get(model->no_harm, "overall");
    assert_true(worse == (fmax(figure(overall, "pooled"), figure(overall, "geomean")) > 2));
    cw_model_free(model);
    cw_dataset_free(data);
}

static void test_harm__bad_margins_are_refused(void **state) {
    (void)state;
    cw_dataset *data = half_learnable();
    cw_model *model = NULL;
    cw_error err = {0};
    assert_int_equal(cw_train(data, &(cw_train_options){.learner = "tree", .no_harm = 1.5}, &model, &err),
                     CW_INVALID);
    assert_non_null(strstr(err.message, "margin"));
    assert_null(model);
    cw_dataset_free(data);
}

static void test_harm__survives_every_failed_allocation(void **state) {
    (void)state;
    cw_dataset *data = half_learnable();
    cw_status status = CW_NO_MEMORY;
    for (long n = 1; status != CW_OK; n += 7) {
        cw_model *model = NULL;
        cw_alloc_fail_at(n);
        status = cw_train(data, &(cw_train_options){.learner = "tree", .no_harm = 0.01}, &model, NULL);
        cw_alloc_fail_at(0);
        assert_true(status == CW_OK || status == CW_NO_MEMORY);
        assert_true((status == CW_OK) == (model != NULL));
        cw_model_free(model);
    }
    cw_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harm__groups_are_the_first_condition_that_holds),
        cmocka_unit_test(test_harm__static_order_chooses_where_it_is_better),
        cmocka_unit_test(test_harm__a_loaded_model_falls_back_too),
        cmocka_unit_test(test_harm__validation_honours_it),
        cmocka_unit_test(test_harm__the_library_chooses_where_it_is_better),
        cmocka_unit_test(test_harm__worse_overall_is_said),
        cmocka_unit_test(test_harm__bad_margins_are_refused),
        cmocka_unit_test(test_harm__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
