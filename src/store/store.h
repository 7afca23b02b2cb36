/* store.h: inside view of the store. SQL stays in this folder; the rest of convwise sees <convwise/tools.h>
 * section 3. The schema is documented in docs/formats.md. */
#ifndef CW_STORE_H
#define CW_STORE_H

#include "../base/base.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"
#include <sqlite3.h>

enum {
    CW_STORE_APPLICATION = 0x43577374, /* "CWst": tells a store from other SQLite files */
    CW_STORE_SCHEMA = 4,               /* newest version that this code reads and writes */
    CW_STORE_NAME_MAX = 127,           /* bytes of an implementation, backend or network name */
    CW_STORE_VERSION_MAX = 63,
    CW_STORE_DETAIL_MAX = 500,
};

/* Columns of a problem in the order of CW_PROBLEM_FIELDS. A layer has the same but precision and threads. */
#define CW_STORE_SHAPE  "mb, g, ic, ih, iw, oc, kh, kw, sh, sw, dh, dw, pt, pl, pb, pr"
#define CW_STORE_FIELDS CW_STORE_SHAPE ", prec, zp, layout, threads, depth, kd, sd, dd, pf, pk, dir, cache"
enum { CW_STORE_FIELD_COUNT = 28 };

/* Statements of adding and resuming, prepared once a store. SQL in store_write.c. */
typedef enum cw_store_query {
    CW_QUERY_BEGIN,
    CW_QUERY_BEGIN_READ,
    CW_QUERY_COMMIT,
    CW_QUERY_ROLLBACK,
    CW_QUERY_ADD_MACHINE,
    CW_QUERY_FIND_MACHINE,
    CW_QUERY_ADD_SOURCE,
    CW_QUERY_FIND_SOURCE,
    CW_QUERY_END_SOURCE,
    CW_QUERY_ADD_RUN,
    CW_QUERY_FIND_RUN,
    CW_QUERY_ADD_LIBRARY,
    CW_QUERY_FIND_LIBRARY,
    CW_QUERY_ADD_IMPL,
    CW_QUERY_FIND_IMPL,
    CW_QUERY_ADD_PROBLEM,
    CW_QUERY_FIND_PROBLEM,
    CW_QUERY_ADD_MEASUREMENT,
    CW_QUERY_FIND_MEASUREMENT,
    CW_QUERY_FIND_TIME,
    CW_QUERY_DROP_LAYERS,
    CW_QUERY_ADD_NET,
    CW_QUERY_FIND_NET,
    CW_QUERY_ADD_LAYER,
    CW_QUERY_DONE,
    CW_QUERY_COUNT
} cw_store_query;

struct cw_store {
    sqlite3 *db;
    char *path;
    bool writable, logged; /* logged: this connection turned the write-ahead log on */
    char *lock_path;       /* beside the store while it is open for writing */
    int lock;              /* -1 = not held */
    int64_t run;           /* that measurements belong to, 0 = none begun */
    bool made;             /* the file was not there before this opening */
    bool refused;          /* an import into it was refused */
    sqlite3_stmt *statements[CW_QUERY_COUNT];
};

/* The status and message for the connection's last error; what was being done, e.g. "cannot add". */
cw_status cw_store_fail(cw_store *store, const char *what, cw_error *err);
/* CW_FORMAT: a row that this code would not have written. */
cw_status cw_store_bad_row(cw_store *store, const char *table, int64_t rowid, const char *why, cw_error *err);

/* Reads application_id and user_version and brings the schema up to date where the store is writable. */
cw_status cw_store_check_schema(cw_store *store, cw_error *err);
/* From now on the store is a copy in memory, and its file is left alone. */
cw_status cw_store_into_memory(cw_store *store, cw_error *err);
/* One integer of a statement's first row, 0 where there is no row. */
cw_status cw_store_int(cw_store *store, const char *sql, int64_t *out, cw_error *err);

/* Transactions: end commits where status is CW_OK, else rolls back; returns the status that results. */
cw_status cw_store_begin(cw_store *store, cw_error *err);
/* All that is read until the store is closed is of one moment. */
cw_status cw_store_begin_read(cw_store *store, cw_error *err);
cw_status cw_store_end(cw_store *store, cw_status status, cw_error *err);

