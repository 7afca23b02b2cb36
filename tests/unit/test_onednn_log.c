/* test_onednn_log.c: lines of oneDNN's verbose log, real ones of 2.6 and those of 3.x as documented, and what
 * whole logs become. */
#include "unit.h"
#include "../../src/store/import_onednn.h"
#include <math.h>
#include <unistd.h>

#define MD2(layout)                                                                                          \
    "src_f32::blocked:" layout                                                                               \
    ":f0 wei_f32::blocked:Acdb16a:f0 bia_undef::undef::f0 dst_f32::blocked:" layout ":f0"
#define MD3(layout)                                                                                          \
    "src_f32:a:blocked:" layout                                                                              \
    "::f0 wei_f32:a:blocked:Acdb16a::f0 bia_undef::undef::: dst_f32:a:blocked:" layout "::f0"
#define MD35(layout)                                                                                         \
    "src:f32:a:blocked:" layout                                                                              \
    "::f0 wei:f32:ap:blocked:Acdb16a::f0 bia:undef::undef::: dst:f32::blocked:" layout "::f0"
#define SHAPE      "mb2_ic3oc8_ih32oh16kh3sh2dh0ph1_iw32ow16kw3sw2dw0pw1"
#define TAIL(time) ",attr-scratchpad:user ,alg:convolution_direct," SHAPE "," time
#define BRG        "brgconv:avx512_core,forward_inference,"

