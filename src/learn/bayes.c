/* bayes.c: Gaussian naive Bayes (e.g. Hastie, Tibshirani, Friedman, The Elements of Statistical
 * Learning, 6.6.3): in each class every column is normal and independent of the others.
 *
 * What scikit-learn's GaussianNB does: priors from counts, population variances, and to all of them the share
 * var_smoothing of the largest variance of any column over all rows is added. Computed in logarithms:
 *     cost(class) = -log prior + sum over columns of log(2 pi var) / 2 + (x - mean)^2 / (2 var). */
#include "learn.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct bayes {
    size_t columns, classes;
    int64_t *count;          /* classes: training rows; 0 = the class was not seen and is never preferred */
    double *mean, *variance; /* classes x columns; smoothed; 0 where the class was not seen */
    /* Derived: cost = constant + sum of (x - mean)^2 * weight. Unseen classes: constant DBL_MAX, weights 0.
     */
    double *constant; /* classes */
    double *weight;   /* classes x columns: 1 / (2 variance) */
} bayes;

static void destroy(void *state) {
    bayes *b = state;
    if (!b) return;
    cw_free(b->count);
    cw_free(b->mean);
    cw_free(b->variance);
    cw_free(b->constant);
    cw_free(b->weight);
    cw_free(b);
}

static bayes *create(size_t columns, size_t classes) {
    bayes *b = cw_alloc(sizeof *b);
    if (!b) return NULL;
    b->columns = columns;
    b->classes = classes;
    b->count = cw_alloc_n(classes, sizeof *b->count);
    b->mean = cw_alloc_n(classes * columns, sizeof *b->mean);
    b->variance = cw_alloc_n(classes * columns, sizeof *b->variance);
    b->constant = cw_alloc_n(classes, sizeof *b->constant);
    b->weight = cw_alloc_n(classes * columns, sizeof *b->weight);
    if (b->count && b->mean && b->variance && b->constant && b->weight) return b;
    destroy(b);
    return NULL;
}

/* log(2 pi v) / 2 */
static double log_width(double variance) {
    return (log(2 * 3.14159265358979323846) + log(variance)) / 2;
}

static void derive(bayes *b) {
    int64_t total = 0;
    for (size_t c = 0; c < b->classes; c++) total += b->count[c];
    for (size_t c = 0; c < b->classes; c++) {
        const double *variance = b->variance + c * b->columns;
        b->constant[c] = DBL_MAX;
        if (b->count[c] == 0) continue;
        double sum = -log((double)b->count[c] / (double)total);
        for (size_t j = 0; j < b->columns; j++) {
            sum += log_width(variance[j]);
            b->weight[c * b->columns + j] = 1 / (2 * variance[j]);
        }
        b->constant[c] = sum;
    }
}

/* ---- Train ---- */

/* Means and population variances of the rows of one class (-1 = all) in two passes. Returns their number. */
static int64_t moments(const cw_matrix *m, int32_t class, double *mean, double *variance) {
    int64_t n = 0;
    memset(mean, 0, m->columns * sizeof *mean);
    memset(variance, 0, m->columns * sizeof *variance);
    for (size_t r = 0; r < m->rows; r++) {
        if (class >= 0 && m->y[r] != class) continue;
        for (size_t j = 0; j < m->columns; j++) mean[j] += m->x[r * m->columns + j];
        n++;
    }
    for (size_t j = 0; n > 0 && j < m->columns; j++) mean[j] /= (double)n;
    for (size_t r = 0; r < m->rows; r++) {
        if (class >= 0 && m->y[r] != class) continue;
        for (size_t j = 0; j < m->columns; j++) {
            double d = m->x[r * m->columns + j] - mean[j];
            variance[j] += d * d;
        }
    }
    for (size_t j = 0; n > 0 && j < m->columns; j++) variance[j] /= (double)n;
    return n;
}

/* What is added to every variance. Where no column varies at all, the smallest normal number: only the priors
 * tell the classes apart then. */
static double smoothing(const cw_matrix *m, double share, double *mean, double *variance) {
    double largest = 0;
    moments(m, -1, mean, variance);
    for (size_t j = 0; j < m->columns; j++) largest = fmax(largest, variance[j]);
    return fmax(share * largest, DBL_MIN);
}

