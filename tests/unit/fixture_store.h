/* fixture_store.h: small stores in a folder of their own, for tests. */
#ifndef CW_TEST_FIXTURE_STORE_H
#define CW_TEST_FIXTURE_STORE_H
#include "unit.h"
#include "../../include/convwise/tools.h"
#include <dirent.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct fixture {
    char folder[64], path[96];
} fixture;

static inline int count_files(const char *folder, bool remove_them) {
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        count++;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (remove_them && unlink(path) != 0) rmdir(path);
    }
    closedir(dir);
    return count;
}

static inline int fixture_make(void **state) {
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/convwise-test-XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    snprintf(f->path, sizeof f->path, "%s/store.db", f->folder);
    *state = f;
    return 0;
}

static inline int fixture_remove(void **state) {
    fixture *f = *state;
    cw_alloc_fail_at(0);
    count_files(f->folder, true);
    rmdir(f->folder);
    free(f);
    return 0;
}

static inline cw_problem problem(const char *text) {
    cw_problem p;
    cw_error err;
    assert_ok(cw_problem_parse(text, &p, &err), err);
    return p;
}

/* An unremarkable measurement of own.NAME; change what the test is about. */
static inline cw_measurement measured(const char *text, const char *impl, double time_ns) {
    return (cw_measurement){.problem = problem(text),
                            .impl = impl,
                            .backend = "own",
                            .version = "1.0",
                            .family = CW_FAMILY_DIRECT,
                            .candidate = true,
                            .state = CW_STATE_OK,
                            .detail = "",
                            .samples = 16,
                            .time_ns = time_ns,
                            .min_ns = time_ns,
                            .median_ns = time_ns};
}

static inline cw_machine machine(const char *fingerprint) {
    cw_machine m = {.cpu = "Test CPU, 2 GHz", .isa = "avx2", .avx2 = true, .cores = 2, .l1d = 32768};
    snprintf(m.fingerprint, sizeof m.fingerprint, "%s", fingerprint);
    return m;
}

static inline cw_store *open_at(const char *path, cw_open_mode mode) {
    cw_store *store = NULL;
    cw_error err;
    assert_ok(cw_store_open(path, mode, &store, &err), err);
    return store;
}

/* Open for writing, with a run on machine "m1" begun. */
static inline cw_store *open_writer_at(const char *path) {
    cw_error err;
    cw_store *store = open_at(path, CW_STORE_WRITE);
    cw_machine m = machine("m1");
    assert_ok(cw_store_begin_run(store, &m, "{\"load\": 0.5}", 1, &err), err);
    return store;
}

static inline void add(cw_store *store, const cw_measurement *m) {
    cw_error err;
    assert_ok(cw_store_add(store, m, &err), err);
}

static inline cw_status count_row(void *arg, const cw_measurement *m) {
    (void)m;
    ++*(int *)arg;
    return CW_OK;
}
/* Runs SQL on a store from outside, as some other program would. */
static inline void run_sql(const char *path, const char *sql) {
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static inline int rows_of(cw_store *store, const char *fingerprint) {
    cw_error err;
    int count = 0;
    assert_ok(cw_store_each(store, fingerprint, count_row, &count, &err), err);
    return count;
}

static inline int64_t measurements_in(const char *path) {
    cw_error err;
    cw_store_info info;
    cw_store *store = open_at(path, CW_STORE_READ);
    assert_ok(cw_store_info_get(store, &info, &err), err);
    cw_store_close(store);
    return info.measurements;
}

static inline void make_small_store(const char *path) {
    cw_store *store = open_writer_at(path);
    cw_measurement a = measured("ic8ih16oc8kh3ph1", "own.a", 100),
                   b = measured("ic8ih16oc8kh3ph1", "own.b", 90);
    add(store, &a);
    add(store, &b);
    cw_store_close(store);
}

static inline int child_of(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline cw_status ignore_net(void *arg, const cw_net *net) {
    (void)arg;
    (void)net;
    return CW_OK;
}

#endif
