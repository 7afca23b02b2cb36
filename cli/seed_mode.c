/* seed_mode.c: the seed's experiment from a store, and its tables for people. JSON is in seed_json.c. */
#include "seed_mode.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 72, COLUMNS = 16, DIFFERENT_SHOWN = 8 };

/* A table that is printed while it is made, for a terminal or as Markdown. */
typedef struct sheet {
    bool markdown;
    cli_table *table;
    size_t columns;
    char cells[COLUMNS][CELL];
    size_t count;
} sheet;

static sheet begin_sheet(bool markdown, const char *const *heads) {
    sheet s = {.markdown = markdown};
    while (heads[s.columns]) s.columns++;
    if (!markdown) {
        s.table = cli_table_new(heads);
        return s;
    }
    for (size_t i = 0; i < s.columns; i++) printf("| %s ", heads[i] + (heads[i][0] == '>'));
    printf("|\n");
    for (size_t i = 0; i < s.columns; i++) printf(heads[i][0] == '>' ? "|--:" : "|---");
    printf("|\n");
    return s;
}

static char *cell(sheet *s) {
    return s->cells[s->count++];
}

/* The row is printed once all its cells are there. */
static void end_row(sheet *s) {
    const char *cells[COLUMNS];
    for (size_t i = 0; i < s->count; i++) cells[i] = s->cells[i];
    if (s->table) cli_table_add(s->table, cells);
    for (size_t i = 0; !s->table && i < s->count; i++) printf("| %s ", cells[i]);
    if (!s->table) printf("|\n");
    s->count = 0;
}

static void end_sheet(sheet *s) {
    if (s->table) cli_table_print(s->table);
    printf("\n");
}

static void title(bool markdown, const char *text) {
    printf(markdown ? "### %s\n\n" : "%s\n\n", text);
}

/* ---- Figures ---- */

static void put_percent(char *to, double share, bool sign) {
    snprintf(to, CELL, isfinite(share) ? sign ? "%+.1f%%" : "%.1f%%" : "-", 100 * share);
}

/* As published where it can be inflated: * marks a sum that lacks layers. */
static void put_speedup(char *to, const cw_seed_total *t, bool charged) {
    double percent = cw_seed_speedup(t, charged);
    snprintf(to, CELL, isfinite(percent) ? "%+.2f%%%s" : "-", percent + 0.0,
             !charged && t->ran < t->layers ? " *" : "");
}

static void put_ms(char *to, double us) {
    snprintf(to, CELL, "%.3f", us / 1e3);
}

/* A row a network and precision, then one for all networks of each precision. */
typedef void line_fn(sheet *s, const cw_seed_report *report, const void *what, size_t group, cw_prec prec);
static const size_t POOLED = (size_t)-1;

static const cw_seed_total *total_of(const cw_seed_contender *c, size_t group, cw_prec prec) {
    return group == POOLED ? &c->pooled[prec] : &c->groups[group];
}

static void each_line(sheet *s, const cw_seed_report *report, line_fn *line, const void *what) {
    for (size_t g = 0; g < report->group_count; g++) {
        snprintf(cell(s), CELL, "%.40s", report->groups[g].network);
        snprintf(cell(s), CELL, "%s", cw_prec_name(report->groups[g].prec));
        line(s, report, what, g, report->groups[g].prec);
        end_row(s);
    }
    for (int prec = 0; prec < (int)CW_PREC_COUNT; prec++) {
        if (report->contenders[0].pooled[prec].layers == 0) continue;
        snprintf(cell(s), CELL, "all");
        snprintf(cell(s), CELL, "%s", cw_prec_name((cw_prec)prec));
        line(s, report, what, POOLED, (cw_prec)prec);
        end_row(s);
    }
}

/* ---- Baselines ---- */

static void published_line(sheet *s, const cw_seed_report *report, const void *what, size_t group,
                           cw_prec prec) {
    (void)what;
    const cw_seed_total *best = total_of(&report->contenders[0], group, prec);
    snprintf(cell(s), CELL, "%lld", (long long)best->layers);
    put_ms(cell(s), best->oracle_us);
    put_ms(cell(s), best->best_static_us);
    int32_t class = group == POOLED ? -1 : report->groups[group].best_static;
    snprintf(cell(s), CELL, "%s", class < 0 ? "" : cw_family_name(report->families[class]));
    for (size_t k = 0; k < report->contender_count; k++) {
        if (strncmp(report->contenders[k].name, "always ", 7) != 0) continue;
        const cw_seed_total *t = total_of(&report->contenders[k], group, prec);
        snprintf(cell(s), CELL, "%.3f (%lld)", t->published_us / 1e3, (long long)t->ran);
    }
}

