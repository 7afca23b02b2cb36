/* test_boost.c: gradient boosting on cases worked out by hand, its masks and its limits. Equality with
 * scikit-learn is test_boost_sklearn.py. */
#include "unit.h"
#include "src/learn/boost.h"
#include "src/learn/trees.h"
#include <math.h>

enum { ROWS = 600, COLUMNS = 4, CLASSES = 4 };

/* One full step of one cut. */
static const cw_learn_options stump = {.max_depth = 1,
                                       .min_leaf = 1,
                                       .trees = 1,
                                       .learning_rate = 1,
                                       .l2 = 1,
                                       .column_share = 1,
                                       .row_share = 1,
                                       .temperature = 0.5};
static const cw_learn_options usual = {.max_depth = 4,
                                       .min_leaf = 2,
                                       .trees = 30,
                                       .learning_rate = 0.2,
                                       .l2 = 1,
                                       .column_share = 0.6,
                                       .row_share = 0.8,
                                       .temperature = 0.1};

static void *train(const char *name, const cw_matrix *m, const cw_learn_options *options) {
    cw_error err;
    void *state = NULL;
    assert_ok(cw_learner_find(name)->train(m, options, &state, &err), err);
    return state;
}

/* Costs of class 0 and 1 at x; the states have two classes. */
static void expect_costs(const void *state, const double *x, double zero, double one) {
    double cost[2], share[2];
    cw_trees_predict(state, x, cost, share, NULL);
    double e0 = exp(-2 * zero), e1 = exp(-2 * one); /* temperature 0.5 */
    if (fabs(cost[0] - zero) > 2e-5 || fabs(cost[1] - one) > 2e-5)
        fail_msg("costs %.9g, %.9g, not %.9g, %.9g", cost[0], cost[1], zero, one);
    assert_true(fabs(share[0] - e0 / (e0 + e1)) < 1e-4 && fabs(share[0] + share[1] - 1) < 1e-12);
}

/* Both classes start at p = 1/2: gradient p - y = -1/2 for a row's own class, 1/2 for the other; hessian
 * p (1 - p) * 2 / 1 = 1/2. Labels 0 0 1 1 1. For class 0 the first column's only cut (3 rows, 2 rows) gains
 * (1/2)^2 / (3/2 + 1) + 1^2 / (1 + 1) = 0.6 less the node's; the second's (1 row, 4 rows)
 * (1/2)^2 / (1/2 + 1) + 1^2 / (2 + 1) = 0.5: the first is taken. Leaves: -G / (H + 1) = 0.2 and -0.5, costs
 * times -0.5. */
static void test_boost__one_cut_by_hand(void **unused) {
    (void)unused;
    const double x[] = {1, 9, 1, 1, 1, 1, 4, 1, 4, 1}, left[] = {2.4, 0}, right[] = {2.6, 0};
    const int32_t y[] = {0, 0, 1, 1, 1};
    const cw_matrix m = {.rows = 5, .columns = 2, .classes = 2, .x = x, .y = y};
    void *state = train("boost", &m, &stump);
    expect_costs(state, left, -0.1, 0.1);
    expect_costs(state, right, 0.25, -0.25);
    cw_trees_destroy(state);

    /* With 3 rows a leaf no cut is left: one leaf, G = 1/2, H = 5/2. */
    cw_learn_options options = stump;
    options.min_leaf = 3;
    state = train("boost", &m, &options);
    assert_int_equal(((cw_trees *)state)->node_count, 1);
    expect_costs(state, left, 0.5 / 3.5 * 0.5, -0.5 / 3.5 * 0.5);
    cw_trees_destroy(state);

    /* Half a step, l2 = 3: half of 0.5 / 4.5 and of -1 / 4. */
    options = (cw_learn_options){.l2 = 3, .learning_rate = 0.5, .max_depth = 1, .min_leaf = 1, .trees = 1};
    options.column_share = options.row_share = 1;
    options.temperature = 0.5;
    state = train("boost", &m, &options);
    expect_costs(state, left, -0.25 * 0.5 / 4.5, 0.25 * 0.5 / 4.5);
    expect_costs(state, right, 0.25 / 4, -0.25 / 4);
    cw_trees_destroy(state);
}

