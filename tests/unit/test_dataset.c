/* test_dataset.c: a store's rows as a learning matrix, against tables written by hand. */
#include "fixture_store.h"
#include "../../src/dataset/dataset.h"
#include "../../src/learn/folds.h"
#include <math.h>

static const char A[] = "ic8ih16oc8kh3ph1", B[] = "ic8ih16oc16kh1", A8[] = "ic8ih16oc8kh3ph1,u8,zp";

static cw_dataset *load(const char *path, const cw_dataset_options *options) {
    cw_error err;
    cw_dataset *data = NULL;
    cw_store *store = open_at(path, CW_STORE_READ);
    assert_ok(cw_dataset_load(store, options, &data, &err), err);
    cw_store_close(store);
    return data;
}

static void refuse(const char *path, const cw_dataset_options *options, cw_status wanted, const char *text) {
    cw_error err;
    cw_dataset *data = NULL;
    cw_store *store = open_at(path, CW_STORE_READ);
    assert_refused(cw_dataset_load(store, options, &data, &err), wanted, err, text);
    cw_store_close(store);
}

/* One line a measurement; what is not said is as in measured(). */
typedef struct line {
    const char *problem, *impl;
    double time, reorder;
    cw_state state;
    bool other, library; /* other: not a candidate */
} line;

static const line lines[] = {
    {B, "own.z", 300, 0, CW_STATE_OK, false, true},
    {A, "own.z", 200, 100, CW_STATE_OK, false, true},
    {A, "own.m", 250, 0, CW_STATE_OK, false, false},
    {A, "own.a", 900, 0, CW_STATE_CUT_OFF, false, false},
    {A, "own.never", 0, 0, CW_STATE_UNSUPPORTED, false, false},
    {A, "null.null", 1, 0, CW_STATE_OK, true, false},
    {B, "own.m", 0, 0, CW_STATE_WRONG, false, false},
    {B, "own.a", 300, 0, CW_STATE_OK, false, false},
    {A8, "own.a", 40, 0, CW_STATE_OK, false, false},
    {"ic1ih1oc1kh1", "null.null", 1, 0, CW_STATE_OK, true, false}, /* no candidate: no row */
    {"ic2ih1oc1kh1", "own.a", 0, 0, CW_STATE_FAILED, false, false},
    {A, "own.bf16.r", 100, 0, CW_STATE_OK, true, false}, /* of lower precision: only where asked */
};

static void fill(cw_store *store) {
    cw_error err;
    for (size_t i = 0; i < CW_COUNT(lines); i++) {
        cw_measurement m = measured(lines[i].problem, lines[i].impl, lines[i].time);
        m.src_reorder_ns = lines[i].reorder * 0.75;
        m.dst_reorder_ns = lines[i].reorder * 0.25;
        m.state = lines[i].state;
        m.candidate = !lines[i].other;
        m.library_choice = lines[i].library;
        add(store, &m);
    }
    cw_layer layers[] = {{"one", problem(A), 0},
                         {"two", problem(B), 0},
                         {"three", problem(A), 0},
                         {"far", problem("ic9ih9oc9kh1"), 0}};
    layers[0].problem.zp = layers[2].problem.zp = 1; /* as the table says of these in u8 */
    cw_net net = {"net", layers, 4}, absent = {"absent", layers + 3, 1}, last = {"small", layers + 1, 1};
    assert_ok(cw_store_add_net(store, &last, &err), err);
    assert_ok(cw_store_add_net(store, &net, &err), err);
    assert_ok(cw_store_add_net(store, &absent, &err), err);
}

static void make_store(const char *path) {
    cw_store *store = open_writer_at(path);
    fill(store);
    cw_store_close(store);
}

static size_t row_of(const cw_dataset *data, const char *text) {
    cw_problem p = problem(text);
    for (size_t i = 0; i < data->rows; i++)
        if (cw_problem_compare(&data->problems[i], &p) == 0) return i;
    fail_msg("no row %s", text);
    return 0;
}

static void check_times(const cw_dataset *data, const char *text, const double *times) {
    size_t row = row_of(data, text);
    for (size_t c = 0; c < data->classes; c++) {
        double t = cw_dataset_time(data, row, c);
        if (isnan(times[c]) ? !isnan(t) : t != times[c]) fail_msg("%s, class %zu: %g", text, c, t);
    }
}

