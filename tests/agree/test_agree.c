/* test_agree.c: every implementation of every backend of this build, on every problem it supports, against
 * the reference: shapes chosen to be nasty, random small ones, and every layer of data/nets. Prints how many
 * (problem, implementation) pairs were compared. With CW_AGREE_EVERY=n in the environment only every n-th
 * shape is taken, for emulators; odd, since fills and precisions alternate. */
#include "agree.h"
#include <glob.h>
#include <math.h>
#include <stdlib.h>

enum { TALLIES = 16 };

static struct tally {
    const char *backend;
    long compared;
    double worst[CW_PREC_COUNT], worst_reduced; /* errors within the limit */
} tallies[TALLIES];
static cw_context *context;
static long wrong;
static size_t every = 1;

static struct tally *tally_of(const char *backend) {
    for (size_t i = 0; i < TALLIES; i++) {
        if (!tallies[i].backend) tallies[i].backend = backend;
        if (strcmp(tallies[i].backend, backend) == 0) return &tallies[i];
    }
    fail_msg("more than %d backends", TALLIES);
    return NULL;
}

/* The empty implementation computes nothing: nothing to compare. */
static bool comparable(const cw_found *found) {
    return !found->why_not && strcmp(found->backend->name, "null") != 0;
}

static void compare_one(const cw_case *c, const cw_found *found) {
    cw_error err = {CW_OK, ""};
    double error;
    struct tally *tally = tally_of(found->backend->name);
    cw_status status = agree_run(context, c, found->impl, NULL, &error, &err);
    tally->compared++;
    double *worst = found->impl->reduced ? &tally->worst_reduced : &tally->worst[c->problem.prec];
    if (status == CW_OK) {
        if (error > *worst) *worst = error;
    } else if (wrong++ < 20) {
        char text[CW_PROBLEM_TEXT];
        cw_problem_format(&c->problem, text, sizeof text);
        print_error("%s (%s fill) %s: %s\n", text, c->fill == CW_FILL_INTEGER ? "integer" : "normal",
                    cw_status_name(status), err.message);
    }
}

static void compare_all(const cw_problem *p, cw_fill fill, uint64_t seed) {
    cw_error err;
    cw_case c;
    cw_found *found;
    size_t count;
    assert_ok(cw_case_make(p, fill, seed, &c, &err), err);
    assert_ok(cw_context_list(context, &c.problem, &found, &count, &err), err);
    for (size_t i = 0; i < count; i++)
        if (comparable(&found[i])) compare_one(&c, &found[i]);
    cw_free(found);
    cw_case_release(&c);
}

/* f32 with both fills, and in NCHW; bf16, u8 without and with a zero point, one fill and layout each, in
 * turns. */
static void compare_all_ways(cw_problem p, uint64_t seed) {
    const struct {
        cw_prec prec;
        int32_t zp;
        cw_fill fill;
        cw_layout layout;
    } ways[] = {{CW_F32, 0, CW_FILL_INTEGER, CW_NHWC},
                {CW_F32, 0, CW_FILL_NORMAL, CW_NHWC},
                {CW_F32, 0, CW_FILL_INTEGER, CW_NCHW},
                {CW_BF16, 0, seed % 2 ? CW_FILL_NORMAL : CW_FILL_INTEGER, seed / 2 % 2 ? CW_NCHW : CW_NHWC},
                {CW_U8, 0, seed % 2 ? CW_FILL_INTEGER : CW_FILL_NORMAL, seed / 2 % 2 ? CW_NCHW : CW_NHWC},
                {CW_U8, 1, seed % 2 ? CW_FILL_NORMAL : CW_FILL_INTEGER, seed / 2 % 2 ? CW_NHWC : CW_NCHW}};
    for (size_t i = 0; i < CW_COUNT(ways); i++) {
        p.prec = (int32_t)ways[i].prec;
        p.zp = ways[i].zp;
        p.layout = (int32_t)ways[i].layout;
        compare_all(&p, ways[i].fill, seed);
    }
}

