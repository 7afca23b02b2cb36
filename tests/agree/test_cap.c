/* test_cap.c: contexts on a lesser machine than the CPU is. Libraries keep a cap for the whole process, so
 * each context is opened in a child of its own; what fails there is printed, and is the child's exit code. */
#include "agree.h"
#include <sys/wait.h>
#include <unistd.h>

static void test_cap__a_lesser_machine(void **state) {
    (void)state;
    const struct {
        const char *isa;
        bool avx2, avx512, vnni, bf16;
        const char *cap, *refused; /* NULL = the cap holds */
    } cases[] = {
        {"avx512", true, true, true, true, "avx2", NULL},
        {"avx512", true, true, true, true, "sse41", NULL},
        {"avx512", true, true, true, false, "avx512", NULL},
        {"avx512", true, true, false, false, "avx512", "no more than avx512"},
        {"avx2", true, false, false, false, "sse41", NULL},
        {"avx2", true, false, false, false, "avx2", "no more than avx2"},
        {"avx2", true, false, false, false, "avx512", "no more than avx2"},
        {"portable", false, false, false, false, "sse41", "no more than portable"},
        {"neon", false, false, false, false, "avx2", "no more than neon"},
    };
    cw_machine made[CW_COUNT(cases)];
    cw_error err;
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cw_machine m = {.cpu = "Made up", .cores = 2, .l1d = 1, .l2 = 2, .l3 = 3, .fingerprint = "0"};
        snprintf(m.isa, sizeof m.isa, "%s", cases[i].isa);
        m.avx2 = cases[i].avx2, m.avx512 = cases[i].avx512, m.vnni = cases[i].vnni, m.bf16 = cases[i].bf16;
        if (cases[i].refused) {
            assert_refused(cw_machine_cap(&m, cases[i].cap, &err), CW_UNSUPPORTED, err, cases[i].refused);
            assert_string_equal(m.isa, cases[i].isa);
            assert_false(m.capped);
        } else {
            assert_ok(cw_machine_cap(&m, cases[i].cap, &err), err);
            assert_string_equal(m.isa, cases[i].cap);
            assert_true(m.capped && m.cores == 2 && m.l3 == 3);
            assert_false(m.vnni || m.bf16);
            assert_int_equal(m.avx512, strcmp(cases[i].cap, "avx512") == 0);
            assert_int_equal(m.avx2, strcmp(cases[i].cap, "sse41") != 0);
        }
        made[i] = m;
    }
    assert_string_not_equal(made[0].fingerprint, made[1].fingerprint);
    assert_string_not_equal(made[0].fingerprint, made[2].fingerprint);
    assert_string_equal(made[1].fingerprint, made[4].fingerprint); /* nothing is left that differs */
    cw_machine m = made[0];
    assert_refused(cw_machine_cap(&m, "avx", &err), CW_INVALID, err, "\"avx\" is no instruction set");
}

static bool can_cap(const char *isa) {
    cw_machine machine;
    cw_machine_detect(&machine);
    return cw_machine_cap(&machine, isa, NULL) == CW_OK;
}

/* Runs check(isa) in a child and wants 0. */
static void in_child(int (*check)(const char *isa), const char *isa) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int code = check(isa);
        fflush(NULL);
        _exit(code);
    }
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0)
        fail_msg("%s: the child ended with %#x", isa, (unsigned)how);
}

static const char *const texts[] = {
    "ic17ih9oc37kh3ph1",       "ic64ih14oc64kh3ph1",        "ic3ih15oc16kh7sh2ph3",
    "ic40ih5oc64kh1",          "ic64ih7oc32kh1,t2",         "g32ic32ih9oc32kh3ph1",
    "mb2ic16ih9oc48kh3sh2ph1", "ic16ih9oc16kh5ph2",         "g2ic8ih9oc16kh3dh1ph2",
    "ic64ih14oc64kh3ph1,u8",   "ic40ih5oc64kh1,u8",         "g32ic32ih9oc32kh3ph1,u8",
    "ic16ih9oc16kh3ph1,u8,zp", "ic8ih9oc24kh3sh2ph1,u8,t2",
};

/* What the name of an implementation must not have. */
static bool says_more(const char *name, const char *isa) {
    bool more = strstr(name, "amx") || strstr(name, "vnni"); /* bf16: emulated with AVX-512 */
    if (strcmp(isa, "avx512") != 0) more |= strstr(name, "avx512") != NULL;
    if (strcmp(isa, "sse41") == 0) more |= strstr(name, "avx") != NULL;
    return more;
}

