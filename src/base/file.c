/* file.c: whole files, read with a bound and written all or nothing. */
#include "base.h"
#include "../../include/convwise/tools.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return cw_fail_errno(err, path, "cannot open for writing");
    cw_status status = write_all(fd, data, size);
    if (status != CW_OK) status = cw_fail_errno(err, path, "cannot write");
    if (close(fd) != 0 && status == CW_OK) status = cw_fail_errno(err, path, "cannot write");
    return status;
}

/* A file of a new name beside path. Not mkstemp: that would ignore the umask. */
static int create_beside(const char *path, char **name) {
    for (int attempt = 0; attempt < 1000; attempt++) {
        cw_buf buf = {0};
        cw_buf_printf(&buf, "%s.%ld-%d.tmp", path, (long)getpid(), attempt);
        *name = cw_buf_take(&buf);
        if (!*name) return -1;
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
        cw_free(*name);
        *name = NULL;
    }
    return -1;
}

/* name: what the caller calls path. mode: of the file that is replaced, 0 = there is none. */
static cw_status replace(const char *path, const char *name, mode_t mode, const char *data, size_t size,
                         cw_error *err) {
    char *temporary = NULL;
    int fd = create_beside(path, &temporary);
    if (!temporary) return cw_fail_memory(err);
    cw_status status = CW_OK;
    if (fd < 0) {
        status = cw_fail_errno(err, name, "cannot create");
    } else {
        if (write_all(fd, data, size) != CW_OK || (mode && fchmod(fd, mode) != 0))
            status = cw_fail_errno(err, name, "cannot write");
        if (close(fd) != 0 && status == CW_OK) status = cw_fail_errno(err, name, "cannot write");
        if (status == CW_OK && rename(temporary, path) != 0)
            status = cw_fail_errno(err, name, "cannot replace");
        if (status != CW_OK) unlink(temporary);
    }
    cw_free(temporary);
    return status;
}

cw_status cw_write_file(const char *path, const char *data, size_t size, cw_error *err) {
    struct stat there;
    if (!*path) return cw_fail(err, CW_INVALID, "the name of the file to write is empty");
    if (stat(path, &there) != 0) return replace(path, path, 0, data, size, err);
    if (!S_ISREG(there.st_mode)) return write_in_place(path, data, size, err);
    /* What a link leads to is replaced, never the link: it may be the system's, as /dev/stdout is. */
    char *real = realpath(path, NULL);
    if (!real) return write_in_place(path, data, size, err);
    cw_status status = replace(real, path, there.st_mode & 07777, data, size, err);
    free(real);
    return status;
}

cw_status cw_read_file(const char *path, size_t most, char **text, size_t *size, cw_error *err) {
    cw_status status = CW_OK;
    char *data = NULL;
    size_t length = 0, capacity = 0;
    struct stat about;
    if (!*path) return cw_fail(err, CW_INVALID, "the name of the file to read is empty");
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

cw_status cw_save(const char *path, const char *text, cw_error *err) {
    return cw_write_file(path, text, strlen(text), err);
}
