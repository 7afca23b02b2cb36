/* test_store.c: what goes into a store comes out, whatever happens to the process; merge and CSV. Bad
 * files and full disks are in test_store_files.c. */
#include "fixture_store.h"
#include "../../src/store/store.h"
#include <math.h>
#include <signal.h>
#include <time.h>

static const char P1[] = "ic8ih16oc8kh3ph1", P2[] = "ic8ih16oc16kh1", P3[] = "ic3ih9oc4kh3,u8,zp,t2";

/* ---- What goes in comes out ---- */

static cw_status keep_first(void *arg, const cw_measurement *m) {
    const cw_measurement *want = arg;
    assert_memory_equal(&m->problem, &want->problem, sizeof m->problem);
    assert_string_equal(m->impl, want->impl);
    assert_string_equal(m->backend, want->backend);
    assert_string_equal(m->version, want->version);
    assert_string_equal(m->detail, want->detail);
    assert_int_equal(m->family, want->family);
    assert_int_equal(m->candidate, want->candidate);
    assert_int_equal(m->library_choice, want->library_choice);
    assert_int_equal(m->state, want->state);
    assert_int_equal(m->samples, want->samples);
    const double got[] = {m->time_ns,        m->min_ns,         m->median_ns,       m->mad_ns, m->prepare_ns,
                          m->src_reorder_ns, m->dst_reorder_ns, m->workspace_bytes, m->error};
    const double wanted[] = {want->time_ns,        want->min_ns,          want->median_ns,
                             want->mad_ns,         want->prepare_ns,      want->src_reorder_ns,
                             want->dst_reorder_ns, want->workspace_bytes, want->error};
    for (size_t i = 0; i < CW_COUNT(got); i++) assert_true(got[i] == wanted[i]);
    assert_memory_equal(m->pass_ns, want->pass_ns, sizeof m->pass_ns);
    return CW_OK;
}

static void test_store__keeps_every_field(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_measurement m = {.problem = problem(P3),
                        .impl = "onednn.brgconv:avx512_core+amx",
                        .backend = "onednn",
                        .version = "2.6.3 (abc, \"x\")",
                        .family = CW_FAMILY_WINOGRAD,
                        .candidate = true,
                        .library_choice = true,
                        .state = CW_STATE_CUT_OFF,
                        .detail = "slower than 4 times the best",
                        .samples = 7,
                        .time_ns = 0.1 + 0.2,
                        .min_ns = 1,
                        .median_ns = 2,
                        .mad_ns = 3,
                        .prepare_ns = 4,
                        .src_reorder_ns = 5,
                        .dst_reorder_ns = 6,
                        .workspace_bytes = 7e12,
                        .error = 8e-7,
                        .pass_ns = {1, 2, 3, 4, 5, 6, 7, 8}};
    cw_store *store = open_writer_at(f->path);
    add(store, &m);
    cw_store_close(store);
    assert_int_equal(count_files(f->folder, false), 1); /* no log, no lock */
    store = open_at(f->path, CW_STORE_READ);
    assert_ok(cw_store_each(store, "m1", keep_first, &m, &err), err);
    assert_int_equal(rows_of(store, "m1"), 1);
    assert_int_equal(rows_of(store, "m2"), 0);
    cw_store_close(store);
}

static cw_status want_nan(void *arg, const cw_measurement *m) {
    ++*(int *)arg;
    assert_true(isnan(m->time_ns) && isnan(m->min_ns) && isnan(m->median_ns) && isnan(m->mad_ns));
    return CW_OK;
}

static void test_store__states_without_time_have_none(void **state) {
    const fixture *f = *state;
    cw_error err;
    int count = 0;
    static const cw_state without[] = {CW_STATE_UNSUPPORTED, CW_STATE_FAILED, CW_STATE_WRONG,
                                       CW_STATE_NO_MEMORY};
    cw_store *store = open_writer_at(f->path);
    for (size_t i = 0; i < CW_COUNT(without); i++) {
        char name[16];
        snprintf(name, sizeof name, "own.s%zu", i);
        cw_measurement m = measured(P1, name, 0);
        m.state = without[i];
        add(store, &m);
    }
    assert_ok(cw_store_each(store, NULL, want_nan, &count, &err), err);
    assert_int_equal(count, CW_COUNT(without));
    cw_store_close(store);
}

