/* arm_rules.c: the Arm Compute Library's choice, version 20.08 (CLConvolutionLayer.cpp and
 * NEConvolutionLayer.cpp, get_convolution_method). The first rule that holds decides:
 *
 *   1. Known shapes (AlexNet's second, VGG's first layer): CL in NCHW DIRECT, NEON GEMM.
 *   2. Dilation: GEMM.
 *   3. Super-resolution, a kernel 9 high (NEON: above 7) on a large image, where direct can run: DIRECT.
 *   4. Kernel above 7, fewer channels out than in, where FFT can run: FFT.
 *   5. Fewer than 16 input channels: GEMM.
 *   6. Where Winograd can run WINOGRAD, else GEMM. */
#include "arm_rules.h"
#include "../base/base.h"

const char *cw_arm_name(cw_arm arm) {
    static const char *const names[] = {
#define X(symbol, name) name,
        CW_ARMS(X)
#undef X
    };
    return (size_t)arm < CW_COUNT(names) ? names[arm] : "?";
}

typedef struct shape {
    int32_t size, kernel, ic, oc, stride, pad;
} shape;

static bool pads_are(const cw_problem *p, int32_t vertical, int32_t horizontal) {
    return p->pt == vertical && p->pb == vertical && p->pl == horizontal && p->pr == horizontal;
}

static bool is_shape(const cw_problem *p, const shape *s) {
    return p->ih == s->size && p->iw == s->size && p->kh == s->kernel && p->kw == s->kernel &&
           p->ic == s->ic && p->oc == s->oc && p->sh == s->stride && p->sw == s->stride &&
           pads_are(p, s->pad, s->pad);
}

static bool is_known_shape(const cw_problem *p) {
    static const shape known[] = {{27, 5, 48, 128, 1, 2}, {224, 3, 3, 64, 1, 1}};
    for (size_t i = 0; i < CW_COUNT(known); i++)
        if (is_shape(p, &known[i])) return true;
    return false;
}

static bool is_quantised(const cw_problem *p) {
    return p->prec == CW_U8 || p->prec == CW_S8;
}

static bool stride_one(const cw_problem *p) {
    return p->sh == 1 && p->sw == 1;
}

/* Can the direct function run a kernel more than 7 high? Square ones only. CL: 9x9, with NCHW only quantised,
 * at strides up to 2 along the width. NEON: floats in NHWC. */
static bool large_direct_runs(cw_arm arm, const cw_problem *p) {
    if (p->kh != p->kw) return false;
    bool nhwc = p->layout == CW_NHWC;
    if (arm == CW_ARM_NEON) return p->prec == CW_F32 && nhwc;
    return p->kh == 9 && p->sw <= 2 && (nhwc || is_quantised(p));
}

/* Source bytes above which NEON takes a large kernel for super-resolution; rows above which CL does. */
static const int64_t large_bytes = 10000000;
enum { LARGE_ROWS = 720 };

static bool is_super_resolution(cw_arm arm, const cw_problem *p) {
    cw_sizes s;
    cw_problem_sizes(p, &s);
    if (p->kh <= 7 || !large_direct_runs(arm, p)) return false;
    if (arm == CW_ARM_NEON) return s.src_bytes > large_bytes;
    return p->ih > LARGE_ROWS && s.oh > LARGE_ROWS && p->pt < 3;
}

static bool fft_runs(const cw_problem *p) {
    return p->prec == CW_F32 && stride_one(p) && p->kh == p->kw && p->kh % 2 == 1 &&
           pads_are(p, p->kh / 2, p->kw / 2);
}

static bool kernel_is(const cw_problem *p, int32_t h, int32_t w) {
    return p->kh == h && p->kw == w;
}

/* 1xN or Nx1. */
static bool is_line(const cw_problem *p, int32_t n) {
    return kernel_is(p, 1, n) || kernel_is(p, n, 1);
}

static bool cl_winograd_runs(const cw_problem *p, bool fast_math) {
    if (p->prec != CW_F32 && !(p->prec == CW_F16 && fast_math)) return false;
    if (p->pt > p->kh / 2 || p->pb > p->kh / 2 || p->pl > p->kw / 2 || p->pr > p->kw / 2) return false;
    if (kernel_is(p, 3, 3) || is_line(p, 3) || is_line(p, 5) || (kernel_is(p, 5, 5) && fast_math))
        return true;
    return p->layout == CW_NHWC && (is_line(p, 7) || (kernel_is(p, 7, 7) && fast_math));
}

/* The two pads of the long axis are 0 or half the kernel, each for itself; the short axis has none. */
static bool line_pads_fit(const cw_problem *p) {
    int32_t half = (p->kh > p->kw ? p->kh : p->kw) / 2;
    bool tall = p->kh > p->kw;
    int32_t before = tall ? p->pt : p->pl, after = tall ? p->pb : p->pr;
    int32_t across = tall ? p->pl + p->pr : p->pt + p->pb;
    return (before == 0 || before == half) && (after == 0 || after == half) && across == 0;
}

static bool neon_winograd_runs(const cw_problem *p, bool fast_math) {
    if (p->prec != CW_F32) return false;
    if (kernel_is(p, 3, 3) || (kernel_is(p, 5, 5) && fast_math))
        return pads_are(p, 0, 0) || pads_are(p, p->kh / 2, p->kw / 2);
    return (is_line(p, 3) || is_line(p, 5) || is_line(p, 7)) && line_pads_fit(p);
}

static bool winograd_runs(cw_arm arm, const cw_problem *p, bool fast_math) {
    if (!stride_one(p)) return false;
    return arm == CW_ARM_NEON ? neon_winograd_runs(p, fast_math) : cl_winograd_runs(p, fast_math);
}

cw_family cw_arm_choice(cw_arm arm, const cw_problem *p, bool fast_math) {
    if (is_known_shape(p)) {
        if (arm == CW_ARM_NEON) return CW_FAMILY_GEMM;
        if (p->layout == CW_NCHW) return CW_FAMILY_DIRECT;
    }
    if (p->dh != 0 || p->dw != 0) return CW_FAMILY_GEMM;
    if (is_super_resolution(arm, p)) return CW_FAMILY_DIRECT;
    if (p->kh > 7 && p->ic > p->oc && fft_runs(p)) return CW_FAMILY_FFT;
    if (p->ic < 16) return CW_FAMILY_GEMM;
    return winograd_runs(arm, p, fast_math) ? CW_FAMILY_WINOGRAD : CW_FAMILY_GEMM;
}
