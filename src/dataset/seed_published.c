/* seed_published.c: what the seed's authors published, read from a table, and how it compares with a report:
 * equal, explained by draws among equally good splits, or different. */
#include "../base/base.h"
#include "../problem/problem.h"
#include "../store/csv.h"
#include "../../include/convwise/seed.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Reading ---- */

enum { COLUMN_COUNT = 18, NUMBERS = 4 }; /* texts stand before NUMBERS, and one behind */

/* The file's columns, in whatever order. */
static const char *const column_names[COLUMN_COUNT] = {
    "network",   "classifier",   "mode",        "precision",  "conv_us",        "conv_n",
    "direct_us", "direct_n",     "winograd_us", "winograd_n", "predicted_us",   "predicted_n",
    "layers_n",  "accuracy_pct", "speedup_pct", "oracle_us",  "best_static_us", "best_static_name"};
enum { BEST_STATIC_NAME = COLUMN_COUNT - 1 };

typedef struct name_pair {
    const char *theirs;
    int ours;
} name_pair;
static const name_pair precisions[] = {{"fp32", CW_F32}, {"uint8", CW_U8}, {NULL, -1}};
static const name_pair operators[] = {{"Conv", CW_FAMILY_GEMM},
                                      {"Directconv", CW_FAMILY_DIRECT},
                                      {"Winogradconv", CW_FAMILY_WINOGRAD},
                                      {NULL, -1}};

static int translate(const name_pair *pairs, const char *name) {
    while (pairs->theirs && strcasecmp(pairs->theirs, name) != 0) pairs++;
    return pairs->ours;
}

static const char *learner_of(const char *classifier) {
    if (strcmp(classifier, "DecisionTree") == 0) return "tree";
    if (strcmp(classifier, "Bayesian") == 0) return "bayes";
    return NULL;
}

typedef struct reader {
    const char *path;
    cw_csv csv;
    size_t place[COLUMN_COUNT]; /* of each column among a record's fields */
    size_t fields;
    cw_seed_published *rows;
    size_t count, capacity;
    cw_error *err;
} reader;

static cw_status read_heads(reader *r) {
    r->fields = r->csv.count;
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        size_t at = 0;
        while (at < r->fields && strcmp(r->csv.fields[at], column_names[c]) != 0) at++;
        if (at == r->fields)
            return cw_fail(r->err, CW_FORMAT, "%.120s:%lld: no column is called %s", r->path,
                           (long long)r->csv.line, column_names[c]);
        r->place[c] = at;
    }
    return CW_OK;
}

static const char *field(const reader *r, size_t column) {
    return r->csv.fields[r->place[column]];
}

static cw_status bad_field(const reader *r, size_t column, const char *wanted) {
    return cw_fail(r->err, CW_FORMAT, "%.100s:%lld: %s is \"%.40s\", not %s", r->path, (long long)r->csv.line,
                   column_names[column], field(r, column), wanted);
}

static cw_status take_texts(const reader *r, cw_seed_published *row) {
    const struct {
        char *to;
        size_t size;
    } texts[] = {{row->network, sizeof row->network},
                 {row->classifier, sizeof row->classifier},
                 {row->mode, sizeof row->mode}};
    for (size_t c = 0; c < CW_COUNT(texts); c++) {
        size_t length = strlen(field(r, c));
        if (length == 0 || length >= texts[c].size) return bad_field(r, c, "a short name");
        memcpy(texts[c].to, field(r, c), length + 1);
    }
    int prec = translate(precisions, field(r, 3)), best = translate(operators, field(r, BEST_STATIC_NAME));
    if (prec < 0) return bad_field(r, 3, "fp32 or uint8");
    if (best < 0) return bad_field(r, BEST_STATIC_NAME, "Conv, Directconv or Winogradconv");
    row->prec = (cw_prec)prec;
    row->best_static = (cw_family)best;
    row->learner = learner_of(row->classifier);
    return CW_OK;
}

