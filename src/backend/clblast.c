/* clblast.c: CLBlast's convolution and matrix product on an OpenCL device, between copies from and to the
 * caller's memory. What CLBlast does not do is done by three small OpenCL kernels of ours on the device:
 * layouts, groups and uneven padding before it, or im2col; bias, clamp and layout after it. docs/clblast.md.
 */
#include "opencl.h"
#include "context.h"
#include "../base/base.h"
#include <clblast_c.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Our kernels ---- */

/* Elements between neighbours, by dimension: group, image, channel in the group, row, column. */
typedef struct strides {
    cl_int g, n, c, y, x;
} strides;

/* What they know of a problem; the same struct stands in their source. Channels are those of one group. */
typedef struct shape {
    cl_int mb, ic, ih, iw, oc, oh, ow;
    cl_int kh, kw, sh, sw, dh, dw; /* dilation 1 = dense */
    cl_int top, left, padded_h, padded_w;
    strides src, dst, result; /* result: what CLBlast writes */
    cl_int by_channel;        /* channels, not pixels, are next to each other in dst */
} shape;

/* Work items: the dimension whose elements are written next to each other, rounded up to TILE; the other;
 * and g * mb + n. columns: the image alone, one group at a time. */
enum { TILE = 32 };
static const char source[] =
    "typedef struct { int g, n, c, y, x; } strides;\n"
    "typedef struct { int mb, ic, ih, iw, oc, oh, ow, kh, kw, sh, sw, dh, dw, top, left, padded_h, "
    "padded_w;\n"
    "                 strides src, dst, result; int by_channel; } shape;\n"
    "int at(strides s, int g, int n, int c, int y, int x) {\n"
    "    return g * s.g + n * s.n + c * s.c + y * s.y + x * s.x;\n"
    "}\n"
    "__kernel void arrange(__global const float *src, __global float *own, const shape s) {\n"
    "    const int p = get_global_id(0), c = get_global_id(1), gn = get_global_id(2);\n"
    "    if (p >= s.padded_h * s.padded_w) return;\n"
    "    const int y = p / s.padded_w - s.top, x = p % s.padded_w - s.left;\n"
    "    const int inside = y >= 0 && y < s.ih && x >= 0 && x < s.iw;\n"
    "    own[(gn * s.ic + c) * s.padded_h * s.padded_w + p] =\n"
    "        inside ? src[at(s.src, gn / s.mb, gn % s.mb, c, y, x)] : 0.0f;\n"
    "}\n"
    "__kernel void columns(__global const float *src, __global float *own, const shape s, const int g) {\n"
    "    const int k = get_global_id(0), p = get_global_id(1), n = get_global_id(2);\n"
    "    const int depth = s.kh * s.kw * s.ic;\n"
    "    if (k >= depth) return;\n"
    "    const int c = k % s.ic, j = k / s.ic % s.kw, i = k / s.ic / s.kw;\n"
    "    const int y = p / s.ow * s.sh - s.top + i * s.dh, x = p % s.ow * s.sw - s.left + j * s.dw;\n"
    "    const int inside = y >= 0 && y < s.ih && x >= 0 && x < s.iw;\n"
    "    own[(n * s.oh * s.ow + p) * depth + k] = inside ? src[at(s.src, g, n, c, y, x)] : 0.0f;\n"
    "}\n"
    "__kernel void finish(__global const float *result, __global const float *bias, __global float *dst,\n"
    "                     const shape s, const float lo, const float hi) {\n"
    "    const int c = get_global_id(1 - s.by_channel), p = get_global_id(s.by_channel);\n"
    "    const int gn = get_global_id(2), g = gn / s.mb, n = gn % s.mb;\n"
    "    if (c >= s.oc || p >= s.oh * s.ow) return;\n"
    "    float v = result[at(s.result, g, n, c, p / s.ow, p % s.ow)] + bias[g * s.oc + c];\n"
    "    v = v < lo ? lo : v;\n"
    "    dst[at(s.dst, g, n, c, p / s.ow, p % s.ow)] = v > hi ? hi : v;\n"
    "}\n";

/* ---- The device ---- */

typedef struct clblast_state clblast_state;

typedef struct clblast_impl {
    cw_impl base; /* first */
    bool gemm;
    clblast_state *state;
} clblast_impl;

enum { IMPLS = 2 };

