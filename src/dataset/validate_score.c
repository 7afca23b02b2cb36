/* validate_score.c: how each contender chooses for a row, and what the choice is worth. Nothing here trains,
 * and nothing but the oracle looks at a row's times before choosing, except (CW_MASK_RECORD) for which
 * exist: what cannot run is never chosen. */
#include "validate.h"
#include "../learn/heldout.h"
#include <math.h>
#include <string.h>

/* ---- Scores ---- */

void cw_score_add(cw_score *score, const cw_verdict *v, int64_t count) {
    bool runs = !isnan(v->chosen);
    double n = (double)count, chosen = runs ? v->chosen : v->slowest, ratio = chosen / v->oracle;
    score->layers += count;
    score->infeasible += runs ? 0 : count;
    score->unmasked_infeasible += v->unmasked_infeasible ? count : 0;
    score->fallbacks += v->fallback ? count : 0;
    score->accuracy += runs && chosen <= v->oracle ? n : 0;
    score->accuracy_ties += runs && v->tie ? n : 0;
    score->chosen_us += n * chosen / 1e3;
    score->oracle_us += n * v->oracle / 1e3;
    score->best_static_us += n * v->best_static / 1e3;
    score->library_us += n * v->library / 1e3;
    score->geomean += n * log(ratio);
    score->within_5pct += ratio <= 1.05 ? n : 0;
    score->over_1_5x += ratio > 1.5 ? n : 0;
}

void cw_score_finish(cw_score *score) {
    double n = score->layers ? (double)score->layers : NAN;
    double gain = score->best_static_us - score->oracle_us;
    score->accuracy /= n;
    score->accuracy_ties /= n;
    score->geomean = exp(score->geomean / n);
    score->within_5pct /= n;
    score->over_1_5x /= n;
    score->regret = score->layers ? score->chosen_us / score->oracle_us - 1 : NAN;
    score->headroom = gain > 0 ? (score->best_static_us - score->chosen_us) / gain : NAN;
}

/* ---- Promises ---- */

static int by_promise(const void *a, const void *b) {
    const cw_kept *x = a, *y = b;
    if (x->promise != y->promise) return x->promise < y->promise ? -1 : 1;
    return (x->met > y->met) - (x->met < y->met);
}

size_t cw_promises_sum(cw_promises *all, cw_promise out[CW_DECILES]) {
    int64_t total = 0, before = 0;
    size_t bins = 0, next = 0;
    if (all->count == 0) return 0;
    qsort(all->kept, all->count, sizeof *all->kept, by_promise);
    for (size_t i = 0; i < all->count; i++) total += all->kept[i].count;
    for (int64_t tenth = 1; next < all->count; tenth++) {
        cw_promise bin = {0};
        while (next < all->count && (before < total * tenth / CW_DECILES ||
                                     (next > 0 && all->kept[next].promise <= all->kept[next - 1].promise))) {
            const cw_kept *k = &all->kept[next++];
            bin.layers += k->count;
            bin.promised += (double)k->count * k->promise;
            bin.met += (double)k->count * k->met;
            before += k->count;
        }
        if (bin.layers == 0) continue; /* equal promises filled more than a tenth */
        bin.promised = expm1(bin.promised / (double)bin.layers);
        bin.met = expm1(bin.met / (double)bin.layers);
        out[bins++] = bin;
    }
    return bins;
}

/* ---- Choosing ---- */

static const double *times(const cw_dataset *data, size_t row) {
    return data->time + row * data->classes;
}

/* What may be chosen for a row. */
typedef struct candidates {
    const double *time;  /* CW_MASK_RECORD: what has a time; NULL = see `seen` */
    const uint8_t *seen; /* CW_MASK_KIND: what has been seen; NULL = nothing like it: anything */
} candidates;

static candidates candidates_of(const cw_knowledge *know, size_t row) {
    if (!know->seen) return (candidates){times(know->data, row), NULL};
    return (candidates){NULL, cw_row_seen(know->data, row, know->seen, NULL)};
}

static bool may(const candidates *of, size_t class) {
    return of->time ? !isnan(of->time[class]) : !of->seen || of->seen[class];
}

/* The first of the static order that may be chosen; family < 0 = any. -1 = none. */
static int32_t first_of_order(const cw_knowledge *know, size_t row, int family) {
    const cw_dataset *data = know->data;
    const size_t *order = know->order[data->problems[row].prec];
    candidates of = candidates_of(know, row);
    for (size_t i = 0; i < data->classes; i++)
        if (may(&of, order[i]) && (family < 0 || (int)data->class_info[order[i]].family == family))
            return (int32_t)order[i];
    return -1;
}

static cw_pick fall_back(const cw_knowledge *know, size_t row) {
    return (cw_pick){.class = first_of_order(know, row, -1), .fallback = true, .promise = NAN};
}

/* Class a before class b (-1 = none): by cost, ties by the static order. */
static bool cheaper(const cw_model *model, const double *cost, size_t a, int64_t b) {
    if (b < 0 || cost[a] != cost[b]) return b < 0 || cost[a] < cost[b];
    return model->static_rank[a] < model->static_rank[b];
}

/* -1 = not known, or it may not be chosen. */
static int32_t library_choice(const cw_knowledge *know, size_t row, const candidates *of) {
    int32_t class = know->data->library[row];
    return class >= 0 && may(of, (size_t) class) ? class : -1;
}

