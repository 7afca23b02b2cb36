/* test_finddb.c: keys and records of MIOpen's find-db, line by line against problems written by hand, and
 * what whole files become. */
#include "unit.h"
#include "../../src/store/import_finddb.h"
#include <math.h>
#include <unistd.h>

static void test_finddb__keys_become_problems(void **unused) {
    (void)unused;
    static const struct {
        const char *key, *problem;
        bool contradictory;
    } cases[] = {
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F", "mb8ic576ih4oc192oh4kh1ph0,nchw", false},
        /* Dilation counts from 1; height comes before width everywhere. */
        {"3-20-30-3x5-8-18-15-1-1x2-1x2-2x1-0-NCHW-FP16-F",
         "ic3ih20iw30oc8oh18ow15kh3kw5sh1sw2dh1dw0ph1pw2,f16,nchw", false},
        /* Backwards the gradient of the output comes first. */
        {"192-4-6-3x3-576-8-12-2-1x1-2x2-1x1-0-NCHW-BF16-B",
         "mb2ic576ih8iw12oc192oh4ow6kh3sh2ph1,bf16,nchw,bwd_d", false},
        {"192-4-6-3x3-576-8-12-2-1x1-2x2-1x1-0-NHWC-NHWC-NHWC-FP32-W",
         "mb2ic576ih8iw12oc192oh4ow6kh3sh2ph1,bwd_w", false},
        {"64-7-7-3x3-32-7-7-4-1x1-1x1-1x1-0-NCHW-INT8-F_g32", "g32mb4ic64ih7oc32oh7kh3ph1,s8,nchw", false},
        {"1024-1-14-14-1x1x1-2048-1-7-7-4-0x0x0-1x2x2-1x1x1-0-NCDHW-FP32-F",
         "mb4ic1024id1ih14oc2048od1oh7kd1kh1sh2pd0ph0,nchw", false},
        {"8-2-5-6-3x2x1-4-4-6-6-1-1x0x0-2x1x1-1x1x1-1-NDHWC-NDHWC-NDHWC-FP16-W",
         "ic4id4ih6iw6oc8od2oh5ow6kd3kh2kw1sd2pd1ph0pw0,f16,bwd_w", false},
        {"1-1-1-4x4-512-1-1-128-0x0-1x1-1x1-0-NCHW-FP32-F", NULL, true}, /* the kernel does not fit */
        {"64-8-8-3x3-64-8-8-1-0x0-1x1-1x1-0-NCHW-FP32-F", NULL, true},   /* would be 6 x 6 */
        {"64-8-8-3x3-64-4-4-1-1x1-2x2-1x1-0-NCHW-FP32-B", NULL, true},   /* not turned round */
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char text[200];
        bool contradictory;
        cw_problem got, want;
        cw_error err = {0};
        strcpy(text, cases[i].key);
        const char *why = cw_finddb_key(text, &got, &contradictory);
        if (why) fail_msg("%s: %s", cases[i].key, why);
        assert_int_equal(contradictory, cases[i].contradictory);
        if (!cases[i].problem) continue;
        assert_ok(cw_problem_parse(cases[i].problem, &want, &err), err);
        assert_ok(cw_problem_check(&got, &err), err);
        cw_problem_canonical(&got);
        if (cw_problem_compare(&got, &want) != 0) {
            cw_problem_format(&got, text, sizeof text);
            fail_msg("%s became %s, not %s", cases[i].key, text, cases[i].problem);
        }
    }
}

