/* transfer.c: measurements out of a store and into another: merge, CSV, JSON lines. */
#include "store.h"
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Merge ---- */

typedef struct merge {
    cw_store *to;
    cw_error *err;
    int64_t (*runs)[2]; /* id in the other store, id here; sorted by the first */
    size_t run_count, run_capacity;
    int64_t added;
} merge;

static cw_status merge_run(void *arg, int64_t id, const cw_run *run) {
    merge *m = arg;
    if (!cw_grow(&m->runs, &m->run_capacity, m->run_count + 1, sizeof *m->runs))
        return cw_fail_memory(m->err);
    m->runs[m->run_count][0] = id;
    return cw_store_put_run(m->to, run, &m->runs[m->run_count++][1], m->err);
}

static cw_status merge_measurement(void *arg, const cw_stored *row) {
    merge *m = arg;
    size_t lo = 0, hi = m->run_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (m->runs[mid][0] < row->run)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == m->run_count ||
        m->runs[lo][0] != row->run) /* cannot be: a measurement without run has no machine */
        return cw_fail(m->err, CW_FORMAT, "a measurement belongs to no run");
    bool added;
    cw_status status = cw_store_put(m->to, m->runs[lo][1], row->created, &row->m, &added, m->err);
    if (status == CW_OK) m->added += added;
    return status;
}

static cw_status merge_net(void *arg, const cw_net *net) {
    merge *m = arg;
    return cw_store_has_net(m->to, net->name) ? CW_OK : cw_store_put_net(m->to, net, m->err);
}

cw_status cw_store_merge(cw_store *store, const char *other_path, int64_t *added, cw_error *err) {
    struct stat here, there;
    cw_store *other = NULL;
    merge m = {.to = store, .err = err};
    if (!store->writable) return cw_fail(err, CW_INVALID, "%.150s: is open for reading only", store->path);
    if (stat(store->path, &here) == 0 && stat(other_path, &there) == 0 && here.st_dev == there.st_dev &&
        here.st_ino == there.st_ino)
        return cw_fail(err, CW_INVALID, "%.150s: cannot be merged into itself", other_path);
    cw_status status = cw_store_open(other_path, CW_STORE_READ, &other, err);
    if (status == CW_OK) status = cw_store_begin(store, err);
    if (status == CW_OK) {
        /* One reading transaction, so that runs and measurements agree while somebody measures into it. */
        status = cw_store_begin_read(other, err);
        if (status == CW_OK) status = cw_store_each_run(other, merge_run, &m, err);
        if (status == CW_OK) status = cw_store_walk(other, NULL, CW_WALK_ALL, merge_measurement, &m, err);
        if (status == CW_OK) status = cw_store_each_net(other, merge_net, &m, err);
        status = cw_store_end(store, status, err);
    }
    cw_store_close(other);
    cw_free(m.runs);
    if (status == CW_OK && added) *added = m.added;
    return status;
}

/* ---- CSV ---- */

static void put_text(cw_buf *buf, const char *text) {
    if (!strpbrk(text, "\",\r\n")) {
        cw_buf_put(buf, text);
        return;
    }
    cw_buf_put(buf, "\"");
    for (; *text; text++) cw_buf_printf(buf, *text == '"' ? "\"%c" : "%c", *text);
    cw_buf_put(buf, "\"");
}

/* Empty where there is no number. */
static void put_real(cw_buf *buf, double x) {
    cw_buf_put(buf, ",");
    if (!isnan(x)) cw_buf_double(buf, x);
}

/* The columns of a measurement, in the order of both formats; CW_PROBLEM_FIELDS come behind. */
static const char *const text_names[] = {"problem", "impl",  "backend", "version",
                                         "family",  "state", "detail"};
static const char *const flag_names[] = {"candidate", "library_choice", "samples"};
static const char *const real_names[] = {
    "time_ns",        "min_ns",          "median_ns", "mad_ns",     "prepare_ns", "src_reorder_ns",
    "dst_reorder_ns", "workspace_bytes", "error",     "mean_error", "pass1_ns",   "pass2_ns",
    "pass3_ns",       "pass4_ns",        "pass5_ns",  "pass6_ns",   "pass7_ns",   "pass8_ns"};

typedef struct row_values {
    char problem[CW_PROBLEM_TEXT];
    const char *texts[CW_COUNT(text_names)];
    int32_t flags[CW_COUNT(flag_names)];
    double reals[CW_COUNT(real_names)]; /* NaN = nothing */
} row_values;

static void take_values(row_values *v, const cw_measurement *m) {
    const double reals[] = {m->time_ns,    m->min_ns,         m->median_ns,      m->mad_ns,
                            m->prepare_ns, m->src_reorder_ns, m->dst_reorder_ns, m->workspace_bytes,
                            m->error,      m->mean_error};
    cw_problem_format(&m->problem, v->problem, sizeof v->problem);
    const char *const texts[] = {
        v->problem, m->impl, m->backend, m->version, cw_family_name(m->family), cw_state_name(m->state),
        m->detail};
    const int32_t flags[] = {m->candidate, m->library_choice, m->samples};
    memcpy(v->texts, texts, sizeof texts);
    memcpy(v->flags, flags, sizeof flags);
    memcpy(v->reals, reals, sizeof reals);
    for (size_t i = 0; i < CW_COUNT(m->pass_ns); i++)
        v->reals[CW_COUNT(reals) + i] = m->pass_ns[i] > 0 ? m->pass_ns[i] : (double)NAN;
}

