/* test_forest.c: forests and trees on costs: leaves worked out by hand, cuts against a search of all, limits,
 * and that only the seed decides. Accuracy beside scikit-learn's is test_forest_sklearn.py. */
#include "unit.h"
#include "src/learn/forest.h"
#include <math.h>

static const char *const ALL[] = {"forest", "extra-trees", "regret-forest", "regret-tree"};

static cw_trees *train(const char *name, const cw_matrix *m, const cw_learn_options *options) {
    cw_error err;
    void *state = NULL;
    assert_ok(cw_learner_find(name)->train(m, options, &state, &err), err);
    return state;
}

static cw_learn_options defaults(const char *name, int32_t trees) {
    cw_learn_options options = cw_learner_find(name)->defaults;
    options.trees = trees;
    return options;
}

/* Times that depend on the row's values, with noise; about every fourth is missing. */
static cw_matrix random_matrix(size_t rows, size_t columns, size_t classes, uint64_t seed) {
    double *x = cw_alloc_n(rows * columns, sizeof *x), *cost = cw_alloc_n(rows * classes, sizeof *cost);
    int32_t *y = cw_alloc_n(rows, sizeof *y);
    cw_rng rng = cw_rng_seed(seed);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) x[r * columns + c] = (double)cw_rng_below(&rng, 9);
        double best = INFINITY;
        for (size_t c = 0; c < classes; c++) {
            double time =
                100 + 20 * fabs(x[r * columns + c % columns] - (double)c) + 10 * cw_rng_uniform(&rng);
            bool absent = c > 0 && cw_rng_below(&rng, 4) == 0;
            cost[r * classes + c] = absent ? NAN : time;
            if (!absent && time < best) {
                best = time;
                y[r] = (int32_t)c;
            }
        }
    }
    return (cw_matrix){.rows = rows, .columns = columns, .classes = classes, .x = x, .y = y, .cost = cost};
}

static void release(cw_matrix *m) {
    cw_free((void *)(uintptr_t)m->x);
    cw_free((void *)(uintptr_t)m->y);
    cw_free((void *)(uintptr_t)m->cost);
}

static void assert_near(double got, double wanted, double within) {
    if (!(fabs(got - wanted) <= within)) fail_msg("%.9g, not %.9g", got, wanted);
}

/* One column with two values: every tree can only cut between them. */
static void test_forest__leaves_hold_the_shares_of_their_rows(void **unused) {
    (void)unused;
    const double x[] = {1, 1, 1, 2, 2};
    const int32_t y[] = {0, 0, 1, 1, 1};
    const cw_matrix m = {.rows = 5, .columns = 1, .classes = 2, .x = x, .y = y};
    cw_learn_options options = defaults("extra-trees", 3);
    options.min_leaf = 1;
    cw_trees *trees = train("extra-trees", &m, &options);
    double cost[2], share[2];
    cw_trees_predict(trees, &x[0], cost, share, NULL);
    assert_near(share[0], 2.0 / 3, 1e-3);
    assert_near(share[1], 1.0 / 3, 1e-3);
    assert_true(cost[0] < cost[1]);
    cw_trees_predict(trees, &x[4], cost, share, NULL);
    assert_near(share[1], 1, 1e-3);
    cw_trees_destroy(trees);
}

/* exp(-log(time / best) / T), scaled to sum 1: with T = 0.1 a class 10 % slower (in logs) counts 1/e. */
static void test_forest__labels_are_soft_where_times_are_close(void **unused) {
    (void)unused;
    const double x[] = {1, 2}, cost[] = {50, 50 * exp(0.1), NAN, 50 * exp(3.0), NAN, 50};
    const int32_t y[] = {0, 2};
    const cw_matrix m = {.rows = 2, .columns = 1, .classes = 3, .x = x, .y = y, .cost = cost};
    cw_error err;
    cw_target target;
    assert_ok(cw_target_labels(&m, 0.1, &target, &err), err);
    assert_int_equal(target.start[1], 2);
    assert_int_equal(target.start[2], 3); /* exp(-30) is nothing */
    assert_near((double)target.value[0], 1 / (1 + exp(-1.0)), 1e-6);
    assert_near((double)target.value[1], 1 / (1 + exp(1.0)), 1e-6);
    assert_int_equal(target.class[2], 2);
    assert_near((double)target.value[2], 1, 1e-6);
    cw_target_release(&target);
    assert_ok(cw_target_labels(&m, 0, &target, &err), err);
    assert_int_equal(target.start[2], 2);
    assert_int_equal(target.class[0], 0);
    cw_target_release(&target);
}

