/* seed.c: the seed's experiment: purge, fit, choose without a mask, score. The Arm library's rules are in
 * src/problem/arm_rules.c, published figures in seed_published.c. */
#include "validate.h"
#include "../learn/folds.h"
#include "permutation.h"
#include "../learn/tree_draws.h"
#include "../problem/arm_rules.h"
#include "../../include/convwise/seed.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_CLASSES = 32, SPLITS = 2, MODES = 2 };
static const char *const split_names[SPLITS] = {"network", "near"};
static const char *const mode_names[MODES] = {"ALL", "CV"};

/* scikit-learn's train_test_split as the authors called it. */
static const double test_share = 0.20;
enum { RANDOM_STATE = 5 };
static const double authors_smoothing = 180e-9;

/* The parts of a contender that are filled in. */
typedef struct role {
    char name[48];
    cw_seed_total *groups;
    int32_t *chosen;
    size_t *rows;
    uint32_t *draws;
} role;

/* A report with the parts that are filled in; report is its first member. */
typedef struct draft {
    cw_seed_report report;
    cw_seed_contender *contenders;
    role *roles;
    cw_seed_group *groups;
    cw_seed_layer *layers;
    double *us;
    char (*networks)[64];
    char **classes;
    cw_family *families;
} draft;

/* What a run needs at hand. */
typedef struct experiment {
    const cw_dataset *labels, *timed;
    cw_seed_options options;
    draft *draft;
    cw_error *err;
} experiment;

/* ---- Figures ---- */

double cw_seed_accuracy(const cw_seed_total *t) {
    return t->layers ? (double)t->right / (double)t->layers : (double)NAN;
}

double cw_seed_speedup(const cw_seed_total *t, bool charged) {
    return t->best_static_us / (charged ? t->charged_us : t->published_us) * 100 - 100;
}

double cw_seed_regret(const cw_seed_total *t) {
    return t->charged_us / t->oracle_us - 1;
}

/* ---- Groups and layers ---- */

static cw_status copy_classes(draft *d, const cw_dataset *timed, cw_error *err) {
    d->classes = cw_alloc_n(timed->classes, sizeof *d->classes);
    d->families = cw_alloc_n(timed->classes, sizeof *d->families);
    if (!d->classes || !d->families) return cw_fail_memory(err);
    for (size_t c = 0; c < timed->classes; c++) {
        d->report.class_count++;
        d->families[c] = timed->class_info[c].family;
        if (!(d->classes[c] = cw_strdup(timed->class_info[c].name))) return cw_fail_memory(err);
    }
    d->report.classes = (const char *const *)d->classes;
    d->report.families = d->families;
    return CW_OK;
}

/* Where a layer's times are from: a row, or a place in a network that was measured as a whole. */
typedef struct place {
    size_t row, repeats;
    const double *ns; /* one a class */
} place;

static int compare_places(const void *a, const void *b, void *classes) {
    const place *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    for (size_t c = 0; c < *(const size_t *)classes; c++) {
        if (isnan(x->ns[c]) != isnan(y->ns[c])) return isnan(x->ns[c]) ? 1 : -1;
        if (x->ns[c] != y->ns[c] && !isnan(x->ns[c])) return x->ns[c] < y->ns[c] ? -1 : 1;
    }
    return 0;
}

/* Places of one network and precision as a group, if there are any; those that are alike become one layer. */
static void add_group(draft *d, const cw_dataset *timed, const char *network, int32_t prec, place *places,
                      size_t count) {
    size_t classes = timed->classes, first = d->report.layer_count, g = d->report.group_count;
    if (count == 0) return;
    qsort_r(places, count, sizeof *places, compare_places, &classes);
    for (size_t i = 0; i < count; i++) {
        size_t at = d->report.layer_count;
        if (i > 0 && compare_places(&places[i - 1], &places[i], &classes) == 0) {
            d->layers[at - 1].repeats += (int64_t)places[i].repeats;
            continue;
        }
        double *us = d->us + at * classes;
        int32_t best = -1;
        for (int32_t c = 0; c < (int32_t)classes; c++) {
            us[c] = places[i].ns[c] / 1e3;
            if (!isnan(us[c]) && (best < 0 || us[c] < us[best])) best = c;
        }
        d->layers[at] = (cw_seed_layer){.problem = timed->problems[places[i].row],
                                        .repeats = (int64_t)places[i].repeats,
                                        .us = us,
                                        .best = best};
        d->report.layer_count++;
    }
    d->report.group_count++;
    snprintf(d->networks[g], sizeof d->networks[g], "%s", network);
    d->groups[g] = (cw_seed_group){.network = d->networks[g],
                                   .prec = (cw_prec)prec,
                                   .first = first,
                                   .count = d->report.layer_count - first};
}

