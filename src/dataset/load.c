/* load.c: from the rows of a store to a learning matrix. Not here: what is learnt from it. */
#include "dataset.h"
#include "../base/base.h"
#include "../learn/folds.h"
#include "../store/store.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One time, as it comes from the store. */
typedef struct entry {
    size_t row, class_id;
    double time, spread;
    bool library;
} entry;

/* Batch, precision and threads of a row: what a network's layers do not say. */
typedef struct condition {
    int32_t mb, prec, threads, layout, cache;
} condition;

typedef struct loader {
    cw_store *store;
    cw_error *err;
    cw_dataset_options options;
    cw_dataset *data;
    entry *entries;
    size_t entry_count, entry_capacity, row_capacity, class_capacity, net_capacity, layer_capacity;
    size_t own_net_capacity, own_row_capacity, own_time_capacity;
    int32_t own_position; /* of the last of own_rows */
    size_t next_class;    /* where the next name probably is: names come in the same order row by row */
    size_t host_capacity, row_host_capacity;
    int32_t host; /* machine whose rows are being read */
    int64_t most; /* problems of the machine chosen so far */
    condition *conditions;
    size_t condition_count, condition_capacity;
} loader;

/* ---- Machine ---- */

static cw_status add_host(loader *l, const cw_machine *machine) {
    cw_dataset *data = l->data;
    if (!cw_grow(&data->hosts, &l->host_capacity, data->host_count + 1, sizeof *data->hosts))
        return cw_fail_memory(l->err);
    data->hosts[data->host_count++] = *machine;
    snprintf(data->fingerprint, sizeof data->fingerprint, "%s", machine->fingerprint);
    snprintf(data->cpu, sizeof data->cpu, "%s", machine->cpu);
    return CW_OK;
}

/* The one wanted, all, or the one with most problems. */
static cw_status choose_machine(void *arg, const cw_machine *machine, int64_t problems,
                                int64_t measurements) {
    loader *l = arg;
    const char *wanted = l->options.fingerprint;
    (void)measurements;
    if (wanted && strcmp(wanted, "all") == 0) return problems > 0 ? add_host(l, machine) : CW_OK;
    if (wanted ? strcmp(wanted, machine->fingerprint) != 0 : problems <= l->most) return CW_OK;
    l->most = problems;
    l->data->host_count = 0;
    return add_host(l, machine);
}

static void name_hosts(cw_dataset *data) {
    if (data->host_count < 2) return;
    snprintf(data->fingerprint, sizeof data->fingerprint, "all");
    snprintf(data->cpu, sizeof data->cpu, "%zu machines", data->host_count);
}

/* ---- Measurements ---- */

/* Half-width of a time's noise; dataset.h says why. */
static double spread_of(const cw_measurement *m) {
    double smallest = INFINITY, second = INFINITY;
    for (size_t i = 0; i < CW_COUNT(m->pass_ns); i++) {
        double t = m->pass_ns[i];
        if (!(t > 0)) continue;
        if (t < smallest) {
            second = smallest;
            smallest = t;
        } else if (t < second) {
            second = t;
        }
    }
    double error = m->samples > 0 && m->mad_ns > 0 ? 3.7 * m->mad_ns / sqrt(m->samples) : 0;
    double gap = isfinite(second) ? second - smallest : 0;
    return error > gap ? error : gap;
}

static cw_status find_class(loader *l, const cw_measurement *m, size_t *id) {
    cw_dataset *data = l->data;
    const char *name = l->options.families ? cw_family_name(m->family) : m->impl;
    for (size_t k = 0; k < data->classes; k++) {
        size_t at = (l->next_class + k) % data->classes;
        if (strcmp(data->class_info[at].name, name) != 0) continue;
        l->next_class = at + 1;
        *id = at;
        return CW_OK;
    }
    if (!cw_grow(&data->class_info, &l->class_capacity, data->classes + 1, sizeof *data->class_info))
        return cw_fail_memory(l->err);
    cw_class_info *info = &data->class_info[data->classes];
    *info = (cw_class_info){.name = cw_strdup(name), .family = m->family, .backend = cw_strdup(m->backend)};
    *id = data->classes++; /* counted at once, so that cw_dataset_free finds it */
    l->next_class = data->classes;
    return info->name && info->backend ? CW_OK : cw_fail_memory(l->err);
}

