/* stats.h: the few statistics that measuring needs, as pure functions. Not here: clocks and order of runs. */
#ifndef CW_STATS_H
#define CW_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Smallest, median and median absolute deviation from the median (unscaled), in the samples' unit. Medians of
 * an even number are the mean of the two in the middle. All 0 where there are no samples. */
typedef struct cw_summary {
    double min, median, mad;
} cw_summary;

/* Sorts x. n = 0 gives 0. */
double cw_median(double *x, size_t n);
/* Sorts x, then overwrites it with the absolute deviations. */
cw_summary cw_summarise(double *x, size_t n);

enum { CW_REPS_MAX = 1 << 24 };
/* How many calls of about estimate_ns each make one sample of at least sample_ns: 1 to CW_REPS_MAX. */
int64_t cw_calibrate(double estimate_ns, double sample_ns);

#endif
