/* export.c: a model of trees as an ONNX-ML file: TreeEnsembleRegressor, whose sums are costs, and ArgMin. */
#include "onnx.h"
#include "../learn/tree.h"
#include "../../include/convwise/tools.h"
#include <string.h>

/* ---- Memory ---- */

void *cw_onnx_take(cw_onnx_arena *arena, size_t n, size_t size) {
    if (arena->failed || !cw_grow(&arena->block, &arena->capacity, arena->count + 1, sizeof *arena->block)) {
        arena->failed = true;
        return NULL;
    }
    void *memory = cw_alloc_n(n ? n : 1, size);
    if (!memory) arena->failed = true;
    if (memory) arena->block[arena->count++] = memory;
    return memory;
}

void cw_onnx_release(cw_onnx_arena *arena) {
    for (size_t i = 0; i < arena->count; i++) cw_free(arena->block[i]);
    cw_free(arena->block);
    *arena = (cw_onnx_arena){0};
}

/* ---- Messages; all return NULL or do nothing once the arena has failed ---- */

#define MAKE(arena, Type, init) make(arena, sizeof(Type), &(Type)init)
static void *make(cw_onnx_arena *arena, size_t size, const void *init) {
    void *message = cw_onnx_take(arena, 1, size);
    if (message) memcpy(message, init, size);
    return message;
}

static char *copy(cw_onnx_arena *arena, const char *text) {
    char *out = cw_onnx_take(arena, strlen(text) + 1, 1);
    if (out) memcpy(out, text, strlen(text));
    return out;
}

static char **list(cw_onnx_arena *arena, const char *text) {
    char **out = cw_onnx_take(arena, 1, sizeof *out);
    if (out) *out = copy(arena, text);
    return out;
}

enum { ATTRIBUTES = 16 };

static Onnx__NodeProto *make_node(cw_onnx_arena *arena, const char *op, const char *domain, const char *input,
                                  const char *output) {
    Onnx__NodeProto *node = MAKE(arena, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);
    if (!node) return NULL;
    node->op_type = copy(arena, op);
    node->name = copy(arena, op);
    node->domain = copy(arena, domain);
    node->n_input = node->n_output = 1;
    node->input = list(arena, input);
    node->output = list(arena, output);
    node->attribute = cw_onnx_take(arena, ATTRIBUTES, sizeof(Onnx__AttributeProto *));
    return node;
}

static Onnx__AttributeProto *add(cw_onnx_arena *arena, Onnx__NodeProto *node, const char *name,
                                 int32_t type) {
    Onnx__AttributeProto *a = MAKE(arena, Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);
    if (arena->failed) return NULL;
    a->name = copy(arena, name);
    a->has_type = true;
    a->type = type;
    node->attribute[node->n_attribute++] = a;
    return a;
}

static void add_int(cw_onnx_arena *arena, Onnx__NodeProto *node, const char *name, int64_t value) {
    Onnx__AttributeProto *a = add(arena, node, name, ONNX_AS_INT);
    if (!a) return;
    a->has_i = true;
    a->i = value;
}

static void add_text(cw_onnx_arena *arena, Onnx__NodeProto *node, const char *name, const char *value) {
    Onnx__AttributeProto *a = add(arena, node, name, ONNX_AS_STRING);
    if (!a) return;
    a->has_s = true;
    a->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)copy(arena, value)};
}

/* The n numbers are to be filled in; NULL = out of memory. */
static int64_t *add_ints(cw_onnx_arena *arena, Onnx__NodeProto *node, const char *name, size_t n) {
    Onnx__AttributeProto *a = add(arena, node, name, ONNX_AS_INTS);
    int64_t *ints = cw_onnx_take(arena, n, sizeof *ints);
    if (arena->failed) return NULL;
    a->n_ints = n;
    return a->ints = ints;
}

static float *add_floats(cw_onnx_arena *arena, Onnx__NodeProto *node, const char *name, size_t n) {
    Onnx__AttributeProto *a = add(arena, node, name, ONNX_AS_FLOATS);
    float *floats = cw_onnx_take(arena, n, sizeof *floats);
    if (arena->failed) return NULL;
    a->n_floats = n;
    return a->floats = floats;
}

