/* test_validate.c: every figure equals one computed by hand; what holds for all reports; what is refused.
 * Splits: test_split.c.
 */
#include "fixture.h"

/* ---- A dataset small enough to score by hand ---- */

/*        row  layer  times a, b, c in us  library
 * one      0    x2     10   20   40          b
 *          1    x1     30   10    -          none
 * two      2    x1     10   12   50          a
 *          3    x3     40   10    8          c
 *
 * Static orders by the geomean over the other network: one: b (1.2 * 1.25), a (5), c (5); two: b (2), a (3),
 * c (12, the missing time counted as 30). */
static cw_dataset *by_hand(void) {
    cw_dataset *data = fixture_make(4, ic_only, abc, abc_families);
    fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){10, 20, 40}, 1);
    fixture_row(data, 1, "ic64ih8oc8kh3ph1", (double[]){30, 10, NONE}, -1);
    fixture_row(data, 2, "ic8ih16oc8kh3ph1", (double[]){10, 12, 50}, 0);
    fixture_row(data, 3, "ic64ih16oc8kh3ph1", (double[]){40, 10, 8}, 2);
    fixture_layer(data, "one", 0, 2);
    fixture_layer(data, "one", 1, 1);
    fixture_layer(data, "two", 2, 1);
    fixture_layer(data, "two", 3, 3);
    data->spread[2 * 3 + 0] = 1000; /* row 2: a 10 +- 1 and b 12 +- 1.2 tie */
    data->spread[2 * 3 + 1] = 1200;
    data->spread[3 * 3 + 1] = 500; /* row 3: b 10 +- 0.5 and c 8 +- 0.5 do not */
    data->spread[3 * 3 + 2] = 500;
    return data;
}

typedef struct expected {
    int64_t layers, infeasible, unmasked, fallbacks;
    double chosen, oracle, fixed, library, accuracy, ties, geomean, within, over, headroom;
} expected;

static void check_score(const cw_score *s, const expected *e) {
    assert_int_equal(s->layers, e->layers);
    assert_int_equal(s->infeasible, e->infeasible);
    assert_int_equal(s->unmasked_infeasible, e->unmasked);
    assert_int_equal(s->fallbacks, e->fallbacks);
    close_to(s->chosen_us, e->chosen);
    close_to(s->oracle_us, e->oracle);
    close_to(s->best_static_us, e->fixed);
    close_to(s->library_us, e->library);
    close_to(s->regret, e->chosen / e->oracle - 1);
    close_to(s->accuracy, e->accuracy);
    close_to(s->accuracy_ties, e->ties);
    close_to(s->geomean, e->geomean);
    close_to(s->within_5pct, e->within);
    close_to(s->over_1_5x, e->over);
    close_to(s->headroom, e->headroom);
}

