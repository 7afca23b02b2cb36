/* boost.c: gradient-boosted trees for choosing: one tree a class a round (Friedman 2001; second-order steps
 * as in XGBoost). Growing a tree is boost_tree.c.
 *
 * `boost`: a softmax over the classes that were a choice for the row, taught what share of the votes each
 * deserves: proportional to exp(-log(time / best) / temperature), 0 where it lost without a time. A row says
 * nothing about classes that were no choice; one with a single choice says nothing at all. Rows without any
 * time teach their label over all classes. `boost-time`: squared error of log(time / scale), class by class.
 *
 * Numbers of a (row, class) that takes part are a pair's. Pairs are numbered row by row. */
#include "boost.h"
#include "trees.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { CHUNK = 2048 };                         /* rows a piece of parallel work */
static const double MOST_PAIRS = 1000000000.0; /* sums of whole numbers stay below 2^31 */
static const double WHOLE = 536870912.0;       /* 2^29: sum of absolute gradients in whole numbers */
static const double MIN_HESSIAN = 1;           /* of a leaf: rows that are decided need no finer cuts */
static const double OFFSET_PULL = 0.3;         /* rows */
static const double NEVER_MET = 10;            /* as slow as this counts a class that no row compares */

typedef struct trainer {
    const cw_matrix *data;
    const cw_learn_options *options;
    bool timed; /* boost-time */
    cw_bins bins;
    size_t pairs, round;
    size_t *row_start;                  /* rows + 1: a row's pairs */
    uint32_t *row;                      /* pairs */
    float *target;                      /* pairs: share or log time */
    float *margin, *gradient, *hessian; /* pairs */
    size_t *class_start;                /* classes + 1 */
    uint32_t *by_class;                 /* pairs, class by class, by rows */
    double *start;                      /* classes: margin before the first tree */
    bool *drawn;                        /* rows: takes part in the round; NULL = all do */
    uint16_t *usable;                   /* columns with more than one bin */
    size_t usable_count, column_count;  /* and how many of them a tree sees */
    uint16_t *order;                    /* classes, most pairs first: dealt to workers in turn */
    cw_boost_tree *tree;                /* classes: of this round */
    size_t workers;
    cw_boost_grower *grower; /* workers */
    uint16_t *columns;       /* workers x columns */
    bool *failed;            /* workers: out of memory */
    cw_trees_draft *draft;
} trainer;

/* ---- Pairs ---- */

static bool has_times(const cw_matrix *m, size_t row) {
    for (size_t c = 0; m->cost && c < m->classes; c++)
        if (!isnan(m->cost[row * m->classes + c])) return true;
    return false;
}

/* Is the class a choice for the row? */
static bool takes_part(const trainer *t, size_t row, size_t class, bool row_has_times) {
    const cw_matrix *m = t->data;
    if (!row_has_times) return !t->timed;
    return !isnan(m->cost[row * m->classes + class]) ||
           (!t->timed && m->lost && m->lost[row * m->classes + class]);
}

static cw_status count_pairs(trainer *t, cw_error *err) {
    const cw_matrix *m = t->data;
    t->row_start = cw_alloc_n(m->rows + 1, sizeof *t->row_start);
    t->class_start = cw_alloc_n(m->classes + 1, sizeof *t->class_start);
    if (!t->row_start || !t->class_start) return cw_fail_memory(err);
    for (size_t r = 0; r < m->rows; r++) {
        bool times = has_times(m, r);
        size_t choices = 0;
        for (size_t c = 0; c < m->classes; c++) choices += takes_part(t, r, c, times);
        if (!t->timed && choices < 2) choices = 0;
        for (size_t c = 0; choices && c < m->classes; c++)
            t->class_start[c + 1] += takes_part(t, r, c, times);
        t->row_start[r + 1] = t->row_start[r] + choices;
    }
    t->pairs = t->row_start[m->rows];
    for (size_t c = 0; c < m->classes; c++) t->class_start[c + 1] += t->class_start[c];
    if (t->pairs == 0 && !t->options->base)
        return cw_fail(err, CW_INVALID,
                       t->timed ? "boost-time: no row has a time"
                                : "boost: no row has two choices: nothing to learn");
    if ((double)t->pairs > MOST_PAIRS)
        return cw_fail(err, CW_UNSUPPORTED,
                       "%zu times are too many to learn from: at most %.0f; leave out rows or classes",
                       t->pairs, MOST_PAIRS);
    return CW_OK;
}

