/* forest.c: many trees, each grown a little differently, and their mean: random forests (Breiman 2001),
 * extra-trees (Geurts, Ernst, Wehenkel 2006) and extra-trees on costs.
 *
 * regret-forest: what a tree predicts is log(time / best) for each class, at most `cap`: choosing wrongly by
 * a hair costs a hair, and far off it matters little how far. A class without a time in a row says nothing
 * there: neither when cuts are judged nor in a leaf's mean; a mean of few rows is drawn towards the mean of
 * the node above, so a class that a leaf never saw has the mean of the smallest node around it that did. */
#include "forest.h"
#include <string.h>

typedef struct batch {
    const cw_forest_recipe *recipe;
    const cw_learn_options *options;
    cw_forest_growth how;
    size_t first; /* tree */
    cw_forest_tree *grown;
    cw_status *status;
    cw_error *err; /* one a tree */
} batch;

/* How often each row is drawn. */
static void draw_rows(const batch *b, cw_rng *rng, uint8_t *draws) {
    size_t rows = b->how.bins->rows;
    if (b->recipe->bootstrap) {
        for (size_t i = 0; i < rows; i++) {
            size_t row = (size_t)cw_rng_below(rng, rows);
            if (draws[row] < UINT8_MAX) draws[row]++; /* more than 255 do not happen */
        }
        return;
    }
    size_t left = (size_t)((double)rows * b->options->row_share + 0.5);
    left = left > 0 ? left : 1;
    for (size_t i = 0; i < rows && left > 0; i++) /* Knuth's algorithm S */
        if (cw_rng_below(rng, rows - i) < left) {
            draws[i] = 1;
            left--;
        }
}

static void grow_one(void *arg, size_t index) {
    batch *b = arg;
    const uint64_t key[] = {b->options->seed, b->first + index};
    cw_rng rng = cw_rng_seed(cw_hash(key, sizeof key, 0));
    uint8_t *draws = NULL;
    if (b->recipe->bootstrap || b->options->row_share < 1) {
        draws = cw_alloc(b->how.bins->rows);
        if (!draws) {
            b->status[index] = cw_fail_memory(&b->err[index]);
            return;
        }
        draw_rows(b, &rng, draws);
    }
    b->status[index] = cw_forest_grow(&b->how, draws, rng, &b->grown[index], &b->err[index]);
    cw_free(draws);
}

/* Grows the trees a few at a time, so that few exist twice. */
static cw_status grow_all(batch *b, size_t trees, cw_trees_draft *draft, cw_error *err) {
    enum { AT_ONCE = 16 };
    size_t at_once = b->options->threads > 1 ? 2 * (size_t)b->options->threads : 1;
    at_once = at_once < AT_ONCE ? at_once : AT_ONCE;
    cw_forest_tree grown[AT_ONCE];
    cw_status each[AT_ONCE], status = CW_OK;
    cw_error errors[AT_ONCE];
    b->grown = grown, b->status = each, b->err = errors;
    for (b->first = 0; status == CW_OK && b->first < trees; b->first += at_once) {
        size_t count = trees - b->first < at_once ? trees - b->first : at_once;
        memset(grown, 0, sizeof grown);
        cw_parallel(b->options->threads, count, grow_one, b);
        /* Shares are costs when negative. */
        double factor = (b->recipe->costs ? 1 : -1) / (double)trees;
        for (size_t i = 0; i < count; i++) {
            if (status == CW_OK && each[i] != CW_OK) {
                status = each[i];
                if (err) *err = errors[i];
            }
            if (status == CW_OK && !cw_forest_tree_add(&grown[i], factor, b->how.target->classes, draft))
                status = cw_fail_memory(err);
            cw_forest_tree_release(&grown[i]);
        }
    }
    return status;
}

static cw_status check(const cw_forest_recipe *recipe, const cw_learn_options *o, cw_error *err) {
    if (o->trees < 1 || o->max_depth < 1 || o->min_leaf < 1 ||
        !(o->column_share > 0 && o->column_share <= 1) ||
        (!recipe->bootstrap && !(o->row_share > 0 && o->row_share <= 1)) || o->temperature < 0 || o->l2 < 0)
        return cw_fail(err, CW_INVALID,
                       "%s: trees, max depth and min leaf must be at least 1, shares above 0 and at most 1",
                       recipe->name);
    return CW_OK;
}

