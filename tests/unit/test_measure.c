/* test_measure.c: measuring with implementations that misbehave on purpose: each ends in the right state, the
 * others are measured all the same, and nothing is measured twice. */
#include "unit.h"
#include "src/kernel/reference.h"
#include "src/measure/measure.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Implementations ---- */

/* What an implementation does; where a letter is given the answer is right, too. */
typedef enum act {
    ACT_RIGHT,
    ACT_OWN_LAYOUT, /* right, by way of copies */
    ACT_CRASH_PREPARE,
    ACT_CRASH_RUN,
    ACT_CRASH_LATER, /* when it is sampled, after it was verified: on a destination without poison */
    ACT_CRASH_DESTROY,
    ACT_ABORT,
    ACT_EXIT,
    ACT_HANG,
    ACT_WRONG,
    ACT_IDLE, /* leaves the destination as it was */
    ACT_BEYOND,
    ACT_FAIL_PREPARE,
    ACT_FAIL_RUN,
    ACT_NO_MEMORY,
    ACT_SLOW,
    ACT_TERMINATED, /* right, though the whole group of processes is told to end */
    ACT_PRINT,
    ACT_SUSPENDED,
    ACT_UNSUPPORTED,
} act;

typedef struct fake_impl {
    cw_impl base;
    act act;
    cw_state want;
    const char *detail; /* that the stored detail mentions */
} fake_impl;

typedef struct fake_kernel {
    cw_kernel base;
    cw_reference *reference;
    act act;
    size_t src_bytes, dst_bytes;
} fake_kernel;

static void crash(void) {
    raise(SIGSEGV);
}

/* Ctrl-Z and fg, as the measuring process sees them, once: for longer than the time limit of a step. */
static void suspend(void) {
    static bool done;
    if (done) return;
    done = true;
    kill(getppid(), SIGSTOP);
    usleep(2500000);
    kill(getppid(), SIGCONT);
    usleep(300000);
}

static cw_status fake_run(cw_kernel *kernel, const void *src, void *dst, void *workspace) {
    fake_kernel *k = (fake_kernel *)kernel;
    (void)workspace;
    if (k->act == ACT_CRASH_RUN || (k->act == ACT_CRASH_LATER && !isnan(*(float *)dst))) crash();
    if (k->act == ACT_ABORT) abort();
    if (k->act == ACT_EXIT) _exit(7);
    while (k->act == ACT_HANG) pause();
    if (k->act == ACT_FAIL_RUN) return CW_BACKEND;
    if (k->act == ACT_IDLE) return CW_OK;
    if (k->act == ACT_SLOW) usleep(30000);
    if (k->act == ACT_TERMINATED) raise(SIGINT), raise(SIGTERM), raise(SIGHUP);
    if (k->act == ACT_SUSPENDED) suspend();
    if (k->act == ACT_PRINT) {
        fputs("noise on standard error\n", stderr);
        puts("noise on standard output");
        fflush(stdout);
    }
    cw_reference_run(k->reference, src, dst);
    if (k->act == ACT_WRONG) ((float *)dst)[7] += 0.5f;
    if (k->act == ACT_BEYOND) ((char *)dst)[k->dst_bytes] = 1;
    return CW_OK;
}

static cw_status fake_src(cw_kernel *kernel, const void *plain, void *own) {
    memcpy(own, plain, ((fake_kernel *)kernel)->src_bytes);
    return CW_OK;
}

static cw_status fake_dst(cw_kernel *kernel, const void *own, void *plain) {
    memcpy(plain, own, ((fake_kernel *)kernel)->dst_bytes);
    return CW_OK;
}

static void fake_destroy(cw_kernel *kernel) {
    fake_kernel *k = (fake_kernel *)kernel;
    if (k->act == ACT_CRASH_DESTROY) crash();
    cw_reference_free(k->reference);
    cw_free(k);
}

