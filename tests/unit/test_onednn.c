/* test_onednn.c: what the oneDNN backend lists, and that each of it prepares, runs, clamps and reorders as
 * the reference does. Agreement on whole tables of layers is tests/agree's. */
#include "unit.h"
#include "../../src/backend/context.h"
#include "../../src/kernel/reference.h"
#include "../../src/measure/verify.h"
#include <math.h>

static cw_context *ctx;
static const cw_backend *backend;
static void *backend_state;

static int set_up(void **state) {
    (void)state;
    cw_error err;
    if (cw_context_open(&ctx, &err) != CW_OK) return -1;
    for (size_t i = 0; i < ctx->count; i++)
        if (strcmp(ctx->open[i].backend->name, "onednn") == 0)
            backend = ctx->open[i].backend, backend_state = ctx->open[i].state;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    cw_context_close(ctx);
    return 0;
}

static cw_problem parsed(const char *text) {
    cw_problem p;
    cw_error err;
    assert_ok(cw_problem_parse(text, &p, &err), err);
    return p;
}

typedef struct listing {
    struct {
        const cw_impl *impl;
        const char *why_not;
        bool choice;
    } rows[256];
    size_t count;
} listing;

static void note(void *arg, const cw_impl *impl, const char *why_not, bool library_choice) {
    listing *l = arg;
    assert_true(l->count < CW_COUNT(l->rows));
    l->rows[l->count].impl = impl;
    l->rows[l->count].why_not = why_not;
    l->rows[l->count++].choice = library_choice;
}

static void list_of(const cw_problem *p, listing *out) {
    cw_error err;
    out->count = 0;
    assert_ok(backend->list(backend_state, p, note, out, &err), err);
}

static const char *const problems[] = {
    "ic16ih8oc16kh3ph1",
    "mb2ic17ih9iw7oc19kh3ph1",
    "ic3ih19oc24kh7sh2ph3",
    "ic32ih7oc40kh1",
    "ic32ih8oc33kh1sh2",
    "g32ic32ih9oc32kh3ph1",
    "g24ic24ih9oc24kh5sh2ph2",
    "g4ic64ih7oc64kh3ph1",
    "g3ic12ih9oc15kh3ph1",
    "ic8ih12oc8kh3dh1ph2",
    "ic8ih112iw12oc16oh56ow6kh3sh2ph0pw0",
    "ic20ih5iw11oc12kh1kw7ph0pw3",
    "g8ic8ih6oc16kh3ph1",
    "ic1ih6oc1kh3ph1",
    "ic64ih1oc10kh1",
    "mb4ic32ih14oc32kh3ph1",
    "ic25ih3iw10oc8kh1", /* jit_bf16_1x1 computes it wrong */
};
static const char *const suffixes[] = {"", ",u8", ",u8,zp", ",bf16"};
static const char *const threaded[] = {"mb2ic17ih9iw7oc19kh3ph1,t2", "g32ic32ih9oc32kh3ph1,t2",
                                       "ic32ih7oc40kh1,u8,t2", "mb4ic32ih14oc32kh3ph1,u8,zp,t2",
                                       "mb2ic17ih9iw7oc19kh3ph1,bf16,t2"};

static void each_problem(void (*check)(const cw_problem *p)) {
    cw_problem p;
    for (size_t s = 0; s < CW_COUNT(suffixes); s++)
        for (size_t i = 0; i < CW_COUNT(problems); i++) {
            char text[CW_PROBLEM_TEXT];
            snprintf(text, sizeof text, "%s%s", problems[i], suffixes[s]);
            p = parsed(text);
            check(&p);
        }
    for (size_t i = 0; i < CW_COUNT(threaded); i++) {
        p = parsed(threaded[i]);
        check(&p);
    }
}

/* Runs in the problem's layout. */
static void run_plain(cw_kernel *k, const cw_case *c, void *dst) {
    cw_error err = {0};
    void *workspace = cw_alloc(k->workspace_bytes + 64);
    void *own_src = k->src_own_bytes ? cw_alloc(k->src_own_bytes) : NULL;
    void *own_dst = k->dst_own_bytes ? cw_alloc(k->dst_own_bytes) : NULL;
    if (own_dst) memset(own_dst, 0xA5, k->dst_own_bytes);
    if (own_src) assert_ok(k->src_reorder(k, c->src, own_src), err);
    memset(dst, 0x5A, (size_t)c->sizes.dst_bytes);
    /* Twice: a run must not depend on what the one before left behind. */
    for (int i = 0; i < 2; i++)
        assert_ok(k->run(k, own_src ? own_src : c->src, own_dst ? own_dst : dst, workspace), err);
    if (own_dst) assert_ok(k->dst_reorder(k, own_dst, dst), err);
    cw_free(own_dst);
    cw_free(own_src);
    cw_free(workspace);
}

