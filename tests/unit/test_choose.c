/* test_choose.c: choosing: order, ties, what can run here, the last resort, no allocation. The learner and
 * the backend are made up here, so that every cost and every reason is known. */
#include "unit.h"
#include "../../src/backend/context.h"
#include "../../src/learn/learn.h"
#include "../../src/problem/problem.h"
#include <math.h>

enum { CLASSES = 4 };

/* ---- A learner that says what it is told ---- */

static double told[CLASSES];

static void predict(const void *state, const double *x, double *cost, double *share, double *ns_per_unit) {
    (void)state;
    for (int c = 0; c < CLASSES; c++) cost[c] = told[c], share[c] = 0.25, ns_per_unit[c] = x[0];
}

static void explain(const void *state, const double *x, const char *const *columns,
                    const char *const *classes, cw_buf *out) {
    (void)state, (void)classes;
    cw_buf_printf(out, "%s = %g\n", columns[0], x[0]);
}

static const cw_learner learner = {.name = "told", .predict = predict, .explain = explain};
static char *columns[] = {"kh", "pb"};
static char *classes[] = {"made.a", "made.b", "other.c", "made.d"};
static int32_t static_rank[] = {2, 0, 1, 3};
static const void *bound[2];

static cw_model make_model(void) {
    bound[0] = cw_feature_find("kh");
    bound[1] = cw_feature_find("pb");
    return (cw_model){.learner = &learner,
                      .column_count = 2,
                      .class_count = CLASSES,
                      .columns = columns,
                      .bound = bound,
                      .classes = classes,
                      .static_rank = static_rank};
}

/* ---- A backend that refuses what it is told ---- */

static const char *refused[3]; /* reasons for made.a, made.d, own.direct; "" = not listed */
static int library_takes;      /* index in impls, -1 = it has no choice */
static const cw_impl impls[] = {{.name = "made.a"}, {.name = "made.d"}, {.name = CW_LAST_RESORT}};

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)state, (void)p, (void)err;
    for (int i = 0; i < 3; i++)
        if (!refused[i] || *refused[i]) visit(arg, &impls[i], refused[i], i == library_takes);
    return CW_OK;
}

static const cw_backend made = {.name = "made", .list = list};
static struct cw_open_backend opened = {.backend = &made};

static cw_context make_context(const char *a, const char *d, const char *direct) {
    refused[0] = a, refused[1] = d, refused[2] = direct;
    library_takes = -1;
    return (cw_context){.count = 1, .open = &opened};
}

static cw_problem problem(const char *text) {
    cw_problem p;
    cw_error err;
    if (cw_problem_parse(text, &p, &err) != CW_OK) fail_msg("%s", err.message);
    return p;
}

static void tell(double a, double b, double c, double d) {
    told[0] = a, told[1] = b, told[2] = c, told[3] = d;
}

static void expect_order(const cw_choice *out, size_t count, const char *order) {
    char text[128] = "";
    for (size_t i = 0; i < count; i++) snprintf(text + strlen(text), 16, "%s%s", i ? " " : "", out[i].impl);
    assert_string_equal(text, order);
}

/* ---- Tests ---- */

static void test_choose__orders_by_cost_and_ties_by_static_rank(void **state) {
    (void)state;
    static const struct {
        double cost[CLASSES];
        const char *order;
    } cases[] = {
        {{1, 2, 3, 4}, "made.a made.b other.c made.d"},
        {{4, 3, 2, 1}, "made.d other.c made.b made.a"},
        {{0, 0, 0, 0}, "made.b other.c made.a made.d"},
        {{-1, 5, -1, 5}, "other.c made.a made.b made.d"},
        {{0.0, -0.0, INFINITY, -INFINITY}, "made.d made.b made.a other.c"},
    };
    cw_model model = make_model();
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_choice out[CLASSES], few[CLASSES];
        size_t count = 0;
        memcpy(told, cases[i].cost, sizeof told);
        assert_int_equal(cw_choose(&model, NULL, &p, out, CLASSES, &count, NULL), CW_OK);
        assert_int_equal(count, CLASSES);
        expect_order(out, CLASSES, cases[i].order);
        for (size_t capacity = 0; capacity <= CLASSES; capacity++) {
            assert_int_equal(cw_choose(&model, NULL, &p, capacity ? few : NULL, capacity, &count, NULL),
                             CW_OK);
            assert_int_equal(count, CLASSES);
            for (size_t k = 0; k < capacity; k++) assert_ptr_equal(few[k].impl, out[k].impl);
        }
    }
}

