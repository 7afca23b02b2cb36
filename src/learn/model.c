/* model.c: a model as a JSON file (docs/formats.md), and what can be asked of any model. Nothing in a file is
 * trusted. Choosing with a model is src/select. */
#include "heldout.h"
#include "../../include/convwise/tools.h"
#include <stdio.h>
#include <string.h>

static const char format_name[] = "convwise-model";
enum { FORMAT_VERSION = 2, FORMAT_OLDEST = 1 }; /* version 1: no "seen", no "calibration" */

static void free_texts(char **texts, size_t count) {
    for (size_t i = 0; texts && i < count; i++) cw_free(texts[i]);
    cw_free(texts);
}

/* The fields of provenance that are text. */
typedef struct text_field {
    const char *key;
    char **value;
} text_field;
enum { TEXT_FIELDS = 6 };

static void text_fields(cw_model *m, text_field out[TEXT_FIELDS]) {
    out[0] = (text_field){"feature_set", &m->feature_set};
    out[1] = (text_field){"machine", &m->machine};
    out[2] = (text_field){"cpu", &m->cpu};
    out[3] = (text_field){"data_hash", &m->data_hash};
    out[4] = (text_field){"tool_version", &m->tool_version};
    out[5] = (text_field){"settings", &m->settings};
}

void cw_model_free(cw_model *model) {
    if (!model) return;
    if (model->learner && model->state) model->learner->destroy(model->state);
    free_texts(model->columns, model->column_count);
    free_texts(model->classes, model->class_count);
    cw_free(model->bound);
    cw_free(model->static_rank);
    cw_seen_free(model->seen);
    cw_facts_free(model->facts);
    cw_facts_free(model->extents);
    cw_free(model->calibration);
    text_field fields[TEXT_FIELDS];
    text_fields(model, fields);
    for (size_t i = 0; i < TEXT_FIELDS; i++) cw_free(*fields[i].value);
    json_decref(model->validation);
    json_decref(model->no_harm);
    json_decref(model->hosts);
    cw_free(model->host);
    cw_free(model);
}

size_t cw_model_classes(const cw_model *model) {
    return model->class_count;
}

const char *cw_model_class(const cw_model *model, size_t index) {
    return index < model->class_count ? model->classes[index] : NULL;
}

const char *cw_model_learner(const cw_model *model) {
    return model->learner->name;
}

/* ---- Read ---- */

/* Goes along with every check of one file. */
typedef struct reader {
    const char *where;
    cw_error *err;
} reader;

#define REFUSE(reader, ...) refuse(reader, CW_FORMAT, __VA_ARGS__)
static cw_status refuse(const reader *r, cw_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static cw_status refuse(const reader *r, cw_status status, const char *format, ...) {
    char text[sizeof r->err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cw_fail(r->err, status, "%s: %s", r->where, text);
}

static bool name_ok(const char *name, size_t length) {
    if (length == 0 || length >= CW_MODEL_NAME) return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] < 0x20 || name[i] > 0x7e || strchr("\"\\*?", name[i])) return false;
    return true;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static cw_status refuse_twins(const reader *r, const char *key, char **names, size_t count) {
    char **sorted = cw_alloc_n(count, sizeof *sorted);
    if (!sorted) return cw_fail_memory(r->err);
    memcpy(sorted, names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_texts);
    cw_status status = CW_OK;
    for (size_t i = 1; i < count && status == CW_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status = REFUSE(r, "%s: \"%s\" is there twice", key, sorted[i]);
    cw_free(sorted);
    return status;
}

/* names and count are set even where it fails, for cw_model_free. */
static cw_status read_names(const reader *r, const json_t *json, const char *key, char ***names,
                            size_t *count) {
    const json_t *list = json_object_get(json, key);
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0 || n > CW_MODEL_MOST)
        return REFUSE(r, "%s: must be a list of 1 to %d names", key, CW_MODEL_MOST);
    *names = cw_alloc_n(n, sizeof **names);
    if (!*names) return cw_fail_memory(r->err);
    *count = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *name = json_array_get(list, i);
        if (!json_is_string(name) || !name_ok(json_string_value(name), json_string_length(name)))
            return REFUSE(r,
                          "%s[%zu]: must be a name of 1 to %d printable ASCII characters without \" \\ * ?",
                          key, i, CW_MODEL_NAME - 1);
        (*names)[i] = cw_strdup(json_string_value(name));
        if (!(*names)[i]) return cw_fail_memory(r->err);
    }
    return refuse_twins(r, key, *names, n);
}

