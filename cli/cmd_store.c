/* cmd_store.c: looks at stores, moves measurements between them, compares them. */
#include "cli.h"
#include <math.h>
#include <string.h>

typedef struct options {
    const char *action, *output, *machine, *format, *features;
    const char *paths[64];
    int count;
    bool json;
} options;

/* Opens, and leaves the message printed and the exit code in *code where that fails. */
static cw_store *open_store(const char *path, cw_open_mode mode, int *code) {
    cw_store *store = NULL;
    cw_error err = {0};
    if (cw_store_open(path, mode, &store, &err) != CW_OK) *code = cli_fail(&err);
    return store;
}

/* ---- info ---- */

static cw_status add_machine(void *arg, const cw_machine *m, int64_t problems, int64_t measurements) {
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:I, s:I}", "fingerprint", m->fingerprint, "cpu", m->cpu, "isa", m->isa,
                  "problems", (json_int_t)problems, "measurements", (json_int_t)measurements);
    return json_array_append_new(arg, row) == 0 ? CW_OK : CW_NO_MEMORY;
}

static cw_status add_net(void *arg, const cw_net *net) {
    json_t *row = json_pack("{s:s, s:I}", "name", net->name, "layers", (json_int_t)net->count);
    return json_array_append_new(arg, row) == 0 ? CW_OK : CW_NO_MEMORY;
}

static cw_status collect_info(cw_store *store, const char *path, json_t **out, cw_error *err) {
    cw_store_info info;
    json_t *states = json_object(), *machines = json_array(), *nets = json_array();
    cw_status status = cw_store_info_get(store, &info, err);
    if (status == CW_OK) status = cw_store_each_machine(store, add_machine, machines, err);
    if (status == CW_OK) status = cw_store_each_net(store, add_net, nets, err);
    if (status != CW_OK) {
        json_decref(states);
        json_decref(machines);
        json_decref(nets);
        return status;
    }
    for (int i = 0; i < CW_STATE_NOT_MEASURED; i++)
        json_object_set_new(states, cw_state_name((cw_state)i), json_integer(info.by_state[i]));
    *out = json_pack("{s:o, s:i, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "store", cli_json_path(path), "schema",
                     info.schema, "bytes", (json_int_t)info.bytes, "problems", (json_int_t)info.problems,
                     "impls", (json_int_t)info.impls, "measurements", (json_int_t)info.measurements, "states",
                     states, "machines", machines, "networks", nets);
    return CW_OK;
}

static json_int_t int_of(const json_t *row, const char *key) {
    return json_integer_value(json_object_get(row, key));
}

static void print_info(json_t *info) {
    const char *key;
    json_t *value;
    size_t i;
    printf("%s: %lld measurements of %lld problems by %lld implementations, %lld bytes, schema %lld\n",
           json_string_value(json_object_get(info, "store")), int_of(info, "measurements"),
           int_of(info, "problems"), int_of(info, "impls"), int_of(info, "bytes"), int_of(info, "schema"));
    cli_table *states = cli_table_new((const char *const[]){"STATE", ">MEASUREMENTS", NULL});
    json_object_foreach(json_object_get(info, "states"), key, value) {
        char count[32];
        snprintf(count, sizeof count, "%lld", json_integer_value(value));
        cli_table_add(states, (const char *const[]){key, count});
    }
    cli_table_print(states);
    json_t *machines = json_object_get(info, "machines");
    cli_table *table =
        cli_table_new((const char *const[]){"MACHINE", "CPU", "ISA", ">PROBLEMS", ">MEASUREMENTS", NULL});
    json_array_foreach(machines, i, value) {
        char problems[32], measurements[32];
        snprintf(problems, sizeof problems, "%lld", int_of(value, "problems"));
        snprintf(measurements, sizeof measurements, "%lld", int_of(value, "measurements"));
        cli_table_add(table, (const char *const[]){json_string_value(json_object_get(value, "fingerprint")),
                                                   json_string_value(json_object_get(value, "cpu")),
                                                   json_string_value(json_object_get(value, "isa")), problems,
                                                   measurements});
    }
    putchar('\n');
    cli_table_print(table);
    table = cli_table_new((const char *const[]){"NETWORK", ">LAYERS", NULL});
    json_array_foreach(json_object_get(info, "networks"), i, value) {
        char layers[32];
        snprintf(layers, sizeof layers, "%lld", int_of(value, "layers"));
        cli_table_add(table,
                      (const char *const[]){json_string_value(json_object_get(value, "name")), layers});
    }
    putchar('\n');
    cli_table_print(table);
}