static cw_status take_record(reader *r) {
    if (r->csv.count != r->fields)
        return cw_fail(r->err, CW_FORMAT, "%.120s:%lld: %zu fields, not %zu", r->path, (long long)r->csv.line,
                       r->csv.count, r->fields);
    if (!cw_grow(&r->rows, &r->capacity, r->count + 1, sizeof *r->rows)) return cw_fail_memory(r->err);
    cw_seed_published *row = &r->rows[r->count];
    memset(row, 0, sizeof *row);
    cw_status status = take_texts(r, row);
    if (status != CW_OK) return status;
    double n[4] = {0}, layers = 0;
    double *const to[] = {
        &row->gemm.us,       &n[0], &row->direct.us, &n[1],          &row->winograd.us, &n[2],
        &row->predicted.us,  &n[3], &layers,         &row->accuracy, &row->speedup,     &row->oracle_us,
        &row->best_static_us};
    for (size_t i = 0; i < CW_COUNT(to); i++) {
        bool signed_ok = to[i] == &row->speedup;
        if (!cw_parse_double(field(r, NUMBERS + i), to[i]) || !(fabs(*to[i]) <= 1e15) ||
            (*to[i] < 0 && !signed_ok))
            return bad_field(r, NUMBERS + i, signed_ok ? "a number" : "a number from 0");
    }
    row->gemm.layers = (int64_t)n[0];
    row->direct.layers = (int64_t)n[1];
    row->winograd.layers = (int64_t)n[2];
    row->predicted.layers = (int64_t)n[3];
    row->layers = (int64_t)layers;
    r->count++;
    return CW_OK;
}

cw_status cw_seed_published_read(const char *path, cw_seed_published **rows, size_t *count, cw_error *err) {
    reader r = {.path = path, .err = err};
    *rows = NULL;
    *count = 0;
    cw_status status = cw_csv_open(&r.csv, path, err);
    bool more = true, heads = false;
    while (status == CW_OK && (status = cw_csv_next(&r.csv, &more, err)) == CW_OK && more) {
        if (r.csv.wrong)
            status = cw_fail(err, CW_FORMAT, "%.120s:%lld: %s", path, (long long)r.csv.line, r.csv.wrong);
        else
            status = heads ? take_record(&r) : read_heads(&r);
        heads = true;
    }
    cw_csv_close(&r.csv);
    if (status == CW_OK && !heads) status = cw_fail(err, CW_FORMAT, "%.150s: is empty", path);
    if (status != CW_OK) {
        cw_free(r.rows);
        return status;
    }
    *rows = r.rows;
    *count = r.count;
    return CW_OK;
}

/* ---- Comparing ---- */

/* Published microseconds are whole, percentages have two decimals. */
static bool same_us(double a, double b) {
    return fabs(a - b) < 0.5;
}

static bool same_percent(double a, double b) {
    return fabs(a - b) < 0.0051 + 1e-12;
}

static bool same_operator(const cw_seed_report *report, size_t group, cw_family family,
                          const cw_seed_operator *published) {
    char name[48];
    snprintf(name, sizeof name, "always %s", cw_family_name(family));
    const cw_seed_contender *always = cw_seed_find(report, name, NULL, NULL);
    if (!always) return published->layers == 0 && same_us(published->us, 0);
    const cw_seed_total *total = &always->groups[group];
    return total->ran == published->layers && same_us(total->published_us, published->us);
}

static bool same_totals(const cw_seed_report *report, size_t g, const cw_seed_published *row) {
    const cw_seed_group *group = &report->groups[g];
    const cw_seed_contender *oracle = cw_seed_find(report, "oracle", NULL, NULL);
    const cw_seed_total *best = &oracle->groups[g];
    return same_operator(report, g, CW_FAMILY_GEMM, &row->gemm) &&
           same_operator(report, g, CW_FAMILY_DIRECT, &row->direct) &&
           same_operator(report, g, CW_FAMILY_WINOGRAD, &row->winograd) && best->layers == row->layers &&
           same_us(best->oracle_us, row->oracle_us) && group->best_static >= 0 &&
           report->families[group->best_static] == row->best_static &&
           same_us(best->best_static_us, row->best_static_us);
}

