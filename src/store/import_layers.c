/* import_layers.c: CSV with one line a layer: its shape, its network, and the times of several
 * implementations, which are kept with the network and the place that they were taken in. An empty time is
 * stored as absent: the file does not tell whether the implementation cannot run, failed or was not measured.
 */
#include "csv.h"
#include "import_columns.h"
#include <stdio.h>
#include <string.h>

/* The layers of a network as one precision has them, in the file's order. */
typedef struct list {
    char name[64];
    int32_t prec;
    cw_layer *layers;
    size_t count, capacity;
    uint32_t precs; /* bits 1 << cw_prec: that have these very layers; 0 = an earlier list says so */
} list;

typedef struct layers {
    cw_importer *im;
    cw_csv csv;
    cw_columns columns;
    size_t width; /* columns of the file */
    list *lists;
    size_t list_count, list_capacity;
    int64_t rows, taken;
} layers;

/* ---- Networks ---- */

static cw_status find_list(layers *l, const char *name, int32_t prec, list **out) {
    for (size_t i = 0; i < l->list_count; i++)
        if (l->lists[i].prec == prec && strcmp(l->lists[i].name, name) == 0)
            return *out = &l->lists[i], CW_OK;
    if (!cw_grow(&l->lists, &l->list_capacity, l->list_count + 1, sizeof *l->lists))
        return cw_fail_memory(l->im->err);
    *out = &l->lists[l->list_count++];
    **out = (list){.prec = prec};
    snprintf((*out)->name, sizeof(*out)->name, "%s", name);
    return CW_OK;
}

/* position: among the network's layers of this precision, from 1. */
static cw_status add_layer(layers *l, const char *net, const char *name, const cw_problem *p,
                           int32_t *position) {
    list *to = NULL;
    cw_status status = find_list(l, net, p->prec, &to);
    if (status != CW_OK) return status;
    if (!cw_grow(&to->layers, &to->capacity, to->count + 1, sizeof *to->layers))
        return cw_fail_memory(l->im->err);
    cw_layer *layer = &to->layers[to->count++];
    memset(layer, 0, sizeof *layer);
    layer->problem = *p;
    cw_problem_canonical(&layer->problem);
    layer->problem.prec = CW_F32;
    layer->problem.threads = 1;
    /* As it is in u8, whatever precision this line has: what tells is the map, the same for all lines. */
    const cw_column *zp = l->columns.roles[CW_ROLE_zp];
    if (zp && zp->at < 0) layer->problem.zp = zp->value != 0;
    if (name)
        snprintf(layer->name, sizeof layer->name, "%.63s", name);
    else
        snprintf(layer->name, sizeof layer->name, "layer%zu", to->count);
    *position = (int32_t)to->count;
    return CW_OK;
}

static bool same_layers(const list *a, const list *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (cw_problem_compare(&a->layers[i].problem, &b->layers[i].problem) != 0) return false;
    return true;
}

/* The first list of a network, and of these layers where `alike` is given. */
static size_t first_list(const layers *l, const char *name, const list *alike) {
    size_t i = 0;
    while (strcmp(l->lists[i].name, name) != 0 || (alike && !same_layers(&l->lists[i], alike))) i++;
    return i;
}

/* The different lists of the network whose first list this is, one after the other. */
static cw_status join_lists(const layers *l, size_t first, cw_net *net) {
    size_t capacity = 0, parts = 0;
    for (size_t i = first; i < l->list_count; i++) {
        const list *it = &l->lists[i];
        if (it->precs == 0 || strcmp(it->name, l->lists[first].name) != 0) continue;
        if (!cw_grow(&net->layers, &capacity, net->count + it->count, sizeof *net->layers))
            return cw_fail_memory(l->im->err);
        parts++;
        for (size_t k = 0; k < it->count; k++) {
            net->layers[net->count] = it->layers[k];
            net->layers[net->count++].precs = it->precs;
        }
    }
    for (size_t k = 0; parts == 1 && k < net->count; k++) net->layers[k].precs = 0; /* in any precision */
    return CW_OK;
}