static bool is_own(const cw_dataset *timed, const char *network) {
    for (size_t i = 0; i < timed->own_net_count; i++)
        if (strcmp(timed->own_nets[i].name, network) == 0) return true;
    return false;
}

static void add_groups(draft *d, const cw_dataset *timed, place *places) {
    size_t classes = timed->classes;
    for (size_t i = 0; i < timed->own_net_count; i++) {
        const cw_own_net *net = &timed->own_nets[i];
        for (size_t k = 0; k < net->count; k++)
            places[k] =
                (place){timed->own_rows[net->first + k], 1, timed->own_time + (net->first + k) * classes};
        add_group(d, timed, net->name, net->prec, places, net->count);
    }
    for (size_t i = 0, end; i < timed->layer_count; i = end) {
        const char *network = timed->nets[timed->layers[i].net];
        for (end = i; end < timed->layer_count && timed->layers[end].net == timed->layers[i].net;) end++;
        for (int32_t prec = 0; prec < (int32_t)CW_PREC_COUNT && !is_own(timed, network); prec++) {
            size_t count = 0;
            for (size_t k = i; k < end; k++) {
                const cw_dataset_layer *layer = &timed->layers[k];
                if (timed->problems[layer->row].prec == prec)
                    places[count++] = (place){layer->row, layer->count, timed->time + layer->row * classes};
            }
            add_group(d, timed, network, prec, places, count);
        }
    }
}

static int compare_groups(const void *a, const void *b) {
    const cw_seed_group *x = a, *y = b;
    int by_name = strcmp(x->network, y->network);
    return by_name ? by_name : (int)x->prec - (int)y->prec;
}

/* A network that was measured as a whole has the times that it took there, any other those of its shapes. */
static cw_status make_groups(draft *d, const cw_dataset *timed, cw_error *err) {
    size_t groups = timed->net_count * CW_PREC_COUNT + timed->own_net_count;
    size_t layers = timed->layer_count + timed->own_count;
    place *places = cw_alloc_n(layers, sizeof *places);
    d->groups = cw_alloc_n(groups, sizeof *d->groups);
    d->networks = cw_alloc_n(groups, sizeof *d->networks);
    d->layers = cw_alloc_n(layers, sizeof *d->layers);
    d->us = cw_alloc_n(layers, timed->classes * sizeof *d->us);
    d->report.groups = d->groups;
    d->report.layers = d->layers;
    bool all = places && d->groups && d->networks && d->layers && d->us;
    if (all) {
        add_groups(d, timed, places);
        qsort(d->groups, d->report.group_count, sizeof *d->groups, compare_groups);
    }
    cw_free(places);
    return all ? CW_OK : cw_fail_memory(err);
}

static int32_t find_best_static(const cw_seed_report *report, const cw_seed_group *group) {
    int32_t best = -1;
    double least = INFINITY;
    for (size_t c = 0; c < report->class_count; c++) {
        double sum = 0; /* NaN where a time is missing */
        for (size_t i = 0; i < group->count; i++) {
            const cw_seed_layer *layer = &report->layers[group->first + i];
            sum += (double)layer->repeats * layer->us[c];
        }
        if (sum < least) {
            least = sum;
            best = (int32_t)c;
        }
    }
    return best;
}

/* ---- Scores ---- */

static int32_t class_of_family(const cw_seed_report *report, cw_family family) {
    for (size_t c = 0; c < report->class_count; c++)
        if (report->families[c] == family) return (int32_t)c;
    return -1;
}

