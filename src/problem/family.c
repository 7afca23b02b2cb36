/* family.c: how implementations work, as far as their library's names for them tell. */
#include "problem.h"
#include <string.h>

cw_family cw_family_of_onednn(const char *info) {
    if (strstr(info, "wino")) return CW_FAMILY_WINOGRAD;
    if (strstr(info, "_dw") || strstr(info, "brdgmm")) return CW_FAMILY_DEPTHWISE;
    /* brgemm is a batch-reduce kernel called inside a direct loop, no im2col. */
    if (strstr(info, "gemm") && !strstr(info, "brgemm")) return CW_FAMILY_GEMM;
    return CW_FAMILY_DIRECT;
}

bool cw_impl_is_reduced(const char *name) {
    const char *dot = strchr(name, '.');
    return dot && strncmp(dot, ".bf16.", 6) == 0;
}
