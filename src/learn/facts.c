/* facts.c: the table of what is known of each class: saving and loading. */
#include "facts.h"
#include <math.h>

cw_facts *cw_facts_alloc(const char *const *names, size_t fields, size_t classes) {
    cw_facts *facts = cw_alloc(sizeof *facts);
    if (!facts) return NULL;
    facts->fields = fields;
    facts->classes = classes;
    facts->names = cw_alloc_n(fields, sizeof *facts->names);
    facts->value = cw_alloc_n(classes, fields * sizeof *facts->value);
    bool made = facts->names && facts->value;
    for (size_t i = 0; made && i < fields; i++) made = (facts->names[i] = cw_strdup(names[i])) != NULL;
    for (size_t i = 0; made && i < classes * fields; i++) facts->value[i] = NAN;
    if (made) return facts;
    cw_facts_free(facts);
    return NULL;
}

void cw_facts_free(cw_facts *facts) {
    if (!facts) return;
    for (size_t i = 0; facts->names && i < facts->fields; i++) cw_free(facts->names[i]);
    cw_free(facts->names);
    cw_free(facts->value);
    cw_free(facts);
}

/* ---- JSON ---- */

json_t *cw_facts_save(const cw_facts *facts) {
    json_t *names = json_array(), *classes = json_array(), *object = json_object();
    int bad = 0;
    for (size_t i = 0; i < facts->fields; i++)
        bad |= json_array_append_new(names, json_string(facts->names[i]));
    for (size_t c = 0; c < facts->classes; c++) {
        json_t *row = json_array();
        for (size_t i = 0; i < facts->fields; i++) {
            double value = facts->value[c * facts->fields + i];
            bad |= json_array_append_new(row, isnan(value) ? json_null() : json_real(value));
        }
        bad |= json_array_append_new(classes, row);
    }
    bad |= json_object_set_new(object, "fields", names);
    bad |= json_object_set_new(object, "rows", classes);
    if (!bad) return object;
    json_decref(object);
    return NULL;
}

static cw_status load_class(const json_t *row, size_t class, cw_facts *facts, cw_error *err) {
    if (json_array_size(row) != facts->fields)
        return cw_fail(err, CW_FORMAT, "rows[%zu]: must be a list of %zu numbers", class, facts->fields);
    for (size_t i = 0; i < facts->fields; i++) {
        const json_t *value = json_array_get(row, i);
        if (json_is_null(value)) continue;
        if (!json_is_number(value))
            return cw_fail(err, CW_FORMAT, "rows[%zu]: %.40s must be a number or null", class,
                           facts->names[i]);
        facts->value[class * facts->fields + i] = json_number_value(value);
    }
    return CW_OK;
}

cw_status cw_facts_load(const json_t *json, size_t classes, cw_facts **out, cw_error *err) {
    const json_t *fields = json_object_get(json, "fields"), *rows = json_object_get(json, "rows");
    size_t count = json_array_size(fields);
    const char *names[CW_FACTS_MOST];
    if (count == 0 || count > CW_FACTS_MOST)
        return cw_fail(err, CW_FORMAT, "fields: must be a list of 1 to %d names", CW_FACTS_MOST);
    for (size_t i = 0; i < count; i++)
        if (!(names[i] = json_string_value(json_array_get(fields, i))))
            return cw_fail(err, CW_FORMAT, "fields[%zu]: must be a name", i);
    if (json_array_size(rows) != classes)
        return cw_fail(err, CW_FORMAT, "rows: must be a list of %zu", classes);
    cw_facts *facts = cw_facts_alloc(names, count, classes);
    cw_status status = facts ? CW_OK : cw_fail_memory(err);
    for (size_t c = 0; status == CW_OK && c < classes; c++)
        status = load_class(json_array_get(rows, c), c, facts, err);
    if (status == CW_OK)
        *out = facts;
    else
        cw_facts_free(facts);
    return status;
}