static cw_status fake_prepare(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args,
                              cw_kernel **out, cw_error *err) {
    act what = ((const fake_impl *)impl)->act;
    if (what == ACT_CRASH_PREPARE) crash();
    if (what == ACT_FAIL_PREPARE) return cw_fail(err, CW_BACKEND, "no such luck");
    if (what == ACT_NO_MEMORY) return cw_fail_memory(err);
    fake_kernel *k = cw_alloc(sizeof *k);
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    k->base = (cw_kernel){.run = fake_run, .destroy = fake_destroy, .workspace_bytes = 100};
    k->src_bytes = (size_t)sizes.src_bytes;
    k->dst_bytes = (size_t)sizes.dst_bytes;
    k->act = what;
    if (what == ACT_OWN_LAYOUT) {
        k->base.src_own_bytes = k->src_bytes;
        k->base.dst_own_bytes = k->dst_bytes;
        k->base.src_reorder = fake_src;
        k->base.dst_reorder = fake_dst;
    }
    *out = &k->base;
    return cw_reference_create(p, args, &k->reference, err);
}

#define FAKE(text, what, state, says)                                                                        \
    {                                                                                                        \
        {.name = "fake." text,                                                                               \
         .family = CW_FAMILY_DIRECT,                                                                         \
         .candidate = true,                                                                                  \
         .exact = true,                                                                                      \
         .prepare = fake_prepare},                                                                           \
            what, CW_STATE_##state, says                                                                     \
    }
static const fake_impl fakes[] = {
    FAKE("right", ACT_RIGHT, OK, ""),
    FAKE("own_layout", ACT_OWN_LAYOUT, OK, ""),
    FAKE("crash_prepare", ACT_CRASH_PREPARE, FAILED, "killed by signal 11 (Segmentation fault)"),
    FAKE("crash_run", ACT_CRASH_RUN, FAILED, "killed by signal 11 (Segmentation fault)"),
    FAKE("crash_later", ACT_CRASH_LATER, FAILED, "killed by signal 11 (Segmentation fault)"),
    FAKE("crash_destroy", ACT_CRASH_DESTROY, FAILED, "killed by signal 11 (Segmentation fault)"),
    FAKE("abort", ACT_ABORT, FAILED, "killed by signal 6 (Aborted)"),
    FAKE("exit", ACT_EXIT, FAILED, "ended the process with exit code 7"),
    FAKE("hang", ACT_HANG, FAILED, "timed out after 3 s"),
    FAKE("wrong", ACT_WRONG, WRONG, "fake.wrong"),
    FAKE("idle", ACT_IDLE, WRONG, "fake.idle"),
    FAKE("beyond", ACT_BEYOND, WRONG, "beyond the end"),
    FAKE("fail_prepare", ACT_FAIL_PREPARE, FAILED, "prepare: no such luck"),
    FAKE("fail_run", ACT_FAIL_RUN, FAILED, "run: backend"),
    FAKE("no_memory", ACT_NO_MEMORY, NO_MEMORY, "out of memory"),
    FAKE("slow", ACT_SLOW, CUT_OFF, "times the best after 2 runs"),
    FAKE("print", ACT_PRINT, OK, ""),
    FAKE("terminated", ACT_TERMINATED, OK, ""),
    FAKE("unsupported", ACT_UNSUPPORTED, UNSUPPORTED, "not today"),
};

static const fake_impl suspending = FAKE("suspending", ACT_SUSPENDED, OK, "");
static bool suspended; /* that one is listed, too */

static cw_status fake_list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err) {
    (void)state, (void)p, (void)err;
    if (suspended) visit(arg, &suspending.base, NULL, false);
    for (size_t i = 0; i < CW_COUNT(fakes); i++)
        visit(arg, &fakes[i].base, fakes[i].act == ACT_UNSUPPORTED ? "not today" : NULL, i == 0);
    return CW_OK;
}

static cw_status crashing_list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg,
                               cw_error *err) {
    (void)state, (void)p, (void)visit, (void)arg, (void)err;
    crash();
    return CW_OK;
}

static cw_status failing_list(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg,
                              cw_error *err) {
    (void)state, (void)p, (void)visit, (void)arg;
    return cw_fail(err, CW_BACKEND, "the library is in a bad mood");
}

static const cw_backend fake_backend = {.abi = CW_BACKEND_ABI, .name = "fake", .list = fake_list};
static const cw_backend crashing_backend = {.abi = CW_BACKEND_ABI, .name = "crashing", .list = crashing_list};
static const cw_backend failing_backend = {.abi = CW_BACKEND_ABI, .name = "failing", .list = failing_list};

/* ---- A context and a store for each test ---- */

