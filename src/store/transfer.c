/* transfer.c: measurements out of a store and into another: merge and CSV. */
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
        if (status == CW_OK) status = cw_store_walk(other, NULL, false, merge_measurement, &m, err);
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

static cw_status export_row(void *arg, const cw_stored *row) {
    cw_buf *buf = arg;
    const cw_measurement *m = &row->m;
    const double reals[] = {m->time_ns,        m->min_ns,          m->median_ns,
                            m->mad_ns,         m->prepare_ns,      m->src_reorder_ns,
                            m->dst_reorder_ns, m->workspace_bytes, m->error};
    char problem[CW_PROBLEM_TEXT];
    cw_problem_format(&m->problem, problem, sizeof problem);
    const char *const texts[] = {
        problem,  m->impl, m->backend, m->version, cw_family_name(m->family), cw_state_name(m->state),
        m->detail};
    cw_buf_printf(buf, "%s,%lld", row->fingerprint, (long long)row->created);
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        cw_buf_put(buf, ",");
        put_text(buf, texts[i]);
    }
    cw_buf_printf(buf, ",%d,%d,%d", m->candidate, m->library_choice, m->samples);
    for (size_t i = 0; i < CW_COUNT(reals); i++) put_real(buf, reals[i]);
    for (size_t i = 0; i < CW_COUNT(m->pass_ns); i++)
        put_real(buf, m->pass_ns[i] > 0 ? m->pass_ns[i] : (double)NAN);
#define X(field) cw_buf_printf(buf, ",%d", m->problem.field);
    CW_PROBLEM_FIELDS(X)
#undef X
    cw_buf_put(buf, "\r\n");
    return buf->failed ? CW_NO_MEMORY : CW_OK;
}

cw_status cw_store_csv(cw_store *store, char **out, cw_error *err) {
    cw_buf buf = {0};
    cw_buf_put(&buf, "machine,created_ms,problem,impl,backend,version,family,state,detail,candidate,"
                     "library_choice,samples,time_ns,min_ns,median_ns,mad_ns,prepare_ns,src_reorder_ns,"
                     "dst_reorder_ns,workspace_bytes,error,pass1_ns,pass2_ns,pass3_ns,pass4_ns,pass5_ns,"
                     "pass6_ns,pass7_ns,pass8_ns");
#define X(field) cw_buf_put(&buf, "," #field);
    CW_PROBLEM_FIELDS(X)
#undef X
    cw_buf_put(&buf, "\r\n");
    cw_status status = cw_store_walk(store, NULL, false, export_row, &buf, err);
    if (status == CW_NO_MEMORY || (status == CW_OK && buf.failed)) status = cw_fail_memory(err);
    if (status == CW_OK) *out = cw_buf_take(&buf);
    cw_buf_release(&buf);
    return status;
}

cw_status cw_store_export_csv(cw_store *store, const char *path, cw_error *err) {
    char *text = NULL;
    cw_status status = cw_store_csv(store, &text, err);
    if (status == CW_OK) status = cw_write_file(path, text, strlen(text), err);
    cw_free(text);
    return status;
}
