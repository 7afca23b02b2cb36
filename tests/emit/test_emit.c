/* test_emit.c: the emitted file against the model, bit for bit: compiled by gcc and clang without a warning,
 * loaded, and asked for every training row, every neighbouring problem, every threshold and its neighbours,
 * every kind of `allowed`. Layers are those of data/nets; times are made up, since only the arithmetic is at
 * stake. */
#include "../unit/unit.h"
#include "../../include/convwise/tools.h"
#include "../../src/learn/tree.h"
#include "../../src/problem/problem.h"
#include <dirent.h>
#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <unistd.h>

enum { CLASSES = 7 };
static const char *const class_names[CLASSES] = {
    "own.direct",   "own.gemm", "own.winograd_f4x3",       "lib.depthwise",
    "lib.gemm_1x1", "lib.a",    "lib.brg_conv:avx512_core"};

/* ---- Data: real layers, made-up times ---- */

typedef struct rows {
    cw_problem *p;
    size_t count, capacity;
} rows;

static void add_row(rows *all, const cw_problem *p) {
    cw_problem q = *p;
    cw_problem_canonical(&q);
    for (size_t i = 0; i < all->count; i++)
        if (cw_problem_compare(&all->p[i], &q) == 0) return;
    assert_true(cw_grow(&all->p, &all->capacity, all->count + 1, sizeof q));
    all->p[all->count++] = q;
}

static rows all_rows(void) {
    rows all = {0};
    DIR *folder = opendir(CW_SOURCE "/data/nets");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[1024];
        cw_net net;
        cw_error err;
        if (!strstr(entry->d_name, ".txt")) continue;
        snprintf(path, sizeof path, "%s/%s", CW_SOURCE "/data/nets", entry->d_name);
        assert_ok(cw_net_read(path, &net, &err), err);
        for (size_t i = 0; i < net.count; i++)
            for (int prec = CW_F32; prec <= CW_U8; prec++) {
                cw_problem p = cw_layer_problem(&net.layers[i], (cw_prec)prec, 1, 1);
                add_row(&all, &p);
                if (i % 5 != 0) continue; /* what is only imported: depth, directions, other precisions */
                p.id = 8, p.kd = p.kh, p.sd = p.sh, p.dd = p.dh, p.pf = p.pk = p.pt;
                p.dir = (int32_t)(i / 5 % 3), p.layout = CW_NCHW, p.prec = CW_BF16, p.zp = 0;
                if (cw_problem_check(&p, NULL) == CW_OK) add_row(&all, &p);
            }
        cw_net_release(&net);
    }
    closedir(folder);
    assert_true(all.count > 500);
    return all;
}

/* Time of a class: its own law of size and shape, and 30 % of noise, so that an unlimited tree grows large.
 */
static double made_up_time(const cw_problem *p, int c, cw_rng *rng) {
    cw_sizes s;
    cw_problem_sizes(p, &s);
    double macs = (double)s.macs, moved = (double)(s.src_bytes + s.wei_bytes + s.dst_bytes);
    bool winograd = p->kh == 3 && p->kw == 3 && p->sh == 1 && p->g == 1,
         depthwise = p->g > 1 && p->g == p->ic;
    const double times[CLASSES] = {
        macs / 9 + 200,
        macs / 20 + moved * 2 + 3000,
        winograd ? macs / 35 + moved * 3 : NAN,
        depthwise ? moved : NAN,
        p->kh == 1 ? macs / 30 : NAN,
        macs / 25 + (double)s.wei_bytes,
        macs / 22 + (p->prec == CW_U8 ? 0 : 5000),
    };
    return times[c] * exp(0.3 * cw_rng_normal(rng));
}

/* ---- Models ---- */

typedef struct spec {
    const char *name, *learner, *features;
    int max_depth, min_leaf;
} spec;

/* Every learner of the table has a row, or shares emit_c with one that has: see every_learner_takes_part. New
 * ones at the end: tests below name the first three by number. */
static const spec specs[] = {
    {"stump", "tree", "raw", 1, 1},         {"shallow", "tree", "raw", 4, 1},
    {"deep", "tree", "engineered", 0, 1},   {"leafy", "tree", "engineered", 0, 8},
    {"bayes_raw", "bayes", "raw", 0, 1},    {"bayes", "bayes", "engineered", 0, 1},
    {"boost", "boost", "engineered", 3, 8},
};

