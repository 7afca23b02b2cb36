/* test_permutation.c: against what numpy.random.RandomState(seed).permutation(count) gave. */
#include "unit.h"
#include "../../src/dataset/permutation.h"

static void check(uint32_t seed, size_t count, const size_t *wanted) {
    size_t order[32];
    cw_numpy_permutation(seed, count, order);
    for (size_t i = 0; i < count; i++) assert_int_equal(order[i], wanted[i]);
}

static void test_permutation__is_numpys(void **state) {
    (void)state;
    check(5, 10, (size_t[]){9, 5, 2, 4, 7, 1, 0, 8, 6, 3});
    check(5, 1, (size_t[]){0});
    check(0, 17, (size_t[]){1, 6, 8, 9, 13, 4, 2, 14, 10, 7, 16, 11, 3, 0, 5, 15, 12});
    check(4294967295U, 12, (size_t[]){11, 8, 5, 9, 1, 10, 6, 0, 4, 7, 2, 3});
    cw_numpy_permutation(5, 0, NULL);
}

/* More draws than one state of the twister holds. */
static void test_permutation__is_numpys_when_long(void **state) {
    (void)state;
    static size_t order[5815];
    static const size_t first[] = {467, 1203, 5545, 51, 5376, 4274},
                        last[] = {5520, 3046, 1725, 4079, 2254, 2915};
    int64_t sum = 0;
    cw_numpy_permutation(5, CW_COUNT(order), order);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(order[i], first[i]);
        assert_int_equal(order[CW_COUNT(order) - 6 + i], last[i]);
    }
    for (size_t i = 0; i < CW_COUNT(order); i++) sum += (int64_t)(i * order[i]);
    assert_int_equal(sum, 49127881035);
}

static void test_permutation__test_share_is_rounded_up(void **state) {
    (void)state;
    assert_int_equal(cw_test_count(10, 0.20), 2);
    assert_int_equal(cw_test_count(11, 0.20), 3);
    assert_int_equal(cw_test_count(5815, 0.20), 1163);
    assert_int_equal(cw_test_count(5816, 0.20), 1164);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutation__is_numpys),
        cmocka_unit_test(test_permutation__is_numpys_when_long),
        cmocka_unit_test(test_permutation__test_share_is_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