static void print_published_baselines(const cw_seed_report *report, bool markdown) {
    char heads[COLUMNS][CELL];
    const char *names[COLUMNS + 1] = {"network", "prec", ">layers", ">best ms", ">best static ms", "which"};
    size_t n = 6;
    for (size_t k = 0; k < report->contender_count && n < COLUMNS; k++)
        if (strncmp(report->contenders[k].name, "always ", 7) == 0) {
            snprintf(heads[n], CELL, ">%.40s ms (ran)", report->contenders[k].name);
            names[n] = heads[n];
            n++;
        }
    names[n] = NULL;
    title(markdown, "Sums as published: layers that an operator did not run are not in its sum");
    sheet s = begin_sheet(markdown, names);
    each_line(&s, report, published_line, NULL);
    end_sheet(&s);
}

static void charged_line(sheet *s, const cw_seed_report *report, const void *what, size_t group,
                         cw_prec prec) {
    (void)what;
    for (size_t k = 1; k < report->contender_count && !report->contenders[k].split; k++) {
        const cw_seed_total *t = total_of(&report->contenders[k], group, prec);
        if (strcmp(report->contenders[k].name, "best static") == 0)
            put_percent(cell(s), t->best_static_us / t->oracle_us - 1, true);
        else
            put_percent(cell(s), cw_seed_regret(t), true);
        if (strncmp(report->contenders[k].name, "arm ", 4) == 0)
            put_percent(cell(s), cw_seed_accuracy(t), false);
    }
}

static void print_charged_baselines(const cw_seed_report *report, bool markdown) {
    char heads[COLUMNS][CELL];
    const char *names[COLUMNS + 1] = {"network", "prec"};
    size_t n = 2;
    for (size_t k = 1; k < report->contender_count && !report->contenders[k].split && n + 1 < COLUMNS; k++) {
        const char *name = report->contenders[k].name;
        snprintf(heads[n], CELL, ">%.60s", name);
        names[n] = heads[n];
        n++;
        if (strncmp(name, "arm ", 4) == 0) names[n++] = ">right";
    }
    names[n] = NULL;
    title(markdown, "Without a learner: time lost against the best, layers that cannot run charged");
    sheet s = begin_sheet(markdown, names);
    each_line(&s, report, charged_line, NULL);
    end_sheet(&s);
}

/* ---- Learners ---- */

typedef struct setting {
    const char *split, *mode;
} setting;

/* The names of the learners that took part: contenders with a split, each name once. */
static const char *learner_at(const cw_seed_report *report, size_t index) {
    const cw_seed_contender *first = NULL;
    for (size_t k = 0; k < report->contender_count; k++) {
        const cw_seed_contender *c = &report->contenders[k];
        if (!c->split) continue;
        if (!first) first = c;
        if (strcmp(c->split, first->split) != 0 || strcmp(c->mode, first->mode) != 0) continue;
        if (index-- == 0) return c->name;
    }
    return NULL;
}

static void learner_line(sheet *s, const cw_seed_report *report, const void *what, size_t group,
                         cw_prec prec) {
    const setting *at = what;
    for (size_t m = 0; learner_at(report, m) && s->count + 4 < COLUMNS; m++) {
        const cw_seed_contender *c = cw_seed_find(report, learner_at(report, m), at->split, at->mode);
        const cw_seed_total *t = total_of(c, group, prec);
        if (m == 0 && group != POOLED)
            snprintf(cell(s), CELL, "%zu", c->rows[group]);
        else if (m == 0)
            snprintf(cell(s), CELL, "%s", "");
        put_percent(cell(s), cw_seed_accuracy(t), false);
        put_speedup(cell(s), t, false);
        put_speedup(cell(s), t, true);
        put_percent(cell(s), cw_seed_regret(t), true);
    }
}