static void test_store__refuses_what_it_could_not_read_again(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store *store = open_writer_at(f->path);
    cw_measurement cases[12];
    for (size_t i = 0; i < CW_COUNT(cases); i++) cases[i] = measured(P1, "own.a", 100);
    cases[0].time_ns = 0;
    cases[1].time_ns = NAN;
    cases[2].time_ns = -1;
    cases[3].time_ns = INFINITY;
    cases[4].impl = "";
    cases[5].impl = "own.a*/";
    cases[6].backend = "two words";
    cases[7].version = "line\nbreak";
    cases[8].state = CW_STATE_NOT_MEASURED;
    cases[9].problem.kh = 99;
    cases[10].prepare_ns = NAN;
    cases[11].pass_ns[3] = -1;
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        if (cw_store_add(store, &cases[i], &err) != CW_INVALID) fail_msg("case %zu was stored", i);
    assert_int_equal(rows_of(store, NULL), 0);
    cw_store_close(store);
}

typedef struct done {
    char seen[256];
} done;

static cw_status note_done(void *arg, const char *impl, const char *version, cw_state state) {
    done *d = arg;
    size_t n = strlen(d->seen);
    snprintf(d->seen + n, sizeof d->seen - n, "[%s %s %s]", impl, version, cw_state_name(state));
    return CW_OK;
}

static cw_status one_time(void *arg, const cw_measurement *m) {
    *(double *)arg = m->time_ns;
    return CW_OK;
}

static void put(cw_store *store, const char *version, cw_state of, double time) {
    cw_measurement m = measured(P1, "own.a", time);
    m.version = version;
    m.state = of;
    add(store, &m);
}

static void test_store__the_fastest_repeat_counts(void **state) {
    const fixture *f = *state;
    static const struct {
        struct {
            const char *version;
            cw_state state;
            double time;
        } row[3]; /* in the order of measuring */
        double counts;
    } cases[] = {
        {{{"1", CW_STATE_OK, 20}, {"1", CW_STATE_OK, 10}, {"1", CW_STATE_OK, 30}}, 10},
        {{{"1", CW_STATE_OK, 10}, {"1", CW_STATE_OK, 20}, {"2", CW_STATE_OK, 30}}, 30},
        {{{"2", CW_STATE_OK, 20}, {"1", CW_STATE_OK, 10}, {"2", CW_STATE_OK, 30}}, 20},
        {{{"1", CW_STATE_OK, 20}, {"1", CW_STATE_CUT_OFF, 10}, {"1", CW_STATE_OK, 30}}, 20},
        {{{"1", CW_STATE_OK, 20}, {"1", CW_STATE_OK, 10}, {"1", CW_STATE_CUT_OFF, 30}}, 10},
        {{{"1", CW_STATE_OK, 20}, {"1", CW_STATE_CUT_OFF, 10}, {"1", CW_STATE_CUT_OFF, 30}}, 20},
        {{{"1", CW_STATE_CUT_OFF, 20}, {"1", CW_STATE_CUT_OFF, 10}, {"1", CW_STATE_CUT_OFF, 30}}, 10},
        {{{"1", CW_STATE_OK, 20}, {"1", CW_STATE_OK, 10}, {"2", CW_STATE_CUT_OFF, 30}}, 30},
    };
    cw_error err;
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        double time = 0;
        char machine_name[8];
        cw_store *store = open_writer_at(f->path);
        snprintf(machine_name, sizeof machine_name, "r%zu", i);
        cw_machine own = machine(machine_name);
        assert_ok(cw_store_begin_run(store, &own, NULL, 1, &err), err);
        for (size_t k = 0; k < CW_COUNT(cases[i].row); k++)
            put(store, cases[i].row[k].version, cases[i].row[k].state, cases[i].row[k].time);
        assert_ok(cw_store_each(store, machine_name, one_time, &time, &err), err);
        assert_true(time == cases[i].counts);
        assert_int_equal(rows_of(store, machine_name), 1);
        cw_store_close(store);
    }
}