static cw_status store_nets(layers *l) {
    cw_status status = CW_OK;
    for (size_t i = 0; i < l->list_count; i++)
        l->lists[first_list(l, l->lists[i].name, &l->lists[i])].precs |= 1U << l->lists[i].prec;
    for (size_t i = 0; i < l->list_count && status == CW_OK; i++) {
        cw_net net = {.layers = NULL};
        if (first_list(l, l->lists[i].name, NULL) != i) continue;
        snprintf(net.name, sizeof net.name, "%s", l->lists[i].name);
        status = join_lists(l, i, &net);
        if (status == CW_OK && cw_store_has_net(l->im->store, net.name))
            cw_importer_note(l->im, 0, "network \"%s\" of the store is replaced", net.name);
        if (status == CW_OK) status = cw_importer_add_net(l->im, &net);
        cw_net_release(&net);
    }
    return status;
}

/* ---- Rows ---- */

static cw_status read_header(layers *l) {
    cw_importer *im = l->im;
    cw_csv *csv = &l->csv;
    bool more;
    size_t impls = 0;
    double number;
    cw_status status = cw_csv_next(csv, &more, im->err);
    if (status != CW_OK) return status;
    if (!more) return cw_importer_refuse(im, 0, "is empty");
    if (csv->wrong) return cw_importer_refuse(im, csv->line, "%s", csv->wrong);
    if (csv->count > CW_FILE_COLUMNS_MAX)
        return cw_importer_refuse(im, csv->line, "more than %d columns", CW_FILE_COLUMNS_MAX);
    for (size_t i = 0; i < csv->count; i++)
        if (!*csv->fields[i] || cw_columns_real(csv->fields[i], &number))
            return cw_importer_refuse(im, csv->line,
                                      "the first line must name the columns: column %zu is \"%.40s\"", i + 1,
                                      csv->fields[i]);
    l->width = csv->count;
    status = cw_columns_bind(&l->columns, im, csv->line, (const char *const *)csv->fields, csv->count, true);
    if (status != CW_OK) return status;
    for (size_t i = 0; i < l->columns.count; i++) impls += l->columns.list[i].role == CW_ROLE_IMPL;
    if (impls == 0)
        return cw_fail(im->err, CW_INVALID,
                       "%.100s: which columns are times? (--columns backend.name=column_us)", im->path);
    for (size_t i = 0; i < csv->count; i++)
        if (!cw_columns_uses(&l->columns, i))
            cw_importer_note(im, csv->line, "column \"%.60s\" is not used", csv->fields[i]);
    const cw_column *threads = l->columns.roles[CW_ROLE_threads];
    return cw_importer_begin_run(im, l->columns.fingerprint, l->columns.cpu,
                                 threads && threads->at < 0 ? threads->value : 1);
}

/* What a field of times says; false: what is wrong with it, in why. */
static bool read_time(const cw_column *column, const char *text, cw_measurement *m, char why[160]) {
    double x;
    m->state = CW_STATE_ABSENT;
    m->detail = "no time in the source";
    if (!*text) return true;
    if (!cw_columns_real(text, &x) || !(x >= 0) || !(x * column->to_ns < 1e300)) {
        snprintf(why, 160, "%.40s is \"%.40s\": must be a time above zero, or nothing", column->theirs, text);
        return false;
    }
    m->time_ns = x * column->to_ns;
    m->detail = m->time_ns > 0 ? "" : "the source says 0";
    if (m->time_ns > 0) m->state = CW_STATE_OK;
    return true;
}

static bool is_zero(const cw_measurement *m) {
    return m->state == CW_STATE_ABSENT && strcmp(m->detail, "the source says 0") == 0;
}

