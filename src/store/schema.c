/* schema.c: the tables of a store and how an older store becomes a current one. Columns are explained in
 * docs/formats.md. */
#include "store.h"

/* One row a version, oldest first; applied in one transaction. Rows are never edited: a change is a new row.
 */
static const struct {
    int version;
    const char *sql;
} migrations[] = {
    {1, "CREATE TABLE machine ("
        " id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, cpu TEXT NOT NULL, isa TEXT NOT NULL,"
        " avx2 INTEGER NOT NULL, avx512 INTEGER NOT NULL, vnni INTEGER NOT NULL, bf16 INTEGER NOT NULL,"
        " cores INTEGER NOT NULL, l1d INTEGER NOT NULL, l2 INTEGER NOT NULL, l3 INTEGER NOT NULL) STRICT;"
        "CREATE TABLE run ("
        " id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, machine INTEGER NOT NULL REFERENCES machine,"
        " started INTEGER NOT NULL, tool TEXT NOT NULL, protocol INTEGER NOT NULL, threads INTEGER NOT NULL,"
        " conditions TEXT NOT NULL) STRICT;"
        "CREATE TABLE library ("
        " id INTEGER PRIMARY KEY, backend TEXT NOT NULL, version TEXT NOT NULL, UNIQUE (backend, version))"
        " STRICT;"
        "CREATE TABLE impl ("
        " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, family TEXT NOT NULL,"
        " candidate INTEGER NOT NULL) STRICT;"
        "CREATE TABLE problem ("
        " id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, mb INTEGER NOT NULL, g INTEGER NOT NULL,"
        " ic INTEGER NOT NULL, ih INTEGER NOT NULL, iw INTEGER NOT NULL, oc INTEGER NOT NULL,"
        " kh INTEGER NOT NULL, kw INTEGER NOT NULL, sh INTEGER NOT NULL, sw INTEGER NOT NULL,"
        " dh INTEGER NOT NULL, dw INTEGER NOT NULL, pt INTEGER NOT NULL, pl INTEGER NOT NULL,"
        " pb INTEGER NOT NULL, pr INTEGER NOT NULL, prec INTEGER NOT NULL, zp INTEGER NOT NULL,"
        " layout INTEGER NOT NULL, threads INTEGER NOT NULL) STRICT;"
        "CREATE UNIQUE INDEX problem_order ON problem (" CW_STORE_SHAPE ", prec, zp, layout, threads);"
        "CREATE TABLE measurement ("
        " id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run,"
        " problem INTEGER NOT NULL REFERENCES problem, impl INTEGER NOT NULL REFERENCES impl,"
        " library INTEGER NOT NULL REFERENCES library, created INTEGER NOT NULL, state TEXT NOT NULL,"
        " detail TEXT NOT NULL, library_choice INTEGER NOT NULL, samples INTEGER NOT NULL, time_ns REAL,"
        " min_ns REAL, median_ns REAL, mad_ns REAL, prepare_ns REAL NOT NULL, src_reorder_ns REAL NOT NULL,"
        " dst_reorder_ns REAL NOT NULL, workspace_bytes REAL NOT NULL, error REAL,"
        " pass1_ns REAL NOT NULL, pass2_ns REAL NOT NULL, pass3_ns REAL NOT NULL, pass4_ns REAL NOT NULL,"
        " pass5_ns REAL NOT NULL, pass6_ns REAL NOT NULL, pass7_ns REAL NOT NULL, pass8_ns REAL NOT NULL,"
        " CHECK ((state IN ('ok', 'cut off')) = (time_ns IS NOT NULL)), CHECK (time_ns > 0)) STRICT;"
        "CREATE INDEX measurement_newest ON measurement (problem, impl, created);"
        "CREATE INDEX measurement_run ON measurement (run);"
        "CREATE TABLE net (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
        "CREATE TABLE net_layer ("
        " id INTEGER PRIMARY KEY, net INTEGER NOT NULL REFERENCES net, position INTEGER NOT NULL,"
        " name TEXT NOT NULL, mb INTEGER NOT NULL, g INTEGER NOT NULL,"
        " ic INTEGER NOT NULL, ih INTEGER NOT NULL, iw INTEGER NOT NULL, oc INTEGER NOT NULL,"
        " kh INTEGER NOT NULL, kw INTEGER NOT NULL, sh INTEGER NOT NULL, sw INTEGER NOT NULL,"
        " dh INTEGER NOT NULL, dw INTEGER NOT NULL, pt INTEGER NOT NULL, pl INTEGER NOT NULL,"
        " pb INTEGER NOT NULL, pr INTEGER NOT NULL, zp INTEGER NOT NULL, layout INTEGER NOT NULL,"
        " UNIQUE (net, position)) STRICT;"
        "CREATE VIEW latest AS"
        " SELECT machine.fingerprint, machine.cpu, problem.text AS problem, impl.name AS impl, impl.family,"
        "  library.backend, library.version, m.state, m.detail, m.time_ns, m.mad_ns, m.src_reorder_ns,"
        "  m.dst_reorder_ns, m.workspace_bytes, m.error, m.library_choice, impl.candidate, m.samples,"
        "  datetime(m.created / 1000, 'unixepoch') AS created"
        " FROM measurement m JOIN run ON run.id = m.run JOIN machine ON machine.id = run.machine"
        "  JOIN problem ON problem.id = m.problem JOIN impl ON impl.id = m.impl"
        "  JOIN library ON library.id = m.library"
        " WHERE NOT EXISTS (SELECT 1 FROM measurement n JOIN run nr ON nr.id = n.run"
        "  WHERE n.problem = m.problem AND n.impl = m.impl AND nr.machine = run.machine"
        "  AND (n.created, n.id) > (m.created, m.id));"
        "CREATE VIEW fastest AS"
        " SELECT fingerprint, cpu, problem, impl, family,"
        "  min(time_ns + src_reorder_ns + dst_reorder_ns) AS time_ns"
        " FROM latest WHERE candidate AND time_ns IS NOT NULL GROUP BY fingerprint, problem;"},
    {2, "ALTER TABLE problem ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE problem ADD COLUMN kd INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE problem ADD COLUMN sd INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE problem ADD COLUMN dd INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE problem ADD COLUMN pf INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE problem ADD COLUMN pk INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE problem ADD COLUMN dir INTEGER NOT NULL DEFAULT 0;"
        "DROP INDEX problem_order;"
        "CREATE UNIQUE INDEX problem_order ON problem (" CW_STORE_SHAPE ", prec, zp, layout, threads, depth,"
        " kd, sd, dd, pf, pk, dir);"
        /* What others measured. kept: at most so many implementations are recorded of a problem, NULL = all
         * that were measured; scope: of which ('problem', or 'family': each algorithm family's best). */
        "CREATE TABLE source ("
        " id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, kept INTEGER,"
        " scope TEXT NOT NULL, summary TEXT NOT NULL, UNIQUE (kind, name)) STRICT;"
        "ALTER TABLE run ADD COLUMN source INTEGER REFERENCES source;"},
    /* Times that were taken in a network keep which and where; a network may have other layers in another
     * precision. The view showed what an import does not know in place of what was known before. */
    {3, "ALTER TABLE measurement ADD COLUMN net TEXT;"
        "ALTER TABLE measurement ADD COLUMN position INTEGER CHECK ((position IS NULL) = (net IS NULL));"
        "CREATE INDEX measurement_net ON measurement (net) WHERE net IS NOT NULL;"
        "ALTER TABLE net_layer ADD COLUMN precs INTEGER NOT NULL DEFAULT 0;"
        "DROP VIEW latest;"
        "CREATE VIEW latest AS"
        " SELECT machine.fingerprint, machine.cpu, problem.text AS problem, impl.name AS impl, impl.family,"
        "  library.backend, library.version, m.state, m.detail, m.time_ns, m.mad_ns, m.src_reorder_ns,"
        "  m.dst_reorder_ns, m.workspace_bytes, m.error, m.library_choice, impl.candidate, m.samples,"
        "  datetime(m.created / 1000, 'unixepoch') AS created"
        " FROM measurement m JOIN run ON run.id = m.run JOIN machine ON machine.id = run.machine"
        "  JOIN problem ON problem.id = m.problem JOIN impl ON impl.id = m.impl"
        "  JOIN library ON library.id = m.library"
        " WHERE NOT EXISTS (SELECT 1 FROM measurement n JOIN run nr ON nr.id = n.run"
        "  WHERE n.problem = m.problem AND n.impl = m.impl AND nr.machine = run.machine"
        "  AND (n.state NOT IN ('label', 'absent'), n.created, n.id)"
        "   > (m.state NOT IN ('label', 'absent'), m.created, m.id));"},
    /* Caches are a condition of a problem; errors have a mean beside the largest. */
    {4, "ALTER TABLE problem ADD COLUMN cache INTEGER NOT NULL DEFAULT 0;"
        "DROP INDEX problem_order;"
        "CREATE UNIQUE INDEX problem_order ON problem (" CW_STORE_FIELDS ");"
        "ALTER TABLE measurement ADD COLUMN mean_error REAL;"},
};

