/* test_threads.c: a loaded model is shared by threads without locks. Run under the thread sanitizer by ./dev
 * test. */
#include "fixture_store.h"
#include "../../include/convwise/tools.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 200 };

static const char *const problems[] = {
    "ic64ih56oc64kh3ph1",     "ic3ih224oc64kh7sh2ph3",  "g32ic32ih112oc32kh3ph1",    "ic256ih14oc1024kh1,u8",
    "ic512ih7oc512kh3ph1,t2", "ic160ih7oc960kh1,u8,zp", "ic192ih17oc192kh1kw7ph0pw3"};
enum { PROBLEMS = sizeof problems / sizeof problems[0], MOST = 64 };

typedef struct worker {
    const cw_model *model;
    const cw_overlay *overlay;
    const char *first[PROBLEMS];
    int failures;
} worker;

static void *choose(void *arg) {
    worker *w = arg;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < PROBLEMS; i++) {
            cw_problem p;
            cw_choice choices[MOST];
            size_t count;
            char *why = NULL;
            if (cw_problem_parse(problems[i], &p, NULL) != CW_OK ||
                cw_choose(w->model, NULL, &p, choices, MOST, &count, NULL) != CW_OK ||
                cw_choose_within(w->model, NULL, &p, &(cw_limits){.forbid = "x.*"}, choices, MOST, &count,
                                 NULL) != CW_OK ||
                cw_choose_measured(w->model, NULL, w->overlay, &p, NULL, choices, MOST, &count, NULL) !=
                    CW_OK ||
                cw_model_explain(w->model, &p, &why, NULL) != CW_OK || count == 0)
                w->failures++;
            else if (round == 0)
                w->first[i] = choices[0].impl;
            else if (w->first[i] != choices[0].impl)
                w->failures++;
            cw_free(why);
        }
    return NULL;
}

static void test_threads__one_model_serves_all(void **state) {
    (void)state;
    fixture *f = NULL;
    cw_overlay *overlay;
    cw_model *model;
    cw_error err;
    assert_int_equal(fixture_make((void **)&f), 0);
    make_small_store(f->path);
    cw_store *store = open_at(f->path, CW_STORE_READ);
    assert_ok(cw_overlay_load(store, NULL, &overlay, &err), err);
    cw_store_close(store);
    worker workers[THREADS] = {{0}};
    pthread_t threads[THREADS];
    assert_ok(cw_model_load(CW_SOURCE "/tests/data/model.json", &model, &err), err);
    for (int i = 0; i < THREADS; i++) {
        workers[i].model = model;
        workers[i].overlay = overlay;
        assert_int_equal(pthread_create(&threads[i], NULL, choose, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].failures, 0);
        for (size_t k = 0; k < PROBLEMS; k++) assert_ptr_equal(workers[i].first[k], workers[0].first[k]);
    }
    cw_model_free(model);
    cw_overlay_free(overlay);
    fixture_remove((void **)&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads__one_model_serves_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
