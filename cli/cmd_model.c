/* cmd_model.c: `convwise model diff`: for which layers two models choose differently, and what it costs or
 * gains by measured times, or by predicted ones where there are none. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *action, *paths[2], *store, *machine;
    int count;
    cli_layers layers;
    cw_prec precs[CW_PREC_COUNT];
    size_t prec_count;
    int32_t threads, batch;
    bool no_check, json;
} options;

enum { LAYERS = 1000, NO_CHECK, BATCH };

/* One distinct problem. */
typedef struct entry {
    cw_problem problem;
    int64_t count;         /* layers that are it */
    json_t *times;         /* {implementation: ns} of the store, NULL = none */
    const char *was, *now; /* of the models' class names or of the context; NULL = nothing can run */
    double was_ns, now_ns; /* NaN = not known */
} entry;

typedef struct comparison {
    const options *o;
    cw_model *models[2];
    cw_context *ctx; /* NULL = not checked */
    json_t *times;   /* {problem: {implementation: ns}} */
    entry *entries;
    size_t count;
} comparison;

/* ---- Layers ---- */

/* As of store diff: candidates with a time, reorders charged. */
static cw_status add_time(void *arg, const cw_measurement *m) {
    char text[CW_PROBLEM_TEXT];
    if (!m->candidate || isnan(m->time_ns)) return CW_OK;
    cw_problem_format(&m->problem, text, sizeof text);
    json_t *times = json_object_get(arg, text);
    if (!times && json_object_set_new(arg, text, times = json_object()) != 0) return CW_NO_MEMORY;
    double ns = m->time_ns + m->src_reorder_ns + m->dst_reorder_ns;
    return json_object_set_new(times, m->impl, json_real(ns)) == 0 ? CW_OK : CW_NO_MEMORY;
}

static cw_status add_problem(comparison *c, const cw_problem *problem, cw_error *err) {
    cw_problem p = *problem;
    char text[CW_PROBLEM_TEXT];
    cw_status status = cw_problem_check(&p, err);
    if (status != CW_OK) return status;
    cw_problem_canonical(&p);
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(&c->entries[i].problem, &p, sizeof p) == 0) {
            c->entries[i].count++;
            return CW_OK;
        }
    entry *grown = realloc(c->entries, (c->count + 1) * sizeof *grown);
    if (!grown) return err->status = CW_NO_MEMORY;
    c->entries = grown;
    cw_problem_format(&p, text, sizeof text);
    c->entries[c->count++] = (entry){.problem = p, .count = 1, .times = json_object_get(c->times, text)};
    return CW_OK;
}

static cw_status add_layers(comparison *c, cw_error *err) {
    const options *o = c->o;
    const char *text;
    json_t *times;
    cw_status status = CW_OK;
    for (size_t n = 0; n < o->layers.net_count; n++)
        for (size_t i = 0; i < o->layers.nets[n].count; i++)
            for (size_t k = 0; status == CW_OK && k < o->prec_count; k++) {
                const cw_layer *layer = &o->layers.nets[n].layers[i];
                if (layer->precs && !(layer->precs >> o->precs[k] & 1)) continue;
                cw_problem p = cw_layer_problem(layer, o->precs[k], o->threads, o->batch);
                status = add_problem(c, &p, err);
            }
    if (o->layers.net_count > 0) return status;
    json_object_foreach(c->times, text, times) { /* no layers asked for: all of the store */
        cw_problem p;
        if (status == CW_OK) status = cw_problem_parse(text, &p, err);
        if (status == CW_OK) status = add_problem(c, &p, err);
    }
    return status;
}

/* ---- Choices ---- */

static double time_of(const entry *e, const char *impl) {
    const json_t *ns = e->times && impl ? json_object_get(e->times, impl) : NULL;
    return ns ? json_real_value(ns) : NAN;
}

/* Measured: the first that has a time, as in validation. Else the first that can run. */
static const char *first(const entry *e, const cw_choice *ranking, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (e->times ? json_object_get(e->times, ranking[i].impl) != NULL : !ranking[i].why_not)
            return ranking[i].impl;
    return NULL;
}

