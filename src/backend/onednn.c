/* onednn.c: asks oneDNN which convolution implementations it has. Nothing is hard-coded: names, their number
 * and their order of preference are the library's answer on this machine, for this problem and thread count.
 * How one is prepared and run is in onednn_kernel.c. */
#include "onednn.h"
#include "../base/base.h"
#include "../problem/problem.h"
#include <math.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <stdio.h>
#include <string.h>

cw_status onednn_fail(cw_error *err, dnnl_status_t status, const char *what) {
    cw_status mine = CW_BACKEND;
    if (status == dnnl_out_of_memory) mine = CW_NO_MEMORY;
    if (status == dnnl_unimplemented) mine = CW_UNSUPPORTED;
    return cw_fail(err, mine, "oneDNN: %s: %s", what, dnnl_status2str(status));
}

int onednn_set_threads(int threads) {
    int former = omp_get_max_threads();
    if (former != threads) omp_set_num_threads(threads);
    return former;
}

/* ---- Descriptors ---- */

dnnl_data_type_t onednn_data_type(const cw_problem *p) {
    return p->prec == CW_U8 ? dnnl_u8 : p->prec == CW_BF16 ? dnnl_bf16 : dnnl_f32;
}

static dnnl_status_t activation_md(const cw_problem *p, bool dst, dnnl_data_type_t type, bool any,
                                   onednn_md *out) {
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    dnnl_dims_t dims = {p->mb, dst ? p->oc : p->ic, dst ? sizes.oh : p->ih, dst ? sizes.ow : p->iw};
    return onednn_md_create(out, 4, dims, type,
                            any                    ? dnnl_format_tag_any
                            : p->layout == CW_NCHW ? dnnl_nchw
                                                   : dnnl_nhwc);
}

dnnl_status_t onednn_plain_md(const cw_problem *p, bool dst, onednn_md *out) {
    return activation_md(p, dst, onednn_data_type(p), false, out);
}

static void operation_release(onednn_operation *o) {
    onednn_md_destroy(o->src);
    onednn_md_destroy(o->weights);
    onednn_md_destroy(o->bias);
    onednn_md_destroy(o->dst);
}

/* What was made before a failure is in *out for operation_release. */
static dnnl_status_t operation_make(const cw_problem *p, const onednn_query *query, onednn_operation *out) {
    bool u8 = p->prec == CW_U8;
    dnnl_data_type_t type = onednn_data_type(p), in = query->reduced ? dnnl_bf16 : type;
    dnnl_dims_t grouped = {p->g, p->oc / p->g, p->ic / p->g, p->kh, p->kw},
                dense = {p->oc, p->ic, p->kh, p->kw};
    *out = (onednn_operation){.p = p, .algorithm = query->algorithm};
    dnnl_status_t status = activation_md(p, false, in, query->any, &out->src);
    if (status == dnnl_success) status = activation_md(p, true, type, query->any, &out->dst);
    if (status == dnnl_success)
        status = onednn_md_create(&out->weights, p->g > 1 ? 5 : 4, p->g > 1 ? grouped : dense,
                                  u8 ? dnnl_s8 : in, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = onednn_md_create(&out->bias, 1, (dnnl_dims_t){p->oc},
                                  u8 && !ONEDNN_BIAS_IS_SCALED ? dnnl_s32 : dnnl_f32, dnnl_a);
    return status;
}

static dnnl_status_t attach_clamp(dnnl_primitive_attr_t attr, const cw_problem *p,
                                  const onednn_attributes *a) {
    if (a->clamp == ONEDNN_CLAMP_NONE) return dnnl_success;
    dnnl_post_ops_t ops;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status != dnnl_success) return status;
    /* oneDNN computes saturate(round(post-ops((acc + bias) * scale) + dst_zp)): the bounds are shifted back.
     */
    float shift = p->prec == CW_U8 ? (float)a->quant.dst_zp : 0.0f;
    if (a->clamp == ONEDNN_CLAMP_RELU)
        status = onednn_append_eltwise(ops, dnnl_eltwise_relu, 0.0f, 0.0f);
    else
        status = onednn_append_eltwise(ops, dnnl_eltwise_clip, a->lo - shift, a->hi - shift);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/* User scratchpad: the caller's workspace holds it, so that it is counted and run does not allocate it. */
static dnnl_status_t attributes_make(const cw_problem *p, const onednn_attributes *a,
                                     dnnl_primitive_attr_t *out) {
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && p->prec == CW_U8) status = onednn_set_quant(attr, p, &a->quant);
    if (status == dnnl_success) status = attach_clamp(attr, p, a);
    if (status == dnnl_success)
        *out = attr;
    else
        dnnl_primitive_attr_destroy(attr);
    return status;
}