/* own.bf16.r is the fastest of A, but computes it in bf16. */
static void test_dataset__lower_precision_only_where_asked(void **state) {
    const fixture *f = *state;
    make_store(f->path);
    cw_dataset *strict = load(f->path, &(cw_dataset_options){.prec = -1});
    cw_dataset *data = load(f->path, &(cw_dataset_options){.prec = -1, .fpmath = CW_FPMATH_BF16});
    assert_int_equal(cw_dataset_classes(strict), 3);
    assert_int_equal(cw_dataset_classes(data), 4); /* null.null is still none */
    assert_string_equal(cw_dataset_class(data, 1), "own.bf16.r");
    assert_int_equal(data->y[row_of(data, A)], 1);
    assert_int_equal(cw_dataset_rows(data), cw_dataset_rows(strict));
    cw_dataset_free(strict);
    cw_dataset_free(data);
}

static void test_dataset__rows_classes_and_times(void **state) {
    const fixture *f = *state;
    make_store(f->path);
    cw_dataset *data = load(f->path, NULL);
    assert_int_equal(cw_dataset_rows(data), 3);
    for (size_t i = 1; i < 3; i++)
        assert_true(cw_problem_compare(cw_dataset_problem(data, i - 1), cw_dataset_problem(data, i)) < 0);
    assert_int_equal(cw_dataset_classes(data), 3);
    assert_string_equal(cw_dataset_class(data, 0), "own.a");
    assert_string_equal(cw_dataset_class(data, 1), "own.m");
    assert_string_equal(cw_dataset_class(data, 2), "own.z");
    check_times(data, A, (double[]){900, 250, 300});
    check_times(data, B, (double[]){300, NAN, 300});
    check_times(data, A8, (double[]){40, NAN, NAN});
    assert_int_equal(data->y[row_of(data, A)], 1);
    assert_int_equal(data->y[row_of(data, B)], 0); /* equal times: the first */
    assert_int_equal(data->library[row_of(data, A)], 2);
    assert_int_equal(data->library[row_of(data, A8)], -1);
    assert_true(data->scale[row_of(data, A)] == 16.0 * 16 * 8 * 8 * 9);
    assert_string_equal(data->fingerprint, "m1");
    assert_string_equal(data->cpu, "Test CPU, 2 GHz");
    cw_dataset_free(data);
}

static void test_dataset__options_filter(void **state) {
    const fixture *f = *state;
    make_store(f->path);
    cw_dataset *data = load(f->path, &(cw_dataset_options){.prec = -1, .free_reorders = true});
    check_times(data, A, (double[]){900, 250, 200});
    assert_int_equal(data->y[row_of(data, A)], 2);
    cw_dataset_free(data);
    data = load(f->path, &(cw_dataset_options){.prec = CW_U8, .features = "raw"});
    assert_int_equal(data->rows, 1);
    assert_int_equal(data->classes, 1); /* classes with a time among these rows */
    assert_string_equal(data->feature_set, "raw");
    cw_dataset_free(data);
    refuse(f->path, &(cw_dataset_options){.prec = -1, .threads = 2}, CW_NOT_FOUND, "convwise measure");
    refuse(f->path, &(cw_dataset_options){.prec = -1, .fingerprint = "m9"}, CW_NOT_FOUND, "machine m9");
    refuse(f->path, &(cw_dataset_options){.prec = -1, .features = "cooked"}, CW_INVALID, "cooked");
}

static void test_dataset__no_rows_says_what_to_do(void **state) {
    const fixture *f = *state;
    cw_store_close(open_at(f->path, CW_STORE_WRITE));
    refuse(f->path, NULL, CW_NOT_FOUND, "fill it with 'convwise measure'");
    cw_store_close(open_writer_at(f->path));
    refuse(f->path, NULL, CW_NOT_FOUND, "fill it with 'convwise measure'");
}

static void test_dataset__takes_the_machine_with_most_rows(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store *store = open_writer_at(f->path);
    cw_measurement m = measured(A, "own.a", 5);
    for (int i = 0; i < 9; i++) add(store, &m); /* many measurements, one row */
    cw_machine m2 = machine("a2");
    assert_ok(cw_store_begin_run(store, &m2, NULL, 1, &err), err);
    fill(store);
    cw_store_close(store);
    cw_dataset *data = load(f->path, NULL);
    assert_string_equal(data->fingerprint, "a2");
    assert_int_equal(data->rows, 3);
    cw_dataset_free(data);
    data = load(f->path, &(cw_dataset_options){.prec = -1, .fingerprint = "m1"});
    assert_int_equal(data->rows, 1);
    cw_dataset_free(data);
}