static bool same_prediction(const cw_seed_total *total, const cw_seed_published *row) {
    return total->ran == row->predicted.layers && same_us(total->published_us, row->predicted.us) &&
           same_percent(100 * cw_seed_accuracy(total), row->accuracy) &&
           same_percent(cw_seed_speedup(total, false), row->speedup);
}

/* Looks for choices within the draws that give the published figures: changes as few layers as there must
 * be. */
typedef struct search {
    const cw_seed_report *report;
    const cw_seed_group *group;
    const cw_seed_contender *ours;
    const cw_seed_published *row;
    int32_t *chosen; /* one a layer of the group */
    long steps;
} search;

static void add_choice(const cw_seed_layer *layer, int32_t chosen, cw_seed_total *to) {
    bool ran = chosen >= 0 && !isnan(layer->us[chosen]);
    to->layers += layer->repeats;
    to->ran += ran ? layer->repeats : 0;
    to->right += ran && layer->us[chosen] <= layer->us[layer->best] ? layer->repeats : 0;
    to->published_us += ran ? (double)layer->repeats * layer->us[chosen] : 0;
}

/* Layers of one shape, which stand together, are chosen alike whatever their times are. */
static size_t end_of_shape(const search *s, size_t from) {
    const cw_seed_layer *layers = s->report->layers + s->group->first;
    size_t end = from + 1;
    while (end < s->group->count && cw_problem_compare(&layers[end].problem, &layers[from].problem) == 0)
        end++;
    return end;
}

/* Layers from `from` on may change, `left` of them. */
static bool find_draws(search *s, size_t from, size_t left) {
    if (--s->steps < 0) return false;
    if (left == 0) {
        cw_seed_total total = {.best_static_us = s->row->best_static_us};
        for (size_t i = 0; i < s->group->count; i++)
            add_choice(&s->report->layers[s->group->first + i], s->chosen[i], &total);
        return same_prediction(&total, s->row);
    }
    for (size_t i = from, end; i < s->group->count; i = end) {
        int32_t kept = s->chosen[i];
        end = end_of_shape(s, i);
        uint32_t draws = s->ours->draws[s->group->first + i];
        for (int32_t c = 0; c < (int32_t)s->report->class_count; c++) {
            if (c == kept || !(draws >> c & 1)) continue;
            for (size_t k = i; k < end; k++) s->chosen[k] = c;
            if (find_draws(s, end, left - 1)) return true;
        }
        for (size_t k = i; k < end; k++) s->chosen[k] = kept;
    }
    return false;
}

static cw_status explain(const cw_seed_report *report, const cw_seed_published *row, cw_seed_comparison *out,
                         cw_error *err) {
    search s = {report, out->group, out->ours, row, NULL, 1000000};
    out->match = CW_SEED_DIFFERENT;
    if (!out->ours->draws) return CW_OK;
    if (!(s.chosen = cw_alloc_n(out->group->count, sizeof *s.chosen))) return cw_fail_memory(err);
    memcpy(s.chosen, out->ours->chosen + out->group->first, out->group->count * sizeof *s.chosen);
    bool found = false;
    for (size_t changes = 1; !found && changes <= out->group->count && s.steps > 0; changes++)
        found = find_draws(&s, 0, changes);
    if (found) {
        out->match = CW_SEED_DRAWN;
        out->drawn = s.chosen;
    } else {
        cw_free(s.chosen);
    }
    return CW_OK;
}

cw_status cw_seed_compare(const cw_seed_report *report, const cw_seed_published *row, cw_seed_comparison *out,
                          cw_error *err) {
    *out = (cw_seed_comparison){.match = CW_SEED_NOT_TRIED};
    size_t g = 0;
    while (g < report->group_count &&
           (strcmp(report->groups[g].network, row->network) != 0 || report->groups[g].prec != row->prec))
        g++;
    if (g == report->group_count) return CW_OK;
    out->group = &report->groups[g];
    out->totals = same_totals(report, g, row);
    out->ours = row->learner ? cw_seed_find(report, row->learner, "network", row->mode) : NULL;
    if (!out->ours) return CW_OK;
    if (!same_prediction(&out->ours->groups[g], row)) return explain(report, row, out, err);
    out->match = CW_SEED_SAME;
    return CW_OK;
}