/* A class that takes twice as long has exp(-log 2 / 0.5) = 1/4 of the votes of the best: 0.2 against 0.8, so
 * gradients are -+0.3. Two rows a side, H = 1: leaves of -+0.6 / 2. */
static void test_boost__labels_are_soft(void **unused) {
    (void)unused;
    const double x[] = {1, 2, 3, 4}, cost[] = {100, 200, 50, 100, 200, 100, 6, 3};
    const int32_t y[] = {0, 0, 1, 1};
    const cw_matrix m = {.rows = 4, .columns = 1, .classes = 2, .x = x, .y = y, .cost = cost};
    void *state = train("boost", &m, &stump);
    expect_costs(state, &x[1], -0.15, 0.15);
    expect_costs(state, &x[2], 0.15, -0.15);
    cw_trees_destroy(state);

    /* A row without times teaches its label: gradients of 1/2 at x = 1, so 0.8 / 2 on that side. */
    const double some[] = {NAN, NAN, 50, 100, 200, 100, 6, 3};
    const cw_matrix labelled = {.rows = 4, .columns = 1, .classes = 2, .x = x, .y = y, .cost = some};
    state = train("boost", &labelled, &stump);
    expect_costs(state, &x[1], -0.2, 0.2);
    expect_costs(state, &x[2], 0.15, -0.15);
    cw_trees_destroy(state);
}

/* boost-time: log(time / scale) is 0 for x = 1 and 2, 1 for 3 and 4, mean 1/2; with l2 = 1 a leaf of two rows
 * takes 2/3 of its residual. Class 1 has times where x = 3 and 4 only, all 2. */
static void test_boost__times_by_hand(void **unused) {
    (void)unused;
    const double e = exp(1), x[] = {1, 2, 3, 4}, scale[] = {10, 20, 30, 40};
    const double cost[] = {10, NAN, 20, NAN, 30 * e, 30 * e * e, 40 * e, 40 * e * e};
    const int32_t y[] = {0, 0, 0, 1};
    const cw_matrix m = {.rows = 4, .columns = 1, .classes = 2, .x = x, .y = y, .cost = cost, .scale = scale};
    void *state = train("boost-time", &m, &stump);
    double out[2], ns[2];
    for (size_t i = 0; i < 4; i++) {
        cw_trees_predict(state, &x[i], out, NULL, ns);
        double expected = i < 2 ? 0.5 - 1.0 / 3 : 0.5 + 1.0 / 3;
        assert_true(fabs(out[0] - expected) < 1e-4 && fabs(out[1] - 2) < 1e-4);
        assert_true(fabs(ns[0] - exp(expected)) < 1e-3 && fabs(ns[1] - e * e) < 1e-2);
    }
    cw_trees_destroy(state);
}

/* The only cut parts one row, which is slower, from four, on either side. */
static void test_boost__leaves_are_large_enough(void **unused) {
    (void)unused;
    const double cost[] = {9, 8, 2, 3, 2, 3, 2, 3, 2, 3}, scale[] = {1, 1, 1, 1, 1};
    const int32_t y[] = {1, 0, 0, 0, 0};
    for (double first = 3; first <= 5; first += 2) {
        const double x[] = {first, 4, 4, 4, 4};
        const cw_matrix m = {
            .rows = 5, .columns = 1, .classes = 2, .x = x, .y = y, .cost = cost, .scale = scale};
        for (int32_t rows = 1; rows <= 2; rows++) {
            cw_learn_options options = stump;
            options.min_leaf = rows;
            void *state = train("boost-time", &m, &options);
            assert_int_equal(((cw_trees *)state)->node_count, rows == 1 ? 2 * 3 : 1);
            cw_trees_destroy(state);
            state = train("boost", &m, &options); /* a row's hessian is 1/2: less than a leaf needs */
            assert_int_equal(((cw_trees *)state)->node_count, 1);
            cw_trees_destroy(state);
        }
    }
}

