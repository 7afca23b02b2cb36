/* trees_io.c: sums of trees as JSON (docs/formats.md), and explaining what one chose. */
#include "trees.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Save ---- */

/* Long flat lists: a model has some hundred thousand nodes. In preorder the columns alone say where each
 * node's children are and where each tree ends. */

static json_t *columns_to_json(const cw_trees *t) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t i = 0; i < t->node_count && !bad; i++)
        bad |= json_array_append_new(json, json_integer(t->node[i].column));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *thresholds_to_json(const cw_trees *t) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t i = 0; i < t->node_count && !bad; i++)
        if (t->node[i].column >= 0)
            bad |= json_array_append_new(json, json_real((double)t->node[i].threshold));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *values_to_json(const cw_trees *t) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t i = 0; i < t->value_count && !bad; i++)
        bad |= json_array_append_new(json, json_integer(cw_trees_value(t, i)));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *base_to_json(const cw_trees *t) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t c = 0; c < t->classes && !bad; c++)
        bad |= json_array_append_new(json, json_integer(t->base[c]));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *spans_to_json(const cw_trees *t) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t i = 0; i < t->tree_count && !bad; i++)
        bad |= json_array_append_new(json, json_pack("[i, i]", (int)t->tree[i].first, (int)t->tree[i].width));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static const char *const share_names[] = {[CW_SHARE_SOFTMAX] = "softmax", [CW_SHARE_VOTES] = "votes"};

