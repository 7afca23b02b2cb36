/* cmd_choose.c: `convwise choose`: a model's ranking for one problem, with what can run here and why. */
#include "cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *problem, *model, *prec, *machine;
    cw_context_options context;
    long top;
    const char *store;
    bool all, no_check, explain, json, measure;
    cw_limits limits;
} options;

enum { ALL = 1000, NO_CHECK, MACHINE, STORE, MEASURE, MAX_ISA, DEVICE };
enum { SHOWN = 10 }; /* lines of a table where nobody asked for another number */

static const struct argp_option table[] = {
    {"model", 'm', "FILE", 0, "Model that 'convwise train' made (needed)", 0},
    {"precision", 'p', "PREC", 0, "f32, u8 or bf16; default: what PROBLEM says", 0},
    {"top", 'n', "N", 0, "Show the N best (default: of those that can run, at most 10; in JSON all)", 0},
    {"all", ALL, NULL, 0, "Show all, also those that cannot run, with the reason", 0},
    {"no-check", NO_CHECK, NULL, 0, "Do not ask which implementations can run here", 0},
    {"machine", MACHINE, "M", 0, CLI_MACHINE_HELP, 0},
    {"max-isa", MAX_ISA, "ISA", 0, CLI_MAX_ISA_HELP, 0},
    {"device", DEVICE, "DEVICE", 0, CLI_DEVICE_HELP, 0},
    {"explain", 'e', NULL, 0,
     "Say why: the learner's reasons, the runner-up, what change of the shape would flip the choice and, "
     "with --store, "
     "what was measured nearby",
     0},
    {"store", STORE, "FILE", 0,
     "Measurements: what was measured of this very problem on this machine ranks first", 0},
    {"measure", MEASURE, NULL, 0,
     "Measure the first three into --store where that is expected to save more time over --calls than it "
     "costs",
     0},
    {"json", 'j', NULL, 0, "Print one JSON document", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    char *end;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        return 0;
    case 'm':
        o->model = arg;
        return 0;
    case 'p':
        o->prec = arg;
        return 0;
    case 'n':
        o->top = strtol(arg, &end, 10);
        if (*end || end == arg || o->top < 1)
            argp_error(state, "--top wants a number from 1, not '%.60s'", arg);
        return 0;
    case ALL:
        o->all = true;
        return 0;
    case MACHINE:
        o->machine = arg;
        return 0;
    case MAX_ISA:
        o->context.max_isa = arg;
        return 0;
    case DEVICE:
        o->context.device = arg;
        return 0;
    case STORE:
        o->store = arg;
        return 0;
    case MEASURE:
        o->measure = true;
        return 0;
    case NO_CHECK:
        o->no_check = true;
        return 0;
    case 'e':
        o->explain = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->problem) argp_error(state, "one PROBLEM at a time");
        o->problem = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->problem) argp_error(state, "PROBLEM is missing, e.g. ic64ih56oc64kh3ph1");
        if (o->all && o->top) argp_error(state, "--all and --top N exclude each other");
        if (o->measure && (!o->store || !(o->limits.calls > 0) || o->no_check))
            argp_error(state, "--measure needs --store FILE and --calls N, and no --no-check");
        if (o->context.device && o->no_check) argp_error(state, "--device and --no-check exclude each other");
        if (!o->model) argp_error(state, "--model FILE is missing ('convwise train' makes one)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* All that is shown. */
typedef struct ranking {
    char problem[CW_PROBLEM_TEXT];
    cw_choice *choices;
    size_t count, shown;
    char *why;
    cli_surroundings *around;
    cw_trade trade; /* with --measure */
} ranking;

static cw_status read_problem(const options *o, cw_problem *p, cw_error *err) {
    cw_status status = cw_problem_parse(o->problem, p, err);
    if (status != CW_OK || !o->prec) return status;
    for (int prec = 0; prec < CW_PREC_COUNT; prec++)
        if (strcmp(o->prec, cw_prec_name((cw_prec)prec)) == 0) {
            p->prec = prec;
            if (prec != CW_U8) p->zp = 0;
            return CW_OK;
        }
    snprintf(err->message, sizeof err->message, "'%.40s' is not a precision: f32, u8 or bf16", o->prec);
    return err->status = CW_INVALID;
}

/* The ranking has those that can run first. */
static size_t shown(const options *o, const ranking *r) {
    size_t able = 0;
    if (o->top) return (size_t)o->top < r->count ? (size_t)o->top : r->count;
    if (o->all || o->json) return r->count;
    while (able < r->count && !r->choices[able].why_not) able++;
    if (able == 0) able = r->count; /* not even one was measured on such a kernel */
    return able < SHOWN ? able : SHOWN;
}

static cw_status rank(const options *o, const cw_model *model, cw_context *ctx, cw_store *store,
                      const cw_problem *p, ranking *r, cw_error *err) {
    const size_t capacity = cw_model_classes(model) + 1;
    if (o->measure)
        return cw_choose_or_measure(model, ctx, store, p, &o->limits, 0, NULL, r->choices, capacity,
                                    &r->count, &r->trade, err);
    cw_overlay *overlay = NULL;
    cw_machine machine;
    cw_machine_detect(&machine);
    cw_status status = o->context.max_isa ? cw_machine_cap(&machine, o->context.max_isa, err) : CW_OK;
    if (ctx) machine = *cw_context_machine(ctx);
    if (status == CW_OK && store) status = cw_overlay_load(store, machine.fingerprint, &overlay, err);
    if (status == CW_OK)
        status = cw_choose_measured(model, ctx, overlay, p, &o->limits, r->choices, capacity, &r->count, err);
    cw_overlay_free(overlay);
    return status;
}

static cw_status make(const options *o, const cw_model *model, ranking *r, cw_error *err) {
    cw_problem p;
    cw_context *ctx = NULL;
    cw_store *store = NULL;
    size_t capacity = cw_model_classes(model) + 1;
    cw_status status = read_problem(o, &p, err);
    if (status != CW_OK) return status;
    cw_problem_format(&p, r->problem, sizeof r->problem);
    r->choices = calloc(capacity, sizeof *r->choices);
    if (!r->choices) return err->status = CW_NO_MEMORY;
    if (!o->no_check) status = cw_context_open_with(&o->context, &ctx, err);
    if (status == CW_OK && o->store)
        status = cw_store_open(o->store, o->measure ? CW_STORE_WRITE : CW_STORE_READ, &store, err);
    if (status == CW_OK) status = rank(o, model, ctx, store, &p, r, err);
    if (status == CW_OK && o->explain) status = cw_model_explain(model, &p, &r->why, err);
    if (status == CW_OK && o->explain)
        status = cli_surroundings_find(model, ctx, store, &p, &o->limits, &r->around, err);
    cw_store_close(store);
    if (status != CW_OK) r->count = 0; /* reasons still belong to the context */
    r->shown = shown(o, r);
    /* The reasons belong to the context: keep them. */
    for (size_t i = 0; status == CW_OK && i < r->count; i++)
        if (r->choices[i].why_not && !(r->choices[i].why_not = strdup(r->choices[i].why_not)))
            status = err->status = CW_NO_MEMORY;
    cw_context_close(ctx);
    return status;
}

/* The last resort is not one of the model's own. */
static bool is_last_resort(const ranking *r, const cw_model *model) {
    for (size_t i = 0; i < cw_model_classes(model); i++)
        if (strcmp(r->choices[0].impl, cw_model_class(model, i)) == 0) return false;
    return true;
}

/* How far to trust the ranking: what training found on layers that the model had not seen. */
static void print_confidence(const cw_model *model, const char *problem) {
    char *text;
    if (cw_model_json(model, &text, NULL) != CW_OK) return;
    json_t *json = json_loads(text, 0, NULL);
    const json_t *validation = json_object_get(json, "validation");
    const json_t *score = json_object_get(validation, strstr(problem, ",u8") ? "u8" : "f32");
    if (json_is_object(score))
        printf("On layers it had not seen (split %s, %s) this model took %.1f %% more time than the fastest "
               "choice "
               "and was right for %.0f %% of %.0f.\n",
               json_string_value(json_object_get(validation, "split")), strstr(problem, ",u8") ? "u8" : "f32",
               100 * json_number_value(json_object_get(score, "regret")),
               100 * json_number_value(json_object_get(score, "accuracy")),
               json_number_value(json_object_get(score, "layers")));
    else
        printf("This model was not validated: how well it chooses for new layers is not known.\n");
    json_decref(json);
    cw_free(text);
}

static int print_json(const ranking *r, const cw_model *model, bool checked) {
    json_t *list = json_array();
    for (size_t i = 0; i < r->shown; i++) {
        const cw_choice *c = &r->choices[i];
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:o, s:o, s:o, s:s?, s:o, s:o, s:b}", "implementation", c->impl,
                            "share", c->share, "cost", isinf(c->cost) ? json_null() : json_real(c->cost),
                            "predicted_ns", isnan(c->ns) ? json_null() : json_real(c->ns), "supported",
                            checked ? json_boolean(!c->why_not) : json_null(), "why_not", c->why_not,
                            "expected_regret", isnan(c->regret) ? json_null() : json_real(c->regret),
                            "prepare_ns", isnan(c->prepare_ns) ? json_null() : json_real(c->prepare_ns),
                            "measured", c->measured));
    }
    json_t *json = json_pack("{s:s, s:s, s:o}", "problem", r->problem, "learner", cw_model_learner(model),
                             "ranking", list);
    const cw_choice *first = r->count ? &r->choices[0] : NULL;
    if (json && first) {
        json_object_set_new(json, "by_static_order", json_boolean(first->by_static_order));
        json_object_set_new(json, "by_library", json_boolean(first->by_library));
        json_object_set_new(json, "unlike_training",
                            first->unlike ? json_string(first->unlike) : json_null());
    }
    if (json && r->around) cli_surroundings_json(r->around, r->choices, r->count, json);
    if (json && r->trade.why)
        json_object_set_new(json, "measuring",
                            json_pack("{s:s, s:o, s:f, s:b}", "why", r->trade.why, "saving_ns",
                                      isnan(r->trade.saving_ns) ? json_null() : json_real(r->trade.saving_ns),
                                      "cost_ns", r->trade.cost_ns, "measured", r->trade.worth));
    if (json && r->why) json_object_set_new(json, "why", json_string(r->why));
    return cli_print_json(json);
}