static void test_forest__costs_are_logs_of_ratios_up_to_the_cap(void **unused) {
    (void)unused;
    const double cost[] = {NAN, 10, 10 * exp(0.2), 10 * exp(9.0), NAN, 40, NAN, 80}, x[] = {1, 2};
    const uint8_t lost[] = {0, 0, 0, 0, 1, 0, 0, 0};
    const int32_t y[] = {1, 1};
    cw_matrix m = {.rows = 2, .columns = 1, .classes = 4, .x = x, .y = y, .cost = cost, .lost = lost};
    cw_error err;
    cw_target target;
    assert_ok(cw_target_costs(&m, 1, &target, &err), err);
    const uint16_t class[] = {1, 2, 3, 0, 1, 3};
    const double value[] = {0, 0.2, 1, log(2), 0, log(2)}; /* lost: as the row's slowest */
    assert_int_equal(target.start[1], 3);
    assert_int_equal(target.start[2], 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(target.class[i], class[i]);
        assert_near((double)target.value[i], value[i], 1e-6);
    }
    cw_target_release(&target);
    m.cost = NULL; /* labels only */
    assert_ok(cw_target_costs(&m, 1, &target, &err), err);
    for (size_t i = 0; i < 8; i++) assert_true(target.value[i] == (i % 4 == 1 ? 0 : 1));
    cw_target_release(&target);
}

/* Two leaves of two rows. Class 0: 0 everywhere. Class 1: 0.4 and 0.2 left, none right: the root's mean
 * 0.3 stands there. Class 2: 0.45 right, none left, so 0.45 in both. Class 3: 0.1 left, 0.3
 * and 0.5 right; root 0.3; left (0.1 + 0.3) / 2, right (0.8 + 0.3) / 3. */
static void test_forest__means_of_few_rows_lean_on_the_node_above(void **unused) {
    (void)unused;
    const double x[] = {1, 1, 2, 2};
    const double cost[] = {1, exp(0.4), NAN, exp(0.1), 1, exp(0.2), NAN,       NAN, //
                           1, NAN,      NAN, exp(0.3), 1, NAN,      exp(0.45), exp(0.5)};
    const int32_t y[] = {0, 0, 0, 1};
    cw_matrix m = {.rows = 4, .columns = 1, .classes = 4, .x = x, .y = y, .cost = cost};
    cw_learn_options options = defaults("regret-forest", 2);
    options.min_leaf = 1;
    options.l2 = 1;
    cw_trees *trees = train("regret-forest", &m, &options);
    const double left[] = {0, (0.6 + 0.3) / 3, 0.45, 0.2}, right[] = {0, 0.3, 0.45, 1.1 / 3};
    double got[4];
    cw_trees_predict(trees, &x[0], got, NULL, NULL);
    for (size_t c = 0; c < 4; c++) assert_near(got[c], left[c], 1e-4);
    cw_trees_predict(trees, &x[2], got, NULL, NULL);
    for (size_t c = 0; c < 4; c++) assert_near(got[c], right[c], 1e-4);
    cw_trees_destroy(trees);
}

/* Squared error around the means of the rows on one side of a cut. */
static double error_of(const cw_matrix *m, const cw_target *t, size_t column, double cut, bool left) {
    double sum[8] = {0}, count[8] = {0}, squares = 0, rows = 0, error;
    for (size_t r = 0; r < m->rows; r++) {
        if ((m->x[r * m->columns + column] <= cut) != left) continue;
        rows++;
        for (uint32_t e = t->start[r]; e < t->start[r + 1]; e++) {
            sum[t->class[e]] += (double)t->value[e];
            count[t->class[e]]++;
            squares += (double)t->value[e] * (double)t->value[e];
        }
    }
    error = squares;
    for (size_t c = 0; c < m->classes; c++) {
        double n = t->per_class ? count[c] : rows;
        if (n > 0) error -= sum[c] * sum[c] / n;
    }
    return rows > 0 ? error : INFINITY;
}

