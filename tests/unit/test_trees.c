/* test_trees.c: sums of trees: put together, predicted, taken apart, saved and loaded; corrupt ones refused.
 */
#include "unit.h"
#include "random_trees.h"
#include <float.h>

static const forest_spec specs[] = {
    {"boosted", 60, 6, 5, 1, 6, 0.1, 50, 0}, {"shared", 20, 4, 6, 6, 8, 0.2, 0, 0},
    {"spans", 40, 3, 7, 0, 5, 0.2, 9, 0},    {"leaf", 1, 1, 1, 1, 0, 0, 1, 0},
    {"deep", 10, 2, 3, 3, 64, 0.47, 30, 0},  {"wide", 40, 3, 7, 0, 5, 0.2, 9, 0x1p-15},
};

static cw_trees *make(const forest_spec *s, uint64_t seed) {
    cw_rng rng = cw_rng_seed(seed);
    cw_error err;
    cw_trees *t;
    assert_ok(random_trees(s, &rng, &t, &err), err);
    return t;
}

/* x0 <= 1 ? (x1 <= 2.5 ? {1, 2} : {3, -4}) : {0.5, 0}, and a tree of class 1 alone: 8. */
static cw_trees_draft *by_hand(void) {
    cw_trees_draft *d;
    assert_int_equal(cw_trees_draft_make(2, 2, &d, NULL), CW_OK);
    assert_true(cw_trees_begin(d, 0, 2));
    assert_int_equal(cw_trees_add_inner(d, 0, 1), 0);
    assert_int_equal(cw_trees_add_inner(d, 1, 2.5F), 1);
    assert_int_equal(cw_trees_add_leaf(d, (double[]){1, 2}), 2);
    d->trees.node[1].next = (uint32_t)cw_trees_add_leaf(d, (double[]){3, -4});
    d->trees.node[0].next = (uint32_t)cw_trees_add_leaf(d, (double[]){0.5, 0});
    assert_true(cw_trees_begin(d, 1, 1));
    assert_int_equal(cw_trees_add_leaf(d, (double[]){8}), 5);
    d->start[0] = -0.25;
    return d;
}

static void test_trees__predict_by_hand(void **state) {
    (void)state;
    static const struct {
        double x[2], cost[2];
    } cases[] = {
        {{1, 2.5}, {0.75, 10}},      {{1, 2.6}, {2.75, 4}},         {{1.1, 0}, {0.25, 8}},
        {{1 + 1e-9, 2}, {0.75, 10}}, /* rounded to float */
        {{NAN, 0}, {0.25, 8}},       {{-INFINITY, NAN}, {2.75, 4}}, {{INFINITY, 0}, {0.25, 8}},
    };
    cw_trees *t;
    cw_error err;
    assert_ok(cw_trees_finish(by_hand(), &t, &err), err);
    assert_int_equal(cw_trees_size(t), 6);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        double cost[2], share[2], ns[2];
        cw_trees_predict(t, cases[i].x, cost, share, ns);
        for (int c = 0; c < 2; c++) assert_true(fabs(cost[c] - cases[i].cost[c]) <= 1.5 * t->unit);
        assert_true(fabs(share[0] - 1 / (1 + exp(cost[0] - cost[1]))) < 1e-12);
        assert_true(fabs(share[0] + share[1] - 1) < 1e-12 && isnan(ns[0]) && isnan(ns[1]));
        t->log_time = true;
        t->temperature = 0.5;
        cw_trees_predict(t, cases[i].x, cost, share, ns);
        assert_true(ns[0] == exp(cost[0]) && ns[1] == exp(cost[1]));
        assert_true(fabs(share[0] - 1 / (1 + exp(2 * (cost[0] - cost[1])))) < 1e-12);
        t->log_time = false;
        t->temperature = 1;
    }
    bool used[2];
    cw_trees_columns_used(t, used);
    assert_true(used[0] && used[1]);
    cw_trees_destroy(t);
}

