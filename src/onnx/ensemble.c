/* ensemble.c: the trees of TreeEnsembleClassifier and TreeEnsembleRegressor (ai.onnx.ml 1 to 3) as a
 * cw_trees. Nothing in a file is trusted: lists may differ in length, nodes may form no tree, numbers may be
 * anything. Memory follows the file's size, but for leaves' values, which are bounded (VALUES_MOST).
 *
 * Thresholds: what is compared here is a float, (float)x <= t. x < t is x <= the largest float below t, and a
 * threshold in double counts as the largest float that is at most it: for rows of floats, which is what such
 * models are given, no row goes another way. Features are never NaN, so where missing values would go does
 * not matter.
 *
 * Scores: sums in floats, as runtimes form them, depend on the order of adding; here they are whole numbers
 * of one unit. Where leaves hold shares of rows, a unit is found that divides them all, so that ties are
 * ties; otherwise it is a power of two, so fine that sums are as exact as a float's. */
#include "onnx.h"
#include <inttypes.h>
#include <string.h>

enum { VALUES_MOST = 1 << 26 };

typedef struct place {
    int64_t tree, id;
    size_t at; /* in the file's lists */
} place;

/* One node of the graph: its lists, and what was found out about them. All memory is in the arena. */
typedef struct reader {
    const Onnx__NodeProto *node;
    bool classifier;
    size_t nodes, weights, labels, bases;
    const int64_t *tree, *id, *column, *yes, *no;
    const ProtobufCBinaryData *mode;
    const int64_t *weight_tree, *weight_node, *weight_id;
    double *threshold, *weight, *base;
    bool soft;        /* SOFTMAX or LOGISTIC: scores are logarithms */
    bool shares;      /* no weight is negative and nothing is transformed: scores are probabilities */
    bool single;      /* two classes, one score */
    bool average;     /* of the trees, not their sum */
    place *sorted;    /* nodes by tree and id */
    size_t *first;    /* nodes + 1: where a node's weights begin in by_node, by rank in sorted */
    size_t *by_node;  /* weights */
    uint8_t *reached; /* nodes, by rank: it is somebody's child */
    cw_onnx_arena arena;
    cw_error *err;
} reader;

