/* ref.c: the reference as a backend: measured and compared like the others, never chosen. */
#include "context.h"
#include "../base/base.h"
#include "../kernel/reference.h"

typedef struct ref_kernel {
    cw_kernel base;
    cw_reference *reference;
} ref_kernel;

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    (void)workspace;
    cw_reference_run(((const ref_kernel *)kernel)->reference, src, dst);
    return CW_OK;
}

static void destroy(cw_kernel *kernel) {
    cw_reference_free(((ref_kernel *)kernel)->reference);
    cw_free(kernel);
}

static cw_status prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err) {
    (void)impl;
    ref_kernel *k = cw_alloc(sizeof *k);
    if (!k) return cw_fail_memory(err);
    k->base.run = run;
    k->base.destroy = destroy;
    cw_status status = cw_reference_create(p, args, &k->reference, err);
    if (status == CW_OK)
        *out = &k->base;
    else
        cw_free(k);
    return status;
}

static const cw_impl impl = {.name = "ref",
                             .family = CW_FAMILY_DIRECT,
                             .candidate = false,
                             .exact = true,
                             .prepare = prepare,
                             .deterministic = true};

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)state, (void)err;
    visit(arg, &impl, p && p->threads != 1 ? "the reference runs on one thread" : NULL, false);
    return CW_OK;
}

static int64_t workspace(void *state, const cw_impl *of, const cw_problem *p) {
    (void)state, (void)of, (void)p;
    return 0;
}

static const char *version(void *state) {
    (void)state;
    return CW_VERSION;
}

const cw_backend cw_backend_ref = {
    .abi = CW_BACKEND_ABI, .name = "ref", .version = version, .list = list, .workspace = workspace};
