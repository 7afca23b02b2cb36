/* direct.c: convolution without an intermediate matrix, for every valid problem in all precisions. A tile of
 * output pixels by up to two vectors of output channels stays in registers while all taps and input channels
 * pass by. Each tap gives one pointer a pixel, to the source or, outside the image, to zeros (the indirection
 * of Dukhan 2019, arXiv:1907.02129, made on the fly): so stride, dilation and padding cost nothing inside.
 *
 * u8: the source is widened to int16 less its zero point first, in pairs of channels, so that padding is 0
 * and a product of pairs is one instruction. bf16: the source is widened to floats, and the rest is as in f32
 * but for the rounding at the end. */
#include "bf16.h"
#include "kernel.h"
#include "tile.h"
#include "../base/base.h"
#include <string.h>

enum {
    TABLE_TAPS = 64, /* taps whose pointers are made at a time */
    CHUNK_TILES = 64 /* pixel tiles a unit of work */
};

typedef struct direct {
    cw_kernel base;
    cw_problem p;
    cw_sizes sizes;
    const cw_tile *tile;
    int64_t icg, ocg;
    int64_t steps;         /* elements of 4 bytes in a pixel's group: channels, or pairs of them */
    int64_t pixel;         /* elements from a source pixel to the next */
    int64_t block, ocg_up; /* channels of a block; ocg rounded up to whole vectors */
    void *weights;         /* (g, blocks, kh, kw, steps, up to `block`); 0 beyond the last channel */
    void *bias;            /* (g, ocg_up) */
    float *scale;          /* u8: (oc) */
    void *zeros;           /* a pixel's group of zeros */
    float lo, hi, dst_zp;
    int32_t src_zp;
} direct;

const char *cw_direct_why_not(const cw_problem *p) {
    (void)p;
    return NULL;
}

/* ---- Preparing ---- */

static int32_t pair(int32_t first, int32_t second) {
    return (int32_t)((uint32_t)first & 0xffff) | (int32_t)((uint32_t)second << 16);
}

/* Widths of the blocks differ (the last of a group may be narrower), offsets do not: all before are full. */
static void pack_weights(direct *d, const void *weights) {
    int64_t taps = (int64_t)d->p.kh * d->p.kw, depth = taps * d->steps, real_depth = taps * d->icg;
    for (int64_t c = 0; c < d->p.oc; c++) {
        int64_t group = c / d->ocg, inside = c % d->ocg, first = inside / d->block * d->block;
        int64_t width = d->ocg_up - first < d->block ? d->ocg_up - first : d->block;
        int64_t to = (group * d->ocg_up + first) * depth + inside - first;
        for (int64_t t = 0; t < taps; t++)
            for (int64_t k = 0; k < d->steps; k++, to += width) {
                int64_t from = c * real_depth + t * d->icg;
                if (d->p.prec == CW_F32) {
                    ((float *)d->weights)[to] = ((const float *)weights)[from + k];
                } else if (d->p.prec == CW_BF16) {
                    ((float *)d->weights)[to] = cw_bf16_widen(((const uint16_t *)weights)[from + k]);
                } else {
                    const int8_t *w = (const int8_t *)weights + from;
                    ((int32_t *)d->weights)[to] = pair(w[2 * k], 2 * k + 1 < d->icg ? w[2 * k + 1] : 0);
                }
            }
    }
}

static void destroy(cw_kernel *kernel) {
    direct *d = (direct *)kernel;
    cw_free(d->weights);
    cw_free(d->bias);
    cw_free(d->scale);
    cw_free(d->zeros);
    cw_free(d);
}

static cw_status run_f32(cw_kernel *kernel, const void *src, void *dst, void *workspace);
static cw_status run_bf16(cw_kernel *kernel, const void *src, void *dst, void *workspace);
static cw_status run_u8(cw_kernel *kernel, const void *src, void *dst, void *workspace);

static void set_sizes(direct *d, const cw_problem *p) {
    d->p = *p;
    cw_problem_sizes(p, &d->sizes);
    d->icg = p->ic / p->g;
    d->ocg = p->oc / p->g;
    d->steps = p->prec == CW_U8 ? cw_ceil_div(d->icg, 2) : d->icg;
    d->pixel = d->steps * p->g;
    d->block = (int64_t)d->tile->lanes * CW_TILE_VECTORS;
    d->ocg_up = cw_ceil_div(d->ocg, d->tile->lanes) * d->tile->lanes;
}

