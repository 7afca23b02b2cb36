/* import.c: an ONNX file as a model: the file into messages, names for its columns and classes, and the
 * model. */
#include "onnx.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- The file into messages ---- */

/* Messages take up to some fifty times the bytes they come from; a file made for it could want far more. */
typedef struct budget {
    size_t left;
} budget;

static void *budget_alloc(void *data, size_t size) {
    budget *b = data;
    if (size > b->left) return NULL;
    b->left -= size;
    return malloc(size ? size : 1);
}

static void budget_free(void *data, void *memory) {
    (void)data;
    free(memory);
}

enum { TIMES = 64, SPARE = 1 << 20 };

static ProtobufCAllocator allocator(budget *b, size_t size) {
    *b = (budget){TIMES * size + SPARE};
    return (ProtobufCAllocator){budget_alloc, budget_free, b};
}

/* ---- Names ---- */

typedef struct importer {
    const Onnx__ModelProto *file;
    const cw_onnx_options *options;
    cw_onnx_found found;
    cw_model *model;
    double rounding;
    cw_error *err;
} importer;

static bool nameable(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x20 || text[i] > 0x7e) return false;
    return length > 0 && length < CW_MODEL_NAME;
}

static char *cut_out(const char *text, size_t length) {
    char *out = cw_alloc(length + 1);
    if (out) memcpy(out, text, length);
    return out;
}

/* Items of a comma-separated list. */
static size_t item(const char **at, const char **text) {
    *text = *at;
    size_t length = strcspn(*at, ",");
    *at += length + ((*at)[length] == ',');
    return length;
}

static cw_status add_column(importer *m, const char *name, size_t length) {
    if (m->model->column_count == CW_MODEL_MOST || !nameable(name, length))
        return cw_fail(m->err, CW_INVALID, "features: '%.*s' is not a name, or there are more than %d",
                       (int)(length < 40 ? length : 40), name, CW_MODEL_MOST);
    char *copy = cut_out(name, length);
    if (!copy) return cw_fail_memory(m->err);
    m->model->columns[m->model->column_count++] = copy;
    return CW_OK;
}

static cw_status name_columns(importer *m) {
    const char *given = m->options->features;
    unsigned set = given ? cw_feature_set(given) : 0;
    if (!given)
        return cw_fail(
            m->err, CW_INVALID,
            "the file does not say what its columns are: give --features, a set or a list of names");
    m->model->columns = cw_alloc_n(CW_MODEL_MOST, sizeof *m->model->columns);
    m->model->feature_set = cw_strdup(set ? given : "given");
    if (!m->model->columns || !m->model->feature_set) return cw_fail_memory(m->err);
    cw_status status = CW_OK;
    for (size_t i = 0; set && i < cw_feature_count && status == CW_OK; i++)
        if (cw_features[i].sets & set)
            status = add_column(m, cw_features[i].name, strlen(cw_features[i].name));
    for (const char *at = given, *name; !set && *at && status == CW_OK;) {
        size_t length = item(&at, &name);
        status = add_column(m, name, length);
    }
    if (status == CW_OK && m->found.columns && m->found.columns != m->model->column_count)
        status = cw_fail(m->err, CW_INVALID, "the file has %zu columns, the features given are %zu",
                         m->found.columns, m->model->column_count);
    return status;
}

/* A label's text: of a string, or the number. */
static cw_status label_text(const importer *m, size_t index, char *out, size_t size) {
    const Onnx__NodeProto *node = m->found.part[0].node;
    const Onnx__AttributeProto *texts = cw_onnx_attribute(node, "classlabels_strings"),
                               *numbers = cw_onnx_attribute(node, "classlabels_int64s");
    if (m->found.classifier && texts && texts->n_strings) {
        const ProtobufCBinaryData *t = &texts->strings[index];
        if (!nameable((const char *)t->data, t->len))
            return cw_fail(m->err, CW_FORMAT,
                           "classlabels_strings[%zu] is not 1 to %d printable ASCII characters", index,
                           CW_MODEL_NAME - 1);
        snprintf(out, size, "%.*s", (int)t->len, (const char *)t->data);
    } else {
        snprintf(out, size, "%" PRId64,
                 m->found.classifier && numbers ? numbers->ints[index] : (int64_t)index);
    }
    return CW_OK;
}