struct clblast_state {
    clblast_impl impls[IMPLS];
    cw_opencl_device device;
    char version[64];
    pid_t owner; /* the process that started OpenCL; 0 = none yet */
    cl_context context;
    cl_command_queue queue;
    cl_program program;
};

static cw_status opencl_fail(cw_error *err, const char *what, int code) {
    bool memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY;
    return cw_fail(err, memory ? CW_NO_MEMORY : CW_BACKEND, "clblast: %s failed with OpenCL's code %d", what,
                   code);
}

/* In prepare, not in open: what a fork comes behind must not have started OpenCL. */
static cw_status start(clblast_state *s, cw_error *err) {
    cl_int code = CL_SUCCESS;
    if (s->owner && s->owner != getpid())
        return cw_fail(err, CW_BACKEND, "clblast: OpenCL was started before this process was forked");
    if (s->program) return CW_OK;
    s->owner = getpid();
    cl_device_id device = cw_opencl_get(s->device.name);
    if (!device) return cw_fail(err, CW_BACKEND, "clblast: the device %s is gone", s->device.name);
    if (!s->context) s->context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    if (!s->context) return opencl_fail(err, "clCreateContext", code);
    if (!s->queue) s->queue = clCreateCommandQueue(s->context, device, 0, &code);
    if (!s->queue) return opencl_fail(err, "clCreateCommandQueue", code);
    const char *text = source;
    cl_program program = clCreateProgramWithSource(s->context, 1, &text, NULL, &code);
    if (!program) return opencl_fail(err, "clCreateProgramWithSource", code);
    code = clBuildProgram(program, 1, &device, "", NULL, NULL);
    if (code != CL_SUCCESS) {
        clReleaseProgram(program);
        return opencl_fail(err, "clBuildProgram", code);
    }
    s->program = program;
    return CW_OK;
}

/* ---- A prepared convolution ---- */

typedef struct clblast_kernel {
    cw_kernel base; /* first */
    clblast_state *state;
    cw_problem p;
    cw_sizes sizes;
    shape shape;
    bool gemm;
    cl_kernel before;            /* arrange or columns; NULL: CLBlast reads src as it is */
    cl_kernel after;             /* finish */
    cl_mem src, own, weights;    /* own: what `before` writes, or src once more */
    cl_mem result, dst, bias;    /* result: or dst once more */
    cl_mem temporary;            /* of CLBlast's matrix product; NULL = it wants none */
    size_t src_bytes, dst_bytes; /* of the caller's tensors */
} clblast_kernel;

static strides plain_strides(int32_t layout, int32_t channels, int32_t group, int32_t h, int32_t w) {
    if (layout == CW_NHWC) return (strides){group, h * w * channels, 1, w * channels, channels};
    return (strides){group * h * w, channels * h * w, h * w, w, 1};
}

/* (group, image, channel, row, column), as CLBlast writes it group by group. */
static strides grouped_strides(int32_t mb, int32_t group, int32_t h, int32_t w) {
    return (strides){mb * group * h * w, group * h * w, h * w, w, 1};
}

/* Whether a 1x1 window meets each pixel once: the source is the matrix. */
static bool is_matrix(const cw_problem *p) {
    return p->kh == 1 && p->kw == 1 && p->sh == 1 && p->sw == 1 && !p->pt && !p->pl && !p->pb && !p->pr;
}

/* CLBlast pads both sides alike, and derives the output's size from that. */
static bool same_pads(const cw_problem *p, const cw_sizes *s) {
    int32_t h = p->ih + 2 * p->pt - (p->dh + 1) * (p->kh - 1) - 1;
    int32_t w = p->iw + 2 * p->pl - (p->dw + 1) * (p->kw - 1) - 1;
    return h >= 0 && w >= 0 && h / p->sh + 1 == s->oh && w / p->sw + 1 == s->ow;
}

static bool same_order(const cw_problem *p) {
    return p->layout == CW_NCHW && (p->g == 1 || p->mb == 1);
}

static bool wants_before(const cw_problem *p, const cw_sizes *s, bool gemm) {
    return gemm ? !is_matrix(p) : !same_order(p) || !same_pads(p, s);
}

/* Elements that `before` writes: all groups at once, or one group's columns. */
static int64_t own_count(const cw_problem *p, const cw_sizes *s, bool gemm) {
    if (gemm) return s->gemm_m * s->gemm_k;
    return (int64_t)p->mb * p->ic * (p->ih + p->pt + p->pb) * (p->iw + p->pl + p->pr);
}