static void test_store__newest_wins_and_nothing_is_overwritten(void **state) {
    const fixture *f = *state;
    cw_error err;
    double time = 0;
    cw_store *store = open_writer_at(f->path);
    for (int i = 1; i <= 3; i++) {
        cw_measurement m = measured(P1, "own.a", 40 - i * 10);
        add(store, &m);
    }
    cw_machine other = machine("m2");
    assert_ok(cw_store_begin_run(store, &other, NULL, 1, &err), err);
    cw_measurement m = measured(P1, "own.a", 77);
    add(store, &m);
    assert_int_equal(rows_of(store, "m1"), 1);
    assert_int_equal(rows_of(store, NULL), 1);
    assert_ok(cw_store_each(store, "m1", one_time, &time, &err), err);
    assert_true(time == 10);
    assert_ok(cw_store_each(store, "m2", one_time, &time, &err), err);
    assert_true(time == 77);
    assert_ok(cw_store_each(store, NULL, one_time, &time, &err), err);
    assert_true(time == 77);
    cw_store_close(store);
    assert_int_equal(measurements_in(f->path), 4);
    /* The later time counts, not the later row: merging adds old measurements. */
    run_sql(f->path, "UPDATE measurement SET created = created + 99 WHERE id = 2;"
                     "INSERT INTO library VALUES (99, 'own', '2.0');"
                     "UPDATE measurement SET state = 'cut off', library = 99 WHERE id = 2");
    store = open_at(f->path, CW_STORE_READ);
    assert_ok(cw_store_each(store, "m1", one_time, &time, &err), err);
    assert_true(time == 20);
    done d = {""};
    cw_problem p = problem(P1);
    assert_ok(cw_store_done(store, "m1", &p, note_done, &d, &err), err);
    assert_string_equal(d.seen, "[own.a 1.0 ok][own.a 2.0 cut off]");
    cw_store_close(store);
}

typedef struct order {
    cw_problem last;
    int count, stop_at;
} order;

static cw_status check_order(void *arg, const cw_measurement *m) {
    order *o = arg;
    if (o->count++ > 0) assert_true(cw_problem_compare(&o->last, &m->problem) < 0);
    o->last = m->problem;
    return o->count == o->stop_at ? CW_STOPPED : CW_OK;
}

static void test_store__visits_in_order_of_problem_until_told_to_stop(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store *store = open_writer_at(f->path);
    for (int i = 0; i < 60; i++) { /* 7 is a generator modulo 61: every size once, in no order */
        char text[64];
        int size = 1;
        for (int k = 0; k <= i; k++) size = size * 7 % 61;
        snprintf(text, sizeof text, "ic%dih%doc4kh1", size % 5 + 1, size);
        cw_measurement m = measured(text, "own.a", 100);
        add(store, &m);
    }
    order o = {0};
    assert_ok(cw_store_each(store, "m1", check_order, &o, &err), err);
    assert_int_equal(o.count, 60);
    o = (order){.stop_at = 5};
    assert_int_equal(cw_store_each(store, "m1", check_order, &o, &err), CW_STOPPED);
    assert_int_equal(o.count, 5);
    cw_store_close(store);
}

static void test_store__tells_what_is_done(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store *store = open_writer_at(f->path);
    cw_measurement m = measured(P1, "own.a", 10);
    add(store, &m);
    m.state = CW_STATE_FAILED;
    add(store, &m);
    m.version = "2.0";
    m.state = CW_STATE_OK;
    add(store, &m);
    done d = {""};
    cw_problem p = problem(P1), other = problem(P2);
    assert_ok(cw_store_done(store, "m1", &p, note_done, &d, &err), err);
    assert_string_equal(d.seen, "[own.a 1.0 failed][own.a 2.0 ok]");
    d.seen[0] = '\0';
    assert_ok(cw_store_done(store, "m2", &p, note_done, &d, &err), err);
    assert_ok(cw_store_done(store, "m1", &other, note_done, &d, &err), err);
    assert_string_equal(d.seen, "");
    cw_store_close(store);
}

