/* store_read.c: what is in a store, row by row. A store may come from anywhere, so every row is checked as if
 * it were input: texts have bounds, problems pass cw_problem_check, states and families are known. */
#include "store.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *cw_state_name(cw_state state) {
    static const char *const names[] = {
#define X(symbol, name) name,
        CW_STATES(X)
#undef X
    };
    return (size_t)state < CW_COUNT(names) ? names[state] : "?";
}

bool cw_state_parse(const char *name, cw_state *out) {
    for (int i = 0; name && i < CW_STATE_NOT_MEASURED; i++)
        if (strcmp(name, cw_state_name((cw_state)i)) == 0) return *out = (cw_state)i, true;
    return false;
}

static bool parse_family(const char *name, cw_family *out) {
    for (int i = 0; name && i < CW_FAMILY_COUNT; i++)
        if (strcmp(name, cw_family_name((cw_family)i)) == 0) return *out = (cw_family)i, true;
    return false;
}

static const char *text_at(sqlite3_stmt *s, int at) {
    const char *text = (const char *)sqlite3_column_text(s, at);
    return text ? text : "";
}

static double real_at(sqlite3_stmt *s, int at) {
    return sqlite3_column_type(s, at) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(s, at);
}

/* -1, which no field may be, where the value does not fit. */
static int32_t int_at(sqlite3_stmt *s, int at) {
    int64_t value = sqlite3_column_int64(s, at);
    return value < 0 || value > INT32_MAX ? -1 : (int32_t)value;
}

/* Visits each row of a query; on_row returns CW_OK to go on. */
typedef cw_status row_fn(cw_store *store, sqlite3_stmt *s, void *arg, cw_error *err);
static cw_status each_row(cw_store *store, const char *sql, const char *parameter, row_fn *on_row, void *arg,
                          cw_error *err) {
    sqlite3_stmt *s = NULL;
    cw_status status = CW_OK;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &s, NULL);
    if (code == SQLITE_OK && parameter) sqlite3_bind_text(s, 1, parameter, -1, SQLITE_STATIC);
    while (status == CW_OK && (code == SQLITE_OK || code == SQLITE_ROW)) {
        code = sqlite3_step(s);
        if (code == SQLITE_ROW) status = on_row(store, s, arg, err);
    }
    if (status == CW_OK && code != SQLITE_DONE) status = cw_store_fail(store, "cannot read", err);
    sqlite3_finalize(s);
    return status;
}

/* ---- Measurements ---- */

#define PROBLEM_COLUMNS                                                                                      \
    "p.mb, p.g, p.ic, p.ih, p.iw, p.oc, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw, p.pt, p.pl, p.pb, p.pr, p.prec," \
    " p.zp, p.layout, p.threads, p.depth, p.kd, p.sd, p.dd, p.pf, p.pk, p.dir, p.cache"
#define COLUMNS                                                                                              \
    "SELECT p.id, " PROBLEM_COLUMNS ", p.text, impl.name, impl.family, impl.candidate, impl.id,"             \
    " library.backend, library.version, machine.fingerprint, m.id, m.run, m.created, m.state, m.detail,"     \
    " m.library_choice, m.samples, m.time_ns, m.min_ns, m.median_ns, m.mad_ns, m.prepare_ns,"                \
    " m.src_reorder_ns, m.dst_reorder_ns, m.workspace_bytes, m.error, m.pass1_ns, m.pass2_ns, m.pass3_ns,"   \
    " m.pass4_ns, m.pass5_ns, m.pass6_ns, m.pass7_ns, m.pass8_ns, m.net, m.position, m.mean_error, "         \
    "m.library,"                                                                                             \
    " run.machine, run.protocol, run.source FROM "
/* Left joins: a reference into nothing is a damaged row, not a row less. CROSS JOIN keeps the order of the
 * loops, so that rows stream in the index's order. */
