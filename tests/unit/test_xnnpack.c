/* test_xnnpack.c: what the XNNPACK backend promises beyond agreement on tables of layers (tests/agree): it
 * reads nothing that is not there, allocates nothing in a run, takes any addresses, and refuses with a
 * reason. */
#include "unit.h"
#if CW_WITH_XNNPACK
#include "../../src/backend/context.h"
#include "../../src/kernel/reference.h"
#include "../../src/measure/verify.h"
#include <math.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xnnpack.h>

/* Neither GCC's thread sanitizer nor qemu's user emulation, which runs the tests for arm64, can start threads
 * in a child of a process with threads. */
#if defined(__SANITIZE_THREAD__) || defined(__aarch64__)
enum { FORKS_WITH_THREADS = 0 };
#else
enum { FORKS_WITH_THREADS = 1 };
#endif

static cw_context *ctx;
static const cw_backend *backend;

static int set_up(void **state) {
    (void)state;
    cw_error err;
    if (cw_context_open(&ctx, &err) != CW_OK) return -1;
    for (size_t i = 0; i < ctx->count; i++)
        if (strcmp(ctx->open[i].backend->name, "xnnpack") == 0) backend = ctx->open[i].backend;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    cw_context_close(ctx);
    return 0;
}

static cw_case case_of(const char *text, cw_fill fill) {
    cw_problem p;
    cw_case c;
    cw_error err;
    assert_ok(cw_problem_parse(text, &p, &err), err);
    assert_ok(cw_case_make(&p, fill, 7, &c, &err), err);
    return c;
}

static const char *impl_for(const cw_case *c) {
    return c->problem.prec == CW_F32 ? "xnnpack.nhwc_f32" : "xnnpack.nhwc_qc8";
}

static cw_conv *conv_of(const cw_case *c, const cw_conv_args *args) {
    cw_conv *conv;
    cw_error err;
    assert_ok(cw_conv_create(ctx, &c->problem, impl_for(c), args, &conv, &err), err);
    return conv;
}

static void assert_right(const cw_case *c, const void *dst) {
    cw_error err;
    double error;
    const cw_impl impl = {.name = impl_for(c), .family = CW_FAMILY_DIRECT, .exact = true};
    assert_ok(cw_case_compare(c, &impl, dst, &error, &err), err);
}

/* Each of XNNPACK's paths: GEMM, indirect GEMM, depthwise of 9 and 25 taps, depthwise 1x1, grouped. */
static const char *const paths[] = {
    "ic5ih7oc9kh1",        "ic64ih8oc24kh1",       "ic3ih9oc8kh3ph1",         "ic13ih11oc7kh3sh2ph1",
    "ic8ih15oc8kh3dh1ph2", "g5ic5ih9oc5kh3ph1",    "g24ic24ih9oc24kh5sh2ph2", "g5ic5ih7oc5kh1",
    "g3ic9ih7oc15kh3ph1",  "g7ic7ih9oc7kh7ph3",    "mb2ic6ih5oc4kh3ph1",      "mb3ic16ih8oc16kh1",
    "g4ic4ih8oc4kh3ph1",   "g9ic9ih9oc9kh3ph1,t2", "ic32ih9oc40kh3ph1,t2",
};
static const char *const suffixes[] = {"", ",u8", ",u8,zp"};

static void each_path(void (*check)(const char *text)) {
    for (size_t i = 0; i < CW_COUNT(paths); i++)
        for (size_t s = 0; s < CW_COUNT(suffixes); s++) {
            char text[CW_PROBLEM_TEXT];
            snprintf(text, sizeof text, "%s%s", paths[i], suffixes[s]);
            check(text);
        }
}

/* ---- Memory ---- */

/* A tensor whose last byte is the last of what may be read: the next page faults. */
typedef struct fenced {
    char *map, *tensor;
    size_t mapped;
} fenced;