/* u8: the source as pairs of 16 bits; bf16: as floats. */
size_t cw_direct_workspace(const cw_impl *impl, const cw_problem *p) {
    (void)impl;
    int64_t pixels = (int64_t)p->mb * p->ih * p->iw;
    if (p->prec == CW_BF16) return (size_t)(pixels * p->ic * 4);
    if (cw_depthwise_fits(p) || p->prec == CW_F32) return 0;
    return (size_t)(pixels * p->g * cw_ceil_div(p->ic / p->g, 2) * 4);
}

cw_status cw_direct_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                            cw_kernel **out, cw_error *err) {
    if (cw_depthwise_fits(p)) return cw_depthwise_prepare(impl, p, args, out, err);
    bool u8 = p->prec == CW_U8;
    direct *d = cw_alloc(sizeof *d);
    if (!d) return cw_fail_memory(err);
    d->tile = cw_tile_for(((const cw_own_impl *)impl)->machine);
    set_sizes(d, p);
    int64_t depth = d->steps * p->kh * p->kw;
    d->weights = cw_alloc_n((size_t)(p->g * d->ocg_up * depth), 4);
    d->bias = cw_alloc_n((size_t)(p->g * d->ocg_up), 4);
    d->zeros = cw_alloc_n((size_t)d->steps, 4);
    d->scale = u8 ? cw_alloc_n((size_t)p->oc, sizeof *d->scale) : NULL;
    if (!d->weights || !d->bias || !d->zeros || (u8 && !d->scale)) {
        destroy(&d->base);
        return cw_fail_memory(err);
    }
    pack_weights(d, args->weights);
    for (int64_t group = 0; args->bias && group < p->g; group++)
        memcpy((char *)d->bias + group * d->ocg_up * 4, (const char *)args->bias + group * d->ocg * 4,
               (size_t)d->ocg * 4);
    d->lo = u8 ? cw_u8_limit(args->lo) : args->lo;
    d->hi = u8 ? cw_u8_limit(args->hi) : args->hi;
    if (u8) {
        memcpy(d->scale, args->quant.scale, (size_t)p->oc * sizeof *d->scale);
        d->src_zp = args->quant.src_zp;
        d->dst_zp = (float)args->quant.dst_zp;
    }
    d->base.workspace_bytes = cw_direct_workspace(impl, p);
    d->base.run = u8 ? run_u8 : p->prec == CW_F32 ? run_f32 : run_bf16;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}

/* ---- Running ---- */

/* An output pixel's window: its top left corner in the source (may lie outside) and its image. */
typedef struct window {
    const int32_t *image; /* at the group's first channel */
    int64_t y, x;
} window;

/* Windows of the tile that starts at output pixel `first`; beyond the last pixel it is repeated. */
static void find_windows(const direct *d, const int32_t *src, int64_t first, window at[CW_TILE_ROWS]) {
    const cw_problem *p = &d->p;
    int64_t oh = d->sizes.oh, ow = d->sizes.ow, last = d->sizes.gemm_m - 1;
    int64_t x = first % ow, y = first / ow % oh, n = first / ow / oh;
    for (int r = 0; r < d->tile->rows; r++) {
        at[r].image = src + n * p->ih * p->iw * d->pixel;
        at[r].y = y * p->sh - p->pt;
        at[r].x = x * p->sw - p->pl;
        if (first + r >= last) continue;
        if (++x == ow) {
            x = 0;
            if (++y == oh) y = 0, n++;
        }
    }
}

/* The pointers of one tap for each window. */
static void find_sources(const direct *d, const window *at, int64_t tap, const void **table) {
    const cw_problem *p = &d->p;
    int64_t down = tap / p->kw * (p->dh + 1), right = tap % p->kw * (p->dw + 1);
    for (int r = 0; r < d->tile->rows; r++) {
        int64_t y = at[r].y + down, x = at[r].x + right;
        bool inside = y >= 0 && y < p->ih && x >= 0 && x < p->iw;
        table[r] = inside ? (const void *)(at[r].image + (y * p->iw + x) * d->pixel) : d->zeros;
    }
}

typedef union sums {
    float f32[CW_TILE_ROWS * CW_TILE_VECTORS * CW_TILE_LANES];
    int32_t s32[CW_TILE_ROWS * CW_TILE_VECTORS * CW_TILE_LANES];
} sums;

