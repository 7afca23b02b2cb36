/* test_tree_draws.c: which classes trees with other draws can give, on tables small enough to grow every tree
 * by hand. */
#include "unit.h"
#include "../../src/learn/tree_draws.h"

static const int32_t rank[] = {0, 1, 2};

static void check(const double *x, const int32_t *y, size_t rows, size_t columns, const double *at,
                  const char *wanted) {
    cw_matrix m = {.rows = rows, .columns = columns, .classes = 3, .x = x, .y = y};
    bool found[3], complete;
    char got[4] = "";
    cw_error err;
    assert_ok(cw_tree_draws(&m, at, rank, found, &complete, &err), err);
    assert_true(complete);
    for (size_t c = 0, n = 0; c < 3; c++)
        if (found[c]) got[n++] = "abc"[c];
    assert_string_equal(got, wanted);
}

/* Two columns say the same of all rows: a row that they tell apart depends on the draw. */
static void test_tree_draws__twin_columns(void **state) {
    (void)state;
    static const double x[] = {0, 0, 0, 0, 4, 4, 4, 4};
    static const int32_t y[] = {0, 0, 1, 1};
    check(x, y, 4, 2, (double[]){0, 0}, "a");
    check(x, y, 4, 2, (double[]){9, 9}, "b");
    check(x, y, 4, 2, (double[]){0, 9}, "ab");
    check(x, y, 4, 2, (double[]){2, 2}, "a"); /* on the cut goes left */
}

/* Columns that part the rows differently but equally well: the second level settles some. Rows by (x0, x1):
 * 00 a, 01 b, 10 c, 11 c: the first cut is of column 0 (it leaves c pure), then of column 1. */
static void test_tree_draws__no_tie(void **state) {
    (void)state;
    static const double x[] = {0, 0, 0, 1, 1, 0, 1, 1};
    static const int32_t y[] = {0, 1, 2, 2};
    check(x, y, 4, 2, (double[]){0, 0}, "a");
    check(x, y, 4, 2, (double[]){0, 5}, "b");
    check(x, y, 4, 2, (double[]){5, -5}, "c");
}

/* 00 a, 01 b, 10 b, 11 a: no cut gains anything, both are equal, and rows of the training end where they
 * belong whatever is drawn. */
static void test_tree_draws__ties_that_do_not_matter(void **state) {
    (void)state;
    static const double x[] = {0, 0, 0, 1, 1, 0, 1, 1};
    static const int32_t y[] = {0, 1, 1, 0};
    check(x, y, 4, 2, (double[]){0, 0}, "a");
    check(x, y, 4, 2, (double[]){1, 0}, "b");
}

/* Equal rows with different labels: the most frequent one, equally frequent ones by rank. */
static void test_tree_draws__contradictions(void **state) {
    (void)state;
    static const double x[] = {0, 0, 0, 7, 7};
    static const int32_t more[] = {2, 2, 1, 1, 2}, even[] = {2, 1, 2, 1, 2};
    check(x, more, 5, 1, (double[]){0}, "c");
    check(x, more, 5, 1, (double[]){7}, "b");
    check(x, even, 5, 1, (double[]){7}, "b");
    const int32_t other[] = {2, 1, 0};
    cw_matrix m = {.rows = 5, .columns = 1, .classes = 3, .x = x, .y = even};
    bool found[3], complete;
    cw_error err;
    assert_ok(cw_tree_draws(&m, (double[]){7}, other, found, &complete, &err), err);
    assert_true(found[2] && !found[1] && !found[0]);
}

static void test_tree_draws__survives_want_of_memory(void **state) {
    (void)state;
    static const double x[] = {0, 0, 0, 0, 4, 4, 4, 4};
    static const int32_t y[] = {0, 0, 1, 1};
    cw_matrix m = {.rows = 4, .columns = 2, .classes = 2, .x = x, .y = y};
    bool found[2], complete;
    cw_error err;
    cw_status status = CW_NO_MEMORY;
    long n = 0;
    while (status == CW_NO_MEMORY) {
        cw_alloc_fail_at(++n);
        status = cw_tree_draws(&m, (double[]){0, 9}, rank, found, &complete, &err);
        cw_alloc_fail_at(0);
    }
    assert_int_equal(status, CW_OK);
    assert_true(n > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_draws__twin_columns),
        cmocka_unit_test(test_tree_draws__no_tie),
        cmocka_unit_test(test_tree_draws__ties_that_do_not_matter),
        cmocka_unit_test(test_tree_draws__contradictions),
        cmocka_unit_test(test_tree_draws__survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
