/* tree_emit.c: a decision tree as C: one table of nodes, one of rankings, and a loop that walks them. */
#include "tree.h"
#include <stdio.h>
#include <string.h>

/* A class in the ranking of a leaf. */
typedef struct ranked {
    double cost;
    int32_t place; /* static_rank */
    uint16_t class;
} ranked;

/* Rankings in use, each once: leaves share them. */
typedef struct rankings {
    size_t classes, count, capacity; /* capacity in classes, not rankings */
    uint16_t *class;                 /* count x classes, best first */
    size_t *of_leaf;                 /* leaves: index of the ranking */
} rankings;

static int compare_ranked(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Index of the ranking behind the last one; SIZE_MAX = out of memory. */
static size_t intern(rankings *all, const ranked *order) {
    size_t n = all->classes;
    if (!cw_grow(&all->class, &all->capacity, (all->count + 1) * n, sizeof *all->class)) return SIZE_MAX;
    uint16_t *fresh = all->class + all->count * n;
    for (size_t c = 0; c < n; c++) fresh[c] = order[c].class;
    for (size_t i = 0; i < all->count; i++)
        if (memcmp(all->class + i * n, fresh, n * sizeof *fresh) == 0) return i;
    return all->count++;
}

static bool rank_leaves(const cw_tree *tree, const int32_t *static_rank, rankings *all) {
    double *cost = cw_alloc_n(tree->classes, sizeof *cost);
    ranked *order = cw_alloc_n(tree->classes, sizeof *order);
    bool ok = cost && order;
    for (size_t leaf = 0; ok && leaf < tree->leaves; leaf++) {
        cw_tree_leaf_cost(tree, leaf, cost);
        for (size_t c = 0; c < tree->classes; c++) order[c] = (ranked){cost[c], static_rank[c], (uint16_t)c};
        qsort(order, tree->classes, sizeof *order, compare_ranked);
        all->of_leaf[leaf] = intern(all, order);
        ok = all->of_leaf[leaf] != SIZE_MAX;
    }
    cw_free(cost);
    cw_free(order);
    return ok;
}

static void emit_nodes(const cw_tree *tree, const rankings *all, const char *prefix, cw_buf *out) {
    cw_buf_printf(
        out,
        "/* Nodes in preorder. Inner: x[column] <= threshold goes to the next node, else to node `right`.\n"
        " * Leaf (right = 0): column is where its ranking starts in %s_ranking.\n"
        " * Trained on values rounded to float; each threshold is the largest double that still rounds to\n"
        " * the left, so nothing has to be rounded here. */\n"
        "static const struct {\n    double threshold;\n    unsigned int column, right;\n} %s_node[] = {\n",
        prefix, prefix);
    for (size_t i = 0; i < tree->nodes; i++) {
        const cw_tree_node *node = tree->node + i;
        if (node->column < 0) {
            cw_buf_printf(out, "    {0.0, %zu, 0},\n", all->of_leaf[node->next] * tree->classes);
            continue;
        }
        cw_buf_put(out, "    {");
        cw_buf_double(out, cw_tree_boundary(node->threshold));
        cw_buf_printf(out, ", %d, %u},\n", node->column, node->next);
    }
    cw_buf_put(out, "};\n\n");
}

static void emit_rankings(const rankings *all, const char *prefix, cw_buf *out) {
    cw_buf_printf(out,
                  "/* Rankings of all %zu classes, best first; one a line. */\nstatic const unsigned %s "
                  "%s_ranking[] = {\n",
                  all->classes, all->classes <= 256 ? "char" : "short", prefix);
    for (size_t i = 0; i < all->count; i++) {
        cw_buf_put(out, "    ");
        for (size_t c = 0; c < all->classes; c++)
            cw_buf_printf(out, "%u,%s", all->class[i * all->classes + c], c + 1 < all->classes ? " " : "\n");
    }
    cw_buf_put(out, "};\n\n");
}

cw_status cw_tree_emit(const void *state, const char *prefix, const int32_t *static_rank, size_t classes,
                       cw_buf *out, cw_error *err) {
    const cw_tree *tree = state;
    if (classes != tree->classes)
        return cw_fail(err, CW_MISMATCH, "the tree has %zu classes, not %zu", tree->classes, classes);
    if (tree->leaves > UINT32_MAX / classes)
        return cw_fail(err, CW_UNSUPPORTED, "the tree is too large for C");
    rankings all = {.classes = classes, .of_leaf = cw_alloc_n(tree->leaves, sizeof *all.of_leaf)};
    cw_status status = CW_OK;
    if (!all.of_leaf || !rank_leaves(tree, static_rank, &all)) {
        status = cw_fail_memory(err);
        goto out;
    }
    emit_nodes(tree, &all, prefix, out);
    emit_rankings(&all, prefix, out);
    cw_buf_printf(out,
                  "/* The best of the classes with allowed[class] != 0 (NULL = all), -1 = none. */\n"
                  "static int %s_pick(const double *x, const unsigned char *allowed) {\n"
                  "    unsigned int i = 0, k;\n"
                  "    while (%s_node[i].right != 0)\n"
                  "        i = x[%s_node[i].column] <= %s_node[i].threshold ? i + 1 : %s_node[i].right;\n"
                  "    for (k = 0; k < %zu; k++) {\n"
                  "        int c = %s_ranking[%s_node[i].column + k];\n"
                  "        if (!allowed || allowed[c]) return c;\n"
                  "    }\n"
                  "    return -1;\n"
                  "}\n",
                  prefix, prefix, prefix, prefix, prefix, classes, prefix, prefix);
    if (out->failed) status = cw_fail_memory(err);
out:
    cw_free(all.class);
    cw_free(all.of_leaf);
    return status;
}