static void test_trees__votes_are_shares(void **state) {
    (void)state;
    cw_trees_draft *d;
    cw_trees *t;
    cw_error err;
    double cost[3], share[3], x = 0;
    assert_ok(cw_trees_draft_make(1, 3, &d, &err), err);
    d->trees.share = CW_SHARE_VOTES;
    assert_true(cw_trees_begin(d, 0, 3));
    assert_int_equal(cw_trees_add_leaf(d, (double[]){-0.75, 0, -0.25}), 0);
    assert_ok(cw_trees_finish(d, &t, &err), err);
    cw_trees_predict(t, &x, cost, share, NULL);
    assert_true(fabs(share[0] - 0.75) < 1e-4 && share[1] == 0 && fabs(share[2] - 0.25) < 1e-4);
    for (int i = 0; i < 3; i++) t->value[i] = 5; /* nothing votes */
    cw_trees_predict(t, &x, cost, share, NULL);
    for (int i = 0; i < 3; i++) assert_true(fabs(share[i] - 1.0 / 3) < 1e-12);
    cw_trees_destroy(t);
}

/* By recursion in doubles, without the walk or the sums of the library. */
static double naive(const cw_trees *t, size_t node, size_t k, const double *x) {
    const cw_trees_node *n = t->node + node;
    if (n->column < 0) return cw_trees_value(t, n->next + k);
    return naive(t, (double)(float)x[n->column] <= (double)n->threshold ? node + 1 : n->next, k, x);
}

static void test_trees__predict_equals_naive_evaluation(void **state) {
    (void)state;
    for (size_t i = 0; i < CW_COUNT(specs); i++) {
        cw_trees *t = make(&specs[i], 2);
        cw_rng rng = cw_rng_seed(9);
        for (int n = 0; n < 500; n++) {
            double x[8], cost[8];
            random_row(&specs[i], &rng, x);
            cw_trees_predict(t, x, cost, NULL, NULL);
            for (size_t c = 0; c < t->classes; c++) {
                double sum = t->base[c];
                for (size_t k = 0; k < t->tree_count; k++)
                    if (c >= t->tree[k].first && c < t->tree[k].first + (size_t)t->tree[k].width)
                        sum += naive(t, t->tree[k].root, c - t->tree[k].first, x);
                assert_true(cost[c] == t->unit * sum);
            }
        }
        cw_trees_destroy(t);
    }
}

static void test_trees__unit_is_the_finest_that_fits(void **state) {
    (void)state;
    cw_error err;
    cw_trees *t;
    assert_ok(cw_trees_finish(by_hand(), &t, &err), err);
    assert_true(t->unit == 8.0 / INT16_MAX);
    cw_trees_destroy(t);
    /* 2,000 trees of 1: the sum decides. */
    cw_trees_draft *d;
    assert_ok(cw_trees_draft_make(1, 1, &d, &err), err);
    for (int i = 0; i < 2000; i++)
        assert_true(cw_trees_begin(d, 0, 1) && cw_trees_add_leaf(d, (double[]){1}) != SIZE_MAX);
    assert_ok(cw_trees_finish(d, &t, &err), err);
    double cost, x = 0;
    cw_trees_predict(t, &x, &cost, NULL, NULL);
    assert_true(fabs(cost - 2000) < 0.1);
    assert_true(t->value[0] * 2000 <= CW_TREES_SUM && t->value[0] * 2000 > CW_TREES_SUM - 20000);
    cw_trees_destroy(t);
    /* A given unit need not leave 16 bits, but no sum may pass 2^24. */
    assert_ok(cw_trees_finish_in(by_hand(), 0x1p-20, &t, &err), err);
    assert_true(t->wide && t->unit == 0x1p-20 && t->base[0] == -(1 << 18) && cw_trees_value(t, 6) == 1 << 23);
    cw_trees_destroy(t);
    assert_ok(cw_trees_finish_in(by_hand(), 0x1p-10, &t, &err), err);
    assert_true(t->value && !t->wide);
    cw_trees_destroy(t);
    assert_refused(cw_trees_finish_in(by_hand(), 0x1p-21, &t, &err), CW_FORMAT, err, "can add up");
    static const double bad[] = {NAN, INFINITY, 1e300};
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        d = by_hand();
        d->leaf[3] = bad[i];
        assert_refused(cw_trees_finish(d, &t, &err), CW_INVALID, err, "not finite or too large");
        d = by_hand();
        d->start[1] = bad[i];
        assert_refused(cw_trees_finish(d, &t, &err), CW_INVALID, err, "not finite or too large");
    }
    d = by_hand(); /* all 0 */
    for (int i = 0; i < 7; i++) d->leaf[i] = 0;
    d->start[0] = 0;
    assert_ok(cw_trees_finish(d, &t, &err), err);
    assert_true(t->unit == 1);
    cw_trees_destroy(t);
}

