/* import_csv.c: back from the CSV that `convwise store export` writes. Columns are found by their names;
 * those of the problem's numbers are not read, as its text says the same. Rows keep when they were measured.
 */
#include "csv.h"
#include "import.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* X(name): the columns that must be there, as export writes them. */
#define COLUMNS(X)                                                                                           \
    X(machine)                                                                                               \
    X(created_ms)                                                                                            \
    X(problem)                                                                                               \
    X(impl)                                                                                                  \
    X(backend)                                                                                               \
    X(version)                                                                                               \
    X(family)                                                                                                \
    X(state)                                                                                                 \
    X(detail)                                                                                                \
    X(candidate)                                                                                             \
    X(library_choice)                                                                                        \
    X(samples) X(time_ns) X(min_ns) X(median_ns) X(mad_ns) X(prepare_ns) X(src_reorder_ns) X(dst_reorder_ns) \
        X(workspace_bytes) X(error) X(pass1_ns) X(pass2_ns) X(pass3_ns) X(pass4_ns) X(pass5_ns) X(pass6_ns)  \
            X(pass7_ns) X(pass8_ns)
enum {
#define X(name) AT_##name,
    COLUMNS(X)
#undef X
        COLUMN_COUNT
};
static const char *const column_names[] = {
#define X(name) #name,
    COLUMNS(X)
#undef X
};

enum { MACHINES_MAX = 64 };

typedef struct reader {
    cw_importer *im;
    cw_csv csv;
    size_t width;
    size_t at[COLUMN_COUNT];
    size_t net, position, mean_error; /* columns; the width = not there, as in what older versions wrote */
    struct {
        char fingerprint[33];
        int64_t run;
    } machines[MACHINES_MAX];
    size_t machine_count;
    int64_t rows, taken;
} reader;

static size_t find_optional(const reader *r, const char *name) {
    size_t i = 0;
    while (i < r->width && strcmp(r->csv.fields[i], name) != 0) i++;
    return i;
}

static cw_status read_header(reader *r) {
    cw_importer *im = r->im;
    bool more;
    cw_status status = cw_csv_next(&r->csv, &more, im->err);
    if (status != CW_OK) return status;
    if (!more) return cw_importer_refuse(im, 0, "is empty");
    if (r->csv.wrong) return cw_importer_refuse(im, r->csv.line, "%s", r->csv.wrong);
    r->width = r->csv.count;
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        size_t found = 0;
        for (size_t i = 0; i < r->width; i++)
            if (strcmp(r->csv.fields[i], column_names[c]) == 0) r->at[c] = i, found++;
        if (found != 1)
            return cw_importer_refuse(im, r->csv.line,
                                      "%s column \"%s\": not what 'convwise store export' writes",
                                      found ? "more than one" : "no", column_names[c]);
    }
    r->net = find_optional(r, "net");
    r->position = find_optional(r, "position");
    r->mean_error = find_optional(r, "mean_error");
    return CW_OK;
}

/* Measurements of one machine are one run. */
static cw_status take_run(reader *r, const char *machine, int32_t threads) {
    for (size_t i = 0; i < r->machine_count; i++)
        if (strcmp(r->machines[i].fingerprint, machine) == 0) return r->im->run = r->machines[i].run, CW_OK;
    if (r->machine_count == MACHINES_MAX)
        return cw_importer_refuse(r->im, r->csv.line, "more than %d machines", MACHINES_MAX);
    cw_status status = cw_importer_begin_run(r->im, machine, "", threads);
    if (status != CW_OK) return status;
    snprintf(r->machines[r->machine_count].fingerprint, sizeof r->machines[0].fingerprint, "%s", machine);
    r->machines[r->machine_count++].run = r->im->run;
    return CW_OK;
}

static bool find_family(const char *name, cw_family *out) {
    for (int i = 0; i < CW_FAMILY_COUNT; i++)
        if (strcmp(name, cw_family_name((cw_family)i)) == 0) return *out = (cw_family)i, true;
    return false;
}

