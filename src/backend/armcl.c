/* armcl.c: the Arm Compute Library as a backend: one row for each of its NEON functions and layout. What
 * calls the library is in armcl.cpp. */
#include "armcl.h"
#include "context.h"
#include "../base/base.h"
#include "../problem/problem.h"
#include <string.h>

/* ---- Tensors ---- */

void armcl_dense(armcl_tensor *out, cw_layout layout, const int32_t extent[4], size_t element) {
    static const int orders[][4] = {[CW_NHWC] = {1, 3, 2, 0}, [CW_NCHW] = {3, 2, 1, 0}}; /* innermost first */
    size_t stride = element;
    for (int i = 0; i < 4; i++) {
        int d = orders[layout][i];
        out->stride[d] = (ptrdiff_t)stride;
        stride *= (size_t)extent[d];
    }
    out->bytes = stride;
    out->flip = 0;
    out->offset = 0;
}

/* One row (n, y) of all channels. flip is 0 for floats. */
static void copy_row(const int32_t extent[4], size_t element, const armcl_tensor *from, const char *src,
                     const armcl_tensor *to, char *dst) {
    const char flip = (char)(from->flip ^ to->flip);
    bool inside = to->stride[1] == (ptrdiff_t)element && from->stride[1] == (ptrdiff_t)element;
    if (inside && !flip) {
        for (int32_t x = 0; x < extent[3]; x++)
            memcpy(dst + x * to->stride[3], src + x * from->stride[3], (size_t)extent[1] * element);
    } else if (inside) {
        for (int32_t x = 0; x < extent[3]; x++)
            for (int32_t c = 0; c < extent[1]; c++)
                dst[x * to->stride[3] + c] = (char)(src[x * from->stride[3] + c] ^ flip);
    } else {
        for (int32_t c = 0; c < extent[1]; c++) {
            const char *s = src + c * from->stride[1];
            char *d = dst + c * to->stride[1];
            for (int32_t x = 0; x < extent[3]; x++)
                if (element == 4)
                    memcpy(d + x * to->stride[3], s + x * from->stride[3], 4);
                else
                    d[x * to->stride[3]] = (char)(s[x * from->stride[3]] ^ flip);
        }
    }
}

void armcl_copy(const int32_t extent[4], size_t element, const armcl_tensor *from, const void *src,
                const armcl_tensor *to, void *dst) {
    for (int32_t n = 0; n < extent[0]; n++)
        for (int32_t y = 0; y < extent[2]; y++)
            copy_row(extent, element, from,
                     (const char *)src + from->offset + n * from->stride[0] + y * from->stride[2], to,
                     (char *)dst + to->offset + n * to->stride[0] + y * to->stride[2]);
}

/* Whether all elements lie where they do in a tensor without gaps; extents of 1 have no stride. */
static bool same_place(const int32_t extent[4], const armcl_tensor *a, const armcl_tensor *b) {
    if (a->offset != b->offset || a->bytes != b->bytes || a->flip != b->flip) return false;
    for (int i = 0; i < 4; i++)
        if (extent[i] > 1 && a->stride[i] != b->stride[i]) return false;
    return true;
}

/* ---- Implementations ---- */

typedef struct armcl_impl {
    cw_impl base;
    armcl_function function;
    bool nchw; /* works in NCHW whatever the problem's layout */
} armcl_impl;

/* Source and destination as the caller has them. */
typedef struct plain_tensors {
    size_t element;
    int32_t src_extent[4], dst_extent[4];
    armcl_tensor src, dst;
} plain_tensors;

static plain_tensors plain_of(const cw_problem *p) {
    cw_sizes s;
    cw_problem_sizes(p, &s);
    plain_tensors t = {.element = p->prec == CW_U8 ? 1 : 4,
                       .src_extent = {p->mb, p->ic, p->ih, p->iw},
                       .dst_extent = {p->mb, p->oc, s.oh, s.ow}};
    armcl_dense(&t.src, (cw_layout)p->layout, t.src_extent, t.element);
    armcl_dense(&t.dst, (cw_layout)p->layout, t.dst_extent, t.element);
    return t;
}

/* 0 where the library takes the tensor as it is. */
static size_t own_bytes(const int32_t extent[4], const armcl_tensor *plain, const armcl_tensor *own) {
    return same_place(extent, plain, own) ? 0 : own->bytes;
}

typedef struct armcl_kernel {
    cw_kernel base;
    armcl_conv *conv;
    plain_tensors plain;
} armcl_kernel;

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    return armcl_run(((armcl_kernel *)kernel)->conv, src, dst, workspace);
}

static cw_status src_reorder(cw_kernel *kernel, const void *plain, void *own) {
    const armcl_kernel *k = (armcl_kernel *)kernel;
    armcl_copy(k->plain.src_extent, k->plain.element, &k->plain.src, plain, armcl_source(k->conv), own);
    return CW_OK;
}

