/* test_clblast.c: CLBlast's implementations on the OpenCL device that is there, against the reference, in
 * both layouts; and what a context with a device promises. Skipped where there is no device. The first run in
 * a build folder compiles the device's kernels: half a minute with PoCL. */
#include "../agree/agree.h"
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

static cw_context *ctx;
static cw_context_options options = {.device = "opencl"};

static const char *const names[] = {"clblast.convgemm", "clblast.gemm"};

/* Each of the ways that the backend goes: the source as it is, arranged, padded, as columns; groups; uneven
 * pads and strides; batches; products that CLBlast pads to its tiles (the last three). */
static const char *const paths[] = {
    "ic5ih7oc9kh1",
    "ic64ih8oc24kh1",
    "ic3ih9oc8kh3ph1",
    "ic13ih11oc7kh3sh2ph1",
    "ic8ih15oc8kh3dh1ph2",
    "ic5ih15iw12oc7kh3kw2sh2sw3dh1dw0ph2pw1",
    "ic16ih9oc8kh1kw3ph0pw1",
    "ic8ih12oc8oh6kh3sh2ph0",
    "ic8ih9iw9oc8oh8ow10kh3kw3ph0pw1",
    "ic8ih9iw9oc8oh10ow8kh3kw3ph2pw0",
    "ic7ih6oc5kh1ph1",
    "ic16ih15oc16kh1sh2",
    "ic1ih1oc1kh1",
    "ic4ih29iw2oc5kh5ph2",
    "g3ic9ih7oc15kh3ph1",
    "g2ic8ih9iw9oc8oh8ow10kh3kw3ph0pw1",
    "g4ic64ih7oc64kh1",
    "g5ic5ih9oc5kh3ph1",
    "mb2ic6ih5oc4kh3ph1",
    "mb3ic16ih8oc16kh1",
    "mb2g2ic8ih9oc12kh3ph1",
    "mb2g2ic8ih9oc12kh1",
    "ic96ih28oc130kh3ph1",
    "ic160ih28oc200kh1",
    "mb2ic64ih20oc72kh3ph1",
};

static void compare(cw_problem p, cw_fill fill, uint64_t seed, const char *name) {
    cw_case c;
    cw_found found;
    cw_error err = {CW_OK, ""};
    char text[CW_PROBLEM_TEXT];
    double error;
    cw_problem_format(&p, text, sizeof text);
    assert_ok(cw_case_make(&p, fill, seed, &c, &err), err);
    assert_ok(cw_context_find(ctx, &c.problem, name, &found, &err), err);
    assert_false(found.transposed);
    if (agree_run(ctx, &c, found.impl, NULL, &error, &err) != CW_OK)
        fail_msg("%s %s: %s", text, name, err.message);
    cw_case_release(&c);
}

static void test_clblast__agrees_with_the_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < CW_COUNT(paths); i++)
        for (size_t j = 0; j < 4 * CW_COUNT(names); j++) {
            cw_problem p = agree_problem(paths[i]);
            p.layout = j / 2 % 2 ? CW_NCHW : CW_NHWC;
            compare(p, j % 2 ? CW_FILL_NORMAL : CW_FILL_INTEGER, i, names[j / 4]);
        }
}

/* The comparison above can fail: without bias, without clamp, with a weight lost. */
static void test_clblast__heeds_its_arguments(void **state) {
    (void)state;
    cw_problem p = agree_problem("ic19ih13oc21kh3ph1");
    cw_case c;
    cw_found found;
    cw_error err;
    double error;
    assert_ok(cw_case_make(&p, CW_FILL_INTEGER, 1, &c, &err), err);
    for (size_t j = 0; j < CW_COUNT(names); j++) {
        assert_ok(cw_context_find(ctx, &c.problem, names[j], &found, &err), err);
        cw_conv_args args[] = {c.args, c.args, c.args};
        args[0].bias = NULL;
        args[1].lo = -INFINITY;
        args[2].hi = INFINITY;
        for (size_t k = 0; k < CW_COUNT(args); k++)
            assert_int_equal(agree_run(ctx, &c, found.impl, &args[k], &error, &err), CW_WRONG);
    }
    cw_case_release(&c);
}

