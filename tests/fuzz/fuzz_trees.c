/* fuzz_trees.c: any bytes as the state of a sum of trees, of three columns and four classes. What loads must
 * predict, explain, be emitted, and be saved as it was loaded. */
#include "src/learn/trees.h"
#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 3, CLASSES = 4 };

static void must(bool truth) {
    if (!truth) abort();
}

static void use(const cw_trees *t, const double *x) {
    static const char *const columns[] = {"a", "b", "c"}, *const classes[] = {"k", "l", "m", "n"};
    static const int32_t rank[CLASSES] = {2, 0, 3, 1};
    double cost[CLASSES], share[CLASSES], ns[CLASSES], sum = 0;
    cw_trees_predict(t, x, cost, share, ns);
    for (int c = 0; c < CLASSES; c++) {
        must(isfinite(cost[c]) && share[c] >= 0 && share[c] <= 1 && !isinf(ns[c]));
        sum += share[c];
    }
    must(fabs(sum - 1) < 1e-9);
    cw_buf out = {0};
    cw_trees_explain(t, x, columns, classes, &out);
    must(cw_trees_emit(t, "p", rank, CLASSES, &out, NULL) == CW_OK);
    cw_buf_release(&out);
}

static char *text_of(const cw_trees *t) {
    json_t *json = cw_trees_save(t);
    char *text = json_dumps(json, JSON_COMPACT);
    must(text);
    json_decref(json);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const double rows[][COLUMNS] = {{0, 1, 2}, {-1e30, 0.5, 100}, {NAN, INFINITY, -INFINITY}};
    json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    void *t = NULL, *back = NULL;
    if (json && cw_trees_load(json, COLUMNS, CLASSES, &t, NULL) == CW_OK) {
        for (size_t i = 0; i < CW_COUNT(rows); i++) use(t, rows[i]);
        char *text = text_of(t), *again;
        json_t *saved = json_loads(text, 0, NULL);
        must(cw_trees_load(saved, COLUMNS, CLASSES, &back, NULL) == CW_OK);
        again = text_of(back);
        must(strcmp(text, again) == 0);
        json_decref(saved);
        free(text);
        free(again);
        cw_trees_destroy(back);
        cw_trees_destroy(t);
    } else
        must(!t);
    json_decref(json);
    return 0;
}
