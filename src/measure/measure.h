/* measure.h: inside view of measuring. Three layers:
 *   measure.c          problems, resuming, budget, storing
 *   measure_child.c    one problem in a child process, watched, its outcomes read from a pipe
 *   measure_problem.c  one problem: list, verify, cut off, sample
 * The protocol, for a person, is docs/measuring.md. */
#ifndef CW_MEASURE_H
#define CW_MEASURE_H

#include "../backend/context.h"
#include "../base/base.h"

enum { CW_PASSES_MAX = 8 };

/* What is known of one implementation: a measurement by value, of fixed size, so that it fits through a pipe.
 */
typedef struct cw_outcome {
    char impl[128], backend[64], detail[240];
    int32_t family, state, samples, candidate, library_choice;
    double time_ns, min_ns, median_ns, mad_ns, prepare_ns, src_reorder_ns, dst_reorder_ns, workspace_bytes,
        error, mean_error;
    double pass_ns[CW_PASSES_MAX];
} cw_outcome;

/* What a problem's measuring tells while it runs. TOUCH: this implementation's code (or, named
 * "<backend>.list", its listing; or nobody's, impl "") runs from now on: blame it for what happens. RESULT:
 * it is final. */
typedef enum cw_note { CW_NOTE_TOUCH, CW_NOTE_RESULT, CW_NOTE_END } cw_note;
typedef cw_status cw_note_sink(void *arg, cw_note note, const cw_outcome *outcome);

/* One problem to measure. */
typedef struct cw_job {
    cw_context *ctx;
    cw_problem problem; /* canonical */
    const char *only;   /* as in cw_measure_options */
    cw_fpmath fpmath;
    double sample_ns, cut_off, timeout_s;
    int32_t passes;
    uint64_t seed;
    const volatile int *stop;
    /* What need not be measured. */
    bool (*skip)(void *arg, const char *impl, const char *version);
    void *skip_arg;
    /* Multiply-accumulates a second that an implementation reached at best on other problems of this
     * precision; 0 = unknown. */
    double (*speed)(void *arg, const char *impl);
    void *speed_arg;
    cw_note_sink *sink;
    void *sink_arg;
} cw_job;

/* Measures in this process. CW_STOPPED where job->stop or the sink said so. */
cw_status cw_measure_problem(const cw_job *job, cw_error *err);

/* Measures in a child process and hands what it tells to job->sink in this one. CW_BACKEND where the child
 * died or hung: *culprit is what it touched last, with state FAILED and a detail that says how it died (impl
 * "" = nobody's code). The child dies with this process. No OpenMP thread may have been started in this
 * process before: a team does not survive a fork. */
cw_status cw_measure_in_child(const cw_job *job, cw_outcome *culprit, cw_error *err);

/* Makes the calling thread fit for timing: denormals flushed, pinned to `threads` of the usable cores, the
 * highest-numbered ones. */
typedef struct cw_quiet {
    unsigned char affinity[128];
    unsigned control;
    bool pinned;
} cw_quiet;
void cw_quiet_begin(cw_quiet *quiet, int32_t threads);
void cw_quiet_end(const cw_quiet *quiet);

#endif
