/* convwise/tools.h: measure, learn, validate, emit. What the program `convwise` is made of.
 *
 *   1. Machine     what this is
 *   2. Networks    tables of layers
 *   3. Store       measurements on disk
 *   4. Measure     fill a store
 *   5. Dataset     a store's rows as a learning matrix
 *   6. Train       dataset -> model
 *   7. Validate    how well would it choose on layers it has not seen
 *   8. Emit        model -> C
 *   9. Choose      by measured times; or measure; why
 *   9. ONNX        model -> ONNX-ML, and back
 *
 * Same conventions as <convwise.h>. */
#ifndef CONVWISE_TOOLS_H
#define CONVWISE_TOOLS_H

#include "../convwise.h"
#include "backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Machine ---- */

CW_API void cw_machine_detect(cw_machine *out);
/* Makes it the machine that a lesser CPU would be: max_isa is "sse41", "avx2" or "avx512" (the last without
 * VNNI and bf16), instructions above it are taken away and the fingerprint is another. Caches and cores stay.
 * CW_UNSUPPORTED: it takes nothing away, or the machine has not so much. */
CW_API cw_status cw_machine_cap(cw_machine *machine, const char *max_isa, cw_error *err);
/* What a context's backends go by; lives as long as ctx. */
CW_API const cw_machine *cw_context_machine(const cw_context *ctx);
/* What may explain or disturb times here: governor, turbo, SMT, load, CPU limits, clock resolution. A JSON
 * object of numbers, strings and nulls (the kernel does not say); free with cw_free. */
CW_API cw_status cw_machine_conditions(char **json, cw_error *err);
/* One open backend (or one that this build lacks), for `doctor`. */
typedef struct cw_backend_info {
    const char *name;
    const char *version; /* of its library; NULL = not in this build, or not open */
    const char *package; /* Debian package to install for it; NULL = none needed */
    bool on_device;      /* in this build, but not open: it wants a context with a device */
} cw_backend_info;
/* Borrowed array, lives as long as ctx. */
CW_API const cw_backend_info *cw_backends(const cw_context *ctx, size_t *count);

/* ---- 2. Networks ---- */

typedef struct cw_layer {
    char name[64];
    cw_problem problem; /* f32; zp as the table states it, for cw_layer_problem */
    uint32_t precs;     /* bits 1 << cw_prec: the precisions that the network has this layer in; 0 = all */
} cw_layer;

/* A network's convolutions, in order, with repeats. Format: docs/formats.md. */
typedef struct cw_net {
    char name[64];
    cw_layer *layers;
    size_t count;
} cw_net;

/* Reads a layer table; the network's name is the file's without folder and extension. Errors name file and
 * line. */
CW_API cw_status cw_net_read(const char *path, cw_net *out, cw_error *err);
CW_API void cw_net_release(cw_net *net);
/* The layer's problem at another precision, thread count and batch (zp is kept for u8, cleared for f32). */
CW_API cw_problem cw_layer_problem(const cw_layer *layer, cw_prec prec, int32_t threads, int32_t mb);

/* A synthetic grid: every combination of the ranges whose kernel fits. A range is
 * "first:last[:step]", "first:last:*factor" or "a,b,c". Result: a net whose layers are named by their problem
 * text. */
typedef struct cw_grid {
    const char *size, *ic, *oc, *kernel, *stride, *pad; /* NULL: size 7,14,28,56; ic and oc 16:512:*2; kernel
                                                           1,3,5; stride 1,2; pad: 0 and half the kernel */
} cw_grid;
CW_API cw_status cw_grid_make(const cw_grid *grid, cw_net *out, cw_error *err);

/* ---- 3. Store ---- */

/* SQLite, one file, append-only measurements; schema in docs/formats.md. Safe against kill -9: each
 * measurement is committed before the next starts. One writer at a time, any number of readers. */
typedef struct cw_store cw_store;
typedef enum cw_open_mode { CW_STORE_READ, CW_STORE_WRITE /* created where missing */ } cw_open_mode;
CW_API cw_status cw_store_open(const char *path, cw_open_mode mode, cw_store **out, cw_error *err);
CW_API void cw_store_close(cw_store *store);

