/* import_onednn.c: what ONEDNN_VERBOSE prints: the convolutions that an application ran, with their times.
 * Fields: docs/formats.md, "onednn-log"; oneDNN's developer guide, "Verbose Mode".
 *
 * A line is one execution. Those of one problem and implementation become one measurement, whose time is
 * their median as in measuring with one pass. Of each at most KEPT times are kept, a random sample of all
 * (Vitter's algorithm R), so that memory follows the number of different convolutions and not the length of
 * the log. */
#include "import_onednn.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- A line ---- */

enum {
    FIELDS = 10
}; /* exec, engine, primitive, implementation, propagation, tensors, attributes, aux, problem, time */

static bool all_of(const char *text, const char *letters) {
    return text[0] && text[strspn(text, letters)] == '\0';
}

static cw_log_what bad(cw_log_line *out, const char *format, const char *what) {
    snprintf(out->why, sizeof out->why, format, what);
    return CW_LOG_BAD;
}

/* A tensor: "src_f32::blocked:acdb:f0", since 3.5 "src:f32::blocked:acdb::f0": type, flags, kind, layout. */
typedef struct tensor {
    char type[16], layout[24];
} tensor;

static bool find_tensor(const char *text, const char *name, tensor *out) {
    size_t length = strlen(name);
    for (; *text; text += strcspn(text, " "), text += *text == ' ') {
        if (strncmp(text, "diff_", 5) == 0) text += 5;
        if (strncmp(text, name, length) != 0 || (text[length] != '_' && text[length] != ':')) continue;
        text += length + 1;
        char *to[] = {out->type, NULL, NULL, out->layout};
        const size_t sizes[] = {sizeof out->type, 0, 0, sizeof out->layout};
        for (size_t i = 0; i < CW_COUNT(to); i++) {
            size_t n = strcspn(text, ": ");
            if (to[i]) {
                if (n >= sizes[i]) return false;
                memcpy(to[i], text, n);
                to[i][n] = '\0';
            }
            if (i + 1 < CW_COUNT(to) && text[n] != ':') return false;
            text += n + (text[n] == ':');
        }
        return true;
    }
    return false;
}

/* Types of source, weights, destination. A wider destination is another output of the same arithmetic but for
 * u8, where it saves requantising. */
static bool set_precision(cw_problem *p, const char *src, const char *wei, const char *dst) {
    static const struct {
        const char *src, *wei, *dst;
        cw_prec prec;
    } precs[] = {{"f32", "f32", "f32", CW_F32},    {"u8", "s8", "u8", CW_U8},
                 {"s8", "s8", "s8", CW_S8},        {"f16", "f16", "f16", CW_F16},
                 {"f16", "f16", "f32", CW_F16},    {"bf16", "bf16", "bf16", CW_BF16},
                 {"bf16", "bf16", "f32", CW_BF16}, {"bf16", "f32", "bf16", CW_BF16}};
    for (size_t i = 0; i < CW_COUNT(precs); i++)
        if (!strcmp(src, precs[i].src) && !strcmp(wei, precs[i].wei) && !strcmp(dst, precs[i].dst)) {
            p->prec = (int32_t)precs[i].prec;
            return true;
        }
    return false;
}

static bool set_layout(cw_problem *p, const char *layout) {
    bool nchw = !strcmp(layout, p->id ? "abcde" : "abcd"), nhwc = !strcmp(layout, p->id ? "acdeb" : "acdb");
    p->layout = nhwc ? CW_NHWC : CW_NCHW;
    return nchw || nhwc;
}

static bool set_direction(cw_problem *p, const char *text) {
    static const struct {
        const char *name;
        cw_dir dir;
    } dirs[] = {{"forward_training", CW_FWD},
                {"forward_inference", CW_FWD},
                {"backward_data", CW_BWD_D},
                {"backward_weights", CW_BWD_W}};
    for (size_t i = 0; i < CW_COUNT(dirs); i++)
        if (strcmp(text, dirs[i].name) == 0) {
            p->dir = (int32_t)dirs[i].dir;
            return true;
        }
    return false;
}

