/* train.c: dataset to model: which classes a model has, its static order and its provenance. The learning
 * itself is src/learn's. */
#include "base_model.h"
#include "../learn/adapt.h"
#include "../learn/folds.h"
#include <math.h>
#include <string.h>

typedef struct ranked {
    double penalty; /* sum of log(time / best) */
    size_t index;
} ranked;

static int by_penalty(const void *left, const void *right) {
    const ranked *a = left, *b = right;
    if (a->penalty != b->penalty) return a->penalty < b->penalty ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void add_penalties(const cw_dataset *data, size_t row, ranked *ranks) {
    const double *time = data->time + row * data->classes;
    double best = INFINITY, slowest = 0;
    for (size_t c = 0; c < data->classes; c++) {
        if (isnan(time[c])) continue;
        if (time[c] < best) best = time[c];
        if (time[c] > slowest) slowest = time[c];
    }
    for (size_t c = 0; c < data->classes; c++)
        ranks[c].penalty += log((isnan(time[c]) ? slowest : time[c]) / best);
}

/* By the geomean of time over the best, a missing time counted as the row's slowest; labelled rows by how
 * often each class is the label. */
static cw_status plain_order(const cw_dataset *data, const size_t *rows, size_t count, size_t *order,
                             cw_error *err) {
    ranked *ranks = cw_alloc_n(data->classes, sizeof *ranks);
    if (!ranks) return cw_fail_memory(err);
    for (size_t c = 0; c < data->classes; c++) ranks[c].index = c;
    for (size_t i = 0; i < count; i++) {
        if (data->labelled)
            ranks[data->y[rows[i]]].penalty -= 1;
        else
            add_penalties(data, rows[i], ranks);
    }
    qsort(ranks, data->classes, sizeof *ranks, by_penalty);
    for (size_t i = 0; i < data->classes; i++) order[i] = ranks[i].index;
    cw_free(ranks);
    return CW_OK;
}

static double first_time(const double *time, const size_t *order) {
    while (isnan(time[*order])) order++;
    return time[*order];
}

/* Of the places from `place` on, the one whose class, put first, serves the open rows best: each row takes
 * its time, or where it has none, that of the order as it stands. */
static size_t best_place(const cw_dataset *data, const size_t *open, size_t count, const size_t *order,
                         size_t place) {
    size_t best = place;
    double least = INFINITY;
    for (size_t candidate = place; candidate < data->classes; candidate++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            const double *time = data->time + open[i] * data->classes;
            double taken = time[order[candidate]];
            sum += log(isnan(taken) ? first_time(time, order) : taken);
        }
        if (sum < least) {
            least = sum;
            best = candidate;
        }
    }
    return best;
}

/* Greedy, place by place; a row is closed once a class before it has a time for it. open: shrinks. */
static void improve_order(const cw_dataset *data, size_t *open, size_t count, size_t *order) {
    for (size_t place = 0; count > 0; place++) {
        size_t from = best_place(data, open, count, order, place), class = order[from], kept = 0;
        memmove(order + place + 1, order + place, (from - place) * sizeof *order);
        order[place] = class;
        for (size_t i = 0; i < count; i++)
            if (isnan(data->time[open[i] * data->classes + class])) open[kept++] = open[i];
        count = kept;
    }
}

cw_status cw_static_order(const cw_dataset *data, const size_t *rows, size_t count, int32_t prec,
                          size_t *order, cw_error *err) {
    size_t *open = cw_alloc_n(count, sizeof *open), used = 0;
    if (!open) return cw_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        if (prec < 0 || data->problems[rows[i]].prec == prec) open[used++] = rows[i];
    if (used == 0) {
        memcpy(open, rows, count * sizeof *open);
        used = count;
    }
    cw_status status = plain_order(data, open, used, order, err);
    if (status == CW_OK && !data->labelled) improve_order(data, open, used, order);
    cw_free(open);
    return status;
}

/* Which of the dataset's classes the rows know, and the way there and back. */
typedef struct class_map {
    size_t count;
    size_t *of_model; /* count: dataset's index, SIZE_MAX = only the base knows it */
    int32_t *of_data; /* dataset's classes: model's index, -1 = absent */
} class_map;

static void map_release(class_map *map) {
    cw_free(map->of_model);
    cw_free(map->of_data);
}

