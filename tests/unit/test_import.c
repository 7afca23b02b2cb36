/* test_import.c: imports of ARFF, layer tables and exported CSV: what is stored, what is refused, and that a
 * refused file leaves no trace. */
#include "import_fixture.h"
#include <math.h>

static const char map[] = "ic=c,ih=h,kh=k,oc=o,class=class,acme.gemm=a,acme.direct=b c";
#define HEAD                                                                                                 \
    "% a comment\n@RELATION 'x y'\n@attribute c INTEGER\n@Attribute h\tREAL\n@ATTRIBUTE 'k' numeric\n"       \
    "@attribute o integer\n\n@attribute class {a, 'b c',d}\n@DATA\n"

static void test_arff__labels_in_order_of_file(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_import_summary s;
    complaints c = {{0}, 0};
    const cw_import_options o = {.columns = map, .machine = "m", .complain = complain_into, .arg = &c};
    assert_ok(import_text(f, "arff", "x.arff",
                          HEAD "8,9,3,16,a\n 8 , 9.0 , 3,16 ,\"b c\"\r\n% no row\n\n8,9,3,16,'a'\n16,9,1,8,a",
                          &o, &s, &err),
              err);
    assert_string_equal(c.text, "");
    assert_int_equal(s.labels, 4);
    assert_int_equal(s.times, 0);
    assert_int_equal(s.problems, 2);
    assert_int_equal(s.duplicates, 1);
    assert_int_equal(s.contradictory, 1);
    assert_int_equal(s.rejected, 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM measurement WHERE state = 'label' AND time_ns IS NULL"), 4);
    assert_int_equal(ask(f, "SELECT group_concat(impl.name = 'acme.gemm', '') = '1011' FROM (SELECT impl FROM"
                            " measurement ORDER BY created, id) m JOIN impl ON impl.id = m.impl"),
                     1);
    assert_int_equal(ask(f, "SELECT count(*) FROM run WHERE source = (SELECT id FROM source WHERE kind ="
                            " 'arff' AND name = 'x.arff') AND protocol = 0"),
                     1);
}

static void test_arff__preset_and_constants(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_import_summary s;
    char text[1000] = "@RELATION convolution\n";
    for (int i = 1; i <= 7; i++) snprintf(text + strlen(text), 40, "@ATTRIBUTE tensor_%d INTEGER\n", i);
    strcat(text, "@ATTRIBUTE tuner INTEGER\n@ATTRIBUTE precision INTEGER\n@attribute architecture INTEGER\n"
                 "@ATTRIBUTE class {conv,directconv,winogradconv}\n@DATA\n"
                 "1024,7,8,1,16,1,0,0,0,0,conv\n3,224,224,3,64,2,1,0,1,0,directconv\n");
    const cw_import_options o = {.preset = "mali-t860"};
    assert_ok(import_text(f, "arff", "d.arff", text, &o, &s, &err), err);
    assert_int_equal(ask(f, "SELECT count(*) FROM machine WHERE fingerprint = 'mali-t860'"), 1);
    assert_int_equal(ask(f,
                         "SELECT count(*) FROM problem WHERE ic = 1024 AND ih = 7 AND iw = 8 AND kh = 1 AND"
                         " kw = 1 AND oc = 16 AND prec = 0 AND zp = 0 AND layout = 1"),
                     1);
    /* the padding below and at the right is not read at stride 2 */
    assert_int_equal(
        ask(f, "SELECT count(*) FROM problem WHERE ic = 3 AND sh = 2 AND sw = 2 AND pt = 1 AND pl = 1 AND"
               " pb = 0 AND pr = 0 AND prec = 1 AND zp = 1 AND layout = 1"),
        1);
    assert_int_equal(
        ask(f, "SELECT summary ->> '$.constant.tuner' = '0' AND summary ->> '$.labels' = 2 FROM source"), 1);
}

/* A line that is wrong, and what is said of it. */
static void test_arff__bad_rows_are_reported_and_the_rest_is_taken(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *row, *what;
    } bad[] = {
        {"8,9,3,16", "4 values: the header has 5"},
        {"8,9,3,16,a,a", "6 values: the header has 5"},
        {"8,9,3,16,e", "\"e\" is not a value of class"},
        {"8,9,3,16,d", "stands for no implementation"},
        {"x,9,3,16,a", "c is \"x\": must be a number"},
        {"-8,9,3,16,a", "whole number"},
        {"8.5,9,3,16,a", "whole number"},
        {"nan,9,3,16,a", "must be a number"},
        {"1e400,9,3,16,a", "must be a number"},
        {"0x8,9,3,16,a", "must be a number"},
        {"8,?,3,16,a", "h is missing"},
        {"8,9,11,16,a", "kernel"},
        {"8,9,3,16,'a", "a quote is not closed"},
        {"8,9,3,16,'a'b", "a comma is missing behind a quote"},
    };
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        cw_error err;
        cw_import_summary s;
        complaints c = {{0}, 0};
        char text[600], name[32], line[8];
        snprintf(name, sizeof name, "%zu.arff", i);
        snprintf(text, sizeof text, "%s8,9,3,16,a\n%s\n16,9,3,16,a\n", HEAD, bad[i].row);
        snprintf(line, sizeof line, "%d: ", 11);
        cw_import_options o = {.columns = map, .machine = "m", .complain = complain_into, .arg = &c};
        assert_ok(import_text(f, "arff", name, text, &o, &s, &err), err);
        assert_int_equal(s.rejected, 1);
        assert_int_equal(s.labels, 2);
        if (strncmp(c.text, line, strlen(line)) != 0 || !strstr(c.text, bad[i].what))
            fail_msg("row %s: \"%s\" does not say \"%s\"", bad[i].row, c.text, bad[i].what);
        int64_t before = all_rows(f);
        o.strict = true;
        o.name = "again";
        assert_refused(import_text(f, "arff", name, text, &o, &s, &err), CW_FORMAT, err, ".arff:11: ");
        assert_int_equal(all_rows(f), before);
    }
}