static void print_learners(const cw_seed_report *report, const setting *at, bool markdown) {
    char heads[COLUMNS][CELL], text[200];
    const char *names[COLUMNS + 1] = {"network", "prec", ">rows"};
    size_t n = 3;
    for (size_t m = 0; learner_at(report, m) && n + 4 < COLUMNS; m++) {
        static const char *const what[] = {"right", "published", "charged", "loss"};
        for (size_t i = 0; i < 4; i++, n++) {
            snprintf(heads[n], CELL, ">%.30s %s", learner_at(report, m), what[i]);
            names[n] = heads[n];
        }
    }
    names[n] = NULL;
    snprintf(text, sizeof text, "Split %s, mode %s: layers right, speed-up as published and charged, loss",
             at->split, at->mode);
    title(markdown, text);
    sheet s = begin_sheet(markdown, names);
    each_line(&s, report, learner_line, at);
    end_sheet(&s);
}

static const setting settings[] = {{"network", "CV"}, {"network", "ALL"}, {"near", "CV"}, {"near", "ALL"}};

/* ---- Layers that need a word ---- */

static const char *family_of(const cw_seed_report *report, int32_t class) {
    return class < 0 ? "-" : cw_family_name(report->families[class]);
}

static void put_us(char *to, const cw_seed_layer *layer, int32_t class) {
    if (class < 0 || isnan(layer->us[class]))
        snprintf(to, CELL, "no time");
    else
        snprintf(to, CELL, "%.0f", layer->us[class]);
}

static void put_layer(char *to, const cw_seed_layer *layer) {
    const cw_problem *p = &layer->problem;
    int written = snprintf(to, CELL, "%d-%d-%d-%d-%d-%d-%d", p->ic, p->ih, p->iw, p->kh, p->oc, p->sh, p->pt);
    if (layer->repeats > 1 && written > 0)
        snprintf(to + written, CELL - (size_t)written, " (%lld times)", (long long)layer->repeats);
}

static void start_layer(sheet *s, const cw_seed_report *report, const cw_seed_contender *c, size_t group,
                        size_t layer) {
    snprintf(cell(s), CELL, "%.40s", report->groups[group].network);
    snprintf(cell(s), CELL, "%s", cw_prec_name(report->groups[group].prec));
    snprintf(cell(s), CELL, "%s, %s, %s", c->name, c->split, c->mode);
    put_layer(cell(s), &report->layers[layer]);
}

/* Visits (contender, group, layer) of every learner. */
typedef void layer_fn(sheet *s, const cw_seed_report *report, const cw_seed_contender *c, size_t group,
                      size_t layer);
static void each_layer(sheet *s, const cw_seed_report *report, layer_fn *visit) {
    for (size_t k = 0; k < report->contender_count; k++)
        for (size_t g = 0; report->contenders[k].split && g < report->group_count; g++)
            for (size_t i = 0; i < report->groups[g].count; i++)
                visit(s, report, &report->contenders[k], g, report->groups[g].first + i);
}

static void fault_line(sheet *s, const cw_seed_report *report, const cw_seed_contender *c, size_t group,
                       size_t layer) {
    const cw_seed_layer *l = &report->layers[layer];
    int32_t chosen = c->chosen[layer];
    if (chosen >= 0 && !isnan(l->us[chosen])) return;
    start_layer(s, report, c, group, layer);
    snprintf(cell(s), CELL, "%s", family_of(report, chosen));
    const cw_seed_total *t = &c->groups[group];
    put_speedup(cell(s), t, false);
    put_speedup(cell(s), t, true);
    end_row(s);
}

static void print_faults(const cw_seed_report *report, bool markdown) {
    title(markdown, "Chosen although it has no time: counted as 0 by the published score");
    sheet s = begin_sheet(markdown, (const char *const[]){"network", "prec", "learner, split, mode", "layer",
                                                          "chosen", ">published", ">charged", NULL});
    each_layer(&s, report, fault_line);
    end_sheet(&s);
}