/* ---- Listing ---- */

static void test_onednn__names_are_unique_and_in_order(void **state) {
    (void)state;
    listing l;
    list_of(NULL, &l);
    assert_true(l.count > 1);
    for (size_t i = 0; i < l.count; i++) {
        assert_null(l.rows[i].why_not);
        assert_false(l.rows[i].choice);
        assert_int_equal(strncmp(l.rows[i].impl->name, "onednn.", 7), 0);
        if (i) assert_true(strcmp(l.rows[i - 1].impl->name, l.rows[i].impl->name) < 0);
    }
}

static void test_onednn__all_that_exist_cover_what_problems_offer(void **state) {
    (void)state;
    listing all, one;
    list_of(NULL, &all);
    for (size_t i = 0; i < CW_COUNT(problems); i++) {
        cw_problem p = parsed(problems[i]);
        list_of(&p, &one);
    }
    list_of(NULL, &one);
    assert_int_equal(one.count, all.count);
    for (size_t i = 0; i < all.count; i++) assert_ptr_equal(one.rows[i].impl, all.rows[i].impl);
}

static void test_onednn__families_follow_from_names(void **state) {
    (void)state;
    const struct {
        const char *part;
        cw_family family;
    } cases[] = {
        {"wino", CW_FAMILY_WINOGRAD}, {"_dw:", CW_FAMILY_DEPTHWISE}, {":gemm", CW_FAMILY_GEMM},
        {".jit:", CW_FAMILY_DIRECT},  {"brgconv", CW_FAMILY_DIRECT}, {".ref", CW_FAMILY_DIRECT},
    };
    listing l;
    list_of(NULL, &l);
    for (size_t i = 0; i < l.count; i++)
        for (size_t c = 0; c < CW_COUNT(cases); c++)
            if (strstr(l.rows[i].impl->name, cases[c].part)) {
                assert_int_equal(l.rows[i].impl->family, cases[c].family);
                if (cases[c].family == CW_FAMILY_WINOGRAD) assert_false(l.rows[i].impl->exact);
            }
}

static void check_one_choice(const cw_problem *p) {
    listing first, again;
    list_of(p, &first);
    list_of(p, &again);
    size_t choices = 0, offered = 0;
    for (size_t i = 0; i < first.count; i++) {
        assert_ptr_equal(first.rows[i].impl, again.rows[i].impl);
        offered += !first.rows[i].why_not;
        choices += first.rows[i].choice;
        if (first.rows[i].choice) assert_null(first.rows[i].why_not);
        if (first.rows[i].why_not) assert_true(strstr(first.rows[i].why_not, "does not offer") != NULL);
    }
    assert_int_equal(choices, 1);
    assert_true(offered >= 1);
}

static void test_onednn__one_library_choice_a_problem(void **state) {
    (void)state;
    each_problem(check_one_choice);
}

/* f32 computed in bf16: named and marked as such, on top of what f32 has, and never oneDNN's own choice. */
static void test_onednn__lower_precision_is_a_class_of_its_own(void **state) {
    (void)state;
    const char *const texts[] = {"ic64ih14oc64kh3ph1", "ic64ih14oc64kh3ph1,bf16", "ic64ih14oc64kh3ph1,u8"};
    for (size_t t = 0; t < CW_COUNT(texts); t++) {
        cw_problem p = parsed(texts[t]);
        listing l;
        list_of(&p, &l);
        size_t reduced = 0, plain = 0;
        for (size_t i = 0; i < l.count; i++) {
            const cw_impl *impl = l.rows[i].impl;
            assert_int_equal(impl->reduced, cw_impl_is_reduced(impl->name));
            assert_int_equal(impl->candidate, !impl->reduced);
            assert_false(impl->reduced && (impl->exact || l.rows[i].choice));
            if (!l.rows[i].why_not) *(impl->reduced ? &reduced : &plain) += 1;
        }
        assert_true(plain > 0 && (p.prec == CW_F32 || reduced == 0));
        if (p.prec == CW_F32 && ctx->machine.bf16) assert_true(reduced > 0);
    }
}

