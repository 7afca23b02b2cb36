/* convwise/seed.h: the seed's experiment (docs/seed.md): learn from labels, choose for the layers of withheld
 * networks whose times are known, and score as its authors did and as it should be. Same conventions as
 * <convwise.h>. */
#ifndef CONVWISE_SEED_H
#define CONVWISE_SEED_H

#include "tools.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The experiment ---- */

typedef struct cw_seed_options {
    const char *const *learners; /* NULL-ended; NULL = the seed's: tree and bayes */
    cw_train_options train;      /* settings of the learners (its learner is ignored); var_smoothing 0 = the
                                    authors' 180e-9 */
    bool fast_math;              /* what the Arm library's rules may assume; its default is false */
} cw_seed_options;

/* Layers scored together: one network in one precision. */
typedef struct cw_seed_group {
    const char *network;
    cw_prec prec;
    size_t first, count; /* in the report's layers */
    int32_t best_static; /* class of the smallest total among those with a time on all layers, -1 = none has;
                            chosen by looking at these very layers, as its authors do */
} cw_seed_group;

/* A layer, which occurs `repeats` times in its network. */
typedef struct cw_seed_layer {
    cw_problem problem;
    int64_t repeats;
    const double *us; /* one a class, NaN = no time */
    int32_t best;     /* class of the smallest time */
} cw_seed_layer;

/* Sums over layers, each counted as often as its network has it. */
typedef struct cw_seed_total {
    int64_t layers, ran, right; /* ran: the chosen one has a time; right: it is the fastest */
    double published_us;        /* as published: a missing time adds 0 */
    double charged_us;          /* a layer whose chosen one has no time runs with GEMM, or where that has none
                                   either takes the slowest recorded time */
    double oracle_us, best_static_us;
} cw_seed_total;
CW_API double cw_seed_accuracy(const cw_seed_total *total); /* share of layers */
/* best static / time * 100 - 100, of the published or the charged time; NaN without best static. */
CW_API double cw_seed_speedup(const cw_seed_total *total, bool charged);
CW_API double cw_seed_regret(const cw_seed_total *total); /* charged / oracle - 1 */

/* A way of choosing: "oracle", "best static", "always gemm", ..., "arm cl", "arm neon" (what the Arm library
 * would take), then each learner with each split and mode. */
typedef struct cw_seed_contender {
    const char *name;
    const char *split;                   /* NULL: no learner. "network": rows equal to one of its layers leave
                                            training; "near": all with the same channels, kernel and stride */
    const char *mode;                    /* "ALL": fitted to all that is left; "CV": to a random 80 % of it */
    const cw_seed_total *groups;         /* one a group */
    cw_seed_total pooled[CW_PREC_COUNT]; /* all networks of a precision; layers 0 = there are none */
    const int32_t *chosen;               /* one a layer: its class; -1 = something that has no class here */
    const size_t *rows;                  /* learners: one a group: rows it was fitted to */
    /* The tree: one a layer, bit c is set where some tree that draws among equally good splits predicts class
     * c; 0 = too many ways to tell. NULL: nothing is drawn. */
    const uint32_t *draws;
} cw_seed_contender;

typedef struct cw_seed_report {
    const char *const *classes; /* implementations with times */
    const cw_family *families;  /* theirs */
    size_t class_count;         /* at most 32 */
    const cw_seed_group *groups;
    size_t group_count;
    const cw_seed_layer *layers;
    size_t layer_count;
    const cw_seed_contender *contenders;
    size_t contender_count;
} cw_seed_report;

/* labels: a dataset of labels; timed: one of times with networks; both with the features "seed". The same
 * data give the same report. CW_INVALID: not such datasets; no network has times; a network leaves nothing to
 * learn from. The report owns all its memory. */
CW_API cw_status cw_seed_validate(const cw_dataset *labels, const cw_dataset *timed,
                                  const cw_seed_options *options, cw_seed_report **out, cw_error *err);
CW_API void cw_seed_report_free(cw_seed_report *report); /* NULL is fine */
/* NULL: there is none of that name, split and mode. split and mode NULL: a baseline. */
CW_API const cw_seed_contender *cw_seed_find(const cw_seed_report *report, const char *name,
                                             const char *split, const char *mode);

/* ---- What its authors published ---- */

/* One operator's total over the layers that it ran. */
typedef struct cw_seed_operator {
    double us;
    int64_t layers;
} cw_seed_operator;

/* One row of a table of published results; columns as in docs/formats.md. */
typedef struct cw_seed_published {
    char network[64], classifier[32], mode[16];
    cw_prec prec;
    const char *learner;                     /* "tree", "bayes", NULL = one that is not here */
    cw_seed_operator gemm, direct, winograd; /* always this one */
    cw_seed_operator predicted;
    int64_t layers;
    double oracle_us, best_static_us;
    cw_family best_static;
    double accuracy, speedup; /* per cent, two decimals */
} cw_seed_published;
/* Reads such a table (CSV with a line of names). Errors name file and line. Free *rows with cw_free. */
CW_API cw_status cw_seed_published_read(const char *path, cw_seed_published **rows, size_t *count,
                                        cw_error *err);

/* How a published prediction compares with ours. */
typedef enum cw_seed_match {
    CW_SEED_NOT_TRIED, /* a learner that is not here, or no such network, precision or mode */
    CW_SEED_SAME,      /* total, number that ran, accuracy and speed-up */
    CW_SEED_DRAWN,     /* not the same, but other draws among equally good splits give it */
    CW_SEED_DIFFERENT, /* no draw explains it */
} cw_seed_match;

typedef struct cw_seed_comparison {
    const cw_seed_group *group; /* NULL: not in the report */
    bool totals;                /* operators, layers, oracle and best static: all equal */
    cw_seed_match match;
    const cw_seed_contender *ours; /* NULL where not tried */
    int32_t *drawn; /* DRAWN: one a layer of the group: the class that the published run took; the report's
                       where it may have taken the same; else NULL. Free with cw_free */
} cw_seed_comparison;
CW_API cw_status cw_seed_compare(const cw_seed_report *report, const cw_seed_published *row,
                                 cw_seed_comparison *out, cw_error *err);

#ifdef __cplusplus
}
#endif
#endif
