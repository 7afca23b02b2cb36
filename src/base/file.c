/* file.c: whole files, read with a bound and written all or nothing. */
#include "base.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static cw_status write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return CW_IO;
        data += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0 || errno == EINVAL ? CW_OK : CW_IO;
}

/* A device or pipe (/dev/stdout) is written in place: there is nothing to keep whole. */
static cw_status write_in_place(const char *path, const char *data, size_t size, cw_error *err) {
    int fd = open(path, O_WRONLY);
    if (fd < 0) return cw_fail_errno(err, path, "cannot open for writing");
    cw_status status = write_all(fd, data, size);
    if (status != CW_OK) status = cw_fail_errno(err, path, "cannot write");
    if (close(fd) != 0 && status == CW_OK) status = cw_fail_errno(err, path, "cannot write");
    return status;
}

cw_status cw_write_file(const char *path, const char *data, size_t size, cw_error *err) {
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) return write_in_place(path, data, size, err);
    cw_buf name = {0};
    cw_buf_printf(&name, "%s.XXXXXX", path);
    char *temporary = cw_buf_take(&name);
    if (!temporary) return cw_fail_memory(err);
    cw_status status = CW_OK;
    int fd = mkstemp(temporary);
    if (fd < 0) {
        status = cw_fail_errno(err, path, "cannot create");
    } else {
        if (write_all(fd, data, size) != CW_OK || fchmod(fd, 0644) != 0)
            status = cw_fail_errno(err, path, "cannot write");
        if (close(fd) != 0 && status == CW_OK) status = cw_fail_errno(err, path, "cannot write");
        if (status == CW_OK && rename(temporary, path) != 0)
            status = cw_fail_errno(err, path, "cannot replace");
        if (status != CW_OK) unlink(temporary);
    }
    cw_free(temporary);
    return status;
}

cw_status cw_read_file(const char *path, size_t most, char **text, size_t *size, cw_error *err) {
    cw_status status = CW_OK;
    char *data = NULL;
    size_t length = 0, capacity = 0;
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cw_fail_errno(err, path, "cannot open");
    if (fstat(fd, &about) != 0) {
        status = cw_fail_errno(err, path, "cannot read");
    } else if (S_ISDIR(about.st_mode)) {
        status = cw_fail(err, CW_IO, "%s: is a folder, not a file", path);
    }
    while (status == CW_OK) {
        if (!cw_grow(&data, &capacity, length + 65536 + 1, 1)) {
            status = cw_fail_memory(err);
            break;
        }
        ssize_t n = read(fd, data + length, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = cw_fail_errno(err, path, "cannot read");
        if (n <= 0) break;
        length += (size_t)n;
        if (length > most)
            status =
                cw_fail(err, CW_FORMAT, "%s: larger than the %zu bytes such a file may have", path, most);
    }
    close(fd);
    if (status != CW_OK) {
        cw_free(data);
        return status;
    }
    data[length] = '\0';
    *text = data;
    *size = length;
    return CW_OK;
}