static void fill_matrix(cw_matrix *m, const rows *all, const cw_feature *const *features, cw_rng *rng) {
    double *x = cw_alloc_n(m->rows * m->columns, sizeof *x),
           *cost = cw_alloc_n(m->rows * m->classes, sizeof *cost),
           *scale = cw_alloc_n(m->rows, sizeof *scale);
    int32_t *y = cw_alloc_n(m->rows, sizeof *y);
    assert_true(x && cost && y && scale);
    for (size_t i = 0; i < m->rows; i++) {
        cw_sizes s;
        cw_problem_sizes(&all->p[i], &s);
        scale[i] = (double)s.macs;
        cw_features_eval(features, m->columns, &all->p[i], x + i * m->columns);
        double *row = cost + i * m->classes;
        for (int c = 0; c < CLASSES; c++) {
            row[c] = made_up_time(&all->p[i], c, rng);
            if (row[c] < row[y[i]]) y[i] = c;
        }
    }
    m->x = x, m->cost = cost, m->y = y, m->scale = scale;
}

static int by_key(const void *a, const void *b) {
    return cw_seen_compare(a, b, CW_KIND_FIELD_COUNT);
}

/* Most of the kinds of the problems, each with a few classes at random; the rest was never seen. */
static cw_seen *made_up_kinds(const rows *all) {
    int32_t(*keys)[CW_KIND_FIELD_COUNT] = cw_alloc_n(all->count, sizeof *keys);
    cw_rng rng = cw_rng_seed(12);
    size_t kinds = 0;
    assert_non_null(keys);
    for (size_t i = 0; i < all->count; i++)
        cw_problem_kind(&all->p[i], i % 4 ? 0 : (int)(i / 4 % 3), keys[i]);
    qsort(keys, all->count, sizeof *keys, by_key);
    for (size_t i = 0; i < all->count; i++)
        if ((i == 0 || by_key(keys[i], keys[i - 1]) != 0) && cw_rng_below(&rng, 6)) kinds++;
    cw_seen *seen = cw_seen_alloc(cw_kind_names, CW_KIND_FIELD_COUNT, kinds, CLASSES);
    assert_true(seen && kinds > 5);
    rng = cw_rng_seed(12);
    for (size_t i = 0, k = 0; i < all->count; i++) {
        if ((i > 0 && by_key(keys[i], keys[i - 1]) == 0) || !cw_rng_below(&rng, 6)) continue;
        memcpy(seen->key + k * CW_KIND_FIELD_COUNT, keys[i], sizeof *keys);
        seen->has[k * CLASSES + k % CLASSES] = 1;
        for (size_t c = 0; c < CLASSES; c++)
            if ((k * 31 + c * 17) % 5 < 2) seen->has[k * CLASSES + c] = 1;
        k++;
    }
    cw_free(keys);
    return seen;
}

static cw_model *make_model(const spec *s, const rows *all) {
    cw_error err;
    cw_rng rng = cw_rng_seed(7);
    cw_model *model = cw_alloc(sizeof *model);
    const cw_feature **features = cw_alloc_n(cw_feature_count, sizeof *features);
    assert_true(model && features);
    model->columns = cw_alloc_n(cw_feature_count, sizeof *model->columns);
    model->classes = cw_alloc_n(CLASSES, sizeof *model->classes);
    model->static_rank = cw_alloc_n(CLASSES, sizeof *model->static_rank);
    for (size_t i = 0; i < cw_feature_count; i++)
        if (cw_features[i].sets & cw_feature_set(s->features)) {
            features[model->column_count] = &cw_features[i];
            model->columns[model->column_count++] = cw_strdup(cw_features[i].name);
        }
    model->bound = (const void **)features;
    model->class_count = CLASSES;
    for (int c = 0; c < CLASSES; c++)
        model->classes[c] = cw_strdup(class_names[c]), model->static_rank[c] = (c * 3 + 2) % CLASSES;
    model->feature_set = cw_strdup(s->features);
    model->machine = cw_strdup("*/ #error \\"); /* text of a file that means harm */
    model->cpu = cw_strdup("/* \xc3\xa4?\?/");
    model->data_hash = cw_strdup("0"), model->tool_version = cw_strdup(cw_version()),
    model->settings = cw_strdup("");
    model->rows = all->count;
    if ((s - specs) % 3 != 2) model->seen = made_up_kinds(all);
    model->validation =
        json_pack("{s:{s:f, s:i}, s:s}", "*/", "regret", 0.01, "layers", 3, "split", "*/ \\n");
    model->learner = cw_learner_find(s->learner);
    assert_non_null(model->learner);
    cw_matrix m = {.rows = all->count, .columns = model->column_count, .classes = CLASSES};
    fill_matrix(&m, all, features, &rng);
    cw_learn_options options = model->learner->defaults;
    options.max_depth = s->max_depth;
    options.min_leaf = s->min_leaf;
    if (options.trees) options.trees = 3;
    options.seed = 1;
    assert_ok(model->learner->train(&m, &options, &model->state, &err), err);
    static const char *const by_order[] = {"f32 1x1", "u8 3x3s1", "bf16 other"};
    json_t *groups = json_array();
    for (size_t i = 0; i < CW_COUNT(by_order); i++) {
        model->static_groups |= 1U << cw_shape_group_find(by_order[i]);
        json_array_append_new(groups, json_pack("{s:s, s:b}", "group", by_order[i], "static", 1));
    }
    model->no_harm = json_pack("{s:o}", "groups", groups);
    cw_free((void *)(uintptr_t)m.x), cw_free((void *)(uintptr_t)m.cost), cw_free((void *)(uintptr_t)m.y);
    cw_free((void *)(uintptr_t)m.scale);
    return model;
}

