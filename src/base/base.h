/* base.h: what every folder may use: errors, memory, text buffer, random numbers, clock, numbers as text,
 * hash. Not here: anything that knows of convolutions. */
#ifndef CW_BASE_H
#define CW_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "../../include/convwise.h"

#define CW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Fills err (may be NULL) and returns status, so that `return cw_fail(err, CW_INVALID, "...")` is one line.
 */
cw_status cw_fail(cw_error *err, cw_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* CW_IO or CW_NO_MEMORY with errno's text: "path: what: No space left on device". */
cw_status cw_fail_errno(cw_error *err, const char *path, const char *what);
cw_status cw_fail_memory(cw_error *err);

/* Zeroed memory, aligned to 64 bytes, freed with cw_free (or free). NULL when out of memory or when n * size
 * overflows. */
void *cw_alloc(size_t size);
void *cw_alloc_n(size_t n, size_t size);
/* As cw_alloc_n, but not zeroed. */
void *cw_alloc_unset(size_t n, size_t size);
/* Grows *array (of elements of `size` bytes) so that index `need - 1` exists; doubles. false = out of memory.
 * New elements are not cleared. */
bool cw_grow(void *array, size_t *capacity, size_t need, size_t size);
char *cw_strdup(const char *text);
/* Tests only: the n-th allocation from now (1 = next) on this thread fails, 0 = never. */
void cw_alloc_fail_at(long n);

/* Growing text. Errors stick: check `failed` (or cw_buf_take's NULL) once at the end. */
typedef struct cw_buf {
    char *text; /* always NUL-terminated once not NULL */
    size_t length, capacity;
    bool failed;
} cw_buf;
void cw_buf_put(cw_buf *buf, const char *text);
void cw_buf_printf(cw_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Shortest text that reads back as the same double, locale-free, valid as a C and JSON number ("1e300",
 * "0.1", "-5.0"). */
void cw_buf_double(cw_buf *buf, double x);
/* For people: x rounded to so many decimals (0 to 9), locale-free: 2.0 / 3 with 3 gives "0.667", 2 gives
 * "2.0". */
void cw_buf_rounded(cw_buf *buf, double x, int decimals);
/* The text, now the caller's (cw_free); NULL when out of memory. The buffer is empty afterwards. */
char *cw_buf_take(cw_buf *buf);
void cw_buf_release(cw_buf *buf);

/* As cw_buf_double, into text of at least 32 bytes. */
void cw_format_double(char text[32], double x);
/* Locale-free strtod of a whole string ("inf" and "nan" included); false if text is not just a number. */
bool cw_parse_double(const char *text, double *out);
/* Whole string, decimal, within [lo, hi]. */
bool cw_parse_int(const char *text, int64_t lo, int64_t hi, int64_t *out);

/* xoshiro256** seeded by splitmix64 (Blackman, Vigna 2018). Same seed, same numbers, everywhere. */
typedef struct cw_rng {
    uint64_t s[4];
} cw_rng;
cw_rng cw_rng_seed(uint64_t seed);
uint64_t cw_rng_next(cw_rng *rng);
uint64_t cw_rng_below(cw_rng *rng, uint64_t n); /* 0..n-1, unbiased; n > 0 */
double cw_rng_uniform(cw_rng *rng);             /* [0, 1) */
double cw_rng_normal(cw_rng *rng);              /* N(0, 1) */

/* Whether the name matches one of the patterns (fnmatch, comma-separated). */
bool cw_matches(const char *patterns, const char *name);

uint64_t cw_hash(const void *data, size_t size, uint64_t seed); /* FNV-1a, 64 bit */

/* Calls fn(arg, 0) ... fn(arg, count - 1), each once, on up to `threads` threads (at most 64, the caller one
 * of them; 1 and below: in place and in order) and returns when all are done. Which thread takes which is
 * left to chance: fn must write only what belongs to its index, and then the number of threads changes no
 * result. Where threads cannot be started, those there are do the work. */
void cw_parallel(int32_t threads, size_t count, void (*fn)(void *arg, size_t index), void *arg);

int64_t cw_now_ns(void); /* CLOCK_MONOTONIC_RAW */

/* Writes a file in parts, all or nothing: close with CW_OK puts it in its place, with another status nothing
 * is left of it; returns that status or its own. A writer is closed where open succeeded; NULL is fine.
 * cw_writer_put is a cw_sink. */
typedef struct cw_writer cw_writer;
cw_status cw_writer_open(const char *path, cw_writer **out, cw_error *err);
cw_status cw_writer_put(void *writer, const char *data, size_t size, cw_error *err);
cw_status cw_writer_close(cw_writer *writer, cw_status status, cw_error *err);
/* Writes size bytes to path by way of a temporary file beside it, fsync and rename: all or nothing. A link
 * stays a link, a replaced file's mode stays; devices and pipes are written in place. */
cw_status cw_write_file(const char *path, const char *data, size_t size, cw_error *err);
/* Reads a whole regular file of at most `most` bytes; text is NUL-terminated; free with cw_free. */
cw_status cw_read_file(const char *path, size_t most, char **text, size_t *size, cw_error *err);

#endif
