/* test_choose_more.c: choices by measured times, measuring where it pays, what would flip a choice, what was
 * measured nearby. Times are made up; where something is really measured, only what follows from the store's
 * times is expected. */
#include "fixture_store.h"
#include "../../src/backend/context.h"
#include "../../src/learn/heldout.h"
#include <math.h>

static void close_to(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* own.direct is faster for few channels, own.gemm for many and in sum: 16 to 64 channels, 8x8, raw features.
 */
static cw_model *trained(const char *path) {
    cw_dataset *data;
    cw_model *model;
    cw_error err;
    cw_store *store = open_writer_at(path);
    for (int ic = 16; ic <= 64; ic += 16) {
        char text[64];
        snprintf(text, sizeof text, "ic%dih8oc16kh3ph1", ic);
        cw_measurement a = measured(text, "own.direct", ic < 40 ? 90000 : 300000),
                       b = measured(text, "own.gemm", 1e5);
        a.prepare_ns = 1000, b.prepare_ns = 1000;
        add(store, &a), add(store, &b);
    }
    cw_dataset_options raw = {.features = "raw", .prec = -1};
    assert_ok(cw_dataset_load(store, &raw, &data, &err), err);
    assert_ok(cw_train(data, &(cw_train_options){.learner = "tree"}, &model, &err), err);
    cw_dataset_free(data);
    cw_store_close(store);
    return model;
}

static cw_overlay *overlay_of(const char *path, const char *fingerprint) {
    cw_overlay *overlay;
    cw_error err;
    cw_store *store = open_at(path, CW_STORE_READ);
    assert_ok(cw_overlay_load(store, fingerprint, &overlay, &err), err);
    cw_store_close(store);
    return overlay;
}

static void test_overlay__measured_times_of_the_problem_win(void **state) {
    const fixture *f = *state;
    char path[128];
    cw_error err;
    cw_choice out[2];
    size_t count;
    cw_model *model = trained(f->path);
    snprintf(path, sizeof path, "%s/mine.db", f->folder);
    cw_store *store = open_writer_at(path);
    cw_measurement a = measured("ic24ih8oc16kh3ph1", "own.direct", 500),
                   b = measured("ic24ih8oc16kh3ph1", "own.gemm", 400),
                   c = measured("ic25ih8oc16kh3ph1", "own.gemm", 9e9),
                   d = measured("ic26ih8oc16kh3ph1", "own.gemm", 7);
    b.src_reorder_ns = 50;
    a.prepare_ns = 100, b.prepare_ns = 1000;
    d.state = CW_STATE_FAILED;
    add(store, &a), add(store, &b), add(store, &c), add(store, &d);
    cw_store_close(store);
    cw_overlay *overlay = overlay_of(path, "m1"), *other = overlay_of(path, "m2");
    static const struct {
        const char *problem;
        cw_limits limits;
        bool other, measured;
        const char *first;
        double cost; /* NaN = the learner's */
    } cases[] = {
        {"ic24ih8oc16kh3ph1", {0}, false, true, "own.gemm", 450},
        {"ic24ih8oc16kh3ph1", {0}, true, false, "own.direct", NAN}, /* another machine's */
        {"ic24ih8oc16kh3ph1", {.forbid = "own.gemm"}, false, true, "own.direct", 500},
        {"ic24ih8oc16kh3ph1", {.calls = 10}, false, true, "own.direct", 510}, /* gemm 450 + 100 */
        {"ic24ih8oc16kh3ph1", {.calls = 100}, false, true, "own.gemm", 460},
        {"ic25ih8oc16kh3ph1", {0}, false, true, "own.gemm", 9e9},    /* what was measured ranks first */
        {"ic26ih8oc16kh3ph1", {0}, false, false, "own.direct", NAN}, /* a failure is no time */
        {"ic27ih8oc16kh3ph1", {0}, false, false, "own.direct", NAN},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_problem p = problem(cases[i].problem);
        assert_ok(cw_choose_measured(model, NULL, cases[i].other ? other : overlay, &p, &cases[i].limits, out,
                                     2, &count, &err),
                  err);
        assert_string_equal(out[0].impl, cases[i].first);
        assert_int_equal(out[0].measured, cases[i].measured);
        if (!isnan(cases[i].cost)) close_to(out[0].cost, cases[i].cost);
    }
    cw_overlay_free(overlay);
    cw_overlay_free(other);
    cw_model_free(model);
}

/* ic: the tree cuts at 40, between 32 and 48. Others leave what training reached, or its conditions: own.gemm
 * by the static order. Work: 147,456 to 589,824, so 36,864 to 2,359,296 with slack; a kernel of 1 has 16,384,
 * one of 12 has 2,985,984, a stride of 3 has 20,736. */
static void test_flips__are_the_smallest_changes(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *what;
        int32_t from, to;
    } wanted[] = {{"threads", 1, 2}, {"ic", 16, 41},    {"size", 8, 3}, {"kernel", 3, 1},
                  {"stride", 1, 3},  {"kernel", 3, 12}, {"oc", 16, 65}, {"size", 8, 33},
                  {"mb", 1, 5},      {"ic", 16, 3},     {"oc", 16, 3}};
    cw_model *model = trained(f->path);
    cw_error err;
    cw_flip out[32];
    size_t count, few;
    cw_problem p = problem("ic16ih8oc16kh3ph1");
    assert_ok(cw_choice_flips(model, NULL, &p, NULL, out, 32, &count, &err), err);
    assert_int_equal(count, CW_COUNT(wanted));
    double last = 0;
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found |= strcmp(out[i].what, wanted[k].what) == 0 && out[i].from == wanted[k].from &&
                     out[i].to == wanted[k].to;
        if (!found) fail_msg("%s %d to %d", out[i].what, out[i].from, out[i].to);
        assert_string_equal(out[i].impl, "own.gemm");
        double ratio = fabs(log((double)out[i].to / out[i].from));
        assert_true(ratio >= last);
        last = ratio;
    }
    assert_ok(cw_choice_flips(model, NULL, &p, NULL, out + 30, 1, &few, &err), err);
    assert_int_equal(few, count);
    assert_string_equal(out[30].what, "threads");
    cw_problem bad = p;
    bad.g = 7;
    assert_refused(cw_choice_flips(model, NULL, &bad, NULL, out, 32, &count, &err), CW_INVALID, err, "");
    cw_model_free(model);
}

