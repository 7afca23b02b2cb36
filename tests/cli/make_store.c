/* make_store.c: writes a store of made-up times for real layers, so that scripts can test commands without
 * measuring. The times follow a rule that a learner can find, with noise that depends on the layer alone: the
 * same call makes the same times.
 *
 *     make_store FILE rule|one-winner [TABLE...]      tables as in data/nets */
#include "../../include/convwise/tools.h"
#include "../../src/base/base.h"
#include "../../src/problem/problem.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct impl {
    const char *name;
    cw_family family;
    double speed; /* multiply-accumulates a nanosecond */
    double fixed; /* ns for each output row of pixels */
    double waste; /* ns a source element */
} impls[] = {
    {"made.depthwise", CW_FAMILY_DEPTHWISE, 20, 50, 0.0},
    {"made.direct", CW_FAMILY_DIRECT, 25, 300, 0.0},
    {"made.gemm", CW_FAMILY_GEMM, 60, 100, 1.0},
    {"made.winograd", CW_FAMILY_WINOGRAD, 110, 2500, 2.0},
};

static const char *refusal(const struct impl *impl, const cw_problem *p) {
    if (impl->family == CW_FAMILY_DEPTHWISE && (p->g == 1 || p->g != p->ic)) return "depthwise only";
    if (impl->family == CW_FAMILY_WINOGRAD && (p->kh != 3 || p->kw != 3 || p->sh != 1 || p->g != 1))
        return "dense 3x3, stride 1 only";
    return NULL;
}

static double made_time(const struct impl *impl, const cw_problem *p, bool one_winner) {
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    double ns =
        (double)sizes.macs / impl->speed + impl->fixed * sizes.oh + impl->waste * (double)sizes.src_count;
    cw_rng rng = cw_rng_seed(cw_problem_hash(p) ^ (uint64_t)impl->family);
    ns *= 1 + 0.1 * cw_rng_uniform(&rng);
    if (p->prec == CW_U8) ns *= impl->family == CW_FAMILY_WINOGRAD ? 1.5 : 0.4;
    return one_winner && impl->family != CW_FAMILY_GEMM ? ns * 1e6 : ns;
}

static cw_status add_problem(cw_store *store, const cw_problem *p, bool one_winner, cw_error *err) {
    cw_status status = CW_OK;
    for (size_t i = 0; status == CW_OK && i < CW_COUNT(impls); i++) {
        cw_measurement m = {.problem = *p,
                            .impl = impls[i].name,
                            .backend = "made",
                            .version = "1",
                            .family = impls[i].family,
                            .candidate = true,
                            .detail = "",
                            .samples = 3};
        const char *why_not = refusal(&impls[i], p);
        m.state = why_not ? CW_STATE_UNSUPPORTED : CW_STATE_OK;
        if (why_not) m.detail = why_not;
        m.library_choice = !why_not && impls[i].family == (p->g == 1 ? CW_FAMILY_GEMM : CW_FAMILY_DEPTHWISE);
        if (!why_not) m.time_ns = m.min_ns = m.median_ns = m.pass_ns[0] = made_time(&impls[i], p, one_winner);
        status = cw_store_add(store, &m, err);
    }
    return status;
}

static cw_status add_table(cw_store *store, const char *path, bool one_winner, cw_error *err) {
    cw_net net;
    cw_status status = cw_net_read(path, &net, err);
    if (status != CW_OK) return status;
    status = cw_store_add_net(store, &net, err);
    for (size_t i = 0; i < net.count; i++)
        for (int prec = CW_F32; status == CW_OK && prec <= CW_U8; prec++) {
            cw_problem p = cw_layer_problem(&net.layers[i], (cw_prec)prec, 1, 1);
            cw_problem_canonical(&p);
            status = add_problem(store, &p, one_winner, err);
        }
    cw_net_release(&net);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: make_store FILE rule|one-winner [TABLE...]\n");
        return 2;
    }
    cw_error err = {0};
    cw_store *store = NULL;
    cw_machine machine = {
        .cpu = "Made up", .isa = "portable", .cores = 1, .fingerprint = "00000000000000000000000000000001"};
    cw_status status = cw_store_open(argv[1], CW_STORE_WRITE, &store, &err);
    if (status == CW_OK) status = cw_store_begin_run(store, &machine, "{}", 1, &err);
    for (int i = 3; status == CW_OK && i < argc; i++)
        status = add_table(store, argv[i], strcmp(argv[2], "one-winner") == 0, &err);
    if (status != CW_OK) fprintf(stderr, "make_store: %s\n", err.message);
    cw_store_close(store);
    return status != CW_OK;
}
