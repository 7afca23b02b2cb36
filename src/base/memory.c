/* memory.c: the one allocator, and the growing text buffer. */
#include "base.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* From here on memory is asked for in large pages: reading tens of megabytes of weights in order is up to 1.6
 * times as fast, and taking them a fraction of the page faults. */
enum { LARGE = 4 << 20, LARGE_PAGE = 2 << 20 };

/* Per-thread and never set outside tests: the one exception to "no mutable globals". */
static _Thread_local long fail_at;

void cw_alloc_fail_at(long n) {
    fail_at = n;
}

static void *take(size_t size) {
    if (fail_at > 0 && --fail_at == 0) return NULL;
    void *memory = NULL;
    size_t alignment = size >= LARGE ? LARGE_PAGE : 64;
    if (size > PTRDIFF_MAX || posix_memalign(&memory, alignment, size ? size : 1) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    if (size >= LARGE)
        (void)madvise(memory, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE); /* or it stays as it is */
#endif
    return memory;
}

void *cw_alloc(size_t size) {
    void *memory = take(size);
    if (memory) memset(memory, 0, size);
    return memory;
}

void *cw_alloc_unset(size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) return NULL;
    return take(bytes);
}

void *cw_alloc_n(size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) return NULL;
    return cw_alloc(bytes);
}

void cw_free(void *memory) {
    free(memory);
}

bool cw_grow(void *array, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity) return true;
    size_t grown = *capacity ? *capacity : 16;
    while (grown < need) {
        if (grown > SIZE_MAX / 2) return false;
        grown *= 2;
    }
    size_t bytes;
    if (__builtin_mul_overflow(grown, size, &bytes)) return false;
    void *old, *fresh = take(bytes); /* not cleared: what is never used then takes no memory */
    if (!fresh) return false;
    memcpy(&old, array, sizeof old);
    if (old) memcpy(fresh, old, *capacity * size);
    free(old);
    memcpy(array, &fresh, sizeof fresh);
    *capacity = grown;
    return true;
}

char *cw_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = cw_alloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

static bool reserve(cw_buf *buf, size_t more) {
    if (!buf->failed && !cw_grow(&buf->text, &buf->capacity, buf->length + more + 1, 1)) buf->failed = true;
    return !buf->failed;
}

void cw_buf_put(cw_buf *buf, const char *text) {
    size_t length = strlen(text);
    if (!reserve(buf, length)) return;
    memcpy(buf->text + buf->length, text, length + 1);
    buf->length += length;
}

void cw_buf_printf(cw_buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length >= 0 && reserve(buf, (size_t)length)) {
        vsnprintf(buf->text + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

void cw_buf_double(cw_buf *buf, double x) {
    char text[32];
    cw_format_double(text, x);
    cw_buf_put(buf, text);
}

void cw_buf_rounded(cw_buf *buf, double x, int decimals) {
    double scale = 1;
    for (int i = 0; i < decimals; i++) scale *= 10;
    /* Beyond 2^52 a double has no decimals left. + 0 makes -0.0 plain. */
    cw_buf_double(buf, fabs(x) * scale < 0x1p52 ? round(x * scale) / scale + 0 : x);
}

char *cw_buf_take(cw_buf *buf) {
    if (!buf->failed && !buf->text) cw_buf_put(buf, "");
    char *text = buf->failed ? NULL : buf->text;
    if (buf->failed) free(buf->text);
    *buf = (cw_buf){0};
    return text;
}

void cw_buf_release(cw_buf *buf) {
    free(buf->text);
    *buf = (cw_buf){0};
}
