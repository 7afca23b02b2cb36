/* test_trees_emit.c: sums of trees as C, compiled by gcc and clang without a warning, against predict: on
 * random rows, at every threshold and its neighbours as floats and doubles, at infinities and NaN, and
 * whatever is allowed. The trees are random: every way of packing them is made to happen. */
#include "../unit/unit.h"
#include "../unit/random_trees.h"
#include <dlfcn.h>
#include <unistd.h>

static const forest_spec specs[] = {
    {"stump", 1, 1, 2, 1, 1, 0, 1, 0},
    {"leaf", 1, 1, 3, 3, 0, 0, 1, 0},
    {"leaves", 20, 2, 3, 1, 0, 0, 1, 0},
    {"boosted", 90, 12, 7, 1, 6, 0.05, 255, 0},
    {"one_lane", 9, 5, 1, 1, 4, 0.1, 30, 0},
    {"shared", 21, 9, 6, 6, 7, 0.1, 40, 0},
    {"deep", 30, 9, 5, 5, 22, 0.38, 60, 0},
    {"deep_one", 40, 9, 5, 1, 18, 0.36, 60, 0},
    {"spans", 60, 6, 9, 0, 9, 0.2, 20, 0},
    {"lean", 16, 4, 3, 1, 64, 0.47, 0, 0},
    {"many_cuts", 40, 2, 4, 1, 7, 0.05, 0, 0},
    {"many_columns", 80, 300, 4, 2, 6, 0.1, 9, 0},
    {"cuts_255", 64, 1, 3, 1, 6, 0, 255, 0},
    {"cuts_256", 64, 1, 3, 1, 6, 0, 256, 0},
    {"far", 2, 40, 2, 2, 14, 0, 0, 0},
    {"tied_one", 100, 3, 6, 1, 3, 0.1, 9, 1}, /* whole numbers: sums are often equal */
    {"tied_spans", 40, 3, 6, 0, 3, 0.1, 9, 1},
    {"rounds", 300, 4, 3, 1, 2, 0, 9, 0}, /* many chunks of a class: given up midway or not */
    {"wide_one", 30, 5, 4, 1, 6, 0.1, 30, 0x1p-16},
    {"wide_shared", 12, 5, 4, 0, 9, 0.2, 30, 0x1p-16},
};

static char folder[64]; /* made by setup */

static int shell(const char *format, ...) {
    char command[1024], whole[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "cd %s && %s", folder, command);
    return system(whole);
}

#define STRICT "-Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -pedantic -Werror"
static const char *const compilers[] = {
    "gcc -std=c99 -O0", "gcc -std=c99 -O2", "clang -std=c99 -O2",
    "clang -std=gnu99 -O1 -fsanitize=undefined -fno-sanitize-recover=all -fsanitize-trap=all"};

typedef int pick_function(const double *x, const unsigned char *allowed);

static void write_c(const cw_trees *t, const char *name, const int32_t *rank) {
    cw_error err;
    cw_buf out = {0};
    assert_ok(cw_trees_emit(t, "p", rank, t->classes, &out, &err), err);
    cw_buf_put(&out, "int test_pick(const double *x, const unsigned char *allowed);\n"
                     "int test_pick(const double *x, const unsigned char *allowed) { return p_pick(x, "
                     "allowed); }\n");
    char path[128];
    snprintf(path, sizeof path, "%s/%s.c", folder, name);
    assert_ok(cw_write_file(path, out.text, out.length, &err), err);
    cw_buf_release(&out);
}

static pick_function *compile(const char *name, size_t compiler, void **library) {
    char path[128];
    if (shell("%s " STRICT " -shared -fPIC -o %s_%zu.so %s.c", compilers[compiler], name, compiler, name))
        fail_msg("%s does not compile %s/%s.c", compilers[compiler], folder, name);
    snprintf(path, sizeof path, "%s/%s_%zu.so", folder, name, compiler);
    *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*library) fail_msg("%s", dlerror());
    pick_function *pick;
    *(void **)&pick = dlsym(*library, "test_pick");
    assert_non_null(pick);
    return pick;
}

