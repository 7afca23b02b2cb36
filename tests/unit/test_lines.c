/* test_lines.c: the same lines come out whatever ends them, however they are packed, and wherever buffers
 * end; what is not text is refused with its line. */
#include "unit.h"
#include "../../src/store/lines.h"
#include <bzlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/cw_lines_XXXXXX";

static void put(const char *data, size_t size) {
    cw_error err = {0};
    assert_ok(cw_write_file(path, data, size, &err), err);
}

static void put_packed(const char *data, size_t size, size_t streams, size_t cut) {
    unsigned room = (unsigned)(size + size / 50 + 1000);
    char *packed = cw_alloc(streams * room);
    size_t total = 0;
    for (size_t i = 0; i < streams; i++) {
        unsigned n = room;
        size_t from = size * i / streams, to = size * (i + 1) / streams;
        assert_int_equal(BZ2_bzBuffToBuffCompress(packed + total, &n, (char *)(uintptr_t)data + from,
                                                  (unsigned)(to - from), 9, 0, 0),
                         BZ_OK);
        total += n;
    }
    put(packed, total - cut);
    cw_free(packed);
}

/* Lines joined by "|"; the status that ended the reading. */
static cw_status join(char *out, size_t size, cw_error *err) {
    cw_lines *lines = NULL;
    char *text;
    size_t length, used = 0;
    out[0] = '\0';
    cw_status status = cw_lines_open(path, &lines, err);
    while (status == CW_OK && (status = cw_lines_next(lines, &text, &length, err)) == CW_OK && text) {
        assert_int_equal(length, strlen(text));
        used += (size_t)snprintf(out + used, size - used, "%s|", text);
        assert_true(used < size);
    }
    cw_lines_close(lines);
    return status;
}

static void test_lines__every_line_end(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *lines;
    } cases[] = {
        {"", ""},
        {"\n", "|"},
        {"a", "a|"},
        {"a\n", "a|"},
        {"a\nb", "a|b|"},
        {"a\r\nb\r\n", "a|b|"},
        {"a\rb\r", "a|b|"},
        {"a\r\n\r\nb", "a||b|"},
        {"a\n\rb", "a||b|"},
        {"a\r\rb", "a||b|"},
        {"a\rb\nc\r\n", "a|b|c|"},
        {"\r\n", "|"},
        {"\xEF\xBB\xBF"
         "a\n",
         "a|"},
        {"\xEF\xBB\xBF", ""},
        {"BZ\n", "BZ|"},
        {"BZh9 is a name\n", "BZh9 is a name|"},
    };
    char out[100];
    cw_error err = {0};
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        put(cases[i].text, strlen(cases[i].text));
        assert_ok(join(out, sizeof out, &err), err);
        assert_string_equal(out, cases[i].lines);
        for (size_t streams = 1; streams < 4; streams++) {
            put_packed(cases[i].text, strlen(cases[i].text), streams, 0);
            assert_ok(join(out, sizeof out, &err), err);
            assert_string_equal(out, cases[i].lines);
        }
    }
}

/* Lines of all lengths around the buffers' size, whose content says their number. */
static void test_lines__buffers_end_anywhere(void **unused) {
    (void)unused;
    enum { LINES = 400 };
    cw_error err = {0};
    for (int packed = 0; packed < 2; packed++) {
        cw_buf buf = {0};
        for (int i = 0; i < LINES; i++)
            cw_buf_printf(&buf, "%0*d%s", i % 8 == 0 ? (1 << 16) - 25 + i / 8 : 1 + i % 97, i,
                          i % 3 == 0   ? "\r\n"
                          : i % 3 == 1 ? "\n"
                                       : "\r");
        assert_false(buf.failed);
        if (packed)
            put_packed(buf.text, buf.length, 3, 0);
        else
            put(buf.text, buf.length);
        cw_buf_release(&buf);
        cw_lines *lines;
        char *text;
        assert_ok(cw_lines_open(path, &lines, &err), err);
        for (int i = 0; i < LINES; i++) {
            assert_ok(cw_lines_next(lines, &text, NULL, &err), err);
            assert_non_null(text);
            assert_int_equal(atoi(text + strspn(text, "0")), i);
            assert_int_equal(cw_lines_number(lines), i + 1);
        }
        assert_ok(cw_lines_next(lines, &text, NULL, &err), err);
        assert_null(text);
        cw_lines_close(lines);
    }
}