/* The last row goes if it has too few times. Families are counted by their implementations. */
static void drop_short_row(loader *l) {
    size_t from = l->entry_count;
    while (from > 0 && l->data->rows > 0 && l->entries[from - 1].row == l->data->rows - 1) from--;
    if (l->data->rows == 0 || l->entry_count - from >= (size_t)l->options.least) return;
    l->entry_count = from;
    l->data->rows--;
}

static bool add_row(loader *l, const cw_problem *p) {
    cw_dataset *data = l->data;
    if (!cw_grow(&data->problems, &l->row_capacity, data->rows + 1, sizeof *data->problems) ||
        !cw_grow(&data->host, &l->row_host_capacity, data->rows + 1, sizeof *data->host))
        return false;
    data->problems[data->rows] = *p;
    data->host[data->rows++] = l->host;
    return true;
}

/* A candidate of the kind of problem asked for. */
static bool is_wanted(const loader *l, const cw_measurement *m) {
    const cw_dataset_options *o = &l->options;
    const cw_problem *p = &m->problem;
    bool asked = m->candidate || (o->fpmath == CW_FPMATH_BF16 && cw_impl_is_reduced(m->impl));
    return asked && (o->prec < 0 || p->prec == o->prec) && (o->threads == 0 || p->threads == o->threads) &&
           (o->dir < 0 || p->dir == o->dir) && (o->cache < 0 || p->cache == o->cache) &&
           (o->dims == 0 || (p->id != 0) == (o->dims == 3));
}

static double time_of(const loader *l, const cw_measurement *m) {
    return m->time_ns + (l->options.free_reorders ? 0 : m->src_reorder_ns + m->dst_reorder_ns);
}

static cw_status add_entry(void *arg, const cw_measurement *m) {
    loader *l = arg;
    cw_dataset *data = l->data;
    const cw_problem *p = &m->problem;
    if (!is_wanted(l, m) || !cw_state_timed(m->state)) return CW_OK;
    if (data->rows == 0 || data->host[data->rows - 1] != l->host ||
        cw_problem_compare(&data->problems[data->rows - 1], p) != 0) {
        drop_short_row(l);
        if (!add_row(l, p)) return cw_fail_memory(l->err);
    }
    if (!cw_grow(&l->entries, &l->entry_capacity, l->entry_count + 1, sizeof *l->entries))
        return cw_fail_memory(l->err);
    entry *e = &l->entries[l->entry_count++];
    *e = (entry){
        .row = data->rows - 1, .time = time_of(l, m), .spread = spread_of(m), .library = m->library_choice};
    cw_status status = find_class(l, m, &e->class_id);
    if (status == CW_OK) cw_tally_add(&data->class_info[e->class_id].tally, m, e->time);
    return status;
}

/* ---- Labels ---- */

/* One row a label, in the order of storing; its class is kept as an entry without a time. */
static cw_status add_label(void *arg, const cw_stored *stored) {
    loader *l = arg;
    cw_dataset *data = l->data;
    const cw_measurement *m = &stored->m;
    if (!is_wanted(l, m) || m->state != CW_STATE_LABEL) return CW_OK;
    if (!add_row(l, &m->problem) ||
        !cw_grow(&l->entries, &l->entry_capacity, l->entry_count + 1, sizeof *l->entries))
        return cw_fail_memory(l->err);
    entry *e = &l->entries[l->entry_count++];
    *e = (entry){.row = data->rows - 1, .time = NAN, .spread = NAN};
    return find_class(l, m, &e->class_id);
}

/* ---- Machines' rows together ---- */

static int compare_rows(const void *a, const void *b, void *arg) {
    const cw_dataset *data = arg;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = cw_problem_compare(&data->problems[x], &data->problems[y]);
    return order ? order : (data->host[x] > data->host[y]) - (data->host[x] < data->host[y]);
}