/* prepare: a column of what preparing costs. */
static void print_table(const ranking *r, bool checked, bool prepare) {
    const char *columns[] = {">rank",     "implementation", ">share",   ">predicted",
                             ">relative", "here",           ">prepare", NULL};
    if (!prepare) columns[6] = NULL;
    cli_table *out = cli_table_new(columns);
    for (size_t i = 0; i < r->shown; i++) {
        const cw_choice *c = &r->choices[i];
        char rank[24], share[24], ns[32] = "", relative[32] = "", cost[32] = "";
        snprintf(rank, sizeof rank, "%zu", i + 1);
        snprintf(share, sizeof share, "%.0f %%", 100 * c->share);
        if (!isnan(c->ns))
            snprintf(ns, sizeof ns, "%.1f us%s", c->ns / 1000, c->measured ? " (measured)" : "");
        if (c->ns > 0 && r->choices[0].ns > 0)
            snprintf(relative, sizeof relative, "%.2f", c->ns / r->choices[0].ns);
        if (!isnan(c->prepare_ns)) snprintf(cost, sizeof cost, "%.1f us", c->prepare_ns / 1000);
        cli_table_add(out, (const char *[]){rank, c->impl, share, ns, relative,
                                            c->why_not ? c->why_not
                                            : checked  ? "yes"
                                                       : "not checked",
                                            cost});
    }
    cli_table_print(out);
}

