/* test_armcl.c: what the Arm Compute Library backend promises beyond agreement on tables of layers
 * (tests/agree): problems in NCHW, its own choice, nothing read behind a tensor, no tensors allocated in a
 * run, threads, refusals. */
#include "unit.h"
#if CW_WITH_ARMCL
#include "../../src/backend/armcl.h"
#include "../../src/backend/context.h"
#include "../../src/measure/verify.h"
#include "../../src/problem/arm_rules.h"
#include <sys/mman.h>
#include <unistd.h>

/* ---- Allocations of this program, the library's included ---- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
static bool counting;
static long allocations;
static size_t largest; /* of them */

static void count(size_t size) {
    allocations += counting;
    if (counting && size > largest) largest = size;
}

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
    count(n * size);
    return __libc_calloc(n, size);
}
void *realloc(void *memory, size_t size) {
    count(size);
    return __libc_realloc(memory, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

/* ---- Kernels ---- */

static cw_context *ctx;
static const cw_backend *backend;
static void *backend_state;

static int set_up(void **state) {
    (void)state;
    cw_error err;
    if (cw_context_open(&ctx, &err) != CW_OK) return -1;
    for (size_t i = 0; i < ctx->count; i++)
        if (strcmp(ctx->open[i].backend->name, "armcl") == 0) {
            backend = ctx->open[i].backend;
            backend_state = ctx->open[i].state;
        }
    return backend ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    cw_context_close(ctx);
    return 0;
}

typedef struct offer {
    const cw_impl *impls[16];
    size_t count;
    const cw_impl *choice;
} offer;

static void note(void *arg, const cw_impl *impl, const char *why_not, bool library_choice) {
    offer *o = arg;
    if (why_not) return;
    assert_true(o->count < CW_COUNT(o->impls));
    o->impls[o->count++] = impl;
    if (library_choice) o->choice = impl;
}

static offer offers_for(const cw_problem *p) {
    offer o = {0};
    cw_error err;
    assert_ok(backend->list(backend_state, p, note, &o, &err), err);
    return o;
}

static bool has(const offer *o, const char *name) {
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->impls[i]->name, name) == 0) return true;
    return false;
}

static cw_problem problem_of(const char *text) {
    cw_problem p;
    cw_error err;
    assert_ok(cw_problem_parse(text, &p, &err), err);
    return p;
}

static cw_kernel *kernel_of(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args) {
    cw_kernel *kernel;
    cw_error err;
    assert_ok(impl->prepare(impl, p, args, &kernel, &err), err);
    return kernel;
}

/* As cw_conv_run does it. */
typedef struct buffers {
    void *workspace, *src_own, *dst_own;
} buffers;

static buffers buffers_of(const cw_kernel *k) {
    return (buffers){cw_alloc(k->workspace_bytes), k->src_own_bytes ? cw_alloc(k->src_own_bytes) : NULL,
                     k->dst_own_bytes ? cw_alloc(k->dst_own_bytes) : NULL};
}

static void release(buffers *b) {
    cw_free(b->workspace), cw_free(b->src_own), cw_free(b->dst_own);
}

static void run(cw_kernel *k, const buffers *b, const void *src, void *dst) {
    if (b->src_own) assert_int_equal(k->src_reorder(k, src, b->src_own), CW_OK);
    assert_int_equal(k->run(k, b->src_own ? b->src_own : src, b->dst_own ? b->dst_own : dst, b->workspace),
                     CW_OK);
    if (b->dst_own) assert_int_equal(k->dst_reorder(k, b->dst_own, dst), CW_OK);
}

/* One of each kind that there is: windows of all sizes, maps that fill no vector, more threads than rows. */
static const char *const paths[] = {
    "ic5ih7oc9kh1",          "ic64ih8oc24kh1",          "ic3ih9oc8kh3ph1",    "ic13ih11oc7kh3sh2ph1",
    "ic8ih15oc8kh3dh1ph2",   "ic16ih14oc20kh5ph2",      "ic17ih10oc19kh7ph3", "ic16ih9oc8kh1kw3ph0pw0",
    "g5ic5ih9oc5kh3ph1",     "g24ic24ih9oc24kh5sh2ph2", "mb2ic6ih5oc4kh3ph1", "mb3ic16ih8oc16kh1",
    "ic16ih12oc40kh3ph1,t2", "g9ic9ih9oc9kh3ph1,t3",    "ic32ih9oc40kh1,t2",  "ic16ih2oc4kh1,t3",
};

static void each_path(bool u8, void (*check)(const char *text)) {
    for (size_t i = 0; i < CW_COUNT(paths); i++) {
        char text[CW_PROBLEM_TEXT];
        check(paths[i]);
        snprintf(text, sizeof text, "%s,u8,zp", paths[i]);
        if (u8) check(text);
    }
}