static const char *const nasty[] = {
    /* smallest, and maps of one pixel */
    "ic1ih1oc1kh1", "ic1ih1oc17kh1", "ic5ih1oc3kh3ph1", "ic64ih1oc64kh1", "ic33ih1oc65kh5ph2",
    /* channels around the vector lengths */
    "ic1ih6oc16kh3ph1", "ic3ih7oc15kh3ph1", "ic15ih7oc33kh3ph1", "ic16ih9oc32kh3ph1", "ic17ih5oc31kh3ph1",
    "ic64ih8oc48kh3ph1", "ic31ih6oc129kh1", "ic96ih5oc80kh1",
    /* odd sizes: tiles of 2 and 4 that end early, with and without padding */
    "ic8ih3oc8kh3", "ic8ih4iw5oc8kh3ph1", "ic8ih13iw7oc8kh3ph1", "ic8ih14iw11oc9kh3", "ic4ih2iw29oc5kh3ph1",
    "ic4ih29iw2oc5kh3ph1", "ic20ih12oc20kh3ph2",
    /* strides */
    "ic3ih23oc16kh7sh2ph3", "ic16ih15oc16kh3sh2ph1", "ic16ih15oc16kh1sh2", "ic8ih17oc8kh3sh3ph1",
    "ic8ih17iw18oc8kh3sh1sw2ph1", "ic8ih17iw18oc8kh3sh3sw1ph1", "ic3ih31oc8kh11sh4ph2", "ic8ih9oc8kh1sh3",
    /* asymmetric padding (bottom and right follow from the output's size) */
    "ic8ih12oc8oh6kh3sh2ph0", "ic8ih9iw9oc8oh9ow9kh4kw4ph1pw1", "ic8ih9iw9oc8oh9ow9kh2kw2ph0pw0",
    "ic8ih9iw9oc8oh9ow9kh2kw2ph1pw1", "ic8ih9iw9oc8oh8ow10kh3kw3ph0pw1", "ic8ih9iw9oc8oh10ow8kh3kw3ph2pw0",
    /* kernels of every form */
    "ic6ih9oc10kh2", "ic6ih9oc10kh4ph1", "ic6ih9oc10kh5ph2", "ic6ih9oc10kh7ph3", "ic6ih12oc10kh11ph5",
    "ic8ih9oc8kh1kw7ph0pw3", "ic8ih9oc8kh7kw1ph3pw0", "ic8ih9oc8kh1kw3ph0pw1", "ic8ih9oc8kh3kw1ph1pw0",
    "ic8ih9oc8kh3kw5ph1pw2", "ic3ih9oc8kh9", "ic7ih5iw9oc8kh5kw9",
    /* dilation */
    "ic8ih15oc8kh3dh1ph2", "ic8ih15oc8kh3dh2ph3", "ic8ih15iw16oc8kh3dh1dw0ph2pw1", "ic8ih15oc8kh3dh6ph7",
    "ic5ih15oc7kh3sh2dh1ph2", "ic8ih15oc8kh2dh3ph2",
    /* groups */
    "g2ic8ih7oc8kh3ph1", "g3ic9ih7oc15kh3ph1", "g4ic64ih7oc64kh1", "g2ic34ih6oc38kh3ph1",
    "g32ic128ih6oc128kh3ph1", "g3ic3ih6oc48kh3ph1", "g5ic35ih6oc5kh3ph1",
    /* depthwise, with and without several outputs a channel */
    "g1ic1ih9oc1kh3ph1", "g8ic8ih9oc8kh3ph1", "g17ic17ih9oc17kh3ph1", "g48ic48ih9oc48kh5ph2",
    "g32ic32ih9oc32kh3sh2ph1", "g16ic16ih9oc32kh3ph1", "g7ic7ih9oc21kh3ph1", "g33ic33ih11oc33kh3dh1ph2",
    "g16ic16ih12oc16oh6kh3sh2ph0", "g300ic300ih5oc300kh3ph1", "g4ic4ih14oc4kh12ph6",
    "g24ic24ih9oc24kh1kw9ph0pw4",
    /* batch and threads */
    "mb2ic16ih7oc16kh3ph1", "mb3ic5ih5oc7kh3", "mb2ic8ih9oc8kh3sh2ph1", "mb2g8ic8ih9oc8kh3ph1",
    "mb2g2ic8ih9oc12kh3ph1", "mb4ic16ih1oc16kh1", "ic16ih9oc16kh3ph1,t2", "mb2ic16ih9oc40kh1,t2",
    "g16ic16ih9oc16kh3ph1,t2", "ic4ih3oc4kh3ph1,t3"};

