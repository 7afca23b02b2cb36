/* cmd_import.c: convwise import KIND FILE: measurements that others made, into a store. */
#include "cli.h"
#include "../include/convwise/import.h"
#include <string.h>

enum { SHOWN = 20 }; /* complaints printed one by one; the rest is counted */

typedef struct options {
    const char *kind, *file, *store;
    cw_import_options import;
    int64_t complaints;
    bool json, all;
} options;

enum { KEY_STRICT = 256, KEY_NET, KEY_NAME, KEY_MACHINE, KEY_ALL, KEY_KEPT, KEY_SCOPE };

static const struct argp_option rows[] = {
    {"store", 's', "FILE", 0, "Store to add to, created where missing (default: convwise.db)", 0},
    {"preset", 'p', "NAME", 0, "What the file's names mean: mali-t860", 0},
    {"columns", 'c', "MAP", 0,
     "ours=theirs,...: a field of a problem, prec, net, class, or an implementation and the file's column "
     "(docs/formats.md)",
     0},
    {"machine", KEY_MACHINE, "NAME", 0, "What was measured (default: the preset's, or as the file says)", 0},
    {"kept", KEY_KEPT, "N", 0, "At most N implementations of a problem are in the file, the fastest", 0},
    {"scope", KEY_SCOPE, "WHAT", 0, "Of what these are the fastest: problem, or family (of each one)", 0},
    {"name", KEY_NAME, "NAME", 0, "Name of the source in the store (default: the file's)", 0},
    {"net", KEY_NET, "NAME", 0, "Name of the network, where the file has none", 0},
    {"strict", KEY_STRICT, NULL, 0, "Refuse the file for the first line that is not understood", 0},
    {"all", KEY_ALL, NULL, 0, "Report every such line, not only the first 20", 0},
    {"json", 'j', NULL, 0, "Print one JSON document", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case 's':
        o->store = arg;
        return 0;
    case 'p':
        o->import.preset = arg;
        return 0;
    case 'c':
        o->import.columns = arg;
        return 0;
    case KEY_MACHINE:
        o->import.machine = arg;
        return 0;
    case KEY_KEPT: {
        char *end;
        long kept = strtol(arg, &end, 10);
        if (*end || kept < 1 || kept > 1000000) argp_error(state, "--kept is a number from 1: \"%s\"", arg);
        o->import.kept = (int32_t)kept;
        return 0;
    }
    case KEY_SCOPE:
        if (strcmp(arg, "problem") != 0 && strcmp(arg, "family") != 0)
            argp_error(state, "--scope is problem or family, not \"%s\"", arg);
        o->import.scope = arg;
        return 0;
    case KEY_NAME:
        o->import.name = arg;
        return 0;
    case KEY_NET:
        o->import.net = arg;
        return 0;
    case KEY_STRICT:
        o->import.strict = true;
        return 0;
    case KEY_ALL:
        o->all = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->file) argp_error(state, "one file at a time");
        *(o->kind ? &o->file : &o->kind) = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The list of kinds at the end of the help, from the library's table. */
static char *help_filter(int key, const char *text, void *input) {
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
    char *list = NULL;
    size_t size;
    FILE *to = open_memstream(&list, &size);
    if (!to) return NULL;
    fputs("Kinds:\n", to);
    for (const cw_import_kind *k = cw_import_kinds(); k->name; k++)
        fprintf(to, "  %-9s %s\n", k->name, k->about);
    fclose(to);
    return list;
}

static const struct argp argp = {
    rows,        parse,
    "KIND FILE", "Adds measurements that others made to a store: all of the file or nothing.",
    NULL,        help_filter,
    NULL};

static void complain(void *arg, const char *path, int64_t line, const char *what) {
    options *o = arg;
    if (o->complaints++ >= SHOWN && !o->all) return;
    if (line > 0)
        fprintf(stderr, "%s:%lld: %s\n", path, (long long)line, what);
    else
        fprintf(stderr, "%s: %s\n", path, what);
}

static const struct field {
    const char *name, *about;
    size_t offset;
} fields[] = {
#define FIELD(name, about)                                                                                   \
    { #name, about, offsetof(cw_import_summary, name) }
    FIELD(lines, "lines read"),
    FIELD(problems, "problems"),
    FIELD(times, "times"),
    FIELD(labels, "labels"),
    FIELD(absent, "absent: no time, and the file does not say why"),
    FIELD(networks, "networks"),
    FIELD(rejected, "rejected: not understood, nothing of them is stored"),
    FIELD(zero_times, "times of zero, not taken as times"),
    FIELD(contradictory, "contradictory"),
    FIELD(duplicates, "duplicates"),
    FIELD(swapped, "turned into the forward sense"),
    FIELD(other, "lines of something else"),
#undef FIELD
};

static int64_t value_of(const cw_import_summary *s, const struct field *f) {
    int64_t value;
    memcpy(&value, (const char *)s + f->offset, sizeof value);
    return value;
}

static int print_summary(const options *o, const cw_import_summary *s) {
    size_t count = sizeof fields / sizeof *fields;
    if (o->json) {
        json_t *json = json_pack("{s:s, s:s, s:s}", "store", o->store, "kind", o->kind, "file", o->file);
        for (size_t i = 0; i < count; i++)
            json_object_set_new(json, fields[i].name, json_integer(value_of(s, &fields[i])));
        json_object_set_new(json, "most_kept", s->most_kept ? json_integer(s->most_kept) : json_null());
        return cli_print_json(json);
    }
    printf("%s into %s:\n", o->file, o->store);
    for (size_t i = 0; i < count; i++)
        if (i < 3 || value_of(s, &fields[i]))
            printf("%9lld %s\n", (long long)value_of(s, &fields[i]), fields[i].about);
    if (s->most_kept)
        printf("%9d implementations of a problem at most are in the file: what it lacks may be fast too\n",
               s->most_kept);
    return CLI_DONE;
}

int cmd_import(int argc, char **argv) {
    options o = {.store = "convwise.db"};
    cw_error err = {0};
    cw_import_summary summary;
    cw_store *store;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return CLI_USAGE;
    if (!o.file) return cli_usage("import needs a kind and a file: see 'convwise import --help'");
    o.import.complain = complain;
    o.import.arg = &o;
    if (cw_store_open(o.store, CW_STORE_WRITE, &store, &err) != CW_OK) return cli_fail(&err);
    cw_status status = cw_import(store, o.kind, o.file, &o.import, &summary, &err);
    cw_store_close(store);
    if (o.complaints > SHOWN && !o.all)
        fprintf(stderr, "... and %lld more lines: --all reports them\n", (long long)(o.complaints - SHOWN));
    return status == CW_OK ? print_summary(&o, &summary) : cli_fail(&err);
}
