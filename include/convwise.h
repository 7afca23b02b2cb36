/* convwise.h: choose the fastest convolution implementation for a layer, and run it.
 *
 * Read front to back:
 *   1. Status and errors            what every call returns
 *   2. Problem                      one convolution, as a plain value and as text
 *   3. Context and implementations  what can run it on this machine
 *   4. Convolution                  prepare once with weights, run many times
 *   5. Model and choice             which implementation to take
 *
 * <convwise/tools.h> measures, trains, validates and emits C; <convwise/backend.h> is for those who add an
 * implementation.
 *
 * Conventions. `T **out` is the caller's to free; a returned `const T *` is borrowed from its parent.
 * Arguments are borrowed for the length of the call. Every fallible call takes a `cw_error *` last, which may
 * be NULL. Nothing here prints, exits, or reads the environment, the clock or the locale. Threads: values are
 * free to share; a cw_context and a cw_conv belong to one thread at a time; a cw_model is immutable once
 * loaded and may be shared by any number of threads. */
#ifndef CONVWISE_H
#define CONVWISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CW_API __attribute__((visibility("default")))
#else
#define CW_API
#endif

/* ---- 1. Status and errors ---- */

/* X(symbol, name): the one list of statuses. */
#define CW_STATUSES(X)                                                                                       \
    X(OK, "ok")                   /* done */                                                                 \
    X(INVALID, "invalid")         /* an argument or text is not well-formed or out of range */               \
    X(UNSUPPORTED, "unsupported") /* well-formed, but nothing here can do it */                              \
    X(NO_MEMORY, "no memory")                                                                                \
    X(IO, "io")               /* the operating system refused: message has its reason */                     \
    X(FORMAT, "format")       /* a file is not what it should be: message has file and line */               \
    X(NOT_FOUND, "not found") /* a name is unknown */                                                        \
    X(MISMATCH, "mismatch")   /* two things do not belong together, e.g. a model of other features */        \
    X(WRONG, "wrong result")  /* an implementation's output disagrees with the reference */                  \
    X(BACKEND, "backend")     /* a third-party library failed */                                             \
    X(STOPPED, "stopped")     /* ended early by request (signal or budget); what was done is kept */

typedef enum cw_status {
#define X(symbol, name) CW_##symbol,
    CW_STATUSES(X)
#undef X
} cw_status;

/* Caller-owned. Untouched on success. */
typedef struct cw_error {
    cw_status status;
    char message[240]; /* one line: what, where, what to try */
} cw_error;

CW_API const char *cw_status_name(cw_status status);
CW_API const char *cw_version(void);

/* ---- 2. Problem ---- */

/* X(symbol, name): arithmetic of a problem; values are permanent.
 * f32: all float. u8: u8 activations with one scale and zero point, s8 weights with a scale per output
 * channel, s32 bias, 32-bit accumulation, requantised u8 output (see cw_quant). bf16: source, weights and
 * output are bfloat16, held as uint16_t; f32 bias, sums and clamp, rounded once, to nearest even. The others
 * occur in imported measurements; nothing here runs them. */
#define CW_PRECS(X) X(F32, "f32") X(U8, "u8") X(F16, "f16") X(BF16, "bf16") X(S8, "s8")
typedef enum cw_prec {
#define X(symbol, name) CW_##symbol,
    CW_PRECS(X)
#undef X
        CW_PREC_COUNT
} cw_prec;

/* Layout of source and destination in memory. Values are permanent. */
#define CW_LAYOUTS(X) X(NHWC, "nhwc") X(NCHW, "nchw")
typedef enum cw_layout {
#define X(symbol, name) CW_##symbol,
    CW_LAYOUTS(X)
#undef X
} cw_layout;

/* What is computed: the output, the gradient of the source, the gradient of the weights. Values are
 * permanent. Shapes are always written in the forward sense. */
