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
#endif
