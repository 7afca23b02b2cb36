/* test_pooled.c: several machines' times in one dataset and one model. Three made-up machines differ in the
 * second cache; own.big wins exactly where the weights (4 bytes each) do not fit it, so that what is right on
 * a machine nobody measured is known without a model. */
#include "fixture_store.h"
#include "../../src/dataset/validate.h"

enum { KB = 1024, MACHINES = 3 };
static const int64_t l2_of[MACHINES] = {256 * KB, 1024 * KB, 4096 * KB};
static const char *const names[MACHINES] = {"000000000000000a", "000000000000000b", "000000000000000c"};
static const int32_t channels[] = {64,  96,  128, 192,  256,  320,  384, 512,
                                   640, 768, 896, 1152, 1280, 1536, 2048};

static const char *winner(int32_t ic, int32_t oc, int64_t l2) {
    return (int64_t)ic * oc * 4 > l2 ? "own.big" : "own.small";
}

static void text_of(char text[64], int32_t ic, int32_t oc) {
    snprintf(text, 64, "ic%dih7oc%dkh1", ic, oc);
}

static void fill(const fixture *f) {
    cw_error err = {0};
    cw_store *store = open_at(f->path, CW_STORE_WRITE);
    for (size_t m = 0; m < MACHINES; m++) {
        cw_machine host = machine(names[m]);
        host.l2 = l2_of[m];
        assert_ok(cw_store_begin_run(store, &host, "{}", 1, &err), err);
        for (size_t i = 0; i < CW_COUNT(channels); i++)
            for (size_t k = 0; k < CW_COUNT(channels); k += 2) {
                char text[64];
                text_of(text, channels[i], channels[k]);
                bool big = strcmp(winner(channels[i], channels[k], l2_of[m]), "own.big") == 0;
                cw_measurement a = measured(text, "own.big", big ? 1000 : 2000),
                               b = measured(text, "own.small", big ? 2000 : 1000);
                assert_ok(cw_store_add(store, &a, &err), err);
                assert_ok(cw_store_add(store, &b, &err), err);
            }
    }
    cw_store_close(store);
}

static cw_dataset *load(const fixture *f, const char *features, const char *fingerprint) {
    cw_error err = {0};
    cw_dataset *data;
    cw_store *store = open_at(f->path, CW_STORE_READ);
    assert_ok(cw_dataset_load(
                  store, &(cw_dataset_options){.features = features, .fingerprint = fingerprint, .prec = -1},
                  &data, &err),
              err);
    cw_store_close(store);
    return data;
}

static cw_model *trained(const cw_dataset *data) {
    cw_model *model;
    cw_error err = {0};
    assert_ok(cw_train(data, &(cw_train_options){.learner = "tree", .min_leaf = 1}, &model, &err), err);
    return model;
}

static const char *chosen(const cw_model *model, int32_t ic, int32_t oc) {
    char text[64];
    cw_choice best;
    size_t count;
    cw_error err = {0};
    text_of(text, ic, oc);
    cw_problem p = problem(text);
    assert_ok(cw_choose(model, NULL, &p, &best, 1, &count, &err), err);
    return best.impl;
}

static void test_pooled__rows_are_problems_on_machines(void **state) {
    fill(*state);
    cw_dataset *all = load(*state, "pooled", "all"), *one = load(*state, "pooled", names[1]);
    const size_t problems = CW_COUNT(channels) * ((CW_COUNT(channels) + 1) / 2);
    assert_int_equal(all->rows, MACHINES * problems);
    assert_int_equal(one->rows, problems);
    assert_int_equal(all->host_count, MACHINES);
    assert_string_equal(all->fingerprint, "all");
    size_t l2 = 0;
    while (strcmp(all->features[l2]->name, "m_l2") != 0) l2++;
    for (size_t row = 0; row < all->rows; row++) {
        if (row > 0) {
            int order = cw_problem_compare(&all->problems[row - 1], &all->problems[row]);
            assert_true(order < 0 || (order == 0 && all->host[row - 1] < all->host[row]));
        }
        const char *fastest = all->class_info[all->y[row]].name;
        assert_string_equal(fastest,
                            winner(all->problems[row].ic, all->problems[row].oc, l2_of[all->host[row]]));
        assert_true(all->x[row * all->columns + l2] == (double)l2_of[all->host[row]]);
    }
    cw_dataset_free(all);
    cw_dataset_free(one);
}

static void test_pooled__copies_on_other_machines_stay_together(void **state) {
    fill(*state);
    cw_dataset *all = load(*state, "pooled", "all");
    int32_t *group = cw_alloc_n(all->rows, sizeof *group);
    for (int s = 0; s < 2; s++) {
        assert_int_equal(cw_split_groups(all, s ? "near" : "group", group, NULL), CW_OK);
        for (size_t row = 1; row < all->rows; row++)
            if (cw_problem_compare(&all->problems[row - 1], &all->problems[row]) == 0)
                assert_int_equal(group[row], group[row - 1]);
    }
    cw_free(group);
    cw_dataset_free(all);
}

/* A machine between those measured, by its numbers: right for all weights but those within a factor of 2 of
 * its cache, where no measured ratio tells. */
