/* verify.h: a convolution with data and its right answer, and the limits within which an implementation must
 * meet it. No time is stored and no choice offered for an output that was not compared here first. */
#ifndef CW_VERIFY_H
#define CW_VERIFY_H

#include "../../include/convwise/backend.h"

/* Data, the same for the same seed on every machine. Weights have mean 0; the bias is never all zero.
 *
 * CW_FILL_INTEGER: small integers, so that every f32 and bf16 sum is exact in any order, and u8 scales that
 * are powers of two: implementations of exact kinds must match the reference to the bit. CW_FILL_NORMAL:
 * N(0,1)-like (a sum of four uniforms: |x| < 3.5), for timing. f32 and bf16 weights are divided by sqrt(K), K
 * products an output, so that outputs are N(0,1)-like too. u8 sources have mean 128 and deviation 42 where
 * the problem has a zero point (128), else they are |N| with zero point 0, as after a ReLU; weights are N(0,
 * 127/4).
 *
 * u8 scales differ from channel to channel and outputs spread over 0..255. The destination's zero point is
 * 120 with zp (not the source's, so that mixing them up shows), else 0 with a bias that keeps most outputs
 * above 0.
 *
 * Clamp: about -1.5 and 2 deviations of the output (u8: 40 and 208), so that it clips some outputs on each
 * side but hides few errors; a ReLU would hide half of them. */
typedef enum cw_fill { CW_FILL_INTEGER, CW_FILL_NORMAL } cw_fill;

typedef struct cw_case {
    cw_problem problem; /* canonical */
    cw_sizes sizes;
    void *src, *weights, *bias;
    float *scale;        /* u8: oc, else NULL */
    cw_conv_args args;   /* points into this case */
    void *expected;      /* by the reference */
    double expected_max; /* largest |expected|, at least 1: what outputs deviate by */
    cw_fill fill;
} cw_case;

/* Makes data and runs the reference (about 2e9 multiply-accumulates a second). p must be valid. On failure
 * *out is empty. */
cw_status cw_case_make(const cw_problem *p, cw_fill fill, uint64_t seed, cw_case *out, cw_error *err);
void cw_case_release(cw_case *c); /* of an empty (zeroed) case: fine */

/* Compares dst (dst_count elements) with the expected output.
 * *error: f32, bf16: largest |dst - expected| / expected_max; u8: largest difference in steps; HUGE_VAL for a
 * NaN or an infinity. Returns CW_OK, or CW_WRONG beyond the limit:
 *
 *   exact kinds, integer fill         0
 *   exact kinds, normal fill, f32     1e-5: the order of summation is free
 *   exact kinds, normal fill, bf16    2^-7, about one step of bf16 at the largest output: a sum near the
 *                                     middle of two steps may go either way
 *   exact kinds, normal fill, u8      1 step: a product may round differently where it is fused or scaled in
 *                                     another order
 *   Winograd and FFT, f32             1e-3: F(4x4,3x3) errs by about 2e-5 of the largest output and larger
 *                                     tiles by more (Lavin, Gray 2015, section 5), while a wrong tap or pixel
 *                                     shows as 1e-2 up
 *   f32 computed in bf16, integer     0: the data are bf16 values already, and sums are f32
 *   f32 computed in bf16, normal      2e-2 (Winograd and FFT in bf16, too): source and weights are rounded
 *                                     to 8 bits, an error of about 0.002 of an output's deviation (rms)
 *   Winograd and FFT, u8, normal      24 steps: these round the transformed source and weights to 8 bits
 *                                     again. Uniform rounding in steps of 4 and 9/4 (oneDNN's F(2x2,3x3))
 *                                     makes an error of 1.8 steps rms beside outputs of 48 (measured: 1.7 to
 *                                     1.9, at worst 10 in 600,000); one missing tap of nine makes 16 rms
 *   Winograd and FFT, u8, integer     96 steps: small integers use 4 of the 8 bits, so the same rounding is
 *                                     six times as large beside them (measured: 8 to 12 rms, at worst 79).
 *                                     Only gross errors show; judge these kinds by the normal fill
 *
 * Other inexact u8 kinds saturate 16-bit sums of two products (no VNNI): exact with the integer fill, off in
 * about 2 of 10,000 outputs with the normal fill and zp; by 17 steps at worst; the limits of Winograd and
 * FFT hold for them too.
 */
cw_status cw_case_compare(const cw_case *c, const cw_impl *impl, const void *dst, double *error,
                          cw_error *err);

/* The mean of the differences that cw_case_compare takes the largest of, in the same unit. */
double cw_case_mean_error(const cw_case *c, const void *dst);

#endif