/* What the options call a label: "label=name" first, else the name at the label's place in the list. */
static size_t name_of(const char *list, const char *label, const char **name) {
    int64_t place, i = 0;
    size_t found = 0;
    bool number = cw_parse_int(label, 0, CW_MODEL_MOST, &place);
    for (const char *at = list, *text; *at; i++) {
        size_t length = item(&at, &text), n = strlen(label);
        if (length > n + 1 && text[n] == '=' && strncmp(text, label, n) == 0) {
            *name = text + n + 1;
            return length - n - 1;
        }
        if (number && i == place && !memchr(text, '=', length)) {
            *name = text;
            found = length;
        }
    }
    return found;
}

static cw_status name_class(importer *m, size_t index) {
    char label[CW_MODEL_NAME];
    const char *name = label, *list = m->options->classes;
    const Onnx__AttributeProto *texts = cw_onnx_attribute(m->found.part[0].node, "classlabels_strings");
    bool own_name = m->found.classifier && texts && texts->n_strings > 0;
    cw_status status = label_text(m, index, label, sizeof label);
    if (status != CW_OK) return status;
    size_t length = list ? name_of(list, label, &name) : 0;
    if (length == 0 && !own_name)
        return cw_fail(
            m->err, CW_INVALID,
            list ? "the classes given have no implementation for label %s"
                 : "classes are numbers (label %s and others): give --classes, the implementation of each",
            label);
    if (length == 0) length = strlen(label);
    if (!nameable(name, length))
        return cw_fail(m->err, CW_INVALID, "label %s: '%.*s' is not a name", label,
                       (int)(length < 40 ? length : 40), name);
    m->model->classes[index] = cut_out(name, length);
    return m->model->classes[index] ? CW_OK : cw_fail_memory(m->err);
}

/* Classes as the file orders them; ties go to the first, as they do in ONNX. */
static cw_status name_classes(importer *m) {
    size_t n = m->found.scores;
    m->model->classes = cw_alloc_n(n, sizeof *m->model->classes);
    m->model->static_rank = cw_alloc_n(n, sizeof *m->model->static_rank);
    if (!m->model->classes || !m->model->static_rank) return cw_fail_memory(m->err);
    m->model->class_count = n;
    cw_status status = CW_OK;
    for (size_t i = 0; i < n && status == CW_OK; i++) {
        m->model->static_rank[i] = (int32_t)i;
        status = name_class(m, i);
    }
    return status;
}

/* ---- A file of another's ---- */

extern const cw_learner cw_learner_imported;

static cw_status provenance(importer *m) {
    cw_model *model = m->model;
    cw_buf text = {0};
    cw_buf_printf(&text, "%s of %s, %zu trees", m->found.classifier ? "classifier" : "regressor",
                  m->file->producer_name && *m->file->producer_name
                      ? cw_onnx_quote(m->file->producer_name).text
                      : "unknown origin",
                  ((const cw_trees *)model->state)->tree_count);
    cw_buf_printf(&text, ", costs to within %.2g", m->rounding);
    model->settings = cw_buf_take(&text);
    model->machine = cw_strdup("");
    model->cpu = cw_strdup("");
    model->data_hash = cw_strdup("");
    model->tool_version = cw_strdup(cw_version());
    return model->settings && model->machine && model->cpu && model->data_hash && model->tool_version
               ? CW_OK
               : cw_fail_memory(m->err);
}

/* By way of the model's text: what checks model files checks this one too. */
static cw_status checked(const cw_model *model, const char *where, cw_model **out, cw_error *err) {
    char *text = NULL;
    cw_status status = cw_model_json(model, &text, err);
    if (status == CW_OK) status = cw_model_parse(text, strlen(text), where, out, err);
    cw_free(text);
    return status;
}

