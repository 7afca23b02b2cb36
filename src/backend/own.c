/* own.c: our own kernels as a backend. One row an implementation; the kernels are in src/kernel. */
#include <cblas.h>
#include <stdio.h>
#include "context.h"
#include "../base/base.h"
#include "../kernel/kernel.h"

static const cw_own_impl rows[] = {
    {{"own.direct", CW_FAMILY_DIRECT, true, true, cw_direct_prepare, true, false, false},
     cw_direct_why_not,
     cw_direct_workspace,
     NULL},
    {{"own.gemm", CW_FAMILY_GEMM, true, true, cw_gemm_prepare, true, false, false},
     cw_gemm_why_not,
     cw_gemm_workspace,
     NULL},
#define ROW(m, r)                                                                                            \
    {{"own.winograd_f" #m "x" #r, CW_FAMILY_WINOGRAD, true, false, cw_winograd_f##m##x##r##_prepare, true,   \
      false, false},                                                                                         \
     cw_winograd_f##m##x##r##_why_not,                                                                       \
     cw_winograd_f##m##x##r##_workspace,                                                                     \
     NULL},
    CW_WINOGRADS(ROW)
#undef ROW
};

typedef struct own_state {
    cw_own_impl impls[CW_COUNT(rows)]; /* the rows with the machine filled in */
    char version[96];
} own_state;

/* The version names the OpenBLAS kernels in use: times taken with others are times of something else, and
 * OpenBLAS falls back to slow ones on processors newer than itself. */
static cw_status open(const cw_machine *machine, void **state, cw_error *err) {
    own_state *own = cw_alloc(sizeof *own);
    if (!own) return cw_fail_memory(err);
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        own->impls[i] = rows[i];
        own->impls[i].machine = machine;
    }
    char blas[32] = "";
    sscanf(openblas_get_config(), "OpenBLAS %31s", blas);
    snprintf(own->version, sizeof own->version, "%s OpenBLAS %s %s", CW_VERSION, blas,
             openblas_get_corename());
    *state = own;
    return CW_OK;
}

static void close(void *state) {
    cw_free(state);
}

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)err;
    const cw_own_impl *own = state;
    for (size_t i = 0; i < CW_COUNT(rows); i++) visit(arg, &own[i].impl, p ? own[i].why_not(p) : NULL, false);
    return CW_OK;
}

static int64_t workspace(void *state, const cw_impl *impl, const cw_problem *p) {
    (void)state;
    return cw_workspace_total(((const cw_own_impl *)impl)->workspace(impl, p), 0, 0);
}

static const char *version(void *state) {
    return ((const own_state *)state)->version;
}

const cw_backend cw_backend_own = {.abi = CW_BACKEND_ABI,
                                   .name = "own",
                                   .open = open,
                                   .close = close,
                                   .version = version,
                                   .list = list,
                                   .workspace = workspace};
