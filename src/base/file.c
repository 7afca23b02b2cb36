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

/* What is to be written lies beside its place until it is whole; a device or pipe (/dev/stdout) is written in
 * place: there is nothing to keep whole. */
struct cw_writer {
    int fd;
    char *name;              /* what the caller calls it */
    char *place, *temporary; /* NULL = in place */
    mode_t mode;             /* of the file that is replaced, 0 = there is none */
};

static cw_status write_all(const cw_writer *w, const char *data, size_t size, cw_error *err) {
    while (size > 0) {
        ssize_t n = write(w->fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return cw_fail_errno(err, w->name, "cannot write");
        data += n;
        size -= (size_t)n;
    }
    return CW_OK;
}

/* A file of a new name beside the place. Not mkstemp: that would ignore the umask. */
static cw_status create_beside(cw_writer *w, cw_error *err) {
    for (int attempt = 0; attempt < 1000; attempt++) {
        cw_buf buf = {0};
        cw_buf_printf(&buf, "%s.%ld-%d.tmp", w->place, (long)getpid(), attempt);
        w->temporary = cw_buf_take(&buf);
        if (!w->temporary) return cw_fail_memory(err);
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0) return CW_OK;
        cw_free(w->temporary);
        w->temporary = NULL;
        if (errno != EEXIST) break;
    }
    return cw_fail_errno(err, w->name, "cannot create");
}

/* What a link leads to is replaced, never the link: it may be the system's, as /dev/stdout is. */
static cw_status start(cw_writer *w, cw_error *err) {
    struct stat there;
    bool exists = stat(w->name, &there) == 0, whole = !exists || S_ISREG(there.st_mode);
    if (whole && exists) {
        char *real = realpath(w->name, NULL);
        w->mode = there.st_mode & 07777;
        w->place = real ? cw_strdup(real) : NULL;
        free(real);
        whole = real != NULL;
    } else if (whole) {
        w->place = cw_strdup(w->name);
    }
    if (whole) return w->place ? create_beside(w, err) : cw_fail_memory(err);
    w->fd = open(w->name, O_WRONLY | O_CLOEXEC);
    return w->fd >= 0 ? CW_OK : cw_fail_errno(err, w->name, "cannot open for writing");
}

static void writer_free(cw_writer *w) {
    cw_free(w->name);
    cw_free(w->place);
    cw_free(w->temporary);
    cw_free(w);
}

cw_status cw_writer_open(const char *path, cw_writer **out, cw_error *err) {
    *out = NULL;
    if (!*path) return cw_fail(err, CW_INVALID, "the name of the file to write is empty");
    cw_writer *w = cw_alloc(sizeof *w);
    if (!w || !(w->name = cw_strdup(path))) {
        cw_free(w);
        return cw_fail_memory(err);
    }
    cw_status status = start(w, err);
    if (status == CW_OK)
        *out = w;
    else
        writer_free(w);
    return status;
}

cw_status cw_writer_put(void *writer, const char *data, size_t size, cw_error *err) {
    return write_all(writer, data, size, err);
}

cw_status cw_writer_close(cw_writer *w, cw_status status, cw_error *err) {
    if (!w) return status;
    if (status == CW_OK &&
        ((fsync(w->fd) != 0 && errno != EINVAL) || (w->temporary && w->mode && fchmod(w->fd, w->mode) != 0)))
        status = cw_fail_errno(err, w->name, "cannot write");
    if (close(w->fd) != 0 && status == CW_OK) status = cw_fail_errno(err, w->name, "cannot write");
    if (w->temporary) {
        if (status == CW_OK && rename(w->temporary, w->place) != 0)
            status = cw_fail_errno(err, w->name, "cannot replace");
        if (status != CW_OK) unlink(w->temporary);
    }
    writer_free(w);
    return status;
}

cw_status cw_write_file(const char *path, const char *data, size_t size, cw_error *err) {
    cw_writer *w;
    cw_status status = cw_writer_open(path, &w, err);
    if (status == CW_OK) status = cw_writer_put(w, data, size, err);
    return cw_writer_close(w, status, err);
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