static void csv_row(cw_buf *buf, const cw_stored *row) {
    row_values v;
    take_values(&v, &row->m);
    cw_buf_printf(buf, "%s,%lld", row->fingerprint, (long long)row->created);
    for (size_t i = 0; i < CW_COUNT(v.texts); i++) {
        cw_buf_put(buf, ",");
        put_text(buf, v.texts[i]);
    }
    for (size_t i = 0; i < CW_COUNT(v.flags); i++) cw_buf_printf(buf, ",%d", v.flags[i]);
    for (size_t i = 0; i < CW_COUNT(v.reals); i++) put_real(buf, v.reals[i]);
#define X(field) cw_buf_printf(buf, ",%d", row->m.problem.field);
    CW_PROBLEM_FIELDS(X)
#undef X
    cw_buf_put(buf, ",");
    if (row->m.net) put_text(buf, row->m.net);
    cw_buf_printf(buf, row->m.net ? ",%d\r\n" : ",\r\n", row->m.position);
}

static void csv_names(cw_buf *buf) {
    cw_buf_put(buf, "machine,created_ms");
    for (size_t i = 0; i < CW_COUNT(text_names); i++) cw_buf_printf(buf, ",%s", text_names[i]);
    for (size_t i = 0; i < CW_COUNT(flag_names); i++) cw_buf_printf(buf, ",%s", flag_names[i]);
    for (size_t i = 0; i < CW_COUNT(real_names); i++) cw_buf_printf(buf, ",%s", real_names[i]);
#define X(field) cw_buf_put(buf, "," #field);
    CW_PROBLEM_FIELDS(X)
#undef X
    cw_buf_put(buf, ",net,position\r\n");
}

/* ---- JSON lines ---- */

static void put_json_text(cw_buf *buf, const char *text) {
    cw_buf_put(buf, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        cw_buf_printf(buf, c < ' ' ? "\\u%04x" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    cw_buf_put(buf, "\"");
}

static void jsonl_row(cw_buf *buf, const cw_stored *row) {
    row_values v;
    take_values(&v, &row->m);
    cw_buf_printf(buf, "{\"machine\":\"%s\",\"created_ms\":%lld", row->fingerprint, (long long)row->created);
    for (size_t i = 0; i < CW_COUNT(v.texts); i++) {
        cw_buf_printf(buf, ",\"%s\":", text_names[i]);
        put_json_text(buf, v.texts[i]);
    }
    for (size_t i = 0; i < CW_COUNT(v.flags); i++)
        cw_buf_printf(buf, ",\"%s\":%d", flag_names[i], v.flags[i]);
    for (size_t i = 0; i < CW_COUNT(v.reals); i++) {
        cw_buf_printf(buf, ",\"%s\":", real_names[i]);
        if (isfinite(v.reals[i]))
            cw_buf_double(buf, v.reals[i]);
        else
            cw_buf_put(buf, "null");
    }
#define X(field) cw_buf_printf(buf, ",\"" #field "\":%d", row->m.problem.field);
    CW_PROBLEM_FIELDS(X)
#undef X
    if (row->m.net) {
        cw_buf_put(buf, ",\"net\":");
        put_json_text(buf, row->m.net);
        cw_buf_printf(buf, ",\"position\":%d}\n", row->m.position);
    } else {
        cw_buf_put(buf, ",\"net\":null,\"position\":null}\n");
    }
}

/* ---- Export ---- */

typedef struct exporter {
    cw_export format;
    cw_sink *sink;
    void *arg;
    cw_error *err;
    cw_buf buf; /* text that has not gone to the sink yet */
} exporter;

static cw_status flush(exporter *e, size_t least) {
    if (e->buf.failed) return cw_fail_memory(e->err);
    if (e->buf.length < least || e->buf.length == 0) return CW_OK;
    cw_status status = e->sink(e->arg, e->buf.text, e->buf.length, e->err);
    e->buf.length = 0;
    return status;
}

static cw_status export_row(void *arg, const cw_stored *row) {
    enum { PART = 1 << 16 };
    exporter *e = arg;
    if (e->format == CW_EXPORT_CSV)
        csv_row(&e->buf, row);
    else
        jsonl_row(&e->buf, row);
    return flush(e, PART);
}

cw_status cw_store_export(cw_store *store, cw_export format, cw_sink *sink, void *arg, cw_error *err) {
    exporter e = {.format = format, .sink = sink, .arg = arg, .err = err};
    if (format == CW_EXPORT_CSV) csv_names(&e.buf);
    cw_status status = cw_store_walk(store, NULL, CW_WALK_ALL, export_row, &e, err);
    if (status == CW_OK) status = flush(&e, 0);
    cw_buf_release(&e.buf);
    return status;
}

cw_status cw_store_save(cw_store *store, cw_export format, const char *path, cw_error *err) {
    cw_writer *writer;
    cw_status status = cw_writer_open(path, &writer, err);
    if (status == CW_OK) status = cw_store_export(store, format, cw_writer_put, writer, err);
    return cw_writer_close(writer, status, err);
}
