/* test_model.c: model files: what is written reads back bit for bit, and nothing malformed is accepted. */
#include "unit.h"
#include "include/convwise/tools.h"
#include "src/learn/learn.h"
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 200, COLUMNS = 3, CLASSES = 4 };

/* A model of each learner, trained on seeded rows with values that have no short decimal form. */
static cw_model *make_model(const char *learner) {
    static const char *const columns[] = {"ic", "oh", "kh"}, *const classes[] = {"own.direct", "own.gemm",
                                                                                 "b:c", "d"};
    double x[ROWS * COLUMNS], cost[ROWS * CLASSES], scale[ROWS];
    int32_t y[ROWS];
    cw_rng rng = cw_rng_seed(9);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t c = 0; c < COLUMNS; c++) x[r * COLUMNS + c] = cw_rng_normal(&rng) / 3;
        y[r] = (x[r * COLUMNS] > 0.1) + 2 * (x[r * COLUMNS + 1] + cw_rng_normal(&rng) / 4 > 0.2);
        if (y[r] == 3) y[r] = 1; /* the last class is never fastest */
        for (size_t c = 0; c < CLASSES; c++)
            cost[r * CLASSES + c] = c == 2 ? NAN : 1e5 * (1 + cw_rng_uniform(&rng));
        scale[r] = 1000 / 3.0;
    }
    cw_error err;
    cw_model *m = cw_alloc(sizeof *m);
    m->learner = cw_learner_find(learner);
    cw_matrix matrix = {ROWS, COLUMNS, CLASSES, x, y, cost, scale, NULL, NULL};
    cw_learn_options options = m->learner->defaults;
    if (options.min_leaf) options.min_leaf = 2;
    if (options.trees) options.trees = 5;
    assert_ok(m->learner->train(&matrix, &options, &m->state, &err), err);
    m->column_count = COLUMNS;
    m->class_count = CLASSES;
    m->columns = cw_alloc_n(COLUMNS, sizeof *m->columns);
    m->classes = cw_alloc_n(CLASSES, sizeof *m->classes);
    m->static_rank = cw_alloc_n(CLASSES, sizeof *m->static_rank);
    for (size_t c = 0; c < COLUMNS; c++) m->columns[c] = cw_strdup(columns[c]);
    for (size_t c = 0; c < CLASSES; c++) {
        m->classes[c] = cw_strdup(classes[c]);
        m->static_rank[c] = (int32_t)((c + 2) % CLASSES);
    }
    m->feature_set = cw_strdup("raw");
    m->machine = cw_strdup("0123456789abcdef");
    m->cpu = cw_strdup("CPU \"quoted\" \\ and µ");
    m->data_hash = cw_strdup("");
    m->tool_version = cw_strdup("0.1.0");
    m->settings = cw_strdup("min_leaf 2");
    m->rows = ROWS;
    m->validation = json_pack("{s:f, s:[i, n]}", "accuracy", 1 / 3.0, "folds", 5);
    return m;
}

static cw_model *reread(const char *text) {
    cw_error err;
    cw_model *m = NULL;
    assert_ok(cw_model_from_text(text, strlen(text), "m.json", &m, &err), err);
    return m;
}

static void test_model__table_and_names_agree(void **unused) {
    (void)unused;
    size_t i = 0;
    for (; cw_learner_table[i]; i++) {
        assert_string_equal(cw_learners()[i], cw_learner_table[i]->name);
        assert_ptr_equal(cw_learner_find(cw_learners()[i]), cw_learner_table[i]);
    }
    assert_null(cw_learners()[i]);
    assert_null(cw_learner_find("no such learner"));
}

static void test_model__round_trip_is_bit_exact(void **unused) {
    (void)unused;
    for (size_t l = 0; cw_learner_table[l]; l++) {
        cw_error err;
        char *first, *second;
        cw_model *m = make_model(cw_learner_table[l]->name);
        assert_ok(cw_model_json(m, &first, &err), err);
        cw_model *back = reread(first);
        assert_ok(cw_model_json(back, &second, &err), err);
        assert_string_equal(first, second);
        assert_string_equal(cw_model_learner(back), cw_learner_table[l]->name);
        assert_int_equal(cw_model_classes(back), CLASSES);
        assert_string_equal(cw_model_class(back, 2), "b:c");
        assert_null(cw_model_class(back, CLASSES));
        assert_memory_equal(back->static_rank, m->static_rank, CLASSES * sizeof(int32_t));
        assert_string_equal(back->cpu, m->cpu);
        cw_rng rng = cw_rng_seed(10);
        for (int i = 0; i < 500; i++) {
            double x[COLUMNS], a[3][CLASSES], b[3][CLASSES];
            for (size_t c = 0; c < COLUMNS; c++) x[c] = cw_rng_normal(&rng);
            m->learner->predict(m->state, x, a[0], a[1], a[2]);
            back->learner->predict(back->state, x, b[0], b[1], b[2]);
            assert_memory_equal(a[0], b[0], sizeof a[0]);
            assert_memory_equal(a[1], b[1], sizeof a[1]);
            for (size_t c = 0; c < CLASSES; c++)
                assert_true(a[2][c] == b[2][c] || (isnan(a[2][c]) && isnan(b[2][c])));
        }
        cw_free(first);
        cw_free(second);
        cw_model_free(back);
        cw_model_free(m);
    }
}