/* "mb1_ic3oc8_ih32oh16kh3sh2dh0ph1_iw...": benchdnn's text with lines between. */
static bool set_shape(cw_problem *p, char *text, cw_error *err) {
    char *to = text;
    for (const char *from = text; *from; from++)
        if (*from != '_') *to++ = *from;
    *to = '\0';
    if (strchr(text, ',') || !strstr(text, "ih") || !strstr(text, "iw")) {
        cw_fail(err, CW_INVALID, "not of two or three dimensions");
        return false;
    }
    return cw_problem_parse(text, p, err) == CW_OK;
}

/* Understood, but nothing that a problem can say. */
static cw_log_what left(cw_log_line *out, const char *format, const char *what) {
    bad(out, format, what);
    return CW_LOG_LEFT;
}

static cw_log_what left_types(cw_log_line *out, const char *src, const char *wei, const char *dst) {
    snprintf(out->why, sizeof out->why, "left out: data types %s, %s and %s are none that problems have here",
             src, wei, dst);
    return CW_LOG_LEFT;
}

static cw_log_what parse_run(char **f, cw_log_line *out) {
    cw_problem *p = &out->problem;
    cw_error err = {0};
    tensor src, wei, dst;
    double ms;
    if (!set_shape(p, f[8], &err)) return bad(out, "its problem: %.80s", err.message);
    if (!set_direction(p, f[4])) return bad(out, "propagation \"%.40s\" is unknown", f[4]);
    if (!find_tensor(f[5], "src", &src) || !find_tensor(f[5], "wei", &wei) || !find_tensor(f[5], "dst", &dst))
        return bad(out, "its tensors are not understood: %.60s", f[5]);
    if (!set_precision(p, src.type, wei.type, dst.type)) return left_types(out, src.type, wei.type, dst.type);
    if (strcmp(src.layout, dst.layout) != 0 || !set_layout(p, src.layout))
        return left(out,
                    "left out: its source or destination lies in blocks (%.30s): its time lacks the reorders",
                    set_layout(p, src.layout) ? dst.layout : src.layout);
    if (strstr(f[6], "post-ops") && strstr(f[6], "dw"))
        return left(out, "left out: %s", "another convolution is fused into it");
    p->zp = p->prec == CW_U8 && strstr(f[6], "zero-points") != NULL;
    p->threads = 1;
    if (cw_problem_check(p, &err) != CW_OK) return bad(out, "its problem: %.80s", err.message);
    cw_problem_canonical(p);
    if (snprintf(out->impl, sizeof out->impl, "onednn.%s", f[3]) >= (int)sizeof out->impl ||
        !cw_store_name_ok(out->impl, CW_STORE_NAME_MAX))
        return bad(out, "\"%.60s\" is no name of an implementation", f[3]);
    if (!cw_parse_double(f[9], &ms) || !isfinite(ms * 1e6) || ms < 0)
        return bad(out, "its time \"%.30s\" is not a number of milliseconds", f[9]);
    out->ns = ms * 1e6;
    return CW_LOG_RUN;
}

static cw_log_what parse_info(char **f, size_t n, cw_log_line *out) {
    int64_t threads;
    if (n >= 2 && strncmp(f[1], "oneDNN v", 8) == 0) {
        snprintf(out->impl, sizeof out->impl, "%.*s", (int)strcspn(f[1] + 8, " "), f[1] + 8);
        return CW_LOG_VERSION;
    }
    for (size_t i = 2; i < n; i++)
        if (strcmp(f[1], "cpu") == 0 && strncmp(f[i], "nthr:", 5) == 0 &&
            cw_parse_int(f[i] + 5, 1, CW_THREADS_MAX, &threads)) {
            out->threads = (int32_t)threads;
            return CW_LOG_THREADS;
        }
    return CW_LOG_OTHER;
}

