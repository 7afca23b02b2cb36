/* agree.h: runs one implementation on one case through the public calls and compares its output. The output
 * and the workspace stand between guard bytes: writing beyond either is an error too. */
#ifndef CW_TEST_AGREE_H
#define CW_TEST_AGREE_H
#include "../unit/unit.h"
#include "../../src/backend/context.h"
#include "../../src/measure/verify.h"

/* AGREE_BYTE: NaN in f32, 255 in u8, so that memory that is read before it is written shows. */
enum { AGREE_GUARD = 256, AGREE_BYTE = 0xFF };

/* size bytes at a multiple of 64 with guards around; all bytes, guards included, are set: a pixel that is
 * never written shows. */
static inline unsigned char *agree_guarded(size_t size) {
    unsigned char *memory = cw_alloc(size + 2 * AGREE_GUARD);
    if (!memory) return NULL;
    memset(memory, AGREE_BYTE, size + 2 * AGREE_GUARD);
    return memory + AGREE_GUARD;
}

static inline cw_status agree_release(unsigned char *memory, size_t size, const char *what, cw_error *err) {
    cw_status status = CW_OK;
    if (!memory) return CW_OK;
    for (size_t i = 0; i < AGREE_GUARD; i++)
        if (memory[-1 - (ptrdiff_t)i] != AGREE_BYTE || memory[size + i] != AGREE_BYTE)
            status = cw_fail(err, CW_WRONG, "wrote beyond the %s", what);
    cw_free(memory - AGREE_GUARD);
    return status;
}

/* args NULL = the case's own. Runs twice into the same workspace: a second run must not depend on the first.
 */
static inline cw_status agree_run(cw_context *ctx, const cw_case *c, const cw_impl *impl,
                                  const cw_conv_args *args, double *error, cw_error *err) {
    cw_conv *conv = NULL;
    *error = 0;
    cw_status status = cw_conv_create(ctx, &c->problem, impl->name, args ? args : &c->args, &conv, err);
    if (status != CW_OK) return status;
    size_t dst_size = (size_t)c->sizes.dst_bytes, space_size = cw_conv_workspace(conv);
    unsigned char *dst = agree_guarded(dst_size), *space = agree_guarded(space_size);
    if (!dst || !space) status = cw_fail_memory(err);
    for (int i = 0; i < 2 && status == CW_OK; i++) {
        memset(dst, AGREE_BYTE, dst_size);
        status = cw_conv_run(conv, c->src, dst, space);
        if (status != CW_OK) cw_fail(err, status, "%s: run failed", impl->name);
    }
    if (status == CW_OK) status = cw_case_compare(c, impl, dst, error, err);
    cw_conv_free(conv);
    cw_status outside = agree_release(dst, dst_size, "output", err);
    cw_status beyond = agree_release(space, space_size, "workspace", err);
    return status != CW_OK ? status : outside != CW_OK ? outside : beyond;
}

static inline cw_problem agree_problem(const char *text) {
    cw_problem p;
    cw_error err;
    if (cw_problem_parse(text, &p, &err) != CW_OK) fail_msg("%s: %s", text, err.message);
    return p;
}

static inline int32_t agree_between(cw_rng *rng, int32_t lo, int32_t hi) {
    return lo + (int32_t)cw_rng_below(rng, (uint64_t)(hi - lo + 1));
}

/* A small problem of any kind: odd sizes, strides to 4, dilation, groups and depthwise, padding of each side
 * by itself, channels from 1, batch to 4, one thread or two. False: these numbers make none; try again. */
static inline bool agree_random_problem(cw_rng *rng, cw_problem *p) {
    int32_t g = cw_rng_below(rng, 3) ? 1 : agree_between(rng, 2, 6);
    bool depthwise = cw_rng_below(rng, 6) == 0, square = cw_rng_below(rng, 3) == 0;
    if (depthwise) g = agree_between(rng, 1, 70);
    *p = (cw_problem){.mb = agree_between(rng, 1, cw_rng_below(rng, 8) ? 2 : 4), .g = g, .threads = 1};
    p->threads += cw_rng_below(rng, 8) == 0;
    p->ic = g * (depthwise ? 1 : agree_between(rng, 1, 40));
    p->oc = g * (depthwise ? agree_between(rng, 1, cw_rng_below(rng, 4) ? 1 : 3) : agree_between(rng, 1, 70));
    p->ih = agree_between(rng, 1, 14), p->iw = agree_between(rng, 1, 14);
    if (cw_rng_below(rng, 16) == 0) p->ih = agree_between(rng, 1, 40), p->iw = agree_between(rng, 1, 40);
    p->kh = square ? 3 : agree_between(rng, 1, 5), p->kw = square ? 3 : agree_between(rng, 1, 5);
    if (cw_rng_below(rng, 8) == 0) p->kh = p->kw = 1;
    if (cw_rng_below(rng, 16) == 0) p->kh = agree_between(rng, 1, 7), p->kw = agree_between(rng, 1, 11);
    p->sh = square ? 1 : agree_between(rng, 1, 4), p->sw = square ? 1 : agree_between(rng, 1, 4);
    p->dh = cw_rng_below(rng, 4) ? 0 : agree_between(rng, 0, 2);
    p->dw = cw_rng_below(rng, 4) ? 0 : agree_between(rng, 0, 2);
    p->pt = agree_between(rng, 0, p->kh - 1), p->pb = agree_between(rng, 0, p->kh - 1);
    p->pl = agree_between(rng, 0, p->kw - 1), p->pr = agree_between(rng, 0, p->kw - 1);
    p->prec = (int32_t)(cw_prec[]){CW_F32, CW_U8, CW_BF16}[cw_rng_below(rng, 5) * 3 / 5];
    p->layout = cw_rng_below(rng, 3) ? CW_NHWC : CW_NCHW;
    p->zp = p->prec == CW_U8 ? agree_between(rng, 0, 1) : 0;
    return cw_problem_check(p, NULL) == CW_OK;
}
#endif
