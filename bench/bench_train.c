/* bench_train.c: time and memory of training. bench/train.py calls this in turn with other tools, on the same
 * rows.
 *     bench_train learners
 * names, one a line;
 *     bench_train matrix STORE PRECISION FILE
 * rows of a store as a file: forward, two dimensions, at least two times a row, engineered features;
 *     bench_train made ROWS COLUMNS CLASSES FILE
 * made rows as a file;
 *     bench_train time FILE LEARNER [KEY=VALUE]...
 * trains once, on times; `labels` in place of `time`: on labels only;
 *     bench_train grow ROWS COLUMNS CLASSES LEARNER [KEY=VALUE]...
 * trains once on made rows. KEY=VALUE: a setting by its name in cw_learn_options, or threads.
 *
 * FILE, doubles of this machine: rows, columns, classes, x, labels; then times (rows x classes, NaN = none)
 * and scales. */
#include "../src/base/base.h"
#include "../src/dataset/dataset.h"
#include "../include/convwise/tools.h"
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEAD = 3 };

static double *numbers(size_t n) {
    double *x = malloc(n * sizeof *x);
    if (!x) {
        fprintf(stderr, "bench_train: no memory for %zu numbers\n", n);
        exit(1);
    }
    return x;
}

static int fail(const cw_error *err) {
    fprintf(stderr, "bench_train: %s\n", err->message);
    return 1;
}

static void put(const void *data, size_t n, FILE *file) {
    if (fwrite(data, sizeof(double), n, file) == n) return;
    perror("bench_train: cannot write");
    exit(1);
}

static int write_matrix(const cw_matrix *m, const char *path) {
    FILE *file = fopen(path, "wb");
    double head[HEAD] = {(double)m->rows, (double)m->columns, (double)m->classes}, *y = numbers(m->rows);
    if (!file) {
        perror(path);
        return 1;
    }
    for (size_t r = 0; r < m->rows; r++) y[r] = m->y[r];
    put(head, HEAD, file);
    put(m->x, m->rows * m->columns, file);
    put(y, m->rows, file);
    put(m->cost, m->rows * m->classes, file);
    put(m->scale, m->rows, file);
    free(y);
    return fclose(file) != 0;
}

static int from_store(const char *path, const char *precision, const char *out) {
    cw_error err;
    cw_store *store;
    cw_dataset *data;
    cw_matrix m;
    cw_dataset_options options = {.prec = -1, .dims = 2, .least = 2};
    for (int p = 0; p < CW_PREC_COUNT; p++)
        if (strcmp(cw_prec_name((cw_prec)p), precision) == 0) options.prec = p;
    if (cw_store_open(path, CW_STORE_READ, &store, &err) != CW_OK ||
        cw_dataset_load(store, &options, &data, &err) != CW_OK ||
        cw_dataset_matrix(data, NULL, 0, NULL, &m, &err) != CW_OK)
        return fail(&err);
    return write_matrix(&m, out);
}

/* A third of the columns has 8 different values, a third 1,024, a third as many as rows, like flags, sizes
 * and products of convolutions. Labels follow a few columns, one in ten is drawn; times follow the labels. */
static cw_matrix make(size_t rows, size_t columns, size_t classes) {
    cw_rng rng = cw_rng_seed(rows);
    double *x = numbers(rows * columns), *cost = numbers(rows * classes), *scale = numbers(rows);
    int32_t *y = malloc(rows * sizeof *y);
    for (size_t r = 0; y && r < rows; r++) {
        double *row = x + r * columns, sum = 0;
        for (size_t c = 0; c < columns; c++) {
            double u = cw_rng_uniform(&rng);
            row[c] = c % 3 == 0 ? u : c % 3 == 1 ? floor(u * 1024) / 1024 : floor(u * 8) / 8;
            if (c < 6) sum += sin(5 * row[c] * (double)(c + 1));
        }
        y[r] = cw_rng_below(&rng, 10) == 0 ? (int32_t)cw_rng_below(&rng, classes)
                                           : (int32_t)((uint64_t)(1000 + 4 * sum) % classes);
        for (size_t c = 0; c < classes; c++)
            cost[r * classes + c] = 1000 * (1 + (c != (size_t)y[r]) * (0.1 + cw_rng_uniform(&rng)));
        scale[r] = 1000;
    }
    return (cw_matrix){
        .rows = rows, .columns = columns, .classes = classes, .x = x, .y = y, .cost = cost, .scale = scale};
}

