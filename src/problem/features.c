/* features.c: the one table of features. To add one: add a row at the end of a block; names are permanent. */
#include "problem.h"
#include <string.h>

#define R CW_SET_RAW
#define E (CW_SET_ENGINEERED | CW_SET_POOLED)
#define B (CW_SET_RAW | CW_SET_ENGINEERED | CW_SET_POOLED)
#define S CW_SET_SEED
#define P CW_SET_POOLED
/* X(name, sets, expression, why). Integer arithmetic is exact in 64 bit for every valid problem; a ratio is
 * one division of two exact integers. */
#define CW_FEATURES(X)                                                                                       \
    X(mb, B, mb, "batch")                                                                                    \
    X(g, B, g, "groups")                                                                                     \
    X(ic, B, ic, "input channels")                                                                           \
    X(ih, B, ih, "input height")                                                                             \
    X(iw, B, iw, "input width")                                                                              \
    X(oc, B, oc, "output channels")                                                                          \
    X(kh, B, kh, "kernel height")                                                                            \
    X(kw, B, kw, "kernel width")                                                                             \
    X(sh, B, sh, "stride")                                                                                   \
    X(sw, B, sw, "stride along the width")                                                                   \
    X(dh, B, dh, "dilation rules out Winograd and most JIT kernels")                                         \
    X(dw, B, dw, "dilation along the width")                                                                 \
    X(pt, B, pt, "padding top")                                                                              \
    X(pl, B, pl, "padding left")                                                                             \
    X(pb, B, pb, "padding bottom")                                                                           \
    X(pr, B, pr, "padding right")                                                                            \
    X(prec, B, prec, "precision: other kernels, other winners")                                              \
    X(zp, B, zp, "a zero point other than 0 rules kernels out")                                              \
    X(threads, B, threads, "parallelism favours other blockings")                                            \
    X(layout, B, layout, "layout of source and destination")                                                 \
    X(dir, B, dir, "forward, or the gradient of source or weights")                                          \
    X(cache, B, cache, "cold caches favour what reads little: Winograd's weights are larger")                \
    X(id, B, id, "depth: 0 in two dimensions")                                                               \
    X(kd, B, kd, "kernel depth")                                                                             \
    X(sd, B, sd, "stride along the depth")                                                                   \
    X(dd, B, dd, "dilation along the depth")                                                                 \
    X(pf, B, pf, "padding in front")                                                                         \
    X(oh, E, oh, "output height")                                                                            \
    X(ow, E, ow, "output width")                                                                             \
    X(icg, E, icg, "input channels a group: the reduction's inner length")                                   \
    X(ocg, E, ocg, "output channels a group: the width of a register block")                                 \
    X(gemm_m, E, outputs, "rows of the GEMM: pixels")                                                        \
    X(gemm_k, E, icg *taps, "depth of the GEMM")                                                             \
    X(macs, E, outputs *oc *icg *taps, "work")                                                               \
    X(src, E, inputs *ic, "elements read: which cache holds them")                                           \
    X(wei, E, oc *icg *taps, "weights: which cache holds them")                                              \
    X(dst, E, outputs *oc, "elements written")                                                               \
    X(intensity, E,                                                                                          \
      (double)(outputs * oc * icg * taps) / (double)(inputs * ic + oc * icg * taps + outputs * oc),          \
      "multiply-accumulates an element moved: compute or bandwidth bound")                                   \
    X(wei_per_pixel, E, (double)(oc * icg * taps) / (double)outputs,                                         \
      "weights a pixel: large where packing or streaming weights dominates")                                 \
    X(is_1x1, E, taps == 1, "plain GEMM")                                                                    \
    X(is_3x3s1, E, kh == 3 && kw == 3 && sh == 1 && sw == 1 && dh == 0 && dw == 0 && id == 0,                \
      "Winograd applies")                                                                                    \
    X(is_dw, E, g > 1 && ic == g, "depthwise: no reduction over channels")                                   \
    X(is_grouped, E, g > 1 && ic != g, "grouped but not depthwise")                                          \
    X(is_asym, E, pt != pb || pl != pr, "asymmetric padding: some kernels refuse")                           \
    X(icg_mod16, E, icg % 16, "remainder of a 16-float vector along the input channels")                     \
    X(ocg_mod16, E, ocg % 16, "remainder along the output channels")                                         \
    X(ocg_mod64, E, ocg % 64, "remainder of a four-vector register block")                                   \
    X(ow_mod8, E, ow % 8, "remainder of a register block of pixels")                                         \
    X(waste_f2, E, (double)((oh + 1) / 2 * 2 * ((ow + 1) / 2 * 2)) / (double)(oh * ow),                      \
      "outputs computed for nothing by Winograd tiles of 2x2")                                               \
    X(waste_f4, E, (double)((oh + 3) / 4 * 4 * ((ow + 3) / 4 * 4)) / (double)(oh * ow), "by tiles of 4x4")   \
    X(waste_f6, E, (double)((oh + 5) / 6 * 6 * ((ow + 5) / 6 * 6)) / (double)(oh * ow), "by tiles of 6x6")   \
    X(tiles_f4, E, mb *((oh + 3) / 4) * ((ow + 3) / 4), "tiles of 4x4: rows of Winograd's GEMMs")            \
    X(taps, E, taps, "points of the kernel")                                                                 \
    X(area, E, oh *ow, "pixels of one image")                                                                \
    X(bytes, E,                                                                                              \
      (inputs * ic + oc * icg * taps + outputs * oc) * (prec == 0                ? 4                         \
                                                        : prec == 1 || prec == 4 ? 1                         \
                                                                                 : 2),                       \
      "bytes moved at the least")                                                                            \
    X(group_macs, E, outputs *ocg *icg *taps, "work of one group: one GEMM")                                 \
    X(gemm_mn, E, outputs *ocg, "elements of the GEMM's result: parallelism")                                \
    X(gemm_blocks, E, g *((outputs + 63) / 64) * ((ocg + 63) / 64), "blocks of 64x64 to share out to cores") \
    X(gemm_waste, E, (double)((outputs + 63) / 64 * 64 * ((ocg + 63) / 64 * 64)) / (double)(outputs * ocg),  \
      "results computed for nothing by blocks of 64x64")                                                     \
    X(gemm_m_over_n, E, (double)outputs / (double)ocg, "tall or wide result")                                \
    X(gemm_k_over_n, E, (double)(icg * taps) / (double)ocg, "deep or wide weights")                          \
    X(gemm_k_over_m, E, (double)(icg * taps) / (double)outputs, "deep reduction, few pixels: split it")      \
    X(ic_over_oc, E, (double)ic / (double)oc, "squeeze or expand")                                           \
    X(src_over_dst, E, (double)(inputs * ic) / (double)(outputs * oc), "reads or writes dominate")           \
    X(gemm_m_mod64, E, outputs % 64, "remainder of a block of pixels")                                       \
    X(gemm_k_mod16, E, icg *taps % 16, "remainder along the reduction")                                      \
    X(icg_mod64, E, icg % 64, "remainder of a large block along the input channels")                         \
    X(ocg_mod128, E, ocg % 128, "remainder of a large block along the output channels")                      \
    X(tiles_f2, E, mb *((oh + 1) / 2) * ((ow + 1) / 2), "tiles of 2x2: rows of Winograd's GEMMs")            \
    X(align_icg, E, (icg | 128) & -(icg | 128),                                                              \
      "input channels a group: largest power of two up to 128 that divides it: how wide kernels load")       \
    X(align_ocg, E, (ocg | 128) & -(ocg | 128),                                                              \
      "output channels a group: largest power of two up to 128 that divides it: how wide kernels load")      \
    X(align_area, E, ((oh * ow) | 128) & -((oh * ow) | 128),                                                 \
      "an image's pixels: largest power of two up to 128 that divides it: how wide kernels load")            \
    X(align_gemm_m, E, (outputs | 128) & -(outputs | 128),                                                   \
      "all pixels: largest power of two up to 128 that divides it: how wide kernels load")                   \
    X(align_gemm_k, E, ((icg * taps) | 128) & -((icg * taps) | 128),                                         \
      "the reduction: largest power of two up to 128 that divides it: how wide kernels load")                \
    X(align_mb, E, (mb | 128) & -(mb | 128),                                                                 \
      "the batch: largest power of two up to 128 that divides it: how wide kernels load")                    \
    X(align_iw, E, (iw | 128) & -(iw | 128),                                                                 \
      "a row of the source: largest power of two up to 128 that divides it: how wide kernels load")          \
    X(gemm_blocks16, E, g *((outputs + 15) / 16) * ((ocg + 15) / 16),                                        \
      "blocks of 16x16 to share out to cores")                                                               \
    X(gemm_waste16, E,                                                                                       \
      (double)((outputs + 15) / 16 * 16 * ((ocg + 15) / 16 * 16)) / (double)(outputs * ocg),                 \
      "results computed for nothing by blocks of 16x16")                                                     \
    X(gemm_blocks32, E, g *((outputs + 31) / 32) * ((ocg + 31) / 32),                                        \
      "blocks of 32x32 to share out to cores")                                                               \
    X(gemm_waste32, E,                                                                                       \
      (double)((outputs + 31) / 32 * 32 * ((ocg + 31) / 32 * 32)) / (double)(outputs * ocg),                 \
      "results computed for nothing by blocks of 32x32")                                                     \
    X(gemm_blocks128, E, g *((outputs + 127) / 128) * ((ocg + 127) / 128),                                   \
      "blocks of 128x128 to share out to cores")                                                             \
    X(gemm_waste128, E,                                                                                      \
      (double)((outputs + 127) / 128 * 128 * ((ocg + 127) / 128 * 128)) / (double)(outputs * ocg),           \
      "results computed for nothing by blocks of 128x128")                                                   \
    X(gemm_blocks256, E, g *((outputs + 255) / 256) * ((ocg + 255) / 256),                                   \
      "blocks of 256x256 to share out to cores")                                                             \
    X(gemm_waste256, E,                                                                                      \
      (double)((outputs + 255) / 256 * 256 * ((ocg + 255) / 256 * 256)) / (double)(outputs * ocg),           \
      "results computed for nothing by blocks of 256x256")                                                   \
    X(m_cores, P, m_cores, "cores of the machine")                                                           \
    X(m_l1d, P, m_l1d, "bytes of its first data cache")                                                      \
    X(m_l2, P, m_l2, "bytes of its second cache")                                                            \
    X(m_l3, P, m_l3, "bytes of its third cache")                                                             \
    X(m_vector, P, m_vector, "bytes of its vector register")                                                 \
    X(wei_over_l2, P,                                                                                        \
      (double)(oc * icg * taps *                                                                             \
               (prec == 0                ? 4                                                                 \
                : prec == 1 || prec == 4 ? 1                                                                 \
                                         : 2)) /                                                             \
          (double)(m_l2 > 0 ? m_l2 : 1),                                                                     \
      "do the weights stay in the second cache")                                                             \
    X(src_over_l2, P,                                                                                        \
      (double)(inputs * ic *                                                                                 \
               (prec == 0                ? 4                                                                 \
                : prec == 1 || prec == 4 ? 1                                                                 \
                                         : 2)) /                                                             \
          (double)(m_l2 > 0 ? m_l2 : 1),                                                                     \
      "does the source stay in the second cache")                                                            \
    X(bytes_over_l3, P,                                                                                      \
      (double)((inputs * ic + oc * icg * taps + outputs * oc) * (prec == 0                ? 4                \
                                                                 : prec == 1 || prec == 4 ? 1                \
                                                                                          : 2)) /            \
          (double)(m_l3 > 0 ? m_l3 : 1),                                                                     \
      "does all of it stay in the third cache")                                                              \
    X(wei_col_over_l1, P,                                                                                    \
      (double)(icg * taps *                                                                                  \
               (prec == 0                ? 4                                                                 \
                : prec == 1 || prec == 4 ? 1                                                                 \
                                         : 2)) /                                                             \
          (double)(m_l1d > 0 ? m_l1d : 1),                                                                   \
      "does one output channel's reduction stay in the first cache")                                         \
    X(ocg_mod_vector, P, ocg % (m_vector >= 4 ? m_vector / 4 : 1),                                           \
      "remainder of a vector of floats along the output channels")                                           \
    X(blocks_over_cores, P,                                                                                  \
      (double)(g * ((outputs + 63) / 64) * ((ocg + 63) / 64)) / (double)(m_cores > 0 ? m_cores : 1),         \
      "blocks of 64x64 a core")                                                                              \
    X(tensor_1, S, ic, "input channels; the ten columns of the seed's experiment, in its order")             \
    X(tensor_2, S, ih, "input height")                                                                       \
    X(tensor_3, S, iw, "input width")                                                                        \
    X(tensor_4, S, kh, "kernel")                                                                             \
    X(tensor_5, S, oc, "output channels")                                                                    \
    X(tensor_6, S, sh, "stride")                                                                             \
    X(tensor_7, S, pt, "padding")                                                                            \
    X(tuner, S, 0, "always 0: no tuner was used")                                                            \
    X(precision, S, prec, "0 fp32, 1 uint8")                                                                 \
    X(architecture, S, 0, "always 0: Midgard")