/* The file lists the classes, best first; the model has the place of each class. */
static cw_status read_static_order(const reader *r, const json_t *json, cw_model *m) {
    const json_t *order = json_object_get(json, "static_order");
    size_t n = m->class_count;
    if (!json_is_array(order) || json_array_size(order) != n)
        return REFUSE(r, "static_order: must be a list of %zu numbers, one a class", n);
    m->static_rank = cw_alloc_n(n, sizeof *m->static_rank);
    if (!m->static_rank) return cw_fail_memory(r->err);
    for (size_t i = 0; i < n; i++) m->static_rank[i] = -1;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(order, i);
        json_int_t c = json_integer_value(value);
        if (!json_is_integer(value) || c < 0 || c >= (json_int_t)n || m->static_rank[c] >= 0)
            return REFUSE(r, "static_order[%zu]: each of 0 to %zu must be there once", i, n - 1);
        m->static_rank[c] = (int32_t)i;
    }
    return CW_OK;
}

static bool text_ok(const json_t *text) {
    const char *value = json_string_value(text);
    size_t length = json_string_length(text);
    if (!value || length > CW_MODEL_TEXT) return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) return false;
    return true;
}

static cw_status read_provenance(const reader *r, const json_t *json, cw_model *m) {
    const json_t *provenance = json_object_get(json, "provenance");
    if (!json_is_object(provenance)) return REFUSE(r, "provenance: must be an object");
    text_field fields[TEXT_FIELDS];
    text_fields(m, fields);
    for (size_t i = 0; i < TEXT_FIELDS; i++) {
        const json_t *text = json_object_get(provenance, fields[i].key);
        if (!text_ok(text))
            return REFUSE(r, "provenance.%s: must be a text of at most %d bytes without control characters",
                          fields[i].key, CW_MODEL_TEXT);
        *fields[i].value = cw_strdup(json_string_value(text));
        if (!*fields[i].value) return cw_fail_memory(r->err);
    }
    const json_t *rows = json_object_get(provenance, "rows");
    if (!json_is_integer(rows) || json_integer_value(rows) < 0 || json_integer_value(rows) > INT32_MAX)
        return REFUSE(r, "provenance.rows: must be a whole number from 0");
    m->rows = (size_t)json_integer_value(rows);
    return CW_OK;
}

static cw_status read_validation(const reader *r, const json_t *json, cw_model *m) {
    const json_t *validation = json_object_get(json, "validation");
    if (!validation || json_is_null(validation)) return CW_OK;
    if (!json_is_object(validation)) return REFUSE(r, "validation: must be an object or null");
    m->validation = json_deep_copy(validation);
    return m->validation ? CW_OK : cw_fail_memory(r->err);
}

static cw_status read_seen(const reader *r, const json_t *json, cw_model *m) {
    const json_t *seen = json_object_get(json, "seen");
    cw_error inner;
    if (!seen || json_is_null(seen)) return CW_OK;
    cw_status status = cw_seen_load(seen, m->class_count, &m->seen, &inner);
    return status == CW_OK ? CW_OK : refuse(r, status, "%s", inner.message);
}

static cw_status read_facts(const reader *r, const json_t *json, cw_model *m) {
    const json_t *facts = json_object_get(json, "facts");
    cw_error inner;
    if (!facts || json_is_null(facts)) return CW_OK;
    cw_status status = cw_facts_load(facts, m->class_count, &m->facts, &inner);
    return status == CW_OK ? CW_OK : refuse(r, status, "facts: %s", inner.message);
}

static cw_status read_extents(const reader *r, const json_t *json, cw_model *m) {
    const json_t *extents = json_object_get(json, "extents");
    cw_error inner;
    if (!extents || json_is_null(extents)) return CW_OK;
    cw_status status = cw_facts_load(extents, 2, &m->extents, &inner);
    return status == CW_OK ? CW_OK : refuse(r, status, "extents: %s", inner.message);
}

static cw_status read_calibration(const reader *r, const json_t *json, cw_model *m) {
    const json_t *map = json_object_get(json, "calibration");
    cw_error inner;
    if (!map || json_is_null(map)) return CW_OK;
    cw_status status = cw_calibration_load(map, &m->calibration, &inner);
    return status == CW_OK ? CW_OK : refuse(r, status, "%s", inner.message);
}