/* Rows that a round does not draw move with its tree all the same: else they would ask for what is there. */
static void test_boost__rows_not_drawn_follow(void **unused) {
    (void)unused;
    double x[400];
    int32_t y[400];
    for (size_t r = 0; r < 400; r++) {
        x[r] = (double)(r / 4 % 2);
        y[r] = r % 4 > 0;
    }
    cw_learn_options options = usual;
    options.row_share = 0.5;
    options.min_leaf = 1;
    options.trees = 200;
    options.learning_rate = 0.05;
    void *state =
        train("boost", &(cw_matrix){.rows = 400, .columns = 1, .classes = 2, .x = x, .y = y}, &options);
    for (double at = 0; at <= 1; at++) {
        double cost[2], share[2];
        cw_trees_predict(state, &at, cost, share, NULL);
        if (fabs(share[0] - 0.25) > 0.05) fail_msg("share %g, not 0.25", share[0]);
    }
    cw_trees_destroy(state);
}

/* ---- Larger cases: class c takes exp(|x[c] - x[0]| + noise); class 3 exists where x[1] > 0.5 only ---- */

typedef struct example {
    double x[ROWS * COLUMNS], cost[ROWS * CLASSES], scale[ROWS];
    int32_t y[ROWS];
    uint8_t lost[ROWS * CLASSES];
    cw_matrix matrix;
} example;

static example *make_example(void) {
    example *e = cw_alloc(sizeof *e);
    assert_non_null(e);
    cw_rng rng = cw_rng_seed(5);
    for (size_t r = 0; r < ROWS; r++) {
        double *x = e->x + r * COLUMNS, *cost = e->cost + r * CLASSES;
        for (size_t c = 0; c < COLUMNS; c++) x[c] = floor(40 * cw_rng_uniform(&rng)) / 40;
        for (size_t c = 0; c < CLASSES; c++) {
            cost[c] = exp(fabs(x[c] - x[(c + 1) % COLUMNS]) + 0.1 * cw_rng_normal(&rng));
            if (c == 3 && x[1] <= 0.5) cost[c] = NAN;
            if (isnan(cost[e->y[r]]) || cost[c] < cost[e->y[r]]) e->y[r] = (int32_t)c;
        }
        e->scale[r] = 1;
    }
    e->matrix = (cw_matrix){.rows = ROWS,
                            .columns = COLUMNS,
                            .classes = CLASSES,
                            .x = e->x,
                            .y = e->y,
                            .cost = e->cost,
                            .scale = e->scale};
    return e;
}

/* Mean over rows of -sum of q log p, both over the classes with times. */
static double log_loss(const void *state, const cw_matrix *m, double temperature) {
    double loss = 0;
    for (size_t r = 0; r < m->rows; r++) {
        double cost[CLASSES], votes = 0, all = 0;
        const double *time = m->cost + r * m->classes, best = time[m->y[r]];
        cw_trees_predict(state, m->x + r * m->columns, cost, NULL, NULL);
        for (size_t c = 0; c < m->classes; c++) {
            if (isnan(time[c])) continue;
            votes += pow(time[c] / best, -1 / temperature);
            all += exp(-cost[c] / temperature);
        }
        for (size_t c = 0; c < m->classes; c++)
            if (!isnan(time[c]))
                loss -= pow(time[c] / best, -1 / temperature) / votes *
                        log(exp(-cost[c] / temperature) / all) / (double)m->rows;
    }
    return loss;
}

static void test_boost__training_loss_decreases(void **unused) {
    (void)unused;
    example *e = make_example();
    const int32_t rounds[] = {1, 3, 10, 30, 100};
    double before = log(3.5);
    for (size_t i = 0; i < CW_COUNT(rounds); i++) {
        cw_learn_options options = usual;
        options.trees = rounds[i];
        options.row_share = 1;
        void *state = train("boost", &e->matrix, &options);
        double loss = log_loss(state, &e->matrix, usual.temperature);
        if (!(loss < before - 0.01)) fail_msg("%d rounds: %g after %g", (int)rounds[i], loss, before);
        before = loss;
        cw_trees_destroy(state);
    }
    cw_free(e);
}