static fenced fence(const void *data, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
    fenced f = {.mapped = body + page};
    f.map = mmap(NULL, f.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(f.map != MAP_FAILED);
    assert_int_equal(mprotect(f.map + body, page, PROT_NONE), 0);
    f.tensor = f.map + body - bytes;
    if (data) memcpy(f.tensor, data, bytes);
    return f;
}

/* Sources that end `before` bytes in front of the fence; weights, bias and destination right at it. */
static void run_fenced(const char *text) {
    cw_case c = case_of(text, CW_FILL_INTEGER);
    fenced src = fence(c.src, (size_t)c.sizes.src_bytes), dst = fence(c.expected, (size_t)c.sizes.dst_bytes),
           weights = fence(c.weights, (size_t)c.sizes.wei_bytes),
           bias = fence(c.bias, (size_t)c.problem.oc * 4);
    cw_conv_args args = c.args;
    args.weights = weights.tensor;
    args.bias = bias.tensor;
    cw_conv *conv = conv_of(&c, &args);
    /* At a multiple of 64, so up to 63 bytes in front of its fence. */
    fenced space = fence(NULL, (cw_conv_workspace(conv) + 63) & ~(size_t)63);
    size_t element = c.problem.prec == CW_F32 ? 4 : 1;
    for (size_t before = 0; before <= 64; before += element) {
        memmove(src.tensor - before, c.src, (size_t)c.sizes.src_bytes);
        memset(dst.tensor, 0x5a, (size_t)c.sizes.dst_bytes);
        assert_int_equal(cw_conv_run(conv, src.tensor - before, dst.tensor, space.tensor), CW_OK);
        assert_right(&c, dst.tensor);
        if ((size_t)(src.tensor - src.map) < before + element) break;
    }
    cw_conv_free(conv);
    munmap(space.map, space.mapped);
    munmap(src.map, src.mapped), munmap(dst.map, dst.mapped);
    munmap(weights.map, weights.mapped), munmap(bias.map, bias.mapped);
    cw_case_release(&c);
}

static void test_xnnpack__reads_nothing_behind_a_tensor_that_may_fault(void **state) {
    (void)state;
    each_path(run_fenced);
}

/* One operator, sources and destinations at other addresses each time: its table of pointers was made for
 * none of them. */
static void run_elsewhere(const char *text) {
    cw_case c = case_of(text, CW_FILL_INTEGER);
    cw_conv *conv = conv_of(&c, &c.args);
    size_t src_bytes = (size_t)c.sizes.src_bytes, dst_bytes = (size_t)c.sizes.dst_bytes;
    char *space = cw_alloc(cw_conv_workspace(conv)), *src = cw_alloc(3 * src_bytes + 64),
         *dst = cw_alloc(3 * dst_bytes + 64);
    for (size_t i = 0; i < 3; i++) {
        memset(src, 0x7f, 3 * src_bytes + 64);
        memcpy(src + i * src_bytes, c.src, src_bytes);
        assert_int_equal(cw_conv_run(conv, src + i * src_bytes, dst + (2 - i) * dst_bytes, space), CW_OK);
        assert_right(&c, dst + (2 - i) * dst_bytes);
    }
    cw_free(space), cw_free(src), cw_free(dst);
    cw_conv_free(conv);
    cw_case_release(&c);
}

static void test_xnnpack__takes_tensors_at_any_address(void **state) {
    (void)state;
    each_path(run_elsewhere);
}

/* ---- Clamp, bias, values ---- */

static void compare_clamp(const char *text, float lo, float hi, bool bias) {
    cw_case c = case_of(text, CW_FILL_INTEGER);
    cw_error err;
    cw_reference *ref;
    c.args.lo = lo, c.args.hi = hi;
    if (!bias) c.args.bias = NULL;
    assert_ok(cw_reference_create(&c.problem, &c.args, &ref, &err), err);
    cw_reference_run(ref, c.src, c.expected);
    cw_reference_free(ref);
    cw_conv *conv = conv_of(&c, &c.args);
    void *space = cw_alloc(cw_conv_workspace(conv)), *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    assert_int_equal(cw_conv_run(conv, c.src, dst, space), CW_OK);
    assert_memory_equal(dst, c.expected, (size_t)c.sizes.dst_bytes);
    cw_free(space), cw_free(dst);
    cw_conv_free(conv);
    cw_case_release(&c);
}

static void test_xnnpack__clamps_as_the_reference(void **state) {
    (void)state;
    static const float f32[][2] = {{-INFINITY, INFINITY}, {0, INFINITY}, {0, 6}, {-3, 3}, {2, 2},
                                   {-INFINITY, 0}};
    static const float u8[][2] = {{0, 255},   {-INFINITY, INFINITY}, {40, 208}, {97, 97}, {0, 0},
                                  {255, 255}, {99.4f, 99.6f}};
    for (size_t i = 0; i < CW_COUNT(paths); i++)
        for (int bias = 0; bias < 2; bias++) {
            char text[CW_PROBLEM_TEXT];
            for (size_t k = 0; k < CW_COUNT(f32); k++) compare_clamp(paths[i], f32[k][0], f32[k][1], bias);
            snprintf(text, sizeof text, "%s,u8,zp", paths[i]);
            for (size_t k = 0; k < CW_COUNT(u8); k++) compare_clamp(text, u8[k][0], u8[k][1], bias);
        }
}

/* Every source byte, every weight, both zero points at both ends, scales that make ties and saturate: one
 * formula, to the bit. */
static void test_xnnpack__u8_equals_the_formula_to_the_bit(void **state) {
    (void)state;
    static const int32_t points[][2] = {{0, 0}, {255, 255}, {0, 255}, {255, 0}, {128, 127}, {3, 5}};
    static const float scales[] = {0.5f, 0.25f, 0.001f, 1.0f, 1.0f / 3, 255.99f, 1e-30f, 1.17549435e-38f};
    cw_case c = case_of("ic2ih16oc256kh1,u8,zp", CW_FILL_INTEGER);
    uint8_t *src = c.src;
    int8_t *weights = c.weights;
    int32_t *bias = c.bias;
    for (int64_t i = 0; i < c.sizes.src_count; i++) src[i] = (uint8_t)(i % 2 ? 255 - i / 2 : i / 2);
    for (int32_t o = 0; o < 256; o++) {
        weights[2 * o] = (int8_t)(o ? o - 128 : -127);
        weights[2 * o + 1] = (int8_t)(o % 3 - 1);
        bias[o] = (o - 128) * 37;
    }
    void *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    for (size_t k = 0; k < CW_COUNT(points) * CW_COUNT(scales); k++) {
        cw_reference *ref;
        cw_error err;
        c.args.lo = 0, c.args.hi = 255;
        c.args.quant.src_zp = points[k % CW_COUNT(points)][0];
        c.args.quant.dst_zp = points[k % CW_COUNT(points)][1];
        for (int32_t o = 0; o < 256; o++) c.scale[o] = scales[k / CW_COUNT(points)];
        assert_ok(cw_reference_create(&c.problem, &c.args, &ref, &err), err);
        cw_reference_run(ref, src, c.expected);
        cw_reference_free(ref);
        cw_conv *conv = conv_of(&c, &c.args);
        void *space = cw_alloc(cw_conv_workspace(conv));
        assert_int_equal(cw_conv_run(conv, src, dst, space), CW_OK);
        assert_memory_equal(dst, c.expected, (size_t)c.sizes.dst_bytes);
        cw_free(space);
        cw_conv_free(conv);
    }
    cw_free(dst);
    cw_case_release(&c);
}

/* All products are the largest there are, -128 * -128 or nearly: kernels that add two in 16 bits overflow. */
static void test_xnnpack__the_largest_products_do_not_overflow(void **state) {
    (void)state;
    for (int8_t weight = -128; weight <= -127; weight++) {
        cw_case c = case_of("ic64ih8oc16kh1,u8", CW_FILL_INTEGER);
        cw_error err;
        cw_conv *conv;
        cw_reference *ref;
        memset(c.src, 0, (size_t)c.sizes.src_bytes);
        memset(c.weights, weight, (size_t)c.sizes.wei_bytes);
        cw_status status = cw_conv_create(ctx, &c.problem, impl_for(&c), &c.args, &conv, &err);
        if (status == CW_OK) {
            assert_ok(cw_reference_create(&c.problem, &c.args, &ref, &err), err);
            cw_reference_run(ref, c.src, c.expected);
            cw_reference_free(ref);
            void *space = cw_alloc(cw_conv_workspace(conv)), *dst = cw_alloc((size_t)c.sizes.dst_bytes);
            assert_int_equal(cw_conv_run(conv, c.src, dst, space), CW_OK);
            assert_memory_equal(dst, c.expected, (size_t)c.sizes.dst_bytes);
            cw_free(space), cw_free(dst);
            cw_conv_free(conv);
        } else {
            assert_int_equal(weight, -128);
            assert_int_equal(status, CW_UNSUPPORTED);
        }
        cw_case_release(&c);
    }
}

static void test_xnnpack__scales_out_of_its_range_are_refused(void **state) {
    (void)state;
    static const float bad[] = {0, -0.5f, 256, INFINITY, NAN, 1e-40f};
    cw_case c = case_of("ic3ih5oc4kh3ph1,u8", CW_FILL_INTEGER);
    cw_conv *conv;
    cw_error err;
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        c.scale[2] = bad[i];
        assert_refused(cw_conv_create(ctx, &c.problem, "xnnpack.nhwc_qc8", &c.args, &conv, &err),
                       CW_UNSUPPORTED, err, "channel 2");
    }
    cw_case_release(&c);
}