/* Every expression sees every variable; unused ones are expected. */
#define VARIABLE(name)                                                                                       \
    int64_t name = v->name;                                                                                  \
    (void)name;

#define X(name, sets, expression, why)                                                                       \
    static double eval_##name(const cw_variables *v) {                                                       \
        CW_FEATURE_VARIABLES(VARIABLE)                                                                       \
        return (double)(expression);                                                                         \
    }
CW_FEATURES(X)
#undef X

const cw_feature cw_features[] = {
#define X(name, sets, expression, why) {#name, sets, #expression, why, eval_##name},
    CW_FEATURES(X)
#undef X
};
const size_t cw_feature_count = sizeof cw_features / sizeof cw_features[0];

const cw_feature *cw_feature_find(const char *name) {
    for (size_t i = 0; i < cw_feature_count; i++)
        if (strcmp(cw_features[i].name, name) == 0) return &cw_features[i];
    return NULL;
}

unsigned cw_feature_set(const char *name) {
    if (strcmp(name, "raw") == 0) return CW_SET_RAW;
    if (strcmp(name, "engineered") == 0) return CW_SET_ENGINEERED;
    if (strcmp(name, "seed") == 0) return CW_SET_SEED;
    if (strcmp(name, "pooled") == 0) return CW_SET_POOLED;
    return 0;
}

