/* winograd_isa.h: the inner loops of winograd.c, a body of each_isa.h. Vectors run along channels.
 *
 * Transforms: Lavin, Gray 2015 (arXiv:1509.09308), by the construction of Cook and Toom: tiles of t values at
 * t - 1 points and infinity. t = 4: 0, 1, -1; t = 6: 0, +-sqrt(1/2), +-sqrt(2), with which the largest error
 * of F(4,3) is a quarter of that with the usual 1 and 2 (how points matter: Barabasz, Anderson, Soodhalter,
 * Gregg 2020, arXiv:1803.10986); t = 8: 0, +-1, +-2, +-1/2. A kernel of r taps leaves t - r + 1 outputs;
 * where the kernel has one tap in a direction, tiles are one pixel wide there. */

/* Rows of the multiplier: two vectors of sums a row, two of weights and a broadcast fit the registers. */
#define CW_ROWS   (CW_REGISTERS == 32 ? 12 : 6)
#define floats    CW_ISA(floats)
#define doubles   CW_ISA(doubles)
#define CW_INLINE CW_TARGET __attribute__((always_inline)) static inline
#define CW_UNROLL _Pragma("GCC unroll 16")
typedef float floats __attribute__((vector_size(CW_LANES * 4), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(CW_LANES * 4), may_alias));

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

