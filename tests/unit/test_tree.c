/* test_tree.c: the decision tree on cases small enough to work out by hand, and properties of grown trees.
 * Equality with scikit-learn is test_learn_sklearn.py, emitted C is test_learn_emit.py. */
#include "unit.h"
#include "src/learn/tree.h"
#include <math.h>

static const cw_learn_options plain = {.min_leaf = 1};

static cw_tree *grow(const cw_matrix *m, const cw_learn_options *options) {
    cw_error err;
    void *state = NULL;
    assert_ok(cw_learner_find("tree")->train(m, options, &state, &err), err);
    return state;
}

/* Rows of small integers with noise, many ties and duplicates. */
static cw_matrix random_matrix(size_t rows, size_t columns, size_t classes, uint64_t seed) {
    double *x = cw_alloc_n(rows * columns, sizeof *x), *cost = cw_alloc_n(rows * classes, sizeof *cost),
           *scale = cw_alloc_n(rows, sizeof *scale);
    int32_t *y = cw_alloc_n(rows, sizeof *y);
    cw_rng rng = cw_rng_seed(seed);
    for (size_t r = 0; r < rows; r++) {
        double sum = 0;
        for (size_t c = 0; c < columns; c++) sum += x[r * columns + c] = (double)cw_rng_below(&rng, 9);
        y[r] = (int32_t)(((uint64_t)sum / 4 + cw_rng_below(&rng, 4) / 3) % classes);
        for (size_t c = 0; c < classes; c++)
            cost[r * classes + c] = cw_rng_below(&rng, 5) == 0 ? NAN : 100 + 1000 * cw_rng_uniform(&rng);
        scale[r] = 1 + (double)cw_rng_below(&rng, 100);
    }
    return (cw_matrix){rows, columns, classes, x, y, cost, scale, NULL, NULL};
}

static void release(cw_matrix *m) {
    cw_free((void *)(uintptr_t)m->x);
    cw_free((void *)(uintptr_t)m->y);
    cw_free((void *)(uintptr_t)m->cost);
    cw_free((void *)(uintptr_t)m->scale);
}

static void test_tree__splits_where_the_classes_part(void **unused) {
    (void)unused;
    const double x[] = {5, 1, 5, 2, 5, 7, 5, 9}; /* the first column is constant */
    const int32_t y[] = {0, 0, 1, 1};
    cw_matrix m = {4, 2, 2, x, y, NULL, NULL, NULL, NULL};
    cw_tree *tree = grow(&m, &plain);
    assert_int_equal(tree->nodes, 3);
    assert_int_equal(tree->node[0].column, 1);
    assert_true(tree->node[0].threshold == 4.5);
    assert_int_equal(tree->node[0].next, 2);
    double cost[2], share[2], ns[2], row[] = {0, 4.5};
    cw_learner_find("tree")->predict(tree, row, cost, share, ns);
    assert_true(share[0] == 1 && share[1] == 0 && cost[0] == -1 && cost[1] == 0);
    assert_true(isnan(ns[0]) && isnan(ns[1])); /* trained without times */
    row[1] = 4.6;
    cw_learner_find("tree")->predict(tree, row, cost, share, NULL);
    assert_true(share[0] == 0 && share[1] == 1);
    cw_tree_destroy(tree);
}

static void test_tree__takes_first_column_and_smallest_threshold_of_equals(void **unused) {
    (void)unused;
    const double same[] = {1, 1, 2, 2}, cuts[] = {1, 2, 3};
    const int32_t two[] = {0, 1}, three[] = {0, 1, 0};
    cw_tree *tree = grow(&(cw_matrix){2, 2, 2, same, two, NULL, NULL, NULL, NULL}, &plain);
    assert_int_equal(tree->node[0].column, 0);
    cw_tree_destroy(tree);
    tree = grow(&(cw_matrix){3, 1, 2, cuts, three, NULL, NULL, NULL, NULL}, &plain);
    assert_true(tree->node[0].threshold == 1.5);
    cw_tree_destroy(tree);
}