static void test_agree__nasty_shapes(void **state) {
    (void)state;
    wrong = 0;
    for (size_t i = 0; i < CW_COUNT(nasty); i += every) compare_all_ways(agree_problem(nasty[i]), i);
    assert_int_equal(wrong, 0);
}

static void test_agree__random_shapes(void **state) {
    (void)state;
    cw_rng rng = cw_rng_seed(20190701);
    wrong = 0;
    for (uint64_t done = 0; done < 300;) {
        cw_problem p;
        if (!agree_random_problem(&rng, &p)) continue;
        if (done % every == 0) compare_all(&p, done % 2 ? CW_FILL_NORMAL : CW_FILL_INTEGER, done);
        done++;
    }
    assert_int_equal(wrong, 0);
}

/* Halves the image, never the channels, until the layer is below MACS_MOST or as small as its kernel allows:
 * so that all layers take seconds and still have every combination of channels, kernel, stride and padding.
 */
static cw_problem shrunk(cw_problem p) {
    enum { MACS_MOST = 2000000 };
    for (;;) {
        cw_sizes sizes;
        cw_problem_canonical(&p);
        cw_problem_sizes(&p, &sizes);
        cw_problem next = p;
        next.ih = (p.ih + 1) / 2;
        next.iw = (p.iw + 1) / 2;
        if (sizes.macs <= MACS_MOST || (next.ih == p.ih && next.iw == p.iw)) return p;
        if (cw_problem_check(&next, NULL) != CW_OK) return p;
        p = next;
    }
}

typedef struct problems {
    cw_problem *at;
    size_t count, capacity;
} problems;

static void add_net(problems *all, const char *path) {
    cw_net net;
    cw_error err;
    assert_ok(cw_net_read(path, &net, &err), err);
    const cw_prec precs[] = {CW_F32, CW_U8, CW_BF16};
    for (size_t i = 0; i < 3 * net.count; i++) {
        if (precs[i % 3] == CW_BF16 && i / 3 % 2) continue; /* every second layer tells enough */
        cw_problem p = shrunk(cw_layer_problem(&net.layers[i / 3], precs[i % 3], 1, 1));
        bool known = false;
        for (size_t j = 0; j < all->count && !known; j++) known = memcmp(&all->at[j], &p, sizeof p) == 0;
        if (known) continue;
        assert_true(cw_grow(&all->at, &all->capacity, all->count + 1, sizeof p));
        all->at[all->count++] = p;
    }
    cw_net_release(&net);
}

