/* reference.c: plain loops over the formula of reference.h. The one concession to speed: weights are
 * transposed so that the innermost loop runs over BLOCK output channels side by side. A product of two floats
 * is exact in double, so the sum's only rounding is that of double additions. */
#include "reference.h"
#include "bf16.h"
#include "kernel.h"
#include "../base/base.h"
#include <string.h>

enum { BLOCK = 32 }; /* output channels summed together */

struct cw_reference {
    cw_problem p;
    cw_sizes sizes;
    int64_t icg, ocg, blocks; /* per group: channels in, channels out, blocks of output channels */
    void *weights;            /* (g, blocks, kh, kw, icg, BLOCK): float or int16; 0 beyond the last channel */
    void *bias;               /* oc floats or int32 */
    float *scale;             /* u8: oc */
    float lo, hi;
    int32_t src_zp;
    float dst_zp;
};

static void pack_weights(cw_reference *r, const void *weights) {
    int64_t taps = (int64_t)r->p.kh * r->p.kw, depth = taps * r->icg;
    for (int64_t c = 0; c < r->p.oc; c++) {
        int64_t group = c / r->ocg, inside = c % r->ocg;
        int64_t block = group * r->blocks + inside / BLOCK, lane = inside % BLOCK;
        for (int64_t k = 0; k < depth; k++) {
            int64_t to = (block * depth + k) * BLOCK + lane, from = c * depth + k;
            if (r->p.prec == CW_F32)
                ((float *)r->weights)[to] = ((const float *)weights)[from];
            else if (r->p.prec == CW_BF16)
                ((float *)r->weights)[to] = cw_bf16_widen(((const uint16_t *)weights)[from]);
            else
                ((int16_t *)r->weights)[to] = ((const int8_t *)weights)[from];
        }
    }
}

cw_status cw_reference_create(const cw_problem *p, const cw_conv_args *args, cw_reference **out,
                              cw_error *err) {
    bool u8 = p->prec == CW_U8;
    cw_reference *r = cw_alloc(sizeof *r);
    if (!r) return cw_fail_memory(err);
    r->p = *p;
    cw_problem_sizes(p, &r->sizes);
    r->icg = p->ic / p->g;
    r->ocg = p->oc / p->g;
    r->blocks = cw_ceil_div(r->ocg, BLOCK);
    size_t packed = (size_t)(p->g * r->blocks * BLOCK * r->sizes.gemm_k);
    r->weights = cw_alloc_n(packed, u8 ? sizeof(int16_t) : sizeof(float));
    r->bias = cw_alloc_n((size_t)p->oc, 4);
    r->scale = cw_alloc_n((size_t)p->oc, sizeof(float));
    if (!r->weights || !r->bias || !r->scale) {
        cw_reference_free(r);
        return cw_fail_memory(err);
    }
    pack_weights(r, args->weights);
    if (args->bias) memcpy(r->bias, args->bias, (size_t)p->oc * 4);
    r->lo = u8 ? cw_u8_limit(args->lo) : args->lo;
    r->hi = u8 ? cw_u8_limit(args->hi) : args->hi;
    if (u8) {
        memcpy(r->scale, args->quant.scale, (size_t)p->oc * sizeof(float));
        r->src_zp = args->quant.src_zp;
        r->dst_zp = (float)args->quant.dst_zp;
    }
    *out = r;
    return CW_OK;
}

void cw_reference_free(cw_reference *ref) {
    if (!ref) return;
    cw_free(ref->weights);
    cw_free(ref->bias);
    cw_free(ref->scale);
    cw_free(ref);
}

/* One output pixel: the image, the top left source pixel of its window (may lie outside). */
typedef struct window {
    int64_t image, y, x;
} window;

