/* test_armcl_cl.c: the Arm Compute Library's OpenCL functions on the device that is there, against the
 * reference, in both layouts; and the library's own choice against its rules (src/problem/arm_rules.c).
 * Skipped where there is no device.
 * ./dev test-armcl-opencl runs it emulated, where a function takes up to a minute to compile. */
#include "../agree/agree.h"
#if CW_WITH_ARMCL_CL

static cw_context *ctx;
static cw_context_options options = {.device = "opencl"};

/* Each function. */
static const struct row {
    const char *problem, *name;
    bool choice; /* it is the library's */
} rows[] = {
    {"ic4ih7oc5kh3sh2ph1", "armcl.cl.gemm", true},
    {"ic5ih6iw9oc7kh1", "armcl.cl.gemm", true},
    {"ic4ih7oc5kh3ph1", "armcl.cl.direct", false},
    {"ic16ih7oc5kh3ph1", "armcl.cl.winograd", true},
};

static void compare(const struct row *row, cw_layout layout) {
    cw_problem p = agree_problem(row->problem);
    cw_case c;
    cw_found found;
    cw_error err = {CW_OK, ""};
    double error;
    p.layout = (int32_t)layout;
    assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 3, &c, &err), err);
    assert_ok(cw_context_find(ctx, &c.problem, row->name, &found, &err), err);
    assert_int_equal(found.library_choice, row->choice);
    if (agree_run(ctx, &c, found.impl, NULL, &error, &err) != CW_OK)
        fail_msg("%s,%s %s: %s", row->problem, cw_layout_name(layout), row->name, err.message);
    print_message("%s,%s %s: error %.2g\n", row->problem, cw_layout_name(layout), row->name, error);
    cw_case_release(&c);
}

static void test_armcl_cl__agrees_with_the_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        compare(&rows[i], CW_NCHW);
        compare(&rows[i], CW_NHWC);
    }
}

/* Without a bias its output differs: the comparison can fail. */
static void test_armcl_cl__heeds_its_arguments(void **state) {
    (void)state;
    cw_problem p = agree_problem(rows[0].problem);
    cw_case c;
    cw_found found;
    cw_error err;
    double error;
    assert_ok(cw_case_make(&p, CW_FILL_INTEGER, 3, &c, &err), err);
    assert_ok(cw_context_find(ctx, &c.problem, rows[0].name, &found, &err), err);
    cw_conv_args args = c.args;
    args.bias = NULL;
    assert_int_equal(agree_run(ctx, &c, found.impl, &args, &error, &err), CW_WRONG);
    cw_case_release(&c);
}

static void test_armcl_cl__says_what_it_does_not_do(void **state) {
    (void)state;
    const char *const texts[] = {"ic16ih8oc16kh3ph1,u8", "g2ic16ih8oc16kh3ph1", "ic16ih8oc16kh3ph1sh2"};
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        cw_problem p = agree_problem(texts[i]);
        cw_found found;
        cw_error err;
        assert_int_equal(cw_context_find(ctx, &p, "armcl.cl.winograd", &found, &err), CW_UNSUPPORTED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_armcl_cl__agrees_with_the_reference),
        cmocka_unit_test(test_armcl_cl__heeds_its_arguments),
        cmocka_unit_test(test_armcl_cl__says_what_it_does_not_do),
    };
    cw_error err;
    cw_status status = cw_context_open_with(&options, &ctx, &err);
    if (status == CW_NOT_FOUND) {
        print_message("SKIP: %s\n", err.message);
        return 77;
    }
    if (status != CW_OK) return print_error("%s\n", err.message), 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cw_context_close(ctx);
    return failed;
}
#else
int main(void) {
    printf("SKIP: the Arm Compute Library's OpenCL side is not in this build\n");
    return 77;
}
#endif