static void test_clblast__says_what_it_does_not_do(void **state) {
    (void)state;
    const struct {
        const char *problem, *name, *why;
    } rows[] = {
        {"ic16ih8oc16kh3ph1,u8", "clblast.convgemm", "f32 only"},
        {"ic1024ih1024oc1kh3ph1,f32", "clblast.gemm", "2^31 elements"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        cw_problem p = agree_problem(rows[i].problem);
        cw_found found;
        cw_error err;
        assert_int_equal(cw_context_find(ctx, &p, rows[i].name, &found, &err), CW_UNSUPPORTED);
        assert_non_null(strstr(err.message, rows[i].why));
    }
}

/* Nothing of a device is in a context that did not ask for one, and its measurements are another machine's.
 */
static void test_clblast__is_opened_on_request_only(void **state) {
    (void)state;
    cw_context *plain, *wrong = NULL;
    cw_problem p = agree_problem("ic16ih8oc16kh3ph1");
    cw_found found;
    cw_error err;
    size_t count;
    assert_ok(cw_context_open(&plain, &err), err);
    assert_int_equal(cw_context_find(plain, &p, names[0], &found, &err), CW_NOT_FOUND);
    assert_string_not_equal(cw_context_machine(plain)->fingerprint, cw_context_machine(ctx)->fingerprint);
    assert_string_equal(cw_context_machine(plain)->device, "");
    const cw_backend_info *infos = cw_backends(plain, &count);
    bool seen = false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(infos[i].name, "clblast") == 0) seen = infos[i].on_device && !infos[i].version;
    assert_true(seen);
    cw_context_close(plain);
    const char *const bad[] = {"opencl:no such device", "opencl2", "cuda", ""};
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        assert_int_equal(cw_context_open_with(&(cw_context_options){.device = bad[i]}, &wrong, &err),
                         i == 0 ? CW_NOT_FOUND : CW_INVALID);
    assert_null(wrong);
}

/* A part of its name finds the same device. */
static void test_clblast__devices_have_names(void **state) {
    (void)state;
    char text[200];
    cw_context *again;
    cw_error err;
    const char *name = cw_context_machine(ctx)->device;
    snprintf(text, sizeof text, "opencl:%s", name);
    for (int i = 0; i < 2; i++) {
        assert_ok(cw_context_open_with(&(cw_context_options){.device = text}, &again, &err), err);
        assert_string_equal(cw_context_machine(again)->device, name);
        assert_string_equal(cw_context_machine(again)->fingerprint, cw_context_machine(ctx)->fingerprint);
        cw_context_close(again);
        text[strlen(text) - 2] = '\0';
    }
}

/* A child that comes too late gets a message, not a hang. */
static void test_clblast__does_not_run_behind_a_fork(void **state) {
    (void)state;
    cw_problem p = agree_problem("ic16ih8oc16kh3ph1");
    cw_case c;
    cw_conv *conv;
    cw_error err;
    assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 1, &c, &err), err);
    assert_ok(cw_conv_create(ctx, &c.problem, names[0], &c.args, &conv, &err), err);
    cw_conv_free(conv);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(cw_conv_create(ctx, &c.problem, names[0], &c.args, &conv, NULL) == CW_BACKEND ? 0 : 1);
    }
    int how = -1;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    cw_case_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clblast__agrees_with_the_reference),
        cmocka_unit_test(test_clblast__heeds_its_arguments),
        cmocka_unit_test(test_clblast__says_what_it_does_not_do),
        cmocka_unit_test(test_clblast__is_opened_on_request_only),
        cmocka_unit_test(test_clblast__devices_have_names),
        cmocka_unit_test(test_clblast__does_not_run_behind_a_fork),
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
