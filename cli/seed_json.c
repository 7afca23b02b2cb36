/* seed_json.c: the seed's experiment as one JSON document. */
#include "seed_mode.h"
#include <math.h>

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *text_or_null(const char *text) {
    return text ? json_string(text) : json_null();
}

static json_t *class_name(const cw_seed_report *report, int32_t class) {
    return text_or_null(class < 0 ? NULL : report->classes[class]);
}

static json_t *total_json(const cw_seed_total *t) {
    return json_pack(
        "{sI sI sI so so so so so so so so}", "layers", (json_int_t)t->layers, "ran", (json_int_t)t->ran,
        "right", (json_int_t)t->right, "published_us", number(t->published_us), "charged_us",
        number(t->charged_us), "oracle_us", number(t->oracle_us), "best_static_us", number(t->best_static_us),
        "accuracy", number(cw_seed_accuracy(t)), "speedup_published", number(cw_seed_speedup(t, false)),
        "speedup_charged", number(cw_seed_speedup(t, true)), "regret", number(cw_seed_regret(t)));
}

static json_t *layer_json(const cw_seed_report *report, const cw_seed_layer *layer) {
    char text[CW_PROBLEM_TEXT];
    json_t *us = json_object();
    cw_problem_format(&layer->problem, text, sizeof text);
    for (size_t c = 0; c < report->class_count; c++)
        json_object_set_new(us, report->classes[c], number(layer->us[c]));
    return json_pack("{ss sI so so}", "problem", text, "repeats", (json_int_t)layer->repeats, "us", us,
                     "fastest", class_name(report, layer->best));
}

static json_t *group_json(const cw_seed_report *report, const cw_seed_group *group) {
    json_t *layers = json_array();
    for (size_t i = 0; i < group->count; i++)
        json_array_append_new(layers, layer_json(report, &report->layers[group->first + i]));
    return json_pack("{ss ss so so}", "network", group->network, "precision", cw_prec_name(group->prec),
                     "best_static", class_name(report, group->best_static), "layers", layers);
}

/* Classes of a layer's draws, null where there were too many ways to tell. */
static json_t *draws_json(const cw_seed_report *report, uint32_t draws) {
    if (!draws) return json_null();
    json_t *list = json_array();
    for (size_t c = 0; c < report->class_count; c++)
        if (draws >> c & 1) json_array_append_new(list, json_string(report->classes[c]));
    return list;
}

static json_t *scored_group_json(const cw_seed_report *report, const cw_seed_contender *contender, size_t g) {
    const cw_seed_group *group = &report->groups[g];
    json_t *object = total_json(&contender->groups[g]);
    json_t *chosen = json_array(), *draws = json_array();
    json_object_set_new(object, "network", json_string(group->network));
    json_object_set_new(object, "precision", json_string(cw_prec_name(group->prec)));
    for (size_t i = group->first; i < group->first + group->count; i++) {
        json_array_append_new(chosen, class_name(report, contender->chosen[i]));
        if (contender->draws) json_array_append_new(draws, draws_json(report, contender->draws[i]));
    }
    json_object_set_new(object, "chosen", chosen);
    if (contender->rows) json_object_set_new(object, "rows", json_integer((json_int_t)contender->rows[g]));
    if (contender->draws)
        json_object_set_new(object, "possible", draws);
    else
        json_decref(draws);
    return object;
}

static json_t *contender_json(const cw_seed_report *report, const cw_seed_contender *contender) {
    json_t *groups = json_array(), *pooled = json_object();
    for (size_t g = 0; g < report->group_count; g++)
        json_array_append_new(groups, scored_group_json(report, contender, g));
    for (int prec = 0; prec < (int)CW_PREC_COUNT; prec++)
        if (contender->pooled[prec].layers)
            json_object_set_new(pooled, cw_prec_name((cw_prec)prec), total_json(&contender->pooled[prec]));
    return json_pack("{ss so so so so}", "name", contender->name, "split", text_or_null(contender->split),
                     "mode", text_or_null(contender->mode), "groups", groups, "pooled", pooled);
}

static json_t *comparison_json(const cw_seed_report *report, const cw_seed_published *row,
                               const cw_seed_comparison *with) {
    json_t *object =
        json_pack("{ss ss ss ss sb ss}", "network", row->network, "precision", cw_prec_name(row->prec),
                  "classifier", row->classifier, "mode", row->mode, "totals_equal", (int)with->totals,
                  "prediction", cli_seed_match_name(with->match));
    json_t *published =
        json_pack("{sf sI sf sf}", "us", row->predicted.us, "ran", (json_int_t)row->predicted.layers,
                  "accuracy", row->accuracy, "speedup", row->speedup);
    json_object_set_new(object, "published", published);
    json_t *drawn = json_array();
    for (size_t i = 0; with->drawn && i < with->group->count; i++)
        json_array_append_new(drawn, class_name(report, with->drawn[i]));
    if (with->drawn)
        json_object_set_new(object, "drawn", drawn);
    else
        json_decref(drawn);
    return object;
}

int cli_seed_json(const cw_seed_report *report, const cw_seed_published *rows,
                  const cw_seed_comparison *compared, size_t count) {
    json_t *groups = json_array(), *contenders = json_array(), *published = json_array();
    for (size_t g = 0; g < report->group_count; g++)
        json_array_append_new(groups, group_json(report, &report->groups[g]));
    for (size_t k = 0; k < report->contender_count; k++)
        json_array_append_new(contenders, contender_json(report, &report->contenders[k]));
    for (size_t i = 0; i < count; i++)
        json_array_append_new(published, comparison_json(report, &rows[i], &compared[i]));
    return cli_print_json(
        json_pack("{so so so}", "groups", groups, "contenders", contenders, "published", published));
}
