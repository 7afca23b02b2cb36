/* lines.c: reading lines from plain and bzip2-compressed files. Not here: what the lines mean.
 *
 * Two buffers: `in` holds what was read from the file, `line` what is text. Text that has been handed out is
 * dropped when more is needed, so that memory follows the longest line, not the file.
 *
 * A compressed file is unpacked by a thread of its own, one block ahead of the lines: unpacking takes about
 * half as long as storing what the lines say. The thread owns the file, `in` and the stream from its start to
 * its join; `block` and what is said of it belong to the thread until it sets `ready`, then to the reader. */
#include "lines.h"
#include <bzlib.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* TEXT: what is unpacked at a time, as much as a block of bzip2. In smaller steps unpacking and what is done
 * with the lines drive each other's data out of the cache: twice the time of unpacking. */
enum { CHUNK = 1 << 16, TEXT = 1 << 20 };

struct cw_lines {
    char *path;
    int fd;
    int64_t number;
    bool file_end; /* nothing more in the file */
    bool text_end; /* nothing more to come into `line` */
    bool after_cr; /* an LF that comes next belongs to the CR before it */
    bool running;  /* inside a compressed stream */
    bool failed;
    bz_stream bz;
    char *in;
    size_t in_at, in_end;
    char *line;
    size_t at, end, capacity; /* text not handed out yet: [at, end) */

    char *block; /* NULL = no thread */
    size_t block_size;
    cw_status block_status; /* else the thread has ended */
    const char *wrong;      /* of a failure: with the stream, or NULL: see block_err */
    cw_error block_err;
    pthread_t thread;
    pthread_mutex_t mutex; /* of ready and stop */
    pthread_cond_t turn;
    bool ready, stop;
};

cw_status cw_lines_fail(const cw_lines *lines, cw_error *err, const char *format, ...) {
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return cw_fail(err, CW_FORMAT, "%.120s:%lld: %s", lines->path, (long long)lines->number, what);
}

int64_t cw_lines_number(const cw_lines *lines) {
    return lines->number;
}

const char *cw_lines_path(const cw_lines *lines) {
    return lines->path;
}

/* ---- Bytes ---- */

/* Appends to `in`, whose room the caller made. */
static cw_status read_file(cw_lines *l, cw_error *err) {
    ssize_t n;
    do n = read(l->fd, l->in + l->in_end, CHUNK - l->in_end);
    while (n < 0 && errno == EINTR);
    if (n < 0) return cw_fail_errno(err, l->path, "cannot read");
    if (n == 0) l->file_end = true;
    l->in_end += (size_t)n;
    return CW_OK;
}

/* A stream begins with "BZh", a digit, and the mark of a block or of the end; a file cut short within these
 * is one too. */
static bool is_packed(const char *data, size_t n) {
    static const char block[] = "\x31\x41\x59\x26\x53\x59", last[] = "\x17\x72\x45\x38\x50\x90";
    if (n < 4 || memcmp(data, "BZh", 3) != 0 || data[3] < '1' || data[3] > '9') return false;
    size_t rest = n - 4 < 6 ? n - 4 : 6;
    return memcmp(data + 4, block, rest) == 0 || memcmp(data + 4, last, rest) == 0;
}

/* The line that was being read when this was noticed. */
static cw_status bad_line(cw_lines *l, const char *what, cw_error *err) {
    l->number++;
    return cw_lines_fail(l, err, "%s", what);
}

