/* test_limits.c: choosing within limits. Learner, backend and facts are made up here, so that what each limit
 * must leave can be written down by hand. */
#include "unit.h"
#include "../../src/backend/context.h"
#include "../../src/learn/learn.h"
#include "../../src/problem/facts.h"
#include "../../src/problem/problem.h"
#include <math.h>

enum { CLASSES = 4 };

/* ---- A learner that says what it is told ---- */

static double told[CLASSES], told_ns[CLASSES]; /* ns a multiply-accumulate */

static void predict(const void *state, const double *x, double *cost, double *share, double *ns_per_unit) {
    (void)state, (void)x;
    for (int c = 0; c < CLASSES; c++) cost[c] = told[c], share[c] = 0.25, ns_per_unit[c] = told_ns[c];
}

static const cw_learner learner = {.name = "told", .predict = predict};
static char *columns[] = {"kh"};
static char *classes[] = {"made.direct", "made.gemm", "made.wino", "made.any"};
static int32_t static_rank[] = {0, 1, 2, 3};
static const void *bound[1];
static double fact_values[CLASSES * CW_FACT_COUNT];
static cw_facts facts = {CW_FACT_COUNT, CLASSES, NULL, fact_values};

static void know(int class, int which, double value) {
    fact_values[class * CW_FACT_COUNT + which] = value;
}

/* Costs 4 3 2 1: made.any is the learner's first. */
static cw_model make_model(void) {
    bound[0] = cw_feature_find("kh");
    for (size_t i = 0; i < CW_COUNT(fact_values); i++) fact_values[i] = NAN;
    for (int c = 0; c < CLASSES; c++) told[c] = CLASSES - c, told_ns[c] = NAN;
    return (cw_model){.learner = &learner,
                      .column_count = 1,
                      .class_count = CLASSES,
                      .columns = columns,
                      .bound = bound,
                      .classes = classes,
                      .static_rank = static_rank,
                      .facts = &facts};
}

/* ---- A backend ---- */

static const cw_impl impls[] = {
    {.name = "made.direct", .exact = true, .deterministic = true},
    {.name = "made.gemm", .exact = true, .deterministic = false},
    {.name = "made.wino", .exact = false, .deterministic = true},
    {.name = "made.any", .exact = true, .deterministic = true, .own_layout = true},
    {.name = CW_LAST_RESORT, .exact = true, .deterministic = true},
};
static int64_t taken[] = {0, 1000, 2000, -1, 64};

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)state, (void)p, (void)err;
    for (size_t i = 0; i < CW_COUNT(impls); i++) visit(arg, &impls[i], NULL, false);
    return CW_OK;
}

static int64_t workspace(void *state, const cw_impl *impl, const cw_problem *p) {
    (void)state, (void)p;
    return taken[impl - impls];
}

static const cw_backend made = {.name = "made", .list = list, .workspace = workspace};
static struct cw_open_backend opened = {.backend = &made};
static cw_context context = {.count = 1, .open = &opened};

/* ---- What is left ---- */

static cw_problem problem(const char *text) {
    cw_problem p;
    cw_error err;
    assert_ok(cw_problem_parse(text, &p, &err), err);
    return p;
}

static void left(const cw_model *model, cw_context *ctx, const char *text, const cw_limits *limits,
                 const char *wanted) {
    cw_choice out[CLASSES + 1];
    cw_error err;
    size_t count;
    char names[128] = "";
    cw_problem p = problem(text);
    assert_ok(cw_choose_within(model, ctx, &p, limits, out, CLASSES + 1, &count, &err), err);
    assert_int_equal(count, ctx ? CLASSES + 1 : CLASSES);
    bool over = false;
    for (size_t i = 0; i < count; i++) {
        assert_false(over && !out[i].why_not); /* the rest ranks behind */
        over |= out[i].why_not != NULL;
        if (!over)
            snprintf(names + strlen(names), 24, "%s%s", i ? " " : "",
                     out[i].impl + 5 * (i < count && strncmp(out[i].impl, "made.", 5) == 0));
    }
    assert_string_equal(names, wanted);
}

