/* test_base.c: numbers as text, random numbers, growing memory, files all or nothing. */
#include "unit.h"
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_base__doubles_survive_text(void **state) {
    (void)state;
    const double fixed[] = {0.0,     -0.0,           1.0,  0.1,  1.0 / 3,           1e300, 5e-324, DBL_MAX,
                            DBL_MIN, 123456789012.0, -2.5, 1e22, 4503599627370497.5};
    char text[32];
    double back;
    for (size_t i = 0; i < CW_COUNT(fixed); i++) {
        cw_format_double(text, fixed[i]);
        assert_true(cw_parse_double(text, &back));
        assert_memory_equal(&back, &fixed[i], sizeof back);
    }
    cw_rng rng = cw_rng_seed(1);
    for (int i = 0; i < 20000; i++) {
        union {
            uint64_t bits;
            double x;
        } u = {.bits = cw_rng_next(&rng)};
        if (!isfinite(u.x)) continue;
        cw_format_double(text, u.x);
        assert_true(strlen(text) < 31);
        assert_true(cw_parse_double(text, &back));
        assert_memory_equal(&back, &u.x, sizeof back);
    }
}

/* The short way of short decimals, and what is just too long for it, against the system's. */
static void test_base__decimals_are_what_strtod_says(void **state) {
    (void)state;
    const char *const fixed[] = {"0",
                                 "0.0",
                                 ".5",
                                 "5.",
                                 "000.125",
                                 "0.000000000000001",
                                 "999999999999999",
                                 "9999999999999999",
                                 "1.000000000000000",
                                 "-1.5",
                                 "-0",
                                 "1e3",
                                 "1.5E-3"};
    char text[32];
    double x, wanted;
    for (size_t i = 0; i < CW_COUNT(fixed); i++) {
        assert_true(cw_parse_double(fixed[i], &x));
        wanted = strtod(fixed[i], NULL);
        assert_memory_equal(&x, &wanted, sizeof x);
    }
    assert_false(cw_parse_double(".", &x));
    cw_rng rng = cw_rng_seed(2);
    for (int i = 0; i < 100000; i++) {
        int before = (int)cw_rng_below(&rng, 10), behind = (int)cw_rng_below(&rng, 8);
        uint64_t digits = cw_rng_next(&rng) % 1000000000;
        snprintf(text, sizeof text, "%0*llu.%0*llu", before, (unsigned long long)digits, behind,
                 (unsigned long long)(cw_rng_next(&rng) % 10000000));
        assert_true(cw_parse_double(text, &x));
        wanted = strtod(text, NULL);
        assert_memory_equal(&x, &wanted, sizeof x);
    }
}

static void test_base__doubles_ignore_the_locale(void **state) {
    (void)state;
    char text[32];
    double x;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) {
        printf("SKIP test_base__doubles_ignore_the_locale: no locale with a decimal comma is installed\n");
        skip();
    }
    cw_format_double(text, 0.5);
    assert_string_equal(text, "0.5");
    assert_true(cw_parse_double("1.25", &x) && x == 1.25);
    setlocale(LC_NUMERIC, "C");
}

static void test_base__doubles_look_like_doubles(void **state) {
    (void)state;
    char text[32];
    cw_format_double(text, 5);
    assert_string_equal(text, "5.0");
    cw_format_double(text, 1e100);
    assert_string_equal(text, "1e+100");
}

static void test_base__rounded_numbers_are_short(void **unused) {
    (void)unused;
    static const struct {
        double x;
        int decimals;
        const char *text;
    } cases[] = {{2.0 / 3, 3, "0.667"}, {2, 3, "2.0"},        {-1e-9, 3, "0.0"}, {99.96, 1, "100.0"},
                 {-2.46, 1, "-2.5"},    {1e300, 9, "1e+300"}, {NAN, 2, "nan"},   {12345.678, 0, "12346.0"}};
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_buf buf = {0};
        cw_buf_rounded(&buf, cases[i].x, cases[i].decimals);
        assert_string_equal(buf.text, cases[i].text);
        cw_buf_release(&buf);
    }
}

static void test_base__parse_refuses_what_is_not_a_number(void **state) {
    (void)state;
    const char *const bad[] = {"", " 1", "1 ", "1,5", "abc", "1.5x", "--1", "1e", "0x", "1.2.3"};
    const char *const bad_int[] = {"", "-", "+1", "1.0", " 1", "1 ", "99999999999999999999", "11"};
    double x;
    int64_t n;
    for (size_t i = 0; i < CW_COUNT(bad); i++) assert_false(cw_parse_double(bad[i], &x));
    for (size_t i = 0; i < CW_COUNT(bad_int); i++) assert_false(cw_parse_int(bad_int[i], -10, 10, &n));
    assert_true(cw_parse_int("-10", -10, 10, &n) && n == -10);
}

/* First state and output for seed 0 as the authors' reference code gives them. */
static void test_base__rng_is_xoshiro(void **state) {
    (void)state;
    cw_rng rng = cw_rng_seed(0);
    assert_true(rng.s[0] == 0xE220A8397B1DCDAFu && rng.s[1] == 0x6E789E6AA1B965F4u);
    assert_true(cw_rng_next(&rng) == 0x99EC5F36CB75F2B4u);
}