static void test_import__files_that_are_refused_leave_no_trace(void **state) {
    const fixture *f = *state;
    static const char good[] = "c,h,k,o,g_us\n";
    static const char columns[] = "ic=c,ih=h,kh=k,oc=o,acme.gemm=g_us";
    static const struct {
        const char *kind, *text, *columns, *what;
        cw_status status;
    } bad[] = {
        {"arff", "", map, "is empty", CW_FORMAT},
        {"arff", "1,2,3\n", map, "x:1: this is not ARFF", CW_FORMAT},
        {"arff", "@relation x\n@attribute c integer\n", map, "ends without @data", CW_FORMAT},
        {"arff", HEAD, map, "has no rows", CW_FORMAT},
        {"arff", HEAD "1,2,3,4,5\n", map, "none of its 1 rows", CW_FORMAT},
        {"arff", HEAD "8,9,3,16,a\n{0 1}\n", map, "x:11: sparse rows are not read", CW_FORMAT},
        {"arff", "@relation x\n@attribute c relational\n", map, "x:2: attribute \"c\" has the type",
         CW_FORMAT},
        {"arff", "@relation x\n@attribute c {a,b\n", map, "x:2: the values of \"c\" do not end", CW_FORMAT},
        {"arff", "@relation x\n@attribute c {a,a}\n", map, "value \"a\" twice", CW_FORMAT},
        {"arff", "@attribute c real\n@attribute c real\n@data\n1,1\n", map, "two columns are called \"c\"",
         CW_FORMAT},
        {"arff", "@attribute c real\n@data\n1\n", map, "there is no column \"h\"", CW_FORMAT},
        {"arff", HEAD "8,9,3,16,a\n", "ic=c,ih=h,kh=k,oc=o", "which attribute is the class", CW_INVALID},
        {"arff", HEAD "8,9,3,16,a\n", "ih=h,kh=k,oc=o,class=class,acme.gemm=a", "which column is ic",
         CW_INVALID},
        {"arff", HEAD "8,9,3,16,a\n", "ic=c,ic=h", "ic is given twice", CW_INVALID},
        {"arff", HEAD "8,9,3,16,a\n", "acme.gemm=a,acme.direct=a", "are both a", CW_INVALID},
        {"arff", HEAD "8,9,3,16,a\n", "acme.best=a", "tells its family", CW_INVALID},
        {"arff", HEAD "8,9,3,16,a\n", "channels=c", "there is no \"channels\"", CW_NOT_FOUND},
        {"layers", "", columns, "is empty", CW_FORMAT},
        {"layers", good, columns, "has no lines behind", CW_FORMAT},
        {"layers", "8,9,3,16,100\n8,9,3,16,100\n", columns, "x:1: the first line must name", CW_FORMAT},
        {"layers", "c,h,k,c,g_us\n8,9,3,16,1\n", columns, "two columns are called \"c\"", CW_FORMAT},
        {"layers", "c,h,k,o\n8,9,3,16\n", columns, "there is no column \"g_us\"", CW_FORMAT},
        {"layers", "c,h,k,o,g\n8,9,3,16,1\n", "ic=c,ih=h,kh=k,oc=o,acme.gemm=g", "which unit?", CW_FORMAT},
        {"layers", "c,h,k,o,g_us\n8,9,3,16,1\n", "ic=c,ih=h,kh=k,oc=o", "which columns are times",
         CW_INVALID},
        {"layers", "c,h,k,o,g_us\n8,9,3,16,x\n", columns, "none of its 1 lines", CW_FORMAT},
        {"csv", "a,b\n1,2\n", NULL, "x:1: no column \"machine\"", CW_FORMAT},
        {"csv", "", NULL, "is empty", CW_FORMAT},
        {"no-such-kind", "", NULL, "no kind of import", CW_NOT_FOUND},
    };
    make_small_store(f->path);
    int64_t before = all_rows(f);
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        cw_error err;
        cw_import_summary s;
        const cw_import_options o = {.columns = bad[i].columns, .machine = "m"};
        assert_refused(import_text(f, bad[i].kind, "x", bad[i].text, &o, &s, &err), bad[i].status, err,
                       bad[i].what);
        assert_int_equal(all_rows(f), before);
    }
}