#define REFUSE(r, ...) refuse(r, CW_FORMAT, __VA_ARGS__)
static cw_status refuse(const reader *r, cw_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static cw_status refuse(const reader *r, cw_status status, const char *format, ...) {
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cw_fail(r->err, status, "node '%s': %s", cw_onnx_quote(r->node->name).text, text);
}

/* ---- Lists ---- */

static cw_status take_ints(const reader *r, const char *name, size_t count, const int64_t **out) {
    const Onnx__AttributeProto *a = cw_onnx_attribute(r->node, name);
    size_t n = a ? a->n_ints : 0;
    *out = a ? a->ints : NULL;
    return n == count ? CW_OK : REFUSE(r, "%s has %zu numbers, it should have %zu", name, n, count);
}

static cw_status take_tensor(reader *r, const char *name, const Onnx__TensorProto *t, double **out,
                             size_t *count) {
    size_t each = t->data_type == ONNX_DOUBLE ? sizeof(double) : sizeof(float);
    size_t inside = t->data_type == ONNX_DOUBLE ? t->n_double_data : t->n_float_data;
    if ((t->data_type != ONNX_DOUBLE && t->data_type != ONNX_FLOAT) ||
        (t->has_raw_data && (inside > 0 || t->raw_data.len % each != 0)))
        return REFUSE(r, "%s must be a tensor of floats or doubles", name);
    *count = t->has_raw_data ? t->raw_data.len / each : inside;
    *out = cw_onnx_take(&r->arena, *count, sizeof **out);
    if (!*out) return cw_fail_memory(r->err);
    for (size_t i = 0; i < *count; i++) {
        float single = 0;
        if (t->has_raw_data && each == sizeof(double)) memcpy(*out + i, t->raw_data.data + i * each, each);
        if (t->has_raw_data && each == sizeof(float)) memcpy(&single, t->raw_data.data + i * each, each);
        if (!t->has_raw_data && each == sizeof(float)) single = t->float_data[i];
        if (each == sizeof(float)) (*out)[i] = (double)single;
        if (!t->has_raw_data && each == sizeof(double)) (*out)[i] = t->double_data[i];
    }
    return CW_OK;
}

/* Floats, or NAME_as_tensor, which may hold doubles. */
static cw_status take_numbers(reader *r, const char *name, double **out, size_t *count) {
    char as_tensor[64];
    snprintf(as_tensor, sizeof as_tensor, "%s_as_tensor", name);
    const Onnx__AttributeProto *a = cw_onnx_attribute(r->node, name),
                               *t = cw_onnx_attribute(r->node, as_tensor);
    if (a && a->n_floats > 0 && t && t->t) return REFUSE(r, "%s is there twice", name);
    if (t && t->t) return take_tensor(r, as_tensor, t->t, out, count);
    *count = a ? a->n_floats : 0;
    *out = cw_onnx_take(&r->arena, *count, sizeof **out);
    if (!*out) return cw_fail_memory(r->err);
    for (size_t i = 0; i < *count; i++) (*out)[i] = (double)a->floats[i];
    return CW_OK;
}

/* An attribute that is not known could change what the others mean. */
static cw_status check_attributes(const reader *r) {
    static const char *const both[] = {"nodes_treeids",
                                       "nodes_nodeids",
                                       "nodes_featureids",
                                       "nodes_values",
                                       "nodes_modes",
                                       "nodes_truenodeids",
                                       "nodes_falsenodeids",
                                       "nodes_hitrates",
                                       "nodes_missing_value_tracks_true",
                                       "nodes_values_as_tensor",
                                       "nodes_hitrates_as_tensor",
                                       "base_values",
                                       "base_values_as_tensor",
                                       "post_transform"};
    static const char *const more[2][7] = {
        {"target_treeids", "target_nodeids", "target_ids", "target_weights", "target_weights_as_tensor",
         "n_targets", "aggregate_function"},
        {"class_treeids", "class_nodeids", "class_ids", "class_weights", "class_weights_as_tensor",
         "classlabels_strings", "classlabels_int64s"}};
    for (size_t i = 0; i < r->node->n_attribute; i++) {
        const char *name = r->node->attribute[i]->name;
        bool known = false;
        for (size_t k = 0; name && k < CW_COUNT(both); k++) known |= strcmp(name, both[k]) == 0;
        for (size_t k = 0; name && k < CW_COUNT(more[0]); k++)
            known |= strcmp(name, more[r->classifier][k]) == 0;
        if (!known)
            return REFUSE(r, "attribute '%s' is not one of ai.onnx.ml 1 to 3", cw_onnx_quote(name).text);
    }
    return CW_OK;
}

static cw_status take_lists(reader *r) {
    const char *kind = r->classifier ? "class" : "target";
    const Onnx__AttributeProto *ids = cw_onnx_attribute(r->node, "nodes_nodeids"),
                               *modes = cw_onnx_attribute(r->node, "nodes_modes");
    char name[4][32];
    const char *const ends[] = {"treeids", "nodeids", "ids", "weights"};
    size_t thresholds, n = r->nodes = ids ? ids->n_ints : 0;
    for (size_t i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%s_%s", kind, ends[i]);
    const Onnx__AttributeProto *targets = cw_onnx_attribute(r->node, name[2]);
    r->weights = targets ? targets->n_ints : 0;
    size_t m = 0;
    cw_status status = check_attributes(r);
    if (status != CW_OK || (status = take_ints(r, "nodes_treeids", n, &r->tree)) != CW_OK ||
        (status = take_ints(r, "nodes_nodeids", n, &r->id)) != CW_OK ||
        (status = take_ints(r, "nodes_featureids", n, &r->column)) != CW_OK ||
        (status = take_ints(r, "nodes_truenodeids", n, &r->yes)) != CW_OK ||
        (status = take_ints(r, "nodes_falsenodeids", n, &r->no)) != CW_OK ||
        (status = take_ints(r, name[0], r->weights, &r->weight_tree)) != CW_OK ||
        (status = take_ints(r, name[1], r->weights, &r->weight_node)) != CW_OK ||
        (status = take_ints(r, name[2], r->weights, &r->weight_id)) != CW_OK ||
        (status = take_numbers(r, "nodes_values", &r->threshold, &thresholds)) != CW_OK ||
        (status = take_numbers(r, name[3], &r->weight, &m)) != CW_OK ||
        (status = take_numbers(r, "base_values", &r->base, &r->bases)) != CW_OK)
        return status;
    if (n == 0) return REFUSE(r, "has no nodes");
    if (thresholds != n || m != r->weights)
        return REFUSE(r, "nodes_values has %zu numbers and %s %zu, they should have %zu and %zu", thresholds,
                      name[3], m, n, r->weights);
    if (!modes || modes->n_strings != n)
        return REFUSE(r, "nodes_modes has %zu texts, it should have %zu", modes ? modes->n_strings : 0, n);
    r->mode = modes->strings;
    for (size_t i = 0; i < m; i++)
        if (!isfinite(r->weight[i])) return REFUSE(r, "%s[%zu] is not finite", name[3], i);
    for (size_t i = 0; i < r->bases; i++)
        if (!isfinite(r->base[i])) return REFUSE(r, "base_values[%zu] is not finite", i);
    return CW_OK;
}

static bool same(const ProtobufCBinaryData *bytes, const char *text) {
    return bytes->len == strlen(text) && memcmp(bytes->data, text, bytes->len) == 0;
}

static cw_status check_settings(reader *r) {
    const Onnx__AttributeProto *transform = cw_onnx_attribute(r->node, "post_transform"),
                               *aggregate = cw_onnx_attribute(r->node, "aggregate_function");
    cw_quoted quoted;
    if (transform && transform->has_s && !same(&transform->s, "NONE") && transform->s.len > 0) {
        r->soft = same(&transform->s, "SOFTMAX") || same(&transform->s, "LOGISTIC");
        if (!r->soft)
            return refuse(r, CW_UNSUPPORTED, "post_transform %s: NONE, SOFTMAX and LOGISTIC are read",
                          cw_onnx_text(&transform->s, &quoted));
    }
    r->average = aggregate && aggregate->has_s && same(&aggregate->s, "AVERAGE");
    if (aggregate && aggregate->has_s && aggregate->s.len > 0 && !r->average && !same(&aggregate->s, "SUM"))
        return refuse(r, CW_UNSUPPORTED, "aggregate_function %s: SUM and AVERAGE are read",
                      cw_onnx_text(&aggregate->s, &quoted));
    return CW_OK;
}

/* ---- Structure ---- */

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Rank in `sorted`; SIZE_MAX = no such node. */
static size_t find(const reader *r, int64_t tree, int64_t id) {
    size_t low = 0, high = r->nodes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const place *p = &r->sorted[middle];
        if (p->tree < tree || (p->tree == tree && p->id < id))
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->nodes && r->sorted[low].tree == tree && r->sorted[low].id == id ? low : SIZE_MAX;
}

static bool is_leaf(const reader *r, size_t rank) {
    return same(&r->mode[r->sorted[rank].at], "LEAF");
}

static cw_status sort_nodes(reader *r) {
    r->sorted = cw_onnx_take(&r->arena, r->nodes, sizeof *r->sorted);
    r->reached = cw_onnx_take(&r->arena, r->nodes, sizeof *r->reached);
    if (r->arena.failed) return cw_fail_memory(r->err);
    for (size_t i = 0; i < r->nodes; i++) r->sorted[i] = (place){r->tree[i], r->id[i], i};
    qsort(r->sorted, r->nodes, sizeof *r->sorted, by_place);
    for (size_t i = 1; i < r->nodes; i++)
        if (r->sorted[i - 1].tree == r->sorted[i].tree && r->sorted[i - 1].id == r->sorted[i].id)
            return REFUSE(r, "tree %" PRId64 ": node %" PRId64 " is there twice", r->sorted[i].tree,
                          r->sorted[i].id);
    return CW_OK;
}

static cw_status check_nodes(reader *r, size_t columns) {
    static const char *const modes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"};
    for (size_t rank = 0; rank < r->nodes; rank++) {
        place p = r->sorted[rank];
        bool known = false;
        cw_quoted quoted;
        if (is_leaf(r, rank)) continue;
        for (size_t i = 0; i < CW_COUNT(modes); i++) known |= same(&r->mode[p.at], modes[i]);
        if (!known)
            return refuse(r, CW_UNSUPPORTED,
                          "nodes_modes[%zu] is %s: only LEAF and comparisons by order are read", p.at,
                          cw_onnx_text(&r->mode[p.at], &quoted));
        if (r->column[p.at] < 0 || (uint64_t)r->column[p.at] >= columns)
            return REFUSE(r, "nodes_featureids[%zu] is %" PRId64 ", there are %zu features", p.at,
                          r->column[p.at], columns);
        if (isnan(r->threshold[p.at])) return REFUSE(r, "nodes_values[%zu] is not a number", p.at);
        for (int side = 0; side < 2; side++) {
            int64_t id = side ? r->no[p.at] : r->yes[p.at];
            size_t child = find(r, p.tree, id);
            if (child == SIZE_MAX)
                return REFUSE(r,
                              "tree %" PRId64 ": node %" PRId64 " has child %" PRId64 ", which is not there",
                              p.tree, p.id, id);
            if (r->reached[child]++)
                return REFUSE(r, "tree %" PRId64 ": node %" PRId64 " has two parents", p.tree, id);
        }
    }
    return CW_OK;
}

/* A node's weights, side by side. */
static cw_status sort_weights(reader *r) {
    r->first = cw_onnx_take(&r->arena, r->nodes + 2, sizeof *r->first);
    r->by_node = cw_onnx_take(&r->arena, r->weights, sizeof *r->by_node);
    if (r->arena.failed) return cw_fail_memory(r->err);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->weights; i++) {
            size_t rank = find(r, r->weight_tree[i], r->weight_node[i]);
            if (rank == SIZE_MAX || !is_leaf(r, rank))
                return REFUSE(r,
                              "weight %zu belongs to node %" PRId64 " of tree %" PRId64 ", which is no leaf",
                              i, r->weight_node[i], r->weight_tree[i]);
            if (r->weight_id[i] < 0 || (uint64_t)r->weight_id[i] >= r->labels)
                return REFUSE(r, "weight %zu is of class %" PRId64 ", there are %zu", i, r->weight_id[i],
                              r->labels);
            if (pass == 0)
                r->first[rank + 2]++;
            else
                r->by_node[r->first[rank + 1]++] = i;
        }
        for (size_t n = 2; pass == 0 && n < r->nodes + 2; n++) r->first[n] += r->first[n - 1];
    }
    return CW_OK;
}