json_t *cw_trees_save(const void *state) {
    const cw_trees *t = state;
    json_t *json = json_object();
    int bad = json_object_set_new(json, "share", json_string(share_names[t->share]));
    bad |= json_object_set_new(json, "temperature", json_real(t->temperature));
    bad |= json_object_set_new(json, "log_time", json_boolean(t->log_time));
    bad |= json_object_set_new(json, "unit", json_real(t->unit));
    bad |= json_object_set_new(json, "base", base_to_json(t));
    bad |= json_object_set_new(json, "trees", spans_to_json(t));
    bad |= json_object_set_new(json, "columns", columns_to_json(t));
    bad |= json_object_set_new(json, "thresholds", thresholds_to_json(t));
    bad |= json_object_set_new(json, "values", values_to_json(t));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

/* ---- Load ---- */

/* list[index] as a whole number in [least, most]. */
static cw_status whole(const json_t *list, const char *name, size_t index, json_int_t least, json_int_t most,
                       json_int_t *out, cw_error *err) {
    const json_t *value = json_array_get(list, index);
    *out = json_integer_value(value);
    if (!json_is_integer(value) || *out < least || *out > most)
        return cw_fail(err, CW_FORMAT, "state.%s[%zu]: must be a whole number from %lld to %lld", name, index,
                       (long long)least, (long long)most);
    return CW_OK;
}

static cw_status number_above_0(const json_t *json, const char *name, double *out, cw_error *err) {
    const json_t *value = json_object_get(json, name);
    *out = json_number_value(value);
    if (!json_is_number(value) || !(*out > 0 && *out < 1e30))
        return cw_fail(err, CW_FORMAT, "state.%s: must be a number above 0", name);
    return CW_OK;
}

static cw_status load_head(cw_trees *t, const json_t *json, cw_error *err) {
    const json_t *share = json_object_get(json, "share"), *log_time = json_object_get(json, "log_time");
    const char *name = json_string_value(share);
    size_t found = 0;
    while (found < CW_COUNT(share_names) && !(name && strcmp(name, share_names[found]) == 0)) found++;
    if (found == CW_COUNT(share_names))
        return cw_fail(err, CW_FORMAT, "state.share: must be \"softmax\" or \"votes\"");
    t->share = (cw_trees_share)found;
    if (!json_is_boolean(log_time)) return cw_fail(err, CW_FORMAT, "state.log_time: must be true or false");
    t->log_time = json_is_true(log_time);
    cw_status status = number_above_0(json, "temperature", &t->temperature, err);
    return status == CW_OK ? number_above_0(json, "unit", &t->unit, err) : status;
}

static cw_status load_base(cw_trees *t, const json_t *list, cw_error *err) {
    if (json_array_size(list) != t->classes)
        return cw_fail(err, CW_FORMAT, "state.base: must be a list of %zu, one a class", t->classes);
    for (size_t c = 0; c < t->classes; c++) {
        json_int_t value;
        cw_status status = whole(list, "base", c, -CW_TREES_SUM, CW_TREES_SUM, &value, err);
        if (status != CW_OK) return status;
        t->base[c] = (int32_t)value;
    }
    return CW_OK;
}

static cw_status load_span(cw_trees *t, const json_t *list, size_t tree, cw_error *err) {
    const json_t *span = json_array_get(list, tree);
    json_int_t first, width;
    if (json_array_size(span) != 2)
        return cw_fail(err, CW_FORMAT, "state.trees[%zu]: must be [first class, number of classes]", tree);
    cw_status status = whole(span, "trees[]", 0, 0, (json_int_t)t->classes - 1, &first, err);
    if (status == CW_OK) status = whole(span, "trees[]", 1, 1, (json_int_t)t->classes - first, &width, err);
    if (status != CW_OK) return status;
    t->tree[tree].first = (uint16_t)first;
    t->tree[tree].width = (uint16_t)width;
    return CW_OK;
}

/* Nodes of one tree from node *at on; *inner and *values count over all trees. */
static cw_status load_tree(cw_trees *t, size_t tree, const json_t *columns, const json_t *thresholds,
                           size_t *at, size_t *inner, cw_error *err) {
    uint32_t waiting[CW_TREES_DEEPEST]; /* nodes of the path whose right child is still to come */
    size_t count = 0;
    t->tree[tree].root = (uint32_t)*at;
    for (;;) {
        json_int_t column;
        if (*at == t->node_count) return cw_fail(err, CW_FORMAT, "state.columns: ends within tree %zu", tree);
        cw_status status = whole(columns, "columns", *at, -1, (json_int_t)t->columns - 1, &column, err);
        if (status != CW_OK) return status;
        cw_trees_node *node = &t->node[*at];
        node->column = (int32_t)column;
        if (column >= 0) {
            const json_t *threshold = json_array_get(thresholds, (*inner)++);
            double value = json_number_value(threshold);
            if (count == CW_TREES_DEEPEST)
                return cw_fail(err, CW_FORMAT, "state.columns[%zu]: tree %zu is deeper than %d", *at, tree,
                               CW_TREES_DEEPEST);
            if (!json_is_number(threshold) || !(fabs(value) <= FLT_MAX) || (double)(float)value != value)
                return cw_fail(err, CW_FORMAT, "state.thresholds[%zu]: must be a finite 32-bit float",
                               *inner - 1);
            node->threshold = (float)value;
            waiting[count++] = (uint32_t)(*at)++;
            continue;
        }
        node->next = (uint32_t)t->value_count;
        t->value_count += t->tree[tree].width;
        (*at)++;
        if (count == 0) return CW_OK;
        t->node[waiting[--count]].next = (uint32_t)*at;
    }
}

static cw_status load_values(cw_trees *t, const json_t *list, cw_error *err) {
    if (json_array_size(list) != t->value_count)
        return cw_fail(err, CW_FORMAT, "state.values: has %zu numbers, the leaves need %zu",
                       json_array_size(list), t->value_count);
    bool fits = true;
    for (size_t i = 0; i < t->value_count && fits; i++) {
        json_int_t value = json_integer_value(json_array_get(list, i));
        fits = value >= -INT16_MAX && value <= INT16_MAX;
    }
    if (fits)
        t->value = cw_alloc_n(t->value_count, sizeof *t->value);
    else
        t->wide = cw_alloc_n(t->value_count, sizeof *t->wide);
    if (!t->value && !t->wide) return cw_fail_memory(err);
    for (size_t i = 0; i < t->value_count; i++) {
        json_int_t value;
        cw_status status = whole(list, "values", i, -CW_TREES_SUM, CW_TREES_SUM, &value, err);
        if (status != CW_OK) return status;
        if (fits) t->value[i] = (int16_t)value;
        if (!fits) t->wide[i] = (int32_t)value;
    }
    return CW_OK;
}

static cw_status load_trees(cw_trees *t, const json_t *json, cw_error *err) {
    const json_t *spans = json_object_get(json, "trees"), *columns = json_object_get(json, "columns"),
                 *thresholds = json_object_get(json, "thresholds");
    size_t at = 0, inner = 0;
    for (size_t i = 0; i < t->tree_count; i++) {
        cw_status status = load_span(t, spans, i, err);
        if (status == CW_OK) status = load_tree(t, i, columns, thresholds, &at, &inner, err);
        if (status != CW_OK) return status;
    }
    if (at != t->node_count || inner != json_array_size(thresholds))
        return cw_fail(err, CW_FORMAT, "state: %zu columns and %zu thresholds; the trees have %zu and %zu",
                       t->node_count, json_array_size(thresholds), at, inner);
    return load_values(t, json_object_get(json, "values"), err);
}

cw_status cw_trees_load(const json_t *json, size_t columns, size_t classes, void **state, cw_error *err) {
    cw_trees *t = cw_alloc(sizeof *t);
    if (!t) return cw_fail_memory(err);
    t->columns = columns;
    t->classes = classes;
    t->tree_count = json_array_size(json_object_get(json, "trees"));
    t->node_count = json_array_size(json_object_get(json, "columns"));
    cw_status status = CW_OK;
    if (t->tree_count < 1 || t->tree_count > CW_TREES_MOST || t->node_count < t->tree_count)
        status =
            cw_fail(err, CW_FORMAT, "state.trees: must be a list of 1 to %d trees, with nodes in columns",
                    CW_TREES_MOST);
    if (status != CW_OK) goto out;
    t->tree = cw_alloc_n(t->tree_count, sizeof *t->tree);
    t->node = cw_alloc_n(t->node_count, sizeof *t->node);
    t->base = cw_alloc_n(classes, sizeof *t->base);
    if (!t->tree || !t->node || !t->base) status = cw_fail_memory(err);
    if (status == CW_OK) status = load_head(t, json, err);
    if (status == CW_OK) status = load_base(t, json_object_get(json, "base"), err);
    if (status == CW_OK) status = load_trees(t, json, err);
    if (status == CW_OK) status = cw_trees_check(t, err);
out:
    if (status == CW_OK)
        *state = t;
    else
        cw_trees_destroy(t);
    return status;
}

/* ---- Explain ---- */

/* The margin, cost of the runner-up minus cost of the best, taken apart as in Saabas, "Interpreting random
 * forests" (2014): at each split of a path, how much the expected margin changes is put down to its column.
 * A node's expectation is the mean over the leaves below it, each counted once: leaves do not say how many
 * rows they had. */
typedef struct margin {
    const cw_trees *t;
    size_t best, second;
    double whatever;            /* expected at the roots, and base */
    double part[CW_MODEL_MOST]; /* a column's */
} margin;

static double leaf_margin(const margin *m, const cw_trees_tree *tree, uint32_t value) {
    size_t a = m->best - tree->first, b = m->second - tree->first; /* wraps where it is below */
    return m->t->unit * ((b < tree->width ? cw_trees_value(m->t, value + b) : 0) -
                         (a < tree->width ? cw_trees_value(m->t, value + a) : 0));
}

/* Of the leaves among the nodes [from, to): a node and all below it. */
static double expected(const margin *m, const cw_trees_tree *tree, size_t from, size_t to) {
    double sum = 0;
    for (size_t i = from; i < to; i++)
        if (m->t->node[i].column < 0) sum += leaf_margin(m, tree, m->t->node[i].next);
    return sum / ((double)(to - from + 1) / 2); /* n inner nodes have n + 1 leaves */
}

static void take_apart(margin *m, size_t tree, const double *x) {
    const cw_trees *t = m->t;
    size_t at = t->tree[tree].root, end = cw_trees_tree_end(t, tree);
    double before = expected(m, &t->tree[tree], at, end);
    m->whatever += before;
    while (t->node[at].column >= 0) {
        const cw_trees_node *node = &t->node[at];
        bool left = (float)x[node->column] <= node->threshold;
        end = left ? node->next : end;
        at = left ? at + 1 : node->next;
        double after = expected(m, &t->tree[tree], at, end);
        m->part[node->column] += after - before;
        before = after;
    }
}

static void put_parts(const margin *m, const double *x, const char *const *columns, cw_buf *out) {
    enum { SHOWN = 5 };
    double last = INFINITY;
    size_t last_column = 0;
    for (int shown = 0; shown < SHOWN; shown++) {
        size_t found = SIZE_MAX;
        for (size_t c = 0; c < m->t->columns; c++) {
            double size = fabs(m->part[c]);
            if (size < last || (size == last && c > last_column))
                if (found == SIZE_MAX || size > fabs(m->part[found])) found = c;
        }
        if (found == SIZE_MAX || m->part[found] == 0) return;
        cw_buf_printf(out, "  %s = ", columns[found]);
        cw_buf_double(out, x[found]);
        cw_buf_put(out, ": ");
        cw_buf_rounded(out, m->part[found], 4);
        cw_buf_put(out, "\n");
        last = fabs(m->part[found]);
        last_column = found;
    }
}

void cw_trees_explain(const void *state, const double *x, const char *const *columns,
                      const char *const *classes, cw_buf *out) {
    const cw_trees *t = state;
    double cost[CW_MODEL_MOST];
    margin m = {.t = t, .second = SIZE_MAX};
    cw_trees_predict(t, x, cost, NULL, NULL);
    for (size_t c = 1; c < t->classes; c++)
        if (cost[c] < cost[m.best]) m.best = c;
    for (size_t c = 0; c < t->classes; c++)
        if (c != m.best && (m.second == SIZE_MAX || cost[c] < cost[m.second])) m.second = c;
    cw_buf_printf(out, "%zu trees: best %s", t->tree_count, classes[m.best]);
    if (m.second == SIZE_MAX) {
        cw_buf_put(out, "\n");
        return;
    }
    m.whatever = t->unit * (t->base[m.second] - t->base[m.best]);
    for (size_t i = 0; i < t->tree_count; i++) take_apart(&m, i, x);
    cw_buf_printf(out, ", runner-up %s, margin ", classes[m.second]);
    cw_buf_rounded(out, cost[m.second] - cost[m.best], 4);
    cw_buf_put(out, "\nof that ");
    cw_buf_rounded(out, m.whatever, 4);
    cw_buf_put(out, " before any feature is looked at, and most from:\n");
    put_parts(&m, x, columns, out);
}
