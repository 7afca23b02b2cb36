/* reference.h: the oracle. A convolution as the formula says it, with sums in double (f32, bf16) or 32-bit
 * integers (u8). Every other implementation is checked against it; it is right before it is fast, and runs on
 * one thread whatever the problem says.
 *
 *   dst[n][y][x][c] = clamp(bias[c] + sum over i, j, k of
 *                           src[n][y*sh - pt + i*(dh+1)][x*sw - pl + j*(dw+1)][group(c)*ic/g + k] *
 * w[c][i][j][k])
 *
 * with source pixels outside the image being the real value 0. */
#ifndef CW_REFERENCE_H
#define CW_REFERENCE_H

#include "../../include/convwise.h"

typedef struct cw_reference cw_reference;

/* Keeps its own copy of weights, bias and scales. p must be valid. Frees with cw_reference_free. */
cw_status cw_reference_create(const cw_problem *p, const cw_conv_args *args, cw_reference **out,
                              cw_error *err);
/* src and dst are dense, in NHWC. Allocates nothing; one object may run on several threads.
 */
void cw_reference_run(const cw_reference *ref, const void *src, void *dst);
void cw_reference_free(cw_reference *ref); /* NULL is fine */

#endif
