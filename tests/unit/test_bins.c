/* test_bins.c: binned matrices against sorting and counting done plainly. */
#include "unit.h"
#include "../../src/learn/bins.h"
#include <float.h>
#include <math.h>

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Sorted different floats of a column; returns how many. */
static size_t different(const cw_matrix *m, size_t column, float *out) {
    for (size_t r = 0; r < m->rows; r++) out[r] = (float)m->x[r * m->columns + column];
    qsort(out, m->rows, sizeof *out, by_value);
    size_t kept = 1;
    for (size_t r = 1; r < m->rows; r++)
        if (out[r] != out[kept - 1]) out[kept++] = out[r];
    return kept;
}

/* What bins.h promises of a column, value by value. */
static void check_column(const cw_matrix *m, const cw_bins *b, size_t column, size_t most) {
    float *value = cw_alloc_n(m->rows, sizeof *value);
    size_t rows_of[CW_BINS] = {0}, n = different(m, column, value), bins = b->count[column];
    const float *upper = b->upper + column * CW_BINS;
    assert_true(n <= most ? bins == n : bins <= most);
    for (size_t i = 1; i + 1 < bins; i++) assert_true(upper[i - 1] < upper[i]);
    for (size_t r = 0; r < m->rows; r++) {
        float x = (float)m->x[r * m->columns + column];
        size_t code = b->code[column * m->rows + r], expected = 0;
        while (expected + 1 < bins && x > upper[expected]) expected++;
        assert_int_equal(code, expected);
        rows_of[code]++;
    }
    for (size_t i = 0; i < bins; i++) assert_true(rows_of[i] > 0);
    /* Each cut is the middle of two neighbouring values, rounded down. */
    for (size_t i = 0, k = 0; i + 1 < bins; i++) {
        while (k + 1 < n && value[k + 1] <= upper[i]) k++;
        double middle = ((double)value[k] + (double)value[k + 1]) / 2;
        assert_true((double)upper[i] <= middle && (double)nextafterf(upper[i], INFINITY) > middle);
    }
    cw_free(value);
}

enum { ROWS = 2000, COLUMNS = 11 };

/* A column of each kind. */
static void fill(double *x) {
    cw_rng rng = cw_rng_seed(4);
    for (size_t r = 0; r < ROWS; r++) {
        const double values[COLUMNS] = {
            (double)cw_rng_below(&rng, 256),
            (double)cw_rng_below(&rng, 257),
            cw_rng_normal(&rng),
            -exp(40 * cw_rng_normal(&rng) / 2),
            3,
            r % 2 ? 0.0 : -0.0,
            (double)(16777216 + cw_rng_below(&rng, 4)), /* some are one float */
            r % 3 == 0 ? (double)FLT_MAX : -(double)FLT_MAX,
            r % 3 == 0   ? 0x1p-149
            : r % 3 == 1 ? -0x1p-149
                         : 0,
            r < 1500 ? 7 : cw_rng_normal(&rng), /* one value has most rows */
            (double)r,
        };
        memcpy(x + r * COLUMNS, values, sizeof values);
    }
}

static void test_bins__agree_with_plain_sorting(void **state) {
    (void)state;
    static const size_t mosts[] = {2, 3, 16, 17, 255, 256}, rows[] = {1, 2, 15, 17, ROWS};
    double *x = cw_alloc_n(ROWS * COLUMNS, sizeof *x);
    cw_error err;
    fill(x);
    for (size_t i = 0; i < CW_COUNT(mosts); i++)
        for (size_t k = 0; k < CW_COUNT(rows); k++) {
            cw_matrix m = {.rows = rows[k], .columns = COLUMNS, .classes = 2, .x = x};
            cw_bins bins;
            assert_ok(cw_bins_make(&m, mosts[i], &bins, &err), err);
            for (size_t c = 0; c < COLUMNS; c++) check_column(&m, &bins, c, mosts[i]);
            cw_bins_release(&bins);
        }
    cw_free(x);
}

static void test_bins__hold_about_equally_many_rows(void **state) {
    (void)state;
    double *x = cw_alloc_n(ROWS * COLUMNS, sizeof *x);
    cw_error err;
    cw_bins bins;
    fill(x);
    cw_matrix m = {.rows = ROWS, .columns = COLUMNS, .classes = 2, .x = x};
    assert_ok(cw_bins_make(&m, 16, &bins, &err), err);
    size_t rows_of[CW_BINS] = {0};
    for (size_t r = 0; r < ROWS; r++) rows_of[bins.code[10 * ROWS + r]]++; /* all different */
    assert_int_equal(bins.count[10], 16);
    for (size_t b = 0; b < 16; b++) assert_int_equal(rows_of[b], ROWS / 16);
    /* What one value leaves over is shared out again: 500 rows among 15 bins. */
    memset(rows_of, 0, sizeof rows_of);
    for (size_t r = 0; r < ROWS; r++) rows_of[bins.code[9 * ROWS + r]]++;
    assert_true(bins.count[9] >= 15);
    for (size_t b = 0; b < bins.count[9]; b++) assert_true(rows_of[b] >= 1500 || rows_of[b] <= 130);
    assert_int_equal(bins.count[4], 1);
    assert_int_equal(bins.count[5], 1); /* 0 and -0 */
    cw_bins_release(&bins);
    cw_free(x);
}

static void test_bins__refuse_what_is_no_float(void **state) {
    (void)state;
    static const double bad[] = {1e39, -1e39, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        double x[] = {1, 2, 3, 4, bad[i], 6};
        cw_matrix m = {.rows = 2, .columns = 3, .classes = 2, .x = x};
        cw_error err;
        cw_bins bins;
        assert_refused(cw_bins_make(&m, 256, &bins, &err), CW_INVALID, err, "row 1, column 1");
        cw_bins_release(&bins);
    }
}

static void test_bins__survive_lack_of_memory(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4, 5, 6};
    cw_matrix m = {.rows = 2, .columns = 3, .classes = 2, .x = x};
    cw_status status = CW_NO_MEMORY;
    int failed = 0;
    for (long n = 1; status != CW_OK && n < 100; n++) {
        cw_bins bins;
        cw_alloc_fail_at(n);
        status = cw_bins_make(&m, 256, &bins, NULL);
        cw_alloc_fail_at(0);
        failed += status == CW_NO_MEMORY;
        cw_bins_release(&bins);
    }
    assert_int_equal(failed, 6);
}

static void square(void *arg, size_t index) {
    ((size_t *)arg)[index] += index * index + 1;
}

static void test_parallel__does_each_piece_once(void **state) {
    (void)state;
    static const int32_t threads[] = {-1, 0, 1, 2, 7, 1000};
    for (size_t i = 0; i < CW_COUNT(threads); i++) {
        size_t out[300] = {0};
        cw_parallel(threads[i], 0, square, out);
        assert_int_equal(out[0], 0);
        cw_parallel(threads[i], CW_COUNT(out), square, out);
        for (size_t k = 0; k < CW_COUNT(out); k++) assert_int_equal(out[k], k * k + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bins__agree_with_plain_sorting),
        cmocka_unit_test(test_bins__hold_about_equally_many_rows),
        cmocka_unit_test(test_bins__refuse_what_is_no_float),
        cmocka_unit_test(test_bins__survive_lack_of_memory),
        cmocka_unit_test(test_parallel__does_each_piece_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
