/* learn.h: learning from numbers. Knows rows, columns, classes and costs; does not know what a convolution
 * is.
 *
 * A learner is one constant cw_learner and its name in the list of table.c. */
#ifndef CW_LEARN_H
#define CW_LEARN_H

#include "../base/base.h"
#include "facts.h"
#include "seen.h"
#include "../../include/convwise/tools.h"
#include <jansson.h>

/* Rows to learn from. Borrowed by train. All values finite (cw_matrix_check). */
typedef struct cw_matrix {
    size_t rows, columns, classes;
    const double *x;     /* rows x columns */
    const int32_t *y;    /* rows: the fastest class */
    const double *cost;  /* rows x classes: time in nanoseconds, NaN = none; may be NULL */
    const double *scale; /* rows: what times are proportional to (multiply-accumulates), for predicting times;
                            may be NULL with cost */
    const uint8_t *lost; /* rows x classes: 1 = has no time but was a choice and was slower than all that have
                            one (CW_ABSENT_SLOW); NULL = none */
    const int32_t *group; /* rows: rows of one group stay on one side of any split; any numbers; NULL = each
                             row is its own */
} cw_matrix;

/* What a sum of trees starts with: another, which learned from other rows. Its costs times scale, then one
 * number a class, then, unless offsets_only, trees. */
typedef struct cw_learn_base {
    const struct cw_trees *trees; /* of the same columns and classes (trees.h) */
    double scale;                 /* 0..1 */
    bool offsets_only;
} cw_learn_base;

/* Settings, resolved: what a learner reads is set. */
typedef struct cw_learn_options {
#define X(type, field, option, least, most, help) type field;
    CW_SETTINGS(X)
#undef X
    int32_t threads; /* from 1; 0 counts as 1. The result does not depend on it */
    uint64_t seed;
    const struct cw_learn_base
        *base; /* boost: what the sum starts with in place of 0; borrowed; NULL = nothing */
} cw_learn_options;

typedef struct cw_learner {
    const char *name;
    const char *summary;          /* one line for help */
    cw_learn_options defaults;    /* 0 = the setting is off, or not read by it */
    const cw_learn_options *grid; /* settings that tuning tries beside the defaults: 0 = as the default; what
                                     is 0 here and there is not read by it; ends
                                     with one that is all 0; NULL = nothing to tune */
    cw_status (*train)(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err);
    /* For one row: cost[c], any scale, smaller is better, never NaN; share[c] (may be NULL) = probability
     * that class c is the fastest (sums to 1); ns_per_unit[c] (may be NULL) = predicted time over scale, NaN
     * where it predicts none. Ranking is by cost, ties by static_rank. No allocation; safe from any number of
     * threads. */
    void (*predict)(const void *state, const double *x, double *cost, double *share, double *ns_per_unit);
    /* Lines of text: why. names are of columns and classes. */
    void (*explain)(const void *state, const double *x, const char *const *columns,
                    const char *const *classes, cw_buf *out);
    json_t *(*save)(const void *state); /* NULL = out of memory */
    /* Refuses anything that predict could not trust: wrong counts, children out of range or cyclic, not
     * finite. */
    cw_status (*load)(const json_t *json, size_t columns, size_t classes, void **state, cw_error *err);
    /* The heart of the emitted file: static tables and
     *     static int PREFIX_pick(const double *x, const unsigned char *allowed)
     * that returns the class of smallest cost, ties by static_rank (a permutation), among those with
     * allowed[class] != 0 (allowed NULL = all), -1 if none. C99, no include, no allocation, the same
     * arithmetic as predict to the bit. */
    cw_status (*emit_c)(const void *state, const char *prefix, const int32_t *static_rank, size_t classes,
                        cw_buf *out, cw_error *err);
    /* Rows to test an emitted file with: for each threshold, the threshold and its two neighbours in the
     * column. Calls visit(arg, column, value). NULL = none. */
    void (*thresholds)(const void *state, void (*visit)(void *arg, int32_t column, double value), void *arg);
    /* Sets each of used[columns]: does predict read the column? */
    void (*columns_used)(const void *state, bool *used);
    size_t (*size)(const void *state); /* nodes of a tree, parameters of another */
    void (*destroy)(void *state);
} cw_learner;