#define CW_DIRS(X) X(FWD, "fwd") X(BWD_D, "bwd_d") X(BWD_W, "bwd_w")
typedef enum cw_dir {
#define X(symbol, name) CW_##symbol,
    CW_DIRS(X)
#undef X
} cw_dir;

/* What the caches hold when a convolution starts. Values are permanent. Hot: what the run before left, the
 * same convolution's. Cold: nothing of the source and the weights, as in a network that is larger than the
 * caches. */
#define CW_CACHES(X) X(HOT, "hot") X(COLD, "cold")
typedef enum cw_cache {
#define X(symbol, name) CW_##symbol,
    CW_CACHES(X)
#undef X
} cw_cache;

/* One convolution in benchdnn's letters. No pointers: copy, compare with memcmp, hash. All zero behind
 * `threads` is what runs here: two dimensions, forward. Ranges: see cw_problem_check. */
typedef struct cw_problem {
    int32_t mb;             /* batch */
    int32_t g;              /* groups; ic and oc are totals over the groups */
    int32_t ic, ih, iw;     /* source channels, height, width */
    int32_t oc;             /* destination channels */
    int32_t kh, kw;         /* kernel */
    int32_t sh, sw;         /* stride, from 1 */
    int32_t dh, dw;         /* dilation, 0 = dense (benchdnn's convention) */
    int32_t pt, pl, pb, pr; /* zero padding top, left, bottom, right */
    int32_t prec;           /* cw_prec */
    int32_t zp;             /* u8: 1 = a zero point is not 0 (see cw_quant); always 0 for f32 */
    int32_t layout;         /* cw_layout of source and destination */
    int32_t threads;        /* threads that run it, from 1 */
    int32_t id, kd, sd,
        dd;         /* depth: source, kernel, stride, dilation; id 0 = two dimensions, then all are 0 */
    int32_t pf, pk; /* padding in front and at the back of the depth */
    int32_t dir;    /* cw_dir */
    int32_t cache;  /* cw_cache: what it runs the same way but takes another time */
} cw_problem;

/* Derived sizes. All fit: cw_problem_check bounds them. */
typedef struct cw_sizes {
    int32_t od, oh, ow;                      /* od: 1 in two dimensions */
    int64_t macs;                            /* multiply-accumulates */
    int64_t src_count, wei_count, dst_count; /* elements */
    int64_t src_bytes, wei_bytes, dst_bytes;
    int64_t gemm_m, gemm_n, gemm_k; /* per group: M = mb*od*oh*ow, N = oc/g, K = ic/g*kd*kh*kw */
} cw_sizes;

enum { CW_PROBLEM_TEXT = 256 }; /* bytes that hold any formatted problem */

/* Reads benchdnn's text, `mb1ic64ih56oc64oh56kh3ph1`, then comma-separated conditions in any order: a
 * precision (f32, u8, f16, bf16, s8), `zp`, a layout (nhwc, nchw), a direction (fwd, bwd_d, bwd_w), the
 * caches' state (hot, cold), `tN` threads: `ic3ih224oc64oh112kh7sh2ph3,u8,zp`. Missing w-letters are taken
 * from the h-letters and the reverse, missing oh/ow follow from ph/pw (default 0), missing ph/pw from oh/ow;
 * the bottom and right pads follow from oh/ow. Defaults: mb1 g1 sh1 dh0, f32, nhwc, hot, t1. A name
 * (`n"conv1"`) is accepted and skipped. */
CW_API cw_status cw_problem_parse(const char *text, cw_problem *out, cw_error *err);
/* Padding behind the tensor that no window reads (112 wide, kernel 3, stride 2, pads 1 and 1: the right one)
 * does not change a convolution. Canonical problems have none of it, so that equal convolutions compare
 * equal. What is parsed is canonical; every call that takes a problem treats it as its canonical form. p must
 * be valid. */