static shape shape_of(const cw_problem *p, const cw_sizes *s, bool gemm) {
    const int32_t ic = p->ic / p->g, oc = p->oc / p->g;
    shape out = {.mb = p->mb, .ic = ic, .ih = p->ih, .iw = p->iw, .oc = oc, .oh = s->oh, .ow = s->ow};
    out.kh = p->kh, out.kw = p->kw, out.sh = p->sh, out.sw = p->sw, out.dh = p->dh + 1, out.dw = p->dw + 1;
    out.top = p->pt, out.left = p->pl;
    out.padded_h = p->ih + p->pt + p->pb, out.padded_w = p->iw + p->pl + p->pr;
    out.src = plain_strides(p->layout, p->ic, ic, p->ih, p->iw);
    out.dst = plain_strides(p->layout, p->oc, oc, s->oh, s->ow);
    out.result = gemm ? out.dst : grouped_strides(p->mb, oc, s->oh, s->ow);
    out.by_channel = p->layout == CW_NHWC;
    return out;
}

/* One matrix product: everything of a group in NHWC, one image of it in NCHW. */
typedef struct product {
    CLBlastTranspose b_transpose;
    size_t m, n, k, a_offset, a_ld, b_offset, b_ld, c_offset, c_ld;
    cl_mem a, b;
} product;

static product product_of(const clblast_kernel *k, int32_t g, int32_t image) {
    const shape *s = &k->shape;
    const bool columns = k->before != NULL;
    const size_t pixels = (size_t)s->oh * (size_t)s->ow, depth = (size_t)k->sizes.gemm_k;
    const size_t weights = (size_t)(g * s->oc) * depth;
    const size_t src = (size_t)g * (size_t)s->src.g + (size_t)image * (size_t)s->src.n;
    const size_t dst = (size_t)g * (size_t)s->dst.g + (size_t)image * (size_t)s->dst.n;
    if (s->by_channel)
        return (product){.b_transpose = CLBlastTransposeYes,
                         .m = pixels * (size_t)s->mb,
                         .n = (size_t)s->oc,
                         .k = depth,
                         .a = k->own,
                         .a_offset = columns ? 0 : src,
                         .a_ld = columns ? depth : (size_t)s->src.x,
                         .b = k->weights,
                         .b_offset = weights,
                         .b_ld = depth,
                         .c_offset = dst,
                         .c_ld = (size_t)s->dst.x};
    return (product){.b_transpose = columns ? CLBlastTransposeYes : CLBlastTransposeNo,
                     .m = (size_t)s->oc,
                     .n = pixels,
                     .k = depth,
                     .a = k->weights,
                     .a_offset = weights,
                     .a_ld = depth,
                     .b = k->own,
                     .b_offset = columns ? (size_t)image * pixels * depth : src,
                     .b_ld = columns ? depth : pixels,
                     .c_offset = dst,
                     .c_ld = pixels};
}

static int32_t products_a_group(const clblast_kernel *k) {
    return k->shape.by_channel ? 1 : k->shape.mb;
}

static int multiply(clblast_kernel *k, int32_t g) {
    int code = CL_SUCCESS;
    for (int32_t n = 0; n < products_a_group(k) && code == CL_SUCCESS; n++) {
        product x = product_of(k, g, n);
        code =
            CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, CLBlastTransposeNo, x.b_transpose, x.m, x.n,
                                       x.k, 1, x.a, x.a_offset, x.a_ld, x.b, x.b_offset, x.b_ld, 0, k->result,
                                       x.c_offset, x.c_ld, &k->state->queue, NULL, k->temporary);
    }
    return code;
}

static int convolve(clblast_kernel *k, int32_t g) {
    const shape *s = &k->shape;
    const bool padded = k->before != NULL; /* the pads are in the tensor */
    const size_t h = (size_t)(padded ? s->padded_h : s->ih), w = (size_t)(padded ? s->padded_w : s->iw);
    const size_t group = (size_t)g, ic = (size_t)s->ic, oc = (size_t)s->oc, mb = (size_t)s->mb;
    return CLBlastSconvgemm(CLBlastKernelModeCrossCorrelation, ic, h, w, (size_t)s->kh, (size_t)s->kw,
                            (size_t)(padded ? 0 : s->top), (size_t)(padded ? 0 : s->left), (size_t)s->sh,
                            (size_t)s->sw, (size_t)s->dh, (size_t)s->dw, oc, mb, k->own,
                            group * mb * ic * h * w, k->weights, group * oc * (size_t)k->sizes.gemm_k,
                            k->result, group * (size_t)s->result.g, &k->state->queue, NULL);
}