static Onnx__ValueInfoProto *make_value(cw_onnx_arena *arena, const char *name, int32_t type,
                                        size_t columns) {
    Onnx__ValueInfoProto *value = MAKE(arena, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
    Onnx__TypeProto *kind = MAKE(arena, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    Onnx__TypeProto__Tensor *tensor = MAKE(arena, Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
    Onnx__TensorShapeProto *shape = MAKE(arena, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
    Onnx__TensorShapeProto__Dimension **dim = cw_onnx_take(arena, 2, sizeof(void *));
    for (size_t i = 0; dim && i < 2; i++)
        dim[i] = MAKE(arena, Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
    if (arena->failed) return NULL;
    value->name = copy(arena, name);
    value->type = kind;
    kind->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = type;
    tensor->shape = shape;
    shape->dim = dim;
    shape->n_dim = columns ? 2 : 1;
    dim[0]->dim_param = copy(arena, "N");
    dim[1]->has_dim_value = true;
    dim[1]->dim_value = (int64_t)columns;
    return value;
}

/* ---- Trees ---- */

/* What both kinds of state come down to. */
typedef struct sums {
    const cw_trees *shape; /* nodes, trees, sizes */
    const float *value;    /* as shape's values */
    const float *base;     /* classes */
} sums;

static void put_nodes(cw_onnx_arena *arena, Onnx__NodeProto *node, const cw_trees *t) {
    size_t n = t->node_count;
    int64_t *tree = add_ints(arena, node, "nodes_treeids", n),
            *id = add_ints(arena, node, "nodes_nodeids", n),
            *column = add_ints(arena, node, "nodes_featureids", n);
    float *threshold = add_floats(arena, node, "nodes_values", n);
    int64_t *yes = add_ints(arena, node, "nodes_truenodeids", n),
            *no = add_ints(arena, node, "nodes_falsenodeids", n);
    Onnx__AttributeProto *modes = add(arena, node, "nodes_modes", ONNX_AS_STRINGS);
    ProtobufCBinaryData *mode = cw_onnx_take(arena, n, sizeof *mode);
    uint8_t *leaf = (uint8_t *)copy(arena, "LEAF"), *branch = (uint8_t *)copy(arena, "BRANCH_LEQ");
    if (arena->failed) return;
    modes->n_strings = n;
    modes->strings = mode;
    for (size_t i = 0; i < t->tree_count; i++)
        for (size_t root = t->tree[i].root, at = root; at < cw_trees_tree_end(t, i); at++) {
            const cw_trees_node *from = &t->node[at];
            bool inner = from->column >= 0;
            tree[at] = (int64_t)i;
            id[at] = (int64_t)(at - root);
            mode[at] = inner ? (ProtobufCBinaryData){10, branch} : (ProtobufCBinaryData){4, leaf};
            column[at] = inner ? from->column : 0;
            threshold[at] = inner ? from->threshold : 0;
            yes[at] = inner ? id[at] + 1 : 0;
            no[at] = inner ? (int64_t)(from->next - root) : 0;
        }
}

/* All values of a leaf, zeros too: they say which classes the tree is about. Targets are classes in static
 * order, so that ArgMin, which takes the first of equals, breaks ties as choosing does. */
static void put_leaves(cw_onnx_arena *arena, Onnx__NodeProto *node, const sums *s, const int32_t *rank) {
    const cw_trees *t = s->shape;
    size_t n = t->value_count;
    int64_t *tree = add_ints(arena, node, "target_treeids", n),
            *id = add_ints(arena, node, "target_nodeids", n),
            *target = add_ints(arena, node, "target_ids", n);
    float *weight = add_floats(arena, node, "target_weights", n);
    float *base = add_floats(arena, node, "base_values", t->classes);
    if (arena->failed) return;
    for (size_t c = 0; c < t->classes; c++) base[rank[c]] = s->base[c];
    for (size_t i = 0; i < t->tree_count; i++)
        for (size_t root = t->tree[i].root, at = root; at < cw_trees_tree_end(t, i); at++)
            for (size_t k = 0; t->node[at].column < 0 && k < t->tree[i].width; k++) {
                size_t v = t->node[at].next + k;
                tree[v] = (int64_t)i;
                id[v] = (int64_t)(at - root);
                target[v] = rank[t->tree[i].first + k];
                weight[v] = s->value[v];
            }
}

static Onnx__GraphProto *make_graph(cw_onnx_arena *arena, const sums *s, const int32_t *rank) {
    const cw_trees *t = s->shape;
    Onnx__GraphProto *graph = MAKE(arena, Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);
    Onnx__NodeProto *trees = make_node(arena, "TreeEnsembleRegressor", "ai.onnx.ml", "features", "costs"),
                    *least = make_node(arena, "ArgMin", "", "costs", "class"),
                    **nodes = cw_onnx_take(arena, 2, sizeof *nodes);
    Onnx__ValueInfoProto **values = cw_onnx_take(arena, 3, sizeof *values);
    if (arena->failed) return NULL;
    add_int(arena, trees, "n_targets", (int64_t)t->classes);
    add_text(arena, trees, "aggregate_function", "SUM");
    add_text(arena, trees, "post_transform", "NONE");
    put_nodes(arena, trees, t);
    put_leaves(arena, trees, s, rank);
    add_int(arena, least, "axis", 1);
    add_int(arena, least, "keepdims", 0);
    graph->name = copy(arena, "convwise");
    nodes[0] = trees;
    nodes[1] = least;
    graph->n_node = 2;
    graph->node = nodes;
    values[0] = make_value(arena, "features", ONNX_FLOAT, t->columns);
    values[1] = make_value(arena, "class", ONNX_INT64, 0);
    values[2] = make_value(arena, "costs", ONNX_FLOAT, t->classes);
    graph->n_input = 1;
    graph->input = values;
    graph->n_output = 2;
    graph->output = values + 1;
    return arena->failed ? NULL : graph;
}

/* Whole numbers of the unit: floats add them up exactly. */
static Onnx__GraphProto *graph_of_trees(cw_onnx_arena *arena, const cw_model *m) {
    const cw_trees *t = m->state;
    float *value = cw_onnx_take(arena, t->value_count, sizeof *value),
          *base = cw_onnx_take(arena, t->classes, sizeof *base);
    if (arena->failed) return NULL;
    for (size_t i = 0; i < t->value_count; i++) value[i] = (float)cw_trees_value(t, i);
    for (size_t c = 0; c < t->classes; c++) base[c] = (float)t->base[c];
    return make_graph(arena, &(sums){t, value, base}, m->static_rank);
}

/* Shares of rows as floats order classes as counts do up to so many rows: neighbours are further apart than
 * floats below 1. */
enum { LEAF_ROWS = 1 << 23 };

static cw_status check_leaf(const cw_tree *tree, size_t leaf, cw_error *err) {
    int64_t rows = 0;
    for (size_t c = 0; c < tree->classes; c++) rows += tree->count[leaf * tree->classes + c];
    if (rows <= LEAF_ROWS) return CW_OK;
    return cw_fail(err, CW_UNSUPPORTED,
                   "a leaf of %lld rows: ONNX takes floats, which tell shares of at most %d apart",
                   (long long)rows, LEAF_ROWS);
}

static cw_status graph_of_tree(cw_onnx_arena *arena, const cw_model *m, Onnx__GraphProto **out,
                               cw_error *err) {
    const cw_tree *from = m->state;
    cw_trees_tree whole = {0, 0, (uint16_t)from->classes};
    cw_trees shape = {.columns = from->columns,
                      .classes = from->classes,
                      .tree_count = 1,
                      .tree = &whole,
                      .node_count = from->nodes,
                      .value_count = from->leaves * from->classes};
    float *value = cw_onnx_take(arena, shape.value_count, sizeof *value),
          *base = cw_onnx_take(arena, from->classes, sizeof *base);
    double *cost = cw_onnx_take(arena, from->classes, sizeof *cost);
    shape.node = cw_onnx_take(arena, from->nodes, sizeof *shape.node);
    if (arena->failed) return cw_fail_memory(err);
    for (size_t leaf = 0; leaf < from->leaves; leaf++) {
        cw_status status = check_leaf(from, leaf, err);
        if (status != CW_OK) return status;
        cw_tree_leaf_cost(from, leaf, cost);
        for (size_t c = 0; c < from->classes; c++) value[leaf * from->classes + c] = (float)cost[c];
    }
    for (size_t i = 0; i < from->nodes; i++) {
        const cw_tree_node *node = &from->node[i];
        uint32_t next = node->column < 0 ? node->next * (uint32_t)from->classes : node->next;
        shape.node[i] = (cw_trees_node){cw_float_below(node->threshold), node->column, next};
    }
    *out = make_graph(arena, &(sums){&shape, value, base}, m->static_rank);
    return *out ? CW_OK : cw_fail_memory(err);
}

cw_status cw_onnx_graph(const cw_model *m, cw_onnx_arena *arena, Onnx__GraphProto **out, cw_error *err) {
    if (m->learner->predict == cw_trees_predict) {
        *out = graph_of_trees(arena, m);
        return *out ? CW_OK : cw_fail_memory(err);
    }
    if (m->learner->load == cw_learner_find("tree")->load) return graph_of_tree(arena, m, out, err);
    return cw_fail(
        err, CW_UNSUPPORTED,
        "'%s' is no sum of trees, which is what ONNX-ML holds: train with --learner tree or another "
        "learner of trees, or emit C",
        m->learner->name);
}

/* ---- The file ---- */

/* The state of a sum of trees is in the graph, but for what its numbers stand for. */
static char *model_text(const cw_model *m) {
    static const char *const in_graph[] = {"base", "trees", "columns", "thresholds", "values"};
    json_t *json = cw_model_to_json(m), *state = json_object_get(json, "state");
    for (size_t i = 0; i < CW_COUNT(in_graph) && m->learner->predict == cw_trees_predict; i++)
        json_object_del(state, in_graph[i]);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

/* Classes in the order of the outputs, or features: a JSON list. */
static char *names_text(char *const *names, const int32_t *rank, size_t count) {
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(json, json_null());
    for (size_t i = 0; i < count; i++)
        json_array_set_new(json, rank ? (size_t)rank[i] : i, json_string(names[i]));
    char *text = json_array_size(json) == count ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static void put_property(cw_onnx_arena *arena, Onnx__ModelProto *file, const char *key, char *value) {
    Onnx__StringStringEntryProto *entry =
        MAKE(arena, Onnx__StringStringEntryProto, ONNX__STRING_STRING_ENTRY_PROTO__INIT);
    if (!value) arena->failed = true;
    if (!arena->failed) {
        entry->key = copy(arena, key);
        entry->value = copy(arena, value);
        file->metadata_props[file->n_metadata_props++] = entry;
    }
    free(value); /* jansson's */
}

static void put_opset(cw_onnx_arena *arena, Onnx__ModelProto *file, const char *domain, int64_t version) {
    Onnx__OperatorSetIdProto *opset =
        MAKE(arena, Onnx__OperatorSetIdProto, ONNX__OPERATOR_SET_ID_PROTO__INIT);
    if (arena->failed) return;
    opset->domain = copy(arena, domain);
    opset->has_version = true;
    opset->version = version;
    file->opset_import[file->n_opset_import++] = opset;
}

/* What one unit of the output costs, as a number of JSON. */
static char *unit_text(const cw_model *m) {
    json_t *json =
        json_real(m->learner->predict == cw_trees_predict ? ((const cw_trees *)m->state)->unit : 1);
    char *text = json_dumps(json, JSON_ENCODE_ANY);
    json_decref(json);
    return text;
}

static cw_status make_file(const cw_model *m, cw_onnx_arena *arena, Onnx__ModelProto *file, cw_error *err) {
    cw_status status = cw_onnx_graph(m, arena, &file->graph, err);
    if (status != CW_OK) return status;
    file->has_ir_version = true;
    file->ir_version = 8;
    file->producer_name = copy(arena, "convwise");
    file->producer_version = copy(arena, cw_version());
    file->opset_import = cw_onnx_take(arena, 2, sizeof *file->opset_import);
    file->metadata_props = cw_onnx_take(arena, 4, sizeof *file->metadata_props);
    put_opset(arena, file, "", 13);
    put_opset(arena, file, "ai.onnx.ml", 3);
    put_property(arena, file, "convwise.features", names_text(m->columns, NULL, m->column_count));
    put_property(arena, file, "convwise.classes", names_text(m->classes, m->static_rank, m->class_count));
    put_property(arena, file, "convwise.unit", unit_text(m));
    put_property(arena, file, CW_ONNX_MODEL, model_text(m));
    return arena->failed ? cw_fail_memory(err) : CW_OK;
}

cw_status cw_emit_onnx(const cw_model *model, char **out, size_t *size, cw_error *err) {
    cw_onnx_arena arena = {0};
    Onnx__ModelProto file = ONNX__MODEL_PROTO__INIT;
    *out = NULL;
    cw_status status = make_file(model, &arena, &file, err);
    if (status == CW_OK) {
        *size = onnx__model_proto__get_packed_size(&file);
        *out = cw_alloc(*size);
        if (*out)
            onnx__model_proto__pack(&file, (uint8_t *)*out);
        else
            status = cw_fail_memory(err);
    }
    cw_onnx_release(&arena);
    return status;
}

cw_status cw_emit_onnx_save(const cw_model *model, const char *path, cw_error *err) {
    char *bytes;
    size_t size;
    cw_status status = cw_emit_onnx(model, &bytes, &size, err);
    if (status == CW_OK) status = cw_write_file(path, bytes, size, err);
    cw_free(bytes);
    return status;
}