/* XNNPACK flushes denormals while it runs: products that are denormal may count as 0, the caller's own
 * numbers behave as before. */
static void test_xnnpack__the_caller_keeps_denormals(void **state) {
    (void)state;
    cw_case c = case_of("ic8ih9oc8kh3ph1", CW_FILL_INTEGER);
    volatile float tiny = 1e-39f, half = 0.5f;
    for (int64_t i = 0; i < c.sizes.wei_count; i++) ((float *)c.weights)[i] = tiny;
    memset(c.bias, 0, (size_t)c.problem.oc * 4);
    cw_conv *conv = conv_of(&c, &c.args);
    void *space = cw_alloc(cw_conv_workspace(conv));
    float *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    assert_int_equal(cw_conv_run(conv, c.src, dst, space), CW_OK);
    for (int64_t i = 0; i < c.sizes.dst_count; i++) assert_true(fabsf(dst[i]) <= 8 * 9 * 4 * tiny);
    assert_true(tiny * half > 0);
    cw_free(space), cw_free(dst);
    cw_conv_free(conv);
    cw_case_release(&c);
}

/* ---- Listing ---- */

typedef struct listing {
    size_t rows, supported;
    const char *why_not[8];
} listing;

static void note(void *arg, const cw_impl *impl, const char *why_not, bool library_choice) {
    listing *l = arg;
    assert_int_equal(strncmp(impl->name, "xnnpack.", 8), 0);
    assert_false(library_choice);
    l->supported += !why_not;
    l->why_not[l->rows++] = why_not;
}