extern const cw_learner *const cw_learner_table[]; /* NULL-ended; those that train */
/* Those of the table, and "imported". */
const cw_learner *cw_learner_find(const char *name);

/* Rows >= 1, columns 1..CW_MODEL_MOST, classes 2..CW_MODEL_MOST with at least two present, labels in range,
 * values finite, times NaN or above 0, scales above 0. Every train calls it. */
cw_status cw_matrix_check(const cw_matrix *data, cw_error *err);
/* The same, but that one class may win every row: enough where there is a base. */
cw_status cw_matrix_check_values(const cw_matrix *data, cw_error *err);

/* ---- Model: a trained learner with all it needs to be used later ---- */

/* Most columns, and most classes, of a model: lets a choice keep its scratch on the stack. */
enum { CW_MODEL_MOST = 1024 };

struct cw_model {
    const cw_learner *learner;
    void *state;
    size_t column_count, class_count;
    char **columns; /* feature names */
    /* Per column: what it stands for. Set once by whoever makes the model out of something (select when it
     * loads, dataset when it trains); learn only frees the array. NULL = it cannot choose for problems. */
    const void **bound;
    char **classes;       /* implementation names */
    int32_t *static_rank; /* per class: its place (0 = first) in the static order, which needs no model: see
                             cw_static_order in src/dataset; a permutation */
    cw_seen
        *seen; /* which classes had a time on which kinds of problem; NULL = not known: anything may run */
    cw_facts *facts;   /* what else is known of each class; NULL = nothing */
    cw_facts *extents; /* two rows: the least and the most that the model answers for, by extents of rows
                          whose meaning is decided by whoever fills the table; NULL = anything */
    struct cw_calibration *calibration; /* expected loss of a choice (heldout.h), NULL = not known */
    /* What held-out rows say of the learner beside the static order, group by group of rows (docs/formats.md,
     * "no_harm"), and the groups for which the static order chooses instead: bit k = the group that whoever
     * binds the columns numbers k. NULL and 0 = not looked for. */
    json_t *no_harm;
    /* The machines of the rows, where there are several or the features read them: a list of objects that
     * whoever binds the columns understands; and the numbers of the machine to choose for (src/problem's
     * cw_host). NULL = none, not known. */
    json_t *hosts;
    void *host;
    bool host_asked; /* host was asked for; else it is the only one of the rows, and a context knows better */
    uint32_t static_groups;
    uint32_t library_groups; /* likewise: where the library's own choice, if it is known, comes first */
    /* Provenance: free text, for people and for the emitted header. Never NULL. */
    char *feature_set, *machine, *cpu, *data_hash, *tool_version, *settings;
    size_t rows;
    json_t *validation; /* figures of a validation of the same settings, or NULL */
};

/* Names of columns and classes: 1 to 95 printable ASCII characters without " \\ * ? so that they can stand in
 * a C string or comment as they are. Provenance: at most 4,096 bytes of UTF-8 each, no control characters;
 * escape it before it goes into C. */
enum { CW_MODEL_NAME = 96, CW_MODEL_TEXT = 4096 };

/* Checks everything, CW_MODEL_MOST too; refuses other formats and versions by name. where: for messages.
 * bound stays NULL: the public cw_model_load and cw_model_parse are in src/select, which fills it. */
cw_status cw_model_from_json(const json_t *json, const char *where, cw_model **out, cw_error *err);
/* The same from the text of a model file, at most CW_MODEL_BYTES; not JSON: the message has line and column.
 */
enum { CW_MODEL_BYTES = 1 << 28 };
cw_status cw_model_from_text(const char *text, size_t length, const char *where, cw_model **out,
                             cw_error *err);
/* Extents: row 0 = least, 1 = most; NULL = none. */
static inline const double *cw_model_bounds(const cw_model *model, size_t row) {
    return model->extents ? model->extents->value + row * model->extents->fields : NULL;
}

/* Makes costs out of the static order. */
static inline void cw_model_take_static(const cw_model *model, double *cost) {
    for (size_t c = 0; c < model->class_count; c++) cost[c] = model->static_rank[c];
}

json_t *cw_model_to_json(const cw_model *model); /* NULL = out of memory */

#endif