/* X(symbol, name): states of a measurement; values are permanent. Only OK and CUT_OFF carry a time. */
#define CW_STATES(X)                                                                                         \
    X(OK, "ok")                                                                                              \
    X(UNSUPPORTED, "unsupported") /* the implementation says so: detail has its reason */                    \
    X(FAILED, "failed")           /* error or crash: detail says which */                                    \
    X(WRONG, "wrong")             /* output disagreed with the reference: error has by how much */           \
    X(NO_MEMORY, "no memory")                                                                                \
    X(CUT_OFF,                                                                                               \
      "cut off") /* clearly slower than the best: timing stopped early, the time is real but rough */        \
    X(SKIPPED,                                                                                               \
      "skipped")        /* hopeless by its speed on other problems, and slow: not run; detail has figures */ \
    X(LABEL, "label")   /* imported: known to be the fastest, no time is known */                            \
    X(ABSENT, "absent") /* imported: the source has no time and does not say why */                          \
    X(NOT_MEASURED, "not measured") /* never stored: stands for an absent row */
typedef enum cw_state {
#define X(symbol, name) CW_STATE_##symbol,
    CW_STATES(X)
#undef X
} cw_state;
CW_API const char *cw_state_name(cw_state state);

/* One problem x implementation, as measured. Times in nanoseconds; what is read from a store has NaN for the
 * times of a state that carries none. */
typedef struct cw_measurement {
    cw_problem problem;
    const char *impl; /* name */
    const char *backend;
    const char *version; /* of the backend's library */
    cw_family family;
    bool candidate, library_choice;
    cw_state state;
    const char *detail;               /* reason or message, "" = none */
    int32_t samples;                  /* over all passes */
    double time_ns;                   /* minimum over passes of the pass's median: what learners use */
    double min_ns, median_ns, mad_ns; /* over all samples */
    double prepare_ns;
    double src_reorder_ns, dst_reorder_ns; /* to and from the problem's layout, 0 where none is needed */
    double workspace_bytes;
    double error; /* largest absolute difference from the reference over its largest absolute value (u8: in
                     quantised steps) */
    double mean_error; /* mean absolute difference, in the same unit; NaN = not known */
    double pass_ns[8]; /* median of each pass, 0 = unused */
    const char *net;   /* the network that it was measured in; NULL = the problem on its own */
    int32_t position;  /* of the layer among the network's of this precision, from 1; 0 = none */
} cw_measurement;

typedef struct cw_store_info {
    int64_t bytes, machines, problems, impls, measurements, networks;
    int64_t by_state[CW_STATE_NOT_MEASURED + 1];
    int schema;
} cw_store_info;
CW_API cw_status cw_store_info_get(cw_store *store, cw_store_info *out, cw_error *err);

/* How cw_measure takes times (docs/measuring.md), recorded with each run; grows when times stop being
 * comparable. */
enum { CW_PROTOCOL = 1 };
/* Names the session that following measurements belong to. conditions_json: an object, NULL = {}. */
CW_API cw_status cw_store_begin_run(cw_store *store, const cw_machine *machine, const char *conditions_json,
                                    int32_t threads, cw_error *err);
/* Committed when it returns. CW_INVALID where a state that carries a time has none, or a name is not usable
 * (names: 1 to 127 of letters, digits and . _ : + - / @; versions: 1 to 63 printable ASCII characters). A
 * long detail is cut. */
CW_API cw_status cw_store_add(cw_store *store, const cw_measurement *m, cw_error *err);
/* Records the layers (shapes, order, repeats) of a network; replaces one of the same name. */
CW_API cw_status cw_store_add_net(cw_store *store, const cw_net *net, cw_error *err);
/* What counts of each (problem, implementation) on one machine (NULL = all machines), ordered by problem: the
 * newest measurement; where that is CW_STATE_OK and convwise's own, the fastest of its repeats, which are
 * those that the same machine made before of the same library version by the same protocol: noise only adds
 * (docs/measuring.md). The measurement is valid during the visit; a status other than CW_OK ends it and is
 * returned. */
