/* cmd_validate.c: `convwise validate`: how well learners would choose for layers they have not seen, beside
 * what one would pick by hand, as a table or JSON. */
#include "seed_mode.h"
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODEL = 1000,
    SPLIT,
    CONFUSION,
    SEED_MODE,
    PUBLISHED,
    MARKDOWN,
    FAST_MATH,
    SEEDS,
    RELIABILITY,
    SEEDS_MOST = 100
};

typedef struct options {
    cli_learn learn;
    const char *model, *split;
    bool json, confusion, seed_mode;
    int32_t seeds;
    cli_seed seed;
} options;

static const struct argp_option table[] = {
    {"model", 'm', "FILE", 0, "Score this very model on the store's rows instead of training (no split)", 0},
    {"split", SPLIT, "SPLIT", 0,
     "What is held out: network (one at a time), near (its near copies leave training too), group, machine, "
     "kfold:N, "
     "holdout:F "
     "(default: network where the store has at least two, else group)",
     0},
    {"seeds", SEEDS, "N", 0,
     "Split and train N times, with seeds --seed, --seed + 1, ...; print mean and spread (default 1)", 0},
    {"reliability", RELIABILITY, NULL, 0,
     "Compare the loss that the learners promise with the loss met (five more trainings a fold)", 0},
    {"confusion", CONFUSION, NULL, 0, "List which implementation was chosen where which one was fastest", 0},
    {"seed-mode", SEED_MODE, NULL, 0,
     "The seed's experiment (docs/seed.md): learn from imported labels, choose for imported layers with "
     "times",
     0},
    {"reported", PUBLISHED, "FILE", 0, "With --seed-mode: compare with a table of published results", 0},
    {"markdown", MARKDOWN, NULL, 0, "With --seed-mode: print Markdown", 0},
    {"fast-math", FAST_MATH, NULL, 0, "With --seed-mode: the Arm library may lose accuracy for speed", 0},
    {"json", 'j', NULL, 0, "Print one JSON document (docs/validating.md)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->learn;
        return 0;
    case 'm':
        o->model = arg;
        return 0;
    case SPLIT:
        o->split = arg;
        return 0;
    case SEEDS:
        o->seeds = (int32_t)cli_whole(state, "seeds", arg, 1, SEEDS_MOST);
        return 0;
    case RELIABILITY:
        o->learn.train.calibrate = true;
        return 0;
    case CONFUSION:
        o->confusion = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected '%.60s'", arg);
        return 0;
    case SEED_MODE:
        o->seed_mode = true;
        return 0;
    case PUBLISHED:
        o->seed.published = arg;
        return 0;
    case MARKDOWN:
        o->seed.form = CLI_SEED_MARKDOWN;
        return 0;
    case FAST_MATH:
        o->seed.fast_math = true;
        return 0;
    case ARGP_KEY_END:
        if (o->seed_mode && (o->model || o->split || o->seeds || o->confusion))
            argp_error(state, "--seed-mode has its own splits and seeds");
        if (!o->seed_mode && (o->seed.published || o->seed.form != CLI_SEED_TEXT || o->seed.fast_math))
            argp_error(state, "--reported, --markdown and --fast-math need --seed-mode");
        if (o->learn.base_path && (o->model || o->seed_mode))
            argp_error(state, "--base is for learners that train; not with --model or --seed-mode");
        if (o->model && (o->split || o->seeds || o->learn.learners[0] || o->learn.data.features))
            argp_error(state, "--model brings its own learner and features, and is not split");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Table ---- */

enum { CELL = 40, COLUMNS = 32, NAME = 20 }; /* NAME: with two learners a line has at most 120 columns */

typedef struct row {
    char cells[COLUMNS][CELL];
    size_t count;
} row;

static char *cell(row *r) {
    return r->cells[r->count++];
}

static void print_row(cli_table *table_out, const row *r) {
    const char *cells[COLUMNS];
    for (size_t i = 0; i < r->count; i++) cells[i] = r->cells[i];
    cli_table_add(table_out, cells);
}

static void put_name(char *to, const char *name) {
    bool fits = strlen(name) <= NAME;
    snprintf(to, CELL, "%.*s%s", fits ? NAME : NAME - 3, name, fits ? "" : "...");
}

static void put_ms(char *to, double us) {
    snprintf(to, CELL, us < 1e6 ? "%.3f" : "%.0f", us / 1e3);
}

/* One line: name, precision, layers, the oracle's time; regret and accuracy of each learner; time over the
 * oracle's of each baseline. */
static void add_line(cli_table *to, const cw_report *report, const char *name, cw_prec prec,
                     const cw_score *(*score)(const cw_contender *contender, size_t index), size_t index) {
    row r = {.count = 0};
    put_name(cell(&r), name);
    snprintf(cell(&r), CELL, "%s", cw_prec_name(prec));
    snprintf(cell(&r), CELL, "%lld", (long long)score(&report->contenders[0], index)->layers);
    put_ms(cell(&r), score(&report->contenders[0], index)->oracle_us);
    for (size_t k = 0; k < report->contender_count && r.count + 2 < COLUMNS; k++) {
        const cw_contender *contender = &report->contenders[k];
        const cw_score *s = score(contender, index);
        if (!contender->baseline) {
            snprintf(cell(&r), CELL, "%+.1f%%", 100 * s->regret);
            snprintf(cell(&r), CELL, "%.0f%%", 100 * s->accuracy);
        } else if (strcmp(contender->name, "oracle") != 0) {
            snprintf(cell(&r), CELL, "%.2fx", s->chosen_us / s->oracle_us);
        }
    }
    print_row(to, &r);
}

static const cw_score *group_score(const cw_contender *contender, size_t index) {
    return &contender->groups[index];
}

static const cw_score *prec_score(const cw_contender *contender, size_t index) {
    return &contender->by_prec[index];
}

static cli_table *new_table(const cw_report *report) {
    row heads = {.count = 0};
    const char *columns[COLUMNS + 1] = {NULL};
    snprintf(cell(&heads), CELL, strncmp(report->split, "ne", 2) == 0 ? "network" : "layers of");
    snprintf(cell(&heads), CELL, "prec");
    snprintf(cell(&heads), CELL, ">layers");
    snprintf(cell(&heads), CELL, ">best ms");
    for (size_t k = 0; k < report->contender_count && heads.count + 2 < COLUMNS; k++) {
        const char *name = report->contenders[k].name;
        if (!report->contenders[k].baseline) {
            snprintf(cell(&heads), CELL, ">%.30s", name);
            snprintf(cell(&heads), CELL, ">right");
        } else if (strcmp(name, "oracle") != 0) {
            snprintf(cell(&heads), CELL, ">%.30s", strncmp(name, "always ", 7) == 0 ? name + 7 : name);
        }
    }
    for (size_t i = 0; i < heads.count; i++) columns[i] = heads.cells[i];
    return cli_table_new(columns);
}

static void print_fallbacks(const cw_report *report) {
    bool any = false;
    for (size_t k = 0; k < report->contender_count; k++) {
        const cw_score *s = &report->contenders[k].pooled;
        if (s->fallbacks == 0) continue;
        printf("%s%s %lld", any ? ", " : "Best static's taken for want of an answer (layers): ",
               report->contenders[k].name, (long long)s->fallbacks);
        any = true;
    }
    if (any) printf(" of %lld.\n", (long long)report->contenders[0].pooled.layers);
}

/* What the table has no room for, of the learners and of the order one would write down without any. */
static void print_details(const cw_report *report) {
    cli_table *to = cli_table_new((const char *const[]){"chosen by", "prec", ">ms", ">best ms", ">geomean",
                                                        ">within 5%", ">over 1.5x", ">right or tied",
                                                        ">headroom won", ">cannot run", NULL});
    for (size_t k = 0; k < report->contender_count; k++)
        for (int prec = CW_F32; prec < CW_PREC_COUNT; prec++) {
            const cw_contender *contender = &report->contenders[k];
            const cw_score *s = &contender->by_prec[prec];
            if (s->layers == 0 || (contender->baseline && strcmp(contender->name, "best static") != 0))
                continue;
            row r = {.count = 0};
            snprintf(cell(&r), CELL, "%.30s", contender->name);
            snprintf(cell(&r), CELL, "%s", cw_prec_name((cw_prec)prec));
            put_ms(cell(&r), s->chosen_us);
            put_ms(cell(&r), s->oracle_us);
            snprintf(cell(&r), CELL, "%.3fx", s->geomean);
            snprintf(cell(&r), CELL, "%.0f%%", 100 * s->within_5pct);
            snprintf(cell(&r), CELL, "%.1f%%", 100 * s->over_1_5x);
            snprintf(cell(&r), CELL, "%.0f%%", 100 * s->accuracy_ties);
            snprintf(cell(&r), CELL, "%.0f%%", 100 * s->headroom);
            if (isnan(s->headroom)) strcpy(r.cells[r.count - 1], "-");
            if (s->headroom < 0) strcpy(r.cells[r.count - 1], "loses");
            snprintf(cell(&r), CELL, "%lld", (long long)s->infeasible);
            print_row(to, &r);
        }
    cli_table_print(to);
}

static void print_confusion(const cw_report *report, const cw_contender *contender) {
    size_t n = report->class_count;
    printf("\n%s, where which implementation was fastest:\n", contender->name);
    cli_table *list = cli_table_new((const char *const[]){"fastest", "chosen", ">layers", NULL});
    for (size_t truth = 0; truth < n; truth++)
        for (size_t chosen = 0; chosen < n; chosen++) {
            int64_t count = contender->confusion[truth * n + chosen];
            char text[24];
            snprintf(text, sizeof text, "%lld", (long long)count);
            if (count)
                cli_table_add(list, (const char *const[]){
                                        report->classes[truth],
                                        truth == chosen ? "(the same)" : report->classes[chosen], text});
        }
    cli_table_print(list);
}

static void print_report(const cw_report *report) {
    printf(
        "Split: %s%s%s\nbest ms: the sum of the fastest times. Learners: time lost against it, and share of "
        "layers chosen right.\nBaselines: their time over it; less is better.\n\n",
        report->split, report->note ? " - " : "", report->note ? report->note : "");
    cli_table *to = new_table(report);
    for (size_t g = 0; g < report->group_count; g++)
        add_line(to, report, report->groups[g].name, report->groups[g].prec, group_score, g);
    for (int prec = CW_F32; prec < CW_PREC_COUNT; prec++)
        if (report->contenders[0].by_prec[prec].layers > 0)
            add_line(to, report, "all", (cw_prec)prec, prec_score, (size_t)prec);
    cli_table_print(to);
    putchar('\n');
    print_details(report);
    print_fallbacks(report);
}

/* ---- Spread over seeds ---- */

typedef struct spread {
    cw_report *reports[SEEDS_MOST];
    size_t count;
    uint64_t first;
} spread;

/* X(field, head, form): the pooled figures that seeds are compared by. */
#define SPREAD_FIGURES(X)                                                                                    \
    X(geomean, ">geomean", "%.3fx", 1)                                                                       \
    X(within_5pct, ">within 5%", "%.1f%%", 100)                                                              \
    X(accuracy, ">right", "%.1f%%", 100)                                                                     \
    X(over_1_5x, ">over 1.5x", "%.1f%%", 100)                                                                \
    X(regret, ">time lost", "%+.2f%%", 100)

typedef struct range {
    double mean, least, most, sd; /* sd: of a sample; NaN of one */
} range;

static range range_of(const spread *seeds, size_t contender, size_t offset) {
    range r = {.least = INFINITY, .most = -INFINITY};
    double n = (double)seeds->count, squares = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < seeds->count; i++) {
            const char *score = (const char *)&seeds->reports[i]->contenders[contender].pooled;
            double value = *(const double *)(const void *)(score + offset);
            if (pass == 1) {
                squares += (value - r.mean) * (value - r.mean);
                continue;
            }
            r.mean += value / n;
            r.least = fmin(r.least, value);
            r.most = fmax(r.most, value);
        }
    r.sd = seeds->count > 1 ? sqrt(squares / (n - 1)) : NAN;
    return r;
}

static void print_spread(const spread *seeds) {
    if (seeds->count < 2) return;
    printf("\nThe table above is the first of %zu seeds. All seeds, pooled: mean (least to most).\n",
           seeds->count);
    const char *const heads[] = {"chosen by",
#define X(field, head, form, times) head,
                                 SPREAD_FIGURES(X)
#undef X
                                     NULL};
    cli_table *to = cli_table_new(heads);
    for (size_t k = 0; k < seeds->reports[0]->contender_count; k++) {
        const cw_contender *contender = &seeds->reports[0]->contenders[k];
        row r = {.count = 0};
        range f;
        if (contender->baseline && strcmp(contender->name, "best static") != 0) continue;
        snprintf(cell(&r), CELL, "%.30s", contender->name);
#define X(field, head, form, times)                                                                          \
    f = range_of(seeds, k, offsetof(cw_score, field));                                                       \
    snprintf(cell(&r), CELL, form " (" form " to " form ")", times *f.mean, times *f.least, times *f.most);
        SPREAD_FIGURES(X)
#undef X
        print_row(to, &r);
    }
    cli_table_print(to);
    puts("A smaller difference between learners is not a result.");
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* One entry a seed: each figure of each contender. */
static json_t *seeds_json(const spread *seeds) {
    json_t *list = json_array();
    for (size_t i = 0; i < seeds->count; i++) {
        json_t *entry = json_pack("{sI}", "seed", (json_int_t)(seeds->first + i)), *one;
#define X(field, head, form, times)                                                                          \
    json_object_set_new(entry, #field, one = json_object());                                                 \
    for (size_t k = 0; k < seeds->reports[i]->contender_count; k++)                                          \
        json_object_set_new(one, seeds->reports[i]->contenders[k].name,                                      \
                            number(seeds->reports[i]->contenders[k].pooled.field));
        SPREAD_FIGURES(X)
#undef X
        json_array_append_new(list, entry);
    }
    return list;
}

/* Over all seeds: {contender: {figure: {mean, least, most, sd}}}. */
static json_t *spread_json(const spread *seeds) {
    json_t *all = json_object();
    for (size_t k = 0; k < seeds->reports[0]->contender_count; k++) {
        json_t *one = json_object();
        range f;
#define X(field, head, form, times)                                                                          \
    f = range_of(seeds, k, offsetof(cw_score, field));                                                       \
    json_object_set_new(one, #field,                                                                         \
                        json_pack("{s:o, s:o, s:o, s:o}", "mean", number(f.mean), "least", number(f.least),  \
                                  "most", number(f.most), "sd", number(f.sd)));
        SPREAD_FIGURES(X)
#undef X
        json_object_set_new(all, seeds->reports[0]->contenders[k].name, one);
    }
    return all;
}

static void print_reliability(const cw_contender *contender) {
    if (contender->promise_count == 0) return;
    printf("\n%s: share of time that choices were expected to lose, against what they lost:\n",
           contender->name);
    cli_table *to = cli_table_new((const char *const[]){">layers", ">promised", ">met", ">ratio", NULL});
    for (size_t i = 0; i < contender->promise_count; i++) {
        const cw_promise *p = &contender->promises[i];
        row r = {.count = 0};
        snprintf(cell(&r), CELL, "%lld", (long long)p->layers);
        snprintf(cell(&r), CELL, "%.2f%%", 100 * p->promised);
        snprintf(cell(&r), CELL, "%.2f%%", 100 * p->met);
        snprintf(cell(&r), CELL, "-");
        if (p->met > 0) snprintf(r.cells[r.count - 1], CELL, "%.2f", p->promised / p->met);
        print_row(to, &r);
    }
    cli_table_print(to);
}

static int show(const options *o, const spread *seeds, cw_error *err) {
    if (!o->json) {
        const cw_report *report = seeds->reports[0];
        print_report(report);
        print_spread(seeds);
        for (size_t k = 0; k < report->contender_count; k++) print_reliability(&report->contenders[k]);
        for (size_t k = 0; o->confusion && k < report->contender_count; k++)
            if (report->contenders[k].confusion) print_confusion(report, &report->contenders[k]);
        return CLI_DONE;
    }
    char *text;
    if (cw_report_json(seeds->reports[0], &text, err) != CW_OK) return cli_fail(err);
    json_t *json = json_loads(text, 0, NULL);
    cw_free(text);
    if (seeds->count > 1) {
        json_object_set_new(json, "seeds", seeds_json(seeds));
        json_object_set_new(json, "spread", spread_json(seeds));
    }
    return cli_print_json(json);
}

/* ---- The command ---- */

static cw_status validate_split(options *o, spread *seeds, cw_error *err) {
    cw_dataset *data = NULL;
    cw_status status = cli_learn_load(&o->learn, &data, err);
    cw_validate_options how = {.split = o->split,
                               .learners = o->learn.learners[0] ? o->learn.learners : cw_learners(),
                               .train = o->learn.train};
    size_t wanted = o->seeds > 0 ? (size_t)o->seeds : 1;
    while (status == CW_OK && seeds->count < wanted) {
        how.seed = how.train.seed = seeds->first + seeds->count;
        status = cw_validate(data, &how, &seeds->reports[seeds->count], err);
        if (status == CW_OK) seeds->count++;
    }
    cw_dataset_free(data);
    return status;
}

static cw_status validate_model(options *o, spread *seeds, cw_error *err) {
    cw_model *model = NULL;
    cw_dataset *data = NULL;
    cw_status status = cw_model_load(o->model, &model, err);
    if (status == CW_OK) {
        o->learn.data.features = cw_model_features(model);
        status = cli_learn_load(&o->learn, &data, err);
    }
    if (status == CW_OK)
        status = cw_validate_model(data, model, o->learn.train.mask, &seeds->reports[0], err);
    if (status == CW_OK) seeds->count = 1;
    cw_dataset_free(data);
    cw_model_free(model);
    return status;
}

int cmd_validate(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_learn_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {table,
                                     parse,
                                     "",
                                     "How well would each learner choose for layers it has not seen? Beside "
                                     "the oracle, the best static order, each "
                                     "family and the library's own choice.",
                                     children,
                                     NULL,
                                     NULL};
    options o = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return CLI_USAGE;
    if (o.json) o.seed.form = CLI_SEED_JSON;
    if (o.seed_mode) return cli_seed_mode(&o.learn, &o.seed);
    cw_error err = {0};
    spread seeds = {.first = o.learn.train.seed};
    cw_status status = o.model ? validate_model(&o, &seeds, &err) : validate_split(&o, &seeds, &err);
    int code = status == CW_OK ? show(&o, &seeds, &err) : cli_fail(&err);
    for (size_t i = 0; i < seeds.count; i++) cw_report_free(seeds.reports[i]);
    cw_model_free(o.learn.base);
    return code;
}