/* out = B^T d, t values each. */
CW_INLINE void CW_ISA(in_1d)(int t, const floats *d, floats *out) {
    if (t == 1) {
        out[0] = d[0];
    } else if (t == 4) {
        out[0] = d[0] - d[2];
        out[1] = d[1] + d[2];
        out[2] = d[2] - d[1];
        out[3] = d[3] - d[1];
    } else if (t == 6) {
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

/* out = A^T v: the first m of the powers of the points, and the point at infinity in the last. */
CW_INLINE void CW_ISA(out_1d)(int t, int m, const floats *v, floats *out) {
    if (t == 1) {
        out[0] = v[0];
        return;
    }
    floats sum = v[1] + v[2], difference = v[1] - v[2], y[6];
    if (t == 4) {
        y[0] = v[0] + sum;
        y[1] = difference;
    } else if (t == 6) {
        floats sum2 = v[3] + v[4], difference2 = v[3] - v[4];
        y[0] = v[0] + sum + sum2;
        y[1] = CW_ROOT / 2 * difference + CW_ROOT * difference2;
        y[2] = 0.5f * sum + 2.0f * sum2;
        y[3] = CW_ROOT / 4 * difference + 2 * CW_ROOT * difference2;
    } else {
        floats sum2 = v[3] + v[4], difference2 = v[3] - v[4];
        floats sum3 = v[5] + v[6], difference3 = v[5] - v[6];
        y[0] = v[0] + sum + sum2 + sum3;
        y[1] = difference + 2.0f * difference2 + 0.5f * difference3;
        y[2] = sum + 4.0f * sum2 + 0.25f * sum3;
        y[3] = difference + 8.0f * difference2 + 0.125f * difference3;
        y[4] = sum + 16.0f * sum2 + 0.0625f * sum3;
        y[5] = difference + 32.0f * difference2 + 0.03125f * difference3;
    }
    y[m - 1] += v[t - 1];
    CW_UNROLL for (int i = 0; i < m; i++) out[i] = y[i];
}

/* n channels from c on of th x tw source pixels to as many planes of v, which get whole vectors. */
CW_INLINE void CW_ISA(in_2d)(int th, int tw, const float *const *src, int64_t c, int64_t n, float *v,
                             int64_t plane) {
    floats grid[64], d[8], u[8];
    for (int i = 0; i < th; i++) {
        CW_UNROLL for (int j = 0; j < tw; j++) d[j] = CW_ISA(load)(src[i * tw + j] + c, n);
        CW_ISA(in_1d)(tw, d, u);
        CW_UNROLL for (int j = 0; j < tw; j++) grid[i * tw + j] = u[j];
    }
    for (int j = 0; j < tw; j++) {
        CW_UNROLL for (int i = 0; i < th; i++) d[i] = grid[i * tw + j];
        CW_ISA(in_1d)(th, d, u);
        CW_UNROLL for (int i = 0; i < th; i++) * (floats *)(v + (i * tw + j) * plane + c) = u[i];
    }
}

/* th x tw planes of products to n channels of mh x mw destination pixels (NULL = outside the image). */
CW_INLINE void CW_ISA(out_2d)(int th, int tw, int mh, int mw, const float *products, int64_t plane, int64_t c,
                              int64_t n, const float *bias, float lo, float hi, float *const *dst) {
    const floats least = lo - (floats){0}, most = hi - (floats){0}, b = *(const floats *)(bias + c);
    floats grid[48], v[8], y[8];
    for (int j = 0; j < tw; j++) {
        CW_UNROLL for (int i = 0; i < th; i++) v[i] = *(const floats *)(products + (i * tw + j) * plane + c);
        CW_ISA(out_1d)(th, mh, v, y);
        CW_UNROLL for (int i = 0; i < mh; i++) grid[i * tw + j] = y[i];
    }
    for (int i = 0; i < mh; i++) {
        CW_UNROLL for (int j = 0; j < tw; j++) v[j] = grid[i * tw + j];
        CW_ISA(out_1d)(tw, mw, v, y);
        CW_UNROLL for (int j = 0; j < mw; j++) {
            floats value = y[j] + b;
            if (dst[i * mw + j]) CW_ISA(store)(dst[i * mw + j] + c, CW_CLAMP(value, least, most), n);
        }
    }
}

/* All channels: whole vectors, then the rest. */
CW_INLINE void CW_ISA(in_all)(int th, int tw, const float *const *src, int64_t channels, float *v,
                              int64_t plane) {
    int64_t c = 0;
    for (; c + CW_LANES <= channels; c += CW_LANES) CW_ISA(in_2d)(th, tw, src, c, CW_LANES, v, plane);
    if (c < channels) CW_ISA(in_2d)(th, tw, src, c, channels - c, v, plane);
}

CW_INLINE void CW_ISA(out_all)(int th, int tw, int r, const float *products, int64_t plane, int64_t channels,
                               const float *bias, float lo, float hi, float *const *dst) {
    const int mh = th == 1 ? 1 : th - r + 1, mw = tw == 1 ? 1 : tw - r + 1;
    int64_t c = 0;
    for (; c + CW_LANES <= channels; c += CW_LANES)
        CW_ISA(out_2d)(th, tw, mh, mw, products, plane, c, CW_LANES, bias, lo, hi, dst);
    if (c < channels) CW_ISA(out_2d)(th, tw, mh, mw, products, plane, c, channels - c, bias, lo, hi, dst);
}

#define CW_IN(th, tw)                                                                                        \
    CW_TARGET static void CW_ISA(in_##th##_##tw)(const float *const *src, int64_t channels, float *v,        \
                                                 int64_t plane) {                                            \
        CW_ISA(in_all)(th, tw, src, channels, v, plane);                                                     \
    }
#define CW_OUT(th, tw, r)                                                                                    \
    CW_TARGET static void CW_ISA(out_##th##_##tw##_##r)(const float *products, int64_t plane,                \
                                                        int64_t channels, const float *bias, float lo,       \
                                                        float hi, float *const *dst) {                       \
        CW_ISA(out_all)(th, tw, r, products, plane, channels, bias, lo, hi, dst);                            \
    }
#define CW_INS(t)     CW_IN(t, t) CW_IN(1, t) CW_IN(t, 1)
#define CW_OUTS(t, r) CW_OUT(t, t, r) CW_OUT(1, t, r) CW_OUT(t, 1, r)
CW_INS(4)
CW_INS(6)
CW_INS(8)
CW_OUTS(4, 3)
CW_OUTS(6, 3)
CW_OUTS(8, 3)
CW_OUTS(6, 5)
CW_OUTS(8, 5)
CW_OUTS(8, 7)

/* n input channels of one output channel's taps, ic apart, to th x tw vectors, CW_LANES^2 floats from each to
 * the next. In double: the rounding of weights is to be that of one float. */
CW_INLINE void CW_ISA(weights_2d)(const weights_plan *plan, const float *w, int64_t ic, int64_t n,
                                  float *to) {
    const int kh = plan->kh, kw = plan->kw;
    doubles tap[49][2], half[8][7][2];
    for (int i = 0; i < kh * kw; i++) {
        floats values = CW_ISA(load)(w + i * ic, n);
        double all[CW_LANES];
        for (int l = 0; l < CW_LANES; l++) all[l] = (double)values[l];
        memcpy(tap[i], all, sizeof all);
    }
    for (int i = 0; i < plan->th; i++)
        for (int b = 0; b < kw; b++) {
            doubles low = {0}, high = {0};
            for (int a = 0; a < kh; a++) {
                low += plan->gh[i][a] * tap[a * kw + b][0];
                high += plan->gh[i][a] * tap[a * kw + b][1];
            }
            half[i][b][0] = low;
            half[i][b][1] = high;
        }
    for (int i = 0; i < plan->th; i++)
        for (int j = 0; j < plan->tw; j++, to += CW_LANES * CW_LANES) {
            doubles sum[2] = {{0}, {0}};
            for (int b = 0; b < kw; b++) {
                sum[0] += plan->gw[j][b] * half[i][b][0];
                sum[1] += plan->gw[j][b] * half[i][b][1];
            }
            double all[CW_LANES];
            memcpy(all, sum, sizeof all);
            for (int l = 0; l < CW_LANES; l++) to[l] = (float)all[l];
        }
}

/* All of a convolution's weights, LANES by LANES channels at a time: transformed into `block` (positions x
 * LANES^2 floats), from where whole lines go to their places, which are far apart. */
CW_TARGET static void CW_ISA(weights)(const weights_plan *plan, const float *w, int64_t ic, int64_t oc,
                                      int64_t oc_up, float *block, float *out) {
    int64_t taps = plan->kh * plan->kw, positions = plan->th * plan->tw;
    for (int64_t c = 0; c < oc; c += CW_LANES) {
        int64_t group = c / (2 * CW_LANES) * (2 * CW_LANES);
        int64_t width = oc_up - group > CW_LANES ? 2 * CW_LANES : CW_LANES;
        for (int64_t k = 0; k < ic; k += CW_LANES) {
            int64_t n = ic - k < CW_LANES ? ic - k : CW_LANES;
            for (int64_t i = 0; i < CW_LANES && c + i < oc; i++)
                CW_ISA(weights_2d)(plan, w + (c + i) * taps * ic + k, ic, n, block + i * CW_LANES);
            for (int64_t i = 0; i < positions; i++) {
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
    .in = {{CW_ISA(in_4_4), CW_ISA(in_1_4), CW_ISA(in_4_1)},
           {CW_ISA(in_6_6), CW_ISA(in_1_6), CW_ISA(in_6_1)},
           {CW_ISA(in_8_8), CW_ISA(in_1_8), CW_ISA(in_8_1)}},
    .out = {{{CW_ISA(out_4_4_3), CW_ISA(out_1_4_3), CW_ISA(out_4_1_3)}},
            {{CW_ISA(out_6_6_3), CW_ISA(out_1_6_3), CW_ISA(out_6_1_3)},
             {CW_ISA(out_6_6_5), CW_ISA(out_1_6_5), CW_ISA(out_6_1_5)}},
            {{CW_ISA(out_8_8_3), CW_ISA(out_1_8_3), CW_ISA(out_8_1_3)},
             {CW_ISA(out_8_8_5), CW_ISA(out_1_8_5), CW_ISA(out_8_1_5)},
             {CW_ISA(out_8_8_7), CW_ISA(out_1_8_7), CW_ISA(out_8_1_7)}}},
    .weights = CW_ISA(weights),
    .multiply = CW_ISA(multiply),
};

#undef CW_INS
#undef CW_OUTS
#undef CW_IN
#undef CW_OUT
#undef CW_MUL
#undef CW_UNROLL
#undef CW_INLINE
#undef doubles
#undef floats
#undef CW_ROWS