static void test_trees__finish_refuses_a_wrong_tree(void **state) {
    (void)state;
    cw_error err;
    cw_trees *t;
    cw_trees_draft *d = by_hand();
    d->trees.node[0].next = 2; /* its left child's child */
    assert_refused(cw_trees_finish(d, &t, &err), CW_FORMAT, err, "preorder");
    assert_null(t);
    d = by_hand();
    d->trees.node[1].next = 0;
    assert_refused(cw_trees_finish(d, &t, &err), CW_FORMAT, err, "right child 0");
    d = by_hand();
    d->trees.node[1].threshold = NAN;
    assert_refused(cw_trees_finish(d, &t, &err), CW_FORMAT, err, "threshold");
    d = by_hand();
    d->trees.node[1].column = 2;
    assert_refused(cw_trees_finish(d, &t, &err), CW_FORMAT, err, "column 2");
    d = by_hand();
    d->trees.tree[1].first = 2;
    assert_refused(cw_trees_finish(d, &t, &err), CW_FORMAT, err, "tree 1");
    assert_ok(cw_trees_draft_make(1, 1, &d, &err), err);
    assert_refused(cw_trees_finish(d, &t, &err), CW_FORMAT, err, "0 trees");
}

static void test_trees__sums_add_up(void **state) {
    (void)state;
    cw_error err;
    cw_trees *a = make(&specs[0], 3), *b, *sum;
    forest_spec other = specs[1];
    other.columns = a->columns, other.classes = other.width = a->classes;
    b = make(&other, 4);
    cw_trees_draft *d;
    assert_ok(cw_trees_draft_make(a->columns, a->classes, &d, &err), err);
    assert_ok(cw_trees_add_all(d, a, 0.5, &err), err);
    assert_ok(cw_trees_add_all(d, b, 2, &err), err);
    assert_ok(cw_trees_finish(d, &sum, &err), err);
    assert_int_equal(sum->node_count, a->node_count + b->node_count);
    cw_rng rng = cw_rng_seed(1);
    for (int n = 0; n < 300; n++) {
        double x[8], one[8], two[8], both[8];
        random_row(&specs[0], &rng, x);
        cw_trees_predict(a, x, one, NULL, NULL);
        cw_trees_predict(b, x, two, NULL, NULL);
        cw_trees_predict(sum, x, both, NULL, NULL);
        for (size_t c = 0; c < a->classes; c++)
            assert_true(fabs(both[c] - (0.5 * one[c] + 2 * two[c])) <= 0.5 * 81 * sum->unit);
    }
    cw_trees_destroy(sum);
    assert_ok(cw_trees_draft_make(a->columns, a->classes - 1, &d, &err), err);
    assert_refused(cw_trees_add_all(d, a, 1, &err), CW_MISMATCH, err, "classes");
    cw_trees_draft_free(d);
    cw_trees_destroy(a);
    cw_trees_destroy(b);
}

static char *text_of(const cw_trees *t) {
    json_t *json = cw_trees_save(t);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    assert_non_null(text);
    return text;
}

static void test_trees__load_what_was_saved(void **state) {
    (void)state;
    for (size_t i = 0; i < CW_COUNT(specs); i++) {
        cw_trees *t = make(&specs[i], 6);
        cw_error err;
        void *back;
        t->share = i % 2 ? CW_SHARE_VOTES : CW_SHARE_SOFTMAX;
        t->log_time = i % 3 == 0;
        t->temperature = 0.1;
        char *text = text_of(t), *again;
        json_t *json = json_loads(text, 0, NULL);
        assert_ok(cw_trees_load(json, t->columns, t->classes, &back, &err), err);
        again = text_of(back);
        assert_string_equal(text, again);
        const cw_trees *b = back;
        assert_memory_equal(t->node, b->node, t->node_count * sizeof *t->node);
        assert_int_equal(!t->wide, specs[i].unit == 0);
        for (size_t v = 0; v < t->value_count; v++)
            assert_int_equal(cw_trees_value(t, v), cw_trees_value(b, v));
        assert_true(t->unit == b->unit && t->share == b->share && t->log_time == b->log_time);
        free(text), free(again);
        json_decref(json);
        cw_trees_destroy(back);
        cw_trees_destroy(t);
    }
}

