/* test_seen.c: which implementations were seen on which kinds of kernel: the table, what is made of it when
 * training, choosing and validating, and what a file may say. */
#include "fixture.h"
#include <string.h>

/* Two kinds: 3x3 and 1x1; c is seen on 3x3 only, b wins 1x1 and a 3x3. Row 2 has no time of c. */
static cw_dataset *two_kinds(void) {
    cw_dataset *data = fixture_make(6, ic_only, abc, abc_families);
    fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){10, 20, 40}, -1);
    fixture_row(data, 1, "ic16ih8oc8kh3ph1", (double[]){10, 12, 11}, -1);
    fixture_row(data, 2, "ic24ih8oc8kh3ph1", (double[]){10, 15, NONE}, -1);
    fixture_row(data, 3, "ic32ih8oc8kh1", (double[]){10, 5, NONE}, -1);
    fixture_row(data, 4, "ic40ih8oc8kh1", (double[]){10, 5, NONE}, -1);
    fixture_row(data, 5, "ic48ih8oc8kh1", (double[]){10, 5, NONE}, -1);
    return data;
}

static cw_model *tree_of(const cw_dataset *data) {
    cw_model *model;
    cw_error err = {0};
    if (cw_train(data, &(cw_train_options){.learner = "tree"}, &model, &err) != CW_OK)
        fail_msg("%s", err.message);
    return model;
}

/* Against a search by comparing every row, over random problems. */
static void test_seen__table_is_what_the_rows_say(void **state) {
    (void)state;
    enum { ROWS = 300 };
    static const char *const conditions[] = {"", ",u8", ",u8,zp", ",nchw", ",t2", ",bwd_d"};
    cw_dataset *data = fixture_make(ROWS, ic_only, abc, abc_families);
    cw_rng rng = cw_rng_seed(8);
    size_t rows[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        char text[128];
        double us[3] = {NONE, NONE, NONE};
        us[cw_rng_below(&rng, 3)] = 1;
        size_t g = cw_rng_below(&rng, 3);
        snprintf(text, sizeof text, "g%dic8ih%zuoc8kh%zuph1sh%zudh%zu%s",
                 g == 0   ? 1
                 : g == 1 ? 2
                          : 8,
                 6 + cw_rng_below(&rng, 4), 1 + cw_rng_below(&rng, 2), 1 + cw_rng_below(&rng, 2),
                 cw_rng_below(&rng, 2), conditions[cw_rng_below(&rng, CW_COUNT(conditions))]);
        fixture_row(data, i, text, us, -1);
        rows[i] = i;
    }
    cw_seen *seen;
    assert_int_equal(cw_dataset_seen(data, rows, ROWS, NULL, 3, &seen, NULL), CW_OK);
    size_t kinds = 0;
    for (size_t i = 0; i < ROWS; i++) {
        bool has[3] = {false}, first = true;
        for (size_t j = 0; j < ROWS; j++) {
            const cw_problem *a = &data->problems[i], *b = &data->problems[j];
            bool same = a->kh == b->kh && a->kw == b->kw && a->sh == b->sh && a->sw == b->sw &&
                        a->dh == b->dh && a->dw == b->dw && (a->g == 1) == (b->g == 1) &&
                        (a->g == a->ic) == (b->g == b->ic) && a->prec == b->prec && a->zp == b->zp &&
                        a->layout == b->layout && a->dir == b->dir;
            if (same && j < i) first = false;
            for (size_t c = 0; same && c < 3; c++) has[c] |= !isnan(data->time[j * 3 + c]);
        }
        kinds += first;
        int width;
        const uint8_t *found = cw_row_seen(data, i, seen, &width);
        assert_true(found && width == 0);
        for (size_t c = 0; c < 3; c++) assert_int_equal(found[c], has[c]);
    }
    size_t exact = 0;
    for (size_t k = 0; k < seen->kinds; k++) exact += seen->key[k * CW_KIND_FIELD_COUNT] != CW_KIND_ANY;
    assert_int_equal(exact, kinds);
    assert_true(kinds > 20 && kinds < ROWS);
    cw_seen_free(seen);
    cw_dataset_free(data);
}