/* The next block, of no bytes where there are no more. */
static cw_status unpack(cw_lines *l) {
    l->bz.next_out = l->block;
    l->bz.avail_out = TEXT;
    while (l->bz.avail_out == TEXT) {
        if (l->in_at == l->in_end && !l->file_end) {
            l->in_at = l->in_end = 0;
            cw_status status = read_file(l, &l->block_err);
            if (status != CW_OK) return status;
        }
        if (l->in_at == l->in_end && !l->running) break;
        if (!l->running) {
            if (BZ2_bzDecompressInit(&l->bz, 0, 0) != BZ_OK) return cw_fail_memory(&l->block_err);
            l->running = true;
        }
        l->bz.next_in = l->in + l->in_at;
        l->bz.avail_in = (unsigned)(l->in_end - l->in_at);
        int code = BZ2_bzDecompress(&l->bz);
        l->in_at = l->in_end - l->bz.avail_in;
        if (code == BZ_MEM_ERROR) return cw_fail_memory(&l->block_err);
        if (code == BZ_STREAM_END) {
            BZ2_bzDecompressEnd(&l->bz);
            l->running = false;
        } else if (code != BZ_OK) {
            l->wrong = "the compressed file is damaged here (bzip2 -t tests it)";
            return CW_FORMAT;
        } else if (l->in_at == l->in_end && l->file_end && l->bz.avail_out == TEXT) {
            l->wrong = "the compressed file is cut short here: fetch it again";
            return CW_FORMAT;
        }
    }
    l->block_size = TEXT - l->bz.avail_out;
    return CW_OK;
}

static void *unpack_all(void *arg) {
    cw_lines *l = arg;
    bool last = false;
    while (!last) {
        l->block_status = unpack(l);
        last = l->block_status != CW_OK || l->block_size == 0;
        pthread_mutex_lock(&l->mutex);
        l->ready = true;
        pthread_cond_signal(&l->turn);
        while (l->ready && !l->stop) pthread_cond_wait(&l->turn, &l->mutex);
        last = last || l->stop;
        pthread_mutex_unlock(&l->mutex);
    }
    return NULL;
}

static cw_status start_thread(cw_lines *l, cw_error *err) {
    l->block = cw_alloc(TEXT);
    if (!l->block) return cw_fail_memory(err);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->turn, NULL);
    int code = pthread_create(&l->thread, NULL, unpack_all, l);
    if (code == 0) return CW_OK;
    cw_free(l->block);
    l->block = NULL;
    return cw_fail(err, CW_IO, "%.120s: cannot start a thread to unpack it: %.60s", l->path, strerror(code));
}

static void stop_thread(cw_lines *l) {
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_signal(&l->turn);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->turn);
    pthread_mutex_destroy(&l->mutex);
    cw_free(l->block);
}

/* Up to TEXT bytes to `to`; 0 with text_end where there are no more. */
static cw_status take_block(cw_lines *l, char *to, size_t *got, cw_error *err) {
    pthread_mutex_lock(&l->mutex);
    while (!l->ready) pthread_cond_wait(&l->turn, &l->mutex);
    pthread_mutex_unlock(&l->mutex);
    if (l->wrong) return bad_line(l, l->wrong, err);
    if (l->block_status != CW_OK) {
        if (err) *err = l->block_err;
        return l->block_status;
    }
    memcpy(to, l->block, l->block_size);
    *got = l->block_size;
    l->text_end = l->block_size == 0;
    pthread_mutex_lock(&l->mutex);
    l->ready = false;
    pthread_cond_signal(&l->turn);
    pthread_mutex_unlock(&l->mutex);
    return CW_OK;
}

static cw_status begin(cw_lines *l, cw_error *err) {
    cw_status status = CW_OK;
    while (status == CW_OK && !l->file_end && l->in_end < 10) status = read_file(l, err);
    if (status != CW_OK) return status;
    return is_packed(l->in, l->in_end) ? start_thread(l, err) : CW_OK;
}

static cw_status copy(cw_lines *l, char *to, size_t room, size_t *got, cw_error *err) {
    if (l->in_at == l->in_end && !l->file_end) {
        l->in_at = l->in_end = 0;
        cw_status status = read_file(l, err);
        if (status != CW_OK) return status;
    }
    *got = l->in_end - l->in_at < room ? l->in_end - l->in_at : room;
    memcpy(to, l->in + l->in_at, *got);
    l->in_at += *got;
    l->text_end = *got == 0;
    return CW_OK;
}

/* ---- Lines ---- */