static void test_agree__layers_of_networks(void **state) {
    (void)state;
    glob_t files;
    problems all = {0};
    assert_int_equal(glob(CW_SOURCE "/data/nets/*.txt", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) add_net(&all, files.gl_pathv[i]);
    assert_true(files.gl_pathc >= 12 && all.count > 375);
    wrong = 0;
    for (size_t i = 0; i < all.count; i += every)
        compare_all(&all.at[i], i / 3 % 2 ? CW_FILL_NORMAL : CW_FILL_INTEGER, i);
    print_message("%zu distinct layers of %zu networks, images shrunk\n", all.count, (size_t)files.gl_pathc);
    globfree(&files);
    cw_free(all.at);
    assert_int_equal(wrong, 0);
}

/* ---- The comparison itself must be able to fail, for each implementation ---- */

typedef void spoiling(const cw_case *c, cw_conv_args *args, void *weights);

static void no_lower_limit(const cw_case *c, cw_conv_args *args, void *weights) {
    (void)c, (void)weights;
    args->lo = -INFINITY;
}
static void no_upper_limit(const cw_case *c, cw_conv_args *args, void *weights) {
    (void)c, (void)weights;
    args->hi = INFINITY;
}
static void no_bias(const cw_case *c, cw_conv_args *args, void *weights) {
    (void)c, (void)weights;
    args->bias = NULL;
}
/* The last tap of the last output channel, for all its input channels. */
static void a_tap_lost(const cw_case *c, cw_conv_args *args, void *weights) {
    size_t element = (size_t)(c->sizes.wei_bytes / c->sizes.wei_count),
           icg = (size_t)(c->problem.ic / c->problem.g);
    memset((char *)weights + c->sizes.wei_bytes - (int64_t)(icg * element), 0, icg * element);
    args->weights = weights;
}
static void other_zero_point(const cw_case *c, cw_conv_args *args, void *weights) {
    (void)c, (void)weights;
    args->quant.dst_zp += 40;
}

static void test_agree__a_spoilt_convolution_is_seen(void **state) {
    (void)state;
    const struct {
        const char *name;
        spoiling *spoil;
        bool zp_only;
    } ways[] = {{"no lower limit", no_lower_limit, false},
                {"no upper limit", no_upper_limit, false},
                {"no bias", no_bias, false},
                {"a tap lost", a_tap_lost, false},
                {"another zero point", other_zero_point, true}};
    const char *texts[] = {"ic19ih13oc21kh3ph1",         "ic16ih14oc32kh3ph1,u8",
                           "ic16ih14oc32kh3ph1,u8,zp",   "ic16ih14oc32kh3ph1,bf16",
                           "g24ic24ih14oc24kh3ph1,bf16", "g24ic24ih14oc24kh3ph1",
                           "g24ic24ih14oc24kh3ph1,u8,zp"};
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        cw_problem p = agree_problem(texts[i]);
        cw_error err;
        cw_case c;
        cw_found *found;
        size_t count;
        cw_fill fill = p.prec == CW_U8 ? CW_FILL_NORMAL : CW_FILL_INTEGER; /* the narrower limits */
        assert_ok(cw_case_make(&p, fill, i, &c, &err), err);
        assert_ok(cw_context_list(context, &c.problem, &found, &count, &err), err);
        void *weights = cw_alloc((size_t)c.sizes.wei_bytes);
        for (size_t j = 0; j < count; j++)
            for (size_t k = 0; comparable(&found[j]) && k < CW_COUNT(ways); k++) {
                if (ways[k].zp_only && !p.zp) continue;
                double error;
                cw_conv_args args = c.args;
                memcpy(weights, c.weights, (size_t)c.sizes.wei_bytes);
                ways[k].spoil(&c, &args, weights);
                if (agree_run(context, &c, found[j].impl, &args, &error, &err) != CW_WRONG)
                    fail_msg("%s %s: %s passed, error %g", texts[i], found[j].impl->name, ways[k].name,
                             error);
            }
        cw_free(weights);
        cw_free(found);
        cw_case_release(&c);
    }
}

static void test_agree__every_backend_took_part(void **state) {
    (void)state;
    for (size_t i = 0; i < context->count; i++) {
        const char *name = context->open[i].backend->name;
        if (strcmp(name, "null") == 0) continue;
        const struct tally *tally = tally_of(name);
        print_message("%-8s %6ld pairs, worst error f32 %.2g of the largest output, computed in bf16 %.2g, "
                      "bf16 %.2g, u8 %g steps\n",
                      name, tally->compared, tally->worst[CW_F32], tally->worst_reduced,
                      tally->worst[CW_BF16], tally->worst[CW_U8]);
        if (tally->compared == 0) fail_msg("%s compared nothing", name);
    }
}

int main(void) {
    cw_error err;
    const char *thinned = getenv("CW_AGREE_EVERY");
    if (thinned && atoi(thinned) > 0) every = (size_t)atoi(thinned);
    if (cw_context_open(&context, &err) != CW_OK) {
        print_error("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agree__nasty_shapes),
        cmocka_unit_test(test_agree__random_shapes),
        cmocka_unit_test(test_agree__layers_of_networks),
        cmocka_unit_test(test_agree__a_spoilt_convolution_is_seen),
        cmocka_unit_test(test_agree__every_backend_took_part),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cw_context_close(context);
    return failed;
}