/* What the table left out where nobody asked for it. */
static void print_rest(const ranking *r) {
    size_t able = r->shown;
    while (able < r->count && !r->choices[able].why_not) able++;
    if (r->shown == r->count) return;
    if (able > r->shown) printf("%zu more can run", able - r->shown);
    if (able < r->count) printf("%s%zu cannot run here", able > r->shown ? ", " : "", r->count - able);
    puts(": --all shows them.");
}

static void print_trade(const cw_trade *trade) {
    if (!trade->why) return;
    printf("Measuring: %s", trade->why);
    if (!isnan(trade->saving_ns))
        printf(" (saving %.3g ms, cost %.3g ms)", trade->saving_ns / 1e6, trade->cost_ns / 1e6);
    printf(".\n");
}

int cmd_choose(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_limits_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        table,
        parse,
        "PROBLEM",
        "Ranks implementations for a problem such as ic64ih56oc64kh3ph1,u8 by a model, best first.\v"
        "share: the model's probability of being the fastest. predicted: time of one run, where the model "
        "predicts "
        "one.",
        children,
        NULL,
        NULL};
    options o = {0};
    cw_error err = {0};
    cw_model *model = NULL;
    ranking r = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0) return CLI_USAGE;
    int code = o.context.max_isa ? cli_openblas_for(o.context.max_isa, argc, argv) : CLI_DONE;
    if (code != CLI_DONE) return code;
    char here[32];
    snprintf(here, sizeof here, "here%s%s", o.context.max_isa ? ":" : "",
             o.context.max_isa ? o.context.max_isa : "");
    cw_status status = cw_model_load(o.model, &model, &err);
    if (status == CW_OK && (o.machine || !o.no_check))
        status = cw_model_on(model, o.machine ? o.machine : here, &err);
    if (status == CW_OK) status = make(&o, model, &r, &err);
    if (status != CW_OK) {
        code = cli_fail(&err);
    } else if (o.json) {
        code = print_json(&r, model, !o.no_check);
    } else {
        printf("%s\n", r.problem);
        print_table(&r, !o.no_check, o.limits.calls > 0);
        if (!o.top) print_rest(&r);
        const cw_choice *first = &r.choices[0];
        if (first->unlike)
            printf("Unlike the problems of training: %s%s.\n", first->unlike,
                   first->by_library        ? "; so the library's own choice comes first"
                   : first->by_static_order ? "; so this is the order that needs no problem"
                                            : "");
        else if (first->by_library)
            printf(
                "On held-out problems of this group of shapes the library's own choice was faster than the "
                "learner's: it comes first.\n");
        if (is_last_resort(&r, model))
            printf(
                "None of the model's implementations can run this here: the one that supports every problem "
                "takes its place.\n");
        else
            print_confidence(model, r.problem);
        if (!isnan(r.choices[0].regret))
            printf("The first is expected to take %.1f %% more time than the fastest.\n",
                   100 * r.choices[0].regret);
        print_trade(&r.trade);
        if (r.why) printf("\nwhy:\n%s", r.why);
        if (r.around) cli_surroundings_print(r.around, r.choices, r.count);
    }
    for (size_t i = 0; r.choices && i < r.count; i++) free((char *)(uintptr_t)r.choices[i].why_not);
    free(r.choices);
    cw_free(r.why);
    free(r.around);
    cw_model_free(model);
    return code;
}