static int run_info(const options *o) {
    int code = CLI_DONE;
    cw_error err = {0};
    json_t *info = NULL;
    cw_store *store = open_store(o->paths[0], CW_STORE_READ, &code);
    if (!store) return code;
    if (collect_info(store, o->paths[0], &info, &err) != CW_OK) {
        code = cli_fail(&err);
    } else if (o->json) {
        code = cli_print_json(info);
    } else {
        print_info(info);
        json_decref(info);
    }
    cw_store_close(store);
    return code;
}

/* ---- export and merge ---- */

static cw_status to_stdout(void *arg, const char *text, size_t length, cw_error *err) {
    (void)arg;
    (void)err;
    fwrite(text, 1, length, stdout); /* main tells when standard output cannot be written */
    return CW_OK;
}

static cw_status export_arff(cw_store *store, const options *o, cw_error *err) {
    const cw_dataset_options wanted = {
        .features = o->features ? o->features : "raw", .fingerprint = o->machine, .prec = -1};
    cw_dataset *data = NULL;
    char *text = NULL;
    cw_status status = cw_dataset_load(store, &wanted, &data, err);
    if (status == CW_OK) status = cw_dataset_arff(data, &text, err);
    if (status == CW_OK)
        status = o->output ? cw_save(o->output, text, err) : to_stdout(NULL, text, strlen(text), err);
    cw_free(text);
    cw_dataset_free(data);
    return status;
}

/* -1 = arff, which is a table to learn from; the others have every measurement. */
static bool find_format(const char *name, int *format) {
    static const char *const names[] = {
#define X(symbol, text) text,
        CW_EXPORTS(X)
#undef X
    };
    *format = -1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) *format = (int)i;
    return *format >= 0 || strcmp(name, "arff") == 0;
}

static int run_export(const options *o) {
    int code = CLI_DONE, format;
    cw_error err = {0};
    const char *name = o->format ? o->format : "csv";
    if (!find_format(name, &format))
        return cli_usage("store export has no format \"%.40s\": there are csv, arff and jsonl", name);
    if (format >= 0 && (o->features || o->machine))
        return cli_usage("--features and --machine are for --format arff: %s has every measurement", name);
    if (o->json && !o->output) return cli_usage("store export --json needs -o FILE for the export");
    cw_store *store = open_store(o->paths[0], CW_STORE_READ, &code);
    if (!store) return code;
    cw_status status = format < 0  ? export_arff(store, o, &err)
                       : o->output ? cw_store_save(store, (cw_export)format, o->output, &err)
                                   : cw_store_export(store, (cw_export)format, to_stdout, NULL, &err);
    if (status != CW_OK)
        code = cli_fail(&err);
    else if (o->json)
        code = cli_print_json(
            json_pack("{s:o, s:o}", "store", cli_json_path(o->paths[0]), name, cli_json_path(o->output)));
    cw_store_close(store);
    return code;
}