typedef cw_status cw_store_visit(void *arg, const cw_measurement *m);
CW_API cw_status cw_store_each(cw_store *store, const char *fingerprint, cw_store_visit *visit, void *arg,
                               cw_error *err);
/* Networks in the store, in order of their names. */
typedef cw_status cw_net_visit(void *arg, const cw_net *net);
CW_API cw_status cw_store_each_net(cw_store *store, cw_net_visit *visit, void *arg, cw_error *err);

/* Machines in the store, in order of their fingerprints; problems = those with at least one measurement. */
typedef cw_status cw_machine_visit(void *arg, const cw_machine *machine, int64_t problems,
                                   int64_t measurements);
CW_API cw_status cw_store_each_machine(cw_store *store, cw_machine_visit *visit, void *arg, cw_error *err);
/* What the store has of one problem on one machine, so that measuring can resume: every implementation and
 * library version, once, with its newest state, in no order. Nothing is visited for an unknown machine or
 * problem. Strings are valid during the visit. */
typedef cw_status cw_done_visit(void *arg, const char *impl, const char *version, cw_state state);
CW_API cw_status cw_store_done(cw_store *store, const char *fingerprint, const cw_problem *problem,
                               cw_done_visit *visit, void *arg, cw_error *err);
/* Adds the runs, measurements and networks of another store, all or nothing. What is there already (the same
 * measurement of the same run, a network of the same name) is left alone, so that merging twice is harmless.
 * added: new measurements, may be NULL. */
CW_API cw_status cw_store_merge(cw_store *store, const char *other_path, int64_t *added, cw_error *err);
/* Text in parts, as it is made. A status other than CW_OK ends the making and is returned. */
typedef cw_status cw_sink(void *arg, const char *text, size_t length, cw_error *err);
/* X(symbol, name): formats of an export; columns in docs/formats.md.
 * csv: RFC 4180, one line of names first. jsonl: one object a line, keys as the columns of the CSV, null
 * where it has nothing. */
#define CW_EXPORTS(X) X(CSV, "csv") X(JSONL, "jsonl")
typedef enum cw_export {
#define X(symbol, name) CW_EXPORT_##symbol,
    CW_EXPORTS(X)
#undef X
} cw_export;
/* Every measurement, in bounded memory. */
CW_API cw_status cw_store_export(cw_store *store, cw_export format, cw_sink *sink, void *arg, cw_error *err);
/* The same to a file, all or nothing. */
CW_API cw_status cw_store_save(cw_store *store, cw_export format, const char *path, cw_error *err);
/* Writes a text file all or nothing. */
CW_API cw_status cw_save(const char *path, const char *text, cw_error *err);

/* ---- 4. Measure ---- */

typedef struct cw_measure_progress {
    size_t done, total; /* problems */
    size_t stored;      /* measurements so far */
    double elapsed_s, eta_s;
    const char *now; /* text of the problem at hand */
} cw_measure_progress;

typedef struct cw_measure_options {
    const cw_problem *problems; /* duplicates are measured once */
    size_t count;
    const char *only; /* fnmatch pattern(s) of implementation names, comma-separated, NULL = all */
    cw_fpmath fpmath; /* bf16: what computes f32 in lower precision, too */
    double budget_s;  /* stop after about this long, 0 = none; CW_STOPPED */
    double sample_ms; /* least duration of one sample, 0 = default (docs/measuring.md) */
    double timeout_s; /* one step of one implementation may take this long, 0 = default, by size */
    int32_t passes;   /* 0 = default, at most 8 */
    double cut_off;   /* stop timing what is this many times slower than the best so far, 0 = default 4 */
    uint64_t seed;    /* of data and of the random order */
    bool again;       /* measure what the store already has */
    bool in_process;  /* no child process: for debuggers */
    const char *environment;  /* what the caller knows of its environment that may explain times; recorded,
                                 NULL =  nothing */
    const volatile int *stop; /* set to non-zero by a signal handler to end now, NULL = never */
    void (*progress)(void *arg, const cw_measure_progress *progress);
    void *arg;
} cw_measure_options;