cw_log_what cw_log_parse(char *text, cw_log_line *out) {
    char *f[FIELDS + 4] = {text};
    size_t n = 0, at = 1;
    for (char *next = text; next && n < CW_COUNT(f); n++) {
        f[n] = next;
        next = strchr(next, ',');
        if (next) *next++ = '\0';
        if (n + 1 == CW_COUNT(f) && next) return CW_LOG_OTHER; /* longer than any execution */
    }
    if (strcmp(f[0], "onednn_verbose") != 0 && strcmp(f[0], "dnnl_verbose") != 0) return CW_LOG_OTHER;
    /* 3.x: a version of the format; a time stamp; which part of the library. */
    if (at < n && f[at][0] == 'v' && all_of(f[at] + 1, "0123456789")) at++;
    if (at < n && all_of(f[at], "0123456789.")) at++;
    if (at < n && strcmp(f[at], "primitive") == 0) at++;
    if (at < n && strcmp(f[at], "info") == 0) return parse_info(f + at, n - at, out);
    if (n - at < 3 || strcmp(f[at], "exec") || strcmp(f[at + 1], "cpu") || strcmp(f[at + 2], "convolution"))
        return CW_LOG_OTHER;
    if (n - at != FIELDS) return bad(out, "%s", "a convolution's line has not the ten fields from \"exec\"");
    return parse_run(f + at, out);
}

/* ---- The log ---- */

enum { KEPT = 255, DIFFERENT = 1 << 16 };

typedef struct entry {
    cw_problem problem;
    char *impl;
    int64_t line, count;
    double min;
    double *times;
    size_t capacity;
} entry;

typedef struct log_reader {
    cw_importer *im;
    char version[CW_STORE_VERSION_MAX + 1];
    int32_t threads, most_threads;
    cw_rng rng;
    entry *entries;
    size_t count, capacity;
    uint32_t slots[2 * DIFFERENT]; /* 1 + index of an entry, 0 = free */
} log_reader;

static cw_status find_entry(log_reader *r, const cw_log_line *l, int64_t line, entry **out) {
    uint64_t at = cw_hash(l->impl, strlen(l->impl), cw_problem_hash(&l->problem));
    for (;; at++) {
        uint32_t *slot = &r->slots[at % CW_COUNT(r->slots)];
        if (*slot) {
            *out = &r->entries[*slot - 1];
            if (!cw_problem_compare(&(*out)->problem, &l->problem) && !strcmp((*out)->impl, l->impl))
                return CW_OK;
            continue;
        }
        if (r->count == DIFFERENT)
            return cw_importer_refuse(r->im, line, "more than %d different convolutions: split the log",
                                      DIFFERENT);
        if (!cw_grow(&r->entries, &r->capacity, r->count + 1, sizeof *r->entries))
            return cw_fail_memory(r->im->err);
        *out = &r->entries[r->count];
        **out = (entry){.problem = l->problem, .impl = cw_strdup(l->impl), .line = line, .min = l->ns};
        if (!(*out)->impl) return cw_fail_memory(r->im->err);
        *slot = (uint32_t)++r->count;
        return CW_OK;
    }
}

static cw_status keep(log_reader *r, const cw_log_line *l, int64_t line) {
    entry *e = NULL;
    cw_status status = find_entry(r, l, line, &e);
    if (status != CW_OK) return status;
    size_t at = (size_t)e->count;
    if (e->count >= KEPT) at = (size_t)cw_rng_below(&r->rng, (uint64_t)e->count + 1);
    e->count++;
    if (l->ns < e->min) e->min = l->ns;
    if (at >= KEPT) return CW_OK;
    if (!cw_grow(&e->times, &e->capacity, at + 1, sizeof *e->times)) return cw_fail_memory(r->im->err);
    e->times[at] = l->ns;
    return CW_OK;
}

static cw_status take(log_reader *r, cw_log_line *l, int64_t line) {
    cw_importer *im = r->im;
    if (l->ns == 0) {
        im->sum.zero_times++;
        cw_importer_note(im, line, "a time of 0: left out");
        return CW_OK;
    }
    if (r->threads == 0)
        return cw_importer_refuse(im, line,
                                  "nothing before this says how many threads ran (a line \"info,cpu,"
                                  "...,nthr:4\"): --columns threads=4");
    l->problem.threads = r->threads;
    if (r->threads > r->most_threads) r->most_threads = r->threads;
    return keep(r, l, line);
}