static void test_import__folders_long_lines_and_locked_files(void **state) {
    const fixture *f = *state;
    static const char *const kinds[] = {"arff", "layers", "csv"};
    char path[160], *text = malloc((10 << 20) + 300);
    assert_non_null(text);
    make_small_store(f->path);
    int64_t before = all_rows(f);
    for (size_t i = 0; i < CW_COUNT(kinds); i++) {
        cw_error err;
        cw_import_options o = {.columns = i < 2 ? map : NULL, .machine = "m"};
        cw_store *store = open_at(f->path, CW_STORE_WRITE);
        assert_refused(cw_import(store, kinds[i], f->folder, &o, NULL, &err), CW_IO, err, f->folder);
        assert_refused(cw_import(store, kinds[i], "/nonexistent/file", &o, NULL, &err), CW_IO, err,
                       "/nonexistent/file");
        put_file(f, "locked", HEAD, path);
        assert_int_equal(chmod(path, 0), 0);
        if (geteuid() != 0)
            assert_refused(cw_import(store, kinds[i], path, &o, NULL, &err), CW_IO, err, "locked");
        cw_store_close(store);
        chmod(path, 0600);
        size_t n = (size_t)snprintf(text, 300, "%s", i == 0 ? HEAD "8,9,3,16,a\n" : "c,h,k,o,g_us\n");
        memset(text + n, 'x', 10 << 20);
        text[n + (10 << 20)] = '\0';
        if (i == 1) o.columns = "ic=c,ih=h,kh=k,oc=o,acme.gemm=g_us";
        if (i == 2) text[0] = '"'; /* a quote that never closes */
        assert_refused(import_text(f, kinds[i], "long", text, &o, NULL, &err), CW_FORMAT, err,
                       i == 0 ? "long:11: " : "long:2: ");
        assert_int_equal(all_rows(f), before);
    }
    free(text);
}

static const char layer_map[] =
    "net=n,name=l,ic=c,ih=h,kh=k,oc=o,ph=p,prec=t,f32=float,u8=byte,zp=1,acme.gemm=g_us,"
    "acme.direct=d_ms,acme.winograd=w:ns";
#define LAYERS "n,l,t,c,h,k,o,p,g_us,d_ms,w,more\n"