/* All that the base knows, in its order, so that its trees stay as they are; then what else has times. */
static cw_status map_classes(const cw_dataset *data, const size_t *rows, size_t count, const cw_model *base,
                             class_map *map, cw_error *err) {
    map->count = base ? base->class_count : 0;
    map->of_model = cw_alloc_n(map->count + data->classes, sizeof *map->of_model);
    map->of_data = cw_alloc_n(data->classes, sizeof *map->of_data);
    if (!map->of_model || !map->of_data) return cw_fail_memory(err);
    for (size_t i = 0; i < map->count; i++) map->of_model[i] = SIZE_MAX;
    for (size_t c = 0; c < data->classes; c++) {
        map->of_data[c] = cw_base_class(base, data->class_info[c].name);
        if (map->of_data[c] < 0) continue;
        map->of_model[map->of_data[c]] = c;
    }
    for (size_t c = 0; c < data->classes; c++) {
        if (map->of_data[c] >= 0) continue;
        bool timed = false;
        for (size_t i = 0; !timed && i < count; i++)
            timed = !isnan(data->time[rows[i] * data->classes + c]) || data->y[rows[i]] == (int32_t)c;
        if (timed && map->count == CW_MODEL_MOST)
            return cw_fail(err, CW_UNSUPPORTED,
                           "more than %d implementations have times: too many for a model", CW_MODEL_MOST);
        map->of_data[c] = timed ? (int32_t)map->count : -1;
        if (timed) map->of_model[map->count++] = c;
    }
    return CW_OK;
}

/* Narrows a dataset's matrix to the model's classes. */
static cw_status narrow(cw_matrix *m, const class_map *map, cw_error *err) {
    int32_t *y = cw_alloc_n(m->rows, sizeof *y);
    double *cost = m->cost ? cw_alloc_n(m->rows, map->count * sizeof *cost) : NULL;
    if (!y || (m->cost && !cost)) {
        cw_free(y);
        cw_free(cost);
        return cw_fail_memory(err);
    }
    for (size_t i = 0; i < m->rows; i++) {
        y[i] = map->of_data[m->y[i]];
        for (size_t c = 0; cost && c < map->count; c++)
            cost[i * map->count + c] =
                map->of_model[c] == SIZE_MAX ? NAN : m->cost[i * m->classes + map->of_model[c]];
    }
    cw_free((void *)m->y);
    cw_free((void *)m->cost);
    m->y = y;
    m->cost = cost;
    m->classes = map->count;
    return CW_OK;
}

static cw_status check_rows(const cw_dataset *data, const size_t *rows, size_t count, const cw_model *base,
                            cw_error *err) {
    if (count == 0)
        return cw_fail(err, CW_NOT_FOUND,
                       "no rows to learn from: measure layers first (convwise measure), or ask for fewer "
                       "conditions (precision, threads)");
    if (base) return CW_OK;
    for (size_t i = 1; i < count; i++)
        if (data->y[rows[i]] != data->y[rows[0]]) return CW_OK;
    return cw_fail(err, CW_INVALID,
                   "all %zu problems are won by %.80s: nothing to learn; run it directly, or measure other "
                   "layers",
                   count, data->class_info[data->y[rows[0]]].name);
}

/* given: what the user set, 0 = open. */
static cw_status resolve(const cw_train_options *options, const cw_learner **learner, cw_learn_options *given,
                         cw_error *err) {
    const char *name = options->learner ? options->learner : options->base ? "boost" : "ensemble";
    *learner = cw_learner_find(name);
    if (!*learner) {
        cw_buf names = {0};
        for (size_t i = 0; cw_learner_table[i]; i++)
            cw_buf_printf(&names, "%s%s", i ? ", " : "", cw_learner_table[i]->name);
        cw_status status = names.failed
                               ? cw_fail_memory(err)
                               : cw_fail(err, CW_NOT_FOUND, "no learner is called %.60s (there are: %s)",
                                         name, names.text ? names.text : "none");
        cw_buf_release(&names);
        return status;
    }
    *given =
        (cw_learn_options){.threads = options->threads > 0 ? options->threads : 1, .seed = options->seed};
#define X(type, field, option, least, most, help)                                                            \
    if (!(options->field >= 0 && (double)options->field <= (double)(most)) ||                                \
        (options->field > 0 && (double)options->field < (double)(least)))                                    \
        return cw_fail(err, CW_INVALID, option " must be between %g and %g, or 0 for the default",           \
                       (double)(least), (double)(most));                                                     \
    given->field = options->field;
    CW_SETTINGS(X)
#undef X
    return CW_OK;
}