/* What the names of the groups mean is for whoever binds the model to say. */
static cw_status read_no_harm(const reader *r, const json_t *json, cw_model *m) {
    const json_t *found = json_object_get(json, "no_harm"), *groups = json_object_get(found, "groups"),
                 *group;
    size_t i;
    if (!found || json_is_null(found)) return CW_OK;
    if (!json_is_array(groups) || json_array_size(groups) > 32)
        return REFUSE(r, "no_harm.groups: must be a list of at most 32 groups");
    json_array_foreach((json_t *)(uintptr_t)groups, i, group) {
        const json_t *name = json_object_get(group, "group");
        if (!json_is_string(name) || !name_ok(json_string_value(name), json_string_length(name)) ||
            !json_is_boolean(json_object_get(group, "static")))
            return REFUSE(
                r, "no_harm.groups[%zu]: must have a name, \"group\", and \"static\", true or false", i);
    }
    m->no_harm = json_deep_copy(found);
    return m->no_harm ? CW_OK : cw_fail_memory(r->err);
}

static cw_status read_hosts(const reader *r, const json_t *json, cw_model *m) {
    const json_t *hosts = json_object_get(json, "machines");
    if (!hosts || json_is_null(hosts)) return CW_OK;
    if (!json_is_array(hosts) || json_array_size(hosts) == 0 || json_array_size(hosts) > CW_MODEL_MOST)
        return REFUSE(r, "machines: must be a list of 1 to %d machines", CW_MODEL_MOST);
    m->hosts = json_deep_copy(hosts);
    return m->hosts ? CW_OK : cw_fail_memory(r->err);
}

static cw_status read_state(const reader *r, const json_t *json, cw_model *m) {
    const json_t *state = json_object_get(json, "state");
    cw_error inner;
    if (!json_is_object(state)) return REFUSE(r, "state: must be an object");
    cw_status status = m->learner->load(state, m->column_count, m->class_count, &m->state, &inner);
    return status == CW_OK ? CW_OK : refuse(r, status, "%s", inner.message);
}

static cw_status read_head(const reader *r, const json_t *json, cw_model *m) {
    const json_t *format = json_object_get(json, "format"), *version = json_object_get(json, "version"),
                 *learner = json_object_get(json, "learner");
    if (!json_is_object(json) || !json_is_string(format) ||
        strcmp(json_string_value(format), format_name) != 0)
        return REFUSE(r, "not a model: \"format\" is not \"%s\"", format_name);
    if (!json_is_integer(version)) return REFUSE(r, "version: must be a whole number");
    if (json_integer_value(version) < FORMAT_OLDEST || json_integer_value(version) > FORMAT_VERSION)
        return REFUSE(
            r,
            "version %lld of the model format; this program reads versions %d to %d: train the model again",
            (long long)json_integer_value(version), FORMAT_OLDEST, FORMAT_VERSION);
    if (!json_is_string(learner) || !name_ok(json_string_value(learner), json_string_length(learner)))
        return REFUSE(r, "learner: must be a name");
    m->learner = cw_learner_find(json_string_value(learner));
    if (!m->learner) return REFUSE(r, "learner: \"%.40s\" is unknown here", json_string_value(learner));
    return CW_OK;
}

cw_status cw_model_from_json(const json_t *json, const char *where, cw_model **out, cw_error *err) {
    reader r = {where, err};
    cw_model *m = cw_alloc(sizeof *m);
    if (!m) return cw_fail_memory(err);
    cw_status status = read_head(&r, json, m);
    if (status == CW_OK) status = read_names(&r, json, "features", &m->columns, &m->column_count);
    if (status == CW_OK) status = read_names(&r, json, "classes", &m->classes, &m->class_count);
    if (status == CW_OK) status = read_static_order(&r, json, m);
    if (status == CW_OK) status = read_provenance(&r, json, m);
    if (status == CW_OK) status = read_validation(&r, json, m);
    if (status == CW_OK) status = read_seen(&r, json, m);
    if (status == CW_OK) status = read_facts(&r, json, m);
    if (status == CW_OK) status = read_extents(&r, json, m);
    if (status == CW_OK) status = read_calibration(&r, json, m);
    if (status == CW_OK) status = read_no_harm(&r, json, m);
    if (status == CW_OK) status = read_hosts(&r, json, m);
    if (status == CW_OK) status = read_state(&r, json, m);
    if (status == CW_OK)
        *out = m;
    else
        cw_model_free(m);
    return status;
}

