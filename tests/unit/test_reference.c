/* test_reference.c: the oracle against sums done by hand, against a second formula written the other way
 * round (each source value is scattered to the outputs it reaches, instead of each output gathering its
 * window), and against the algebra of zero points. Then: the comparison of verify.h can tell right from
 * wrong. */
#include "unit.h"
#include "../../src/kernel/reference.h"
#include "../../src/measure/verify.h"
#include <math.h>

static cw_problem parsed(const char *text) {
    cw_problem p;
    cw_error err;
    if (cw_problem_parse(text, &p, &err) != CW_OK) fail_msg("%s: %s", text, err.message);
    return p;
}

static void run(const cw_problem *p, const cw_conv_args *args, const void *src, void *dst) {
    cw_reference *ref;
    cw_error err;
    assert_ok(cw_reference_create(p, args, &ref, &err), err);
    cw_reference_run(ref, src, dst);
    cw_reference_free(ref);
}

static void test_reference__f32_by_hand(void **state) {
    (void)state;
    /* 3x3 image, one channel; pad 1 above and left only; 2x2 kernel, stride 2: windows at (-1,-1) .. (1,1) */
    const float src[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, weights[4] = {1, 10, 100, 1000}, bias[1] = {0.5f};
    const float expected[4] = {1000 * 1 + 0.5f, 100 * 2 + 1000 * 3 + 0.5f, 10 * 4 + 1000 * 7 + 0.5f,
                               5 + 10 * 6 + 100 * 8 + 1000 * 9 + 0.5f};
    cw_problem p = {.mb = 1, .g = 1, .ic = 1, .ih = 3, .iw = 3, .oc = 1, .kh = 2, .kw = 2, .sh = 2, .sw = 2};
    p.pt = p.pl = 1, p.threads = 1;
    cw_conv_args args = {weights, bias, -INFINITY, INFINITY, {0, 0, NULL}};
    float dst[4];
    run(&p, &args, src, dst);
    assert_memory_equal(dst, expected, sizeof expected);
    args.lo = 1001, args.hi = 7000;
    run(&p, &args, src, dst);
    assert_true(dst[0] == 1001 && dst[1] == expected[1] && dst[2] == 7000 && dst[3] == 7000);
}

/* Steps of bf16 are 2^-7 from 1 to 2: a bias of half a step makes a tie, which goes to the even one. */
static void test_reference__bf16_rounds_once_to_even(void **state) {
    (void)state;
    enum { ONE = 0x3f80, HALF = 0x3f00 }; /* 1 and 1/2 */
    const struct {
        uint16_t src, weight;
        float bias, lo, hi;
        uint16_t expected;
    } cases[] = {
        {ONE, ONE, 0, -INFINITY, INFINITY, ONE},
        {ONE, HALF, 0, -INFINITY, INFINITY, HALF},
        {ONE, ONE, 0x1p-8f, -INFINITY, INFINITY, ONE},                /* down to even */
        {ONE, ONE, 0x1p-8f + 0x1p-20f, -INFINITY, INFINITY, ONE + 1}, /* beyond the middle */
        {ONE, ONE, 0x1p-7f + 0x1p-8f, -INFINITY, INFINITY, ONE + 2},  /* up to even */
        {ONE, 0xbf80, 0x1.02p1f, -INFINITY, INFINITY, ONE + 2},       /* -1 + 2.015625 */
        {ONE, ONE, 0, -INFINITY, 0x1p-1f + 0x1p-9f, HALF},            /* the clamp's limit is rounded, too */
        {ONE, ONE, 0x1p-8f, 1 + 0x1.8p-7f, INFINITY, ONE + 2},
        {0x7f80, ONE, 0, -INFINITY, INFINITY, 0x7f80},        /* an infinity stays */
        {0x7f7f, ONE, 0x1p120f, -INFINITY, INFINITY, 0x7f80}, /* the largest, and a tie */
        {0x0001, ONE, 0, -INFINITY, INFINITY, 0x0001},        /* so does what is denormal */
    };
    cw_problem p = parsed("ic1ih1oc1kh1,bf16");
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_conv_args args = {&cases[i].weight, &cases[i].bias, cases[i].lo, cases[i].hi, {0, 0, NULL}};
        uint16_t dst = 0x5555;
        run(&p, &args, &cases[i].src, &dst);
        if (dst != cases[i].expected) fail_msg("case %zu is %04x, not %04x", i, dst, cases[i].expected);
    }
    const uint16_t nan = 0x7f81, one = ONE;
    uint16_t dst = 0;
    run(&p, &(cw_conv_args){&one, NULL, -INFINITY, INFINITY, {0, 0, NULL}}, &nan, &dst);
    assert_true((dst & 0x7f80) == 0x7f80 && (dst & 0x7f));
}