static void test_model__same_data_same_bytes(void **unused) {
    (void)unused;
    for (size_t l = 0; cw_learner_table[l]; l++) {
        cw_error err;
        char *text[2];
        for (int i = 0; i < 2; i++) {
            cw_model *m = make_model(cw_learner_table[l]->name);
            assert_ok(cw_model_json(m, &text[i], &err), err);
            cw_model_free(m);
        }
        assert_string_equal(text[0], text[1]);
        cw_free(text[0]);
        cw_free(text[1]);
    }
}

static void test_model__save_writes_what_json_says_or_nothing(void **unused) {
    (void)unused;
    cw_error err;
    char *text, *file, path[] = "test_model.XXXXXX";
    size_t size;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    cw_model *m = make_model("tree");
    assert_ok(cw_model_save(m, path, &err), err);
    assert_ok(cw_model_json(m, &text, &err), err);
    assert_ok(cw_read_file(path, 1 << 20, &file, &size, &err), err);
    assert_string_equal(text, file);
    assert_refused(cw_model_save(m, "no/such/folder/m.json", &err), CW_IO, err, "no/such/folder/m.json");
    unlink(path);
    cw_free(text);
    cw_free(file);
    cw_model_free(m);
}

static void test_model__free_accepts_null(void **unused) {
    (void)unused;
    cw_model_free(NULL);
}

/* ---- Malformed files: a good one with one piece replaced ---- */

#define HEAD "{\"format\":\"convwise-model\",\"version\":1,\"learner\":\"tree\","
#define PROVENANCE                                                                                           \
    "\"provenance\":{\"feature_set\":\"raw\",\"machine\":\"m\",\"cpu\":\"c\",\"data_hash\":\"h\",\"tool_"    \
    "version\":"                                                                                             \
    "\"1\",\"settings\":\"s\",\"rows\":3},"
#define MIDDLE                                                                                               \
    "\"features\":[\"ic\",\"oc\"],\"classes\":[\"a\",\"b\"],\"static_order\":[1,0]," PROVENANCE              \
    "\"validation\":null,"
#define STUMP "[1,4.5,2],{\"counts\":[2,0]},{\"counts\":[0,1]}"
static const char good_tree[] = HEAD MIDDLE "\"state\":{\"nodes\":[" STUMP "]}}";
static const char good_bayes[] =
    "{\"format\":\"convwise-model\",\"version\":1,\"learner\":\"bayes\"," MIDDLE
    "\"state\":{\"counts\":[3,0],\"mean\":[[1.5,2],null],\"variance\":[[1,0.5],null]}}";

typedef struct malformed {
    const char *find, *put, *says;
} malformed;

static void check_malformed(const char *good, const malformed *cases, size_t count) {
    cw_model_free(reread(good));
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(good, cases[i].find);
        if (!at) fail_msg("case %zu: \"%s\" is not in the good file", i, cases[i].find);
        cw_buf text = {0};
        cw_buf_printf(&text, "%.*s%s%s", (int)(at - good), good, cases[i].put, at + strlen(cases[i].find));
        cw_error err;
        cw_model *m = NULL;
        cw_status status = cw_model_from_text(text.text, text.length, "m.json", &m, &err);
        if (status != CW_FORMAT) fail_msg("case %zu, %s: %s", i, cases[i].put, cw_status_name(status));
        if (!strstr(err.message, cases[i].says) || strncmp(err.message, "m.json:", 7) != 0)
            fail_msg("case %zu: \"%s\" does not mention \"%s\"", i, err.message, cases[i].says);
        assert_null(m);
        cw_buf_release(&text);
    }
}

