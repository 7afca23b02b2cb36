/* bench_choose.c: time of one choice, features included: through emitted C (as shared libraries) and through
 * cw_choose. bench/choose.sh builds the libraries and calls this.
 *     bench_choose MODEL PREFIX [PROBLEMS] LABEL=LIBRARY...
 *
 * 4,096 to 8,192 different problems, of the file PROBLEMS, one a line, or layers of data/nets at several
 * precisions, batches and thread counts, in random order, so that neither the compiler nor the branch
 * predictor can know an answer; answers are summed up and printed. "alone": the next call's argument depends
 * on the last answer, so that calls cannot overlap; "in a row": they may. */
#include "../src/base/base.h"
#include "../src/problem/problem.h"
#include "../include/convwise/tools.h"
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { REPEATS = 41, MOST = 8192 };

typedef int choose_function(const cw_problem *p, const unsigned char *allowed, const char **name);
static const cw_model *model; /* of through_library */

static int through_library(const cw_problem *p, const unsigned char *allowed, const char **name) {
    cw_choice best;
    size_t count;
    (void)allowed;
    if (cw_choose(model, NULL, p, &best, 1, &count, NULL) != CW_OK) return -1;
    *name = best.impl;
    return 0;
}

typedef struct problems {
    cw_problem *p;
    size_t count, capacity;
} problems;

static int by_fields(const void *a, const void *b) {
    return cw_problem_compare(a, b);
}

static void add_layer(problems *all, const cw_layer *layer) {
    static const int32_t batches[] = {1, 2, 4, 8};
    for (int prec = CW_F32; prec <= CW_U8; prec++)
        for (int32_t threads = 1; threads <= 4; threads *= 2)
            for (size_t b = 0; b < CW_COUNT(batches); b++) {
                cw_problem p = cw_layer_problem(layer, (cw_prec)prec, threads, batches[b]);
                if (cw_problem_check(&p, NULL) != CW_OK) continue;
                if (!cw_grow(&all->p, &all->capacity, all->count + 1, sizeof p)) exit(1);
                all->p[all->count++] = p;
            }
}

static problems layers_of(const char *folder) {
    problems all = {0};
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[1024];
        cw_net net;
        if (!strstr(entry->d_name, ".txt")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (cw_net_read(path, &net, NULL) != CW_OK) continue;
        for (size_t i = 0; i < net.count; i++) add_layer(&all, &net.layers[i]);
        cw_net_release(&net);
    }
    if (dir) closedir(dir);
    return all;
}

static problems lines_of(const char *path) {
    problems all = {0};
    char line[512];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        cw_problem p;
        line[strcspn(line, "\n")] = '\0';
        if (cw_problem_parse(line, &p, NULL) != CW_OK) continue;
        if (!cw_grow(&all.p, &all.capacity, all.count + 1, sizeof p)) exit(1);
        all.p[all.count++] = p;
    }
    if (file) fclose(file);
    return all;
}

/* Every different problem, shuffled. */
static problems different(problems all) {
    if (!all.count) return all;
    qsort(all.p, all.count, sizeof *all.p, by_fields);
    size_t kept = 1;
    for (size_t i = 1; i < all.count; i++)
        if (cw_problem_compare(&all.p[i], &all.p[kept - 1]) != 0) all.p[kept++] = all.p[i];
    all.count = kept;
    cw_rng rng = cw_rng_seed(1);
    for (size_t i = kept; i > 1; i--) {
        size_t other = cw_rng_below(&rng, i);
        cw_problem swap = all.p[i - 1];
        all.p[i - 1] = all.p[other];
        all.p[other] = swap;
    }
    if (all.count > MOST) all.count = MOST;
    return all;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds a call, of each round over all problems, ascending. */
static void time_rounds(choose_function *choose, const problems *all, bool alone, double *ns, size_t rounds,
                        uint64_t *sum) {
    for (size_t r = 0; r < rounds; r++) {
        const char *name = "";
        size_t shift = 0; /* stays 0: answers are never negative */
        int64_t start = cw_now_ns();
        for (size_t i = 0; i < all->count; i++) {
            unsigned index = (unsigned)choose(&all->p[i + shift], NULL, &name);
            *sum += index + (unsigned char)name[0];
            if (alone) shift = index >> 31;
        }
        ns[r] = (double)(cw_now_ns() - start) / (double)all->count;
    }
    qsort(ns, rounds, sizeof *ns, by_value);
}

static void report(const char *label, choose_function *choose, const problems *all) {
    for (int alone = 1; alone >= 0; alone--) {
        double ns[REPEATS];
        uint64_t sum = 0;
        time_rounds(choose, all, alone, ns, 3, &sum); /* warm up */
        time_rounds(choose, all, alone, ns, REPEATS, &sum);
        printf("| %s | %s | %.1f | %.1f | %.1f | %llu |\n", label, alone ? "alone" : "in a row",
               ns[REPEATS / 2], ns[REPEATS / 20], ns[REPEATS - 1 - REPEATS / 20], (unsigned long long)sum);
    }
}

int main(int argc, char **argv) {
    cw_error err = {0};
    cw_model *loaded;
    if (argc < 3) return fprintf(stderr, "usage: %s MODEL PREFIX [PROBLEMS] LABEL=LIBRARY...\n", argv[0]), 2;
    int first = argc > 3 && !strchr(argv[3], '=') ? 4 : 3;
    problems all = different(first == 4 ? lines_of(argv[3]) : layers_of("data/nets"));
    if (all.count < 4096)
        return fprintf(stderr, "%zu problems are too few: %s\n", all.count,
                       first == 4 ? argv[3] : "run from the source folder: data/nets is needed"),
               1;
    if (cw_model_load(argv[1], &loaded, &err) != CW_OK) return fprintf(stderr, "%s\n", err.message), 1;
    model = loaded;
    printf("%s of %zu classes; %zu problems, %d rounds; nanoseconds a call\n\n", cw_model_learner(model),
           cw_model_classes(model), all.count, REPEATS);
    printf("| through | calls | median | 5 %% | 95 %% | (sum of answers) |\n|---|---|---|---|---|---|\n");
    for (int i = first; i < argc; i++) {
        char symbol[128], *path = strrchr(argv[i], '=');
        if (!path) return fprintf(stderr, "%s: wanted LABEL=LIBRARY\n", argv[i]), 2;
        *path++ = '\0';
        void *library = dlopen(path, RTLD_NOW);
        snprintf(symbol, sizeof symbol, "%s_choose", argv[2]);
        choose_function *choose = NULL;
        if (library) *(void **)&choose = dlsym(library, symbol);
        if (!choose) return fprintf(stderr, "%s\n", dlerror()), 1;
        report(argv[i], choose, &all);
    }
    report("cw_choose", through_library, &all);
    cw_free(all.p);
    cw_model_free(loaded);
    return 0;
}
