/* model.c: models from files and text, bound to the features of this build. What a model is, and its JSON,
 * are in src/learn; this adds what its columns mean, once, so that choosing compares no strings. */
#include "../learn/learn.h"
#include "../problem/facts.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"
#include <string.h>

/* The groups of shapes that the static order chooses for, by their numbers here. */
static cw_status bind_groups(cw_model *model, const char *where, cw_error *err) {
    json_t *groups = json_object_get(model->no_harm, "groups"), *entry;
    size_t i;
    json_array_foreach(groups, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "group"));
        int32_t group = cw_shape_group_find(name);
        if (group < 0)
            return cw_fail(
                err, CW_MISMATCH,
                "%.80s has figures of '%.40s', which is no group of shapes of this convwise (%s): retrain, "
                "or use convwise %.20s",
                where, name, cw_version(), model->tool_version);
        if (json_is_true(json_object_get(entry, "static"))) model->static_groups |= 1U << group;
        if (json_is_true(json_object_get(entry, "library"))) model->library_groups |= 1U << group;
    }
    return CW_OK;
}

/* A table's fields are those of this build. */
static bool same_names(char *const *names, size_t count, const char *const *ours, size_t our_count) {
    bool same = count == our_count;
    for (size_t i = 0; same && i < count; i++) same = strcmp(names[i], ours[i]) == 0;
    return same;
}

/* ---- Machines ---- */

static bool read_host(const json_t *machine, cw_host *out) {
    bool fine = json_is_string(json_object_get(machine, "fingerprint"));
#define X(field)                                                                                             \
    const json_t *field = json_object_get(machine, &#field[2]); /* without "m_" */                           \
    fine = fine && json_is_integer(field) && json_integer_value(field) >= 0;                                 \
    out->field = json_integer_value(field);
    CW_HOST_FIELDS(X)
#undef X
    return fine;
}

static cw_status set_host(cw_model *model, const cw_host *host, bool asked, cw_error *err) {
    model->host_asked = asked;
    if (!model->host) model->host = cw_alloc(sizeof *host);
    if (!model->host) return cw_fail_memory(err);
    *(cw_host *)model->host = *host;
    return CW_OK;
}

/* A model of one machine chooses for it. */
static cw_status bind_hosts(cw_model *model, const char *where, cw_error *err) {
    cw_host host = {0};
    size_t count = json_array_size(model->hosts);
    for (size_t i = 0; i < count; i++)
        if (!read_host(json_array_get(model->hosts, i), &host))
            return cw_fail(
                err, CW_FORMAT,
                "%.120s: machines[%zu]: must have a fingerprint and the whole numbers cores, l1d, l2, l3, "
                "vector from 0",
                where, i);
    return count == 1 ? set_host(model, &host, false, err) : CW_OK;
}

/* "cores,l1d,l2,l3,vector" */
static bool parse_host(const char *text, cw_host *out) {
    char copy[128], *rest = copy, *part;
    int64_t values[5];
    size_t count = 0;
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy) return false;
    while ((part = strsep(&rest, ",")))
        if (count == CW_COUNT(values) || !cw_parse_int(part, 0, INT64_C(1) << 40, &values[count++]))
            return false;
    if (count != CW_COUNT(values)) return false;
    *out = (cw_host){values[0], values[1], values[2], values[3], values[4]};
    return true;
}

cw_status cw_model_on(cw_model *model, const char *machine, cw_error *err) {
    cw_host host;
    if (strcmp(machine, "here") == 0 || strncmp(machine, "here:", 5) == 0) {
        cw_machine here;
        cw_machine_detect(&here);
        if (machine[4]) {
            cw_status status = cw_machine_cap(&here, machine + 5, err);
            if (status != CW_OK) return status;
        }
        host = cw_host_of(&here);
        return set_host(model, &host, true, err);
    }
    for (size_t i = 0; i < json_array_size(model->hosts); i++) {
        const json_t *known = json_array_get(model->hosts, i);
        if (strcmp(json_string_value(json_object_get(known, "fingerprint")), machine) != 0) continue;
        read_host(known, &host);
        return set_host(model, &host, true, err);
    }
    if (parse_host(machine, &host)) return set_host(model, &host, true, err);
    return cw_fail(err, CW_NOT_FOUND,
                   "machine \"%.60s\" is none that the model was trained on, nor \"here\" or \"here:ISA\", "
                   "nor five numbers "
                   "CORES,L1D,L2,L3,VECTOR (caches and vector register in bytes)",
                   machine);
}

static cw_status bind(cw_model *model, const char *where, cw_error *err) {
    model->bound = cw_alloc_n(model->column_count, sizeof *model->bound);
    if (!model->bound) return cw_fail_memory(err);
    for (size_t i = 0; i < model->column_count; i++) {
        model->bound[i] = cw_feature_find(model->columns[i]);
        if (!model->bound[i])
            return cw_fail(err, CW_MISMATCH,
                           "%.80s wants feature '%.40s', which this convwise (%s) does not have: retrain, or "
                           "use convwise %.20s",
                           where, model->columns[i], cw_version(), model->tool_version);
    }
    const cw_seen *seen = model->seen;
    const cw_facts *facts = model->facts;
    if (seen && !same_names(seen->names, seen->fields, cw_kind_names, CW_KIND_FIELD_COUNT))
        return cw_fail(
            err, CW_MISMATCH,
            "%.80s sorts kernels by other fields than this convwise (%s): retrain, or use convwise %.20s",
            where, cw_version(), model->tool_version);
    if (facts && !same_names(facts->names, facts->fields, cw_fact_names, CW_FACT_COUNT))
        return cw_fail(err, CW_MISMATCH,
                       "%.80s knows other facts of its implementations than this convwise (%s): retrain, or "
                       "use convwise %.20s",
                       where, cw_version(), model->tool_version);
    const cw_facts *extents = model->extents;
    if (extents && !same_names(extents->names, extents->fields, cw_extent_names, CW_EXTENT_COUNT))
        return cw_fail(err, CW_MISMATCH,
                       "%.80s bounds problems by other extents than this convwise (%s): retrain, or use "
                       "convwise %.20s",
                       where, cw_version(), model->tool_version);
    for (size_t i = 0; extents && i < 2 * extents->fields; i++)
        if (extents->value[i] < 0 || extents->value[i] > CW_EXTENT_MOST)
            return cw_fail(err, CW_FORMAT, "%.80s: extents: bounds must be from 0 to 2^52", where);
    cw_status status = bind_groups(model, where, err);
    return status == CW_OK ? bind_hosts(model, where, err) : status;
}

cw_status cw_model_parse(const char *text, size_t length, const char *where, cw_model **out, cw_error *err) {
    cw_model *model = NULL;
    cw_status status = cw_model_from_text(text, length, where, &model, err);
    if (status == CW_OK) status = bind(model, where, err);
    if (status == CW_OK)
        *out = model;
    else
        cw_model_free(model);
    return status;
}

cw_status cw_model_load(const char *path, cw_model **out, cw_error *err) {
    char *text;
    size_t size;
    cw_status status = cw_read_file(path, CW_MODEL_BYTES, &text, &size, err);
    if (status != CW_OK) return status;
    status = size ? cw_model_parse(text, size, path, out, err)
                  : cw_fail(err, CW_FORMAT, "%.150s is empty: not a model file", path);
    cw_free(text);
    return status;
}
