/* choose_and_run.c: the library in one page: a problem, a model, the choice, a convolution that runs.
 *     example_choose_and_run MODEL [PROBLEM] */
#include <convwise.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static float *ramp(int64_t n) { /* n values in -1..1, on a cache line */
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    for (int64_t i = 0; x && i < n; i++) x[i] = (float)(i % 17 - 8) / 8.0f;
    return x;
}

int main(int argc, char **argv) {
    cw_error err = {0};
    cw_problem p;
    cw_sizes s;
    cw_context *ctx = NULL;
    cw_model *model = NULL;
    cw_conv *conv = NULL;
    cw_choice best;
    size_t count;
    float *src = NULL, *dst = NULL, *weights = NULL;
    void *workspace = NULL;
    int code = 1;

    if (argc < 2) return fprintf(stderr, "usage: %s MODEL [PROBLEM]\n", argv[0]), 2;
    if (cw_problem_parse(argc > 2 ? argv[2] : "ic64ih56oc64kh3ph1", &p, &err) != CW_OK) goto done;
    if (cw_context_open(&ctx, &err) != CW_OK) goto done;
    if (cw_model_load(argv[1], &model, &err) != CW_OK) goto done;
    if (cw_choose(model, ctx, &p, &best, 1, &count, &err) != CW_OK) goto done;

    cw_problem_sizes(&p, &s);
    src = ramp(s.src_count), dst = ramp(s.dst_count), weights = ramp(s.wei_count);
    cw_conv_args args = {.weights = weights, .lo = 0, .hi = INFINITY}; /* no bias, ReLU */
    if (p.prec != CW_F32) {
        snprintf(err.message, sizeof err.message, "this example runs f32 problems");
        goto done;
    }
    if (!src || !dst || !weights || cw_conv_create(ctx, &p, best.impl, &args, &conv, &err) != CW_OK)
        goto done;
    workspace = aligned_alloc(64, (cw_conv_workspace(conv) / 64 + 1) * 64);
    if (!workspace || cw_conv_run(conv, src, dst, workspace) != CW_OK) goto done;

    printf("%s: %d x %d x %d outputs, the first:", cw_conv_impl(conv), s.oh, s.ow, p.oc);
    for (int64_t i = 0; i < 4 && i < s.dst_count; i++) printf(" %g", (double)dst[i]);
    printf("\n");
    code = 0;
done:
    if (code) fprintf(stderr, "%s\n", err.message[0] ? err.message : "out of memory");
    cw_conv_free(conv);
    cw_model_free(model);
    cw_context_close(ctx);
    free(src), free(dst), free(weights), free(workspace);
    return code;
}