static void test_nearest__go_by_logs_of_sizes(void **state) {
    const fixture *f = *state;
    cw_store *store = open_writer_at(f->path);
    cw_measurement rows[] = {
        measured("ic15ih8oc16kh3ph1", "own.a", 30),   measured("ic15ih8oc16kh3ph1", "own.b", 20),
        measured("ic63ih8oc16kh3ph1", "own.a", 5),    measured("ic15ih8oc7kh3ph1", "own.a", 9),
        measured("ic15ih8oc16kh3ph1,u8", "own.a", 1),
    };
    rows[1].src_reorder_ns = 15; /* 35 in all */
    for (size_t i = 0; i < CW_COUNT(rows); i++) add(store, &rows[i]);
    cw_neighbour out[3];
    size_t count;
    cw_error err;
    cw_problem p = problem("ic31ih8oc15kh3ph1");
    assert_ok(cw_store_nearest(store, NULL, &p, out, 2, &count, &err), err);
    assert_int_equal(count, 3);
    close_to(out[0].distance, hypot(1, log2(17.0 / 16)));
    close_to(out[1].distance, hypot(1, log2(17.0 / 16))); /* 63: as far up as 15 is down */
    assert_int_equal(out[0].problem.ic + out[1].problem.ic, 15 + 63);
    int small = out[0].problem.ic == 15 ? 0 : 1;
    assert_string_equal(out[small].impl, "own.a");
    close_to(out[small].ns, 30);
    assert_ok(cw_store_nearest(store, "m9", &p, out, 2, &count, &err), err);
    assert_int_equal(count, 0);
    cw_store_close(store);
}

static cw_status keep_least(void *arg, const cw_measurement *m) {
    cw_measurement *least = arg;
    if (!(m->time_ns + m->src_reorder_ns + m->dst_reorder_ns >= least->time_ns)) {
        least->time_ns = m->time_ns + m->src_reorder_ns + m->dst_reorder_ns;
        least->family = m->family;
    }
    return CW_OK;
}