static int launch(const clblast_kernel *k, cl_kernel kernel, size_t inner, size_t outer, size_t last) {
    const size_t global[] = {(inner + TILE - 1) / TILE * TILE, outer, last}, local[] = {TILE, 1, 1};
    return clEnqueueNDRangeKernel(k->state->queue, kernel, 3, NULL, global, local, 0, NULL, NULL);
}

static int launch_columns(const clblast_kernel *k, cl_int g) {
    int code = clSetKernelArg(k->before, 3, sizeof g, &g);
    if (code != CL_SUCCESS) return code;
    return launch(k, k->before, (size_t)k->sizes.gemm_k, (size_t)k->shape.oh * (size_t)k->shape.ow,
                  (size_t)k->shape.mb);
}

/* From src to dst, on the device; not waited for. */
static int compute(clblast_kernel *k) {
    const shape *s = &k->shape;
    const size_t images = (size_t)k->p.g * (size_t)s->mb, pixels = (size_t)s->oh * (size_t)s->ow;
    int code = CL_SUCCESS;
    if (k->before && !k->gemm)
        code = launch(k, k->before, (size_t)s->padded_h * (size_t)s->padded_w, (size_t)s->ic, images);
    for (int32_t g = 0; g < k->p.g && code == CL_SUCCESS; g++) {
        if (k->before && k->gemm) code = launch_columns(k, g);
        if (code == CL_SUCCESS) code = k->gemm ? multiply(k, g) : convolve(k, g);
    }
    if (code != CL_SUCCESS) return code;
    return s->by_channel ? launch(k, k->after, (size_t)s->oc, pixels, images)
                         : launch(k, k->after, pixels, (size_t)s->oc, images);
}

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    (void)workspace;
    clblast_kernel *k = (clblast_kernel *)kernel;
    cl_command_queue queue = k->state->queue;
    int code = clEnqueueWriteBuffer(queue, k->src, CL_FALSE, 0, k->src_bytes, src, 0, NULL, NULL);
    if (code == CL_SUCCESS) code = compute(k);
    int read = clEnqueueReadBuffer(queue, k->dst, CL_TRUE, 0, k->dst_bytes, dst, 0, NULL, NULL);
    return code == CL_SUCCESS && read == CL_SUCCESS ? CW_OK : CW_BACKEND;
}

static void destroy(cw_kernel *kernel) {
    clblast_kernel *k = (clblast_kernel *)kernel;
    const cl_mem buffers[] = {k->src,      k->own != k->src ? k->own : NULL,       k->weights,
                              k->dst,      k->result != k->dst ? k->result : NULL, k->bias,
                              k->temporary};
    if (k->state->queue) clFinish(k->state->queue);
    if (k->before) clReleaseKernel(k->before);
    if (k->after) clReleaseKernel(k->after);
    for (size_t i = 0; i < CW_COUNT(buffers); i++)
        if (buffers[i]) clReleaseMemObject(buffers[i]);
    cw_free(k);
}

/* ---- Preparing one ---- */

/* data NULL: its content is of no meaning. */
static cl_mem buffer_of(const clblast_kernel *k, size_t bytes, const void *data, int *code) {
    if (*code != CL_SUCCESS) return NULL;
    cl_mem_flags flags = CL_MEM_READ_WRITE | (data ? CL_MEM_COPY_HOST_PTR : 0);
    return clCreateBuffer(k->state->context, flags, bytes, (void *)(uintptr_t)data, code);
}

static cl_kernel kernel_of(const clblast_kernel *k, const char *name, int *code) {
    return *code == CL_SUCCESS ? clCreateKernel(k->state->program, name, code) : NULL;
}

static void set_argument(cl_kernel kernel, cl_uint index, size_t size, const void *value, int *code) {
    if (*code == CL_SUCCESS) *code = clSetKernelArg(kernel, index, size, value);
}