/* Source and weights are rounded: 1 + 2^-7 is a bf16, 1 + 2^-9 is not, and the output is f32 all the same. */
static void test_onednn__lower_precision_rounds_source_and_weights_alone(void **state) {
    (void)state;
    enum { CHANNELS = 16 };
    cw_problem p = parsed("ic16ih1oc16kh1");
    float weights[CHANNELS * CHANNELS] = {0}, src[CHANNELS], dst[CHANNELS], bias[CHANNELS];
    for (int i = 0; i < CHANNELS; i++) {
        weights[i * CHANNELS + i] = i % 2 ? 1 + 0x1p-9f : 1;
        src[i] = i % 4 < 2 ? 1 + 0x1p-7f : 1 + 0x1p-9f;
        bias[i] = 0x1p-20f;
    }
    cw_conv_args args = {.weights = weights, .bias = bias, .lo = -INFINITY, .hi = INFINITY};
    listing l;
    list_of(&p, &l);
    for (size_t i = 0; i < l.count; i++) {
        if (l.rows[i].why_not || !l.rows[i].impl->reduced) continue;
        cw_conv *conv;
        cw_error err = {0};
        assert_ok(cw_conv_create(ctx, &p, l.rows[i].impl->name, &args, &conv, &err), err);
        void *workspace = cw_alloc(cw_conv_workspace(conv) + 64);
        assert_ok(cw_conv_run(conv, src, dst, workspace), err);
        for (int c = 0; c < CHANNELS; c++)
            if (dst[c] != (c % 4 < 2 ? 1 + 0x1p-7f : 1) + 0x1p-20f)
                fail_msg("%s: channel %d is %a", l.rows[i].impl->name, c, (double)dst[c]);
        cw_free(workspace);
        cw_conv_free(conv);
    }
}

/* Winograd needs a 3x3 window; nothing here takes the 5x5 one. */
static void test_onednn__unsupported_is_listed_with_a_reason_and_refused(void **state) {
    (void)state;
    listing l;
    list_of(NULL, &l);
    cw_problem p = parsed("ic16ih9oc16kh5ph2");
    list_of(&p, &l);
    cw_case c;
    cw_error err;
    assert_ok(cw_case_make(&p, CW_FILL_INTEGER, 1, &c, &err), err);
    size_t refused = 0;
    for (size_t i = 0; i < l.count; i++) {
        if (l.rows[i].impl->family == CW_FAMILY_WINOGRAD) assert_non_null(l.rows[i].why_not);
        if (!l.rows[i].why_not) continue;
        cw_kernel *k = NULL;
        assert_refused(l.rows[i].impl->prepare(l.rows[i].impl, &p, &c.args, &k, &err), CW_UNSUPPORTED, err,
                       l.rows[i].impl->name);
        assert_null(k);
        refused++;
    }
    assert_true(refused > 0);
    cw_case_release(&c);
}

/* ---- Preparing and running ---- */

typedef struct clamp {
    float lo, hi;
} clamp;

static void check_impl(const cw_impl *impl, cw_case *c, void *dst) {
    const clamp f32[] = {{c->args.lo, c->args.hi}, {-INFINITY, INFINITY}, {0, INFINITY}, {0, 6}, {2, 5}};
    const clamp u8[] = {{c->args.lo, c->args.hi}, {0, 255}, {-INFINITY, INFINITY}, {120, 255}, {0, 200}};
    const clamp former = {c->args.lo, c->args.hi};
    cw_error err;
    for (size_t i = 0; i < (c->fill == CW_FILL_INTEGER ? CW_COUNT(f32) : 1); i++) {
        clamp wanted = c->problem.prec == CW_U8 ? u8[i] : f32[i];
        c->args.lo = wanted.lo;
        c->args.hi = wanted.hi;
        cw_reference *ref;
        assert_ok(cw_reference_create(&c->problem, &c->args, &ref, &err), err);
        cw_reference_run(ref, c->src, c->expected);
        cw_reference_free(ref);
        cw_kernel *k;
        assert_ok(impl->prepare(impl, &c->problem, &c->args, &k, &err), err);
        run_plain(k, c, dst);
        k->destroy(k);
        double error;
        cw_status status = cw_case_compare(c, impl, dst, &error, &err);
        /* Small weights never saturate: all but Winograd are exact, whatever the limit is. */
        bool off = c->fill == CW_FILL_INTEGER && impl->family != CW_FAMILY_WINOGRAD && error != 0;
        if (status == CW_OK && off)
            status = cw_fail(&err, CW_WRONG, "%s: error %g, not 0", impl->name, error);
        if (status != CW_OK) {
            char text[CW_PROBLEM_TEXT];
            cw_problem_format(&c->problem, text, sizeof text);
            fail_msg("%s clamp %g %g fill %d: %s", text, (double)wanted.lo, (double)wanted.hi, (int)c->fill,
                     err.message);
        }
    }
    c->args.lo = former.lo;
    c->args.hi = former.hi;
}

