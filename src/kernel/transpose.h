/* transpose.h: changes a tensor's layout: from NCHW to NHWC and back. Bounded by the memory's bandwidth: each
 * element is read once and written once. */
#ifndef CW_TRANSPOSE_H
#define CW_TRANSPOSE_H

#include <stddef.h>
#include <stdint.h>

/* from: batch matrices of rows x cols elements, dense; to: each transposed. element: 1, 2 or 4 bytes. They do
 * not overlap. NCHW to NHWC: rows = channels, cols = pixels; back: the reverse. Runs on `threads` threads. */
void cw_transpose(const void *from, void *to, int64_t batch, int64_t rows, int64_t cols, size_t element,
                  int32_t threads);

#endif
