/* harm.c: on which groups of shapes a learner is worse than the static order that needs no model, found out
 * on rows held out of training. Not here: what choosing does about it (src/select). */
#include "validate.h"
#include "../learn/folds.h"
#include <math.h>
#include <string.h>

enum { FOLDS = 5, LEAST_ROWS = 20 }; /* fewer held-out rows say nothing */

/* One held-out row. */
typedef struct outcome {
    bool known;
    double chosen, order, library; /* ns; library NaN = not known */
} outcome;

/* Sums over rows: of one contender's choices beside another's. */
typedef struct ratio {
    size_t rows;
    double ours, theirs, logs;
} ratio;

static void add(ratio *r, double ours, double theirs) {
    if (isnan(theirs)) return;
    r->rows++;
    r->ours += ours;
    r->theirs += theirs;
    r->logs += log(ours / theirs);
}

static double pooled(const ratio *r) {
    return r->ours / r->theirs;
}

static double geomean(const ratio *r) {
    return exp(r->logs / (double)r->rows);
}

/* By the sums or by the geometric mean, unless the other says as clearly that it is better. */
static bool is_worse(const ratio *r, double margin) {
    if (r->rows < LEAST_ROWS) return false;
    double a = pooled(r), b = geomean(r);
    return fmax(a, b) > 1 + margin && fmin(a, b) >= 1 - margin;
}

/* ---- Held-out rows ---- */

static bool one_winner(const cw_dataset *data, const size_t *rows, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (data->y[rows[i]] != data->y[rows[0]]) return false;
    return true;
}

/* The order a model would have that learned from the rows, for every precision: it is what it falls back to.
 */
static cw_status know_order(const cw_dataset *data, const size_t *rows, size_t count, cw_knowledge *know,
                            cw_error *err) {
    size_t *order = know->order[0] = cw_alloc_n(data->classes, sizeof *order);
    if (!order) return cw_fail_memory(err);
    for (size_t prec = 1; prec < CW_COUNT(know->order); prec++) know->order[prec] = order;
    return cw_static_order(data, rows, count, -1, order, err);
}

/* Learns from the rows listed, chooses for the tests. */
static cw_status try_rows(const cw_dataset *data, const size_t *rows, size_t count, const size_t *tests,
                          size_t test_count, const cw_train_options *options, outcome *out, cw_error *err) {
    cw_model *model = NULL;
    cw_seen *seen = NULL;
    cw_scored_model scored = {0};
    cw_knowledge know = {.data = data, .models = &scored};
    size_t most = cw_most_classes(data, options);
    know.scratch = cw_alloc_n(most, 2 * sizeof *know.scratch);
    know.allowed = cw_alloc_n(most, sizeof *know.allowed);
    cw_status status =
        know.scratch && know.allowed ? know_order(data, rows, count, &know, err) : cw_fail_memory(err);
    if (status == CW_OK && options->mask == CW_MASK_KIND)
        status = cw_dataset_seen(data, rows, count, NULL, data->classes, &seen, err);
    know.seen = seen;
    if (status == CW_OK) status = cw_train_rows(data, rows, count, options, &model, err);
    if (status == CW_OK) status = cw_scored_model_bind(data, model, &scored, err);
    for (size_t i = 0; status == CW_OK && i < test_count; i++) {
        cw_verdict v = cw_judge(&know, cw_pick_class(&know, CW_KIND_LEARNER, 0, tests[i]), tests[i]);
        out[tests[i]] = (outcome){true, isnan(v.chosen) ? v.slowest : v.chosen, v.best_static,
                                  data->library[tests[i]] >= 0 ? v.library : NAN};
    }
    cw_model_free(model);
    cw_seen_free(seen);
    cw_free(scored.class_of);
    cw_free(know.order[0]);
    cw_free(know.scratch);
    cw_free(know.allowed);
    return status;
}

/* out: one a row of the dataset. */
static cw_status hold_out(const cw_dataset *data, const size_t *rows, size_t count,
                          const cw_train_options *options, outcome *out, cw_error *err) {
    size_t folds = FOLDS;
    int32_t *all = cw_alloc_n(data->rows, sizeof *all), *group = cw_alloc_n(count, sizeof *group),
            *fold = cw_alloc_n(count, sizeof *fold);
    size_t *rest = cw_alloc_n(count, sizeof *rest), *tests = cw_alloc_n(count, sizeof *tests);
    cw_status status = all && group && fold && rest && tests ? cw_split_groups(data, options->split, all, err)
                                                             : cw_fail_memory(err);
    if (status == CW_OK) {
        for (size_t i = 0; i < count; i++) group[i] = all[rows[i]];
        status = cw_folds_deal(group, count, &folds, options->seed, fold, err);
    }
    for (size_t f = 0; status == CW_OK && folds > 1 && f < folds; f++) {
        size_t kept = 0, held = 0;
        for (size_t i = 0; i < count; i++) {
            if (fold[i] == (int32_t)f)
                tests[held++] = rows[i];
            else
                rest[kept++] = rows[i];
        }
        if (!one_winner(data, rest, kept))
            status = try_rows(data, rest, kept, tests, held, options, out, err);
    }
    cw_free(all);
    cw_free(group);
    cw_free(fold);
    cw_free(rest);
    cw_free(tests);
    return status;
}

