/* xnnpack.c: XNNPACK's two NHWC convolution operators as implementations. XNNPACK picks the micro-kernel
 * (GEMM, indirect GEMM, depthwise) by itself; nothing here decides for it. Whose interface is which is in
 * xnnpack_api.h; what we found out about the library is in docs/xnnpack.md. */
#include "xnnpack_api.h"
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "context.h"
#include "../base/base.h"
#include "../kernel/kernel.h"

/* A thread pool for each number of threads asked for, kept until the context closes. Threads do not survive a
 * fork: a pool is of use in the process that made it only, and elsewhere not even to be destroyed. */
typedef struct xnnpack_pool {
    pthreadpool_t pool;
    int32_t threads;
    pid_t owner;
} xnnpack_pool;

typedef struct xnnpack_state xnnpack_state;

typedef struct xnnpack_impl {
    cw_impl impl; /* first */
    cw_prec prec;
    xnnpack_state *state;
} xnnpack_impl;

enum { IMPLS = 2 };

struct xnnpack_state {
    xnnpack_impl impls[IMPLS];
    const char *unusable; /* why XNNPACK did not start, NULL = it did */
    xnnpack_pool *pools;
    size_t pool_count, pool_capacity;
};

static cw_status prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err);

/* Direct as brgemm kernels are: windows are multiplied where they lie, no im2col. */
static const xnnpack_impl rows[IMPLS] = {
    {{"xnnpack.nhwc_f32", CW_FAMILY_DIRECT, true, true, prepare, true, false, false, false}, CW_F32, NULL},
    {{"xnnpack.nhwc_qc8", CW_FAMILY_DIRECT, true, true, prepare, true, false, false, false}, CW_U8, NULL},
};

static const char *status_text(enum xnn_status status) {
    switch (status) {
    case xnn_status_uninitialized:
        return "XNNPACK is not initialised";
    case xnn_status_invalid_parameter:
        return "invalid parameter";
    case xnn_status_invalid_state:
        return "invalid state";
    case xnn_status_unsupported_parameter:
        return "unsupported parameter";
    case xnn_status_unsupported_hardware:
        return "XNNPACK does not support this processor";
    case xnn_status_out_of_memory:
        return "out of memory";
    default:
        return "unknown status";
    }
}

static cw_status xnnpack_fail(cw_error *err, enum xnn_status status, const char *name, const char *what) {
    cw_status mine = CW_BACKEND;
    if (status == xnn_status_out_of_memory) mine = CW_NO_MEMORY;
    if (status == xnn_status_unsupported_parameter || status == xnn_status_unsupported_hardware)
        mine = CW_UNSUPPORTED;
    return cw_fail(err, mine, "%s: %s: %s", name, what, status_text(status));
}

/* *out NULL for one thread. */
static cw_status pool_of(xnnpack_state *s, int32_t threads, pthreadpool_t *out, cw_error *err) {
    *out = NULL;
    if (threads <= 1) return CW_OK;
    pid_t me = getpid();
    for (size_t i = 0; i < s->pool_count; i++)
        if (s->pools[i].threads == threads && s->pools[i].owner == me) {
            *out = s->pools[i].pool;
            return CW_OK;
        }
    if (!cw_grow(&s->pools, &s->pool_capacity, s->pool_count + 1, sizeof *s->pools))
        return cw_fail_memory(err);
    pthreadpool_t pool = pthreadpool_create((size_t)threads);
    if (!pool) return cw_fail(err, CW_BACKEND, "xnnpack: cannot start %d threads", (int)threads);
    s->pools[s->pool_count++] = (xnnpack_pool){pool, threads, me};
    *out = pool;
    return CW_OK;
}

/* ---- A prepared convolution ---- */

typedef struct xnnpack_kernel {
    cw_kernel base; /* first */
    cw_problem p;
    xnn_operator_t op; /* NULL: the clamp leaves one value */
    pthreadpool_t pool;
    size_t src_bytes, dst_bytes;
    size_t staged; /* where in the workspace the source's copy goes, behind the operator's own */
    float lo;
} xnnpack_kernel;

/* XNNPACK may read XNN_EXTRA_BYTES beyond a tensor. Memory is mapped in pages, so that is harmless unless
 * those bytes begin or end on another page than the tensor's last byte. PAGE: the smallest in use. */
static bool may_read_beyond(const void *src, size_t bytes) {
    enum { PAGE = 4096 };
    uintptr_t end = (uintptr_t)src + bytes;
    return (end - 1) / PAGE == (end - 1 + XNN_EXTRA_BYTES) / PAGE;
}

typedef struct flip_task {
    const uint8_t *from;
    uint8_t *to;
} flip_task;

/* The thread sanitizer cannot see how the pool's threads wait for each other: they use the kernel's futex in
 * a library that is not built with it. */
__attribute__((no_sanitize("thread"))) static void flip_part(void *context, size_t start, size_t count) {
    const flip_task *task = context;
    const uint8_t *from = task->from + start;
    uint8_t *to = task->to + start;
    for (size_t i = 0; i < count; i++) to[i] = (uint8_t)(from[i] ^ 0x80);
}

