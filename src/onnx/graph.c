/* graph.c: finds the trees in an ONNX graph, and makes sure that nothing around them changes which score
 * wins. What it does not know it refuses by name: a node that is passed over in silence could turn the
 * choice. */
#include "onnx.h"
#include <string.h>

cw_quoted cw_onnx_quote(const char *text) {
    cw_quoted out = {{0}};
    for (size_t i = 0; text && text[i] && i < 60; i++)
        out.text[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    return out;
}

const char *cw_onnx_text(const ProtobufCBinaryData *bytes, cw_quoted *out) {
    size_t n = bytes->len < sizeof out->text - 1 ? bytes->len : sizeof out->text - 1;
    *out = (cw_quoted){{0}};
    for (size_t i = 0; i < n; i++)
        out->text[i] = bytes->data[i] >= 0x20 && bytes->data[i] < 0x7f ? (char)bytes->data[i] : '?';
    return out->text;
}

const Onnx__AttributeProto *cw_onnx_attribute(const Onnx__NodeProto *node, const char *name) {
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    return NULL;
}

static int64_t whole(const Onnx__NodeProto *node, const char *name, int64_t otherwise) {
    const Onnx__AttributeProto *a = cw_onnx_attribute(node, name);
    return a && a->has_i ? a->i : otherwise;
}

/* ---- What a value is ---- */

typedef enum origin { NOTHING, FEATURES, CONSTANT, LABEL, SCORES, JOINED } origin;

typedef struct value {
    const char *name;
    origin kind;
    size_t index; /* SCORES: the part; FEATURES: the input; CONSTANT: the initializer */
} value;

enum { NODES_MOST = 4096 }; /* a thousand regressors with a Reshape each, and more */

typedef struct walk {
    const Onnx__GraphProto *graph;
    cw_onnx_found *found;
    value *
        value; /* sorted by name once all names are in; a node's outputs are NOTHING until it was looked at */
    size_t count;
    size_t features;   /* graph input that the trees read, SIZE_MAX = none yet */
    bool bent, picked; /* a regressor's scores were changed; the best score was taken */
    cw_error *err;
} walk;

static int by_name(const void *a, const void *b) {
    return strcmp(((const value *)a)->name, ((const value *)b)->name);
}

static value *look_up(const walk *w, const char *name) {
    if (!name) return NULL;
    return bsearch(&(value){.name = name}, w->value, w->count, sizeof *w->value, by_name);
}

static value input_of(const walk *w, const Onnx__NodeProto *node, size_t i) {
    const value *v = i < node->n_input ? look_up(w, node->input[i]) : NULL;
    return v ? *v : (value){0};
}

static void set_output(const walk *w, const Onnx__NodeProto *node, size_t i, origin kind, size_t index) {
    value *v = i < node->n_output ? look_up(w, node->output[i]) : NULL;
    if (!v) return;
    v->kind = kind;
    v->index = index;
}

static void name_value(walk *w, const char *name, origin kind, size_t index) {
    if (name && *name) w->value[w->count++] = (value){name, kind, index};
}

static cw_status name_values(walk *w) {
    const Onnx__GraphProto *g = w->graph;
    size_t most = g->n_input + g->n_initializer;
    for (size_t i = 0; i < g->n_node; i++) most += g->node[i]->n_output;
    w->value = cw_alloc_n(most ? most : 1, sizeof *w->value);
    if (!w->value) return cw_fail_memory(w->err);
    for (size_t i = 0; i < g->n_initializer; i++) name_value(w, g->initializer[i]->name, CONSTANT, i);
    for (size_t i = 0; i < g->n_input; i++) {
        bool constant = false; /* up to IR version 3, initializers are inputs too */
        for (size_t k = 0; k < g->n_initializer && i < NODES_MOST && k < NODES_MOST && g->input[i]->name; k++)
            constant |= g->initializer[k]->name && strcmp(g->initializer[k]->name, g->input[i]->name) == 0;
        if (!constant) name_value(w, g->input[i]->name, FEATURES, i);
    }
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t o = 0; o < g->node[i]->n_output; o++) name_value(w, g->node[i]->output[o], NOTHING, 0);
    qsort(w->value, w->count, sizeof *w->value, by_name);
    for (size_t i = 1; i < w->count; i++)
        if (strcmp(w->value[i - 1].name, w->value[i].name) == 0)
            return cw_fail(w->err, CW_FORMAT, "two values are called '%s'",
                           cw_onnx_quote(w->value[i].name).text);
    return CW_OK;
}

/* ---- Nodes ---- */

static cw_status refuse(const walk *w, const Onnx__NodeProto *node, const char *why) {
    return cw_fail(w->err, CW_UNSUPPORTED, "node '%s' (%s): %s", cw_onnx_quote(node->name).text,
                   cw_onnx_quote(node->op_type).text, why);
}

