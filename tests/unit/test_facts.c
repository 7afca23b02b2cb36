/* test_facts.c: what a dataset's measurements show of an implementation, against figures by hand, and that
 * the table survives a model's file. */
#include "fixture_store.h"
#include "../../src/dataset/dataset.h"
#include "../../src/problem/facts.h"
#include <math.h>

static double fact_of(const cw_model *model, const char *impl, int which) {
    for (size_t c = 0; c < model->class_count; c++)
        if (strcmp(model->classes[c], impl) == 0)
            return model->facts->value[c * CW_FACT_COUNT + (size_t)which];
    fail_msg("no %s", impl);
    return 0;
}

static void close_to(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* Sources of ic channels and 6x6, 3x3 kernels, 8 output channels. */
static cw_measurement one(int ic, const char *impl, double ns) {
    char text[64];
    snprintf(text, sizeof text, "ic%dih6oc8kh3ph1", ic);
    return measured(text, impl, ns);
}

static cw_model *trained(const char *path) {
    cw_dataset *data;
    cw_model *model;
    cw_error err;
    cw_store *store = open_at(path, CW_STORE_READ);
    assert_ok(cw_dataset_load(store, NULL, &data, &err), err);
    assert_ok(cw_train(data, &(cw_train_options){.learner = "tree"}, &model, &err), err);
    cw_dataset_free(data);
    cw_store_close(store);
    return model;
}

static void test_facts__are_what_was_measured(void **state) {
    const fixture *f = *state;
    cw_store *store = open_writer_at(f->path);
    const int ics[] = {4, 8, 16, 32};
    for (size_t i = 0; i < CW_COUNT(ics); i++) {
        double macs = 36.0 * 8 * 9 * ics[i], weights = 4.0 * 8 * 9 * ics[i];
        cw_measurement a = one(ics[i], "own.a", i < 2 ? 2 * macs : 8 * macs),
                       b = one(ics[i], "own.b", 4 * macs), c = one(ics[i], "own.c", 5 * macs);
        a.prepare_ns = 3 * weights; /* in step with the work: any slopes of the sum 1 say so */
        a.error = 1e-6 * (double)(i + 1);
        a.workspace_bytes = 0;
        b.prepare_ns = 500;
        b.workspace_bytes = 144.0 * ics[i]; /* the source once more */
        b.family = CW_FAMILY_WINOGRAD;
        b.error = 5e-5;
        b.src_reorder_ns = 1;
        c.error = NAN;
        add(store, &a), add(store, &b), add(store, &c);
    }
    cw_store_close(store);
    cw_model *model = trained(f->path), *again;
    char *text;
    cw_error err;
    assert_ok(cw_model_json(model, &text, &err), err);
    assert_ok(cw_model_parse(text, strlen(text), "text", &again, &err), err);
    const cw_model *both[] = {model, again};
    for (int k = 0; k < 2; k++) {
        const cw_model *m = both[k];
        close_to(fact_of(m, "own.a", CW_FACT_transforms), 0);
        close_to(fact_of(m, "own.b", CW_FACT_transforms), 1);
        close_to(fact_of(m, "own.a", CW_FACT_reorders), 0);
        close_to(fact_of(m, "own.b", CW_FACT_reorders), 1);
        assert_true(isnan(fact_of(m, "own.c", CW_FACT_reorders)));
        close_to(fact_of(m, "own.a", CW_FACT_workspace), 0);
        assert_true(isnan(fact_of(m, "own.c", CW_FACT_workspace)));
        /* largest at 4 channels: source again, and the source with 16 channels; source, weights, output */
        close_to(fact_of(m, "own.b", CW_FACT_workspace),
                 (144.0 * 4 + 144 * 16) / (144.0 * 4 + 288 * 4 + 144 * 8));
        close_to(fact_of(m, "own.a", CW_FACT_error_f32), 4e-6);
        close_to(fact_of(m, "own.b", CW_FACT_error_f32), 5e-5);
        assert_true(isnan(fact_of(m, "own.c", CW_FACT_error_f32)) &&
                    isnan(fact_of(m, "own.a", CW_FACT_error_u8)));
        close_to(fact_of(m, "own.b", CW_FACT_prepare_weights), 0);
        close_to(fact_of(m, "own.b", CW_FACT_prepare), log(500));
        assert_true(isnan(fact_of(m, "own.c", CW_FACT_prepare)));
        double slopes =
            fact_of(m, "own.a", CW_FACT_prepare_weights) + fact_of(m, "own.a", CW_FACT_prepare_macs);
        assert_true(slopes > 0.98 && slopes < 1); /* the pull towards 0 */
        close_to(fact_of(m, "own.a", CW_FACT_log_ns_per_mac), log(4));
        double charged = 0; /* the reorder's nanosecond */
        for (size_t i = 0; i < CW_COUNT(ics); i++) charged += log(4 + 1 / (36.0 * 8 * 9 * ics[i])) / 4;
        close_to(fact_of(m, "own.b", CW_FACT_log_ns_per_mac), charged);
    }
    cw_free(text);
    cw_model_free(model);
    cw_model_free(again);
}

static void test_facts__of_other_names_are_refused(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *from, *to;
        cw_status status;
        const char *text;
    } cases[] = {
        {"\"transforms\"", "\"transfroms\"", CW_MISMATCH, "other facts"},
        {"\"facts\":", "\"fact\":", CW_OK, NULL}, /* as a model of an older version */
        {"\"facts\": {\"fields\":[", "\"facts\": {\"fields\":[\"more\",", CW_FORMAT, "list of 10 numbers"},
        {"\"facts\": {\"fields\":", "\"facts\": {\"field\":", CW_FORMAT, "facts: fields"},
        {"\"rows\":[[0.0", "\"rows\":[[\"0\"", CW_FORMAT, "transforms must be a number or null"},
        {"\"rows\":[[", "\"rows\":[[],[", CW_FORMAT, "facts: rows: must be a list of 2"},
    };
    make_small_store(f->path);
    cw_store *store = open_writer_at(f->path);
    cw_measurement a = measured("ic9ih16oc8kh3ph1", "own.a", 50),
                   b = measured("ic9ih16oc8kh3ph1", "own.b", 90);
    add(store, &a), add(store, &b);
    cw_store_close(store);
    cw_model *model = trained(f->path), *again;
    cw_error err;
    char *text;
    assert_ok(cw_model_json(model, &text, &err), err);
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        static char bad[1 << 16];
        const char *at = strstr(text, cases[i].from);
        if (!at) fail_msg("no %s in %s", cases[i].from, text);
        snprintf(bad, sizeof bad, "%.*s%s%s", (int)(at - text), text, cases[i].to,
                 at + strlen(cases[i].from));
        if (cases[i].status == CW_OK) {
            assert_ok(cw_model_parse(bad, strlen(bad), "bad", &again, &err), err);
            assert_null(again->facts);
            cw_model_free(again);
        } else
            assert_refused(cw_model_parse(bad, strlen(bad), "bad", &again, &err), cases[i].status, err,
                           cases[i].text);
    }
    cw_free(text);
    cw_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_facts__are_what_was_measured, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_facts__of_other_names_are_refused, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