/* Fills target of a row's pairs with shares of the votes. */
static void set_shares(trainer *t, size_t row) {
    const cw_matrix *m = t->data;
    double best = INFINITY, sum = 0;
    bool times = has_times(m, row);
    for (size_t c = 0; times && c < m->classes; c++) best = fmin(best, m->cost[row * m->classes + c]);
    float *target = t->target + t->row_start[row];
    for (size_t c = 0, k = 0; c < m->classes; c++) {
        if (!takes_part(t, row, c, times)) continue;
        double share = (size_t)m->y[row] == c;
        if (times) {
            double time = m->cost[row * m->classes + c];
            share = isnan(time) ? 0 : exp(-log(time / best) / t->options->temperature);
        }
        target[k++] = (float)share;
        sum += share;
    }
    for (size_t k = 0; k < t->row_start[row + 1] - t->row_start[row]; k++)
        target[k] = (float)((double)target[k] / sum);
}

static void set_log_times(trainer *t, size_t row) {
    const cw_matrix *m = t->data;
    float *target = t->target + t->row_start[row];
    for (size_t c = 0; c < m->classes; c++) {
        double time = m->cost[row * m->classes + c];
        if (!isnan(time)) *target++ = (float)log(time / m->scale[row]);
    }
}

static cw_status make_pairs(trainer *t, cw_error *err) {
    const cw_matrix *m = t->data;
    t->row = cw_alloc_n(t->pairs, sizeof *t->row);
    t->target = cw_alloc_n(t->pairs, sizeof *t->target);
    t->margin = cw_alloc_n(t->pairs, sizeof *t->margin);
    t->gradient = cw_alloc_n(t->pairs, sizeof *t->gradient);
    t->hessian = cw_alloc_n(t->pairs, sizeof *t->hessian);
    t->by_class = cw_alloc_n(t->pairs, sizeof *t->by_class);
    size_t *next = cw_alloc_n(m->classes, sizeof *next);
    cw_status status = t->row && t->target && t->margin && t->gradient && t->hessian && t->by_class && next
                           ? CW_OK
                           : cw_fail_memory(err);
    if (status == CW_OK) memcpy(next, t->class_start, m->classes * sizeof *next);
    for (size_t r = 0; status == CW_OK && r < m->rows; r++) {
        bool times = has_times(m, r);
        size_t pair = t->row_start[r], end = t->row_start[r + 1];
        for (size_t c = 0; pair < end; c++) {
            if (!takes_part(t, r, c, times)) continue;
            t->row[pair] = (uint32_t)r;
            t->by_class[next[c]++] = (uint32_t)pair++;
        }
        if (t->row_start[r] == end) continue;
        if (t->timed)
            set_log_times(t, r);
        else
            set_shares(t, r);
    }
    cw_free(next);
    return status;
}

/* Margins that the base gives a row's pairs. */
static void start_row(trainer *t, size_t row) {
    double cost[CW_MODEL_MOST];
    const cw_matrix *m = t->data;
    const cw_learn_base *base = t->options->base;
    const double unit = -base->scale / t->options->temperature;
    bool times = has_times(m, row);
    cw_trees_predict(base->trees, m->x + row * m->columns, cost, NULL, NULL);
    for (size_t c = 0, k = t->row_start[row]; k < t->row_start[row + 1]; c++)
        if (takes_part(t, row, c, times)) t->margin[k++] = (float)(unit * cost[c]);
}

/* Margins before the first tree: the base's, 0, or the mean log time. */
static void set_start(trainer *t) {
    double slowest = -INFINITY;
    if (t->options->base) {
        for (size_t r = 0; r < t->data->rows; r++) start_row(t, r);
        return;
    }
    for (size_t k = 0; k < t->pairs; k++) slowest = fmax(slowest, (double)t->target[k]);
    for (size_t c = 0; c < t->data->classes; c++) {
        size_t from = t->class_start[c], n = t->class_start[c + 1] - from;
        if (n == 0) t->start[c] = t->timed ? slowest : -log(NEVER_MET) / t->options->temperature;
        if (n == 0 || !t->timed) continue;
        double sum = 0;
        for (size_t i = from; i < from + n; i++) sum += (double)t->target[t->by_class[i]];
        t->start[c] = sum / (double)n;
        for (size_t i = from; i < from + n; i++) t->margin[t->by_class[i]] = (float)t->start[c];
    }
}