/* What others measured, as stored (table source). The text is borrowed. */
typedef struct cw_source {
    const char *kind, *name;
    int64_t kept; /* 0 = all that was measured */
    const char *scope, *summary;
} cw_source;
/* Inside a transaction. Id of the source of that kind and name, which is added where it is missing. */
cw_status cw_store_put_source(cw_store *store, const cw_source *source, int64_t *id, bool *added,
                              cw_error *err);
/* Inside a transaction: what is known once all of it is read. */
cw_status cw_store_end_source(cw_store *store, int64_t id, int64_t kept, const char *scope,
                              const char *summary, cw_error *err);

/* A run as stored. The text is borrowed. */
typedef struct cw_run {
    cw_machine machine;
    const char *uid; /* NULL: a new one */
    int64_t started; /* seconds since 1970, 0 = now */
    const char *tool;
    int64_t protocol, threads;
    const char *conditions;
    int64_t source_id;       /* of this store; 0 = measured by convwise, or see source */
    const cw_source *source; /* what cw_store_each_run reads; NULL = measured by convwise */
} cw_run;
/* Inside a transaction. Id of the run of that uid, which is added where it is missing. */
cw_status cw_store_put_run(cw_store *store, const cw_run *run, int64_t *id, cw_error *err);
/* What cw_store_add demands of a measurement. */
cw_status cw_store_check(const cw_measurement *m, cw_error *err);
/* Inside a transaction: ids of what a measurement refers to, added where missing. */
cw_status cw_store_put_problem(cw_store *store, const cw_problem *p, int64_t *id, cw_error *err);
cw_status cw_store_put_impl(cw_store *store, const cw_measurement *m, int64_t *impl, int64_t *library,
                            cw_error *err);
typedef struct cw_row_keys {
    int64_t run, problem, impl, library;
    int64_t created; /* milliseconds since 1970, 0 = now */
} cw_row_keys;
/* Inside a transaction. m has passed cw_store_check and belongs to the keys. */
cw_status cw_store_put_row(cw_store *store, const cw_row_keys *keys, const cw_measurement *m, cw_error *err);
/* The newest time (NaN = none) and workspace of a problem and implementation in a run; found = there is one.
 */
cw_status cw_store_find_time(cw_store *store, const cw_row_keys *keys, bool *found, double *ns,
                             double *workspace, cw_error *err);
/* Inside a transaction, all of these at once. created: milliseconds since 1970, 0 = now, else the same
 * measurement is not added twice. */
cw_status cw_store_put(cw_store *store, int64_t run, int64_t created, const cw_measurement *m, bool *added,
                       cw_error *err);
cw_status cw_store_put_net(cw_store *store, const cw_net *net, cw_error *err);
bool cw_store_has_net(cw_store *store, const char *name);

/* One measurement as stored, valid during the visit. */
typedef struct cw_stored {
    int64_t run, created; /* run: its rowid; created: milliseconds since 1970 */
    const char *fingerprint;
    cw_measurement m;
} cw_stored;
typedef cw_status cw_stored_visit(void *arg, const cw_stored *row);
typedef enum cw_walk {
    CW_WALK_ALL,     /* in the order of storing */
    CW_WALK_SETTLED, /* what counts of each (problem, implementation): see cw_store_each; by problem */
    CW_WALK_NETS,    /* what was measured in a network, by network, precision, position and age; of a network
                        and precision on a machine only the newest run's */
} cw_walk;
cw_status cw_store_walk(cw_store *store, const char *fingerprint, cw_walk which, cw_stored_visit *visit,
                        void *arg, cw_error *err);
typedef cw_status cw_run_visit(void *arg, int64_t id, const cw_run *run);
cw_status cw_store_each_run(cw_store *store, cw_run_visit *visit, void *arg, cw_error *err);

/* 1 to most bytes of names' letters (see cw_store_add); printable: any of ASCII from space to tilde. */
bool cw_store_name_ok(const char *text, size_t most);
bool cw_store_printable(const char *text, size_t most);
/* The state of that name; false = none that is ever stored. */
bool cw_state_parse(const char *name, cw_state *out);
static inline bool cw_state_timed(cw_state state) {
    return state == CW_STATE_OK || state == CW_STATE_CUT_OFF;
}

#endif