static void test_limits__leave_what_is_allowed_here(void **state) {
    (void)state;
    static const struct {
        cw_limits limits;
        const char *left;
    } cases[] = {
        {{0}, "any wino gemm direct own.direct"},
        {{.exact = true}, "any gemm direct own.direct"},
        {{.deterministic = true}, "any wino direct own.direct"},
        {{.no_reorders = true}, "wino gemm direct own.direct"},
        {{.workspace_bytes = 1000}, "gemm direct own.direct"}, /* any: not known */
        {{.workspace_bytes = 999}, "direct own.direct"},
        {{.workspace_bytes = 63}, "direct"},
        {{.workspace_bytes = CW_NO_WORKSPACE}, "direct"},
        {{.max_error = 1e-5}, "any gemm direct own.direct"}, /* exact ones: held to 1e-5 */
        {{.max_error = 1e-6}, "wino"},                       /* the only one that was measured */
        {{.allow = "made.*"}, "any wino gemm direct"},
        {{.allow = "made.gemm,own.*"}, "gemm own.direct"},
        {{.forbid = "*.gemm,made.any"}, "wino direct own.direct"},
        {{.allow = "made.*", .forbid = "*.direct"}, "any wino gemm"},
        {{.exact = true, .deterministic = true, .no_reorders = true}, "direct own.direct"},
    };
    cw_model model = make_model();
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        know(2, CW_FACT_error_f32, cases[i].limits.max_error > 1e-6 ? 2e-5 : 1e-7);
        left(&model, &context, "ic8ih8oc8kh3ph1", &cases[i].limits, cases[i].left);
    }
    left(&model, &context, "ic8ih8oc8kh3ph1", NULL, "any wino gemm direct own.direct");
}

/* 8x8x8 source and destination and 8x8x9 weights, f32: 4 * (512 + 512 + 576) = 6,400 bytes. */
static void test_limits__go_by_what_training_met_without_a_context(void **state) {
    (void)state;
    cw_model model = make_model();
    const char *p = "ic8ih8oc8kh3ph1";
    know(0, CW_FACT_workspace, 0);
    know(1, CW_FACT_workspace, 0.5);
    know(2, CW_FACT_workspace, 0.75);
    left(&model, NULL, p, &(cw_limits){.workspace_bytes = 4800}, "wino gemm direct");
    left(&model, NULL, p, &(cw_limits){.workspace_bytes = 4799}, "gemm direct");
    left(&model, NULL, p, &(cw_limits){.workspace_bytes = 3199}, "direct");
    know(0, CW_FACT_transforms, 0);
    know(1, CW_FACT_transforms, 0);
    know(2, CW_FACT_transforms, 1);
    left(&model, NULL, p, &(cw_limits){.exact = true}, "gemm direct"); /* any: not known */
    know(1, CW_FACT_error_u8, 3);
    left(&model, NULL, "ic8ih8oc8kh3ph1,u8", &(cw_limits){.exact = true}, "direct"); /* gemm saturates */
    know(0, CW_FACT_error_f32, 1e-6);
    know(2, CW_FACT_error_f32, 2e-5);
    left(&model, NULL, p, &(cw_limits){.max_error = 1e-5}, "direct");
    left(&model, NULL, p, &(cw_limits){.max_error = 1e-4}, "wino direct");
    know(3, CW_FACT_reorders, 1);
    know(0, CW_FACT_reorders, 0);
    left(&model, NULL, p, &(cw_limits){.no_reorders = true}, "direct");
}