static cw_status train(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err) {
    cw_status status = cw_matrix_check(data, err);
    if (status != CW_OK) return status;
    if (!(options->var_smoothing > 0 && options->var_smoothing < INFINITY))
        return cw_fail(err, CW_INVALID, "bayes: var smoothing is %g, must be above 0",
                       options->var_smoothing);
    bayes *b = create(data->columns, data->classes);
    if (!b) return cw_fail_memory(err);
    double extra = smoothing(data, options->var_smoothing, b->mean, b->variance);
    for (size_t c = 0; c < data->classes; c++) {
        double *mean = b->mean + c * data->columns, *variance = b->variance + c * data->columns;
        b->count[c] = moments(data, (int32_t)c, mean, variance);
        for (size_t j = 0; b->count[c] > 0 && j < data->columns; j++) {
            variance[j] += extra;
            if (isfinite(mean[j]) && isfinite(variance[j])) continue;
            destroy(b);
            return cw_fail(err, CW_INVALID, "column %zu: its values are too large for a variance", j);
        }
    }
    derive(b);
    *state = b;
    return CW_OK;
}

/* ---- Predict ---- */

/* The emitted C has the same operations in the same order. */
static void predict(const void *state, const double *x, double *cost, double *share, double *ns_per_unit) {
    const bayes *b = state;
    double least = DBL_MAX, sum = 0;
    for (size_t c = 0; c < b->classes; c++) {
        const double *mean = b->mean + c * b->columns, *weight = b->weight + c * b->columns;
        double total = b->constant[c];
        for (size_t j = 0; j < b->columns; j++) {
            double d = x[j] - mean[j];
            total += d * d * weight[j];
        }
        cost[c] = total < DBL_MAX ? total : DBL_MAX; /* what overflows is far from every class */
        least = fmin(least, cost[c]);
    }
    for (size_t c = 0; ns_per_unit && c < b->classes; c++) ns_per_unit[c] = NAN;
    if (!share) return;
    for (size_t c = 0; c < b->classes; c++) sum += share[c] = exp(least - cost[c]);
    for (size_t c = 0; c < b->classes; c++) share[c] /= sum;
}

/* ---- Explain ---- */

/* How much column j speaks for class a against class b at x. */
static double evidence(const bayes *s, size_t a, size_t b, size_t j, double x) {
    size_t ia = a * s->columns + j, ib = b * s->columns + j;
    double da = x - s->mean[ia], db = x - s->mean[ib];
    return (log_width(s->variance[ib]) + db * db * s->weight[ib]) -
           (log_width(s->variance[ia]) + da * da * s->weight[ia]);
}

/* The next column in order of falling |evidence|, equal ones by index: the first behind (last, size). */
static size_t next_column(const bayes *s, size_t a, size_t b, const double *x, size_t last, double size) {
    size_t found = SIZE_MAX;
    double most = -1;
    for (size_t j = 0; j < s->columns; j++) {
        double e = fabs(evidence(s, a, b, j, x[j]));
        bool behind = e < size || (e == size && last != SIZE_MAX && j > last);
        if (behind && e > most) {
            found = j;
            most = e;
        }
    }
    return found;
}

static void put_share(const char *class, double share, cw_buf *out) {
    cw_buf_printf(out, "%s: probability ", class);
    cw_buf_rounded(out, share, 6);
    cw_buf_put(out, "\n");
}

