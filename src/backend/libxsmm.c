/* libxsmm.c: convolution as small matrix products that libxsmm compiles for the shape at hand. f32, x86-64.
 * The rows of a block of output pixels (im2col; 1x1 layers: the source as it is) times blocks of output
 * channels, in slices of the windows that keep the weights in the first cache; bias and clamp while the block
 * is still there. docs/libxsmm.md has what we found out about the library. */
#include <libxsmm.h>
#include <omp.h>
#include <string.h>
#include "context.h"
#include "../base/base.h"
#include "../kernel/kernel.h"

enum {
    CHANNELS = 64,            /* of a product: four vectors of AVX-512, by six pixels in registers */
    SLICE = 192,              /* elements of a window: 48 KiB of weights with 64 channels */
    PIXELS = 96,              /* most of a block, a multiple of what fits in registers at once (6) */
    MATRIX_FLOATS = 96 * 1024 /* most of a block's im2col matrix: 384 KiB, but at least 6 pixels */
};

/* How a problem is cut. Sizes of the last of each are what is left, or 0 where it comes out even. */
typedef struct cut {
    bool plain; /* no im2col */
    int32_t pixels, last_pixels, channels, last_channels, slice, last_slice;
    int64_t blocks, slices; /* of pixels, of a window */
    size_t matrix_floats;   /* of each thread */
} cut;

enum { FIRST, MORE, LAST }; /* slices: the first sets outputs, more add, the last may be shorter */

typedef struct xsmm_kernel {
    cw_kernel base;
    cw_problem p;
    cw_sizes sizes;
    cut cut;
    libxsmm_smmfunction multiply[2][2][3]; /* by whether channels, pixels are the last; slice */
    float *weights;                        /* (g, blocks of channels, windows, channels of the block) */
    float *bias, lo, hi;
} xsmm_kernel;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static cut cut_of(const cw_problem *p) {
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    int64_t k = sizes.gemm_k, m = sizes.gemm_m, ocg = p->oc / p->g;
    cut c = {.plain = cw_im2col_is_plain(p)};
    int64_t pixels = c.plain ? PIXELS : least(PIXELS, MATRIX_FLOATS / k / 6 * 6);
    pixels = least(pixels < 6 ? 6 : pixels, cw_ceil_div(m, p->threads));
    c.pixels = (int32_t)pixels;
    c.blocks = cw_ceil_div(m, pixels);
    c.last_pixels = (int32_t)(m % pixels);
    c.channels = (int32_t)least(CHANNELS, ocg);
    c.last_channels = (int32_t)(ocg % c.channels);
    c.slices = cw_ceil_div(k, SLICE);
    c.slice = (int32_t)cw_ceil_div(k, c.slices);
    c.last_slice = (int32_t)(k - (c.slices - 1) * c.slice);
    c.matrix_floats = c.plain ? 0 : (size_t)((pixels * k + 15) / 16 * 16);
    return c;
}

/* ---- Running ---- */

static void multiply_block(const xsmm_kernel *d, const float *rows, int64_t group, bool last, float *dst) {
    const cut *c = &d->cut;
    int64_t k = d->sizes.gemm_k, ocg = d->p.oc / d->p.g;
    for (int64_t at = 0; at < ocg; at += c->channels) {
        bool last_channels = ocg - at < c->channels;
        int64_t width = last_channels ? c->last_channels : c->channels;
        const float *weights = d->weights + (group * ocg + at) * k;
        const libxsmm_smmfunction *multiply = d->multiply[last_channels][last];
        for (int64_t s = 0; s < c->slices; s++) {
            int which = s == 0 ? FIRST : s == c->slices - 1 ? LAST : MORE;
            multiply[which](weights + s * c->slice * width, rows + s * c->slice, dst + group * ocg + at);
        }
    }
}

static void run_block(const xsmm_kernel *d, const float *src, float *dst, float *matrix, int64_t block) {
    const cw_problem *p = &d->p;
    int64_t first = block * d->cut.pixels, k = d->sizes.gemm_k;
    int64_t count = least(d->cut.pixels, d->sizes.gemm_m - first);
    float *out = dst + first * p->oc;
    for (int64_t group = 0; group < p->g; group++) {
        const float *rows = src + first * p->ic + group * (p->ic / p->g);
        if (!d->cut.plain) {
            for (int64_t i = 0; i < count; i++)
                cw_im2col_row(p, &d->sizes, src, first + i, group, matrix + i * k);
            rows = matrix;
        }
        multiply_block(d, rows, group, count < d->cut.pixels, out);
    }
    for (int64_t i = 0; i < count; i++, out += p->oc)
        for (int64_t ch = 0; ch < p->oc; ch++) out[ch] = cw_clamp(out[ch] + d->bias[ch], d->lo, d->hi);
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const xsmm_kernel *d = (const xsmm_kernel *)kernel;
    int threads = d->p.threads;
    if (threads == 1) {
        for (int64_t i = 0; i < d->cut.blocks; i++) run_block(d, src, dst, workspace, i);
        return CW_OK;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < d->cut.blocks; i++)
        run_block(d, src, dst, (float *)workspace + (size_t)omp_get_thread_num() * d->cut.matrix_floats, i);
    return CW_OK;
}

/* ---- Preparing ---- */

/* libxsmm compiles for one instruction set at a time, and hands out what it compiled for a shape before,
 * whichever it was for. So a process stays with the first. */