/* Rows come sorted machine by machine. */
static cw_status sort_rows(loader *l) {
    cw_dataset *data = l->data;
    if (data->host_count < 2 || data->labelled || data->rows == 0) return CW_OK;
    size_t *order = cw_alloc_n(data->rows, sizeof *order), *place = cw_alloc_n(data->rows, sizeof *place);
    cw_problem *problems = cw_alloc_n(data->rows, sizeof *problems);
    int32_t *host = cw_alloc_n(data->rows, sizeof *host);
    cw_status status = order && place && problems && host ? CW_OK : cw_fail_memory(l->err);
    if (status == CW_OK) {
        for (size_t i = 0; i < data->rows; i++) order[i] = i;
        qsort_r(order, data->rows, sizeof *order, compare_rows, data);
        for (size_t i = 0; i < data->rows; i++) {
            place[order[i]] = i;
            problems[i] = data->problems[order[i]];
            host[i] = data->host[order[i]];
        }
        for (size_t i = 0; i < l->entry_count; i++) l->entries[i].row = place[l->entries[i].row];
        memcpy(data->problems, problems, data->rows * sizeof *problems);
        memcpy(data->host, host, data->rows * sizeof *host);
    }
    cw_free(order);
    cw_free(place);
    cw_free(problems);
    cw_free(host);
    return status;
}

/* ---- Matrix ---- */

static int compare_classes(const void *a, const void *b, void *info) {
    const cw_class_info *classes = info;
    return strcmp(classes[*(const size_t *)a].name, classes[*(const size_t *)b].name);
}

/* Sorts the classes by name; rank (classes entries) gets each one's new place. */
static cw_status sort_classes(cw_dataset *data, size_t *rank, cw_error *err) {
    size_t *order = cw_alloc_n(data->classes, sizeof *order);
    cw_class_info *sorted = cw_alloc_n(data->classes, sizeof *sorted);
    if (!order || !sorted) {
        cw_free(order);
        cw_free(sorted);
        return cw_fail_memory(err);
    }
    for (size_t i = 0; i < data->classes; i++) order[i] = i;
    qsort_r(order, data->classes, sizeof *order, compare_classes, data->class_info);
    for (size_t i = 0; i < data->classes; i++) {
        sorted[i] = data->class_info[order[i]];
        rank[order[i]] = i;
    }
    cw_free(order);
    cw_free(data->class_info);
    data->class_info = sorted;
    return CW_OK;
}

static void fill_row(cw_dataset *data, size_t row) {
    const cw_problem *p = &data->problems[row];
    const double *time = data->time + row * data->classes;
    cw_sizes sizes;
    int32_t best = -1;
    for (size_t c = 0; c < data->classes; c++)
        if (!isnan(time[c]) && (best < 0 || time[c] < time[best])) best = (int32_t)c;
    if (!data->labelled) data->y[row] = best;
    cw_problem_sizes(p, &sizes);
    data->scale[row] = (double)sizes.macs;
    cw_host host = cw_host_of(&data->hosts[data->host[row]]);
    cw_features_eval_on(data->features, data->columns, p, &host, data->x + row * data->columns);
}

static cw_status fill(loader *l) {
    cw_dataset *data = l->data;
    size_t cells = data->rows * data->classes;
    size_t *rank = cw_alloc_n(data->classes, sizeof *rank);
    data->x = cw_alloc_n(data->rows * data->columns, sizeof *data->x);
    data->time = cw_alloc_n(cells, sizeof *data->time);
    data->spread = cw_alloc_n(cells, sizeof *data->spread);
    data->y = cw_alloc_n(data->rows, sizeof *data->y);
    data->library = cw_alloc_n(data->rows, sizeof *data->library);
    data->scale = cw_alloc_n(data->rows, sizeof *data->scale);
    cw_status status = CW_OK;
    if (!rank || !data->x || !data->time || !data->spread || !data->y || !data->library || !data->scale)
        status = cw_fail_memory(l->err);
    if (status == CW_OK) status = sort_classes(data, rank, l->err);
    if (status == CW_OK) {
        for (size_t i = 0; i < cells; i++) data->time[i] = NAN;
        for (size_t i = 0; i < data->rows; i++) data->library[i] = -1;
        for (size_t i = 0; i < l->entry_count; i++) {
            const entry *e = &l->entries[i];
            size_t class = rank[e->class_id];
            size_t cell = e->row * data->classes + class;
            if (data->labelled) data->y[e->row] = (int32_t) class;
            if (data->time[cell] <= e->time) continue; /* a family's faster implementation is there */
            data->time[cell] = e->time;
            data->spread[cell] = e->spread;
            int32_t *library = &data->library[e->row];
            if (e->library && (*library < 0 || (int32_t) class < *library)) *library = (int32_t) class;
        }
        for (size_t i = 0; i < data->rows; i++) fill_row(data, i);
    }
    cw_free(rank);
    return status;
}

