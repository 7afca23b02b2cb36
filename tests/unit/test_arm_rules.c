/* test_arm_rules.c: the Arm library's choice: each rule on both sides of its boundary, and which of two rules
 * that hold comes first. Expectations are written out by hand from the library's rules. */
#include "unit.h"
#include "../../src/problem/arm_rules.h"

#define D CW_FAMILY_DIRECT
#define G CW_FAMILY_GEMM
#define W CW_FAMILY_WINOGRAD
#define F CW_FAMILY_FFT

typedef struct example {
    const char *problem;
    cw_family cl, neon;           /* fast_math false */
    cw_family cl_fast, neon_fast; /* true */
} example;

static void check_all(const example *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const example *e = &examples[i];
        cw_error err;
        cw_problem p;
        assert_ok(cw_problem_parse(e->problem, &p, &err), err);
        const cw_family wanted[] = {e->cl, e->neon, e->cl_fast, e->neon_fast};
        const cw_family got[] = {cw_arm_choice(CW_ARM_CL, &p, false), cw_arm_choice(CW_ARM_NEON, &p, false),
                                 cw_arm_choice(CW_ARM_CL, &p, true), cw_arm_choice(CW_ARM_NEON, &p, true)};
        for (size_t k = 0; k < CW_COUNT(got); k++)
            if (got[k] != wanted[k])
                fail_msg("%s, case %zu: %s, not %s", e->problem, k, cw_family_name(got[k]),
                         cw_family_name(wanted[k]));
    }
}

static void test_arm_rules__known_shapes_come_first(void **state) {
    (void)state;
    static const example examples[] = {
        {"ic48ih27oc128kh5ph2,nchw", D, G, D, G},
        {"ic48ih27oc128kh5ph2", G, G, W, G}, /* CL knows them in NCHW only; NEON in any layout */
        {"ic3ih224oc64kh3ph1,nchw", D, G, D, G},
        {"ic3ih224oc64kh3ph1,nchw,u8", D, G, D, G},
        {"ic3ih224oc64kh3ph1", G, G, G, G},
        {"ic48ih27oc129kh5ph2,nchw", G, G, W, W}, /* one off: no known shape */
        {"ic48ih28oc128kh5ph2,nchw", G, G, W, W},
        {"ic48ih27iw28oc128kh5ph2,nchw", G, G, W, W},
        {"ic49ih27oc128kh5ph2,nchw", G, G, W, W},
        {"ic48ih27oc128kh5kw3ph2pw2,nchw", G, G, G, G},
        {"ic48ih27oc128kh5ph2dh1,nchw", D, G, D, G}, /* before dilation, which the shapes do not tell */
        {"ic3ih224oc64kh3ph0,nchw", G, G, G, G},
    };
    check_all(examples, CW_COUNT(examples));
}

static void test_arm_rules__dilation_is_gemm(void **state) {
    (void)state;
    static const example examples[] = {
        {"ic64ih56oc64kh3ph1,nchw", W, W, W, W},
        {"ic64ih56oc64kh3ph2dh1,nchw", G, G, G, G},
        {"ic64ih56oc64kh3kw3ph1pw2dh0dw1,nchw", G, G, G, G},
        {"ic64ih56oc64kh3ph1pw1dh1dw0,nchw", G, G, G, G},
        {"ic64ih56oc64kh3ph1pw1dh0dw1,nchw", G, G, G, G},
        {"ic64ih900oc3kh9ph4dh1", G, G, G, G}, /* before super-resolution and FFT */
    };
    check_all(examples, CW_COUNT(examples));
}

static void test_arm_rules__large_images_are_direct(void **state) {
    (void)state;
    static const example examples[] = {
        /* CL: rows in and out above 720, kernel 9, top pad below 3, direct can run (9x9: not floats in NCHW).
         * NEON: source above 10,000,000 bytes, kernel above 7, floats in NHWC. */
        {"ic64ih729oc64kh9ph0", D, D, D, D},
        {"ic64ih728oc64kh9ph0", G, D, G, D}, /* 720 rows out */
        {"ic64ih725oc64kh9ph2", D, D, D, D}, /* 721 rows out */
        {"ic64ih725oc64kh9ph3", G, D, G, D},
        {"ic64ih729oc64kh9ph0,nchw", G, G, G, G},
        {"ic64ih729oc64kh9ph0,nchw,u8", D, G, D, G},
        {"ic64ih729oc64kh9ph0,nchw,s8", D, G, D, G},
        {"ic64ih729oc64kh9ph0,f16", D, G, D, G},
        {"ic64ih720oh721oc64kh9ph2", G, D, G, D}, /* 720 rows in, 721 out */
        {"ic64ih740oc64kh11ph0", G, D, G, D},     /* CL: kernel 9, no other */
        {"ic64ih1500oc64kh9ph0sh3", G, D, G, D}, /* CL's direct 9x9: stride at most 2; only 498 rows anyway */
        {"ic64ih1500oc64kh9ph0sh2", D, D, D, D},
        {"ic64ih2500oc64kh9ph0sh3", G, D, G, D},
        {"ic64ih729oc64kh7ph0", G, G, W, G}, /* kernel above 7 */
        {"ic10ih500oc64kh8ph0", G, G, G, G}, /* 10,000,000 bytes exactly */
        {"ic10ih501oc64kh8ph0", G, D, G, D},
        {"ic64ih729iw800oc64kh9kw7ph0pw0", G, G, G, G}, /* direct: square kernels */
    };
    check_all(examples, CW_COUNT(examples));
}