/* (outputs, kh, kw, ic) to (outputs, ic, kh, kw), as CLBlast's convolution wants them. */
static void turn_weights(const clblast_kernel *k, const float *weights, float *out) {
    const size_t taps = (size_t)k->p.kh * (size_t)k->p.kw, ic = (size_t)k->shape.ic;
    for (size_t o = 0; o < (size_t)k->p.oc; o++)
        for (size_t t = 0; t < taps; t++)
            for (size_t c = 0; c < ic; c++) out[(o * ic + c) * taps + t] = weights[(o * taps + t) * ic + c];
}

static cw_status make_weights(clblast_kernel *k, const cw_conv_args *args, int *code, cw_error *err) {
    const size_t bytes = (size_t)k->sizes.wei_bytes, oc = (size_t)k->p.oc;
    float *turned = k->gemm ? NULL : cw_alloc(bytes), *zeros = cw_alloc_n(oc, sizeof *zeros);
    if (zeros && (k->gemm || turned)) {
        if (!k->gemm) turn_weights(k, args->weights, turned);
        k->weights = buffer_of(k, bytes, k->gemm ? args->weights : turned, code);
        k->bias = buffer_of(k, oc * sizeof *zeros, args->bias ? args->bias : zeros, code);
    }
    const bool made = zeros && (k->gemm || turned);
    cw_free(turned);
    cw_free(zeros);
    return made ? CW_OK : cw_fail_memory(err);
}

static void make_tensors(clblast_kernel *k, int *code) {
    const bool same_result = k->gemm || same_order(&k->p);
    k->src = buffer_of(k, k->src_bytes, NULL, code);
    k->dst = buffer_of(k, k->dst_bytes, NULL, code);
    k->result = same_result ? k->dst : buffer_of(k, k->dst_bytes, NULL, code);
    k->own = k->src;
    if (!wants_before(&k->p, &k->sizes, k->gemm)) return;
    k->own = buffer_of(k, (size_t)own_count(&k->p, &k->sizes, k->gemm) * sizeof(float), NULL, code);
    k->before = kernel_of(k, k->gemm ? "columns" : "arrange", code);
    set_argument(k->before, 0, sizeof k->src, &k->src, code);
    set_argument(k->before, 1, sizeof k->own, &k->own, code);
    set_argument(k->before, 2, sizeof k->shape, &k->shape, code);
}

static void make_finish(clblast_kernel *k, const cw_conv_args *args, int *code) {
    k->after = kernel_of(k, "finish", code);
    set_argument(k->after, 0, sizeof k->result, &k->result, code);
    set_argument(k->after, 1, sizeof k->bias, &k->bias, code);
    set_argument(k->after, 2, sizeof k->dst, &k->dst, code);
    set_argument(k->after, 3, sizeof k->shape, &k->shape, code);
    set_argument(k->after, 4, sizeof args->lo, &args->lo, code);
    set_argument(k->after, 5, sizeof args->hi, &args->hi, code);
}

/* Without it, CLBlast would allocate in each run. */
static void make_temporary(clblast_kernel *k, int *code) {
    size_t most = 0;
    for (int32_t g = 0; k->gemm && g < k->p.g; g++)
        for (int32_t n = 0; n < products_a_group(k) && *code == CL_SUCCESS; n++) {
            product x = product_of(k, g, n);
            size_t bytes = 0;
            *code = CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, CLBlastTransposeNo, x.b_transpose, x.m,
                                               x.n, x.k, x.a_offset, x.a_ld, x.b_offset, x.b_ld, x.c_offset,
                                               x.c_ld, &k->state->queue, &bytes);
            if (bytes > most) most = bytes;
        }
    if (most) k->temporary = buffer_of(k, most, NULL, code);
}

/* Once on zeros: the device's compiler runs at a kernel's first launch. */
static int warm_up(clblast_kernel *k) {
    const float zero = 0;
    int code =
        clEnqueueFillBuffer(k->state->queue, k->src, &zero, sizeof zero, 0, k->src_bytes, 0, NULL, NULL);
    if (code == CL_SUCCESS) code = compute(k);
    int finished = clFinish(k->state->queue);
    return code == CL_SUCCESS ? finished : code;
}

