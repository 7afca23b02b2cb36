/* test_heldout.c: settings chosen by cross-validation, and what choices are expected to lose, against figures
 * reckoned here; what a file may say of them. The learner is a made-up one whose quality is its setting. */
#include "fixture.h"
#include "../../src/learn/heldout.h"
#include <string.h>

/* ---- A learner that can be seen through: with min_leaf L it chooses class 1 where x > L, else class 0; its
 * share of the chosen is 0.5 + x / 200. ---- */

typedef struct toy {
    double limit;
} toy;
static int trained;

static cw_status toy_train(const cw_matrix *data, const cw_learn_options *options, void **state,
                           cw_error *err) {
    toy *t = cw_alloc(sizeof *t);
    (void)data;
    if (!t) return cw_fail_memory(err);
    t->limit = options->min_leaf;
    *state = t;
    trained++;
    return CW_OK;
}

static void toy_predict(const void *state, const double *x, double *cost, double *share, double *unit) {
    (void)unit;
    int best = *x > ((const toy *)state)->limit;
    cost[best] = 0;
    cost[!best] = 1;
    share[best] = 0.5 + *x / 200;
    share[!best] = 1 - share[best];
}

static void toy_destroy(void *state) {
    cw_free(state);
}

static const cw_learn_options toy_grid[] = {
    {.min_leaf = 20}, {.min_leaf = 50}, {.min_leaf = 60}, {.min_leaf = 50, .trees = 7}, {0}};
static const cw_learner toy_learner = {.name = "toy",
                                       .defaults = {.min_leaf = 1, .trees = 3},
                                       .grid = toy_grid,
                                       .train = toy_train,
                                       .predict = toy_predict,
                                       .destroy = toy_destroy};

enum { ROWS = 100 };
typedef struct numbers {
    double x[ROWS], cost[ROWS * 2];
    int32_t y[ROWS], group[ROWS];
    cw_matrix m;
    cw_inner inner;
} numbers;
static const int32_t rank[] = {0, 1};

/* Class 1 is the faster one where x > 50. */
static numbers *made(void) {
    numbers *n = cw_alloc(sizeof *n);
    assert_non_null(n);
    for (int i = 0; i < ROWS; i++) {
        n->x[i] = i;
        n->y[i] = i > 50;
        n->group[i] = i / 4;
        n->cost[2 * i] = i > 50 ? 20 : 10;
        n->cost[2 * i + 1] = i > 50 ? 10 : 30;
    }
    n->m = (cw_matrix){ROWS, 1, 2, n->x, n->y, n->cost, NULL, NULL, n->group};
    n->inner = (cw_inner){&n->m, NULL, rank};
    return n;
}

static void test_tune__takes_the_settings_that_lose_least(void **state) {
    (void)state;
    numbers *n = made();
    static const struct {
        cw_learn_options given;
        int32_t min_leaf, trees;
        int trainings; /* 3 a candidate; equal candidates once */
    } cases[] = {
        {{0}, 50, 3, 15},                         /* the first of two equally good */
        {{.trees = 9}, 50, 9, 12},                /* what is given stays, and makes two entries one */
        {{.min_leaf = 60}, 60, 3, 6},             /* only trees are open */
        {{.min_leaf = 33, .trees = 2}, 33, 2, 3}, /* nothing is */
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_learn_options out;
        trained = 0;
        assert_int_equal(cw_tune(&n->inner, &toy_learner, &cases[i].given, &out, NULL), CW_OK);
        assert_int_equal(out.min_leaf, cases[i].min_leaf);
        assert_int_equal(out.trees, cases[i].trees);
        assert_int_equal(trained, cases[i].trainings);
    }
    n->m.cost = NULL; /* labels only: by how many are right */
    cw_learn_options out;
    assert_int_equal(cw_tune(&n->inner, &toy_learner, &cases[0].given, &out, NULL), CW_OK);
    assert_int_equal(out.min_leaf, 50);
    cw_free(n);
}

static void test_tune__one_group_leaves_the_defaults(void **state) {
    (void)state;
    numbers *n = made();
    cw_learn_options out, given = {0};
    memset(n->group, 0, sizeof n->group);
    trained = 0;
    assert_int_equal(cw_tune(&n->inner, &toy_learner, &given, &out, NULL), CW_OK);
    assert_int_equal(trained, 0);
    assert_int_equal(out.min_leaf, 1);
    cw_free(n);
}