/* sum[] += the window's products for one block of output channels of one group; src is f32 or bf16. */
static void sum_floats(const cw_reference *r, const void *src, window at, int64_t group, int64_t block,
                       double sum[BLOCK]) {
    const cw_problem *p = &r->p;
    const float *w = (const float *)r->weights + (group * r->blocks + block) * r->sizes.gemm_k * BLOCK;
    for (int64_t i = 0; i < p->kh; i++)
        for (int64_t j = 0; j < p->kw; j++, w += r->icg * BLOCK) {
            int64_t y = at.y + i * (p->dh + 1), x = at.x + j * (p->dw + 1);
            if (y < 0 || y >= p->ih || x < 0 || x >= p->iw) continue;
            int64_t s = ((at.image * p->ih + y) * p->iw + x) * p->ic + group * r->icg;
            for (int64_t k = 0; k < r->icg; k++) {
                double value = p->prec == CW_F32 ? (double)((const float *)src)[s + k]
                                                 : (double)cw_bf16_widen(((const uint16_t *)src)[s + k]);
                for (int c = 0; c < BLOCK; c++) sum[c] += value * (double)w[k * BLOCK + c];
            }
        }
}

/* The same in integers; unsigned, because a sum beyond 32 bits wraps instead of being undefined. */
static void sum_u8(const cw_reference *r, const uint8_t *src, window at, int64_t group, int64_t block,
                   uint32_t sum[BLOCK]) {
    const cw_problem *p = &r->p;
    const int16_t *w = (const int16_t *)r->weights + (group * r->blocks + block) * r->sizes.gemm_k * BLOCK;
    for (int64_t i = 0; i < p->kh; i++)
        for (int64_t j = 0; j < p->kw; j++, w += r->icg * BLOCK) {
            int64_t y = at.y + i * (p->dh + 1), x = at.x + j * (p->dw + 1);
            if (y < 0 || y >= p->ih || x < 0 || x >= p->iw) continue;
            const uint8_t *s = src + ((at.image * p->ih + y) * p->iw + x) * p->ic + group * r->icg;
            for (int64_t k = 0; k < r->icg; k++) {
                int16_t value = (int16_t)(s[k] - r->src_zp);
                for (int c = 0; c < BLOCK; c++) sum[c] += (uint32_t)(value * w[k * BLOCK + c]);
            }
        }
}

/* `to`: the output pixel's number. */
static void pixel_floats(const cw_reference *r, const void *src, window at, void *dst, int64_t to) {
    const float *bias = r->bias;
    for (int64_t group = 0; group < r->p.g; group++)
        for (int64_t block = 0; block < r->blocks; block++) {
            double sum[BLOCK] = {0};
            sum_floats(r, src, at, group, block, sum);
            for (int64_t c = block * BLOCK; c < r->ocg && c < (block + 1) * BLOCK; c++) {
                int64_t channel = group * r->ocg + c;
                float value = cw_clamp((float)(sum[c % BLOCK] + (double)bias[channel]), r->lo, r->hi);
                if (r->p.prec == CW_F32)
                    ((float *)dst)[to * r->p.oc + channel] = value;
                else
                    ((uint16_t *)dst)[to * r->p.oc + channel] = cw_bf16_round(value);
            }
        }
}

static void pixel_u8(const cw_reference *r, const uint8_t *src, window at, uint8_t *dst) {
    const int32_t *bias = r->bias;
    for (int64_t group = 0; group < r->p.g; group++)
        for (int64_t block = 0; block < r->blocks; block++) {
            uint32_t sum[BLOCK] = {0};
            sum_u8(r, src, at, group, block, sum);
            for (int64_t c = block * BLOCK; c < r->ocg && c < (block + 1) * BLOCK; c++) {
                int64_t channel = group * r->ocg + c;
                int32_t acc = (int32_t)(sum[c % BLOCK] + (uint32_t)bias[channel]);
                dst[channel] = cw_requantise(acc, r->scale[channel], r->dst_zp, r->lo, r->hi);
            }
        }
}

void cw_reference_run(const cw_reference *r, const void *src, void *dst) {
    const cw_problem *p = &r->p;
    int64_t pixel = 0;
    for (int64_t n = 0; n < p->mb; n++)
        for (int64_t y = 0; y < r->sizes.oh; y++)
            for (int64_t x = 0; x < r->sizes.ow; x++, pixel++) {
                window at = {n, y * p->sh - p->pt, x * p->sw - p->pl};
                if (p->prec == CW_U8)
                    pixel_u8(r, src, at, (uint8_t *)dst + pixel * p->oc);
                else
                    pixel_floats(r, src, at, dst, pixel);
            }
}