CW_API void cw_problem_canonical(cw_problem *p);
/* Writes the canonical text: parse(format(p)) == canonical(p). Returns its length; a size of CW_PROBLEM_TEXT
 * never truncates. p must be valid. */
CW_API size_t cw_problem_format(const cw_problem *p, char *text, size_t size);
/* Dimensions 1..1,048,576 (pads and dilation from 0), g divides ic and oc, the dilated kernel fits the padded
 * source, pads at most 16 larger than the dilated kernel, tensors below 2^31 elements, threads 1..1024; zp
 * only with u8. */
CW_API cw_status cw_problem_check(const cw_problem *p, cw_error *err);
/* p must be valid. */
CW_API void cw_problem_sizes(const cw_problem *p, cw_sizes *out);
CW_API const char *cw_prec_name(cw_prec prec);
CW_API const char *cw_layout_name(cw_layout layout);
CW_API const char *cw_dir_name(cw_dir dir);
CW_API const char *cw_cache_name(cw_cache cache);

/* ---- 3. Context and implementations ---- */

/* X(symbol, name): how an implementation works. Values are permanent. */
#define CW_FAMILIES(X)                                                                                       \
    X(DIRECT, "direct") X(GEMM, "gemm") X(WINOGRAD, "winograd") X(DEPTHWISE, "depthwise") X(FFT, "fft")
typedef enum cw_family {
#define X(symbol, name) CW_FAMILY_##symbol,
    CW_FAMILIES(X)
#undef X
        CW_FAMILY_COUNT
} cw_family;

typedef struct cw_context cw_context; /* the open backends */
CW_API cw_status cw_context_open(cw_context **out, cw_error *err);
/* What a context has beyond, or short of, that of cw_context_open. All zero = nothing. */
typedef struct cw_context_options {
    /* A lesser machine: instructions above it ("sse41", "avx2", "avx512") are not used. Its measurements are
     * those of another machine (cw_machine_cap). Backends that cannot be kept to it support nothing, and say
     * so. Libraries keep the cap for the whole process: CW_MISMATCH where an earlier context had another one,
     * or none. NULL = no cap. */
    const char *max_isa;
    /* A device beside the CPU, whose backends are opened too: "opencl" = the first GPU of OpenCL, or else the
     * first of its devices; "opencl:TEXT" = the first whose name has TEXT in it. That is another machine too.
     * CW_NOT_FOUND where there is no such device: the message says what there is, or what to install. NULL =
     * none. */
    const char *device;
} cw_context_options;
CW_API cw_status cw_context_open_with(const cw_context_options *options, cw_context **out, cw_error *err);
/* NULL is fine. Convolutions made from it are freed first. */
CW_API void cw_context_close(cw_context *ctx);

/* What one implementation is, and whether it can run a problem. Strings live as long as the context. */
typedef struct cw_impl_info {
    const char *name;    /* permanent, e.g. "own.winograd_f4x3", "onednn.brgconv:avx512_core" */
    const char *backend; /* "own", "onednn", ... */
    cw_family family;
    const char *why_not; /* NULL: supported; else the reason */
    bool library_choice; /* the one its library would take by itself (format left to the library) */
    bool candidate;      /* false for the reference and the empty implementation: measured, never chosen;
                            and for what is reduced: chosen only where asked (cw_limits.fpmath) */
    bool exact;          /* output equals the reference up to rounding: no transform, no saturating sums */
    bool deterministic;  /* the same output, to the bit, whenever it runs */
    bool own_layout;     /* may work in a layout of its own, between reorders inside a run */
    bool reduced;        /* arithmetic of lower precision than the problem's: f32 computed in bf16 */
    int64_t workspace;   /* bytes that cw_conv_workspace will say; -1 = unknown */
} cw_impl_info;

/* Every implementation, in a stable order; with p, whether each supports it. Free *out with cw_free. */
CW_API cw_status cw_impls(cw_context *ctx, const cw_problem *p, cw_impl_info **out, size_t *count,
                          cw_error *err);