typedef struct check {
    const cw_trees *t;
    const forest_spec *s;
    const int32_t *rank;
    pick_function *pick;
    cw_rng rng;
    size_t asked, wrong;
    double x[CW_MODEL_MOST];
} check;

/* The contract, said plainly. */
static int expected(const check *k, const double *cost, const unsigned char *allowed) {
    int best = -1;
    for (int c = 0; c < (int)k->t->classes; c++)
        if ((!allowed || allowed[c]) &&
            (best < 0 || cost[c] < cost[best] || (cost[c] == cost[best] && k->rank[c] < k->rank[best])))
            best = c;
    return best;
}

/* With all allowed, about three quarters, one, none. */
static void ask(check *k) {
    unsigned char some[CW_MODEL_MOST] = {0}, one[CW_MODEL_MOST] = {0}, none[CW_MODEL_MOST] = {0};
    const unsigned char *const masks[] = {NULL, some, one, none};
    double cost[CW_MODEL_MOST];
    uint64_t bits = cw_rng_next(&k->rng);
    for (size_t c = 0; c < k->t->classes; c++) some[c] = bits >> (2 * c % 62) & 3 ? 9 : 0;
    one[bits % k->t->classes] = 1;
    cw_trees_predict(k->t, k->x, cost, NULL, NULL);
    for (size_t i = 0; i < CW_COUNT(masks); i++) {
        k->asked++;
        k->wrong += k->pick(k->x, masks[i]) != expected(k, cost, masks[i]);
    }
}

static void ask_at(void *arg, int32_t column, double value) {
    check *k = arg;
    if (k->t->node_count > 1000 && cw_rng_below(&k->rng, k->t->node_count / 500)) return; /* some of many */
    const double values[] = {value,
                             nextafter(value, -INFINITY),
                             nextafter(value, INFINITY),
                             (double)(float)value,
                             (double)nextafterf((float)value, -INFINITY),
                             (double)nextafterf((float)value, INFINITY)};
    random_row(k->s, &k->rng, k->x);
    for (size_t i = 0; i < CW_COUNT(values); i++) {
        k->x[column] = values[i];
        ask(k);
    }
}

static check compare(const cw_trees *t, const forest_spec *s, const int32_t *rank, pick_function *pick) {
    static const double odd[] = {0.0, -0.0, 1e300, -1e300, 3e38, 1e-45, INFINITY, -INFINITY, NAN};
    check k = {.t = t, .s = s, .rank = rank, .pick = pick, .rng = cw_rng_seed(5)};
    for (int i = 0; i < 1000; i++) {
        random_row(s, &k.rng, k.x);
        ask(&k);
        k.x[cw_rng_below(&k.rng, s->columns)] = odd[cw_rng_below(&k.rng, CW_COUNT(odd))];
        ask(&k);
    }
    for (size_t i = 0; i < CW_COUNT(odd); i++) {
        for (size_t c = 0; c < s->columns; c++) k.x[c] = odd[i];
        ask(&k);
    }
    cw_trees_thresholds(t, ask_at, &k);
    return k;
}

static cw_trees *make(const forest_spec *s, int32_t *rank) {
    cw_rng rng = cw_rng_seed(11);
    cw_error err;
    cw_trees *t;
    assert_ok(random_trees(s, &rng, &t, &err), err);
    for (size_t c = 0; c < s->classes; c++) rank[c] = (int32_t)(s->classes - 1 - c);
    return t;
}