static int read_matrix(const char *path, cw_matrix *m) {
    FILE *file = fopen(path, "rb");
    double head[HEAD];
    if (!file || fread(head, sizeof *head, HEAD, file) != HEAD) {
        perror(path);
        return 1;
    }
    *m = (cw_matrix){.rows = (size_t)head[0], .columns = (size_t)head[1], .classes = (size_t)head[2]};
    size_t cells = m->rows * m->columns, times = m->rows * m->classes, all = cells + times + 2 * m->rows;
    double *x = numbers(all);
    int32_t *y = malloc(m->rows * sizeof *y);
    if (!y || fread(x, sizeof *x, all, file) != all) {
        fprintf(stderr, "bench_train: %s: too short\n", path);
        return 1;
    }
    for (size_t r = 0; r < m->rows; r++) y[r] = (int32_t)x[cells + r];
    m->x = x;
    m->y = y;
    m->cost = x + cells + m->rows;
    m->scale = m->cost + times;
    fclose(file);
    return 0;
}

static bool set(cw_learn_options *options, const char *text) {
    const char *is = strchr(text, '=');
    double value;
    if (!is || !cw_parse_double(is + 1, &value)) return false;
    size_t length = (size_t)(is - text);
#define X(type, field, option, least, most, help)                                                            \
    if (strlen(#field) == length && strncmp(#field, text, length) == 0)                                      \
        return options->field = (type)value, true;
    CW_SETTINGS(X)
    X(int32_t, threads, "", 0, 0, "")
#undef X
    return false;
}

/* A figure of /proc/self/status, bytes. "VmHWM: %ld", the most memory so far, and not getrusage's, which
 * starts with that of the program which started this. */
static double status(const char *format) {
    char line[256];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, format, &kb) == 1) break;
    if (file) fclose(file);
    return 1024 * (double)kb;
}

static double cpu_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Prints seconds, seconds of CPU, size, peak memory of training over that of the matrix (rows x columns
 * doubles), and that of what training made. */
static int train(const cw_matrix *m, const char *name, char **settings) {
    const cw_learner *learner = cw_learner_find(name);
    if (!learner) {
        fprintf(stderr, "bench_train: no learner is called %s\n", name);
        return 2;
    }
    cw_learn_options options = learner->defaults;
    options.threads = 1;
    for (; *settings; settings++)
        if (!set(&options, *settings)) {
            fprintf(stderr, "bench_train: not a setting: %s\n", *settings);
            return 2;
        }
    void *state;
    cw_error err;
    double before = status("VmHWM: %ld"), held = status("VmRSS: %ld");
    double cpu = cpu_s();
    int64_t start = cw_now_ns();
    if (learner->train(m, &options, &state, &err) != CW_OK) return fail(&err);
    double seconds = (double)(cw_now_ns() - start) / 1e9;
    cpu = cpu_s() - cpu;
    double matrix = (double)(m->rows * m->columns) * sizeof(double);
    malloc_trim(0);
    printf("%.6f %.6f %zu %.3f %.3f\n", seconds, cpu, learner->size(state),
           (status("VmHWM: %ld") - before) / matrix, (status("VmRSS: %ld") - held) / matrix);
    learner->destroy(state);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    cw_matrix m;
    if (strcmp(what, "learners") == 0) {
        for (const char *const *name = cw_learners(); *name; name++) puts(*name);
        return 0;
    }
    if (strcmp(what, "matrix") == 0 && argc == 5) return from_store(argv[2], argv[3], argv[4]);
    bool labels = strcmp(what, "labels") == 0;
    if ((labels || strcmp(what, "time") == 0) && argc >= 4) {
        if (read_matrix(argv[2], &m)) return 1;
        if (labels) m.cost = m.scale = NULL;
        return train(&m, argv[3], argv + 4);
    }
    int64_t rows, columns, classes;
    if (argc >= 6 && cw_parse_int(argv[2], 1, INT32_MAX, &rows) && cw_parse_int(argv[3], 6, 1024, &columns) &&
        cw_parse_int(argv[4], 2, 1024, &classes)) {
        m = make((size_t)rows, (size_t)columns, (size_t)classes);
        if (strcmp(what, "made") == 0) return write_matrix(&m, argv[5]);
        if (strcmp(what, "grow") == 0) return train(&m, argv[5], argv + 6);
    }
    fprintf(stderr, "usage: at the head of bench/bench_train.c\n");
    return 2;
}
