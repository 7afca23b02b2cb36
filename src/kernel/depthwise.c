/* depthwise.c: one input and one output channel a group: no sums over channels, so vectors run along the
 * channels of one output pixel. Part of own.direct. */
#include "bf16.h"
#include "kernel.h"
#include "tile.h"
#include "../base/base.h"
#include <string.h>

enum {
    TAPS_MAX = 128,    /* larger kernels go the general way */
    CHANNELS_MAX = 256 /* channels summed at a time */
};

typedef struct depthwise {
    cw_kernel base;
    cw_problem p;
    cw_sizes sizes;
    const cw_tile *tile;
    void *weights; /* (kh, kw, c): float or int32 */
    void *bias;    /* (c) */
    float *scale;  /* u8: (c) */
    float lo, hi, dst_zp;
    int32_t src_zp;
} depthwise;

bool cw_depthwise_fits(const cw_problem *p) {
    return p->g > 1 && p->g == p->ic && p->g == p->oc && (int64_t)p->kh * p->kw <= TAPS_MAX;
}

static void destroy(cw_kernel *kernel) {
    depthwise *d = (depthwise *)kernel;
    cw_free(d->weights);
    cw_free(d->bias);
    cw_free(d->scale);
    cw_free(d);
}

/* Taps of one output pixel that lie inside the image. */
typedef struct taps {
    int64_t count;
    const void *x[TAPS_MAX]; /* source pixels, at channel 0 */
    const void *w[TAPS_MAX];
} taps;

static void find_taps(const depthwise *d, const char *image, int64_t oy, int64_t ox, taps *out) {
    const cw_problem *p = &d->p;
    int64_t element = p->prec == CW_U8 ? 1 : 4, c = p->ic; /* bf16 was widened */
    out->count = 0;
    for (int64_t i = 0; i < p->kh; i++)
        for (int64_t j = 0; j < p->kw; j++) {
            int64_t y = oy * p->sh - p->pt + i * (p->dh + 1), x = ox * p->sw - p->pl + j * (p->dw + 1);
            if (y < 0 || y >= p->ih || x < 0 || x >= p->iw) continue;
            out->x[out->count] = image + (y * p->iw + x) * c * element;
            out->w[out->count++] = (const char *)d->weights + (i * p->kw + j) * c * 4;
        }
}

/* Channels first .. first + n of one output pixel. */
static void run_channels(const depthwise *d, const taps *t, int64_t first, int64_t n, void *dst) {
    union {
        float f32[CHANNELS_MAX];
        int32_t s32[CHANNELS_MAX];
    } sum;
    memcpy(&sum, (const char *)d->bias + first * 4, (size_t)n * 4);
    if (d->p.prec != CW_U8) {
        d->tile->depthwise_f32(t->x, t->w, t->count, first, n, sum.f32);
        if (d->p.prec == CW_F32)
            d->tile->clamp_f32(sum.f32, n, d->lo, d->hi, (float *)dst + first);
        else
            d->tile->clamp_bf16(sum.f32, n, d->lo, d->hi, (uint16_t *)dst + first);
    } else {
        d->tile->depthwise_u8(t->x, t->w, t->count, first, n, d->src_zp, sum.s32);
        d->tile->requantise(sum.s32, d->scale + first, n, d->dst_zp, d->lo, d->hi, (uint8_t *)dst + first);
    }
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const depthwise *d = (const depthwise *)kernel;
    const cw_problem *p = &d->p;
    int64_t oh = d->sizes.oh, ow = d->sizes.ow, c = p->oc, rows = p->mb * oh;
    int64_t element = p->prec == CW_U8 ? 1 : 4, dst_element = p->prec == CW_BF16 ? 2 : element;
    if (p->prec == CW_BF16) {
        cw_bf16_widen_all(src, d->sizes.src_count, p->threads, workspace);
        src = workspace;
    }
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const char *image = (const char *)src + row / oh * p->ih * p->iw * c * element;
        taps t;
        for (int64_t x = 0; x < ow; x++) {
            find_taps(d, image, row % oh, x, &t);
            char *pixel = (char *)dst + (row * ow + x) * c * dst_element;
            for (int64_t first = 0; first < c; first += CHANNELS_MAX)
                run_channels(d, &t, first, c - first < CHANNELS_MAX ? c - first : CHANNELS_MAX, pixel);
        }
    }
    return CW_OK;
}

static void pack_weights(depthwise *d, const void *weights) {
    int64_t taps_count = (int64_t)d->p.kh * d->p.kw;
    for (int64_t c = 0; c < d->p.oc; c++)
        for (int64_t t = 0; t < taps_count; t++) {
            int64_t from = c * taps_count + t, to = t * d->p.oc + c;
            if (d->p.prec == CW_F32)
                ((float *)d->weights)[to] = ((const float *)weights)[from];
            else if (d->p.prec == CW_BF16)
                ((float *)d->weights)[to] = cw_bf16_widen(((const uint16_t *)weights)[from]);
            else
                ((int32_t *)d->weights)[to] = ((const int8_t *)weights)[from];
        }
}

cw_status cw_depthwise_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                               cw_kernel **out, cw_error *err) {
    bool u8 = p->prec == CW_U8;
    depthwise *d = cw_alloc(sizeof *d);
    if (!d) return cw_fail_memory(err);
    d->tile = cw_tile_for(((const cw_own_impl *)impl)->machine);
    d->p = *p;
    cw_problem_sizes(p, &d->sizes);
    d->weights = cw_alloc_n((size_t)d->sizes.wei_count, 4);
    d->bias = cw_alloc_n((size_t)p->oc, 4);
    d->scale = u8 ? cw_alloc_n((size_t)p->oc, sizeof *d->scale) : NULL;
    if (!d->weights || !d->bias || (u8 && !d->scale)) {
        destroy(&d->base);
        return cw_fail_memory(err);
    }
    pack_weights(d, args->weights);
    if (args->bias) memcpy(d->bias, args->bias, (size_t)p->oc * 4);
    d->lo = u8 ? cw_u8_limit(args->lo) : args->lo;
    d->hi = u8 ? cw_u8_limit(args->hi) : args->hi;
    if (u8) {
        memcpy(d->scale, args->quant.scale, (size_t)p->oc * sizeof *d->scale);
        d->src_zp = args->quant.src_zp;
        d->dst_zp = (float)args->quant.dst_zp;
    }
    d->base.workspace_bytes = cw_direct_workspace(impl, p);
    d->base.run = run;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}
