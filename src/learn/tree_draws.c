/* tree_draws.c: every way that one row can take through the trees that drawing among equally good columns
 * makes. Grows no tree: at each node only the side on which the row falls is followed, once for each
 * different set of training rows that a draw can leave there. Merit and cuts are in the arithmetic of
 * tree_grow.c. */
#include "tree_draws.h"
#include "tree.h"
#include <float.h>
#include <math.h>
#include <string.h>

static const float SAME = 1e-7F; /* as in tree_grow.c */
enum { MOST_NODES = 20000 };     /* followed in all */

typedef struct cell {
    float value;
    int32_t y;
} cell;

typedef struct walker {
    const cw_matrix *data;
    const double *x;
    const int32_t *rank;
    bool *classes;
    size_t nodes;
    cell *sorted;  /* rows: scratch of one column */
    int64_t *left; /* classes: scratch */
} walker;

/* A column's best cut of the rows of a node. */
typedef struct cut {
    double merit, threshold; /* merit -INFINITY: it has none */
} cut;

static int compare_cells(const void *a, const void *b) {
    const cell *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static float value_of(const walker *w, uint32_t row, size_t column) {
    return (float)w->data->x[(size_t)row * w->data->columns + column];
}

static double gini(int64_t squares, double n) {
    return 1.0 - (double)squares / (n * n);
}

static cut best_cut(walker *w, const uint32_t *rows, size_t count, const int64_t *total, size_t column) {
    cut best = {-INFINITY, 0};
    int64_t squares_left = 0, squares_right = 0;
    for (size_t i = 0; i < count; i++)
        w->sorted[i] = (cell){value_of(w, rows[i], column), w->data->y[rows[i]]};
    qsort(w->sorted, count, sizeof *w->sorted, compare_cells);
    memset(w->left, 0, w->data->classes * sizeof *w->left);
    for (size_t c = 0; c < w->data->classes; c++) squares_right += total[c] * total[c];
    for (size_t i = 0; i + 1 < count; i++) {
        int32_t c = w->sorted[i].y;
        squares_right -= 2 * (total[c] - w->left[c]) - 1;
        squares_left += 2 * w->left[c]++ + 1;
        float here = w->sorted[i].value, next = w->sorted[i + 1].value;
        if (next <= here + SAME) continue;
        double left = (double)(i + 1), right = (double)(count - i - 1);
        double merit = -right * gini(squares_right, right) - left * gini(squares_left, left);
        if (merit > best.merit) best = (cut){merit, (double)here / 2 + (double)next / 2};
    }
    return best;
}

/* The rows on x's side of a cut, in their order; returns their number. */
static size_t keep_side(const walker *w, const uint32_t *rows, size_t count, size_t column, double threshold,
                        uint32_t *kept) {
    size_t n = 0;
    bool left = (double)(float)w->x[column] <= threshold;
    for (size_t i = 0; i < count; i++)
        if (((double)value_of(w, rows[i], column) <= threshold) == left) kept[n++] = rows[i];
    return n;
}

static bool follow(walker *w, const uint32_t *rows, size_t count, bool *complete);

static void end_here(walker *w, const int64_t *total) {
    size_t most = 0;
    for (size_t c = 1; c < w->data->classes; c++)
        if (total[c] > total[most] || (total[c] == total[most] && w->rank[c] < w->rank[most])) most = c;
    w->classes[most] = true;
}

/* sides: room for a set of rows a column; returns false when out of memory. */
static bool follow_ties(walker *w, const uint32_t *rows, size_t count, const cut *cuts, double merit,
                        uint32_t *sides, bool *complete) {
    size_t columns = w->data->columns, kept[CW_MODEL_MOST], sets = 0;
    for (size_t c = 0; c < columns; c++) {
        if (cuts[c].merit != merit) continue;
        uint32_t *side = sides + sets * count;
        kept[sets] = keep_side(w, rows, count, c, cuts[c].threshold, side);
        bool seen = false;
        for (size_t s = 0; !seen && s < sets; s++)
            seen = kept[s] == kept[sets] && memcmp(sides + s * count, side, kept[sets] * sizeof *side) == 0;
        if (!seen) sets++;
    }
    for (size_t s = 0; s < sets; s++)
        if (!follow(w, sides + s * count, kept[s], complete)) return false;
    return true;
}

/* false = out of memory. */
static bool follow(walker *w, const uint32_t *rows, size_t count, bool *complete) {
    const cw_matrix *m = w->data;
    if (++w->nodes > MOST_NODES) {
        *complete = false;
        return true;
    }
    int64_t *total = cw_alloc_n(m->classes, sizeof *total), squares = 0;
    cut *cuts = cw_alloc_n(m->columns, sizeof *cuts);
    uint32_t *sides = NULL;
    bool fine = total && cuts;
    double merit = -INFINITY;
    size_t ties = 0;
    for (size_t i = 0; fine && i < count; i++) total[m->y[rows[i]]]++;
    for (size_t c = 0; fine && c < m->classes; c++) squares += total[c] * total[c];
    bool pure = fine && gini(squares, (double)count) <= DBL_EPSILON;
    for (size_t c = 0; fine && !pure && c < m->columns; c++) {
        cuts[c] = best_cut(w, rows, count, total, c);
        if (cuts[c].merit > merit) merit = cuts[c].merit, ties = 0;
        ties += cuts[c].merit == merit && merit > -INFINITY;
    }
    if (fine && ties == 0) {
        end_here(w, total);
    } else if (fine) {
        sides = cw_alloc_n(ties * count, sizeof *sides);
        fine = sides && follow_ties(w, rows, count, cuts, merit, sides, complete);
    }
    cw_free(total);
    cw_free(cuts);
    cw_free(sides);
    return fine;
}

cw_status cw_tree_draws(const cw_matrix *data, const double *x, const int32_t *rank, bool *classes,
                        bool *complete, cw_error *err) {
    cw_status status = cw_matrix_check(data, err);
    if (status != CW_OK) return status;
    walker w = {.data = data,
                .x = x,
                .rank = rank,
                .classes = classes,
                .sorted = cw_alloc_n(data->rows, sizeof *w.sorted),
                .left = cw_alloc_n(data->classes, sizeof *w.left)};
    uint32_t *rows = cw_alloc_n(data->rows, sizeof *rows);
    memset(classes, 0, data->classes * sizeof *classes);
    *complete = true;
    if (!rows || !w.sorted || !w.left) {
        status = cw_fail_memory(err);
    } else {
        for (size_t i = 0; i < data->rows; i++) rows[i] = (uint32_t)i;
        if (!follow(&w, rows, data->rows, complete)) status = cw_fail_memory(err);
    }
    cw_free(rows);
    cw_free(w.sorted);
    cw_free(w.left);
    return status;
}