static void test_forest__takes_the_cut_of_least_squared_error(void **unused) {
    (void)unused;
    cw_error err;
    for (uint64_t seed = 0; seed < 40; seed++) {
        cw_matrix m = random_matrix(seed % 2 ? 40 : 400, 3, 4, seed);
        cw_bins bins;
        cw_target target;
        cw_forest_tree tree;
        assert_ok(cw_bins_make(&m, CW_BINS, &bins, &err), err);
        assert_ok(seed % 4 < 2 ? cw_target_costs(&m, 1, &target, &err)
                               : cw_target_labels(&m, 0.1, &target, &err),
                  err);
        const cw_forest_growth how = {.bins = &bins,
                                      .target = &target,
                                      .max_depth = 9,
                                      .max_leaves = 2,
                                      .min_leaf = 1,
                                      .columns_a_node = 3};
        assert_ok(cw_forest_grow(&how, NULL, cw_rng_seed(seed), &tree, &err), err);
        double least = INFINITY;
        for (size_t c = 0; c < m.columns; c++)
            for (double cut = 0.5; cut < 8; cut++)
                least =
                    fmin(least, error_of(&m, &target, c, cut, true) + error_of(&m, &target, c, cut, false));
        size_t column = (size_t)tree.node[0].column;
        double cut = (double)tree.node[0].threshold;
        assert_int_equal(tree.nodes, 3);
        assert_near(error_of(&m, &target, column, cut, true) + error_of(&m, &target, column, cut, false),
                    least, 1e-5 * least);
        cw_forest_tree_release(&tree);
        cw_target_release(&target);
        cw_bins_release(&bins);
        release(&m);
    }
}

typedef struct shape {
    size_t leaves, deepest, smallest;
} shape;

static shape shape_of(const cw_forest_tree *t, const cw_matrix *m) {
    shape s = {t->leaves, 0, m->rows};
    size_t *rows = cw_alloc_n(t->nodes, sizeof *rows);
    for (size_t r = 0; r < m->rows; r++) {
        size_t at = 0, depth = 0;
        while (t->node[at].column >= 0) {
            const cw_forest_node *n = &t->node[at];
            at = (float)m->x[r * m->columns + (size_t)n->column] <= n->threshold ? n->left : n->right;
            depth++;
        }
        rows[at]++;
        s.deepest = depth > s.deepest ? depth : s.deepest;
    }
    for (size_t n = 0; n < t->nodes; n++)
        if (t->node[n].column < 0 && rows[n] < s.smallest) s.smallest = rows[n];
    cw_free(rows);
    return s;
}

static void test_forest__keeps_its_limits(void **unused) {
    (void)unused;
    cw_error err;
    cw_matrix m = random_matrix(500, 4, 3, 1);
    cw_bins bins;
    cw_target target;
    assert_ok(cw_bins_make(&m, CW_BINS, &bins, &err), err);
    assert_ok(cw_target_costs(&m, 1, &target, &err), err);
    size_t width;
    uint8_t *by_row = cw_forest_by_row(&bins, &width);
    for (size_t depth = 0; depth <= 9; depth += 3)
        for (size_t leaves = 2; leaves <= 50; leaves += 24)
            for (size_t leaf = 1; leaf <= 21; leaf += 10)
                for (int random = 0; random < 2; random++) {
                    const cw_forest_growth how = {.bins = &bins,
                                                  .target = &target,
                                                  .max_depth = depth,
                                                  .max_leaves = leaves,
                                                  .min_leaf = leaf,
                                                  .columns_a_node = 2,
                                                  .random_thresholds = random,
                                                  .by_row = by_row,
                                                  .width = width};
                    cw_forest_tree tree;
                    assert_ok(cw_forest_grow(&how, NULL, cw_rng_seed(depth), &tree, &err), err);
                    shape s = shape_of(&tree, &m);
                    assert_in_range(s.leaves, 1, leaves);
                    assert_in_range(s.deepest, 0, depth);
                    assert_in_range(s.smallest, leaf, m.rows);
                    if (depth == 9 && leaf == 1) assert_int_equal(s.leaves, leaves);
                    cw_forest_tree_release(&tree);
                }
    cw_free(by_row);
    cw_target_release(&target);
    cw_bins_release(&bins);
    release(&m);
}

