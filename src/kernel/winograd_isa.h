/* winograd_isa.h: the inner loops of winograd.c, included once for each instruction set; no include guard on
 * purpose. In: CW_ISA(name) a name of its own for each version, CW_TARGET the function attribute, CW_LANES
 * floats in a vector, CW_ROWS rows of the multiplier (two vectors of sums a row, two of weights and a
 * broadcast fit the registers), CW_CLAMP(v, lo, hi) on vectors, a NaN staying one. All are undefined at the
 * end. Vectors run along channels.
 *
 * Transforms: Lavin, Gray 2015 (arXiv:1509.09308), by the construction of Cook and Toom at the points 0, 1,
 * -1 and infinity for F(2,3); 0, +-sqrt(1/2), +-sqrt(2) and infinity for F(4,3), whose largest error is a
 * quarter of that of the usual points 1 and 2 (how points matter: Barabasz, Anderson, Soodhalter, Gregg 2020,
 * arXiv:1803.10986); 0, +-1, +-2, +-1/2 and infinity for F(6,3). */

#define floats    CW_ISA(floats)
#define CW_INLINE CW_TARGET __attribute__((always_inline)) static inline
#define CW_UNROLL _Pragma("GCC unroll 16")
typedef float floats __attribute__((vector_size(CW_LANES * 4), aligned(4), may_alias));

CW_INLINE floats CW_ISA(load)(const float *x, int64_t n) {
    if (n == CW_LANES) return *(const floats *)x;
    floats v = {0};
    memcpy(&v, x, (size_t)n * sizeof *x);
    return v;
}

CW_INLINE void CW_ISA(store)(float *x, floats v, int64_t n) {
    if (n == CW_LANES)
        *(floats *)x = v;
    else
        memcpy(x, &v, (size_t)n * sizeof *x);
}

/* ---- Transforms ---- */

