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

/* One row: (kh, kw, ic/g) of the window of output pixel `pixel`, zeros outside the image. */
static void im2col_row(const gemm *d, const float *src, int64_t pixel, int64_t group, float *row) {
    const cw_problem *p = &d->p;
    int64_t icg = p->ic / p->g, ow = d->sizes.ow, oh = d->sizes.oh;
    int64_t left = pixel % ow * p->sw - p->pl, top = pixel / ow % oh * p->sh - p->pt;
    const float *image = src + pixel / ow / oh * p->ih * p->iw * p->ic + group * icg;
    /* Neighbouring taps of a dense kernel lie side by side: one copy for the whole row of the window. */
    bool side_by_side = p->g == 1 && p->dw == 0 && left >= 0 && left + p->kw <= p->iw;
    for (int64_t i = 0; i < p->kh; i++) {
        int64_t y = top + i * (p->dh + 1);
        if (y < 0 || y >= p->ih) {
            memset(row, 0, (size_t)(p->kw * icg) * sizeof *row);
            row += p->kw * icg;
        } else if (side_by_side) {
            memcpy(row, image + (y * p->iw + left) * p->ic, (size_t)(p->kw * icg) * sizeof *row);
            row += p->kw * icg;
        } else {
            for (int64_t j = 0; j < p->kw; j++, row += icg) {
                int64_t x = left + j * (p->dw + 1);
                if (x < 0 || x >= p->iw)
                    memset(row, 0, (size_t)icg * sizeof *row);
                else
                    memcpy(row, image + (y * p->iw + x) * p->ic, (size_t)icg * sizeof *row);
            }
        }
    }
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
                im2col_row(d, src, first + row, group, matrix + row * k);
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

/* The source is the matrix as it is. */
static bool is_plain(const cw_problem *p) {
    return p->kh == 1 && p->kw == 1 && p->sh == 1 && p->sw == 1 && !p->pt && !p->pl && !p->pb && !p->pr;
}

/* Output pixels of a block. */
static int64_t rows_of(const cw_problem *p, const cw_sizes *sizes) {
    int64_t rows = BLOCK_FLOATS / sizes->gemm_k;
    if (rows < BLOCK_ROWS) rows = BLOCK_ROWS;
    return is_plain(p) || rows > sizes->gemm_m ? sizes->gemm_m : rows;
}

size_t cw_gemm_workspace(const cw_impl *impl, const cw_problem *p) {
    cw_sizes sizes;
    (void)impl;
    cw_problem_sizes(p, &sizes);
    return is_plain(p) ? 0 : (size_t)(rows_of(p, &sizes) * sizes.gemm_k) * sizeof(float);
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
    d->plain = is_plain(p);
    d->rows = rows_of(p, &d->sizes);
    d->base.workspace_bytes = cw_gemm_workspace(impl, p);
    d->base.run = run;
    d->base.destroy = destroy;
    *out = &d->base;
    return CW_OK;
}
