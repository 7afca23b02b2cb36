/* winograd.c: F(2x2,3x3) and F(4x4,3x3) for f32, NHWC, stride 1, one group (Lavin, Gray 2015,
 * arXiv:1509.09308). Tiles of (m + 2)^2 source pixels are transformed, multiplied by the transformed weights,
 * one matrix product for each of the (m + 2)^2 positions, and transformed back to m^2 output pixels.
 *
 * A block of tiles goes through all three stages before the next begins, sized so that its transformed tiles
 * and products take half of the second-level cache, but never fewer than BLOCK_TILES tiles, because each
 * block reads all transformed weights. Built with -ffp-contract=fast, as tile.c. */
#include "kernel.h"
#include "tile.h"
#include "../base/base.h"
#include <omp.h>
#include <string.h>

enum { BLOCK_TILES = 32, TILE_MAX = 36, DEFAULT_L2 = 1 << 20 };

/* The transforms between pixels and tiles: see winograd_isa.h. */
typedef struct transforms {
    int m; /* output pixels along a tile's side */
    void (*in)(const float *const *src, int64_t channels, float *v, int64_t plane);
    void (*out)(const float *products, int64_t plane, int64_t channels, const float *bias, float lo, float hi,
                float *const *dst);
} transforms;

#define CW_ISA(name) name##_portable
#define CW_TARGET
#define CW_LANES 4
#include "winograd_isa.h"
#if defined(__x86_64__)
#define CW_ISA(name) name##_avx2
#define CW_TARGET    __attribute__((target("avx2,fma")))
#define CW_LANES     8
#include "winograd_isa.h"
#define CW_ISA(name) name##_avx512
#define CW_TARGET    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define CW_LANES     16
#include "winograd_isa.h"
#endif

static const transforms *transforms_for(int m, const cw_tile *tile) {
#if defined(__x86_64__)
    if (tile->lanes == 16) return m == 2 ? &transforms_2_avx512 : &transforms_4_avx512;
    if (tile->lanes == 8) return m == 2 ? &transforms_2_avx2 : &transforms_4_avx2;
#endif
    (void)tile;
    return m == 2 ? &transforms_2_portable : &transforms_4_portable;
}

typedef struct winograd {
    cw_kernel base;
    cw_problem p;
    cw_sizes sizes;
    const cw_tile *tile;
    const transforms *transforms;
    int64_t positions;             /* (m + 2)^2 */
    int64_t across, down, tiles;   /* tiles in a row, rows in an image, tiles in all */
    int64_t block, block_up;       /* tiles of a block; rounded up to whole rows of the multiplier */
    int64_t oc_up;                 /* oc rounded up to whole vectors */
    int64_t in_floats, out_floats; /* workspace of one thread: transformed tiles, products */
    float *weights;                /* (position, blocks of up to two vectors of channels, ic, channels) */
    float *bias;                   /* (oc_up) */
    float *zeros;                  /* ic: a pixel outside the image */
    float lo, hi;
} winograd;

const char *cw_winograd_why_not(const cw_problem *p) {
    if (p->prec != CW_F32) return "f32 only";
    if (p->kh != 3 || p->kw != 3) return "3x3 kernels only";
    if (p->sh != 1 || p->sw != 1) return "stride 1 only";
    if (p->dh != 0 || p->dw != 0) return "no dilation";
    if (p->g != 1) return "one group only";
    return NULL;
}

/* ---- Preparing ---- */