static void test_reference__groups_and_dilation_by_hand(void **state) {
    (void)state;
    /* One row of three pixels, four channels in two groups; kernel 1x2 with a hole of one pixel; one output a
     * group. Source value: 10 * pixel + channel. */
    const float src[12] = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23};
    /* (g, oc/g, kh, kw, ic/g) */
    const float weights[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    cw_problem p = {.mb = 1, .g = 2, .ic = 4, .ih = 1, .iw = 3, .oc = 2, .kh = 1, .kw = 2, .sh = 1, .sw = 1};
    p.dw = 1, p.threads = 1;
    cw_conv_args args = {weights, NULL, -INFINITY, INFINITY, {0, 0, NULL}};
    float dst[2];
    run(&p, &args, src, dst);
    assert_true(dst[0] == 1 * 0 + 2 * 1 + 3 * 20 + 4 * 21);
    assert_true(dst[1] == 5 * 2 + 6 * 3 + 7 * 22 + 8 * 23);
}

static void test_reference__u8_rounds_to_even_and_saturates(void **state) {
    (void)state;
    /* One pixel, one channel, weight 1, scale 1/2: the output is round(src / 2) + dst_zp within limits. */
    const struct {
        uint8_t src;
        int32_t bias, src_zp, dst_zp;
        float lo, hi;
        uint8_t expected;
    } cases[] = {
        {1, 0, 0, 0, 0, 255, 0},       /* 0.5 */
        {3, 0, 0, 0, 0, 255, 2},       /* 1.5 */
        {5, 0, 0, 0, 0, 255, 2},       /* 2.5 */
        {5, 0, 0, 1, 0, 255, 3},       /* rounded before the zero point is added: 2 + 1, not 3.5 -> 4 */
        {0, 0, 5, 10, 0, 255, 8},      /* -2.5 -> -2 */
        {0, 0, 7, 10, 0, 255, 6},      /* -3.5 -> -4 */
        {255, 600, 0, 0, 0, 255, 255}, /* above the type */
        {0, -600, 0, 7, 0, 255, 0},    /* below the type */
        {200, 0, 0, 0, 0, 99, 99},     {10, 0, 0, 0, 17, 99, 17}, {200, 0, 0, 0, -INFINITY, INFINITY, 100},
    };
    const float scale[1] = {0.5f};
    const int8_t weights[1] = {1};
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_problem p = parsed("ic1ih1oc1kh1,u8,zp");
        cw_conv_args args = {
            weights, &cases[i].bias, cases[i].lo, cases[i].hi, {cases[i].src_zp, cases[i].dst_zp, scale}};
        uint8_t dst = 0xA5;
        run(&p, &args, &cases[i].src, &dst);
        if (dst != cases[i].expected) fail_msg("case %zu: %d, not %d", i, dst, cases[i].expected);
    }
}

/* The other way round: source value (y, x, channel) times tap (i, j) belongs to output (oy, ox) where
 * oy * sh = y + pt - i * (dh + 1), if there is such an oy. */