cw_status cw_model_from_text(const char *text, size_t length, const char *where, cw_model **out,
                             cw_error *err) {
    json_error_t why = {0};
    if (length > CW_MODEL_BYTES)
        return cw_fail(err, CW_FORMAT, "%s: larger than the %d bytes a model may have", where,
                       CW_MODEL_BYTES);
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
    if (!json && why.text[0] == '\0') return cw_fail_memory(err); /* jansson has no word for it */
    for (char *c = why.text; !json && *c; c++)                    /* it quotes the file */
        if ((unsigned char)*c < 0x20) *c = ' ';
    if (!json)
        return cw_fail(err, CW_FORMAT, "%s:%d:%d: not a model: %s", where, why.line, why.column, why.text);
    cw_status status = cw_model_from_json(json, where, out, err);
    json_decref(json);
    return status;
}

/* ---- Write ---- */

static json_t *names_to_json(char *const *names, size_t count) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t i = 0; i < count && !bad; i++) bad |= json_array_append_new(json, json_string(names[i]));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *static_order_to_json(const cw_model *m) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t place = 0; place < m->class_count; place++)
        for (size_t c = 0; c < m->class_count; c++)
            if (m->static_rank[c] == (int32_t)place)
                bad |= json_array_append_new(json, json_integer((json_int_t)c));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *provenance_to_json(const cw_model *model) {
    cw_model copy = *model;
    text_field fields[TEXT_FIELDS];
    text_fields(&copy, fields);
    json_t *json = json_object();
    int bad = 0;
    for (size_t i = 0; i < TEXT_FIELDS; i++)
        bad |= json_object_set_new(json, fields[i].key, json_string(*fields[i].value));
    bad |= json_object_set_new(json, "rows", json_integer((json_int_t)model->rows));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

json_t *cw_model_to_json(const cw_model *m) {
    json_t *json = json_object();
    int bad = 0;
    bad |= json_object_set_new(json, "format", json_string(format_name));
    bad |= json_object_set_new(json, "version", json_integer(FORMAT_VERSION));
    bad |= json_object_set_new(json, "learner", json_string(m->learner->name));
    bad |= json_object_set_new(json, "features", names_to_json(m->columns, m->column_count));
    bad |= json_object_set_new(json, "classes", names_to_json(m->classes, m->class_count));
    bad |= json_object_set_new(json, "static_order", static_order_to_json(m));
    bad |= json_object_set_new(json, "provenance", provenance_to_json(m));
    bad |=
        json_object_set_new(json, "validation", m->validation ? json_deep_copy(m->validation) : json_null());
    bad |= json_object_set_new(json, "seen", m->seen ? cw_seen_save(m->seen) : json_null());
    bad |= json_object_set_new(json, "facts", m->facts ? cw_facts_save(m->facts) : json_null());
    bad |= json_object_set_new(json, "extents", m->extents ? cw_facts_save(m->extents) : json_null());
    bad |= json_object_set_new(json, "calibration",
                               m->calibration ? cw_calibration_save(m->calibration) : json_null());
    bad |= json_object_set_new(json, "no_harm", m->no_harm ? json_deep_copy(m->no_harm) : json_null());
    if (m->hosts) bad |= json_object_set_new(json, "machines", json_deep_copy(m->hosts));
    bad |= json_object_set_new(json, "state", m->learner->save(m->state));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static int put_piece(const char *text, size_t size, void *arg) {
    cw_buf_printf(arg, "%.*s", (int)size, text);
    return ((cw_buf *)arg)->failed ? -1 : 0;
}

/* One line a field, so that a model can be looked at and compared with line tools. */
cw_status cw_model_json(const cw_model *model, char **out, cw_error *err) {
    json_t *json = cw_model_to_json(model), *value;
    if (!json) return cw_fail_memory(err);
    cw_buf text = {0};
    const char *key, *before = "{\n";
    json_object_foreach(json, key, value) {
        cw_buf_printf(&text, "%s\"%s\": ", before, key);
        if (json_dump_callback(value, put_piece, &text, JSON_ENCODE_ANY | JSON_COMPACT) != 0)
            text.failed = true;
        before = ",\n";
    }
    cw_buf_put(&text, "\n}\n");
    json_decref(json);
    *out = cw_buf_take(&text);
    return *out ? CW_OK : cw_fail_memory(err);
}

cw_status cw_model_save(const cw_model *model, const char *path, cw_error *err) {
    char *text;
    cw_status status = cw_model_json(model, &text, err);
    if (status != CW_OK) return status;
    status = cw_write_file(path, text, strlen(text), err);
    cw_free(text);
    return status;
}
