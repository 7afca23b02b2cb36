/* random_trees.h: sums of trees of any shape, for tests of what must hold for all of them. */
#ifndef CW_TEST_RANDOM_TREES_H
#define CW_TEST_RANDOM_TREES_H
#include "../../src/learn/trees.h"
#include <math.h>

typedef struct forest_spec {
    const char *name;
    size_t trees, columns, classes;
    size_t width; /* classes of a tree: 1 = one each in turn; 0 = at random */
    int depth;    /* longest path */
    double stop;  /* chance that a node above that is a leaf */
    size_t cuts;  /* different thresholds of a column: whole numbers 0 to cuts - 1; 0 = any float */
    double unit;  /* of values; 0 = as trainers round, to 16 bits */
} forest_spec;

static inline bool grow_at_random(cw_trees_draft *draft, cw_rng *rng, const forest_spec *s, int depth,
                                  size_t width) {
    cw_trees *t = &draft->trees;
    if (depth == s->depth || cw_rng_uniform(rng) < s->stop) {
        double values[CW_MODEL_MOST];
        bool pure = width > 1 && cw_rng_below(rng, 2); /* many leaves are alike */
        for (size_t k = 0; k < width; k++) values[k] = pure ? 0 : cw_rng_normal(rng);
        if (pure) values[cw_rng_below(rng, width)] = -1;
        return cw_trees_add_leaf(draft, values) != SIZE_MAX;
    }
    int32_t column = (int32_t)cw_rng_below(rng, s->columns);
    float threshold = s->cuts ? (float)cw_rng_below(rng, s->cuts)
                              : (float)(cw_rng_normal(rng) * pow(10, (double)cw_rng_below(rng, 9)));
    size_t node = cw_trees_add_inner(draft, column, threshold);
    if (node == SIZE_MAX || !grow_at_random(draft, rng, s, depth + 1, width)) return false;
    t->node[node].next = (uint32_t)t->node_count;
    return grow_at_random(draft, rng, s, depth + 1, width);
}

static inline cw_status random_trees(const forest_spec *s, cw_rng *rng, cw_trees **out, cw_error *err) {
    cw_trees_draft *draft;
    cw_status status = cw_trees_draft_make(s->columns, s->classes, &draft, err);
    if (status != CW_OK) return status;
    for (size_t i = 0; i < s->trees; i++) {
        size_t width = s->width ? s->width : 1 + cw_rng_below(rng, s->classes),
               first = width == 1 ? i % s->classes : cw_rng_below(rng, s->classes - width + 1);
        if (!cw_trees_begin(draft, first, width) || !grow_at_random(draft, rng, s, 0, width)) {
            cw_trees_draft_free(draft);
            return cw_fail_memory(err);
        }
    }
    for (size_t c = 0; c < s->classes; c++) draft->start[c] = 0.1 * cw_rng_normal(rng);
    return s->unit > 0 ? cw_trees_finish_in(draft, s->unit, out, err) : cw_trees_finish(draft, out, err);
}

/* A row near the thresholds. */
static inline void random_row(const forest_spec *s, cw_rng *rng, double *x) {
    for (size_t c = 0; c < s->columns; c++)
        x[c] = s->cuts ? (double)cw_rng_below(rng, s->cuts + 1) - (double)cw_rng_below(rng, 2) / 2
                       : cw_rng_normal(rng) * pow(10, (double)cw_rng_below(rng, 9));
}
#endif