/* Kinds of stride 1: 3x3 (a, b), 1x1 (a, c), 5x5 (a, b), 2x2 (a); of stride 2: 3x3 (d, b). */
static void test_seen__wider_kinds_have_what_their_kinds_share(void **state) {
    (void)state;
    static const char *const classes[] = {"t.a", "t.b", "t.c", "t.d", NULL};
    static const cw_family families[4] = {CW_FAMILY_GEMM, CW_FAMILY_GEMM, CW_FAMILY_GEMM, CW_FAMILY_GEMM};
    static const struct {
        const char *problem, *may; /* NULL: nothing */
        int width;
    } cases[] = {
        {"ic8ih8oc8kh3ph1", "ab", 0},
        {"ic8ih8oc8kh1", "ac", 0},
        {"ic8ih8oc8kh2", "a", 0},
        {"ic8ih8oc8kh4", "ab", 1},    /* a 4, b 2, c 1 of four kernels */
        {"ic8ih8oc8kh2sh2", "bd", 1}, /* of one */
        {"ic8ih8oc8kh3sh3", "ab", 2}, /* a 4, b 3, c 1, d 1 of all five */
        {"ic8ih8oc8kh3ph1dh1", "ab", 2},
        {"ic8ih8oc8kh3ph1,u8", NULL, CW_KIND_WIDTHS},
        {"g2ic8ih8oc8kh3ph1", NULL, CW_KIND_WIDTHS},
    };
    cw_dataset *data = fixture_make(6 + CW_COUNT(cases), ic_only, classes, families);
    fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){1, NONE, NONE, NONE}, -1);
    fixture_row(data, 1, "ic16ih8oc8kh3ph1", (double[]){NONE, 1, NONE, NONE}, -1);
    fixture_row(data, 2, "ic8ih8oc8kh1", (double[]){1, NONE, 2, NONE}, -1);
    fixture_row(data, 3, "ic8ih8oc8kh5ph1", (double[]){1, 2, NONE, NONE}, -1);
    fixture_row(data, 4, "ic8ih8oc8kh2", (double[]){1, NONE, NONE, NONE}, -1);
    fixture_row(data, 5, "ic8ih8oc8kh3sh2", (double[]){NONE, 1, NONE, 2}, -1);
    cw_seen *seen;
    assert_int_equal(cw_dataset_seen(data, (const size_t[]){0, 1, 2, 3, 4, 5}, 6, NULL, 4, &seen, NULL),
                     CW_OK);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        int width;
        char may[5] = {0};
        fixture_row(data, 6 + i, cases[i].problem, (double[]){1, NONE, NONE, NONE}, -1);
        const uint8_t *found = cw_row_seen(data, 6 + i, seen, &width);
        for (size_t c = 0; found && c < 4; c++)
            if (found[c]) may[strlen(may)] = classes[c][2];
        assert_true(!found == !cases[i].may);
        if (found) assert_string_equal(may, cases[i].may);
        assert_int_equal(width, cases[i].width);
    }
    cw_seen_free(seen);
    cw_dataset_free(data);
}

static cw_choice first_choice(const cw_model *model, const char *problem, cw_choice out[3]) {
    cw_problem p;
    size_t count;
    assert_int_equal(cw_problem_parse(problem, &p, NULL), CW_OK);
    assert_int_equal(cw_choose(model, NULL, &p, out, 3, &count, NULL), CW_OK);
    assert_int_equal(count, 3);
    return out[0];
}