/* Is it the one that ends a grid? */
static bool is_end(const cw_learn_options *options) {
#define X(type, field, option, least, most, help)                                                            \
    if (options->field > 0) return false;
    CW_SETTINGS(X)
#undef X
    return true;
}

/* "max_depth 8, seed 0": the settings that the learner reads and that are not off. */
static void settings_text(const cw_learner *learner, const cw_learn_options *settings, cw_buf *out) {
#define X(type, field, option, least, most, help)                                                            \
    bool reads_##field = learner->defaults.field > 0;                                                        \
    for (const cw_learn_options *try = learner->grid; try && !is_end(try); try++)                            \
        reads_##field |= try->field > 0;                                                                     \
    if (reads_##field && settings->field > 0) {                                                              \
        cw_buf_put(out, #field " ");                                                                         \
        cw_buf_printf(out, "%.9g", (double)settings->field);                                                 \
        cw_buf_put(out, ", ");                                                                               \
    }
    CW_SETTINGS(X)
#undef X
    cw_buf_printf(out, "seed %llu", (unsigned long long)settings->seed);
}

static cw_status name_lists(cw_model *model, const cw_dataset *data, const class_map *map,
                            const cw_model *base, cw_error *err) {
    model->columns = cw_alloc_n(data->columns, sizeof *model->columns);
    model->classes = cw_alloc_n(map->count, sizeof *model->classes);
    if (!model->columns || !model->classes) return cw_fail_memory(err);
    model->bound = cw_alloc_n(data->columns, sizeof *model->bound);
    if (!model->bound) return cw_fail_memory(err);
    model->column_count = data->columns;
    model->class_count = map->count;
    for (size_t i = 0; i < data->columns; i++) {
        model->bound[i] = data->features[i];
        if (!(model->columns[i] = cw_strdup(data->features[i]->name))) return cw_fail_memory(err);
    }
    for (size_t i = 0; i < map->count; i++) {
        size_t c = map->of_model[i];
        if (!(model->classes[i] = cw_strdup(c == SIZE_MAX ? base->classes[i] : data->class_info[c].name)))
            return cw_fail_memory(err);
    }
    return CW_OK;
}

/* What only the base knows comes last, in the base's order. */
static cw_status rank_classes(cw_model *model, const cw_dataset *data, const size_t *rows, size_t count,
                              const class_map *map, const cw_model *base, cw_error *err) {
    size_t *order = cw_alloc_n(data->classes, sizeof *order);
    model->static_rank = cw_alloc_n(map->count, sizeof *model->static_rank);
    cw_status status = order && model->static_rank ? cw_static_order(data, rows, count, -1, order, err)
                                                   : cw_fail_memory(err);
    int32_t place = 0;
    for (size_t i = 0; status == CW_OK && i < data->classes; i++)
        if (map->of_data[order[i]] >= 0) model->static_rank[map->of_data[order[i]]] = place++;
    for (size_t at = 0; status == CW_OK && base && at < base->class_count; at++)
        for (size_t c = 0; c < base->class_count; c++)
            if (base->static_rank[c] == (int32_t)at && map->of_model[c] == SIZE_MAX)
                model->static_rank[c] = place++;
    cw_free(order);
    return status;
}

/* The machines of the rows, where there are several or the features read them. */
static cw_status keep_hosts(cw_model *model, const cw_dataset *data, cw_error *err) {
    bool read = false;
    for (size_t i = 0; i < data->columns; i++) read |= cw_feature_of_host(data->features[i]);
    if (data->host_count < 2 && !(read && data->host_count == 1)) return CW_OK;
    model->hosts = json_array();
    int bad = !model->hosts;
    for (size_t i = 0; i < data->host_count; i++) {
        const cw_machine *machine = &data->hosts[i];
        cw_host host = cw_host_of(machine);
        json_t *entry = json_object();
        bad |= json_object_set_new(entry, "fingerprint", json_string(machine->fingerprint));
        bad |= json_object_set_new(entry, "cpu", json_string(machine->cpu));
#define X(field) bad |= json_object_set_new(entry, &#field[2], json_integer(host.field));
        CW_HOST_FIELDS(X)
#undef X
        bad |= json_array_append_new(model->hosts, entry);
        if (data->host_count > 1) continue;
        if (!(model->host = cw_alloc(sizeof host))) return cw_fail_memory(err);
        *(cw_host *)model->host = host;
    }
    return bad ? cw_fail_memory(err) : CW_OK;
}

static cw_status provenance(cw_model *model, const cw_dataset *data, size_t rows, const cw_model *base,
                            const cw_learn_options *settings, cw_error *err) {
    cw_buf text = {0};
    settings_text(model->learner, settings, &text);
    if (base)
        cw_buf_printf(&text, ", base %s x %g%s", base->data_hash, settings->base->scale,
                      settings->base->offsets_only ? ", offsets only" : "");
    model->settings = cw_buf_take(&text);
    model->feature_set = cw_strdup(data->feature_set);
    model->machine = cw_strdup(data->fingerprint);
    model->cpu = cw_strdup(data->cpu);
    model->data_hash = cw_strdup(data->hash);
    model->tool_version = cw_strdup(cw_version());
    model->rows = rows;
    return model->settings && model->feature_set && model->machine && model->cpu && model->data_hash &&
                   model->tool_version
               ? CW_OK
               : cw_fail_memory(err);
}

/* Marks what has no time in a row but was seen on its kind; NULL = out of memory. */
static uint8_t *find_lost(const cw_dataset *data, const size_t *rows, const cw_matrix *m,
                          const cw_seen *seen) {
    uint8_t *lost = cw_alloc_n(m->rows, m->classes);
    for (size_t i = 0; lost && i < m->rows; i++) {
        const uint8_t *has = cw_row_seen(data, rows[i], seen, NULL);
        for (size_t c = 0; has && c < m->classes; c++)
            lost[i * m->classes + c] = has[c] && isnan(m->cost[i * m->classes + c]);
    }
    return lost;
}

/* What the rows show to run where, kept by the model; labels tell nothing of what else could run. lost: what
 * m->lost borrows. */
static cw_status see(const cw_dataset *data, const size_t *rows, const class_map *map,
                     const cw_train_options *options, cw_matrix *m, uint8_t **lost, cw_model *model,
                     cw_error *err) {
    if (data->labelled) return CW_OK;
    cw_status status = cw_dataset_seen(data, rows, m->rows, map->of_data, map->count, &model->seen, err);
    if (status == CW_OK) status = cw_dataset_extents(data, rows, m->rows, &model->extents, err);
    if (status == CW_OK) status = cw_dataset_facts(data, map->of_data, map->count, &model->facts, err);
    if (status != CW_OK || (options->absent != CW_ABSENT_SLOW && options->mask != CW_MASK_KIND))
        return status;
    *lost = find_lost(data, rows, m, model->seen);
    if (options->absent == CW_ABSENT_SLOW) m->lost = *lost;
    return *lost ? CW_OK : cw_fail_memory(err);
}

/* Settings, the learner's state, and how far to trust it. given becomes the settings taken. */
static cw_status learn(const cw_matrix *m, const uint8_t *lost, const cw_train_options *options,
                       cw_learn_options *given, cw_model *model, cw_error *err) {
    const cw_learner *learner = model->learner;
    cw_inner inner = {m, options->mask == CW_MASK_KIND ? lost : NULL, model->static_rank};
    cw_learn_options settings;
    cw_settings_fill(learner, given, NULL, &settings);
    cw_status status = options->tune ? cw_tune(&inner, learner, given, &settings, err) : CW_OK;
    *given = settings;
    if (status == CW_OK) status = learner->train(m, &settings, &model->state, err);
    if (status == CW_OK && options->calibrate)
        status = cw_calibration_fit(&inner, learner, &settings, &model->calibration, err);
    return status;
}

/* All but the base's trees. */
static cw_status describe(const cw_dataset *data, const size_t *rows, size_t count,
                          const cw_train_options *options, const class_map *map, cw_model *model,
                          cw_error *err) {
    cw_status status = name_lists(model, data, map, options->base, err);
    if (status == CW_OK) status = keep_hosts(model, data, err);
    if (status == CW_OK) status = rank_classes(model, data, rows, count, map, options->base, err);
    if (status == CW_OK && options->base) status = cw_base_merge(model, options->base, err);
    return status;
}

/* Whether and how to go on from the base. */
static cw_status start(const cw_matrix *m, const uint8_t *lost, const cw_train_options *options,
                       const cw_model *model, const cw_learn_options *given, cw_learn_base *out,
                       cw_trees **trees, cw_error *err) {
    cw_inner inner = {m, options->mask == CW_MASK_KIND ? lost : NULL, model->static_rank};
    cw_learn_options settings;
    cw_settings_fill(model->learner, given, NULL, &settings);
    cw_status status = cw_adapt_widen(m, options->base->state, trees, err);
    return status == CW_OK ? cw_adapt_choose(&inner, *trees, &settings, out, err) : status;
}

static cw_status train_listed(const cw_dataset *data, const size_t *rows, size_t count,
                              const cw_train_options *options, cw_model **out, cw_error *err);

/* From nothing: what the base says is no help. */
static cw_status train_anew(const cw_dataset *data, const size_t *rows, size_t count,
                            const cw_train_options *options, cw_model **out, cw_error *err) {
    cw_train_options without = *options;
    cw_buf text = {0};
    without.base = NULL;
    without.learner = "boost";
    cw_status status = train_listed(data, rows, count, &without, out, err);
    if (status != CW_OK) return status;
    cw_buf_printf(&text, "%s, base %s x 0", (*out)->settings, options->base->data_hash);
    cw_free((*out)->settings);
    (*out)->settings = cw_buf_take(&text);
    if ((*out)->settings) return CW_OK;
    cw_model_free(*out);
    *out = NULL;
    return cw_fail_memory(err);
}

static cw_status train_listed(const cw_dataset *data, const size_t *rows, size_t count,
                              const cw_train_options *options, cw_model **out, cw_error *err) {
    cw_learn_options settings;
    class_map map = {0};
    cw_matrix matrix = {0};
    cw_learn_base base = {.scale = 1};
    cw_trees *trees = NULL;
    uint8_t *lost = NULL;
    /* Few rows are of few networks; what belongs together beyond copies of a layer cannot be held out of
     * them. */
    const char *split = options->base && !options->split ? "group" : options->split;
    cw_model *model = cw_alloc(sizeof *model);
    *out = NULL;
    if (!model) return cw_fail_memory(err);
    cw_status status;
    if ((status = resolve(options, &model->learner, &settings, err)) != CW_OK ||
        (status = check_rows(data, rows, count, options->base, err)) != CW_OK ||
        (options->base &&
         (status = cw_base_check(data, options->base, model->learner->name, err)) != CW_OK) ||
        (status = map_classes(data, rows, count, options->base, &map, err)) != CW_OK ||
        (status = cw_dataset_matrix(data, rows, count, split, &matrix, err)) != CW_OK ||
        (status = narrow(&matrix, &map, err)) != CW_OK ||
        (status = see(data, rows, &map, options, &matrix, &lost, model, err)) != CW_OK ||
        (status = describe(data, rows, count, options, &map, model, err)) != CW_OK)
        goto out;
    if (options->base) {
        status = start(&matrix, lost, options, model, &settings, &base, &trees, err);
        settings.base = &base;
    }
    if (status != CW_OK || !(base.scale > 0) ||
        (status = learn(&matrix, lost, options, &settings, model, err)) != CW_OK ||
        (status = provenance(model, data, count, options->base, &settings, err)) != CW_OK ||
        (options->no_harm > 0 && (status = cw_find_harm(data, rows, count, options, model, err)) != CW_OK))
        goto out;
    *out = model;
    model = NULL;
out:
    cw_model_free(model);
    cw_trees_destroy(trees);
    matrix.lost = NULL;
    cw_rows_release(&matrix);
    cw_free(lost);
    map_release(&map);
    return status == CW_OK && !*out ? train_anew(data, rows, count, options, out, err) : status;
}

cw_status cw_train_rows(const cw_dataset *data, const size_t *rows, size_t count,
                        const cw_train_options *options, cw_model **out, cw_error *err) {
    *out = NULL;
    if (rows) return train_listed(data, rows, count, options, out, err);
    size_t *all = cw_alloc_n(data->rows, sizeof *all);
    if (!all) return cw_fail_memory(err);
    for (size_t i = 0; i < data->rows; i++) all[i] = i;
    cw_status status = train_listed(data, all, data->rows, options, out, err);
    cw_free(all);
    return status;
}

cw_status cw_train(const cw_dataset *data, const cw_train_options *options, cw_model **out, cw_error *err) {
    return cw_train_rows(data, NULL, 0, options, out, err);
}
