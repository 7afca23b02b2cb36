/* onednn_v2.c: onednn_api.h for oneDNN 2; empty where another version is compiled against. */
#include "onednn_api.h"
#if DNNL_VERSION_MAJOR == 2
#include "../base/base.h"

dnnl_status_t onednn_md_create(onednn_md *out, int ndims, const dnnl_dims_t dims, dnnl_data_type_t type,
                               dnnl_format_tag_t tag) {
    onednn_md md = cw_alloc(sizeof *md);
    if (!md) return dnnl_out_of_memory;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(md, ndims, dims, type, tag);
    if (status == dnnl_success)
        *out = md;
    else
        cw_free(md);
    return status;
}

void onednn_md_destroy(onednn_md md) {
    cw_free(md);
}

bool onednn_is_plain(onednn_const_md md, cw_layout layout) {
    if (md->format_kind != dnnl_blocked || md->format_desc.blocking.inner_nblks != 0 || md->offset0 != 0)
        return false;
    static const int orders[][4] = {[CW_NHWC] = {1, 3, 2, 0}, [CW_NCHW] = {3, 2, 1, 0}}; /* innermost first */
    dnnl_dim_t stride = 1;
    for (int i = 0; i < 4; i++) {
        int d = orders[layout][i];
        if (md->padded_dims[d] != md->dims[d]) return false;
        if (md->dims[d] > 1 && md->format_desc.blocking.strides[d] != stride) return false;
        stride *= md->dims[d];
    }
    return true;
}

static dnnl_status_t take_current(dnnl_primitive_desc_iterator_t it, onednn_take *take, void *arg,
                                  bool *taken) {
    dnnl_primitive_desc_t pd = dnnl_primitive_desc_iterator_fetch(it);
    if (!pd) return dnnl_out_of_memory;
    *taken = take(arg, pd);
    if (!*taken) dnnl_primitive_desc_destroy(pd);
    return dnnl_success;
}

dnnl_status_t onednn_each_pd(dnnl_engine_t engine, const onednn_operation *o, dnnl_primitive_attr_t attr,
                             onednn_take *take, void *arg) {
    const cw_problem *p = o->p;
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_iterator_t it;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &op, dnnl_forward_inference, o->algorithm, o->src, o->weights, o->bias, o->dst,
        (dnnl_dims_t){p->sh, p->sw}, (dnnl_dims_t){p->dh, p->dw}, (dnnl_dims_t){p->pt, p->pl},
        (dnnl_dims_t){p->pb, p->pr});
    if (status == dnnl_unimplemented || status == dnnl_invalid_arguments) return dnnl_success;
    if (status == dnnl_success) status = dnnl_primitive_desc_iterator_create(&it, &op, attr, engine, NULL);
    if (status != dnnl_success) return status == dnnl_unimplemented ? dnnl_success : status;
    bool taken = false;
    while (status == dnnl_success) {
        status = take_current(it, take, arg, &taken);
        if (taken) break;
        if (status == dnnl_success) status = dnnl_primitive_desc_iterator_next(it);
    }
    dnnl_primitive_desc_iterator_destroy(it);
    return status == dnnl_iterator_ends ? dnnl_success : status;
}

dnnl_status_t onednn_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha, float beta) {
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, alpha, beta);
}

dnnl_status_t onednn_set_quant(dnnl_primitive_attr_t attr, const cw_problem *p, const onednn_quant *q) {
    dnnl_status_t status = dnnl_primitive_attr_set_output_scales(attr, p->oc, 1 << 1, q->scale);
    if (status == dnnl_success && q->src_zp)
        status = dnnl_primitive_attr_set_zero_points(attr, DNNL_ARG_SRC, 1, 0, &q->src_zp);
    if (status == dnnl_success && q->dst_zp)
        status = dnnl_primitive_attr_set_zero_points(attr, DNNL_ARG_DST, 1, 0, &q->dst_zp);
    return status;
}

dnnl_status_t onednn_extras_make(dnnl_engine_t engine, const cw_problem *p, const onednn_quant *quant,
                                 onednn_extras *out) {
    (void)engine, (void)p, (void)quant;
    *out = (onednn_extras){0};
    return dnnl_success;
}

void onednn_extras_release(onednn_extras *extras) {
    (void)extras;
}

/* At the next multiple of 4 bytes behind the weights, over the dimensions that the mask says; that of
 * depthwise leaves out the dimension of oc/g = 1. */
bool onednn_find_sums(const cw_problem *p, onednn_const_md md, onednn_sums *out) {
    bool grouped = p->g > 1;
    int mask = md->extra.asymm_compensation_mask;
    if (md->extra.flags != dnnl_memory_extra_flag_compensation_conv_asymmetric_src) return false;
    if (mask != (grouped ? 3 : 1) && !(mask == 1 && p->oc == p->g)) return false;
    dnnl_memory_desc_t bare = *md;
    bare.extra.flags = dnnl_memory_extra_flag_none;
    out->start = (dnnl_memory_desc_get_size(&bare) + 3) & ~(size_t)3;
    out->per_group = !grouped ? md->padded_dims[0] : mask == 3 ? md->padded_dims[1] : 1;
    out->count = out->per_group * (grouped ? md->padded_dims[0] : 1);
    return out->start + (size_t)out->count * sizeof(int32_t) <= dnnl_memory_desc_get_size(md);
}
#endif
