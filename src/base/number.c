/* number.c: numbers as text without the locale, random numbers, hash, clock. */
#include "base.h"
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void cw_format_double(char text[32], double x) {
    if (isnan(x) || isinf(x)) {
        snprintf(text, 32, "%s", isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break; /* reads with the same locale as it was written */
    }
    bool plain = true;
    for (char *c = text; *c; c++) {
        if (!isdigit((unsigned char)*c) && *c != '-' && *c != '+' && *c != 'e') *c = '.';
        if (*c == '.' || *c == 'e') plain = false;
    }
    if (plain) strcat(text, ".0");
}

/* Digits with or without a point, so few that both they and the power of ten are exact: then their quotient
 * is the number that strtod finds (W. D. Clinger, "How to read floating point numbers accurately", 1990),
 * much sooner and in any locale. */
static bool parse_short(const char *text, double *out) {
    static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int64_t digits = 0;
    size_t count = 0, behind = 0;
    bool point = false;
    for (; *text; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (!isdigit((unsigned char)*text) || ++count > 15) return false;
        digits = digits * 10 + (*text - '0');
        behind += point;
    }
    if (count == 0 || FLT_EVAL_METHOD != 0) return false;
    *out = (double)digits / powers[behind];
    return true;
}

bool cw_parse_double(const char *text, double *out) {
    /* strtod obeys the locale: give it the decimal point it wants, found by printing one. */
    char point[8], copy[64];
    if (parse_short(text, out)) return true;
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof copy || isspace((unsigned char)text[0]) || strchr(text, ','))
        return false;
    snprintf(point, sizeof point, "%.1f", 0.5);
    memcpy(copy, text, length + 1);
    char *dot = strchr(copy, '.');
    if (dot) *dot = point[1];
    char *end;
    double x = strtod(copy, &end);
    if (*end) return false;
    *out = x;
    return true;
}

bool cw_parse_int(const char *text, int64_t lo, int64_t hi, int64_t *out) {
    char *end;
    if (!isdigit((unsigned char)text[0]) && text[0] != '-') return false;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    if (*end || end == text || errno || x < lo || x > hi) return false;
    *out = x;
    return true;
}

cw_rng cw_rng_seed(uint64_t seed) {
    cw_rng rng;
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        rng.s[i] = z ^ (z >> 31);
    }
    return rng;
}

static uint64_t rotl(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

uint64_t cw_rng_next(cw_rng *rng) {
    uint64_t *s = rng->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t cw_rng_below(cw_rng *rng, uint64_t n) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;
    do x = cw_rng_next(rng);
    while (x >= limit);
    return x % n;
}

double cw_rng_uniform(cw_rng *rng) {
    return (double)(cw_rng_next(rng) >> 11) * 0x1p-53;
}

double cw_rng_normal(cw_rng *rng) { /* Marsaglia's polar method */
    double u, v, s;
    do {
        u = 2 * cw_rng_uniform(rng) - 1;
        v = 2 * cw_rng_uniform(rng) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * sqrt(-2 * log(s) / s);
}

uint64_t cw_hash(const void *data, size_t size, uint64_t seed) {
    const unsigned char *bytes = data;
    uint64_t h = 0xCBF29CE484222325u ^ seed;
    for (size_t i = 0; i < size; i++) h = (h ^ bytes[i]) * 0x100000001B3u;
    return h;
}

int64_t cw_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
