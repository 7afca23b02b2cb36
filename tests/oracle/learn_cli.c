/* learn_cli.c: trains a learner on a matrix from a file and writes what it predicts: how scripts that compare
 * with other implementations talk to src/learn. Not installed.
 *
 * learn_cli LEARNER IN OUT [depth=N] [leaf=N] [leaves=N] [alpha=F] [smooth=F] [SETTING=F ...] [state=FILE]
 *           [emit=FILE] [thresholds=FILE]
 *
 * IN, doubles of this machine: rows, columns, classes, further rows, timed (0 or 1); x of all rows; labels of
 * the rows; if timed, times (rows x classes) and scales. OUT, doubles, for every row: class of smallest cost
 * (ties: the lower class), then cost, share, time per unit of each class. state: the state as JSON. emit: C
 * with oracle_pick, place = class. thresholds: lines "column value". SETTING: a field of cw_learn_options;
 * what is not given is the learner's default, but depth, leaves and alpha 0, leaf 1. */
#include "src/learn/learn.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct input {
    cw_matrix matrix;
    size_t further;
    double *all;
    int32_t *y;
} input;

static cw_status read_input(const char *path, input *in, cw_error *err) {
    char *bytes;
    size_t size;
    cw_status status = cw_read_file(path, (size_t)1 << 30, &bytes, &size, err);
    if (status != CW_OK) return status;
    in->all = (double *)(void *)bytes;
    double *head = in->all;
    if (size < 5 * sizeof(double)) return cw_fail(err, CW_FORMAT, "%s: too short", path);
    size_t rows = (size_t)head[0], columns = (size_t)head[1], classes = (size_t)head[2];
    in->further = (size_t)head[3];
    size_t x = (rows + in->further) * columns, timed = head[4] > 0 ? rows * (classes + 1) : 0;
    if (size != (5 + x + rows + timed) * sizeof(double))
        return cw_fail(err, CW_FORMAT, "%s: wrong size", path);
    in->y = cw_alloc_n(rows, sizeof *in->y);
    if (!in->y) return cw_fail_memory(err);
    for (size_t r = 0; r < rows; r++) in->y[r] = (int32_t)head[5 + x + r];
    in->matrix = (cw_matrix){.rows = rows, .columns = columns, .classes = classes, .x = head + 5, .y = in->y};
    if (timed) {
        in->matrix.cost = head + 5 + x + rows;
        in->matrix.scale = in->matrix.cost + rows * classes;
    }
    return CW_OK;
}

static cw_status write_predictions(const cw_learner *learner, const void *state, const input *in,
                                   const char *path, cw_error *err) {
    size_t classes = in->matrix.classes, rows = in->matrix.rows + in->further, width = 1 + 3 * classes;
    double *out = cw_alloc_n(rows * width, sizeof *out);
    if (!out) return cw_fail_memory(err);
    for (size_t r = 0; r < rows; r++) {
        double *row = out + r * width, *cost = row + 1;
        learner->predict(state, in->matrix.x + r * in->matrix.columns, cost, cost + classes,
                         cost + 2 * classes);
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if (cost[c] < cost[best]) best = c;
        row[0] = (double)best;
    }
    cw_status status = cw_write_file(path, (const char *)out, rows * width * sizeof *out, err);
    cw_free(out);
    return status;
}

static cw_status write_text(cw_buf *text, const char *path, cw_error *err) {
    size_t length = text->length;
    char *taken = cw_buf_take(text);
    if (!taken) return cw_fail_memory(err);
    cw_status status = cw_write_file(path, taken, length, err);
    cw_free(taken);
    return status;
}

static cw_status write_state(const cw_learner *learner, const void *state, const char *path, cw_error *err) {
    json_t *json = learner->save(state);
    if (!json) return cw_fail_memory(err);
    int bad = json_dump_file(json, path, JSON_COMPACT);
    json_decref(json);
    return bad ? cw_fail(err, CW_IO, "%s: cannot write", path) : CW_OK;
}

static cw_status write_emitted(const cw_learner *learner, const void *state, size_t classes, const char *path,
                               cw_error *err) {
    cw_buf text = {0};
    int32_t *place = cw_alloc_n(classes, sizeof *place);
    if (!place) return cw_fail_memory(err);
    for (size_t c = 0; c < classes; c++) place[c] = (int32_t)c;
    cw_status status = learner->emit_c(state, "oracle", place, classes, &text, err);
    cw_free(place);
    return status == CW_OK ? write_text(&text, path, err) : status;
}

static void put_threshold(void *arg, int32_t column, double value) {
    cw_buf_printf(arg, "%" PRId32 " ", column);
    cw_buf_double(arg, value);
    cw_buf_put(arg, "\n");
}

static cw_status write_thresholds(const cw_learner *learner, const void *state, const char *path,
                                  cw_error *err) {
    cw_buf text = {0};
    if (learner->thresholds) learner->thresholds(state, put_threshold, &text);
    return write_text(&text, path, err);
}

static const char *option(int argc, char **argv, const char *key, const char *fallback) {
    size_t length = strlen(key);
    for (int i = 4; i < argc; i++)
        if (strncmp(argv[i], key, length) == 0 && argv[i][length] == '=') return argv[i] + length + 1;
    return fallback;
}

static cw_status run(int argc, char **argv, input *in, cw_error *err) {
    const cw_learner *learner = cw_learner_find(argv[1]);
    if (!learner) return cw_fail(err, CW_NOT_FOUND, "no learner %s", argv[1]);
    cw_status status = read_input(argv[2], in, err);
    if (status != CW_OK) return status;
    cw_learn_options options = learner->defaults;
    options.max_depth = atoi(option(argc, argv, "depth", "0"));
    options.min_leaf = atoi(option(argc, argv, "leaf", "1"));
    options.max_leaves = atoi(option(argc, argv, "leaves", "0"));
    options.ccp_alpha = strtod(option(argc, argv, "alpha", "0"), NULL);
    options.var_smoothing = strtod(option(argc, argv, "smooth", "1e-9"), NULL);
#define X(type, field, flag, least, most, help)                                                              \
    if (option(argc, argv, #field, NULL))                                                                    \
        options.field = (type)strtod(option(argc, argv, #field, NULL), NULL);
    CW_SETTINGS(X)
#undef X
    const char *json = option(argc, argv, "state", NULL), *c = option(argc, argv, "emit", NULL),
               *edges = option(argc, argv, "thresholds", NULL);
    void *state;
    status = learner->train(&in->matrix, &options, &state, err);
    if (status != CW_OK) return status;
    status = write_predictions(learner, state, in, argv[3], err);
    if (status == CW_OK && json) status = write_state(learner, state, json, err);
    if (status == CW_OK && c) status = write_emitted(learner, state, in->matrix.classes, c, err);
    if (status == CW_OK && edges) status = write_thresholds(learner, state, edges, err);
    learner->destroy(state);
    return status;
}

int main(int argc, char **argv) {
    cw_error err;
    input in = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: learn_cli LEARNER IN OUT [key=value ...]\n");
        return 2;
    }
    cw_status status = run(argc, argv, &in, &err);
    if (status != CW_OK) fprintf(stderr, "learn_cli: %s\n", err.message);
    cw_free(in.all);
    cw_free(in.y);
    return status == CW_OK ? 0 : 1;
}