/* 0 1 / 1 0 in the corners of a square: no first cut gains anything, but the second one does. */
static void test_tree__takes_splits_without_gain(void **unused) {
    (void)unused;
    const double x[] = {0, 0, 0, 1, 1, 0, 1, 1};
    const int32_t y[] = {0, 1, 1, 0};
    cw_tree *tree = grow(&(cw_matrix){4, 2, 2, x, y, NULL, NULL, NULL, NULL}, &plain);
    assert_int_equal(tree->nodes, 7);
    cw_tree_destroy(tree);
}

static void test_tree__values_equal_as_floats_are_not_parted(void **unused) {
    (void)unused;
    const double x[] = {16777216, 16777217}, y_far[] = {16777216, 16777218};
    const int32_t y[] = {0, 1};
    cw_tree *tree = grow(&(cw_matrix){2, 1, 2, x, y, NULL, NULL, NULL, NULL}, &plain);
    assert_int_equal(tree->nodes, 1);
    double cost[2], share[2];
    cw_learner_find("tree")->predict(tree, x, cost, share, NULL);
    assert_true(share[0] == 0.5 && share[1] == 0.5);
    cw_tree_destroy(tree);
    tree = grow(&(cw_matrix){2, 1, 2, y_far, y, NULL, NULL, NULL, NULL}, &plain);
    assert_int_equal(tree->nodes, 3);
    cw_tree_destroy(tree);
}

static void test_tree__predicts_geometric_mean_times(void **unused) {
    (void)unused;
    const double x[] = {1, 1, 2, 2}, cost[] = {20, 50, 80, NAN, 90, 7, 90, 7}, scale[] = {10, 10, 1, 1};
    const int32_t y[] = {0, 0, 1, 1};
    cw_tree *tree = grow(&(cw_matrix){4, 1, 2, x, y, cost, scale, NULL, NULL}, &plain);
    double got[2], share[2], ns[2];
    cw_learner_find("tree")->predict(tree, &x[0], got, share, ns);
    assert_true(fabs(ns[0] - 4) < 1e-12 && fabs(ns[1] - 5) < 1e-12); /* sqrt(2 * 8); the one time 50 / 10 */
    cw_learner_find("tree")->predict(tree, &x[3], got, share, ns);
    assert_true(fabs(ns[0] - 90) < 1e-10 && fabs(ns[1] - 7) < 1e-12);
    cw_tree_destroy(tree);
}

static size_t depth_of(const cw_tree *tree, size_t node) {
    if (tree->node[node].column < 0) return 0;
    size_t left = depth_of(tree, node + 1), right = depth_of(tree, tree->node[node].next);
    return 1 + (left > right ? left : right);
}

static int64_t rows_of(const cw_tree *tree, size_t leaf) {
    int64_t rows = 0;
    for (size_t c = 0; c < tree->classes; c++) rows += tree->count[leaf * tree->classes + c];
    return rows;
}

static void test_tree__keeps_max_depth_and_min_leaf(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(600, 4, 3, 1);
    for (int32_t depth = 0; depth <= 6; depth += 3)
        for (int32_t leaf = 1; leaf <= 21; leaf += 10) {
            cw_tree *tree = grow(&m, &(cw_learn_options){.max_depth = depth, .min_leaf = leaf});
            if (depth > 0) assert_true(depth_of(tree, 0) <= (size_t)depth);
            int64_t all = 0;
            for (size_t l = 0; l < tree->leaves; l++) {
                int64_t rows = rows_of(tree, l);
                assert_true(rows >= leaf);
                all += rows;
            }
            assert_int_equal(all, 600);
            cw_tree_destroy(tree);
        }
    release(&m);
}