/* Measures every implementation of every problem and stores the results (docs/measuring.md). Resumes: pairs
 * that the store has for this machine and library version are skipped. CW_STOPPED where budget or stop ended
 * it. Each problem runs in a child process of its own (fork): the caller must not have started OpenMP
 * threads. CW_BACKEND: a child died outside any implementation; the other problems were measured. */
CW_API cw_status cw_measure(cw_context *ctx, cw_store *store, const cw_measure_options *options,
                            cw_error *err);

/* ---- 5. Dataset ---- */

typedef struct cw_dataset cw_dataset;
typedef struct cw_dataset_options {
    const char *features;    /* "raw", "engineered" (default), "pooled": engineered and the numbers of the
                                machine, or    "seed": the ten columns of docs/seed.md */
    const char *fingerprint; /* of the machine; "all": of every machine, a row being a problem on a machine;
                                NULL = the one with most rows */
    int32_t prec;            /* a cw_prec, -1 = all */
    int32_t threads;         /* 0 = all */
    bool
        free_reorders; /* true: layout changes cost nothing; false (default): charged to the implementation */
    int32_t dir;       /* a cw_dir (default CW_FWD), -1 = all */
    int32_t cache;     /* a cw_cache (default CW_HOT), -1 = all */
    int32_t dims;      /* 2 or 3 dimensions only, 0 = all */
    int32_t least;     /* only problems with at least so many timed implementations, 0 = 1 */
    bool families;     /* true: classes are families, each as fast as its fastest implementation */
    bool labels;       /* rows from imported labels, without times: to train on, not to validate on; least
                          does not matter then */
    cw_fpmath fpmath;  /* strict: without what computes f32 in lower precision */
} cw_dataset_options;
/* One row a problem with enough timed candidates, one class an implementation (or family) with at least one
 * time. labels: one row a label, in the order of storing, repeats kept; one class an implementation (or
 * family) that is a label. */
CW_API cw_status cw_dataset_load(cw_store *store, const cw_dataset_options *options, cw_dataset **out,
                                 cw_error *err);
CW_API void cw_dataset_free(cw_dataset *data);
CW_API size_t cw_dataset_rows(const cw_dataset *data);
CW_API size_t cw_dataset_classes(const cw_dataset *data);
CW_API const char *cw_dataset_class(const cw_dataset *data, size_t index);
CW_API const cw_problem *cw_dataset_problem(const cw_dataset *data, size_t row);
/* Nanoseconds, NaN where there is no time. */
CW_API double cw_dataset_time(const cw_dataset *data, size_t row, size_t index);

/* The dataset as ARFF: one row a problem, its features and, as the nominal
 * attribute `class`, the fastest implementation. Free with cw_free. */
CW_API cw_status cw_dataset_arff(const cw_dataset *data, char **out, cw_error *err);

/* ---- 6. Train ---- */

/* X(type, field, option, least, most, help): the settings of the learners, the one list; --help, checks and
 * the text in models follow it. 0 = the learner's own default; a learner reads those for which its default
 * says so (docs/learners.md). */
#define CW_SETTINGS(X)                                                                                       \
    X(int32_t, max_depth, "max-depth", 1, 4096, "Greatest depth of a tree")                                  \
    X(int32_t, max_leaves, "max-leaves", 2, 1000000000, "Most leaves of a tree")                             \
    X(int32_t, min_leaf, "min-leaf", 1, 1000000000, "Least rows in a leaf")                                  \
    X(double, ccp_alpha, "ccp-alpha", 0, 1, "tree: prune what lowers the impurity by less a leaf")           \
    X(double, var_smoothing, "var-smoothing", 0, 1e300, "bayes: share of the largest variance added to all") \
    X(int32_t, trees, "trees", 1, 10000, "Trees of a forest, rounds of boosting")                            \
    X(double, learning_rate, "learning-rate", 0, 1, "boost: share of a step that is taken")                  \
    X(double, l2, "l2", 0, 1e9, "boost: pull of leaves towards 0, in rows")                                  \
    X(double, column_share, "column-share", 0, 1, "Share of the columns that a node, or a round, looks at")  \
    X(double, row_share, "row-share", 0, 1, "Share of the rows that a tree sees")                            \
    X(double, temperature, "temperature", 0, 100, "boost: a class slower by exp(T) counts 1/e as much")

