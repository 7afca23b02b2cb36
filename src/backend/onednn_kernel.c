/* onednn_kernel.c: prepares and runs one implementation of oneDNN: weights reordered once, the clamp as a
 * post-operation where the implementation takes one, reorders where it works in a layout of its own. */
#include "onednn.h"
#include "../base/base.h"
#include "../kernel/bf16.h"
#include "../kernel/kernel.h"
#include "../problem/problem.h"
#include <math.h>
#include <omp.h>
#include <string.h>

/* A reorder between two tensors whose addresses come with the call. */
typedef struct reorder {
    dnnl_primitive_t primitive;
    dnnl_memory_t from, to, scratch;
    void *scratch_data; /* hooks get no workspace; nearly always empty */
} reorder;

typedef struct onednn_kernel {
    cw_kernel base;
    onednn_state *state;
    int threads;
    dnnl_primitive_t primitive;
    dnnl_memory_t src, dst, weights, bias, scratch;
    onednn_extras extras;
    void *weights_data, *bias_data;
    reorder src_reorder, dst_reorder;
    /* The clamp that the implementation could not take, applied to the output after it. */
    bool sweep;
    cw_prec prec;
    int64_t sweep_count;
    float lo, hi;
} onednn_kernel;

/* ---- Reorders ---- */

static void reorder_release(reorder *r) {
    if (r->primitive) dnnl_primitive_destroy(r->primitive);
    if (r->from) dnnl_memory_destroy(r->from);
    if (r->to) dnnl_memory_destroy(r->to);
    if (r->scratch) dnnl_memory_destroy(r->scratch);
    cw_free(r->scratch_data);
    *r = (reorder){0};
}

static dnnl_status_t scratch_make(const_dnnl_primitive_desc_t pd, dnnl_engine_t engine, size_t *size,
                                  dnnl_memory_t *out) {
    onednn_const_md md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    *size = md ? dnnl_memory_desc_get_size(md) : 0;
    return *size ? dnnl_memory_create(out, md, engine, DNNL_MEMORY_NONE) : dnnl_success;
}

static dnnl_status_t reorder_pd(onednn_state *s, onednn_const_md from, onednn_const_md to,
                                dnnl_primitive_desc_t *out) {
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(out, from, s->engine, to, s->engine, attr);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

/* What was made before a failure is in *out for reorder_release. */
static dnnl_status_t reorder_make(onednn_state *s, onednn_const_md from, onednn_const_md to, reorder *out) {
    dnnl_primitive_desc_t pd;
    size_t size = 0;
    dnnl_status_t status = reorder_pd(s, from, to, &pd);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_create(&out->primitive, pd);
    if (status == dnnl_success) status = dnnl_memory_create(&out->from, from, s->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success) status = dnnl_memory_create(&out->to, to, s->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success) status = scratch_make(pd, s->engine, &size, &out->scratch);
    if (status == dnnl_success && size) {
        out->scratch_data = cw_alloc(size);
        status = out->scratch_data ? dnnl_memory_set_data_handle(out->scratch, out->scratch_data)
                                   : dnnl_out_of_memory;
    }
    dnnl_primitive_desc_destroy(pd);
    return status;
}

/* oneDNN does not write through `from`, but its handles are not const. */
static dnnl_status_t reorder_run(const reorder *r, dnnl_stream_t stream, const void *from, void *to) {
    union {
        const void *in;
        void *out;
    } cast = {from};
    dnnl_exec_arg_t args[] = {
        {DNNL_ARG_FROM, r->from}, {DNNL_ARG_TO, r->to}, {DNNL_ARG_SCRATCHPAD, r->scratch}};
    dnnl_status_t status = dnnl_memory_set_data_handle(r->from, cast.out);
    if (status == dnnl_success) status = dnnl_memory_set_data_handle(r->to, to);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(r->primitive, stream, r->scratch ? 3 : 2, args);
    return status == dnnl_success ? dnnl_stream_wait(stream) : status;
}

static cw_status reorder_hook(const onednn_kernel *k, const reorder *r, const void *from, void *to) {
    int former = onednn_set_threads(k->threads);
    dnnl_status_t status = reorder_run(r, k->state->stream, from, to);
    onednn_set_threads(former);
    return status == dnnl_success ? CW_OK : CW_BACKEND;
}

static cw_status src_reorder(cw_kernel *kernel, const void *plain, void *own) {
    const onednn_kernel *k = (onednn_kernel *)kernel;
    return reorder_hook(k, &k->src_reorder, plain, own);
}

static cw_status dst_reorder(cw_kernel *kernel, const void *own, void *plain) {
    const onednn_kernel *k = (onednn_kernel *)kernel;
    return reorder_hook(k, &k->dst_reorder, own, plain);
}

/* ---- Running ---- */

static void sweep(const onednn_kernel *k, void *dst) {
    if (k->prec == CW_F32) {
        float *x = dst;
#pragma omp parallel for if (k->threads > 1)
        for (int64_t i = 0; i < k->sweep_count; i++) x[i] = cw_clamp(x[i], k->lo, k->hi);
    } else if (k->prec == CW_BF16) { /* rounding keeps the order: to clamp after it is the same */
        uint16_t *x = dst;
#pragma omp parallel for if (k->threads > 1)
        for (int64_t i = 0; i < k->sweep_count; i++)
            x[i] = cw_bf16_round(cw_clamp(cw_bf16_widen(x[i]), k->lo, k->hi));
    } else {
        uint8_t *x = dst, lo = (uint8_t)k->lo, hi = (uint8_t)k->hi;
#pragma omp parallel for if (k->threads > 1)
        for (int64_t i = 0; i < k->sweep_count; i++) x[i] = x[i] < lo ? lo : x[i] > hi ? hi : x[i];
    }
}

/* Setting a handle only stores it (2.6.3): the padding of blocked layouts is zeroed by the primitive or
 * reorder that writes them. */
static cw_status run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    onednn_kernel *k = (onednn_kernel *)kernel;
    union {
        const void *in;
        void *out;
    } cast = {src};
    dnnl_exec_arg_t args[5 + CW_COUNT(k->extras.args)] = {{DNNL_ARG_SRC, k->src},
                                                          {DNNL_ARG_DST, k->dst},
                                                          {DNNL_ARG_WEIGHTS, k->weights},
                                                          {DNNL_ARG_BIAS, k->bias}};
    int count = 4;
    for (int i = 0; i < k->extras.count; i++) args[count++] = k->extras.args[i];
    if (k->scratch) args[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, k->scratch};
    dnnl_status_t status = dnnl_memory_set_data_handle(k->src, cast.out);
    if (status == dnnl_success) status = dnnl_memory_set_data_handle(k->dst, dst);
    if (status == dnnl_success && k->scratch) status = dnnl_memory_set_data_handle(k->scratch, workspace);
    if (status != dnnl_success) return CW_BACKEND;
    int former = onednn_set_threads(k->threads);
    status = dnnl_primitive_execute(k->primitive, k->state->stream, count, args);
    if (status == dnnl_success) status = dnnl_stream_wait(k->state->stream);
    if (status == dnnl_success && k->sweep) sweep(k, dst);
    onednn_set_threads(former);
    return status == dnnl_success ? CW_OK : CW_BACKEND;
}