CW_API void cw_free(void *memory);
/* cw_impl_info.reduced, for where only the name is known, as of a model's classes. */
CW_API bool cw_impl_is_reduced(const char *name);
CW_API const char *cw_family_name(cw_family family);

/* ---- 4. Convolution ---- */

/* u8 only. real = scale * (quantised - zero_point). For output channel c:
 *   acc = sum (src - src_zp) * weight + bias[c]           exact, 32 bit
 *   dst = clamp(round_to_nearest_even(acc * scale[c]) + dst_zp), saturated to 0..255
 * where scale[c] = src_scale * weight_scale[c] / dst_scale. Where the problem says
 * zp = 0 both zero points must be 0, as between layers with a ReLU: libraries offer fewer and slower
 * implementations where either is not. */
typedef struct cw_quant {
    int32_t src_zp, dst_zp; /* 0..255 */
    const float *scale;     /* oc values */
} cw_quant;

/* Weights: (g, oc/g, kh, kw, ic/g), f32, s8, or bf16 as uint16_t. Bias: oc values, f32 (bf16 too) or s32,
 * NULL = 0.
 * Clamp: dst is limited to [lo, hi], f32 and bf16 in real units (bf16 is rounded after it), u8 in quantised
 * units (0 and 255 = none); -INFINITY and INFINITY = none, lo = 0 is ReLU, 0 and 6 is ReLU6. All are copied
 * or packed by cw_conv_create. */
typedef struct cw_conv_args {
    const void *weights;
    const void *bias;
    float lo, hi;
    cw_quant quant;
} cw_conv_args;

typedef struct cw_conv cw_conv;
/* Prepares `impl` (a name from cw_impls) for the problem: packs weights, compiles kernels. */
CW_API cw_status cw_conv_create(cw_context *ctx, const cw_problem *p, const char *impl,
                                const cw_conv_args *args, cw_conv **out, cw_error *err);
CW_API size_t cw_conv_workspace(const cw_conv *conv); /* bytes; may be 0 */
/* dst = clamp(conv(src) + bias). Source and destination are dense, in the problem's layout, batch outermost.
 * workspace: cw_conv_workspace bytes, 64-byte aligned, its content is of no meaning between calls. Does not
 * allocate. Layout changes that an implementation needs inside are done here. */
CW_API cw_status cw_conv_run(const cw_conv *conv, const void *src, void *dst, void *workspace);
CW_API const char *cw_conv_impl(const cw_conv *conv);
CW_API void cw_conv_free(cw_conv *conv);

/* ---- 5. Model and choice ---- */

typedef struct cw_model cw_model;
CW_API cw_status cw_model_load(const char *path, cw_model **out, cw_error *err);
CW_API void cw_model_free(cw_model *model);
CW_API size_t cw_model_classes(const cw_model *model); /* how many implementations it knows */
CW_API const char *cw_model_class(const cw_model *model, size_t index); /* their names */
CW_API const char *cw_model_learner(const cw_model *model);             /* "tree", "bayes" */

/* What a choice must keep to. All zero = no limits. What is not known of an implementation counts as not
 * allowed. What can be known differs: with a context the backends say workspace, exactness, determinism and
 * layouts; without one, and always for errors and times, it is what the model's training measured. */
