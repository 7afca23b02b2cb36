/* fixture.h: small datasets made by hand, for the tests of training and validation. */
#ifndef CW_TEST_FIXTURE_H
#define CW_TEST_FIXTURE_H

#include "unit.h"
#include "../../src/dataset/validate.h"
#include <math.h>
#include <stdio.h>

#define NONE NAN

static const char *const ic_only[] = {"ic", NULL};
static const char *const abc[] = {"t.a", "t.b", "t.c", NULL};
static const cw_family abc_families[] = {CW_FAMILY_DIRECT, CW_FAMILY_GEMM, CW_FAMILY_WINOGRAD};
static const char *const tree_only[] = {"tree", NULL};

/* Features by name, NULL-ended; classes by name, their families as given; no times, no networks yet. */
static inline cw_dataset *fixture_make(size_t rows, const char *const *features, const char *const *classes,
                                       const cw_family *families) {
    cw_dataset *data = cw_alloc(sizeof *data);
    assert_non_null(data);
    data->rows = rows;
    while (features[data->columns]) data->columns++;
    while (classes[data->classes]) data->classes++;
    data->features = cw_alloc_n(data->columns, sizeof *data->features);
    data->problems = cw_alloc_n(rows, sizeof *data->problems);
    data->x = cw_alloc_n(rows * data->columns, sizeof *data->x);
    data->time = cw_alloc_n(rows * data->classes, sizeof *data->time);
    data->spread = cw_alloc_n(rows * data->classes, sizeof *data->spread);
    data->y = cw_alloc_n(rows, sizeof *data->y);
    data->library = cw_alloc_n(rows, sizeof *data->library);
    data->scale = cw_alloc_n(rows, sizeof *data->scale);
    data->class_info = cw_alloc_n(data->classes, sizeof *data->class_info);
    for (size_t i = 0; i < data->columns; i++) data->features[i] = cw_feature_find(features[i]);
    for (size_t c = 0; c < data->classes; c++) {
        data->class_info[c].name = cw_strdup(classes[c]);
        data->class_info[c].backend = cw_strdup("test");
        data->class_info[c].family = families[c];
    }
    snprintf(data->feature_set, sizeof data->feature_set, "raw");
    snprintf(data->fingerprint, sizeof data->fingerprint, "0123456789abcdef0123456789abcdef");
    snprintf(data->cpu, sizeof data->cpu, "Test CPU");
    snprintf(data->hash, sizeof data->hash, "feedc0defeedc0de");
    return data;
}

/* Problem, times in microseconds (one a class, NONE = no time) and the library's class of a row. */
static inline void fixture_row(cw_dataset *data, size_t row, const char *problem, const double *us,
                               int32_t library) {
    cw_error err = {0};
    if (cw_problem_parse(problem, &data->problems[row], &err) != CW_OK)
        fail_msg("%s: %s", problem, err.message);
    cw_features_eval(data->features, data->columns, &data->problems[row], data->x + row * data->columns);
    cw_sizes sizes;
    cw_problem_sizes(&data->problems[row], &sizes);
    data->scale[row] = (double)sizes.macs;
    data->library[row] = library;
    double best = INFINITY;
    for (size_t c = 0; c < data->classes; c++) {
        data->time[row * data->classes + c] = us[c] * 1e3;
        data->spread[row * data->classes + c] = isnan(us[c]) ? NAN : 0;
        if (us[c] < best) {
            best = us[c];
            data->y[row] = (int32_t)c;
        }
    }
}

/* Layers are added by ascending network, then row. */
static inline void fixture_layer(cw_dataset *data, const char *net, size_t row, size_t count) {
    if (data->net_count == 0 || strcmp(data->nets[data->net_count - 1], net) != 0) {
        char **nets = cw_alloc_n(data->net_count + 1, sizeof *nets);
        for (size_t i = 0; i < data->net_count; i++) nets[i] = data->nets[i];
        nets[data->net_count++] = cw_strdup(net);
        cw_free(data->nets);
        data->nets = nets;
    }
    cw_dataset_layer *layers = cw_alloc_n(data->layer_count + 1, sizeof *layers);
    for (size_t i = 0; i < data->layer_count; i++) layers[i] = data->layers[i];
    layers[data->layer_count++] = (cw_dataset_layer){data->net_count - 1, row, count};
    cw_free(data->layers);
    data->layers = layers;
}

static inline const cw_contender *contender(const cw_report *report, const char *name) {
    for (size_t k = 0; k < report->contender_count; k++)
        if (strcmp(report->contenders[k].name, name) == 0) return &report->contenders[k];
    fail_msg("no contender %s", name);
    return NULL;
}

static inline void close_to(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("%.17g is not %.17g", value, expected);
}

static inline cw_report *validated(const cw_dataset *data, const char *split, const char *const *learners,
                                   uint64_t seed) {
    cw_report *report;
    cw_error err = {0};
    cw_validate_options options = {.split = split, .learners = learners, .seed = seed};
    if (cw_validate(data, &options, &report, &err) != CW_OK) fail_msg("%s", err.message);
    return report;
}

#endif