static int check_one(cw_context *ctx, const char *isa, const cw_case *c, const cw_found *found) {
    cw_error err = {CW_OK, ""};
    double error;
    const char *name = found->impl->name;
    if (says_more(name, isa)) return print_error("at %s there is %s\n", isa, name), 1;
    if (strcmp(found->backend->name, "xnnpack") == 0 && !found->why_not)
        return print_error("%s cannot be capped, but runs\n", name), 1;
    if (found->why_not || strcmp(name, "null") == 0) return 0;
    if (agree_run(ctx, c, found->impl, NULL, &error, &err) == CW_OK) return 0;
    return print_error("at %s: %s: %s\n", isa, name, err.message), 1;
}

static int check_all(const char *isa) {
    cw_context *ctx;
    cw_error err = {CW_OK, ""};
    cw_machine real;
    int bad = 0, ran = 0;
    cw_machine_detect(&real);
    if (cw_context_open_with(&(cw_context_options){.max_isa = isa}, &ctx, &err) != CW_OK)
        return print_error("%s: %s\n", isa, err.message), 1;
    const cw_machine *machine = cw_context_machine(ctx);
    if (strcmp(machine->isa, isa) != 0 || strcmp(machine->fingerprint, real.fingerprint) == 0) bad = 1;
    cw_impl_info *infos;
    size_t count;
    if (cw_impls(ctx, NULL, &infos, &count, &err) != CW_OK) return 1;
    for (size_t i = 0; i < count; i++) bad |= says_more(infos[i].name, isa);
    cw_free(infos);
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        cw_problem p = agree_problem(texts[i]);
        cw_case c;
        cw_found *found;
        if (cw_case_make(&p, CW_FILL_NORMAL, i, &c, &err) != CW_OK ||
            cw_context_list(ctx, &c.problem, &found, &count, &err) != CW_OK)
            return print_error("%s\n", err.message), 1;
        for (size_t k = 0; k < count; k++) {
            bad |= check_one(ctx, isa, &c, &found[k]);
            ran += !found[k].why_not;
        }
        cw_free(found);
        cw_case_release(&c);
    }
    cw_context_close(ctx);
    print_message("%s: %d runs\n", isa, ran);
    return bad || ran < 3 * (int)CW_COUNT(texts);
}

static void test_cap__nothing_above_it_runs_and_all_agrees(void **state) {
    (void)state;
    static const char *const caps[] = {"sse41", "avx2", "avx512"};
    for (size_t i = 0; i < CW_COUNT(caps); i++)
        if (can_cap(caps[i]))
            in_child(check_all, caps[i]);
        else
            print_message("SKIP: this CPU is no more than %s\n", caps[i]);
}

/* With oneDNN; where no library keeps a cap, contexts may have what they like. */
static int check_second(const char *isa) {
    cw_context *ctx;
    cw_error err = {CW_OK, ""};
    if (cw_context_open_with(&(cw_context_options){.max_isa = isa}, &ctx, &err) != CW_OK)
        return print_error("%s\n", err.message), 1;
    size_t count;
    const cw_backend_info *backends = cw_backends(ctx, &count);
    bool keeps = false;
    for (size_t i = 0; i < count; i++)
        keeps |= strcmp(backends[i].name, "onednn") == 0 && backends[i].version;
    cw_context_close(ctx);
    if (cw_context_open_with(&(cw_context_options){.max_isa = isa}, &ctx, &err) != CW_OK)
        return print_error("again: %s\n", err.message), 1;
    cw_context_close(ctx);
    cw_status status = cw_context_open(&ctx, &err);
    if (status == CW_OK) cw_context_close(ctx);
    if (status != (keeps ? CW_MISMATCH : CW_OK)) return print_error("uncapped: %d\n", (int)status), 1;
    return keeps && !strstr(err.message, "whole process");
}

static int check_late(const char *isa) {
    cw_context *ctx;
    cw_error err = {CW_OK, ""};
    if (cw_context_open(&ctx, &err) != CW_OK) return print_error("%s\n", err.message), 1;
    size_t count;
    const cw_backend_info *backends = cw_backends(ctx, &count);
    bool keeps = false;
    for (size_t i = 0; i < count; i++)
        keeps |= strcmp(backends[i].name, "onednn") == 0 && backends[i].version;
    cw_context_close(ctx);
    cw_status status = cw_context_open_with(&(cw_context_options){.max_isa = isa}, &ctx, &err);
    if (status == CW_OK) cw_context_close(ctx);
    return status != (keeps ? CW_MISMATCH : CW_OK);
}

static void test_cap__another_one_in_the_same_process_is_refused(void **state) {
    (void)state;
    if (!can_cap("sse41")) {
        print_message("SKIP: this CPU cannot be capped\n");
        return;
    }
    in_child(check_second, "sse41");
    in_child(check_late, "sse41");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cap__a_lesser_machine),
        cmocka_unit_test(test_cap__nothing_above_it_runs_and_all_agrees),
        cmocka_unit_test(test_cap__another_one_in_the_same_process_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
