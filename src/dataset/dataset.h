/* dataset.h: inside view of a dataset: store rows as a learning matrix, with what validation needs to know.
 */
#ifndef CW_DATASET_H
#define CW_DATASET_H

#include "../learn/learn.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"

/* What measurements of one class add up to; all 0 = there was none. */
typedef struct cw_tally {
    double times, log_ns_per_mac;           /* how many, sum */
    double reorders;                        /* how many had layout changes */
    double workspaces, workspace;           /* how many tell, largest share of the tensors' bytes */
    double errors[2], error[2];             /* by precision f32, u8: how many tell, largest */
    double prepares, sum[3], product[3][3]; /* of log weight bytes, log macs, log prepare ns */
} cw_tally;

typedef struct cw_class_info {
    char *name;
    cw_family family;
    char *backend;
    cw_tally tally;
} cw_class_info;

/* A layer of a network that is a row here. */
typedef struct cw_dataset_layer {
    size_t net, row, count;
} cw_dataset_layer; /* count = repeats in the network */

/* A network that was measured as a whole: the layers that it has in one precision, each with the times that
 * it took there. One shape may have other times elsewhere in the network, and in other networks. */
typedef struct cw_own_net {
    char *name;
    int32_t prec;
    size_t first, count; /* in own_rows */
} cw_own_net;

/* Rows are sorted by cw_problem_compare, then by machine where there are several (a row is a problem on a
 * machine); classes by name.
 *
 * labelled: rows are labels instead, one a label in the order of storing, repeats and contradictions kept;
 * all times are NaN and there are no networks. Good for training only.
 *
 * spread: a time is the smallest of a few pass medians. Its half-width of noise is the larger of two figures:
 * twice the standard error of a median of all samples, 2 * 1.2533 * 1.4826 * mad / sqrt(samples), and the
 * distance from the smallest pass to the next, which shows what differs between passes. Not the range of the
 * passes: one burst on a shared machine would make everything a tie. Two classes tie where their intervals
 * [time - spread, time + spread] overlap.
 *
 * A network is here if at least one of its layers is a row, whatever the row's batch, precision and threads
 * are: measured in f32 and u8 it has rows of both. */
struct cw_dataset {
    size_t rows, columns, classes;
    bool labelled;
    const cw_feature **features;
    cw_problem *problems; /* rows */
    cw_machine *hosts;    /* host_count: the machines, by fingerprint; 0 and NULL = not known */
    size_t host_count;
    int32_t *host;    /* rows: index in hosts; NULL with host_count 0 */
    double *x;        /* rows x columns */
    double *time;     /* rows x classes, ns with reorders charged (or not, see free_reorders); NaN = none */
    double *spread;   /* rows x classes, ns: half-width of the time's noise, for tie sets */
    int32_t *y;       /* rows: fastest */
    int32_t *library; /* rows: class of the library's choice, -1 = none or untimed; of several libraries' the
                         first */
    double *scale;    /* rows: multiply-accumulates */
    cw_class_info *class_info;
    char **nets; /* names */
    size_t net_count;
    cw_dataset_layer *layers; /* sorted by net, then row */
    size_t layer_count;
    cw_own_net *own_nets; /* sorted by name, then precision */
    size_t own_net_count;
    size_t *own_rows; /* own_count: rows, in the network's order */
    double *own_time; /* own_count x classes, as time */
    size_t own_count;
    char feature_set[16], fingerprint[33], cpu[96], hash[17];
};

/* The rows listed (NULL = all), copied into a matrix for train, groups in the sense of split
 * (cw_split_groups); release with cw_rows_release. */
cw_status cw_dataset_matrix(const cw_dataset *data, const size_t *rows, size_t count, const char *split,
                            cw_matrix *out, cw_error *err);
/* Which rows may not be torn apart, in the sense of a split of cw_validate_options: rows of one number stay
 * on one side. group: rows entries. network: rows of one network; near and what belongs to no network: equal
 * channels, kernel and stride; group: equal channels and kernel; others: each row is its own. Labelled rows
 * always as near. split NULL = the default of validation. */
cw_status cw_split_groups(const cw_dataset *data, const char *split, int32_t *group, cw_error *err);
/* What the rows listed show to run: a class was seen on a problem's kind (cw_problem_kind) where a row of the
 * kind has a time of it; and on a wider kind where at least half as many of its kinds know it as know its
 * best known class. class_of: a dataset's class as one of `classes`, -1 = none; NULL = as it is. */
cw_status cw_dataset_seen(const cw_dataset *data, const size_t *rows, size_t count, const int32_t *class_of,
                          size_t classes, cw_seen **out, cw_error *err);
/* A row's kind in such a table, or the narrowest wider one that is there: one entry a class; NULL = none.
 * width (may be NULL): as of cw_problem_kind; 0 = this very kind was seen. */
const uint8_t *cw_row_seen(const cw_dataset *data, size_t row, const cw_seen *seen, int *width);
/* How far the rows listed reach, with slack: the least and the most of each of CW_EXTENTS that a model of them
 * answers for. */
cw_status cw_dataset_extents(const cw_dataset *data, const size_t *rows, size_t count, cw_facts **out,
                             cw_error *err);
/* Adds a measurement that took ns, reorders charged or not. */
void cw_tally_add(cw_tally *tally, const cw_measurement *m, double ns);
/* What the dataset's measurements (all of them, whichever rows are listed for training) show of each class
 * (CW_FACTS). class_of: a dataset's class as one of `classes`, -1 = none. */
cw_status cw_dataset_facts(const cw_dataset *data, const int32_t *class_of, size_t classes, cw_facts **out,
                           cw_error *err);
/* The static order: what somebody without a model would write down. A row takes the first class of it that
 * has a time there. Learned from the rows listed that have one precision (-1 = any; any as well where no row
 * has it). Labelled rows: by how often each is the label; equal ones keep the order of the classes. Others:
 * first comes the class which, with fall-back where it cannot run, has the least geomean of time
 * over the rows; next, the one that does so for the rows still open, and so on. What is left, and what to
 * fall back to, is in the order of geomean of time over the best, a missing time counted as the row's
 * slowest; ties keep the order of the classes. order: classes entries. */
cw_status cw_static_order(const cw_dataset *data, const size_t *rows, size_t count, int32_t prec,
                          size_t *order, cw_error *err);
/* Finds out, on parts of the rows held out of as many trainings, for which groups of shapes the learner is
 * worse than the static order; sets the model's no_harm and static_groups. Nothing is set where nothing can
 * be held out. */
cw_status cw_find_harm(const cw_dataset *data, const size_t *rows, size_t count,
                       const cw_train_options *options, cw_model *model, cw_error *err);
/* What no model trained on the dataset has more classes than: a base may know others. */
static inline size_t cw_most_classes(const cw_dataset *data, const cw_train_options *options) {
    return data->classes + (options->base ? options->base->class_count : 0);
}
/* Trains on the rows listed; rows NULL = all. */
cw_status cw_train_rows(const cw_dataset *data, const size_t *rows, size_t count,
                        const cw_train_options *options, cw_model **out, cw_error *err);

#endif
