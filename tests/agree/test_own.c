/* test_own.c: what test_agree.c cannot see of our own kernels: their versions for lesser instruction sets,
 * which a context takes when told of a lesser machine, more threads than work, and memory that runs out. */
#include "agree.h"

static const char *const texts[] = {
    "ic17ih9oc37kh3ph1",
    "ic3ih15oc16kh7sh2ph3",
    "ic40ih5oc24kh1",
    "g3ic9ih7oc15kh3ph1",
    "ic5ih11oc7kh9ph4",
    "g33ic33ih9oc33kh3ph1",
    "g7ic7ih9oc21kh3sh2ph1",
    "mb2ic8ih10oc70kh3ph1",
    "ic1ih1oc1kh1",
    "mb2ic35ih41iw37oc51kh3ph1",
    "ic35ih13iw17oc20kh5ph2",
    "ic70ih9iw21oc33kh1kw7ph0pw3",
    "mb2ic20ih21iw9oc40kh5kw1ph2pw0",
    "ic18ih11oc19kh7ph3",
    "ic64ih19oc33kh3kw1ph1pw0",
    "ic17ih9oc65kh1kw3ph0pw1",
    "mb2g37ic37ih9iw16oc37kh3ph1",
    "g20ic20ih12iw17oc20kh3sh2ph1",
    "g16ic16ih11iw5oc16kh5ph2",
    "g50ic50ih13iw30oc50kh5sh2ph2",
    "g19ic19ih15iw22oc19kh3dh1dw2ph2pw3",
    "g33ic33ih14iw9oc33kh5dh2dw0ph5pw1",
};

/* Every version this machine can run, with every thread count, agrees with the reference. */
static void test_own__agrees_for_each_instruction_set(void **state) {
    (void)state;
    cw_context *ctx;
    cw_error err;
    long compared = 0;
    assert_ok(cw_context_open(&ctx, &err), err);
    const cw_machine real = ctx->machine;
    for (size_t i = 0; i < CW_COUNT(texts) * 3 * 3 * 4; i++) {
        cw_problem p = agree_problem(texts[i / 36]);
        int level = (int)(i / 12 % 3), kind = (int)(i / 3 % 4);
        if ((level == 2 && !real.avx512) || (level == 1 && !real.avx2)) continue;
        ctx->machine.avx512 = level == 2;
        ctx->machine.avx2 = level >= 1;
        p.threads = (int32_t)(i % 3 + 1);
        p.prec = kind == 0 ? CW_F32 : kind == 3 ? CW_BF16 : CW_U8;
        p.zp = kind == 2;
        cw_case c;
        cw_found *found;
        size_t count;
        assert_ok(cw_case_make(&p, CW_FILL_NORMAL, i, &c, &err), err);
        assert_ok(cw_context_list(ctx, &c.problem, &found, &count, &err), err);
        for (size_t j = 0; j < count; j++) {
            double error;
            if (strcmp(found[j].backend->name, "own") != 0 || found[j].why_not) continue;
            if (agree_run(ctx, &c, found[j].impl, NULL, &error, &err) != CW_OK)
                fail_msg("%s, instruction set %d, %d threads: %s", texts[i / 36], level, p.threads,
                         err.message);
            if (strstr(found[j].impl->name, "winograd") && !(error <= 1e-4))
                fail_msg("%s, instruction set %d: %s errs by %g of the largest output", texts[i / 36], level,
                         found[j].impl->name, error);
            compared++;
        }
        cw_free(found);
        cw_case_release(&c);
    }
    print_message("%ld runs compared\n", compared);
    assert_true(compared > 100);
    cw_context_close(ctx);
}

