/* shim.c: stands in front of OpenCL's loader under the name that the Arm Compute Library opens, so that the
 * library's OpenCL side runs on PoCL, emulated (docs/armcl.md). For tests only: it says that a device can do
 * what it cannot be asked for, and mends the library's kernels. Everything that is not here is the loader's.
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The loader's function of the same name and type. */
#define REAL(name, type)                                                                                     \
    type *real;                                                                                              \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

typedef cl_int device_info(cl_device_id, cl_device_info, size_t, void *, size_t *);
typedef cl_int build_program(cl_program, cl_uint, const cl_device_id *, const char *,
                             void(CL_CALLBACK *)(cl_program, void *), void *);
typedef cl_program create_program(cl_context, cl_uint, const char **, const size_t *, cl_int *);

/* Where a device has no OpenCL 2.0, the library asks for this extension. It cuts its work into groups that
 * all are of one size, or lets the device cut it, so nothing comes of it. */
cl_int clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t size, void *value, size_t *told) {
    static const char more[] = " cl_arm_non_uniform_work_group_size";
    REAL(clGetDeviceInfo, device_info);
    size_t length = 0;
    if (what != CL_DEVICE_EXTENSIONS) return real(device, what, size, value, told);
    cl_int code = real(device, what, 0, NULL, &length);
    if (code != CL_SUCCESS) return code;
    if (told) *told = length + sizeof more - 1;
    if (!value) return CL_SUCCESS;
    if (size < length + sizeof more - 1) return CL_INVALID_VALUE;
    code = real(device, what, size, value, NULL);
    if (code == CL_SUCCESS) strcat(value, more);
    return code;
}

/* The compiler does not know the option of that extension. */
cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                      void(CL_CALLBACK *notify)(cl_program, void *), void *data) {
    static const char unknown[] = "-cl-arm-non-uniform-work-group-size";
    REAL(clBuildProgram, build_program);
    char *known = strdup(options ? options : "");
    if (!known) return CL_OUT_OF_HOST_MEMORY;
    for (char *at = known; (at = strstr(at, unknown));) memset(at, ' ', sizeof unknown - 1);
    cl_int code = real(program, count, devices, known, notify, data);
    free(known);
    return code;
}

/* CONVERT_TO_TENSOR4D_STRUCT_NO_STEP(tensor, 0) divides by its second argument and multiplies what comes of
 * it by 0. GPUs do not mind; PoCL's compiler makes it a trap. With 1 the product is the same. */
cl_program clCreateProgramWithSource(cl_context context, cl_uint count, const char **texts,
                                     const size_t *lengths, cl_int *code) {
    static const char macro[] = "TENSOR4D_STRUCT_NO_STEP(", zero[] = ", 0)";
    REAL(clCreateProgramWithSource, create_program);
    if (count != 1) abort(); /* the library gives one text */
    char *text = strndup(texts[0], lengths && lengths[0] ? lengths[0] : strlen(texts[0]));
    if (!text) abort();
    for (char *at = text; (at = strstr(at, macro));) {
        at += strcspn(at, ",\n");
        if (strncmp(at, zero, sizeof zero - 1) == 0) at[2] = '1';
    }
    const char *mended = text;
    cl_program program = real(context, 1, &mended, NULL, code);
    free(text);
    return program;
}