static double *scattered(const cw_case *c) {
    const cw_problem *p = &c->problem;
    const cw_sizes *s = &c->sizes;
    int64_t icg = p->ic / p->g, ocg = p->oc / p->g;
    double *sum = cw_alloc_n((size_t)s->dst_count, sizeof *sum);
    assert_non_null(sum);
    for (int64_t at = 0; at < s->src_count; at++) {
        int64_t ch = at % p->ic, x = at / p->ic % p->iw, y = at / p->ic / p->iw % p->ih;
        int64_t n = at / p->ic / p->iw / p->ih;
        double value = p->prec == CW_F32 ? (double)((const float *)c->src)[at]
                                         : ((const uint8_t *)c->src)[at] - c->args.quant.src_zp;
        for (int64_t tap = 0; tap < (int64_t)p->kh * p->kw; tap++) {
            int64_t down = y + p->pt - tap / p->kw * (p->dh + 1),
                    right = x + p->pl - tap % p->kw * (p->dw + 1);
            if (down < 0 || right < 0 || down % p->sh || right % p->sw) continue;
            if (down / p->sh >= s->oh || right / p->sw >= s->ow) continue;
            double *to = sum + ((n * s->oh + down / p->sh) * s->ow + right / p->sw) * p->oc;
            for (int64_t o = ch / icg * ocg; o < (ch / icg + 1) * ocg; o++) {
                int64_t from = (o * p->kh * p->kw + tap) * icg + ch % icg;
                to[o] += value * (p->prec == CW_F32 ? (double)((const float *)c->weights)[from]
                                                    : ((const int8_t *)c->weights)[from]);
            }
        }
    }
    return sum;
}

static void test_reference__equals_the_scattered_sum(void **state) {
    (void)state;
    const char *texts[] = {"ic5ih7oc9kh3ph1",
                           "ic3ih9iw8oc40kh3kw2sh2sw1ph1pw0",
                           "ic4ih9oc6kh3dh2ph3",
                           "g3ic6ih8oc9kh3ph1",
                           "g4ic4ih6oc8kh3sh2ph1",
                           "mb2ic2ih6oc3oh3kh3sh2ph0",
                           "ic2ih6iw6oc3oh5ow7kh2kw4ph0pw2",
                           "ic7ih1oc33kh1",
                           "g35ic35ih5oc35kh5ph2",
                           "ic3ih12oc2kh11sh4ph2",
                           "ic2ih9oc2kh2sh3"};
    for (size_t i = 0; i < 6 * CW_COUNT(texts); i++) {
        cw_problem p = parsed(texts[i / 6]);
        cw_error err;
        cw_case c;
        p.prec = i % 6 < 2 ? CW_F32 : CW_U8;
        p.zp = i % 6 >= 4;
        assert_ok(cw_case_make(&p, i % 2 ? CW_FILL_NORMAL : CW_FILL_INTEGER, i, &c, &err), err);
        double *sum = scattered(&c);
        for (int64_t k = 0; k < c.sizes.dst_count; k++) {
            int64_t o = k % p.oc;
            if (p.prec == CW_F32) {
                double want = sum[k] + (double)((const float *)c.bias)[o];
                want = fmin(fmax(want, (double)c.args.lo), (double)c.args.hi);
                double got = (double)((const float *)c.expected)[k];
                if (fabs(got - want) > 1e-6 * fmax(1, fabs(want)))
                    fail_msg("%s: %g, not %g", texts[i / 6], got, want);
            } else {
                /* The product rounds to float first: only there may the two differ, by one step. */
                double real = (sum[k] + ((const int32_t *)c.bias)[o]) * (double)c.scale[o];
                double want =
                    fmin(fmax(rint(real) + c.args.quant.dst_zp, (double)c.args.lo), (double)c.args.hi);
                double got = ((const uint8_t *)c.expected)[k];
                bool tie = fabs(fabs(real - floor(real)) - 0.5) < 1e-4;
                if (fabs(got - want) > (tie && p.prec == CW_U8 ? 1 : 0))
                    fail_msg("%s: %g, not %g", texts[i / 6], got, want);
            }
        }
        cw_free(sum);
        cw_case_release(&c);
    }
}

