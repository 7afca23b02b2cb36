/* import.c: the table of kinds, and what all imports have in common: one transaction, a row in `source`, runs
 * that point to it, counting and complaining. Not here: any format. */
#include "import.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The one list of kinds: names for help, and their readers, in the same order. */
#define KINDS(X)                                                                                             \
    X(arff, "arff", "ARFF: which implementation is fastest, without times")                                  \
    X(layers, "layers", "CSV, one line a layer: times of several implementations")                           \
    X(csv, "csv", "what 'convwise store export' writes")                                                     \
    X(finddb, "finddb", "MIOpen find-db, plain or .bz2: times of solvers on AMD GPUs")                       \
    X(onednn_log, "onednn-log", "what ONEDNN_VERBOSE prints: times of what an application ran")

static const cw_import_kind kinds[] = {
#define X(symbol, name, about) {name, about},
    KINDS(X)
#undef X
        {NULL, NULL},
};
static cw_import_fn *const readers[] = {
#define X(symbol, name, about) cw_import_##symbol,
    KINDS(X)
#undef X
};

const cw_import_kind *cw_import_kinds(void) {
    return kinds;
}

/* ---- Complaints ---- */

static void complain(cw_importer *im, int64_t line, const char *what) {
    if (im->options->complain) im->options->complain(im->options->arg, im->path, line, what);
}

void cw_importer_note(cw_importer *im, int64_t line, const char *format, ...) {
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    complain(im, line, what);
}

static cw_status refuse(cw_importer *im, int64_t line, const char *what) {
    return line > 0 ? cw_fail(im->err, CW_FORMAT, "%.100s:%lld: %.120s", im->path, (long long)line, what)
                    : cw_fail(im->err, CW_FORMAT, "%.100s: %.130s", im->path, what);
}

cw_status cw_importer_reject(cw_importer *im, int64_t line, const char *format, ...) {
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (im->options->strict) return refuse(im, line, what);
    im->sum.rejected++;
    complain(im, line, what);
    return CW_OK;
}

cw_status cw_importer_refuse(cw_importer *im, int64_t line, const char *format, ...) {
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return refuse(im, line, what);
}

/* ---- Rows ---- */

cw_status cw_importer_begin_run_on(cw_importer *im, const cw_machine *machine, int32_t threads) {
    const cw_run run = {.machine = *machine,
                        .tool = "convwise " CW_VERSION " import",
                        .threads = threads,
                        .conditions = "{}",
                        .source_id = im->source};
    return cw_store_put_run(im->store, &run, &im->run, im->err);
}

cw_status cw_importer_begin_run(cw_importer *im, const char *fingerprint, const char *cpu, int32_t threads) {
    const char *wanted = im->options->machine ? im->options->machine : fingerprint;
    cw_machine machine = {0}, *m = &machine;
    if (!wanted || !cw_store_name_ok(wanted, sizeof m->fingerprint - 1))
        return cw_fail(im->err, CW_INVALID,
                       "%.100s: which machine was measured? A name of 1 to %zu letters, digits and . _ : + - "
                       "/ @ (--machine)",
                       im->path, sizeof m->fingerprint - 1);
    snprintf(m->fingerprint, sizeof m->fingerprint, "%s", wanted);
    snprintf(m->cpu, sizeof m->cpu, "%s", cpu);
    snprintf(m->isa, sizeof m->isa, "unknown");
    return cw_importer_begin_run_on(im, m, threads);
}

/* Ids of the implementation and its library, from the cache where they are there: names come in much the same
 * order line after line. */
static cw_status find_impl(cw_importer *im, const cw_measurement *m, struct cw_importer_impl **out) {
    for (size_t k = 0; k < im->impl_count; k++) {
        size_t at = (im->impl_next + k) % im->impl_count;
        if (strcmp(im->impls[at].name, m->impl) != 0) continue;
        im->impl_next = at + 1;
        *out = &im->impls[at];
        return CW_OK;
    }
    if (im->impl_count == CW_IMPORT_IMPLS)
        return cw_importer_refuse(im, 0, "more than %d different implementations", CW_IMPORT_IMPLS);
    struct cw_importer_impl *impl = &im->impls[im->impl_count];
    cw_status status = cw_store_put_impl(im->store, m, &impl->id, &impl->library_id, im->err);
    if (status != CW_OK) return status;
    impl->name = cw_strdup(m->impl);
    if (!impl->name) return cw_fail_memory(im->err);
    im->impl_count++;
    *out = impl;
    return CW_OK;
}

