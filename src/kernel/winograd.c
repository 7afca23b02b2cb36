/* winograd.c: F(m,r) for f32, NHWC, stride 1, one group, kernels r x r, 1 x r and r x 1 (Lavin, Gray 2015,
 * arXiv:1509.09308). Tiles of t = m + r - 1 source pixels a side are transformed, multiplied by the
 * transformed weights, one matrix product for each position in a tile, and transformed back to m output
 * pixels a side.
 *
 * A block of tiles goes through all three stages before the next begins. Its transformed tiles and products
 * are to stay in the second-level cache; but each block reads all transformed weights, so where these do not
 * fit there as well, it has at least STREAM_TILES tiles: the multiply-accumulates on a weight then take
 * longer than fetching it. Built with -ffp-contract=fast, as tile.c. */
#include "kernel.h"
#include "../base/base.h"
#include <omp.h>
#include <string.h>

enum { LEAST_TILES = 24, STREAM_TILES = 48, TILE_MAX = 64, DEFAULT_L2 = 1 << 20 };
enum { BOTH, ACROSS, DOWN, SHAPES }; /* where the kernel has r taps, not one */

/* Kernel and tile, and the matrices G between them. */
typedef struct weights_plan {
    int kh, kw, th, tw;
    double gh[8][7], gw[8][7];
} weights_plan;

/* The inner loops for one instruction set: see winograd_isa.h. Indices: t / 2 - 2, r / 2 - 1, shape. Rows of
 * v and of products, and bias, are padded to whole vectors; planes are `plane` floats apart. */
typedef void transform_in(const float *const *src, int64_t channels, float *v, int64_t plane);
typedef void transform_out(const float *products, int64_t plane, int64_t channels, const float *bias,
                           float lo, float hi, float *const *dst);
typedef struct loops {
    int lanes;
    transform_in *in[3][SHAPES];
    transform_out *out[3][3][SHAPES];
    void (*weights)(const weights_plan *plan, const float *w, int64_t ic, int64_t oc, int64_t oc_up,
                    float *block, float *out);
    void (*multiply)(const float *a, int64_t lda, int64_t count, int64_t steps, const float *w, int64_t oc_up,
                     float *out, int64_t ld);
} loops;

#define CW_ROOT 1.41421356f /* of 2 */

#define CW_BODY "winograd_isa.h"
#include "each_isa.h"

typedef struct winograd {
    cw_kernel base;
    cw_problem p;
    cw_sizes sizes;
    const loops *isa;
    transform_in *in;
    transform_out *out;
    int th, tw;                  /* a tile's source pixels */
    int64_t mh, mw, positions;   /* its output pixels; th * tw */
    int64_t across, down, tiles; /* tiles in a row, rows in an image, tiles in all */
    int64_t block;               /* tiles */
    int64_t oc_up;               /* oc rounded up to whole vectors */
    int64_t in_ld, in_plane;     /* floats from tile to tile, from position to position: transformed tiles */
    int64_t out_ld, out_plane;   /* products */
    int64_t in_floats, out_floats; /* workspace of one thread */
    float *weights;                /* (position, groups of up to two vectors of channels, ic, channels) */
    float *bias;                   /* (oc_up) */
    float *zeros;                  /* ic: a pixel outside the image */
    float lo, hi;
} winograd;

static const char *why_not(const cw_problem *p, int r) {
    static const char *const sizes[] = {"3x3, 1x3 and 3x1 kernels only", "5x5, 1x5 and 5x1 kernels only",
                                        "7x7, 1x7 and 7x1 kernels only"};
    if (p->prec != CW_F32) return "f32 only";
    if ((p->kh != r && p->kh != 1) || (p->kw != r && p->kw != 1) || p->kh * p->kw == 1)
        return sizes[r / 2 - 1];
    if (p->sh != 1 || p->sw != 1) return "stride 1 only";
    if (p->dh != 0 || p->dw != 0) return "no dilation";
    if (p->g != 1) return "one group only";
    return NULL;
}

/* ---- Preparing ---- */

/* G of t points and r taps: the powers of each point over its distances from the others, those of points that
 * come with both signs; of 0 the sign is in B^T. */
static void fill_g(int t, int r, double g[8][7]) {
    static const double positive[3][3] = {{1}, {0.70710678118654752, 1.4142135623730951}, {1, 2, 0.5}};
    const double *points = positive[t / 2 - 2];
    g[0][0] = 1;
    for (int i = 1; i < t - 1; i++) {
        double x = points[(i - 1) / 2], power = 1, distances = 2 * x * x;
        for (int k = 0; k < (t - 2) / 2; k++)
            if (k != (i - 1) / 2) distances *= x * x - points[k] * points[k];
        for (int k = 0; k < r; k++, power *= i % 2 ? x : -x) g[i][k] = power / distances;
    }
    g[t - 1][r - 1] = 1;
}