static void draw_line(sheet *s, const cw_seed_report *report, const cw_seed_contender *c, size_t group,
                      size_t layer) {
    const cw_seed_layer *l = &report->layers[layer];
    if (!c->draws || (c->draws[layer] & (c->draws[layer] - 1)) == 0) return;
    start_layer(s, report, c, group, layer);
    snprintf(cell(s), CELL, "%s", family_of(report, c->chosen[layer]));
    char *to = cell(s);
    to[0] = '\0';
    for (int32_t k = 0; k < (int32_t)report->class_count; k++) {
        char us[CELL];
        size_t length = strlen(to);
        if (!(c->draws[layer] >> k & 1)) continue;
        put_us(us, l, k);
        snprintf(to + length, CELL - length, "%s%s %.20s", length ? ", " : "", family_of(report, k), us);
    }
    end_row(s);
}

static void print_draws(const cw_seed_report *report, bool markdown) {
    title(markdown, "Not settled: equally good splits, drawn without a seed, give other answers (us)");
    sheet s = begin_sheet(markdown, (const char *const[]){"network", "prec", "learner, split, mode", "layer",
                                                          "chosen here", "possible", NULL});
    each_layer(&s, report, draw_line);
    end_sheet(&s);
}

/* ---- Beside the published figures ---- */

const char *cli_seed_match_name(cw_seed_match match) {
    switch (match) {
    case CW_SEED_SAME:
        return "equal";
    case CW_SEED_DRAWN:
        return "drawn";
    case CW_SEED_DIFFERENT:
        return "different";
    case CW_SEED_NOT_TRIED:
        break;
    }
    return "totals only";
}

static void put_prediction(sheet *s, double us, int64_t ran, int64_t layers, double accuracy,
                           double speedup) {
    snprintf(cell(s), CELL, "%.0f%s", us, ran < layers ? " *" : "");
    snprintf(cell(s), CELL, "%.2f", accuracy);
    snprintf(cell(s), CELL, "%+.2f", speedup + 0.0);
}

static void comparison_line(sheet *s, const cw_seed_report *report, const cw_seed_published *row,
                            const cw_seed_comparison *with) {
    snprintf(cell(s), CELL, "%.40s", row->network);
    snprintf(cell(s), CELL, "%s", cw_prec_name(row->prec));
    snprintf(cell(s), CELL, "%.32s, %.16s", row->classifier, row->mode);
    snprintf(cell(s), CELL, "%s", !with->group ? "not here" : with->totals ? "equal" : "different");
    put_prediction(s, row->predicted.us, row->predicted.layers, row->layers, row->accuracy, row->speedup);
    if (with->ours) {
        const cw_seed_total *t = &with->ours->groups[with->group - report->groups];
        put_prediction(s, t->published_us, t->ran, t->layers, 100 * cw_seed_accuracy(t),
                       cw_seed_speedup(t, false));
    } else {
        for (int i = 0; i < 3; i++) snprintf(cell(s), CELL, "%s", "");
    }
    snprintf(cell(s), CELL, "%s", cli_seed_match_name(with->match));
    end_row(s);
}

/* The layers of which another draw gives the published figures, or where none does, those that took longest
 * to choose wrongly. */
static void print_reasons(const cw_seed_report *report, const cw_seed_published *row,
                          const cw_seed_comparison *with, bool markdown) {
    if (with->match != CW_SEED_DRAWN && with->match != CW_SEED_DIFFERENT) return;
    const cw_seed_group *group = with->group;
    printf("%s%s, %s, %s, %s: ", markdown ? "- " : "", row->network, cw_prec_name(row->prec), row->classifier,
           row->mode);
    if (with->match == CW_SEED_DIFFERENT) {
        printf("no draw among equally good splits gives the published figures; the data or the settings "
               "differ.\n");
        return;
    }
    printf("the published run drew otherwise among equally good splits:");
    for (size_t i = 0; i < group->count; i++) {
        const cw_seed_layer *layer = &report->layers[group->first + i];
        int32_t ours = with->ours->chosen[group->first + i];
        char name[CELL], a[CELL], b[CELL];
        if (with->drawn[i] == ours) continue;
        put_layer(name, layer);
        put_us(a, layer, with->drawn[i]);
        put_us(b, layer, ours);
        printf(" layer %s took %s (%s) instead of %s (%s).", name, family_of(report, with->drawn[i]), a,
               family_of(report, ours), b);
    }
    printf("\n");
}