/* Whether this import has stored the same for the problem and implementation. Only where it may have is the
 * store asked: most problems are new with their line. */
static cw_status said_before(cw_importer *im, struct cw_importer_impl *impl, const cw_row_keys *keys,
                             const cw_measurement *m, bool *same) {
    bool found = im->problem_known || impl->problem_id == im->problem_id;
    double ns = 0, workspace = 0;
    impl->problem_id = im->problem_id;
    *same = false;
    if (!found) return CW_OK;
    cw_status status = cw_store_find_time(im->store, keys, &found, &ns, &workspace, im->err);
    if (status != CW_OK || !found) return status;
    im->sum.duplicates++;
    *same = workspace == m->workspace_bytes && (cw_state_timed(m->state) ? ns == m->time_ns : isnan(ns));
    return CW_OK;
}

cw_status cw_importer_add(cw_importer *im, int64_t line, const cw_measurement *m) {
    cw_error why;
    struct cw_importer_impl *impl = NULL;
    bool same = false;
    if (cw_store_check(m, &why) != CW_OK) return cw_importer_reject(im, line, "%s", why.message);
    cw_status status = CW_OK;
    if (im->problem_id == 0 || memcmp(&im->problem, &m->problem, sizeof im->problem) != 0) {
        status = cw_store_put_problem(im->store, &m->problem, &im->problem_id, im->err);
        im->problem = m->problem;
        im->problem_known = im->problem_id <= im->newest_problem; /* ids only grow */
        if (!im->problem_known) im->newest_problem = im->problem_id;
    }
    if (status == CW_OK) status = find_impl(im, m, &impl);
    if (status != CW_OK) return status;
    const cw_row_keys keys = {im->run, im->problem_id, impl->id, impl->library_id, im->created};
    if (im->once) status = said_before(im, impl, &keys, m, &same);
    if (status == CW_OK && !same) status = cw_store_put_row(im->store, &keys, m, im->err);
    if (status != CW_OK || same) return status;
    im->created++;
    if (cw_state_timed(m->state)) im->sum.times++;
    if (m->state == CW_STATE_LABEL) im->sum.labels++;
    if (m->state == CW_STATE_ABSENT) im->sum.absent++;
    return CW_OK;
}

cw_status cw_importer_add_net(cw_importer *im, const cw_net *net) {
    cw_status status = cw_store_put_net(im->store, net, im->err);
    if (status == CW_OK) im->sum.networks++;
    return status;
}

cw_status cw_importer_count_repeats(cw_importer *im) {
    static const char from[] = "FROM measurement WHERE run IN (SELECT id FROM run WHERE source =";
    const char *const ask[] = {
        "SELECT (SELECT count(*) %s %lld)) - (SELECT count(*) FROM (SELECT DISTINCT problem, impl %s %lld)))",
        "SELECT count(*) FROM (SELECT 1 %s %lld) AND state = 'label' GROUP BY problem"
        " HAVING count(DISTINCT impl) > 1)",
        "SELECT count(DISTINCT problem) FROM (SELECT problem %s %lld) GROUP BY problem, impl"
        " HAVING count(DISTINCT coalesce(time_ns, state)) > 1)",
    };
    int64_t count[CW_COUNT(ask)];
    for (size_t i = 0; i < CW_COUNT(ask); i++) {
        char sql[400];
        sqlite3_snprintf(sizeof sql, sql, ask[i], from, im->source, from, im->source);
        cw_status status = cw_store_int(im->store, sql, &count[i], im->err);
        if (status != CW_OK) return status;
    }
    im->sum.duplicates = count[0];
    im->sum.contradictory = count[1] + count[2];
    return CW_OK;
}

/* ---- Import ---- */

