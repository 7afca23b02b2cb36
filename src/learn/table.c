/* table.c: the learners there are, and the check of what they are given. */
#include "learn.h"
#include "../../include/convwise/tools.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* X(identifier, name): the one list. cw_learner_<identifier> is the constant, its .name is the name. */
#define LEARNERS(X)                                                                                          \
    X(tree, "tree")                                                                                          \
    X(bayes, "bayes")                                                                                        \
    X(forest, "forest")                                                                                      \
    X(extra_trees, "extra-trees")                                                                            \
    X(regret_forest, "regret-forest")                                                                        \
    X(regret_tree, "regret-tree")                                                                            \
    X(boost, "boost")                                                                                        \
    X(boost_time, "boost-time")                                                                              \
    X(ensemble, "ensemble")

#define X(id, name) extern const cw_learner cw_learner_##id;
LEARNERS(X)
#undef X

extern const cw_learner cw_learner_imported; /* trains nothing, so it is not in the list */

const cw_learner *const cw_learner_table[] = {
#define X(id, name) &cw_learner_##id,
    LEARNERS(X)
#undef X
        NULL};

static const char *const names[] = {
#define X(id, name) name,
    LEARNERS(X)
#undef X
        NULL};

const char *const *cw_learners(void) {
    return names;
}

const cw_learner *cw_learner_find(const char *name) {
    for (size_t i = 0; cw_learner_table[i]; i++)
        if (strcmp(cw_learner_table[i]->name, name) == 0) return cw_learner_table[i];
    return strcmp(cw_learner_imported.name, name) == 0 ? &cw_learner_imported : NULL;
}

static cw_status check_labels(const cw_matrix *m, cw_error *err) {
    for (size_t r = 0; r < m->rows; r++)
        if (m->y[r] < 0 || (size_t)m->y[r] >= m->classes)
            return cw_fail(err, CW_INVALID, "row %zu: class %" PRId32 " is not one of the %zu classes", r,
                           m->y[r], m->classes);
    return CW_OK;
}

static cw_status check_times(const cw_matrix *m, cw_error *err) {
    for (size_t r = 0; m->cost && r < m->rows; r++)
        for (size_t c = 0; c < m->classes; c++) {
            double t = m->cost[r * m->classes + c];
            if (!isnan(t) && !(t > 0 && t < INFINITY))
                return cw_fail(err, CW_INVALID, "row %zu, class %zu: a time of %g ns: must be above 0", r, c,
                               t);
        }
    for (size_t r = 0; m->scale && r < m->rows; r++)
        if (!(m->scale[r] > 0 && m->scale[r] < INFINITY))
            return cw_fail(err, CW_INVALID, "row %zu: a scale of %g: must be above 0", r, m->scale[r]);
    return CW_OK;
}

cw_status cw_matrix_check_values(const cw_matrix *m, cw_error *err) {
    if (m->rows == 0) return cw_fail(err, CW_INVALID, "no rows to learn from: measure first");
    if (m->rows > INT32_MAX)
        return cw_fail(err, CW_INVALID, "%zu rows are too many: at most 2^31 - 1", m->rows);
    if (m->columns == 0 || m->columns > CW_MODEL_MOST)
        return cw_fail(err, CW_INVALID, "%zu columns: must be 1 to %d", m->columns, CW_MODEL_MOST);
    if (m->classes < 2 || m->classes > CW_MODEL_MOST)
        return cw_fail(err, CW_INVALID, "%zu classes: learning needs 2 to %d", m->classes, CW_MODEL_MOST);
    cw_status status = check_labels(m, err);
    if (status != CW_OK) return status;
    size_t cells = m->rows * m->columns;
    int bad = 0; /* without a branch a value: as fast as memory */
    for (size_t i = 0; i < cells; i++) bad |= !(fabs(m->x[i]) < INFINITY);
    for (size_t i = 0; bad && i < cells; i++)
        if (!isfinite(m->x[i]))
            return cw_fail(err, CW_INVALID, "row %zu, column %zu: the value is not finite", i / m->columns,
                           i % m->columns);
    return check_times(m, err);
}

cw_status cw_matrix_check(const cw_matrix *m, cw_error *err) {
    cw_status status = cw_matrix_check_values(m, err);
    for (size_t r = 1; status == CW_OK && r < m->rows; r++)
        if (m->y[r] != m->y[0]) return CW_OK;
    return status != CW_OK
               ? status
               : cw_fail(err, CW_INVALID,
                         "all %zu rows have the same fastest class (%" PRId32 "): nothing to learn", m->rows,
                         m->y[0]);
}