static void test_trees__load_refuses_what_it_cannot_trust(void **state) {
    (void)state;
    /* One tree of classes 0 and 1, one of class 1; replacements in what would load. */
    static const char good[] = "{\"share\":\"softmax\",\"temperature\":1.0,\"log_time\":false,\"unit\":0.5,"
                               "\"base\":[1,2],\"trees\":[[0,2],[1,1]],\"columns\":[0,-1,1,-1,-1,-1],"
                               "\"thresholds\":[1.5,2.5],\"values\":[1,2,3,4,5,6,7]}";
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"softmax", "hardmax", "share"},
        {"\"softmax\"", "3", "share"},
        {"e\":1.0", "e\":0.0", "temperature"},
        {"e\":1.0", "e\":\"1\"", "temperature"},
        {"e\":1.0", "e\":1e300", "temperature"},
        {"false", "0", "log_time"},
        {"0.5", "-0.5", "unit"},
        {"0.5", "null", "unit"},
        {"[1,2],\"t", "[1],\"t", "base"},
        {"[1,2],\"t", "[1,16777217],\"t", "base[1]"},
        {"[1,2],\"t", "[1,1.5],\"t", "base[1]"},
        {"[1,2],\"t", "[1,16777210],\"t", "class 1: its values can add up"},
        {"[[0,2],[1,1]]", "[]", "trees"},
        {"[[0,2],[1,1]]", "{}", "trees"},
        {"[[0,2],[1,1]]", "[[0,2]]", "the trees have 5"},
        {"[0,2]", "[0,3]", "from 1 to 2"},
        {"[0,2]", "[0,0]", "from 1 to 2"},
        {"[0,2]", "[2,1]", "from 0 to 1"},
        {"[0,2]", "[-1,2]", "from 0 to 1"},
        {"[0,2]", "[0]", "trees[0]"},
        {"[0,2]", "7", "trees[0]"},
        {"[0,2]", "[1,1]", "values: has 7 numbers, the leaves need 4"},
        {"[0,-1,1,-1,-1,-1]", "[0,-1,1,-1,-1,1]", "thresholds[2]"},
        {"[0,-1,1,-1,-1,-1]", "[0,-1,1,-1,-1]", "ends within tree 1"},
        {"[0,-1,1,-1,-1,-1]", "[0,-1,1,-1,-1,-1,-1]", "the trees have 6"},
        {"[0,-1,1,-1,-1,-1]", "[0,-1,2,-1,-1,-1]", "columns[2]"},
        {"[0,-1,1,-1,-1,-1]", "[0,-1,-2,-1,-1,-1]", "columns[2]"},
        {"[0,-1,1,-1,-1,-1]", "[0,-1,1.0,-1,-1,-1]", "columns[2]"},
        {"[0,-1,1,-1,-1,-1]", "7", "nodes in columns"},
        {"[1.5,2.5]", "[1.5]", "thresholds[1]"},
        {"[1.5,2.5]", "[1.5,2.5,3.5]", "3 thresholds"},
        {"[1.5,2.5]", "[1.5,0.1]", "thresholds[1]"},
        {"[1.5,2.5]", "[1.5,1e39]", "thresholds[1]"},
        {"[1.5,2.5]", "[1.5,\"2.5\"]", "thresholds[1]"},
        {"3,4,5,6,7]", "3,4,5,6]", "values"},
        {"3,4,5,6,7]", "3,4,5,6,7,8]", "values"},
        {"3,4,5,6,7]", "3,4,5,6,16777217]", "values[6]"},
        {"3,4,5,6,7]", "3,4,5,6,-16777217]", "values[6]"},
        {"3,4,5,6,7]", "3,4,5,6,-16777216]", "class 1: its values can add up"},
        {"3,4,5,6,7]", "3,4,5,6,7.5]", "values[6]"},
    };
    cw_error err;
    void *t;
    json_t *json = json_loads(good, 0, NULL);
    assert_ok(cw_trees_load(json, 2, 2, &t, &err), err);
    cw_trees_destroy(t);
    json_decref(json);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char text[512];
        const char *at = strstr(good, cases[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, cases[i].to,
                 at + strlen(cases[i].from));
        json = json_loads(text, 0, NULL);
        if (!json) fail_msg("%s", text);
        assert_refused(cw_trees_load(json, 2, 2, &t, &err), CW_FORMAT, err, cases[i].says);
        json_decref(json);
    }
}