static cw_status keep_to(const cw_machine *machine, cw_error *err) {
    libxsmm_registry_info known = {0};
    libxsmm_init();
    int wanted = libxsmm_cpuid();
    if (machine->capped)
        wanted = machine->avx512 ? LIBXSMM_X86_AVX512_CORE
                 : machine->avx2 ? LIBXSMM_X86_AVX2
                                 : LIBXSMM_X86_SSE4;
    if (libxsmm_get_target_archid() == wanted) return CW_OK;
    if (libxsmm_get_registry_info(&known) != 0 || known.size > 0)
        return cw_fail(
            err, CW_MISMATCH,
            "libxsmm has compiled for %s in this process already: another cap wants a process of its own",
            libxsmm_get_target_arch());
    libxsmm_set_target_archid(wanted);
    if (libxsmm_get_target_archid() != wanted)
        return cw_fail(err, CW_UNSUPPORTED, "libxsmm cannot be kept to %s", machine->isa);
    return CW_OK;
}

static bool compile(xsmm_kernel *d) {
    const cut *c = &d->cut;
    const int32_t channels[2] = {c->channels, c->last_channels}, pixels[2] = {c->pixels, c->last_pixels},
                  slices[3] = {c->slice, c->slices > 2 ? c->slice : 0, c->slices > 1 ? c->last_slice : 0};
    const libxsmm_blasint row_step = c->plain ? d->p.ic : (libxsmm_blasint)d->sizes.gemm_k,
                          out_step = d->p.oc;
    const int flags = LIBXSMM_GEMM_FLAG_NONE, prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
    for (int i = 0; i < 2 * 2 * 3; i++) {
        int m = i / 6, n = i / 3 % 2, s = i % 3;
        const float alpha = 1, beta = s == FIRST ? 0 : 1;
        if (!channels[m] || !pixels[n] || !slices[s]) continue;
        d->multiply[m][n][s] = libxsmm_smmdispatch(channels[m], pixels[n], slices[s], &channels[m], &row_step,
                                                   &out_step, &alpha, &beta, &flags, &prefetch);
        if (!d->multiply[m][n][s]) return false;
    }
    return true;
}

static void pack(xsmm_kernel *d, const float *weights) {
    int64_t k = d->sizes.gemm_k, ocg = d->p.oc / d->p.g;
    for (int64_t group = 0; group < d->p.g; group++)
        for (int64_t at = 0; at < ocg; at += d->cut.channels) {
            int64_t width = least(d->cut.channels, ocg - at), base = group * ocg + at;
            for (int64_t ch = 0; ch < width; ch++)
                for (int64_t i = 0; i < k; i++)
                    d->weights[base * k + i * width + ch] = weights[(base + ch) * k + i];
        }
}

static void destroy(cw_kernel *kernel) {
    xsmm_kernel *d = (xsmm_kernel *)kernel;
    cw_free(d->weights);
    cw_free(d->bias);
    cw_free(d);
}

typedef struct xsmm_impl {
    cw_impl impl; /* first */
    const cw_machine *machine;
} xsmm_impl;

static size_t workspace_of(const cw_problem *p) {
    return cut_of(p).matrix_floats * (size_t)p->threads * sizeof(float);
}

static cw_status prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err) {
    cw_status status = keep_to(((const xsmm_impl *)impl)->machine, err);
    if (status != CW_OK) return status;
    xsmm_kernel *d = cw_alloc(sizeof *d);
    if (!d) return cw_fail_memory(err);
    d->p = *p;
    cw_problem_sizes(p, &d->sizes);
    d->cut = cut_of(p);
    d->weights = cw_alloc_unset((size_t)d->sizes.wei_count, sizeof *d->weights);
    d->bias = cw_alloc_n((size_t)p->oc, sizeof *d->bias);
    if (!d->weights || !d->bias)
        status = cw_fail_memory(err);
    else if (!compile(d))
        status = cw_fail(err, CW_UNSUPPORTED, "%s: libxsmm compiles no product for this shape", impl->name);
    if (status != CW_OK) {
        destroy(&d->base);
        return status;
    }
    pack(d, args->weights);
    if (args->bias) memcpy(d->bias, args->bias, (size_t)p->oc * sizeof *d->bias);
    d->lo = args->lo;
    d->hi = args->hi;
    d->base.workspace_bytes = workspace_of(p);
    d->base.run = run;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}

/* ---- The backend ---- */

static const char *why_not(const cw_problem *p) {
    if (p->prec != CW_F32) return "f32 only";
    if (p->oc == p->g) return "one output channel a group is no matrix product";
    return NULL;
}

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)err;
    visit(arg, &((const xsmm_impl *)state)->impl, p ? why_not(p) : NULL, false);
    return CW_OK;
}

static int64_t workspace(void *state, const cw_impl *impl, const cw_problem *p) {
    (void)state, (void)impl;
    return cw_workspace_total(workspace_of(p), 0, 0);
}

static cw_status open_state(const cw_machine *machine, void **state, cw_error *err) {
    xsmm_impl *mine = cw_alloc(sizeof *mine);
    if (!mine) return cw_fail_memory(err);
    mine->impl = (cw_impl){.name = "libxsmm.gemm",
                           .family = CW_FAMILY_GEMM,
                           .candidate = true,
                           .exact = true,
                           .prepare = prepare,
                           .deterministic = true};
    mine->machine = machine;
    *state = mine;
    return CW_OK;
}

static void close_state(void *state) {
    cw_free(state);
}

static const char *version(void *state) {
    (void)state;
    return LIBXSMM_CONFIG_VERSION;
}

const cw_backend cw_backend_libxsmm = {.abi = CW_BACKEND_ABI,
                                       .name = "libxsmm",
                                       .package = "libxsmm-dev",
                                       .third_party = true,
                                       .open = open_state,
                                       .close = close_state,
                                       .version = version,
                                       .list = list,
                                       .workspace = workspace};
