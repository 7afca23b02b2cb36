/* relayout.c: an NCHW problem run by an implementation that works in NHWC: its kernel, between two
 * transpositions that every run pays for. */
#include "context.h"
#include "../base/base.h"
#include "../kernel/transpose.h"
#include <string.h>

/* The tensor in NHWC; where the inner kernel has a layout of its own it lies behind that tensor. */
typedef struct side {
    int64_t batch, channels, pixels;
    size_t nhwc_at, bytes;
} side;

typedef struct relayout {
    cw_kernel base;
    cw_kernel *inner;
    size_t element;
    int32_t threads;
    side src, dst;
} relayout;

static size_t line_up(size_t n) {
    return (n + 63) & ~(size_t)63;
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    cw_kernel *inner = ((relayout *)kernel)->inner;
    return inner->run(inner, src, dst, workspace);
}

static cw_status src_reorder(cw_kernel *kernel, const void *plain, void *own) {
    const relayout *k = (relayout *)kernel;
    char *nhwc = (char *)own + k->src.nhwc_at;
    cw_transpose(plain, nhwc, k->src.batch, k->src.channels, k->src.pixels, k->element, k->threads);
    return k->inner->src_own_bytes ? k->inner->src_reorder(k->inner, nhwc, own) : CW_OK;
}

/* own is the caller's, and to be read only; the part behind the inner kernel's tensor is ours to write. */
static cw_status dst_reorder(cw_kernel *kernel, const void *own, void *plain) {
    const relayout *k = (relayout *)kernel;
    char *nhwc = (char *)(uintptr_t)own + k->dst.nhwc_at;
    cw_status status = k->inner->dst_own_bytes ? k->inner->dst_reorder(k->inner, own, nhwc) : CW_OK;
    if (status == CW_OK)
        cw_transpose(nhwc, plain, k->dst.batch, k->dst.pixels, k->dst.channels, k->element, k->threads);
    return status;
}

static void destroy(cw_kernel *kernel) {
    relayout *k = (relayout *)kernel;
    k->inner->destroy(k->inner);
    cw_free(k);
}

static side side_of(int64_t count, int32_t batch, int32_t channels, size_t element, size_t inner_bytes) {
    return (side){.batch = batch,
                  .channels = channels,
                  .pixels = count / batch / channels,
                  .nhwc_at = line_up(inner_bytes),
                  .bytes = line_up(inner_bytes) + (size_t)count * element};
}

cw_status cw_found_prepare(const cw_found *found, const cw_problem *p, const cw_conv_args *args,
                           cw_kernel **out, cw_error *err) {
    if (!found->transposed) return found->impl->prepare(found->impl, p, args, out, err);
    cw_problem nhwc = *p;
    nhwc.layout = CW_NHWC;
    relayout *k = cw_alloc(sizeof *k);
    if (!k) return cw_fail_memory(err);
    cw_status status = found->impl->prepare(found->impl, &nhwc, args, &k->inner, err);
    if (status != CW_OK) {
        cw_free(k);
        return status;
    }
    cw_sizes s;
    cw_problem_sizes(p, &s);
    k->element = (size_t)(s.src_bytes / s.src_count);
    k->threads = p->threads;
    k->src = side_of(s.src_count, p->mb, p->ic, k->element, k->inner->src_own_bytes);
    k->dst = side_of(s.dst_count, p->mb, p->oc, k->element, k->inner->dst_own_bytes);
    k->base = (cw_kernel){.workspace_bytes = k->inner->workspace_bytes,
                          .src_own_bytes = k->src.bytes,
                          .dst_own_bytes = k->dst.bytes,
                          .run = run,
                          .src_reorder = src_reorder,
                          .dst_reorder = dst_reorder,
                          .destroy = destroy};
    *out = &k->base;
    return CW_OK;
}

int64_t cw_found_workspace(const cw_found *found, void *state, const cw_problem *p) {
    if (!found->backend->workspace) return -1;
    if (!found->transposed) return found->backend->workspace(state, found->impl, p);
    cw_problem nhwc = *p;
    nhwc.layout = CW_NHWC;
    cw_sizes s;
    cw_problem_sizes(p, &s);
    int64_t inner = found->backend->workspace(state, found->impl, &nhwc);
    return inner < 0 ? -1 : inner + cw_workspace_total(0, (size_t)s.src_bytes, (size_t)s.dst_bytes);
}
