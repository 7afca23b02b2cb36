/* test_adapt.c: going on from a base: offsets against figures found by other means, what is kept of the base
 * and what is not, and which bases are refused. */
#include "fixture.h"
#include "../../src/dataset/base_model.h"
#include "../../src/learn/adapt.h"
#include "../../src/problem/facts.h"

static const char *const ab[] = {"t.a", "t.b", NULL};
static const char *const bad_names[] = {"u.x", "u.y", NULL};
static const char *const ic_oc[] = {"ic", "oc", NULL};

static void assert_close(double is, double should, double slack) {
    if (!(fabs(is - should) <= slack)) fail_msg("%.9g is not %.9g", is, should);
}

/* Rows of 8, 16, 24, ... channels; a is the fastest up to half of them (or beyond it: flipped), by a quarter.
 */
static cw_dataset *ramp(size_t rows, const char *const *features, const char *const *classes, bool flipped) {
    cw_dataset *data = fixture_make(rows, features, classes, abc_families);
    for (size_t i = 0; i < rows; i++) {
        char text[64];
        bool first = (i < rows / 2) != flipped;
        snprintf(text, sizeof text, "ic%zuih8oc8kh3ph1", 8 * (i + 1));
        fixture_row(data, i, text, (double[]){first ? 100 : 125, first ? 125 : 100, 300}, 0);
    }
    return data;
}

static cw_model *trained(const cw_dataset *data, const char *learner, const cw_model *base) {
    cw_model *model = NULL;
    cw_error err = {0};
    const cw_train_options options = {.learner = learner, .split = "group", .base = base};
    assert_ok(cw_train(data, &options, &model, &err), err);
    return model;
}

static int32_t choice(const cw_model *model, double ic) {
    double cost[8];
    size_t best = 0;
    model->learner->predict(model->state, (const double[]){ic, 8}, cost, NULL, NULL);
    for (size_t c = 1; c < model->class_count; c++)
        if (cost[c] < cost[best]) best = c;
    return (int32_t)best;
}

/* Costs 0.2 and -0.1 whatever the row. */
static cw_trees *constant_trees(void) {
    cw_trees_draft *draft;
    cw_trees *trees;
    cw_error err = {0};
    assert_ok(cw_trees_draft_make(1, 2, &draft, &err), err);
    assert_true(cw_trees_begin(draft, 0, 2));
    assert_true(cw_trees_add_leaf(draft, (const double[]){0.2, -0.1}) != SIZE_MAX);
    assert_ok(cw_trees_finish(draft, &trees, &err), err);
    return trees;
}

/* One row, times 1 and 3^T: votes 3/4 and 1/4. With the base's margin m = scale * 0.3 / T against the first
 * class, offsets b and -b: the gradient 1 / (1 + exp(-(2 b - m))) - 3/4 + 0.3 b is 0, here found by
 * bisection. */
static void test_adapt__offsets_are_those_of_a_ridge(void **state) {
    (void)state;
    const double T = 0.3, pull = 0.3;
    cw_trees *base = constant_trees();
    for (int k = 0; k <= 2; k++) {
        double scale = k / 2.0, margin = scale * 0.3 / T, low = -10, high = 10;
        for (int i = 0; i < 60; i++) {
            double b = (low + high) / 2, gradient = 1 / (1 + exp(-(2 * b - margin))) - 0.75 + pull * b;
            *(gradient < 0 ? &low : &high) = b;
        }
        const cw_matrix m = {.rows = 1,
                             .columns = 1,
                             .classes = 2,
                             .x = (const double[]){1},
                             .y = (const int32_t[]){0},
                             .cost = (const double[]){1, pow(3, T)}};
        const cw_learn_base how = {base, scale, true};
        const cw_learner *boost = cw_learner_find("boost");
        cw_learn_options options = boost->defaults;
        void *made = NULL;
        cw_error err = {0};
        double cost[2];
        options.base = &how;
        assert_ok(boost->train(&m, &options, &made, &err), err);
        boost->predict(made, (const double[]){5}, cost, NULL, NULL);
        assert_close(cost[1] - cost[0], scale * -0.3 + T * 2 * low, 2e-4);
        boost->destroy(made);
    }
    cw_trees_destroy(base);
}