/* A path of CW_TREES_DEEPEST nodes loads, one more does not. */
static void test_trees__load_refuses_a_deeper_tree(void **state) {
    (void)state;
    for (int deep = CW_TREES_DEEPEST; deep <= CW_TREES_DEEPEST + 1; deep++) {
        json_t *columns = json_array(), *thresholds = json_array(), *values = json_array();
        for (int i = 0; i < deep; i++) {
            json_array_append_new(columns, json_integer(0));
            json_array_append_new(thresholds, json_real(i));
        }
        for (int i = 0; i <= deep; i++) {
            json_array_append_new(columns, json_integer(-1));
            json_array_append_new(values, json_integer(i));
        }
        json_t *json = json_pack("{s:s, s:f, s:b, s:f, s:[i], s:[[i, i]], s:o, s:o, s:o}", "share", "votes",
                                 "temperature", 1.0, "log_time", 0, "unit", 1.0, "base", 0, "trees", 0, 1,
                                 "columns", columns, "thresholds", thresholds, "values", values);
        cw_error err;
        void *t;
        if (deep == CW_TREES_DEEPEST) {
            assert_ok(cw_trees_load(json, 1, 1, &t, &err), err);
            cw_trees_destroy(t);
        } else
            assert_refused(cw_trees_load(json, 1, 1, &t, &err), CW_FORMAT, err, "deeper than 64");
        json_decref(json);
    }
}

static void test_trees__explain_adds_up(void **state) {
    (void)state;
    static const char *const columns[] = {"width", "height"}, *const classes[] = {"fast", "slow"};
    cw_trees *t;
    cw_error err;
    cw_buf out = {0};
    assert_ok(cw_trees_finish(by_hand(), &t, &err), err);
    cw_trees_explain(t, (double[]){1, 2}, columns, classes, &out);
    /* Costs 0.75 and 10. Expected margin of the first tree (leaves 1, -7, -0.5): -6.5 / 3, with base and the
     * second tree 8.25 - 2.1667; left of the first split (1 - 7) / 2 = -3: -0.8333; then 1: +4. */
    assert_string_equal(out.text, "2 trees: best fast, runner-up slow, margin 9.25\n"
                                  "of that 6.0833 before any feature is looked at, and most from:\n"
                                  "  height = 2.0: 4.0001\n"
                                  "  width = 1.0: -0.8334\n");
    cw_buf_release(&out);
    cw_trees_destroy(t);
}

static void test_trees__survive_lack_of_memory(void **state) {
    (void)state;
    cw_trees *whole = make(&specs[0], 8);
    json_t *json = cw_trees_save(whole);
    cw_status status = CW_NO_MEMORY;
    int failed = 0;
    for (long n = 1; status != CW_OK; n++) {
        cw_rng rng = cw_rng_seed(8);
        cw_trees *t = NULL, *sum = NULL;
        cw_trees_draft *d = NULL;
        void *loaded = NULL;
        cw_alloc_fail_at(n);
        status = random_trees(&specs[0], &rng, &t, NULL);
        if (status == CW_OK) status = cw_trees_load(json, t->columns, t->classes, &loaded, NULL);
        if (status == CW_OK) status = cw_trees_draft_make(t->columns, t->classes, &d, NULL);
        if (status == CW_OK) {
            status = cw_trees_add_all(d, t, 1, NULL);
            if (status == CW_OK)
                status = cw_trees_finish(d, &sum, NULL);
            else
                cw_trees_draft_free(d);
        }
        cw_alloc_fail_at(0);
        assert_true(status == CW_OK || status == CW_NO_MEMORY);
        failed += status != CW_OK;
        cw_trees_destroy(t);
        cw_trees_destroy(sum);
        cw_trees_destroy(loaded);
    }
    assert_true(failed > 25);
    json_decref(json);
    cw_trees_destroy(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees__predict_by_hand),
        cmocka_unit_test(test_trees__votes_are_shares),
        cmocka_unit_test(test_trees__predict_equals_naive_evaluation),
        cmocka_unit_test(test_trees__unit_is_the_finest_that_fits),
        cmocka_unit_test(test_trees__finish_refuses_a_wrong_tree),
        cmocka_unit_test(test_trees__sums_add_up),
        cmocka_unit_test(test_trees__load_what_was_saved),
        cmocka_unit_test(test_trees__load_refuses_what_it_cannot_trust),
        cmocka_unit_test(test_trees__load_refuses_a_deeper_tree),
        cmocka_unit_test(test_trees__explain_adds_up),
        cmocka_unit_test(test_trees__survive_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