typedef struct bench {
    cw_context ctx;
    struct cw_open_backend open[3];
    cw_backend_info infos[3];
    char folder[64], path[96];
    cw_store *store;
    cw_problem problems[3];
    cw_measure_options options;
    volatile int stop;
    size_t calls;
} bench;

static void add_backend(bench *b, const cw_backend *backend) {
    b->open[b->ctx.count].backend = backend;
    b->infos[b->ctx.count++] = (cw_backend_info){.name = backend->name, .version = "1.0"};
}

static int set_up(void **state) {
    bench *b = calloc(1, sizeof *b);
    cw_error err;
    b->ctx.open = b->open;
    b->ctx.infos = b->infos;
    cw_machine_detect(&b->ctx.machine);
    add_backend(b, &fake_backend);
    strcpy(b->folder, "test_measure_XXXXXX");
    if (!mkdtemp(b->folder)) return -1;
    snprintf(b->path, sizeof b->path, "%s/a.db", b->folder);
    assert_ok(cw_store_open(b->path, CW_STORE_WRITE, &b->store, &err), err);
    static const char *const texts[] = {"mb1ic4ih6oc4oh6kh3ph1", "mb1ic3ih5oc8oh5kh1ph0",
                                        "mb1ic4ih6oc4oh6kh3ph1"};
    for (size_t i = 0; i < 3; i++) assert_ok(cw_problem_parse(texts[i], &b->problems[i], &err), err);
    b->options = (cw_measure_options){.problems = b->problems,
                                      .count = 1,
                                      .only = "fake.right",
                                      .sample_ms = 0.01,
                                      .timeout_s = 3,
                                      .seed = 5};
    *state = b;
    return 0;
}

static int tear_down(void **state) {
    bench *b = *state;
    char command[128];
    cw_store_close(b->store);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    int removed = system(command);
    free(b);
    return removed;
}

static cw_status measure(bench *b, cw_error *err) {
    return cw_measure(&b->ctx, b->store, &b->options, err);
}

static int64_t stored(bench *b) {
    cw_store_info info;
    cw_error err;
    assert_ok(cw_store_info_get(b->store, &info, &err), err);
    return info.measurements;
}

/* The newest measurement of an implementation; strings are copied. */
typedef struct wanted {
    const char *impl;
    int found;
    char detail[256];
    cw_measurement m;
} wanted;

static cw_status look_for(void *arg, const cw_measurement *m) {
    wanted *w = arg;
    if (strcmp(m->impl, w->impl) != 0) return CW_OK;
    w->found++;
    w->m = *m;
    snprintf(w->detail, sizeof w->detail, "%s", m->detail);
    return CW_OK;
}

static wanted find(bench *b, const char *impl) {
    wanted w = {.impl = impl};
    cw_error err;
    assert_ok(cw_store_each(b->store, NULL, look_for, &w, &err), err);
    return w;
}

