/* problem.h: inside view of the convolution problem: sizes, canonical order, features.
 * The public part (parse, format, check, sizes) is in convwise.h. */
#ifndef CW_PROBLEM_H
#define CW_PROBLEM_H

#include "../../include/convwise/backend.h"

enum { CW_DIM_MAX = 1 << 20, CW_PAD_EXCESS = 16, CW_THREADS_MAX = 1024 };

/* The fields of cw_problem in declared order, as integers. */
/* clang-format off */
#define CW_PROBLEM_FIELDS(X)                                                                                 \
    X(mb) X(g) X(ic) X(ih) X(iw) X(oc) X(kh) X(kw) X(sh) X(sw) X(dh) X(dw) X(pt) X(pl) X(pb) X(pr)           \
    X(prec) X(zp) X(layout) X(threads) X(id) X(kd) X(sd) X(dd) X(pf) X(pk) X(dir) X(cache)
/* clang-format on */

/* Total order by fields, for sorting and searching; 0 = equal. */
int cw_problem_compare(const cw_problem *a, const cw_problem *b);
uint64_t cw_problem_hash(const cw_problem *p);
/* parse that keeps zp although the precision is f32: how layer tables say it. */
cw_status cw_problem_parse_layer(const char *text, char *name, size_t name_size, cw_problem *out,
                                 cw_error *err);

static inline int32_t cw_extent(int32_t k, int32_t d) {
    return (k - 1) * (d + 1) + 1;
} /* dilated kernel size */

/* X(name, widening, expression in p): a problem's kind, whole numbers that decide, sizes aside, whether an
 * implementation takes it at all. Expressions are compiled here and printed by the emitter, so both compute
 * the same. Where nothing is known of a kind, a wider one speaks for it: of any kernel size (the fields with
 * widening 1 left out), then of any stride and dilation too (2); never of another grouping, precision, zero
 * point, layout or direction (0). */
#define CW_KIND_FIELDS(X)                                                                                    \
    X(kh, 1, p->kh)                                                                                          \
    X(kw, 1, p->kw)                                                                                          \
    X(kd, 1, p->kd)                                                                                          \
    X(sh, 2, p->sh)                                                                                          \
    X(sw, 2, p->sw)                                                                                          \
    X(sd, 2, p->sd)                                                                                          \
    X(dh, 2, p->dh)                                                                                          \
    X(dw, 2, p->dw) X(dd, 2, p->dd) X(grouping, 0,                                                           \
                                      p->g == 1       ? 0                                                    \
                                      : p->g == p->ic ? 2                                                    \
                                                      : 1) /* dense, grouped, depthwise */                   \
        X(prec, 0, p->prec) X(zp, 0, p->zp) X(layout, 0, p->layout) X(dir, 0, p->dir)
#define X(name, widening, expression) +1
enum { CW_KIND_FIELD_COUNT = 0 CW_KIND_FIELDS(X) };
#undef X
extern const char *const cw_kind_names[CW_KIND_FIELD_COUNT];
extern const char *const cw_kind_expressions[CW_KIND_FIELD_COUNT];
extern const uint8_t cw_kind_widenings[CW_KIND_FIELD_COUNT];
enum { CW_KIND_WIDTHS = 3, CW_KIND_ANY = -1 };
/* Fields with a widening from 1 to width are CW_KIND_ANY; width 0: none is. */
void cw_problem_kind(const cw_problem *p, int width, int32_t key[CW_KIND_FIELD_COUNT]);

/* Groups of shapes: a coarser sorting, for figures and for falling back to a static order. X(symbol, name,
 * condition on a valid problem p); the first that holds. Names are permanent. */
#define CW_SHAPES(X)                                                                                         \
    X(DEPTHWISE, "depthwise", p->g > 1 && p->g == p->ic)                                                     \
    X(1X1, "1x1", p->kh == 1 && p->kw == 1 && p->kd <= 1)                                                    \
    X(3X3S1, "3x3s1",                                                                                        \
      p->kh == 3 && p->kw == 3 && p->sh == 1 && p->sw == 1 && p->dh == 0 && p->dw == 0 && p->id == 0)        \
    X(OTHER, "other", 1)
#define X(symbol, name, condition) +1
enum { CW_SHAPE_COUNT = 0 CW_SHAPES(X), CW_SHAPE_GROUPS = CW_SHAPE_COUNT * CW_PREC_COUNT };
#undef X
extern const char *const cw_shape_conditions[CW_SHAPE_COUNT];
/* prec * CW_SHAPE_COUNT + shape: 0 .. CW_SHAPE_GROUPS - 1. */
int32_t cw_problem_shape_group(const cw_problem *p);
/* "f32 1x1"; a size of 32 never truncates. */
void cw_shape_group_name(int32_t group, char *text, size_t size);
int32_t cw_shape_group_find(const char *name); /* -1 = unknown */