static listing list_of(const char *text) {
    listing l = {0};
    cw_problem p;
    cw_error err;
    void *state = NULL;
    for (size_t i = 0; i < ctx->count; i++)
        if (ctx->open[i].backend == backend) state = ctx->open[i].state;
    if (text) assert_ok(cw_problem_parse(text, &p, &err), err);
    assert_ok(backend->list(state, text ? &p : NULL, note, &l, &err), err);
    return l;
}

static void test_xnnpack__one_implementation_a_precision(void **state) {
    (void)state;
    listing all = list_of(NULL), f32 = list_of("ic8ih9oc8kh3ph1"), u8 = list_of("ic8ih9oc8kh3ph1,u8");
    assert_int_equal(all.rows, 2);
    assert_int_equal(all.supported, 2);
    assert_int_equal(f32.supported, 1);
    assert_string_equal(f32.why_not[1], "u8 only");
    assert_int_equal(u8.supported, 1);
    assert_string_equal(u8.why_not[0], "f32 only");
}

static void test_xnnpack__what_would_take_all_memory_is_not_offered(void **state) {
    (void)state;
    listing pointers = list_of("ic1ih4000oc1kh3ph1"),
            weights = list_of("g1000000ic1000000ih3oc1000000kh3sh2"),
            stack = list_of("ic1ih1oc1000000kh1,u8");
    assert_int_equal(pointers.supported + weights.supported + stack.supported, 0);
    assert_non_null(strstr(pointers.why_not[0], "pointers"));
    assert_non_null(strstr(weights.why_not[0], "weights"));
    assert_non_null(strstr(stack.why_not[1], "stack"));
}