static double predicted(const cw_choice *ranking, size_t count, const char *impl) {
    for (size_t i = 0; impl && i < count; i++)
        if (strcmp(ranking[i].impl, impl) == 0) return ranking[i].ns;
    return NAN;
}

/* Predictions are the second model's, of both choices: two models' are not comparable. */
static cw_status choose(comparison *c, entry *e, cw_choice *rankings[2], cw_error *err) {
    size_t count[2];
    cw_context *ctx = e->times ? NULL : c->ctx; /* what has a time could run */
    for (int m = 0; m < 2; m++) {
        cw_status status = cw_choose(c->models[m], ctx, &e->problem, rankings[m],
                                     cw_model_classes(c->models[m]) + 1, &count[m], err);
        if (status != CW_OK && status != CW_UNSUPPORTED) return status;
        if (status != CW_OK) count[m] = 0;
    }
    e->was = first(e, rankings[0], count[0]);
    e->now = first(e, rankings[1], count[1]);
    e->was_ns = e->times ? time_of(e, e->was) : predicted(rankings[1], count[1], e->was);
    e->now_ns = e->times ? time_of(e, e->now) : predicted(rankings[1], count[1], e->now);
    return CW_OK;
}

static cw_status choose_all(comparison *c, cw_error *err) {
    cw_choice *rankings[2] = {0};
    bool made = true;
    for (int m = 0; m < 2; m++) {
        rankings[m] = calloc(cw_model_classes(c->models[m]) + 1, sizeof *rankings[m]);
        made = made && rankings[m];
    }
    cw_status status = made ? CW_OK : (err->status = CW_NO_MEMORY);
    for (size_t i = 0; status == CW_OK && i < c->count; i++)
        status = choose(c, &c->entries[i], rankings, err);
    free(rankings[0]);
    free(rankings[1]);
    return status;
}

/* ---- Result ---- */

static json_t *us(double ns) {
    return isfinite(ns) ? json_real(ns / 1e3) : json_null();
}

static bool differs(const entry *e) {
    return !e->was != !e->now || (e->was && strcmp(e->was, e->now) != 0);
}

static bool is_known(const entry *e) {
    return isfinite(e->was_ns) && isfinite(e->now_ns);
}

/* Layers with times of one kind: how many, and the sums. */
static json_t *totals(const comparison *c, bool measured) {
    double was = 0, now = 0;
    int64_t layers = 0;
    for (size_t i = 0; i < c->count; i++) {
        const entry *e = &c->entries[i];
        if (!is_known(e) || (e->times != NULL) != measured) continue;
        layers += e->count;
        was += (double)e->count * e->was_ns;
        now += (double)e->count * e->now_ns;
    }
    return json_pack("{s:I, s:f, s:f}", "layers", (json_int_t)layers, "was_us", was / 1e3, "now_us",
                     now / 1e3);
}

static json_t *result(const comparison *c) {
    json_t *changed = json_array();
    int64_t layers = 0, layers_changed = 0, unknown = 0;
    for (size_t i = 0; i < c->count; i++) {
        const entry *e = &c->entries[i];
        char text[CW_PROBLEM_TEXT];
        layers += e->count;
        unknown += is_known(e) ? 0 : e->count;
        if (!differs(e)) continue;
        layers_changed += e->count;
        cw_problem_format(&e->problem, text, sizeof text);
        json_array_append_new(changed, json_pack("{s:s, s:I, s:s?, s:o, s:s?, s:o, s:s?}", "problem", text,
                                                 "layers", (json_int_t)e->count, "was", e->was, "was_us",
                                                 us(e->was_ns), "now", e->now, "now_us", us(e->now_ns), "by",
                                                 !is_known(e) ? NULL
                                                 : e->times   ? "measured"
                                                              : "predicted"));
    }
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "layers", (json_int_t)layers, "layers_changed",
                     (json_int_t)layers_changed, "layers_unknown", (json_int_t)unknown, "measured",
                     totals(c, true), "predicted", totals(c, false), "changed", changed);
}