/* ---- A round ---- */

/* Gradient and hessian of one row's softmax. The hessian's diagonal p (1 - p) alone would take steps too long
 * where few classes share a row, since all of them move at once: for two of them twice as long (Friedman's
 * (K - 1) / K). */
static void softmax_row(trainer *t, size_t from, size_t end) {
    float most = -INFINITY, sum = 0;
    for (size_t k = from; k < end; k++) most = fmaxf(most, t->margin[k]);
    for (size_t k = from; k < end; k++) sum += t->gradient[k] = expf(t->margin[k] - most);
    float stretch = (float)(end - from) / (float)(end - from - 1);
    for (size_t k = from; k < end; k++) {
        float p = t->gradient[k] / sum;
        t->gradient[k] = p - t->target[k];
        t->hessian[k] = p * (1 - p) * stretch;
    }
}

static void set_gradients(void *arg, size_t chunk) {
    trainer *t = arg;
    size_t end = (chunk + 1) * CHUNK < t->data->rows ? (chunk + 1) * CHUNK : t->data->rows;
    for (size_t r = chunk * CHUNK; r < end; r++) {
        if (t->row_start[r] == t->row_start[r + 1]) continue;
        if (!t->timed) {
            softmax_row(t, t->row_start[r], t->row_start[r + 1]);
            continue;
        }
        for (size_t k = t->row_start[r]; k < t->row_start[r + 1]; k++) {
            t->gradient[k] = t->margin[k] - t->target[k];
            t->hessian[k] = 1;
        }
    }
}

static uint64_t seed_of(const trainer *t, size_t what) {
    const uint64_t key[] = {t->round, what};
    return cw_hash(key, sizeof key, t->options->seed + 0x9e3779b97f4a7c15U);
}

static void draw_rows(trainer *t) {
    if (!t->drawn) return;
    cw_rng rng = cw_rng_seed(seed_of(t, SIZE_MAX));
    for (size_t r = 0; r < t->data->rows; r++) t->drawn[r] = cw_rng_uniform(&rng) < t->options->row_share;
}

/* Ascending, so that ties between columns go the same way whatever was drawn. */
static void draw_columns(const trainer *t, size_t class, uint16_t *columns) {
    cw_rng rng = cw_rng_seed(seed_of(t, class));
    size_t taken = 0;
    for (size_t i = 0; i < t->usable_count; i++)
        if (cw_rng_below(&rng, t->usable_count - i) < t->column_count - taken)
            columns[taken++] = t->usable[i];
}

static int32_t whole(double x) {
    return (int32_t)(x < 0 ? x - 0.5 : x + 0.5);
}

/* Copies a class's pairs of this round into the grower; sets the units. Returns their number. */
static size_t gather(const trainer *t, size_t class, cw_boost_entry *entry, double *gradient_unit,
                     double *hessian_unit) {
    double gradients = 0, hessians = 0;
    size_t count = 0;
    for (size_t i = t->class_start[class]; i < t->class_start[class + 1]; i++) {
        uint32_t pair = t->by_class[i];
        if (t->drawn && !t->drawn[t->row[pair]]) continue;
        gradients += fabs((double)t->gradient[pair]);
        hessians += (double)t->hessian[pair];
        entry[count++] = (cw_boost_entry){.row = t->row[pair], .pair = pair};
    }
    *gradient_unit = fmax(gradients / WHOLE, DBL_MIN);
    *hessian_unit = fmax(hessians / WHOLE, DBL_MIN);
    double per_gradient = 1 / *gradient_unit, per_hessian = 1 / *hessian_unit;
    for (size_t i = 0; i < count; i++) {
        entry[i].gradient = whole((double)t->gradient[entry[i].pair] * per_gradient);
        entry[i].hessian = 1 + (int32_t)((double)t->hessian[entry[i].pair] * per_hessian);
    }
    return count;
}