/* ---- Figures ---- */

typedef struct figures {
    ratio order, library;
} figures;

/* Than the learner, and, where that is worse than the static order too, than the order. */
static bool library_is_better(const figures *f, double margin) {
    return is_worse(&f->library, margin) &&
           !(is_worse(&f->order, margin) && pooled(&f->order) > pooled(&f->library));
}

static int put_ratio(json_t *object, const char *before, const ratio *r) {
    char key[40];
    int bad = 0;
    snprintf(key, sizeof key, "%srows", before);
    bad |= json_object_set_new(object, key, json_integer((json_int_t)r->rows));
    snprintf(key, sizeof key, "%spooled", before);
    bad |= json_object_set_new(object, key, r->rows ? json_real(pooled(r)) : json_null());
    snprintf(key, sizeof key, "%sgeomean", before);
    bad |= json_object_set_new(object, key, r->rows ? json_real(geomean(r)) : json_null());
    return bad;
}

static json_t *figures_json(const figures *f) {
    json_t *object = json_object();
    if (object && put_ratio(object, "", &f->order) == 0 && put_ratio(object, "library_", &f->library) == 0)
        return object;
    json_decref(object);
    return NULL;
}

/* With the groups' fall-backs applied. */
static json_t *overall_json(const figures *f, double margin) {
    json_t *object = figures_json(f);
    int bad = !object;
    bad |= json_object_set_new(object, "us", json_real(f->order.ours / 1e3));
    bad |= json_object_set_new(object, "static_us", json_real(f->order.theirs / 1e3));
    bad |= json_object_set_new(object, "worse", json_boolean(is_worse(&f->order, margin)));
    bad |= json_object_set_new(object, "worse_than_library", json_boolean(is_worse(&f->library, margin)));
    if (!bad) return object;
    json_decref(object);
    return NULL;
}

static cw_status conclude(const cw_dataset *data, const outcome *out, double margin, cw_model *model,
                          cw_error *err) {
    figures groups[CW_SHAPE_GROUPS] = {0}, overall = {0};
    uint32_t falls = 0, yields = 0;
    for (size_t row = 0; row < data->rows; row++) {
        if (!out[row].known) continue;
        figures *f = &groups[cw_problem_shape_group(&data->problems[row])];
        add(&f->order, out[row].chosen, out[row].order);
        add(&f->library, out[row].chosen, out[row].library);
    }
    json_t *list = json_array();
    int bad = !list;
    for (int32_t g = 0; g < CW_SHAPE_GROUPS; g++) {
        if (groups[g].order.rows == 0) continue;
        char name[32];
        bool fall = is_worse(&groups[g].order, margin), yield = library_is_better(&groups[g], margin);
        if (fall) falls |= 1U << g;
        if (yield) yields |= 1U << g;
        cw_shape_group_name(g, name, sizeof name);
        json_t *entry = figures_json(&groups[g]);
        bad |= json_object_set_new(entry, "group", json_string(name));
        bad |= json_object_set_new(entry, "static", json_boolean(fall));
        bad |= json_object_set_new(entry, "library", json_boolean(yield));
        bad |= json_array_append_new(list, entry);
    }
    for (size_t row = 0; row < data->rows; row++) {
        if (!out[row].known) continue;
        int32_t g = cw_problem_shape_group(&data->problems[row]);
        double taken = falls >> g & 1 ? out[row].order : out[row].chosen;
        if (yields >> g & 1 && !isnan(out[row].library)) taken = out[row].library;
        add(&overall.order, taken, out[row].order);
        add(&overall.library, taken, out[row].library);
    }
    json_t *found = json_object();
    bad |= json_object_set_new(found, "margin", json_real(margin));
    bad |= json_object_set_new(found, "groups", list);
    bad |= json_object_set_new(found, "overall", overall_json(&overall, margin));
    if (bad) {
        json_decref(found);
        return cw_fail_memory(err);
    }
    json_decref(model->no_harm);
    model->no_harm = found;
    model->static_groups = falls;
    model->library_groups = yields;
    return CW_OK;
}

cw_status cw_find_harm(const cw_dataset *data, const size_t *rows, size_t count,
                       const cw_train_options *options, cw_model *model, cw_error *err) {
    cw_train_options inside = *options;
    inside.no_harm = 0;
    inside.calibrate = false;
    if (!(options->no_harm > 0 && options->no_harm <= 1))
        return cw_fail(err, CW_INVALID, "no_harm: the margin is a share above 0 and at most 1, e.g. 0.01");
    if (data->labelled) return CW_OK;
    outcome *out = cw_alloc_n(data->rows, sizeof *out);
    cw_status status = out ? hold_out(data, rows, count, &inside, out, err) : cw_fail_memory(err);
    bool any = false;
    for (size_t row = 0; status == CW_OK && row < data->rows; row++) any |= out[row].known;
    if (any) status = conclude(data, out, options->no_harm, model, err);
    cw_free(out);
    return status;
}