static void test_trees_emit__equals_predict_everywhere(void **state) {
    (void)state;
    int32_t rank[CW_MODEL_MOST];
    for (size_t i = 0; i < CW_COUNT(specs); i++) {
        cw_trees *t = make(&specs[i], rank);
        write_c(t, specs[i].name, rank);
        for (size_t c = 0; c < CW_COUNT(compilers); c++) {
            void *library;
            check k = compare(t, &specs[i], rank, compile(specs[i].name, c, &library));
            if (k.wrong)
                fail_msg("%s, %s: %zu of %zu answers differ", specs[i].name, compilers[c], k.wrong, k.asked);
            if (c == 0)
                print_message("%s: %zu nodes, %zu questions\n", specs[i].name, t->node_count, k.asked);
            dlclose(library);
        }
        cw_trees_destroy(t);
    }
}

/* The rows notice a threshold moved by one float, and every other value halved. */
static void test_trees_emit__comparison_notices_small_changes(void **state) {
    (void)state;
    int32_t rank[CW_MODEL_MOST];
    for (int change = 0; change < 2; change++) {
        cw_trees *t = make(&specs[3], rank);
        if (change == 0)
            for (size_t i = 0; i < t->node_count; i++)
                t->node[i].threshold = nextafterf(t->node[i].threshold, INFINITY);
        else
            for (size_t i = 0; i < t->value_count; i++)
                t->value[i] = (int16_t)(t->value[i] / (1 + (int)(i % 2)));
        write_c(t, "bent", rank);
        cw_trees_destroy(t);
        t = make(&specs[3], rank);
        void *library;
        assert_true(compare(t, &specs[3], rank, compile("bent", 1, &library)).wrong > 0);
        dlclose(library);
        cw_trees_destroy(t);
    }
}

static void test_trees_emit__needs_nothing(void **state) {
    (void)state;
    for (size_t i = 2; i < CW_COUNT(specs); i += 3)
        for (size_t c = 1; c < 3; c++) {
            assert_int_equal(shell("%s -c -o one.o %s.c", compilers[c], specs[i].name), 0);
            assert_int_equal(shell("test -z \"$(nm -u one.o)\""), 0);
            assert_int_equal(shell("! objdump -t one.o | grep -qE ' O [.](data|bss)[[:space:]]'"), 0);
        }
}

static void test_trees_emit__survives_lack_of_memory(void **state) {
    (void)state;
    int32_t rank[CW_MODEL_MOST];
    for (size_t i = 3; i < 9; i++) {
        cw_trees *t = make(&specs[i], rank);
        cw_status status = CW_NO_MEMORY;
        int failed = 0;
        for (long n = 1; status != CW_OK; n++) {
            cw_buf out = {0};
            cw_alloc_fail_at(n);
            status = cw_trees_emit(t, "p", rank, t->classes, &out, NULL);
            cw_alloc_fail_at(0);
            failed += status == CW_NO_MEMORY;
            cw_buf_release(&out);
        }
        assert_true(failed > 20);
        cw_trees_destroy(t);
    }
}

static void test_trees_emit__refuses_other_classes(void **state) {
    (void)state;
    int32_t rank[CW_MODEL_MOST];
    cw_error err;
    cw_buf out = {0};
    cw_trees *t = make(&specs[0], rank);
    assert_refused(cw_trees_emit(t, "p", rank, 3, &out, &err), CW_MISMATCH, err, "classes");
    cw_trees_destroy(t);
}

static int setup(void **state) {
    (void)state;
    strcpy(folder, "/tmp/cw_trees_emit_XXXXXX");
    if (system("command -v gcc >/dev/null && command -v clang >/dev/null") != 0) {
        printf("SKIP: gcc and clang are needed\n");
        exit(77);
    }
    return mkdtemp(folder) ? 0 : 1;
}

static int teardown(void **state) {
    (void)state;
    return shell("rm -rf %s", folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees_emit__equals_predict_everywhere),
        cmocka_unit_test(test_trees_emit__comparison_notices_small_changes),
        cmocka_unit_test(test_trees_emit__needs_nothing),
        cmocka_unit_test(test_trees_emit__survives_lack_of_memory),
        cmocka_unit_test(test_trees_emit__refuses_other_classes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