static void test_arm_rules__large_kernels_are_fft(void **state) {
    (void)state;
    static const example examples[] = {
        {"ic64ih56oc32kh9ph4,nchw", F, F, F, F},
        {"ic64ih56oc32kh7ph3,nchw", G, G, G, G}, /* kernel above 7 */
        {"ic64ih56oc64kh9ph4,nchw", G, G, G, G}, /* fewer channels out */
        {"ic64ih56oc32kh9ph3,nchw", G, G, G, G}, /* pads are half the kernel */
        {"ic64ih56oc32kh9ph4sh2,nchw", G, G, G, G},
        {"ic64ih56oc32kh9kw11ph4pw5,nchw", G, G, G, G},
        {"ic64ih56oc32kh10ph5,nchw", G, G, G, G}, /* odd */
        {"ic64ih56oc32kh9ph4,nchw,u8", G, G, G, G},
        {"ic64ih56oc32kh9ph4,nchw,f16", G, G, G, G},
        {"ic8ih56oc4kh9ph4,nchw", F, F, F, F}, /* before the rule of 16 channels */
        {"ic64ih725oc32kh9ph4", F, D, F, D},   /* NEON: super-resolution comes before */
    };
    check_all(examples, CW_COUNT(examples));
}

static void test_arm_rules__few_channels_are_gemm(void **state) {
    (void)state;
    static const example examples[] = {
        {"ic15ih56oc64kh3ph1,nchw", G, G, G, G},
        {"ic16ih56oc64kh3ph1,nchw", W, W, W, W},
    };
    check_all(examples, CW_COUNT(examples));
}

static void test_arm_rules__winograd_where_it_runs(void **state) {
    (void)state;
    static const example examples[] = {
        {"ic64ih56oc64kh3ph1,nchw,u8", G, G, G, G}, /* quantised never */
        {"ic64ih56oc64kh3ph1,nchw,s8", G, G, G, G},
        {"ic64ih56oc64kh3ph1,nchw,f16", G, G, W, G},
        {"ic64ih56oc64kh3ph1sh2,nchw", G, G, G, G},
        {"ic64ih56oc64kh3ph1sh2sw1,nchw", G, G, G, G},
        {"ic64ih56oc64kh3ph1sh1sw2,nchw", G, G, G, G},
        {"ic64ih56oc64kh1,nchw", G, G, G, G},
        {"ic64ih56oc64kh3ph2,nchw", G, G, G, G},        /* pad above half the kernel */
        {"ic64ih56oh56oc64kh3ph2pw1,nchw", G, G, G, G}, /* on one side only: top, bottom, left, right */
        {"ic64ih56oh56oc64kh3ph0pw1,nchw", G, G, G, G},
        {"ic64ih56oh56oc64kh3ph1pw2,nchw", G, G, G, G},
        {"ic64ih56oh56oc64kh3ph1pw0,nchw", G, G, G, G},
        {"ic64ih56oc64kh3ph0,nchw", W, W, W, W},
        {"ic64ih56oc64kh3ph1pw0,nchw", W, G, W, G}, /* NEON 3x3: all pads 0 or all 1 */
        {"ic64ih56oc64kh5ph2,nchw", G, G, W, W},
        {"ic64ih56oc64kh5ph1,nchw", G, G, W, G},
        {"ic64ih56oc64kh7ph3,nchw", G, G, G, G},
        {"ic64ih56oc64kh7ph3", G, G, W, G},
        {"ic64ih56oc64kh3kw1ph1pw0,nchw", W, W, W, W},
        {"ic64ih56oc64kh1kw3ph0pw1,nchw", W, W, W, W},
        {"ic64ih56oc64kh1kw5ph0pw1,nchw", W, G, W, G}, /* NEON: long axis 0 or half the kernel */
        {"ic64ih56oc64kh1kw5ph0pw2,nchw", W, W, W, W},
        {"ic64ih56oh56ow54oc64kh1kw5ph0pw2,nchw", W, W, W, W}, /* each end for itself: 2 and 0, 0 and 2 */
        {"ic64ih56oh56ow54oc64kh1kw5ph0pw0,nchw", W, W, W, W},
        {"ic64ih56oh56ow55oc64kh1kw5ph0pw2,nchw", W, G, W, G}, /* 2 and 1, 1 and 2 */
        {"ic64ih56oh56ow55oc64kh1kw5ph0pw1,nchw", W, G, W, G},
        {"ic64ih56oc64kh5kw1ph2pw0,nchw", W, W, W, W},
        {"ic64ih56oc64kh1kw7ph0pw3,nchw", G, W, G, W}, /* CL: lines of 7 in NHWC only */
        {"ic64ih56oc64kh1kw7ph0pw3", W, W, W, W},
        {"ic64ih56oc64kh7kw1ph3pw0", W, W, W, W},
        {"ic64ih56oc64kh1kw3ph1pw1,nchw", G, G, G, G}, /* pads across the line */
        {"ic64ih56oc64kh3kw5ph1pw2,nchw", G, G, G, G},
    };
    check_all(examples, CW_COUNT(examples));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arm_rules__known_shapes_come_first),
        cmocka_unit_test(test_arm_rules__dilation_is_gemm),
        cmocka_unit_test(test_arm_rules__large_images_are_direct),
        cmocka_unit_test(test_arm_rules__large_kernels_are_fft),
        cmocka_unit_test(test_arm_rules__few_channels_are_gemm),
        cmocka_unit_test(test_arm_rules__winograd_where_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
