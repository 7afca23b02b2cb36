/* context.c: opens the backends, asks them what they have, and runs a convolution in the problem's layout. */
#include "context.h"
#include "../base/base.h"
#include "../machine/machine.h"
#if CW_WITH_OPENCL
#include "opencl.h"
#endif
#include <string.h>

extern const cw_backend_info cw_backends_absent[];

static const char *const family_names[] = {
#define X(symbol, name) name,
    CW_FAMILIES(X)
#undef X
};
const char *cw_family_name(cw_family family) {
    return (size_t)family < CW_FAMILY_COUNT ? family_names[family] : "?";
}

/* text: as in cw_context_options. */
static cw_status add_device(cw_machine *machine, const char *text, cw_error *err) {
    static const char kind[] = "opencl";
    const size_t length = sizeof kind - 1;
    if (strncmp(text, kind, length) != 0 || (text[length] && text[length] != ':'))
        return cw_fail(err, CW_INVALID, "device '%.60s': must be opencl or opencl:NAME", text);
#if CW_WITH_OPENCL
    cw_opencl_device device;
    cw_status status = cw_opencl_find(text + length + (text[length] == ':'), &device, err);
    if (status == CW_OK) cw_machine_add_device(machine, device.name);
    return status;
#else
    (void)machine;
    return cw_fail(
        err, CW_NOT_FOUND,
        "this build has no OpenCL: apt-get install libclblast-dev ocl-icd-opencl-dev, then build again");
#endif
}

static cw_status open_backend(cw_context *ctx, const cw_backend *backend, cw_error *err) {
    void *state = NULL;
    if (backend->abi != CW_BACKEND_ABI)
        return cw_fail(err, CW_MISMATCH, "backend %s has ABI %d, not %d: rebuild it", backend->name,
                       backend->abi, CW_BACKEND_ABI);
    cw_status status = backend->open ? backend->open(&ctx->machine, &state, err) : CW_OK;
    if (status != CW_OK) return status;
    ctx->open[ctx->count].backend = backend;
    ctx->open[ctx->count].state = state;
    ctx->count++;
    ctx->infos[ctx->info_count++] =
        (cw_backend_info){backend->name, backend->version(state), backend->package, false};
    return CW_OK;
}

cw_status cw_context_open(cw_context **out, cw_error *err) {
    return cw_context_open_with(NULL, out, err);
}

cw_status cw_context_open_with(const cw_context_options *options, cw_context **out, cw_error *err) {
    size_t rows = 0, absent = 0;
    while (cw_backend_table[rows]) rows++;
    while (cw_backends_absent[absent].name) absent++;
    cw_context *ctx = cw_alloc(sizeof *ctx);
    if (!ctx) return cw_fail_memory(err);
    cw_status status = CW_OK;
    ctx->open = cw_alloc_n(rows, sizeof *ctx->open);
    ctx->infos = cw_alloc_n(rows + absent, sizeof *ctx->infos);
    if (!ctx->open || !ctx->infos) status = cw_fail_memory(err);
    cw_machine_detect(&ctx->machine);
    if (status == CW_OK && options && options->max_isa)
        status = cw_machine_cap(&ctx->machine, options->max_isa, err);
    if (status == CW_OK && options && options->device)
        status = add_device(&ctx->machine, options->device, err);
    const bool device = ctx->machine.device[0] != '\0';
    for (size_t i = 0; i < rows && status == CW_OK; i++)
        if (device || !cw_backend_table[i]->on_device) status = open_backend(ctx, cw_backend_table[i], err);
    if (status != CW_OK) {
        cw_context_close(ctx);
        return status;
    }
    for (size_t i = 0; i < rows; i++)
        if (!device && cw_backend_table[i]->on_device)
            ctx->infos[ctx->info_count++] =
                (cw_backend_info){cw_backend_table[i]->name, NULL, cw_backend_table[i]->package, true};
    memcpy(ctx->infos + ctx->info_count, cw_backends_absent, absent * sizeof *ctx->infos);
    ctx->info_count += absent;
    *out = ctx;
    return CW_OK;
}

