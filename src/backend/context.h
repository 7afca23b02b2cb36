/* context.h: the open backends, and a prepared convolution with its layout changes. */
#ifndef CW_CONTEXT_H
#define CW_CONTEXT_H

#include "../../include/convwise/backend.h"
#include "../../include/convwise/tools.h"

/* The one table of backends (table.c); NULL-ended. */
extern const cw_backend *const cw_backend_table[];

struct cw_context {
    cw_machine machine;
    size_t count; /* of open backends, in the order of the table */
    struct cw_open_backend {
        const cw_backend *backend;
        void *state;
    } * open;
    cw_backend_info *infos; /* of the open ones, then of the others */
    size_t info_count;
};

/* One implementation of a problem, found. */
typedef struct cw_found {
    const cw_impl *impl;
    const cw_backend *backend;
    const char *why_not; /* NULL = supported */
    bool library_choice;
    bool transposed;   /* an NCHW problem, asked of the backend in NHWC: runs between transpositions */
    int64_t workspace; /* bytes that a run takes; -1 = unknown, or not supported */
} cw_found;

/* As cw_impls, with the implementations themselves. */
cw_status cw_context_list(cw_context *ctx, const cw_problem *p, cw_found **out, size_t *count, cw_error *err);
/* By name, for p: NOT_FOUND if nobody knows it, UNSUPPORTED with the reason. */
cw_status cw_context_find(cw_context *ctx, const cw_problem *p, const char *name, cw_found *out,
                          cw_error *err);
/* What cw_conv_create does of it: p canonical, in its own layout. */
cw_status cw_found_prepare(const cw_found *found, const cw_problem *p, const cw_conv_args *args,
                           cw_kernel **out, cw_error *err);
/* Bytes that a run takes, -1 = unknown; found supports p. */
int64_t cw_found_workspace(const cw_found *found, void *state, const cw_problem *p);
/* The library version of the backend at hand. */
const char *cw_context_version(const cw_context *ctx, const cw_backend *backend);

extern const cw_backend cw_backend_null, cw_backend_ref, cw_backend_own;
#if CW_WITH_ONEDNN
extern const cw_backend cw_backend_onednn;
#endif
#if CW_WITH_XNNPACK
extern const cw_backend cw_backend_xnnpack;
#endif
#if CW_WITH_LIBXSMM
extern const cw_backend cw_backend_libxsmm;
#endif
#if CW_WITH_ARMCL
extern const cw_backend cw_backend_armcl;
#endif
#if CW_WITH_ARMCL_CL
extern const cw_backend cw_backend_armcl_cl;
#endif
#if CW_WITH_CLBLAST
extern const cw_backend cw_backend_clblast;
#endif

/* The implementation that supports every valid problem: what a choice falls back to. */
#define CW_LAST_RESORT "own.direct"

#endif