static void test_seen__what_was_never_measured_on_a_kernel_ranks_last(void **state) {
    (void)state;
    cw_dataset *data = two_kinds();
    cw_model *model = tree_of(data);
    cw_choice out[3];
    assert_string_equal(first_choice(model, "ic9ih8oc8kh3ph1", out).impl, "t.a");
    for (size_t i = 0; i < 3; i++) assert_null(out[i].why_not);
    assert_string_equal(first_choice(model, "ic40ih8oc8kh1", out).impl, "t.b");
    assert_string_equal(out[2].impl, "t.c");
    assert_null(out[1].why_not);
    assert_non_null(strstr(out[2].why_not, "never measured"));
    assert_true(isinf(out[2].cost) && out[2].cost > 0);
    /* a kernel that no row has: what runs on others like it, and a word about it */
    assert_string_equal(first_choice(model, "ic40ih8oc8kh5", out).impl, "t.b");
    assert_null(out[0].why_not);
    assert_false(out[0].by_static_order);
    assert_non_null(strstr(out[0].unlike, "no such kernel"));
    /* conditions that no row has: the static order */
    first_choice(model, "ic40ih8oc8kh3,u8", out);
    for (size_t i = 0; i < 3; i++) {
        size_t c = 0;
        while (strcmp(model->classes[c], out[i].impl) != 0) c++;
        assert_int_equal(model->static_rank[c], i);
        assert_non_null(out[i].why_not);
    }
    cw_model_free(model);
    cw_dataset_free(data);
}

static void test_seen__survives_the_file(void **state) {
    (void)state;
    cw_dataset *data = two_kinds();
    cw_model *model = tree_of(data), *back;
    char *text, *again;
    assert_int_equal(cw_model_json(model, &text, NULL), CW_OK);
    assert_int_equal(cw_model_parse(text, strlen(text), "m", &back, NULL), CW_OK);
    assert_int_equal(back->seen->kinds, 4); /* two kinds, and what they are of, twice */
    assert_memory_equal(back->seen->key, model->seen->key, 4 * CW_KIND_FIELD_COUNT * sizeof(int32_t));
    assert_memory_equal(back->seen->has, model->seen->has, 12);
    assert_int_equal(cw_model_json(back, &again, NULL), CW_OK);
    assert_string_equal(text, again);
    cw_free(text);
    cw_free(again);
    cw_model_free(back);
    cw_model_free(model);
    cw_dataset_free(data);
}

#define NAMED(kinds) "{\"fields\":[\"kh\",\"kw\"],\"kinds\":" kinds "}"
static void test_seen__malformed_tables_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *json, *says;
    } cases[] = {
        {NAMED("[[[1,1],[0]],[[1,2],[2,1]]]"), NULL},
        {NAMED("[]"), "seen.kinds"},
        {NAMED("[[[1,1],[]]]"), "not empty"},
        {NAMED("[[[1],[0]]]"), "list of 2 numbers"},
        {NAMED("[[[1,1],[0],3]]"), "list of 2 numbers"},
        {NAMED("[[[1,1.5],[0]]]"), "32 bits"},
        {NAMED("[[[1,2147483648],[0]]]"), "32 bits"},
        {NAMED("[[[1,1],[3]]]"), "classes 0 to 2"},
        {NAMED("[[[1,1],[-1]]]"), "classes 0 to 2"},
        {NAMED("[[[1,1],[1,1]]]"), "classes 0 to 2"},
        {NAMED("[[[1,1],[0]],[[1,1],[1]]]"), "ascend"},
        {NAMED("[[[2,1],[0]],[[1,9],[1]]]"), "ascend"},
        {"{\"fields\":[],\"kinds\":[[[],[0]]]}", "seen.fields"},
        {"{\"fields\":[3],\"kinds\":[[[1],[0]]]}", "seen.fields[0]"},
        {"{\"kinds\":[[[1],[0]]]}", "seen.fields"},
        {"7", "seen.fields"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        json_t *json = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        cw_seen *seen = NULL;
        cw_error err = {0};
        assert_non_null(json);
        cw_status status = cw_seen_load(json, 3, &seen, &err);
        assert_int_equal(status, cases[i].says ? CW_FORMAT : CW_OK);
        if (cases[i].says && !strstr(err.message, cases[i].says)) fail_msg("case %zu: %s", i, err.message);
        assert_true(!seen == (cases[i].says != NULL));
        cw_seen_free(seen);
        json_decref(json);
    }
}

