/* tile.h: the innermost loops of our direct and Winograd kernels, in one version an instruction set.
 * Written once with the compilers' vector types (tile_isa.h), compiled three times (tile.c), chosen when a
 * convolution is prepared. Function multiversioning by the compiler (target_clones) is not used: its
 * resolvers run before a sanitizer has started and crash there. */
#ifndef CW_TILE_H
#define CW_TILE_H

#include "kernel.h"

enum { CW_TILE_LANES = 16, CW_TILE_ROWS = 8, CW_TILE_VECTORS = 2 }; /* the largest of any version */

/* Index v - 1 of a table is the version for v vectors of output channels:
 *   acc[r*ld + c] += sum over t < taps, k < steps of x[t*rows + r][k] * w[(t*steps + k)*v*lanes + c]
 * for r < rows, c < v*lanes. All elements have 4 bytes. */
typedef void cw_tile_mul(const void *const *x, int64_t taps, int64_t steps, const void *w, void *acc,
                         int64_t ld);

/* All are pure functions on the caller's memory; no alignment is needed; ld and counts are in elements. */
typedef struct cw_tile {
    int lanes; /* 4-byte elements in a vector */
    int rows;  /* output pixels computed side by side */
    cw_tile_mul *mul_f32[CW_TILE_VECTORS];
    /* As mul_f32, but an element of x and of w is a pair of int16, the first in the low half: its product is
     * the sum of two products; acc is int32. */
    cw_tile_mul *mul_i16[CW_TILE_VECTORS];
    /* Depthwise: acc[c] += sum over t < taps of x[t][first + c] * w[t][first + c], c < n, in floats. */
    void (*depthwise_f32)(const void *const *x, const void *const *w, int64_t taps, int64_t first, int64_t n,
                          float *acc);
    /* The same with x of bytes less zp, w and acc of int32. */
    void (*depthwise_u8)(const void *const *x, const void *const *w, int64_t taps, int64_t first, int64_t n,
                         int32_t zp, int32_t *acc);
    /* dst[c] = clamp(acc[c]), c < n. */
    void (*clamp_f32)(const float *acc, int64_t n, float lo, float hi, float *dst);
    /* The same, rounded to bf16. */
    void (*clamp_bf16)(const float *acc, int64_t n, float lo, float hi, uint16_t *dst);
    /* dst[c] = cw_requantise(acc[c], scale[c], ...), c < n. */
    void (*requantise)(const int32_t *acc, const float *scale, int64_t n, float dst_zp, float lo, float hi,
                       uint8_t *dst);
} cw_tile;

/* The best version for the machine. */
const cw_tile *cw_tile_for(const cw_machine *machine);

#endif