static void assert_no_children(void) {
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* ---- Tests ---- */

static void test_measure__each_misbehaviour_ends_in_its_state(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = NULL;
    assert_ok(measure(b, &err), err);
    for (size_t i = 0; i < CW_COUNT(fakes); i++) {
        const char *name = fakes[i].base.name;
        wanted w = find(b, name);
        if (w.found != 1) fail_msg("%s: stored %d times", name, w.found);
        if (w.m.state != fakes[i].want || !strstr(w.detail, fakes[i].detail))
            fail_msg("%s: %s: %s", name, cw_state_name(w.m.state), w.detail);
        bool timed = w.m.state == CW_STATE_OK || w.m.state == CW_STATE_CUT_OFF;
        if (timed != (w.m.time_ns > 0)) fail_msg("%s: time %g", name, w.m.time_ns);
    }
    assert_int_equal(stored(b), CW_COUNT(fakes));
    assert_no_children();
}

static void test_measure__a_second_start_measures_nothing(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = "fake.right,fake.crash_*,fake.unsupported,fake.slow";
    assert_ok(measure(b, &err), err);
    int64_t before = stored(b);
    assert_int_equal(before, 7);
    assert_ok(measure(b, &err), err);
    assert_int_equal(stored(b), before);
    b->options.only = "fake.right";
    b->options.again = true;
    assert_ok(measure(b, &err), err);
    assert_int_equal(stored(b), before + 1);
}

static void test_measure__another_library_version_is_measured_anew(void **state) {
    bench *b = *state;
    cw_error err;
    assert_ok(measure(b, &err), err);
    b->infos[0].version = "1.1";
    assert_ok(measure(b, &err), err);
    assert_int_equal(stored(b), 2);
    assert_ok(measure(b, &err), err);
    assert_int_equal(stored(b), 2);
}

static void test_measure__duplicates_are_measured_once(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.count = 3; /* the third is the first again */
    assert_ok(measure(b, &err), err);
    assert_int_equal(stored(b), 2);
}

/* 64 times the work at 30 ms a piece: two seconds. */
static void test_measure__what_is_known_to_be_hopeless_is_not_run(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = "fake.slow,fake.right";
    b->options.count = 2;
    assert_ok(cw_problem_parse("mb1ic16ih12oc16oh12kh3ph1", &b->problems[1], &err), err);
    assert_ok(measure(b, &err), err);
    wanted slow = find(b, "fake.slow");
    assert_int_equal(slow.found, 2);
    assert_int_equal(slow.m.state, CW_STATE_SKIPPED);
    assert_true(isnan(slow.m.time_ns));
    assert_non_null(strstr(slow.detail, "times the best here"));
    assert_int_equal(find(b, "fake.right").m.state, CW_STATE_OK);
    /* Alone it is not hopeless. */
    b->options.only = "fake.slow";
    b->options.again = true;
    assert_ok(measure(b, &err), err);
    assert_int_equal(find(b, "fake.slow").m.state, CW_STATE_OK);
}

static void test_measure__what_is_timed_carries_all_figures(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = "fake.own_layout";
    b->options.passes = 4;
    assert_ok(measure(b, &err), err);
    cw_measurement m = find(b, "fake.own_layout").m;
    assert_int_equal(m.state, CW_STATE_OK);
    assert_true(m.samples >= 4 && m.samples <= 20);
    double least = m.pass_ns[0];
    for (int i = 0; i < 4; i++) assert_true(m.pass_ns[i] > 0);
    for (int i = 1; i < 4; i++) least = fmin(least, m.pass_ns[i]);
    assert_true(m.pass_ns[4] == 0);
    assert_true(m.time_ns == least && m.min_ns <= m.time_ns && m.min_ns <= m.median_ns && m.mad_ns >= 0);
    assert_true(m.src_reorder_ns > 0 && m.dst_reorder_ns > 0 && m.prepare_ns > 0);
    assert_true(m.workspace_bytes == 100);
}

static void test_measure__a_backend_that_dies_while_listing_spares_the_others(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = "fake.right,crashing.*,failing.*";
    b->ctx.count = 0;
    add_backend(b, &crashing_backend);
    add_backend(b, &failing_backend);
    add_backend(b, &fake_backend);
    for (int round = 0; round < 2; round++) {
        assert_ok(measure(b, &err), err);
        assert_int_equal(find(b, "fake.right").m.state, CW_STATE_OK);
        wanted crashed = find(b, "crashing.list"), failed = find(b, "failing.list");
        assert_int_equal(crashed.m.state, CW_STATE_FAILED);
        assert_non_null(strstr(crashed.detail, "killed by signal 11"));
        assert_false(crashed.m.candidate);
        assert_int_equal(failed.m.state, CW_STATE_FAILED);
        assert_non_null(strstr(failed.detail, "bad mood"));
        assert_int_equal(stored(b), 3);
    }
}

static void stop_at_once(void *arg, const cw_measure_progress *progress) {
    bench *b = arg;
    b->calls++;
    if (progress->done == 1) b->stop = 1;
}

static void test_measure__stop_ends_it_between_problems(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.count = 2;
    b->options.stop = &b->stop;
    b->options.progress = stop_at_once;
    b->options.arg = b;
    assert_int_equal(measure(b, &err), CW_STOPPED);
    assert_int_equal(stored(b), 1);
    b->stop = 0;
    b->options.progress = NULL;
    assert_ok(measure(b, &err), err);
    assert_int_equal(stored(b), 2);
}

static volatile int alarmed;
static void on_alarm(int number) {
    (void)number;
    alarmed = 1;
}

/* The watchdog would need an hour. */
static void test_measure__stop_ends_a_hanging_implementation(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = "fake.hang";
    b->options.timeout_s = 3600;
    b->options.stop = &alarmed;
    alarmed = 0;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {.tv_usec = 300000}}, NULL);
    assert_int_equal(measure(b, &err), CW_STOPPED);
    signal(SIGALRM, SIG_DFL);
    assert_int_equal(stored(b), 0);
    assert_no_children();
}