static cw_status dst_reorder(cw_kernel *kernel, const void *own, void *plain) {
    const armcl_kernel *k = (armcl_kernel *)kernel;
    armcl_copy(k->plain.dst_extent, k->plain.element, armcl_destination(k->conv), own, &k->plain.dst, plain);
    return CW_OK;
}

static void destroy(cw_kernel *kernel) {
    armcl_kernel *k = (armcl_kernel *)kernel;
    if (k->conv) armcl_destroy(k->conv);
    cw_free(k);
}

static cw_layout layout_of(const armcl_impl *impl, const cw_problem *p) {
    return impl->nchw ? CW_NCHW : (cw_layout)p->layout;
}

static cw_status prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err) {
    const armcl_impl *mine = (const armcl_impl *)impl;
    armcl_kernel *k = cw_alloc(sizeof *k);
    if (!k) return cw_fail_memory(err);
    cw_status status = armcl_create(p, mine->function, layout_of(mine, p), args, &k->conv, err);
    if (status != CW_OK) {
        cw_free(k);
        return status;
    }
    k->plain = plain_of(p);
    k->base = (cw_kernel){.workspace_bytes = armcl_workspace(k->conv), .run = run, .destroy = destroy};
    k->base.src_own_bytes = own_bytes(k->plain.src_extent, &k->plain.src, armcl_source(k->conv));
    k->base.dst_own_bytes = own_bytes(k->plain.dst_extent, &k->plain.dst, armcl_destination(k->conv));
    if (k->base.src_own_bytes) k->base.src_reorder = src_reorder;
    if (k->base.dst_own_bytes) k->base.dst_reorder = dst_reorder;
    *out = &k->base;
    return CW_OK;
}

/* Without "@": in the problem's layout. The library has other kernels for NCHW. */
#define ROW(what, family, exact, function)                                                                   \
    {{"armcl." what, family, true, exact, prepare, true, true, true, false}, function, false}, {             \
        {"armcl." what "@nchw", family, true, exact, prepare, true, true, true, false}, function, true       \
    }

static const armcl_impl impls[] = {
    ROW("gemm", CW_FAMILY_GEMM, true, ARMCL_GEMM),
    ROW("direct", CW_FAMILY_DIRECT, true, ARMCL_DIRECT),
    ROW("winograd", CW_FAMILY_WINOGRAD, false, ARMCL_WINOGRAD),
    ROW("depthwise", CW_FAMILY_DEPTHWISE, true, ARMCL_DEPTHWISE),
};

/* ---- The backend ---- */

typedef struct armcl_state {
    char version[32];
} armcl_state;

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)state, (void)err;
    cw_problem canonical = {0};
    armcl_function choice = ARMCL_FUNCTIONS;
    if (p) {
        canonical = *p;
        cw_problem_canonical(&canonical);
        choice = armcl_choice(&canonical, (cw_layout)p->layout);
    }
    for (size_t i = 0; i < CW_COUNT(impls); i++) {
        const armcl_impl *impl = &impls[i];
        const char *why_not = NULL;
        if (p && impl->nchw && p->layout == CW_NCHW)
            why_not = "the problem is nchw: it is the one without @nchw";
        else if (p && p->prec == CW_BF16)
            why_not = "f32 and u8 only";
        else if (p && !armcl_offers(&canonical, impl->function, layout_of(impl, &canonical)))
            why_not = "the library does not offer it for this problem";
        visit(arg, &impl->base, why_not, !why_not && impl->function == choice && !impl->nchw);
    }
    return CW_OK;
}

static int64_t workspace(void *state, const cw_impl *impl, const cw_problem *p) {
    (void)state;
    const armcl_impl *mine = (const armcl_impl *)impl;
    cw_problem canonical = *p;
    cw_problem_canonical(&canonical);
    armcl_tensor src, dst;
    int64_t bytes = armcl_ask_workspace(&canonical, mine->function, layout_of(mine, &canonical), &src, &dst);
    if (bytes < 0) return -1;
    plain_tensors plain = plain_of(&canonical);
    return cw_workspace_total((size_t)bytes, own_bytes(plain.src_extent, &plain.src, &src),
                              own_bytes(plain.dst_extent, &plain.dst, &dst));
}

static cw_status open_state(const cw_machine *machine, void **out, cw_error *err) {
    (void)machine;
    armcl_state *s = cw_alloc(sizeof *s);
    if (!s) return cw_fail_memory(err);
    armcl_version(s->version, sizeof s->version);
    armcl_open();
    *out = s;
    return CW_OK;
}

static void close_state(void *state) {
    armcl_close();
    cw_free(state);
}

static const char *version(void *state) {
    return ((const armcl_state *)state)->version;
}

const cw_backend cw_backend_armcl = {.abi = CW_BACKEND_ABI,
                                     .name = "armcl",
                                     .package = "libarm-compute-dev",
                                     .nchw = true,
                                     .third_party = true,
                                     .open = open_state,
                                     .close = close_state,
                                     .version = version,
                                     .list = list,
                                     .workspace = workspace};