/* A class that was no choice says nothing there: its trees do not depend on those rows. */
static void test_boost__rows_where_a_class_is_no_choice_do_not_teach_it(void **unused) {
    (void)unused;
    example *e = make_example();
    cw_learn_options options = stump;
    options.max_depth = 4;
    void *state = train("boost", &e->matrix, &options);
    double before[ROWS], cost[CLASSES];
    for (size_t r = 0; r < ROWS; r++) {
        cw_trees_predict(state, e->x + r * COLUMNS, cost, NULL, NULL);
        before[r] = cost[3];
    }
    cw_trees_destroy(state);
    for (size_t r = 0; r < ROWS; r++)
        if (isnan(e->cost[r * CLASSES + 3])) {
            double *time = e->cost + r * CLASSES, t = time[0];
            time[0] = time[1];
            time[1] = t;
            e->y[r] = e->y[r] == 0 ? 1 : e->y[r] == 1 ? 0 : e->y[r];
        }
    state = train("boost", &e->matrix, &options);
    bool others_moved = false;
    for (size_t r = 0; r < ROWS; r++) {
        cw_trees_predict(state, e->x + r * COLUMNS, cost, NULL, NULL);
        assert_true(fabs(cost[3] - before[r]) < 1e-4);
        others_moved = others_moved || cost[0] != before[r];
    }
    assert_true(others_moved);
    cw_trees_destroy(state);

    /* Told that it lost there, it is expensive there. */
    for (size_t r = 0; r < ROWS; r++)
        if (isnan(e->cost[r * CLASSES + 3])) e->lost[r * CLASSES + 3] = 1;
    e->matrix.lost = e->lost;
    options.trees = 20;
    state = train("boost", &e->matrix, &options);
    for (size_t r = 0; r < ROWS; r++) {
        cw_trees_predict(state, e->x + r * COLUMNS, cost, NULL, NULL);
        if (e->lost[r * CLASSES + 3]) assert_true(cost[3] > fmin(cost[0], fmin(cost[1], cost[2])) + 0.5);
    }
    cw_trees_destroy(state);
    cw_free(e);
}

/* No row compares class 2 with another; class 3 has no time at all. */
static void test_boost__a_class_never_compared_is_last(void **unused) {
    (void)unused;
    const double x[] = {1, 2, 3, 4, 5, 6};
    const double cost[] = {1, 2, NAN, NAN, 1,   2,   NAN, NAN, 2,   1,   NAN, NAN,
                           2, 1, NAN, NAN, NAN, NAN, 1,   NAN, NAN, NAN, 1,   NAN};
    const int32_t y[] = {0, 0, 1, 1, 2, 2};
    const cw_matrix m = {.rows = 6, .columns = 1, .classes = 4, .x = x, .y = y, .cost = cost};
    void *state = train("boost", &m, &usual);
    for (size_t r = 0; r < 6; r++) {
        double out[4];
        cw_trees_predict(state, &x[r], out, NULL, NULL);
        assert_true(out[2] > fmax(out[0], out[1]) + 1 && out[3] > fmax(out[0], out[1]) + 1);
    }
    cw_trees_destroy(state);
}

static char *text_of(const void *state) {
    json_t *json = cw_trees_save(state);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    assert_non_null(text);
    return text;
}

static void test_boost__same_seed_same_bytes_whatever_the_threads(void **unused) {
    (void)unused;
    example *e = make_example();
    static const char *const names[] = {"boost", "boost-time"};
    for (size_t i = 0; i < CW_COUNT(names); i++) {
        char *text[4];
        for (size_t k = 0; k < 4; k++) {
            cw_learn_options options = usual;
            options.threads = (int32_t[]){1, 3, 16, 1}[k];
            options.seed = k == 3;
            void *state = train(names[i], &e->matrix, &options);
            text[k] = text_of(state);
            cw_trees_destroy(state);
        }
        assert_string_equal(text[0], text[1]);
        assert_string_equal(text[0], text[2]);
        assert_string_not_equal(text[0], text[3]); /* shares of rows and columns are drawn */
        for (size_t k = 0; k < 4; k++) free(text[k]);
    }
    cw_free(e);
}

