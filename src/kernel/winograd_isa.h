/* winograd_isa.h: the tile transforms of winograd.c, included once for each instruction set; no include guard
 * on purpose. Vectors run along channels. In: CW_ISA(name), CW_TARGET, CW_LANES as in tile_isa.h; all
 * undefined at the end. Matrices: Lavin, Gray 2015 (arXiv:1509.09308), sections 4.1 and 4.2. */

#define floats    CW_ISA(floats)
#define CW_INLINE CW_TARGET __attribute__((always_inline)) static inline
typedef float floats __attribute__((vector_size(CW_LANES * 4), aligned(4), may_alias));

/* out = B^T d for one column or row of m + 2 values that lie `step` apart. */
CW_INLINE void CW_ISA(in_1d)(int m, const floats *d, floats *out, int step) {
    if (m == 2) {
        floats d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
        out[0] = d0 - d2;
        out[step] = d1 + d2;
        out[2 * step] = d2 - d1;
        out[3 * step] = d1 - d3;
    } else {
        floats d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
        floats d5 = d[5 * step];
        floats even = d4 - 4.0f * d2, odd = d3 - 4.0f * d1, even2 = d4 - d2, odd2 = 2.0f * (d3 - d1);
        out[0] = 4.0f * d0 - 5.0f * d2 + d4;
        out[step] = even + odd;
        out[2 * step] = even - odd;
        out[3 * step] = even2 + odd2;
        out[4 * step] = even2 - odd2;
        out[5 * step] = 4.0f * d1 - 5.0f * d3 + d5;
    }
}

/* out = A^T v: m values from m + 2. */
CW_INLINE void CW_ISA(out_1d)(int m, const floats *v, floats *out, int step) {
    floats v0 = v[0], v1 = v[step], v2 = v[2 * step], v3 = v[3 * step];
    floats sum = v1 + v2, difference = v1 - v2;
    if (m == 2) {
        out[0] = v0 + sum;
        out[step] = difference - v3;
    } else {
        floats v4 = v[4 * step], v5 = v[5 * step];
        floats sum2 = v3 + v4, difference2 = v3 - v4;
        out[0] = v0 + sum + sum2;
        out[step] = difference + 2.0f * difference2;
        out[2 * step] = sum + 4.0f * sum2;
        out[3 * step] = difference + 8.0f * difference2 + v5;
    }
}

/* (m + 2)^2 source pixels to as many planes of v, `plane` elements apart. */
CW_INLINE void CW_ISA(in_2d)(int m, const float *const *src, int64_t channels, float *v, int64_t plane) {
    const int t = m + 2;
    for (int64_t c = 0; c < channels; c += CW_LANES) {
        int64_t n = channels - c < CW_LANES ? channels - c : CW_LANES;
        floats d[36] = {0};
        for (int i = 0; i < t * t; i++) {
            if (n == CW_LANES)
                d[i] = *(const floats *)(src[i] + c);
            else
                memcpy(&d[i], src[i] + c, (size_t)n * sizeof(float));
        }
        for (int i = 0; i < t; i++) CW_ISA(in_1d)(m, d + i, d + i, t);
        for (int i = 0; i < t; i++) CW_ISA(in_1d)(m, d + i * t, d + i * t, 1);
        for (int i = 0; i < t * t; i++) {
            if (n == CW_LANES)
                *(floats *)(v + i * plane + c) = d[i];
            else
                memcpy(v + i * plane + c, &d[i], (size_t)n * sizeof(float));
        }
    }
}

/* (m + 2)^2 planes of products to m^2 destination pixels (NULL = outside the image). The planes' rows and
 * bias are padded to whole vectors. */
CW_INLINE void CW_ISA(out_2d)(int m, const float *products, int64_t plane, int64_t channels,
                              const float *bias, float lo, float hi, float *const *dst) {
    const int t = m + 2;
    for (int64_t c = 0; c < channels; c += CW_LANES) {
        int64_t n = channels - c < CW_LANES ? channels - c : CW_LANES;
        floats v[36];
        for (int i = 0; i < t * t; i++) v[i] = *(const floats *)(products + i * plane + c);
        for (int i = 0; i < t; i++) CW_ISA(out_1d)(m, v + i, v + i, t);
        for (int i = 0; i < m; i++) CW_ISA(out_1d)(m, v + i * t, v + i * t, 1);
        for (int i = 0; i < m * m; i++) {
            if (!dst[i]) continue;
            float y[CW_LANES];
            *(floats *)y = v[i / m * t + i % m] + *(const floats *)(bias + c);
            for (int64_t l = 0; l < CW_LANES; l++) y[l] = cw_clamp(y[l], lo, hi);
            memcpy(dst[i] + c, y, (size_t)n * sizeof(float));
        }
    }
}

#define CW_TRANSFORMS(m)                                                                                     \
    CW_TARGET static void CW_ISA(in_##m)(const float *const *src, int64_t channels, float *v,                \
                                         int64_t plane) {                                                    \
        CW_ISA(in_2d)(m, src, channels, v, plane);                                                           \
    }                                                                                                        \
    CW_TARGET static void CW_ISA(out_##m)(const float *products, int64_t plane, int64_t channels,            \
                                          const float *bias, float lo, float hi, float *const *dst) {        \
        CW_ISA(out_2d)(m, products, plane, channels, bias, lo, hi, dst);                                     \
    }                                                                                                        \
    static const transforms CW_ISA(transforms_##m) = {m, CW_ISA(in_##m), CW_ISA(out_##m)};
CW_TRANSFORMS(2)
CW_TRANSFORMS(4)

#undef CW_TRANSFORMS
#undef CW_INLINE
#undef floats
#undef CW_ISA
#undef CW_TARGET
#undef CW_LANES