/* Behind all that the store has: a large import before this one may have run ahead of the clock. */
static cw_status begin_created(cw_importer *im) {
    int64_t newest = 0, now = (int64_t)time(NULL) * 1000;
    cw_status status = cw_store_int(im->store, "SELECT max(created) FROM measurement", &newest, im->err);
    im->created = newest >= now ? newest + 1 : now;
    return status;
}

static cw_status begin_source(cw_importer *im, const char *kind) {
    const char *slash = strrchr(im->path, '/');
    const char *name = im->options->name ? im->options->name : slash ? slash + 1 : im->path;
    if (!cw_store_printable(name, CW_STORE_NAME_MAX))
        return cw_fail(im->err, CW_INVALID,
                       "%.100s: a source's name is 1 to %d printable characters (--name)", im->path,
                       CW_STORE_NAME_MAX);
    const cw_source source = {.kind = kind, .name = name, .scope = "", .summary = "{}"};
    bool added;
    cw_status status = cw_store_put_source(im->store, &source, &im->source, &added, im->err);
    if (status == CW_OK && !added)
        status =
            cw_fail(im->err, CW_INVALID,
                    "%.80s: the store has %s \"%.60s\" already, and would count it twice (another file of "
                    "this name: --name)",
                    im->path, kind, name);
    return status;
}

static cw_status end_source(cw_importer *im) {
    char sql[160];
    const cw_import_summary *s = &im->sum;
    snprintf(
        sql, sizeof sql,
        "SELECT count(DISTINCT problem) FROM measurement WHERE run IN (SELECT id FROM run WHERE source = "
        "%lld)",
        (long long)im->source);
    cw_status status = cw_store_int(im->store, sql, &im->sum.problems, im->err);
    if (status != CW_OK) return status;
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        {"lines", s->lines},           {"problems", s->problems},
        {"times", s->times},           {"labels", s->labels},
        {"absent", s->absent},         {"rejected", s->rejected},
        {"zero_times", s->zero_times}, {"contradictory", s->contradictory},
        {"duplicates", s->duplicates}, {"swapped", s->swapped},
        {"other", s->other},           {"networks", s->networks},
    };
    cw_buf text = {0};
    cw_buf_put(&text, "{");
    for (size_t i = 0; i < CW_COUNT(counts); i++)
        cw_buf_printf(&text, "%s\"%s\":%lld", i ? "," : "", counts[i].name, (long long)counts[i].value);
    if (im->facts.text) cw_buf_put(&text, im->facts.text);
    cw_buf_put(&text, "}");
    status = text.failed || im->facts.failed
                 ? cw_fail_memory(im->err)
                 : cw_store_end_source(im->store, im->source, s->most_kept, im->scope ? im->scope : "",
                                       text.text, im->err);
    cw_buf_release(&text);
    return status;
}

cw_status cw_import(cw_store *store, const char *kind, const char *path, const cw_import_options *options,
                    cw_import_summary *out, cw_error *err) {
    static const cw_import_options none;
    size_t k = 0;
    while (kinds[k].name && strcmp(kinds[k].name, kind) != 0) k++;
    if (!kinds[k].name) return cw_fail(err, CW_NOT_FOUND, "there is no kind of import \"%.40s\"", kind);
    if (!store->writable) return cw_fail(err, CW_INVALID, "%.150s: is open for reading only", store->path);
    cw_importer *im = cw_alloc(sizeof *im);
    if (!im) return cw_fail_memory(err);
    im->store = store;
    im->path = path;
    im->options = options ? options : &none;
    im->err = err;
    /* Costs a tenth of the time, for nothing: all ids are of rows that this import found or added. */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    cw_status status = cw_store_begin(store, err);
    if (status == CW_OK) {
        status = begin_created(im);
        if (status == CW_OK)
            status = cw_store_int(store, "SELECT max(id) FROM problem", &im->newest_problem, err);
        if (status == CW_OK) status = begin_source(im, kind);
        if (status == CW_OK) status = readers[k](im);
        if (status == CW_OK) status = end_source(im);
        status = cw_store_end(store, status, err);
    }
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    if (status == CW_OK && out) *out = im->sum;
    store->refused = store->refused || status != CW_OK;
    for (size_t i = 0; i < im->impl_count; i++) cw_free(im->impls[i].name);
    cw_buf_release(&im->facts);
    cw_free(im);
    return status;
}
