/* onednn.h: what the two halves of the oneDNN backend share: onednn.c asks oneDNN which implementations it
 * has for a problem, onednn_kernel.c prepares and runs one of them. What differs between oneDNN 2 and 3 is in
 * onednn_api.h. docs/onednn.md says what is listed and how it is named. */
#ifndef CW_ONEDNN_H
#define CW_ONEDNN_H

#include "context.h"
#include "onednn_api.h"

/* How the clamp is given to oneDNN. Its Winograd kernels take ReLU and refuse any other clamp. */
typedef enum onednn_clamp { ONEDNN_CLAMP_NONE, ONEDNN_CLAMP_RELU, ONEDNN_CLAMP_CLIP } onednn_clamp;

/* Everything of a convolution that oneDNN calls attributes. u8: bounds in quantised units, as in
 * cw_conv_args. */
typedef struct onednn_attributes {
    onednn_clamp clamp;
    float lo, hi; /* of ONEDNN_CLAMP_CLIP */
    onednn_quant quant;
} onednn_attributes;

/* One way of asking: activations in format "any" or in NHWC, an algorithm, and for f32 whether to compute in
 * bf16: source and weights converted, the destination f32. */
typedef struct onednn_query {
    bool any, reduced;
    dnnl_alg_kind_t algorithm;
} onednn_query;

struct onednn_impl;

/* An implementation that oneDNN offers for a problem, and the question that it answered. */
typedef struct onednn_found {
    const struct onednn_impl *impl;
    onednn_query query;
    bool clips;        /* takes ONEDNN_CLAMP_CLIP; else NONE and, in f32, RELU */
    int64_t workspace; /* bytes that a run takes */
} onednn_found;

typedef struct onednn_state {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int cache_capacity; /* of oneDNN's primitive cache as it was before open */
    char version[32];
    struct onednn_impl **impls; /* every one seen since open, by name; the objects never move */
    size_t impl_count, impl_capacity;
    bool probed; /* list(NULL) has asked its set of problems */
    /* What the last problem offers, so that list, then prepare of each, searches once. */
    cw_problem problem;
    bool have_problem;
    onednn_found *found;
    size_t found_count, found_capacity;
    const struct onednn_impl *choice; /* oneDNN's own */
} onednn_state;

typedef struct onednn_impl {
    cw_impl base;
    onednn_state *state;
    bool own_layout; /* the "@any" ones: source or destination is not NHWC */
    bool reduced;    /* the "bf16." ones: an f32 problem computed in bf16 */
    char info[80];   /* oneDNN's name of it */
    char name[96];
} onednn_impl;

/* INVALID, NO_MEMORY, ... with oneDNN's own word for the failure. */
cw_status onednn_fail(cw_error *err, dnnl_status_t status, const char *what);
/* Both ICVs of this thread only. Returns the former value, to be put back the same way. oneDNN decides
 * blocking by the thread count when a primitive descriptor is made. */
int onednn_set_threads(int threads);
/* Of the problem's tensors. */
dnnl_data_type_t onednn_data_type(const cw_problem *p);
dnnl_status_t onednn_plain_md(const cw_problem *p, bool dst, onednn_md *out);

/* Called for each primitive descriptor. True: the callee took the descriptor, and the walk ends. */
typedef bool onednn_visit(void *arg, dnnl_primitive_desc_t pd, const char *info, bool own_layout);
/* All implementations that oneDNN offers for this question, in its order of preference; none is no failure.
 */
dnnl_status_t onednn_walk(onednn_state *s, const cw_problem *p, const onednn_query *query,
                          const onednn_attributes *attributes, onednn_visit *visit, void *arg);
/* Makes s->found what oneDNN offers for p (canonical). */
cw_status onednn_discover(onednn_state *s, const cw_problem *p, cw_error *err);

cw_status onednn_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err);

#endif