/* ---- Asking ---- */

typedef struct asking {
    onednn_visit *visit;
    void *arg;
    cw_layout layout; /* the problem's */
    dnnl_status_t status;
} asking;

static bool ask_one(void *arg, dnnl_primitive_desc_t pd) {
    asking *a = arg;
    const char *info = NULL;
    if (a->status == dnnl_success)
        a->status = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &info);
    if (a->status != dnnl_success) return false;
    bool plain = onednn_is_plain(dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0), a->layout) &&
                 onednn_is_plain(dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0), a->layout);
    return a->visit(a->arg, pd, info, !plain);
}

dnnl_status_t onednn_walk(onednn_state *s, const cw_problem *p, const onednn_query *query,
                          const onednn_attributes *attributes, onednn_visit *visit, void *arg) {
    onednn_operation operation;
    dnnl_primitive_attr_t attr;
    asking a = {visit, arg, (cw_layout)p->layout, dnnl_success};
    dnnl_status_t status = operation_make(p, query, &operation);
    if (status == dnnl_success) status = attributes_make(p, attributes, &attr);
    if (status == dnnl_success) {
        int former = onednn_set_threads(p->threads);
        status = onednn_each_pd(s->engine, &operation, attr, ask_one, &a);
        onednn_set_threads(former);
        dnnl_primitive_attr_destroy(attr);
    }
    operation_release(&operation);
    return status != dnnl_success ? status : a.status;
}

/* ---- Known implementations ---- */

/* Winograd rounds on the way. Kernels without VNNI or AMX add pairs of u8 x s8 products in 16 bits,
 * saturating (vpmaddubsw): wrong where 255 * (|w1| + |w2|) can pass 32767, so for weights beyond -64..64.
 * oneDNN names the instruction set in the kernel's name, but for its GEMM, which takes what the machine has.
 */
static bool is_exact(const char *info, bool u8) {
    if (strstr(info, "wino")) return false;
    if (!u8) return true;
    if (strstr(info, "gemm_s8u8s32")) {
        dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
        return isa == dnnl_cpu_isa_avx2_vnni ||
               (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni;
    }
    return strstr(info, "vnni") || strstr(info, "amx") || strstr(info, "ref");
}

/* What goes before the library's name of it, where that name does not tell all: f32 computed in bf16; and
 * kernels of oneDNN 3 that saturate in u8, but are exact under the same name in f32. */
static const char *kind_of(const char *info, bool u8, bool reduced) {
    if (reduced) return "bf16.";
    return u8 && !is_exact(info, u8) && !strstr(info, "int8") && !strstr(info, "s8") ? "u8." : "";
}

/* The implementation of that name, made known if it is new; NULL = out of memory. */
static const onednn_impl *intern(onednn_state *s, const char *info, bool own_layout, bool u8, bool reduced) {
    char name[sizeof((onednn_impl *)0)->name];
    snprintf(name, sizeof name, "onednn.%s%.70s%s", kind_of(info, u8, reduced), info,
             own_layout ? "@any" : "");
    size_t at = 0;
    for (; at < s->impl_count; at++) {
        int order = strcmp(s->impls[at]->name, name);
        if (order == 0) return s->impls[at];
        if (order > 0) break;
    }
    if (!cw_grow(&s->impls, &s->impl_capacity, s->impl_count + 1, sizeof(onednn_impl *))) return NULL;
    onednn_impl *impl = cw_alloc(sizeof *impl);
    if (!impl) return NULL;
    strcpy(impl->name, name);
    snprintf(impl->info, sizeof impl->info, "%s", info);
    impl->state = s;
    impl->own_layout = own_layout;
    impl->reduced = reduced;
    impl->base = (cw_impl){.name = impl->name,
                           .family = cw_family_of_onednn(info),
                           .candidate = !reduced,
                           .exact = !reduced && is_exact(info, u8),
                           .prepare = onednn_prepare,
                           .deterministic = true,
                           .own_layout = own_layout || reduced,
                           .reduced = reduced};
    memmove(s->impls + at + 1, s->impls + at, (s->impl_count - at) * sizeof *s->impls);
    s->impls[at] = impl;
    s->impl_count++;
    return impl;
}

/* ---- Discovery ---- */

typedef struct discovery {
    onednn_state *state;
    const cw_problem *problem;
    onednn_query query;
    bool u8, clips, choosing, failed;
} discovery;

static int64_t workspace_of(dnnl_primitive_desc_t pd, bool reduced, cw_layout layout) {
    onednn_const_md src = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0),
                    dst = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0),
                    scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    return cw_workspace_total(scratch ? dnnl_memory_desc_get_size(scratch) : 0,
                              onednn_is_plain(src, layout) && !reduced ? 0 : dnnl_memory_desc_get_size(src),
                              onednn_is_plain(dst, layout) ? 0 : dnnl_memory_desc_get_size(dst));
}