/* u8 to s8 and back: x - 128 and x + 128 are both the top bit turned over. */
static void flip(const xnnpack_kernel *k, const void *from, void *to, size_t bytes, uint32_t flags) {
    flip_task task = {from, to};
    size_t threads = (size_t)k->p.threads, part = ((bytes + threads - 1) / threads + 63) & ~(size_t)63;
    pthreadpool_parallelize_1d_tile_1d(k->pool, flip_part, &task, bytes, part, flags);
}

static cw_status run_operator(xnnpack_kernel *k, const void *src, void *dst, void *workspace) {
    enum xnn_status status = xnnpack_setup(k->op, &k->p, workspace, src, dst, k->pool);
    if (status == xnn_status_success) status = xnn_run_operator(k->op, k->pool);
    return status == xnn_status_success ? CW_OK : CW_BACKEND;
}

static cw_status run_f32(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    xnnpack_kernel *k = (xnnpack_kernel *)kernel;
    if (may_read_beyond(src, k->src_bytes)) return run_operator(k, src, dst, workspace);
    void *copy = (char *)workspace + k->staged;
    memcpy(copy, src, k->src_bytes);
    return run_operator(k, copy, dst, workspace);
}

static cw_status run_qc8(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    xnnpack_kernel *k = (xnnpack_kernel *)kernel;
    void *shifted = (char *)workspace + k->staged;
    flip(k, src, shifted, k->src_bytes, 0);
    cw_status status = run_operator(k, shifted, dst, workspace);
    flip(k, dst, dst, k->dst_bytes, PTHREADPOOL_FLAG_YIELD_WORKERS);
    return status;
}

/* XNNPACK refuses a clamp whose ends meet: what is left is one value. */
static cw_status run_flat(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    const xnnpack_kernel *k = (xnnpack_kernel *)kernel;
    (void)src, (void)workspace;
    if (k->p.prec == CW_U8)
        memset(dst, (int)k->lo, k->dst_bytes);
    else
        for (size_t i = 0; i < k->dst_bytes / sizeof(float); i++) ((float *)dst)[i] = k->lo;
    return CW_OK;
}

static void destroy(cw_kernel *kernel) {
    xnnpack_kernel *k = (xnnpack_kernel *)kernel;
    if (k->op) xnn_delete_operator(k->op);
    cw_free(k);
}

/* The workspace: the operator's own, then room for the source and what XNNPACK reads behind it. */
static size_t staged_at(size_t operator_bytes) {
    return (operator_bytes + 63) & ~(size_t)63;
}

static enum xnn_status create_f32(xnnpack_kernel *k, const cw_conv_args *args) {
    return xnnpack_create_f32(&k->p, args->weights, args->bias, args->lo, args->hi, XNN_FLAG_YIELD_WORKERS,
                              &k->op);
}

/* All of the problem's u8 lies 128 lower as s8. The workers yield after the last pass, not after this one. */
static enum xnn_status create_qc8(xnnpack_kernel *k, const cw_conv_args *args) {
    const xnnpack_quant q = {(int8_t)(args->quant.src_zp - 128), (int8_t)(args->quant.dst_zp - 128),
                             (int8_t)(cw_u8_limit(args->lo) - 128), (int8_t)(cw_u8_limit(args->hi) - 128),
                             args->quant.scale};
    return xnnpack_create_s8(&k->p, args->weights, args->bias, &q, 0, &k->op);
}

/* Arm's kernels without dot products add two s8 products in 16 bits: 2 * -128 * -128 is one too many. */
#if defined(__x86_64__) || defined(__i386__)
enum { LEAST_WEIGHT = -128 };
#else
enum { LEAST_WEIGHT = -127 };
#endif

static cw_status check_u8(const cw_problem *p, const cw_conv_args *args, int64_t weight_count,
                          const char *name, cw_error *err) {
    for (int32_t c = 0; c < p->oc; c++) {
        float scale = args->quant.scale[c];
        if (!isnormal(scale) || scale < 0 || scale >= 256)
            return cw_fail(err, CW_UNSUPPORTED, "%s: channel %d: XNNPACK wants scales above 0 and below 256",
                           name, (int)c);
    }
    const int8_t *weights = args->weights;
    int least = 0;
    for (int64_t i = 0; i < weight_count; i++)
        if (weights[i] < least) least = weights[i];
    if (least < LEAST_WEIGHT)
        return cw_fail(err, CW_UNSUPPORTED, "%s: weights of -128 overflow here: keep them from -127 up",
                       name);
    return CW_OK;
}

static cw_status build(xnnpack_kernel *k, const char *name, const cw_conv_args *args, cw_error *err) {
    size_t operator_bytes = 0;
    enum xnn_status status = k->p.prec == CW_F32 ? create_f32(k, args) : create_qc8(k, args);
    if (status != xnn_status_success) return xnnpack_fail(err, status, name, "creating the operator");
    /* The end of the address space is the kernel's. */
    void *nowhere = (void *)((UINTPTR_MAX - k->src_bytes) & ~(uintptr_t)63);
    status = xnnpack_shape(k->op, &k->p, nowhere, k->pool, &operator_bytes);
    if (status != xnn_status_success) return xnnpack_fail(err, status, name, "setting the shape");
    k->staged = staged_at(operator_bytes);
    return CW_OK;
}