static void test_layers__times_units_and_absent(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_import_summary s;
    complaints c = {{0}, 0};
    const cw_import_options o = {.columns = layer_map, .machine = "m", .complain = complain_into, .arg = &c};
    /* byte order mark, quotes, doubled quotes, a line end in quotes, CRLF, LF and CR */
    assert_ok(import_text(f, "layers", "x.csv",
                          "\xEF\xBB\xBF" LAYERS "\"net, one\",a,float,8,9,3,16,1,1.5,2,3e6,\"x\ny\"\r\n"
                          "\"net, one\",b,float,\"8\",9,1,16,0,12,,,\"q\"\"q\"\r"
                          "two,,byte,8,9,3,16,1,7,0,,\n\n",
                          &o, &s, &err),
              err);
    assert_string_equal(c.text, "1: column \"more\" is not used\n5: d_ms is 0: stored as absent\n");
    assert_int_equal(s.problems, 3);
    assert_int_equal(s.times, 5);
    assert_int_equal(s.absent, 4);
    assert_int_equal(s.zero_times, 1);
    assert_int_equal(s.networks, 2);
    assert_int_equal(
        ask(f, "SELECT count(*) FROM latest WHERE problem = 'mb1ic8ih9oc16oh9kh3ph1' AND ((impl ="
               " 'acme.gemm' AND time_ns = 1500) OR (impl = 'acme.direct' AND time_ns = 2e6) OR (impl ="
               " 'acme.winograd' AND time_ns = 3e6 AND family = 'winograd'))"),
        3);
    assert_int_equal(
        ask(f, "SELECT count(*) FROM measurement WHERE state = 'absent' AND time_ns IS NULL AND detail ="
               " 'no time in the source'"),
        3);
    assert_int_equal(
        ask(f, "SELECT count(*) FROM net_layer JOIN net ON net.id = net WHERE net.name = 'net, one' AND"
               " ((position = 1 AND net_layer.name = 'a' AND kh = 3) OR (position = 2 AND"
               " net_layer.name = 'b' AND kh = 1))"),
        2);
}

static void test_layers__networks_keep_order_and_repeats(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_import_summary s;
    complaints c = {{0}, 0};
    const cw_import_options o = {.columns = layer_map, .machine = "m", .complain = complain_into, .arg = &c};
    const char *text =
        LAYERS "A,1,float,8,9,3,16,1,9,9,9,\nB,1,float,8,9,3,16,1,9,9,9,\nA,2,float,8,9,1,16,0,9,9,9,\n"
               "A,3,float,8,9,3,16,1,9,9,9,\nA,1,byte,8,9,3,16,1,9,9,9,\nA,2,byte,8,9,1,16,0,9,9,9,\n"
               "A,3,byte,8,9,3,16,1,9,9,9,\nB,1,byte,16,9,3,16,1,9,9,9,\n";
    assert_ok(import_text(f, "layers", "x.csv", text, &o, &s, &err), err);
    assert_int_equal(s.networks, 2);
    assert_string_equal(c.text, "1: column \"more\" is not used\n");
    assert_int_equal(
        ask(f, "SELECT group_concat(kh, '') = '313' FROM (SELECT kh FROM net_layer WHERE net = (SELECT id"
               " FROM net WHERE name = 'A') ORDER BY position)"),
        1);
    /* the same in both precisions: one list for any; else each its own, one after the other */
    assert_int_equal(
        ask(f, "SELECT sum(precs) FROM net_layer WHERE net = (SELECT id FROM net WHERE name = 'A')"), 0);
    assert_int_equal(ask(f,
                         "SELECT group_concat(ic || '/' || precs) = '8/1,16/2' FROM (SELECT ic, precs FROM"
                         " net_layer WHERE net = (SELECT id FROM net WHERE name = 'B') ORDER BY position)"),
                     1);
    assert_int_equal(ask(f,
                         "SELECT count(*) FROM measurement m JOIN problem p ON p.id = m.problem WHERE m.net ="
                         " 'A' AND m.position = 2 AND p.kh = 1"),
                     6);
}

/* What the views show: a label or an absence, which know less, only where there is no other; else the newest.
 */
static void test_layers__views_show_what_counts(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_import_options o = {.columns = layer_map, .machine = "m"};
    assert_ok(import_text(f, "layers", "1", LAYERS "A,1,float,8,9,3,16,1,9,,7,\n", &o, NULL, &err), err);
    assert_ok(import_text(f, "layers", "2", LAYERS "A,1,float,8,9,3,16,1,8,,,\n", &o, NULL, &err), err);
    assert_int_equal(ask(f, "SELECT count(*) FROM latest"), 3);
    assert_int_equal(ask(f, "SELECT time_ns FROM latest WHERE impl = 'acme.gemm'"), 8000);
    assert_int_equal(ask(f, "SELECT state = 'absent' FROM latest WHERE impl = 'acme.direct'"), 1);
    assert_int_equal(ask(f, "SELECT time_ns FROM latest WHERE impl = 'acme.winograd'"), 7);
    assert_int_equal(ask(f, "SELECT impl = 'acme.winograd' AND time_ns = 7 FROM fastest"), 1);
}