/* Kernels of 2.6.3 that random problems caught (docs/onednn.md): 1x1 in bf16 sums wrongly an odd number of
 * channels that lie in NHWC; brgconv in 8 bits and in bf16 computes wrongly or writes beyond the output for
 * some widths where a side has more padding than half the kernel. */
static bool is_wrong(const discovery *d, dnnl_primitive_desc_t pd, const char *info) {
    const cw_problem *p = d->problem;
    int64_t half = ((int64_t)(p->kw - 1) * (p->dw + 1) + 1) / 2;
    if (strstr(info, "jit_bf16_1x1"))
        return p->ic / p->g % 2 != 0 &&
               onednn_is_plain(dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0), CW_NHWC);
    if (dnnl_version()->major > 2) return false; /* the above is wrong in 3.2.0, too */
    return (p->prec != CW_F32 || d->query.reduced) && strstr(info, "brgconv:") &&
           (p->pl > half || p->pr > half);
}

static bool discovered(void *arg, dnnl_primitive_desc_t pd, const char *info, bool own_layout) {
    discovery *d = arg;
    onednn_state *s = d->state;
    /* Naive loops over widened values: slower than f32 and less precise, so there is no reason to ask. */
    if (d->query.reduced && strncmp(info, "ref", 3) == 0) return false;
    if (is_wrong(d, pd, info)) return false;
    const onednn_impl *impl = intern(s, info, own_layout, d->u8, d->query.reduced);
    d->failed |= !impl;
    if (d->failed) return false;
    if (d->choosing && !s->choice) s->choice = impl;
    for (size_t i = 0; i < s->found_count; i++)
        if (s->found[i].impl == impl) return false;
    d->failed |= !cw_grow(&s->found, &s->found_capacity, s->found_count + 1, sizeof *s->found);
    if (!d->failed)
        s->found[s->found_count++] = (onednn_found){
            impl, d->query, d->clips, workspace_of(pd, impl->reduced, (cw_layout)d->problem->layout)};
    return false;
}

/* All questions about p, with the general clamp or (clips = false) with the one that every kernel takes. */
static dnnl_status_t discover_with(onednn_state *s, const cw_problem *p, const float *scale, bool clips,
                                   bool *failed) {
    static const dnnl_alg_kind_t algorithms[] = {dnnl_convolution_auto, dnnl_convolution_direct,
                                                 dnnl_convolution_winograd};
    bool u8 = p->prec == CW_U8;
    /* Any values that are not special would do. */
    onednn_attributes attributes = {.clamp = u8 ? ONEDNN_CLAMP_NONE : ONEDNN_CLAMP_RELU,
                                    .quant = {p->zp ? 3 : 0, p->zp ? 5 : 0, scale}};
    if (clips) attributes.clamp = ONEDNN_CLAMP_CLIP, attributes.lo = 1, attributes.hi = 6;
    dnnl_status_t status = dnnl_success;
    for (int format = 0; format < 2; format++)
        for (size_t a = 0; a < CW_COUNT(algorithms) && status == dnnl_success; a++) {
            discovery d = {s, p, {.any = format == 0, .algorithm = algorithms[a]}, .u8 = u8, .clips = clips};
            /* oneDNN's own choice: its first answer when format and algorithm are left to it. */
            d.choosing = !clips && d.query.any && d.query.algorithm == dnnl_convolution_auto;
            status = onednn_walk(s, p, &d.query, &attributes, discovered, &d);
            *failed |= d.failed;
        }
    return status;
}