static cw_status check_net(void *arg, const cw_net *net) {
    cw_buf *seen = arg;
    cw_buf_printf(seen, "%s:", net->name);
    for (size_t i = 0; i < net->count; i++)
        cw_buf_printf(seen, " %s/ic%d/zp%d", net->layers[i].name, net->layers[i].problem.ic,
                      net->layers[i].problem.zp);
    cw_buf_put(seen, ";");
    return CW_OK;
}

static void test_store__keeps_networks_in_order_and_replaces_them(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_buf seen = {0};
    cw_layer layers[3] = {
        {"first", problem("ic3ih8oc4kh3"), 0}, {"second", problem("ic4ih8oc4kh3"), 0}, {"third", {0}, 0}};
    layers[0].problem.zp = 1;
    layers[2] = layers[1];
    cw_net b = {"b", layers, 3}, a = {"a", layers, 1};
    cw_store *store = open_at(f->path, CW_STORE_WRITE);
    assert_ok(cw_store_add_net(store, &b, &err), err);
    assert_ok(cw_store_add_net(store, &a, &err), err);
    b.count = 2;
    b.layers = layers + 1;
    assert_ok(cw_store_add_net(store, &b, &err), err);
    assert_ok(cw_store_each_net(store, check_net, &seen, &err), err);
    assert_string_equal(seen.text, "a: first/ic3/zp1;b: second/ic4/zp0 second/ic4/zp0;");
    b.count = 0;
    assert_refused(cw_store_add_net(store, &b, &err), CW_INVALID, err, "layers");
    cw_buf_release(&seen);
    cw_store_close(store);
}

static void test_store__counts_what_is_in_it(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_store_info info;
    make_small_store(f->path);
    cw_store *store = open_at(f->path, CW_STORE_READ);
    assert_ok(cw_store_info_get(store, &info, &err), err);
    assert_int_equal(info.machines, 1);
    assert_int_equal(info.problems, 1);
    assert_int_equal(info.impls, 2);
    assert_int_equal(info.measurements, 2);
    assert_int_equal(info.by_state[CW_STATE_OK], 2);
    assert_int_equal(info.schema, CW_STORE_SCHEMA);
    struct stat about;
    assert_int_equal(stat(f->path, &about), 0);
    assert_int_equal(info.bytes, about.st_size);
    cw_measurement m = measured(P1, "own.a", 1);
    assert_refused(cw_store_add(store, &m, &err), CW_INVALID, err, "reading only");
    cw_store_close(store);
}

/* ---- Processes ---- */

static void test_store__second_writer_is_told_and_readers_work(void **state) {
    const fixture *f = *state;
    static cw_store *store; /* static: a leak checker in the child must still see who owns it */
    store = open_writer_at(f->path);
    cw_measurement m = measured(P1, "own.a", 100);
    add(store, &m);
    pid_t pid = fork();
    if (pid == 0) {
        cw_error err = {0};
        cw_store *mine = NULL;
        int count = 0;
        char process[32];
        snprintf(process, sizeof process, "process %d", (int)getppid());
        if (cw_store_open(f->path, CW_STORE_WRITE, &mine, &err) != CW_IO) _exit(1);
        if (!strstr(err.message, "another convwise") || !strstr(err.message, process)) _exit(2);
        if (cw_store_open(f->path, CW_STORE_READ, &mine, &err) != CW_OK) _exit(3);
        if (cw_store_each(mine, NULL, count_row, &count, &err) != CW_OK || count != 1) _exit(4);
        cw_store_close(mine);
        _exit(0);
    }
    assert_int_equal(child_of(pid), 0);
    m.impl = "own.b"; /* the first writer goes on */
    add(store, &m);
    cw_store_close(store);
    store = open_at(f->path, CW_STORE_WRITE);
    assert_int_equal(rows_of(store, NULL), 2);
    cw_store_close(store);
}

typedef struct slow_reader {
    cw_store *writer;
    int seen;
} slow_reader;

static cw_status add_while_reading(void *arg, const cw_measurement *m) {
    slow_reader *r = arg;
    char name[32];
    (void)m;
    snprintf(name, sizeof name, "own.new%d", r->seen++);
    cw_measurement fresh = measured(P2, name, 50);
    add(r->writer, &fresh);
    return CW_OK;
}