static void test_layers__bad_lines(void **state) {
    const fixture *f = *state;
    static const struct {
        const char *row, *what;
    } bad[] = {
        {"A,1,float,8,9,3,16,1,x,9,9,", "g_us is \"x\": must be a time above zero"},
        {"A,1,float,8,9,3,16,1,-1,9,9,", "must be a time above zero"},
        {"A,1,float,8,9,3,16,1,inf,9,9,", "must be a time above zero"},
        {"A,1,float,8,9,3,16,1,nan,9,9,", "must be a time above zero"},
        {"A,1,float,8,9,3,16,1,1e400,9,9,", "must be a time above zero"},
        {"A,1,float,8,9,3,16,1,9,9", "10 fields: the first line has 12"},
        {"A,1,half,8,9,3,16,1,9,9,9,", "which precision?"},
        {"A,1,float,8,9,13,16,1,9,9,9,", "kernel"},
        {"A,1,float,,9,3,16,1,9,9,9,", "c is \"\": must be a whole number"},
        {",1,float,8,9,3,16,1,9,9,9,", "a network's name"},
        {"A,1,float,8,9,3,16,1,9,9,9,\"x\"y", "a comma is missing behind a quote"},
        {"A,1,float,8,9,3,16,1,9,9,9,x\"y\"", "a quote inside a field"},
    };
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        cw_error err;
        cw_import_summary s;
        complaints c = {{0}, 0};
        char text[600], name[32];
        snprintf(name, sizeof name, "%zu.csv", i);
        snprintf(text, sizeof text, LAYERS "A,1,float,8,9,3,16,1,9,9,9,\n%s\nA,2,float,8,9,1,16,0,9,9,9,\n",
                 bad[i].row);
        cw_import_options o = {.columns = layer_map, .machine = "m", .complain = complain_into, .arg = &c};
        assert_ok(import_text(f, "layers", name, text, &o, &s, &err), err);
        assert_int_equal(s.rejected, 1);
        assert_int_equal(s.times, 6);
        if (!strstr(c.text, "\n3: ") || !strstr(c.text, bad[i].what))
            fail_msg("row %s: \"%s\" does not say \"%s\"", bad[i].row, c.text, bad[i].what);
        int64_t before = all_rows(f);
        o.strict = true;
        o.name = "again";
        assert_refused(import_text(f, "layers", name, text, &o, &s, &err), CW_FORMAT, err, ".csv:3: ");
        assert_int_equal(all_rows(f), before);
    }
    cw_error err;
    const cw_import_options o = {.columns = layer_map, .machine = "m", .strict = true, .name = "zero"};
    assert_refused(import_text(f, "layers", "zero", LAYERS "A,1,float,8,9,3,16,1,0,9,9,\n", &o, NULL, &err),
                   CW_FORMAT, err, "zero:2: g_us is 0");
}

static void test_import__the_same_source_once(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_import_options o = {.columns = layer_map, .machine = "m"};
    const char *text = LAYERS "A,1,float,8,9,3,16,1,9,9,9,\n";
    assert_ok(import_text(f, "layers", "x.csv", text, &o, NULL, &err), err);
    assert_refused(import_text(f, "layers", "x.csv", text, &o, NULL, &err), CW_INVALID, err,
                   "would count it twice");
    assert_int_equal(measurements_in(f->path), 3);
    o.name = "y";
    assert_ok(import_text(f, "layers", "x.csv", text, &o, NULL, &err), err);
    assert_int_equal(measurements_in(f->path), 6);
}

