/* tile_isa.h: the body of tile.c, included once for each instruction set; no include guard on purpose.
 * In: CW_ISA(name) a name of its own for each version, CW_TARGET the function attribute, CW_LANES, CW_ROWS
 * (so that two vectors of accumulators a row, two of weights and a broadcast fit the registers), CW_PAIRS(x,
 * w) on vectors of pairs of int16, CW_WIDEN(p) from CW_LANES bytes to ints. All are undefined at the end. */

#define floats CW_ISA(floats)
#define ints   CW_ISA(ints)
typedef float floats __attribute__((vector_size(CW_LANES * 4), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(CW_LANES * 4), aligned(4), may_alias));

/* The accumulators live in registers for all taps and steps: rows and vectors are constants, so that the
 * compiler unrolls their loops. */
#define CW_MUL(name, element, vector, vectors, TERM)                                                         \
    CW_TARGET static void CW_ISA(name)(const void *const *x, int64_t taps, int64_t steps,                    \
                                       const void *weights, void *out, int64_t ld) {                         \
        const element *w = weights;                                                                          \
        element *acc = out;                                                                                  \
        vector sum[CW_ROWS][vectors];                                                                        \
        _Pragma("GCC unroll 8") for (int r = 0; r < CW_ROWS; r++)                                            \
            _Pragma("GCC unroll 2") for (int v = 0; v < (vectors); v++) sum[r][v] =                          \
                *(const vector *)(acc + r * ld + v * CW_LANES);                                              \
        for (int64_t t = 0; t < taps; t++, x += CW_ROWS)                                                     \
            for (int64_t k = 0; k < steps; k++, w += (vectors)*CW_LANES)                                     \
                _Pragma("GCC unroll 8") for (int r = 0; r < CW_ROWS; r++) {                                  \
                    vector value = ((const element *)x[r])[k] - (vector){0};                                 \
                    _Pragma("GCC unroll 2") for (int v = 0; v < (vectors); v++) sum[r][v] +=                 \
                        TERM(value, *(const vector *)(w + v * CW_LANES));                                    \
                }                                                                                            \
        _Pragma("GCC unroll 8") for (int r = 0; r < CW_ROWS; r++)                                            \
                _Pragma("GCC unroll 2") for (int v = 0; v < (vectors); v++) *                                \
            (vector *)(acc + r * ld + v * CW_LANES) = sum[r][v];                                             \
    }
#define CW_PRODUCT(x, w) (x) * (w)
CW_MUL(mul_f32_1, float, floats, 1, CW_PRODUCT)
CW_MUL(mul_f32_2, float, floats, 2, CW_PRODUCT)
CW_MUL(mul_i16_1, int32_t, ints, 1, CW_PAIRS)
CW_MUL(mul_i16_2, int32_t, ints, 2, CW_PAIRS)
#undef CW_MUL
#undef CW_PRODUCT

CW_TARGET static void CW_ISA(depthwise_f32)(const void *const *x, const void *const *w, int64_t taps,
                                            int64_t first, int64_t n, float *acc) {
    int64_t c = 0;
    for (; c + CW_LANES <= n; c += CW_LANES) {
        floats sum = *(const floats *)(acc + c);
        for (int64_t t = 0; t < taps; t++)
            sum += *(const floats *)((const float *)x[t] + first + c) *
                   *(const floats *)((const float *)w[t] + first + c);
        *(floats *)(acc + c) = sum;
    }
    for (; c < n; c++)
        for (int64_t t = 0; t < taps; t++)
            acc[c] += ((const float *)x[t])[first + c] * ((const float *)w[t])[first + c];
}

CW_TARGET static void CW_ISA(depthwise_u8)(const void *const *x, const void *const *w, int64_t taps,
                                           int64_t first, int64_t n, int32_t zp, int32_t *acc) {
    int64_t c = 0;
    for (; c + CW_LANES <= n; c += CW_LANES) {
        ints sum = *(const ints *)(acc + c);
        for (int64_t t = 0; t < taps; t++)
            sum += (CW_WIDEN((const uint8_t *)x[t] + first + c) - zp) *
                   *(const ints *)((const int32_t *)w[t] + first + c);
        *(ints *)(acc + c) = sum;
    }
    for (; c < n; c++)
        for (int64_t t = 0; t < taps; t++)
            acc[c] += (((const uint8_t *)x[t])[first + c] - zp) * ((const int32_t *)w[t])[first + c];
}

CW_TARGET static void CW_ISA(clamp_f32)(const float *acc, int64_t n, float lo, float hi, float *dst) {
    for (int64_t c = 0; c < n; c++) dst[c] = cw_clamp(acc[c], lo, hi);
}

CW_TARGET static void CW_ISA(clamp_bf16)(const float *acc, int64_t n, float lo, float hi, uint16_t *dst) {
    for (int64_t c = 0; c < n; c++) dst[c] = cw_bf16_round(cw_clamp(acc[c], lo, hi));
}

CW_TARGET static void CW_ISA(requantise)(const int32_t *acc, const float *scale, int64_t n, float dst_zp,
                                         float lo, float hi, uint8_t *dst) {
    for (int64_t c = 0; c < n; c++) dst[c] = cw_requantise(acc[c], scale[c], dst_zp, lo, hi);
}

static const cw_tile CW_ISA(tile) = {
    .lanes = CW_LANES,
    .rows = CW_ROWS,
    .mul_f32 = {CW_ISA(mul_f32_1), CW_ISA(mul_f32_2)},
    .mul_i16 = {CW_ISA(mul_i16_1), CW_ISA(mul_i16_2)},
    .depthwise_f32 = CW_ISA(depthwise_f32),
    .depthwise_u8 = CW_ISA(depthwise_u8),
    .clamp_f32 = CW_ISA(clamp_f32),
    .clamp_bf16 = CW_ISA(clamp_bf16),
    .requantise = CW_ISA(requantise),
};

#undef floats
#undef ints
#undef CW_ISA
#undef CW_TARGET
#undef CW_LANES
#undef CW_ROWS
#undef CW_PAIRS
#undef CW_WIDEN
