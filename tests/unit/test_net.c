/* test_net.c: layer tables: the shipped ones against published totals, and bad lines. */
#include "unit.h"
#include "../../include/convwise/tools.h"
#include <math.h>
#include <unistd.h>

static int64_t total_macs(const cw_net *net) {
    int64_t total = 0;
    for (size_t i = 0; i < net->count; i++) {
        cw_sizes s;
        cw_problem_sizes(&net->layers[i].problem, &s);
        total += s.macs;
    }
    return total;
}

/* data/nets/totals.csv: network,conv_layers,conv_macs,fc_macs,published_macs,tolerance_pct,source */
static void test_net__totals_are_the_published_ones(void **state) {
    (void)state;
    FILE *file = fopen(CW_SOURCE "/data/nets/totals.csv", "r");
    char line[1024], name[64], path[512];
    int nets = 0;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    while (fgets(line, sizeof line, file)) {
        long long layers, conv, fc, published;
        double tolerance;
        assert_int_equal(sscanf(line, "%63[^,],%lld,%lld,%lld,%lld,%lf", name, &layers, &conv, &fc,
                                &published, &tolerance),
                         6);
        snprintf(path, sizeof path, "%s/data/nets/%s.txt", CW_SOURCE, name);
        cw_net net;
        cw_error err;
        assert_ok(cw_net_read(path, &net, &err), err);
        assert_string_equal(net.name, name);
        assert_int_equal(net.count, layers);
        assert_true(total_macs(&net) == conv);
        double off = 100 * fabs((double)(conv + fc) / (double)published - 1);
        if (off > tolerance)
            fail_msg("%s: %lld is %.3f %% from the published %lld", name, conv + fc, off, published);
        assert_true(tolerance < 0.5); /* a wrong layer would show */
        cw_net_release(&net);
        nets++;
    }
    fclose(file);
    assert_true(nets >= 12);
}

static void write_table(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_net__lines_are_read_as_documented(void **state) {
    (void)state;
    const char *path = "test-net.txt";
    cw_net net;
    cw_error err;
    write_table(path, "# a comment\n\n  mb1ic3ih8oc4kh3n\"first\",zp  # the image\r\nic4ih6oc4kh1");
    assert_ok(cw_net_read(path, &net, &err), err);
    assert_string_equal(net.name, "test-net");
    assert_int_equal(net.count, 2);
    assert_string_equal(net.layers[0].name, "first");
    assert_string_equal(net.layers[1].name, "layer2");
    cw_problem p = cw_layer_problem(&net.layers[0], CW_U8, 2, 4);
    assert_true(p.zp == 1 && p.prec == CW_U8 && p.threads == 2 && p.mb == 4);
    p = cw_layer_problem(&net.layers[0], CW_F32, 1, 1);
    assert_true(p.zp == 0 && cw_problem_check(&p, NULL) == CW_OK);
    cw_net_release(&net);
    unlink(path);
}

static void test_net__bad_lines_name_file_and_line(void **state) {
    (void)state;
    const char *path = "test-net-bad.txt";
    const struct {
        const char *text, *mentions;
    } cases[] = {
        {"ic3ih8oc4kh3\nic3ih8oc4kh30\n", "test-net-bad.txt:2: kernel"},
        {"\n\nic3ih8oc4\n", "test-net-bad.txt:3: kh is missing"},
        {"rubbish\n", "test-net-bad.txt:1: cannot read"},
        {"ic3ih8oc4kh3#no blank\n", ":1: a comment starts"},
        {"ic3ih8oc4kh3,u8\n", ":1: a layer table says shapes"},
        {"ic3ih8oc4kh3,t2\n", ":1: a layer table says shapes"},
        {"ic3ih8oc4kh3 ic3ih8oc4kh3\n", ":1: cannot read"},
        {"# only a comment\n", "has no layers"},
        {"", "has no layers"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_net net = {{0}, NULL, 0};
        cw_error err;
        write_table(path, cases[i].text);
        assert_refused(cw_net_read(path, &net, &err), CW_FORMAT, err, cases[i].mentions);
        assert_null(net.layers);
    }
    FILE *file = fopen(path, "w");
    fwrite("ic3ih8oc4kh3\0rest\n", 1, 18, file);
    fclose(file);
    cw_net net;
    cw_error err;
    assert_refused(cw_net_read(path, &net, &err), CW_FORMAT, err, "zero byte");
    assert_refused(cw_net_read("no-such-table.txt", &net, &err), CW_IO, err, "no-such-table.txt");
    assert_refused(cw_net_read(".", &net, &err), CW_IO, err, "folder");
    unlink(path);
}

static void test_net__out_of_memory_is_reported(void **state) {
    (void)state;
    cw_error err;
    cw_net net;
    int failures = 0;
    for (long n = 1;; n++) {
        cw_alloc_fail_at(n);
        cw_status status = cw_net_read(CW_SOURCE "/data/nets/resnet18.txt", &net, &err);
        cw_alloc_fail_at(0);
        if (status == CW_OK) break;
        assert_int_equal(status, CW_NO_MEMORY);
        failures++;
    }
    cw_net_release(&net);
    assert_true(failures > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net__totals_are_the_published_ones),
        cmocka_unit_test(test_net__lines_are_read_as_documented),
        cmocka_unit_test(test_net__bad_lines_name_file_and_line),
        cmocka_unit_test(test_net__out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