static cw_status prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err) {
    const clblast_impl *mine = (const clblast_impl *)impl;
    cw_status status = start(mine->state, err);
    if (status != CW_OK) return status;
    clblast_kernel *k = cw_alloc(sizeof *k);
    if (!k) return cw_fail_memory(err);
    int code = CL_SUCCESS;
    k->base = (cw_kernel){.run = run, .destroy = destroy};
    k->state = mine->state;
    k->gemm = mine->gemm;
    k->p = *p;
    cw_problem_canonical(&k->p);
    cw_problem_sizes(&k->p, &k->sizes);
    k->shape = shape_of(&k->p, &k->sizes, k->gemm);
    k->src_bytes = (size_t)k->sizes.src_bytes;
    k->dst_bytes = (size_t)k->sizes.dst_bytes;
    status = make_weights(k, args, &code, err);
    if (status == CW_OK) {
        make_tensors(k, &code);
        make_finish(k, args, &code);
        if (code == CL_SUCCESS) make_temporary(k, &code);
        if (code == CL_SUCCESS) code = warm_up(k);
        if (code != CL_SUCCESS) status = opencl_fail(err, impl->name, code);
    }
    if (status != CW_OK) {
        destroy(&k->base);
        return status;
    }
    *out = &k->base;
    return CW_OK;
}

/* ---- The backend ---- */

static const clblast_impl rows[IMPLS] = {
    {{"clblast.convgemm", CW_FAMILY_DIRECT, true, true, prepare, true, true, false, false}, false, NULL},
    {{"clblast.gemm", CW_FAMILY_GEMM, true, true, prepare, true, false, false, false}, true, NULL},
};

static const char *why_not(const clblast_impl *impl, const cw_problem *problem) {
    if (problem->prec != CW_F32) return "f32 only";
    cw_problem p = *problem;
    cw_problem_canonical(&p);
    cw_sizes s;
    cw_problem_sizes(&p, &s);
    int64_t most = s.src_count > s.dst_count ? s.src_count : s.dst_count;
    if (s.wei_count > most) most = s.wei_count;
    if (wants_before(&p, &s, impl->gemm) && own_count(&p, &s, impl->gemm) > most)
        most = own_count(&p, &s, impl->gemm);
    if (most > INT32_MAX) return "it would need more than 2^31 elements in one buffer";
    if ((uint64_t)most * sizeof(float) > impl->state->device.buffer_bytes)
        return "it would need more in one buffer than the device allows";
    return NULL;
}

/* No library choice: CLBlast leaves it to its caller which of the two to call. */
static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)err;
    const clblast_state *s = state;
    for (size_t i = 0; i < IMPLS; i++)
        visit(arg, &s->impls[i].base, p ? why_not(&s->impls[i], p) : NULL, false);
    return CW_OK;
}

/* All is in the device's memory. */
static int64_t workspace(void *state, const cw_impl *impl, const cw_problem *p) {
    (void)state, (void)impl, (void)p;
    return 0;
}

static void close_state(void *state) {
    clblast_state *s = state;
    if (s->owner == getpid()) {
        if (s->program) clReleaseProgram(s->program);
        if (s->queue) clReleaseCommandQueue(s->queue);
        CLBlastClearCache(); /* its programs hold the context */
        if (s->context) clReleaseContext(s->context);
    }
    cw_free(s);
}

static cw_status open_state(const cw_machine *machine, void **out, cw_error *err) {
    clblast_state *s = cw_alloc(sizeof *s);
    if (!s) return cw_fail_memory(err);
    for (size_t i = 0; i < IMPLS; i++) {
        s->impls[i] = rows[i];
        s->impls[i].state = s;
    }
    cw_status status = cw_opencl_find(machine->device, &s->device, err);
    if (status != CW_OK) {
        cw_free(s);
        return status;
    }
    snprintf(s->version, sizeof s->version, "%d.%d.%d, driver %.40s", CLBLAST_VERSION_MAJOR,
             CLBLAST_VERSION_MINOR, CLBLAST_VERSION_PATCH, s->device.driver);
    *out = s;
    return CW_OK;
}

static const char *version(void *state) {
    return ((const clblast_state *)state)->version;
}

const cw_backend cw_backend_clblast = {.abi = CW_BACKEND_ABI,
                                       .name = "clblast",
                                       .package = "libclblast-dev ocl-icd-opencl-dev",
                                       .third_party = true,
                                       .on_device = true,
                                       .nchw = true,
                                       .open = open_state,
                                       .close = close_state,
                                       .version = version,
                                       .list = list,
                                       .workspace = workspace};