void cw_context_close(cw_context *ctx) {
    if (!ctx) return;
    for (size_t i = 0; i < ctx->count; i++)
        if (ctx->open[i].backend->close) ctx->open[i].backend->close(ctx->open[i].state);
    cw_free(ctx->open);
    cw_free(ctx->infos);
    cw_free(ctx);
}

const cw_machine *cw_context_machine(const cw_context *ctx) {
    return &ctx->machine;
}

const cw_backend_info *cw_backends(const cw_context *ctx, size_t *count) {
    *count = ctx->info_count;
    return ctx->infos;
}

const char *cw_context_version(const cw_context *ctx, const cw_backend *backend) {
    for (size_t i = 0; i < ctx->count; i++)
        if (ctx->open[i].backend == backend) return ctx->infos[i].version;
    return "";
}

typedef struct collector {
    cw_found *found;
    size_t count, capacity;
    const cw_backend *backend;
    const char *why_not; /* for all of them */
    bool transposed, failed;
} collector;

/* Why nothing here runs such a problem, NULL = it may run. Imported measurements have all kinds. */
static const char *never_runs(const cw_problem *p) {
    if (p->dir != CW_FWD) return "only forward convolutions run here";
    if (p->id) return "only two dimensions run here";
    if (p->prec != CW_F32 && p->prec != CW_U8 && p->prec != CW_BF16) return "only f32, u8 and bf16 run here";
    return NULL;
}

static void collect(void *arg, const cw_impl *impl, const char *why_not, bool library_choice) {
    collector *c = arg;
    if (!cw_grow(&c->found, &c->capacity, c->count + 1, sizeof *c->found)) {
        c->failed = true;
        return;
    }
    c->found[c->count++] =
        (cw_found){impl, c->backend, c->why_not ? c->why_not : why_not, library_choice, c->transposed, -1};
}

/* What one backend has for p, NULL = all that it has. */
static cw_status ask(const struct cw_open_backend *open, const cw_problem *p, collector *c, cw_error *err) {
    cw_problem asked = p ? *p : (cw_problem){0};
    const size_t before = c->count;
    c->backend = open->backend;
    c->transposed = p && p->layout == CW_NCHW && !open->backend->nchw;
    if (c->transposed) asked.layout = CW_NHWC;
    cw_status status = open->backend->list(open->state, p ? &asked : NULL, collect, c, err);
    if (c->failed) status = cw_fail_memory(err);
    for (size_t i = before; status == CW_OK && p && i < c->count; i++)
        if (!c->found[i].why_not) c->found[i].workspace = cw_found_workspace(&c->found[i], open->state, p);
    return status;
}

cw_status cw_context_list(cw_context *ctx, const cw_problem *p, cw_found **out, size_t *count,
                          cw_error *err) {
    cw_status status = p ? cw_problem_check(p, err) : CW_OK;
    collector c = {0};
    if (p && status == CW_OK) c.why_not = never_runs(p);
    for (size_t i = 0; i < ctx->count && status == CW_OK; i++)
        status = ask(&ctx->open[i], c.why_not ? NULL : p, &c, err);
    if (status != CW_OK) {
        cw_free(c.found);
        return status;
    }
    *out = c.found;
    *count = c.count;
    return CW_OK;
}

cw_status cw_context_find(cw_context *ctx, const cw_problem *p, const char *name, cw_found *out,
                          cw_error *err) {
    cw_found *found;
    size_t count;
    cw_status status = cw_context_list(ctx, p, &found, &count, err);
    if (status != CW_OK) return status;
    status = CW_NOT_FOUND;
    for (size_t i = 0; i < count && status == CW_NOT_FOUND; i++)
        if (strcmp(found[i].impl->name, name) == 0) *out = found[i], status = CW_OK;
    cw_free(found);
    if (status != CW_OK)
        return cw_fail(err, status, "no implementation is called %s here (convwise impls lists them)", name);
    if (out->why_not)
        return cw_fail(err, CW_UNSUPPORTED, "%s does not support this problem: %s", name, out->why_not);
    return CW_OK;
}

