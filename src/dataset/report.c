/* report.c: a validation report: its memory, its JSON, and the figures a model keeps of it. */
#include "validate.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Making and freeing ---- */

static bool has_family(const cw_dataset *data, size_t family) {
    for (size_t c = 0; c < data->classes; c++)
        if ((size_t)data->class_info[c].family == family) return true;
    return false;
}

static void add_role(cw_draft *draft, cw_kind kind, size_t index, const char *before, const char *name) {
    size_t k = draft->report.contender_count++;
    draft->roles[k].kind = kind;
    draft->roles[k].index = index;
    snprintf(draft->roles[k].name, sizeof draft->roles[k].name, "%s%s", before, name);
    draft->contenders[k].name = draft->roles[k].name;
    draft->contenders[k].baseline = kind != CW_KIND_LEARNER;
}

static void add_roles(const cw_dataset *data, const char *const *learners, cw_draft *draft) {
    for (size_t i = 0; i < draft->learner_count; i++) add_role(draft, CW_KIND_LEARNER, i, "", learners[i]);
    add_role(draft, CW_KIND_ORACLE, 0, "", "oracle");
    add_role(draft, CW_KIND_STATIC, 0, "", "best static");
    for (size_t family = 0; family < CW_FAMILY_COUNT; family++)
        if (has_family(data, family))
            add_role(draft, CW_KIND_FAMILY, family, "always ", cw_family_name((cw_family)family));
    add_role(draft, CW_KIND_LIBRARY, 0, "", "library");
}

static cw_status copy_classes(const cw_dataset *data, cw_draft *draft, cw_error *err) {
    draft->report.class_count = data->classes;
    for (size_t c = 0; c < data->classes; c++)
        if (!(draft->classes[c] = cw_strdup(data->class_info[c].name))) return cw_fail_memory(err);
    return CW_OK;
}

cw_status cw_draft_make(const cw_dataset *data, const char *const *learners, size_t group_capacity,
                        size_t fold_count, cw_draft **out, cw_error *err) {
    cw_draft *draft = *out = cw_alloc(sizeof *draft);
    if (!draft) return cw_fail_memory(err);
    while (learners[draft->learner_count]) draft->learner_count++;
    size_t most = draft->learner_count + 3 + CW_FAMILY_COUNT;
    draft->group_capacity = group_capacity;
    draft->groups = cw_alloc_n(group_capacity, sizeof *draft->groups);
    draft->group_names = cw_alloc_n(group_capacity, sizeof *draft->group_names);
    draft->contenders = cw_alloc_n(most, sizeof *draft->contenders);
    draft->roles = cw_alloc_n(most, sizeof *draft->roles);
    draft->scores = cw_alloc_n(most * group_capacity, sizeof *draft->scores);
    draft->confusion =
        cw_alloc_n(draft->learner_count * data->classes * data->classes, sizeof *draft->confusion);
    draft->classes = cw_alloc_n(data->classes, sizeof *draft->classes);
    draft->fold_count = fold_count;
    draft->folds = cw_alloc_n(fold_count + 1, sizeof *draft->folds);
    draft->settings = cw_alloc_n(draft->learner_count * fold_count + 1, sizeof *draft->settings);
    draft->promises = cw_alloc_n(draft->learner_count, sizeof *draft->promises);
    draft->promise_sum = cw_alloc_n(draft->learner_count * CW_DECILES, sizeof *draft->promise_sum);
    bool more = draft->folds && draft->settings && draft->promises && draft->promise_sum;
    cw_status status = more && draft->groups && draft->group_names && draft->contenders && draft->roles &&
                               draft->scores && draft->confusion && draft->classes
                           ? copy_classes(data, draft, err)
                           : cw_fail_memory(err);
    if (status == CW_OK) {
        add_roles(data, learners, draft);
    } else {
        cw_report_free(&draft->report);
        *out = NULL;
    }
    return status;
}

cw_score *cw_draft_score(cw_draft *draft, size_t contender, size_t group) {
    return &draft->scores[contender * draft->group_capacity + group];
}