static void step(trainer *t, size_t class, const cw_boost_tree *tree, const cw_boost_entry *entry) {
    for (size_t n = 0; n < tree->count; n++)
        for (size_t i = tree->node[n].start; i < tree->node[n].end; i++)
            t->margin[entry[i].pair] += tree->node[n].value;
    for (size_t i = t->class_start[class]; t->drawn && i < t->class_start[class + 1]; i++) {
        uint32_t pair = t->by_class[i];
        if (!t->drawn[t->row[pair]]) t->margin[pair] += cw_boost_walk(tree, &t->bins, t->row[pair]);
    }
}

/* One worker's classes of this round. */
static void grow_classes(void *arg, size_t worker) {
    trainer *t = arg;
    cw_boost_grower *grower = &t->grower[worker];
    uint16_t *columns = t->columns + worker * t->data->columns;
    for (size_t i = worker; i < t->data->classes && !t->failed[worker]; i += t->workers) {
        size_t class = t->order[i];
        cw_boost_tree *tree = &t->tree[class];
        tree->count = 0;
        double gradient_unit, hessian_unit;
        size_t count = gather(t, class, grower->entry, &gradient_unit, &hessian_unit);
        if (count == 0) continue;
        draw_columns(t, class, columns);
        if (cw_boost_grow(grower, count, columns, t->column_count, gradient_unit, hessian_unit, tree))
            step(t, class, tree, grower->entry);
        else
            t->failed[worker] = true;
    }
}

/* Appends the round's tree of a class; one that is but a leaf moves the start. false = out of memory. */
static bool keep_tree(trainer *t, size_t class) {
    const cw_boost_tree *tree = &t->tree[class];
    double unit = t->timed ? 1 : -t->options->temperature;
    if (tree->count == 1) t->start[class] += (double)tree->node[0].value;
    if (tree->count <= 1) return true;
    if (!cw_trees_begin(t->draft, class, 1)) return false;
    size_t first = t->draft->trees.node_count;
    for (size_t i = 0; i < tree->count; i++) {
        const cw_boost_node *n = &tree->node[i];
        double value = unit * (double)n->value;
        size_t id = n->column < 0 ? cw_trees_add_leaf(t->draft, &value)
                                  : cw_trees_add_inner(t->draft, n->column,
                                                       t->bins.upper[(size_t)n->column * CW_BINS + n->code]);
        if (id == SIZE_MAX) return false;
        if (n->column >= 0) t->draft->trees.node[id].next = (uint32_t)(first + n->right);
    }
    return true;
}

static bool boost_round(trainer *t) {
    draw_rows(t);
    cw_parallel(t->options->threads, (t->data->rows + CHUNK - 1) / CHUNK, set_gradients, t);
    cw_parallel((int32_t)t->workers, t->workers, grow_classes, t);
    for (size_t w = 0; w < t->workers; w++)
        if (t->failed[w]) return false;
    for (size_t c = 0; c < t->data->classes; c++)
        if (!keep_tree(t, c)) return false;
    return true;
}

/* The first correction of a base: one number a class (a tree without a cut), as if OFFSET_PULL rows had said
 * that none is needed. What base and numbers say of the rows is made most likely by steps that half a row's
 * vote bounds the curvature of (Boehning 1992): however sure the base is, none goes too far. */
static void set_offsets(trainer *t) {
    enum { STEPS = 300 };
    const double enough = 1e-4;
    double largest = INFINITY;
    size_t chunks = (t->data->rows + CHUNK - 1) / CHUNK;
    for (int step = 0; step < STEPS && largest > enough; step++) {
        cw_parallel(t->options->threads, chunks, set_gradients, t);
        largest = 0;
        for (size_t c = 0; c < t->data->classes; c++) {
            size_t from = t->class_start[c], end = t->class_start[c + 1];
            double gradient = OFFSET_PULL * t->start[c];
            for (size_t i = from; i < end; i++) gradient += (double)t->gradient[t->by_class[i]];
            double move = -gradient / ((double)(end - from) / 2 + OFFSET_PULL);
            for (size_t i = from; i < end; i++) t->margin[t->by_class[i]] += (float)move;
            t->start[c] += move;
            largest = fmax(largest, fabs(move));
        }
    }
}

/* ---- Training ---- */