static void put_us(char *to, size_t size, const json_t *number) {
    snprintf(to, size, json_is_real(number) ? "%.1f" : "-", json_real_value(number));
}

static void print_totals(const json_t *diff, const char *kind) {
    const json_t *t = json_object_get(diff, kind);
    double was = json_real_value(json_object_get(t, "was_us")),
           now = json_real_value(json_object_get(t, "now_us"));
    long long layers = json_integer_value(json_object_get(t, "layers"));
    if (layers > 0)
        printf("%s: %lld layers, %.1f us before, %.1f us after: %+.1f %%\n", kind, layers, was, now,
               100 * (now / was - 1));
}

static void print(const json_t *diff) {
    const json_t *changed = json_object_get(diff, "changed"), *row;
    size_t i;
    printf("%lld layers; the choice changes for %lld, which are %zu problems\n",
           json_integer_value(json_object_get(diff, "layers")),
           json_integer_value(json_object_get(diff, "layers_changed")), json_array_size(changed));
    print_totals(diff, "measured");
    print_totals(diff, "predicted");
    if (json_integer_value(json_object_get(diff, "layers_unknown")) > 0)
        printf("no time is known for %lld layers\n",
               json_integer_value(json_object_get(diff, "layers_unknown")));
    if (json_array_size(changed) == 0) return;
    cli_table *table = cli_table_new(
        (const char *const[]){"PROBLEM", ">LAYERS", "WAS", ">US", "NOW", ">US", ">NOW/WAS", "BY", NULL});
    json_array_foreach(changed, i, row) {
        const json_t *was_us = json_object_get(row, "was_us"), *now_us = json_object_get(row, "now_us");
        const char *was = json_string_value(json_object_get(row, "was")),
                   *now = json_string_value(json_object_get(row, "now")),
                   *by = json_string_value(json_object_get(row, "by"));
        char layers[24], before[32], after[32], ratio[32] = "-";
        snprintf(layers, sizeof layers, "%lld", json_integer_value(json_object_get(row, "layers")));
        put_us(before, sizeof before, was_us);
        put_us(after, sizeof after, now_us);
        if (by) snprintf(ratio, sizeof ratio, "%.2f", json_real_value(now_us) / json_real_value(was_us));
        cli_table_add(table, (const char *const[]){json_string_value(json_object_get(row, "problem")), layers,
                                                   was ? was : "-", before, now ? now : "-", after, ratio,
                                                   by ? by : "-"});
    }
    cli_table_print(table);
}

static cw_status read_store(const options *o, json_t *times, cw_error *err) {
    if (!o->store) return CW_OK;
    cw_store *store;
    cw_status status = cw_store_open(o->store, CW_STORE_READ, &store, err);
    if (status != CW_OK) return status;
    status = cw_store_each(store, o->machine, add_time, times, err);
    cw_store_close(store);
    return status;
}

static int run_diff(const options *o) {
    cw_error err = {0};
    comparison c = {.o = o, .times = json_object()};
    cw_status status = CW_OK;
    for (int m = 0; m < 2 && status == CW_OK; m++) {
        status = cw_model_load(o->paths[m], &c.models[m], &err);
        if (status == CW_OK && o->machine) /* where it reads the numbers of a machine */
            cw_model_on(c.models[m], o->machine, NULL);
    }
    if (status == CW_OK) status = read_store(o, c.times, &err);
    if (status == CW_OK) status = add_layers(&c, &err);
    if (status == CW_OK && c.count == 0) {
        snprintf(err.message, sizeof err.message, "no layers to compare on: the store%s has no times",
                 o->machine ? " and machine" : "");
        status = err.status = CW_NOT_FOUND;
    }
    if (status == CW_OK && !o->no_check) status = cw_context_open(&c.ctx, &err);
    if (status == CW_OK) status = choose_all(&c, &err);
    int code = status == CW_OK ? CLI_DONE : cli_fail(&err);
    if (status == CW_OK) {
        json_t *diff = result(&c);
        if (o->json) {
            code = cli_print_json(diff);
        } else {
            print(diff);
            json_decref(diff);
        }
    }
    cw_context_close(c.ctx);
    cw_model_free(c.models[0]);
    cw_model_free(c.models[1]);
    free(c.entries);
    json_decref(c.times);
    return code;
}

