/* tree_train.c: from a matrix to a decision tree: grow (tree_grow.c), prune, write it out.
 *
 * Pruning is minimal cost-complexity pruning (Breiman, Friedman, Olshen, Stone 1984, chapters 3.3 and 10.2),
 * with scikit-learn's measure: the smallest subtree that minimises (sum over leaves of rows * Gini impurity)
 * / all rows + alpha * leaves. */
#include "tree.h"
#include "tree_grow.h"
#include <math.h>
#include <string.h>

/* Children lie behind their parents, so that from the end each node's best subtree is known before its
 * parent's. A tie is pruned. */
static bool prune(cw_grown *grown, double alpha, double rows) {
    double *cost = cw_alloc_n(grown->nodes, sizeof *cost); /* of the best subtree under a node */
    if (!cost) return false;
    for (size_t i = grown->nodes; i-- > 0;) {
        cw_grown_node *node = grown->node + i;
        cost[i] = node->loss / rows + alpha;
        if (!node->left) continue;
        double below = cost[node->left] + cost[node->right];
        if (cost[i] <= below)
            node->left = node->right = 0;
        else
            cost[i] = below;
    }
    cw_free(cost);
    return true;
}

/* timed_rows: scratch, an element a class. */
static bool add_leaf(cw_tree *tree, const cw_matrix *m, const uint32_t *row, size_t rows,
                     size_t *timed_rows) {
    bool timed = m->cost && m->scale;
    if (!cw_tree_add_leaf(tree, timed)) return false;
    int64_t *count = tree->count + (tree->leaves - 1) * m->classes;
    double *log_ns = timed ? tree->log_ns + (tree->leaves - 1) * m->classes : NULL;
    memset(timed_rows, 0, m->classes * sizeof *timed_rows);
    for (size_t i = 0; i < rows; i++) count[m->y[row[i]]]++;
    for (size_t i = 0; timed && i < rows; i++)
        for (size_t c = 0; c < m->classes; c++) {
            double ns = m->cost[row[i] * m->classes + c];
            if (isnan(ns)) continue;
            double x = log(ns / m->scale[row[i]]);
            log_ns[c] = timed_rows[c]++ ? log_ns[c] + x : x;
        }
    for (size_t c = 0; timed && c < m->classes; c++) log_ns[c] /= (double)timed_rows[c]; /* none: NaN */
    return true;
}

/* In preorder: left children before right ones. false = out of memory. */
static bool write_out(const cw_grown *grown, const cw_matrix *data, cw_tree *tree) {
    typedef struct waiting {
        uint32_t node;
        size_t parent; /* SIZE_MAX: not a right child */
    } waiting;
    waiting *stack = NULL;
    size_t count = 0, capacity = 0, *timed_rows = cw_alloc_n(data->classes, sizeof *timed_rows);
    bool fine = timed_rows && cw_grow(&stack, &capacity, 1, sizeof *stack);
    if (fine) stack[count++] = (waiting){0, SIZE_MAX};
    while (fine && count > 0) {
        waiting at = stack[--count];
        const cw_grown_node *node = grown->node + at.node;
        size_t id = tree->nodes;
        if (at.parent != SIZE_MAX) tree->node[at.parent].next = (uint32_t)id;
        if (!node->left) {
            fine = add_leaf(tree, data, grown->row + node->start, node->end - node->start, timed_rows);
            continue;
        }
        fine = cw_tree_add(tree, node->column, node->threshold) &&
               cw_grow(&stack, &capacity, count + 2, sizeof *stack);
        if (!fine) break;
        stack[count++] = (waiting){node->right, id};
        stack[count++] = (waiting){node->left, SIZE_MAX};
    }
    cw_free(stack);
    cw_free(timed_rows);
    return fine;
}

static cw_status check_options(const cw_learn_options *o, cw_error *err) {
    if (o->max_depth < 0 || o->min_leaf < 1)
        return cw_fail(err, CW_INVALID,
                       "tree: max depth must be at least 0 (unlimited), min leaf at least 1");
    if (o->max_leaves < 0 || o->max_leaves == 1)
        return cw_fail(err, CW_INVALID, "tree: max leaves must be 0 (unlimited) or at least 2");
    if (!(o->ccp_alpha >= 0 && o->ccp_alpha <= 1))
        return cw_fail(err, CW_INVALID, "tree: ccp alpha must be between 0 (no pruning) and 1");
    return CW_OK;
}

cw_status cw_tree_train(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err) {
    cw_status status = cw_matrix_check(data, err);
    if (status == CW_OK) status = check_options(options, err);
    if (status != CW_OK) return status;
    size_t deepest = options->max_depth ? (size_t)options->max_depth : CW_TREE_DEEPEST;
    cw_grow_limits limits = {deepest < CW_TREE_DEEPEST ? deepest : CW_TREE_DEEPEST, (size_t)options->min_leaf,
                             options->max_leaves ? (size_t)options->max_leaves : SIZE_MAX};
    cw_grown grown = {0};
    cw_tree *tree = cw_alloc(sizeof *tree);
    status = tree ? cw_grow_tree(data, &limits, &grown, err) : cw_fail_memory(err);
    if (status == CW_OK) {
        tree->columns = data->columns;
        tree->classes = data->classes;
        if ((options->ccp_alpha > 0 && !prune(&grown, options->ccp_alpha, (double)data->rows)) ||
            !write_out(&grown, data, tree))
            status = cw_fail_memory(err);
    }
    cw_grown_release(&grown);
    if (status == CW_OK)
        *state = tree;
    else
        cw_tree_destroy(tree);
    return status;
}
