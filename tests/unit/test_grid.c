/* test_grid.c: the synthetic grid: which layers ranges give, and which ranges are refused. */
#include "unit.h"
#include "include/convwise/tools.h"

static const struct {
    const char *name;
    cw_grid grid;
    size_t count;
    const char *first, *last;
} good[] = {
    {"one of each", {"8", "3", "4", "3", "1", "1"}, 1, "mb1ic3ih8oc4oh8kh3ph1", "mb1ic3ih8oc4oh8kh3ph1"},
    {"a factor stops at the last",
     {"7:60:*2", "1", "1", "1", "1", "0"},
     4,
     "mb1ic1ih7oc1oh7kh1ph0",
     "mb1ic1ih56oc1oh56kh1ph0"},
    {"a step of 1 is the usual",
     {"4:6", "1", "1", "1", "1", "0"},
     3,
     "mb1ic1ih4oc1oh4kh1ph0",
     "mb1ic1ih6oc1oh6kh1ph0"},
    {"a step", {"4:9:2", "1", "1", "1", "1", "0"}, 3, "mb1ic1ih4oc1oh4kh1ph0", "mb1ic1ih8oc1oh8kh1ph0"},
    {"a list, in its order",
     {"9,4", "1", "2", "1", "1", "0"},
     2,
     "mb1ic1ih9oc2oh9kh1ph0",
     "mb1ic1ih4oc2oh4kh1ph0"},
    {"what does not fit is left out",
     {"2,6", "1", "1", "5", "1", "0,1"},
     2,
     "mb1ic1ih6oc1oh2kh5ph0",
     "mb1ic1ih6oc1oh4kh5ph1"},
    {"pad: 0 and half the kernel",
     {"9", "1", "1", "1,3", "1", NULL},
     3,
     "mb1ic1ih9oc1oh9kh1ph0",
     "mb1ic1ih9oc1oh9kh3ph1"},
};

static void test_grid__ranges_give_the_layers_that_fit(void **state) {
    (void)state;
    cw_error err = {0};
    for (size_t i = 0; i < CW_COUNT(good); i++) {
        cw_net net;
        assert_ok(cw_grid_make(&good[i].grid, &net, &err), err);
        if (net.count != good[i].count) fail_msg("%s: %zu layers", good[i].name, net.count);
        assert_string_equal(net.layers[0].name, good[i].first);
        assert_string_equal(net.layers[net.count - 1].name, good[i].last);
        for (size_t j = 0; j < net.count; j++) {
            cw_problem again;
            assert_ok(cw_problem_parse(net.layers[j].name, &again, &err), err);
            assert_memory_equal(&again, &net.layers[j].problem, sizeof again);
        }
        cw_net_release(&net);
    }
}

/* Sizes 7 14 28 56, six channel counts each way, strides 1 2; kernel 1 with pad 0, 3 and 5 with two pads. */
static void test_grid__without_ranges_is_the_seed_papers(void **state) {
    (void)state;
    cw_error err = {0};
    cw_net net;
    assert_ok(cw_grid_make(&(cw_grid){0}, &net, &err), err);
    assert_int_equal(net.count, 4 * 6 * 6 * 2 * 5);
    assert_string_equal(net.name, "grid");
    cw_net_release(&net);
}

static void test_grid__bad_ranges_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        cw_grid grid;
        const char *mention;
    } bad[] = {
        {{.size = ""}, "size"},
        {{.size = "0"}, "size"},
        {{.ic = "-1"}, "ic"},
        {{.oc = "1,,2"}, "oc"},
        {{.kernel = "3x3"}, "kernel"},
        {{.stride = "2:1"}, "stride"},
        {{.pad = "0:8:*2"}, "pad"},
        {{.size = "1:9:*1"}, "size"},
        {{.size = "1:9:0"}, "size"},
        {{.size = "1:2:3:4"}, "size"},
        {{.size = "1:9999999"}, "size"},
        {{.size = "1:1000"}, "256 values"},
        {{.size = "99999999999999999999"}, "size"},
        {{.size = "2", .kernel = "7", .pad = "0"}, "no kernel fits"},
    };
    cw_net net;
    cw_error err = {0};
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        assert_refused(cw_grid_make(&bad[i].grid, &net, &err), CW_INVALID, err, bad[i].mention);
}

static void test_grid__lack_of_memory_is_reported(void **state) {
    (void)state;
    for (long n = 1; n < 4; n++) {
        cw_net net = {0};
        cw_error err = {0};
        cw_alloc_fail_at(n);
        cw_status status = cw_grid_make(&(cw_grid){0}, &net, &err);
        cw_alloc_fail_at(0);
        assert_int_equal(status, CW_NO_MEMORY);
        assert_null(net.layers);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid__ranges_give_the_layers_that_fit),
        cmocka_unit_test(test_grid__without_ranges_is_the_seed_papers),
        cmocka_unit_test(test_grid__bad_ranges_are_refused_by_name),
        cmocka_unit_test(test_grid__lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