static bool is(const Onnx__NodeProto *node, const char *domain, const char *op) {
    const char *at = node->domain && strcmp(node->domain, "ai.onnx") != 0 ? node->domain : "";
    return strcmp(at, domain) == 0 && node->op_type && strcmp(node->op_type, op) == 0;
}

static cw_status take_trees(walk *w, const Onnx__NodeProto *node, bool classifier) {
    cw_onnx_found *f = w->found;
    value in = input_of(w, node, 0);
    if (in.kind != FEATURES)
        return refuse(w, node, "reads something else than an input of the model, Identity and Cast aside");
    if (w->features != SIZE_MAX && w->features != in.index)
        return refuse(w, node, "reads another input than the trees before it");
    if (f->parts > 0 && (classifier || f->classifier))
        return refuse(w, node, "only regressors can stand side by side");
    if (w->picked) return refuse(w, node, "stands behind the choice of the best score");
    w->features = in.index;
    f->classifier = f->most_wins = classifier;
    size_t part = f->parts++;
    f->part[part] = (cw_onnx_part){node, 0};
    if (classifier) {
        const Onnx__AttributeProto *texts = cw_onnx_attribute(node, "classlabels_strings"),
                                   *numbers = cw_onnx_attribute(node, "classlabels_int64s");
        f->scores = texts && texts->n_strings ? texts->n_strings : numbers ? numbers->n_ints : 0;
        if (f->scores > CW_MODEL_MOST) return refuse(w, node, "more than 1024 classes");
        set_output(w, node, 0, LABEL, part);
        set_output(w, node, 1, SCORES, part);
        return CW_OK;
    }
    int64_t targets = whole(node, "n_targets", 1);
    if (targets < 1 || targets > CW_MODEL_MOST) return refuse(w, node, "n_targets must be 1 to 1024");
    f->part[part].first = f->scores;
    f->scores += (size_t)targets;
    if (f->scores > CW_MODEL_MOST) return refuse(w, node, "more than 1024 targets in all");
    set_output(w, node, 0, SCORES, part);
    return CW_OK;
}

static size_t targets_of(const walk *w, size_t part) {
    return (size_t)whole(w->found->part[part].node, "n_targets", 1);
}

/* Puts the parts into the order in which their scores stand side by side. */
static cw_status join(walk *w, const Onnx__NodeProto *node) {
    cw_onnx_found *f = w->found;
    size_t first = 0;
    int64_t axis = whole(node, "axis", INT64_MIN);
    if (f->parts == 0 || f->classifier)
        return refuse(w, node, "give the features as one tensor of all columns, not one a column");
    if (node->n_input != f->parts || (axis != 1 && axis != -1))
        return refuse(w, node, "must put the scores of all regressors side by side");
    uint8_t met[CW_MODEL_MOST] = {0};
    if (w->bent) return refuse(w, node, "comes behind a node that changes single scores");
    for (size_t i = 0; i < f->parts; i++) {
        value in = input_of(w, node, i);
        if (in.kind != SCORES || met[in.index]++)
            return refuse(w, node, "must put the scores of all regressors side by side");
        f->part[in.index].first = first;
        first += targets_of(w, in.index);
    }
    set_output(w, node, 0, JOINED, 0);
    return CW_OK;
}

/* Casts may widen. Labels may become anything: their order is known already. */
static cw_status cast(walk *w, const Onnx__NodeProto *node, value in) {
    int64_t to = whole(node, "to", 0);
    bool scores = in.kind == SCORES || in.kind == JOINED;
    if (in.kind != LABEL && !(scores && w->found->classifier) && to != ONNX_FLOAT && to != ONNX_DOUBLE)
        return refuse(w, node, "only a cast to float or double keeps what the trees compare");
    set_output(w, node, 0, in.kind, in.index);
    return CW_OK;
}

static bool positive(const walk *w, value v) {
    if (v.kind != CONSTANT) return false;
    const Onnx__TensorProto *t = w->graph->initializer[v.index];
    float x = 0;
    if (t->data_type != ONNX_FLOAT) return false;
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] != 1) return false;
    if (t->n_float_data == 1) x = t->float_data[0];
    if (t->has_raw_data && t->raw_data.len == sizeof x) memcpy(&x, t->raw_data.data, sizeof x);
    return x > 0 && x < INFINITY;
}

static cw_status scale(walk *w, const Onnx__NodeProto *node) {
    value a = input_of(w, node, 0), b = input_of(w, node, 1);
    if (a.kind == CONSTANT) {
        value other = a;
        a = b;
        b = other;
    }
    if ((a.kind != SCORES && a.kind != JOINED) || !positive(w, b))
        return refuse(w, node, "only scores times one number above 0 keep their order");
    w->bent = true;
    set_output(w, node, 0, a.kind, a.index);
    return CW_OK;
}