static void test_boost__refuses_what_cannot_be_learned(void **unused) {
    (void)unused;
    const double x[] = {1, 2}, alone[] = {1, NAN, NAN, 1}, none[] = {NAN, NAN, NAN, NAN}, scale[] = {1, 1};
    const int32_t y[] = {0, 1}, same[] = {0, 0};
    const cw_matrix good = {.rows = 2, .columns = 1, .classes = 2, .x = x, .y = y};
    cw_matrix one = good, single = good, untimed = good;
    one.y = same;
    single.cost = alone;
    untimed.cost = none;
    untimed.scale = scale;
    cw_error err;
    void *state;
    const cw_learner *boost = cw_learner_find("boost"), *timed = cw_learner_find("boost-time");
    assert_refused(boost->train(&one, &usual, &state, &err), CW_INVALID, err, "same fastest class");
    assert_refused(boost->train(&single, &usual, &state, &err), CW_INVALID, err, "no row has two choices");
    assert_refused(timed->train(&good, &usual, &state, &err), CW_INVALID, err, "use boost");
    assert_refused(timed->train(&untimed, &usual, &state, &err), CW_INVALID, err, "no row has a time");
    const struct {
        cw_learn_options options;
        const char *text;
    } bad[] = {
        {{.max_depth = 4, .min_leaf = 1}, "rounds"},
        {{.max_depth = 65, .min_leaf = 1, .trees = 1}, "max depth 1 to 64"},
        {{.min_leaf = 1, .trees = 1}, "max depth"},
        {{.max_depth = 1, .trees = 1}, "min leaf"},
        {{.max_depth = 1, .min_leaf = 1, .trees = 1}, "learning rate"},
        {{.max_depth = 1, .min_leaf = 1, .trees = 1, .learning_rate = 1.5}, "learning rate"},
        {{.max_depth = 1, .min_leaf = 1, .trees = 1, .learning_rate = 1, .l2 = -1}, "l2"},
        {{.max_depth = 1, .min_leaf = 1, .trees = 1, .learning_rate = 1, .row_share = 1}, "columns"},
        {{.max_depth = 1, .min_leaf = 1, .trees = 1, .learning_rate = 1, .row_share = 1, .column_share = 1},
         "temperature"},
        {{.max_depth = 1,
          .min_leaf = 1,
          .trees = 50001,
          .learning_rate = 1,
          .row_share = 1,
          .column_share = 1,
          .temperature = 1},
         "more than 100000 trees"},
    };
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        assert_refused(boost->train(&good, &bad[i].options, &state, &err), CW_INVALID, err, bad[i].text);
}

static void test_boost__constant_columns_leave_the_priors(void **unused) {
    (void)unused;
    const double x[] = {7, 7, 7, 7}, at = 7;
    const int32_t y[] = {0, 1, 1, 1};
    cw_learn_options options = usual;
    options.trees = 200;
    options.row_share = 1;
    void *state =
        train("boost", &(cw_matrix){.rows = 4, .columns = 1, .classes = 2, .x = x, .y = y}, &options);
    double cost[2], share[2];
    cw_trees_predict(state, &at, cost, share, NULL);
    assert_true(fabs(share[0] - 0.25) < 1e-3 && fabs(share[1] - 0.75) < 1e-3);
    cw_trees_destroy(state);
}

static void test_boost__survives_lack_of_memory(void **unused) {
    (void)unused;
    example *e = make_example();
    e->matrix.rows = 60;
    cw_learn_options options = usual;
    options.trees = 3;
    static const char *const names[] = {"boost", "boost-time"};
    for (size_t i = 0; i < CW_COUNT(names); i++)
        for (long n = 1, failed = 0;; n++) {
            void *state = NULL;
            cw_alloc_fail_at(n);
            cw_status status = cw_learner_find(names[i])->train(&e->matrix, &options, &state, NULL);
            cw_alloc_fail_at(0);
            cw_trees_destroy(state);
            if (status == CW_OK) {
                assert_true(failed >= 40);
                break;
            }
            assert_int_equal(status, CW_NO_MEMORY);
            failed++;
        }
    cw_free(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boost__one_cut_by_hand),
        cmocka_unit_test(test_boost__labels_are_soft),
        cmocka_unit_test(test_boost__times_by_hand),
        cmocka_unit_test(test_boost__leaves_are_large_enough),
        cmocka_unit_test(test_boost__rows_not_drawn_follow),
        cmocka_unit_test(test_boost__training_loss_decreases),
        cmocka_unit_test(test_boost__rows_where_a_class_is_no_choice_do_not_teach_it),
        cmocka_unit_test(test_boost__a_class_never_compared_is_last),
        cmocka_unit_test(test_boost__same_seed_same_bytes_whatever_the_threads),
        cmocka_unit_test(test_boost__refuses_what_cannot_be_learned),
        cmocka_unit_test(test_boost__constant_columns_leave_the_priors),
        cmocka_unit_test(test_boost__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