/* sum (x - z) w == sum x w - z sum w: moving the zero point into the bias gives the same output where no
 * window touches the padding. */
static void test_reference__zero_point_moves_into_the_bias(void **state) {
    (void)state;
    cw_problem p = parsed("ic6ih7oc10kh3,u8,zp");
    cw_error err;
    cw_case c;
    assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 3, &c, &err), err);
    int32_t *bias = cw_alloc_n((size_t)p.oc, sizeof *bias);
    uint8_t *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    for (int64_t o = 0; o < p.oc; o++) {
        int32_t sum = 0;
        for (int64_t k = 0; k < c.sizes.gemm_k; k++)
            sum += ((const int8_t *)c.weights)[o * c.sizes.gemm_k + k];
        bias[o] = ((const int32_t *)c.bias)[o] - c.args.quant.src_zp * sum;
    }
    cw_conv_args args = c.args;
    args.bias = bias;
    args.quant.src_zp = 0;
    run(&p, &args, c.src, dst);
    assert_memory_equal(dst, c.expected, (size_t)c.sizes.dst_bytes);
    cw_free(bias);
    cw_free(dst);
    cw_case_release(&c);
}

/* A source that is the zero point everywhere is a source of real zeros, and so is its padding: the output is
 * the bias alone, also at the edges. */
static void test_reference__padding_is_real_zero(void **state) {
    (void)state;
    cw_problem p = parsed("ic6ih5oc4kh3ph1,u8,zp");
    cw_error err;
    cw_case c;
    assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 4, &c, &err), err);
    memset(c.src, c.args.quant.src_zp, (size_t)c.sizes.src_bytes);
    uint8_t dst[100];
    run(&p, &c.args, c.src, dst);
    for (size_t i = 0; i < 100; i++) assert_int_equal(dst[i], dst[i % 4]);
    cw_case_release(&c);
}

/* ---- verify.h ---- */

static const cw_impl exact = {.name = "exact", .exact = true}, rough = {.name = "rough", .exact = false};

static void test_verify__limits_are_kept(void **state) {
    (void)state;
    const struct {
        const char *text;
        const cw_impl *impl;
        cw_fill fill;
        double within, beyond; /* f32: of the largest output; u8: steps */
    } cases[] = {
        {"ic8ih8oc8kh3ph1", &exact, CW_FILL_INTEGER, 0, 1e-6},
        {"ic8ih8oc8kh3ph1", &exact, CW_FILL_NORMAL, 9e-6, 1.2e-5},
        {"ic8ih8oc8kh3ph1", &rough, CW_FILL_NORMAL, 9e-4, 1.2e-3},
        {"ic8ih8oc8kh3ph1,u8", &exact, CW_FILL_INTEGER, 0, 1},
        {"ic8ih8oc8kh3ph1,u8,zp", &exact, CW_FILL_NORMAL, 1, 2},
        {"ic8ih8oc8kh3ph1,u8", &rough, CW_FILL_NORMAL, 24, 25},
    };
    for (size_t i = 0; i < 2 * CW_COUNT(cases); i++) {
        cw_problem p = parsed(cases[i / 2].text);
        cw_error err;
        cw_case c;
        double error, by = i % 2 ? cases[i / 2].beyond : cases[i / 2].within;
        assert_ok(cw_case_make(&p, cases[i / 2].fill, i, &c, &err), err);
        int64_t last = c.sizes.dst_count - 1;
        unsigned char *dst = cw_alloc((size_t)c.sizes.dst_bytes);
        memcpy(dst, c.expected, (size_t)c.sizes.dst_bytes);
        if (p.prec == CW_F32)
            ((float *)dst)[last] += (float)(by * c.expected_max);
        else
            dst[last] = (unsigned char)(dst[last] > 128 ? dst[last] - by : dst[last] + by);
        if (i % 2)
            assert_refused(cw_case_compare(&c, cases[i / 2].impl, dst, &error, &err), CW_WRONG, err,
                           cases[i / 2].impl->name);
        else
            assert_ok(cw_case_compare(&c, cases[i / 2].impl, dst, &error, &err), err);
        assert_true(fabs(error - by) <= 0.1 * by);
        cw_free(dst);
        cw_case_release(&c);
    }
}