/* ---- To trees ---- */

typedef struct builder {
    reader *r;
    cw_trees_draft *draft;
    const size_t *class_of; /* of this node's scores */
    double sign;            /* of a cost for a score */
    double weigh;           /* of a weight for a cost: the sign, over the number of trees for an average */
} builder;

/* The largest float that goes to the side of small values, which is the true one for <= and <. */
static float boundary(const reader *r, size_t at, bool *small_is_true) {
    const ProtobufCBinaryData *mode = &r->mode[at];
    double t = r->threshold[at];
    float f = cw_float_below(t);
    *small_is_true = same(mode, "BRANCH_LEQ") || same(mode, "BRANCH_LT");
    bool without_t = same(mode, "BRANCH_LT") || same(mode, "BRANCH_GTE");
    return without_t && (double)f == t ? nextafterf(f, -INFINITY) : f;
}

/* Classes [first, first + width) that the tree's leaves have weights for. */
static void span_of(const builder *b, size_t from, size_t to, size_t *first, size_t *width) {
    size_t low = SIZE_MAX, high = 0;
    for (size_t w = b->r->first[from]; w < b->r->first[to]; w++) {
        size_t class = b->class_of[b->r->weight_id[b->r->by_node[w]]];
        low = class < low ? class : low;
        high = class > high ? class : high;
    }
    *first = low == SIZE_MAX ? 0 : low;
    *width = low == SIZE_MAX ? 1 : high - low + 1;
    if (b->r->single) {
        *first = 0;
        *width = 2;
    }
}