#define NAME95                                                                                               \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_model__malformed_head_is_refused(void **unused) {
    (void)unused;
    static const malformed cases[] = {
        {"{\"format\"", "", "m.json:1:1: not a model"},
        {"\"version\":1", "\"version\":1,\n\"x\" 3", "m.json:2:"},
        {"\"version\":1", "\"version\":1,\"version\":1", "duplicate"},
        {"convwise-model", "other", "not a model: \"format\""},
        {"\"convwise-model\"", "17", "not a model: \"format\""},
        {"\"version\":1", "\"version\":3", "version 3 of the model format"},
        {"\"version\":1", "\"version\":1.0", "version: must be"},
        {"\"version\":1,", "", "version: must be"},
        {"\"tree\"", "\"no such\"", "learner: \"no such\" is unknown"},
        {"\"tree\"", "null", "learner: must be"},
        {"\"tree\"", "\"a\\nb\"", "learner: must be"},
        {"[\"ic\",\"oc\"]", "[]", "features: must be"},
        {"[\"ic\",\"oc\"]", "\"ic\"", "features: must be"},
        {"\"features\"", "\"f\"", "features: must be"},
        {"[\"ic\",\"oc\"]", "[\"ic\",7]", "features[1]"},
        {"[\"ic\",\"oc\"]", "[\"ic\",\"ic\"]", "features: \"ic\" is there twice"},
        {"[\"a\",\"b\"]", "[\"a\",\"\"]", "classes[1]"},
        {"[\"a\",\"b\"]", "[\"a\",\"b\\\"\"]", "classes[1]"},
        {"[\"a\",\"b\"]", "[\"a\",\"b\\\\\"]", "classes[1]"},
        {"[\"a\",\"b\"]", "[\"a\",\"*/\"]", "classes[1]"},
        {"[\"a\",\"b\"]", "[\"a\",\"b\\u0007\"]", "classes[1]"},
        {"[\"a\",\"b\"]", "[\"a\",\"b\\u0000\"]", "m.json:1:"},
        {"[\"a\",\"b\"]", "[\"a\",\"µ\"]", "classes[1]"},
        {"[\"a\",\"b\"]", "[\"a\",\"" NAME95 "x\"]", "classes[1]"},
        {"[\"a\",\"b\"]", "[\"a\",\"b\",\"c\"]", "static_order: must be a list of 3"},
        {"[1,0]", "[1]", "static_order: must be a list of 2"},
        {"[1,0]", "[1,1]", "static_order[1]"},
        {"[1,0]", "[1,2]", "static_order[1]"},
        {"[1,0]", "[-1,0]", "static_order[0]"},
        {"[1,0]", "[1,0.0]", "static_order[1]"},
        {"\"provenance\":{", "\"provenance\":null,\"p\":{", "provenance: must be"},
        {"\"cpu\":\"c\",", "", "provenance.cpu"},
        {"\"cpu\":\"c\"", "\"cpu\":3", "provenance.cpu"},
        {"\"cpu\":\"c\"", "\"cpu\":\"\\n\"", "provenance.cpu"},
        {"\"rows\":3", "\"rows\":-3", "provenance.rows"},
        {"\"rows\":3", "\"rows\":\"3\"", "provenance.rows"},
        {"\"validation\":null", "\"validation\":[]", "validation: must be"},
        {"\"state\":{", "\"state\":null,\"s\":{", "state: must be"},
    };
    check_malformed(good_tree, cases, CW_COUNT(cases));
}