static void destroy(cw_kernel *kernel) {
    onednn_kernel *k = (onednn_kernel *)kernel;
    if (k->primitive) dnnl_primitive_destroy(k->primitive);
    dnnl_memory_t memories[] = {k->src, k->dst, k->weights, k->bias, k->scratch};
    for (size_t i = 0; i < CW_COUNT(memories); i++)
        if (memories[i]) dnnl_memory_destroy(memories[i]);
    reorder_release(&k->src_reorder);
    reorder_release(&k->dst_reorder);
    onednn_extras_release(&k->extras);
    cw_free(k->weights_data);
    cw_free(k->bias_data);
    cw_free(k);
}

/* ---- Preparing ---- */

/* The lightest post-operation that computes the clamp; what is left for the sweep is in the kernel. */
static onednn_attributes attributes_of(onednn_kernel *k, const cw_problem *p, const cw_conv_args *args,
                                       bool clips) {
    onednn_attributes a = {.clamp = ONEDNN_CLAMP_CLIP, .lo = args->lo, .hi = args->hi};
    bool none = args->lo == -INFINITY && args->hi == INFINITY;
    if (p->prec == CW_U8) {
        a.quant = (onednn_quant){args->quant.src_zp, args->quant.dst_zp, args->quant.scale};
        a.lo = cw_u8_limit(args->lo);
        a.hi = cw_u8_limit(args->hi);
        none = a.lo <= 0 && a.hi >= 255; /* saturation does it */
    }
    bool relu = p->prec != CW_U8 && a.lo == 0;
    k->sweep = !clips && !none && !(relu && a.hi == INFINITY);
    k->lo = a.lo;
    k->hi = a.hi;
    if (none)
        a.clamp = ONEDNN_CLAMP_NONE;
    else if (relu && (!clips || a.hi == INFINITY))
        a.clamp = ONEDNN_CLAMP_RELU;
    else if (!clips)
        a.clamp = ONEDNN_CLAMP_NONE;
    return a;
}

typedef struct finding {
    const onednn_impl *impl;
    dnnl_primitive_desc_t pd;
} finding;

static bool is_wanted(void *arg, dnnl_primitive_desc_t pd, const char *info, bool own_layout) {
    finding *f = arg;
    if (own_layout != f->impl->own_layout || strcmp(info, f->impl->info) != 0) return false;
    f->pd = pd;
    return true;
}