static void check_all(const cw_problem *p) {
    listing l;
    list_of(p, &l);
    for (int fill = 0; fill < 2; fill++) {
        cw_case c;
        cw_error err;
        assert_ok(cw_case_make(p, fill ? CW_FILL_NORMAL : CW_FILL_INTEGER, 7, &c, &err), err);
        void *dst = cw_alloc((size_t)c.sizes.dst_bytes);
        for (size_t i = 0; i < l.count; i++)
            if (!l.rows[i].why_not) check_impl(l.rows[i].impl, &c, dst);
        cw_free(dst);
        cw_case_release(&c);
    }
}

static void test_onednn__all_listed_prepare_run_and_clamp_as_the_reference(void **state) {
    (void)state;
    each_problem(check_all);
}

static void check_round_trip(const cw_problem *p) {
    listing l;
    cw_case c;
    cw_error err = {0};
    list_of(p, &l);
    assert_ok(cw_case_make(p, CW_FILL_NORMAL, 3, &c, &err), err);
    for (size_t i = 0; i < l.count; i++) {
        if (l.rows[i].why_not) continue;
        const cw_impl *impl = l.rows[i].impl;
        cw_kernel *k;
        assert_ok(impl->prepare(impl, p, &c.args, &k, &err), err);
        bool own = k->src_own_bytes || k->dst_own_bytes;
        assert_int_equal(own, impl->reduced || strstr(impl->name, "@any") != NULL);
        assert_int_equal(own, impl->own_layout);
        assert_int_equal(k->src_own_bytes != 0, k->src_reorder != NULL);
        assert_int_equal(k->dst_own_bytes != 0, k->dst_reorder != NULL);
        if (k->src_own_bytes)
            assert_true(k->src_own_bytes >= (size_t)c.sizes.src_bytes / (impl->reduced ? 2 : 1));
        if (k->dst_own_bytes) assert_true(k->dst_own_bytes >= (size_t)c.sizes.dst_bytes);
        k->destroy(k);
    }
    cw_case_release(&c);
}

/* A 1x1 convolution with the identity as its weights copies, so what comes back went through both reorders.
 */
static void test_onednn__own_layouts_round_trip(void **state) {
    (void)state;
    each_problem(check_round_trip);
    enum { CHANNELS = 19, PIXELS = 5 * 7 };
    cw_problem p = parsed("ic19ih5iw7oc19kh1");
    static float weights[CHANNELS * CHANNELS], src[PIXELS * CHANNELS], dst[PIXELS * CHANNELS];
    for (int i = 0; i < CHANNELS; i++) weights[i * CHANNELS + i] = 1;
    for (int i = 0; i < PIXELS * CHANNELS; i++) src[i] = (float)(i % 251 + 1); /* bf16 holds it */
    cw_conv_args args = {.weights = weights, .lo = -INFINITY, .hi = INFINITY};
    listing l;
    list_of(&p, &l);
    for (size_t i = 0; i < l.count; i++) {
        if (l.rows[i].why_not) continue;
        cw_conv *conv;
        cw_error err = {0};
        assert_ok(cw_conv_create(ctx, &p, l.rows[i].impl->name, &args, &conv, &err), err);
        void *workspace = cw_alloc(cw_conv_workspace(conv) + 64);
        memset(dst, 0xFF, sizeof dst);
        assert_ok(cw_conv_run(conv, src, dst, workspace), err);
        assert_memory_equal(src, dst, sizeof dst);
        cw_free(workspace);
        cw_conv_free(conv);
    }
}

/* Two prepared convolutions used in turn, each with its own thread count. */
static void test_onednn__kernels_do_not_share_state(void **state) {
    (void)state;
    const char *const texts[] = {"ic16ih9oc24kh3ph1", "ic16ih9oc24kh3ph1,t2"};
    cw_case c[2];
    cw_kernel *k[2];
    const cw_impl *impl[2];
    cw_error err;
    void *dst = NULL;
    for (int i = 0; i < 2; i++) {
        cw_problem p = parsed(texts[i]);
        listing l;
        list_of(&p, &l);
        impl[i] = NULL;
        for (size_t r = 0; r < l.count; r++)
            if (l.rows[r].choice) impl[i] = l.rows[r].impl;
        assert_non_null(impl[i]);
        assert_ok(cw_case_make(&p, CW_FILL_INTEGER, (uint64_t)(i + 1), &c[i], &err), err);
        assert_ok(impl[i]->prepare(impl[i], &p, &c[i].args, &k[i], &err), err);
        if (!dst) dst = cw_alloc((size_t)c[i].sizes.dst_bytes);
    }
    for (int turn = 0; turn < 4; turn++) {
        int i = turn % 2;
        double error;
        run_plain(k[i], &c[i], dst);
        assert_ok(cw_case_compare(&c[i], impl[i], dst, &error, &err), err);
    }
    cw_free(dst);
    for (int i = 0; i < 2; i++) k[i]->destroy(k[i]), cw_case_release(&c[i]);
}