static void test_dataset__networks_are_rows_of_each_precision_with_repeats(void **state) {
    const fixture *f = *state;
    make_store(f->path);
    cw_dataset *data = load(f->path, NULL);
    assert_int_equal(data->net_count, 2);
    assert_string_equal(data->nets[0], "net");
    assert_string_equal(data->nets[1], "small");
    const struct {
        size_t net;
        const char *problem;
        size_t count;
    } wanted[] = {{0, A, 2}, {0, A8, 2}, {0, B, 1}, {1, B, 1}};
    assert_int_equal(data->layer_count, CW_COUNT(wanted));
    for (size_t w = 0; w < CW_COUNT(wanted); w++) {
        bool found = false;
        for (size_t i = 0; i < data->layer_count; i++)
            if (data->layers[i].net == wanted[w].net &&
                data->layers[i].row == row_of(data, wanted[w].problem) &&
                data->layers[i].count == wanted[w].count)
                found = true;
        if (!found) fail_msg("network %zu lacks %s", wanted[w].net, wanted[w].problem);
    }
    for (size_t i = 1; i < data->layer_count; i++)
        assert_true(data->layers[i - 1].net < data->layers[i].net ||
                    (data->layers[i - 1].net == data->layers[i].net &&
                     data->layers[i - 1].row < data->layers[i].row));
    cw_dataset_free(data);
}

static void test_dataset__spread_is_of_the_smallest_pass(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *impl;
        int32_t samples;
        double mad, pass[4], spread;
    } cases[] = {
        {"own.a", 1, 0, {100}, 0},                /* nothing known */
        {"own.b", 9, 0, {130, 100, 900, 104}, 4}, /* to the next pass; the burst does not count */
        {"own.c", 25, 10, {101, 100}, 7.4},       /* 3.7 * 10 / 5 */
        {"own.d", 100, 1, {100, 100, 100, 100}, 0.37},
    };
    cw_store *store = open_writer_at(f->path);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_measurement m = measured(A, cases[i].impl, 100);
        m.samples = cases[i].samples;
        m.mad_ns = cases[i].mad;
        memcpy(m.pass_ns, cases[i].pass, sizeof cases[i].pass);
        add(store, &m);
    }
    cw_store_close(store);
    cw_dataset *data = load(f->path, NULL);
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        if (fabs(data->spread[i] - cases[i].spread) > 1e-9)
            fail_msg("%s: %g, not %g", cases[i].impl, data->spread[i], cases[i].spread);
    cw_dataset_free(data);
}

static void test_dataset__hash_is_of_what_is_learnt_from(void **state) {
    const fixture *f = *state;
    char other[128];
    snprintf(other, sizeof other, "%s/other.db", f->folder);
    make_store(f->path);
    make_store(other);
    cw_dataset *one = load(f->path, NULL), *two = load(other, NULL);
    assert_string_equal(one->hash, two->hash);
    assert_int_equal(strlen(one->hash), 16);
    cw_dataset_free(two);
    cw_store *store = open_writer_at(other);
    cw_measurement m = measured(A, "own.m", 249);
    add(store, &m);
    cw_store_close(store);
    two = load(other, NULL);
    assert_string_not_equal(one->hash, two->hash);
    cw_dataset_free(one);
    cw_dataset_free(two);
}

static void test_dataset__matrix_copies_the_rows_asked_for(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_matrix m;
    make_store(f->path);
    cw_dataset *data = load(f->path, NULL);
    const size_t rows[] = {2, 0, 2};
    assert_ok(cw_dataset_matrix(data, rows, 3, NULL, &m, &err), err);
    assert_int_equal(m.rows, 3);
    for (size_t i = 0; i < 3; i++) {
        double x[CW_MODEL_MOST];
        assert_true(data->columns <= CW_MODEL_MOST);
        cw_features_eval(data->features, data->columns, &data->problems[rows[i]], x);
        assert_memory_equal(m.x + i * m.columns, x, data->columns * sizeof *x);
        assert_memory_equal(m.cost + i * m.classes, data->time + rows[i] * m.classes,
                            m.classes * sizeof *m.cost);
        assert_int_equal(m.y[i], data->y[rows[i]]);
        assert_true(m.scale[i] == data->scale[rows[i]]);
    }
    cw_rows_release(&m);
    assert_null(m.x);
    assert_ok(cw_dataset_matrix(data, NULL, 0, NULL, &m, &err), err);
    assert_int_equal(m.rows, 3);
    cw_rows_release(&m);
    cw_dataset_free(data);
}