static void test_onednn_log__lines(void **unused) {
    (void)unused;
    static const struct {
        const char *line;
        cw_log_what what;
        const char *problem; /* or version, threads, why */
        double ns;
    } cases[] = {
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") TAIL("0.5"), CW_LOG_RUN,
         "mb2ic3ih32oc8oh16kh3sh2ph1", 5e5},
        {"dnnl_verbose,1669000000.25,exec,cpu,convolution," BRG MD2("abcd") TAIL("0.5"), CW_LOG_RUN,
         "mb2ic3ih32oc8oh16kh3sh2ph1,nchw", 5e5},
        {"onednn_verbose,primitive,exec,cpu,convolution," BRG MD3("acdb") TAIL("1"), CW_LOG_RUN,
         "mb2ic3ih32oc8oh16kh3sh2ph1", 1e6},
        {"onednn_verbose,v1,primitive,exec,cpu,convolution," BRG MD35("acdb") TAIL("1"), CW_LOG_RUN,
         "mb2ic3ih32oc8oh16kh3sh2ph1", 1e6},
        {"onednn_verbose,v1,1700000000.125000,primitive,exec,cpu,convolution," BRG MD35("acdb") TAIL("1"),
         CW_LOG_RUN, "mb2ic3ih32oc8oh16kh3sh2ph1", 1e6},
        {"onednn_verbose,exec,cpu,convolution,brgconv:avx512_core,backward_weights," MD2("acdb") TAIL("0.25"),
         CW_LOG_RUN, "mb2ic3ih32oc8oh16kh3sh2ph1,bwd_w", 2.5e5},
        {"onednn_verbose,exec,cpu,convolution,brgconv:avx512_core,forward_training,src_u8::blocked:acdb:f0 "
         "wei_s8::blocked:cdba:f8:zpm1 bia_s32::blocked:a:f0 dst_u8::blocked:acdb:f0,attr-scratchpad:user "
         "attr-oscale:2 "
         "attr-zero-points:src:0:128+dst:0:120 attr-post-ops:eltwise_clip:-80:88 "
         ",alg:convolution_direct,g16mb1_ic16oc16_ih14oh14kh3sh1dh0ph1_iw14ow14kw3sw1dw0pw1,8.13696",
         CW_LOG_RUN, "g16ic16ih14oc16oh14kh3ph1,u8,zp", 8136960},
        {"onednn_verbose,exec,cpu,convolution,jit:avx2,backward_data,src_bf16::blocked:acdeb:f0 "
         "wei_bf16::blocked:x:f0 bia_undef::undef::f0 dst_bf16::blocked:acdeb:f0,,alg:convolution_direct,"
         "mb1_ic4oc8_id4od2kd3sd1dd0pd0_ih6oh6kh1sh1dh0ph0_iw6ow6kw1sw1dw0pw0,1",
         CW_LOG_RUN, "ic4id4ih6oc8od2oh6kd3kh1pd0ph0,bf16,bwd_d", 1e6},
        {"onednn_verbose,info,oneDNN v2.6.3 (commit N/A)", CW_LOG_VERSION, "2.6.3", 0},
        {"onednn_verbose,v1,info,oneDNN v3.5.0 (commit 5f4d6a5)", CW_LOG_VERSION, "3.5.0", 0},
        {"onednn_verbose,info,cpu,runtime:OpenMP,nthr:12", CW_LOG_THREADS, "12", 0},
        {"onednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:12", CW_LOG_THREADS, "12", 0},
        {"onednn_verbose,info,gpu,runtime:OpenCL", CW_LOG_OTHER, "", 0},
        {"onednn_verbose,create:cache_miss,cpu,convolution," BRG MD2("acdb") TAIL("0.5"), CW_LOG_OTHER, "",
         0},
        {"onednn_verbose,exec,cpu,reorder,jit:uni,undef,src_f32 dst_f32,,,3x3,0.1", CW_LOG_OTHER, "", 0},
        {"onednn_verbose,exec,gpu,convolution," BRG MD2("acdb") TAIL("0.5"), CW_LOG_OTHER, "", 0},
        {"onednn_verbose,graph,exec,cpu,1,a,b,c,d,e,f,g,h,i,j,k", CW_LOG_OTHER, "", 0},
        {"the application's own words", CW_LOG_OTHER, "", 0},
        {"", CW_LOG_OTHER, "", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("aBcd16b") TAIL("0.5"), CW_LOG_LEFT,
         "in blocks (aBcd16b)", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG
         "src_f32::blocked:acdb:f0 wei_s8::blocked:a:f0 dst_f32::blocked:acdb:f0" TAIL("0.5"),
         CW_LOG_LEFT, "data types f32, s8 and f32", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") ",attr-post-ops:dw_k3s1p1 ,alg:x," SHAPE ",1",
         CW_LOG_LEFT, "fused", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") ",1", CW_LOG_BAD, "ten fields", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") TAIL("-1"), CW_LOG_BAD, "milliseconds", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") TAIL("inf"), CW_LOG_BAD, "milliseconds", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") TAIL("soon"), CW_LOG_BAD, "milliseconds", 0},
        {"onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") ",,,mb1_ic3oc8_iw32ow30kw3sw1dw0pw0,1",
         CW_LOG_BAD, "two or three dimensions", 0},
        {"onednn_verbose,exec,cpu,convolution,a b,forward_inference," MD2("acdb") TAIL("1"), CW_LOG_BAD,
         "no name", 0},
        {"onednn_verbose,exec,cpu,convolution,jit,sideways," MD2("acdb") TAIL("1"), CW_LOG_BAD, "sideways",
         0},
        {"onednn_verbose,exec,cpu,convolution,jit,forward_inference,src_f32" TAIL("1"), CW_LOG_BAD, "tensors",
         0},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char text[600];
        cw_log_line l = {0};
        cw_problem want;
        cw_error err = {0};
        strcpy(text, cases[i].line);
        cw_log_what what = cw_log_parse(text, &l);
        if (what != cases[i].what) fail_msg("%s: %d, not %d (%s)", cases[i].line, what, cases[i].what, l.why);
        if (what == CW_LOG_LEFT || what == CW_LOG_BAD) assert_non_null(strstr(l.why, cases[i].problem));
        if (what == CW_LOG_VERSION) assert_string_equal(l.impl, cases[i].problem);
        if (what == CW_LOG_THREADS) assert_int_equal(l.threads, atoi(cases[i].problem));
        if (what != CW_LOG_RUN) continue;
        assert_ok(cw_problem_parse(cases[i].problem, &want, &err), err);
        if (cw_problem_compare(&l.problem, &want) != 0) {
            cw_problem_format(&l.problem, text, sizeof text);
            fail_msg("%s became %s", cases[i].line, text);
        }
        assert_true(fabs(l.ns - cases[i].ns) < 1e-6 * cases[i].ns);
    }
}

/* ---- Whole logs ---- */

static char folder[] = "/tmp/cw_log_XXXXXX", path[64], store_path[64];
#define RUN(time)  "onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") TAIL(time) "\n"
#define THREADS(n) "onednn_verbose,info,cpu,runtime:OpenMP,nthr:" n "\n"
#define VERSION(v) "onednn_verbose,info,oneDNN v" v " (commit N/A)\n"