#define JOINS                                                                                                \
    " LEFT JOIN run ON run.id = m.run LEFT JOIN machine ON machine.id = run.machine"                         \
    " LEFT JOIN impl ON impl.id = m.impl LEFT JOIN library ON library.id = m.library "

/* What an import does not know (a label has no time, an absent one nothing) never hides what is known. */
static const char newest_sql[] =
    COLUMNS "problem p CROSS JOIN measurement m ON m.problem = p.id" JOINS
            "WHERE ?1 IS NULL OR machine.fingerprint = ?1 ORDER BY " PROBLEM_COLUMNS ", impl.name,"
            " m.state IN ('label', 'absent'), m.created DESC, m.id DESC";
static const char all_sql[] = COLUMNS "measurement m LEFT JOIN problem p ON p.id = m.problem" JOINS
                                      "WHERE ?1 IS NULL OR machine.fingerprint = ?1 ORDER BY m.id";
/* With max(), SQLite takes the other columns from the row that has it. */
static const char nets_sql[] =
    "WITH newest AS (SELECT n.net, q.prec, r.machine, n.run, max(n.created) FROM measurement n"
    " JOIN problem q ON q.id = n.problem JOIN run r ON r.id = n.run WHERE n.net IS NOT NULL"
    " GROUP BY n.net, q.prec, r.machine) " COLUMNS "newest CROSS JOIN measurement m ON m.net = newest.net"
    " AND m.run = newest.run JOIN problem p ON p.id = m.problem AND p.prec = newest.prec" JOINS
    "WHERE ?1 IS NULL OR machine.fingerprint = ?1"
    " ORDER BY m.net, p.prec, m.position, m.created, m.id";

/* What has to be the same for two times to be repeats of each other. */
typedef struct session {
    int64_t library, machine, protocol;
    bool own; /* measured by convwise, not imported */
} session;

/* A row with its texts. */
typedef struct kept_row {
    cw_stored row;
    char impl[CW_STORE_NAME_MAX + 1], backend[CW_STORE_NAME_MAX + 1], version[CW_STORE_VERSION_MAX + 1],
        detail[CW_STORE_DETAIL_MAX + 1], fingerprint[sizeof((cw_machine *)0)->fingerprint],
        net[sizeof((cw_net *)0)->name];
} kept_row;

typedef struct walk {
    cw_walk which;
    cw_stored_visit *visit;
    void *arg;
    int64_t problem_id, impl_id; /* of the row before */
    cw_problem problem;          /* checked, of problem_id */
    /* CW_WALK_SETTLED: the newest row of problem_id and impl_id, or a faster repeat of it. */
    kept_row kept;
    session newest;
    bool keeps;
} walk;

static void keep(walk *w, const cw_stored *row) {
    kept_row *k = &w->kept;
    k->row = *row;
    cw_measurement *m = &k->row.m;
    const struct {
        const char **text;
        char *to;
        size_t size;
    } texts[] = {{&m->impl, k->impl, sizeof k->impl},
                 {&m->backend, k->backend, sizeof k->backend},
                 {&m->version, k->version, sizeof k->version},
                 {&m->detail, k->detail, sizeof k->detail},
                 {&m->net, k->net, sizeof k->net},
                 {&k->row.fingerprint, k->fingerprint, sizeof k->fingerprint}};
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        if (!*texts[i].text) continue;
        snprintf(texts[i].to, texts[i].size, "%s", *texts[i].text); /* lengths were checked */
        *texts[i].text = texts[i].to;
    }
    w->keeps = true;
}

static cw_status visit_kept(walk *w) {
    if (!w->keeps) return CW_OK;
    w->keeps = false;
    return w->visit(w->arg, &w->kept.row);
}

static double whole_time(const cw_measurement *m) {
    return m->time_ns + m->src_reorder_ns + m->dst_reorder_ns;
}

static bool is_repeat(const session *a, const session *b) {
    return a->own && b->own && a->library == b->library && a->machine == b->machine &&
           a->protocol == b->protocol;
}

/* An older row of the same problem and implementation: noise only adds, so the faster one counts; but what
 * was cut off is rough. */