static cw_status check_settings(const cw_matrix *data, const cw_learn_options *o, const char *name,
                                cw_error *err) {
    if (o->trees < 1 || o->max_depth < 1 || o->max_depth > CW_TREES_DEEPEST || o->min_leaf < 1)
        return cw_fail(err, CW_INVALID,
                       "%s: rounds (trees) and min leaf must be at least 1, max depth 1 to %d", name,
                       CW_TREES_DEEPEST);
    if (!(o->learning_rate > 0 && o->learning_rate <= 1) || !(o->l2 >= 0 && o->l2 < INFINITY))
        return cw_fail(err, CW_INVALID, "%s: the learning rate must be above 0 and at most 1, l2 at least 0",
                       name);
    if (!(o->column_share > 0 && o->column_share <= 1) || !(o->row_share > 0 && o->row_share <= 1) ||
        !(o->temperature > 0 && o->temperature < INFINITY))
        return cw_fail(
            err, CW_INVALID,
            "%s: shares of columns and rows must be above 0 and at most 1, the temperature above 0", name);
    if ((size_t)o->trees > CW_TREES_MOST / data->classes)
        return cw_fail(err, CW_INVALID, "%s: %d rounds of %zu classes are more than %d trees", name,
                       (int)o->trees, data->classes, CW_TREES_MOST);
    return CW_OK;
}

static void order_classes(trainer *t) {
    for (size_t c = 0; c < t->data->classes; c++) {
        size_t n = t->class_start[c + 1] - t->class_start[c], at = c;
        for (; at > 0; at--) {
            size_t before = t->order[at - 1];
            if (t->class_start[before + 1] - t->class_start[before] >= n) break;
            t->order[at] = (uint16_t)before;
        }
        t->order[at] = (uint16_t)c;
    }
}

static cw_status make_workers(trainer *t, cw_error *err) {
    const cw_learn_options *o = t->options;
    const cw_matrix *m = t->data;
    size_t threads = o->threads > 1 ? (size_t)o->threads : 1;
    t->workers = threads < m->classes ? threads : m->classes;
    t->grower = cw_alloc_n(t->workers, sizeof *t->grower);
    t->columns = cw_alloc_n(t->workers * m->columns, sizeof *t->columns);
    t->failed = cw_alloc_n(t->workers, sizeof *t->failed);
    if (!t->grower || !t->columns || !t->failed) return cw_fail_memory(err);
    order_classes(t);
    cw_boost_limits limits = {.max_depth = (size_t)o->max_depth,
                              .min_leaf = (size_t)o->min_leaf,
                              .min_hessian = MIN_HESSIAN,
                              .l2 = o->l2,
                              .rate = o->learning_rate};
    cw_status status = CW_OK;
    for (size_t w = 0; status == CW_OK && w < t->workers; w++) {
        size_t most = t->class_start[t->order[w] + 1] - t->class_start[t->order[w]];
        status = cw_boost_grower_make(&t->bins, &limits, most, &t->grower[w], err);
    }
    return status;
}

static cw_status prepare(trainer *t, cw_error *err) {
    const cw_matrix *m = t->data;
    cw_status status = cw_bins_make(m, CW_BINS, &t->bins, err);
    if (status != CW_OK || (status = count_pairs(t, err)) != CW_OK || (status = make_pairs(t, err)) != CW_OK)
        return status;
    bool all_rows = t->options->row_share >= 1;
    t->start = cw_alloc_n(m->classes, sizeof *t->start);
    t->usable = cw_alloc_n(m->columns, sizeof *t->usable);
    t->order = cw_alloc_n(m->classes, sizeof *t->order);
    t->tree = cw_alloc_n(m->classes, sizeof *t->tree);
    if (!all_rows) t->drawn = cw_alloc_n(m->rows, sizeof *t->drawn);
    if (!t->start || !t->usable || !t->order || !t->tree || (!all_rows && !t->drawn))
        return cw_fail_memory(err);
    for (size_t c = 0; c < m->columns; c++)
        if (t->bins.count[c] > 1) t->usable[t->usable_count++] = (uint16_t)c;
    t->column_count = (size_t)ceil(t->options->column_share * (double)t->usable_count);
    set_start(t);
    if ((status = make_workers(t, err)) != CW_OK) return status;
    return cw_trees_draft_make(m->columns, m->classes, &t->draft, err);
}