/* X(name, slack, expression): how large a problem is. A model answers for problems from 1 / slack of the
 * least to slack times the most that training had; beyond, what it learned does not count. Expressions as
 * those of features (below), whole numbers. */
#define CW_EXTENT_SLACK 4
/* Bounds are numbers from 0 to this: below it whole numbers and doubles compare the same. */
#define CW_EXTENT_MOST 4503599627370496.0
#define CW_EXTENTS(X)                                                                                        \
    X(mb, CW_EXTENT_SLACK, mb)                                                                               \
    X(g, CW_EXTENT_SLACK, g)                                                                                 \
    X(ic, CW_EXTENT_SLACK, ic)                                                                               \
    X(ih, CW_EXTENT_SLACK, ih)                                                                               \
    X(iw, CW_EXTENT_SLACK, iw)                                                                               \
    X(oc, CW_EXTENT_SLACK, oc)                                                                               \
    X(id, CW_EXTENT_SLACK, id)                                                                               \
    X(threads, 1, threads)                                                                                   \
    X(cache, 1, cache)                                                                                       \
    X(macs, CW_EXTENT_SLACK, outputs *oc *icg *taps)
#define X(name, slack, expression) +1
enum { CW_EXTENT_COUNT = 0 CW_EXTENTS(X) };
#undef X
extern const char *const cw_extent_names[CW_EXTENT_COUNT];
extern const char *const cw_extent_expressions[CW_EXTENT_COUNT];
extern const double cw_extent_slacks[CW_EXTENT_COUNT];
void cw_problem_extents(const cw_problem *p, int64_t out[CW_EXTENT_COUNT]);
/* In what a problem lies outside the bounds, as a static text; NULL = inside. Bounds: one for each extent,
 * NaN = none; NULL = none at all. */
const char *cw_problem_outside(const cw_problem *p, const double *least, const double *most);

/* What an implementation of oneDNN is, from its name, e.g. "brgconv:avx512_core". */
cw_family cw_family_of_onednn(const char *info);

/* ---- Features ---- */

/* One row a feature: a permanent name, which sets it belongs to, a C expression, why it may matter. The
 * expression is compiled here and printed by the emitter, so both compute the same. Its variables are those
 * of CW_FEATURE_VARIABLES as int64_t; it may use + - * / % & | ?: comparisons and casts to double, at most
 * one rounding (no a*b+c in double: a compiler may fuse it) and no function. */
enum { CW_SET_RAW = 1, CW_SET_ENGINEERED = 2, CW_SET_SEED = 4, CW_SET_POOLED = 8 };

/* What expressions may name: the fields of a canonical problem; the output's size (od is 1 in two
 * dimensions); channels a group; inputs and outputs = points of the source and the destination over batch and
 * space; taps = points of the kernel; numbers of the machine (cw_host). */
#define CW_HOST_FIELDS(X) X(m_cores) X(m_l1d) X(m_l2) X(m_l3) X(m_vector)
#define CW_FEATURE_VARIABLES(X)                                                                              \
    CW_PROBLEM_FIELDS(X) X(od) X(oh) X(ow) X(icg) X(ocg) X(inputs) X(outputs) X(taps) CW_HOST_FIELDS(X)
typedef struct cw_variables {
#define X(name) int64_t name;
    CW_FEATURE_VARIABLES(X)
#undef X
} cw_variables;

/* What features say of a machine: cores, bytes of the caches that a core sees and of a vector register; 0 =
 * not known. */
typedef struct cw_host {
#define X(name) int64_t name;
    CW_HOST_FIELDS(X)
#undef X
} cw_host;
cw_host cw_host_of(const cw_machine *machine);

typedef struct cw_feature {
    const char *name;
    unsigned sets;
    const char *expression;
    const char *why;
    double (*eval)(const cw_variables *v);
} cw_feature;

extern const cw_feature cw_features[];
extern const size_t cw_feature_count;
/* NULL = unknown name. */
const cw_feature *cw_feature_find(const char *name);
/* The mask of a set's name ("raw", "engineered", "seed", "pooled"), 0 = unknown. */
unsigned cw_feature_set(const char *name);
/* Values of the features of a list, in its order. */
void cw_features_eval(const cw_feature *const *features, size_t count, const cw_problem *p, double *out);
/* The same on a machine; host NULL: nothing is known of it. */
void cw_features_eval_on(const cw_feature *const *features, size_t count, const cw_problem *p,
                         const cw_host *host, double *out);
/* Does the feature read numbers of the machine? */
bool cw_feature_of_host(const cw_feature *feature);

#endif