static cw_status foreign(importer *m, cw_model **out) {
    size_t class_of[CW_MODEL_MOST];
    cw_trees *trees = NULL;
    m->model = cw_alloc(sizeof *m->model);
    if (!m->model) return cw_fail_memory(m->err);
    m->model->learner = &cw_learner_imported;
    for (size_t i = 0; i < CW_MODEL_MOST; i++) class_of[i] = i;
    cw_status status = name_columns(m);
    if (status == CW_OK) status = name_classes(m);
    if (status == CW_OK)
        status = cw_onnx_trees(&m->found, m->model->column_count, class_of, &trees, &m->rounding, m->err);
    m->model->state = trees;
    if (status == CW_OK && !m->found.classifier && m->found.silent != SIZE_MAX)
        status = cw_fail(
            m->err, CW_UNSUPPORTED,
            "no leaf adds to target %zu, so its converter lost it: write one regressor a target, or one "
            "classifier",
            m->found.silent);
    if (status == CW_OK) status = provenance(m);
    if (status == CW_OK) status = checked(m->model, "its model", out, m->err);
    cw_model_free(m->model);
    return status;
}

/* ---- A file that was written here ---- */

static const char *own_model(const Onnx__ModelProto *file) {
    for (size_t i = 0; i < file->n_metadata_props; i++)
        if (file->metadata_props[i]->key && strcmp(file->metadata_props[i]->key, CW_ONNX_MODEL) == 0)
            return file->metadata_props[i]->value;
    return NULL;
}

/* A permutation of the classes, which the outputs are in. */
static cw_status own_order(const importer *m, const json_t *json, size_t *class_of) {
    const json_t *order = json_object_get(json, "static_order");
    uint8_t met[CW_MODEL_MOST] = {0};
    bool fine = json_array_size(order) == m->found.scores;
    for (size_t i = 0; fine && i < m->found.scores; i++) {
        const json_t *value = json_array_get(order, i);
        json_int_t c = json_integer_value(value);
        fine = json_is_integer(value) && c >= 0 && c < (json_int_t)m->found.scores && !met[c]++;
        if (fine) class_of[i] = (size_t)c;
    }
    return fine ? CW_OK
                : cw_fail(m->err, CW_FORMAT,
                          CW_ONNX_MODEL ": static_order does not fit the %zu scores of the graph",
                          m->found.scores);
}

/* The graph's trees, with what their numbers stand for. */
static cw_status own_trees(importer *m, json_t *json) {
    size_t class_of[CW_MODEL_MOST], columns = json_array_size(json_object_get(json, "features"));
    cw_trees *trees = NULL;
    cw_status status = own_order(m, json, class_of);
    if (status == CW_OK && (columns == 0 || columns > CW_MODEL_MOST))
        status = cw_fail(m->err, CW_FORMAT, CW_ONNX_MODEL ": features must be 1 to %d names", CW_MODEL_MOST);
    if (status == CW_OK) status = cw_onnx_trees(&m->found, columns, class_of, &trees, &m->rounding, m->err);
    if (status == CW_OK && trees->unit != 1)
        status =
            cw_fail(m->err, CW_FORMAT,
                    "leaves do not hold whole numbers, as they were written: import it as another's, with "
                    "--features and --classes");
    json_t *state = status == CW_OK ? cw_trees_save(trees) : NULL;
    if (status == CW_OK && (!state || json_object_update(state, json_object_get(json, "state")) != 0 ||
                            json_object_set(json, "state", state) != 0))
        status = cw_fail_memory(m->err);
    json_decref(state);
    cw_trees_destroy(trees);
    return status;
}

