/* test_extents.c: problems that are far outside of what training had: where the bounds are, and that a choice
 * there is by the static order and says so. */
#include "fixture_store.h"
#include "../../src/dataset/dataset.h"
#include <math.h>

/* own.a is faster for few channels, own.b for many and in sum: 16..64 channels, 8x8. */
static cw_model *trained(const char *path) {
    cw_dataset *data;
    cw_model *model;
    cw_error err;
    cw_store *store = open_writer_at(path);
    for (int ic = 16; ic <= 64; ic += 16) {
        char text[64];
        snprintf(text, sizeof text, "ic%dih8oc16kh3ph1", ic);
        cw_measurement a = measured(text, "own.a", ic < 40 ? 90 : 300), b = measured(text, "own.b", 100);
        add(store, &a), add(store, &b);
    }
    assert_ok(cw_dataset_load(store, NULL, &data, &err), err);
    assert_ok(cw_train(data, &(cw_train_options){.learner = "tree"}, &model, &err), err);
    cw_dataset_free(data);
    cw_store_close(store);
    return model;
}

static void test_extents__bound_what_the_learner_answers_for(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *problem, *unlike; /* NULL = inside */
        bool by_order;
        const char *first;
    } cases[] = {
        {"ic16ih8oc16kh3ph1", NULL, false, "own.a"},
        {"ic4ih8oc16kh3ph1", NULL, false, "own.a"}, /* a quarter of the least */
        {"ic3ih8oc16kh3ph1", "ic is far below", true, "own.b"},
        {"ic256ih8oc16kh3ph1", NULL, false, "own.b"}, /* four times the most */
        {"ic257ih8oc16kh3ph1", "ic is far above", true, "own.b"},
        {"ic16ih8oc3kh3ph1", "oc is far below", true, "own.b"},
        {"ic16ih33iw8oc16kh3ph1", "ih is far above", true, "own.b"},
        {"mb5ic16ih8oc16kh3ph1", "mb is far above", true, "own.b"},
        {"mb4ic16ih8oc16kh3ph1", NULL, false, "own.a"},
        {"ic16ih8oc16kh3ph1,t2", "threads is far above", true, "own.b"},
        {"mb4ic16ih16oc16kh3ph1", NULL, false, "own.a"}, /* four times the work of 64 channels */
        {"mb4ic17ih16oc16kh3ph1", "macs is far above", true, "own.b"},
        {"ic64ih8oc16kh1", "no such kernel", false, "own.b"}, /* by the learner, as for other kernels */
        {"ic16ih8oc16kh3ph1,nchw", "no such kernel", true, "own.b"},
    };
    cw_model *model = trained(f->path), *again;
    cw_error err;
    char *text;
    assert_ok(cw_model_json(model, &text, &err), err);
    assert_ok(cw_model_parse(text, strlen(text), "text", &again, &err), err);
    for (size_t i = 0; i < CW_COUNT(cases) * 2; i++) {
        const cw_model *m = i % 2 ? again : model;
        cw_problem p = problem(cases[i / 2].problem);
        cw_choice out[2];
        size_t count;
        assert_ok(cw_choose(m, NULL, &p, out, 2, &count, &err), err);
        for (int k = 0; k < 2; k++) {
            if (!out[k].unlike != !cases[i / 2].unlike ||
                (out[k].unlike &&
                 strncmp(out[k].unlike, cases[i / 2].unlike, strlen(cases[i / 2].unlike)) != 0))
                fail_msg("%s: %s", cases[i / 2].problem, out[k].unlike ? out[k].unlike : "inside");
            assert_int_equal(out[k].by_static_order, cases[i / 2].by_order);
        }
        assert_string_equal(out[0].impl, cases[i / 2].first);
    }
    cw_free(text);
    cw_model_free(again);
    cw_model_free(model);
}

static void test_extents__of_other_names_are_refused(void **state) {
    const fixture *f = *state;
    cw_model *model = trained(f->path), *again;
    cw_error err;
    char *text;
    assert_ok(cw_model_json(model, &text, &err), err);
    char *at = strstr(text, "\"macs\"]"); /* the last of the extents' names */
    assert_non_null(at);
    at[2] = 'o';
    assert_refused(cw_model_parse(text, strlen(text), "text", &again, &err), CW_MISMATCH, err,
                   "other extents");
    at[2] = 'a';
    at = strstr(at, "1.0,"); /* the first bound */
    assert_non_null(at);
    memcpy(at, "-10", 3);
    assert_refused(cw_model_parse(text, strlen(text), "text", &again, &err), CW_FORMAT, err, "0 to 2^52");
    cw_free(text);
    cw_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_extents__bound_what_the_learner_answers_for, fixture_make,
                                        fixture_remove),
        cmocka_unit_test_setup_teardown(test_extents__of_other_names_are_refused, fixture_make,
                                        fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