static void test_validate__baselines_score_as_by_hand(void **state) {
    (void)state;
    cw_dataset *data = by_hand();
    cw_report *report = validated(data, "network", tree_only, 1);
    const double third = 1.0 / 3;
    const struct {
        const char *name;
        expected one, two;
    } cases[] = {
        {"oracle",
         {3, 0, 0, 0, 30, 30, 50, 50, 1, 1, 1, 1, 0, 1},
         {4, 0, 0, 0, 34, 34, 42, 34, 1, 1, 1, 1, 0, 1}},
        {"best static",
         {3, 0, 0, 0, 50, 30, 50, 50, third, third, pow(2, 2 * third), third, 2 * third, 0},
         {4, 0, 0, 0, 42, 34, 42, 34, 0, 0.25, pow(1.2 * pow(1.25, 3), 0.25), 0, 0, 0}},
        {"always direct",
         {3, 0, 0, 0, 50, 30, 50, 50, 2 * third, 2 * third, pow(3, third), 2 * third, third, 0},
         {4, 0, 0, 0, 130, 34, 42, 34, 0.25, 0.25, pow(5, 0.75), 0.25, 0.75, (42 - 130) / 8.0}},
        {"always gemm",
         {3, 0, 0, 0, 50, 30, 50, 50, third, third, pow(2, 2 * third), third, 2 * third, 0},
         {4, 0, 0, 0, 42, 34, 42, 34, 0, 0.25, pow(1.2 * pow(1.25, 3), 0.25), 0, 0, 0}},
        {"always winograd", /* cannot run row 1: charged best static's b */
         {3, 0, 0, 1, 90, 30, 50, 50, third, third, pow(4, 2 * third), third, 2 * third, -2},
         {4, 0, 0, 0, 74, 34, 42, 34, 0.75, 0.75, pow(5, 0.25), 0.75, 0.25, -4}},
        {"library", /* says nothing of row 1 */
         {3, 0, 0, 1, 50, 30, 50, 50, third, third, pow(2, 2 * third), third, 2 * third, 0},
         {4, 0, 0, 0, 34, 34, 42, 34, 1, 1, 1, 1, 0, 1}},
    };
    assert_int_equal(report->group_count, 2);
    assert_string_equal(report->groups[0].name, "one");
    assert_string_equal(report->groups[1].name, "two");
    assert_null(report->note);
    assert_int_equal(report->contender_count, 1 + CW_COUNT(cases));
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        const cw_contender *k = contender(report, cases[i].name);
        assert_true(k->baseline);
        assert_null(k->confusion);
        check_score(&k->groups[0], &cases[i].one);
        check_score(&k->groups[1], &cases[i].two);
    }
    cw_report_free(report);
    cw_dataset_free(data);
}

/* Trained on rows 2 and 3 the tree says a for 8 channels, c for 64; c cannot run row 1, and of the others,
 * which it finds equally unlikely, b is first in the static order. Trained on rows 0 and 1 it says a and b.
 */
static void test_validate__tree_scores_as_by_hand(void **state) {
    (void)state;
    cw_dataset *data = by_hand();
    cw_report *report = validated(data, "network", tree_only, 1);
    const cw_contender *tree = contender(report, "tree");
    const expected one = {3, 0, 1, 0, 30, 30, 50, 50, 1, 1, 1, 1, 0, 1};
    const expected two = {4, 0, 0, 0, 40, 34, 42, 34, 0.25, 0.25, pow(1.25, 0.75), 0.25, 0, 0.25};
    const expected both = {7,       0, 1,        0, 70, 64, 92, 84, 4.0 / 7, 4.0 / 7, pow(1.25, 3.0 / 7),
                           4.0 / 7, 0, 22.0 / 28};
    check_score(&tree->groups[0], &one);
    check_score(&tree->groups[1], &two);
    check_score(&tree->pooled, &both);
    check_score(&tree->by_prec[CW_F32], &both);
    assert_int_equal(tree->by_prec[CW_U8].layers, 0);
    assert_true(isnan(tree->by_prec[CW_U8].regret));
    const int64_t confusion[] = {3, 0, 0, 0, 1, 0, 0, 3, 0};
    assert_memory_equal(tree->confusion, confusion, sizeof confusion);
    cw_report_free(report);
    cw_dataset_free(data);
}

/* A kernel that training never had is the library's to choose, where its choice is known. */
static void test_validate__the_library_chooses_for_unknown_kernels(void **state) {
    (void)state;
    for (int library = -1; library < 2; library++) {
        cw_dataset *data = fixture_make(4, ic_only, abc, abc_families);
        fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){10, 20, 40}, 1);
        fixture_row(data, 1, "ic64ih8oc8kh3ph1", (double[]){40, 20, 10}, 1);
        fixture_row(data, 2, "ic8ih8oc8kh5ph2", (double[]){10, 20, 40}, library);
        fixture_row(data, 3, "ic64ih8oc8kh5ph2", (double[]){40, 20, 10}, library);
        for (size_t i = 0; i < 4; i++) fixture_layer(data, i < 2 ? "one" : "two", i, 1);
        cw_report *report = validated(data, "network", tree_only, 1);
        const cw_contender *tree = contender(report, "tree");
        close_to(tree->groups[1].chosen_us, library < 0 ? 20 : library == 0 ? 50 : 40);
        cw_report_free(report);
        cw_dataset_free(data);
    }
}

