/* onednn_v3.c: onednn_api.h for oneDNN 3; empty where another version is compiled against. */
#include "onednn_api.h"
#if DNNL_VERSION_MAJOR == 3
#include "../base/base.h"
#include <string.h>

dnnl_status_t onednn_md_create(onednn_md *out, int ndims, const dnnl_dims_t dims, dnnl_data_type_t type,
                               dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(out, ndims, dims, type, tag);
}

void onednn_md_destroy(onednn_md md) {
    if (md) dnnl_memory_desc_destroy(md);
}

bool onednn_is_plain(onednn_const_md md, cw_layout layout) {
    dnnl_format_kind_t kind;
    int blocks;
    dnnl_dim_t offset;
    const dnnl_dims_t *dims, *padded, *strides;
    if (dnnl_memory_desc_query(md, dnnl_query_format_kind, &kind) != dnnl_success || kind != dnnl_blocked ||
        dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &blocks) != dnnl_success || blocks != 0 ||
        dnnl_memory_desc_query(md, dnnl_query_submemory_offset_s64, &offset) != dnnl_success || offset != 0 ||
        dnnl_memory_desc_query(md, dnnl_query_dims, &dims) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_padded_dims, &padded) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_strides, &strides) != dnnl_success)
        return false;
    static const int orders[][4] = {[CW_NHWC] = {1, 3, 2, 0}, [CW_NCHW] = {3, 2, 1, 0}}; /* innermost first */
    dnnl_dim_t stride = 1;
    for (int i = 0; i < 4; i++) {
        int d = orders[layout][i];
        if ((*padded)[d] != (*dims)[d]) return false;
        if ((*dims)[d] > 1 && (*strides)[d] != stride) return false;
        stride *= (*dims)[d];
    }
    return true;
}

dnnl_status_t onednn_each_pd(dnnl_engine_t engine, const onednn_operation *o, dnnl_primitive_attr_t attr,
                             onednn_take *take, void *arg) {
    const cw_problem *p = o->p;
    dnnl_primitive_desc_t pd;
    dnnl_status_t status = dnnl_convolution_forward_primitive_desc_create(
        &pd, engine, dnnl_forward_inference, o->algorithm, o->src, o->weights, o->bias, o->dst,
        (dnnl_dims_t){p->sh, p->sw}, (dnnl_dims_t){p->dh, p->dw}, (dnnl_dims_t){p->pt, p->pl},
        (dnnl_dims_t){p->pb, p->pr}, attr);
    if (status == dnnl_unimplemented || status == dnnl_invalid_arguments) return dnnl_success;
    while (status == dnnl_success) {
        if (take(arg, pd)) return dnnl_success;
        status = dnnl_primitive_desc_next_impl(pd);
        if (status != dnnl_success) dnnl_primitive_desc_destroy(pd);
    }
    return status == dnnl_last_impl_reached ? dnnl_success : status;
}

dnnl_status_t onednn_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta) {
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, beta);
}

/* The scales are the weights'; source and destination have none. */
dnnl_status_t onednn_set_quant(dnnl_primitive_attr_t attr, const cw_problem *p, const onednn_quant *q) {
    dnnl_status_t status =
        dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_WEIGHTS, p->g > 1 ? 1 << 0 | 1 << 1 : 1 << 0);
    if (status == dnnl_success && q->src_zp)
        status = dnnl_primitive_attr_set_zero_points_mask(attr, DNNL_ARG_SRC, 0);
    if (status == dnnl_success && q->dst_zp)
        status = dnnl_primitive_attr_set_zero_points_mask(attr, DNNL_ARG_DST, 0);
    return status;
}

static dnnl_status_t add_extra(dnnl_engine_t engine, int arg, const void *values, int64_t count,
                               dnnl_data_type_t type, onednn_extras *to) {
    onednn_md md;
    void *data = NULL;
    dnnl_memory_t *memory = &to->args[to->count].memory;
    dnnl_status_t status = onednn_md_create(&md, 1, (dnnl_dims_t){count}, type, dnnl_a);
    if (status != dnnl_success) return status;
    status = dnnl_memory_create(memory, md, engine, DNNL_MEMORY_ALLOCATE);
    onednn_md_destroy(md);
    if (status != dnnl_success) return status;
    to->args[to->count++].arg = arg;
    status = dnnl_memory_get_data_handle(*memory, &data);
    if (status == dnnl_success) memcpy(data, values, (size_t)count * 4);
    return status;
}

dnnl_status_t onednn_extras_make(dnnl_engine_t engine, const cw_problem *p, const onednn_quant *q,
                                 onednn_extras *out) {
    *out = (onednn_extras){0};
    dnnl_status_t status =
        add_extra(engine, DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, q->scale, p->oc, dnnl_f32, out);
    if (status == dnnl_success && q->src_zp)
        status = add_extra(engine, DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, &q->src_zp, 1, dnnl_s32, out);
    if (status == dnnl_success && q->dst_zp)
        status = add_extra(engine, DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, &q->dst_zp, 1, dnnl_s32, out);
    return status;
}

void onednn_extras_release(onednn_extras *extras) {
    for (int i = 0; i < extras->count; i++) dnnl_memory_destroy(extras->args[i].memory);
    extras->count = 0;
}

/* Descriptors do not tell of them, but their size does: at the next multiple of 4 bytes behind the weights,
 * one a padded output channel, or for depthwise one a padded group. The size that 3.2.0 says has three times
 * as many; its reorders write, and its kernels read, the first third. */
bool onednn_find_sums(const cw_problem *p, onednn_const_md md, onednn_sums *out) {
    bool grouped = p->g > 1;
    int dimensions;
    const dnnl_dims_t *padded;
    if (dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &dimensions) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_padded_dims, &padded) != dnnl_success)
        return false;
    size_t weights = 1, size = dnnl_memory_desc_get_size(md);
    for (int i = 0; i < dimensions; i++) weights *= (size_t)(*padded)[i];
    out->start = (weights + 3) & ~(size_t)3;
    int64_t groups = grouped ? (*padded)[0] : 1;
    const int64_t per_group[] = {grouped ? (*padded)[1] : (*padded)[0], 1};
    for (size_t i = 0; i < (grouped && p->oc == p->g ? 2 : 1); i++) {
        out->per_group = per_group[i];
        out->count = groups * per_group[i];
        size_t bytes = (size_t)out->count * sizeof(int32_t);
        if (size == out->start + bytes || size == out->start + 3 * bytes) return true;
    }
    return false;
}
#endif