static void test_own__says_why_not(void **state) {
    (void)state;
    const struct {
        const char *text, *impl, *reason; /* NULL = supported */
    } cases[] = {
        {"ic8ih8oc8kh3ph1", "own.direct", NULL},
        {"ic8ih8oc8kh3ph1,u8,zp", "own.direct", NULL},
        {"ic8ih8oc8kh3ph1,bf16", "own.direct", NULL},
        {"ic8ih8oc8kh3ph1", "own.gemm", NULL},
        {"ic8ih8oc8kh3ph1,bf16", "own.gemm", "f32 only"},
        {"ic8ih8oc8kh3ph1,f16", "own.direct", "only f32, u8 and bf16 run here"},
        {"g8ic8ih8oc8kh3ph1", "own.gemm", NULL},
        {"ic8ih8oc8kh3ph1,u8", "own.gemm", "OpenBLAS has no 8-bit matrix product"},
        {"ic8ih8oc8kh3ph1", "own.winograd_f2x3", NULL},
        {"ic8ih8oc8kh3ph1,u8", "own.winograd_f2x3", "f32 only"},
        {"g16ic16ih8oc16kh3ph1", "own.depthwise", NULL},
        {"g16ic16ih8oc16kh5sh2ph1", "own.depthwise", NULL},
        {"g16ic16ih8oc16kh3ph1,u8", "own.depthwise", "f32 only"},
        {"g16ic16ih8oc32kh3ph1", "own.depthwise", "depthwise only: one input and output a group"},
        {"g16ic16ih8oc16kh7ph3", "own.depthwise", "3x3 and 5x5 kernels only"},
        {"g16ic16ih8oc16kh3sh3", "own.depthwise", "strides 1 and 2 only"},
        {"g16ic16ih9oc16kh3sh2dh1ph2", "own.depthwise", "dilation with stride 1 only"},
        {"g15ic15ih8oc15kh3ph1", "own.depthwise", "from 16 channels on"},
        {"ic8ih8oc8kh5ph2", "own.winograd_f4x3", "3x3, 1x3 and 3x1 kernels only"},
        {"ic8ih8oc8kh1", "own.winograd_f2x7", "7x7, 1x7 and 7x1 kernels only"},
        {"ic8ih8oc8kh3sh2ph1", "own.winograd_f4x3", "stride 1 only"},
        {"ic8ih8oc8kh3dh1ph2", "own.winograd_f6x3", "no dilation"},
        {"g2ic8ih8oc8kh3ph1", "own.winograd_f4x3", "one group only"},
    };
    cw_context *ctx;
    cw_error err;
    assert_ok(cw_context_open(&ctx, &err), err);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_problem p = agree_problem(cases[i].text);
        cw_found found;
        if (cases[i].reason)
            assert_refused(cw_context_find(ctx, &p, cases[i].impl, &found, &err), CW_UNSUPPORTED, err,
                           cases[i].reason);
        else
            assert_ok(cw_context_find(ctx, &p, cases[i].impl, &found, &err), err);
    }
    cw_context_close(ctx);
}

/* Each allocation of each prepare fails once: no crash, no leak (the sanitizer looks), no result. */
static void test_own__memory_failures_leave_nothing(void **state) {
    (void)state;
    const char *const cases[] = {"ic8ih8oc8kh3ph1",      "ic8ih8oc8kh3ph1,u8",   "g8ic8ih8oc8kh3ph1",
                                 "g8ic8ih8oc8kh3ph1,u8", "ic8ih8oc8kh3ph1,bf16", "g8ic8ih8oc8kh3ph1,bf16"};
    cw_context *ctx;
    cw_error err;
    assert_ok(cw_context_open(&ctx, &err), err);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_problem p = agree_problem(cases[i]);
        cw_case c;
        cw_found *found;
        size_t count;
        assert_ok(cw_case_make(&p, CW_FILL_NORMAL, i, &c, &err), err);
        assert_ok(cw_context_list(ctx, &c.problem, &found, &count, &err), err);
        for (size_t j = 0; j < count; j++) {
            bool ours = !strcmp(found[j].backend->name, "own") || !strcmp(found[j].backend->name, "ref");
            cw_status status = CW_NO_MEMORY;
            long n = 1;
            for (; ours && !found[j].why_not && status == CW_NO_MEMORY; n++) {
                cw_kernel *kernel = NULL;
                cw_alloc_fail_at(n);
                status = found[j].impl->prepare(found[j].impl, &c.problem, &c.args, &kernel, &err);
                cw_alloc_fail_at(0);
                if (status == CW_OK) kernel->destroy(kernel);
                assert_true(n < 20 && (status == CW_OK || !kernel));
            }
            if (n > 1) assert_true(status == CW_OK && n > 3);
        }
        cw_free(found);
        cw_case_release(&c);
    }
    cw_context_close(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own__agrees_for_each_instruction_set),
        cmocka_unit_test(test_own__says_why_not),
        cmocka_unit_test(test_own__memory_failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