static bool add_leaf(const builder *b, size_t rank, size_t first, size_t width) {
    double value[CW_MODEL_MOST];
    memset(value, 0, width * sizeof *value);
    for (size_t w = b->r->first[rank]; w < b->r->first[rank + 1]; w++) {
        size_t i = b->r->by_node[w];
        if (!b->r->single) value[b->class_of[b->r->weight_id[i]] - first] += b->weigh * b->r->weight[i];
        if (b->r->single) value[1] -= b->r->weight[i];
        if (b->r->single && b->r->shares) value[0] += b->r->weight[i];
    }
    return cw_trees_add_leaf(b->draft, value) != SIZE_MAX;
}

typedef struct step {
    size_t rank, parent; /* parent: in the draft, whose right child it is; SIZE_MAX = nobody's */
    int depth;
} step;

static cw_status add_tree(const builder *b, size_t root, size_t from, size_t to) {
    reader *r = b->r;
    cw_trees *t = &b->draft->trees;
    step waiting[CW_TREES_DEEPEST + 2];
    size_t first, width, count = 0, met = 0;
    span_of(b, from, to, &first, &width);
    if (t->tree_count >= CW_TREES_MOST) return refuse(r, CW_UNSUPPORTED, "more than %d trees", CW_TREES_MOST);
    if (!cw_trees_begin(b->draft, first, width)) return cw_fail_memory(r->err);
    waiting[count++] = (step){root, SIZE_MAX, 0};
    while (count > 0) {
        step s = waiting[--count];
        met++;
        if (s.parent != SIZE_MAX) t->node[s.parent].next = (uint32_t)t->node_count;
        if (is_leaf(r, s.rank)) {
            if (t->value_count + width > VALUES_MOST)
                return refuse(r, CW_UNSUPPORTED, "leaves times classes are more than %d", VALUES_MOST);
            if (!add_leaf(b, s.rank, first, width)) return cw_fail_memory(r->err);
            continue;
        }
        bool small_is_true;
        place p = r->sorted[s.rank];
        float bound = boundary(r, p.at, &small_is_true);
        size_t small = find(r, p.tree, small_is_true ? r->yes[p.at] : r->no[p.at]),
               large = find(r, p.tree, small_is_true ? r->no[p.at] : r->yes[p.at]);
        if (s.depth == CW_TREES_DEEPEST)
            return refuse(r, CW_UNSUPPORTED, "tree %" PRId64 " is deeper than %d", p.tree, CW_TREES_DEEPEST);
        /* -FLT_MAX goes the wrong way where nothing is below the threshold: no feature is that. */
        size_t at = cw_trees_add_inner(b->draft, (int32_t)r->column[p.at], fmaxf(bound, -FLT_MAX));
        if (at == SIZE_MAX) return cw_fail_memory(r->err);
        waiting[count++] = (step){large, at, s.depth + 1};
        waiting[count++] = (step){small, SIZE_MAX, s.depth + 1};
    }
    if (met != to - from)
        return REFUSE(r, "tree %" PRId64 ": %zu nodes cannot be reached", r->sorted[from].tree,
                      to - from - met);
    return CW_OK;
}

