/* seen.c: the table of kinds and the classes seen on each: finding, saving, loading. */
#include "seen.h"
#include <string.h>

cw_seen *cw_seen_alloc(const char *const *names, size_t fields, size_t kinds, size_t classes) {
    cw_seen *seen = cw_alloc(sizeof *seen);
    if (!seen) return NULL;
    *seen = (cw_seen){fields, kinds, classes, NULL, NULL, NULL};
    seen->names = cw_alloc_n(fields, sizeof *seen->names);
    seen->key = cw_alloc_n(kinds, fields * sizeof *seen->key);
    seen->has = cw_alloc_n(kinds, classes);
    bool made = seen->names && seen->key && seen->has;
    for (size_t i = 0; made && i < fields; i++) made = (seen->names[i] = cw_strdup(names[i])) != NULL;
    if (made) return seen;
    cw_seen_free(seen);
    return NULL;
}

void cw_seen_free(cw_seen *seen) {
    if (!seen) return;
    for (size_t i = 0; seen->names && i < seen->fields; i++) cw_free(seen->names[i]);
    cw_free(seen->names);
    cw_free(seen->key);
    cw_free(seen->has);
    cw_free(seen);
}

int cw_seen_compare(const int32_t *a, const int32_t *b, size_t fields) {
    for (size_t i = 0; i < fields; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}

const uint8_t *cw_seen_find(const cw_seen *seen, const int32_t *key) {
    size_t first = 0, behind = seen->kinds;
    while (first < behind) {
        size_t middle = first + (behind - first) / 2;
        int order = cw_seen_compare(key, seen->key + middle * seen->fields, seen->fields);
        if (order == 0) return seen->has + middle * seen->classes;
        if (order < 0)
            behind = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

/* ---- JSON ---- */

static json_t *kind_json(const cw_seen *seen, size_t kind) {
    json_t *key = json_array(), *classes = json_array();
    int bad = 0;
    for (size_t i = 0; i < seen->fields; i++)
        bad |= json_array_append_new(key, json_integer(seen->key[kind * seen->fields + i]));
    for (size_t c = 0; c < seen->classes; c++)
        if (seen->has[kind * seen->classes + c])
            bad |= json_array_append_new(classes, json_integer((json_int_t)c));
    json_t *pair = json_array();
    bad |= json_array_append_new(pair, key);
    bad |= json_array_append_new(pair, classes);
    if (!bad) return pair;
    json_decref(pair);
    return NULL;
}

json_t *cw_seen_save(const cw_seen *seen) {
    json_t *names = json_array(), *kinds = json_array(), *object = json_object();
    int bad = 0;
    for (size_t i = 0; i < seen->fields; i++)
        bad |= json_array_append_new(names, json_string(seen->names[i]));
    for (size_t k = 0; k < seen->kinds && !bad; k++) bad |= json_array_append_new(kinds, kind_json(seen, k));
    bad |= json_object_set_new(object, "fields", names);
    bad |= json_object_set_new(object, "kinds", kinds);
    if (!bad) return object;
    json_decref(object);
    return NULL;
}

static cw_status load_kind(const json_t *pair, size_t kind, cw_seen *seen, cw_error *err) {
    const json_t *key = json_array_get(pair, 0), *classes = json_array_get(pair, 1);
    int32_t *to = seen->key + kind * seen->fields;
    size_t count = json_array_size(classes);
    if (json_array_size(pair) != 2 || json_array_size(key) != seen->fields || count == 0)
        return cw_fail(err, CW_FORMAT,
                       "seen.kinds[%zu]: must be a list of %zu numbers and a list of classes, not empty",
                       kind, seen->fields);
    for (size_t i = 0; i < seen->fields; i++) {
        const json_t *value = json_array_get(key, i);
        if (!json_is_integer(value) || json_integer_value(value) < INT32_MIN ||
            json_integer_value(value) > INT32_MAX)
            return cw_fail(err, CW_FORMAT, "seen.kinds[%zu]: number %zu must be a whole number of 32 bits",
                           kind, i);
        to[i] = (int32_t)json_integer_value(value);
    }
    if (kind > 0 && cw_seen_compare(to - seen->fields, to, seen->fields) >= 0)
        return cw_fail(err, CW_FORMAT, "seen.kinds[%zu]: kinds must ascend, each there once", kind);
    for (size_t i = 0; i < count; i++) {
        const json_t *class = json_array_get(classes, i);
        json_int_t c = json_integer_value(class);
        if (!json_is_integer(class) || c < 0 || c >= (json_int_t)seen->classes ||
            seen->has[kind * seen->classes + (size_t)c])
            return cw_fail(err, CW_FORMAT, "seen.kinds[%zu]: each of classes 0 to %zu may be there once",
                           kind, seen->classes - 1);
        seen->has[kind * seen->classes + (size_t)c] = 1;
    }
    return CW_OK;
}

cw_status cw_seen_load(const json_t *json, size_t classes, cw_seen **out, cw_error *err) {
    const json_t *fields = json_object_get(json, "fields"), *kinds = json_object_get(json, "kinds");
    size_t field_count = json_array_size(fields), kind_count = json_array_size(kinds);
    const char *names[CW_SEEN_FIELDS];
    if (field_count == 0 || field_count > CW_SEEN_FIELDS)
        return cw_fail(err, CW_FORMAT, "seen.fields: must be a list of 1 to %d names", CW_SEEN_FIELDS);
    for (size_t i = 0; i < field_count; i++)
        if (!(names[i] = json_string_value(json_array_get(fields, i))))
            return cw_fail(err, CW_FORMAT, "seen.fields[%zu]: must be a name", i);
    if (kind_count == 0 || kind_count > CW_SEEN_KINDS)
        return cw_fail(err, CW_FORMAT, "seen.kinds: must be a list of 1 to %d kinds", CW_SEEN_KINDS);
    cw_seen *seen = cw_seen_alloc(names, field_count, kind_count, classes);
    cw_status status = seen ? CW_OK : cw_fail_memory(err);
    for (size_t k = 0; status == CW_OK && k < kind_count; k++)
        status = load_kind(json_array_get(kinds, k), k, seen, err);
    if (status == CW_OK) {
        *out = seen;
        return CW_OK;
    }
    cw_seen_free(seen);
    return status;
}