/* A table by other fields than this build's. */
static void test_seen__other_fields_are_a_mismatch(void **state) {
    (void)state;
    cw_dataset *data = two_kinds();
    cw_model *model = tree_of(data), *back = NULL;
    cw_error err = {0};
    char *text;
    assert_int_equal(cw_model_json(model, &text, NULL), CW_OK);
    char *at = strstr(strstr(text, "\"seen\""), "\"kh\"");
    at[1] = 'q';
    assert_int_equal(cw_model_parse(text, strlen(text), "m", &back, &err), CW_MISMATCH);
    assert_non_null(strstr(err.message, "retrain"));
    cw_free(text);
    cw_model_free(model);
    cw_dataset_free(data);
}

/* Leaving out net one (row 0, and row 3 of the other kind), the rest is learned from: masked by kind c may be
 * chosen for row 2, which has no time of it. */
static void test_seen__mask_by_kind_charges_what_has_no_time(void **state) {
    (void)state;
    cw_dataset *data = fixture_make(6, ic_only, abc, abc_families);
    fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){10, 20, 4}, -1);
    fixture_row(data, 1, "ic16ih8oc8kh3ph1", (double[]){10, 12, 3}, -1);
    fixture_row(data, 2, "ic12ih8oc8kh3ph1", (double[]){10, 15, NONE}, 0); /* tested: c is wished for */
    fixture_row(data, 3, "ic13ih8oc8kh1,nchw", (double[]){10, 5, NONE},
                -1); /* tested: nothing like it seen */
    fixture_row(data, 4, "ic40ih8oc8kh3ph1", (double[]){10, 5, 7}, -1);
    fixture_row(data, 5, "ic48ih8oc8kh3ph1", (double[]){10, 5, 7}, -1);
    fixture_layer(data, "one", 2, 1);
    fixture_layer(data, "one", 3, 1);
    fixture_layer(data, "two", 0, 1);
    cw_validate_options options = {
        .split = "network", .learners = tree_only, .train = {.learner = "tree", .mask = CW_MASK_KIND}};
    cw_report *report;
    assert_int_equal(cw_validate(data, &options, &report, NULL), CW_OK);
    const cw_score *one = &contender(report, "tree")->groups[0],
                   *fixed = &contender(report, "best static")->groups[0];
    assert_string_equal(report->groups[0].name, "one");
    /* Static order from rows 0, 1, 4, 5: c (4, 3, 7, 7) first. Row 2: c, charged 15; row 3: c again,
     * charged 10. */
    assert_int_equal(one->infeasible, 2);
    assert_int_equal(one->fallbacks, 1);
    close_to(one->chosen_us, 15 + 10);
    close_to(one->oracle_us, 10 + 5);
    close_to(one->geomean, sqrt(1.5 * 2));
    close_to(fixed->chosen_us, 25);
    assert_int_equal(fixed->infeasible, 2);
    cw_report_free(report);
    report = validated(data, "network", tree_only, 0);
    one = &contender(report, "tree")->groups[0];
    assert_int_equal(one->infeasible, 0);
    cw_report_free(report);
    cw_dataset_free(data);
}

static void test_seen__given_model_is_masked_by_what_it_saw_itself(void **state) {
    (void)state;
    cw_dataset *data = two_kinds();
    cw_model *model = tree_of(data);
    cw_report *report;
    cw_error err = {0};
    assert_int_equal(cw_validate_model(data, model, CW_MASK_KIND, &report, &err), CW_OK);
    close_to(contender(report, "tree")->pooled.geomean, 1);
    cw_report_free(report);
    cw_seen_free(model->seen);
    model->seen = NULL;
    assert_int_equal(cw_validate_model(data, model, CW_MASK_KIND, &report, &err), CW_INVALID);
    assert_null(report);
    cw_model_free(model);
    cw_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen__table_is_what_the_rows_say),
        cmocka_unit_test(test_seen__wider_kinds_have_what_their_kinds_share),
        cmocka_unit_test(test_seen__what_was_never_measured_on_a_kernel_ranks_last),
        cmocka_unit_test(test_seen__survives_the_file),
        cmocka_unit_test(test_seen__malformed_tables_are_refused),
        cmocka_unit_test(test_seen__other_fields_are_a_mismatch),
        cmocka_unit_test(test_seen__mask_by_kind_charges_what_has_no_time),
        cmocka_unit_test(test_seen__given_model_is_masked_by_what_it_saw_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