static void test_measure__suspension_is_no_time_out(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = "fake.suspending";
    b->options.timeout_s = 2;
    suspended = true;
    cw_status status = measure(b, &err);
    suspended = false;
    assert_ok(status, err);
    wanted w = find(b, "fake.suspending");
    if (w.m.state != CW_STATE_OK) fail_msg("%s: %s", cw_state_name(w.m.state), w.detail);
}

static void test_measure__a_spent_budget_measures_nothing_more(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.budget_s = 1e-9;
    assert_int_equal(measure(b, &err), CW_STOPPED);
    assert_int_equal(stored(b), 0);
}

static void test_measure__works_without_a_child(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.only = "fake.right,fake.wrong,fake.fail_*,fake.own_layout";
    b->options.in_process = true;
    assert_ok(measure(b, &err), err);
    assert_int_equal(stored(b), 5);
    assert_int_equal(find(b, "fake.own_layout").m.state, CW_STATE_OK);
    cw_machine machine;
    cw_machine_detect(&machine);
    assert_int_equal(machine.cores, b->ctx.machine.cores); /* no longer pinned */
}

static void test_measure__nothing_is_printed(void **state) {
    bench *b = *state;
    cw_error err;
    struct stat about;
    char path[128];
    snprintf(path, sizeof path, "%s/output", b->folder);
    b->options.only = "fake.print,fake.abort";
    fflush(stdout);
    int out = dup(1), other = dup(2), file = open(path, O_CREAT | O_WRONLY, 0600);
    dup2(file, 1);
    dup2(file, 2);
    cw_status status = measure(b, &err);
    fflush(stdout);
    dup2(out, 1);
    dup2(other, 2);
    close(out), close(other), close(file);
    assert_ok(status, err);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 0);
}

static void test_measure__bad_options_are_refused(void **state) {
    bench *b = *state;
    cw_error err;
    b->options.passes = 9;
    assert_refused(measure(b, &err), CW_INVALID, err, "passes");
    b->options.passes = 0;
    b->options.cut_off = 0.5;
    assert_refused(measure(b, &err), CW_INVALID, err, "cut-off");
    b->options.cut_off = 0;
    b->problems[0].threads = b->ctx.machine.cores + 1;
    assert_refused(measure(b, &err), CW_INVALID, err, "usable core");
    b->problems[0].threads = 1;
    b->problems[0].kh = 100;
    assert_int_equal(measure(b, &err), CW_INVALID);
    assert_int_equal(stored(b), 0);
}

static void test_measure__lack_of_memory_is_an_error_not_a_crash(void **state) {
    bench *b = *state;
    for (long n = 1; n < 8; n++) {
        cw_error err = {0};
        cw_alloc_fail_at(n);
        cw_status status = measure(b, &err);
        cw_alloc_fail_at(0);
        if (status != CW_OK && status != CW_NO_MEMORY) fail_msg("allocation %ld: %s", n, err.message);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_measure__each_misbehaviour_ends_in_its_state),
        TEST(test_measure__a_second_start_measures_nothing),
        TEST(test_measure__another_library_version_is_measured_anew),
        TEST(test_measure__duplicates_are_measured_once),
        TEST(test_measure__what_is_known_to_be_hopeless_is_not_run),
        TEST(test_measure__what_is_timed_carries_all_figures),
        TEST(test_measure__a_backend_that_dies_while_listing_spares_the_others),
        TEST(test_measure__stop_ends_it_between_problems),
        TEST(test_measure__stop_ends_a_hanging_implementation),
        TEST(test_measure__suspension_is_no_time_out),
        TEST(test_measure__a_spent_budget_measures_nothing_more),
        TEST(test_measure__works_without_a_child),
        TEST(test_measure__nothing_is_printed),
        TEST(test_measure__bad_options_are_refused),
        TEST(test_measure__lack_of_memory_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