/* What a layer takes whose chosen class has no time. */
static double charge(const cw_seed_report *report, const cw_seed_layer *layer) {
    int32_t gemm = class_of_family(report, CW_FAMILY_GEMM);
    if (gemm >= 0 && !isnan(layer->us[gemm])) return layer->us[gemm];
    double slowest = 0;
    for (size_t c = 0; c < report->class_count; c++)
        if (layer->us[c] > slowest) slowest = layer->us[c];
    return slowest;
}

static void add_layer(const cw_seed_report *report, const cw_seed_layer *layer, int32_t chosen,
                      int32_t best_static, cw_seed_total *to) {
    double n = (double)layer->repeats;
    bool ran = chosen >= 0 && !isnan(layer->us[chosen]);
    to->layers += layer->repeats;
    to->ran += ran ? layer->repeats : 0;
    to->right += ran && layer->us[chosen] <= layer->us[layer->best] ? layer->repeats : 0;
    to->published_us += ran ? n * layer->us[chosen] : 0;
    to->charged_us += n * (ran ? layer->us[chosen] : charge(report, layer));
    to->oracle_us += n * layer->us[layer->best];
    to->best_static_us += best_static >= 0 ? n * layer->us[best_static] : (double)NAN;
}

static void score_contender(draft *d, size_t k) {
    for (size_t g = 0; g < d->report.group_count; g++) {
        const cw_seed_group *group = &d->groups[g];
        for (size_t i = group->first; i < group->first + group->count; i++) {
            int32_t chosen = d->roles[k].chosen[i];
            add_layer(&d->report, &d->layers[i], chosen, group->best_static, &d->roles[k].groups[g]);
            add_layer(&d->report, &d->layers[i], chosen, group->best_static,
                      &d->contenders[k].pooled[group->prec]);
        }
    }
}

/* ---- Contenders ---- */

/* Its choices are all -1 at first. NULL: out of memory. */
static role *add_contender(draft *d, const char *before, const char *name, const char *split,
                           const char *mode) {
    size_t k = d->report.contender_count++;
    role *r = &d->roles[k];
    snprintf(r->name, sizeof r->name, "%s%s", before, name);
    r->groups = cw_alloc_n(d->report.group_count, sizeof *r->groups);
    r->chosen = cw_alloc_n(d->report.layer_count, sizeof *r->chosen);
    bool drawn = split && strcmp(name, "tree") == 0;
    if (split) r->rows = cw_alloc_n(d->report.group_count, sizeof *r->rows);
    if (drawn) r->draws = cw_alloc_n(d->report.layer_count, sizeof *r->draws);
    if (!r->groups || !r->chosen || (split && !r->rows) || (drawn && !r->draws)) return NULL;
    for (size_t i = 0; i < d->report.layer_count; i++) r->chosen[i] = -1;
    d->contenders[k] = (cw_seed_contender){.name = r->name,
                                           .split = split,
                                           .mode = mode,
                                           .groups = r->groups,
                                           .chosen = r->chosen,
                                           .rows = r->rows,
                                           .draws = r->draws};
    return r;
}

static cw_status add_fixed(draft *d, cw_error *err) {
    role *oracle = add_contender(d, "", "oracle", NULL, NULL);
    role *fixed = oracle ? add_contender(d, "", "best static", NULL, NULL) : NULL;
    if (!fixed) return cw_fail_memory(err);
    for (size_t g = 0; g < d->report.group_count; g++)
        for (size_t i = 0; i < d->groups[g].count; i++)
            fixed->chosen[d->groups[g].first + i] = d->groups[g].best_static;
    for (size_t i = 0; i < d->report.layer_count; i++) oracle->chosen[i] = d->layers[i].best;
    for (int family = 0; family < (int)CW_FAMILY_COUNT; family++) {
        int32_t class = class_of_family(&d->report, (cw_family)family);
        if (class < 0) continue;
        role *always = add_contender(d, "always ", cw_family_name((cw_family)family), NULL, NULL);
        if (!always) return cw_fail_memory(err);
        for (size_t i = 0; i < d->report.layer_count; i++) always->chosen[i] = class;
    }
    return CW_OK;
}