static cw_status import(const char *text, const cw_import_options *o, cw_import_summary *sum, cw_error *err) {
    cw_store *store;
    unlink(store_path);
    assert_ok(cw_write_file(path, text, strlen(text), err), *err);
    assert_ok(cw_store_open(store_path, CW_STORE_WRITE, &store, err), *err);
    cw_status status = cw_import(store, "onednn-log", path, o, sum, err);
    cw_store_close(store);
    return status;
}

static cw_status copy(void *arg, const cw_measurement *m) {
    *(cw_measurement *)arg = *m;
    return CW_OK;
}

static void test_onednn_log__runs_become_one_measurement(void **unused) {
    (void)unused;
    cw_error err = {0};
    cw_import_summary sum;
    cw_import_options o = {.machine = "theirs"};
    cw_store *store;
    cw_measurement m;
    assert_ok(import(VERSION("2.6.3") THREADS("4") "hello\n" RUN("3") RUN("1") RUN("0.0") RUN("7") RUN("2"),
                     &o, &sum, &err),
              err);
    assert_int_equal(sum.lines, 8);
    assert_int_equal(sum.times, 1);
    assert_int_equal(sum.other, 3);
    assert_int_equal(sum.zero_times, 1);
    assert_ok(cw_store_open(store_path, CW_STORE_READ, &store, &err), err);
    assert_ok(cw_store_each(store, "theirs", copy, &m, &err), err);
    assert_int_equal(m.samples, 4);
    assert_int_equal(m.problem.threads, 4);
    assert_int_equal(m.family, CW_FAMILY_DIRECT);
    assert_true(m.time_ns == 2.5e6 && m.min_ns == 1e6 && m.median_ns == 2.5e6 && m.mad_ns == 1e6);
    cw_store_close(store);
}

/* However many runs: as many samples, the true minimum, a median near the true one. */
static void test_onednn_log__many_runs_are_sampled(void **unused) {
    (void)unused;
    enum { RUNS = 4000 };
    cw_error err = {0};
    cw_import_summary sum;
    cw_import_options o = {.machine = "theirs"};
    cw_buf buf = {0};
    cw_store *store;
    cw_measurement m;
    cw_buf_put(&buf, THREADS("1"));
    for (int i = 0; i < RUNS; i++)
        cw_buf_printf(&buf, "onednn_verbose,exec,cpu,convolution," BRG MD2("acdb") TAIL("%d") "\n", RUNS - i);
    assert_ok(import(buf.text, &o, &sum, &err), err);
    cw_buf_release(&buf);
    assert_ok(cw_store_open(store_path, CW_STORE_READ, &store, &err), err);
    assert_ok(cw_store_each(store, "theirs", copy, &m, &err), err);
    assert_int_equal(m.samples, RUNS);
    assert_true(m.min_ns == 1e6);
    /* 5 standard errors of the median of 255 uniform numbers: half the range / sqrt(255). */
    assert_true(fabs(m.median_ns / 1e6 - RUNS / 2.0) < 5 * RUNS / 2.0 / 15.97);
    cw_store_close(store);
}

static void test_onednn_log__refusals(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        cw_import_options o;
        const char *why;
    } cases[] = {
        {RUN("1"), {0}, "x.txt:1: nothing before this says how many threads"},
        {"hello\n", {0}, "no line tells of a convolution"},
        {VERSION("2.6.3") VERSION("2.7.1"), {0}, "x.txt:2: a log of oneDNN 2.6.3 and 2.7.1"},
        {THREADS("1") RUN("1") RUN("-1"), {.strict = true}, "x.txt:3: its time"},
        {RUN("1"), {.columns = "ic=x"}, "columns are"},
    };
    cw_error err = {0};
    cw_import_summary sum;
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        assert_int_not_equal(import(cases[i].text, &cases[i].o, &sum, &err), CW_OK);
        if (!strstr(err.message, cases[i].why)) fail_msg("\"%s\" lacks \"%s\"", err.message, cases[i].why);
    }
    cw_import_options o = {.columns = "threads=3"};
    assert_ok(import(RUN("1"), &o, &sum, &err), err);
    assert_int_equal(sum.times, 1);
}

static int make_folder(void **unused) {
    (void)unused;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/x.txt", folder);
    snprintf(store_path, sizeof store_path, "%s/s.db", folder);
    return 0;
}

static int drop_folder(void **unused) {
    (void)unused;
    unlink(path);
    unlink(store_path);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onednn_log__lines),
        cmocka_unit_test(test_onednn_log__runs_become_one_measurement),
        cmocka_unit_test(test_onednn_log__many_runs_are_sampled),
        cmocka_unit_test(test_onednn_log__refusals),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