static void hash(cw_dataset *data) {
    uint64_t h = cw_hash(data->problems, data->rows * sizeof *data->problems, 0);
    for (size_t c = 0; c < data->classes; c++)
        h = cw_hash(data->class_info[c].name, strlen(data->class_info[c].name) + 1, h);
    for (size_t i = 0; i < data->rows * data->classes; i++) {
        double t = isnan(data->time[i]) ? -1 : data->time[i]; /* one NaN of the many */
        h = cw_hash(&t, sizeof t, h);
    }
    for (size_t i = 0; data->host_count > 1 && i < data->host_count; i++)
        h = cw_hash(data->hosts[i].fingerprint, strlen(data->hosts[i].fingerprint) + 1, h);
    if (data->host_count > 1) h = cw_hash(data->host, data->rows * sizeof *data->host, h);
    if (data->labelled) h = cw_hash(data->y, data->rows * sizeof *data->y, h);
    snprintf(data->hash, sizeof data->hash, "%016llx", (unsigned long long)h);
}

static cw_status take_features(cw_dataset *data, const char *set, cw_error *err) {
    unsigned mask = cw_feature_set(set);
    if (mask == 0)
        return cw_fail(err, CW_INVALID,
                       "features \"%.40s\": there are \"raw\", \"engineered\", \"pooled\" and \"seed\"", set);
    data->features = cw_alloc_n(cw_feature_count, sizeof *data->features);
    if (!data->features) return cw_fail_memory(err);
    for (size_t i = 0; i < cw_feature_count; i++)
        if (cw_features[i].sets & mask) data->features[data->columns++] = &cw_features[i];
    snprintf(data->feature_set, sizeof data->feature_set, "%s", set);
    return CW_OK;
}

/* ---- Networks ---- */

static cw_status collect_conditions(loader *l) {
    for (size_t i = 0; i < l->data->rows; i++) {
        const cw_problem *p = &l->data->problems[i];
        size_t c = l->condition_count;
        const condition own = {p->mb, p->prec, p->threads, p->layout, p->cache};
        while (c > 0 && memcmp(&l->conditions[c - 1], &own, sizeof own) != 0) c--;
        if (c > 0) continue;
        if (!cw_grow(&l->conditions, &l->condition_capacity, l->condition_count + 1, sizeof *l->conditions))
            return cw_fail_memory(l->err);
        l->conditions[l->condition_count++] = own;
    }
    return CW_OK;
}

static int compare_problems(const void *a, const void *b) {
    return cw_problem_compare(a, b);
}