/* f32 in bf16: only as it is asked for by default, and all that oneDNN has take the general clamp. */
static dnnl_status_t discover_reduced(onednn_state *s, const cw_problem *p, bool *failed) {
    onednn_attributes attributes = {.clamp = ONEDNN_CLAMP_CLIP, .lo = 1, .hi = 6};
    dnnl_status_t status = dnnl_success;
    for (int format = 0; format < 2 && status == dnnl_success; format++) {
        discovery d = {
            s, p, {.any = format == 0, .reduced = true, .algorithm = dnnl_convolution_auto}, .clips = true};
        status = onednn_walk(s, p, &d.query, &attributes, discovered, &d);
        *failed |= d.failed;
    }
    return status;
}

cw_status onednn_discover(onednn_state *s, const cw_problem *p, cw_error *err) {
    if (s->have_problem && cw_problem_compare(&s->problem, p) == 0) return CW_OK;
    s->have_problem = false;
    s->found_count = 0;
    s->choice = NULL;
    float *scale = cw_alloc_n((size_t)p->oc, sizeof *scale);
    if (!scale) return cw_fail_memory(err);
    for (int32_t i = 0; i < p->oc; i++) scale[i] = 0.5f;
    bool failed = false;
    dnnl_status_t status = discover_with(s, p, scale, true, &failed);
    if (status == dnnl_success) status = discover_with(s, p, scale, false, &failed);
    if (status == dnnl_success && p->prec == CW_F32) status = discover_reduced(s, p, &failed);
    cw_free(scale);
    if (failed) return cw_fail_memory(err);
    if (status != dnnl_success) return onednn_fail(err, status, "asking for implementations");
    s->problem = *p;
    s->have_problem = true;
    return CW_OK;
}

/* Problems that between them bring out every kernel that oneDNN has for a machine. */
static const char *const probes[] = {
    "ic3ih32oc64kh7sh2ph3",      "ic64ih14oc64kh3ph1",         "mb4ic64ih14oc64kh3ph1",
    "ic64ih28oc128kh1",          "ic64ih28oc128kh1sh2",        "g64ic64ih28oc64kh3ph1",
    "g4ic64ih14oc64kh3ph1",      "g2ic10ih9oc6kh3ph1",         "ic5ih9oc7kh3dh1ph2",
    "ic64ih14oc64kh3ph1,u8",     "ic64ih28oc128kh1,u8",        "g64ic64ih28oc64kh3ph1,u8",
    "g4ic64ih14oc64kh3ph1,u8",   "g2ic10ih9oc6kh3ph1,u8",      "ic3ih32oc64kh7sh2ph3,u8",
    "ic64ih14oc64kh3ph1,u8,zp",  "ic64ih28oc128kh1,u8,zp",     "g64ic64ih28oc64kh3ph1,u8,zp",
    "ic3ih32oc64kh7sh2ph3,bf16", "ic64ih14oc64kh3ph1,bf16",    "ic64ih28oc128kh1,bf16",
    "ic64ih28oc128kh1sh2,bf16",  "g64ic64ih28oc64kh3ph1,bf16", "g4ic64ih14oc64kh3ph1,bf16",
    "g2ic10ih9oc6kh3ph1,bf16",   "ic5ih9oc7kh3dh1ph2,bf16",
};

static cw_status probe(onednn_state *s, cw_error *err) {
    cw_status status = CW_OK;
    for (size_t i = 0; i < CW_COUNT(probes) && !s->probed && status == CW_OK; i++) {
        cw_problem p;
        status = cw_problem_parse(probes[i], &p, err);
        if (status == CW_OK) status = onednn_discover(s, &p, err);
    }
    s->probed = status == CW_OK;
    return status;
}

/* ---- The backend ---- */

static cw_status list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    onednn_state *s = state;
    cw_status status;
    if (p) {
        cw_problem canonical = *p;
        cw_problem_canonical(&canonical);
        status = onednn_discover(s, &canonical, err);
    } else
        status = probe(s, err);
    if (status != CW_OK) return status;
    for (size_t i = 0; i < s->impl_count; i++) {
        const onednn_impl *impl = s->impls[i];
        bool offered = !p;
        for (size_t k = 0; p && k < s->found_count; k++) offered |= s->found[k].impl == impl;
        visit(arg, &impl->base, offered ? NULL : "oneDNN does not offer it for this problem",
              p && impl == s->choice);
    }
    return CW_OK;
}