static void test_choose_or_measure__measures_where_it_pays(void **state) {
    const fixture *f = *state;
    char path[128];
    cw_error err;
    cw_context *ctx;
    cw_choice out[8];
    cw_trade trade;
    size_t count;
    cw_calibration loses = {.signal = CW_SIGNAL_SHARE, .steps = 1, .upto = {1}, .loss = {log(1.25)}};
    cw_model *model = trained(f->path);
    snprintf(path, sizeof path, "%s/mine.db", f->folder);
    cw_store *store = open_at(path, CW_STORE_WRITE);
    cw_problem p = problem("ic16ih8oc16kh3ph1");
    cw_measure_options how = {.passes = 1, .sample_ms = 0.01, .in_process = true};
    assert_ok(cw_context_open(&ctx, &err), err);
#define ASK(many)                                                                                            \
    cw_choose_or_measure(model, ctx, store, &p, &(cw_limits){.calls = many}, 0, &how, out, 8, &count,        \
                         &trade, &err)
    assert_ok(ASK(1e9), err);
    assert_true(isnan(trade.saving_ns) && !trade.worth && strstr(trade.why, "promises nothing"));
    model->calibration = &loses;
    assert_ok(ASK(10), err);
    assert_int_equal(rows_of(store, NULL), 0);
    assert_false(trade.worth || out[0].measured);
    /* The leaf of 16 and 32 channels predicts the mean of the logs of ns a multiply-accumulate: both times
     * over the root of 2. A quarter of the time, ten times; the reference, then each prepares, looks twice
     * and has two turns in its pass (more than five samples of 10 us). */
    close_to(trade.saving_ns, 0.25 * 9e4 / sqrt(2) * 10);
    close_to(trade.cost_ns, 0.5 * 147456 + 1000 + 4 * 9e4 / sqrt(2) + 1000 + 4 * 1e5 / sqrt(2));
    assert_int_equal(trade.candidates, 2);
    assert_ok(ASK(1e6), err);
    assert_true(trade.worth && out[0].measured && out[1].measured);
    assert_int_equal(rows_of(store, NULL), 2);
    cw_measurement least = {.time_ns = INFINITY};
    assert_ok(cw_store_each(store, NULL, keep_least, &least, &err), err);
    assert_string_equal(out[0].impl, least.family == CW_FAMILY_GEMM ? "own.gemm" : "own.direct");
    close_to(out[0].ns, least.time_ns);
    const char *first = out[0].impl;
    assert_ok(ASK(1e6), err);
    assert_true(!trade.worth && strstr(trade.why, "measured before") && out[0].impl == first);
    assert_int_equal(rows_of(store, NULL), 2);
    assert_refused(ASK(0), CW_INVALID, err, "calls");
    assert_refused(ASK(NAN), CW_INVALID, err, "calls");
#undef ASK
    model->calibration = NULL;
    cw_context_close(ctx);
    cw_store_close(store);
    cw_model_free(model);
}

static void test_choose_more__survives_want_of_memory(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_overlay *overlay;
    cw_flip flips[32];
    size_t count;
    cw_model *model = trained(f->path);
    cw_store *store = open_at(f->path, CW_STORE_READ);
    cw_problem p = problem("ic16ih8oc16kh3ph1");
    long n = 0;
    for (cw_status status = CW_NO_MEMORY; status != CW_OK;) {
        cw_alloc_fail_at(++n);
        status = cw_overlay_load(store, NULL, &overlay, &err);
        cw_alloc_fail_at(0);
        if (status != CW_OK) assert_int_equal(status, CW_NO_MEMORY);
    }
    assert_true(n > 2);
    cw_alloc_fail_at(1); /* without a context neither allocates */
    assert_int_equal(cw_choice_flips(model, NULL, &p, NULL, flips, 32, &count, &err), CW_OK);
    cw_choice best;
    assert_int_equal(cw_choose_measured(model, NULL, overlay, &p, NULL, &best, 1, &count, &err), CW_OK);
    cw_alloc_fail_at(0);
    cw_overlay_free(overlay);
    cw_store_close(store);
    cw_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_overlay__measured_times_of_the_problem_win, fixture_make,
                                        fixture_remove),
        cmocka_unit_test_setup_teardown(test_flips__are_the_smallest_changes, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_nearest__go_by_logs_of_sizes, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_choose_or_measure__measures_where_it_pays, fixture_make,
                                        fixture_remove),
        cmocka_unit_test_setup_teardown(test_choose_more__survives_want_of_memory, fixture_make,
                                        fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