static void test_validate__precisions_are_pooled_apart(void **state) {
    (void)state;
    cw_dataset *data = fixture_make(6, ic_only, abc, abc_families);
    fixture_row(data, 0, "ic8ih8oc8kh3ph1", (double[]){10, 20, 40}, 0);
    fixture_row(data, 1, "ic8ih8oc8kh3ph1,u8", (double[]){9, 3, 4}, 0);
    fixture_row(data, 2, "ic64ih8oc8kh3ph1", (double[]){10, 20, 5}, 0);
    fixture_row(data, 3, "ic64ih8oc8kh3ph1,u8", (double[]){9, 2, 4}, 0);
    fixture_row(data, 4, "ic32ih8oc8kh3ph1", (double[]){10, 20, 40}, 0);
    fixture_row(data, 5, "ic32ih8oc8kh3ph1,u8", (double[]){9, 2, 4}, 0);
    for (size_t i = 0; i < 6; i++)
        fixture_layer(data, (const char *const[]){"one", "two", "three"}[i / 2], i, 1);
    cw_report *report = validated(data, "network", tree_only, 1);
    assert_int_equal(report->group_count, 6);
    const cw_contender *fixed = contender(report, "best static");
    for (size_t g = 0; g < 6; g++) {
        assert_int_equal(report->groups[g].prec, g % 2 ? CW_U8 : CW_F32);
        assert_int_equal(fixed->groups[g].layers, 1);
    }
    /* One order a precision: direct for f32 (but for the fold whose training has 64 channels, where c's
     * 4 * 1 loses to a's 1 * 2 as well), gemm for u8. */
    close_to(fixed->by_prec[CW_F32].chosen_us, 30);
    close_to(fixed->by_prec[CW_F32].oracle_us, 25);
    close_to(fixed->by_prec[CW_U8].chosen_us, 7);
    close_to(fixed->pooled.chosen_us, 37);
    cw_report_free(report);
    cw_dataset_free(data);
}

/* ---- Properties ---- */

/* Random times, a third of them missing, never all of a row. */
static cw_dataset *random_data(uint64_t seed) {
    enum { ROWS = 80 };
    cw_dataset *data = fixture_make(ROWS, (const char *const[]){"ic", "ih", "oc", NULL}, abc, abc_families);
    cw_rng rng = cw_rng_seed(seed);
    for (size_t i = 0; i < ROWS; i++) {
        char text[64];
        double us[3];
        size_t kept = cw_rng_below(&rng, 3);
        for (size_t c = 0; c < 3; c++) {
            us[c] = 1 + 9 * cw_rng_uniform(&rng);
            if (c != kept && cw_rng_below(&rng, 3) == 0) us[c] = NONE;
        }
        snprintf(text, sizeof text, "ic%zuih%zuoc%zukh3ph1%s", 1 + cw_rng_below(&rng, 40),
                 4 + cw_rng_below(&rng, 9), 1 + cw_rng_below(&rng, 9), i % 2 ? ",u8" : "");
        int32_t library = (int32_t)cw_rng_below(&rng, 3);
        fixture_row(data, i, text, us, isnan(us[library]) ? -1 : library);
    }
    for (size_t i = 0; i < ROWS; i++)
        fixture_layer(data, (const char *const[]){"n0", "n1", "n2", "n3"}[i / 20], i, 1 + i % 3);
    return data;
}

