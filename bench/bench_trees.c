/* bench_trees.c: sums of trees of a given size, random ones, as C: time to write, to compile, size, and time
 * of one choice from feature values on. bench/trees.sh calls it. Random trees say what a size costs: classes
 * that lose early in a trained model go on here to the end, and random rows meet every branch. bench_trees
 * FOLDER COMPILER...      FOLDER: where files may be made */
#include "../tests/unit/random_trees.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ROWS = 4096, REPEATS = 101, COLUMNS = 62 };

static const forest_spec specs[] = {
    {"20 trees of 8 classes, depth 4", 20, 30, 8, 8, 4, 0, 50, 0},
    {"80 rounds of 20 classes, depth 6", 1600, COLUMNS, 20, 1, 6, 0.02, 200, 0},
    {"150 rounds of 20 classes, depth 7", 3000, COLUMNS, 20, 1, 7, 0.05, 250, 0},
    {"100 trees of 20 classes, depth 7", 100, COLUMNS, 20, 20, 7, 0.05, 250, 0},
    {"100 trees of 20 classes, depth to 20", 100, COLUMNS, 20, 20, 20, 0.33, 250, 0},
};

typedef int pick_function(const double *x, const unsigned char *allowed);

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void die(const char *why) {
    fprintf(stderr, "bench_trees: %s\n", why);
    exit(1);
}

static void write_c(const cw_trees *t, const char *path) {
    int32_t rank[CW_MODEL_MOST];
    cw_buf out = {0};
    cw_error err;
    for (int32_t c = 0; c < (int32_t)t->classes; c++) rank[c] = c;
    if (cw_trees_emit(t, "p", rank, t->classes, &out, &err) != CW_OK) die(err.message);
    cw_buf_put(&out, "int test_pick(const double *x, const unsigned char *allowed);\n"
                     "int test_pick(const double *x, const unsigned char *allowed) { return p_pick(x, "
                     "allowed); }\n");
    if (out.failed || cw_write_file(path, out.text, out.length, &err) != CW_OK) die("cannot write the file");
    cw_buf_release(&out);
}

/* Median nanoseconds a row. */
static double time_pick(pick_function *pick, const double *x, const unsigned char *allowed, unsigned *sum) {
    double ns[REPEATS];
    for (int r = 0; r < REPEATS; r++) {
        int64_t start = cw_now_ns();
        for (int i = 0; i < ROWS; i++) *sum += (unsigned)pick(x + i * COLUMNS, allowed);
        ns[r] = (double)(cw_now_ns() - start) / ROWS;
    }
    qsort(ns, REPEATS, sizeof *ns, by_value);
    return ns[REPEATS / 2];
}

static void report(const forest_spec *s, const cw_trees *t, const char *folder, const char *compiler,
                   const double *x) {
    char source[512], object[512], command[2048];
    struct stat size;
    unsigned sum = 0;
    unsigned char third[CW_MODEL_MOST];
    static int number; /* a library of its own each time: the loader knows names */
    for (size_t c = 0; c < t->classes; c++) third[c] = c % 3 == 0;
    snprintf(source, sizeof source, "%s/trees.c", folder);
    snprintf(object, sizeof object, "%s/trees%d.so", folder, number++);
    snprintf(command, sizeof command, "%s -std=c99 -shared -fPIC -o %s %s", compiler, object, source);
    int64_t start = cw_now_ns();
    if (system(command) != 0) die("the compiler failed");
    double seconds = (double)(cw_now_ns() - start) / 1e9;
    void *library = dlopen(object, RTLD_NOW);
    pick_function *pick = NULL;
    if (library) *(void **)&pick = dlsym(library, "test_pick");
    if (!pick || stat(object, &size) != 0) die("the library does not load");
    double all = time_pick(pick, x, NULL, &sum), some = time_pick(pick, x, third, &sum);
    printf("| %s | %zu | %s | %.1f | %.2f | %.0f | %.0f | %u |\n", s->name, t->node_count, compiler, seconds,
           (double)size.st_size / 1e6, all, some, sum);
    fflush(stdout);
    dlclose(library);
}

int main(int argc, char **argv) {
    static double x[ROWS * COLUMNS];
    if (argc < 3) return fprintf(stderr, "usage: %s FOLDER COMPILER...\n", argv[0]), 2;
    printf("%d random rows, %d rounds, median nanoseconds a choice from feature values on\n\n", ROWS,
           REPEATS);
    printf(
        "| trees | nodes | compiler | compile, s | library, MB | all allowed | a third | (sum of answers) |\n"
        "|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < CW_COUNT(specs); i++) {
        cw_rng rng = cw_rng_seed(3);
        cw_error err;
        cw_trees *t;
        char path[512];
        if (random_trees(&specs[i], &rng, &t, &err) != CW_OK) die(err.message);
        for (int r = 0; r < ROWS; r++) random_row(&specs[i], &rng, x + r * COLUMNS);
        snprintf(path, sizeof path, "%s/trees.c", argv[1]);
        write_c(t, path);
        for (int c = 2; c < argc; c++) report(&specs[i], t, argv[1], argv[c], x);
        cw_trees_destroy(t);
    }
    return 0;
}