static void test_choose__predicts_time_from_work(void **state) {
    (void)state;
    cw_model model = make_model();
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    cw_choice best;
    size_t count;
    tell(1, 2, 3, 4);
    assert_int_equal(cw_choose(&model, NULL, &p, &best, 1, &count, NULL), CW_OK);
    assert_true(best.ns == 3.0 * (8 * 8 * 8 * 8 * 9)); /* the learner says kh = 3 a multiply-accumulate */
}

static void test_choose__ranks_what_cannot_run_last_with_reasons(void **state) {
    (void)state;
    cw_model model = make_model();
    cw_context ctx = make_context("too odd", NULL, NULL);
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    cw_choice out[CLASSES + 1];
    size_t count;
    tell(1, 2, 3, 4);
    assert_int_equal(cw_choose(&model, &ctx, &p, out, CLASSES + 1, &count, NULL), CW_OK);
    assert_int_equal(count, CLASSES + 1);
    expect_order(out, count, "made.d " CW_LAST_RESORT " made.a made.b other.c");
    assert_null(out[0].why_not);
    assert_null(out[1].why_not);
    assert_string_equal(out[2].why_not, "too odd");
    assert_string_equal(out[3].why_not, "its library does not offer it for this problem");
    assert_string_equal(out[4].why_not, "this build has no implementation of that name");
}

static void test_choose__takes_the_librarys_choice_where_the_learner_knows_no_better(void **state) {
    (void)state;
    enum { GROUP = 1, STRANGE = 2, OUTSIDE = 4 };
    static const struct {
        int why; /* not to ask the learner, which says made.d */
        int library;
        const char *refuse_a, *forbid, *first;
        bool by_library, by_order;
    } cases[] = {
        {0, 0, NULL, NULL, "made.d", false, false},
        {GROUP, 0, NULL, NULL, "made.a", true, true},
        {GROUP, 1, NULL, NULL, "made.d", true, true},
        {GROUP, -1, NULL, NULL, "made.d", false, false},
        {GROUP, 0, "too odd", NULL, "made.d", false, false},
        {GROUP, 0, NULL, "made.a", "made.d", false, false},
        {STRANGE, 0, NULL, NULL, "made.a", true, true},
        {STRANGE, -1, NULL, NULL, "made.d", false, false},
        {OUTSIDE, 1, NULL, NULL, "made.d", true, true},
        {OUTSIDE, -1, NULL, NULL, "made.a", false, true}, /* the static order */
    };
    const char *const names[CW_KIND_FIELD_COUNT] = {"any"};
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    cw_seen *elsewhere = cw_seen_alloc(names, 1, 1, CLASSES);
    elsewhere->key[0] = -1;
    double bounds[2 * CW_EXTENT_COUNT];
    for (size_t i = 0; i < CW_COUNT(bounds); i++) bounds[i] = NAN;
    bounds[0] = 1e6; /* at least: nothing has that much */
    cw_facts extents = {.fields = CW_EXTENT_COUNT, .value = bounds};
    tell(4, 2, 3, 1);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_model model = make_model();
        cw_context ctx = make_context(cases[i].refuse_a, NULL, NULL);
        cw_choice out[CLASSES + 1];
        size_t count;
        library_takes = cases[i].library;
        if (cases[i].why & GROUP) model.library_groups = 1U << cw_problem_shape_group(&p);
        if (cases[i].why & STRANGE) model.seen = elsewhere;
        if (cases[i].why & OUTSIDE) model.extents = &extents;
        cw_limits limits = {.forbid = cases[i].forbid};
        assert_int_equal(cw_choose_within(&model, &ctx, &p, &limits, out, CLASSES + 1, &count, NULL), CW_OK);
        for (size_t k = 0; k < count; k++)
            if (strcmp(out[0].impl, cases[i].first) != 0 || out[k].by_library != cases[i].by_library ||
                out[k].by_static_order != cases[i].by_order)
                fail_msg("case %zu: %s, by_library %d, by_static_order %d", i, out[0].impl, out[k].by_library,
                         out[k].by_static_order);
    }
    cw_seen_free(elsewhere);
}