static void test_verify__nan_and_infinity_are_wrong(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    cw_problem p = parsed("ic3ih4oc5kh3ph1");
    cw_error err;
    cw_case c;
    assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 1, &c, &err), err);
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        double error;
        float *dst = cw_alloc((size_t)c.sizes.dst_bytes);
        memcpy(dst, c.expected, (size_t)c.sizes.dst_bytes);
        dst[7] = bad[i];
        assert_refused(cw_case_compare(&c, &rough, dst, &error, &err), CW_WRONG, err, "channel 2");
        assert_true(error == HUGE_VAL);
        cw_free(dst);
    }
    cw_case_release(&c);
}

static void test_verify__same_seed_same_data_and_clamp_clips(void **state) {
    (void)state;
    const char *texts[] = {"ic16ih16oc16kh3ph1", "ic16ih16oc16kh3ph1,u8", "ic16ih16oc16kh3ph1,u8,zp"};
    for (size_t i = 0; i < 2 * CW_COUNT(texts); i++) {
        cw_problem p = parsed(texts[i / 2]);
        cw_fill fill = i % 2 ? CW_FILL_NORMAL : CW_FILL_INTEGER;
        cw_error err;
        cw_case a, b, other;
        assert_ok(cw_case_make(&p, fill, 5, &a, &err), err);
        assert_ok(cw_case_make(&p, fill, 5, &b, &err), err);
        assert_ok(cw_case_make(&p, fill, 6, &other, &err), err);
        assert_memory_equal(a.expected, b.expected, (size_t)a.sizes.dst_bytes);
        assert_memory_not_equal(a.expected, other.expected, (size_t)a.sizes.dst_bytes);
        int64_t low = 0, high = 0;
        for (int64_t k = 0; k < a.sizes.dst_count; k++) {
            float v = p.prec == CW_F32 ? ((float *)a.expected)[k] : ((uint8_t *)a.expected)[k];
            low += v <= a.args.lo;
            high += v >= a.args.hi;
        }
        assert_in_range(low, 1, a.sizes.dst_count / 4);
        assert_in_range(high, 1, a.sizes.dst_count / 4);
        cw_case_release(&a);
        cw_case_release(&b);
        cw_case_release(&other);
    }
}

static void test_verify__memory_failures_leave_nothing(void **state) {
    (void)state;
    cw_problem p = parsed("ic3ih4oc5kh3ph1,u8");
    for (long n = 1; n < 12; n++) {
        cw_case c;
        cw_error err;
        cw_alloc_fail_at(n);
        cw_status status = cw_case_make(&p, CW_FILL_NORMAL, 1, &c, &err);
        cw_alloc_fail_at(0);
        assert_int_equal(status, n <= 9 ? CW_NO_MEMORY : CW_OK);
        cw_case_release(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference__f32_by_hand),
        cmocka_unit_test(test_reference__bf16_rounds_once_to_even),
        cmocka_unit_test(test_reference__groups_and_dilation_by_hand),
        cmocka_unit_test(test_reference__u8_rounds_to_even_and_saturates),
        cmocka_unit_test(test_reference__equals_the_scattered_sum),
        cmocka_unit_test(test_reference__zero_point_moves_into_the_bias),
        cmocka_unit_test(test_reference__padding_is_real_zero),
        cmocka_unit_test(test_verify__limits_are_kept),
        cmocka_unit_test(test_verify__nan_and_infinity_are_wrong),
        cmocka_unit_test(test_verify__same_seed_same_data_and_clamp_clips),
        cmocka_unit_test(test_verify__memory_failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