static void explain(const void *state, const double *x, const char *const *columns,
                    const char *const *classes, cw_buf *out) {
    enum { SHOWN = 5 };
    const bayes *s = state;
    double cost[CW_MODEL_MOST], share[CW_MODEL_MOST];
    predict(s, x, cost, share, NULL);
    size_t first = 0, second = SIZE_MAX;
    for (size_t c = 1; c < s->classes; c++)
        if (cost[c] < cost[first]) first = c;
    for (size_t c = 0; c < s->classes; c++)
        if (c != first && s->count[c] > 0 && (second == SIZE_MAX || cost[c] < cost[second])) second = c;
    put_share(classes[first], share[first], out);
    if (second == SIZE_MAX || s->count[first] == 0) return;
    put_share(classes[second], share[second], out);
    cw_buf_put(out, "log odds ");
    cw_buf_rounded(out, cost[second] - cost[first], 3);
    cw_buf_put(out, ", of that ");
    cw_buf_rounded(out, log((double)s->count[first] / (double)s->count[second]), 3);
    cw_buf_put(out, " from how often each was fastest, and most from:\n");
    size_t last = SIZE_MAX;
    double size = INFINITY;
    for (int i = 0; i < SHOWN; i++) {
        last = next_column(s, first, second, x, last, size);
        if (last == SIZE_MAX) break;
        double e = evidence(s, first, second, last, x[last]);
        size = fabs(e);
        cw_buf_rounded(out, e, 3);
        cw_buf_printf(out, "  %s = ", columns[last]);
        cw_buf_double(out, x[last]);
        cw_buf_put(out, " (mean ");
        cw_buf_rounded(out, s->mean[first * s->columns + last], 3);
        cw_buf_put(out, " against ");
        cw_buf_rounded(out, s->mean[second * s->columns + last], 3);
        cw_buf_put(out, ")\n");
    }
}

/* ---- Save and load ---- */

/* {"counts": [a class], "mean": [a class: [a column] or null], "variance": the same}; null = class not seen.
 */

static json_t *table_to_json(const bayes *b, const double *table) {
    json_t *json = json_array();
    int bad = !json;
    for (size_t c = 0; c < b->classes && !bad; c++) {
        json_t *row = b->count[c] > 0 ? json_array() : json_null();
        for (size_t j = 0; b->count[c] > 0 && j < b->columns; j++)
            bad |= json_array_append_new(row, json_real(table[c * b->columns + j]));
        bad |= json_array_append_new(json, row);
    }
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static json_t *save(const void *state) {
    const bayes *b = state;
    json_t *json = json_object(), *counts = json_array();
    int bad = 0;
    for (size_t c = 0; c < b->classes; c++) bad |= json_array_append_new(counts, json_integer(b->count[c]));
    bad |= json_object_set_new(json, "counts", counts);
    bad |= json_object_set_new(json, "mean", table_to_json(b, b->mean));
    bad |= json_object_set_new(json, "variance", table_to_json(b, b->variance));
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

static cw_status load_counts(bayes *b, const json_t *counts, cw_error *err) {
    int64_t total = 0;
    if (!json_is_array(counts) || json_array_size(counts) != b->classes)
        return cw_fail(err, CW_FORMAT, "state.counts: must be a list of %zu numbers, one a class",
                       b->classes);
    for (size_t c = 0; c < b->classes; c++) {
        const json_t *value = json_array_get(counts, c);
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT32_MAX)
            return cw_fail(err, CW_FORMAT, "state.counts[%zu]: must be a whole number from 0", c);
        total += b->count[c] = json_integer_value(value);
    }
    return total > 0 ? CW_OK : cw_fail(err, CW_FORMAT, "state.counts: no rows at all");
}

/* positive: values must be large enough that their inverse is a number. */
static cw_status load_table(const bayes *b, const json_t *json, const char *name, bool positive,
                            double *table, cw_error *err) {
    if (!json_is_array(json) || json_array_size(json) != b->classes)
        return cw_fail(err, CW_FORMAT, "state.%s: must be a list of %zu rows, one a class", name, b->classes);
    for (size_t c = 0; c < b->classes; c++) {
        const json_t *row = json_array_get(json, c);
        if (b->count[c] == 0) {
            if (json_is_null(row)) continue;
            return cw_fail(err, CW_FORMAT, "state.%s[%zu]: must be null, as the class has no rows", name, c);
        }
        if (!json_is_array(row) || json_array_size(row) != b->columns)
            return cw_fail(err, CW_FORMAT, "state.%s[%zu]: must be a list of %zu numbers, one a feature",
                           name, c, b->columns);
        for (size_t j = 0; j < b->columns; j++) {
            const json_t *value = json_array_get(row, j);
            double x = json_number_value(value);
            if (!json_is_number(value) || !isfinite(x) || (positive && x < DBL_MIN))
                return cw_fail(err, CW_FORMAT, "state.%s[%zu][%zu]: must be a %snumber", name, c, j,
                               positive ? "positive " : "");
            table[c * b->columns + j] = x;
        }
    }
    return CW_OK;
}

static cw_status load(const json_t *json, size_t columns, size_t classes, void **state, cw_error *err) {
    bayes *b = create(columns, classes);
    if (!b) return cw_fail_memory(err);
    cw_status status = load_counts(b, json_object_get(json, "counts"), err);
    if (status == CW_OK) status = load_table(b, json_object_get(json, "mean"), "mean", false, b->mean, err);
    if (status == CW_OK)
        status = load_table(b, json_object_get(json, "variance"), "variance", true, b->variance, err);
    if (status != CW_OK) {
        destroy(b);
        return status;
    }
    derive(b);
    *state = b;
    return CW_OK;
}

/* ---- Emit ---- */

static void emit_table(const char *prefix, const char *name, const double *table, size_t rows, size_t columns,
                       cw_buf *out) {
    cw_buf_printf(out, "static const double %s_%s[%zu][%zu] = {\n", prefix, name, rows, columns);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            cw_buf_put(out, c == 0 ? "    {" : ", ");
            cw_buf_double(out, table[r * columns + c]);
            if (c + 1 == columns) cw_buf_put(out, "},\n");
        }
    cw_buf_put(out, "};\n\n");
}