/* What computes f32 in bf16 is the learner's first here, and the name alone says what it is. */
static void test_limits__lower_precision_only_where_asked(void **state) {
    (void)state;
    static char *reduced[] = {"made.direct", "made.gemm", "made.wino", "made.bf16.any"};
    const char *p = "ic8ih8oc8kh3ph1";
    cw_model model = make_model();
    model.classes = reduced;
    know(3, CW_FACT_transforms, 0);
    know(3, CW_FACT_error_f32, 1e-2);
    left(&model, NULL, p, NULL, "wino gemm direct");
    left(&model, NULL, p, &(cw_limits){.allow = "made.*"}, "wino gemm direct");
    left(&model, NULL, p, &(cw_limits){.fpmath = CW_FPMATH_BF16}, "bf16.any wino gemm direct");
    know(0, CW_FACT_transforms, 0);
    left(&model, NULL, p, &(cw_limits){.fpmath = CW_FPMATH_BF16, .exact = true}, "direct");
    left(&model, NULL, p, &(cw_limits){.fpmath = CW_FPMATH_BF16, .max_error = 0.02}, "bf16.any");
    assert_true(cw_impl_is_reduced("onednn.bf16.brgconv:avx512_core_bf16"));
    assert_false(cw_impl_is_reduced("onednn.brgconv:avx512_core_bf16"));
    assert_false(cw_impl_is_reduced("own.direct") || cw_impl_is_reduced("ref") || cw_impl_is_reduced(""));
}

static void refused(cw_context *ctx, const cw_model *model, const cw_limits *limits, cw_status status,
                    const char *text) {
    cw_choice out[CLASSES + 1];
    cw_error err;
    size_t count = 77;
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    assert_refused(cw_choose_within(model, ctx, &p, limits, out, CLASSES + 1, &count, &err), status, err,
                   text);
    assert_int_equal(count, 77);
}

static void test_limits__that_leave_nothing_are_an_error_that_names_them(void **state) {
    (void)state;
    cw_model model = make_model(), bare = make_model();
    bare.facts = NULL;
    refused(&context, &model, &(cw_limits){.allow = "x.*"}, CW_UNSUPPORTED, "own.direct: limit allow");
    refused(&context, &model, &(cw_limits){.forbid = "*"}, CW_UNSUPPORTED, "limit forbid");
    refused(&context, &model, &(cw_limits){.allow = "made.any", .no_reorders = true}, CW_UNSUPPORTED,
            "limit allow");
    refused(NULL, &model, &(cw_limits){.allow = ""}, CW_UNSUPPORTED, "limit allow");
    refused(NULL, &model, &(cw_limits){.deterministic = true}, CW_UNSUPPORTED,
            "limit deterministic: not known");
    refused(NULL, &bare, &(cw_limits){.exact = true}, CW_UNSUPPORTED, "limit exact: not known");
    refused(NULL, &bare, &(cw_limits){.calls = 1}, CW_UNSUPPORTED, "preparing costs");
    refused(NULL, &model, &(cw_limits){.workspace_bytes = -2}, CW_INVALID, "limit workspace");
    const double bad[] = {-1, NAN, INFINITY};
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        refused(NULL, &model, &(cw_limits){.max_error = bad[i]}, CW_INVALID, "limit max-error");
        refused(NULL, &model, &(cw_limits){.calls = bad[i]}, CW_INVALID, "calls");
    }
}