static cw_status finish(trainer *t, void **state, cw_error *err) {
    cw_trees_draft *draft = t->draft;
    cw_trees *trees;
    for (size_t c = 0; c < t->data->classes; c++)
        draft->start[c] = (t->timed ? 1 : -t->options->temperature) * t->start[c];
    draft->trees.temperature = t->options->temperature;
    draft->trees.share = CW_SHARE_SOFTMAX;
    draft->trees.log_time = t->timed;
    const cw_learn_base *base = t->options->base;
    cw_status status = base ? cw_trees_add_all(draft, base->trees, base->scale, err) : CW_OK;
    if (status != CW_OK) return status;
    const double nothing = 0; /* a state has at least one tree */
    if (draft->trees.tree_count == 0 &&
        (!cw_trees_begin(draft, 0, 1) || cw_trees_add_leaf(draft, &nothing) == SIZE_MAX))
        return cw_fail_memory(err);
    t->draft = NULL; /* finish takes it */
    status = cw_trees_finish(draft, &trees, err);
    if (status == CW_OK) *state = trees;
    return status;
}

static void release(trainer *t) {
    for (size_t w = 0; t->grower && w < t->workers; w++) cw_boost_grower_release(&t->grower[w]);
    for (size_t c = 0; t->tree && c < t->data->classes; c++) cw_free(t->tree[c].node);
    cw_bins_release(&t->bins);
    void *const arrays[] = {t->row_start,   t->row,      t->target,  t->margin, t->gradient, t->hessian,
                            t->class_start, t->by_class, t->start,   t->drawn,  t->usable,   t->order,
                            t->tree,        t->grower,   t->columns, t->failed};
    for (size_t i = 0; i < CW_COUNT(arrays); i++) cw_free(arrays[i]);
    cw_trees_draft_free(t->draft);
}

static cw_status train(const cw_matrix *data, const cw_learn_options *options, bool timed, void **state,
                       cw_error *err) {
    cw_status status = options->base ? cw_matrix_check_values(data, err) : cw_matrix_check(data, err);
    if (status != CW_OK) return status;
    if ((status = check_settings(data, options, timed ? "boost-time" : "boost", err)) != CW_OK) return status;
    if (timed && !(data->cost && data->scale))
        return cw_fail(err, CW_INVALID, "boost-time learns times, and the rows have labels only: use boost");
    trainer t = {.data = data, .options = options, .timed = timed};
    status = prepare(&t, err);
    size_t rounds = options->base && options->base->offsets_only ? 0 : (size_t)options->trees;
    if (status == CW_OK && options->base) set_offsets(&t);
    for (; status == CW_OK && t.round < rounds; t.round++)
        if (!boost_round(&t)) status = cw_fail_memory(err);
    if (status == CW_OK) status = finish(&t, state, err);
    release(&t);
    return status;
}

static cw_status train_shares(const cw_matrix *data, const cw_learn_options *options, void **state,
                              cw_error *err) {
    return train(data, options, false, state, err);
}

static cw_status train_times(const cw_matrix *data, const cw_learn_options *options, void **state,
                             cw_error *err) {
    return train(data, options, true, state, err);
}

/* What does best on average over MIOpen's find-db, six sets of GPU and precision, groups held out
 * (docs/learners.md). Steps half as long with twice the rounds gain no more than chance does. */
#define DEFAULTS                                                                                             \
    .max_depth = 7, .min_leaf = 1, .trees = 100, .learning_rate = 0.12, .l2 = 1, .column_share = 0.5,        \
    .row_share = 1

/* Small data wants larger leaves; where the times of the best few are close and exact, hard labels. */
static const cw_learn_options grid[] = {
    {.min_leaf = 8},
    {.min_leaf = 8, .max_depth = 4},
    {.temperature = 0.1},
    {.trees = 50, .learning_rate = 0.25},
    {0},
};
static const cw_learn_options grid_time[] = {{.min_leaf = 8}, {.min_leaf = 8, .max_depth = 4}, {0}};

extern const cw_learner cw_learner_boost, cw_learner_boost_time;
const cw_learner cw_learner_boost = {
    .name = "boost",
    .summary = "Boosted trees: shares of the votes among the implementations that are a choice",
    .defaults = {DEFAULTS, .temperature = 0.3},
    .grid = grid,
    .train = train_shares,
    CW_TREES_LEARNER,
};
const cw_learner cw_learner_boost_time = {
    .name = "boost-time",
    .summary = "Boosted trees: the time of each implementation",
    .defaults = {DEFAULTS, .temperature = 0.05},
    .grid = grid_time,
    .train = train_times,
    CW_TREES_LEARNER,
};