/* ---- Emitting and compiling ---- */

static char folder[64]; /* made by setup */

static void write_text(const char *name, const char *text) {
    char path[256];
    cw_error err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(cw_write_file(path, text, strlen(text), &err), err);
}

static void emit(const cw_model *model, const char *name, bool self_test) {
    cw_error err;
    char *text, file[64];
    cw_emit_options options = {.prefix = name, .self_test = self_test};
    assert_ok(cw_emit_c(model, &options, &text, &err), err);
    snprintf(file, sizeof file, "%s.c", name);
    write_text(file, text);
    cw_free(text);
    char wrapper[256]; /* static functions are reachable from the same unit */
    snprintf(wrapper, sizeof wrapper,
             "#include \"%s.c\"\nint test_pick(const double *x, const unsigned char *allowed);\n"
             "int test_pick(const double *x, const unsigned char *allowed) { return %s_pick(x, allowed); }\n",
             name, name);
    snprintf(file, sizeof file, "%s_pick.c", name);
    write_text(file, wrapper);
}

/* Runs a shell command in the folder; 0 = done. */
static int shell(const char *format, ...) {
    char command[1024], whole[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "cd %s && %s", folder, command);
    return system(whole);
}

#define STRICT "-Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -pedantic -Werror"
static const char *const compilers[] = {
    "gcc -std=c99 -O0",
    "gcc -std=c99 -O2",
    "gcc -std=gnu99 -O3 -march=native", /* where both fuse a*b+c unless told not to */
    "clang -std=c99 -O0",
    "clang -std=c99 -O2",
    "clang -std=gnu99 -O3 -march=native",
};

typedef int pick_function(const double *x, const unsigned char *allowed);
typedef int choose_function(const cw_problem *p, const unsigned char *allowed, const char **name);

typedef struct compiled {
    void *library;
    pick_function *pick;
    choose_function *choose;
} compiled;