/* 36,864 multiply-accumulates. Of a million ns, e^(prepare): direct 1 us, gemm 10 us, wino 1000 us. */
static void test_limits__calls_share_out_what_preparing_costs(void **state) {
    (void)state;
    cw_model model = make_model();
    const char *p = "ic8ih8oc8kh3ph1";
    const double prepare[] = {1e3, 1e4, 1e6}, ns[] = {3, 2, 1, 4};
    for (int c = 0; c < CLASSES; c++) told_ns[c] = ns[c];
    for (int c = 0; c < 3; c++) {
        know(c, CW_FACT_prepare, log(prepare[c]));
        know(c, CW_FACT_prepare_weights, 0);
        know(c, CW_FACT_prepare_macs, 0);
    }
    /* a run: direct 110,592, gemm 73,728, wino 36,864, any 147,456 ns; any prepares as the dearest */
    left(&model, NULL, p, &(cw_limits){.calls = 1}, "gemm direct wino any");
    left(&model, NULL, p, &(cw_limits){.calls = 14}, "gemm wino direct any");
    left(&model, NULL, p, &(cw_limits){.calls = 1e6}, "wino gemm direct any");
    cw_choice best;
    size_t count;
    cw_problem q = problem(p);
    assert_int_equal(cw_choose_within(&model, NULL, &q, &(cw_limits){.calls = 4}, &best, 1, &count, NULL),
                     CW_OK);
    assert_string_equal(best.impl, "made.gemm");
    assert_true(fabs(best.cost - (73728 + 1e4 / 4)) < 1e-6 && fabs(best.prepare_ns - 1e4) < 1e-6);
    /* prepare = weight bytes * macs: 2,304 * 36,864 */
    know(1, CW_FACT_prepare, 0);
    know(1, CW_FACT_prepare_weights, 1);
    know(1, CW_FACT_prepare_macs, 1);
    assert_int_equal(cw_choose(&model, NULL, &q, &best, 1, &count, NULL), CW_OK);
    cw_choice all[CLASSES];
    assert_int_equal(cw_choose(&model, NULL, &q, all, CLASSES, &count, NULL), CW_OK);
    assert_string_equal(all[2].impl, "made.gemm");
    assert_true(fabs(all[2].prepare_ns / (2304.0 * 36864) - 1) < 1e-12);
}

/* The learner's order any, wino, gemm, direct; typical times an operation 1, 5, 2, 9 ns: 1, 5, 5, 9. */
static void test_limits__calls_keep_the_order_of_a_learner_without_times(void **state) {
    (void)state;
    cw_model model = make_model();
    const double typical[] = {9, 2, 5, 1}, prepare[] = {1, 1, 1e9, 1e9};
    for (int c = 0; c < CLASSES; c++) {
        know(c, CW_FACT_log_ns_per_mac, log(typical[c]));
        know(c, CW_FACT_prepare, log(prepare[c]));
        know(c, CW_FACT_prepare_weights, 0);
        know(c, CW_FACT_prepare_macs, 0);
    }
    left(&model, NULL, "ic8ih8oc8kh3ph1", &(cw_limits){.calls = 1e12}, "any gemm wino direct");
    left(&model, NULL, "ic8ih8oc8kh3ph1", &(cw_limits){.calls = 1}, "gemm direct any wino");
    cw_choice all[CLASSES];
    size_t count;
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    assert_int_equal(cw_choose_within(&model, NULL, &p, &(cw_limits){.calls = 1}, all, CLASSES, &count, NULL),
                     CW_OK);
    const double ns[] = {5, 9, 1, 5};
    for (int i = 0; i < CLASSES; i++) assert_true(fabs(all[i].ns / (36864 * ns[i]) - 1) < 1e-12);
}

static void test_limits__judge_without_allocating(void **state) {
    (void)state;
    cw_model model = make_model();
    cw_problem p = problem("ic8ih8oc8kh3ph1");
    cw_choice out[CLASSES];
    size_t count;
    cw_limits limits = {.allow = "made.gemm,made.direct", .forbid = "x"};
    cw_alloc_fail_at(1);
    assert_int_equal(cw_choose_within(&model, NULL, &p, &limits, out, CLASSES, &count, NULL), CW_OK);
    assert_int_equal(cw_choose_within(&model, &context, &p, &limits, out, CLASSES, &count, NULL),
                     CW_NO_MEMORY);
    cw_alloc_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits__leave_what_is_allowed_here),
        cmocka_unit_test(test_limits__lower_precision_only_where_asked),
        cmocka_unit_test(test_limits__go_by_what_training_met_without_a_context),
        cmocka_unit_test(test_limits__that_leave_nothing_are_an_error_that_names_them),
        cmocka_unit_test(test_limits__calls_share_out_what_preparing_costs),
        cmocka_unit_test(test_limits__calls_keep_the_order_of_a_learner_without_times),
        cmocka_unit_test(test_limits__judge_without_allocating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
