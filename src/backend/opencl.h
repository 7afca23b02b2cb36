/* opencl.h: OpenCL's devices, for the backends that run on one. */
#ifndef CW_OPENCL_H
#define CW_OPENCL_H
#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include "../../include/convwise.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cw_opencl_device {
    char name[160]; /* "DEVICE (PLATFORM)" */
    char driver[64];
    uint64_t buffer_bytes; /* most that one buffer may have */
} cw_opencl_device;

/* wanted: "" = the first GPU, or else the first device; else the device of that name, or else the first whose
 * name has it in it. Asks in a child process, since drivers start threads, which a later fork would lose, and
 * some of them crash. CW_NOT_FOUND says what there is. */
cw_status cw_opencl_find(const char *wanted, cw_opencl_device *out, cw_error *err);
/* The device of that name for this process; NULL = gone. */
cl_device_id cw_opencl_get(const char *name);

#ifdef __cplusplus
}
#endif

#endif