static void test_tree__keeps_max_leaves_and_grows_the_best_first(void **unused) {
    (void)unused;
    /* The first cut is in the middle. On its left little is to be gained, on its right all of 10 rows * 0.5.
     */
    const int32_t y[] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3};
    double x[CW_COUNT(y)];
    for (size_t r = 0; r < CW_COUNT(y); r++) x[r] = (double)r;
    cw_matrix few = {.rows = CW_COUNT(y), .columns = 1, .classes = 4, .x = x, .y = y};
    cw_tree *tree = grow(&few, &(cw_learn_options){.min_leaf = 1, .max_leaves = 2});
    assert_int_equal(tree->leaves, 2);
    assert_true(tree->node[0].threshold == 8.5);
    cw_tree_destroy(tree);
    tree = grow(&few, &(cw_learn_options){.min_leaf = 1, .max_leaves = 3});
    assert_int_equal(tree->leaves, 3);
    assert_int_equal(tree->node[1].column, -1);
    assert_true(tree->node[2].threshold == 13.5);
    cw_tree_destroy(tree);
    cw_matrix m = random_matrix(600, 4, 3, 6);
    cw_tree *whole = grow(&m, &plain);
    for (int32_t leaves = 2; leaves < 600; leaves = 3 * leaves + 1) {
        tree = grow(&m, &(cw_learn_options){.min_leaf = 1, .max_leaves = leaves});
        assert_int_equal(tree->leaves, (size_t)leaves < whole->leaves ? (size_t)leaves : whole->leaves);
        int64_t all = 0;
        for (size_t l = 0; l < tree->leaves; l++) all += rows_of(tree, l);
        assert_int_equal(all, 600);
        cw_tree_destroy(tree);
    }
    cw_tree_destroy(whole);
    release(&m);
}

/* 3 rows of class 0, 5 of class 2, 8 of class 1. Impurity times share of rows: 1 - (9 + 25 + 64) / 256 =
 * 0.617 for the root; 8 / 16 * (1 - (9 + 25) / 64) = 0.234 for its left child, where the second cut is; 0 for
 * leaves. The second cut saves 0.234, the first one 0.383. */
static void test_tree__prunes_what_saves_less_than_alpha(void **unused) {
    (void)unused;
    double x[16];
    int32_t y[16];
    for (int r = 0; r < 16; r++) {
        x[r] = r;
        y[r] = r < 3 ? 0 : r < 8 ? 2 : 1;
    }
    cw_matrix m = {.rows = 16, .columns = 1, .classes = 3, .x = x, .y = y};
    const struct {
        double alpha;
        size_t leaves;
    } cases[] = {{0, 3}, {0.234, 3}, {0.235, 2}, {0.382, 2}, {0.383, 1}, {1, 1}};
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_tree *tree = grow(&m, &(cw_learn_options){.min_leaf = 1, .ccp_alpha = cases[i].alpha});
        assert_int_equal(tree->leaves, cases[i].leaves);
        assert_int_equal(rows_of(tree, tree->leaves - 1), cases[i].leaves == 1 ? 16 : 8);
        cw_tree_destroy(tree);
    }
}

/* An unlimited tree gives each training row the most frequent class of the rows equal to it. */
static void test_tree__unlimited_tree_knows_its_rows(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(800, 3, 3, 2);
    cw_tree *tree = grow(&m, &plain);
    for (size_t r = 0; r < m.rows; r++) {
        double cost[3], share[3], equal[3] = {0}, n = 0;
        for (size_t q = 0; q < m.rows; q++) {
            if (memcmp(m.x + r * 3, m.x + q * 3, 3 * sizeof(double)) != 0) continue;
            equal[m.y[q]]++;
            n++;
        }
        cw_learner_find("tree")->predict(tree, m.x + r * 3, cost, share, NULL);
        for (size_t c = 0; c < 3; c++) assert_true(share[c] == equal[c] / n && cost[c] == -share[c]);
    }
    cw_tree_destroy(tree);
    release(&m);
}