void cw_draft_finish(cw_draft *draft) {
    cw_report *report = &draft->report;
    for (size_t k = 0; k < report->contender_count; k++) {
        cw_contender *contender = &draft->contenders[k];
        contender->groups = cw_draft_score(draft, k, 0);
        for (size_t g = 0; g < report->group_count; g++) cw_score_finish(cw_draft_score(draft, k, g));
        cw_score_finish(&contender->pooled);
        for (size_t prec = 0; prec < CW_COUNT(contender->by_prec); prec++)
            cw_score_finish(&contender->by_prec[prec]);
        if (k >= draft->learner_count) continue;
        contender->confusion = draft->confusion + k * report->class_count * report->class_count;
        contender->promises = draft->promise_sum + k * CW_DECILES;
        contender->promise_count = cw_promises_sum(&draft->promises[k], draft->promise_sum + k * CW_DECILES);
        contender->settings = (const char *const *)draft->settings + k * draft->fold_count;
    }
    report->folds = (const char *const *)draft->folds;
    report->fold_count = draft->fold_count;
    report->split = draft->split;
    report->note = draft->note[0] ? draft->note : NULL;
    report->groups = draft->groups;
    report->contenders = draft->contenders;
    report->classes = (const char *const *)draft->classes;
}

void cw_report_free(cw_report *report) {
    if (!report) return;
    cw_draft *draft = (cw_draft *)report;
    for (size_t c = 0; draft->classes && c < report->class_count; c++) cw_free(draft->classes[c]);
    for (size_t i = 0; draft->folds && i < draft->fold_count; i++) cw_free(draft->folds[i]);
    for (size_t i = 0; draft->settings && i < draft->fold_count * draft->learner_count; i++)
        cw_free(draft->settings[i]);
    for (size_t k = 0; draft->promises && k < draft->learner_count; k++) cw_free(draft->promises[k].kept);
    cw_free(draft->folds);
    cw_free(draft->settings);
    cw_free(draft->promises);
    cw_free(draft->promise_sum);
    cw_free(draft->groups);
    cw_free(draft->group_names);
    cw_free(draft->contenders);
    cw_free(draft->roles);
    cw_free(draft->scores);
    cw_free(draft->confusion);
    cw_free(draft->classes);
    cw_free(draft);
}

/* ---- JSON ---- */

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* full: all figures; else those that a model keeps. */
static int put_score(json_t *object, const cw_score *s, bool full) {
    const struct {
        const char *key;
        double value;
        bool kept;
    } figures[] = {
        {"accuracy", s->accuracy, true},
        {"accuracy_ties", s->accuracy_ties, false},
        {"chosen_us", s->chosen_us, true},
        {"oracle_us", s->oracle_us, true},
        {"best_static_us", s->best_static_us, true},
        {"library_us", s->library_us, true},
        {"regret", s->regret, true},
        {"geomean", s->geomean, true},
        {"headroom", s->headroom, false},
        {"within_5pct", s->within_5pct, false},
        {"over_1_5x", s->over_1_5x, false},
    };
    const struct {
        const char *key;
        int64_t value;
        bool kept;
    } counts[] = {
        {"layers", s->layers, true},
        {"infeasible", s->infeasible, true},
        {"unmasked_infeasible", s->unmasked_infeasible, false},
        {"fallbacks", s->fallbacks, false},
    };
    int bad = 0;
    for (size_t i = 0; i < CW_COUNT(counts); i++)
        if (full || counts[i].kept)
            bad |= json_object_set_new(object, counts[i].key, json_integer(counts[i].value));
    for (size_t i = 0; i < CW_COUNT(figures); i++)
        if (full || figures[i].kept)
            bad |= json_object_set_new(object, figures[i].key, number(figures[i].value));
    return bad;
}

static json_t *score_json(const cw_score *score, bool full) {
    json_t *object = json_object();
    if (object && put_score(object, score, full) == 0) return object;
    json_decref(object);
    return NULL;
}

/* "f32": figures, "u8": figures, where there are layers. */
static int put_precisions(json_t *object, const cw_contender *contender, bool full) {
    int bad = 0;
    for (int prec = 0; prec < (int)CW_COUNT(contender->by_prec); prec++)
        if (contender->by_prec[prec].layers > 0)
            bad |= json_object_set_new(object, cw_prec_name((cw_prec)prec),
                                       score_json(&contender->by_prec[prec], full));
    return bad;
}

static int put_groups(json_t *array, const cw_report *report, const cw_contender *contender) {
    int bad = 0;
    for (size_t g = 0; g < report->group_count; g++) {
        json_t *group = json_pack("{ssss}", "name", report->groups[g].name, "precision",
                                  cw_prec_name(report->groups[g].prec));
        bad |= !group || put_score(group, &contender->groups[g], true);
        bad |= json_array_append_new(array, group);
    }
    return bad;
}

