/* depthwise_isa.h: the inner loops of depthwise_f32.c, a body of each_isa.h. */

/* Output rows of a tile: its sums, a kernel row for each of them, and an input fit the registers. */
#define CW_ROWS   (CW_REGISTERS == 32 ? 2 : 1)
#define floats    CW_ISA(floats)
#define CW_INLINE CW_TARGET __attribute__((always_inline)) static inline
#define CW_UNROLL _Pragma("GCC unroll 24")
typedef float floats __attribute__((vector_size(CW_LANES * 4), aligned(4), may_alias));

/* One vector of channels of a tile of `rows` x TILE_COLS outputs: k x k taps, stride s. Every input is read
 * once, every weight once for each row of outputs. k, s and rows are constants where this is inlined. */
CW_INLINE void CW_ISA(outputs)(int k, int s, int rows, const depthwise_tile *t, int64_t c) {
    const int in_rows = (rows - 1) * s + k, in_cols = (TILE_COLS - 1) * s + k;
    floats sum[CW_ROWS][TILE_COLS], w[CW_ROWS][TAPS_MAX];
    const floats bias = *(const floats *)(t->bias + c);
    CW_UNROLL for (int r = 0; r < rows; r++) {
        CW_UNROLL for (int x = 0; x < TILE_COLS; x++) sum[r][x] = bias;
    }
    CW_UNROLL for (int i = 0; i < in_rows; i++) {
        CW_UNROLL for (int r = 0; r < rows; r++) {
            const int tap = i - r * s;
            CW_UNROLL for (int j = 0; j < k; j++) {
                if (tap >= 0 && tap < k)
                    w[r][j] = *(const floats *)(t->weights + (tap * k + j) * t->channels + c);
            }
        }
        CW_UNROLL for (int j = 0; j < in_cols; j++) {
            const floats in = *(const floats *)(t->in[i][j] + c);
            CW_UNROLL for (int r = 0; r < rows; r++) {
                CW_UNROLL for (int x = 0; x < TILE_COLS; x++) {
                    if (i - r * s >= 0 && i - r * s < k && j - x * s >= 0 && j - x * s < k)
                        sum[r][x] += in * w[r][j - x * s];
                }
            }
        }
    }
    const floats lo = t->lo - (floats){0}, hi = t->hi - (floats){0};
    CW_UNROLL for (int r = 0; r < rows; r++) {
        CW_UNROLL for (int x = 0; x < TILE_COLS; x++) {
            *(floats *)(t->out[r][x] + c) = CW_CLAMP(sum[r][x], lo, hi);
        }
    }
}

/* All channels, at least CW_LANES: the last vector overlaps the one before where they are no multiple of it.
 */
#define CW_TILE(k, s, rows)                                                                                  \
    CW_TARGET static void CW_ISA(tile_##k##_##s##_##rows)(const depthwise_tile *t) {                         \
        const int64_t last = t->channels - CW_LANES;                                                         \
        for (int64_t c = 0; c < last; c += CW_LANES) CW_ISA(outputs)(k, s, rows, t, c);                      \
        CW_ISA(outputs)(k, s, rows, t, last);                                                                \
    }
CW_TILE(3, 1, 1)
CW_TILE(3, 2, 1)
CW_TILE(5, 1, 1)
CW_TILE(5, 2, 1)
#if CW_REGISTERS == 32
CW_TILE(3, 1, 2)
CW_TILE(3, 2, 2)
CW_TILE(5, 1, 2)
CW_TILE(5, 2, 2)
#define CW_TWO(k, s) CW_ISA(tile_##k##_##s##_2)
#else
#define CW_TWO(k, s) NULL
#endif

static const depthwise_loops CW_ISA(loops) = {
    .rows = CW_ROWS,
    .tile = {{{CW_ISA(tile_3_1_1), CW_TWO(3, 1)}, {CW_ISA(tile_3_2_1), CW_TWO(3, 2)}},
             {{CW_ISA(tile_5_1_1), CW_TWO(5, 1)}, {CW_ISA(tile_5_2_1), CW_TWO(5, 2)}}},
};

#undef CW_TWO
#undef CW_TILE
#undef floats
#undef CW_INLINE
#undef CW_UNROLL
#undef CW_ROWS
