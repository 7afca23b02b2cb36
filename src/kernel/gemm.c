/* gemm.c: convolution as a matrix product by OpenBLAS. f32 only. Source windows become the rows of a matrix
 * (im2col), a block of output pixels at a time so that the workspace stays bounded; a 1x1 kernel with stride
 * 1 and no padding is a product of the tensors as they are. Groups are a loop. */
#include <cblas.h>
#include <string.h>
#include "kernel.h"
#include "../base/base.h"

enum {
    BLOCK_FLOATS = 1 << 20, /* im2col matrix of a block: 4 MiB, stays in the outer caches */
    BLOCK_ROWS = 64         /* but at least so many rows: each product packs the weights anew */
};

typedef struct gemm {
    cw_kernel base;
    cw_problem p;
    cw_sizes sizes;
    bool plain;     /* no im2col */
    int64_t rows;   /* output pixels of a block */
    float *weights; /* (g, oc/g, kh, kw, ic/g), as given */
    float *bias;    /* (oc) */
    float lo, hi;
} gemm;

const char *cw_gemm_why_not(const cw_problem *p) {
    return p->prec == CW_F32 ? NULL : p->prec == CW_U8 ? "OpenBLAS has no 8-bit matrix product" : "f32 only";
}

static void destroy(cw_kernel *kernel) {
    gemm *d = (gemm *)kernel;
    cw_free(d->weights);
    cw_free(d->bias);
    cw_free(d);
}

/* Products of `count` output pixels from `first` on, all groups. */
static void multiply(const gemm *d, const float *src, float *dst, float *matrix, int64_t first,
                     int64_t count) {
    const cw_problem *p = &d->p;
    int64_t icg = p->ic / p->g, ocg = p->oc / p->g, k = d->sizes.gemm_k;
    for (int64_t group = 0; group < p->g; group++) {
        const float *a = matrix;
        int64_t lda = k;
        if (d->plain) {
            a = src + first * p->ic + group * icg;
            lda = p->ic;
        } else {
#pragma omp parallel for num_threads(p->threads) schedule(static)
            for (int64_t row = 0; row < count; row++)
                cw_im2col_row(p, &d->sizes, src, first + row, group, matrix + row * k);
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)count, (blasint)ocg, (blasint)k, 1.0f,
                    a, (blasint)lda, d->weights + group * ocg * k, (blasint)k, 0.0f,
                    dst + first * p->oc + group * ocg, (blasint)p->oc);
    }
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const gemm *d = (const gemm *)kernel;
    int64_t pixels = d->sizes.gemm_m, oc = d->p.oc;
    /* OpenBLAS keeps its thread count for the whole process; no other part of the library depends on it. */
    if (openblas_get_num_threads() != d->p.threads) openblas_set_num_threads(d->p.threads);
    for (int64_t first = 0; first < pixels; first += d->rows) {
        int64_t count = pixels - first < d->rows ? pixels - first : d->rows;
        multiply(d, src, dst, workspace, first, count);
#pragma omp parallel for num_threads(d->p.threads) schedule(static)
        for (int64_t row = first; row < first + count; row++) {
            float *out = (float *)dst + row * oc;
            for (int64_t c = 0; c < oc; c++) out[c] = cw_clamp(out[c] + d->bias[c], d->lo, d->hi);
        }
    }
    return CW_OK;
}

/* Output pixels of a block. */
static int64_t rows_of(const cw_problem *p, const cw_sizes *sizes) {
    int64_t rows = BLOCK_FLOATS / sizes->gemm_k;
    if (rows < BLOCK_ROWS) rows = BLOCK_ROWS;
    return cw_im2col_is_plain(p) || rows > sizes->gemm_m ? sizes->gemm_m : rows;
}

size_t cw_gemm_workspace(const cw_impl *impl, const cw_problem *p) {
    cw_sizes sizes;
    (void)impl;
    cw_problem_sizes(p, &sizes);
    return cw_im2col_is_plain(p) ? 0 : (size_t)(rows_of(p, &sizes) * sizes.gemm_k) * sizeof(float);
}

cw_status cw_gemm_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                          cw_error *err) {
    gemm *d = cw_alloc(sizeof *d);
    if (!d) return cw_fail_memory(err);
    d->p = *p;
    cw_problem_sizes(p, &d->sizes);
    d->weights = cw_alloc((size_t)d->sizes.wei_bytes);
    d->bias = cw_alloc_n((size_t)p->oc, sizeof *d->bias);
    if (!d->weights || !d->bias) {
        destroy(&d->base);
        return cw_fail_memory(err);
    }
    memcpy(d->weights, args->weights, (size_t)d->sizes.wei_bytes);
    if (args->bias) memcpy(d->bias, args->bias, (size_t)p->oc * sizeof *d->bias);
    d->lo = args->lo;
    d->hi = args->hi;
    d->plain = cw_im2col_is_plain(p);
    d->rows = rows_of(p, &d->sizes);
    d->base.workspace_bytes = cw_gemm_workspace(impl, p);
    d->base.run = run;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}