static void test_import__what_is_not_known_hides_nothing(void **state) {
    const fixture *f = *state;
    cw_error err;
    const cw_import_options o = {.columns = layer_map, .machine = "m"};
    assert_ok(import_text(f, "layers", "1", LAYERS "A,1,float,8,9,3,16,1,9,9,9,\n", &o, NULL, &err), err);
    assert_ok(import_text(f, "layers", "2", LAYERS "A,1,float,8,9,3,16,1,,5,,\n", &o, NULL, &err), err);
    cw_store *store = open_at(f->path, CW_STORE_READ);
    cw_dataset *data;
    assert_ok(cw_dataset_load(store, NULL, &data, &err), err);
    assert_int_equal(cw_dataset_classes(data), 3);
    assert_string_equal(cw_dataset_class(data, 1), "acme.gemm");
    assert_true(cw_dataset_time(data, 0, 0) == 5e6); /* newest */
    assert_true(cw_dataset_time(data, 0, 1) == 9e3); /* an absent one came later */
    cw_dataset_free(data);
    cw_store_close(store);
}

/* Merging keeps what repeats, and says where it came from. */
static void test_import__merges(void **state) {
    const fixture *f = *state;
    cw_error err;
    const cw_import_options o = {.columns = map, .machine = "m"};
    assert_ok(
        import_text(f, "arff", "x.arff", HEAD "8,9,3,16,a\n8,9,3,16,a\n8,9,3,16,'b c'\n", &o, NULL, &err),
        err);
    fixture other = *f;
    snprintf(other.path, sizeof other.path, "%s/other.db", f->folder);
    cw_store *store = open_at(other.path, CW_STORE_WRITE);
    int64_t added;
    assert_ok(cw_store_merge(store, f->path, &added, &err), err);
    assert_int_equal(added, 3);
    assert_ok(cw_store_merge(store, f->path, &added, &err), err);
    assert_int_equal(added, 0);
    cw_store_close(store);
    assert_int_equal(
        ask(&other, "SELECT count(*) FROM run JOIN source ON source.id = run.source WHERE kind = 'arff' AND"
                    " name = 'x.arff' AND summary ->> '$.labels' = 3"),
        1);
}

static void slurp(const char *path, char **text) {
    size_t size;
    cw_error err;
    assert_ok(cw_read_file(path, 1 << 24, text, &size, &err), err);
}

static void test_csv__round_trip_to_the_byte(void **state) {
    const fixture *f = *state;
    cw_error err;
    char first[160], second[160];
    make_small_store(f->path);
    cw_store *store = open_writer_at(f->path);
    cw_measurement m = measured("ic8ih16oc8kh3ph1,u8,zp,t2", "own.b", 0.1 + 0.2);
    m.detail = "a, \"quoted\" word";
    m.pass_ns[1] = 1.0 / 3;
    m.error = NAN;
    add(store, &m);
    m.state = CW_STATE_FAILED;
    m.net = "a net, \"quoted\"";
    m.position = 12;
    add(store, &m);
    snprintf(first, sizeof first, "%s/1.csv", f->folder);
    snprintf(second, sizeof second, "%s/2.csv", f->folder);
    assert_ok(cw_store_save(store, CW_EXPORT_CSV, first, &err), err);
    cw_store_close(store);
    snprintf(((fixture *)*state)->path, sizeof f->path, "%s/again.db", f->folder);
    store = open_at(f->path, CW_STORE_WRITE);
    cw_import_summary s;
    assert_ok(cw_import(store, "csv", first, NULL, &s, &err), err);
    assert_int_equal(s.times, 3);
    assert_ok(cw_store_save(store, CW_EXPORT_CSV, second, &err), err);
    cw_store_close(store);
    char *one = NULL, *two = NULL;
    slurp(first, &one);
    slurp(second, &two);
    assert_string_equal(one, two);
    /* wrong in one place each */
    static const char *const wrong[][2] = {{",ok,", ",good,"},   {",direct,", ",fast,"}, {",100.0,", ",-1,"},
                                           {"mb1ic8", "mb0ic8"}, {"m1,", "m 1,"},        {",16,", ",many,"},
                                           {",12\r", ",0\r"},    {",12\r", ",\r"}};
    for (size_t i = 0; i < CW_COUNT(wrong); i++) {
        char name[32];
        const char *line = strchr(one, '\n') + 1, *at = strstr(line, wrong[i][0]);
        assert_non_null(at);
        cw_buf text = {0};
        cw_buf_printf(&text, "%.*s%s%s", (int)(at - one), one, wrong[i][1], at + strlen(wrong[i][0]));
        snprintf(name, sizeof name, "wrong%zu", i);
        assert_ok(import_text(f, "csv", name, text.text, NULL, &s, &err), err);
        assert_int_equal(s.rejected, 1);
        cw_buf_release(&text);
    }
    cw_free(one);
    cw_free(two);
}