cw_status cw_forest_train(const cw_forest_recipe *recipe, const cw_matrix *data,
                          const cw_learn_options *options, cw_trees **out, cw_error *err) {
    *out = NULL;
    cw_status status = cw_matrix_check(data, err);
    if (status != CW_OK || (status = check(recipe, options, err)) != CW_OK) return status;
    cw_bins bins = {0};
    cw_target target = {0};
    cw_trees_draft *draft = NULL;
    uint8_t *by_row = NULL;
    size_t width = 0;
    if ((status = cw_bins_make(data, CW_BINS, &bins, err)) != CW_OK) goto out;
    status = recipe->costs ? cw_target_costs(data, recipe->cap, &target, err)
                           : cw_target_labels(data, options->temperature, &target, err);
    if (status != CW_OK) goto out;
    if (recipe->random_thresholds && !(by_row = cw_forest_by_row(&bins, &width))) {
        status = cw_fail_memory(err);
        goto out;
    }
    if ((status = cw_trees_draft_make(data->columns, data->classes, &draft, err)) != CW_OK) goto out;
    draft->trees.share = recipe->costs ? CW_SHARE_SOFTMAX : CW_SHARE_VOTES;
    draft->trees.temperature = recipe->costs ? 0.1 : 1;
    cw_trees_round_to(draft, (size_t)options->trees,
                      (recipe->costs ? recipe->cap : 1) / (double)options->trees);
    size_t columns = (size_t)((double)data->columns * options->column_share + 0.5);
    batch b = {.recipe = recipe, .options = options};
    b.how = (cw_forest_growth){.bins = &bins,
                               .target = &target,
                               .max_depth = options->max_depth < CW_TREES_DEEPEST ? (size_t)options->max_depth
                                                                                  : CW_TREES_DEEPEST,
                               .max_leaves = SIZE_MAX,
                               .min_leaf = (size_t)options->min_leaf,
                               .columns_a_node = columns > 0 ? columns : 1,
                               .random_thresholds = recipe->random_thresholds,
                               .by_row = by_row,
                               .width = width,
                               .prior = options->l2,
                               .missing = recipe->cap};
    if ((status = grow_all(&b, (size_t)options->trees, draft, err)) != CW_OK) goto out;
    status = cw_trees_finish(draft, out, err);
    draft = NULL;
out:
    cw_trees_draft_free(draft);
    cw_free(by_row);
    cw_target_release(&target);
    cw_bins_release(&bins);
    return status;
}

static const cw_forest_recipe votes = {.name = "forest", .bootstrap = true};
static const cw_forest_recipe extra = {.name = "extra-trees", .random_thresholds = true};
const cw_forest_recipe cw_forest_regrets = {
    .name = "regret-forest", .costs = true, .random_thresholds = true, .cap = 1};

static cw_status train_votes(const cw_matrix *data, const cw_learn_options *options, void **state,
                             cw_error *err) {
    return cw_forest_train(&votes, data, options, (cw_trees **)state, err);
}

static cw_status train_extra(const cw_matrix *data, const cw_learn_options *options, void **state,
                             cw_error *err) {
    return cw_forest_train(&extra, data, options, (cw_trees **)state, err);
}

static cw_status train_regrets(const cw_matrix *data, const cw_learn_options *options, void **state,
                               cw_error *err) {
    return cw_forest_train(&cw_forest_regrets, data, options, (cw_trees **)state, err);
}

/* Leaves of many rows where copies of a layer have contradicting labels, small ones where there are none. */
static const cw_learn_options leaves[] = {
    {.min_leaf = 1}, {.min_leaf = 4}, {.min_leaf = 8}, {.min_leaf = 16}, {0}};

const cw_learner cw_learner_forest = {.name = "forest",
                                      .summary = "random forest: trees on draws of rows and columns, by vote",
                                      .defaults = {.trees = 100,
                                                   .max_depth = CW_TREES_DEEPEST,
                                                   .min_leaf = 2,
                                                   .column_share = 0.15,
                                                   .temperature = 0.1},
                                      .grid = leaves,
                                      .train = train_votes,
                                      CW_TREES_LEARNER};

const cw_learner cw_learner_extra_trees = {.name = "extra-trees",
                                           .summary =
                                               "extremely randomised trees: cuts drawn at random, by vote",
                                           .defaults = {.trees = 100,
                                                        .max_depth = CW_TREES_DEEPEST,
                                                        .min_leaf = 2,
                                                        .column_share = 0.6,
                                                        .row_share = 1,
                                                        .temperature = 0.1},
                                           .grid = leaves,
                                           .train = train_extra,
                                           CW_TREES_LEARNER};

const cw_learner cw_learner_regret_forest = {.name = "regret-forest",
                                             .summary =
                                                 "extremely randomised trees on what each choice costs",
                                             .defaults = {.trees = 100,
                                                          .max_depth = CW_TREES_DEEPEST,
                                                          .min_leaf = 2,
                                                          .l2 = 1,
                                                          .column_share = 0.6,
                                                          .row_share = 1},
                                             .grid = leaves,
                                             .train = train_regrets,
                                             CW_TREES_LEARNER};