cw_status cw_store_int(cw_store *store, const char *sql, int64_t *out, cw_error *err) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    cw_status status = CW_OK;
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else if (code == SQLITE_DONE)
        *out = 0;
    else
        status = cw_store_fail(store, "cannot read", err);
    sqlite3_finalize(statement);
    return status;
}

static cw_status migrate(cw_store *store, int from, cw_error *err) {
    cw_status status = cw_store_begin(store, err);
    if (status != CW_OK) return status;
    char pragmas[96];
    sqlite3_snprintf(sizeof pragmas, pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                     CW_STORE_APPLICATION, CW_STORE_SCHEMA);
    for (size_t i = 0; i < CW_COUNT(migrations) && status == CW_OK; i++)
        if (migrations[i].version > from &&
            sqlite3_exec(store->db, migrations[i].sql, NULL, NULL, NULL) != SQLITE_OK)
            status = cw_store_fail(store, "cannot create its tables", err);
    if (status == CW_OK && sqlite3_exec(store->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        status = cw_store_fail(store, "cannot create its tables", err);
    return cw_store_end(store, status, err);
}

cw_status cw_store_check_schema(cw_store *store, cw_error *err) {
    int64_t application = 0, version = 0, tables = 0;
    cw_status status = cw_store_int(store, "PRAGMA application_id", &application, err);
    if (status == CW_OK) status = cw_store_int(store, "PRAGMA user_version", &version, err);
    if (status == CW_OK) status = cw_store_int(store, "SELECT count(*) FROM sqlite_master", &tables, err);
    if (status != CW_OK) return status;
    bool fresh = application == 0 && version == 0 && tables == 0;
    if (fresh && !store->writable)
        return cw_fail(err, CW_FORMAT, "%.150s: is empty, not a store", store->path);
    if (!fresh && application != CW_STORE_APPLICATION)
        return cw_fail(err, CW_FORMAT,
                       "%.120s: is an SQLite database of another program, not a store of convwise",
                       store->path);
    if (!fresh && version < 1)
        return cw_fail(err, CW_FORMAT, "%.150s: has no schema version: it is damaged", store->path);
    if (version > CW_STORE_SCHEMA)
        return cw_fail(
            err, CW_FORMAT,
            "%.100s: was written by a newer convwise (schema %lld, this one knows %d): update convwise",
            store->path, (long long)version, CW_STORE_SCHEMA);
    /* A reader does not write: it brings a copy up to date. */
    if (version < CW_STORE_SCHEMA && !store->writable) status = cw_store_into_memory(store, err);
    if (status != CW_OK) return status;
    return version < CW_STORE_SCHEMA ? migrate(store, (int)version, err) : CW_OK;
}
