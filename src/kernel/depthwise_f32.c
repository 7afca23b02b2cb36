/* depthwise_f32.c: own.depthwise, 3x3 and 5x5 in floats. Vectors run along channels; tiles of outputs keep
 * their sums in registers, so that an input is loaded once for all the outputs that it is part of. Bounds: 2
 * * taps operations an output over the peak; for tensors beyond the second-level cache, their bytes over the
 * third's bandwidth, which is most of the time of large images.
 *
 * All channels of a tile come before the next tile: blocks of channels that let rows stay in the first-level
 * cache were slower by up to a half, since they read memory in pieces.
 *
 * What a tile reads and writes is a table of pointers, so that padding (a pixel of zeros), the end of a row
 * (a pixel that nobody reads) and dilation (every d-th pixel, d phases) cost nothing in the inner loop. */
#include "kernel.h"
#include "../base/base.h"
#include <omp.h>
#include <string.h>

enum {
    TAPS_MAX = 5,
    STRIDE_MAX = 2,
    TILE_COLS = 7, /* sizes of 7, 14, 28, 56, 112 leave no remainder */
    TILE_ROWS = 2, /* at most */
    IN_ROWS = (TILE_ROWS - 1) * STRIDE_MAX + TAPS_MAX,
    IN_COLS = (TILE_COLS - 1) * STRIDE_MAX + TAPS_MAX
};

typedef struct depthwise_tile {
    const float *in[IN_ROWS][IN_COLS]; /* pixels, at channel 0 */
    float *out[TILE_ROWS][TILE_COLS];
    const float *weights, *bias; /* (taps, channels), (channels) */
    int64_t channels;
    float lo, hi;
} depthwise_tile;

typedef void depthwise_run(const depthwise_tile *tile);
typedef struct depthwise_loops {
    int rows;
    depthwise_run *tile[2][STRIDE_MAX][TILE_ROWS]; /* [taps / 2 - 1][stride - 1][rows - 1] */
} depthwise_loops;

#define CW_BODY "depthwise_isa.h"
#include "each_isa.h"

typedef struct depthwise {
    cw_kernel base;
    cw_problem p;
    cw_sizes sizes;
    const depthwise_loops *loops;
    float *weights; /* (kh, kw, channels) */
    float *bias;
    float *zeros; /* a pixel of padding */
    float lo, hi;
} depthwise;

const char *cw_depthwise_f32_why_not(const cw_problem *p) {
    if (p->prec != CW_F32) return "f32 only";
    if (p->g == 1 || p->g != p->ic || p->g != p->oc) return "depthwise only: one input and output a group";
    if (p->kh != p->kw || (p->kh != 3 && p->kh != 5)) return "3x3 and 5x5 kernels only";
    if (p->sh != p->sw || p->sh > STRIDE_MAX) return "strides 1 and 2 only";
    if (p->sh != 1 && (p->dh || p->dw)) return "dilation with stride 1 only";
    return p->ic < 16 ? "from 16 channels on" : NULL;
}

static size_t pixel_bytes(const cw_problem *p) {
    return ((size_t)p->oc * sizeof(float) + 63) & ~(size_t)63;
}

/* A pixel for each thread, for outputs beyond the end of a row. */
size_t cw_depthwise_f32_workspace(const cw_impl *impl, const cw_problem *p) {
    (void)impl;
    return (size_t)p->threads * pixel_bytes(p);
}

/* ---- Run ---- */

/* Rows or columns of one phase of a dilated problem: the outputs phase, phase + step, ... */
static int64_t phase_count(int64_t outputs, int64_t phase, int64_t step) {
    return outputs > phase ? (outputs - phase - 1) / step + 1 : 0;
}

static void aim_inputs(const depthwise *d, const float *image, int64_t y, int64_t x, int in_rows,
                       depthwise_tile *t) {
    const cw_problem *p = &d->p;
    const int64_t dy = p->dh + 1, dx = p->dw + 1;
    const int in_cols = (TILE_COLS - 1) * p->sw + p->kw;
    const int64_t top = y * p->sh - p->pt, left = x * p->sw - p->pl;
    for (int i = 0; i < in_rows; i++) {
        const int64_t iy = top + i * dy;
        const float *row = iy >= 0 && iy < p->ih ? image + iy * p->iw * p->ic : NULL;
        for (int j = 0; j < in_cols; j++) {
            const int64_t ix = left + j * dx;
            t->in[i][j] = row && ix >= 0 && ix < p->iw ? row + ix * p->ic : d->zeros;
        }
    }
}