/* What is lost but may be chosen counts as the slowest; what may not be chosen is passed over. */
static void test_heldout__choices_and_losses_as_by_hand(void **state) {
    (void)state;
    const double cost[] = {10, NONE, 25, NONE, 5, 20}, wish[] = {3, 1, 2};
    const uint8_t also[] = {0, 1, 0, 0, 0, 0};
    const int32_t order[] = {2, 0, 1};
    cw_matrix m = {.rows = 2, .classes = 3, .cost = cost};
    cw_inner masked = {&m, NULL, order}, open = {&m, also, order};
    assert_int_equal(cw_inner_choose(&masked, 0, wish), 2);
    assert_int_equal(cw_inner_choose(&open, 0, wish), 1);
    assert_int_equal(cw_inner_choose(&open, 1, wish), 1);
    assert_int_equal(cw_inner_choose(&masked, 1, (double[]){0, 4, 4}), 1); /* a tie: by place */
    close_to(cw_inner_loss(&open, 0, 1), log(2.5));
    close_to(cw_inner_loss(&open, 0, 0), 0);
    close_to(cw_inner_loss(&open, 1, 2), log(4));
}

/* The chosen is wrong for x in 51..60 of min_leaf 60, by log 2; the share orders rows by x, so that the map
 * must have the mean loss of neighbours, not descending in the signal. */
static void test_calibration__promises_what_was_met(void **state) {
    (void)state;
    numbers *n = made();
    cw_learn_options settings = {.min_leaf = 60};
    cw_calibration *map;
    assert_int_equal(cw_calibration_fit(&n->inner, &toy_learner, &settings, &map, NULL), CW_OK);
    assert_non_null(map);
    double promised = 0, met = 0, last = INFINITY;
    for (int i = 0; i < ROWS; i++) {
        double cost[2], share[2];
        toy_predict(&(toy){60}, &n->x[i], cost, share, NULL);
        size_t chosen = i > 60;
        double promise = cw_calibration_promise(map, cost, share, 2, NULL, chosen);
        assert_true(promise <= last); /* surer with x */
        last = promise;
        promised += promise;
        met += cw_inner_loss(&n->inner, (size_t)i, (int32_t)chosen);
        close_to(cw_calibration_promise(map, cost, share, 2, (uint8_t[]){chosen == 0, chosen == 1}, chosen),
                 0);
    }
    close_to(met, 10 * log(2));
    close_to(promised, met); /* pooling keeps the sum */
    for (size_t i = 1; i < map->steps; i++)
        assert_true(map->upto[i] > map->upto[i - 1] && map->loss[i] > map->loss[i - 1]);
    cw_free(map);
    cw_free(n);
}

static void test_calibration__too_little_to_go_by_is_none(void **state) {
    (void)state;
    numbers *n = made();
    cw_learn_options settings = {.min_leaf = 60};
    cw_calibration *map;
    n->m.rows = 30;
    assert_int_equal(cw_calibration_fit(&n->inner, &toy_learner, &settings, &map, NULL), CW_OK);
    assert_null(map);
    n->m.rows = ROWS;
    for (int i = 0; i < ROWS; i++) n->cost[2 * i + !n->y[i]] = NONE; /* nothing to choose */
    assert_int_equal(cw_calibration_fit(&n->inner, &toy_learner, &settings, &map, NULL), CW_OK);
    assert_null(map);
    memset(n->group, 0, sizeof n->group);
    assert_int_equal(cw_calibration_fit(&n->inner, &toy_learner, &settings, &map, NULL), CW_OK);
    assert_null(map);
    n->m.cost = NULL;
    assert_int_equal(cw_calibration_fit(&n->inner, &toy_learner, &settings, &map, NULL), CW_OK);
    assert_null(map);
    cw_free(n);
}