static void destroy(cw_kernel *kernel) {
    winograd *d = (winograd *)kernel;
    cw_free(d->weights);
    cw_free(d->bias);
    cw_free(d->zeros);
    cw_free(d);
}

/* Whole cache lines, and no power of two between rows that are read side by side: they would share few lines
 * of the first-level cache. */
static int64_t row_floats(int64_t channels, int64_t rows_apart) {
    int64_t floats = cw_ceil_div(channels, 16) * 16;
    return floats % rows_apart == 0 ? floats + 16 : floats;
}

static void set_sizes(winograd *d, int m, int r, const loops *isa, const cw_problem *p, int64_t l2) {
    int t = m + r - 1, shape = p->kh == 1 ? ACROSS : p->kw == 1 ? DOWN : BOTH;
    d->isa = isa;
    d->in = isa->in[t / 2 - 2][shape];
    d->out = isa->out[t / 2 - 2][r / 2 - 1][shape];
    d->p = *p;
    cw_problem_sizes(p, &d->sizes);
    d->th = p->kh == 1 ? 1 : t;
    d->tw = p->kw == 1 ? 1 : t;
    d->mh = p->kh == 1 ? 1 : m;
    d->mw = p->kw == 1 ? 1 : m;
    d->positions = d->th * d->tw;
    d->across = cw_ceil_div(d->sizes.ow, d->mw);
    d->down = cw_ceil_div(d->sizes.oh, d->mh);
    d->tiles = p->mb * d->down * d->across;
    d->oc_up = cw_ceil_div(p->oc, isa->lanes) * isa->lanes;
    d->in_ld = row_floats(p->ic, 256);
    d->out_ld = row_floats(d->oc_up, 256);
    int64_t tile_bytes = d->positions * (d->in_ld + d->out_ld) * (int64_t)sizeof(float);
    int64_t weight_bytes = d->positions * p->ic * d->oc_up * (int64_t)sizeof(float);
    int64_t share = cw_ceil_div(d->tiles, p->threads);
    if (l2 <= 0) l2 = DEFAULT_L2;
    d->block = l2 / 2 / tile_bytes;
    int64_t least = weight_bytes > l2 / 2 ? STREAM_TILES : LEAST_TILES;
    if (d->block < least) d->block = least;
    if (d->block > share) d->block = share;
    d->block = cw_ceil_div(share, cw_ceil_div(share, d->block)); /* blocks of about one size */
    d->in_plane = row_floats(d->block * d->in_ld, 32);
    d->out_plane = row_floats(d->block * d->out_ld, 32);
    d->in_floats = d->positions * d->in_plane;
    d->out_floats = d->positions * d->out_plane;
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace);

static size_t workspace_of(const winograd *d) {
    return (size_t)(d->p.threads * (d->in_floats + d->out_floats)) * sizeof(float);
}

static size_t workspace(int m, int r, const cw_impl *impl, const cw_problem *p) {
    const cw_machine *machine = ((const cw_own_impl *)impl)->machine;
    winograd d;
    set_sizes(&d, m, r, CW_FOR_ISA(machine, isa), p, machine->l2);
    return workspace_of(&d);
}

static cw_status prepare(int m, int r, const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                         cw_kernel **out, cw_error *err) {
    const cw_machine *machine = ((const cw_own_impl *)impl)->machine;
    winograd *d = cw_alloc(sizeof *d);
    if (!d) return cw_fail_memory(err);
    set_sizes(d, m, r, CW_FOR_ISA(machine, isa), p, machine->l2);
    int64_t beyond = 2 * d->isa->lanes; /* columns that the last products look ahead to */
    d->weights = cw_alloc_unset((size_t)((d->positions * d->oc_up + beyond) * p->ic), sizeof *d->weights);
    d->bias = cw_alloc_n((size_t)d->oc_up, sizeof *d->bias);
    d->zeros = cw_alloc_n((size_t)p->ic, sizeof *d->zeros);
    float *block = cw_alloc_n((size_t)(d->positions * d->isa->lanes * d->isa->lanes), sizeof *block);
    if (!d->weights || !d->bias || !d->zeros || !block) {
        cw_free(block);
        destroy(&d->base);
        return cw_fail_memory(err);
    }
    weights_plan plan = {p->kh, p->kw, d->th, d->tw, {{0}}, {{0}}};
    if (p->kh == 1) plan.gh[0][0] = 1;
    if (p->kw == 1) plan.gw[0][0] = 1;
    if (p->kh > 1) fill_g(d->th, r, plan.gh);
    if (p->kw > 1) fill_g(d->tw, r, plan.gw);
    d->isa->weights(&plan, args->weights, p->ic, p->oc, d->oc_up, block, d->weights);
    cw_free(block);
    if (args->bias) memcpy(d->bias, args->bias, (size_t)p->oc * sizeof *d->bias);
    d->lo = args->lo;
    d->hi = args->hi;
    d->base.workspace_bytes = workspace_of(d);
    d->base.run = run;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}