/* ---- Wrong arguments ---- */

static void test_onednn__zero_points_need_a_problem_that_has_them(void **state) {
    (void)state;
    cw_problem p = parsed("ic16ih6oc16kh1,u8");
    listing l;
    list_of(&p, &l);
    cw_case c;
    cw_error err;
    assert_ok(cw_case_make(&p, CW_FILL_INTEGER, 1, &c, &err), err);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < l.count; i++) {
            if (l.rows[i].why_not) continue;
            cw_conv_args args = c.args;
            *(side ? &args.quant.dst_zp : &args.quant.src_zp) = 4;
            cw_conv *conv = NULL;
            assert_refused(cw_conv_create(ctx, &p, l.rows[i].impl->name, &args, &conv, &err), CW_INVALID, err,
                           side ? "dst_zp is 4" : "src_zp is 4");
            assert_null(conv);
            cw_kernel *k = NULL;
            assert_refused(l.rows[i].impl->prepare(l.rows[i].impl, &p, &args, &k, &err), CW_INVALID, err,
                           "zp");
            assert_null(k);
        }
    cw_case_release(&c);
}

/* oneDNN 2.6.3 packs wrong sums of weights for these; nearly all outputs were wrong. */
static void test_onednn__zero_point_sums_are_right_where_the_library_packs_them_wrong(void **state) {
    (void)state;
    const char *const texts[] = {
        "mb2ic8ih9iw5oc8kh1,u8,zp",
        "ic4ih8iw6oc18kh4ph2,u8,zp",
        "g7ic28ih6iw7oc217kh4ph2,u8,zp",
        "ic40ih12iw10oc1kh4ph2,u8,zp",
        "g8mb2ic8ih7iw2oc8oh4ow1kh2kw4sh2ph1pw0,u8,zp",
        "g56ic56ih12iw6oc56kh4kw2ph2pw1,u8,zp",
    };
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        cw_problem p = parsed(texts[i]);
        check_all(&p);
    }
}

/* zp says that zero points may be there, not that they are. */
static void test_onednn__zero_points_of_zero_are_fine_with_zp(void **state) {
    (void)state;
    cw_problem p = parsed("ic19ih6oc17kh3ph1,u8,zp");
    cw_case c;
    cw_error err;
    assert_ok(cw_case_make(&p, CW_FILL_INTEGER, 1, &c, &err), err);
    void *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    c.args.quant.src_zp = 0;
    listing l;
    list_of(&p, &l);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < l.count; i++)
            if (!l.rows[i].why_not) check_impl(l.rows[i].impl, &c, dst);
        c.args.quant.src_zp = 128;
        c.args.quant.dst_zp = 0;
    }
    cw_free(dst);
    cw_case_release(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onednn__all_that_exist_cover_what_problems_offer),
        cmocka_unit_test(test_onednn__names_are_unique_and_in_order),
        cmocka_unit_test(test_onednn__families_follow_from_names),
        cmocka_unit_test(test_onednn__one_library_choice_a_problem),
        cmocka_unit_test(test_onednn__lower_precision_is_a_class_of_its_own),
        cmocka_unit_test(test_onednn__lower_precision_rounds_source_and_weights_alone),
        cmocka_unit_test(test_onednn__unsupported_is_listed_with_a_reason_and_refused),
        cmocka_unit_test(test_onednn__all_listed_prepare_run_and_clamp_as_the_reference),
        cmocka_unit_test(test_onednn__own_layouts_round_trip),
        cmocka_unit_test(test_onednn__kernels_do_not_share_state),
        cmocka_unit_test(test_onednn__zero_points_need_a_problem_that_has_them),
        cmocka_unit_test(test_onednn__zero_point_sums_are_right_where_the_library_packs_them_wrong),
        cmocka_unit_test(test_onednn__zero_points_of_zero_are_fine_with_zp),
    };
    if (set_up(NULL) != 0) return 1;
    bool built = backend != NULL;
    tear_down(NULL);
    if (!built) {
        printf("SKIP: this build has no oneDNN backend (libdnnl-dev)\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