enum { CW_NO_WORKSPACE = -1 };
/* oneDNN's term: the arithmetic that f32 may be computed in. */
typedef enum cw_fpmath {
    CW_FPMATH_STRICT, /* f32 */
    CW_FPMATH_BF16    /* or products of bf16: faster, off by up to 2 % of the largest output */
} cw_fpmath;
typedef struct cw_limits {
    int64_t workspace_bytes; /* most that cw_conv_workspace may be; 0 = any, CW_NO_WORKSPACE = none at all.
                                Without a context: estimated by the largest share of the tensors' bytes that
                                training met */
    bool exact;       /* only what equals the reference up to rounding: no Winograd, no FFT, no u8 kernel that
                         saturates (without a context: that was off by more than one step in training) */
    double max_error; /* largest error over the output's largest value, in u8 steps, that training may have
                         met; 0 = any. What is exact but was not measured counts as 1e-5, or one step */
    bool deterministic; /* only what gives the same bits whenever it runs (needs a context) */
    bool no_reorders;   /* only what works in the problem's layout, without layout changes inside a run */
    cw_fpmath fpmath;   /* strict: nothing that is reduced */
    const char *allow;  /* only names that match (fnmatch, comma-separated); NULL = all */
    const char *forbid; /* no names that match; NULL = none */
    double calls; /* how often it will run, once prepared: ranked by time + preparation / calls, in ns, which
                     is then the cost; 0 = preparing costs nothing. Preparation is predicted from weight bytes
                     and work as in training, where unknown as the dearest known. A learner without times
                     keeps its order: each takes its mean time a multiply-accumulate in training, but no less
                     than those before it */
} cw_limits;

/* One implementation in a ranking. Strings are borrowed from the model. */
typedef struct cw_choice {
    const char *impl;
    double cost;  /* the learner's cost, smaller is better; comparable inside one ranking only; INFINITY
                     = it cannot tell */
    double share; /* the learner's probability that it is the fastest, 0..1 */
    double ns;    /* predicted time of one run, or NaN where the learner predicts none */
    const char *why_not; /* NULL, or why it cannot run here or is not allowed (then ranked after those that
                            can) */
    double regret;       /* first of a ranking that can run: share of time that taking it is expected to lose
                            against       the fastest, 0.03 = 3 %, as met on training rows that were held out; NaN =
                            not       known,       and for all others */
    double prepare_ns;   /* predicted time to prepare it once, NaN = not known */
    bool measured;       /* ns was measured for this very problem (cw_choose_measured), not predicted */
    /* The same for all of a ranking: */
    bool by_static_order; /* costs are places in the order that needs no problem, not the learner's */
    bool by_library;      /* and the library's own choice comes before them */
    const char *unlike;   /* NULL, or in what p is unlike the problems of training (static text). Where it is
                             4 times larger or smaller in some extent, or runs on other numbers of threads,
                             the library's own choice comes first, where a context knows it, and the static
                             order ranks the others; with a kernel unknown to training, the library's likewise,
                             or else the learner ranks */
} cw_choice;

/* Ranks the model's implementations for p within limits (NULL = none), best first: those that ctx can run in
 * order of cost, then the context's last resort, own.direct, which supports every valid problem (where the
 * model does not know it), then the rest with reasons. So whatever fails, the next entry can be tried.
 * ctx NULL: what had no time on such a kernel (same size, stride, dilation, layout, grouping, precision,
 * direction; where training had no such kernel, on most kernels of other sizes, or else of other strides and
 * dilations) in training counts as one that cannot run, but comes before what is not allowed; all of those
 * rank in an order learned without the problem. Writes min(capacity, n) entries to out and n, at most
 * cw_model_classes + 1, to *count. Does not allocate unless ctx is given.
 * CW_UNSUPPORTED: nothing can run, or nothing is left within the limits: the message names the limit that
 * the last resort, or without a context the last implementation, fell to; or calls are given and the model
 * knows no times or no preparations. CW_INVALID: a limit is no number, or negative. */
CW_API cw_status cw_choose_within(const cw_model *model, cw_context *ctx, const cw_problem *p,
                                  const cw_limits *limits, cw_choice *out, size_t capacity, size_t *count,
                                  cw_error *err);
/* The same without limits. */
CW_API cw_status cw_choose(const cw_model *model, cw_context *ctx, const cw_problem *p, cw_choice *out,
                           size_t capacity, size_t *count, cw_error *err);

#ifdef __cplusplus
}
#endif
#endif