cw_host cw_host_of(const cw_machine *machine) {
    static const struct {
        const char *isa;
        int64_t bytes;
    } vectors[] = {{"sse41", 16}, {"neon", 16}, {"avx2", 32}, {"avx512", 64}};
    cw_host host = {
        .m_cores = machine->cores, .m_l1d = machine->l1d, .m_l2 = machine->l2, .m_l3 = machine->l3};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        if (strcmp(machine->isa, vectors[i].isa) == 0) host.m_vector = vectors[i].bytes;
    return host;
}

bool cw_feature_of_host(const cw_feature *feature) {
    return feature->sets == CW_SET_POOLED; /* the set is the engineered ones and those */
}

static void fill(const cw_problem *p, cw_variables *v) {
    cw_sizes s;
    cw_problem_sizes(p, &s);
    *v = (cw_variables){.od = s.od,
                        .oh = s.oh,
                        .ow = s.ow,
                        .icg = p->ic / p->g,
                        .ocg = p->oc / p->g,
                        .inputs = s.src_count / p->ic,
                        .outputs = s.gemm_m,
                        .taps = s.gemm_k / (p->ic / p->g)};
#define X(field) v->field = p->field;
    CW_PROBLEM_FIELDS(X)
#undef X
}

void cw_features_eval(const cw_feature *const *features, size_t count, const cw_problem *p, double *out) {
    cw_features_eval_on(features, count, p, NULL, out);
}