static cw_status find(onednn_kernel *k, const onednn_impl *impl, const cw_problem *p,
                      const cw_conv_args *args, dnnl_primitive_desc_t *out, cw_error *err) {
    onednn_state *s = k->state;
    cw_status status = onednn_discover(s, p, err);
    if (status != CW_OK) return status;
    const onednn_found *found = NULL;
    for (size_t i = 0; i < s->found_count; i++)
        if (s->found[i].impl == impl) found = &s->found[i];
    finding f = {.impl = impl};
    if (found) {
        onednn_attributes attributes = attributes_of(k, p, args, found->clips);
        dnnl_status_t walked = onednn_walk(s, p, &found->query, &attributes, is_wanted, &f);
        if (walked != dnnl_success) return onednn_fail(err, walked, impl->name);
    }
    if (!f.pd)
        return cw_fail(err, CW_UNSUPPORTED, "%s: oneDNN does not offer it for this problem", impl->name);
    *out = f.pd;
    return CW_OK;
}

static dnnl_status_t reorder_once(onednn_state *s, onednn_const_md from_md, const void *from,
                                  onednn_const_md to_md, void *to) {
    reorder r = {0};
    dnnl_status_t status = reorder_make(s, from_md, to_md, &r);
    if (status == dnnl_success) status = reorder_run(&r, s->stream, from, to);
    reorder_release(&r);
    return status;
}

static dnnl_status_t weights_md(const cw_problem *p, dnnl_data_type_t type, bool ours, onednn_md *out) {
    dnnl_dims_t grouped = {p->g, p->oc / p->g, p->ic / p->g, p->kh, p->kw};
    dnnl_dims_t plain = {p->oc, p->ic, p->kh, p->kw};
    return p->g > 1 ? onednn_md_create(out, 5, grouped, type, ours ? dnnl_gohwi : dnnl_goihw)
                    : onednn_md_create(out, 4, plain, type, ours ? dnnl_ohwi : dnnl_oihw);
}

/* With a source zero point oneDNN keeps, behind the weights, minus their sum for each output channel. The
 * reorder that packs writes it, but that of 2.6.3 and of 3.2.0 writes wrong sums for some shapes (seen where
 * (ic/g)*kh*kw is a multiple of 32 and oc/g is not one of 16, and for depthwise where kh*kw is a multiple of
 * 8), and all outputs with them. So it is written here. */
static void write_sums(const cw_problem *p, onednn_const_md md, const int8_t *weights, void *packed) {
    onednn_sums at;
    int64_t ocg = p->oc / p->g, depth = (int64_t)p->ic / p->g * p->kh * p->kw;
    if (!onednn_find_sums(p, md, &at)) return;
    int32_t *sums = (int32_t *)(void *)((char *)packed + at.start);
    memset(sums, 0, (size_t)at.count * sizeof *sums);
    for (int64_t c = 0; c < p->oc; c++)
        for (int64_t k = 0; k < depth; k++) sums[c / ocg * at.per_group + c % ocg] -= weights[c * depth + k];
}

/* Weights come as (g, oc/g, kh, kw, ic/g). oneDNN has no reorder from there to some of its formats, but from
 * its own plain order, and to that of int8 Winograd only from floats (which hold an s8 exactly). */
static dnnl_status_t pack_weights(onednn_kernel *k, const cw_problem *p, onednn_const_md md,
                                  const void *weights) {
    onednn_state *s = k->state;
    dnnl_data_type_t type = p->prec == CW_U8 ? dnnl_s8 : onednn_data_type(p);
    const dnnl_data_type_t between_types[] = {type, dnnl_f32};
    onednn_md ours;
    k->weights_data = cw_alloc(dnnl_memory_desc_get_size(md));
    if (!k->weights_data) return dnnl_out_of_memory;
    dnnl_status_t status = weights_md(p, type, true, &ours);
    if (status != dnnl_success) return status;
    status = reorder_once(s, ours, weights, md, k->weights_data);
    for (size_t i = 0; i < CW_COUNT(between_types) && status == dnnl_unimplemented; i++) {
        onednn_md plain;
        status = weights_md(p, between_types[i], false, &plain);
        if (status != dnnl_success) break;
        void *between = cw_alloc(dnnl_memory_desc_get_size(plain));
        status = between ? reorder_once(s, ours, weights, plain, between) : dnnl_out_of_memory;
        if (status == dnnl_success) status = reorder_once(s, plain, between, md, k->weights_data);
        cw_free(between);
        onednn_md_destroy(plain);
    }
    onednn_md_destroy(ours);
    if (status != dnnl_success) return status;
    if (p->prec == CW_U8) write_sums(p, md, weights, k->weights_data);
    return dnnl_memory_create(&k->weights, md, s->engine, k->weights_data);
}