static const char pick_text[] =
    "/* The best of the classes with allowed[class] != 0 (NULL = all), -1 = none. */\n"
    "static int %s_pick(const double *x, const unsigned char *allowed) {\n"
    "    int best = -1, c, j;\n"
    "    double least = 0.0;\n"
    "    for (c = 0; c < %zu; c++) {\n"
    "        double cost = %s_constant[c][0];\n"
    "        if (allowed && !allowed[c]) continue;\n"
    "        for (j = 0; j < %zu; j++) {\n"
    "            double d = x[j] - %s_mean[c][j];\n"
    "            cost += d * d * %s_weight[c][j];\n"
    "        }\n"
    "        if (!(cost < 1.7976931348623157e308)) cost = 1.7976931348623157e308;\n"
    "        if (best < 0 || cost < least || (cost == least && %s_place[c] < %s_place[best])) {\n"
    "            best = c;\n"
    "            least = cost;\n"
    "        }\n"
    "    }\n"
    "    return best;\n"
    "}\n";

static cw_status emit_c(const void *state, const char *prefix, const int32_t *static_rank, size_t classes,
                        cw_buf *out, cw_error *err) {
    const bayes *b = state;
    if (classes != b->classes)
        return cw_fail(err, CW_MISMATCH, "the model has %zu classes, not %zu", b->classes, classes);
    cw_buf_put(
        out,
        "/* Gaussian naive Bayes: cost of a class = constant + sum of (x - mean)^2 * weight; the smallest\n"
        " * wins, equal ones by place. */\n");
    emit_table(prefix, "constant", b->constant, classes, 1, out);
    emit_table(prefix, "mean", b->mean, classes, b->columns, out);
    emit_table(prefix, "weight", b->weight, classes, b->columns, out);
    cw_buf_printf(out, "static const int %s_place[%zu] = {", prefix, classes);
    for (size_t c = 0; c < classes; c++) cw_buf_printf(out, "%s%d", c ? ", " : "", static_rank[c]);
    cw_buf_put(out, "};\n\n");
    cw_buf_printf(out, pick_text, prefix, classes, prefix, b->columns, prefix, prefix, prefix, prefix);
    return out->failed ? cw_fail_memory(err) : CW_OK;
}

/* ---- The rest of the contract ---- */

static void columns_used(const void *state, bool *used) {
    for (size_t c = 0; c < ((const bayes *)state)->columns; c++) used[c] = true;
}

static size_t size(const void *state) {
    const bayes *b = state;
    return b->classes * (2 * b->columns + 1);
}

extern const cw_learner cw_learner_bayes;
const cw_learner cw_learner_bayes = {
    .name = "bayes",
    .summary = "Gaussian naive Bayes",
    .defaults = {.var_smoothing = 1e-9},
    .train = train,
    .predict = predict,
    .explain = explain,
    .save = save,
    .load = load,
    .emit_c = emit_c,
    .thresholds = NULL,
    .columns_used = columns_used,
    .size = size,
    .destroy = destroy,
};