static const char *text_of(const layers *l, cw_role role) {
    const cw_column *column = l->columns.roles[role];
    return column && column->at >= 0 ? l->csv.fields[column->at] : NULL;
}

static cw_status read_row(layers *l) {
    cw_importer *im = l->im;
    const cw_csv *csv = &l->csv;
    cw_measurement all[CW_COLUMNS_MAX];
    cw_problem p;
    char why[160];
    size_t count = 0;
    l->rows++;
    if (csv->wrong) return cw_importer_reject(im, csv->line, "%s", csv->wrong);
    if (csv->count != l->width)
        return cw_importer_reject(im, csv->line, "%zu fields: the first line has %zu", csv->count, l->width);
    const char *net = l->columns.roles[CW_ROLE_NET] ? text_of(l, CW_ROLE_NET) : im->options->net;
    if (net && !cw_store_printable(net, sizeof((list *)0)->name - 1))
        return cw_importer_reject(im, csv->line, "a network's name has 1 to 63 printable characters");
    if (!cw_columns_problem(&l->columns, csv->fields, &p, why))
        return cw_importer_reject(im, csv->line, "%s", why);
    for (size_t i = 0; i < l->columns.count; i++) {
        const cw_column *column = &l->columns.list[i];
        if (column->role != CW_ROLE_IMPL) continue;
        all[count] = cw_columns_measurement(column, &p);
        if (!read_time(column, csv->fields[column->at], &all[count], why))
            return cw_importer_reject(im, csv->line, "%s", why);
        count++;
    }
    count = 0;
    for (size_t i = 0; i < l->columns.count; i++) { /* now that the line is understood */
        const cw_column *column = &l->columns.list[i];
        if (column->role != CW_ROLE_IMPL || !is_zero(&all[count++])) continue;
        if (im->options->strict)
            return cw_importer_reject(im, csv->line, "%.60s is 0: no run takes no time", column->theirs);
        im->sum.zero_times++;
        cw_importer_note(im, csv->line, "%.60s is 0: stored as absent", column->theirs);
    }
    l->taken++;
    int32_t position = 0;
    cw_status status = net ? add_layer(l, net, text_of(l, CW_ROLE_NAME), &p, &position) : CW_OK;
    for (size_t i = 0; i < count && status == CW_OK; i++) {
        all[i].net = net;
        all[i].position = position;
        status = cw_importer_add(im, csv->line, &all[i]);
    }
    return status;
}

static cw_status read_rows(layers *l) {
    bool more = true;
    cw_status status = CW_OK;
    while (status == CW_OK) {
        status = cw_csv_next(&l->csv, &more, l->im->err);
        if (status != CW_OK || !more) break;
        status = read_row(l);
    }
    if (status != CW_OK) return status;
    if (l->rows == 0) return cw_importer_refuse(l->im, 0, "has no lines behind the columns' names");
    if (l->taken == 0)
        return cw_importer_refuse(l->im, 0, "none of its %lld lines can be understood", (long long)l->rows);
    return CW_OK;
}

cw_status cw_import_layers(cw_importer *im) {
    layers *l = cw_alloc(sizeof *l);
    if (!l) return cw_fail_memory(im->err);
    l->im = im;
    cw_status status = cw_columns_parse(&l->columns, im, "layers");
    if (status == CW_OK) status = cw_csv_open(&l->csv, im->path, im->err);
    if (status == CW_OK) status = read_header(l);
    if (status == CW_OK) status = read_rows(l);
    if (status == CW_OK) status = store_nets(l);
    if (status == CW_OK) status = cw_importer_count_repeats(im);
    if (l->csv.lines) im->sum.lines = cw_lines_number(l->csv.lines);
    for (size_t i = 0; i < l->list_count; i++) cw_free(l->lists[i].layers);
    cw_free(l->lists);
    cw_csv_close(&l->csv);
    cw_free(l);
    return status;
}