static void test_validate__nobody_beats_the_oracle_and_nothing_is_infeasible(void **state) {
    (void)state;
    const char *const splits[] = {"network", "near", "group", "kfold:4", "holdout:0.3"};
    const char *const learners[] = {"tree", "bayes", NULL};
    for (size_t i = 0; i < CW_COUNT(splits); i++) {
        cw_dataset *data = random_data(i);
        cw_report *report = validated(data, splits[i], learners, 5);
        for (size_t k = 0; k < report->contender_count; k++) {
            const cw_contender *c = &report->contenders[k];
            int64_t layers = 0;
            for (size_t g = 0; g < report->group_count; g++) {
                assert_true(c->groups[g].chosen_us >= c->groups[g].oracle_us * (1 - 1e-12));
                assert_true(c->groups[g].geomean >= 1 - 1e-12);
                layers += c->groups[g].layers;
            }
            assert_int_equal(c->pooled.infeasible, 0);
            assert_int_equal(c->pooled.layers, layers);
            assert_int_equal(c->by_prec[0].layers + c->by_prec[1].layers, layers);
            assert_true(c->pooled.accuracy_ties >= c->pooled.accuracy);
            if (k < 2) {
                int64_t counted = 0;
                for (size_t j = 0; j < 9; j++) counted += c->confusion[j];
                assert_int_equal(counted, layers);
            }
        }
        close_to(contender(report, "oracle")->pooled.regret, 0);
        cw_report_free(report);
        cw_dataset_free(data);
    }
}

static void test_validate__a_choice_that_cannot_run_is_counted_and_charged(void **state) {
    (void)state;
    cw_score score = {0};
    cw_verdict v = {
        .oracle = 1000, .chosen = NAN, .best_static = 2000, .library = 1000, .slowest = 5000, .tie = true};
    cw_score_add(&score, &v, 2);
    cw_score_finish(&score);
    assert_int_equal(score.infeasible, 2);
    close_to(score.chosen_us, 10);
    close_to(score.regret, 4);
    close_to(score.accuracy, 0);
    close_to(score.accuracy_ties, 0);
    close_to(score.over_1_5x, 1);
}

static void test_validate__limits_are_inclusive_as_defined(void **state) {
    (void)state;
    const struct {
        double chosen, within, over;
    } cases[] = {{1000, 1, 0}, {1050, 1, 0}, {1051, 0, 0}, {1500, 0, 0}, {1501, 0, 1}};
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_score score = {0};
        cw_verdict v = {.oracle = 1000, .chosen = cases[i].chosen, .best_static = 1000, .library = 1000};
        cw_score_add(&score, &v, 1);
        cw_score_finish(&score);
        close_to(score.within_5pct, cases[i].within);
        close_to(score.over_1_5x, cases[i].over);
        assert_true(isnan(score.headroom)); /* best static is the oracle: nothing to gain */
    }
}

static void test_validate__same_seed_same_report(void **state) {
    (void)state;
    cw_dataset *data = random_data(9);
    const char *const splits[] = {"network", "group", "kfold:3", "holdout:0.5"};
    for (size_t i = 0; i < CW_COUNT(splits); i++) {
        char *text[3];
        for (size_t j = 0; j < 3; j++) {
            cw_report *report = validated(data, splits[i], tree_only, j == 2 ? 77 : 5);
            assert_int_equal(cw_report_json(report, &text[j], NULL), CW_OK);
            cw_report_free(report);
        }
        assert_string_equal(text[0], text[1]);
        if (i > 0) assert_string_not_equal(text[0], text[2]);
        for (size_t j = 0; j < 3; j++) cw_free(text[j]);
    }
    cw_dataset_free(data);
}

/* Leaving a network out whose rivals are all won by one implementation: nothing can be learned, its best
 * static order stands in, and the report says so. */