/* Is the graph what export makes of the model? */
static cw_status compare_graph(const importer *m, const cw_model *model) {
    cw_onnx_arena arena = {0};
    Onnx__GraphProto *graph;
    cw_status status = cw_onnx_graph(model, &arena, &graph, m->err);
    if (status == CW_OK) {
        size_t size = onnx__graph_proto__get_packed_size(graph);
        bool equal = size == onnx__graph_proto__get_packed_size(m->file->graph);
        uint8_t *ours = cw_onnx_take(&arena, size, 1), *theirs = cw_onnx_take(&arena, size, 1);
        if (arena.failed) {
            status = cw_fail_memory(m->err);
        } else if (equal) {
            onnx__graph_proto__pack(graph, ours);
            onnx__graph_proto__pack(m->file->graph, theirs);
            equal = memcmp(ours, theirs, size) == 0;
        }
        if (status == CW_OK && !equal)
            status =
                cw_fail(m->err, CW_FORMAT,
                        "the graph was changed since it was written: import it as another's, with --features "
                        "and --classes");
    }
    cw_onnx_release(&arena);
    return status;
}

static bool holds_trees(const json_t *json) {
    const char *name = json_string_value(json_object_get(json, "learner"));
    const cw_learner *learner = name ? cw_learner_find(name) : NULL;
    return learner && learner->predict == cw_trees_predict;
}

static cw_status own(importer *m, const char *text, cw_model **out) {
    json_error_t why;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!json) return cw_fail(m->err, CW_FORMAT, CW_ONNX_MODEL " is not JSON");
    bool trees = holds_trees(json);
    cw_status status = trees ? own_trees(m, json) : CW_OK;
    char *whole = status == CW_OK ? json_dumps(json, JSON_COMPACT) : NULL;
    if (status == CW_OK && !whole) status = cw_fail_memory(m->err);
    if (status == CW_OK) status = cw_model_parse(whole, strlen(whole), CW_ONNX_MODEL, out, m->err);
    if (status == CW_OK && !trees && (status = compare_graph(m, *out)) != CW_OK) {
        cw_model_free(*out);
        *out = NULL;
    }
    free(whole); /* jansson's */
    json_decref(json);
    return status;
}

/* ---- Both ---- */

static cw_status import(importer *m, cw_model **out) {
    const char *text = m->options->features || m->options->classes ? NULL : own_model(m->file);
    if (!m->file->graph) return cw_fail(m->err, CW_FORMAT, "has no graph");
    cw_status status = cw_onnx_find(m->file->graph, &m->found, m->err);
    if (status != CW_OK) return status;
    if (m->found.scores < 2)
        status = cw_fail(m->err, CW_UNSUPPORTED,
                         "has %zu score%s: choosing needs one for each of two or more implementations",
                         m->found.scores, m->found.scores == 1 ? "" : "s");
    if (status == CW_OK) status = text ? own(m, text, out) : foreign(m, out);
    cw_free(m->found.part);
    return status;
}

cw_status cw_model_parse_onnx(const void *bytes, size_t size, const char *where,
                              const cw_onnx_options *options, cw_model **out, double *rounding,
                              cw_error *err) {
    static const cw_onnx_options none = {NULL, NULL};
    budget limit;
    ProtobufCAllocator memory = allocator(&limit, size);
    cw_error inner = {0};
    *out = NULL;
    if (size > CW_MODEL_BYTES)
        return cw_fail(err, CW_FORMAT, "%.150s: larger than the %d bytes a model may have", where,
                       CW_MODEL_BYTES);
    Onnx__ModelProto *file = onnx__model_proto__unpack(&memory, size, bytes);
    if (!file)
        return cw_fail(err, CW_FORMAT, "%.150s: not an ONNX file, cut off, or made to fill memory", where);
    importer m = {.file = file, .options = options ? options : &none, .err = &inner};
    cw_status status = import(&m, out);
    if (status == CW_OK && rounding) *rounding = m.rounding;
    if (status != CW_OK) status = cw_fail(err, status, "%.60s: %s", where, inner.message);
    onnx__model_proto__free_unpacked(file, &memory);
    return status;
}

cw_status cw_model_load_onnx(const char *path, const cw_onnx_options *options, cw_model **out,
                             double *rounding, cw_error *err) {
    char *bytes;
    size_t size;
    *out = NULL;
    cw_status status = cw_read_file(path, CW_MODEL_BYTES, &bytes, &size, err);
    if (status != CW_OK) return status;
    status = cw_model_parse_onnx(bytes, size, path, options, out, rounding, err);
    cw_free(bytes);
    return status;
}
