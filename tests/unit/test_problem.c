/* test_problem.c: text both ways, limits, derived sizes, features. Sizes are checked by counting, not by the
 * formula. */
#include "unit.h"
#include "../../src/problem/problem.h"
#include <math.h>

static cw_problem parsed(const char *text) {
    cw_problem p;
    cw_error err;
    memset(&p, 0xAA, sizeof p);
    cw_status status = cw_problem_parse(text, &p, &err);
    if (status != CW_OK) fail_msg("%s: %s", text, err.message);
    return p;
}

static void test_problem__text_gives_canonical_text(void **state) {
    (void)state;
    const struct {
        const char *text, *canonical;
    } cases[] = {
        {"mb1ic64ih56oc64oh56kh3ph1", "mb1ic64ih56oc64oh56kh3ph1"},
        {"ic64ih56oc64kh3ph1", "mb1ic64ih56oc64oh56kh3ph1"},
        {"g1mb50_ic3ih224_oc64oh112_kh7sh2ph3n\"conv1\"", "mb50ic3ih224oc64oh112kh7sh2ph3"},
        {"g32ic32ih112oc32oh112kh3ph1", "g32mb1ic32ih112oc32oh112kh3ph1"},
        {"ic3iw224oc8kw3", "mb1ic3ih224oc8oh222kh3ph0"},
        {"ic8ih17oc8kh1kw7ph0pw3", "mb1ic8ih17iw17oc8oh17ow17kh1kw7ph0pw3"},
        {"ic8ih17iw18oc8kh3", "mb1ic8ih17iw18oc8oh15ow16kh3kw3ph0pw0"},
        {"ic8ih33oc8kh3dh11ph12", "mb1ic8ih33oc8oh33kh3dh11ph12"},
        {"ic8ih112oc8oh56kh3sh2ph0", "mb1ic8ih112oc8oh56kh3sh2ph0"},
        {"ic8ih112oc8kh3sh2ph1", "mb1ic8ih112oc8oh56kh3sh2ph1"},
        {"ic8ih112oc8oh56kh3sh2",
         "mb1ic8ih112oc8oh56kh3sh2ph0"}, /* one padding row is needed: it goes below */
        {"ic8ih56oc8kh3oh56", "mb1ic8ih56oc8oh56kh3ph1"},
        {"ic8ih56oc8kh1sh2", "mb1ic8ih56oc8oh28kh1sh2ph0"},
        {"ic3ih8oc4kh3,u8", "mb1ic3ih8oc4oh6kh3ph0,u8"},
        {"ic3ih8oc4kh3,zp,t2,u8,nhwc", "mb1ic3ih8oc4oh6kh3ph0,u8,zp,t2"},
        {"ic1ih5oc4kh1ph1", "mb1ic1ih5oc4oh7kh1ph1"}, /* windows of padding only */
        {"ic3id8ih9oc4kd3kh3", "mb1ic3id8ih9oc4od6oh7kd3kh3pd0ph0"},
        {"mb2ic3id8ih9oc4od4oh7kd3kh3sd2dd0pd1ph0", "mb2ic3id8ih9oc4od4oh7kd3kh3sd2pd1ph0"},
        {"ic3id9ih9oc4kd3kh3dd1pd2,bf16,nchw,bwd_w", "mb1ic3id9ih9oc4od9oh7kd3kh3dd1pd2ph0,bf16,nchw,bwd_w"},
        {"ic3ih9oc4kh3,bwd_d,f16", "mb1ic3ih9oc4oh7kh3ph0,f16,bwd_d"},
        {"ic3ih8oc4kh3,cold,nchw,t2", "mb1ic3ih8oc4oh6kh3ph0,nchw,cold,t2"},
        {"ic3ih8oc4kh3,hot", "mb1ic3ih8oc4oh6kh3ph0"},
        {"ic3ih8oc4kh3,s8,zp", "mb1ic3ih8oc4oh6kh3ph0,s8"},
        {"ic3ih8oc4kh3,f32,zp", "mb1ic3ih8oc4oh6kh3ph0"},
        {"ic3ih8oc4kh3nplain", "mb1ic3ih8oc4oh6kh3ph0"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char text[CW_PROBLEM_TEXT];
        cw_problem p = parsed(cases[i].text), again;
        size_t length = cw_problem_format(&p, text, sizeof text);
        assert_string_equal(text, cases[i].canonical);
        assert_int_equal(length, strlen(text));
        again = parsed(text);
        assert_memory_equal(&p, &again, sizeof p);
        assert_int_equal(cw_problem_compare(&p, &again), 0);
        assert_true(cw_problem_hash(&p) == cw_problem_hash(&again));
    }
}

static void test_problem__asymmetric_padding_follows_from_the_output(void **state) {
    (void)state;
    cw_problem p = parsed("ic8ih112oc8oh56kh3sh2ph0"); /* TensorFlow's SAME */
    assert_int_equal(p.pt, 0);
    assert_int_equal(p.pb, 1);
    p = parsed("ic8ih7iw9oc8oh8ow7kh4kw3ph2pw0");
    assert_int_equal(p.pt, 2);
    assert_int_equal(p.pb, 2);
    assert_int_equal(p.pl, 0);
    assert_int_equal(p.pr, 0);
    p = parsed("ic8ih7iw9oc8oh7ow9kh4kw2ph2pw0");
    assert_int_equal(p.pb, 1);
    assert_int_equal(p.pr, 1);
}

/* Padding that no window reads does not make another problem. */
static void test_problem__unread_padding_is_dropped(void **state) {
    (void)state;
    cw_problem p = parsed("ic8ih112oc8kh3sh2ph1"), q = p;
    assert_int_equal(p.pb, 0);
    q.pb = q.pr = 1;
    cw_error err;
    assert_ok(cw_problem_check(&q, &err), err);
    cw_problem_canonical(&q);
    assert_memory_equal(&p, &q, sizeof p);
}

static void test_problem__malformed_text_is_refused(void **state) {
    (void)state;
    const struct {
        const char *text, *mentions;
    } cases[] = {
        {"", "ic is missing"},
        {"hello", "cannot read \"hello\""},
        {"ic64", "ih is missing"},
        {"ic64ih56oc64", "kh is missing"},
        {"ic64ih56kh3", "oc is missing"},
        {"icih56oc64kh3", "needs a number"},
        {"ic-3ih56oc64kh3", "needs a number"},
        {"ic64ih56oc64kh3ic64", "given twice"},
        {"ic64ih56oc64kh3 ", "cannot read"},
        {"ic64ih56oc64kh3,", "cannot read"},
        {"ic64ih56oc64kh3,f64", "wanted f32"},
        {"ic64ih56oc64kh3,t0", "wanted f32"},
        {"ic64ih56oc64kh3,t1025", "wanted f32"},
        {"ic64ih56oc64kh3n\"open", "closing quote"},
        {"ic64ih56oc64kh3n\"\"", "1 to 63"},
        {"ic64ih56oc64kh3n\"a\"x", "unexpected"},
        {"ic99999999999999999999ih56oc64kh3", "larger than"},
        {"ic1048577ih56oc64kh3", "larger than"},
        {"ic0ih5oc4kh3", "ic is 0"},
        {"mb0ic3ih5oc4kh3", "mb is 0"},
        {"ic3ih0oc4kh3", "at least 1"},
        {"ic3ih5oc4kh0", "at least 1"},
        {"ic3ih5oc4kh3sh0", "at least 1"},
        {"ic3ih5oc4kh7", "larger than the padded input"},
        {"ic3ih5oc4kh3dh2", "larger than the padded input"},
        {"ic3ih5oc4kh3ph20", "far larger than the kernel"},
        {"ic3ih5oc4kh3oh100", "far larger than the kernel"},
        {"ic3ih50oc4kh3oh4ph0", "does not follow"},
        {"g3ic64ih5oc64kh3", "must divide"},
        {"g0ic64ih5oc64kh3", "g is 0"},
        {"ic100000ih1000oc4kh1", "source has 2^31"},
        {"ic1048576ih1oc1048576kh1", "weights has 2^31"},
        {"ic1ih10000oc1000kh1", "destination has 2^31"},
        {"ic3id5ih5oc4kh3", "need id and kd"},
        {"ic3ih5oc4kh3kd3", "need id and kd"},
        {"ic3id5ih5oc4kd7kh3", "larger than the padded input id5"},
        {"ic3id0ih5oc4kd1kh3", "at least 1"},
        {"ic1000id1000ih1000oc1kd1kh1", "source has 2^31"},
        {"ic3ih5oc4kh3,bwd", "wanted f32"},
        {"mb1048576ic1048576ih1048576iw1048576oc1048576kh1048576ph9", "2^31"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_problem p;
        cw_error err;
        memset(&p, 0x55, sizeof p);
        cw_problem before = p;
        if (cw_problem_parse(cases[i].text, &p, &err) == CW_OK)
            fail_msg("\"%s\" was accepted", cases[i].text);
        assert_int_equal(err.status, CW_INVALID);
        if (!strstr(err.message, cases[i].mentions))
            fail_msg("\"%s\": \"%s\" does not mention \"%s\"", cases[i].text, err.message, cases[i].mentions);
        assert_memory_equal(&p, &before, sizeof p);
    }
}

static int32_t one_in(cw_rng *rng, int32_t most) {
    return 1 + (int32_t)cw_rng_below(rng, (uint64_t)most);
}

/* Windows that fit, counted one by one. */
static int32_t windows(int32_t i, int32_t k, int32_t s, int32_t d, int32_t before, int32_t after) {
    int32_t count = 0;
    for (int32_t start = -before; start + (k - 1) * (d + 1) < i + after; start += s) count++;
    return count;
}

static cw_problem random_problem(cw_rng *rng) {
    cw_problem p = {.mb = one_in(rng, 3), .g = one_in(rng, 4), .ih = one_in(rng, 40), .iw = one_in(rng, 40)};
    p.kh = one_in(rng, 7), p.kw = one_in(rng, 7), p.sh = one_in(rng, 4), p.sw = one_in(rng, 4);
    p.dh = one_in(rng, 3) - 1, p.dw = one_in(rng, 3) - 1;
    p.pt = one_in(rng, 5) - 1, p.pl = one_in(rng, 5) - 1, p.pb = one_in(rng, 5) - 1,
    p.pr = one_in(rng, 5) - 1;
    p.prec = one_in(rng, CW_PREC_COUNT) - 1, p.threads = one_in(rng, 4);
    p.ic = p.g * one_in(rng, 9), p.oc = p.g * one_in(rng, 9);
    p.zp = p.prec == CW_U8 ? one_in(rng, 2) - 1 : 0;
    p.dir = one_in(rng, 3) - 1, p.layout = one_in(rng, 2) - 1, p.cache = one_in(rng, 2) - 1;
    if (one_in(rng, 3) == 1) {
        p.id = one_in(rng, 12), p.kd = one_in(rng, 4), p.sd = one_in(rng, 3), p.dd = one_in(rng, 2) - 1;
        p.pf = one_in(rng, 3) - 1, p.pk = one_in(rng, 3) - 1;
    }
    return p;
}

static void test_problem__random_problems_survive_text(void **state) {
    (void)state;
    cw_rng rng = cw_rng_seed(3);
    int valid = 0;
    for (int i = 0; i < 50000; i++) {
        cw_problem p = random_problem(&rng);
        if (cw_problem_check(&p, NULL) != CW_OK) continue;
        valid++;
        cw_sizes s, t;
        cw_problem_sizes(&p, &s);
        assert_int_equal(s.oh, windows(p.ih, p.kh, p.sh, p.dh, p.pt, p.pb));
        assert_int_equal(s.ow, windows(p.iw, p.kw, p.sw, p.dw, p.pl, p.pr));
        assert_int_equal(s.od, p.id ? windows(p.id, p.kd, p.sd, p.dd, p.pf, p.pk) : 1);
        cw_problem canonical = p;
        cw_problem_canonical(&canonical);
        cw_problem_sizes(&canonical, &t);
        assert_memory_equal(&s, &t, sizeof s);
        char text[CW_PROBLEM_TEXT];
        cw_problem_format(&p, text, sizeof text);
        cw_problem back = parsed(text);
        assert_memory_equal(&back, &canonical, sizeof back);
    }
    assert_true(valid > 5000);
}

static void test_problem__long_text_fits_and_short_buffers_truncate(void **state) {
    (void)state;
    cw_problem p = parsed("g2mb1ic2ih1025iw1027oc1000kh1023kw1024sh1021sw1022dh0dw0ph1020pw1019,u8,zp,t1024");
    char text[CW_PROBLEM_TEXT], small[8];
    size_t length = cw_problem_format(&p, text, sizeof text);
    assert_int_equal(length, strlen(text));
    /* Sixteen pairs of at most two letters and seven digits, and the conditions. */
    assert_true(16 * 9 + strlen(",u8,zp,nhwc,t1024") < CW_PROBLEM_TEXT);
    assert_int_equal(cw_problem_format(&p, small, sizeof small), length);
    assert_int_equal(strlen(small), 7);
    assert_memory_equal(small, text, 7);
}

/* ResNet-18's first layer, by hand; published: 118,013,952 multiply-accumulates. */
static void test_problem__sizes_by_hand(void **state) {
    (void)state;
    cw_problem p = parsed("ic3ih224oc64kh7sh2ph3");
    cw_sizes s;
    cw_problem_sizes(&p, &s);
    assert_int_equal(s.oh, 112);
    assert_true(s.macs == 118013952);
    assert_true(s.gemm_m == 12544 && s.gemm_n == 64 && s.gemm_k == 147);
    assert_true(s.src_bytes == 4 * 3 * 224 * 224 && s.wei_bytes == 4 * 64 * 147 &&
                s.dst_bytes == 4 * 64 * 12544);
    p = parsed("mb2ic4id6ih10oc8kd3kh3,bf16");
    cw_problem_sizes(&p, &s);
    assert_true(s.macs == 2LL * 4 * 8 * 8 * 8 * 4 * 27 && s.gemm_m == 2 * 4 * 64 && s.gemm_k == 4 * 27);
    assert_true(s.src_bytes == 2 * 2 * 4 * 6 * 100);
    p = parsed("mb2g8ic16ih10oc24kh3,u8");
    cw_problem_sizes(&p, &s);
    assert_true(s.macs == 2LL * 24 * 8 * 8 * 2 * 9 && s.gemm_n == 3 && s.gemm_k == 18 &&
                s.src_bytes == 2 * 16 * 100);
}

static void test_problem__features_have_unique_names_and_sets(void **state) {
    (void)state;
    for (size_t i = 0; i < cw_feature_count; i++) {
        assert_ptr_equal(cw_feature_find(cw_features[i].name),
                         &cw_features[i]); /* no earlier row has the name */
        assert_true(cw_features[i].sets != 0 && cw_features[i].why[0]);
    }
    assert_null(cw_feature_find("no such feature"));
    assert_int_equal(cw_feature_set("raw"), CW_SET_RAW);
    assert_int_equal(cw_feature_set("no such set"), 0);
}

static double feature(const char *name, const cw_problem *p) {
    const cw_feature *f = cw_feature_find(name);
    double x;
    assert_non_null(f);
    cw_features_eval(&f, 1, p, &x);
    return x;
}

static void test_problem__features_by_hand(void **state) {
    (void)state;
    cw_problem p = parsed("ic64ih13oc96kh3ph1");
    assert_true(feature("oh", &p) == 13 && feature("is_3x3s1", &p) == 1 && feature("is_1x1", &p) == 0);
    assert_true(feature("macs", &p) == 13.0 * 13 * 64 * 96 * 9);
    assert_true(feature("waste_f4", &p) == 256.0 / 169 && feature("tiles_f4", &p) == 16 &&
                feature("waste_f6", &p) == 324.0 / 169);
    assert_true(feature("ocg_mod64", &p) == 32 && feature("is_dw", &p) == 0);
    double elements = 64.0 * 169 + 96.0 * 64 * 9 + 96.0 * 169;
    assert_true(fabs(feature("intensity", &p) - 13.0 * 13 * 64 * 96 * 9 / elements) < 1e-12);
    p = parsed("mb2ic4id6ih10oc8kd3kh3,bf16,bwd_w,nchw,cold");
    assert_true(feature("macs", &p) == 2.0 * 4 * 8 * 8 * 8 * 4 * 27 &&
                feature("src", &p) == 2.0 * 4 * 6 * 100);
    assert_true(feature("id", &p) == 6 && feature("dir", &p) == 2 && feature("layout", &p) == 1 &&
                feature("cache", &p) == 1);
    assert_true(feature("is_3x3s1", &p) == 0 && feature("gemm_k", &p) == 4 * 27);
    p = parsed("g32ic32ih112oc32oh56kh3sh2ph0,u8,zp,t2");
    assert_true(feature("is_dw", &p) == 1 && feature("is_asym", &p) == 1 && feature("prec", &p) == 1);
    assert_true(feature("zp", &p) == 1 && feature("threads", &p) == 2 && feature("pb", &p) == 1 &&
                feature("icg", &p) == 1);
}

/* The largest valid problems must not overflow any feature. */
static void test_problem__features_are_finite_at_the_limits(void **state) {
    (void)state;
    const char *const extremes[] = {
        "ic1ih46340oc1kh1", "ic46340ih1oc46340kh1",        "mb1048576ic2047ih1oc1kh1",
        "ic1ih1oc1kh1",     "ic1ih1048576iw2047oc1kh1kw1", "g1048576ic1048576ih1oc1048576kh1"};
    for (size_t i = 0; i < CW_COUNT(extremes); i++) {
        cw_problem p = parsed(extremes[i]);
        for (size_t f = 0; f < cw_feature_count; f++) {
            double x = feature(cw_features[f].name, &p);
            if (!isfinite(x) || x < 0) fail_msg("%s of %s is %g", cw_features[f].name, extremes[i], x);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_problem__text_gives_canonical_text),
        cmocka_unit_test(test_problem__asymmetric_padding_follows_from_the_output),
        cmocka_unit_test(test_problem__unread_padding_is_dropped),
        cmocka_unit_test(test_problem__malformed_text_is_refused),
        cmocka_unit_test(test_problem__random_problems_survive_text),
        cmocka_unit_test(test_problem__long_text_fits_and_short_buffers_truncate),
        cmocka_unit_test(test_problem__sizes_by_hand),
        cmocka_unit_test(test_problem__features_have_unique_names_and_sets),
        cmocka_unit_test(test_problem__features_by_hand),
        cmocka_unit_test(test_problem__features_are_finite_at_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