static void test_import__out_of_memory_leaves_no_trace(void **state) {
    const fixture *f = *state;
    cw_error err;
    char path[160];
    make_small_store(f->path);
    put_file(f, "x", LAYERS "A,1,float,8,9,3,16,1,9,9,9,\"a\nb\"\nB,1,float,8,9,3,16,1,9,9,9,\n", path);
    int64_t before = all_rows(f);
    const cw_import_options o = {.columns = layer_map, .machine = "m"};
    long n = 1;
    for (cw_status status = CW_NO_MEMORY; status != CW_OK; n++) {
        assert_true(n < 1000);
        cw_store *store = open_at(f->path, CW_STORE_WRITE);
        cw_alloc_fail_at(n);
        status = cw_import(store, "layers", path, &o, NULL, &err);
        cw_alloc_fail_at(0);
        cw_store_close(store);
        if (status != CW_OK) {
            assert_int_equal(status, CW_NO_MEMORY);
            assert_int_equal(all_rows(f), before);
        }
    }
    assert_true(n > 5);
}

/* The data that the presets are for, where it is: counts as its description has them. */
static void test_import__mali_t860(void **state) {
    const fixture *f = *state;
    cw_error err;
    cw_import_summary s;
    char path[300];
    const cw_import_options o = {.preset = "mali-t860", .strict = true};
    snprintf(path, sizeof path, CW_SOURCE "/../shared/data/mali-t860/dataset.arff");
    if (access(path, R_OK) != 0) {
        printf("SKIP: test_import__mali_t860: %s is not here\n", path);
        skip();
    }
    cw_store *store = open_at(f->path, CW_STORE_WRITE);
    assert_ok(cw_import(store, "arff", path, &o, &s, &err), err);
    assert_int_equal(s.labels, 5825);
    assert_int_equal(s.problems, 5629); /* 196 appear twice, 10 of them with opposite labels */
    assert_int_equal(s.duplicates, 186);
    assert_int_equal(s.contradictory, 10);
    snprintf(path, sizeof path, CW_SOURCE "/../shared/data/mali-t860/layers.csv");
    assert_ok(cw_import(store, "layers", path, &o, &s, &err), err);
    assert_int_equal(s.times + s.absent, 164 * 3);
    assert_int_equal(s.networks, 5);
    assert_int_equal(s.contradictory, 0);
    cw_store_close(store);
    static const char count_label[] =
        "SELECT count(*) FROM measurement m JOIN problem p ON p.id = m.problem JOIN impl i ON"
        " i.id = m.impl WHERE state = 'label' AND prec = %d AND i.name = '%s'";
    static const struct {
        int prec, count;
        const char *impl;
    } labels[] = {{0, 2011, "armcl.gemm"}, {0, 480, "armcl.direct"},  {0, 419, "armcl.winograd"},
                  {1, 1897, "armcl.gemm"}, {1, 1018, "armcl.direct"}, {1, 0, "armcl.winograd"}};
    for (size_t i = 0; i < CW_COUNT(labels); i++) {
        char sql[300];
        snprintf(sql, sizeof sql, count_label, labels[i].prec, labels[i].impl);
        assert_int_equal(ask(f, sql), labels[i].count);
    }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {
        T(test_arff__labels_in_order_of_file),
        T(test_arff__preset_and_constants),
        T(test_arff__bad_rows_are_reported_and_the_rest_is_taken),
        T(test_import__files_that_are_refused_leave_no_trace),
        T(test_import__folders_long_lines_and_locked_files),
        T(test_layers__times_units_and_absent),
        T(test_layers__networks_keep_order_and_repeats),
        T(test_layers__views_show_what_counts),
        T(test_layers__bad_lines),
        T(test_import__the_same_source_once),
        T(test_import__what_is_not_known_hides_nothing),
        T(test_import__merges),
        T(test_csv__round_trip_to_the_byte),
        T(test_import__out_of_memory_leaves_no_trace),
        T(test_import__mali_t860),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
