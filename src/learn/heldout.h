/* heldout.h: what a learner says of rows that it did not learn from, inside the rows it is given, and what
 * uses it: choosing settings, and finding out how much to trust a choice. */
#ifndef CW_HELDOUT_H
#define CW_HELDOUT_H

#include "learn.h"

/* Rows to hold out parts of. */
typedef struct cw_inner {
    const cw_matrix *data; /* rows of one group stay together */
    const uint8_t *also;   /* rows x classes: 1 = may be chosen without a time, counted as the row's slowest;
                              NULL =   only what has a time may be */
    const int32_t *rank;   /* per class: its place in the static order, which breaks ties */
} cw_inner;

/* May the class be chosen in a row: with a time, or `also`; without times: all. */
bool cw_inner_may(const cw_inner *inner, size_t row, size_t class);
/* The class of smallest cost among those that may be chosen in a row. */
int32_t cw_inner_choose(const cw_inner *inner, size_t row, const double *cost);
/* log(time of the class / best time), at least 0; without times: 0 if it is the label, else 1. */
double cw_inner_loss(const cw_inner *inner, size_t row, int32_t class);

/* Sets settings: what is given (not 0) stays; the rest is the learner's default, or that of `over` (may be
 * NULL) where it is not 0 there. */
void cw_settings_fill(const cw_learner *learner, const cw_learn_options *given, const cw_learn_options *over,
                      cw_learn_options *out);
/* Tries the defaults and the learner's grid by cross-validation in 3 folds of groups; takes the settings with
 * the least mean loss, of equal ones the first. Nothing to try, or too few groups: the defaults. given: what
 * the user set, 0 = open; its threads and seed are used. */
cw_status cw_tune(const cw_inner *inner, const cw_learner *learner, const cw_learn_options *given,
                  cw_learn_options *out, cw_error *err);

/* How much a choice is expected to lose: a number taken from the learner's answer (the signal), and steps
 * from it to the mean of log(time / best time). */
enum { CW_CALIBRATION_STEPS = 32 };
typedef enum cw_signal { CW_SIGNAL_SHARE, CW_SIGNAL_MARGIN, CW_SIGNAL_SPREAD, CW_SIGNAL_COUNT } cw_signal;
typedef struct cw_calibration {
    cw_signal signal;
    size_t steps;                      /* from 1 */
    double upto[CW_CALIBRATION_STEPS]; /* ascending: the step holds for signals up to here, the last for all
                                          above */
    double loss[CW_CALIBRATION_STEPS]; /* at least 0, not descending */
} cw_calibration;

/* The signal of choosing `chosen` among the classes with allowed[c] != 0 (NULL = all); larger = less sure. */
double cw_signal_of(cw_signal signal, const double *cost, const double *share, size_t classes,
                    const uint8_t *allowed, size_t chosen);
/* Expected log(time / best time); 0 where there is nothing else to choose. */
double cw_calibration_promise(const cw_calibration *map, const double *cost, const double *share,
                              size_t classes, const uint8_t *allowed, size_t chosen);
/* Learns without a fifth of the groups at a time, and fits the losses met there by isotonic regression (pool
 * adjacent violators; Barlow et al., 1972) over bins of equal size, for the signal that fits best. *out NULL:
 * too few rows or groups, or no times. Five trainings. */
cw_status cw_calibration_fit(const cw_inner *inner, const cw_learner *learner,
                             const cw_learn_options *settings, cw_calibration **out, cw_error *err);
json_t *cw_calibration_save(const cw_calibration *map); /* NULL = out of memory */
cw_status cw_calibration_load(const json_t *json, cw_calibration **out, cw_error *err);

#endif
