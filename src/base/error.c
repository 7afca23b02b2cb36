/* error.c: statuses and the caller-owned error. */
#include "base.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *cw_status_name(cw_status status) {
    static const char *const names[] = {
#define X(symbol, name) name,
        CW_STATUSES(X)
#undef X
    };
    return (size_t)status < CW_COUNT(names) ? names[status] : "unknown status";
}

const char *cw_version(void) {
    return CW_VERSION;
}

cw_status cw_fail(cw_error *err, cw_status status, const char *format, ...) {
    if (err) {
        err->status = status;
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return status;
}

cw_status cw_fail_errno(cw_error *err, const char *path, const char *what) {
    int code = errno;
    return cw_fail(err, code == ENOMEM ? CW_NO_MEMORY : CW_IO, "%.160s: %s: %s", path, what, strerror(code));
}

cw_status cw_fail_memory(cw_error *err) {
    return cw_fail(err, CW_NO_MEMORY, "out of memory");
}