/* How a class without a time in a row is learned from. */
typedef enum cw_absent {
    CW_ABSENT_MASKED, /* it was no choice there: the row says nothing about it */
    CW_ABSENT_SLOW /* it was one where rows of the same kernel, stride, dilation, layout, grouping, precision
                      and direction have times of it, and lost: counted as the row's slowest time */
} cw_absent;

/* What a choice is made among where rows are held out (validating, tuning, calibrating). */
typedef enum cw_mask {
    CW_MASK_RECORD, /* what has a time in the row's record: as in a program that knows what can run */
    CW_MASK_KIND    /* what had a time in training on such a kernel (as in CW_ABSENT_SLOW; where none had: on
                       most of other sizes, or else of other strides and dilations). A choice without a time in
                       the row counts as the row's slowest */
} cw_mask;

typedef struct cw_train_options {
    const char *learner; /* a name of cw_learners; NULL = ensemble, with a base boost */
#define X(type, field, option, least, most, help) type field;
    CW_SETTINGS(X)
#undef X
    cw_absent absent;
    cw_mask mask;
    const char
        *split; /* which rows are copies of each other when rows are held out to tune or calibrate: in
                   the sense of a split of cw_validate_options; NULL = its default, with a base "group" */
    bool tune;  /* choose among the learner's settings by cross-validation inside the rows; what is given here
                   is kept */
    bool calibrate;  /* find out on held-out rows how much a choice loses (cw_choice.regret); five more
                        trainings */
    double no_harm;  /* above 0: where the learner is slower than the static order by more than this share, on
                        held-out  rows of a group of shapes, the static order chooses instead
                        (docs/validating.md); up to five  more trainings. 0 = not looked for */
    int32_t threads; /* that train, 0 = 1; the result does not depend on it */
    uint64_t seed;
    const cw_model *base; /* a model of another machine to go on from; NULL = none (docs/few-shot.md) */
} cw_train_options;
/* Classes of the model: the dataset's that have at least one time. CW_NOT_FOUND: no rows, or no such learner;
 * CW_INVALID: bad settings, or one implementation wins every row (the message names it). Same data and
 * options, same bytes.
 *
 * With a base (borrowed) few rows are enough: learner boost corrects the base's sum of trees;
 * how much of it is kept is chosen inside the rows, nothing at all included (docs/few-shot.md). The base's
 * classes come first. CW_MISMATCH: the base is no sum of trees, or of other features, or the data has none of
 * its classes. */
CW_API cw_status cw_train(const cw_dataset *data, const cw_train_options *options, cw_model **out,
                          cw_error *err);
/* Names for help and checks; NULL-ended. */
CW_API const char *const *cw_learners(void);
/* The feature set the model was trained on: "raw", "engineered" or "seed"; borrowed. */
CW_API const char *cw_model_features(const cw_model *model);
/* Sets the machine that a model chooses for, where its features read numbers of the machine ("pooled"): the
 * fingerprint of one that it was trained on, "here", "here:avx2" (capped: cw_machine_cap), or
 * "CORES,L1D,L2,L3,VECTOR" (bytes). Without it: the context's, else the only machine it was trained on.
 * Before the model is shared. CW_NOT_FOUND: none of these. */
CW_API cw_status cw_model_on(cw_model *model, const char *machine, cw_error *err);
/* Writes to a temporary file beside path and renames: a model file is never half-written. */
CW_API cw_status cw_model_save(const cw_model *model, const char *path, cw_error *err);
/* The model as JSON text (what cw_model_save writes); free with cw_free. */
CW_API cw_status cw_model_json(const cw_model *model, char **out, cw_error *err);
CW_API cw_status cw_model_parse(const char *text, size_t length, const char *where, cw_model **out,
                                cw_error *err);