cw_status cw_impls(cw_context *ctx, const cw_problem *p, cw_impl_info **out, size_t *count, cw_error *err) {
    cw_found *found;
    cw_status status = cw_context_list(ctx, p, &found, count, err);
    if (status != CW_OK) return status;
    cw_impl_info *infos = cw_alloc_n(*count, sizeof *infos);
    for (size_t i = 0; infos && i < *count; i++)
        infos[i] = (cw_impl_info){.name = found[i].impl->name,
                                  .backend = found[i].backend->name,
                                  .family = found[i].impl->family,
                                  .why_not = found[i].why_not,
                                  .library_choice = found[i].library_choice,
                                  .candidate = found[i].impl->candidate,
                                  .exact = found[i].impl->exact,
                                  .deterministic = found[i].impl->deterministic,
                                  .own_layout = found[i].impl->own_layout || found[i].transposed,
                                  .reduced = found[i].impl->reduced,
                                  .workspace = found[i].workspace};
    cw_free(found);
    if (!infos) return cw_fail_memory(err);
    *out = infos;
    return CW_OK;
}

/* ---- A prepared convolution ---- */

struct cw_conv {
    cw_kernel *kernel;
    char name[96];
    size_t workspace_bytes, src_offset,
        dst_offset; /* own-layout tensors live behind the kernel's workspace */
};

static size_t align64(size_t n) {
    return (n + 63) & ~(size_t)63;
}

cw_status cw_conv_create(cw_context *ctx, const cw_problem *p, const char *impl, const cw_conv_args *args,
                         cw_conv **out, cw_error *err) {
    cw_found found;
    cw_status status = cw_problem_check(p, err);
    if (status != CW_OK) return status;
    cw_problem problem = *p;
    cw_problem_canonical(&problem);
    status = cw_context_find(ctx, &problem, impl, &found, err);
    if (status != CW_OK) return status;
    if (!args->weights) return cw_fail(err, CW_INVALID, "weights are missing");
    if (!(args->lo <= args->hi)) return cw_fail(err, CW_INVALID, "clamp: lo must not be larger than hi");
    if (problem.prec == CW_U8 && !args->quant.scale)
        return cw_fail(err, CW_INVALID, "u8 needs quant.scale for each output channel");
    if (problem.prec == CW_U8 && !problem.zp && (args->quant.src_zp || args->quant.dst_zp))
        return cw_fail(err, CW_INVALID, "%s is %d but the problem says zero points 0: add ,zp",
                       args->quant.src_zp ? "src_zp" : "dst_zp",
                       args->quant.src_zp ? args->quant.src_zp : args->quant.dst_zp);
    cw_conv *conv = cw_alloc(sizeof *conv);
    if (!conv) return cw_fail_memory(err);
    status = cw_found_prepare(&found, &problem, args, &conv->kernel, err);
    if (status != CW_OK) {
        cw_free(conv);
        return status;
    }
    strncpy(conv->name, found.impl->name, sizeof conv->name - 1);
    const cw_kernel *k = conv->kernel;
    conv->src_offset = align64(k->workspace_bytes);
    conv->dst_offset = conv->src_offset + align64(k->src_own_bytes);
    conv->workspace_bytes =
        (size_t)cw_workspace_total(k->workspace_bytes, k->src_own_bytes, k->dst_own_bytes);
    *out = conv;
    return CW_OK;
}

size_t cw_conv_workspace(const cw_conv *conv) {
    return conv->workspace_bytes;
}
const char *cw_conv_impl(const cw_conv *conv) {
    return conv->name;
}

cw_status cw_conv_run(const cw_conv *conv, const void *src, void *dst, void *workspace) {
    cw_kernel *k = conv->kernel;
    char *base = workspace;
    const void *from = src;
    void *to = dst;
    cw_status status = CW_OK;
    if (k->src_own_bytes) {
        status = k->src_reorder(k, src, base + conv->src_offset);
        from = base + conv->src_offset;
    }
    if (k->dst_own_bytes) to = base + conv->dst_offset;
    if (status == CW_OK) status = k->run(k, from, to, workspace);
    if (status == CW_OK && k->dst_own_bytes) status = k->dst_reorder(k, to, dst);
    return status;
}

void cw_conv_free(cw_conv *conv) {
    if (!conv) return;
    conv->kernel->destroy(conv->kernel);
    cw_free(conv);
}
