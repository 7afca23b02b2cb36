/* test_impls.c: what cw_impls promises of an implementation before it is prepared, held against what the
 * prepared one does: its workspace, and that it gives the same bits whenever it runs. */
#include "unit.h"
#include "../../include/convwise.h"
#include "../../src/measure/verify.h"

static const char *const problems[] = {
    "ic16ih8oc16kh3ph1",        "ic3ih32oc24kh7sh2ph3",      "ic64ih14oc96kh1",
    "ic32ih15oc40kh3ph1,t2",    "g32ic32ih14oc32kh3ph1",     "g4ic20ih9oc12kh3dh1ph2",
    "mb3ic17ih9oc5kh3ph1",      "ic64ih28oc64kh3ph1",        "ic16ih8oc16kh3ph1,u8",
    "ic64ih14oc96kh1,u8,zp",    "g32ic32ih14oc32kh3ph1,u8",  "g2ic10ih9oc6kh3ph1,u8,t2",
    "ic3ih32oc24kh7sh2ph3,u8",  "ic64ih28oc64kh3sh2ph1",     "ic16ih8oc24kh3ph1,nchw",
    "ic17ih9oc5kh3ph1,nchw,u8", "mb2ic33ih7oc16kh1,nchw,t2",
};

/* Zeros do for sizes; for the bits the weights must differ, which the fills of cw_case do. */
static void look(cw_context *ctx, const cw_case *c, const cw_impl_info *info) {
    cw_error err;
    cw_conv *conv;
    assert_ok(cw_conv_create(ctx, &c->problem, info->name, &c->args, &conv, &err), err);
    size_t bytes = cw_conv_workspace(conv);
    if (info->workspace >= 0 && (size_t)info->workspace != bytes)
        fail_msg("%s: %zu bytes of workspace, not %lld", info->name, bytes, (long long)info->workspace);
    char *work = cw_alloc(bytes ? bytes : 1), *first = cw_alloc((size_t)c->sizes.dst_bytes),
         *again = cw_alloc((size_t)c->sizes.dst_bytes);
    assert_true(work && first && again);
    assert_int_equal(cw_conv_run(conv, c->src, first, work), CW_OK);
    memset(work, 0x5a, bytes);
    assert_int_equal(cw_conv_run(conv, c->src, again, work), CW_OK);
    if (info->deterministic) assert_memory_equal(first, again, (size_t)c->sizes.dst_bytes);
    cw_free(work);
    cw_free(first);
    cw_free(again);
    cw_conv_free(conv);
}

static void test_impls__say_what_a_prepared_one_takes_and_repeats(void **state) {
    (void)state;
    cw_context *ctx;
    cw_error err;
    long known = 0, looked = 0;
    assert_ok(cw_context_open(&ctx, &err), err);
    for (size_t i = 0; i < CW_COUNT(problems); i++) {
        cw_problem p;
        cw_case c;
        cw_impl_info *infos;
        size_t count;
        assert_ok(cw_problem_parse(problems[i], &p, &err), err);
        assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 1, &c, &err), err);
        assert_ok(cw_impls(ctx, &p, &infos, &count, &err), err);
        for (size_t k = 0; k < count; k++) {
            if (infos[k].why_not) {
                assert_int_equal(infos[k].workspace, -1);
                continue;
            }
            look(ctx, &c, &infos[k]);
            known += infos[k].workspace >= 0;
            looked++;
        }
        cw_free(infos);
        cw_case_release(&c);
    }
    assert_int_equal(known, looked); /* every backend of this build says it */
    assert_true(looked > 4 * (long)CW_COUNT(problems));
    cw_context_close(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_impls__say_what_a_prepared_one_takes_and_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