static void test_choose__falls_back_to_the_last_resort(void **state) {
    (void)state;
    cw_model model = make_model();
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    cw_choice out[CLASSES];
    size_t count;
    cw_error err = {0};
    cw_context ctx = make_context("no", "no", NULL);
    assert_int_equal(cw_choose(&model, &ctx, &p, out, CLASSES, &count, &err), CW_OK);
    assert_int_equal(count, CLASSES + 1);
    assert_string_equal(out[0].impl, CW_LAST_RESORT);
    assert_null(out[0].why_not);
    ctx = make_context("no", "no", "broken");
    assert_int_equal(cw_choose(&model, &ctx, &p, out, CLASSES, &count, &err), CW_UNSUPPORTED);
    assert_non_null(strstr(err.message, "broken"));
}

static void test_choose__does_not_allocate_without_a_context(void **state) {
    (void)state;
    cw_model model = make_model();
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    cw_choice out[CLASSES];
    size_t count;
    cw_context ctx = make_context(NULL, NULL, NULL);
    cw_alloc_fail_at(1);
    assert_int_equal(cw_choose(&model, NULL, &p, out, CLASSES, &count, NULL), CW_OK);
    assert_int_equal(cw_choose(&model, &ctx, &p, out, CLASSES, &count, NULL),
                     CW_NO_MEMORY); /* the trap is set */
    cw_alloc_fail_at(0);
}

static void test_choose__takes_problems_as_their_canonical_form(void **state) {
    (void)state;
    cw_model model = make_model();
    cw_problem p = problem("ic8ih8oc8kh3sh2ph1"), loose = p;
    char *a, *b;
    loose.pb = loose.pr = 1; /* no window reads it: 8 + 2, kernel 3, stride 2 */
    assert_int_equal(p.pb, 0);
    columns[0] = "pb", bound[0] = cw_feature_find("pb");
    assert_int_equal(cw_model_explain(&model, &p, &a, NULL), CW_OK);
    model = make_model();
    columns[0] = "pb", bound[0] = cw_feature_find("pb");
    assert_int_equal(cw_model_explain(&model, &loose, &b, NULL), CW_OK);
    assert_non_null(strstr(a, "pb = 0\n"));
    assert_string_equal(a, b);
    columns[0] = "kh";
    cw_free(a);
    cw_free(b);
}

static void test_choose__refuses_what_is_not_valid(void **state) {
    (void)state;
    cw_model model = make_model();
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    cw_choice out[CLASSES];
    size_t count;
    p.g = 3;
    assert_int_equal(cw_choose(&model, NULL, &p, out, CLASSES, &count, NULL), CW_INVALID);
    p.g = 1;
    model.bound = NULL;
    assert_int_equal(cw_choose(&model, NULL, &p, out, CLASSES, &count, NULL), CW_MISMATCH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose__orders_by_cost_and_ties_by_static_rank),
        cmocka_unit_test(test_choose__predicts_time_from_work),
        cmocka_unit_test(test_choose__ranks_what_cannot_run_last_with_reasons),
        cmocka_unit_test(test_choose__takes_the_librarys_choice_where_the_learner_knows_no_better),
        cmocka_unit_test(test_choose__falls_back_to_the_last_resort),
        cmocka_unit_test(test_choose__does_not_allocate_without_a_context),
        cmocka_unit_test(test_choose__takes_problems_as_their_canonical_form),
        cmocka_unit_test(test_choose__refuses_what_is_not_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
