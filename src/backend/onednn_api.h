/* onednn_api.h: what differs between the C APIs of oneDNN 2 and 3, behind one set of calls. onednn_v2.c or
 * onednn_v3.c implements it, by the major version of the headers that are compiled against; the rest of the
 * backend is the same source for both.
 *
 *                          version 2                               version 3
 *   memory descriptors     structs                                 opaque, created and destroyed
 *   implementations        operation descriptor, iterator          primitive descriptor, next_impl
 *   scales, zero points    values in the attributes                masks there, values at execution
 *   bias of u8             s32, added before scaling               f32, added after it */
#ifndef CW_ONEDNN_API_H
#define CW_ONEDNN_API_H

#include "../../include/convwise/backend.h"
#include <oneapi/dnnl/dnnl.h>

/* A descriptor of a tensor: ours to destroy; and one that something else owns. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t onednn_md;
typedef const_dnnl_memory_desc_t onednn_const_md;
enum { ONEDNN_BIAS_IS_SCALED = 1 };
#else
typedef dnnl_memory_desc_t *onednn_md;
typedef const dnnl_memory_desc_t *onednn_const_md;
enum { ONEDNN_BIAS_IS_SCALED = 0 };
#endif

dnnl_status_t onednn_md_create(onednn_md *out, int ndims, const dnnl_dims_t dims, dnnl_data_type_t type,
                               dnnl_format_tag_t tag);
void onednn_md_destroy(onednn_md md); /* NULL is fine */
/* Whether a tensor (mb, channels, height, width) lies in memory in this layout, dense; dimensions of 1 have
 * no stride. */
bool onednn_is_plain(onednn_const_md md, cw_layout layout);

/* A forward convolution; the shapes of all but its tensors are in the problem. */
typedef struct onednn_operation {
    const cw_problem *p;
    dnnl_alg_kind_t algorithm;
    onednn_md src, weights, bias, dst;
} onednn_operation;
/* True: the callee took the descriptor, and the walk ends. */
typedef bool onednn_take(void *arg, dnnl_primitive_desc_t pd);
/* All implementations of it, in the library's order. What the library refuses outright has none. */
dnnl_status_t onednn_each_pd(dnnl_engine_t engine, const onednn_operation *operation,
                             dnnl_primitive_attr_t attr, onednn_take *take, void *arg);

dnnl_status_t onednn_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta);

/* u8: a scale for each output channel, and zero points. */
typedef struct onednn_quant {
    int32_t src_zp, dst_zp;
    const float *scale; /* oc values */
} onednn_quant;
dnnl_status_t onednn_set_quant(dnnl_primitive_attr_t attr, const cw_problem *p, const onednn_quant *quant);
/* Arguments of each execution beside the tensors: the values of the above, where attributes do not hold them.
 * What was made before a failure is in *out for onednn_extras_release. */
typedef struct onednn_extras {
    dnnl_exec_arg_t args[3];
    int count;
} onednn_extras;
dnnl_status_t onednn_extras_make(dnnl_engine_t engine, const cw_problem *p, const onednn_quant *quant,
                                 onednn_extras *out);
void onednn_extras_release(onednn_extras *extras);
/* Where packed s8 weights hold minus their sums, an s32 an output channel, for a source zero point: channel c
 * of group g is number g * per_group + c. */
typedef struct onednn_sums {
    size_t start; /* bytes */
    int64_t count, per_group;
} onednn_sums;
/* False: there are none, or they lie in a way that is not known. */
bool onednn_find_sums(const cw_problem *p, onednn_const_md md, onednn_sums *out);

#endif
