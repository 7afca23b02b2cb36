/* validate.h: inside view of validation: folds, and how a choice is scored. Definitions: docs/validating.md.
 */
#ifndef CW_VALIDATE_H
#define CW_VALIDATE_H

#include "dataset.h"

/* A row to choose for, and how often its layer occurs. */
typedef struct cw_test {
    size_t row;
    int64_t count;
} cw_test;

/* One round: learn from some rows, choose for others. */
typedef struct cw_fold {
    char name[64];
    size_t *train; /* ascending */
    size_t train_count;
    cw_test *tests; /* by ascending row */
    size_t test_count;
} cw_fold;

typedef struct cw_split {
    char name[32]; /* as asked for; the default spelt out */
    bool random;   /* copies of a layer stand on both sides */
    cw_fold *folds;
    size_t count;
} cw_split;

/* CW_INVALID: unknown split, or it leaves a side empty (the message says what to try). Release *out either
 * way. */
cw_status cw_split_make(const cw_dataset *data, const char *split, uint64_t seed, cw_split *out,
                        cw_error *err);
void cw_split_release(cw_split *split);

/* One layer's choice against what was possible. */
typedef struct cw_verdict {
    double oracle, chosen, best_static, library; /* ns; chosen NaN = has no time */
    double slowest;                              /* charged where chosen has no time */
    bool tie;                                    /* chosen is within the noise of the best */
    bool fallback, unmasked_infeasible;
} cw_verdict;

/* Adds `count` layers of one verdict to a score, which holds sums until cw_score_finish turns them into
 * figures. */
void cw_score_add(cw_score *score, const cw_verdict *verdict, int64_t count);
void cw_score_finish(cw_score *score);

/* A model that chooses for rows of a dataset. */
typedef struct cw_scored_model {
    const cw_model *model; /* NULL: training rows know one winner only, best static stands in */
    int32_t *class_of;     /* the model's class as the dataset's, -1 = the dataset has it not */
} cw_scored_model;
/* CW_MISMATCH: other features, or no implementation in common. Free class_of with cw_free. */
cw_status cw_scored_model_bind(const cw_dataset *data, const cw_model *model, cw_scored_model *out,
                               cw_error *err);

/* All that may be known before a row is chosen for. */
typedef struct cw_knowledge {
    const cw_dataset *data;
    size_t *order[CW_PREC_COUNT]; /* by precision: classes, best static first; all of the dataset's */
    cw_scored_model *models;      /* one a learner */
    const cw_seen *seen; /* CW_MASK_KIND: what may be chosen on which kind, by the dataset's classes; NULL =
                            what has a time */
    double *scratch;     /* costs and shares: twice as many as the largest model has classes */
    uint8_t *allowed;    /* as many as that: scratch */
} cw_knowledge;

typedef enum cw_kind {
    CW_KIND_LEARNER,
    CW_KIND_ORACLE,
    CW_KIND_STATIC,
    CW_KIND_FAMILY,
    CW_KIND_LIBRARY
} cw_kind;

typedef struct cw_pick {
    int32_t class; /* of the dataset */
    bool fallback, unmasked_infeasible;
    double promise; /* expected log(time / best time), NaN = none */
} cw_pick;
/* index: which learner, or which family. */
cw_pick cw_pick_class(const cw_knowledge *know, cw_kind kind, size_t index, size_t row);
cw_verdict cw_judge(const cw_knowledge *know, cw_pick pick, size_t row);

/* What was promised for layers, and what came of it. */
typedef struct cw_kept {
    double promise, met; /* log(time / best time) */
    int64_t count;
} cw_kept;
typedef struct cw_promises {
    cw_kept *kept;
    size_t count, capacity;
} cw_promises;
/* Sums up: at most CW_DECILES entries of out, by rising promise; returns how many. Sorts. */
enum { CW_DECILES = 10 };
size_t cw_promises_sum(cw_promises *all, cw_promise out[CW_DECILES]);

/* A report with the parts that are filled in; report is its first member. */
typedef struct cw_draft {
    cw_report report;
    char split[32], note[96];
    cw_group *groups;
    char (*group_names)[64];
    size_t group_capacity;
    cw_contender *contenders;
    struct cw_role {
        cw_kind kind;
        size_t index;
        char name[64];
    } * roles; /* one a contender */
    size_t learner_count, fold_count;
    char **folds;            /* names, fold_count */
    char **settings;         /* learners x fold_count; NULL = not yet */
    cw_promises *promises;   /* learners */
    cw_promise *promise_sum; /* learners x CW_DECILES */
    char **classes;
    cw_score *scores;   /* contenders x group_capacity */
    int64_t *confusion; /* learners x classes x classes */
} cw_draft;
/* Contenders: the learners, then the baselines that the dataset's families allow. Free with cw_report_free.
 */
cw_status cw_draft_make(const cw_dataset *data, const char *const *learners, size_t group_capacity,
                        size_t fold_count, cw_draft **out, cw_error *err);
cw_score *cw_draft_score(cw_draft *draft, size_t contender, size_t group);
/* Sums to figures. */
void cw_draft_finish(cw_draft *draft);

#endif