static void settle(walk *w, const session *of, const cw_stored *row) {
    const cw_measurement *held = &w->kept.row.m, *m = &row->m;
    if (!is_repeat(&w->newest, of) || !cw_state_timed(held->state) || !cw_state_timed(m->state)) return;
    const bool better = held->state == m->state ? whole_time(m) < whole_time(held) : m->state == CW_STATE_OK;
    if (better) keep(w, row);
}

static cw_status read_problem(cw_store *store, sqlite3_stmt *s, walk *w, cw_error *err) {
    cw_problem p;
    cw_error why;
    char text[CW_PROBLEM_TEXT];
    int at = 1;
    int64_t id = sqlite3_column_int64(s, 0);
#define X(field) p.field = int_at(s, at++);
    CW_PROBLEM_FIELDS(X)
#undef X
    if (cw_problem_check(&p, &why) != CW_OK) return cw_store_bad_row(store, "problem", id, why.message, err);
    cw_problem_format(&p, text, sizeof text);
    if (strcmp(text, text_at(s, at)) != 0)
        return cw_store_bad_row(store, "problem", id, "its text and its numbers disagree", err);
    cw_problem_canonical(&p);
    w->problem = p;
    w->problem_id = id;
    return CW_OK;
}

static cw_status on_measurement(cw_store *store, sqlite3_stmt *s, void *arg, cw_error *err) {
    walk *w = arg;
    int at = CW_STORE_FIELD_COUNT + 2;
    bool same_problem = sqlite3_column_int64(s, 0) == w->problem_id;
    cw_status status = CW_OK;
    if (!same_problem) {
        status = read_problem(store, s, w, err);
        if (status != CW_OK) return status;
    }
    int64_t impl_id = sqlite3_column_int64(s, at + 3);
    bool older = w->keeps && same_problem && impl_id == w->impl_id;
    if (!older) status = visit_kept(w);
    if (status != CW_OK) return status;
    w->impl_id = impl_id;
    cw_stored row = {.m = {.problem = w->problem}};
    cw_measurement *m = &row.m;
    m->impl = text_at(s, at++);
    bool known = parse_family(text_at(s, at++), &m->family);
    m->candidate = sqlite3_column_int(s, at++) != 0;
    at++;
    m->backend = text_at(s, at++);
    m->version = text_at(s, at++);
    row.fingerprint = text_at(s, at++);
    int64_t id = sqlite3_column_int64(s, at++);
    row.run = sqlite3_column_int64(s, at++);
    row.created = sqlite3_column_int64(s, at++);
    known = cw_state_parse(text_at(s, at++), &m->state) && known;
    m->detail = text_at(s, at++);
    m->library_choice = sqlite3_column_int(s, at++) != 0;
    m->samples = int_at(s, at++);
    double *const reals[] = {&m->time_ns,        &m->min_ns,          &m->median_ns,
                             &m->mad_ns,         &m->prepare_ns,      &m->src_reorder_ns,
                             &m->dst_reorder_ns, &m->workspace_bytes, &m->error};
    for (size_t i = 0; i < CW_COUNT(reals); i++) *reals[i] = real_at(s, at++);
    for (size_t i = 0; i < CW_COUNT(m->pass_ns); i++) m->pass_ns[i] = real_at(s, at++);
    m->net = (const char *)sqlite3_column_text(s, at++);
    m->position = int_at(s, at++);
    m->mean_error = real_at(s, at++);
    session of = {.library = sqlite3_column_int64(s, at), .machine = sqlite3_column_int64(s, at + 1)};
    of.protocol = sqlite3_column_int64(s, at + 2);
    of.own = sqlite3_column_type(s, at + 3) == SQLITE_NULL;
    if (!known) return cw_store_bad_row(store, "measurement", id, "unknown state or family", err);
    cw_error why;
    if (cw_store_check(m, &why) != CW_OK || strlen(m->detail) > CW_STORE_DETAIL_MAX ||
        !cw_store_name_ok(row.fingerprint, sizeof((cw_machine *)0)->fingerprint - 1))
        return cw_store_bad_row(store, "measurement", id, "a text or number is out of bounds", err);
    if (w->which != CW_WALK_SETTLED) return w->visit(w->arg, &row);
    if (older) {
        settle(w, &of, &row);
    } else {
        w->newest = of;
        keep(w, &row);
    }
    return CW_OK;
}