static void test_model__malformed_tree_is_refused(void **unused) {
    (void)unused;
    static const malformed cases[] = {
        {"\"nodes\"", "\"n\"", "state.nodes: must be"},
        {STUMP, "", "state.nodes: must be"},
        {STUMP, "7", "state.nodes[0]: must be a list or an object"},
        {"[1,4.5,2]", "[1,4.5]", "state.nodes[0]: must be [column"},
        {"[1,4.5,2]", "[1,4.5,2,3]", "state.nodes[0]: must be [column"},
        {"[1,4.5,2]", "[1,\"4.5\",2]", "state.nodes[0]: must be [column"},
        {"[1,4.5,2]", "[1,4.5,2.0]", "state.nodes[0]: must be [column"},
        {"[1,4.5,2]", "[2,4.5,2]", "state.nodes[0]: column 2"},
        {"[1,4.5,2]", "[-1,4.5,2]", "state.nodes[0]: column -1"},
        {"[1,4.5,2]", "[1,1e39,2]", "beyond a float"},
        {"[1,4.5,2]", "[1,1e999,2]", "m.json:1:"},
        {"[1,4.5,2]", "[1,NaN,2]", "m.json:1:"},
        {"[1,4.5,2]", "[1,4.5,0]", "right child 0"},
        {"[1,4.5,2]", "[1,4.5,1]", "right child 1"},
        {"[1,4.5,2]", "[1,4.5,3]", "right child 3"},
        {"[1,4.5,2]", "[1,4.5,-2]", "right child -2"},
        {"[1,4.5,2]", "[1,4.5,4294967298]", "right child 4294967298"},
        {"[1,4.5,2],", "", "state.nodes[0]: not a tree"}, /* a leaf, then more nodes */
        {",{\"counts\":[0,1]}", "", "right child 2"},     /* cut off */
        {"{\"counts\":[2,0]}", "[0,1,3],{\"counts\":[2,0]}",
         "state.nodes[3]: not a tree"}, /* two wait for one */
        {"{\"counts\":[0,1]}", "[0,1,4],{\"counts\":[0,1]}", "right child 4"},
        {"{\"counts\":[0,1]}", "{\"counts\":[0,1]},{\"counts\":[0,1]}", "state.nodes[2]: not a tree"},
        {"{\"counts\":[2,0]}", "{}", "state.nodes[1]: counts"},
        {"{\"counts\":[2,0]}", "{\"counts\":[2]}", "state.nodes[1]: counts"},
        {"{\"counts\":[2,0]}", "{\"counts\":[2,-1]}", "state.nodes[1]: counts[1]"},
        {"{\"counts\":[2,0]}", "{\"counts\":[2,0.5]}", "state.nodes[1]: counts[1]"},
        {"{\"counts\":[2,0]}", "{\"counts\":[9223372036854775807,1]}", "state.nodes[1]: counts[0]"},
        {"{\"counts\":[2,0]}", "{\"counts\":[0,0]}", "a leaf without rows"},
        {"{\"counts\":[2,0]}", "{\"counts\":[2,0],\"log_ns_per_unit\":[1,null]}", "all leaves or none"},
        {"{\"counts\":[2,0]}", "{\"counts\":[2,0],\"log_ns_per_unit\":[1]}", "log_ns_per_unit must be"},
        {"{\"counts\":[2,0]}", "{\"counts\":[2,0],\"log_ns_per_unit\":[1,800]}", "log_ns_per_unit[1]"},
        {"{\"counts\":[2,0]}", "{\"counts\":[2,0],\"log_ns_per_unit\":[1,\"2\"]}", "log_ns_per_unit[1]"},
    };
    check_malformed(good_tree, cases, CW_COUNT(cases));
}

static void test_model__malformed_bayes_is_refused(void **unused) {
    (void)unused;
    static const malformed cases[] = {
        {"\"counts\":[3,0]", "\"counts\":[3]", "state.counts: must be"},
        {"\"counts\":[3,0]", "\"counts\":[3,-1]", "state.counts[1]"},
        {"\"counts\":[3,0]", "\"counts\":[0,0]", "no rows"},
        {"\"counts\":[3,0]", "\"counts\":[3,1]", "state.mean[1]: must be a list"},
        {"[1.5,2],null", "[1.5,2],[1,2]", "state.mean[1]: must be null"},
        {"[1.5,2],null", "[1.5,2]", "state.mean: must be"},
        {"[1.5,2]", "[1.5]", "state.mean[0]: must be"},
        {"[1.5,2]", "[1.5,null]", "state.mean[0][1]"},
        {"[1,0.5]", "[1,0]", "state.variance[0][1]"},
        {"[1,0.5]", "[-1,0.5]", "state.variance[0][0]"},
        {"[1,0.5]", "[1e-320,0.5]", "state.variance[0][0]"},
        {"\"variance\"", "\"v\"", "state.variance: must be"},
    };
    check_malformed(good_bayes, cases, CW_COUNT(cases));
}

static void test_model__truncation_anywhere_is_refused(void **unused) {
    (void)unused;
    for (size_t length = 0; length + 1 < sizeof good_tree - 1; length++) {
        cw_model *m = NULL;
        assert_int_equal(cw_model_from_text(good_tree, length, "m.json", &m, NULL), CW_FORMAT);
        assert_null(m);
    }
}