static cw_status add_trees(builder *b) {
    reader *r = b->r;
    size_t trees = 1;
    for (size_t i = 1; i < r->nodes; i++) trees += r->sorted[i].tree != r->sorted[i - 1].tree;
    b->weigh = r->average ? b->sign / (double)trees : b->sign;
    for (size_t from = 0, to; from < r->nodes; from = to) {
        size_t root = SIZE_MAX;
        for (to = from; to < r->nodes && r->sorted[to].tree == r->sorted[from].tree; to++) {
            if (r->reached[to]) continue;
            if (root != SIZE_MAX)
                return REFUSE(r, "tree %" PRId64 " has two roots, nodes %" PRId64 " and %" PRId64,
                              r->sorted[to].tree, r->sorted[root].id, r->sorted[to].id);
            root = to;
        }
        if (root == SIZE_MAX) return REFUSE(r, "tree %" PRId64 " has no root", r->sorted[from].tree);
        cw_status status = add_tree(b, root, from, to);
        if (status != CW_OK) return status;
    }
    return CW_OK;
}

/* Two classes and weights of one: a score above 0.5 (probabilities) or 0 means the second class. Runtimes
 * take the first rule where no weight is negative; where scores are logarithms the second one is meant, as
 * their probabilities say. */
static void look_at_weights(reader *r) {
    bool one_id = true;
    r->shares = r->classifier && !r->soft;
    for (size_t i = 0; i < r->weights; i++) {
        r->shares &= r->weight[i] >= 0;
        one_id &= r->weight_id[i] == r->weight_id[0];
    }
    r->single = r->classifier && r->labels == 2 && one_id;
}

