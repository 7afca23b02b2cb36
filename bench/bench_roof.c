/* bench_roof.c: how near to the roof implementations run: on each problem, time of a run, rate in operations
 * of the direct method over the core's peak, and what preparing costs, the first time and again in a process
 * that has done it before. bench_roof PATTERN PROBLEM...      PATTERN: of implementations' names, as
 * 'own.winograd*' One thread; smallest of several times. More than 100 % of the peak: Winograd does with
 * fewer multiplications. The peak is measured here: independent multiply-adds on registers, of the widest
 * vectors there are. */
#include "../include/convwise.h"
#include "../include/convwise/tools.h"
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve sums: more than a multiply-add takes to come out, times two a cycle. */
#define CHAINS(target, name, lanes)                                                                          \
    typedef float vector_##name __attribute__((vector_size((lanes)*4)));                                     \
    target __attribute__((noinline)) static float name(long steps, float x, float y) {                       \
        vector_##name s[12], a = x - (vector_##name){0}, b = y - (vector_##name){0}, all = {0};              \
        _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) s[i] = (float)i - (vector_##name){0};          \
        for (long k = 0; k < steps; k++)                                                                     \
            _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) s[i] = s[i] * a + b;                       \
        _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) all += s[i];                                   \
        float sum = 0;                                                                                       \
        for (int i = 0; i < (lanes); i++) sum += all[i];                                                     \
        return sum;                                                                                          \
    }
CHAINS(, plain, 4)
#if defined(__x86_64__)
CHAINS(__attribute__((target("avx2,fma"))), avx2, 8)
CHAINS(__attribute__((target("avx512f"))), avx512, 16)
#endif

/* In 1e9 operations a second; a multiply-add counts two. */
static double peak(void) {
    float (*chains)(long, float, float) = plain;
    double lanes = 4, best = INFINITY;
    long steps = 1000000;
    volatile float sink, zero = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) chains = avx2, lanes = 8;
    if (__builtin_cpu_supports("avx512f")) chains = avx512, lanes = 16;
#endif
    for (int i = 0; i < 20; i++) {
        double from = now();
        sink = chains(steps, 1, zero);
        double took = now() - from;
        if (took < best) best = took;
    }
    (void)sink;
    return (double)steps * 12 * lanes * 2 / best * 1e-9;
}

static float *values(int64_t n) {
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    for (int64_t i = 0; x && i < n; i++) x[i] = (float)(i * 7919 % 2003 - 1001) / 500.0f;
    return x;
}

typedef struct job {
    cw_context *ctx;
    cw_problem p;
    const char *pattern;
    cw_conv_args args;
    float *src, *dst;
    double roof; /* 1e9 operations a second */
} job;

static void one(const job *j, const char *impl) {
    double first = 0, again = INFINITY, run = INFINITY;
    cw_sizes s;
    cw_error err;
    size_t bytes = 0;
    cw_problem_sizes(&j->p, &s);
    for (int i = 0; i < 4; i++) {
        cw_conv *conv = NULL;
        double from = now();
        if (cw_conv_create(j->ctx, &j->p, impl, &j->args, &conv, &err) != CW_OK) return;
        double took = now() - from;
        if (i == 0) first = took;
        if (i > 0 && took < again) again = took;
        bytes = cw_conv_workspace(conv);
        void *workspace = aligned_alloc(64, (bytes / 64 + 1) * 64);
        for (int r = 0; workspace && r < 100 && (r < 8 || now() - from - took < 0.1); r++) {
            double start = now();
            if (cw_conv_run(conv, j->src, j->dst, workspace) != CW_OK) break;
            double ran = now() - start;
            if (ran < run) run = ran;
        }
        free(workspace);
        cw_conv_free(conv);
    }
    double rate = 2.0 * (double)s.macs / run * 1e-9;
    char text[CW_PROBLEM_TEXT];
    cw_problem_format(&j->p, text, sizeof text);
    printf("| %s | %s | %.0f | %.0f | %.0f %% | %.1f | %.1f | %.1f |\n", text, impl, run * 1e6, rate,
           100 * rate / j->roof, first / run, again / run, (double)bytes / 1e6);
    fflush(stdout);
}

int main(int argc, char **argv) {
    cw_error err = {0};
    job j = {.pattern = argc > 2 ? argv[1] : "", .roof = peak()};
    if (argc < 3) return fprintf(stderr, "usage: %s PATTERN PROBLEM...\n", argv[0]), 2;
    if (cw_context_open(&j.ctx, &err) != CW_OK) return fprintf(stderr, "%s\n", err.message), 1;
    printf("Peak of a core: %.0f GFLOP/s.\n\n", j.roof);
    printf("| problem | implementation | us | GFLOP/s | of the peak | prepare, runs | again, runs | "
           "workspace, MB |\n");
    printf("|---|---|---:|---:|---:|---:|---:|---:|\n");
    for (int i = 2; i < argc; i++) {
        cw_sizes s;
        if (cw_problem_parse(argv[i], &j.p, &err) != CW_OK) return fprintf(stderr, "%s\n", err.message), 1;
        cw_problem_sizes(&j.p, &s);
        float *weights = values(s.wei_count);
        j.src = values(s.src_count), j.dst = values(s.dst_count);
        j.args = (cw_conv_args){.weights = weights, .lo = 0, .hi = INFINITY};
        cw_impl_info *impls = NULL;
        size_t count = 0;
        if (cw_impls(j.ctx, &j.p, &impls, &count, &err) != CW_OK)
            return fprintf(stderr, "%s\n", err.message), 1;
        for (size_t k = 0; k < count; k++)
            if (!impls[k].why_not && fnmatch(j.pattern, impls[k].name, 0) == 0) one(&j, impls[k].name);
        cw_free(impls);
        free(weights), free(j.src), free(j.dst);
    }
    cw_context_close(j.ctx);
    return 0;
}