/* Why the model ranks as it does for p, as lines of text (a tree's path, bayes' leading features); free with
 * cw_free. */
CW_API cw_status cw_model_explain(const cw_model *model, const cw_problem *p, char **out, cw_error *err);

/* ---- 7. Validate ---- */

typedef struct cw_validate_options {
    const char *split; /* "network", "near", "group", "machine", "kfold:N", "holdout:F" (F = share held out);
                          NULL = network where at least two networks have rows, else group */
    const char *const *learners; /* NULL-ended names */
    cw_train_options train; /* settings for each learner (its name and split are ignored), and the mask */
    uint64_t seed;          /* of kfold, group and holdout */
} cw_validate_options;

/* Scores of one way of choosing over a set of layers; docs/validating.md defines each. Times are sums in
 * microseconds, each layer counted as often as its network has it. A figure that does not exist (no layers,
 * nothing to gain) is NaN, null in JSON. */
typedef struct cw_score {
    int64_t layers;
    int64_t infeasible;          /* choices without a time. Charged the layer's slowest time */
    int64_t unmasked_infeasible; /* learners: how often the choice would be one if nothing were masked */
    int64_t fallbacks; /* layers where the contender had no answer of its own: best static's is taken */
    double accuracy, accuracy_ties; /* shares; ties: within the measured noise of the best */
    double chosen_us, oracle_us;
    double best_static_us, library_us; /* what these two baselines take for the same layers */
    double regret;                     /* chosen / oracle - 1 */
    double geomean;                    /* of chosen / oracle over layers */
    double headroom; /* (best static - chosen) / (best static - oracle): 1 = all that can be won */
    double within_5pct, over_1_5x; /* shares */
} cw_score;

/* About a tenth of the layers, those with neighbouring promises of cw_choice.regret; equal promises stand
 * together. */
typedef struct cw_promise {
    int64_t layers;
    double promised, met; /* geometric means: share of time lost */
} cw_promise;

/* A way of choosing: a learner or a baseline ("oracle", "best static", "always direct", "library", ...). */
typedef struct cw_contender {
    const char *name;
    bool baseline;
    cw_score pooled;
    cw_score by_prec[CW_PREC_COUNT]; /* pooled by cw_prec; layers = 0 where the data has none */
    const cw_score *groups;          /* one a group */
    const cw_promise *promises;      /* learners with calibration: promised against met, by rising promise */
    size_t promise_count;
    const char *const *settings; /* learners: one text a fold, "" = nothing was learned; NULL for baselines */
    const int64_t *confusion; /* classes x classes, [truth * classes + chosen], layers; NULL for baselines */
} cw_contender;

/* Layers scored together. */
typedef struct cw_group {
    const char *name;
    cw_prec prec;
} cw_group;

typedef struct cw_report {
    const char *split;
    const char *note; /* what a reader must know, e.g. "random: flatters"; NULL = nothing */
    const cw_group *groups;
    size_t group_count;
    const cw_contender *contenders; /* learners first, then baselines */
    size_t contender_count;
    const char *const *folds; /* names, as the settings are listed; none for a given model */
    size_t fold_count;
    const char *const *classes;
    size_t class_count;
} cw_report;
/* Groups: for splits network and near one a network and precision; else one a fold and precision. Nothing of
 * a test row, nor a copy of it, is in the training of its fold, baselines included. The report owns all its
 * memory. */
CW_API cw_status cw_validate(const cw_dataset *data, const cw_validate_options *options, cw_report **out,
                             cw_error *err);
/* Scores this very model on all rows of a dataset with the model's features, masked by what it saw itself
 * where the mask is CW_MASK_KIND (CW_INVALID: it does not know what it saw); one group a network and
 * precision, or a precision where no network has rows. Best static is the model's own static order. The note
 * says whether the rows are those it was trained on. CW_MISMATCH: other features, or no implementation in
 * common. */