/* Rows: the fastest; columns: the chosen; both in the order of "classes". */
static json_t *confusion_json(const cw_contender *contender, size_t classes) {
    json_t *rows = json_array();
    int bad = !rows;
    for (size_t truth = 0; truth < classes; truth++) {
        json_t *row = json_array();
        for (size_t chosen = 0; chosen < classes; chosen++)
            bad |= json_array_append_new(row, json_integer(contender->confusion[truth * classes + chosen]));
        bad |= json_array_append_new(rows, row);
    }
    if (!bad) return rows;
    json_decref(rows);
    return NULL;
}

/* "settings": [{"fold", "settings"}], "reliability": [{"layers", "promised", "met"}] where there are any. */
static int put_learner(json_t *object, const cw_report *report, const cw_contender *contender) {
    json_t *settings = json_array(), *promises = json_array();
    int bad = 0;
    for (size_t f = 0; f < report->fold_count; f++)
        bad |= json_array_append_new(
            settings, json_pack("{s:s, s:s}", "fold", report->folds[f], "settings", contender->settings[f]));
    for (size_t i = 0; i < contender->promise_count; i++) {
        const cw_promise *p = &contender->promises[i];
        bad |= json_array_append_new(promises,
                                     json_pack("{s:I, s:o, s:o}", "layers", (json_int_t)p->layers, "promised",
                                               number(p->promised), "met", number(p->met)));
    }
    bad |= json_object_set_new(object, "settings", settings);
    if (contender->promise_count)
        bad |= json_object_set_new(object, "reliability", promises);
    else
        json_decref(promises);
    return bad;
}

static json_t *contender_json(const cw_report *report, const cw_contender *contender) {
    json_t *groups = json_array(), *precisions = json_object();
    json_t *object = json_object();
    int bad = !object || put_groups(groups, report, contender) || put_precisions(precisions, contender, true);
    bad |= json_object_set_new(object, contender->baseline ? "baseline" : "learner",
                               json_string(contender->name));
    bad |= json_object_set_new(object, "groups", groups);
    bad |= json_object_set_new(object, "pooled", score_json(&contender->pooled, true));
    bad |= json_object_set_new(object, "precisions", precisions);
    if (contender->confusion)
        bad |= json_object_set_new(object, "confusion", confusion_json(contender, report->class_count));
    if (!contender->baseline) bad |= put_learner(object, report, contender);
    if (!bad) return object;
    json_decref(object);
    return NULL;
}

static json_t *report_to_json(const cw_report *report) {
    json_t *learners = json_array(), *baselines = json_array(), *classes = json_array(),
           *object = json_object();
    int bad = !object;
    for (size_t k = 0; k < report->contender_count; k++)
        bad |= json_array_append_new(report->contenders[k].baseline ? baselines : learners,
                                     contender_json(report, &report->contenders[k]));
    for (size_t c = 0; c < report->class_count; c++)
        bad |= json_array_append_new(classes, json_string(report->classes[c]));
    bad |= json_object_set_new(object, "split", json_string(report->split));
    bad |= json_object_set_new(object, "note", report->note ? json_string(report->note) : json_null());
    bad |= json_object_set_new(object, "learners", learners);
    bad |= json_object_set_new(object, "baselines", baselines);
    bad |= json_object_set_new(object, "classes", classes);
    if (!bad) return object;
    json_decref(object);
    return NULL;
}

cw_status cw_report_json(const cw_report *report, char **out, cw_error *err) {
    json_t *json = report_to_json(report);
    *out = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    return *out ? CW_OK : cw_fail_memory(err);
}

/* ---- What a model keeps ---- */

cw_status cw_model_set_validation(cw_model *model, const cw_report *report, cw_error *err) {
    size_t k = 0;
    while (k < report->contender_count &&
           (report->contenders[k].baseline || strcmp(report->contenders[k].name, model->learner->name) != 0))
        k++;
    if (k == report->contender_count)
        return cw_fail(err, CW_NOT_FOUND, "the report says nothing about the learner %s",
                       model->learner->name);
    json_t *figures = json_object();
    int bad = !figures;
    bad |= json_object_set_new(figures, "split", json_string(report->split));
    bad |= json_object_set_new(figures, "note", report->note ? json_string(report->note) : json_null());
    bad |= json_object_set_new(figures, "pooled", score_json(&report->contenders[k].pooled, false));
    bad |= put_precisions(figures, &report->contenders[k], false);
    if (bad) {
        json_decref(figures);
        return cw_fail_memory(err);
    }
    json_decref(model->validation);
    model->validation = figures;
    return CW_OK;
}

const char *cw_model_features(const cw_model *model) {
    return model->feature_set;
}