/* More text behind `end`; what was handed out makes room. One byte stays free for a NUL. */
static cw_status more(cw_lines *l, cw_error *err) {
    if (l->line) memmove(l->line, l->line + l->at, l->end - l->at); /* NULL at first */
    l->end -= l->at;
    l->at = 0;
    if (!cw_grow(&l->line, &l->capacity, l->end + TEXT + 1, 1)) return cw_fail_memory(err);
    size_t got = 0;
    cw_status status =
        l->block ? take_block(l, l->line + l->end, &got, err) : copy(l, l->line + l->end, TEXT, &got, err);
    l->end += got;
    return status;
}

/* Whether there is a byte `n` behind those handed out. */
static cw_status peek(cw_lines *l, size_t n, bool *there, cw_error *err) {
    cw_status status = CW_OK;
    while (status == CW_OK && l->at + n == l->end && !l->text_end) status = more(l, err);
    *there = l->at + n < l->end;
    return status;
}

/* A byte order mark at the beginning of the text, packed or not, is no text. */
static cw_status skip_mark(cw_lines *l, cw_error *err) {
    static const char mark[] = "\xEF\xBB\xBF";
    bool there;
    for (size_t n = 0; n < 3; n++) {
        cw_status status = peek(l, n, &there, err);
        if (status != CW_OK || !there || l->line[l->at + n] != mark[n]) return status;
    }
    l->at += 3;
    return CW_OK;
}

static cw_status next(cw_lines *l, char **text, size_t *length, cw_error *err) {
    bool there;
    size_t n = 0;
    cw_status status = peek(l, 0, &there, err);
    if (status == CW_OK && there && l->after_cr && l->line[l->at] == '\n') {
        l->at++;
        status = peek(l, 0, &there, err);
    }
    l->after_cr = false;
    if (status != CW_OK || !there) return status;
    while (there && l->line[l->at + n] != '\n' && l->line[l->at + n] != '\r') {
        if (l->line[l->at + n] == '\0') return bad_line(l, "holds a NUL byte: this is not a text file", err);
        if (n++ == CW_LINE_MAX)
            return bad_line(l, "longer than 1 MiB: this is not a table of measurements", err);
        if (l->at + n < l->end) continue;
        status = peek(l, n, &there, err);
        if (status != CW_OK) return status;
    }
    *text = l->line + l->at;
    if (length) *length = n;
    l->after_cr = there && (*text)[n] == '\r';
    (*text)[n] = '\0';
    l->at += there ? n + 1 : n;
    l->number++;
    return CW_OK;
}

cw_status cw_lines_next(cw_lines *lines, char **text, size_t *length, cw_error *err) {
    *text = NULL;
    if (length) *length = 0;
    if (lines->failed) return cw_lines_fail(lines, err, "reading has failed already");
    cw_status status = lines->number == 0 ? skip_mark(lines, err) : CW_OK;
    if (status == CW_OK) status = next(lines, text, length, err);
    lines->failed = status != CW_OK;
    return status;
}

cw_status cw_lines_open(const char *path, cw_lines **out, cw_error *err) {
    struct stat about;
    cw_status status = CW_OK;
    cw_lines *l = cw_alloc(sizeof *l);
    if (!l) return cw_fail_memory(err);
    l->fd = -1;
    l->path = cw_strdup(path);
    l->in = cw_alloc(CHUNK);
    if (!l->path || !l->in) {
        status = cw_fail_memory(err);
    } else if ((l->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        status = cw_fail_errno(err, path, "cannot open");
    } else if (fstat(l->fd, &about) != 0) {
        status = cw_fail_errno(err, path, "cannot read");
    } else if (S_ISDIR(about.st_mode)) {
        status = cw_fail(err, CW_IO, "%.180s: is a folder, not a file", path);
    } else {
        status = begin(l, err);
    }
    if (status != CW_OK) {
        cw_lines_close(l);
        return status;
    }
    *out = l;
    return CW_OK;
}

void cw_lines_close(cw_lines *lines) {
    if (!lines) return;
    if (lines->block) stop_thread(lines);
    if (lines->running) BZ2_bzDecompressEnd(&lines->bz);
    if (lines->fd >= 0) close(lines->fd);
    cw_free(lines->path);
    cw_free(lines->in);
    cw_free(lines->line);
    cw_free(lines);
}
