/* own.c: our own kernels as a backend. One row an implementation; the kernels are in src/kernel. */
#include <cblas.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "context.h"
#include "../base/base.h"
#include "../kernel/kernel.h"

static const cw_own_impl rows[] = {
    {{"own.direct", CW_FAMILY_DIRECT, true, true, cw_direct_prepare, true, false, false, false},
     cw_direct_why_not,
     cw_direct_workspace,
     NULL},
    {{"own.gemm", CW_FAMILY_GEMM, true, true, cw_gemm_prepare, true, false, false, false},
     cw_gemm_why_not,
     cw_gemm_workspace,
     NULL},
    {{"own.depthwise", CW_FAMILY_DEPTHWISE, true, true, cw_depthwise_f32_prepare, true, false, false, false},
     cw_depthwise_f32_why_not,
     cw_depthwise_f32_workspace,
     NULL},
#define ROW(m, r)                                                                                            \
    {{"own.winograd_f" #m "x" #r, CW_FAMILY_WINOGRAD, true, false, cw_winograd_f##m##x##r##_prepare, true,   \
      false, false, false},                                                                                  \
     cw_winograd_f##m##x##r##_why_not,                                                                       \
     cw_winograd_f##m##x##r##_workspace,                                                                     \
     NULL},
    CW_WINOGRADS(ROW)
#undef ROW
};

typedef struct own_state {
    cw_own_impl impls[CW_COUNT(rows)]; /* the rows with the machine filled in */
    const char *no_blas;               /* why OpenBLAS is not used, NULL = it is */
    char version[96];
} own_state;

/* OpenBLAS settles on its kernels when it is loaded; nothing but OPENBLAS_CORETYPE, set before, changes that.
 * Whether those in use keep to a capped machine. Kernels that are not known here do not. */
static bool blas_keeps_to(const cw_machine *machine) {
    static const struct {
        const char *core, *isa;
    } known[] = {{"Prescott", "sse41"},   {"Core2", "sse41"},  {"Penryn", "sse41"},
                 {"Dunnington", "sse41"}, {"Nehalem", "avx2"}, {"Sandybridge", "avx2"},
                 {"Haswell", "avx2"},     {"Zen", "avx2"},     {"SkylakeX", "avx512"}};
    const char *isa = NULL;
    for (size_t i = 0; i < CW_COUNT(known); i++)
        if (strcasecmp(known[i].core, openblas_get_corename()) == 0) isa = known[i].isa;
    return isa &&
           (machine->avx512 || strcmp(isa, "sse41") == 0 || (machine->avx2 && strcmp(isa, "avx2") == 0));
}

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
    if (machine->capped && !blas_keeps_to(machine))
        own->no_blas =
            "OpenBLAS runs kernels of the CPU, not of the cap: set OPENBLAS_CORETYPE before the start";
    *state = own;
    return CW_OK;
}

static void close(void *state) {
    cw_free(state);
}

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)err;
    const own_state *own = state;
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        const cw_own_impl *row = &own->impls[i];
        const char *why_not = p ? row->why_not(p) : NULL;
        if (p && row->impl.prepare == cw_gemm_prepare && own->no_blas) why_not = own->no_blas;
        visit(arg, &row->impl, why_not, false);
    }
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