/* Rows with one choice say nothing: nothing but rounding may move. */
static void test_adapt__without_news_the_base_stays(void **state) {
    (void)state;
    static const double one[] = {5, NONE, NONE};
    cw_dataset *there = ramp(40, ic_only, abc, false), *here = fixture_make(1, ic_only, abc, abc_families);
    fixture_row(here, 0, "ic8ih8oc8kh3ph1", one, 0);
    static const char *const learners[] = {"boost",       "boost-time",    "ensemble",   "forest",
                                           "extra-trees", "regret-forest", "regret-tree"};
    for (size_t k = 0; k < CW_COUNT(learners); k++) {
        cw_model *base = trained(there, learners[k], NULL), *model = trained(here, NULL, base);
        assert_string_equal(cw_model_learner(model), "boost");
        assert_int_equal(model->class_count, base->class_count);
        for (double ic = 1; ic < 400; ic++) {
            double was[3], is[3];
            base->learner->predict(base->state, &ic, was, NULL, NULL);
            model->learner->predict(model->state, &ic, is, NULL, NULL);
            for (size_t c = 0; c < 3; c++) assert_close(is[c], was[c] / 2, 1e-3); /* too few rows: half */
            assert_int_equal(choice(model, ic), choice(base, ic));
        }
        cw_model_free(base);
        cw_model_free(model);
    }
    cw_dataset_free(there);
    cw_dataset_free(here);
}

/* Five rows whose b takes 1.5 times as long as there: the base's border between a and b is known from nowhere
 * else, and where both are far apart it must stay. */
