/* import_fixture.h: files and complaints for tests of imports. */
#ifndef CW_TEST_IMPORT_FIXTURE_H
#define CW_TEST_IMPORT_FIXTURE_H
#include "fixture_store.h"
#include "../../include/convwise/import.h"

/* Complaints as text: "LINE: what\n" each. */
typedef struct complaints {
    char text[4000];
    size_t length;
} complaints;

static inline void complain_into(void *arg, const char *path, int64_t line, const char *what) {
    complaints *c = arg;
    (void)path;
    int n = snprintf(c->text + c->length, sizeof c->text - c->length, "%lld: %s\n", (long long)line, what);
    if (n > 0 && c->length + (size_t)n < sizeof c->text) c->length += (size_t)n;
}

static inline void put_file(const fixture *f, const char *name, const char *text, char path[160]) {
    snprintf(path, 160, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* Imports a text as a file of this name into the fixture's store. */
static inline cw_status import_text(const fixture *f, const char *kind, const char *name, const char *text,
                                    const cw_import_options *options, cw_import_summary *out, cw_error *err) {
    char path[160];
    put_file(f, name, text, path);
    cw_store *store = open_at(f->path, CW_STORE_WRITE);
    cw_status status = cw_import(store, kind, path, options, out, err);
    cw_store_close(store);
    return status;
}

/* One integer that SQL says of the store. */
static inline int64_t ask(const fixture *f, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

/* Rows of all tables: what must not change where an import is refused. */
static inline int64_t all_rows(const fixture *f) {
    return ask(
        f, "SELECT (SELECT count(*) FROM machine) + (SELECT count(*) FROM run) + (SELECT count(*) FROM"
           " source) + (SELECT count(*) FROM problem) + (SELECT count(*) FROM impl) + (SELECT count(*) FROM"
           " library) + (SELECT count(*) FROM measurement) + (SELECT count(*) FROM net) + (SELECT count(*)"
           " FROM net_layer)");
}
#endif