static void test_validate__one_winner_in_training_falls_back_to_best_static(void **state) {
    (void)state;
    cw_dataset *data = by_hand();
    fixture_row(data, 3, "ic64ih16oc8kh3ph1", (double[]){4, 10, 8}, 2); /* a wins rows 2 and 3 */
    cw_report *report = validated(data, "network", tree_only, 1);
    const cw_contender *tree = contender(report, "tree");
    assert_int_equal(tree->groups[0].fallbacks, 3);
    close_to(tree->groups[0].chosen_us, tree->groups[0].best_static_us);
    assert_int_equal(tree->groups[1].fallbacks, 0);
    cw_report_free(report);
    cw_dataset_free(data);
}

static void test_validate__json_has_the_documented_fields(void **state) {
    (void)state;
    cw_dataset *data = by_hand();
    cw_report *report = validated(data, "network", tree_only, 1);
    char *text;
    assert_int_equal(cw_report_json(report, &text, NULL), CW_OK);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    const char *const fields[] = {"layers",     "accuracy", "chosen_us", "oracle_us",    "best_static_us",
                                  "library_us", "regret",   "geomean",   "within_5pct",  "over_1_5x",
                                  "infeasible", "headroom", "fallbacks", "accuracy_ties"};
    json_t *tree = json_array_get(json_object_get(json, "learners"), 0);
    json_t *group = json_array_get(json_object_get(tree, "groups"), 1);
    assert_string_equal(json_string_value(json_object_get(tree, "learner")), "tree");
    assert_string_equal(json_string_value(json_object_get(group, "name")), "two");
    assert_string_equal(json_string_value(json_object_get(group, "precision")), "f32");
    for (size_t i = 0; i < CW_COUNT(fields); i++) {
        assert_true(json_is_number(json_object_get(group, fields[i])));
        assert_true(json_is_number(json_object_get(json_object_get(tree, "pooled"), fields[i])));
    }
    close_to(json_real_value(json_object_get(group, "chosen_us")), 40);
    json_t *truth = json_array_get(json_object_get(tree, "confusion"), 2);
    assert_int_equal(json_integer_value(json_array_get(truth, 1)), 3);
    assert_int_equal(json_array_size(json_object_get(json, "baselines")), 6);
    assert_true(json_is_null(json_object_get(json, "note")));
    json_decref(json);
    cw_free(text);
    cw_report_free(report);
    cw_dataset_free(data);
}

/* ---- A given model ---- */

static cw_model *trained(const cw_dataset *data) {
    cw_model *model;
    cw_error err = {0};
    if (cw_train(data, &(cw_train_options){.learner = "tree"}, &model, &err) != CW_OK)
        fail_msg("%s", err.message);
    return model;
}

static void test_validate__given_model_is_scored_in_sample(void **state) {
    (void)state;
    cw_dataset *data = by_hand();
    data->features[0] = cw_feature_find("ih"); /* with channels alone no tree tells row 0 from 2 */
    fixture_row(data, 1, "ic64ih9oc8kh3ph1", (double[]){30, 10, NONE}, -1);
    fixture_row(data, 3, "ic64ih17oc8kh3ph1", (double[]){40, 10, 8}, 2);
    for (size_t row = 0; row < 4; row++) data->x[row] = data->problems[row].ih;
    cw_model *model = trained(data);
    cw_report *report;
    assert_int_equal(cw_validate_model(data, model, CW_MASK_RECORD, &report, NULL), CW_OK);
    assert_non_null(strstr(report->note, "in sample"));
    close_to(contender(report, "tree")->pooled.regret, 0);
    assert_int_equal(contender(report, "tree")->pooled.layers, 7);
    cw_report_free(report);
    data->hash[0] = '0';
    assert_int_equal(cw_validate_model(data, model, CW_MASK_RECORD, &report, NULL), CW_OK);
    assert_null(strstr(report->note, "in sample"));
    cw_report_free(report);
    data->features[0] = cw_feature_find("ic");
    cw_error err = {0};
    assert_int_equal(cw_validate_model(data, model, CW_MASK_RECORD, &report, &err), CW_MISMATCH);
    data->features[0] = cw_feature_find("ih");
    for (size_t c = 0; c < 3; c++) data->class_info[c].name[0] = 'u';
    assert_int_equal(cw_validate_model(data, model, CW_MASK_RECORD, &report, &err), CW_MISMATCH);
    cw_model_free(model);
    cw_dataset_free(data);
}

