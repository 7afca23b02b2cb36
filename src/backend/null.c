/* null.c: does nothing. Measures what a call and the timing around it cost. */
#include "context.h"
#include "../base/base.h"

static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    (void)kernel, (void)src, (void)dst, (void)workspace;
    return CW_OK;
}

static void destroy(cw_kernel *kernel) {
    cw_free(kernel);
}

static cw_status prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err) {
    (void)impl, (void)p, (void)args;
    cw_kernel *kernel = cw_alloc(sizeof *kernel);
    if (!kernel) return cw_fail_memory(err);
    kernel->run = run;
    kernel->destroy = destroy;
    *out = kernel;
    return CW_OK;
}

static const cw_impl impl = {.name = "null",
                             .family = CW_FAMILY_DIRECT,
                             .candidate = false,
                             .exact = true,
                             .prepare = prepare,
                             .deterministic = true};

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)state, (void)p, (void)err;
    visit(arg, &impl, NULL, false);
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

const cw_backend cw_backend_null = {.abi = CW_BACKEND_ABI,
                                    .name = "null",
                                    .nchw = true,
                                    .version = version,
                                    .list = list,
                                    .workspace = workspace};