#define CW_WINOGRAD(m, r)                                                                                    \
    const char *cw_winograd_f##m##x##r##_why_not(const cw_problem *p) {                                      \
        return why_not(p, r);                                                                                \
    }                                                                                                        \
    size_t cw_winograd_f##m##x##r##_workspace(const cw_impl *impl, const cw_problem *p) {                    \
        return workspace(m, r, impl, p);                                                                     \
    }                                                                                                        \
    cw_status cw_winograd_f##m##x##r##_prepare(const cw_impl *impl, const cw_problem *p,                     \
                                               const cw_conv_args *args, cw_kernel **out, cw_error *err) {   \
        return prepare(m, r, impl, p, args, out, err);                                                       \
    }
CW_WINOGRADS(CW_WINOGRAD)
#undef CW_WINOGRAD

/* ---- Running ---- */

/* Image and first output pixel of a tile. */
static void find_tile(const winograd *d, int64_t index, int64_t *image, int64_t *y, int64_t *x) {
    *x = index % d->across * d->mw;
    *y = index / d->across % d->down * d->mh;
    *image = index / d->across / d->down;
}

static void take_tile(const winograd *d, const float *src, int64_t index, float *v) {
    const cw_problem *p = &d->p;
    const float *pixels[TILE_MAX];
    int64_t image, oy, ox;
    find_tile(d, index, &image, &oy, &ox);
    for (int64_t i = 0; i < d->th; i++) {
        int64_t y = oy - p->pt + i;
        const float *row = src + ((image * p->ih + y) * p->iw + ox - p->pl) * p->ic;
        bool inside = y >= 0 && y < p->ih;
        for (int64_t j = 0; j < d->tw; j++) {
            int64_t x = ox - p->pl + j;
            pixels[i * d->tw + j] = inside && x >= 0 && x < p->iw ? row + j * p->ic : d->zeros;
        }
    }
    d->in(pixels, p->ic, v, d->in_plane);
}

static void give_tile(const winograd *d, const float *products, int64_t index, float *dst) {
    float *pixels[TILE_MAX];
    int64_t image, oy, ox;
    find_tile(d, index, &image, &oy, &ox);
    for (int64_t i = 0; i < d->mh; i++)
        for (int64_t j = 0; j < d->mw; j++) {
            int64_t y = oy + i, x = ox + j;
            bool inside = y < d->sizes.oh && x < d->sizes.ow;
            pixels[i * d->mw + j] =
                inside ? dst + ((image * d->sizes.oh + y) * d->sizes.ow + x) * d->p.oc : NULL;
        }
    d->out(products, d->out_plane, d->p.oc, d->bias, d->lo, d->hi, pixels);
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const winograd *d = (const winograd *)kernel;
    int64_t blocks = cw_ceil_div(d->tiles, d->block), weights = d->oc_up * d->p.ic;
#pragma omp parallel for num_threads(d->p.threads) schedule(static)
    for (int64_t block = 0; block < blocks; block++) {
        float *v = (float *)workspace + omp_get_thread_num() * (d->in_floats + d->out_floats);
        float *products = v + d->in_floats;
        int64_t first = block * d->block;
        int64_t count = d->tiles - first < d->block ? d->tiles - first : d->block;
        for (int64_t i = 0; i < count; i++) take_tile(d, src, first + i, v + i * d->in_ld);
        for (int64_t i = 0; i < d->positions; i++)
            d->isa->multiply(v + i * d->in_plane, d->in_ld, count, d->p.ic, d->weights + i * weights,
                             d->oc_up, products + i * d->out_plane, d->out_ld);
        for (int64_t i = 0; i < count; i++) give_tile(d, products + i * d->out_ld, first + i, dst);
    }
    return CW_OK;
}