/* G, (m + 2) x 3. */
static const double g_2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
static const double g_4[6][3] = {{1.0 / 4, 0, 0},
                                 {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                 {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                 {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                 {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                 {0, 0, 1}};

/* Position (i, j) of G w G^T; w points at one channel pair's first tap, taps are ic apart. In double: the
 * rounding of weights is to be that of one float. */
static double transformed(const double (*g)[3], const float *w, int64_t ic, int64_t i, int64_t j) {
    double sum = 0;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) sum += g[i][a] * g[j][b] * (double)w[(a * 3 + b) * ic];
    return sum;
}

static void pack_weights(winograd *d, const float *weights) {
    int64_t ic = d->p.ic, t = d->transforms->m + 2, full = (int64_t)d->tile->lanes * CW_TILE_VECTORS;
    const double(*g)[3] = d->transforms->m == 2 ? g_2 : g_4;
    for (int64_t c = 0; c < d->p.oc; c++) {
        int64_t first = c / full * full, width = d->oc_up - first < full ? d->oc_up - first : full;
        for (int64_t k = 0; k < ic; k++)
            for (int64_t i = 0; i < d->positions; i++) {
                int64_t to = (i * d->oc_up + first) * ic + k * width + c - first;
                d->weights[to] = (float)transformed(g, weights + c * 9 * ic + k, ic, i / t, i % t);
            }
    }
}

static void destroy(cw_kernel *kernel) {
    winograd *d = (winograd *)kernel;
    cw_free(d->weights);
    cw_free(d->bias);
    cw_free(d->zeros);
    cw_free(d);
}

static void set_sizes(winograd *d, const cw_problem *p, int64_t l2) {
    int64_t m = d->transforms->m, rows = d->tile->rows;
    d->p = *p;
    cw_problem_sizes(p, &d->sizes);
    d->positions = (m + 2) * (m + 2);
    d->across = cw_ceil_div(d->sizes.ow, m);
    d->down = cw_ceil_div(d->sizes.oh, m);
    d->tiles = p->mb * d->down * d->across;
    d->oc_up = cw_ceil_div(p->oc, d->tile->lanes) * d->tile->lanes;
    int64_t tile_bytes = d->positions * (p->ic + d->oc_up) * (int64_t)sizeof(float);
    int64_t share = cw_ceil_div(d->tiles, p->threads);
    d->block = (l2 > 0 ? l2 : DEFAULT_L2) / 2 / tile_bytes;
    if (d->block < BLOCK_TILES) d->block = BLOCK_TILES;
    if (d->block > share) d->block = share;
    d->block_up = cw_ceil_div(d->block, rows) * rows;
    d->in_floats = cw_ceil_div(d->positions * d->block * p->ic, 16) * 16; /* keeps 64-byte alignment */
    d->out_floats = cw_ceil_div(d->positions * d->block_up * d->oc_up, 16) * 16;
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace);

static size_t workspace_of(const winograd *d) {
    return (size_t)(d->p.threads * (d->in_floats + d->out_floats)) * sizeof(float);
}

static size_t workspace(int m, const cw_impl *impl, const cw_problem *p) {
    const cw_machine *machine = ((const cw_own_impl *)impl)->machine;
    winograd d = {.tile = cw_tile_for(machine)};
    d.transforms = transforms_for(m, d.tile);
    set_sizes(&d, p, machine->l2);
    return workspace_of(&d);
}

size_t cw_winograd_f2x3_workspace(const cw_impl *impl, const cw_problem *p) {
    return workspace(2, impl, p);
}

size_t cw_winograd_f4x3_workspace(const cw_impl *impl, const cw_problem *p) {
    return workspace(4, impl, p);
}

static cw_status prepare(int m, const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                         cw_kernel **out, cw_error *err) {
    const cw_machine *machine = ((const cw_own_impl *)impl)->machine;
    winograd *d = cw_alloc(sizeof *d);
    if (!d) return cw_fail_memory(err);
    d->tile = cw_tile_for(machine);
    d->transforms = transforms_for(m, d->tile);
    set_sizes(d, p, machine->l2);
    d->weights = cw_alloc_n((size_t)(d->positions * d->oc_up * p->ic), sizeof *d->weights);
    d->bias = cw_alloc_n((size_t)d->oc_up, sizeof *d->bias);
    d->zeros = cw_alloc_n((size_t)p->ic, sizeof *d->zeros);
    if (!d->weights || !d->bias || !d->zeros) {
        destroy(&d->base);
        return cw_fail_memory(err);
    }
    pack_weights(d, args->weights);
    if (args->bias) memcpy(d->bias, args->bias, (size_t)p->oc * sizeof *d->bias);
    d->lo = args->lo;
    d->hi = args->hi;
    d->base.workspace_bytes = workspace_of(d);
    d->base.run = run;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}

cw_status cw_winograd_f2x3_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                                   cw_kernel **out, cw_error *err) {
    return prepare(2, impl, p, args, out, err);
}

cw_status cw_winograd_f4x3_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                                   cw_kernel **out, cw_error *err) {
    return prepare(4, impl, p, args, out, err);
}

/* ---- Running ---- */

/* Image and first output pixel of a tile. */
static void find_tile(const winograd *d, int64_t index, int64_t *image, int64_t *y, int64_t *x) {
    *x = index % d->across * d->transforms->m;
    *y = index / d->across % d->down * d->transforms->m;
    *image = index / d->across / d->down;
}

static void transform_in(const winograd *d, const float *src, int64_t index, float *v) {
    const cw_problem *p = &d->p;
    const float *pixels[TILE_MAX];
    int64_t image, oy, ox, t = d->transforms->m + 2;
    find_tile(d, index, &image, &oy, &ox);
    for (int64_t i = 0; i < d->positions; i++) {
        int64_t y = oy - p->pt + i / t, x = ox - p->pl + i % t;
        bool inside = y >= 0 && y < p->ih && x >= 0 && x < p->iw;
        pixels[i] = inside ? src + ((image * p->ih + y) * p->iw + x) * p->ic : d->zeros;
    }
    d->transforms->in(pixels, p->ic, v, d->block * p->ic);
}

static void transform_out(const winograd *d, const float *products, int64_t index, float *dst) {
    float *pixels[TILE_MAX];
    int64_t image, oy, ox, m = d->transforms->m;
    find_tile(d, index, &image, &oy, &ox);
    for (int64_t i = 0; i < m * m; i++) {
        int64_t y = oy + i / m, x = ox + i % m;
        bool inside = y < d->sizes.oh && x < d->sizes.ow;
        pixels[i] = inside ? dst + ((image * d->sizes.oh + y) * d->sizes.ow + x) * d->p.oc : NULL;
    }
    d->transforms->out(products, d->block_up * d->oc_up, d->p.oc, d->bias, d->lo, d->hi, pixels);
}

/* products(position) = v(position) x weights(position) for the block's `count` tiles. */
static void multiply(const winograd *d, const float *v, float *products, int64_t count) {
    int64_t ic = d->p.ic, lanes = d->tile->lanes, rows = d->tile->rows;
    memset(products, 0, (size_t)(d->positions * d->block_up * d->oc_up) * sizeof *products);
    for (int64_t i = 0; i < d->positions; i++) {
        const float *a = v + i * d->block * ic, *w = d->weights + i * d->oc_up * ic;
        float *out = products + i * d->block_up * d->oc_up;
        for (int64_t c = 0; c < d->oc_up; c += lanes * CW_TILE_VECTORS) {
            int vectors = d->oc_up - c > lanes ? 2 : 1;
            for (int64_t first = 0; first < count; first += rows) {
                const void *x[CW_TILE_ROWS];
                for (int64_t r = 0; r < rows;
                     r++) /* rows beyond the last tile repeat it; nobody reads them */
                    x[r] = a + (first + r < count ? first + r : count - 1) * ic;
                d->tile->mul_f32[vectors - 1](x, 1, ic, w + c * ic, out + first * d->oc_up + c, d->oc_up);
            }
        }
    }
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const winograd *d = (const winograd *)kernel;
    int64_t blocks = cw_ceil_div(d->tiles, d->block);
#pragma omp parallel for num_threads(d->p.threads) schedule(static)
    for (int64_t block = 0; block < blocks; block++) {
        float *v = (float *)workspace + omp_get_thread_num() * (d->in_floats + d->out_floats);
        float *products = v + d->in_floats;
        int64_t first = block * d->block;
        int64_t count = d->tiles - first < d->block ? d->tiles - first : d->block;
        for (int64_t i = 0; i < count; i++) transform_in(d, src, first + i, v + i * d->p.ic);
        multiply(d, v, products, count);
        for (int64_t i = 0; i < count; i++) transform_out(d, products + i * d->oc_up, first + i, dst);
    }
    return CW_OK;
}