CW_API cw_status cw_validate_model(const cw_dataset *data, const cw_model *model, cw_mask mask,
                                   cw_report **out, cw_error *err);
CW_API void cw_report_free(cw_report *report); /* NULL is fine */
/* The JSON of `convwise validate --json`; free with cw_free. */
CW_API cw_status cw_report_json(const cw_report *report, char **out, cw_error *err);
/* Keeps the pooled figures of the model's learner in the model, for its file and for emitted headers:
 * {"split", "note", "pooled": {figures}, "f32": {figures}, "u8": {figures}}. Before the model is shared.
 * CW_NOT_FOUND: the report has no such learner. */
CW_API cw_status cw_model_set_validation(cw_model *model, const cw_report *report, cw_error *err);

/* ---- 8. Emit ---- */

typedef struct cw_emit_options {
    const char *prefix; /* C identifier that begins every name, at most 63 characters, NULL = "convwise" */
    bool header;        /* only the declarations, for callers */
    bool self_test;     /* adds problems with their answers and a main(), under #ifdef PREFIX_SELF_TEST */
} cw_emit_options;
/* A stand-alone C99 file (docs/formats.md), or its header; options NULL = defaults; free with cw_free. */
CW_API cw_status cw_emit_c(const cw_model *model, const cw_emit_options *options, char **out, cw_error *err);
/* The same to a file, all or nothing. */
CW_API cw_status cw_emit_c_save(const cw_model *model, const cw_emit_options *options, const char *path,
                                cw_error *err);

/* ---- 9. Choose ---- */

/* Measured times, laid over a model. Immutable: any number of threads may share it. */
typedef struct cw_overlay cw_overlay;
/* The newest times of one machine (NULL = of all). */
CW_API cw_status cw_overlay_load(cw_store *store, const char *fingerprint, cw_overlay **out, cw_error *err);
CW_API void cw_overlay_free(cw_overlay *overlay); /* NULL is fine */
/* As cw_choose_within, but those of the model's implementations that overlay has a time of for this very
 * problem rank first, by that time (with limits->calls: and what preparing took). overlay NULL = nothing is
 * measured. */
CW_API cw_status cw_choose_measured(const cw_model *model, cw_context *ctx, const cw_overlay *overlay,
                                    const cw_problem *p, const cw_limits *limits, cw_choice *out,
                                    size_t capacity, size_t *count, cw_error *err);

/* Whether to measure. Expected saving: the share of time that the model's choice is expected to lose
 * (cw_choice.regret), times its predicted time, times the calls. Cost: comparing with the reference, and
 * preparing and timing each of the first candidates. */
typedef struct cw_trade {
    double saving_ns, cost_ns; /* saving: NaN = the model promises nothing */
    size_t candidates;
    bool worth;
    const char *why; /* static text: what was done, and why */
} cw_trade;
/* Predicts; where that is expected to save more over limits->calls (needed) than it costs, measures the
 * `most` (0 = 3) first of the ranking into the store, which must be open for writing, and ranks by these
 * times. What the store already has of the problem on this machine is not measured again. how: as for
 * cw_measure, NULL = defaults; its problems and names are ignored; its warning of forks holds. Caller has out
 * for cw_model_classes
 * + 1. */
CW_API cw_status cw_choose_or_measure(const cw_model *model, cw_context *ctx, cw_store *store,
                                      const cw_problem *p, const cw_limits *limits, size_t most,
                                      const cw_measure_options *how, cw_choice *out, size_t capacity,
                                      size_t *count, cw_trade *trade, cw_error *err);

/* A change of one thing of the problem for which another implementation is chosen. */
typedef struct cw_flip {
    const char *what; /* mb, ic, oc, channels (depthwise: all of them), size (height, and width where equal),
                         kernel (padding that keeps the size goes on doing so), stride, threads */
    int32_t from, to;
    char impl[96];
} cw_flip;
/* The nearest flips, at most one for each thing and direction, smallest ratio first; looked for up to a
 * factor of 16 in steps of 2^(1/2), then narrowed down. Some hundred choices. */