/* `rows` rows of outputs of one image, from y on, dh + 1 apart: all tiles of all phases along them. */
static void run_rows(const depthwise *d, const float *image, float *dst, int64_t y, int rows, float *sink) {
    const cw_problem *p = &d->p;
    const int64_t dy = p->dh + 1, dx = p->dw + 1, ow = d->sizes.ow;
    depthwise_run *run = d->loops->tile[p->kh / 2 - 1][p->sh - 1][rows - 1];
    depthwise_tile t = {.weights = d->weights, .bias = d->bias, .channels = p->oc, .lo = d->lo, .hi = d->hi};
    for (int64_t phase = 0; phase < dx; phase++) {
        const int64_t n = phase_count(ow, phase, dx);
        for (int64_t tile = 0; tile < n; tile += TILE_COLS) {
            aim_inputs(d, image, y, phase + tile * dx, (rows - 1) * p->sh + p->kh, &t);
            for (int r = 0; r < rows; r++)
                for (int64_t i = 0; i < TILE_COLS; i++)
                    t.out[r][i] =
                        tile + i < n ? dst + ((y + r * dy) * ow + phase + (tile + i) * dx) * p->oc : sink;
            run(&t);
        }
    }
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const depthwise *d = (const depthwise *)kernel;
    const cw_problem *p = &d->p;
    const int64_t oh = d->sizes.oh, ow = d->sizes.ow, dy = p->dh + 1, rows = d->loops->rows;
    const int64_t bands = cw_ceil_div(phase_count(oh, 0, dy), rows); /* of the longest phase */
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (int64_t i = 0; i < p->mb * dy * bands; i++) {
        const int64_t image = i / bands / dy, phase = i / bands % dy, band = i % bands * rows;
        const int64_t left = phase_count(oh, phase, dy) - band;
        float *sink = (float *)((char *)workspace + (size_t)omp_get_thread_num() * pixel_bytes(p));
        const float *from = (const float *)src + image * p->ih * p->iw * p->ic;
        float *to = (float *)dst + image * oh * ow * p->oc;
        for (int64_t r = 0; r < left && r < rows;) {
            const int n = left - r >= rows ? (int)rows : 1;
            run_rows(d, from, to, phase + (band + r) * dy, n, sink);
            r += n;
        }
    }
    return CW_OK;
}

/* ---- Prepare ---- */

static void destroy(cw_kernel *kernel) {
    depthwise *d = (depthwise *)kernel;
    cw_free(d->weights);
    cw_free(d->bias);
    cw_free(d->zeros);
    cw_free(d);
}

cw_status cw_depthwise_f32_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                                   cw_kernel **out, cw_error *err) {
    depthwise *d = cw_alloc(sizeof *d);
    if (!d) return cw_fail_memory(err);
    const int64_t taps = (int64_t)p->kh * p->kw, channels = p->oc;
    d->p = *p;
    cw_problem_sizes(p, &d->sizes);
    d->loops = CW_FOR_ISA(((const cw_own_impl *)impl)->machine, loops);
    d->weights = cw_alloc_n((size_t)(taps * channels), sizeof *d->weights);
    d->bias = cw_alloc_n((size_t)channels, sizeof *d->bias);
    d->zeros = cw_alloc_n((size_t)channels, sizeof *d->zeros);
    if (!d->weights || !d->bias || !d->zeros) {
        destroy(&d->base);
        return cw_fail_memory(err);
    }
    for (int64_t t = 0; t < taps; t++)
        for (int64_t c = 0; c < channels; c++)
            d->weights[t * channels + c] = ((const float *)args->weights)[c * taps + t];
    if (args->bias) memcpy(d->bias, args->bias, (size_t)channels * sizeof *d->bias);
    d->lo = args->lo;
    d->hi = args->hi;
    d->base.workspace_bytes = cw_depthwise_f32_workspace(impl, p);
    d->base.run = run;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}