static cw_status read_log_line(log_reader *r, char *text, int64_t line) {
    cw_log_line l = {0};
    switch (cw_log_parse(text, &l)) {
    case CW_LOG_RUN:
        return take(r, &l, line);
    case CW_LOG_BAD:
        return cw_importer_reject(r->im, line, "%s", l.why);
    case CW_LOG_LEFT:
        cw_importer_note(r->im, line, "%s", l.why);
        break;
    case CW_LOG_THREADS:
        r->threads = l.threads;
        break;
    case CW_LOG_VERSION:
        if (!cw_store_printable(l.impl, CW_STORE_VERSION_MAX)) break;
        if (r->version[0] && strcmp(r->version, l.impl) != 0)
            return cw_importer_refuse(r->im, line, "a log of oneDNN %.20s and %.20s: import one at a time",
                                      r->version, l.impl);
        strcpy(r->version, l.impl);
        break;
    case CW_LOG_OTHER:
        break;
    }
    r->im->sum.other++;
    return CW_OK;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n) {
    qsort(x, n, sizeof *x, compare_doubles);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static cw_status store_entry(log_reader *r, const entry *e) {
    size_t n = e->count < KEPT ? (size_t)e->count : KEPT;
    cw_measurement m = {.problem = e->problem,
                        .impl = e->impl,
                        .backend = "onednn",
                        .version = r->version[0] ? r->version : "unknown",
                        .family = cw_family_of_onednn(e->impl + strlen("onednn.")),
                        .candidate = true,
                        .state = CW_STATE_OK,
                        .detail = "",
                        .samples = e->count < INT32_MAX ? (int32_t)e->count : INT32_MAX,
                        .min_ns = e->min,
                        .error = NAN,
                        .mean_error = NAN};
    m.time_ns = m.median_ns = m.pass_ns[0] = median(e->times, n);
    for (size_t i = 0; i < n; i++) e->times[i] = fabs(e->times[i] - m.median_ns);
    m.mad_ns = median(e->times, n);
    return cw_importer_add(r->im, e->line, &m);
}

static cw_status store_all(log_reader *r) {
    cw_importer *im = r->im;
    cw_machine here;
    cw_status status;
    if (r->count == 0) return cw_importer_refuse(im, 0, "no line tells of a convolution that ran on a CPU");
    cw_machine_detect(&here);
    if (im->options->machine)
        status = cw_importer_begin_run(im, NULL, "unknown", r->most_threads);
    else
        status = cw_importer_begin_run_on(im, &here, r->most_threads);
    for (size_t i = 0; i < r->count && status == CW_OK; i++) status = store_entry(r, &r->entries[i]);
    return status;
}

static cw_status set_threads(log_reader *r) {
    const char *columns = r->im->options->columns;
    int64_t threads;
    if (!columns) return CW_OK;
    if (strncmp(columns, "threads=", 8) != 0 || !cw_parse_int(columns + 8, 1, CW_THREADS_MAX, &threads))
        return cw_fail(r->im->err, CW_NOT_FOUND, "onednn-log: columns are \"threads=N\", not \"%.60s\"",
                       columns);
    r->threads = (int32_t)threads;
    return CW_OK;
}

cw_status cw_import_onednn_log(cw_importer *im) {
    char *text;
    cw_lines *lines = NULL;
    log_reader *r = cw_alloc(sizeof *r);
    if (!r) return cw_fail_memory(im->err);
    r->im = im;
    r->rng = cw_rng_seed(1);
    im->scope = "";
    cw_status status = set_threads(r);
    if (status == CW_OK) status = cw_lines_open(im->path, &lines, im->err);
    while (status == CW_OK && (status = cw_lines_next(lines, &text, NULL, im->err)) == CW_OK && text) {
        im->sum.lines++;
        status = read_log_line(r, text, cw_lines_number(lines));
    }
    if (status == CW_OK) status = store_all(r);
    cw_lines_close(lines);
    for (size_t i = 0; i < r->count; i++) {
        cw_free(r->entries[i].impl);
        cw_free(r->entries[i].times);
    }
    cw_free(r->entries);
    cw_free(r);
    return status;
}