static void test_lines__what_is_not_text_is_refused(void **unused) {
    (void)unused;
    char out[4096], *text = cw_alloc(11 << 20);
    cw_error err = {0};
    put("a\nb\0c\n", 6);
    assert_refused(join(out, sizeof out, &err), CW_FORMAT, err, ":2: holds a NUL");
    memset(text, 'x', 11 << 20);
    memcpy(text, "a\nb\n", 4);
    put(text, 10 << 20);
    assert_refused(join(out, sizeof out, &err), CW_FORMAT, err, ":3: longer than 1 MiB");
    put_packed(text, 10 << 20, 1, 0);
    assert_refused(join(out, sizeof out, &err), CW_FORMAT, err, ":3: longer than 1 MiB");
    put(text + 4, CW_LINE_MAX); /* the longest that is read */
    cw_lines *lines;
    char *line;
    size_t length;
    assert_ok(cw_lines_open(path, &lines, &err), err);
    assert_ok(cw_lines_next(lines, &line, &length, &err), err);
    assert_int_equal(length, CW_LINE_MAX);
    cw_lines_close(lines);
    put(text + 4, CW_LINE_MAX + 1);
    assert_refused(join(text, 11 << 20, &err), CW_FORMAT, err, ":1: longer");
    cw_free(text);
}

static void test_lines__damaged_archives_are_refused(void **unused) {
    (void)unused;
    char out[4096], *data;
    size_t size;
    cw_error err = {0};
    for (size_t cut = 1; cut < 32; cut++) { /* the packed text has more than 36 bytes */
        put_packed("first\nsecond\n", 13, 1, cut);
        assert_refused(join(out, sizeof out, &err), CW_FORMAT, err, "cut short");
    }
    put_packed("first\nsecond\n", 13, 1, 0);
    assert_ok(cw_read_file(path, 4096, &data, &size, &err), err);
    data[size / 2] ^= 4;
    put(data, size);
    assert_refused(join(out, sizeof out, &err), CW_FORMAT, err, "damaged");
    data[size / 2] ^= 4;
    char trailing[128];
    memcpy(trailing, data, size);
    memcpy(trailing + size, "junk behind it", 14);
    put(trailing, size + 14);
    assert_refused(join(out, sizeof out, &err), CW_FORMAT, err, ":3: the compressed file is damaged");
    cw_free(data);
}

static void test_lines__folders_and_missing_files(void **unused) {
    (void)unused;
    cw_lines *lines = NULL;
    cw_error err = {0};
    assert_refused(cw_lines_open("/tmp", &lines, &err), CW_IO, err, "/tmp: is a folder");
    assert_refused(cw_lines_open("/nowhere/x", &lines, &err), CW_IO, err, "No such file");
    put("a\n", 2);
    chmod(path, 0);
    if (geteuid() == 0)
        printf("SKIP part of test_lines__folders_and_missing_files: root may read everything\n");
    else
        assert_refused(cw_lines_open(path, &lines, &err), CW_IO, err, "Permission denied");
    chmod(path, 0600);
    assert_null(lines);
}

static void test_lines__lack_of_memory(void **unused) {
    (void)unused;
    char out[100];
    cw_error err = {0};
    put("a\nb\n", 4);
    for (long n = 1; n <= 4; n++) {
        cw_alloc_fail_at(n);
        assert_int_equal(join(out, sizeof out, &err), CW_NO_MEMORY);
    }
    cw_alloc_fail_at(0);
    assert_ok(join(out, sizeof out, &err), err);
}

static int make_file(void **unused) {
    (void)unused;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_file(void **unused) {
    (void)unused;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines__every_line_end),
        cmocka_unit_test(test_lines__buffers_end_anywhere),
        cmocka_unit_test(test_lines__what_is_not_text_is_refused),
        cmocka_unit_test(test_lines__damaged_archives_are_refused),
        cmocka_unit_test(test_lines__folders_and_missing_files),
        cmocka_unit_test(test_lines__lack_of_memory),
    };
    return cmocka_run_group_tests(tests, make_file, drop_file);
}