static cw_status add_arm(draft *d, bool fast_math, cw_error *err) {
    for (int arm = 0; arm < (int)CW_ARM_COUNT; arm++) {
        role *r = add_contender(d, "arm ", cw_arm_name((cw_arm)arm), NULL, NULL);
        if (!r) return cw_fail_memory(err);
        for (size_t i = 0; i < d->report.layer_count; i++)
            r->chosen[i] =
                class_of_family(&d->report, cw_arm_choice((cw_arm)arm, &d->layers[i].problem, fast_math));
    }
    return CW_OK;
}

/* ---- Purge ---- */

static bool near_layer(const cw_problem *a, const cw_problem *b) {
    return a->ic == b->ic && a->oc == b->oc && a->kh == b->kh && a->kw == b->kw && a->sh == b->sh &&
           a->sw == b->sw;
}

static bool same_layer(const cw_problem *a, const cw_problem *b) {
    return near_layer(a, b) && a->ih == b->ih && a->iw == b->iw && a->pt == b->pt && a->pl == b->pl;
}

/* Rows of the labels, in their order, without those that belong to the network, in whatever precision. */
static size_t purge(const experiment *e, const char *network, size_t split, size_t *rows) {
    const draft *d = e->draft;
    size_t kept = 0;
    for (size_t row = 0; row < e->labels->rows; row++) {
        const cw_problem *p = &e->labels->problems[row];
        bool out = false;
        for (size_t g = 0; g < d->report.group_count; g++) {
            const cw_seed_group *group = &d->groups[g];
            if (strcmp(group->network, network) != 0) continue;
            for (size_t i = group->first; !out && i < group->first + group->count; i++)
                out =
                    split == 0 ? same_layer(p, &d->layers[i].problem) : near_layer(p, &d->layers[i].problem);
        }
        if (!out) rows[kept++] = row;
    }
    return kept;
}

/* CV: keeps the random training share, in scikit-learn's order. Returns their number. */
static cw_status sample(size_t *rows, size_t *count, cw_error *err) {
    size_t *order = cw_alloc_n(*count, sizeof *order), *all = cw_alloc_n(*count, sizeof *all);
    if (!order || !all) {
        cw_free(order);
        cw_free(all);
        return cw_fail_memory(err);
    }
    size_t tests = cw_test_count(*count, test_share);
    memcpy(all, rows, *count * sizeof *rows);
    cw_numpy_permutation(RANDOM_STATE, *count, order);
    for (size_t i = tests; i < *count; i++) rows[i - tests] = all[order[i]];
    *count -= tests;
    cw_free(order);
    cw_free(all);
    return CW_OK;
}

/* ---- Choosing ---- */

/* The model's first wish, whether it can run or not. */
static int32_t first_wish(const cw_scored_model *scored, const double *x, double *cost) {
    const cw_model *model = scored->model;
    size_t best = 0;
    model->learner->predict(model->state, x, cost, NULL, NULL);
    for (size_t c = 1; c < model->class_count; c++)
        if (cost[c] < cost[best] ||
            (cost[c] == cost[best] && model->static_rank[c] < model->static_rank[best]))
            best = c;
    return scored->class_of[best];
}

/* What other trees could have chosen for a layer: labels' classes as bits of the report's. */
static cw_status draw_layer(const experiment *e, const cw_matrix *matrix, const int32_t *rank,
                            const double *x, uint32_t *bits) {
    bool found[CW_MODEL_MOST], complete;
    *bits = 0;
    cw_status status = cw_tree_draws(matrix, x, rank, found, &complete, e->err);
    if (status != CW_OK || !complete) return status;
    for (size_t c = 0; c < e->labels->classes; c++)
        for (size_t k = 0; found[c] && k < e->timed->classes; k++)
            if (strcmp(e->labels->class_info[c].name, e->timed->class_info[k].name) == 0) *bits |= 1U << k;
    return CW_OK;
}

