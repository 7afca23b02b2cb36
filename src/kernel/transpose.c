/* transpose.c: in square blocks that fit the first-level cache, both ways in runs of a cache line. */
#include "transpose.h"
#include "kernel.h"

/* Elements along a block's side: lines of 64 bytes for floats; a block of bytes is a line each way. */
enum { SIDE = 64, STRIP = 16 };

/* One block of at most SIDE x SIDE: strips of STRIP rows, so that what is written of a strip stays in
 * registers or in the first-level cache until its line is full. */
#define BLOCK(type)                                                                                          \
    static void block_##type(const type *restrict from, type *restrict to, int64_t rows, int64_t cols,       \
                             int64_t from_stride, int64_t to_stride) {                                       \
        for (int64_t r = 0; r < rows; r += STRIP) {                                                          \
            int64_t n = rows - r < STRIP ? rows - r : STRIP;                                                 \
            if (n == STRIP)                                                                                  \
                for (int64_t c = 0; c < cols; c++)                                                           \
                    for (int64_t i = 0; i < STRIP; i++)                                                      \
                        to[c * to_stride + r + i] = from[(r + i) * from_stride + c];                         \
            else                                                                                             \
                for (int64_t c = 0; c < cols; c++)                                                           \
                    for (int64_t i = 0; i < n; i++)                                                          \
                        to[c * to_stride + r + i] = from[(r + i) * from_stride + c];                         \
        }                                                                                                    \
    }
BLOCK(uint8_t)
BLOCK(uint16_t)
BLOCK(uint32_t)

static void block(const char *from, char *to, int64_t rows, int64_t cols, int64_t from_stride,
                  int64_t to_stride, size_t element) {
    if (element == 1)
        block_uint8_t((const uint8_t *)from, (uint8_t *)to, rows, cols, from_stride, to_stride);
    else if (element == 2)
        block_uint16_t((const uint16_t *)(const void *)from, (uint16_t *)(void *)to, rows, cols, from_stride,
                       to_stride);
    else
        block_uint32_t((const uint32_t *)(const void *)from, (uint32_t *)(void *)to, rows, cols, from_stride,
                       to_stride);
}

void cw_transpose(const void *from, void *to, int64_t batch, int64_t rows, int64_t cols, size_t element,
                  int32_t threads) {
    const int64_t down = cw_ceil_div(rows, SIDE), across = cw_ceil_div(cols, SIDE), size = (int64_t)element;
    (void)threads; /* where OpenMP is not there */
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < batch * across * down; i++) {
        int64_t image = i / (across * down), c = i / down % across * SIDE, r = i % down * SIDE;
        int64_t high = rows - r < SIDE ? rows - r : SIDE, wide = cols - c < SIDE ? cols - c : SIDE;
        block((const char *)from + (image * rows * cols + r * cols + c) * size,
              (char *)to + (image * rows * cols + c * rows + r) * size, high, wide, cols, rows, element);
    }
}