static int compare_layers(const void *a, const void *b) {
    const cw_dataset_layer *x = a, *y = b;
    if (x->net != y->net) return x->net < y->net ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* NULL: there is none. */
static const cw_problem *find_row(const cw_dataset *data, const cw_problem *p) {
    return bsearch(p, data->problems, data->rows, sizeof *p, compare_problems);
}

static cw_status add_layer(loader *l, const cw_layer *layer, size_t net) {
    cw_dataset *data = l->data;
    for (size_t c = 0; c < l->condition_count; c++) {
        const condition *when = &l->conditions[c];
        if (layer->precs != 0 && !(layer->precs >> when->prec & 1)) continue;
        cw_problem p = cw_layer_problem(layer, (cw_prec)when->prec, when->threads, when->mb);
        p.layout = when->layout;
        p.cache = when->cache;
        if (cw_problem_check(&p, NULL) != CW_OK) continue; /* too large at this batch */
        cw_problem_canonical(&p);
        const cw_problem *row = find_row(data, &p);
        while (row && row > data->problems && cw_problem_compare(row - 1, &p) == 0) row--;
        for (; row && row < data->problems + data->rows && cw_problem_compare(row, &p) == 0; row++) {
            if (!cw_grow(&data->layers, &l->layer_capacity, data->layer_count + 1, sizeof *data->layers))
                return cw_fail_memory(l->err);
            data->layers[data->layer_count++] = (cw_dataset_layer){net, (size_t)(row - data->problems), 1};
        }
    }
    return CW_OK;
}

/* A network of which no layer is a row is left out. */
static cw_status add_net(void *arg, const cw_net *net) {
    loader *l = arg;
    cw_dataset *data = l->data;
    size_t first = data->layer_count;
    for (size_t i = 0; i < net->count; i++) {
        cw_status status = add_layer(l, &net->layers[i], data->net_count);
        if (status != CW_OK) return status;
    }
    if (data->layer_count == first) return CW_OK;
    if (!cw_grow(&data->nets, &l->net_capacity, data->net_count + 1, sizeof *data->nets))
        return cw_fail_memory(l->err);
    char *name = cw_strdup(net->name);
    if (!name) return cw_fail_memory(l->err);
    data->nets[data->net_count++] = name;
    return CW_OK;
}

static void count_repeats(cw_dataset *data) {
    size_t n = 0;
    if (data->layer_count == 0) return;
    qsort(data->layers, data->layer_count, sizeof *data->layers, compare_layers);
    for (size_t i = 1; i < data->layer_count; i++) {
        if (compare_layers(&data->layers[n], &data->layers[i]) == 0)
            data->layers[n].count++;
        else
            data->layers[++n] = data->layers[i];
    }
    data->layer_count = n + 1;
}

/* ---- Networks measured as a whole ---- */

static cw_status add_own_net(loader *l, const char *name, int32_t prec) {
    cw_dataset *data = l->data;
    const cw_own_net *last = data->own_net_count ? &data->own_nets[data->own_net_count - 1] : NULL;
    if (last && last->prec == prec && strcmp(last->name, name) == 0) return CW_OK;
    if (!cw_grow(&data->own_nets, &l->own_net_capacity, data->own_net_count + 1, sizeof *data->own_nets))
        return cw_fail_memory(l->err);
    char *copy = cw_strdup(name);
    if (!copy) return cw_fail_memory(l->err);
    data->own_nets[data->own_net_count++] = (cw_own_net){copy, prec, data->own_count, 0};
    l->own_position = 0;
    return CW_OK;
}

static cw_status add_own_layer(loader *l, size_t row, int32_t position) {
    cw_dataset *data = l->data;
    if (position == l->own_position) return CW_OK;
    if (!cw_grow(&data->own_rows, &l->own_row_capacity, data->own_count + 1, sizeof *data->own_rows) ||
        !cw_grow(&data->own_time, &l->own_time_capacity, (data->own_count + 1) * data->classes,
                 sizeof *data->own_time))
        return cw_fail_memory(l->err);
    for (size_t c = 0; c < data->classes; c++) data->own_time[data->own_count * data->classes + c] = NAN;
    data->own_rows[data->own_count++] = row;
    data->own_nets[data->own_net_count - 1].count++;
    l->own_position = position;
    return CW_OK;
}

/* Rows and classes are there: what has a time in a network has one at all. */
static cw_status add_own_time(void *arg, const cw_stored *stored) {
    loader *l = arg;
    cw_dataset *data = l->data;
    const cw_measurement *m = &stored->m;
    const char *name = l->options.families ? cw_family_name(m->family) : m->impl;
    const cw_problem *row = find_row(data, &m->problem);
    size_t class = 0;
    while (class < data->classes && strcmp(data->class_info[class].name, name) != 0) class ++;
    if (!is_wanted(l, m) || !cw_state_timed(m->state) || !row || class == data->classes) return CW_OK;
    cw_status status = add_own_net(l, m->net, m->problem.prec);
    if (status == CW_OK) status = add_own_layer(l, (size_t)(row - data->problems), m->position);
    if (status != CW_OK) return status;
    double *time = &data->own_time[(data->own_count - 1) * data->classes + class];
    if (!l->options.families || !(*time <= time_of(l, m))) *time = time_of(l, m);
    return CW_OK;
}

/* ---- Load ---- */

static cw_status no_rows(const loader *l) {
    const char *wanted = l->options.fingerprint;
    if (wanted && !l->data->fingerprint[0])
        return cw_fail(l->err, CW_NOT_FOUND,
                       "the store has nothing of machine %.40s: 'convwise store info' lists its machines",
                       wanted);
    if (l->options.labels)
        return cw_fail(
            l->err, CW_NOT_FOUND,
            "the store has no labels of machine %s: 'convwise import arff' brings them, 'convwise store "
            "info' lists other machines",
            l->data->fingerprint[0] ? l->data->fingerprint : "any");
    return cw_fail(l->err, CW_NOT_FOUND,
                   "the store has no times%s: fill it with 'convwise measure' before learning from it",
                   l->options.prec >= 0 || l->options.threads != 0 ? " of this precision and thread count"
                                                                   : "");
}

cw_status cw_dataset_load(cw_store *store, const cw_dataset_options *options, cw_dataset **out,
                          cw_error *err) {
    cw_dataset *data = cw_alloc(sizeof *data);
    if (!data) return cw_fail_memory(err);
    loader l = {.store = store, .err = err, .options = {.prec = -1}, .data = data};
    if (options) l.options = *options;
    data->labelled = l.options.labels;
    cw_status status = take_features(data, l.options.features ? l.options.features : "engineered", err);
    if (status == CW_OK) status = cw_store_each_machine(store, choose_machine, &l, err);
    for (; status == CW_OK && l.host < (int32_t)data->host_count; l.host++) {
        const char *fingerprint = data->hosts[l.host].fingerprint;
        status = data->labelled ? cw_store_walk(store, fingerprint, CW_WALK_ALL, add_label, &l, err)
                                : cw_store_each(store, fingerprint, add_entry, &l, err);
    }
    if (!data->labelled) drop_short_row(&l);
    name_hosts(data);
    if (status == CW_OK) status = sort_rows(&l);
    if (status == CW_OK && data->rows == 0) status = no_rows(&l);
    if (status == CW_OK) status = fill(&l);
    if (status == CW_OK && !data->labelled) status = collect_conditions(&l);
    if (status == CW_OK && !data->labelled) status = cw_store_each_net(store, add_net, &l, err);
    if (status == CW_OK && !data->labelled && data->host_count == 1) /* own times are one machine's */
        status = cw_store_walk(store, data->fingerprint, CW_WALK_NETS, add_own_time, &l, err);
    cw_free(l.entries);
    cw_free(l.conditions);
    if (status != CW_OK) {
        cw_dataset_free(data);
        return status;
    }
    count_repeats(data);
    hash(data);
    *out = data;
    return CW_OK;
}

void cw_dataset_free(cw_dataset *data) {
    if (!data) return;
    for (size_t i = 0; data->class_info && i < data->classes; i++) {
        cw_free(data->class_info[i].name);
        cw_free(data->class_info[i].backend);
    }
    for (size_t i = 0; i < data->net_count; i++) cw_free(data->nets[i]);
    for (size_t i = 0; i < data->own_net_count; i++) cw_free(data->own_nets[i].name);
    void *const owned[] = {data->hosts,      data->host,   data->features, data->problems, data->x,
                           data->time,       data->spread, data->y,        data->library,  data->scale,
                           data->class_info, data->nets,   data->layers,   data->own_nets, data->own_rows,
                           data->own_time,   data};
    for (size_t i = 0; i < CW_COUNT(owned); i++) cw_free(owned[i]);
}

size_t cw_dataset_rows(const cw_dataset *data) {
    return data->rows;
}
size_t cw_dataset_classes(const cw_dataset *data) {
    return data->classes;
}
const char *cw_dataset_class(const cw_dataset *data, size_t index) {
    return data->class_info[index].name;
}
const cw_problem *cw_dataset_problem(const cw_dataset *data, size_t row) {
    return &data->problems[row];
}
double cw_dataset_time(const cw_dataset *data, size_t row, size_t index) {
    return data->time[row * data->classes + index];
}

/* ---- Rows as a matrix ---- */

cw_status cw_dataset_matrix(const cw_dataset *data, const size_t *rows, size_t count, const char *split,
                            cw_matrix *out, cw_error *err) {
    if (!rows) count = data->rows;
    double *x = cw_alloc_n(count, data->columns * sizeof *x);
    double *cost = data->labelled ? NULL : cw_alloc_n(count, data->classes * sizeof *cost);
    double *scale = cw_alloc_n(count, sizeof *scale);
    int32_t *y = cw_alloc_n(count, sizeof *y), *group = cw_alloc_n(count, sizeof *group);
    int32_t *all = cw_alloc_n(data->rows, sizeof *all);
    *out = (cw_matrix){count, data->columns, data->classes, x, y, cost, scale, NULL, group};
    cw_status status = x && (cost || data->labelled) && scale && y && group && all
                           ? cw_split_groups(data, split, all, err)
                           : cw_fail_memory(err);
    for (size_t i = 0; status == CW_OK && i < count; i++) {
        size_t row = rows ? rows[i] : i;
        memcpy(x + i * data->columns, data->x + row * data->columns, data->columns * sizeof *x);
        if (cost)
            memcpy(cost + i * data->classes, data->time + row * data->classes, data->classes * sizeof *cost);
        scale[i] = data->scale[row];
        y[i] = data->y[row];
        group[i] = all[row];
    }
    cw_free(all);
    if (status != CW_OK) cw_rows_release(out);
    return status;
}