static void test_dataset__survives_every_failed_allocation(void **state) {
    const fixture *f = *state;
    make_store(f->path);
    cw_store *store = open_at(f->path, CW_STORE_READ);
    long n = 1;
    for (;; n++) {
        cw_error err = {0};
        cw_dataset *data = NULL;
        cw_matrix m = {0};
        cw_alloc_fail_at(n);
        cw_status status = cw_dataset_load(store, NULL, &data, &err);
        if (status == CW_OK) status = cw_dataset_matrix(data, NULL, 0, NULL, &m, &err);
        cw_alloc_fail_at(0);
        cw_rows_release(&m);
        cw_dataset_free(data);
        if (status == CW_OK) break;
        assert_int_equal(status, CW_NO_MEMORY);
        assert_int_equal(err.status, CW_NO_MEMORY);
    }
    assert_true(n > 20);
    cw_store_close(store);
}

static void test_dataset__few_times_directions_dimensions_and_families(void **state) {
    const fixture *f = *state;
    static const char W[] = "ic8ih16oc8kh3ph1,f16,nchw,bwd_w", D3[] = "ic8id4ih16oc8kd3kh3ph1";
    cw_store *store = open_writer_at(f->path);
    fill(store); /* A has three times, B two, A8 one: all direct */
    cw_measurement extra = measured(A, "own.fast", 120);
    extra.family = CW_FAMILY_GEMM;
    add(store, &extra);
    extra = measured(A, "own.faster", 110);
    extra.family = CW_FAMILY_GEMM;
    add(store, &extra);
    extra = measured(W, "own.a", 7);
    add(store, &extra);
    extra = measured(D3, "own.a", 9);
    add(store, &extra);
    cw_store_close(store);

    cw_dataset *data = load(f->path, NULL); /* forward only */
    assert_int_equal(data->rows, 4);
    cw_dataset_free(data);
    data = load(f->path, &(cw_dataset_options){.prec = -1, .dir = -1});
    assert_int_equal(data->rows, 5);
    cw_dataset_free(data);
    data = load(f->path, &(cw_dataset_options){.prec = -1, .dir = CW_BWD_W});
    assert_int_equal(data->rows, 1);
    assert_true(cw_dataset_time(data, 0, 0) == 7);
    cw_dataset_free(data);
    data = load(f->path, &(cw_dataset_options){.prec = -1, .dims = 3});
    assert_int_equal(data->rows, 1);
    assert_true(data->problems[0].id == 4);
    cw_dataset_free(data);
    data = load(f->path, &(cw_dataset_options){.prec = -1, .dims = 2, .least = 2});
    assert_int_equal(data->rows, 2);
    row_of(data, A);
    row_of(data, B);
    cw_dataset_free(data);
    refuse(f->path, &(cw_dataset_options){.prec = -1, .least = 6}, CW_NOT_FOUND, "");

    data = load(f->path, &(cw_dataset_options){.prec = -1, .least = 2, .families = true});
    assert_int_equal(data->classes, 2);
    assert_string_equal(cw_dataset_class(data, 0), "direct");
    assert_string_equal(cw_dataset_class(data, 1), "gemm");
    check_times(data, A, (double[]){250, 110});
    check_times(data, B, (double[]){300, NAN});
    cw_dataset_free(data);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {
        T(test_dataset__few_times_directions_dimensions_and_families),
        T(test_dataset__lower_precision_only_where_asked),
        T(test_dataset__rows_classes_and_times),
        T(test_dataset__options_filter),
        T(test_dataset__no_rows_says_what_to_do),
        T(test_dataset__takes_the_machine_with_most_rows),
        T(test_dataset__networks_are_rows_of_each_precision_with_repeats),
        T(test_dataset__spread_is_of_the_smallest_pass),
        T(test_dataset__hash_is_of_what_is_learnt_from),
        T(test_dataset__matrix_copies_the_rows_asked_for),
        T(test_dataset__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