/* Fills m, but for its problem; NULL, or the column that is wrong. */
static const char *read_fields(const reader *r, cw_measurement *m, int64_t *created) {
    char *const *fields = r->csv.fields;
    int64_t candidate, library_choice, samples;
    const struct {
        int column;
        int64_t least, most;
        int64_t *to;
    } whole[] = {{AT_created_ms, 1, INT64_MAX / 2, created},
                 {AT_candidate, 0, 1, &candidate},
                 {AT_library_choice, 0, 1, &library_choice},
                 {AT_samples, 0, INT32_MAX, &samples}};
    double *const reals[] = {&m->time_ns,        &m->min_ns,          &m->median_ns,
                             &m->mad_ns,         &m->prepare_ns,      &m->src_reorder_ns,
                             &m->dst_reorder_ns, &m->workspace_bytes, &m->error};
    m->impl = fields[r->at[AT_impl]];
    m->backend = fields[r->at[AT_backend]];
    m->version = fields[r->at[AT_version]];
    m->detail = fields[r->at[AT_detail]];
    if (!find_family(fields[r->at[AT_family]], &m->family)) return "family";
    if (!cw_state_parse(fields[r->at[AT_state]], &m->state)) return "state";
    for (size_t i = 0; i < CW_COUNT(whole); i++)
        if (!cw_parse_int(fields[r->at[whole[i].column]], whole[i].least, whole[i].most, whole[i].to))
            return column_names[whole[i].column];
    m->candidate = candidate != 0;
    m->library_choice = library_choice != 0;
    m->samples = (int32_t)samples;
    for (size_t i = 0; i < CW_COUNT(reals) + CW_COUNT(m->pass_ns); i++) {
        double *to = i < CW_COUNT(reals) ? reals[i] : &m->pass_ns[i - CW_COUNT(reals)];
        const char *text = fields[r->at[AT_time_ns + i]];
        *to = i < CW_COUNT(reals) ? (double)NAN : 0; /* a pass of 0 is an unused one, written as nothing */
        if (*text && !(cw_parse_double(text, to) && isfinite(*to))) return column_names[AT_time_ns + i];
    }
    if (!cw_state_timed(m->state) && !isnan(m->time_ns)) return "time_ns";
    const char *mean = r->mean_error == r->width ? "" : fields[r->mean_error];
    m->mean_error = (double)NAN;
    if (*mean && !(cw_parse_double(mean, &m->mean_error) && isfinite(m->mean_error))) return "mean_error";
    if (r->net == r->width || r->position == r->width || !*fields[r->net]) return NULL;
    int64_t position;
    if (!cw_parse_int(fields[r->position], 1, INT32_MAX, &position)) return "position";
    m->net = fields[r->net];
    m->position = (int32_t)position;
    return NULL;
}

static cw_status read_row(reader *r) {
    cw_importer *im = r->im;
    const cw_csv *csv = &r->csv;
    cw_measurement m = {0};
    cw_error why;
    r->rows++;
    if (csv->wrong) return cw_importer_reject(im, csv->line, "%s", csv->wrong);
    if (csv->count != r->width)
        return cw_importer_reject(im, csv->line, "%zu fields: the first line has %zu", csv->count, r->width);
    if (cw_problem_parse(csv->fields[r->at[AT_problem]], &m.problem, &why) != CW_OK)
        return cw_importer_reject(im, csv->line, "%s", why.message);
    int64_t created;
    const char *wrong = read_fields(r, &m, &created);
    if (wrong) return cw_importer_reject(im, csv->line, "%s: not what 'convwise store export' writes", wrong);
    const char *machine = csv->fields[r->at[AT_machine]];
    if (!cw_store_name_ok(machine, sizeof((cw_machine *)0)->fingerprint - 1))
        return cw_importer_reject(im, csv->line, "machine \"%.40s\" is not a fingerprint", machine);
    if (cw_store_check(&m, &why) != CW_OK) return cw_importer_reject(im, csv->line, "%s", why.message);
    r->taken++;
    cw_status status = take_run(r, machine, m.problem.threads);
    im->created = created;
    return status == CW_OK ? cw_importer_add(im, csv->line, &m) : status;
}

cw_status cw_import_csv(cw_importer *im) {
    if (im->options->columns || im->options->preset)
        return cw_fail(im->err, CW_INVALID,
                       "csv reads what convwise wrote: it takes no --preset or --columns");
    reader *r = cw_alloc(sizeof *r);
    if (!r) return cw_fail_memory(im->err);
    bool more = true;
    r->im = im;
    cw_status status = cw_csv_open(&r->csv, im->path, im->err);
    if (status == CW_OK) status = read_header(r);
    while (status == CW_OK) {
        status = cw_csv_next(&r->csv, &more, im->err);
        if (status != CW_OK || !more) break;
        status = read_row(r);
    }
    if (status == CW_OK && r->taken == 0)
        status = cw_importer_refuse(im, 0,
                                    r->rows ? "none of its %lld lines can be understood"
                                            : "has %lld lines behind the columns' names",
                                    (long long)r->rows);
    if (status == CW_OK) status = cw_importer_count_repeats(im);
    if (r->csv.lines) im->sum.lines = cw_lines_number(r->csv.lines);
    cw_csv_close(&r->csv);
    cw_free(r);
    return status;
}