static void test_pooled__chooses_for_a_machine_never_measured(void **state) {
    fill(*state);
    cw_dataset *all = load(*state, "pooled", "all");
    cw_model *model = trained(all), *loaded;
    cw_error err = {0};
    char *text;
    cw_choice best;
    size_t count;
    cw_problem p = problem("ic64ih7oc64kh1");
    assert_refused(cw_choose(model, NULL, &p, &best, 1, &count, &err), CW_INVALID, err, "several machines");
    assert_ok(cw_model_json(model, &text, &err), err);
    assert_ok(cw_model_parse(text, strlen(text), "text", &loaded, &err), err);
    cw_free(text);
    const struct {
        const char *machine;
        int64_t l2;
    } cases[] = {{names[0], l2_of[0]},
                 {names[2], l2_of[2]},
                 {"2,32768,524288,0,32", 512 * KB},
                 {"2,32768,2097152,0,32", 2048 * KB}};
    for (size_t m = 0; m < CW_COUNT(cases); m++) {
        assert_ok(cw_model_on(loaded, cases[m].machine, &err), err);
        for (size_t i = 0; i < CW_COUNT(channels); i++)
            for (size_t k = 0; k < CW_COUNT(channels); k++) {
                double ratio = (double)channels[i] * channels[k] * 4 / (double)cases[m].l2;
                if (ratio > 0.5 && ratio < 2) continue;
                const char *right = winner(channels[i], channels[k], cases[m].l2);
                if (strcmp(chosen(loaded, channels[i], channels[k]), right) != 0)
                    fail_msg("machine %s, ic%d oc%d: not %s", cases[m].machine, channels[i], channels[k],
                             right);
            }
    }
    static const char *const bad[] = {"nobody", "", "1,2,3", "1,2,3,4,5,6", "1,2,3,4,-5", "1,2,x,4,5", ","};
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        assert_refused(cw_model_on(loaded, bad[i], &err), CW_NOT_FOUND, err,
                       "none that the model was trained on");
    assert_ok(cw_model_on(loaded, "here", &err), err);
    cw_model_free(model);
    cw_model_free(loaded);
    cw_dataset_free(all);
}

/* Without the machines' numbers nobody can tell the two thirds in between apart. */
static void test_pooled__leave_one_machine_out(void **state) {
    fill(*state);
    static const char *const tree[] = {"tree", NULL};
    double geomean[2];
    for (int s = 0; s < 2; s++) {
        cw_dataset *all = load(*state, s ? "pooled" : "engineered", "all");
        cw_report *report;
        cw_error err = {0};
        assert_ok(
            cw_validate(all, &(cw_validate_options){.split = "machine", .learners = tree}, &report, &err),
            err);
        assert_int_equal(report->group_count, MACHINES);
        for (size_t m = 0; m < MACHINES; m++) {
            assert_string_equal(report->groups[m].name, names[m]);
            assert_int_equal(report->contenders[0].groups[m].layers, (int64_t)(all->rows / MACHINES));
        }
        geomean[s] = report->contenders[0].pooled.geomean;
        cw_report_free(report);
        cw_dataset_free(all);
    }
    assert_true(geomean[1] < 1.1 && geomean[0] > 1.15);
}

static void test_pooled__one_machine_has_no_such_split(void **state) {
    fill(*state);
    static const char *const tree[] = {"tree", NULL};
    cw_dataset *one = load(*state, "engineered", names[0]);
    cw_report *report;
    cw_error err = {0};
    assert_refused(
        cw_validate(one, &(cw_validate_options){.split = "machine", .learners = tree}, &report, &err),
        CW_INVALID, err, "--machine all");
    cw_model *model = trained(one);
    assert_null(model->hosts); /* nothing reads the machine's numbers */
    cw_model_free(model);
    cw_dataset_free(one);
}

/* A model of one machine chooses for it without being told; its emitted C has the numbers as constants. */
static void test_pooled__emitted_c_has_the_numbers(void **state) {
    fill(*state);
    cw_dataset *all = load(*state, "pooled", "all"), *one = load(*state, "pooled", names[0]);
    cw_model *many = trained(all), *single = trained(one);
    cw_error err = {0};
    char *text = NULL;
    assert_string_equal(chosen(single, 2048, 2048), "own.big");
    assert_refused(cw_emit_c(many, NULL, &text, &err), CW_INVALID, err, "several machines");
    assert_ok(cw_model_on(many, "2,32768,1234567,0,32", &err), err);
    assert_ok(cw_emit_c(many, &(cw_emit_options){.prefix = "pick", .self_test = true}, &text, &err), err);
    assert_non_null(strstr(text, "m_l2 = 1234567;"));
    char path[128], command[1024];
    snprintf(path, sizeof path, "%s/pick.c", ((fixture *)*state)->folder);
    assert_ok(cw_save(path, text, &err), err);
    snprintf(command, sizeof command,
             "cc -std=c99 -Wall -Wextra -pedantic -Werror -Dpick_SELF_TEST -o %s.out %s && %s.out", path,
             path, path);
    assert_int_equal(system(command), 0);
    cw_free(text);
    cw_model_free(many);
    cw_model_free(single);
    cw_dataset_free(all);
    cw_dataset_free(one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_pooled__rows_are_problems_on_machines),
        TEST(test_pooled__copies_on_other_machines_stay_together),
        TEST(test_pooled__chooses_for_a_machine_never_measured),
        TEST(test_pooled__leave_one_machine_out),
        TEST(test_pooled__one_machine_has_no_such_split),
        TEST(test_pooled__emitted_c_has_the_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