/* Sums of one tile for `vectors` vectors of channels from `channel` (within the padded groups) on. */
static void sum_tile(const direct *d, const window *at, int64_t channel, int vectors, sums *sum) {
    int64_t width = (int64_t)vectors * d->tile->lanes, taps = (int64_t)d->p.kh * d->p.kw;
    const char *w = (const char *)d->weights + channel * taps * d->steps * 4;
    cw_tile_mul *mul = (d->p.prec == CW_U8 ? d->tile->mul_i16 : d->tile->mul_f32)[vectors - 1];
    const void *table[TABLE_TAPS * CW_TILE_ROWS];
    for (int r = 0; r < d->tile->rows; r++)
        memcpy(sum->f32 + r * width, (const char *)d->bias + channel * 4, (size_t)width * 4);
    for (int64_t tap = 0; tap < taps;) {
        int64_t count = taps - tap < TABLE_TAPS ? taps - tap : TABLE_TAPS;
        for (int64_t t = 0; t < count; t++) find_sources(d, at, tap + t, table + t * d->tile->rows);
        mul(table, count, d->steps, w, sum, width);
        tap += count;
        w += count * d->steps * width * 4;
    }
}

/* A chunk of pixel tiles by one block of output channels. src is at the image's first channel. */
static void run_chunk(const direct *d, const int32_t *src, void *dst, int64_t chunk, int64_t group,
                      int64_t first) {
    int64_t left = d->ocg_up - first, pixels = d->sizes.gemm_m;
    int vectors = left > d->tile->lanes ? 2 : 1;
    int64_t width = (int64_t)vectors * d->tile->lanes;
    int64_t count = d->ocg - first < width ? d->ocg - first : width, channel = group * d->ocg + first;
    int64_t begin = chunk * CHUNK_TILES * d->tile->rows, end = begin + (int64_t)CHUNK_TILES * d->tile->rows;
    for (int64_t pixel = begin; pixel < end && pixel < pixels; pixel += d->tile->rows) {
        window at[CW_TILE_ROWS];
        sums sum;
        find_windows(d, src + group * d->steps, pixel, at);
        sum_tile(d, at, group * d->ocg_up + first, vectors, &sum);
        for (int64_t r = 0; r < d->tile->rows && pixel + r < pixels; r++) {
            int64_t to = (pixel + r) * d->p.oc + channel;
            if (d->p.prec == CW_F32)
                d->tile->clamp_f32(sum.f32 + r * width, count, d->lo, d->hi, (float *)dst + to);
            else if (d->p.prec == CW_BF16)
                d->tile->clamp_bf16(sum.f32 + r * width, count, d->lo, d->hi, (uint16_t *)dst + to);
            else
                d->tile->requantise(sum.s32 + r * width, d->scale + channel, count, d->dst_zp, d->lo, d->hi,
                                    (uint8_t *)dst + to);
        }
    }
}

/* Chunks of pixels outside, channels inside: a chunk's source stays in the cache for all channels. */
static void run_all(const direct *d, const int32_t *src, void *dst) {
    int64_t chunks = cw_ceil_div(d->sizes.gemm_m, (int64_t)CHUNK_TILES * d->tile->rows);
    int64_t blocks = cw_ceil_div(d->ocg, d->block), units = d->p.g * blocks;
#pragma omp parallel for num_threads(d->p.threads) collapse(2) schedule(static)
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        for (int64_t unit = 0; unit < units; unit++)
            run_chunk(d, src, dst, chunk, unit / blocks, unit % blocks * d->block);
}

static cw_status run_f32(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    (void)workspace;
    run_all((const direct *)kernel, src, dst); /* elements are only moved by pointer: floats stay floats */
    return CW_OK;
}

void cw_bf16_widen_all(const uint16_t *src, int64_t count, int32_t threads, float *out) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < count; i++) out[i] = cw_bf16_widen(src[i]);
}

static cw_status run_bf16(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const direct *d = (const direct *)kernel;
    cw_bf16_widen_all(src, d->sizes.src_count, d->p.threads, workspace);
    run_all(d, workspace, dst);
    return CW_OK;
}

/* One pixel's channels less the zero point, in pairs; an odd group ends with half a pair. */
static void widen(const direct *d, const uint8_t *src, int32_t *pairs) {
    for (int64_t group = 0; group < d->p.g; group++, src += d->icg, pairs += d->steps) {
        for (int64_t k = 0; k < d->icg / 2; k++)
            pairs[k] = pair(src[2 * k] - d->src_zp, src[2 * k + 1] - d->src_zp);
        if (d->icg % 2) pairs[d->icg / 2] = pair(src[d->icg - 1] - d->src_zp, 0);
    }
}

static cw_status run_u8(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const direct *d = (const direct *)kernel;
    int64_t pixels = (int64_t)d->p.mb * d->p.ih * d->p.iw;
    int32_t *pairs = workspace;
#pragma omp parallel for num_threads(d->p.threads) schedule(static)
    for (int64_t i = 0; i < pixels; i++) widen(d, (const uint8_t *)src + i * d->p.ic, pairs + i * d->pixel);
    run_all(d, pairs, dst);
    return CW_OK;
}