static void test_validate__model_keeps_the_figures_of_its_learner(void **state) {
    (void)state;
    cw_dataset *data = by_hand();
    cw_model *model = trained(data);
    cw_report *report = validated(data, "network", tree_only, 1);
    assert_int_equal(cw_model_set_validation(model, report, NULL), CW_OK);
    close_to(json_real_value(json_object_get(json_object_get(model->validation, "f32"), "chosen_us")), 70);
    assert_string_equal(json_string_value(json_object_get(model->validation, "split")), "network");
    assert_null(json_object_get(model->validation, "u8"));
    cw_report_free(report);
    report = validated(data, "network", (const char *const[]){"bayes", NULL}, 1);
    assert_int_equal(cw_model_set_validation(model, report, NULL), CW_NOT_FOUND);
    cw_report_free(report);
    cw_model_free(model);
    cw_dataset_free(data);
}

static void test_validate__bad_requests_are_refused(void **state) {
    (void)state;
    cw_dataset *data = by_hand();
    cw_report *report;
    cw_error err = {0};
    cw_validate_options options = {.split = "network", .learners = (const char *const[]){"oak", NULL}};
    assert_int_equal(cw_validate(data, &options, &report, &err), CW_NOT_FOUND);
    assert_non_null(strstr(err.message, "oak"));
    options.learners = (const char *const[]){NULL};
    assert_int_equal(cw_validate(data, &options, &report, &err), CW_INVALID);
    data->rows = 0;
    options.learners = tree_only;
    assert_int_equal(cw_validate(data, &options, &report, &err), CW_NOT_FOUND);
    assert_null(report);
    cw_dataset_free(data);
}

static void test_validate__survives_every_failed_allocation(void **state) {
    (void)state;
    cw_dataset *data = random_data(2);
    cw_validate_options options = {
        .split = "holdout:0.3",
        .learners = tree_only,
        .train = {.mask = CW_MASK_KIND, .absent = CW_ABSENT_SLOW, .tune = true, .calibrate = true}};
    cw_status status = CW_NO_MEMORY;
    for (long n = 1; status != CW_OK; n++) {
        cw_report *report = NULL;
        cw_alloc_fail_at(n);
        status = cw_validate(data, &options, &report, NULL);
        cw_alloc_fail_at(0);
        assert_true(status == CW_OK || status == CW_NO_MEMORY);
        assert_true((status == CW_OK) == (report != NULL));
        cw_report_free(report);
    }
    cw_dataset_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate__baselines_score_as_by_hand),
        cmocka_unit_test(test_validate__tree_scores_as_by_hand),
        cmocka_unit_test(test_validate__the_library_chooses_for_unknown_kernels),
        cmocka_unit_test(test_validate__precisions_are_pooled_apart),
        cmocka_unit_test(test_validate__nobody_beats_the_oracle_and_nothing_is_infeasible),
        cmocka_unit_test(test_validate__a_choice_that_cannot_run_is_counted_and_charged),
        cmocka_unit_test(test_validate__limits_are_inclusive_as_defined),
        cmocka_unit_test(test_validate__same_seed_same_report),
        cmocka_unit_test(test_validate__one_winner_in_training_falls_back_to_best_static),
        cmocka_unit_test(test_validate__json_has_the_documented_fields),
        cmocka_unit_test(test_validate__given_model_is_scored_in_sample),
        cmocka_unit_test(test_validate__model_keeps_the_figures_of_its_learner),
        cmocka_unit_test(test_validate__bad_requests_are_refused),
        cmocka_unit_test(test_validate__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
