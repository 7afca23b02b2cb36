/* store_write.c: adding runs, measurements and networks, and asking what is there already. */
#include "store.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const sql[CW_QUERY_COUNT] = {
    [CW_QUERY_BEGIN] = "BEGIN IMMEDIATE",
    [CW_QUERY_BEGIN_READ] = "BEGIN",
    [CW_QUERY_COMMIT] = "COMMIT",
    [CW_QUERY_ROLLBACK] = "ROLLBACK",
    [CW_QUERY_ADD_MACHINE] =
        "INSERT INTO machine (fingerprint, cpu, isa, avx2, avx512, vnni, bf16, cores, l1d,"
        " l2, l3) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [CW_QUERY_FIND_MACHINE] = "SELECT id FROM machine WHERE fingerprint = ?",
    [CW_QUERY_ADD_SOURCE] = "INSERT INTO source (kind, name, kept, scope, summary) VALUES (?, ?, ?, ?, ?)"
                            " ON CONFLICT DO NOTHING",
    [CW_QUERY_FIND_SOURCE] = "SELECT id FROM source WHERE kind = ? AND name = ?",
    [CW_QUERY_END_SOURCE] = "UPDATE source SET kept = ?2, scope = ?3, summary = ?4 WHERE id = ?1",
    [CW_QUERY_ADD_RUN] =
        "INSERT INTO run (uid, machine, started, tool, protocol, threads, conditions, source) VALUES"
        " (coalesce(?, lower(hex(randomblob(16)))), ?, coalesce(?, unixepoch()), ?, ?, ?, ?, ?) RETURNING id",
    [CW_QUERY_FIND_RUN] = "SELECT id FROM run WHERE uid = ?",
    [CW_QUERY_ADD_LIBRARY] = "INSERT INTO library (backend, version) VALUES (?, ?) ON CONFLICT DO NOTHING",
    [CW_QUERY_FIND_LIBRARY] = "SELECT id FROM library WHERE backend = ? AND version = ?",
    [CW_QUERY_ADD_IMPL] = "INSERT INTO impl (name, family, candidate) VALUES (?, ?, ?) ON CONFLICT (name)"
                          " DO UPDATE SET family = excluded.family, candidate = excluded.candidate"
                          " WHERE family <> excluded.family OR candidate <> excluded.candidate",
    [CW_QUERY_FIND_IMPL] = "SELECT id FROM impl WHERE name = ?",
    [CW_QUERY_ADD_PROBLEM] =
        "INSERT INTO problem (text, " CW_STORE_FIELDS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [CW_QUERY_FIND_PROBLEM] = "SELECT id FROM problem WHERE text = ?",
    [CW_QUERY_ADD_MEASUREMENT] =
        "INSERT INTO measurement (run, problem, impl, library, created, state, detail, library_choice, "
        "samples,"
        " time_ns, min_ns, median_ns, mad_ns, prepare_ns, src_reorder_ns, dst_reorder_ns, workspace_bytes,"
        " error, pass1_ns, pass2_ns, pass3_ns, pass4_ns, pass5_ns, pass6_ns, pass7_ns, pass8_ns, net, "
        "position, mean_error)"
        " VALUES (?, ?, ?, ?, coalesce(?, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), ?, ?, "
        "?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [CW_QUERY_FIND_MEASUREMENT] = "SELECT id FROM measurement WHERE problem = ? AND impl = ? AND created = ?"
                                  " AND run = ? AND library = ?",
    [CW_QUERY_FIND_TIME] = "SELECT time_ns, workspace_bytes FROM measurement WHERE problem = ? AND impl = ?"
                           " AND run = ? ORDER BY created DESC, id DESC LIMIT 1",
    [CW_QUERY_DROP_LAYERS] = "DELETE FROM net_layer WHERE net = ?",
    [CW_QUERY_ADD_NET] = "INSERT INTO net (name) VALUES (?) ON CONFLICT DO NOTHING",
    [CW_QUERY_FIND_NET] = "SELECT id FROM net WHERE name = ?",
    [CW_QUERY_ADD_LAYER] =
        "INSERT INTO net_layer (net, position, name, " CW_STORE_SHAPE ", zp, layout, precs) VALUES"
        " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [CW_QUERY_DONE] = "SELECT impl.name, library.version, m.state, m.id, m.impl, m.library FROM problem p"
                      " CROSS JOIN measurement m ON m.problem = p.id JOIN run ON run.id = m.run"
                      " JOIN machine ON machine.id = run.machine JOIN impl ON impl.id = m.impl"
                      " JOIN library ON library.id = m.library WHERE p.text = ? AND machine.fingerprint = ?"
                      " ORDER BY m.impl, m.library, m.created DESC, m.id DESC",
};