static cw_status add_base(const builder *b) {
    const reader *r = b->r;
    double *start = b->draft->start;
    if (r->single) {
        double base = r->bases > 0 ? r->base[r->bases - 1] : 0;
        if (r->bases > 2) return REFUSE(r, "base_values has %zu numbers, it should have 1 or 2", r->bases);
        start[1] -= base;
        if (r->shares) start[0] += base - 1;
        return CW_OK;
    }
    if (r->bases > 0 && r->bases != r->labels)
        return REFUSE(r, "base_values has %zu numbers, it should have %zu", r->bases, r->labels);
    for (size_t i = 0; i < r->bases; i++) start[b->class_of[i]] += b->sign * r->base[i];
    return CW_OK;
}

static cw_status add_part(cw_onnx_found *found, const cw_onnx_part *part, size_t labels,
                          const size_t *class_of, cw_trees_draft *draft, cw_error *err) {
    reader r = {.node = part->node, .classifier = found->classifier, .labels = labels, .err = err};
    builder b = {&r, draft, class_of + part->first, found->most_wins ? -1 : 1, 0};
    uint8_t named[CW_MODEL_MOST] = {0};
    cw_status status = take_lists(&r);
    if (status == CW_OK) status = check_settings(&r);
    if (status == CW_OK) status = sort_nodes(&r);
    if (status == CW_OK) status = check_nodes(&r, draft->trees.columns);
    if (status == CW_OK) status = sort_weights(&r);
    if (status == CW_OK) look_at_weights(&r);
    if (status == CW_OK) status = add_base(&b);
    if (status == CW_OK) status = add_trees(&b);
    for (size_t i = 0; status == CW_OK && i < r.weights; i++) named[r.weight_id[i]] = 1;
    for (size_t i = 0; status == CW_OK && i < labels && !r.single; i++)
        if (!named[i]) found->silent = part->first + i;
    draft->trees.share = r.shares ? CW_SHARE_VOTES : CW_SHARE_SOFTMAX;
    cw_onnx_release(&r.arena);
    return status;
}

