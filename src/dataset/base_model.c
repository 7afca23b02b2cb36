/* base_model.c: what a model of few rows takes over from a model of another machine (cw_train_options.base),
 * beside its trees, which are src/learn's. */
#include "base_model.h"
#include "../learn/adapt.h"
#include "../problem/facts.h"
#include <math.h>
#include <string.h>

int32_t cw_base_class(const cw_model *base, const char *name) {
    for (size_t c = 0; base && c < base->class_count; c++)
        if (strcmp(base->classes[c], name) == 0) return (int32_t)c;
    return -1;
}

cw_status cw_base_check(const cw_dataset *data, const cw_model *base, const char *learner, cw_error *err) {
    if (strcmp(learner, "boost") != 0)
        return cw_fail(err, CW_INVALID, "a base is corrected by boosted trees: learner boost, not %.60s",
                       learner);
    if (base->learner->predict != cw_trees_predict)
        return cw_fail(
            err, CW_MISMATCH,
            "the base's learner, %s, is no sum of trees: train it with --learner boost, ensemble or "
            "one of the forests",
            base->learner->name);
    bool same = base->column_count == data->columns;
    for (size_t i = 0; same && i < data->columns; i++)
        same = strcmp(base->columns[i], data->features[i]->name) == 0;
    if (!same)
        return cw_fail(
            err, CW_MISMATCH,
            "the base's %zu features (%.20s) are not the data's %zu (%s): take the same set (--features)",
            base->column_count, base->feature_set, data->columns, data->feature_set);
    for (size_t c = 0; c < data->classes; c++)
        if (cw_base_class(base, data->class_info[c].name) >= 0) return CW_OK;
    return cw_fail(
        err, CW_MISMATCH,
        "the data has none of the base's implementations (it knows %.60s, ...): other backends, or "
        "only one of the two by --families",
        base->classes[0]);
}

/* ---- What is known of problems and implementations ---- */

/* A kind that was measured here: what had a time here. Another: what had one there. */
static cw_status merge_seen(cw_model *model, const cw_model *base, cw_error *err) {
    const cw_seen *here = model->seen, *there = base->seen;
    if (!here || !there) return CW_OK;
    size_t kinds = here->kinds;
    for (size_t k = 0; k < there->kinds; k++) kinds += !cw_seen_find(here, there->key + k * there->fields);
    cw_seen *both = cw_seen_alloc((const char *const *)here->names, here->fields, kinds, here->classes);
    if (!both) return cw_fail_memory(err);
    for (size_t h = 0, t = 0, k = 0; h < here->kinds || t < there->kinds;) {
        int order = h == here->kinds    ? 1
                    : t == there->kinds ? -1
                                        : cw_seen_compare(here->key + h * here->fields,
                                                          there->key + t * there->fields, here->fields);
        const cw_seen *from = order > 0 ? there : here;
        size_t at = order > 0 ? t : h;
        memcpy(both->key + k * both->fields, from->key + at * from->fields, both->fields * sizeof *both->key);
        memcpy(both->has + k * both->classes, from->has + at * from->classes, from->classes);
        h += order <= 0;
        t += order >= 0;
        k++;
    }
    cw_seen_free(model->seen);
    model->seen = both;
    return CW_OK;
}

/* As far as either reaches. */
static void merge_extents(cw_model *model, const cw_model *base) {
    if (!model->extents || !base->extents) return;
    size_t n = model->extents->fields;
    double *ours = model->extents->value;
    const double *theirs = base->extents->value;
    for (size_t i = 0; i < n; i++) {
        ours[i] = fmin(ours[i], theirs[i]);
        ours[n + i] = fmax(ours[n + i], theirs[n + i]);
    }
}

/* What does not depend on the machine; of two figures the worse. */
static void merge_facts(cw_model *model, const cw_model *base) {
    static const int kept[] = {CW_FACT_transforms, CW_FACT_reorders, CW_FACT_workspace, CW_FACT_error_f32,
                               CW_FACT_error_u8};
    if (!model->facts || !base->facts) return;
    for (size_t c = 0; c < base->class_count; c++)
        for (size_t i = 0; i < CW_COUNT(kept); i++) {
            double *ours = &model->facts->value[c * CW_FACT_COUNT + (size_t)kept[i]];
            *ours = fmax(*ours, base->facts->value[c * CW_FACT_COUNT + (size_t)kept[i]]); /* NaN loses */
        }
}

cw_status cw_base_merge(cw_model *model, const cw_model *base, cw_error *err) {
    merge_extents(model, base);
    merge_facts(model, base);
    return merge_seen(model, base, err);
}
