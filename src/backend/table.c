/* table.c: the one table of backends. To add one: its file in this folder, its declaration in context.h, its
 * row here (CONTRIBUTING.md). */
#include "context.h"

const cw_backend *const cw_backend_table[] = {
    &cw_backend_null,
    &cw_backend_ref,
    &cw_backend_own,
#if CW_WITH_ONEDNN
    &cw_backend_onednn,
#endif
#if CW_WITH_XNNPACK
    &cw_backend_xnnpack,
#endif
#if CW_WITH_LIBXSMM
    &cw_backend_libxsmm,
#endif
#if CW_WITH_ARMCL
    &cw_backend_armcl,
#endif
#if CW_WITH_ARMCL_CL
    &cw_backend_armcl_cl,
#endif
#if CW_WITH_CLBLAST
    &cw_backend_clblast,
#endif
    NULL,
};

/* Backends this source tree has but this build lacks: what `doctor` tells to install. */
const cw_backend_info cw_backends_absent[] = {
#if !CW_WITH_ONEDNN
    {"onednn", NULL, "libdnnl-dev", false},
#endif
#if !CW_WITH_XNNPACK
    {"xnnpack", NULL, "libxnnpack-dev libpthreadpool-dev libcpuinfo-dev", false},
#endif
#if !CW_WITH_LIBXSMM && defined(__x86_64__)
    {"libxsmm", NULL, "libxsmm-dev", false},
#endif
#if !CW_WITH_ARMCL && defined(__aarch64__)
    {"armcl", NULL, "libarm-compute-dev", false},
#endif
#if !CW_WITH_CLBLAST
    {"clblast", NULL, "libclblast-dev ocl-icd-opencl-dev", false},
#endif
    {NULL, NULL, NULL, false},
};