static cw_status prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err) {
    const xnnpack_impl *mine = (const xnnpack_impl *)impl;
    bool f32 = p->prec == CW_F32;
    xnnpack_kernel *k = cw_alloc(sizeof *k);
    if (!k) return cw_fail_memory(err);
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    float lo = f32 ? args->lo : cw_u8_limit(args->lo), hi = f32 ? args->hi : cw_u8_limit(args->hi);
    k->p = *p;
    cw_problem_canonical(&k->p);
    k->src_bytes = (size_t)sizes.src_bytes;
    k->dst_bytes = (size_t)sizes.dst_bytes;
    k->lo = lo;
    k->base.run = !(lo < hi) ? run_flat : f32 ? run_f32 : run_qc8;
    k->base.destroy = destroy;
    cw_status status = f32 ? CW_OK : check_u8(p, args, sizes.wei_count, impl->name, err);
    if (status == CW_OK) status = pool_of(mine->state, p->threads, &k->pool, err);
    if (status == CW_OK && lo < hi) status = build(k, impl->name, args, err);
    if (status != CW_OK) {
        destroy(&k->base);
        return status;
    }
    k->base.workspace_bytes = k->staged + k->src_bytes + XNN_EXTRA_BYTES;
    *out = &k->base;
    return CW_OK;
}

/* ---- The backend ---- */

/* XNNPACK keeps a pointer for each tap of each output pixel, and pads groups of output channels to 16 and of
 * input channels to 8. Both would grow beyond all memory for shapes that nobody has. */
static const char *why_not(const xnnpack_impl *impl, const cw_problem *p) {
    const int64_t pointers_most = (int64_t)1 << 27, weights_most = (int64_t)1 << 29;
    if (impl->state->unusable) return impl->state->unusable;
    if ((cw_prec)p->prec != impl->prec) return impl->prec == CW_F32 ? "f32 only" : "u8 only";
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    int64_t taps = (int64_t)p->kh * p->kw, ocg = p->oc / p->g, icg = p->ic / p->g;
    if (taps * sizes.oh * sizes.ow > pointers_most) return "its table of pointers would exceed 1 GiB";
    if (p->g * ((ocg + 15) / 16 * 16) * taps * ((icg + 7) / 8 * 8) > weights_most)
        return "its padded weights would exceed 512 million elements";
    if (impl->prec == CW_U8 && p->oc > 262144) return "XNNPACK would need more than 1 MiB of stack";
    return NULL;
}

/* No library choice: XNNPACK has one operator for each precision, so there is nothing to choose among. */
static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)err;
    const xnnpack_state *s = state;
    for (size_t i = 0; i < IMPLS; i++)
        visit(arg, &s->impls[i].impl, p ? why_not(&s->impls[i], p) : NULL, false);
    return CW_OK;
}

/* The interface of 2024 tells an operator's own workspace only once it is made. */
static int64_t workspace(void *state, const cw_impl *impl, const cw_problem *p) {
    (void)state, (void)impl;
    if (CW_XNNPACK_RESHAPE) return -1;
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    return cw_workspace_total((size_t)sizes.src_bytes + XNN_EXTRA_BYTES, 0, 0);
}

static void close_state(void *state) {
    xnnpack_state *s = state;
    pid_t me = getpid();
    for (size_t i = 0; i < s->pool_count; i++)
        if (s->pools[i].owner == me) pthreadpool_destroy(s->pools[i].pool);
    if (!s->unusable) xnn_deinitialize();
    cw_free(s->pools);
    cw_free(s);
}

static cw_status open_state(const cw_machine *machine, void **out, cw_error *err) {
    xnnpack_state *s = cw_alloc(sizeof *s);
    if (!s) return cw_fail_memory(err);
    for (size_t i = 0; i < IMPLS; i++) {
        s->impls[i] = rows[i];
        s->impls[i].state = s;
    }
    if (machine->capped) {
        s->unusable = "XNNPACK takes what the CPU has: it cannot be kept to a lesser instruction set";
    } else {
        enum xnn_status status = xnn_initialize(NULL);
        if (status != xnn_status_success) s->unusable = status_text(status);
    }
    *out = s;
    return CW_OK;
}

/* XNNPACK has no number of its own: that of the package it was built against. */
static const char *version(void *state) {
    (void)state;
    return CW_XNNPACK_VERSION;
}

const cw_backend cw_backend_xnnpack = {.abi = CW_BACKEND_ABI,
                                       .name = "xnnpack",
                                       .package = "libxnnpack-dev libpthreadpool-dev libcpuinfo-dev",
                                       .third_party = true,
                                       .open = open_state,
                                       .close = close_state,
                                       .version = version,
                                       .list = list,
                                       .workspace = workspace};