/* ---- NCHW ---- */

/* All of the elements of a tensor in the other layout. */
static void *moved(const void *from, cw_layout from_layout, cw_layout to_layout, const int32_t extent[4],
                   size_t element) {
    armcl_tensor plain, wanted;
    armcl_dense(&plain, from_layout, extent, element);
    armcl_dense(&wanted, to_layout, extent, element);
    void *to = cw_alloc(wanted.bytes);
    assert_non_null(to);
    armcl_copy(extent, element, &plain, from, &wanted, to);
    return to;
}

static void run_nchw(const char *text) {
    cw_problem p = problem_of(text);
    cw_case c;
    cw_error err;
    double error;
    assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 3, &c, &err), err);
    p = c.problem;
    p.layout = CW_NCHW;
    size_t element = p.prec == CW_U8 ? 1 : 4;
    const int32_t from[4] = {p.mb, p.ic, p.ih, p.iw}, to[4] = {p.mb, p.oc, c.sizes.oh, c.sizes.ow};
    void *src = moved(c.src, CW_NHWC, CW_NCHW, from, element), *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    offer o = offers_for(&p);
    assert_true(o.count > 0);
    for (size_t i = 0; i < o.count; i++) {
        cw_kernel *k = kernel_of(o.impls[i], &p, &c.args);
        buffers b = buffers_of(k);
        memset(dst, 0xFF, (size_t)c.sizes.dst_bytes);
        run(k, &b, src, dst);
        void *back = moved(dst, CW_NCHW, CW_NHWC, to, element);
        if (cw_case_compare(&c, o.impls[i], back, &error, &err) != CW_OK)
            fail_msg("%s: %s", text, err.message);
        cw_free(back);
        release(&b);
        k->destroy(k);
    }
    cw_free(src), cw_free(dst);
    cw_case_release(&c);
}

static void test_armcl__nchw_problems_run_in_nchw(void **state) {
    (void)state;
    each_path(true, run_nchw);
}

/* armcl_copy itself, against places written out by hand: 2 channels, 1 row of 3 pixels. */
static void test_armcl__copies_between_layouts(void **state) {
    (void)state;
    const int32_t extent[4] = {1, 2, 1, 3};
    const uint8_t nhwc[] = {1, 10, 2, 20, 3, 30}, nchw[] = {1, 2, 3, 10, 20, 30};
    uint8_t *got = moved(nhwc, CW_NHWC, CW_NCHW, extent, 1);
    assert_memory_equal(got, nchw, sizeof nchw);
    cw_free(got);
    got = moved(nchw, CW_NCHW, CW_NHWC, extent, 1);
    assert_memory_equal(got, nhwc, sizeof nhwc);
    cw_free(got);
}

/* ---- Memory ---- */

/* Where the function works on the caller's source it must not read beyond it: the next page faults. */
static void run_fenced(const char *text) {
    cw_problem p = problem_of(text);
    cw_case c;
    cw_error err;
    double error;
    assert_ok(cw_case_make(&p, CW_FILL_INTEGER, 5, &c, &err), err);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (size_t)c.sizes.src_bytes,
           body = (bytes + page - 1) / page * page;
    char *map = mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + body, page, PROT_NONE), 0);
    char *src = map + body - bytes;
    memcpy(src, c.src, bytes);
    void *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    offer o = offers_for(&c.problem);
    for (size_t i = 0; i < o.count; i++) {
        cw_kernel *k = kernel_of(o.impls[i], &c.problem, &c.args);
        buffers b = buffers_of(k);
        run(k, &b, src, dst);
        if (cw_case_compare(&c, o.impls[i], dst, &error, &err) != CW_OK)
            fail_msg("%s: %s", text, err.message);
        release(&b);
        k->destroy(k);
    }
    cw_free(dst);
    munmap(map, body + page);
    cw_case_release(&c);
}

static void test_armcl__reads_nothing_behind_the_source(void **state) {
    (void)state;
    each_path(true, run_fenced);
}

/* The library's own book-keeping; its tensors and ours are in the workspace or were made by prepare. */
enum { BOOK_KEEPING = 128 };

static void count_in_run(const char *text) {
    cw_problem p = problem_of(text);
    cw_case c;
    cw_error err;
    if (p.threads > 1) return;
    assert_ok(cw_case_make(&p, CW_FILL_NORMAL, 9, &c, &err), err);
    void *dst = cw_alloc((size_t)c.sizes.dst_bytes);
    offer o = offers_for(&c.problem);
    for (size_t i = 0; i < o.count; i++) {
        allocations = 0, counting = true;
        cw_kernel *k = kernel_of(o.impls[i], &c.problem, &c.args);
        counting = false;
        assert_true(allocations > 0); /* they are seen */
        buffers b = buffers_of(k);
        for (int n = 0; n < 2; n++) {
            allocations = 0, largest = 0, counting = true;
            run(k, &b, c.src, dst);
            counting = false;
            if (largest > BOOK_KEEPING)
                fail_msg("%s %s: %ld allocations of up to %zu bytes in run %d", text, o.impls[i]->name,
                         allocations, largest, n);
        }
        release(&b);
        k->destroy(k);
    }
    cw_free(dst);
    cw_case_release(&c);
}