static char *state_text(const cw_learner *learner, const void *state) {
    json_t *json = learner->save(state);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static void test_tree__same_rows_in_any_order_same_tree(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(300, 3, 3, 3), back = random_matrix(300, 3, 3, 3);
    cw_free(
        (void *)(uintptr_t)m.cost); /* sums of times depend on the order by rounding; the shape must not */
    cw_free((void *)(uintptr_t)back.cost);
    m.cost = back.cost = NULL;
    for (size_t r = 0; r < 300; r++) {
        memcpy((double *)(uintptr_t)back.x + r * 3, m.x + (299 - r) * 3, 3 * sizeof(double));
        ((int32_t *)(uintptr_t)back.y)[r] = m.y[299 - r];
    }
    cw_tree *a = grow(&m, &plain), *b = grow(&back, &plain);
    char *one = state_text(cw_learner_find("tree"), a), *two = state_text(cw_learner_find("tree"), b);
    assert_string_equal(one, two);
    cw_free(one);
    cw_free(two);
    cw_tree_destroy(a);
    cw_tree_destroy(b);
    release(&m);
    release(&back);
}

static void test_tree__boundary_is_where_rounding_to_float_changes_sides(void **unused) {
    (void)unused;
    cw_rng rng = cw_rng_seed(4);
    const double fixed[] = {0,     -0.0,  1, 96, 4.5, 16777216, 16777217, 0x1.fffffep127, -0x1.fffffep127,
                            1e-45, -1e-46};
    for (size_t i = 0; i < 2000; i++) {
        double t =
            i < CW_COUNT(fixed) ? fixed[i] : ldexp(cw_rng_normal(&rng), (int)cw_rng_below(&rng, 120) - 60);
        double edge = cw_tree_boundary(t), above = nextafter(edge, INFINITY);
        assert_true((double)(float)edge <= t);
        assert_true(!((double)(float)above <= t));
    }
}

static void test_tree__explains_the_path(void **unused) {
    (void)unused;
    const double x[] = {64, 3, 64, 3, 128, 1, 128, 3};
    const int32_t y[] = {0, 1, 1, 0};
    const char *const columns[] = {"oc", "kh"}, *const classes[] = {"own.gemm", "own.direct"};
    cw_tree *tree = grow(&(cw_matrix){4, 2, 2, x, y, NULL, NULL, NULL, NULL}, &plain);
    cw_buf out = {0};
    cw_learner_find("tree")->explain(tree, x, columns, classes, &out);
    char *text = cw_buf_take(&out);
    assert_string_equal(text, "kh = 3.0 > 2.0\noc = 64.0 <= 96.0\n"
                              "leaf of 2 rows: 50.0 % own.gemm, 50.0 % own.direct\n");
    cw_free(text);
    cw_tree_destroy(tree);
}

static void count_visit(void *arg, int32_t column, double value) {
    assert_true(column >= 0 && isfinite(value));
    ++*(size_t *)arg;
}

static void test_tree__says_what_it_uses(void **unused) {
    (void)unused;
    const double x[] = {5, 1, 5, 2};
    const int32_t y[] = {0, 1};
    const cw_learner *learner = cw_learner_find("tree");
    cw_tree *tree = grow(&(cw_matrix){2, 2, 2, x, y, NULL, NULL, NULL, NULL}, &plain);
    bool used[2] = {true, false};
    size_t visits = 0;
    learner->columns_used(tree, used);
    learner->thresholds(tree, count_visit, &visits);
    assert_true(!used[0] && used[1]);
    assert_int_equal(visits, 2);
    assert_int_equal(learner->size(tree), 3);
    cw_tree_destroy(tree);
}

static void test_matrix__refuses_what_cannot_be_learned(void **unused) {
    (void)unused;
    const double good[] = {1, 2}, bad[] = {1, NAN}, huge[] = {1, 1e39}, times[] = {1, 2, 3, 0},
                 scale[] = {1, -1};
    const int32_t y[] = {0, 1}, one[] = {1, 1}, outside[] = {0, 2};
    const struct {
        cw_matrix m;
        const char *says;
    } cases[] = {
        {{0, 1, 2, good, y, NULL, NULL, NULL, NULL}, "no rows"},
        {{2, 0, 2, good, y, NULL, NULL, NULL, NULL}, "0 columns"},
        {{2, 1, 1, good, y, NULL, NULL, NULL, NULL}, "1 classes"},
        {{2, 1, 5000, good, y, NULL, NULL, NULL, NULL}, "5000 classes"},
        {{2, 5000, 2, good, y, NULL, NULL, NULL, NULL}, "5000 columns"},
        {{2, 1, 2, good, one, NULL, NULL, NULL, NULL}, "all 2 rows have the same fastest class (1)"},
        {{2, 1, 2, good, outside, NULL, NULL, NULL, NULL}, "row 1: class 2"},
        {{2, 1, 2, bad, y, NULL, NULL, NULL, NULL}, "row 1, column 0"},
        {{2, 1, 2, good, y, times, NULL, NULL, NULL}, "row 1, class 1"},
        {{2, 1, 2, good, y, NULL, scale, NULL, NULL}, "row 1: a scale"},
        {{2, 1, 2, huge, y, NULL, NULL, NULL, NULL}, "beyond a float"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_error err;
        void *state = NULL;
        assert_refused(cw_learner_find("tree")->train(&cases[i].m, &plain, &state, &err), CW_INVALID, err,
                       cases[i].says);
        assert_null(state);
    }
    cw_error err;
    void *state;
    cw_matrix m = {2, 1, 2, good, y, NULL, NULL, NULL, NULL};
    assert_refused(cw_learner_find("tree")->train(&m, &(cw_learn_options){.min_leaf = 0}, &state, &err),
                   CW_INVALID, err, "min leaf");
    assert_refused(
        cw_learner_find("tree")->train(&m, &(cw_learn_options){.min_leaf = 1, .max_depth = -1}, &state, &err),
        CW_INVALID, err, "max depth");
    assert_refused(
        cw_learner_find("tree")->train(&m, &(cw_learn_options){.min_leaf = 1, .max_leaves = 1}, &state, &err),
        CW_INVALID, err, "max leaves");
    assert_refused(cw_learner_find("tree")->train(&m, &(cw_learn_options){.min_leaf = 1, .ccp_alpha = NAN},
                                                  &state, &err),
                   CW_INVALID, err, "ccp alpha");
}

/* Each allocation of training and emitting fails once. */
static void test_tree__survives_lack_of_memory(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(60, 3, 3, 5);
    const int32_t place[] = {2, 0, 1};
    const cw_learner *learner = cw_learner_find("tree");
    int failed = 0;
    for (long n = 1;; n++) {
        void *state = NULL;
        cw_buf out = {0};
        cw_alloc_fail_at(n);
        cw_status status = learner->train(
            &m, &(cw_learn_options){.min_leaf = 1, .max_leaves = 30, .ccp_alpha = 1e-9}, &state, NULL);
        if (status == CW_OK) status = learner->emit_c(state, "p", place, 3, &out, NULL);
        cw_alloc_fail_at(0);
        cw_tree_destroy(state);
        cw_buf_release(&out);
        if (status == CW_OK) break;
        assert_int_equal(status, CW_NO_MEMORY);
        failed++;
    }
    assert_true(failed > 10);
    release(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree__splits_where_the_classes_part),
        cmocka_unit_test(test_tree__takes_first_column_and_smallest_threshold_of_equals),
        cmocka_unit_test(test_tree__takes_splits_without_gain),
        cmocka_unit_test(test_tree__values_equal_as_floats_are_not_parted),
        cmocka_unit_test(test_tree__predicts_geometric_mean_times),
        cmocka_unit_test(test_tree__keeps_max_depth_and_min_leaf),
        cmocka_unit_test(test_tree__keeps_max_leaves_and_grows_the_best_first),
        cmocka_unit_test(test_tree__prunes_what_saves_less_than_alpha),
        cmocka_unit_test(test_tree__unlimited_tree_knows_its_rows),
        cmocka_unit_test(test_tree__same_rows_in_any_order_same_tree),
        cmocka_unit_test(test_tree__boundary_is_where_rounding_to_float_changes_sides),
        cmocka_unit_test(test_tree__explains_the_path),
        cmocka_unit_test(test_tree__says_what_it_uses),
        cmocka_unit_test(test_matrix__refuses_what_cannot_be_learned),
        cmocka_unit_test(test_tree__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
