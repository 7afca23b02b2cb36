/* armcl.h: the Arm Compute Library's NEON functions behind C. armcl.cpp is this project's C++, with
 * armcl_cl.cpp: it makes the library's tensors, asks, configures and runs; no exception leaves it. armcl.c is
 * the backend: names, layouts, kernels. docs/armcl.md says what is listed and what to mind. */
#ifndef CW_ARMCL_H
#define CW_ARMCL_H

#include "../../include/convwise/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum armcl_function {
    ARMCL_GEMM,
    ARMCL_DIRECT,
    ARMCL_WINOGRAD,
    ARMCL_DEPTHWISE,
    ARMCL_FUNCTIONS, /* how many */
} armcl_function;

/* A tensor in memory: element (n, c, y, x) is at offset + n*stride[0] + c*stride[1] + y*stride[2] +
 * x*stride[3], all in bytes. The library pads rows and planes where its kernels read or write beyond them.
 * flip: 0x80 where bytes are signed that are not in our problems, else 0. */
typedef struct armcl_tensor {
    size_t bytes;
    uint8_t flip;
    ptrdiff_t offset, stride[4];
} armcl_tensor;

/* A tensor without gaps. */
void armcl_dense(armcl_tensor *out, cw_layout layout, const int32_t extent[4], size_t element);
/* Copies all elements; `from` and `to` say where they are in either. */
void armcl_copy(const int32_t extent[4], size_t element, const armcl_tensor *from, const void *src,
                const armcl_tensor *to, void *dst);

/* "20.08" */
void armcl_version(char *text, size_t size);
/* The library runs its kernels through a scheduler of ours, on OpenMP's threads as all else here (its own
 * starts threads that a forked child does not have). A setting of the process; close puts back the former. */
void armcl_open(void);
void armcl_close(void);

/* p is canonical; its layout is not looked at: source and destination are in `layout`. */
bool armcl_offers(const cw_problem *p, armcl_function function, cw_layout layout);
/* The function that the library takes by itself, ARMCL_FUNCTIONS = none, or none of these. */
armcl_function armcl_choice(const cw_problem *p, cw_layout layout);

/* Bytes of workspace, and how source and destination must lie, of what armcl_create would make; -1 = it
 * fails. Configures all and throws it away. */
int64_t armcl_ask_workspace(const cw_problem *p, armcl_function function, cw_layout layout, armcl_tensor *src,
                            armcl_tensor *dst);

typedef struct armcl_conv armcl_conv;
/* Configured, weights packed. One function object each; armcl_destroy frees. */
cw_status armcl_create(const cw_problem *p, armcl_function function, cw_layout layout,
                       const cw_conv_args *args, armcl_conv **out, cw_error *err);
size_t armcl_workspace(const armcl_conv *conv);
/* How source and destination must lie in memory. */
const armcl_tensor *armcl_source(const armcl_conv *conv);
const armcl_tensor *armcl_destination(const armcl_conv *conv);
/* src may be written to, but only between its elements. */
cw_status armcl_run(armcl_conv *conv, const void *src, void *dst, void *workspace);
void armcl_destroy(armcl_conv *conv);

#ifdef __cplusplus
}
#endif
#endif