static compiled load(const char *name, size_t compiler) {
    char path[256], symbol[64];
    if (shell("%s " STRICT " -shared -fPIC -o %s_%zu.so %s_pick.c", compilers[compiler], name, compiler,
              name) != 0)
        fail_msg("%s does not compile %s/%s.c", compilers[compiler], folder, name);
    snprintf(path, sizeof path, "%s/%s_%zu.so", folder, name, compiler);
    compiled c = {.library = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (!c.library) fail_msg("%s", dlerror());
    snprintf(symbol, sizeof symbol, "%s_choose", name);
    *(void **)&c.pick = dlsym(c.library, "test_pick");
    *(void **)&c.choose = dlsym(c.library, symbol);
    assert_true(c.pick && c.choose);
    return c;
}

/* ---- The comparison ---- */

/* The contract, said plainly: smallest cost among the allowed, ties by static rank. */
static int expected_pick(const cw_model *model, const double *x, const unsigned char *allowed) {
    double cost[CLASSES];
    int best = -1;
    model->learner->predict(model->state, x, cost, NULL, NULL);
    for (int c = 0; c < CLASSES; c++) {
        if (allowed && !allowed[c]) continue;
        if (best < 0 || cost[c] < cost[best] ||
            (cost[c] == cost[best] && model->static_rank[c] < model->static_rank[best]))
            best = c;
    }
    return best;
}

typedef struct check {
    const cw_model *model;
    const compiled *c;
    const rows *all;
    cw_rng rng;
    size_t asked, wrong;
    double x[CW_MODEL_MOST]; /* a row that thresholds are put into */
} check;

static void random_mask(check *k, unsigned char *allowed) {
    uint64_t bits = cw_rng_next(&k->rng) & cw_rng_next(&k->rng); /* a quarter of the classes */
    for (int c = 0; c < CLASSES; c++) allowed[c] = (unsigned char)(bits >> c & 1 ? 1 + c * 40 : 0);
}

static void ask_pick(check *k, const double *x) {
    unsigned char masks[4][CLASSES] = {{0}};
    random_mask(k, masks[0]);
    random_mask(k, masks[1]);
    masks[2][cw_rng_below(&k->rng, CLASSES)] = 1;
    for (int i = -1; i < 4; i++) { /* the last allows nothing */
        const unsigned char *allowed = i < 0 ? NULL : masks[i];
        k->asked++;
        k->wrong += k->c->pick(x, allowed) != expected_pick(k->model, x, allowed);
    }
}

static bool reaches(const cw_tree *tree, const double *x, const cw_tree_node *wanted) {
    const cw_tree_node *node = tree->node;
    while (node < wanted && node->column >= 0) {
        const double at = (double)(float)x[node->column];
        node = at <= node->threshold ? node + 1 : tree->node + node->next;
    }
    return node == wanted;
}

/* The row in k->x, with a column at the threshold and its neighbours, as doubles and as floats. */
static void ask_at(check *k, int32_t column, double value) {
    const double values[] = {value,
                             nextafter(value, -INFINITY),
                             nextafter(value, INFINITY),
                             (double)(float)value,
                             (double)nextafterf((float)value, -INFINITY),
                             (double)nextafterf((float)value, INFINITY)};
    double before = k->x[column];
    for (size_t i = 0; i < CW_COUNT(values); i++) {
        k->x[column] = values[i];
        ask_pick(k, k->x);
    }
    k->x[column] = before;
}

/* Every threshold of a tree, by rows that come by it; returns how many there are. */
static size_t ask_thresholds(check *k) {
    enum { ROWS = 8 };
    const cw_feature *const *features = (const cw_feature *const *)k->model->bound;
    const cw_tree *tree = k->model->state;
    size_t thresholds = 0;
    for (size_t n = 0; n < tree->nodes; n++) {
        const cw_tree_node *node = &tree->node[n];
        if (node->column < 0) continue;
        int came = 0;
        for (size_t i = 0; i < k->all->count && came < ROWS; i++) {
            cw_features_eval(features, k->model->column_count, &k->all->p[i], k->x);
            if (!reaches(tree, k->x, node)) continue;
            came++;
            ask_at(k, node->column, node->threshold);
            ask_at(k, node->column, cw_tree_boundary(node->threshold));
        }
        assert_true(came >= 2); /* a threshold splits training rows */
        thresholds++;
    }
    return thresholds;
}

/* Points next to where the answer turns, on lines between rows of different answers: found by halving until
 * two neighbouring doubles remain. There the last bit of a sum decides. */
static void ask_borders(check *k) {
    const cw_feature *const *features = (const cw_feature *const *)k->model->bound;
    size_t columns = k->model->column_count;
    for (int found = 0; found < 300;) {
        double a[CW_MODEL_MOST], b[CW_MODEL_MOST], lo = 0, hi = 1;
        cw_features_eval(features, columns, &k->all->p[cw_rng_below(&k->rng, k->all->count)], a);
        cw_features_eval(features, columns, &k->all->p[cw_rng_below(&k->rng, k->all->count)], b);
        int first = expected_pick(k->model, a, NULL);
        if (expected_pick(k->model, b, NULL) == first) continue;
        found++;
        for (double t = 0.5; lo < t && t < hi; t = (lo + hi) / 2) {
            for (size_t i = 0; i < columns; i++) k->x[i] = a[i] + t * (b[i] - a[i]);
            *(expected_pick(k->model, k->x, NULL) == first ? &lo : &hi) = t;
        }
        double t = lo;
        for (int step = 0; step < 16; step++) t = nextafter(t, 0);
        for (int step = 0; step < 32; step++, t = nextafter(t, 1)) {
            for (size_t i = 0; i < columns; i++) k->x[i] = a[i] + t * (b[i] - a[i]);
            ask_pick(k, k->x);
        }
    }
}

/* With a mask: the first of the library's whole ranking that is allowed. */
static void ask_allowed(check *k, const cw_problem *p) {
    unsigned char allowed[CLASSES];
    cw_choice ranking[CLASSES];
    size_t count, i = 0;
    const char *name = "untouched";
    random_mask(k, allowed);
    k->c->choose(p, allowed, &name);
    k->asked++;
    assert_int_equal(cw_choose(k->model, NULL, p, ranking, CLASSES, &count, NULL), CW_OK);
    assert_int_equal(count, CLASSES);
    for (; i < count; i++) {
        size_t c = 0;
        while (strcmp(class_names[c], ranking[i].impl) != 0) c++;
        if (allowed[c]) break;
    }
    k->wrong += i == count ? name != NULL : !name || strcmp(name, ranking[i].impl) != 0;
}

static void ask_choose(check *k, const cw_problem *p) {
    const char *name = "untouched";
    cw_choice best;
    size_t count;
    bool valid = cw_problem_check(p, NULL) == CW_OK;
    int index = k->c->choose(p, NULL, &name);
    k->asked++;
    if (!valid) {
        k->wrong += index != -1 || name;
        return;
    }
    assert_int_equal(cw_choose(k->model, NULL, p, &best, 1, &count, NULL), CW_OK);
    k->wrong += index < 0 || !name || strcmp(name, best.impl) != 0 || strcmp(name, class_names[index]) != 0;
    ask_allowed(k, p);
}

/* A problem, and it with each field one up, one down, and at the ends of what fits in it. */
static void ask_around(check *k, const cw_problem *p) {
    static const int32_t ends[] = {
        0, -1, INT32_MIN, INT32_MAX, CW_DIM_MAX, CW_DIM_MAX + 1, CW_THREADS_MAX + 1};
    ask_choose(k, p);
#define X(field)                                                                                             \
    for (int32_t step = -1; step <= 1; step += 2) {                                                          \
        cw_problem q = *p;                                                                                   \
        q.field += step;                                                                                     \
        ask_choose(k, &q);                                                                                   \
    }
    CW_PROBLEM_FIELDS(X)
#undef X
    if (cw_rng_below(&k->rng, 8)) return;
#define X(field)                                                                                             \
    for (size_t i = 0; i < CW_COUNT(ends); i++) {                                                            \
        cw_problem q = *p;                                                                                   \
        q.field = ends[i];                                                                                   \
        ask_choose(k, &q);                                                                                   \
    }
    CW_PROBLEM_FIELDS(X)
#undef X
}

/* Everything at the edge of 2^31 elements, and of 64 bits. */
static void ask_large(check *k) {
    for (int i = 0; i < 3000; i++) {
        cw_problem p = {.mb = 1, .g = 1, .sh = 1, .sw = 1, .threads = 1};
        int32_t *const fields[] = {&p.mb, &p.g, &p.ic, &p.ih, &p.iw, &p.oc, &p.kh, &p.kw};
        for (size_t f = 0; f < CW_COUNT(fields); f++)
            *fields[f] = (int32_t)(cw_rng_below(&k->rng, 2) ? 1 + cw_rng_below(&k->rng, 8)
                                                            : (uint64_t)1 << cw_rng_below(&k->rng, 21));
        if (i % 2) p.g = 1;
        ask_choose(k, &p);
    }
}

static check compare(const cw_model *model, const compiled *c, const rows *all) {
    check k = {.model = model, .c = c, .all = all, .rng = cw_rng_seed(3)};
    assert_true(model->column_count <= CW_COUNT(k.x));
    for (size_t i = 0; i < all->count; i++) {
        cw_features_eval((const cw_feature *const *)model->bound, model->column_count, &all->p[i], k.x);
        ask_pick(&k, k.x);
        ask_around(&k, &all->p[i]);
    }
    if (strcmp(model->learner->name, "tree") == 0)
        assert_int_equal(ask_thresholds(&k), (model->learner->size(model->state) - 1) / 2);
    ask_borders(&k);
    ask_large(&k);
    return k;
}

/* ---- Tests ---- */

static void test_emit__every_learner_takes_part(void **state) {
    (void)state;
    for (size_t l = 0; cw_learner_table[l]; l++) {
        bool found = false;
        for (size_t s = 0; s < CW_COUNT(specs); s++)
            if (cw_learner_find(specs[s].learner)->emit_c == cw_learner_table[l]->emit_c) found = true;
        if (!found) fail_msg("specs has no row of what emits the learner %s", cw_learner_table[l]->name);
    }
}

static void test_emit__equals_the_model_everywhere(void **state) {
    rows *all = *state;
    for (size_t s = 0; s < CW_COUNT(specs); s++) {
        cw_model *model = make_model(&specs[s], all);
        emit(model, specs[s].name, true);
        for (size_t i = 0; i < CW_COUNT(compilers); i++) {
            compiled c = load(specs[s].name, i);
            check k = compare(model, &c, all);
            if (k.wrong)
                fail_msg("%s, %s: %zu of %zu answers differ", specs[s].name, compilers[i], k.wrong, k.asked);
            if (i == 0)
                print_message("%s: size %zu, %zu questions\n", specs[s].name,
                              model->learner->size(model->state), k.asked);
            dlclose(c.library);
        }
        cw_model_free(model);
    }
}

static void test_emit__is_one_function_that_needs_nothing(void **state) {
    (void)state;
    for (size_t s = 0; s < CW_COUNT(specs); s++)
        for (size_t i = 0; i < CW_COUNT(compilers); i++) {
            const char *name = specs[s].name;
            assert_int_equal(shell("%s " STRICT " -c -o one.o %s.c", compilers[i], name), 0);
            assert_int_equal(shell("test -z \"$(nm -u one.o)\""), 0);
            assert_int_equal(
                shell("test \"$(nm -g --defined-only one.o | cut -d' ' -f3)\" = %s_choose", name), 0);
            /* nor anything to write to */
            assert_int_equal(shell("! objdump -t one.o | grep -qE ' O [.](data|bss)[[:space:]]'"), 0);
        }
}

static void test_emit__tests_itself(void **state) {
    (void)state;
    for (size_t s = 0; s < CW_COUNT(specs); s++) {
        const char *name = specs[s].name;
        assert_int_equal(shell("gcc -std=c99 " STRICT " -D%s_SELF_TEST -o self %s.c && ./self", name, name),
                         0);
    }
    /* And notices: one answer changed. */
    assert_int_equal(shell("sed -n '/_vectors/,$p' deep.c | grep -q '}, 1},'"), 0);
    assert_int_equal(shell("sed '/_vectors/,$s/}, 1},/}, 0},/' deep.c > bent.c && gcc -std=c99 "
                           "-Ddeep_SELF_TEST -o self bent.c "
                           "&& ! ./self"),
                     0);
}

static void test_emit__refuses_arithmetic_that_would_differ(void **state) {
    (void)state;
    assert_int_not_equal(shell("gcc -std=c99 -O2 -ffast-math -c -o fast.o deep.c 2>/dev/null"), 0);
    assert_int_not_equal(shell("clang -std=c99 -O2 -ffast-math -c -o fast.o deep.c 2>/dev/null"), 0);
    assert_int_not_equal(shell("gcc -std=c99 -mfpmath=387 -c -o x87.o deep.c 2>/dev/null"), 0);
}

static void test_emit__comparison_notices_a_moved_threshold(void **state) {
    rows *all = *state;
    cw_error err;
    cw_model *model = make_model(&specs[2], all), *moved;
    json_t *json = cw_model_to_json(model), *nodes = json_object_get(json_object_get(json, "state"), "nodes");
    assert_non_null(nodes);
    json_t *node = json_array_get(nodes, 0);
    double threshold = json_number_value(json_array_get(node, 1));
    json_array_set_new(node, 1, json_real((double)nextafterf((float)threshold, INFINITY)));
    char *text = json_dumps(json, 0);
    assert_ok(cw_model_parse(text, strlen(text), "moved", &moved, &err), err);
    emit(moved, "moved", false);
    compiled c = load("moved", 1);
    assert_true(compare(moved, &c, all).wrong == 0);
    assert_true(compare(model, &c, all).wrong > 0);
    dlclose(c.library);
    free(text);
    json_decref(json);
    cw_model_free(moved);
    cw_model_free(model);
}

static void test_emit__is_the_same_from_a_loaded_model(void **state) {
    rows *all = *state;
    cw_error err;
    for (size_t s = 0; s < CW_COUNT(specs); s++) {
        cw_model *model = make_model(&specs[s], all), *again;
        char *json, *a, *b;
        assert_ok(cw_model_json(model, &json, &err), err);
        assert_ok(cw_model_parse(json, strlen(json), "again", &again, &err), err);
        assert_ok(cw_emit_c(model, NULL, &a, &err), err);
        assert_ok(cw_emit_c(again, NULL, &b, &err), err);
        assert_string_equal(a, b);
        cw_free(json), cw_free(a), cw_free(b);
        cw_model_free(again);
        cw_model_free(model);
    }
}

static void test_emit__header_serves_callers(void **state) {
    rows *all = *state;
    cw_error err;
    cw_model *model = make_model(&specs[1], all);
    cw_emit_options options = {.prefix = "shallow", .header = true};
    char *text;
    assert_ok(cw_emit_c(model, &options, &text, &err), err);
    write_text("shallow.h", text);
    cw_free(text);
    write_text("caller.c", "#include \"shallow.h\"\n#include \"shallow.h\"\n"
                           "int main(void) {\n    shallow_problem p = {.mb = 1, .g = 1, .ic = 64, .ih = 56, "
                           ".iw = 56, .oc = 64, .kh = 3, .kw = 3, .sh = 1, .sw = 1, .threads = 1};\n"
                           "    return shallow_choose(&p, 0, 0) < 0;\n}\n");
    assert_int_equal(shell("gcc -std=c99 " STRICT " -o caller caller.c shallow.c && ./caller"), 0);
    assert_int_equal(shell("clang -std=c99 " STRICT " -o caller caller.c shallow.c && ./caller"), 0);
    cw_model_free(model);
}

static void test_emit__wants_an_identifier(void **state) {
    rows *all = *state;
    static const char *const bad[] = {
        "",   "1a", "a-b",      "a b",
        "_x", "a;", "\xc3\xa4", "a234567890123456789012345678901234567890123456789012345678901234"};
    cw_error err;
    char *text;
    cw_model *model = make_model(&specs[0], all);
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        cw_emit_options options = {.prefix = bad[i]};
        assert_refused(cw_emit_c(model, &options, &text, &err), CW_INVALID, err, "identifier");
    }
    cw_model_free(model);
}