static void test_calibration__signals_as_by_hand(void **state) {
    (void)state;
    const double cost[] = {1, 3, 2, 9}, share[] = {0.5, 0.1, 0.2, 0.2};
    const uint8_t but_last[] = {1, 1, 1, 0};
    close_to(cw_signal_of(CW_SIGNAL_SHARE, cost, share, 4, NULL, 0), 0.5);
    close_to(cw_signal_of(CW_SIGNAL_SHARE, cost, share, 4, but_last, 0), 0.375);
    close_to(cw_signal_of(CW_SIGNAL_MARGIN, cost, share, 4, but_last, 0), -1);
    close_to(cw_signal_of(CW_SIGNAL_SPREAD, cost, share, 4, but_last, 0), (0.1 * 2 + 0.2 * 1) / 0.8);
    close_to(cw_signal_of(CW_SIGNAL_SHARE, cost, (double[]){0, 0, 0, 1}, 4, but_last, 0), 0); /* 0 / 0 */
}

static void test_calibration__survives_the_file_and_refuses_nonsense(void **state) {
    (void)state;
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"{\"signal\":\"margin\",\"steps\":[[-3,0.0],[-1.5,0.25]]}", NULL},
        {"{\"signal\":\"mood\",\"steps\":[[1,0]]}", "calibration.signal"},
        {"{\"steps\":[[1,0]]}", "calibration.signal"},
        {"{\"signal\":\"share\",\"steps\":[]}", "1 to 32"},
        {"{\"signal\":\"share\"}", "1 to 32"},
        {"{\"signal\":\"share\",\"steps\":[[1]]}", "steps[0]"},
        {"{\"signal\":\"share\",\"steps\":[[1,-0.1]]}", "steps[0]"},
        {"{\"signal\":\"share\",\"steps\":[[1,\"2\"]]}", "steps[0]"},
        {"{\"signal\":\"share\",\"steps\":[[1,0.2],[1,0.3]]}", "steps[1]"},
        {"{\"signal\":\"share\",\"steps\":[[1,0.2],[2,0.1]]}", "steps[1]"},
        {"[]", "calibration.signal"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        json_t *json = json_loads(cases[i].json, 0, NULL), *saved;
        cw_calibration *map = NULL, *back = NULL;
        cw_error err = {0};
        cw_status status = cw_calibration_load(json, &map, &err);
        assert_int_equal(status, cases[i].says ? CW_FORMAT : CW_OK);
        assert_true(!map == (cases[i].says != NULL));
        if (cases[i].says && !strstr(err.message, cases[i].says)) fail_msg("case %zu: %s", i, err.message);
        if (map) {
            saved = cw_calibration_save(map);
            assert_int_equal(cw_calibration_load(saved, &back, NULL), CW_OK);
            assert_memory_equal(map, back, sizeof *map);
            json_decref(saved);
        }
        cw_free(map);
        cw_free(back);
        json_decref(json);
    }
}

/* Ten layers, promises 0.1 three times: equal ones stay together and count as often as their layers. */
static void test_calibration__reliability_keeps_equal_promises_together(void **state) {
    (void)state;
    cw_kept kept[] = {{0.3, 0.6, 1}, {0.1, 0, 1}, {0.1, 0.2, 1}, {0.1, 0.4, 2}, {0.2, 0.1, 5}};
    cw_promises all = {kept, 5, 5};
    cw_promise out[CW_DECILES];
    assert_int_equal(cw_promises_sum(&all, out), 3);
    assert_int_equal(out[0].layers, 4);
    close_to(out[0].promised, expm1(0.1));
    close_to(out[0].met, expm1(1.0 / 4));
    assert_int_equal(out[1].layers, 5);
    close_to(out[1].met, expm1(0.1));
    assert_int_equal(out[2].layers, 1);
    close_to(out[2].promised, expm1(0.3));
    all.count = 0;
    assert_int_equal(cw_promises_sum(&all, out), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tune__takes_the_settings_that_lose_least),
        cmocka_unit_test(test_tune__one_group_leaves_the_defaults),
        cmocka_unit_test(test_heldout__choices_and_losses_as_by_hand),
        cmocka_unit_test(test_calibration__promises_what_was_met),
        cmocka_unit_test(test_calibration__too_little_to_go_by_is_none),
        cmocka_unit_test(test_calibration__signals_as_by_hand),
        cmocka_unit_test(test_calibration__survives_the_file_and_refuses_nonsense),
        cmocka_unit_test(test_calibration__reliability_keeps_equal_promises_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