static void assert_same(const cw_trees *a, const cw_trees *b) {
    assert_int_equal(a->node_count, b->node_count);
    assert_int_equal(a->value_count, b->value_count);
    assert_memory_equal(a->node, b->node, a->node_count * sizeof *a->node);
    assert_memory_equal(a->value, b->value, a->value_count * sizeof *a->value);
    assert_true(a->unit == b->unit);
}

static void test_forest__only_the_seed_decides(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(300, 4, 3, 2);
    for (size_t i = 0; i < CW_COUNT(ALL); i++) {
        cw_learn_options options = defaults(ALL[i], 20);
        cw_trees *one = train(ALL[i], &m, &options);
        options.threads = 4;
        cw_trees *four = train(ALL[i], &m, &options);
        assert_same(one, four);
        options.seed = 1;
        cw_trees *other = train(ALL[i], &m, &options);
        if (other->node_count == one->node_count &&
            memcmp(other->value, one->value, one->value_count * sizeof *one->value) == 0)
            fail_msg("%s: seed 1 as seed 0", ALL[i]);
        cw_trees_destroy(one);
        cw_trees_destroy(four);
        cw_trees_destroy(other);
    }
    release(&m);
}

/* Loss of log time over the best on fresh rows, missing ones left out. */
static double regret(const cw_trees *trees, const cw_matrix *m) {
    double cost[8], sum = 0;
    for (size_t r = 0; r < m->rows; r++) {
        const double *time = m->cost + r * m->classes;
        size_t best = SIZE_MAX;
        cw_trees_predict(trees, m->x + r * m->columns, cost, NULL, NULL);
        for (size_t c = 0; c < m->classes; c++)
            if (!isnan(time[c]) && (best == SIZE_MAX || cost[c] < cost[best])) best = c;
        sum += log(time[best] / time[m->y[r]]);
    }
    return sum / (double)m->rows;
}

static void test_forest__learns(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(3000, 4, 5, 3), fresh = random_matrix(1000, 4, 5, 4);
    for (size_t i = 0; i < CW_COUNT(ALL); i++) {
        cw_learn_options options = defaults(ALL[i], 30);
        cw_trees *trees = train(ALL[i], &m, &options);
        double most = options.max_leaves ? 0.06 : 0.03; /* always class 0: 0.3 */
        double got = regret(trees, &fresh);
        if (!(got < most)) fail_msg("%s loses %g", ALL[i], got);
        assert_true(!options.max_leaves || trees->node_count <= 127);
        cw_trees_destroy(trees);
    }
    release(&m);
    release(&fresh);
}

static void test_forest__refuses(void **unused) {
    (void)unused;
    cw_error err;
    void *state;
    cw_matrix m = random_matrix(20, 2, 2, 5);
    for (size_t i = 0; i < CW_COUNT(ALL); i++) {
        const cw_learner *learner = cw_learner_find(ALL[i]);
        const cw_learn_options good = learner->defaults;
        cw_learn_options bad = good;
        bad.trees = 0;
        assert_refused(learner->train(&m, &bad, &state, &err), CW_INVALID, err, "trees");
        bad = good;
        bad.min_leaf = 0;
        assert_refused(learner->train(&m, &bad, &state, &err), CW_INVALID, err, "min leaf");
        bad = good;
        bad.column_share = 1.5;
        assert_refused(learner->train(&m, &bad, &state, &err), CW_INVALID, err, "shares");
        cw_matrix none = m;
        none.rows = 0;
        assert_refused(learner->train(&none, &good, &state, &err), CW_INVALID, err, "no rows");
        assert_null(state);
    }
    release(&m);
}

/* Constant columns, one row a class: a single leaf is an answer. */
static void test_forest__nothing_to_cut_is_one_leaf(void **unused) {
    (void)unused;
    const double x[] = {7, 7, 7}, time[] = {5, 10, 5, 10, 10, 5};
    const int32_t y[] = {0, 0, 1};
    const cw_matrix m = {.rows = 3, .columns = 1, .classes = 2, .x = x, .y = y, .cost = time};
    static const char *const all[] = {"forest", "extra-trees", "regret-forest", "regret-tree"};
    for (size_t i = 0; i < CW_COUNT(all); i++) {
        cw_learn_options options = defaults(all[i], 9);
        cw_trees *trees = train(all[i], &m, &options);
        double cost[2];
        cw_trees_predict(trees, x, cost, NULL, NULL);
        assert_int_equal(trees->node_count, trees->tree_count);
        assert_true(cost[0] < cost[1]);
        cw_trees_destroy(trees);
    }
}