static dnnl_status_t pack_bias(onednn_kernel *k, const cw_problem *p, onednn_const_md md,
                               const cw_conv_args *args) {
    k->bias_data = cw_alloc_n((size_t)p->oc, 4);
    if (!k->bias_data) return dnnl_out_of_memory;
    if (args->bias && p->prec == CW_U8 && ONEDNN_BIAS_IS_SCALED)
        for (int32_t c = 0; c < p->oc; c++)
            ((float *)k->bias_data)[c] = (float)((const int32_t *)args->bias)[c] * args->quant.scale[c];
    else if (args->bias)
        memcpy(k->bias_data, args->bias, (size_t)p->oc * 4);
    return dnnl_memory_create(&k->bias, md, k->state->engine, k->bias_data);
}

/* From the problem's source to the implementation's, or from its destination to the problem's. */
static dnnl_status_t plain_reorder(onednn_state *s, const cw_problem *p, bool dst, onednn_const_md own,
                                   reorder *out) {
    onednn_md plain;
    dnnl_status_t status = onednn_plain_md(p, dst, &plain);
    if (status != dnnl_success) return status;
    status = dst ? reorder_make(s, own, plain, out) : reorder_make(s, plain, own, out);
    onednn_md_destroy(plain);
    return status;
}

static dnnl_status_t activations(onednn_kernel *k, const cw_problem *p, bool reduced, onednn_const_md src,
                                 onednn_const_md dst) {
    onednn_state *s = k->state;
    dnnl_status_t status = dnnl_memory_create(&k->src, src, s->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success) status = dnnl_memory_create(&k->dst, dst, s->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success && (reduced || !onednn_is_plain(src, (cw_layout)p->layout))) {
        k->base.src_own_bytes = dnnl_memory_desc_get_size(src);
        k->base.src_reorder = src_reorder;
        status = plain_reorder(s, p, false, src, &k->src_reorder);
    }
    if (status == dnnl_success && !onednn_is_plain(dst, (cw_layout)p->layout)) {
        k->base.dst_own_bytes = dnnl_memory_desc_get_size(dst);
        k->base.dst_reorder = dst_reorder;
        status = plain_reorder(s, p, true, dst, &k->dst_reorder);
    }
    k->prec = (cw_prec)p->prec;
    size_t element = p->prec == CW_F32 ? 4 : p->prec == CW_BF16 ? 2 : 1;
    k->sweep_count = (int64_t)(dnnl_memory_desc_get_size(dst) / element);
    return status;
}

static dnnl_status_t build(onednn_kernel *k, const cw_problem *p, bool reduced, const cw_conv_args *args,
                           const_dnnl_primitive_desc_t pd) {
    int former = onednn_set_threads(p->threads);
    dnnl_status_t status = dnnl_primitive_create(&k->primitive, pd);
    if (status == dnnl_success)
        status =
            pack_weights(k, p, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0), args->weights);
    if (status == dnnl_success)
        status = pack_bias(k, p, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1), args);
    if (status == dnnl_success)
        status = activations(k, p, reduced, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0),
                             dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0));
    if (status == dnnl_success)
        status = scratch_make(pd, k->state->engine, &k->base.workspace_bytes, &k->scratch);
    onednn_quant quant = {args->quant.src_zp, args->quant.dst_zp, args->quant.scale};
    if (status == dnnl_success && p->prec == CW_U8)
        status = onednn_extras_make(k->state->engine, p, &quant, &k->extras);
    onednn_set_threads(former);
    return status;
}

cw_status onednn_prepare(const cw_impl *impl, const cw_problem *problem, const cw_conv_args *args,
                         cw_kernel **out, cw_error *err) {
    const onednn_impl *mine = (const onednn_impl *)impl;
    cw_problem p = *problem;
    cw_problem_canonical(&p);
    if (p.prec == CW_U8 && !p.zp && (args->quant.src_zp || args->quant.dst_zp))
        return cw_fail(err, CW_INVALID, "%s: zero points must be 0 where the problem has no zp", impl->name);
    onednn_kernel *k = cw_alloc(sizeof *k);
    if (!k) return cw_fail_memory(err);
    k->state = mine->state;
    k->threads = p.threads;
    k->base.run = run;
    k->base.destroy = destroy;
    dnnl_primitive_desc_t pd = NULL;
    cw_status status = find(k, mine, &p, args, &pd, err);
    if (status == CW_OK) {
        dnnl_status_t built = build(k, &p, mine->reduced, args, pd);
        dnnl_primitive_desc_destroy(pd);
        if (built != dnnl_success) status = onednn_fail(err, built, impl->name);
    }
    if (status == CW_OK)
        *out = &k->base;
    else
        destroy(&k->base);
    return status;
}