static int run_merge(const options *o) {
    int code = CLI_DONE;
    cw_error err = {0};
    for (int i = 1; code == CLI_DONE && i < o->count; i++) /* before the store is touched */
        cw_store_close(open_store(o->paths[i], CW_STORE_READ, &code));
    if (code != CLI_DONE) return code;
    json_t *merged = json_array();
    cw_store *store = open_store(o->paths[0], CW_STORE_WRITE, &code);
    for (int i = 1; store && code == CLI_DONE && i < o->count; i++) {
        int64_t added = 0;
        if (cw_store_merge(store, o->paths[i], &added, &err) != CW_OK) {
            code = cli_fail(&err);
            break;
        }
        if (!o->json) printf("%s: %lld new measurements\n", o->paths[i], (long long)added);
        json_array_append_new(
            merged, json_pack("{s:o, s:I}", "store", cli_json_path(o->paths[i]), "added", (json_int_t)added));
    }
    cw_store_close(store);
    if (o->json && code == CLI_DONE)
        return cli_print_json(json_pack("{s:o, s:o}", "store", cli_json_path(o->paths[0]), "merged", merged));
    json_decref(merged);
    return code;
}

/* ---- diff ---- */

/* {problem: {implementation: ns}} of the candidates that have a time, reorders charged, by problem. */
static cw_status add_time(void *arg, const cw_measurement *m) {
    char text[CW_PROBLEM_TEXT];
    if (!m->candidate || isnan(m->time_ns)) return CW_OK;
    cw_problem_format(&m->problem, text, sizeof text);
    json_t *times = json_object_get(arg, text);
    if (!times && json_object_set_new(arg, text, times = json_object()) != 0) return CW_NO_MEMORY;
    double ns = m->time_ns + m->src_reorder_ns + m->dst_reorder_ns;
    return json_object_set_new(times, m->impl, json_real(ns)) == 0 ? CW_OK : CW_NO_MEMORY;
}

static const char *fastest(json_t *times, double *ns) {
    const char *impl, *best = NULL;
    json_t *value;
    json_object_foreach(times, impl, value) {
        if (best && json_real_value(value) >= *ns) continue;
        best = impl;
        *ns = json_real_value(value);
    }
    return best;
}

static json_t *compare(json_t *before, json_t *after) {
    json_t *changes = json_array(), *times;
    const char *problem;
    size_t common = 0;
    json_object_foreach(before, problem, times) {
        json_t *times_after = json_object_get(after, problem);
        if (!times_after) continue;
        common++;
        double was_ns = 0, now_ns = 0;
        const char *was = fastest(times, &was_ns), *now = fastest(times_after, &now_ns);
        if (strcmp(was, now) == 0) continue;
        json_t *kept = json_object_get(times_after, was);
        json_array_append_new(changes,
                              json_pack("{s:s, s:s, s:f, s:s, s:f, s:o}", "problem", problem, "was", was,
                                        "was_us", was_ns / 1e3, "now", now, "now_us", now_ns / 1e3, "kept_us",
                                        kept ? json_real(json_real_value(kept) / 1e3) : json_null()));
    }
    return json_pack("{s:I, s:I, s:I, s:o}", "common", (json_int_t)common, "only_before",
                     (json_int_t)(json_object_size(before) - common), "only_after",
                     (json_int_t)(json_object_size(after) - common), "changed", changes);
}

static void print_diff(json_t *diff) {
    json_t *changes = json_object_get(diff, "changed"), *row;
    size_t i;
    printf("%lld problems in both, %lld only before, %lld only after; the fastest changed for %zu\n",
           int_of(diff, "common"), int_of(diff, "only_before"), int_of(diff, "only_after"),
           json_array_size(changes));
    if (json_array_size(changes) == 0) return;
    cli_table *table = cli_table_new(
        (const char *const[]){"PROBLEM", "WAS", ">US", "NOW", ">US", ">KEPT US", ">KEPT/NOW", NULL});
    json_array_foreach(changes, i, row) {
        char was_us[32], now_us[32], kept_us[32] = "-", ratio[32] = "-";
        double now = json_real_value(json_object_get(row, "now_us"));
        json_t *kept = json_object_get(row, "kept_us");
        snprintf(was_us, sizeof was_us, "%.1f", json_real_value(json_object_get(row, "was_us")));
        snprintf(now_us, sizeof now_us, "%.1f", now);
        if (json_is_real(kept)) {
            snprintf(kept_us, sizeof kept_us, "%.1f", json_real_value(kept));
            snprintf(ratio, sizeof ratio, "%.2f", json_real_value(kept) / now);
        }
        cli_table_add(table, (const char *const[]){json_string_value(json_object_get(row, "problem")),
                                                   json_string_value(json_object_get(row, "was")), was_us,
                                                   json_string_value(json_object_get(row, "now")), now_us,
                                                   kept_us, ratio});
    }
    cli_table_print(table);
}