/* As cw_choose does with a context: see there when the learner does not rank. */
static cw_pick pick_learned(const cw_knowledge *know, size_t learner, size_t row) {
    const cw_scored_model *scored = &know->models[learner];
    const cw_model *model = scored->model;
    if (!model) return fall_back(know, row);
    const cw_dataset *data = know->data;
    candidates of = candidates_of(know, row);
    if (!of.time && !of.seen) return fall_back(know, row);
    double *share = model->calibration ? know->scratch + model->class_count : NULL;
    model->learner->predict(model->state, data->x + row * data->columns, know->scratch, share, NULL);
    const cw_problem *p = &data->problems[row];
    int32_t group = cw_problem_shape_group(p), library = library_choice(know, row, &of);
    bool outside = cw_problem_outside(p, cw_model_bounds(model, 0), cw_model_bounds(model, 1)) != NULL;
    int width = 0;
    if (model->seen) cw_row_seen(data, row, model->seen, &width);
    bool new_kernel = width > 0;
    if (library >= 0 && (outside || new_kernel || model->library_groups >> group & 1))
        return (cw_pick){.class = library, .promise = NAN};
    if (outside || model->static_groups >> group & 1) {
        cw_model_take_static(model, know->scratch);
        share = NULL; /* nothing is promised of the order */
    } else if (new_kernel) {
        share = NULL; /* nor of kernels that training did not have */
    }
    int64_t best = -1, unmasked = -1;
    bool unmasked_runs = false;
    for (size_t c = 0; c < model->class_count; c++) {
        int32_t class = scored->class_of[c];
        if (cheaper(model, know->scratch, c, unmasked)) {
            unmasked = (int64_t)c;
            unmasked_runs = class >= 0 && !isnan(times(data, row)[class]);
        }
        know->allowed[c] = class >= 0 && may(&of, (size_t) class);
        if (know->allowed[c] && cheaper(model, know->scratch, c, best)) best = (int64_t)c;
    }
    cw_pick pick =
        best >= 0 ? (cw_pick){.class = scored->class_of[best], .promise = NAN} : fall_back(know, row);
    if (best >= 0 && share)
        pick.promise = cw_calibration_promise(model->calibration, know->scratch, share, model->class_count,
                                              know->allowed, (size_t)best);
    pick.unmasked_infeasible = !unmasked_runs;
    return pick;
}

cw_pick cw_pick_class(const cw_knowledge *know, cw_kind kind, size_t index, size_t row) {
    int32_t class = -1;
    switch (kind) {
    case CW_KIND_LEARNER:
        return pick_learned(know, index, row);
    case CW_KIND_ORACLE:
        class = know->data->y[row];
        break;
    case CW_KIND_STATIC:
        class = first_of_order(know, row, -1);
        break;
    case CW_KIND_FAMILY:
        class = first_of_order(know, row, (int)index);
        break;
    case CW_KIND_LIBRARY:
        class = know->data->library[row];
        break;
    }
    return class >= 0 ? (cw_pick){.class = class, .promise = NAN} : fall_back(know, row);
}

cw_verdict cw_judge(const cw_knowledge *know, cw_pick pick, size_t row) {
    const cw_dataset *data = know->data;
    const double *time = times(data, row), *spread = data->spread + row * data->classes;
    int32_t best = data->y[row], library = cw_pick_class(know, CW_KIND_LIBRARY, 0, row).class;
    cw_verdict v = {.oracle = time[best], .chosen = time[pick.class], .library = time[library]};
    v.best_static = time[first_of_order(know, row, -1)];
    for (size_t c = 0; c < data->classes; c++)
        if (time[c] > v.slowest) v.slowest = time[c];
    if (isnan(v.best_static)) v.best_static = v.slowest;
    if (isnan(v.library)) v.library = v.slowest;
    double noise =
        (isnan(spread[pick.class]) ? 0 : spread[pick.class]) + (isnan(spread[best]) ? 0 : spread[best]);
    v.tie = time[pick.class] - time[best] <= noise;
    v.fallback = pick.fallback;
    v.unmasked_infeasible = pick.unmasked_infeasible;
    return v;
}

/* ---- Binding a model to a dataset ---- */

static int32_t class_index(const cw_dataset *data, const char *name) {
    for (size_t c = 0; c < data->classes; c++)
        if (strcmp(data->class_info[c].name, name) == 0) return (int32_t)c;
    return -1;
}

cw_status cw_scored_model_bind(const cw_dataset *data, const cw_model *model, cw_scored_model *out,
                               cw_error *err) {
    *out = (cw_scored_model){.model = model};
    bool same = model->column_count == data->columns;
    for (size_t i = 0; same && i < data->columns; i++)
        same = strcmp(model->columns[i], data->features[i]->name) == 0;
    if (!same)
        return cw_fail(err, CW_MISMATCH,
                       "the model's %zu features are not the data's %zu (%s): train it anew",
                       model->column_count, data->columns, data->feature_set);
    out->class_of = cw_alloc_n(model->class_count, sizeof *out->class_of);
    if (!out->class_of) return cw_fail_memory(err);
    bool common = false;
    for (size_t c = 0; c < model->class_count; c++) {
        out->class_of[c] = class_index(data, model->classes[c]);
        common = common || out->class_of[c] >= 0;
    }
    if (common) return CW_OK;
    cw_free(out->class_of);
    out->class_of = NULL;
    return cw_fail(
        err, CW_MISMATCH,
        "the data has none of the model's implementations (it knows %.60s, ...): other backends or "
        "another machine",
        model->class_count ? model->classes[0] : "none");
}
