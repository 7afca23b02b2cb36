/* verify.c: fills the tensors of a case, asks the reference, compares. */
#include "verify.h"
#include "../base/base.h"
#include "../kernel/bf16.h"
#include "../kernel/reference.h"
#include "../kernel/transpose.h"
#include <inttypes.h>
#include <math.h>

enum { SRC_ZP = 128, DST_ZP = 120 };

/* Irwin-Hall: four uniforms of 16 bits have the sum's mean 2 and variance 1/3; scaled to mean 0, variance 1.
 * One random number a value: filling is not to dominate a collation. */
static double normal_like(cw_rng *rng) {
    uint64_t bits = cw_rng_next(rng);
    uint64_t sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    return ((double)sum / 65536.0 - 2.0) * 1.7320508075688772;
}

static int64_t between(cw_rng *rng, int64_t lo, int64_t hi) {
    return lo + (int64_t)cw_rng_below(rng, (uint64_t)(hi - lo + 1));
}

static double limit_to(double x, double lo, double hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

static void put(const cw_case *c, void *tensor, int64_t i, double x) {
    if (c->problem.prec == CW_F32)
        ((float *)tensor)[i] = (float)x;
    else
        ((uint16_t *)tensor)[i] = cw_bf16_round((float)x);
}

static double value_at(const cw_case *c, const void *dst, int64_t i) {
    if (c->problem.prec == CW_F32) return (double)((const float *)dst)[i];
    if (c->problem.prec == CW_BF16) return (double)cw_bf16_widen(((const uint16_t *)dst)[i]);
    return ((const uint8_t *)dst)[i];
}

/* f32 and bf16. Deviation 1 each way with the normal fill; integers have variances 20/3 and 4. */
static void fill_floats(cw_case *c, cw_rng *rng) {
    bool integer = c->fill == CW_FILL_INTEGER;
    double k = (double)c->sizes.gemm_k;
    float *bias = c->bias;
    for (int64_t i = 0; i < c->sizes.src_count; i++)
        put(c, c->src, i, integer ? (double)between(rng, -4, 4) : normal_like(rng));
    for (int64_t i = 0; i < c->sizes.wei_count; i++)
        put(c, c->weights, i, integer ? (double)between(rng, -3, 3) : normal_like(rng) / sqrt(k));
    for (int32_t i = 0; i < c->problem.oc; i++)
        bias[i] = integer ? (float)between(rng, 1, 8) : (float)(0.25 * normal_like(rng) + 0.01);
    double deviation = integer ? ceil(sqrt(k * 80.0 / 3.0)) : 1.0;
    c->args.lo = (float)(integer ? -ceil(1.5 * deviation) : -1.5);
    c->args.hi = (float)(2 * deviation);
}

static void fill_u8(cw_case *c, cw_rng *rng) {
    bool integer = c->fill == CW_FILL_INTEGER, zp = c->problem.zp != 0;
    uint8_t *src = c->src;
    int8_t *weights = c->weights;
    int32_t *bias = c->bias;
    for (int64_t i = 0; i < c->sizes.src_count; i++) {
        if (integer)
            src[i] = (uint8_t)(zp ? between(rng, SRC_ZP - 8, SRC_ZP + 8) : between(rng, 0, 15));
        else
            src[i] = (uint8_t)limit_to(
                rint(zp ? SRC_ZP + 42 * normal_like(rng) : fabs(73 * normal_like(rng))), 0, 255);
    }
    for (int64_t i = 0; i < c->sizes.wei_count; i++)
        weights[i] = (int8_t)(integer ? (double)between(rng, -8, 8)
                                      : limit_to(rint(127.0 / 4 * normal_like(rng)), -127, 127));
    /* Mean square of source values and of weights; output deviation about 48 steps. */
    double src_square = integer ? (zp ? 24.0 : 77.5) : (zp ? 42.0 * 42 : 73.0 * 73);
    double weight_square = integer ? 24.0 : 127.0 / 4 * 127 / 4;
    double step = 48 / sqrt((double)c->sizes.gemm_k * src_square * weight_square);
    for (int32_t i = 0; i < c->problem.oc; i++) {
        c->scale[i] = (float)(integer ? exp2(rint(log2(step)) - (double)(i % 2))
                                      : step * (0.75 + 0.5 * cw_rng_uniform(rng)));
        double offset = zp ? -32 + 64 * cw_rng_uniform(rng) : 64 + 128 * cw_rng_uniform(rng);
        bias[i] = (int32_t)limit_to(rint(offset / (double)c->scale[i]), -1e9, 1e9);
    }
    c->args.lo = 40;
    c->args.hi = 208;
    c->args.quant = (cw_quant){zp ? SRC_ZP : 0, zp ? DST_ZP : 0, c->scale};
}

static double largest(const cw_case *c) {
    double most = 1;
    for (int64_t i = 0; i < c->sizes.dst_count; i++) {
        double x = fabs(value_at(c, c->expected, i));
        if (x > most) most = x;
    }
    return most;
}

/* The reference works in NHWC. */
static cw_status ask_reference(cw_case *c, const cw_reference *ref, cw_error *err) {
    const cw_problem *p = &c->problem;
    const int64_t in = (int64_t)p->ih * p->iw, out = (int64_t)c->sizes.oh * c->sizes.ow;
    if (p->layout == CW_NHWC) {
        cw_reference_run(ref, c->src, c->expected);
        return CW_OK;
    }
    void *src = cw_alloc((size_t)c->sizes.src_bytes), *dst = cw_alloc((size_t)c->sizes.dst_bytes);
    if (src && dst) {
        const size_t element = (size_t)(c->sizes.src_bytes / c->sizes.src_count);
        cw_transpose(c->src, src, p->mb, p->ic, in, element, 1);
        cw_reference_run(ref, src, dst);
        cw_transpose(dst, c->expected, p->mb, out, p->oc, element, 1);
    }
    cw_status status = src && dst ? CW_OK : cw_fail_memory(err);
    cw_free(src);
    cw_free(dst);
    return status;
}

cw_status cw_case_make(const cw_problem *p, cw_fill fill, uint64_t seed, cw_case *out, cw_error *err) {
    cw_case c = {.problem = *p, .fill = fill};
    cw_problem_canonical(&c.problem);
    cw_problem_sizes(&c.problem, &c.sizes);
    size_t oc = (size_t)c.problem.oc;
    c.src = cw_alloc((size_t)c.sizes.src_bytes);
    c.weights = cw_alloc((size_t)c.sizes.wei_bytes);
    c.bias = cw_alloc_n(oc, 4);
    c.expected = cw_alloc((size_t)c.sizes.dst_bytes);
    if (c.problem.prec == CW_U8) c.scale = cw_alloc_n(oc, sizeof *c.scale);
    cw_status status = CW_OK;
    cw_reference *ref = NULL;
    if (!c.src || !c.weights || !c.bias || !c.expected || (c.problem.prec == CW_U8 && !c.scale)) {
        status = cw_fail_memory(err);
    } else {
        cw_rng rng = cw_rng_seed(seed);
        c.args = (cw_conv_args){.weights = c.weights, .bias = c.bias};
        if (c.problem.prec == CW_U8)
            fill_u8(&c, &rng);
        else
            fill_floats(&c, &rng);
        status = cw_reference_create(&c.problem, &c.args, &ref, err);
    }
    if (status != CW_OK) {
        cw_case_release(&c);
        *out = c;
        return status;
    }
    status = ask_reference(&c, ref, err);
    cw_reference_free(ref);
    if (status != CW_OK) {
        cw_case_release(&c);
        *out = c;
        return status;
    }
    c.expected_max = largest(&c);
    *out = c;
    return CW_OK;
}

void cw_case_release(cw_case *c) {
    cw_free(c->src);
    cw_free(c->weights);
    cw_free(c->bias);
    cw_free(c->scale);
    cw_free(c->expected);
    *c = (cw_case){0};
}

static double limit_of(const cw_case *c, const cw_impl *impl) {
    bool f32 = c->problem.prec == CW_F32, bf16 = c->problem.prec == CW_BF16,
         integer = c->fill == CW_FILL_INTEGER;
    if (impl->reduced || (bf16 && !impl->exact)) return impl->reduced && integer ? 0 : 2e-2;
    if (bf16) return integer ? 0 : 0x1p-7;
    if (!impl->exact) return f32 ? 1e-3 : c->fill == CW_FILL_NORMAL ? 24 : 96;
    if (c->fill == CW_FILL_INTEGER) return !f32 && impl->fixed_point ? 1 : 0;
    return f32 ? 1e-5 : 1;
}

/* How far one output is off, of the largest output or in steps. */
static double difference_at(const cw_case *c, const void *dst, int64_t i) {
    double d = fabs(value_at(c, dst, i) - value_at(c, c->expected, i));
    if (c->problem.prec != CW_U8) d /= c->expected_max;
    return isfinite(d) ? d : HUGE_VAL;
}

double cw_case_mean_error(const cw_case *c, const void *dst) {
    double sum = 0;
    for (int64_t i = 0; i < c->sizes.dst_count; i++) sum += difference_at(c, dst, i);
    return sum / (double)c->sizes.dst_count;
}

/* Where an output lies. */
static void place(const cw_case *c, int64_t at, int64_t *image, int64_t *y, int64_t *x, int64_t *channel) {
    const bool nchw = c->problem.layout == CW_NCHW;
    const int64_t oc = c->problem.oc, pixels = (int64_t)c->sizes.oh * c->sizes.ow,
                  inside = at % (oc * pixels);
    const int64_t pixel = nchw ? inside % pixels : inside / oc;
    *image = at / (oc * pixels);
    *channel = nchw ? inside / pixels : inside % oc;
    *y = pixel / c->sizes.ow;
    *x = pixel % c->sizes.ow;
}

cw_status cw_case_compare(const cw_case *c, const cw_impl *impl, const void *dst, double *error,
                          cw_error *err) {
    bool u8 = c->problem.prec == CW_U8;
    double worst = 0, limit = limit_of(c, impl);
    int64_t at = 0;
    for (int64_t i = 0; i < c->sizes.dst_count && worst < HUGE_VAL; i++) {
        double difference = difference_at(c, dst, i);
        if (difference > worst) worst = difference, at = i;
    }
    *error = worst;
    if (worst <= limit) return CW_OK;
    int64_t image, y, x, channel;
    place(c, at, &image, &y, &x, &channel);
    return cw_fail(err, CW_WRONG,
                   "%s: image %" PRId64 " y %" PRId64 " x %" PRId64 " channel %" PRId64
                   " is %.9g, not %.9g (error %.3g %s, limit %.3g)",
                   impl->name, image, y, x, channel, value_at(c, dst, at), value_at(c, c->expected, at),
                   worst, u8 ? "steps" : "of the largest output", limit);
}