static cw_status pick(walk *w, const Onnx__NodeProto *node, value in, bool most) {
    int64_t axis = whole(node, "axis", 0);
    if ((in.kind != SCORES && in.kind != JOINED) || (axis != 1 && axis != -1) ||
        whole(node, "select_last_index", 0) != 0)
        return refuse(w, node, "must take the first best score of a row");
    if (w->picked || (w->found->parts > 1 && in.kind != JOINED))
        return refuse(w, node, "must be the one choice among all scores");
    w->picked = true;
    if (w->found->classifier && !most) return refuse(w, node, "picks the least likely class");
    w->found->most_wins = most;
    set_output(w, node, 0, LABEL, 0);
    return CW_OK;
}

static cw_status look_at(walk *w, const Onnx__NodeProto *node) {
    value in = input_of(w, node, 0);
    bool scores = in.kind == SCORES || in.kind == JOINED;
    if (is(node, "ai.onnx.ml", "TreeEnsembleClassifier")) return take_trees(w, node, true);
    if (is(node, "ai.onnx.ml", "TreeEnsembleRegressor")) return take_trees(w, node, false);
    if (is(node, "ai.onnx.ml", "TreeEnsemble"))
        return refuse(w, node, "is of ai.onnx.ml 5: convert with target_opset={'': 15, 'ai.onnx.ml': 3}");
    if (is(node, "", "Concat")) return join(w, node);
    if (is(node, "", "Mul")) return scale(w, node);
    if (in.kind == NOTHING || in.kind == CONSTANT)
        return refuse(w, node, "reads nothing that comes from the model's input before it");
    if (is(node, "", "Cast")) return cast(w, node, in);
    if (is(node, "", "ArgMin")) return pick(w, node, in, false);
    if (is(node, "", "ArgMax")) return pick(w, node, in, true);
    bool bends = is(node, "ai.onnx.ml", "Normalizer") ||
                 (is(node, "", "Softmax") && (whole(node, "axis", 1) == 1 || whole(node, "axis", 1) == -1));
    w->bent |= bends;
    bool fine =
        is(node, "", "Identity") || (scores && (is(node, "ai.onnx.ml", "ZipMap") || bends)) ||
        (is(node, "", "Reshape") &&
         (in.kind == LABEL || (in.kind == SCORES && !w->found->classifier && targets_of(w, in.index) == 1)));
    if (!fine)
        return refuse(w, node,
                      "may change which class wins; only trees, and what keeps their order, is read");
    set_output(w, node, 0, in.kind, in.index);
    return CW_OK;
}

/* Columns of the input that the trees read. */
static size_t columns_of(const walk *w) {
    const Onnx__ValueInfoProto *input = w->graph->input[w->features];
    if (!input->type || !input->type->tensor_type || !input->type->tensor_type->shape) return 0;
    const Onnx__TensorShapeProto *shape = input->type->tensor_type->shape;
    if (shape->n_dim != 2 || !shape->dim[1]->has_dim_value || shape->dim[1]->dim_value < 1) return 0;
    return shape->dim[1]->dim_value > CW_MODEL_MOST ? SIZE_MAX : (size_t)shape->dim[1]->dim_value;
}

static cw_status finish(const walk *w) {
    cw_onnx_found *f = w->found;
    bool joined = false;
    if (f->parts == 0)
        return cw_fail(w->err, CW_UNSUPPORTED,
                       "has no trees (TreeEnsembleClassifier or TreeEnsembleRegressor of ai.onnx.ml 1 to 3)");
    for (size_t i = 0; i < w->count; i++) joined |= w->value[i].kind == JOINED;
    if (f->parts > 1 && !joined)
        return cw_fail(w->err, CW_UNSUPPORTED,
                       "has %zu regressors, and no Concat that puts their scores side by side", f->parts);
    f->columns = columns_of(w);
    if (f->columns == SIZE_MAX)
        return cw_fail(w->err, CW_UNSUPPORTED, "has more than %d columns", CW_MODEL_MOST);
    return CW_OK;
}

cw_status cw_onnx_find(const Onnx__GraphProto *graph, cw_onnx_found *out, cw_error *err) {
    walk w = {.graph = graph, .found = out, .features = SIZE_MAX, .err = err};
    *out = (cw_onnx_found){.silent = SIZE_MAX};
    if (graph->n_node > NODES_MOST)
        return cw_fail(err, CW_UNSUPPORTED, "has %zu nodes: no model of trees has more than %d",
                       graph->n_node, NODES_MOST);
    out->part = cw_alloc_n(graph->n_node + 1, sizeof *out->part);
    if (!out->part) return cw_fail_memory(err);
    cw_status status = name_values(&w);
    for (size_t i = 0; i < graph->n_node && status == CW_OK; i++) status = look_at(&w, graph->node[i]);
    if (status == CW_OK) status = finish(&w);
    cw_free(w.value);
    if (status != CW_OK) {
        cw_free(out->part);
        out->part = NULL;
    }
    return status;
}
