/* bins.h: a matrix's columns as small numbers, for learners that grow trees from histograms (Ke et al.,
 * LightGBM, 2017). Values are rounded to float; a column with at most CW_BINS different ones has a bin for
 * each, another has bins of about equally many rows. */
#ifndef CW_BINS_H
#define CW_BINS_H

#include "learn.h"

enum { CW_BINS = 256 }; /* most bins a column */

typedef struct cw_bins {
    size_t rows, columns;
    uint8_t *code;   /* columns x rows, a column's codes side by side */
    uint16_t *count; /* columns: bins, 1 = the column says nothing */
    float *upper;    /* columns x CW_BINS: (float)x <= upper[b] exactly where the code is at most b; b = 0 ..
                        count - 2: the middle of the neighbouring values, rounded down to a float */
} cw_bins;

/* most: 2..CW_BINS bins a column. CW_INVALID: a value beyond a float. Release either way. */
cw_status cw_bins_make(const cw_matrix *data, size_t most, cw_bins *out, cw_error *err);
void cw_bins_release(cw_bins *bins);

#endif