static int run_diff(const options *o) {
    int code = CLI_DONE;
    json_t *times[2] = {json_object(), json_object()};
    for (int i = 0; i < 2 && code == CLI_DONE; i++) {
        cw_error err = {0};
        cw_store *store = open_store(o->paths[i], CW_STORE_READ, &code);
        if (store && cw_store_each(store, o->machine, add_time, times[i], &err) != CW_OK)
            code = cli_fail(&err);
        cw_store_close(store);
    }
    if (code == CLI_DONE) {
        json_t *diff = compare(times[0], times[1]);
        if (o->json) {
            code = cli_print_json(diff);
        } else {
            print_diff(diff);
            json_decref(diff);
        }
    }
    json_decref(times[0]);
    json_decref(times[1]);
    return code;
}

/* ---- Command line ---- */

static const struct action {
    const char *name;
    int (*run)(const options *o);
    int least, most; /* stores */
} actions[] = {
    {"info", run_info, 1, 1},
    {"export", run_export, 1, 1},
    {"merge", run_merge, 2, 64},
    {"diff", run_diff, 2, 2},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case 'm':
        o->machine = arg;
        return 0;
    case 'f':
        o->format = arg;
        return 0;
    case 'F':
        o->features = arg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!o->action)
            o->action = arg;
        else if (o->count < (int)(sizeof o->paths / sizeof *o->paths))
            o->paths[o->count++] = arg;
        else
            argp_error(state, "more than 64 stores");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_store(int argc, char **argv) {
    static const struct argp_option table[] = {
        {"output", 'o', "FILE", 0, "export: where it goes (default: standard output)", 0},
        {"format", 'f', "FORMAT", 0, "export: csv (default), jsonl or arff", 0},
        {"features", 'F', "SET", 0, "export as arff: raw (default) or engineered", 0},
        {"machine", 'm', "FINGERPRINT", 0, "diff, export as arff: this machine's times only (see info)", 0},
        {"json", 'j', NULL, 0, "Print one JSON document", 0},
        {0},
    };
    static const struct argp argp = {
        table,
        parse,
        "info STORE\nexport STORE [-f FORMAT] [-o FILE]\nmerge STORE OTHER...\ndiff BEFORE AFTER",
        "Looks at stores of measurements and moves measurements between them.\v"
        "info     how much is in it: states, machines, networks, size\n"
        "export   every measurement as CSV or JSON lines, or each problem's features and\n"
        "         fastest implementation as ARFF; columns are in docs/formats.md\n"
        "merge    adds what the others have to STORE (created where missing)\n"
        "diff     the problems whose fastest implementation differs, both times,\n"
        "         and what keeping the former one costs now",
        0,
        0,
        0};
    options o = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return CLI_USAGE;
    if (!o.action) return cli_usage("store needs an action: info, export, merge or diff");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, o.action) != 0) continue;
        if (o.count < actions[i].least || o.count > actions[i].most)
            return cli_usage("store %s takes %s, not %d: see 'convwise store --help'", o.action,
                             actions[i].most == 1   ? "one store"
                             : actions[i].most == 2 ? "two stores"
                                                    : "two stores or more",
                             o.count);
        return actions[i].run(&o);
    }
    return cli_usage("store has no action \"%.40s\": there are info, export, merge and diff", o.action);
}