bool cw_store_printable(const char *text, size_t most) {
    size_t length = 0;
    if (!text) return false;
    for (; text[length]; length++)
        if (length == most || text[length] < ' ' || text[length] > '~') return false;
    return length > 0;
}

static bool name_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '+' || c == '-' || c == '/' || c == '@';
}

bool cw_store_name_ok(const char *text, size_t most) {
    size_t length = 0;
    if (!text) return false;
    for (; text[length]; length++)
        if (length == most || !name_letter(text[length])) return false;
    return length > 0;
}

/* ---- Statements ---- */

/* The statement with its parameters unset, prepared at its first use; NULL = failed, see cw_store_fail. */
static sqlite3_stmt *statement(cw_store *store, cw_store_query query) {
    sqlite3_stmt **s = &store->statements[query];
    if (!*s && sqlite3_prepare_v3(store->db, sql[query], -1, SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK)
        return NULL;
    sqlite3_reset(*s);
    sqlite3_clear_bindings(*s);
    return *s;
}

static void bind_text(sqlite3_stmt *s, int at, const char *text) {
    sqlite3_bind_text(s, at, text, -1,
                      SQLITE_STATIC); /* outlives the step; bindings are cleared before reuse */
}

/* Runs a bound statement to its end; id (may be NULL) gets its first column, 0 where there is no row. */
static cw_status run(cw_store *store, sqlite3_stmt *s, int64_t *id, cw_error *err) {
    int code = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (id) *id = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    while (code == SQLITE_ROW) code = sqlite3_step(s);
    cw_status status = code == SQLITE_DONE ? CW_OK : cw_store_fail(store, "cannot write", err);
    if (s) sqlite3_reset(s);
    return status;
}

/* Adds where it is missing (`add` is bound already) and finds by key, or by key and key2. */
static cw_status add_and_find(cw_store *store, sqlite3_stmt *add, cw_store_query find, const char *key,
                              const char *key2, int64_t *id, cw_error *err) {
    cw_status status = run(store, add, NULL, err);
    if (status != CW_OK) return status;
    sqlite3_stmt *s = statement(store, find);
    bind_text(s, 1, key);
    if (key2) bind_text(s, 2, key2);
    status = run(store, s, id, err);
    if (status == CW_OK && *id == 0)
        status = cw_fail(err, CW_FORMAT, "%.90s: \"%.90s\" conflicts with a damaged row", store->path, key);
    return status;
}

cw_status cw_store_begin(cw_store *store, cw_error *err) {
    return run(store, statement(store, CW_QUERY_BEGIN), NULL, err);
}

cw_status cw_store_begin_read(cw_store *store, cw_error *err) {
    return run(store, statement(store, CW_QUERY_BEGIN_READ), NULL, err);
}

cw_status cw_store_end(cw_store *store, cw_status status, cw_error *err) {
    if (status == CW_OK) status = run(store, statement(store, CW_QUERY_COMMIT), NULL, err);
    /* SQLite has rolled back by itself after some errors. */
    if (status != CW_OK && !sqlite3_get_autocommit(store->db))
        run(store, statement(store, CW_QUERY_ROLLBACK), NULL, NULL);
    return status;
}

/* ---- Runs ---- */

cw_status cw_store_put_source(cw_store *store, const cw_source *source, int64_t *id, bool *added,
                              cw_error *err) {
    sqlite3_stmt *s = statement(store, CW_QUERY_ADD_SOURCE);
    bind_text(s, 1, source->kind);
    bind_text(s, 2, source->name);
    if (source->kept > 0) sqlite3_bind_int64(s, 3, source->kept);
    bind_text(s, 4, source->scope);
    bind_text(s, 5, source->summary);
    cw_status status = add_and_find(store, s, CW_QUERY_FIND_SOURCE, source->kind, source->name, id, err);
    if (status == CW_OK && added) *added = sqlite3_changes(store->db) > 0;
    return status;
}

cw_status cw_store_end_source(cw_store *store, int64_t id, int64_t kept, const char *scope,
                              const char *summary, cw_error *err) {
    sqlite3_stmt *s = statement(store, CW_QUERY_END_SOURCE);
    sqlite3_bind_int64(s, 1, id);
    if (kept > 0) sqlite3_bind_int64(s, 2, kept);
    bind_text(s, 3, scope);
    bind_text(s, 4, summary);
    return run(store, s, NULL, err);
}

cw_status cw_store_put_run(cw_store *store, const cw_run *r, int64_t *id, cw_error *err) {
    cw_status status;
    if (r->uid) {
        sqlite3_stmt *find = statement(store, CW_QUERY_FIND_RUN);
        bind_text(find, 1, r->uid);
        status = run(store, find, id, err);
        if (status != CW_OK || *id) return status;
    }
    int64_t machine, source = r->source_id;
    if (r->source) {
        status = cw_store_put_source(store, r->source, &source, NULL, err);
        if (status != CW_OK) return status;
    }
    const cw_machine *m = &r->machine;
    const int64_t numbers[] = {m->avx2, m->avx512, m->vnni, m->bf16, m->cores, m->l1d, m->l2, m->l3};
    sqlite3_stmt *s = statement(store, CW_QUERY_ADD_MACHINE);
    bind_text(s, 1, m->fingerprint);
    bind_text(s, 2, m->cpu);
    bind_text(s, 3, m->isa);
    for (int i = 0; i < (int)CW_COUNT(numbers); i++) sqlite3_bind_int64(s, 4 + i, numbers[i]);
    status = add_and_find(store, s, CW_QUERY_FIND_MACHINE, m->fingerprint, NULL, &machine, err);
    if (status != CW_OK) return status;
    s = statement(store, CW_QUERY_ADD_RUN);
    bind_text(s, 1, r->uid);
    sqlite3_bind_int64(s, 2, machine);
    if (r->started) sqlite3_bind_int64(s, 3, r->started);
    bind_text(s, 4, r->tool);
    sqlite3_bind_int64(s, 5, r->protocol);
    sqlite3_bind_int64(s, 6, r->threads);
    bind_text(s, 7, r->conditions);
    if (source) sqlite3_bind_int64(s, 8, source);
    return run(store, s, id, err);
}

static cw_status need_writer(cw_store *store, cw_error *err) {
    if (store->writable) return CW_OK;
    return cw_fail(err, CW_INVALID, "%.150s: is open for reading only", store->path);
}

cw_status cw_store_begin_run(cw_store *store, const cw_machine *machine, const char *conditions_json,
                             int32_t threads, cw_error *err) {
    cw_status status = need_writer(store, err);
    if (status != CW_OK) return status;
    if (!cw_store_name_ok(machine->fingerprint, sizeof machine->fingerprint - 1))
        return cw_fail(err, CW_INVALID, "the machine has no usable fingerprint");
    if (threads < 1 || threads > CW_THREADS_MAX)
        return cw_fail(err, CW_INVALID, "threads is %d: must be 1 to %d", threads, CW_THREADS_MAX);
    cw_run r = {.machine = *machine,
                .tool = "convwise " CW_VERSION,
                .protocol = CW_PROTOCOL,
                .threads = threads,
                .conditions = conditions_json ? conditions_json : "{}"};
    int64_t id = 0;
    status = cw_store_begin(store, err);
    if (status != CW_OK) return status;
    status = cw_store_end(store, cw_store_put_run(store, &r, &id, err), err);
    if (status == CW_OK) store->run = id;
    return status;
}

/* ---- Measurements ---- */

cw_status cw_store_check(const cw_measurement *m, cw_error *err) {
    if (!cw_store_name_ok(m->impl, CW_STORE_NAME_MAX) || !cw_store_name_ok(m->backend, CW_STORE_NAME_MAX))
        return cw_fail(
            err, CW_INVALID,
            "implementation \"%.60s\" of backend \"%.60s\": a name has 1 to %d letters, digits and . "
            "_ : + - / @",
            m->impl ? m->impl : "", m->backend ? m->backend : "", CW_STORE_NAME_MAX);
    if (!cw_store_printable(m->version, CW_STORE_VERSION_MAX))
        return cw_fail(err, CW_INVALID, "%s: a library version has 1 to %d printable characters", m->impl,
                       CW_STORE_VERSION_MAX);
    if ((unsigned)m->family >= CW_FAMILY_COUNT || (unsigned)m->state >= CW_STATE_NOT_MEASURED)
        return cw_fail(err, CW_INVALID, "%s: family %d or state %d cannot be stored", m->impl, (int)m->family,
                       (int)m->state);
    if (cw_state_timed(m->state) && !(isfinite(m->time_ns) && m->time_ns > 0))
        return cw_fail(err, CW_INVALID, "%s: state \"%s\" needs a time, not %g ns", m->impl,
                       cw_state_name(m->state), m->time_ns);
    const double counts[] = {m->prepare_ns, m->src_reorder_ns, m->dst_reorder_ns, m->workspace_bytes};
    for (size_t i = 0; i < CW_COUNT(counts); i++)
        if (!(isfinite(counts[i]) && counts[i] >= 0))
            return cw_fail(err, CW_INVALID, "%s: a preparation, reorder or workspace of %g cannot be stored",
                           m->impl, counts[i]);
    for (size_t i = 0; i < CW_COUNT(m->pass_ns); i++)
        if (!(isfinite(m->pass_ns[i]) && m->pass_ns[i] >= 0))
            return cw_fail(err, CW_INVALID, "%s: a pass of %g ns cannot be stored", m->impl, m->pass_ns[i]);
    if (m->net ? !cw_store_printable(m->net, sizeof((cw_net *)0)->name - 1) || m->position < 1
               : m->position != 0)
        return cw_fail(err, CW_INVALID,
                       "%s: a network's name has 1 to 63 printable characters, a position is a number from 1",
                       m->impl);
    return cw_problem_check(&m->problem, err);
}

cw_status cw_store_put_problem(cw_store *store, const cw_problem *p, int64_t *id, cw_error *err) {
    char text[CW_PROBLEM_TEXT];
    cw_problem canonical = *p;
    cw_problem_canonical(&canonical);
    cw_problem_format(&canonical, text, sizeof text);
    sqlite3_stmt *s = statement(store, CW_QUERY_ADD_PROBLEM);
    int at = 1;
    bind_text(s, at++, text);
#define X(field) sqlite3_bind_int(s, at++, canonical.field);
    CW_PROBLEM_FIELDS(X)
#undef X
    cw_status status = run(store, s, NULL, err);
    if (status == CW_OK && sqlite3_changes(store->db) > 0)
        *id = sqlite3_last_insert_rowid(store->db);
    else if (status == CW_OK) {
        s = statement(store, CW_QUERY_FIND_PROBLEM);
        bind_text(s, 1, text);
        status = run(store, s, id, err);
        if (status == CW_OK && *id == 0)
            status =
                cw_fail(err, CW_FORMAT, "%.90s: \"%.90s\" conflicts with a damaged row", store->path, text);
    }
    return status;
}

/* At most CW_STORE_DETAIL_MAX bytes of one line, cut between UTF-8 characters. */
static void clip_detail(char out[CW_STORE_DETAIL_MAX + 1], const char *detail) {
    size_t n = 0;
    for (; detail && detail[n] && n < CW_STORE_DETAIL_MAX; n++)
        out[n] = (unsigned char)detail[n] < ' ' ? ' ' : detail[n];
    if (n == CW_STORE_DETAIL_MAX)
        while (n > 0 && ((unsigned char)detail[n] & 0xC0) == 0x80) n--;
    out[n] = '\0';
}

static void bind_measurement(sqlite3_stmt *s, int at, const cw_measurement *m, const char *detail) {
    bool timed = cw_state_timed(m->state);
    const double times[] = {m->time_ns, m->min_ns, m->median_ns, m->mad_ns};
    bind_text(s, at++, cw_state_name(m->state));
    bind_text(s, at++, detail);
    sqlite3_bind_int(s, at++, m->library_choice);
    sqlite3_bind_int(s, at++, m->samples);
    for (size_t i = 0; i < CW_COUNT(times); i++, at++) /* unbound and NaN are NULL */
        if (timed) sqlite3_bind_double(s, at, times[i]);
    sqlite3_bind_double(s, at++, m->prepare_ns);
    sqlite3_bind_double(s, at++, m->src_reorder_ns);
    sqlite3_bind_double(s, at++, m->dst_reorder_ns);
    sqlite3_bind_double(s, at++, m->workspace_bytes);
    sqlite3_bind_double(s, at++, m->error);
    for (size_t i = 0; i < CW_COUNT(m->pass_ns); i++) sqlite3_bind_double(s, at++, m->pass_ns[i]);
    if (m->net) bind_text(s, at, m->net), sqlite3_bind_int(s, at + 1, m->position);
    sqlite3_bind_double(s, at + 2, m->mean_error);
}

cw_status cw_store_put_impl(cw_store *store, const cw_measurement *m, int64_t *impl, int64_t *library,
                            cw_error *err) {
    sqlite3_stmt *s = statement(store, CW_QUERY_ADD_IMPL);
    bind_text(s, 1, m->impl);
    bind_text(s, 2, cw_family_name(m->family));
    sqlite3_bind_int(s, 3, m->candidate);
    cw_status status = add_and_find(store, s, CW_QUERY_FIND_IMPL, m->impl, NULL, impl, err);
    if (status != CW_OK) return status;
    s = statement(store, CW_QUERY_ADD_LIBRARY);
    bind_text(s, 1, m->backend);
    bind_text(s, 2, m->version);
    return add_and_find(store, s, CW_QUERY_FIND_LIBRARY, m->backend, m->version, library, err);
}

cw_status cw_store_put_row(cw_store *store, const cw_row_keys *keys, const cw_measurement *m, cw_error *err) {
    const int64_t ids[] = {keys->run, keys->problem, keys->impl, keys->library};
    char detail[CW_STORE_DETAIL_MAX + 1];
    clip_detail(detail, m->detail);
    sqlite3_stmt *s = statement(store, CW_QUERY_ADD_MEASUREMENT);
    for (int i = 0; i < (int)CW_COUNT(ids); i++) sqlite3_bind_int64(s, 1 + i, ids[i]);
    if (keys->created) sqlite3_bind_int64(s, 5, keys->created);
    bind_measurement(s, 6, m, detail);
    return run(store, s, NULL, err);
}

cw_status cw_store_find_time(cw_store *store, const cw_row_keys *keys, bool *found, double *ns,
                             double *workspace, cw_error *err) {
    sqlite3_stmt *s = statement(store, CW_QUERY_FIND_TIME);
    sqlite3_bind_int64(s, 1, keys->problem);
    sqlite3_bind_int64(s, 2, keys->impl);
    sqlite3_bind_int64(s, 3, keys->run);
    int code = s ? sqlite3_step(s) : SQLITE_ERROR;
    *found = code == SQLITE_ROW;
    if (*found) {
        *ns = sqlite3_column_type(s, 0) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(s, 0);
        *workspace = sqlite3_column_double(s, 1);
    }
    cw_status status = *found || code == SQLITE_DONE ? CW_OK : cw_store_fail(store, "cannot read", err);
    if (s) sqlite3_reset(s);
    return status;
}

cw_status cw_store_put(cw_store *store, int64_t run_id, int64_t created, const cw_measurement *m, bool *added,
                       cw_error *err) {
    int64_t there = 0;
    cw_row_keys keys = {.run = run_id, .created = created};
    cw_status status = cw_store_put_problem(store, &m->problem, &keys.problem, err);
    if (status == CW_OK) status = cw_store_put_impl(store, m, &keys.impl, &keys.library, err);
    if (status == CW_OK && created) {
        const int64_t key[] = {keys.problem, keys.impl, created, run_id, keys.library};
        sqlite3_stmt *s = statement(store, CW_QUERY_FIND_MEASUREMENT);
        for (int i = 0; i < (int)CW_COUNT(key); i++) sqlite3_bind_int64(s, 1 + i, key[i]);
        status = run(store, s, &there, err);
    }
    if (status == CW_OK && !there) status = cw_store_put_row(store, &keys, m, err);
    if (added) *added = !there;
    return status;
}

cw_status cw_store_add(cw_store *store, const cw_measurement *m, cw_error *err) {
    cw_status status = need_writer(store, err);
    if (status == CW_OK && store->run == 0)
        status = cw_fail(err, CW_INVALID, "cw_store_begin_run comes before the first measurement");
    if (status == CW_OK) status = cw_store_check(m, err);
    if (status == CW_OK) status = cw_store_begin(store, err);
    if (status != CW_OK) return status;
    return cw_store_end(store, cw_store_put(store, store->run, 0, m, NULL, err), err);
}

/* ---- Networks ---- */

bool cw_store_has_net(cw_store *store, const char *name) {
    int64_t id = 0;
    sqlite3_stmt *s = statement(store, CW_QUERY_FIND_NET);
    bind_text(s, 1, name);
    return run(store, s, &id, NULL) == CW_OK && id != 0;
}

cw_status cw_store_put_net(cw_store *store, const cw_net *net, cw_error *err) {
    int64_t id;
    sqlite3_stmt *s = statement(store, CW_QUERY_ADD_NET);
    bind_text(s, 1, net->name);
    cw_status status = add_and_find(store, s, CW_QUERY_FIND_NET, net->name, NULL, &id, err);
    if (status != CW_OK) return status;
    s = statement(store, CW_QUERY_DROP_LAYERS);
    sqlite3_bind_int64(s, 1, id);
    status = run(store, s, NULL, err);
    for (size_t i = 0; i < net->count && status == CW_OK; i++) {
        const cw_problem *p = &net->layers[i].problem;
        const int32_t fields[] = {p->mb, p->g,  p->ic, p->ih, p->iw, p->oc, p->kh, p->kw, p->sh,
                                  p->sw, p->dh, p->dw, p->pt, p->pl, p->pb, p->pr, p->zp, p->layout};
        s = statement(store, CW_QUERY_ADD_LAYER);
        sqlite3_bind_int64(s, 1, id);
        sqlite3_bind_int64(s, 2, (int64_t)i + 1);
        bind_text(s, 3, net->layers[i].name);
        for (int f = 0; f < (int)CW_COUNT(fields); f++) sqlite3_bind_int(s, 4 + f, fields[f]);
        sqlite3_bind_int64(s, 4 + (int)CW_COUNT(fields), net->layers[i].precs);
        status = run(store, s, NULL, err);
    }
    return status;
}

cw_status cw_store_add_net(cw_store *store, const cw_net *net, cw_error *err) {
    cw_status status = need_writer(store, err);
    if (status == CW_OK && (!cw_store_printable(net->name, sizeof net->name - 1) || net->count == 0))
        status = cw_fail(err, CW_INVALID, "a network has a name of 1 to 63 printable characters and layers");
    for (size_t i = 0; i < net->count && status == CW_OK; i++) {
        cw_problem p = cw_layer_problem(&net->layers[i], CW_U8, 1, net->layers[i].problem.mb);
        status = cw_problem_check(&p, err);
    }
    if (status == CW_OK) status = cw_store_begin(store, err);
    if (status != CW_OK) return status;
    return cw_store_end(store, cw_store_put_net(store, net, err), err);
}

/* ---- Resuming ---- */

cw_status cw_store_done(cw_store *store, const char *fingerprint, const cw_problem *problem,
                        cw_done_visit *visit, void *arg, cw_error *err) {
    char text[CW_PROBLEM_TEXT];
    cw_status status = cw_problem_check(problem, err);
    if (status != CW_OK) return status;
    cw_problem canonical = *problem;
    cw_problem_canonical(&canonical);
    cw_problem_format(&canonical, text, sizeof text);
    sqlite3_stmt *s = statement(store, CW_QUERY_DONE);
    bind_text(s, 1, text);
    bind_text(s, 2, fingerprint);
    int code = SQLITE_ERROR;
    int64_t last[2] = {0, 0};
    while (status == CW_OK && s && (code = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t pair[2] = {sqlite3_column_int64(s, 4), sqlite3_column_int64(s, 5)};
        if (pair[0] == last[0] && pair[1] == last[1]) continue; /* an older one */
        memcpy(last, pair, sizeof last);
        const char *impl = (const char *)sqlite3_column_text(s, 0);
        const char *version = (const char *)sqlite3_column_text(s, 1);
        cw_state state;
        if (!cw_state_parse((const char *)sqlite3_column_text(s, 2), &state) ||
            !cw_store_name_ok(impl, CW_STORE_NAME_MAX) || !cw_store_printable(version, CW_STORE_VERSION_MAX))
            status = cw_store_bad_row(store, "measurement", sqlite3_column_int64(s, 3),
                                      "its state, implementation or version cannot be", err);
        else
            status = visit(arg, impl, version, state);
    }
    if (status == CW_OK && code != SQLITE_DONE) status = cw_store_fail(store, "cannot read", err);
    if (s) sqlite3_reset(s);
    return status;
}
