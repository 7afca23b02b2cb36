/* bf16.h: the upper half of a float: 8 bits of exponent, 8 of significand (one implied). Held as uint16_t.
 * Rounding is to nearest, ties to even, as the instructions of AVX512_BF16 and Arm's BFCVT do. */
#ifndef CW_BF16_H
#define CW_BF16_H

#include <stdint.h>
#include <string.h>

static inline float cw_bf16_widen(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* A NaN stays one: its payload's upper bit is set, so that cutting the lower half leaves no infinity. */
static inline uint16_t cw_bf16_round(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

#endif