cw_status cw_store_walk(cw_store *store, const char *fingerprint, cw_walk which, cw_stored_visit *visit,
                        void *arg, cw_error *err) {
    static const char *const sql[] = {
        [CW_WALK_ALL] = all_sql, [CW_WALK_SETTLED] = newest_sql, [CW_WALK_NETS] = nets_sql};
    walk w = {.which = which, .visit = visit, .arg = arg, .problem_id = INT64_MIN};
    cw_status status = each_row(store, sql[which], fingerprint, on_measurement, &w, err);
    return status == CW_OK ? visit_kept(&w) : status;
}

typedef struct plain_visit {
    cw_store_visit *visit;
    void *arg;
} plain_visit;

static cw_status on_settled(void *arg, const cw_stored *row) {
    const plain_visit *plain = arg;
    return plain->visit(plain->arg, &row->m);
}

cw_status cw_store_each(cw_store *store, const char *fingerprint, cw_store_visit *visit, void *arg,
                        cw_error *err) {
    plain_visit plain = {visit, arg};
    return cw_store_walk(store, fingerprint, CW_WALK_SETTLED, on_settled, &plain, err);
}

/* ---- Machines and runs ---- */

#define MACHINE_COLUMNS                                                                                      \
    "machine.id, machine.fingerprint, machine.cpu, machine.isa, machine.avx2, machine.avx512, machine.vnni," \
    " machine.bf16, machine.cores, machine.l1d, machine.l2, machine.l3"
enum { AFTER_MACHINE = 12 };