static void print_comparison(const cw_seed_report *report, const cw_seed_published *rows,
                             const cw_seed_comparison *compared, size_t count, bool markdown) {
    size_t totals = 0, tried = 0, by_match[CW_SEED_DIFFERENT + 1] = {0};
    title(markdown, "Beside the published figures (totals: operators, oracle, best static; us, %, %)");
    sheet s = begin_sheet(markdown, (const char *const[]){"network", "prec", "classifier, mode", "totals",
                                                          ">published us", ">right", ">speed-up", ">ours us",
                                                          ">right", ">speed-up", "prediction", NULL});
    for (size_t i = 0; i < count; i++) {
        comparison_line(&s, report, &rows[i], &compared[i]);
        totals += compared[i].totals;
        tried += compared[i].match != CW_SEED_NOT_TRIED;
        by_match[compared[i].match]++;
    }
    end_sheet(&s);
    printf("Totals equal: %zu of %zu rows. Predictions: of %zu by learners that are here %zu equal, %zu "
           "explained by draws, %zu different.\n\n",
           totals, count, tried, by_match[CW_SEED_SAME], by_match[CW_SEED_DRAWN],
           by_match[CW_SEED_DIFFERENT]);
    for (size_t i = 0; i < count; i++) print_reasons(report, &rows[i], &compared[i], markdown);
    if (by_match[CW_SEED_DRAWN] + by_match[CW_SEED_DIFFERENT]) printf("\n");
}

/* ---- All of it ---- */

static void print_all(const cw_seed_report *report, const cw_seed_published *rows,
                      const cw_seed_comparison *compared, size_t count, bool markdown) {
    print_published_baselines(report, markdown);
    print_charged_baselines(report, markdown);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        print_learners(report, &settings[i], markdown);
    printf("%s a chosen operator has no time; the published score counts it as 0.\n\n",
           markdown ? "\\*" : "*");
    print_faults(report, markdown);
    print_draws(report, markdown);
    if (rows) print_comparison(report, rows, compared, count, markdown);
}

static cw_status load_both(const cli_learn *learn, cw_dataset **labels, cw_dataset **timed, cw_error *err) {
    cli_learn how = *learn;
    if (!how.data.features) how.data.features = "seed";
    cw_status status = cli_learn_load(&how, timed, err);
    how.data.labels = true;
    return status == CW_OK ? cli_learn_load(&how, labels, err) : status;
}

static cw_status compare_all(const cw_seed_report *report, const cw_seed_published *rows, size_t count,
                             cw_seed_comparison **out, cw_error *err) {
    cw_status status = CW_OK;
    *out = calloc(count ? count : 1, sizeof **out);
    if (!*out) {
        *err = (cw_error){CW_NO_MEMORY, "out of memory"};
        return CW_NO_MEMORY;
    }
    for (size_t i = 0; status == CW_OK && i < count; i++)
        status = cw_seed_compare(report, &rows[i], &(*out)[i], err);
    return status;
}

int cli_seed_mode(const cli_learn *learn, const cli_seed *seed) {
    cw_error err = {0};
    cw_dataset *labels = NULL, *timed = NULL;
    cw_seed_report *report = NULL;
    cw_seed_published *rows = NULL;
    cw_seed_comparison *compared = NULL;
    size_t count = 0;
    int code = CLI_DONE;
    cw_seed_options options = {.learners = learn->learners[0] ? learn->learners : NULL,
                               .train = learn->train,
                               .fast_math = seed->fast_math};
    cw_status status = seed->published ? cw_seed_published_read(seed->published, &rows, &count, &err) : CW_OK;
    if (status == CW_OK) status = load_both(learn, &labels, &timed, &err);
    if (status == CW_OK) status = cw_seed_validate(labels, timed, &options, &report, &err);
    if (status == CW_OK) status = compare_all(report, rows, count, &compared, &err);
    if (status != CW_OK)
        code = cli_fail(&err);
    else if (seed->form == CLI_SEED_JSON)
        code = cli_seed_json(report, rows, compared, count);
    else
        print_all(report, rows, compared, count, seed->form == CLI_SEED_MARKDOWN);
    for (size_t i = 0; compared && i < count; i++) cw_free(compared[i].drawn);
    free(compared);
    cw_free(rows);
    cw_seed_report_free(report);
    cw_dataset_free(labels);
    cw_dataset_free(timed);
    return code;
}