static void test_forest__survives_lack_of_memory(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(40, 3, 3, 6);
    for (size_t i = 0; i < CW_COUNT(ALL); i++) {
        cw_learn_options options = defaults(ALL[i], 2);
        int failed = 0;
        for (long n = 1;; n++) {
            void *state = NULL;
            cw_alloc_fail_at(n);
            cw_status status = cw_learner_find(ALL[i])->train(&m, &options, &state, NULL);
            cw_alloc_fail_at(0);
            cw_trees_destroy(state);
            if (status == CW_OK) break;
            assert_int_equal(status, CW_NO_MEMORY);
            assert_null(state);
            failed++;
        }
        assert_true(failed > 20);
    }
    release(&m);
}

/* Its costs are its members' costs, weighted; the same settings make the same members. */
static void test_ensemble__is_the_weighted_sum_of_its_members(void **unused) {
    (void)unused;
    cw_matrix m = random_matrix(300, 4, 3, 7);
    cw_learn_options options = cw_learner_find("ensemble")->defaults,
                     boost = cw_learner_find("boost")->defaults,
                     forest = cw_learner_find("regret-forest")->defaults;
    options.trees = boost.trees = forest.trees = 20;
    options.min_leaf = boost.min_leaf = forest.min_leaf = 5;
    options.seed = boost.seed = forest.seed = 3;
    options.threads = 2;
    cw_trees *all = train("ensemble", &m, &options), *a = train("boost", &m, &boost),
             *b = train("regret-forest", &m, &forest);
    for (size_t r = 0; r < m.rows; r++) {
        double got[3], from_a[3], from_b[3];
        cw_trees_predict(all, m.x + 4 * r, got, NULL, NULL);
        cw_trees_predict(a, m.x + 4 * r, from_a, NULL, NULL);
        cw_trees_predict(b, m.x + 4 * r, from_b, NULL, NULL);
        for (size_t c = 0; c < 3; c++) assert_near(got[c], from_a[c] + 0.3 * from_b[c], 2e-3);
    }
    cw_trees_destroy(all);
    cw_trees_destroy(a);
    cw_trees_destroy(b);
    release(&m);
}

static void test_ensemble__refuses_and_survives_lack_of_memory(void **unused) {
    (void)unused;
    cw_error err;
    const cw_learner *learner = cw_learner_find("ensemble");
    cw_matrix m = random_matrix(12, 2, 2, 8);
    cw_learn_options options = learner->defaults;
    void *state = NULL;
    options.min_leaf = 0;
    assert_refused(learner->train(&m, &options, &state, &err), CW_INVALID, err, "leaf");
    options.min_leaf = 2;
    options.trees = 2;
    int failed = 0;
    for (long n = 1;; n++) {
        cw_alloc_fail_at(n);
        cw_status status = learner->train(&m, &options, &state, &err);
        cw_alloc_fail_at(0);
        cw_trees_destroy(state);
        if (status == CW_OK) break;
        if (status != CW_NO_MEMORY) fail_msg("%s", err.message);
        assert_null(state);
        failed++;
    }
    assert_true(failed > 20);
    release(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forest__leaves_hold_the_shares_of_their_rows),
        cmocka_unit_test(test_forest__labels_are_soft_where_times_are_close),
        cmocka_unit_test(test_forest__costs_are_logs_of_ratios_up_to_the_cap),
        cmocka_unit_test(test_forest__means_of_few_rows_lean_on_the_node_above),
        cmocka_unit_test(test_forest__takes_the_cut_of_least_squared_error),
        cmocka_unit_test(test_forest__keeps_its_limits),
        cmocka_unit_test(test_forest__only_the_seed_decides),
        cmocka_unit_test(test_forest__learns),
        cmocka_unit_test(test_forest__refuses),
        cmocka_unit_test(test_forest__nothing_to_cut_is_one_leaf),
        cmocka_unit_test(test_forest__survives_lack_of_memory),
        cmocka_unit_test(test_ensemble__is_the_weighted_sum_of_its_members),
        cmocka_unit_test(test_ensemble__refuses_and_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
