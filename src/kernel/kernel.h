/* kernel.h: what our own kernels share: geometry of a prepared problem, quantised clamps, channel blocks.
 * Not here: the public contract (convwise/backend.h). */
#ifndef CW_KERNEL_H
#define CW_KERNEL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include "../../include/convwise/backend.h"
#include "../problem/problem.h"

/* The clamp of u8 outputs as whole steps: limits are rounded and kept within 0..255, so that the two ends of
 * a valid clamp stay in order. */
static inline float cw_u8_limit(float limit) {
    return limit < 0 ? 0.0f : limit > 255 ? 255.0f : rintf(limit);
}

/* One u8 output: see cw_quant. rintf rounds to nearest even in the default rounding mode; float(acc) and the
 * product round once each. lo and hi come from cw_u8_limit. */
static inline uint8_t cw_requantise(int32_t acc, float scale, float dst_zp, float lo, float hi) {
    float v = rintf((float)acc * scale) + dst_zp;
    return (uint8_t)(v < lo ? lo : v > hi ? hi : v);
}

static inline float cw_clamp(float v, float lo, float hi) {
    return v < lo ? lo : v > hi ? hi : v; /* a NaN stays a NaN */
}

static inline int64_t cw_ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* One of our implementations: what prepare functions get as their cw_impl. */
typedef struct cw_own_impl {
    cw_impl impl;                                /* first */
    const char *(*why_not)(const cw_problem *p); /* NULL, or why the problem is not supported */
    size_t (*workspace)(const cw_impl *impl, const cw_problem *p); /* workspace_bytes, once prepared */
    const cw_machine *machine;
} cw_own_impl;

typedef cw_status cw_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                             cw_kernel **out, cw_error *err);
cw_prepare cw_direct_prepare;        /* direct.c, and depthwise.c where it fits */
cw_prepare cw_depthwise_prepare;     /* depthwise.c */
cw_prepare cw_depthwise_f32_prepare; /* depthwise_f32.c */
cw_prepare cw_gemm_prepare;          /* gemm.c */
size_t cw_direct_workspace(const cw_impl *impl, const cw_problem *p);
size_t cw_gemm_workspace(const cw_impl *impl, const cw_problem *p);
size_t cw_depthwise_f32_workspace(const cw_impl *impl, const cw_problem *p);
const char *cw_direct_why_not(const cw_problem *p);
const char *cw_depthwise_f32_why_not(const cw_problem *p);
const char *cw_gemm_why_not(const cw_problem *p);
/* winograd.c: F(m,r), a row each: X(m, r). */
#define CW_WINOGRADS(X) X(2, 3) X(4, 3) X(6, 3) X(2, 5) X(4, 5) X(2, 7)
#define CW_DECLARE(m, r)                                                                                     \
    cw_prepare cw_winograd_f##m##x##r##_prepare;                                                             \
    size_t cw_winograd_f##m##x##r##_workspace(const cw_impl *impl, const cw_problem *p);                     \
    const char *cw_winograd_f##m##x##r##_why_not(const cw_problem *p);
CW_WINOGRADS(CW_DECLARE)
#undef CW_DECLARE
/* bf16 to floats, on so many threads (direct.c). */
void cw_bf16_widen_all(const uint16_t *src, int64_t count, int32_t threads, float *out);
/* im2col.c. The source is the matrix as it is: 1x1, stride 1, no padding. */
bool cw_im2col_is_plain(const cw_problem *p);
/* One row: (kh, kw, ic/g) of the window of output pixel `pixel` (counted through the batch), zeros outside
 * the image. */
void cw_im2col_row(const cw_problem *p, const cw_sizes *sizes, const float *src, int64_t pixel, int64_t group,
                   float *row);
/* Whether cw_depthwise_prepare takes the problem. */
bool cw_depthwise_fits(const cw_problem *p);

#endif