/* ---- Command line ---- */

static void add_net(options *o, struct argp_state *state, const char *name) {
    cw_error err = {0};
    if (cli_layers_add_net(&o->layers, name, &err) == CW_OK) return;
    cli_fail(&err);
    exit(err.status == CW_NOT_FOUND ? CLI_NONE : CLI_FAILED);
    (void)state;
}

static void add_precision(options *o, struct argp_state *state, const char *name) {
    for (int prec = CW_F32; prec <= CW_U8; prec++) {
        if (strcmp(name, cw_prec_name((cw_prec)prec)) != 0 && strcmp(name, "both") != 0) continue;
        o->precs[o->prec_count++] = (cw_prec)prec;
    }
    if (o->prec_count == 0 || o->prec_count > 2)
        argp_error(state, "--precision: '%.40s' is none of f32, u8, both", name);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case 'n':
    case LAYERS:
        add_net(o, state, arg);
        return 0;
    case 's':
        o->store = arg;
        return 0;
    case 'm':
        o->machine = arg;
        return 0;
    case 'p':
        o->prec_count = 0;
        add_precision(o, state, arg);
        return 0;
    case 't':
        o->threads = (int32_t)cli_whole(state, "threads", arg, 1, 1024);
        return 0;
    case BATCH:
        o->batch = (int32_t)cli_whole(state, "batch", arg, 1, 1 << 20);
        return 0;
    case NO_CHECK:
        o->no_check = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!o->action)
            o->action = arg;
        else if (o->count < 2)
            o->paths[o->count++] = arg;
        else
            argp_error(state, "model diff takes two models, not more");
        return 0;
    case ARGP_KEY_END:
        if (!o->action) argp_error(state, "model needs an action: diff");
        if (strcmp(o->action, "diff") != 0)
            argp_error(state, "model has no action \"%.40s\": there is diff", o->action);
        if (o->count < 2) argp_error(state, "model diff takes two models, not %d", o->count);
        if (!o->store && o->layers.net_count == 0)
            argp_error(state, "model diff needs layers to compare on: --net, --layers or --store");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_model(int argc, char **argv) {
    static const struct argp_option table[] = {
        {"net", 'n', "NAME", 0, "Compare on this network's layers (a table in data/nets, or all); repeatable",
         0},
        {"layers", LAYERS, "FILE", 0, "Compare on the layers of this table; repeatable", 0},
        {"store", 's', "FILE", 0,
         "Times to judge by; without --net and --layers also the problems to compare on", 0},
        {"machine", 'm', "FINGERPRINT", 0, "This machine's times of the store only", 0},
        {"precision", 'p', "P", 0, "Of networks and tables: f32 (default), u8 or both", 0},
        {"threads", 't', "N", 0, "Threads that the layers of networks and tables run with (default 1)", 0},
        {"batch", BATCH, "N", 0, "Their batch (default 1)", 0},
        {"no-check", NO_CHECK, NULL, 0, "Do not ask which implementations can run here", 0},
        {"json", 'j', NULL, 0, "Print one JSON document", 0},
        {0},
    };
    static const struct argp argp = {
        table,
        parse,
        "diff BEFORE AFTER",
        "Compares two models: the layers for which they choose different implementations, and what that "
        "costs or "
        "gains.\vA problem with times in the store is judged by them: each model takes the first of its "
        "ranking that has "
        "one. Others are judged by the times that AFTER predicts, for what can run here.",
        NULL,
        NULL,
        NULL};
    options o = {.threads = 1, .batch = 1, .precs = {CW_F32}, .prec_count = 1};
    int code = argp_parse(&argp, argc, argv, 0, NULL, &o) ? CLI_USAGE : run_diff(&o);
    cli_layers_release(&o.layers);
    return code;
}