static void test_adapt__few_rows_move_what_is_close_and_keep_the_rest(void **state) {
    (void)state;
    cw_dataset *there = ramp(40, ic_only, abc, false), *here = fixture_make(5, ic_only, abc, abc_families);
    cw_model *base = trained(there, "boost", NULL);
    for (size_t i = 0; i < 5; i++) {
        char text[64];
        snprintf(text, sizeof text, "ic%zuih8oc8kh3ph1", 200 + 8 * i);
        fixture_row(here, i, text, (double[]){125, 150, 100},
                    0); /* c wins all: alone it could not be learned */
    }
    cw_model *model = trained(here, NULL, base);
    assert_int_equal(choice(base, 240), 1);
    assert_int_equal(choice(model, 240), 2);
    assert_non_null(strstr(model->settings, "x 0.5, offsets only"));
    cw_model_free(base);
    cw_model_free(model);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

/* A base that is sure of what is nowhere so here is dropped, and what is learned is what is learned without.
 */
static void test_adapt__a_misleading_base_is_dropped(void **state) {
    (void)state;
    cw_dataset *there = ramp(60, ic_only, abc, false), *here = ramp(60, ic_only, abc, false);
    for (size_t i = 0; i < 60; i++) { /* in turns, and by factors */
        char text[64];
        snprintf(text, sizeof text, "ic%zuih8oc8kh3ph1", 8 * (i + 1));
        fixture_row(there, i, text, (double[]){i / 3 % 2 ? 900 : 100, i / 3 % 2 ? 100 : 900, 300}, 0);
    }
    cw_model *base = trained(there, "boost", NULL), *model = trained(here, NULL, base),
             *anew = trained(here, "boost", NULL);
    assert_string_equal(strstr(model->settings, ", base"), ", base feedc0defeedc0de x 0");
    json_t *with = model->learner->save(model->state), *without = anew->learner->save(anew->state);
    assert_true(json_equal(with, without));
    json_decref(with);
    json_decref(without);
    cw_model_free(base);
    cw_model_free(model);
    cw_model_free(anew);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

/* A base that is right is kept where 30 rows alone would not do as well. */
static void test_adapt__a_right_base_is_kept(void **state) {
    (void)state;
    cw_dataset *there = ramp(60, ic_only, abc, false), *here = ramp(60, ic_only, abc, false);
    cw_model *base = trained(there, "boost", NULL), *model = NULL;
    size_t rows[30];
    cw_error err = {0};
    for (size_t i = 0; i < 30; i++) rows[i] = 2 * i;
    const cw_train_options options = {.split = "group", .base = base};
    assert_ok(cw_train_rows(here, rows, 30, &options, &model, &err), err);
    assert_non_null(strstr(model->settings, " x 1"));
    cw_model_free(base);
    cw_model_free(model);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

/* A model with more classes than the data has, through validation and the search for harm. */
static void test_adapt__more_classes_than_the_data_validates(void **state) {
    (void)state;
    cw_dataset *there = ramp(40, ic_only, abc, false), *here = ramp(60, ic_only, ab, true);
    cw_model *base = trained(there, "boost", NULL), *model;
    cw_error err = {0};
    cw_report *report;
    const cw_train_options options = {.split = "group", .base = base, .no_harm = 0.01};
    static const char *const learners[] = {"boost", NULL};
    const cw_validate_options how = {.split = "group", .learners = learners, .train = options};
    assert_ok(cw_train(here, &options, &model, &err), err);
    assert_non_null(model->no_harm);
    assert_ok(cw_validate(here, &how, &report, &err), err);
    assert_int_equal(report->contenders[0].pooled.layers, 60);
    assert_true(report->contenders[0].pooled.accuracy > 0.9);
    cw_report_free(report);
    cw_model_free(base);
    cw_model_free(model);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

static void test_adapt__threads_do_not_matter(void **state) {
    (void)state;
    cw_dataset *there = ramp(40, ic_only, ab, false), *here = ramp(60, ic_only, abc, false);
    cw_model *base = trained(there, "ensemble", NULL);
    char *text[2] = {NULL, NULL};
    for (int32_t k = 0; k < 2; k++) {
        cw_model *model;
        cw_error err = {0};
        const cw_train_options options = {
            .split = "group", .base = base, .threads = 1 + 2 * k, .calibrate = true};
        assert_ok(cw_train(here, &options, &model, &err), err);
        assert_ok(cw_model_json(model, &text[k], &err), err);
        cw_model_free(model);
    }
    assert_string_equal(text[0], text[1]);
    cw_free(text[0]);
    cw_free(text[1]);
    cw_model_free(base);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

/* The base's classes come first, in its order; what it does not know begins at its average. */
static void test_adapt__an_unknown_class_begins_in_the_middle(void **state) {
    (void)state;
    cw_trees *base = constant_trees(), *wide;
    cw_error err = {0};
    double cost[3];
    const cw_matrix m = {.rows = 2, .columns = 1, .classes = 3, .x = (const double[]){1, 2}};
    assert_ok(cw_adapt_widen(&m, base, &wide, &err), err);
    cw_trees_predict(wide, (const double[]){7}, cost, NULL, NULL);
    assert_close(cost[0], 0.2, 1e-4);
    assert_close(cost[1], -0.1, 1e-4);
    assert_close(cost[2], 0.05, 1e-4);
    cw_trees_destroy(base);
    cw_trees_destroy(wide);
}

/* There: 1x1 and 3x3, a and b. Here: 3x3 alone, b and c; a cannot run. */
static void test_adapt__what_may_run_is_what_ran_here_or_on_other_kernels_there(void **state) {
    (void)state;
    cw_dataset *there = fixture_make(4, ic_only, ab, abc_families),
               *here = fixture_make(2, ic_only, (const char *const[]){"t.b", "t.c", NULL}, abc_families);
    fixture_row(there, 0, "ic8ih8oc8kh1", (double[]){1, 2}, 0);
    fixture_row(there, 1, "ic64ih8oc8kh1", (double[]){2, 1}, 0);
    fixture_row(there, 2, "ic8ih8oc8kh3ph1", (double[]){1, 2}, 0);
    fixture_row(there, 3, "ic64ih8oc8kh3ph1", (double[]){2, 1}, 0);
    fixture_row(here, 0, "ic16ih8oc8kh3ph1", (double[]){1, 2}, 0);
    fixture_row(here, 1, "ic512ih8oc8kh3ph1", (double[]){2, 1}, 0);
    cw_model *base = trained(there, "boost", NULL), *model = trained(here, NULL, base);
    assert_int_equal(model->class_count, 3);
    assert_string_equal(model->classes[0], "t.a");
    assert_string_equal(model->classes[1], "t.b");
    assert_string_equal(model->classes[2], "t.c");
    assert_int_equal(model->static_rank[0], 2); /* it has no time here */
    const uint8_t *three = cw_row_seen(here, 0, model->seen, NULL),
                  *one = cw_row_seen(there, 0, model->seen, NULL);
    assert_memory_equal(three, ((uint8_t[]){0, 1, 1}), 3);
    assert_memory_equal(one, ((uint8_t[]){1, 1, 0}), 3);
    const cw_problem *small = &there->problems[0], *large = &here->problems[1];
    assert_null(cw_problem_outside(small, cw_model_bounds(model, 0), cw_model_bounds(model, 1)));
    assert_null(cw_problem_outside(large, cw_model_bounds(model, 0), cw_model_bounds(model, 1)));
    assert_non_null(cw_problem_outside(large, cw_model_bounds(base, 0), cw_model_bounds(base, 1)));
    cw_model_free(base);
    cw_model_free(model);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

static void test_adapt__facts_take_the_worse_of_both(void **state) {
    (void)state;
    cw_dataset *there = ramp(10, ic_only, abc, false), *here = ramp(4, ic_only, ab, false);
    there->class_info[0].tally =
        (cw_tally){.workspaces = 1, .workspace = 3, .errors = {1, 0}, .error = {1e-3, 0}};
    here->class_info[0].tally =
        (cw_tally){.workspaces = 1, .workspace = 2, .errors = {1, 0}, .error = {1e-2, 0}};
    there->class_info[2].tally = (cw_tally){.times = 1, .log_ns_per_mac = 5, .workspaces = 1, .workspace = 7};
    cw_model *base = trained(there, "boost", NULL), *model = trained(here, NULL, base);
    const double *a = model->facts->value, *c = a + 2 * CW_FACT_COUNT;
    assert_close(a[CW_FACT_workspace], 3, 0);
    assert_close(a[CW_FACT_error_f32], 1e-2, 0);
    assert_close(c[CW_FACT_workspace], 7, 0);
    assert_true(isnan(c[CW_FACT_log_ns_per_mac])); /* the other machine's speed is none of this one's */
    cw_model_free(base);
    cw_model_free(model);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

static void test_adapt__refuses_what_is_no_base(void **state) {
    (void)state;
    cw_dataset *there = ramp(20, ic_only, abc, false), *here = ramp(20, ic_only, abc, false),
               *wider = ramp(20, ic_oc, abc, false), *others = ramp(20, ic_only, bad_names, false);
    cw_model *tree = trained(there, "tree", NULL), *bayes = trained(there, "bayes", NULL),
             *boost = trained(there, "boost", NULL);
    const struct {
        const cw_dataset *data;
        const cw_model *base;
        const char *learner;
        cw_status status;
        const char *says;
    } cases[] = {
        {here, tree, NULL, CW_MISMATCH, "tree, is no sum of trees"},
        {here, bayes, "boost", CW_MISMATCH, "bayes, is no sum of trees"},
        {here, boost, "forest", CW_INVALID, "learner boost, not forest"},
        {here, boost, "boost-time", CW_INVALID, "learner boost, not boost-time"},
        {wider, boost, NULL, CW_MISMATCH, "1 features (raw) are not the data's 2"},
        {others, boost, NULL, CW_MISMATCH, "none of the base's implementations (it knows t.a"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_model *model = NULL;
        cw_error err = {0};
        const cw_train_options options = {.learner = cases[i].learner, .base = cases[i].base};
        assert_int_equal(cw_train(cases[i].data, &options, &model, &err), cases[i].status);
        assert_null(model);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].says);
    }
    cw_model_free(tree);
    cw_model_free(bayes);
    cw_model_free(boost);
    cw_dataset_free(there);
    cw_dataset_free(here);
    cw_dataset_free(wider);
    cw_dataset_free(others);
}

static void test_adapt__survives_every_failing_allocation(void **state) {
    (void)state;
    cw_dataset *there = ramp(12, ic_only, abc, false), *here = ramp(6, ic_only, abc, true);
    cw_model *base = trained(there, "boost", NULL), *model = NULL;
    const cw_train_options options = {.split = "group", .base = base, .trees = 2, .threads = 1};
    cw_status status = CW_NO_MEMORY;
    long n = 0;
    while (status == CW_NO_MEMORY && n < 2000) {
        cw_error err = {0};
        cw_alloc_fail_at(++n);
        status = cw_train(here, &options, &model, &err);
        cw_alloc_fail_at(0);
        assert_true(status == CW_OK || (status == CW_NO_MEMORY && !model));
    }
    assert_int_equal(status, CW_OK);
    assert_true(n > 20);
    cw_model_free(model);
    cw_model_free(base);
    cw_dataset_free(there);
    cw_dataset_free(here);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adapt__offsets_are_those_of_a_ridge),
        cmocka_unit_test(test_adapt__without_news_the_base_stays),
        cmocka_unit_test(test_adapt__few_rows_move_what_is_close_and_keep_the_rest),
        cmocka_unit_test(test_adapt__a_misleading_base_is_dropped),
        cmocka_unit_test(test_adapt__a_right_base_is_kept),
        cmocka_unit_test(test_adapt__more_classes_than_the_data_validates),
        cmocka_unit_test(test_adapt__threads_do_not_matter),
        cmocka_unit_test(test_adapt__an_unknown_class_begins_in_the_middle),
        cmocka_unit_test(test_adapt__what_may_run_is_what_ran_here_or_on_other_kernels_there),
        cmocka_unit_test(test_adapt__facts_take_the_worse_of_both),
        cmocka_unit_test(test_adapt__refuses_what_is_no_base),
        cmocka_unit_test(test_adapt__survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
