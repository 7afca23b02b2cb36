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

#endif