static cw_status read_machine(cw_store *store, sqlite3_stmt *s, cw_machine *m, cw_error *err) {
    memset(m, 0, sizeof *m);
    const char *fingerprint = text_at(s, 1), *cpu = text_at(s, 2), *isa = text_at(s, 3);
    if (!cw_store_name_ok(fingerprint, sizeof m->fingerprint - 1) || strlen(cpu) >= sizeof m->cpu ||
        !cw_store_name_ok(isa, sizeof m->isa - 1))
        return cw_store_bad_row(store, "machine", sqlite3_column_int64(s, 0), "a text is out of bounds", err);
    snprintf(m->fingerprint, sizeof m->fingerprint, "%s", fingerprint);
    snprintf(m->cpu, sizeof m->cpu, "%s", cpu);
    for (char *c = m->cpu; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    snprintf(m->isa, sizeof m->isa, "%s", isa);
    m->avx2 = sqlite3_column_int(s, 4) != 0;
    m->avx512 = sqlite3_column_int(s, 5) != 0;
    m->vnni = sqlite3_column_int(s, 6) != 0;
    m->bf16 = sqlite3_column_int(s, 7) != 0;
    m->cores = int_at(s, 8);
    m->l1d = sqlite3_column_int64(s, 9);
    m->l2 = sqlite3_column_int64(s, 10);
    m->l3 = sqlite3_column_int64(s, 11);
    return CW_OK;
}

typedef struct machine_visit {
    cw_machine_visit *visit;
    void *arg;
} machine_visit;

static cw_status on_machine(cw_store *store, sqlite3_stmt *s, void *arg, cw_error *err) {
    const machine_visit *v = arg;
    cw_machine machine;
    cw_status status = read_machine(store, s, &machine, err);
    if (status != CW_OK) return status;
    return v->visit(v->arg, &machine, sqlite3_column_int64(s, AFTER_MACHINE),
                    sqlite3_column_int64(s, AFTER_MACHINE + 1));
}

cw_status cw_store_each_machine(cw_store *store, cw_machine_visit *visit, void *arg, cw_error *err) {
    machine_visit v = {visit, arg};
    return each_row(store,
                    "SELECT " MACHINE_COLUMNS ", count(DISTINCT m.problem), count(m.id) FROM machine"
                    " LEFT JOIN run ON run.machine = machine.id LEFT JOIN measurement m ON m.run = run.id"
                    " GROUP BY machine.id ORDER BY machine.fingerprint",
                    NULL, on_machine, &v, err);
}

typedef struct run_visit {
    cw_run_visit *visit;
    void *arg;
} run_visit;

static cw_status on_run(cw_store *store, sqlite3_stmt *s, void *arg, cw_error *err) {
    const run_visit *v = arg;
    cw_run run;
    int at = AFTER_MACHINE;
    cw_status status = read_machine(store, s, &run.machine, err);
    if (status != CW_OK) return status;
    int64_t id = sqlite3_column_int64(s, at++);
    run.uid = text_at(s, at++);
    run.started = sqlite3_column_int64(s, at++);
    run.tool = text_at(s, at++);
    run.protocol = sqlite3_column_int64(s, at++);
    run.threads = sqlite3_column_int64(s, at++);
    run.conditions = text_at(s, at++);
    run.source_id = 0;
    const cw_source source = {text_at(s, at + 1), text_at(s, at + 2), sqlite3_column_int64(s, at + 3),
                              text_at(s, at + 4), text_at(s, at + 5)};
    run.source = sqlite3_column_type(s, at) == SQLITE_NULL ? NULL : &source;
    if (run.source && (!cw_store_name_ok(source.kind, CW_STORE_NAME_MAX) ||
                       !cw_store_printable(source.name, CW_STORE_NAME_MAX)))
        return cw_store_bad_row(store, "source", sqlite3_column_int64(s, at), "a text is out of bounds", err);
    if (!cw_store_name_ok(run.uid, CW_STORE_VERSION_MAX) || !cw_store_printable(run.tool, CW_STORE_NAME_MAX))
        return cw_store_bad_row(store, "run", id, "a text is out of bounds", err);
    return v->visit(v->arg, id, &run);
}

cw_status cw_store_each_run(cw_store *store, cw_run_visit *visit, void *arg, cw_error *err) {
    run_visit v = {visit, arg};
    return each_row(store,
                    "SELECT " MACHINE_COLUMNS ", run.id, run.uid, run.started, run.tool, run.protocol,"
                    " run.threads, run.conditions, run.source, source.kind, source.name, source.kept,"
                    " source.scope, source.summary FROM run LEFT JOIN machine ON machine.id = run.machine"
                    " LEFT JOIN source ON source.id = run.source"
                    " ORDER BY run.id",
                    NULL, on_run, &v, err);
}

/* ---- Networks ---- */

/* Layers arrive in order of network; a network is visited when the next begins, and the last at the end. */
typedef struct net_visit {
    cw_net_visit *visit;
    void *arg;
    cw_net net;
    size_t capacity;
    int64_t id;
} net_visit;

static cw_status finish_net(net_visit *v) {
    cw_status status = v->net.count > 0 ? v->visit(v->arg, &v->net) : CW_OK;
    v->net.count = 0;
    return status;
}

static cw_status on_layer(cw_store *store, sqlite3_stmt *s, void *arg, cw_error *err) {
    net_visit *v = arg;
    int64_t id = sqlite3_column_int64(s, 0), row = sqlite3_column_int64(s, 2);
    const char *net = text_at(s, 1), *name = text_at(s, 3);
    if (v->net.count == 0 || id != v->id) {
        cw_status status = finish_net(v);
        if (status != CW_OK) return status;
        if (!cw_store_printable(net, sizeof v->net.name - 1))
            return cw_store_bad_row(store, "net", id, "its name is out of bounds", err);
        snprintf(v->net.name, sizeof v->net.name, "%s", net);
        v->id = id;
    }
    if (!cw_grow(&v->net.layers, &v->capacity, v->net.count + 1, sizeof *v->net.layers))
        return cw_fail_memory(err);
    cw_layer *layer = &v->net.layers[v->net.count];
    memset(layer, 0, sizeof *layer);
    if (strlen(name) >= sizeof layer->name)
        return cw_store_bad_row(store, "net_layer", row, "its name is too long", err);
    snprintf(layer->name, sizeof layer->name, "%s", name);
    cw_problem *p = &layer->problem;
    int32_t *const fields[] = {&p->mb, &p->g,  &p->ic, &p->ih, &p->iw, &p->oc, &p->kh, &p->kw, &p->sh,
                               &p->sw, &p->dh, &p->dw, &p->pt, &p->pl, &p->pb, &p->pr, &p->zp, &p->layout};
    for (int i = 0; i < (int)CW_COUNT(fields); i++) *fields[i] = int_at(s, 4 + i);
    int32_t precs = int_at(s, 4 + (int)CW_COUNT(fields));
    if (precs < 0 || precs >= 1 << CW_PREC_COUNT)
        return cw_store_bad_row(store, "net_layer", row, "its precisions are out of bounds", err);
    layer->precs = (uint32_t)precs;
    p->prec = CW_F32;
    p->threads = 1; /* a layer is forward and has two dimensions: the rest is 0 */
    cw_error why;
    cw_problem as_u8 = cw_layer_problem(layer, CW_U8, 1, p->mb); /* zp is a matter of u8 */
    if (cw_problem_check(&as_u8, &why) != CW_OK)
        return cw_store_bad_row(store, "net_layer", row, why.message, err);
    v->net.count++;
    return CW_OK;
}

cw_status cw_store_each_net(cw_store *store, cw_net_visit *visit, void *arg, cw_error *err) {
    net_visit v = {.visit = visit, .arg = arg};
    cw_status status = each_row(
        store,
        "SELECT net.id, net.name, l.id, l.name, l.mb, l.g, l.ic, l.ih, l.iw, l.oc, l.kh, l.kw, l.sh, l.sw,"
        " l.dh, l.dw, l.pt, l.pl, l.pb, l.pr, l.zp, l.layout, l.precs FROM net JOIN net_layer l ON l.net = "
        "net.id"
        " ORDER BY net.name, l.position",
        NULL, on_layer, &v, err);
    if (status == CW_OK) status = finish_net(&v);
    cw_net_release(&v.net);
    return status;
}

/* ---- Counts ---- */

static cw_status on_state(cw_store *store, sqlite3_stmt *s, void *arg, cw_error *err) {
    cw_store_info *info = arg;
    cw_state state;
    (void)err;
    (void)store;
    info->measurements += sqlite3_column_int64(s, 1);
    if (cw_state_parse(text_at(s, 0), &state)) info->by_state[state] = sqlite3_column_int64(s, 1);
    return CW_OK;
}

cw_status cw_store_info_get(cw_store *store, cw_store_info *out, cw_error *err) {
    cw_store_info info = {0};
    int64_t schema = 0;
    const struct {
        const char *sql;
        int64_t *to;
    } counts[] = {
        {"SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", &info.bytes},
        {"SELECT count(*) FROM machine", &info.machines},
        {"SELECT count(*) FROM problem", &info.problems},
        {"SELECT count(*) FROM impl", &info.impls},
        {"SELECT count(*) FROM net", &info.networks},
        {"PRAGMA user_version", &schema},
    };
    for (size_t i = 0; i < CW_COUNT(counts); i++) {
        cw_status status = cw_store_int(store, counts[i].sql, counts[i].to, err);
        if (status != CW_OK) return status;
    }
    cw_status status =
        each_row(store, "SELECT state, count(*) FROM measurement GROUP BY state", NULL, on_state, &info, err);
    if (status != CW_OK) return status;
    info.schema = (int)schema;
    *out = info;
    return CW_OK;
}
