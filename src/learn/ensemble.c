/* ensemble.c: a weighted sum of other learners' costs, flattened into one sum of trees, so that what chooses
 * need not know. Members that err differently even out (Breiman 1996). */
#include "trees.h"

/* Weights by the find-db of three machines (docs/learners.md): boosting errs least on most sets, the forest
 * saves it from its worst choices. */
static const struct member {
    const char *learner;
    double weight;
} members[] = {{"boost", 1}, {"regret-forest", 0.3}};

static cw_status add_member(const struct member *m, const cw_matrix *data, const cw_learn_options *options,
                            cw_trees_draft *draft, cw_error *err) {
    const cw_learner *learner = cw_learner_find(m->learner);
    cw_learn_options settings = learner->defaults;
    settings.threads = options->threads;
    settings.seed = options->seed;
    settings.trees = options->trees;
    settings.min_leaf = options->min_leaf;
    void *state = NULL;
    cw_status status = learner->train(data, &settings, &state, err);
    if (status == CW_OK) status = cw_trees_add_all(draft, state, m->weight, err);
    learner->destroy(state);
    return status;
}

static cw_status train(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err) {
    *state = NULL;
    cw_status status = cw_matrix_check(data, err);
    cw_trees_draft *draft = NULL;
    if (status == CW_OK) status = cw_trees_draft_make(data->columns, data->classes, &draft, err);
    for (size_t i = 0; status == CW_OK && i < CW_COUNT(members); i++)
        status = add_member(&members[i], data, options, draft, err);
    if (status == CW_OK) {
        draft->trees.temperature = 0.3; /* as boost */
        status = cw_trees_finish(draft, (cw_trees **)state, err);
        draft = NULL;
    }
    cw_trees_draft_free(draft);
    return status;
}

static const cw_learn_options leaves[] = {{.min_leaf = 4}, {.min_leaf = 8}, {.min_leaf = 16}, {0}};

const cw_learner cw_learner_ensemble = {.name = "ensemble",
                                        .summary = "boost and a regret-forest together",
                                        .defaults = {.trees = 100, .min_leaf = 2},
                                        .grid = leaves,
                                        .train = train,
                                        CW_TREES_LEARNER};
