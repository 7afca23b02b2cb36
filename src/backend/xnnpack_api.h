/* xnnpack_api.h: the one place that knows which XNNPACK is installed. Two of its interfaces are known:
 * CW_XNNPACK_RESHAPE 0: Debian 12's snapshot of February 2022 (create; setup takes shape and pointers)
 * CW_XNNPACK_RESHAPE 1: Debian 13's of November 2024 (create with caches; reshape takes the shape, setup the
 * pointers). CMake finds out by compiling this file. Not here: anything about our problems but their numbers.
 */
#ifndef CW_XNNPACK_API_H
#define CW_XNNPACK_API_H

#include <pthreadpool.h>
#include <stddef.h>
#include <stdint.h>
#include <xnnpack.h>
#include "../../include/convwise.h"

/* How u8 problems map to XNNPACK's signed numbers; unused by f32. */
typedef struct xnnpack_quant {
    int8_t src_zp, dst_zp, lo, hi;
    const float *scale; /* oc */
} xnnpack_quant;

/* The geometry that every create takes; dilation counts from 1 there. */
#define XNNPACK_GEOMETRY(p)                                                                                  \
    (uint32_t)(p)->pt, (uint32_t)(p)->pr, (uint32_t)(p)->pb, (uint32_t)(p)->pl, (uint32_t)(p)->kh,           \
        (uint32_t)(p)->kw, (uint32_t)(p)->sh, (uint32_t)(p)->sw, (uint32_t)(p)->dh + 1,                      \
        (uint32_t)(p)->dw + 1, (uint32_t)(p)->g, (size_t)((p)->ic / (p)->g), (size_t)((p)->oc / (p)->g),     \
        (size_t)(p)->ic, (size_t)(p)->oc
#if CW_XNNPACK_RESHAPE
#define XNNPACK_CACHES      NULL, NULL, /* code, weights */
#define xnnpack_create_qc8  xnn_create_convolution2d_nhwc_qs8_qc8w
#define xnnpack_reshape_qc8 xnn_reshape_convolution2d_nhwc_qs8_qc8w
#define xnnpack_setup_qc8   xnn_setup_convolution2d_nhwc_qs8_qc8w
#else
#define XNNPACK_CACHES
#define xnnpack_create_qc8 xnn_create_convolution2d_nhwc_qc8
#define xnnpack_setup_qc8  xnn_setup_convolution2d_nhwc_qc8
#endif

/* Packs copies of weights, (g, oc/g, kh, kw, ic/g) as ours, and bias (may be NULL). Wants lo < hi. */
static inline enum xnn_status xnnpack_create_f32(const cw_problem *p, const float *weights, const float *bias,
                                                 float lo, float hi, uint32_t flags, xnn_operator_t *out) {
    return xnn_create_convolution2d_nhwc_f32(XNNPACK_GEOMETRY(p), weights, bias, lo, hi, flags,
                                             XNNPACK_CACHES out);
}

/* Scales of source and destination are 1, so that a channel's own is all that multiplies its sums. */
static inline enum xnn_status xnnpack_create_s8(const cw_problem *p, const int8_t *weights,
                                                const int32_t *bias, const xnnpack_quant *q, uint32_t flags,
                                                xnn_operator_t *out) {
    return xnnpack_create_qc8(XNNPACK_GEOMETRY(p), q->src_zp, 1.0f, q->scale, weights, bias, q->dst_zp, 1.0f,
                              q->lo, q->hi, flags, XNNPACK_CACHES out);
}

/* Points the operator at tensors; once xnnpack_shape has been called, allocates nothing. workspace: what
 * xnnpack_shape told. */
static inline enum xnn_status xnnpack_setup(xnn_operator_t op, const cw_problem *p, void *workspace,
                                            const void *src, void *dst, pthreadpool_t pool) {
#if CW_XNNPACK_RESHAPE
    (void)pool;
    return p->prec == CW_F32 ? xnn_setup_convolution2d_nhwc_f32(op, workspace, src, dst)
                             : xnnpack_setup_qc8(op, workspace, src, dst);
#else
    size_t n = (size_t)p->mb, h = (size_t)p->ih, w = (size_t)p->iw;
    (void)workspace;
    return p->prec == CW_F32 ? xnn_setup_convolution2d_nhwc_f32(op, n, h, w, src, dst, pool)
                             : xnnpack_setup_qc8(op, n, h, w, src, dst, pool);
#endif
}

/* Tells the operator the shape. Here it allocates and fills its table of pointers into the source, relative
 * to a first address; later setups give an offset. Pointers that equal the operator's own buffer of padding
 * get no offset, so the first source must not seem to overlap it: nowhere is an address before src bytes that
 * no program can own; nothing is read there. */
static inline enum xnn_status xnnpack_shape(xnn_operator_t op, const cw_problem *p, void *nowhere,
                                            pthreadpool_t pool, size_t *workspace) {
    *workspace = 0;
#if CW_XNNPACK_RESHAPE
    size_t n = (size_t)p->mb, h = (size_t)p->ih, w = (size_t)p->iw, align, oh, ow;
    (void)nowhere;
    return p->prec == CW_F32
               ? xnn_reshape_convolution2d_nhwc_f32(op, n, h, w, workspace, &align, &oh, &ow, pool)
               : xnnpack_reshape_qc8(op, n, h, w, workspace, &align, &oh, &ow, pool);
#else
    return xnnpack_setup(op, p, NULL, nowhere, nowhere, pool);
#endif
}

#endif
