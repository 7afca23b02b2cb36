/* facts.h: what a model keeps of each implementation, as training's measurements show it, so that choices can
 * be limited (cw_limits). The table itself is src/learn's. */
#ifndef CW_PROBLEM_FACTS_H
#define CW_PROBLEM_FACTS_H

/* X(name): numbers; NaN = the measurements do not tell.
 * transforms    1 = Winograd or FFT, 0 = not
 * reorders      1 = had layout changes to pay for in at least one measurement, 0 = in none
 * workspace     largest share of the bytes of source, weights and destination that a run took of the caller's
 *               memory; tensors of own layouts counted with channels rounded up to 16
 * error_f32     largest error over the reference's largest value
 * error_u8      largest error in steps
 * prepare, prepare_weights, prepare_macs
 *               log(prepare ns) = prepare + prepare_weights * log(weight bytes) + prepare_macs * log(macs)
 * log_ns_per_mac  mean of log(ns / macs) of a run */
#define CW_FACTS(X)                                                                                          \
    X(transforms)                                                                                            \
    X(reorders) X(workspace) X(error_f32) X(error_u8) X(prepare) X(prepare_weights) X(prepare_macs)          \
        X(log_ns_per_mac)

enum {
#define X(name) CW_FACT_##name,
    CW_FACTS(X)
#undef X
        CW_FACT_COUNT
};
extern const char *const cw_fact_names[CW_FACT_COUNT];

#endif
