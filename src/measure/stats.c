/* stats.c: median, median absolute deviation, repetitions a sample needs. */
#include "stats.h"
#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double cw_median(double *x, size_t n) {
    if (n == 0) return 0;
    qsort(x, n, sizeof *x, by_value);
    return n % 2 ? x[n / 2] : x[n / 2 - 1] + (x[n / 2] - x[n / 2 - 1]) / 2;
}

cw_summary cw_summarise(double *x, size_t n) {
    if (n == 0) return (cw_summary){0};
    cw_summary s = {.median = cw_median(x, n)};
    s.min = x[0];
    for (size_t i = 0; i < n; i++) x[i] = fabs(x[i] - s.median);
    s.mad = cw_median(x, n);
    return s;
}

int64_t cw_calibrate(double estimate_ns, double sample_ns) {
    double reps = estimate_ns > 0 ? ceil(sample_ns / estimate_ns) : CW_REPS_MAX;
    return reps >= CW_REPS_MAX ? CW_REPS_MAX : reps > 1 ? (int64_t)reps : 1;
}