static cw_status draw_group(const experiment *e, const size_t *rows, size_t count, const cw_seed_group *group,
                            uint32_t *draws) {
    cw_matrix matrix = {0};
    size_t classes = e->labels->classes;
    size_t *order = cw_alloc_n(classes, sizeof *order);
    int32_t *rank = cw_alloc_n(classes, sizeof *rank);
    double *x = cw_alloc_n(e->labels->columns, sizeof *x);
    cw_status status = order && rank && x ? cw_static_order(e->labels, rows, count, -1, order, e->err)
                                          : cw_fail_memory(e->err);
    if (status == CW_OK) status = cw_dataset_matrix(e->labels, rows, count, NULL, &matrix, e->err);
    for (size_t i = 0; status == CW_OK && i < classes; i++) rank[order[i]] = (int32_t)i;
    for (size_t i = group->first; status == CW_OK && i < group->first + group->count; i++) {
        cw_features_eval(e->labels->features, e->labels->columns, &e->draft->layers[i].problem, x);
        status = draw_layer(e, &matrix, rank, x, &draws[i]);
    }
    cw_rows_release(&matrix);
    cw_free(order);
    cw_free(rank);
    cw_free(x);
    return status;
}

/* Fits one learner and lets it choose for the network's groups. */
static cw_status run_learner(const experiment *e, const char *learner, const char *network,
                             const size_t *rows, size_t count, role *r) {
    cw_train_options how = e->options.train;
    how.learner = learner;
    cw_model *model = NULL;
    cw_scored_model scored = {0};
    double *x = cw_alloc_n(e->labels->columns, sizeof *x), cost[CW_MODEL_MOST];
    cw_status status =
        x ? cw_train_rows(e->labels, rows, count, &how, &model, e->err) : cw_fail_memory(e->err);
    if (status == CW_OK) status = cw_scored_model_bind(e->timed, model, &scored, e->err);
    for (size_t g = 0; status == CW_OK && g < e->draft->report.group_count; g++) {
        const cw_seed_group *group = &e->draft->groups[g];
        if (strcmp(group->network, network) != 0) continue;
        r->rows[g] = count;
        for (size_t i = group->first; i < group->first + group->count; i++) {
            cw_features_eval(e->labels->features, e->labels->columns, &e->draft->layers[i].problem, x);
            r->chosen[i] = first_wish(&scored, x, cost);
        }
        if (r->draws) status = draw_group(e, rows, count, group, r->draws);
    }
    cw_free(scored.class_of);
    cw_model_free(model);
    cw_free(x);
    return status;
}

static cw_status run_network(const experiment *e, const char *network, size_t split, size_t mode, role **by) {
    size_t *rows = cw_alloc_n(e->labels->rows, sizeof *rows);
    if (!rows) return cw_fail_memory(e->err);
    size_t count = purge(e, network, split, rows);
    cw_status status = CW_OK;
    if (count < 2)
        status = cw_fail(e->err, CW_INVALID, "split %s: without %s no labels are left to learn from",
                         split_names[split], network);
    else if (mode == 1)
        status = sample(rows, &count, e->err);
    for (size_t m = 0; status == CW_OK && e->options.learners[m]; m++)
        status = run_learner(e, e->options.learners[m], network, rows, count, by[m]);
    cw_free(rows);
    return status;
}

static cw_status run_learners(const experiment *e, role **by) {
    draft *d = e->draft;
    for (size_t split = 0; split < SPLITS; split++)
        for (size_t mode = 0; mode < MODES; mode++) {
            for (size_t m = 0; e->options.learners[m]; m++) {
                by[m] = add_contender(d, "", e->options.learners[m], split_names[split], mode_names[mode]);
                if (!by[m]) return cw_fail_memory(e->err);
            }
            for (size_t g = 0; g < d->report.group_count; g++) {
                if (g > 0 && strcmp(d->groups[g].network, d->groups[g - 1].network) == 0) continue;
                cw_status status = run_network(e, d->groups[g].network, split, mode, by);
                if (status != CW_OK) return status;
            }
        }
    return CW_OK;
}

/* ---- All of it ---- */