static void test_store__reader_in_the_middle_does_not_hold_up_the_writer(void **state) {
    const fixture *f = *state;
    cw_error err;
    make_small_store(f->path);
    slow_reader r = {open_writer_at(f->path), 0};
    cw_store *reader = open_at(f->path, CW_STORE_READ);
    assert_ok(cw_store_each(reader, NULL, add_while_reading, &r, &err), err);
    assert_int_equal(r.seen, 2); /* what was there when it began */
    assert_int_equal(rows_of(reader, NULL), 4);
    cw_store_close(reader);
    cw_store_close(r.writer);
}

/* Adds for ever, telling each number once it is stored. */
static void write_for_ever(const char *path, int from, int tell) {
    cw_store *store = open_writer_at(path);
    for (int i = from;; i++) {
        char text[64];
        snprintf(text, sizeof text, "ic%dih8oc4kh1", i + 1);
        cw_measurement m = measured(text, "own.a", i + 1);
        if (cw_store_add(store, &m, NULL) != CW_OK || write(tell, &i, sizeof i) != sizeof i) _exit(1);
    }
}

static void test_store__kill_loses_nothing_that_was_stored(void **state) {
    const fixture *f = *state;
    cw_rng rng = cw_rng_seed(7);
    int next = 0;
    for (int round = 0; round < 12; round++) {
        int tell[2], last = next - 1, got;
        assert_int_equal(pipe(tell), 0);
        pid_t pid = fork();
        if (pid == 0) write_for_ever(f->path, next, tell[1]);
        close(tell[1]);
        /* At a random count, so also in the middle of creating the tables (0) and of a commit. */
        int64_t most = round == 0 ? 0 : (int64_t)cw_rng_below(&rng, 150);
        struct timespec moment = {0, (long)cw_rng_below(&rng, 3000000)};
        for (int64_t i = 0; i < most && read(tell[0], &got, sizeof got) == sizeof got; i++) last = got;
        nanosleep(&moment, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(child_of(pid), -SIGKILL);
        while (read(tell[0], &got, sizeof got) == sizeof got) last = got;
        close(tell[0]);
        cw_store *store = open_at(f->path, CW_STORE_WRITE);
        int rows = rows_of(store, NULL);
        if (rows < last + 1 || rows > last + 2) fail_msg("%d told, %d rows", last + 1, rows);
        int64_t broken = 1;
        cw_error err;
        assert_ok(cw_store_int(store,
                               "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                               &broken, &err),
                  err);
        assert_int_equal(broken, 0);
        cw_store_close(store);
        next = rows;
    }
    assert_true(next > 100);
    assert_int_equal(count_files(f->folder, false), 1);
}

/* ---- Moving ---- */

static void test_store__merge_adds_once(void **state) {
    const fixture *f = *state;
    cw_error err;
    char other[128];
    int64_t added = -1;
    snprintf(other, sizeof other, "%s/other.db", f->folder);
    make_small_store(other);
    cw_layer layer = {.name = "first", .problem = problem(P1)};
    cw_net net = {"net", &layer, 1};
    cw_store *store = open_writer_at(other);
    cw_machine m2 = machine("m2");
    assert_ok(cw_store_begin_run(store, &m2, NULL, 1, &err), err);
    cw_measurement m = measured(P2, "own.c", 5);
    add(store, &m);
    assert_ok(cw_store_add_net(store, &net, &err), err);
    cw_store_close(store);
    make_small_store(f->path);
    store = open_at(f->path, CW_STORE_WRITE);
    assert_ok(cw_store_merge(store, other, &added, &err), err);
    assert_int_equal(added, 3);
    assert_ok(cw_store_merge(store, other, &added, &err), err);
    assert_int_equal(added, 0);
    assert_int_equal(rows_of(store, "m1"), 2);
    assert_int_equal(rows_of(store, "m2"), 1);
    assert_refused(cw_store_merge(store, f->path, &added, &err), CW_INVALID, err, "itself");
    run_sql(other, "UPDATE problem SET ic = 0 WHERE id = 2; UPDATE run SET uid = uid || 'x';");
    assert_refused(cw_store_merge(store, other, &added, &err), CW_FORMAT, err, "table problem, row 2");
    cw_store_close(store);
    assert_int_equal(measurements_in(f->path), 5);
}

static void test_store__csv_is_rfc4180_and_all_or_nothing(void **state) {
    const fixture *f = *state;
    cw_error err;
    char csv[128], *text;
    size_t size;
    snprintf(csv, sizeof csv, "%s/out.csv", f->folder);
    cw_store *store = open_writer_at(f->path);
    cw_measurement m = measured(P1, "own.a", 100.5);
    m.detail = "says \"no\", then\nstops";
    add(store, &m);
    assert_ok(cw_store_save(store, CW_EXPORT_CSV, csv, &err), err);
    assert_ok(cw_read_file(csv, 1 << 20, &text, &size, &err), err);
    assert_non_null(strstr(text, ",ok,\"says \"\"no\"\", then stops\",1,0,16,100.5,"));
    assert_int_equal(strncmp(text, "machine,created_ms,problem,impl,", 32), 0);
    assert_string_equal(text + size - 2, "\r\n");
    cw_free(text);
    snprintf(csv, sizeof csv, "%s/nowhere/out.csv", f->folder);
    assert_refused(cw_store_save(store, CW_EXPORT_CSV, csv, &err), CW_IO, err, csv);
    cw_store_close(store);
}

/* ---- Memory ---- */

static cw_status use_everything(const fixture *f, cw_error *err) {
    cw_store *store = NULL;
    int count = 0;
    cw_status status = cw_store_open(f->path, CW_STORE_WRITE, &store, err);
    if (status != CW_OK) return status;
    char other[128];
    snprintf(other, sizeof other, "%s/other.db", f->folder);
    cw_machine m1 = machine("m1");
    cw_measurement m = {
        .problem = {1, 1, 8, 16, 16, 8, 3, 3, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
        .impl = "own.a",
        .backend = "own",
        .version = "1",
        .state = CW_STATE_OK,
        .time_ns = 1};
    status = cw_store_begin_run(store, &m1, NULL, 1, err);
    if (status == CW_OK) status = cw_store_add(store, &m, err);
    if (status == CW_OK) status = cw_store_each(store, NULL, count_row, &count, err);
    if (status == CW_OK) status = cw_store_merge(store, other, NULL, err);
    if (status == CW_OK) status = cw_store_each_net(store, ignore_net, NULL, err);
    if (status == CW_OK) status = cw_store_save(store, CW_EXPORT_CSV, "/dev/null", err);
    cw_store_close(store);
    return status;
}

static void test_store__survives_every_failed_allocation(void **state) {
    const fixture *f = *state;
    cw_error err = {0};
    char other[128];
    cw_layer layer = {.name = "first", .problem = problem(P1)};
    cw_net net = {"net", &layer, 1};
    snprintf(other, sizeof other, "%s/other.db", f->folder);
    make_small_store(other);
    cw_store *store = open_at(other, CW_STORE_WRITE);
    assert_ok(cw_store_add_net(store, &net, &err), err);
    cw_store_close(store);
    long n = 1;
    for (;; n++) {
        cw_alloc_fail_at(n);
        cw_status status = use_everything(f, &err);
        cw_alloc_fail_at(0);
        if (status == CW_OK) break;
        assert_int_equal(status, CW_NO_MEMORY);
        assert_int_equal(err.status, CW_NO_MEMORY);
    }
    assert_true(n > 10);
    assert_ok(use_everything(f, &err), err);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {
        T(test_store__keeps_every_field),
        T(test_store__states_without_time_have_none),
        T(test_store__refuses_what_it_could_not_read_again),
        T(test_store__the_fastest_repeat_counts),
        T(test_store__newest_wins_and_nothing_is_overwritten),
        T(test_store__visits_in_order_of_problem_until_told_to_stop),
        T(test_store__tells_what_is_done),
        T(test_store__keeps_networks_in_order_and_replaces_them),
        T(test_store__counts_what_is_in_it),
        T(test_store__second_writer_is_told_and_readers_work),
        T(test_store__reader_in_the_middle_does_not_hold_up_the_writer),
        T(test_store__kill_loses_nothing_that_was_stored),
        T(test_store__merge_adds_once),
        T(test_store__csv_is_rfc4180_and_all_or_nothing),
        T(test_store__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