static void test_model__nesting_without_end_is_refused(void **unused) {
    (void)unused;
    enum { DEEP = 100000 };
    static char deep[DEEP];
    cw_error err;
    cw_model *m = NULL;
    memset(deep, '[', sizeof deep);
    assert_refused(cw_model_from_text(deep, sizeof deep, "m.json", &m, &err), CW_FORMAT, err, "depth");
    assert_refused(cw_model_from_text(deep, (size_t)CW_MODEL_BYTES + 1, "m.json", &m, &err), CW_FORMAT, err,
                   "larger");
}

/* A chain of inner nodes one longer than allowed, and one that is just allowed. */
static void test_model__deep_trees_are_refused(void **unused) {
    (void)unused;
    for (size_t depth = 4096; depth <= 4097; depth++) {
        cw_buf text = {0};
        cw_buf_put(&text, HEAD MIDDLE "\"state\":{\"nodes\":[");
        for (size_t i = 0; i < depth; i++)
            cw_buf_printf(&text, "[0,%zu,%zu],{\"counts\":[1,0]},", i, 2 * i + 2);
        cw_buf_put(&text, "{\"counts\":[0,1]}]}}");
        cw_error err;
        cw_model *m = NULL;
        if (depth == 4096)
            assert_ok(cw_model_from_text(text.text, text.length, "m.json", &m, &err), err);
        else
            assert_refused(cw_model_from_text(text.text, text.length, "m.json", &m, &err), CW_FORMAT, err,
                           "deeper");
        cw_model_free(m);
        cw_buf_release(&text);
    }
}

/* ---- Lack of memory: ours and the JSON library's ---- */

static long json_fail_at;
static void *failing_malloc(size_t size) {
    return json_fail_at > 0 && --json_fail_at == 0 ? NULL : malloc(size);
}

static cw_status through_text(const cw_model *model) {
    char *text = NULL;
    cw_model *back = NULL;
    cw_status status = cw_model_json(model, &text, NULL);
    if (status == CW_OK) status = cw_model_from_text(text, strlen(text), "m.json", &back, NULL);
    cw_model_free(back);
    cw_free(text);
    return status;
}

/* Without jansson's parser, which asserts in places that there is memory. */
static cw_status through_json(const cw_model *model) {
    cw_model *back = NULL;
    json_t *json = cw_model_to_json(model);
    cw_status status = json ? cw_model_from_json(json, "m.json", &back, NULL) : CW_NO_MEMORY;
    cw_model_free(back);
    json_decref(json);
    return status;
}

static void test_model__survives_lack_of_memory(void **unused) {
    (void)unused;
    for (size_t l = 0; cw_learner_table[l]; l++) {
        cw_model *m = make_model(cw_learner_table[l]->name);
        int failed = 0;
        for (cw_status status = CW_NO_MEMORY; status != CW_OK; failed++) {
            cw_alloc_fail_at(failed + 1);
            status = through_text(m);
            cw_alloc_fail_at(0);
            assert_true(status == CW_OK || status == CW_NO_MEMORY);
        }
        assert_true(failed > 10);
        cw_model_free(m);
    }
}

static void test_model__survives_lack_of_memory_for_json(void **unused) {
    (void)unused;
    json_set_alloc_funcs(failing_malloc, free);
    for (size_t l = 0; cw_learner_table[l]; l++) {
        cw_model *m = make_model(cw_learner_table[l]->name);
        int failed = 0;
        for (cw_status status = CW_NO_MEMORY; status != CW_OK; failed++) {
            json_fail_at = failed + 1;
            status = through_json(m);
            json_fail_at = 0;
            assert_true(status == CW_OK || status == CW_NO_MEMORY);
        }
        assert_true(failed > 10);
        cw_model_free(m);
    }
    json_set_alloc_funcs(malloc, free);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model__table_and_names_agree),
        cmocka_unit_test(test_model__round_trip_is_bit_exact),
        cmocka_unit_test(test_model__same_data_same_bytes),
        cmocka_unit_test(test_model__save_writes_what_json_says_or_nothing),
        cmocka_unit_test(test_model__free_accepts_null),
        cmocka_unit_test(test_model__malformed_head_is_refused),
        cmocka_unit_test(test_model__malformed_tree_is_refused),
        cmocka_unit_test(test_model__malformed_bayes_is_refused),
        cmocka_unit_test(test_model__truncation_anywhere_is_refused),
        cmocka_unit_test(test_model__nesting_without_end_is_refused),
        cmocka_unit_test(test_model__deep_trees_are_refused),
        cmocka_unit_test(test_model__survives_lack_of_memory),
        cmocka_unit_test(test_model__survives_lack_of_memory_for_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