/* out = B^T d, m + 2 values each. */
CW_INLINE void CW_ISA(in_1d)(int m, const floats *d, floats *out) {
    if (m == 2) {
        out[0] = d[0] - d[2];
        out[1] = d[1] + d[2];
        out[2] = d[2] - d[1];
        out[3] = d[1] - d[3];
    } else if (m == 4) {
        floats even = d[4] - 2.0f * d[2], odd = CW_ROOT / 2 * (d[3] - 2.0f * d[1]);
        floats even2 = d[4] - 0.5f * d[2], odd2 = CW_ROOT * (d[3] - 0.5f * d[1]);
        out[0] = d[0] - 2.5f * d[2] + d[4];
        out[1] = even + odd;
        out[2] = even - odd;
        out[3] = even2 + odd2;
        out[4] = even2 - odd2;
        out[5] = d[1] - 2.5f * d[3] + d[5];
    } else {
        floats even = d[2] + d[6] - 4.25f * d[4], odd = d[1] + d[5] - 4.25f * d[3];
        floats even2 = d[6] + 0.25f * d[2] - 1.25f * d[4], odd2 = 0.5f * d[1] - 2.5f * d[3] + 2.0f * d[5];
        floats even3 = d[6] + 4.0f * d[2] - 5.0f * d[4], odd3 = 2.0f * d[1] - 2.5f * d[3] + 0.5f * d[5];
        out[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);
        out[1] = even + odd;
        out[2] = even - odd;
        out[3] = even2 + odd2;
        out[4] = even2 - odd2;
        out[5] = even3 + odd3;
        out[6] = even3 - odd3;
        out[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
    }
}

/* out = A^T v: m values from m + 2. */
CW_INLINE void CW_ISA(out_1d)(int m, const floats *v, floats *out) {
    floats sum = v[1] + v[2], difference = v[1] - v[2];
    if (m == 2) {
        out[0] = v[0] + sum;
        out[1] = difference - v[3];
    } else if (m == 4) {
        floats sum2 = v[3] + v[4], difference2 = v[3] - v[4];
        out[0] = v[0] + sum + sum2;
        out[1] = CW_ROOT / 2 * difference + CW_ROOT * difference2;
        out[2] = 0.5f * sum + 2.0f * sum2;
        out[3] = CW_ROOT / 4 * difference + 2 * CW_ROOT * difference2 + v[5];
    } else {
        floats sum2 = v[3] + v[4], difference2 = v[3] - v[4];
        floats sum3 = v[5] + v[6], difference3 = v[5] - v[6];
        out[0] = v[0] + sum + sum2 + sum3;
        out[1] = difference + 2.0f * difference2 + 0.5f * difference3;
        out[2] = sum + 4.0f * sum2 + 0.25f * sum3;
        out[3] = difference + 8.0f * difference2 + 0.125f * difference3;
        out[4] = sum + 16.0f * sum2 + 0.0625f * sum3;
        out[5] = difference + 32.0f * difference2 + 0.03125f * difference3 + v[7];
    }
}

/* n channels of (m + 2)^2 source pixels to as many planes of v, which get whole vectors. */
CW_INLINE void CW_ISA(in_2d)(int m, const float *const *src, int64_t c, int64_t n, float *v, int64_t plane) {
    const int t = m + 2;
    floats grid[64], d[8], u[8];
    for (int i = 0; i < t; i++) {
        CW_UNROLL for (int j = 0; j < t; j++) d[j] = CW_ISA(load)(src[i * t + j] + c, n);
        CW_ISA(in_1d)(m, d, u);
        CW_UNROLL for (int j = 0; j < t; j++) grid[i * t + j] = u[j];
    }
    for (int j = 0; j < t; j++) {
        CW_UNROLL for (int i = 0; i < t; i++) d[i] = grid[i * t + j];
        CW_ISA(in_1d)(m, d, u);
        CW_UNROLL for (int i = 0; i < t; i++) * (floats *)(v + (i * t + j) * plane + c) = u[i];
    }
}

/* (m + 2)^2 planes of products to n channels of m^2 destination pixels (NULL = outside the image). */
CW_INLINE void CW_ISA(out_2d)(int m, const float *products, int64_t plane, int64_t c, int64_t n,
                              const float *bias, float lo, float hi, float *const *dst) {
    const int t = m + 2;
    const floats least = lo - (floats){0}, most = hi - (floats){0}, b = *(const floats *)(bias + c);
    floats grid[64], v[8], y[8];
    for (int j = 0; j < t; j++) {
        CW_UNROLL for (int i = 0; i < t; i++) v[i] = *(const floats *)(products + (i * t + j) * plane + c);
        CW_ISA(out_1d)(m, v, y);
        CW_UNROLL for (int i = 0; i < m; i++) grid[i * t + j] = y[i];
    }
    for (int i = 0; i < m; i++) {
        CW_UNROLL for (int j = 0; j < t; j++) v[j] = grid[i * t + j];
        CW_ISA(out_1d)(m, v, y);
        CW_UNROLL for (int j = 0; j < m; j++) {
            floats value = y[j] + b;
            if (dst[i * m + j]) CW_ISA(store)(dst[i * m + j] + c, CW_CLAMP(value, least, most), n);
        }
    }
}

/* n input channels of one output channel's nine taps, ic apart, to t^2 vectors, CW_LANES^2 floats from each
 * to the next. In double: the rounding of weights is to be that of one float. */
CW_INLINE void CW_ISA(weights_2d)(int t, const double (*g)[3], const float *w, int64_t ic, int64_t n,
                                  float *to) {
    double half[8][3][CW_LANES];
    for (int b = 0; b < 3; b++) {
        floats w0 = CW_ISA(load)(w + b * ic, n), w1 = CW_ISA(load)(w + (3 + b) * ic, n);
        floats w2 = CW_ISA(load)(w + (6 + b) * ic, n);
        for (int i = 0; i < t; i++)
            for (int l = 0; l < CW_LANES; l++)
                half[i][b][l] = g[i][0] * (double)w0[l] + g[i][1] * (double)w1[l] + g[i][2] * (double)w2[l];
    }
    for (int i = 0; i < t; i++)
        for (int j = 0; j < t; j++, to += CW_LANES * CW_LANES) {
            for (int l = 0; l < CW_LANES; l++)
                to[l] = (float)(g[j][0] * half[i][0][l] + g[j][1] * half[i][1][l] + g[j][2] * half[i][2][l]);
        }
}

#define CW_TRANSFORMS(m)                                                                                     \
    CW_TARGET static void CW_ISA(in_##m)(const float *const *src, int64_t channels, float *v,                \
                                         int64_t plane) {                                                    \
        int64_t c = 0;                                                                                       \
        for (; c + CW_LANES <= channels; c += CW_LANES) CW_ISA(in_2d)(m, src, c, CW_LANES, v, plane);        \
        if (c < channels) CW_ISA(in_2d)(m, src, c, channels - c, v, plane);                                  \
    }                                                                                                        \
    CW_TARGET static void CW_ISA(out_##m)(const float *products, int64_t plane, int64_t channels,            \
                                          const float *bias, float lo, float hi, float *const *dst) {        \
        int64_t c = 0;                                                                                       \
        for (; c + CW_LANES <= channels; c += CW_LANES)                                                      \
            CW_ISA(out_2d)(m, products, plane, c, CW_LANES, bias, lo, hi, dst);                              \
        if (c < channels) CW_ISA(out_2d)(m, products, plane, c, channels - c, bias, lo, hi, dst);            \
    }
CW_TRANSFORMS(2)
CW_TRANSFORMS(4)
CW_TRANSFORMS(6)

/* All of a convolution's weights, LANES by LANES channels at a time: transformed into `block` (t^2 x LANES^2
 * floats), from where whole lines go to their places, which are far apart. */
CW_TARGET static void CW_ISA(weights)(int t, const double (*g)[3], const float *w, int64_t ic, int64_t oc,
                                      int64_t oc_up, float *block, float *out) {
    for (int64_t c = 0; c < oc; c += CW_LANES) {
        int64_t group = c / (2 * CW_LANES) * (2 * CW_LANES);
        int64_t width = oc_up - group > CW_LANES ? 2 * CW_LANES : CW_LANES;
        for (int64_t k = 0; k < ic; k += CW_LANES) {
            int64_t n = ic - k < CW_LANES ? ic - k : CW_LANES;
            for (int64_t i = 0; i < CW_LANES && c + i < oc; i++)
                CW_ISA(weights_2d)(t, g, w + (c + i) * 9 * ic + k, ic, n, block + i * CW_LANES);
            for (int64_t i = 0; i < t * t; i++) {
                const float *from = block + i * CW_LANES * CW_LANES;
                float *to = out + (i * oc_up + group) * ic + k * width + c - group;
                for (int64_t l = 0; l < n; l++, from++, to += width)
                    CW_UNROLL for (int j = 0; j < CW_LANES; j++) to[j] = from[j * CW_LANES];
            }
        }
    }
}

/* ---- Products ---- */

/* out[r][c] = sum over k < steps of a[r][k] * w[k][c]; the sums live in registers for all steps. Meanwhile
 * what lies at `ahead` is fetched, `apart` floats further each step. */
CW_INLINE void CW_ISA(mul)(int rows, int vectors, const float *a, int64_t lda, int64_t steps, const float *w,
                           float *out, int64_t ld, const float *ahead, int64_t apart) {
    floats sum[CW_ROWS][2], b[2];
    CW_UNROLL for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = (floats){0};
    for (int64_t k = 0; k < steps; k++, w += vectors * CW_LANES, ahead += apart) {
        __builtin_prefetch(ahead);
        CW_UNROLL for (int v = 0; v < vectors; v++) b[v] = *(const floats *)(w + v * CW_LANES);
        CW_UNROLL for (int r = 0; r < rows; r++) {
            floats value = a[r * lda + k] - (floats){0};
            CW_UNROLL for (int v = 0; v < vectors; v++) sum[r][v] += value * b[v];
        }
    }
    CW_UNROLL for (int r = 0; r < rows; r++) CW_UNROLL for (int v = 0; v < vectors; v++) *
        (floats *)(out + r * ld + v * CW_LANES) = sum[r][v];
}

#define CW_MUL(rows)                                                                                         \
    CW_TARGET static void CW_ISA(mul_##rows##_1)(const float *a, int64_t lda, int64_t steps, const float *w, \
                                                 float *out, int64_t ld, const float *ahead,                 \
                                                 int64_t apart) {                                            \
        CW_ISA(mul)(rows, 1, a, lda, steps, w, out, ld, ahead, apart);                                       \
    }                                                                                                        \
    CW_TARGET static void CW_ISA(mul_##rows##_2)(const float *a, int64_t lda, int64_t steps, const float *w, \
                                                 float *out, int64_t ld, const float *ahead,                 \
                                                 int64_t apart) {                                            \
        CW_ISA(mul)(rows, 2, a, lda, steps, w, out, ld, ahead, apart);                                       \
    }
CW_MUL(1)
CW_MUL(2)
CW_MUL(3)
CW_MUL(4)
CW_MUL(5)
CW_MUL(6)
#if CW_ROWS == 12
CW_MUL(7)
CW_MUL(8)
CW_MUL(9)
CW_MUL(10)
CW_MUL(11)
CW_MUL(12)
#endif

/* count rows of a, oc_up columns in groups of two vectors. Rows are dealt evenly: no step works on fewer than
 * half of the rows it could where there are enough. */
CW_TARGET static void CW_ISA(multiply)(const float *a, int64_t lda, int64_t count, int64_t steps,
                                       const float *w, int64_t oc_up, float *out, int64_t ld) {
    typedef void mul(const float *, int64_t, int64_t, const float *, float *, int64_t, const float *,
                     int64_t);
    static mul *const table[CW_ROWS][2] = {
        {CW_ISA(mul_1_1), CW_ISA(mul_1_2)},
        {CW_ISA(mul_2_1), CW_ISA(mul_2_2)},
        {CW_ISA(mul_3_1), CW_ISA(mul_3_2)},
        {CW_ISA(mul_4_1), CW_ISA(mul_4_2)},
        {CW_ISA(mul_5_1), CW_ISA(mul_5_2)},
        {CW_ISA(mul_6_1), CW_ISA(mul_6_2)},
#if CW_ROWS == 12
        {CW_ISA(mul_7_1), CW_ISA(mul_7_2)},
        {CW_ISA(mul_8_1), CW_ISA(mul_8_2)},
        {CW_ISA(mul_9_1), CW_ISA(mul_9_2)},
        {CW_ISA(mul_10_1), CW_ISA(mul_10_2)},
        {CW_ISA(mul_11_1), CW_ISA(mul_11_2)},
        {CW_ISA(mul_12_1), CW_ISA(mul_12_2)},
#endif
    };
    int64_t parts = cw_ceil_div(count, CW_ROWS);
    for (int64_t c = 0; c < oc_up; c += 2 * CW_LANES) {
        int vectors = oc_up - c > CW_LANES ? 2 : 1;
        int64_t group = vectors * CW_LANES, apart = group / parts;
        for (int64_t part = 0; part < parts; part++) {
            int64_t first = count * part / parts, rows = count * (part + 1) / parts - first;
            const float *columns = w + c * steps, *ahead = columns + (group + group * part / parts) * steps;
            table[rows - 1][vectors - 1](a + first * lda, lda, steps, columns, out + first * ld + c, ld,
                                         ahead, apart);
        }
    }
}

static const loops CW_ISA(isa) = {
    .lanes = CW_LANES,
    .in = {CW_ISA(in_2), CW_ISA(in_4), CW_ISA(in_6)},
    .out = {CW_ISA(out_2), CW_ISA(out_4), CW_ISA(out_6)},
    .weights = CW_ISA(weights),
    .multiply = CW_ISA(multiply),
};

#undef CW_MUL
#undef CW_TRANSFORMS
#undef CW_UNROLL
#undef CW_INLINE
#undef floats
#undef CW_ISA
#undef CW_TARGET
#undef CW_LANES
#undef CW_ROWS
#undef CW_CLAMP