static void test_base__rng_is_fair(void **state) {
    (void)state;
    cw_rng rng = cw_rng_seed(7);
    int count[6] = {0};
    double sum = 0, squares = 0;
    for (int i = 0; i < 60000; i++) {
        count[cw_rng_below(&rng, 6)]++;
        double x = cw_rng_normal(&rng);
        sum += x;
        squares += x * x;
    }
    for (int i = 0; i < 6; i++) assert_true(abs(count[i] - 10000) < 500);
    assert_true(fabs(sum / 60000) < 0.03 && fabs(squares / 60000 - 1) < 0.05);
}

static void test_base__grow_keeps_what_is_there(void **state) {
    (void)state;
    int *numbers = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(cw_grow(&numbers, &capacity, (size_t)i + 1, sizeof *numbers));
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(numbers[i], i);
    cw_alloc_fail_at(1);
    assert_false(cw_grow(&numbers, &capacity, capacity + 1, sizeof *numbers));
    assert_int_equal(numbers[999], 999);
    assert_false(cw_grow(&numbers, &capacity, SIZE_MAX, sizeof *numbers));
    assert_null(cw_alloc_n(SIZE_MAX / 2, 4));
    cw_free(numbers);
}

static void test_base__buffer_failure_sticks(void **state) {
    (void)state;
    cw_buf buf = {0};
    cw_buf_put(&buf, "start");
    cw_alloc_fail_at(1);
    for (int i = 0; i < 100; i++) cw_buf_printf(&buf, "%d", i);
    assert_null(cw_buf_take(&buf));
    cw_buf_put(&buf, "again");
    char *text = cw_buf_take(&buf);
    assert_string_equal(text, "again");
    cw_free(text);
}

static void test_base__files_are_written_whole_or_not_at_all(void **state) {
    (void)state;
    char folder[] = "base-XXXXXX", path[64];
    cw_error err;
    char *text;
    size_t size;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    assert_ok(cw_write_file(path, "first", 5, &err), err);
    assert_ok(cw_write_file(path, "second", 6, &err), err);
    assert_ok(cw_read_file(path, 100, &text, &size, &err), err);
    assert_string_equal(text, "second");
    cw_free(text);
    assert_refused(cw_read_file(path, 3, &text, &size, &err), CW_FORMAT, err, "larger");
    assert_refused(cw_read_file(folder, 3, &text, &size, &err), CW_IO, err, "folder");
    assert_refused(cw_read_file("no/such/file", 3, &text, &size, &err), CW_IO, err, "No such file");
    assert_refused(cw_write_file("no/such/file", "x", 1, &err), CW_IO, err, "No such file");
    if (access("/dev/full", W_OK) == 0)
        assert_refused(cw_write_file("/dev/full", "x", 1, &err), CW_IO, err, "No space left");
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* no temporary file stayed behind */
}

static mode_t mode_of(const char *path) {
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    return about.st_mode;
}

static void test_base__a_replaced_file_keeps_its_mode_and_its_links(void **state) {
    (void)state;
    char folder[] = "base-XXXXXX", path[64], link[64];
    cw_error err;
    char *text;
    size_t size;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    mode_t mask = umask(077);
    assert_ok(cw_write_file(path, "first", 5, &err), err);
    umask(mask);
    assert_int_equal(mode_of(path), S_IFREG | 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("file", link), 0);
    assert_ok(cw_write_file(link, "second", 6, &err), err);
    assert_true(S_ISLNK(mode_of(link)));
    assert_int_equal(mode_of(path), S_IFREG | 0640);
    assert_ok(cw_read_file(path, 100, &text, &size, &err), err);
    assert_string_equal(text, "second");
    cw_free(text);
    assert_refused(cw_write_file("", "x", 1, &err), CW_INVALID, err, "empty");
    assert_refused(cw_read_file("", 3, &text, &size, &err), CW_INVALID, err, "empty");
    unlink(path);
    unlink(link);
    assert_int_equal(rmdir(folder), 0);
}

static void test_base__statuses_have_distinct_names(void **state) {
    (void)state;
#define X(symbol, name) CW_##symbol,
    const cw_status all[] = {CW_STATUSES(X)};
#undef X
    for (size_t i = 0; i < CW_COUNT(all); i++)
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(all[i], all[j]);
            assert_string_not_equal(cw_status_name(all[i]), cw_status_name(all[j]));
        }
    cw_error err;
    assert_int_equal(cw_fail(&err, CW_FORMAT, "%s:%d", "file", 7), CW_FORMAT);
    assert_string_equal(err.message, "file:7");
    assert_int_equal(cw_fail(NULL, CW_IO, "x"), CW_IO);
    errno = ENOMEM;
    assert_int_equal(cw_fail_errno(&err, "f", "w"), CW_NO_MEMORY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base__doubles_survive_text),
        cmocka_unit_test(test_base__decimals_are_what_strtod_says),
        cmocka_unit_test(test_base__doubles_ignore_the_locale),
        cmocka_unit_test(test_base__doubles_look_like_doubles),
        cmocka_unit_test(test_base__rounded_numbers_are_short),
        cmocka_unit_test(test_base__parse_refuses_what_is_not_a_number),
        cmocka_unit_test(test_base__rng_is_xoshiro),
        cmocka_unit_test(test_base__rng_is_fair),
        cmocka_unit_test(test_base__grow_keeps_what_is_there),
        cmocka_unit_test(test_base__buffer_failure_sticks),
        cmocka_unit_test(test_base__files_are_written_whole_or_not_at_all),
        cmocka_unit_test(test_base__a_replaced_file_keeps_its_mode_and_its_links),
        cmocka_unit_test(test_base__statuses_have_distinct_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