/* ---- Processes and allocations ---- */

/* Threads end at a fork: a child needs its own pool, and must not wait for those of its parent. */
static void test_xnnpack__a_child_has_threads_of_its_own(void **state) {
    (void)state;
    if (!FORKS_WITH_THREADS) {
        print_message("SKIP: the thread sanitizer and qemu start no threads after a fork\n");
        skip();
    }
    cw_case c = case_of("ic32ih9oc40kh3ph1,t2", CW_FILL_INTEGER);
    cw_context *outer = ctx;
    cw_error err;
    assert_ok(cw_context_open(&ctx, &err), err);
    cw_conv *conv = conv_of(&c, &c.args);
    void *space = cw_alloc(cw_conv_workspace(conv)), *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    assert_int_equal(cw_conv_run(conv, c.src, dst, space), CW_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        cw_conv *own;
        if (cw_conv_create(ctx, &c.problem, impl_for(&c), &c.args, &own, &err) != CW_OK ||
            cw_conv_run(own, c.src, dst, space) != CW_OK)
            _exit(1);
        cw_conv_free(own);
        cw_context_close(ctx);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    cw_free(space), cw_free(dst);
    cw_conv_free(conv);
    cw_context_close(ctx);
    ctx = outer;
    cw_case_release(&c);
}

static long allocations;

static void *count_allocate(void *context, size_t size) {
    (void)context;
    allocations++;
    return malloc(size);
}
static void *count_reallocate(void *context, void *memory, size_t size) {
    (void)context;
    allocations++;
    return realloc(memory, size);
}
static void release(void *context, void *memory) {
    (void)context;
    free(memory);
}
static void *count_aligned(void *context, size_t alignment, size_t size) {
    (void)context;
    allocations++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

/* XNNPACK keeps the allocator it is first given. */
static void count_allocations(void) {
    static const struct xnn_allocator counting = {.allocate = count_allocate,
                                                  .reallocate = count_reallocate,
                                                  .deallocate = release,
                                                  .aligned_allocate = count_aligned,
                                                  .aligned_deallocate = release};
    xnn_initialize(&counting);
}

static void count_in_run(const char *text) {
    cw_case c = case_of(text, CW_FILL_INTEGER);
    long before = allocations;
    cw_conv *conv = conv_of(&c, &c.args);
    assert_true(allocations > before);
    void *space = cw_alloc(cw_conv_workspace(conv));
    char *src = cw_alloc((size_t)c.sizes.src_bytes + 64), *dst = cw_alloc((size_t)c.sizes.dst_bytes + 64);
    before = allocations;
    for (size_t at = 0; at <= 64; at += 32)
        assert_int_equal(cw_conv_run(conv, src + at, dst + at, space), CW_OK);
    assert_int_equal(allocations, before);
    cw_free(space), cw_free(src), cw_free(dst);
    cw_conv_free(conv);
    cw_case_release(&c);
}

static void test_xnnpack__a_run_allocates_nothing(void **state) {
    (void)state;
    each_path(count_in_run);
}

int main(void) {
    count_allocations();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xnnpack__reads_nothing_behind_a_tensor_that_may_fault),
        cmocka_unit_test(test_xnnpack__takes_tensors_at_any_address),
        cmocka_unit_test(test_xnnpack__clamps_as_the_reference),
        cmocka_unit_test(test_xnnpack__u8_equals_the_formula_to_the_bit),
        cmocka_unit_test(test_xnnpack__the_largest_products_do_not_overflow),
        cmocka_unit_test(test_xnnpack__scales_out_of_its_range_are_refused),
        cmocka_unit_test(test_xnnpack__the_caller_keeps_denormals),
        cmocka_unit_test(test_xnnpack__one_implementation_a_precision),
        cmocka_unit_test(test_xnnpack__what_would_take_all_memory_is_not_offered),
        cmocka_unit_test(test_xnnpack__a_child_has_threads_of_its_own),
        cmocka_unit_test(test_xnnpack__a_run_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
#else
int main(void) {
    printf("SKIP: this build has no XNNPACK backend (libxnnpack-dev)\n");
    return 77;
}
#endif
