/* test_store_files.c: files that are no stores, damaged or read-only stores, and full disks. */
#include "fixture_store.h"
#include "../../src/store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

static const char P1[] = "ic8ih16oc8kh3ph1";

/* ---- Files that are no stores ---- */

static void put_file(const char *path, const char *data, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

/* Refused in both modes, and left as it was. */
static void refuse(const fixture *f, const char *text) {
    cw_error err;
    cw_store *store = NULL;
    char *before, *after;
    size_t size_before, size_after;
    assert_ok(cw_read_file(f->path, 1 << 20, &before, &size_before, &err), err);
    assert_refused(cw_store_open(f->path, CW_STORE_READ, &store, &err), CW_FORMAT, err, text);
    assert_refused(cw_store_open(f->path, CW_STORE_WRITE, &store, &err), CW_FORMAT, err, text);
    assert_non_null(strstr(err.message, f->path));
    assert_ok(cw_read_file(f->path, 1 << 20, &after, &size_after, &err), err);
    assert_int_equal(size_before, size_after);
    assert_memory_equal(before, after, size_before);
    assert_int_equal(count_files(f->folder, false), 1);
    cw_free(before);
    cw_free(after);
    unlink(f->path);
}

static void test_store_files__refuses_files_that_are_no_stores(void **state) {
    const fixture *f = *state;
    static char zeros[8192];
    put_file(f->path, "not a database, but long enough to have a header\n", 49);
    refuse(f, "not an SQLite database");
    put_file(f->path, zeros, sizeof zeros);
    refuse(f, "not an SQLite database");
    put_file(f->path, "SQLite format 3", 16);
    refuse(f, "not an SQLite database");
    run_sql(f->path, "CREATE TABLE t (x)");
    refuse(f, "another program");
    run_sql(f->path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    refuse(f, "another program");
    make_small_store(f->path);
    run_sql(f->path, "PRAGMA user_version = 9");
    refuse(f, "newer convwise");
    make_small_store(f->path);
    run_sql(f->path, "PRAGMA user_version = 0");
    refuse(f, "damaged");
}

static void test_store_files__refuses_a_truncated_store(void **state) {
    const fixture *f = *state;
    static const off_t sizes[] = {1, 50, 99, 100, 511, 1000, 4096, 5000, 8192, 20000};
    for (size_t i = 0; i < CW_COUNT(sizes); i++) {
        cw_error err;
        cw_store *store = NULL;
        make_small_store(f->path);
        assert_int_equal(truncate(f->path, sizes[i]), 0);
        for (int mode = CW_STORE_READ; mode <= CW_STORE_WRITE; mode++)
            if (cw_store_open(f->path, (cw_open_mode)mode, &store, &err) != CW_FORMAT)
                fail_msg("cut to %ld bytes: opened in mode %d", (long)sizes[i], mode);
        unlink(f->path);
    }
}

static void test_store_files__empty_file_is_refused_by_readers_and_filled_by_writers(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store *store = NULL;
    put_file(f->path, "", 0);
    assert_refused(cw_store_open(f->path, CW_STORE_READ, &store, &err), CW_FORMAT, err,
                   "is empty, not a store");
    make_small_store(f->path);
    assert_int_equal(measurements_in(f->path), 2);
}

static void test_store_files__names_path_and_reason(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store *store = NULL;
    char inside[128];
    for (int mode = CW_STORE_READ; mode <= CW_STORE_WRITE; mode++) {
        assert_refused(cw_store_open(f->folder, (cw_open_mode)mode, &store, &err), CW_IO, err, "is a folder");
        assert_refused(cw_store_open("/dev/null", (cw_open_mode)mode, &store, &err), CW_IO, err,
                       "not a regular");
        snprintf(inside, sizeof inside, "%s/nowhere/store.db", f->folder);
        assert_refused(cw_store_open(inside, (cw_open_mode)mode, &store, &err), CW_IO, err, "No such file");
        assert_non_null(strstr(err.message, inside));
    }
    assert_refused(cw_store_open(f->path, CW_STORE_READ, &store, &err), CW_IO, err, "No such file");
    assert_int_equal(count_files(f->folder, false), 0);
    /* SQLite would take these for a store that ends with the session. */
    assert_refused(cw_store_open("", CW_STORE_WRITE, &store, &err), CW_INVALID, err, "empty");
    assert_refused(cw_store_open("", CW_STORE_READ, &store, &err), CW_INVALID, err, "empty");
}

static void test_store_files__path_may_have_any_character(void **state) {
    const fixture *f = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/50%% #1?mode=memory&x.db", f->folder);
    make_small_store(path);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(measurements_in(path), 2);
    assert_int_equal(count_files(f->folder, false), 1);
}

/* ---- Rows that convwise would not have written ---- */

static void test_store_files__rejects_damaged_rows_by_table_and_row(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *sql, *text;
    } cases[] = {
        {"UPDATE problem SET ic = 0", "table problem, row 1"},
        {"UPDATE problem SET ic = 9223372036854775807", "table problem, row 1"},
        {"UPDATE problem SET prec = 7", "table problem, row 1"},
        {"UPDATE problem SET text = 'mb1'", "table problem, row 1"},
        {"UPDATE measurement SET state = 'great' , time_ns = NULL WHERE id = 2", "table measurement, row 2"},
        {"UPDATE measurement SET problem = 99 WHERE id = 2; DELETE FROM measurement WHERE id = 1", NULL},
        {"UPDATE measurement SET impl = 99 WHERE id = 2", "table measurement, row 2"},
        {"UPDATE measurement SET run = 99 WHERE id = 2", "table measurement, row 2"},
        {"UPDATE measurement SET prepare_ns = -1 WHERE id = 2", "table measurement, row 2"},
        {"UPDATE measurement SET detail = hex(zeroblob(900)) WHERE id = 2", "table measurement, row 2"},
        {"UPDATE impl SET family = 'magic' WHERE name = 'own.b'", "table measurement, row 2"},
        {"UPDATE impl SET name = 'x' || char(27) || '[2J' WHERE name = 'own.b'", "table measurement, row 2"},
        {"UPDATE impl SET name = hex(zeroblob(90)) WHERE name = 'own.b'", "table measurement, row 2"},
        {"UPDATE library SET version = ''", "table measurement"},
        {"UPDATE net_layer SET kh = 99", "table net_layer, row 1"},
        {"UPDATE net_layer SET name = hex(zeroblob(90))", "table net_layer, row 1"},
        {"UPDATE net_layer SET precs = 32", "table net_layer, row 1"},
        {"UPDATE net SET name = ''", "table net, row 1"},
        {"UPDATE measurement SET net = '', position = 1 WHERE id = 2", "table measurement, row 2"},
        {"UPDATE measurement SET net = 'net', position = 0 WHERE id = 2", "table measurement, row 2"},
        {"DROP TABLE net_layer", "not the tables of a store"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_error err = {0};
        cw_layer layer = {.name = "first", .problem = problem(P1)};
        cw_net net = {"net", &layer, 1};
        int count = 0;
        make_small_store(f->path);
        cw_store *store = open_at(f->path, CW_STORE_WRITE);
        assert_ok(cw_store_add_net(store, &net, &err), err);
        cw_store_close(store);
        run_sql(f->path, cases[i].sql);
        store = open_at(f->path, CW_STORE_READ);
        cw_status status = cw_store_each(store, NULL, count_row, &count, &err);
        if (status == CW_OK) status = cw_store_each_net(store, ignore_net, NULL, &err);
        if (status == CW_OK && !cases[i].text)
            status = cw_store_save(store, CW_EXPORT_CSV, "/dev/null", &err);
        if (status != CW_FORMAT || !strstr(err.message, cases[i].text ? cases[i].text : "table problem"))
            fail_msg("%s: %s: %s", cases[i].sql, cw_status_name(status), err.message);
        cw_store_close(store);
        unlink(f->path);
    }
}

/* Reads everything there is, as commands do. What arrives must be what a store may hold. */
static cw_status check_row(void *arg, const cw_measurement *m) {
    cw_error err;
    assert_ok(cw_store_check(m, &err), err);
    assert_true(strlen(m->detail) <= CW_STORE_DETAIL_MAX);
    return count_row(arg, m);
}

static cw_status ignore_machine(void *arg, const cw_machine *m, int64_t problems, int64_t measurements) {
    (void)arg, (void)m, (void)problems, (void)measurements;
    return CW_OK;
}

static cw_status read_all(cw_store *store, cw_error *err) {
    int count = 0;
    cw_store_info info;
    cw_status status = cw_store_info_get(store, &info, err);
    if (status == CW_OK) status = cw_store_each(store, NULL, check_row, &count, err);
    if (status == CW_OK) status = cw_store_each_net(store, ignore_net, NULL, err);
    if (status == CW_OK) status = cw_store_each_machine(store, ignore_machine, NULL, err);
    if (status == CW_OK) status = cw_store_save(store, CW_EXPORT_CSV, "/dev/null", err);
    return status;
}

static void test_store_files__survives_any_flipped_byte(void **state) {
    const fixture *f = *state;
    cw_layer layer = {.name = "first", .problem = problem(P1)};
    cw_net net = {"net", &layer, 1};
    cw_error err = {0};
    char *whole;
    size_t size;
    make_small_store(f->path);
    cw_store *store = open_at(f->path, CW_STORE_WRITE);
    assert_ok(cw_store_add_net(store, &net, &err), err);
    cw_store_close(store);
    assert_ok(cw_read_file(f->path, 1 << 20, &whole, &size, &err), err);
    size_t used = 0, places[1 << 15];
    for (size_t i = 0; i < size && used < CW_COUNT(places); i++)
        if (whole[i]) places[used++] = i; /* most of a small store is zeros that nobody reads */
    cw_rng rng = cw_rng_seed(11);
    int refused = 0;
    for (int round = 0; round < 300; round++) {
        size_t place = cw_rng_below(&rng, 4) ? places[cw_rng_below(&rng, used)] : cw_rng_below(&rng, size);
        char flipped = (char)(1 + cw_rng_below(&rng, 255));
        whole[place] = (char)(whole[place] ^ flipped);
        put_file(f->path, whole, size);
        whole[place] = (char)(whole[place] ^ flipped);
        for (int mode = CW_STORE_READ; mode <= CW_STORE_WRITE; mode++) {
            cw_measurement m = measured(P1, "own.c", 80);
            cw_machine here = machine("m2");
            store = NULL;
            err.message[0] = '\0';
            cw_status status = cw_store_open(f->path, (cw_open_mode)mode, &store, &err);
            if (status == CW_OK) status = read_all(store, &err);
            if (status == CW_OK && mode == CW_STORE_WRITE)
                status = cw_store_begin_run(store, &here, NULL, 1, &err);
            if (status == CW_OK && mode == CW_STORE_WRITE) status = cw_store_add(store, &m, &err);
            cw_store_close(store);
            refused += status != CW_OK;
            if (status != CW_OK && (!err.message[0] || strchr(err.message, '\n')))
                fail_msg("byte %zu: %s: \"%s\"", place, cw_status_name(status), err.message);
        }
        count_files(f->folder, true);
    }
    cw_free(whole);
    assert_true(refused > 100);
}

/* Runs check in a process that root's rights do not help; its exit code. */
static int as_nobody(const fixture *f, int (*check)(const fixture *f)) {
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
        _exit(check(f));
    }
    return child_of(pid);
}

static int check_read_only(const fixture *f) {
    cw_error err = {0};
    cw_store *store = NULL;
    int count = 0;
    if (cw_store_open(f->path, CW_STORE_WRITE, &store, &err) != CW_IO) return 1;
    if (!strstr(err.message, f->path) || !strstr(err.message, "Permission denied")) return 2;
    if (cw_store_open(f->path, CW_STORE_READ, &store, &err) != CW_OK) return 3;
    if (cw_store_each(store, NULL, count_row, &count, &err) != CW_OK || count != 2) return 4;
    cw_store_close(store);
    return 0;
}

static int check_read_only_file(const fixture *f) {
    cw_error err = {0};
    cw_store *store = NULL;
    if (cw_store_open(f->path, CW_STORE_WRITE, &store, &err) != CW_IO) return 1;
    return strstr(err.message, "read-only") ? 0 : 2;
}

static void test_store_files__read_only_stores_are_readable(void **state) {
    const fixture *f = *state;
    make_small_store(f->path);
    assert_int_equal(chmod(f->path, 0444), 0);
    assert_int_equal(chmod(f->folder, 0777), 0);
    assert_int_equal(as_nobody(f, check_read_only_file), 0);
    assert_int_equal(chmod(f->folder, 0555), 0);
    assert_int_equal(as_nobody(f, check_read_only), 0);
    /* In log mode with no log, as a copy of a killed writer's file may be. */
    assert_int_equal(chmod(f->path, 0644) | chmod(f->folder, 0755), 0);
    run_sql(f->path, "PRAGMA journal_mode = WAL");
    assert_int_equal(count_files(f->folder, false), 1);
    assert_int_equal(chmod(f->path, 0444) | chmod(f->folder, 0555), 0);
    assert_int_equal(as_nobody(f, check_read_only), 0);
    chmod(f->folder, 0755);
}

/* ---- Full disk ---- */

/* Adds until it fails; how many were stored. */
static int add_until_full(cw_store *store, cw_error *err) {
    for (int i = 0; i < 100000; i++) {
        char text[64];
        snprintf(text, sizeof text, "ic%dih8oc4kh1", i + 1);
        cw_measurement m = measured(text, "own.a", 100);
        cw_status status = cw_store_add(store, &m, err);
        if (status == CW_OK) continue;
        assert_int_equal(status, CW_IO);
        return i;
    }
    fail_msg("never full");
    return 0;
}

static void test_store_files__page_limit_reads_as_full_disk(void **state) {
    const fixture *f = *state;
    cw_error err = {0};
    cw_store *store = open_writer_at(f->path);
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count = 40", NULL, NULL, NULL), SQLITE_OK);
    int stored = add_until_full(store, &err);
    assert_non_null(strstr(err.message, "disk full"));
    assert_non_null(strstr(err.message, f->path));
    assert_true(stored > 10);
    assert_int_equal(rows_of(store, NULL), stored);
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count = 4000", NULL, NULL, NULL), SQLITE_OK);
    cw_measurement m = measured(P1, "own.b", 1);
    add(store, &m); /* goes on where there is room again */
    cw_store_close(store);
    assert_int_equal(measurements_in(f->path), stored + 1);
}

static void test_store_files__full_disk_keeps_what_was_stored(void **state) {
    const fixture *f = *state;
    cw_error err = {0};
    char path[128];
    if (mount("tmpfs", f->folder, "tmpfs", 0, "size=512k") != 0) {
        print_message("SKIP full disk: cannot mount a small tmpfs: %s\n", strerror(errno));
        skip();
    }
    snprintf(path, sizeof path, "%s/full.db", f->folder);
    cw_store *store = open_writer_at(path);
    int stored = add_until_full(store, &err);
    cw_store_close(store);
    int64_t kept = measurements_in(path);
    bool told = strstr(err.message, "disk full") != NULL;
    umount(f->folder);
    if (!told) fail_msg("%s", err.message);
    assert_true(stored > 10);
    assert_int_equal(kept, stored);
}

/* A store of schema 1, made from a current one by taking away what later schemas added. */
static void test_store_files__older_stores_are_brought_up_to_date(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store *store = open_writer_at(f->path);
    cw_measurement m = measured(P1, "own.a", 100);
    add(store, &m);
    cw_store_close(store);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "DROP INDEX measurement_net; ALTER TABLE measurement DROP COLUMN position;"
            "ALTER TABLE measurement DROP COLUMN net; ALTER TABLE net_layer DROP COLUMN precs;"
            "DROP INDEX problem_order;"
            "ALTER TABLE problem DROP COLUMN depth; ALTER TABLE problem DROP COLUMN kd;"
            "ALTER TABLE problem DROP COLUMN sd; ALTER TABLE problem DROP COLUMN dd;"
            "ALTER TABLE problem DROP COLUMN pf; ALTER TABLE problem DROP COLUMN pk;"
            "ALTER TABLE problem DROP COLUMN cache; ALTER TABLE measurement DROP COLUMN mean_error;"
            "ALTER TABLE problem DROP COLUMN dir; ALTER TABLE run DROP COLUMN source; DROP TABLE source;"
            "CREATE UNIQUE INDEX problem_order ON problem (mb, g, ic, ih, iw, oc, kh, kw, sh, sw, dh, dw,"
            " pt, pl, pb, pr, prec, zp, layout, threads);"
            "PRAGMA user_version = 1",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    char *before, *after;
    size_t size, size_after;
    assert_ok(cw_read_file(f->path, SIZE_MAX, &before, &size, &err), err);
    store = open_at(f->path, CW_STORE_READ);
    assert_int_equal(rows_of(store, NULL), 1);
    cw_store_close(store);
    assert_ok(cw_read_file(f->path, SIZE_MAX, &after, &size_after, &err), err);
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    cw_free(before);
    cw_free(after);
    store = open_writer_at(f->path);
    m.impl = "own.b";
    add(store, &m);
    cw_store_close(store);
    store = open_at(f->path, CW_STORE_READ);
    assert_int_equal(rows_of(store, NULL), 2);
    cw_store_close(store);
}

static void test_store_files__a_store_that_cannot_be_begun_leaves_nothing(void **state) {
    const fixture *f = *state;
    cw_error err = {0};
    cw_store *store = NULL;
    char path[128];
    if (mount("tmpfs", f->folder, "tmpfs", 0, "size=8k") != 0) {
        print_message("SKIP full disk: cannot mount a small tmpfs: %s\n", strerror(errno));
        skip();
    }
    snprintf(path, sizeof path, "%s/full.db", f->folder);
    cw_status status = cw_store_open(path, CW_STORE_WRITE, &store, &err);
    int files = count_files(f->folder, true);
    umount(f->folder);
    assert_int_equal(status, CW_IO);
    assert_non_null(strstr(err.message, "disk full"));
    assert_int_equal(files, 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {
        T(test_store_files__older_stores_are_brought_up_to_date),
        T(test_store_files__refuses_files_that_are_no_stores),
        T(test_store_files__refuses_a_truncated_store),
        T(test_store_files__empty_file_is_refused_by_readers_and_filled_by_writers),
        T(test_store_files__names_path_and_reason),
        T(test_store_files__path_may_have_any_character),
        T(test_store_files__rejects_damaged_rows_by_table_and_row),
        T(test_store_files__survives_any_flipped_byte),
        T(test_store_files__read_only_stores_are_readable),
        T(test_store_files__page_limit_reads_as_full_disk),
        T(test_store_files__full_disk_keeps_what_was_stored),
        T(test_store_files__a_store_that_cannot_be_begun_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