static void test_armcl__a_run_allocates_no_tensors(void **state) {
    (void)state;
    each_path(true, count_in_run);
}

/* ---- Choice ---- */

static void check_choice(const char *text) {
    static const char *const names[] = {[CW_FAMILY_GEMM] = "armcl.gemm",
                                        [CW_FAMILY_DIRECT] = "armcl.direct",
                                        [CW_FAMILY_WINOGRAD] = "armcl.winograd",
                                        [CW_FAMILY_FFT] = NULL};
    for (int layout = 0; layout < 2; layout++) {
        cw_problem p = problem_of(text);
        if (p.g > 1) return;
        p.layout = layout;
        if (p.kh > 7 && p.layout == CW_NCHW) continue; /* there the library's own question throws */
        offer o = offers_for(&p);
        const char *wanted = names[cw_arm_choice(CW_ARM_NEON, &p, false)];
        if (!wanted != !o.choice || (wanted && strcmp(wanted, o.choice->name) != 0))
            fail_msg("%s %s: %s, not %s", text, cw_layout_name((cw_layout)layout),
                     o.choice ? o.choice->name : "none", wanted ? wanted : "none");
    }
}

/* The rules were written from the library's source; the backend asks the library. */
static void test_armcl__the_library_chooses_as_the_rules_say(void **state) {
    (void)state;
    static const char *const shapes[] = {
        "ic48ih27oc128kh5ph2",      "ic3ih224oc64kh3ph1",       "ic64ih56oc64kh3ph1",
        "ic15ih56oc64kh3ph1",       "ic16ih14oc8kh3ph0",        "ic64ih56oc64kh1",
        "ic64ih17oc64kh1kw7ph0pw3", "ic64ih17oc64kh7kw1ph3pw0", "ic64ih28oc64kh5ph2",
        "ic64ih28oc64kh3sh2ph1",    "ic64ih28oc64kh3dh1ph2",    "ic32ih400oc64kh9ph4",
        "ic64ih24oc32kh9ph4",
    };
    for (size_t i = 0; i < CW_COUNT(shapes); i++) check_choice(shapes[i]);
    each_path(true, check_choice);
}

static void test_armcl__says_what_it_does_not_offer(void **state) {
    (void)state;
    const struct {
        const char *text, *impl;
        bool offered;
    } cases[] = {
        {"ic16ih9oc16kh3ph1", "armcl.winograd", true},
        {"ic16ih9oc16kh3ph1,u8", "armcl.winograd", false},
        {"ic16ih9oc16kh3sh2ph1", "armcl.winograd", false},
        {"g2ic16ih9oc16kh3ph1", "armcl.gemm", false},
        {"g16ic16ih9oc16kh3ph1", "armcl.gemm", false},
        {"g16ic16ih9oc16kh3ph1", "armcl.depthwise", true},
        {"g16ic16ih9oc32kh3ph1,u8,zp", "armcl.depthwise", true},
        {"g2ic16ih9oc16kh3ph1", "armcl.depthwise", false},
        {"g16ic16ih9oc16kh1kw3ph0pw1", "armcl.depthwise", false}, /* it forgets borders at the sides */
        {"ic16ih9oc16kh3ph1,u8", "armcl.direct", false},
        {"ic16ih9oc16kh3dh1ph2", "armcl.direct", false},
        {"ic16ih9oc16kh3dh1ph2", "armcl.gemm", true},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_problem p = problem_of(cases[i].text);
        offer o = offers_for(&p);
        if (has(&o, cases[i].impl) != cases[i].offered) fail_msg("%s %s", cases[i].text, cases[i].impl);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_armcl__copies_between_layouts),
        cmocka_unit_test(test_armcl__nchw_problems_run_in_nchw),
        cmocka_unit_test(test_armcl__reads_nothing_behind_the_source),
        cmocka_unit_test(test_armcl__a_run_allocates_no_tensors),
        cmocka_unit_test(test_armcl__the_library_chooses_as_the_rules_say),
        cmocka_unit_test(test_armcl__says_what_it_does_not_offer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
#else
int main(void) {
    printf("SKIP: this build has no Arm Compute Library backend (libarm-compute-dev, on arm64 only)\n");
    return 77;
}
#endif