CW_API cw_status cw_choice_flips(const cw_model *model, cw_context *ctx, const cw_problem *p,
                                 const cw_limits *limits, cw_flip *out, size_t capacity, size_t *count,
                                 cw_error *err);

/* A measured problem. Distance: Euclid's, over log2(1 + field) of all sizes; precision, zero point, layout
 * and direction are the same. */
typedef struct cw_neighbour {
    cw_problem problem;
    double distance;
    char impl[128]; /* its fastest candidate */
    double ns;
} cw_neighbour;
/* The nearest of one machine's problems (NULL = of all), nearest first; count: how many there are at all. */
CW_API cw_status cw_store_nearest(cw_store *store, const char *fingerprint, const cw_problem *p,
                                  cw_neighbour *out, size_t capacity, size_t *count, cw_error *err);

/* A problem to measure on a machine for which only another's model, the base, is there. */
typedef struct cw_probe {
    size_t index; /* in the problems given */
    double
        loss; /* what the base expects to lose there against the fastest, 0.03 = 3 %; NaN = it cannot tell */
    double gain; /* share of what is to be gained over all problems that this probe adds, 0..1 */
} cw_probe;
/* Chooses up to `most` of the problems to measure before training with cw_train_options.base. One after the
 * other, each the one of the largest gain: the sum over all problems among whose implementations there is a
 * choice of weight x how much more alike this probe is than those before it. Alike: the share of the base's
 * trees (at most 256 of them, evenly) in which two problems come to the same leaf. A facility location, for
 * which greedy picks reach at least 1 - 1/e of the best (Nemhauser et al., 1978). ctx: says what can run;
 * NULL = what the base saw. weights: how much each problem counts, e.g. how often a network has it, above 0;
 * NULL = 1. Equal problems are picked once; *picked is at most `most` and the number of different problems.
 * out is the caller's, `most` entries. Work grows with the square of count. CW_MISMATCH: the base is no sum
 * of trees; CW_INVALID: a problem or a weight is. */
CW_API cw_status cw_pick_probes(const cw_model *base, cw_context *ctx, const cw_problem *problems,
                                const double *weights, size_t count, cw_probe *out, size_t most,
                                size_t *picked, cw_error *err);

/* ---- 9. ONNX ---- */

/* All of these: CW_UNSUPPORTED in a build without ONNX (no protobuf-c). docs/formats.md says what is written
 * and read. */

/* A model of trees as an ONNX file of *size bytes; free *out with cw_free. Input `features`, floats [N,
 * columns]; outputs `class`, int64 [N], and `costs`, floats [N, classes], both in static order.
 * CW_UNSUPPORTED: the learner is none of trees. */
CW_API cw_status cw_emit_onnx(const cw_model *model, char **out, size_t *size, cw_error *err);
/* The same to a file, all or nothing. */
CW_API cw_status cw_emit_onnx_save(const cw_model *model, const char *path, cw_error *err);

/* What a file of another's does not say. A file that was written here says all; then both may be NULL. */
typedef struct cw_onnx_options {
    const char *features; /* the columns: a set ("raw", "engineered", "seed") or names, comma-separated */
    const char *classes;  /* comma-separated: the implementation of label 0, 1, 2, ..., or
                             label=implementation; NULL =  labels are texts and name implementations */
} cw_onnx_options;
/* Trees that others trained. rounding (may be NULL): by how much a cost of the model may differ from the sum
 * of its leaves; 0 = not at all. where: for messages. CW_FORMAT: not such a file, or a broken one;
 * CW_UNSUPPORTED: it holds what cannot be read, by name; CW_INVALID: the options do not fit it. */
CW_API cw_status cw_model_parse_onnx(const void *bytes, size_t size, const char *where,
                                     const cw_onnx_options *options, cw_model **out, double *rounding,
                                     cw_error *err);
CW_API cw_status cw_model_load_onnx(const char *path, const cw_onnx_options *options, cw_model **out,
                                    double *rounding, cw_error *err);

#ifdef __cplusplus
}
#endif
#endif