void cw_features_eval_on(const cw_feature *const *features, size_t count, const cw_problem *p,
                         const cw_host *host, double *out) {
    cw_variables v;
    fill(p, &v);
#define X(field) v.field = host ? host->field : 0;
    CW_HOST_FIELDS(X)
#undef X
    for (size_t i = 0; i < count; i++) out[i] = features[i]->eval(&v);
}

/* ---- Extents ---- */

#define NAME(name, slack, expression)       #name,
#define EXPRESSION(name, slack, expression) #expression,
#define SLACK(name, slack, expression)      slack,
#define BELOW(name, slack, expression)      #name " is far below those of training",
#define ABOVE(name, slack, expression)      #name " is far above those of training",
const char *const cw_extent_names[CW_EXTENT_COUNT] = {CW_EXTENTS(NAME)};
const char *const cw_extent_expressions[CW_EXTENT_COUNT] = {CW_EXTENTS(EXPRESSION)};
const double cw_extent_slacks[CW_EXTENT_COUNT] = {CW_EXTENTS(SLACK)};
static const char *const below[CW_EXTENT_COUNT] = {CW_EXTENTS(BELOW)};
static const char *const above[CW_EXTENT_COUNT] = {CW_EXTENTS(ABOVE)};

void cw_problem_extents(const cw_problem *p, int64_t out[CW_EXTENT_COUNT]) {
    cw_variables all;
    const cw_variables *v = &all;
    fill(p, &all);
    CW_FEATURE_VARIABLES(VARIABLE)
#define X(name, slack, expression) *out++ = (expression);
    CW_EXTENTS(X)
#undef X
}

const char *cw_problem_outside(const cw_problem *p, const double *least, const double *most) {
    int64_t x[CW_EXTENT_COUNT];
    if (!least || !most) return NULL;
    cw_problem_extents(p, x);
    for (int i = 0; i < CW_EXTENT_COUNT; i++) {
        if ((double)x[i] < least[i]) return below[i];
        if ((double)x[i] > most[i]) return above[i];
    }
    return NULL;
}
