/* regret_tree.c: one tree on costs, small enough to read.
 *
 * A single tree on the measured costs spends its few cuts on the noise of single rows and on which classes
 * happen to have times. So it is taught by a forest (Breiman, Shang 1996, "born again trees"; Hinton et al.
 * 2015, distillation): the regret-forest of the same rows says what every class would cost in every row, and
 * the tree is grown on that, the cut that saves most squared error first, so that a limit of leaves gives the
 * best tree of that size. The leaves' own figures are the means of what the forest says. */
#include "forest.h"
#include <string.h>

/* What the tree sees of a cost c: c / (c + NEAR), so that it spends its cuts on which classes are nearly the
 * best, not on how bad the bad ones are. On the find-db of a gfx908 (f32) that took a tree of 64 leaves from
 * 1.052 (plain costs) to 1.045, geomean of time over the best. */
static const double NEAR = 0.1;

enum { TEACHER_LEAF = 3 };

/* What the teacher says of each row, over its best. */
static cw_status target_of(const cw_matrix *data, const cw_trees *teacher, cw_target *out, cw_error *err) {
    size_t k = data->classes, cells = data->rows * k;
    double *cost = cw_alloc_n(k, sizeof *cost);
    *out = (cw_target){.rows = data->rows,
                       .classes = k,
                       .start = cw_alloc_n(data->rows + 1, sizeof *out->start),
                       .class = cw_alloc_n(cells, sizeof *out->class),
                       .value = cw_alloc_n(cells, sizeof *out->value)};
    bool made = cost && out->start && out->class && out->value && cells <= UINT32_MAX;
    for (size_t r = 0; made && r < data->rows; r++) {
        cw_trees_predict(teacher, data->x + r * data->columns, cost, NULL, NULL);
        double least = cost[0];
        for (size_t c = 1; c < k; c++) least = cost[c] < least ? cost[c] : least;
        out->start[r + 1] = (uint32_t)((r + 1) * k);
        for (size_t c = 0; c < k; c++) {
            out->class[r * k + c] = (uint16_t)c;
            double value = cost[c] - least;
            out->value[r * k + c] = (float)(value / (value + NEAR));
        }
    }
    cw_free(cost);
    if (made) return CW_OK;
    return cells > UINT32_MAX ? cw_fail(err, CW_UNSUPPORTED, "%zu costs are too many for a tree", cells)
                              : cw_fail_memory(err);
}

static cw_status train(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err) {
    *state = NULL;
    if (options->max_depth < 1 || options->max_leaves < 2 || options->min_leaf < 1)
        return cw_fail(err, CW_INVALID,
                       "regret-tree: max depth and min leaf must be at least 1, max leaves at least 2");
    cw_learn_options taught = {.trees = options->trees,
                               .max_depth = CW_TREES_DEEPEST,
                               .min_leaf = TEACHER_LEAF,
                               .l2 = options->l2,
                               .column_share = options->column_share,
                               .row_share = 1,
                               .threads = options->threads,
                               .seed = options->seed};
    cw_trees *teacher = NULL;
    cw_bins bins = {0};
    cw_target target = {0};
    cw_forest_tree grown = {0};
    cw_trees_draft *draft = NULL;
    cw_status status = cw_forest_train(&cw_forest_regrets, data, &taught, &teacher, err);
    if (status != CW_OK || (status = cw_bins_make(data, CW_BINS, &bins, err)) != CW_OK ||
        (status = target_of(data, teacher, &target, err)) != CW_OK ||
        (status = cw_trees_draft_make(data->columns, data->classes, &draft, err)) != CW_OK)
        goto out;
    cw_forest_growth how = {.bins = &bins,
                            .target = &target,
                            .max_depth = options->max_depth < CW_TREES_DEEPEST ? (size_t)options->max_depth
                                                                               : CW_TREES_DEEPEST,
                            .max_leaves = (size_t)options->max_leaves,
                            .min_leaf = (size_t)options->min_leaf,
                            .columns_a_node = data->columns};
    if ((status = cw_forest_grow(&how, NULL, cw_rng_seed(options->seed), &grown, err)) != CW_OK) goto out;
    draft->trees.temperature = 0.1;
    if (!cw_forest_tree_add(&grown, 1, data->classes, draft)) {
        status = cw_fail_memory(err);
        goto out;
    }
    status = cw_trees_finish(draft, (cw_trees **)state, err);
    draft = NULL;
out:
    cw_trees_draft_free(draft);
    cw_forest_tree_release(&grown);
    cw_target_release(&target);
    cw_bins_release(&bins);
    cw_trees_destroy(teacher);
    return status;
}

static const cw_learn_options sizes[] = {
    {.max_leaves = 16}, {.max_leaves = 32}, {.max_leaves = 128}, {.min_leaf = 20}, {0}};

const cw_learner cw_learner_regret_tree = {
    .name = "regret-tree",
    .summary = "one small tree on what each choice costs, taught by a "
               "regret-forest",
    .defaults = {.max_depth = 16, .max_leaves = 64, .min_leaf = 5, .trees = 60, .l2 = 1, .column_share = 0.3},
    .grid = sizes,
    .train = train,
    CW_TREES_LEARNER};