/* Of the problem that was listed last. */
static int64_t workspace(void *state, const cw_impl *impl, const cw_problem *p) {
    const onednn_state *s = state;
    cw_problem canonical = *p;
    cw_problem_canonical(&canonical);
    if (!s->have_problem || cw_problem_compare(&s->problem, &canonical) != 0) return -1;
    for (size_t i = 0; i < s->found_count; i++)
        if (&s->found[i].impl->base == impl) return s->found[i].workspace;
    return -1;
}

static void close_state(void *state) {
    onednn_state *s = state;
    if (s->stream) dnnl_stream_destroy(s->stream);
    if (s->engine) dnnl_engine_destroy(s->engine);
    dnnl_set_primitive_cache_capacity(s->cache_capacity);
    for (size_t i = 0; i < s->impl_count; i++) cw_free(s->impls[i]);
    cw_free(s->impls);
    cw_free(s->found);
    cw_free(s);
}

/* The instruction sets that oneDNN must have for this machine. Only those that have a name on our side. */
static int isa_of(const cw_machine *machine) {
    if (!machine->avx512) return machine->avx2 ? dnnl_cpu_isa_avx2 : dnnl_cpu_isa_sse41;
    return machine->vnni ? dnnl_cpu_isa_avx512_core_vnni : dnnl_cpu_isa_avx512_core;
}

/* oneDNN takes a cap once in a process, before it looks at the CPU for the first time. avx2 is AVX2 without
 * VNNI, as the machine that the cap makes has none, though the CPU may have AVX-VNNI. */
static cw_status keep_to(const cw_machine *machine, cw_error *err) {
#if defined(__x86_64__)
    int wanted = isa_of(machine);
    if (machine->capped)
        dnnl_set_max_cpu_isa((dnnl_cpu_isa_t)wanted); /* refused where it is settled: seen below */
    int has = (int)dnnl_get_effective_cpu_isa();
    if (machine->capped ? has != wanted : strcmp(machine->isa, "portable") != 0 && (has & wanted) != wanted)
        return cw_fail(
            err, CW_MISMATCH,
            "oneDNN is not at %s but settled at another instruction set (0x%x), for this whole process: "
            "by an earlier context, or by ONEDNN_MAX_CPU_ISA or DNNL_MAX_CPU_ISA",
            machine->isa, (unsigned)has);
#else
    (void)machine, (void)err;
#endif
    return CW_OK;
}

static cw_status open_state(const cw_machine *machine, void **out, cw_error *err) {
    cw_status kept = keep_to(machine, err);
    if (kept != CW_OK) return kept;
    onednn_state *s = cw_alloc(sizeof *s);
    if (!s) return cw_fail_memory(err);
    const dnnl_version_t *v = dnnl_version();
    snprintf(s->version, sizeof s->version, "%d.%d.%d", v->major, v->minor, v->patch);
    /* The library prints its log to standard output, where a program's own output goes. */
    dnnl_set_verbose(0);
    /* No primitive cache: it would hide what prepare costs, a kernel is kept by its owner anyway, and in 2.6
     * an iterator that hits the cache restarts behind the hit and offers implementations twice. */
    dnnl_get_primitive_cache_capacity(&s->cache_capacity);
    dnnl_status_t status = dnnl_set_primitive_cache_capacity(0);
    if (status == dnnl_success) status = dnnl_engine_create(&s->engine, dnnl_cpu, 0);
    if (status == dnnl_success) status = dnnl_stream_create(&s->stream, s->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        close_state(s);
        return onednn_fail(err, status, "opening the CPU engine");
    }
    *out = s;
    return CW_OK;
}

static const char *version(void *state) {
    return ((onednn_state *)state)->version;
}

const cw_backend cw_backend_onednn = {.abi = CW_BACKEND_ABI,
                                      .name = "onednn",
                                      .package = "libdnnl-dev",
                                      .third_party = true,
                                      .nchw = true,
                                      .open = open_state,
                                      .close = close_state,
                                      .version = version,
                                      .list = list,
                                      .workspace = workspace};