static void test_emit__survives_lack_of_memory(void **state) {
    rows *all = *state;
    cw_model *model = make_model(&specs[1], all);
    cw_status status = CW_NO_MEMORY;
    int failed = 0;
    for (long n = 1; status != CW_OK && n < 1000; n++) {
        char *text = NULL;
        cw_alloc_fail_at(n);
        status = cw_emit_c(model, NULL, &text, NULL);
        cw_alloc_fail_at(0);
        failed += status == CW_NO_MEMORY;
        cw_free(text);
    }
    assert_int_equal(status, CW_OK);
    assert_true(failed > 3);
    cw_model_free(model);
}

static int setup(void **state) {
    static rows all;
    strcpy(folder, "emit-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    char here[4096];
    if (!getcwd(here, sizeof here)) return -1;
    all = all_rows();
    *state = &all;
    return 0;
}

static int teardown(void **state) {
    cw_free(((rows *)*state)->p);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void) {
    if (system("gcc --version >/dev/null 2>&1 && clang --version >/dev/null 2>&1") != 0) {
        puts("SKIP: needs gcc and clang");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emit__every_learner_takes_part),
        cmocka_unit_test(test_emit__equals_the_model_everywhere),
        cmocka_unit_test(test_emit__is_one_function_that_needs_nothing),
        cmocka_unit_test(test_emit__tests_itself),
        cmocka_unit_test(test_emit__refuses_arithmetic_that_would_differ),
        cmocka_unit_test(test_emit__comparison_notices_a_moved_threshold),
        cmocka_unit_test(test_emit__is_the_same_from_a_loaded_model),
        cmocka_unit_test(test_emit__header_serves_callers),
        cmocka_unit_test(test_emit__wants_an_identifier),
        cmocka_unit_test(test_emit__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