static cw_status check(const experiment *e) {
    const cw_dataset *labels = e->labels, *timed = e->timed;
    if (!labels->labelled || timed->labelled)
        return cw_fail(e->err, CW_INVALID,
                       "the seed's experiment needs a dataset of labels and one of times");
    if (strcmp(labels->feature_set, timed->feature_set) != 0)
        return cw_fail(e->err, CW_MISMATCH, "labels with features %s, times with %s", labels->feature_set,
                       timed->feature_set);
    if (timed->layer_count + timed->own_count == 0)
        return cw_fail(
            e->err, CW_INVALID,
            "no network has layers with times on machine %s: 'convwise import layers' brings them, "
            "'convwise store info' lists other machines",
            timed->fingerprint);
    if (timed->classes > MOST_CLASSES)
        return cw_fail(e->err, CW_UNSUPPORTED, "%zu implementations have times: at most %d", timed->classes,
                       (int)MOST_CLASSES);
    return CW_OK;
}

static cw_status run(const experiment *e) {
    draft *d = e->draft;
    size_t learners = 0;
    while (e->options.learners[learners]) learners++;
    cw_status status = copy_classes(d, e->timed, e->err);
    if (status == CW_OK) status = make_groups(d, e->timed, e->err);
    if (status != CW_OK) return status;
    size_t most = 2 + CW_FAMILY_COUNT + CW_ARM_COUNT + SPLITS * MODES * learners;
    role **by = cw_alloc_n(learners, sizeof *by);
    d->contenders = cw_alloc_n(most, sizeof *d->contenders);
    d->roles = cw_alloc_n(most, sizeof *d->roles);
    d->report.contenders = d->contenders;
    for (size_t g = 0; g < d->report.group_count; g++)
        d->groups[g].best_static = find_best_static(&d->report, &d->groups[g]);
    if (!by || !d->contenders || !d->roles)
        status = cw_fail_memory(e->err);
    else if ((status = add_fixed(d, e->err)) == CW_OK &&
             (status = add_arm(d, e->options.fast_math, e->err)) == CW_OK)
        status = run_learners(e, by);
    for (size_t k = 0; status == CW_OK && k < d->report.contender_count; k++) score_contender(d, k);
    cw_free(by);
    return status;
}

cw_status cw_seed_validate(const cw_dataset *labels, const cw_dataset *timed, const cw_seed_options *options,
                           cw_seed_report **out, cw_error *err) {
    *out = NULL;
    experiment e = {.labels = labels, .timed = timed, .err = err};
    if (options) e.options = *options;
    static const char *const seeds_own[] = {"tree", "bayes", NULL};
    if (!e.options.learners) e.options.learners = seeds_own;
    if (!(e.options.train.var_smoothing > 0)) e.options.train.var_smoothing = authors_smoothing;
    cw_status status = check(&e);
    if (status != CW_OK) return status;
    e.draft = cw_alloc(sizeof *e.draft);
    if (!e.draft) return cw_fail_memory(err);
    status = run(&e);
    if (status == CW_OK)
        *out = &e.draft->report;
    else
        cw_seed_report_free(&e.draft->report);
    return status;
}

void cw_seed_report_free(cw_seed_report *report) {
    if (!report) return;
    draft *d = (draft *)report;
    for (size_t k = 0; d->roles && k < report->contender_count; k++) {
        cw_free(d->roles[k].groups);
        cw_free(d->roles[k].chosen);
        cw_free(d->roles[k].rows);
        cw_free(d->roles[k].draws);
    }
    for (size_t c = 0; d->classes && c < report->class_count; c++) cw_free(d->classes[c]);
    void *const owned[] = {d->contenders, d->roles,    d->groups,  d->layers, d->us,
                           d->networks,   d->families, d->classes, d};
    for (size_t i = 0; i < CW_COUNT(owned); i++) cw_free(owned[i]);
}

static bool equal(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

const cw_seed_contender *cw_seed_find(const cw_seed_report *report, const char *name, const char *split,
                                      const char *mode) {
    for (size_t k = 0; k < report->contender_count; k++) {
        const cw_seed_contender *c = &report->contenders[k];
        if (equal(c->name, name) && equal(c->split, split) && equal(c->mode, mode)) return c;
    }
    return NULL;
}