static void test_finddb__bad_keys_say_why(void **unused) {
    (void)unused;
    static const char *const cases[][2] = {
        {"", "15 to 19 fields"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-NCHW-FP32-F", "15 to 19 fields"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-0-NCHW-FP32-F", "does not fit its layout"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCDHW-FP32-F", "does not fit its layout"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NHWC-NCHW-NHWC-FP32-F", "different layouts"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-CNHW-FP32-F", "layout is none of"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP64-F", "precision is none of"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-X", "direction is none of"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-", "direction is none of"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F_c2", "number of groups"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F_g0", "number of groups"},
        {"576-4-4-1x1-192-4-4-8-0x0-0x1-1x1-0-NCHW-FP32-F", "not a number, or out of range"},
        {"576-4-4-1x1-192-4-4-8-0x0-1x1-0x1-0-NCHW-FP32-F", "not a number, or out of range"},
        {"576-4-4-1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F", "not a number, or out of range"},
        {"576-4-4-1x1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F", "not a number, or out of range"},
        {"576-4-99999999999-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F", "not a number, or out of range"},
        {"576-4-4-1x1--4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F", "not a number, or out of range"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char text[200];
        bool contradictory;
        cw_problem p;
        strcpy(text, cases[i][0]);
        const char *why = cw_finddb_key(text, &p, &contradictory);
        if (!why || !strstr(why, cases[i][1])) fail_msg("\"%s\": %s", cases[i][0], why ? why : "understood");
    }
}

static void test_finddb__records_of_both_styles(void **unused) {
    (void)unused;
    static const struct {
        const char *record;
        cw_dir dir;
        const char *impl; /* or why not */
        cw_family family;
        double ns, workspace;
    } cases[] = {
        {"ConvDirectNaiveConvBwd:0.86304,0,miopenConvolutionBwdDataAlgoDirect", CW_BWD_D,
         "miopen.ConvDirectNaiveConvBwd", CW_FAMILY_DIRECT, 863040, 0},
        {"miopenConvolutionBwdWeightsAlgoGEMM:GemmWrwUniversal,3.02316,72,"
         "miopenConvolutionBwdWeightsAlgoGEMM,not "
         "used",
         CW_BWD_W, "miopen.GemmWrwUniversal", CW_FAMILY_GEMM, 3023160, 72},
        {"ConvWinograd3x3MultipassWrW<7-3-1-1>:1e-3,7,miopenConvolutionBwdWeightsAlgoWinograd", CW_BWD_W,
         "miopen.ConvWinograd3x3MultipassWrW:7-3-1-1", CW_FAMILY_WINOGRAD, 1000, 7},
        {"fft:2,8589934592,miopenConvolutionFwdAlgoFFT", CW_FWD, "miopen.fft", CW_FAMILY_FFT, 2e6,
         8589934592.0},
        {"ConvMlirIgemmFwd:0.5,0,miopenConvolutionFwdAlgoImplicitGEMM", CW_FWD, "miopen.ConvMlirIgemmFwd",
         CW_FAMILY_GEMM, 5e5, 0},
        {"GemmWrw1x1_stride1:0.0,0,miopenConvolutionBwdWeightsAlgoGEMM", CW_BWD_W,
         "miopen.GemmWrw1x1_stride1", CW_FAMILY_GEMM, 0, 0},
        {"", CW_FWD, "no colon", 0, 0, 0},
        {"fft:2,8", CW_FWD, "neither 3 nor 5", 0, 0, 0},
        {"fft:2,8,miopenConvolutionFwdAlgoFFT,x", CW_FWD, "neither 3 nor 5", 0, 0, 0},
        {"fft:2,8,miopenConvolutionFwdAlgoFFT,x,y,z", CW_FWD, "neither 3 nor 5", 0, 0, 0},
        {"fft:2,8,miopenConvolutionBwdDataAlgoFFT", CW_FWD, "of another direction", 0, 0, 0},
        {"fft:2,8,miopenConvolutionFwdAlgoMagic", CW_FWD, "algorithm is unknown", 0, 0, 0},
        {"a:fft,2,8,b,x", CW_FWD, "two algorithms", 0, 0, 0},
        {"fft:-1,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "negative", 0, 0, 0},
        {"fft:inf,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "not a number", 0, 0, 0},
        {"fft:nan,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "not a number", 0, 0, 0},
        {"fft:1e305,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "not a number", 0, 0, 0},
        {"fft:fast,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "not a number", 0, 0, 0},
        {"fft:,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "not a number", 0, 0, 0},
        {"fft:1,-8,miopenConvolutionFwdAlgoFFT", CW_FWD, "number of bytes", 0, 0, 0},
        {"f ft:1,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "solver's name", 0, 0, 0},
        {":1,8,miopenConvolutionFwdAlgoFFT", CW_FWD, "solver's name", 0, 0, 0},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char text[200];
        cw_finddb_record r;
        strcpy(text, cases[i].record);
        const char *why = cw_finddb_record_parse(text, cases[i].dir, &r);
        if (why || strncmp(cases[i].impl, "miopen.", 7) != 0) {
            if (!why || !strstr(why, cases[i].impl))
                fail_msg("%s: %s", cases[i].record, why ? why : "understood");
            continue;
        }
        assert_string_equal(r.impl, cases[i].impl);
        assert_int_equal(r.family, cases[i].family);
        assert_true(fabs(r.ns - cases[i].ns) <= 1e-9 * cases[i].ns);
        assert_true((double)r.workspace == cases[i].workspace);
    }
}

/* ---- Whole files ---- */

#define K1         "576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F="
#define K2         "576-8-8-1x1-192-8-8-8-0x0-1x1-1x1-0-NCHW-FP32-F="
#define FFT(ms)    "fft:" ms ",8,miopenConvolutionFwdAlgoFFT"
#define GEMM(ms)   "GemmFwdRest:" ms ",0,miopenConvolutionFwdAlgoGEMM"
#define IGEMM(ms)  "ConvMlirIgemmFwd:" ms ",0,miopenConvolutionFwdAlgoImplicitGEMM"
#define IGEMM2(ms) "ConvMlirIgemmFwdXdlops:" ms ",0,miopenConvolutionFwdAlgoImplicitGEMM"

static char folder[] = "/tmp/cw_finddb_XXXXXX", path[64], store_path[64];

static cw_status import(const char *text, const cw_import_options *options, cw_import_summary *sum,
                        cw_error *err) {
    cw_store *store;
    assert_ok(cw_write_file(path, text, strlen(text), err), *err);
    assert_ok(cw_store_open(store_path, CW_STORE_WRITE, &store, err), *err);
    cw_status status = cw_import(store, "finddb", path, options, sum, err);
    cw_store_close(store);
    return status;
}

static int64_t ask(const char *sql) {
    cw_store *store;
    cw_error err = {0};
    int64_t x = -1;
    assert_ok(cw_store_open(store_path, CW_STORE_READ, &store, &err), err);
    assert_ok(cw_store_int(store, sql, &x, &err), err);
    cw_store_close(store);
    return x;
}

static void test_finddb__what_is_said_again_is_counted(void **unused) {
    (void)unused;
    cw_error err = {0};
    cw_import_summary sum;
    cw_import_options o = {.machine = "gpu"};
    unlink(store_path);
    assert_ok(import(K1 FFT("2") ";" GEMM("0.0") "\n\n" K2 FFT("1") ";" FFT("1") "\r\n" K1 FFT("2") ";" GEMM(
                         "0.0") "\n" K1 FFT("3") "\n",
                     &o, &sum, &err),
              err);
    assert_int_equal(sum.lines, 5);
    assert_int_equal(sum.problems, 2);
    assert_int_equal(sum.zero_times, 2);
    assert_int_equal(sum.absent, 1);
    assert_int_equal(sum.times, 3);
    assert_int_equal(sum.duplicates, 4); /* within K2; both of K1 word for word; K1 with another time */
    assert_int_equal(sum.other, 1);
    assert_int_equal(ask("SELECT count(*) FROM measurement"), 4);
    assert_int_equal(ask("SELECT time_ns FROM measurement ORDER BY created DESC, id DESC LIMIT 1"), 3000000);
    assert_int_equal(ask("SELECT count(*) FROM measurement WHERE state = 'absent' AND time_ns IS NULL"), 1);
}

static void test_finddb__censoring_is_recorded(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        cw_import_options o;
        const char *file, *scope;
        int64_t kept;
    } cases[] = {
        {K1 FFT("2") ";" GEMM("3") "\n", {.machine = "gpu"}, "x.txt", "family", 0},
        {K1 FFT("2") ";" IGEMM("3") ";" IGEMM2("4") "\n", {.machine = "gpu"}, "x.txt", "problem", 3},
        {K1 FFT("2") "\n", {.machine = "gpu", .kept = 7, .scope = "problem"}, "x.txt", "problem", 7},
        {K1 FFT("2") "\n", {0}, "gfx90878.HIP.fdb.txt", "problem", 4},
        {K1 FFT("2") "\n", {0}, "gfx1030_36", "family", 0},
        {K1 FFT("2") "\n", {.preset = "gfx908-78"}, "other", "problem", 4},
    };
    char usual[sizeof path];
    strcpy(usual, path);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_error err = {0};
        cw_import_summary sum;
        char sql[200];
        unlink(store_path);
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].file);
        assert_ok(import(cases[i].text, &cases[i].o, &sum, &err), err);
        assert_int_equal(sum.most_kept, cases[i].kept);
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM source WHERE scope = '%s' AND coalesce(kept, 0) = %lld",
                 cases[i].scope, (long long)cases[i].kept);
        assert_int_equal(ask(sql), 1);
        unlink(path);
    }
    strcpy(path, usual);
}

static void test_finddb__refused_files_leave_the_store_alone(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        cw_import_options o;
        const char *why;
    } cases[] = {
        {K1 FFT("2") "\n" K2 FFT("-2") "\n",
         {.machine = "gpu", .strict = true},
         "x.txt:2: a time is negative"},
        {K1 FFT("2") "\n" K2 "\n", {.machine = "gpu", .strict = true}, "x.txt:2: a record has no colon"},
        {K1 FFT("2") "\n" K2 FFT("2") ";\n",
         {.machine = "gpu", .strict = true},
         "x.txt:2: a record has no colon"},
        {K1 FFT("2") "\nhello\n", {.machine = "gpu", .strict = true}, "x.txt:2: no '='"},
        {K1 FFT("2") "\n", {0}, "--machine"},
        {K1 FFT("2") "\n", {.preset = "gfx1"}, "no preset"},
    };
    cw_error err = {0};
    cw_import_summary sum;
    unlink(store_path);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        err.message[0] = '\0';
        assert_int_not_equal(import(cases[i].text, &cases[i].o, &sum, &err), CW_OK);
        if (!strstr(err.message, cases[i].why)) fail_msg("\"%s\" lacks \"%s\"", err.message, cases[i].why);
        assert_int_not_equal(access(store_path, F_OK), 0); /* nor is one made */
        /* Without strict the line is rejected as a whole, and counted. */
        if (!cases[i].o.strict) continue;
        char other[64];
        cw_import_options lenient = {.machine = "gpu"};
        strcpy(other, store_path);
        strcat(store_path, "2");
        unlink(store_path);
        assert_ok(import(cases[i].text, &lenient, &sum, &err), err);
        assert_int_equal(sum.rejected, 1);
        assert_int_equal(sum.times, 1);
        unlink(store_path);
        strcpy(store_path, other);
    }
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
        cmocka_unit_test(test_finddb__keys_become_problems),
        cmocka_unit_test(test_finddb__bad_keys_say_why),
        cmocka_unit_test(test_finddb__records_of_both_styles),
        cmocka_unit_test(test_finddb__what_is_said_again_is_counted),
        cmocka_unit_test(test_finddb__censoring_is_recorded),
        cmocka_unit_test(test_finddb__refused_files_leave_the_store_alone),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