/* ---- The unit ---- */

/* Are all values whole numbers of 1 / divisor, but for `slack` of rounding in proportion? */
static bool divides(const cw_trees_draft *draft, double divisor, double slack) {
    for (size_t i = 0; i < draft->trees.value_count + draft->trees.classes; i++) {
        double value = i < draft->trees.classes ? draft->start[i] : draft->leaf[i - draft->trees.classes];
        double parts = value * divisor;
        if (fabs(parts - rint(parts)) > fabs(parts) * slack) return false;
    }
    return true;
}

static double choose_unit(const cw_trees_draft *draft, double most) {
    /* The numbers up to 1, 2, 3, 4, ... divide these; leaves of one row each already need a divisor of the
     * number of trees. */
    static const double multiples[] = {1, 2, 6, 12, 60, 420, 840, 2520, 27720, 360360};
    double trees = (double)draft->trees.tree_count, room = CW_TREES_SUM - 1 - trees;
    if (most <= CW_TREES_SUM && divides(draft, 1, 0)) return 1;
    for (size_t i = 0; i < CW_COUNT(multiples); i++)
        for (int by_trees = 0; by_trees < 2; by_trees++) {
            double divisor = multiples[i] * (by_trees ? trees : 1);
            if (most * divisor <= room && divides(draft, divisor, 0x1p-23)) return 1 / divisor;
        }
    int exponent;
    frexp(most / room, &exponent);
    return fmax(ldexp(1, exponent), DBL_MIN);
}

static double off(double value, double unit) {
    return fabs(value - unit * rint(value / unit));
}

/* How far a cost can be from the exact sum: the worst leaf of each tree, and the worst start. */
static double rounding_of(const cw_trees_draft *draft, double unit) {
    const cw_trees *t = &draft->trees;
    double sum = 0;
    for (size_t c = 0; c < t->classes; c++) sum = fmax(sum, off(draft->start[c], unit));
    for (size_t i = 0; i < t->tree_count; i++) {
        double worst = 0;
        for (size_t n = t->tree[i].root; n < cw_trees_tree_end(t, i); n++)
            for (size_t k = 0; t->node[n].column < 0 && k < t->tree[i].width; k++)
                worst = fmax(worst, off(draft->leaf[t->node[n].next + k], unit));
        sum += worst;
    }
    return sum;
}

cw_status cw_onnx_trees(cw_onnx_found *found, size_t columns, const size_t *class_of, cw_trees **out,
                        double *rounding, cw_error *err) {
    cw_trees_draft *draft;
    size_t classes = found->scores;
    double sum[CW_MODEL_MOST], scratch[CW_MODEL_MOST], most = 0;
    *out = NULL;
    cw_status status = cw_trees_draft_make(columns, classes, &draft, err);
    if (status != CW_OK) return status;
    for (size_t i = 0; i < found->parts && status == CW_OK; i++) {
        const Onnx__AttributeProto *n = cw_onnx_attribute(found->part[i].node, "n_targets");
        size_t labels = found->classifier ? classes : n && n->has_i ? (size_t)n->i : 1;
        status = add_part(found, &found->part[i], labels, class_of, draft, err);
    }
    if (status == CW_OK && isnan(cw_trees_bound(draft, sum, scratch)))
        status = cw_fail(err, CW_INVALID, "a leaf's value is not finite");
    for (size_t c = 0; c < classes && status == CW_OK; c++) most = fmax(most, sum[c]);
    if (status == CW_OK && !(most < 1e30)) status = cw_fail(err, CW_UNSUPPORTED, "scores can pass 1e30");
    if (status != CW_OK) {
        cw_trees_draft_free(draft);
        return status;
    }
    double unit = choose_unit(draft, most);
    *rounding = rounding_of(draft, unit);
    return cw_trees_finish_in(draft, unit, out, err);
}
