/* opencl.c: finds OpenCL's devices. Nothing here computes. */
#include "opencl.h"
#include "../base/base.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than anybody has; what comes behind them is not seen. */
enum { PLATFORMS = 16, DEVICES = 32 };

/* Calls visit for each device, in OpenCL's order, until it says true. */
typedef bool device_visit(void *arg, cl_device_id device, const char *name);

static void each_device(device_visit *visit, void *arg) {
    cl_platform_id platforms[PLATFORMS];
    cl_device_id devices[DEVICES];
    cl_uint platform_count = 0;
    if (clGetPlatformIDs(PLATFORMS, platforms, &platform_count) != CL_SUCCESS) return;
    for (cl_uint p = 0; p < platform_count && p < PLATFORMS; p++) {
        char platform[64] = "", device[80] = "", name[sizeof((cw_opencl_device *)0)->name];
        cl_uint count = 0;
        clGetPlatformInfo(platforms[p], CL_PLATFORM_NAME, sizeof platform, platform, NULL);
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, DEVICES, devices, &count) != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < count && d < DEVICES; d++) {
            clGetDeviceInfo(devices[d], CL_DEVICE_NAME, sizeof device, device, NULL);
            snprintf(name, sizeof name, "%s (%s)", device, platform);
            if (visit(arg, devices[d], name)) return;
        }
    }
}

typedef struct named {
    const char *name;
    cl_device_id device;
} named;

static bool is_named(void *arg, cl_device_id device, const char *name) {
    named *n = arg;
    if (strcmp(name, n->name) == 0) n->device = device;
    return n->device != NULL;
}

cl_device_id cw_opencl_get(const char *name) {
    named n = {name, NULL};
    each_device(is_named, &n);
    return n.device;
}

/* What the child answers. */
typedef struct answer {
    cw_opencl_device device; /* name "": none fits */
    char others[128];        /* names that do not */
} answer;

typedef struct search {
    const char *wanted;
    int best; /* how well `answer` fits: 0 = it does not */
    answer *answer;
} search;

static bool look_at(void *arg, cl_device_id device, const char *name) {
    search *s = arg;
    cl_device_type type = 0;
    clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    int fits = *s->wanted ? !!strstr(name, s->wanted) + (strcmp(name, s->wanted) == 0)
                          : 1 + !!(type & CL_DEVICE_TYPE_GPU);
    size_t used = strlen(s->answer->others);
    if (!fits)
        snprintf(s->answer->others + used, sizeof s->answer->others - used, "%s%s", used ? ", " : "", name);
    if (fits <= s->best) return false;
    cl_ulong bytes = 0;
    cw_opencl_device *out = &s->answer->device;
    s->best = fits;
    snprintf(out->name, sizeof out->name, "%s", name);
    clGetDeviceInfo(device, CL_DRIVER_VERSION, sizeof out->driver, out->driver, NULL);
    clGetDeviceInfo(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof bytes, &bytes, NULL);
    out->buffer_bytes = bytes;
    return false;
}

static _Noreturn void child(const char *wanted, int fd) {
    answer a = {0};
    search s = {wanted, 0, &a};
    each_device(look_at, &s);
    ssize_t written = write(fd, &a, sizeof a); /* less than a pipe holds at once */
    _exit(written == (ssize_t)sizeof a ? 0 : 1);
}

static cw_status ask(const char *wanted, answer *out, cw_error *err) {
    enum { PATIENCE_MS = 60000 };
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return cw_fail_errno(err, "OpenCL", "pipe");
    pid_t pid = fork();
    if (pid == 0) child(wanted, ends[1]);
    close(ends[1]);
    cw_status status = pid < 0 ? cw_fail_errno(err, "OpenCL", "fork") : CW_OK;
    struct pollfd ready = {.fd = ends[0], .events = POLLIN};
    if (status == CW_OK &&
        (poll(&ready, 1, PATIENCE_MS) != 1 || read(ends[0], out, sizeof *out) != (ssize_t)sizeof *out))
        status = cw_fail(err, CW_BACKEND, "OpenCL crashed or hangs while it looks for devices (try clinfo)");
    if (status != CW_OK && pid > 0) kill(pid, SIGKILL);
    if (pid > 0) waitpid(pid, NULL, 0);
    close(ends[0]);
    return status;
}

cw_status cw_opencl_find(const char *wanted, cw_opencl_device *out, cw_error *err) {
    answer a = {0};
    cw_status status = ask(wanted, &a, err);
    if (status != CW_OK) return status;
    *out = a.device;
    if (a.device.name[0]) return CW_OK;
    if (a.others[0])
        return cw_fail(err, CW_NOT_FOUND, "no OpenCL device has '%.60s' in its name; there is: %s", wanted,
                       a.others);
    return cw_fail(
        err, CW_NOT_FOUND,
        "no OpenCL device here: install your GPU's driver, or, to try it on the CPU: apt-get install "
        "pocl-opencl-icd");
}
