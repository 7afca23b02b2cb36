/* validate.c: trains on each fold's training rows, lets every contender choose for its tests, and scores. */
#include "validate.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void knowledge_release(cw_knowledge *know, size_t models) {
    for (size_t prec = 0; prec < CW_COUNT(know->order); prec++) cw_free(know->order[prec]);
    for (size_t m = 0; know->models && m < models; m++) cw_free(know->models[m].class_of);
    cw_free(know->models);
    cw_free(know->scratch);
    cw_free(know->allowed);
}

static cw_status knowledge_make(const cw_dataset *data, size_t models, size_t scratch, cw_knowledge *know,
                                cw_error *err) {
    *know = (cw_knowledge){.data = data};
    know->models = cw_alloc_n(models, sizeof *know->models);
    know->scratch = cw_alloc_n(scratch, 2 * sizeof *know->scratch);
    know->allowed = cw_alloc_n(scratch, sizeof *know->allowed);
    bool made = know->models && know->scratch && know->allowed;
    for (size_t prec = 0; prec < CW_COUNT(know->order); prec++) {
        know->order[prec] = cw_alloc_n(data->classes, sizeof *know->order[prec]);
        made = made && know->order[prec];
    }
    return made ? CW_OK : cw_fail_memory(err);
}

/* ---- Scoring a fold's tests ---- */

static cw_status keep_promise(cw_promises *to, double promise, const cw_verdict *v, int64_t count,
                              cw_error *err) {
    if (!cw_grow(&to->kept, &to->capacity, to->count + 1, sizeof *to->kept)) return cw_fail_memory(err);
    double chosen = isnan(v->chosen) ? v->slowest : v->chosen;
    to->kept[to->count++] = (cw_kept){promise, log(chosen / v->oracle), count};
    return CW_OK;
}

static cw_status score_test(cw_draft *draft, const cw_knowledge *know, size_t group, const cw_test *test,
                            cw_error *err) {
    const cw_dataset *data = know->data;
    int32_t prec = data->problems[test->row].prec;
    for (size_t k = 0; k < draft->report.contender_count; k++) {
        cw_pick pick = cw_pick_class(know, draft->roles[k].kind, draft->roles[k].index, test->row);
        cw_verdict verdict = cw_judge(know, pick, test->row);
        cw_score_add(cw_draft_score(draft, k, group), &verdict, test->count);
        cw_score_add(&draft->contenders[k].by_prec[prec], &verdict, test->count);
        cw_score_add(&draft->contenders[k].pooled, &verdict, test->count);
        if (k >= draft->learner_count) continue;
        if (!isnan(pick.promise) &&
            keep_promise(&draft->promises[k], pick.promise, &verdict, test->count, err) != CW_OK)
            return CW_NO_MEMORY;
        draft->confusion[(k * data->classes + (size_t)data->y[test->row]) * data->classes +
                         (size_t)pick.class] += test->count;
    }
    return CW_OK;
}

/* One group for each precision that has tests. */
static cw_status score_fold(cw_draft *draft, const cw_knowledge *know, const char *name, const cw_test *tests,
                            size_t count, cw_error *err) {
    for (int32_t prec = 0; prec < (int32_t)CW_COUNT(know->order); prec++) {
        size_t group = draft->report.group_count;
        bool any = false;
        for (size_t t = 0; t < count; t++) {
            if (know->data->problems[tests[t].row].prec != prec) continue;
            if (score_test(draft, know, group, &tests[t], err) != CW_OK) return CW_NO_MEMORY;
            any = true;
        }
        if (!any) continue;
        snprintf(draft->group_names[group], sizeof draft->group_names[group], "%s", name);
        draft->groups[group] = (cw_group){.name = draft->group_names[group], .prec = (cw_prec)prec};
        draft->report.group_count++;
    }
    return CW_OK;
}

/* ---- Learning a fold's training rows ---- */

static bool one_winner(const cw_dataset *data, const cw_fold *fold) {
    for (size_t i = 1; i < fold->train_count; i++)
        if (data->y[fold->train[i]] != data->y[fold->train[0]]) return false;
    return true;
}

/* seen: what know->seen borrows. */
static cw_status learn_fold(const cw_dataset *data, const cw_fold *fold, const cw_validate_options *options,
                            size_t learners, cw_model **models, cw_seen **seen, cw_knowledge *know,
                            cw_error *err) {
    cw_status status = CW_OK;
    if (options->train.mask == CW_MASK_KIND)
        status = cw_dataset_seen(data, fold->train, fold->train_count, NULL, data->classes, seen, err);
    know->seen = *seen;
    for (int32_t prec = 0; status == CW_OK && prec < (int32_t)CW_COUNT(know->order); prec++)
        status = cw_static_order(data, fold->train, fold->train_count, prec, know->order[prec], err);
    for (size_t m = 0; status == CW_OK && m < learners && !one_winner(data, fold); m++) {
        cw_train_options train = options->train;
        train.learner = options->learners[m];
        train.split = options->split;
        if (strcmp(train.learner, "boost") != 0) train.base = NULL; /* the only one that goes on from one */
        status = cw_train_rows(data, fold->train, fold->train_count, &train, &models[m], err);
        if (status == CW_OK) status = cw_scored_model_bind(data, models[m], &know->models[m], err);
    }
    return status;
}

static cw_status note_settings(cw_draft *draft, size_t number, const char *fold, cw_model *const *models,
                               cw_error *err) {
    bool made = (draft->folds[number] = cw_strdup(fold)) != NULL;
    for (size_t m = 0; made && m < draft->learner_count; m++) {
        char **to = &draft->settings[m * draft->fold_count + number];
        made = (*to = cw_strdup(models[m] ? models[m]->settings : "")) != NULL;
    }
    return made ? CW_OK : cw_fail_memory(err);
}

static cw_status run_fold(const cw_dataset *data, const cw_fold *fold, size_t number,
                          const cw_validate_options *options, cw_draft *draft, cw_error *err) {
    cw_knowledge know;
    cw_seen *seen = NULL;
    size_t learners = draft->learner_count;
    cw_model **models = cw_alloc_n(learners, sizeof *models);
    cw_status status = knowledge_make(data, learners, cw_most_classes(data, &options->train), &know, err);
    if (status == CW_OK && !models) status = cw_fail_memory(err);
    if (status == CW_OK) status = learn_fold(data, fold, options, learners, models, &seen, &know, err);
    if (status == CW_OK) status = score_fold(draft, &know, fold->name, fold->tests, fold->test_count, err);
    if (status == CW_OK) status = note_settings(draft, number, fold->name, models, err);
    for (size_t m = 0; models && m < learners; m++) cw_model_free(models[m]);
    cw_free(models);
    cw_seen_free(seen);
    knowledge_release(&know, learners);
    return status;
}

static cw_status check_learners(const char *const *learners, cw_error *err) {
    if (!learners || !learners[0]) return cw_fail(err, CW_INVALID, "name at least one learner to validate");
    for (size_t i = 0; learners[i]; i++)
        if (!cw_learner_find(learners[i]))
            return cw_fail(err, CW_NOT_FOUND, "no learner is called %.60s", learners[i]);
    return CW_OK;
}

cw_status cw_validate(const cw_dataset *data, const cw_validate_options *options, cw_report **out,
                      cw_error *err) {
    *out = NULL;
    if (data->rows == 0)
        return cw_fail(err, CW_NOT_FOUND, "no rows to validate on: measure layers first (convwise measure)");
    cw_status status = check_learners(options->learners, err);
    if (status != CW_OK) return status;
    cw_split split;
    cw_draft *draft = NULL;
    if ((status = cw_split_make(data, options->split, options->seed, &split, err)) != CW_OK ||
        (status = cw_draft_make(data, options->learners, CW_PREC_COUNT * split.count, split.count, &draft,
                                err)) != CW_OK)
        goto out;
    memcpy(draft->split, split.name, sizeof draft->split);
    if (split.random) snprintf(draft->note, sizeof draft->note, "random: flatters");
    for (size_t f = 0; status == CW_OK && f < split.count; f++)
        status = run_fold(data, &split.folds[f], f, options, draft, err);
out:
    cw_split_release(&split);
    if (status == CW_OK) {
        cw_draft_finish(draft);
        *out = &draft->report;
    } else if (draft) {
        cw_report_free(&draft->report);
    }
    return status;
}

/* ---- A given model ---- */

/* The model's own static order, then the classes it does not know. */
static void order_of_model(const cw_scored_model *scored, size_t classes, size_t *order) {
    const cw_model *model = scored->model;
    size_t count = 0;
    for (size_t place = 0; place < model->class_count; place++)
        for (size_t c = 0; c < model->class_count; c++)
            if (model->static_rank[c] == (int32_t)place && scored->class_of[c] >= 0)
                order[count++] = (size_t)scored->class_of[c];
    for (size_t class = 0; class < classes; class ++) {
        size_t i = 0;
        while (i < count && order[i] != class) i++;
        if (i == count) order[count++] = class;
    }
}

static cw_status score_all(const cw_dataset *data, const cw_knowledge *know, cw_draft *draft, cw_error *err) {
    cw_test *tests = cw_alloc_n(data->rows + data->layer_count, sizeof *tests);
    if (!tests) return cw_fail_memory(err);
    for (size_t row = 0; row < data->rows; row++) tests[row] = (cw_test){row, 1};
    cw_status status = CW_OK;
    if (data->layer_count == 0) status = score_fold(draft, know, "all layers", tests, data->rows, err);
    for (size_t i = 0; status == CW_OK && i < data->layer_count;) {
        size_t net = data->layers[i].net, count = 0;
        for (; i < data->layer_count && data->layers[i].net == net; i++)
            tests[count++] = (cw_test){data->layers[i].row, (int64_t)data->layers[i].count};
        status = score_fold(draft, know, data->nets[net], tests, count, err);
    }
    cw_free(tests);
    return status;
}

/* The model's table by the dataset's classes; what the dataset does not have is left out. */
static cw_status seen_by_model(const cw_dataset *data, const cw_scored_model *scored, cw_seen **out,
                               cw_error *err) {
    const cw_seen *from = scored->model->seen;
    if (!from)
        return cw_fail(
            err, CW_INVALID,
            "the model does not know which implementations it saw on which kernels (learned from labels, "
            "or by an older convwise): train it anew, or mask by the record");
    cw_seen *to = *out =
        cw_seen_alloc((const char *const *)from->names, from->fields, from->kinds, data->classes);
    if (!to) return cw_fail_memory(err);
    memcpy(to->key, from->key, from->kinds * from->fields * sizeof *to->key);
    for (size_t kind = 0; kind < from->kinds; kind++)
        for (size_t c = 0; c < from->classes; c++)
            if (scored->class_of[c] >= 0 && from->has[kind * from->classes + c])
                to->has[kind * to->classes + (size_t)scored->class_of[c]] = 1;
    return CW_OK;
}

cw_status cw_validate_model(const cw_dataset *data, const cw_model *model, cw_mask mask, cw_report **out,
                            cw_error *err) {
    cw_seen *seen = NULL;
    *out = NULL;
    if (data->rows == 0)
        return cw_fail(err, CW_NOT_FOUND, "no rows to validate on: measure layers first (convwise measure)");
    const char *const learners[] = {model->learner->name, NULL};
    cw_draft *draft = NULL;
    cw_knowledge know;
    cw_status status;
    if ((status = knowledge_make(data, 1, model->class_count, &know, err)) != CW_OK ||
        (status = cw_scored_model_bind(data, model, &know.models[0], err)) != CW_OK ||
        (mask == CW_MASK_KIND && (status = seen_by_model(data, &know.models[0], &seen, err)) != CW_OK) ||
        (status = cw_draft_make(data, learners, CW_PREC_COUNT * (data->net_count + 1), 0, &draft, err)) !=
            CW_OK)
        goto out;
    know.seen = seen;
    for (size_t prec = 0; prec < CW_COUNT(know.order); prec++)
        order_of_model(&know.models[0], data->classes, know.order[prec]);
    snprintf(draft->split, sizeof draft->split, "given model");
    snprintf(draft->note, sizeof draft->note, "%s",
             strcmp(model->data_hash, data->hash) == 0
                 ? "in sample: the very rows the model was trained on; flatters"
                 : "not the rows the model was trained on, as a whole; layers in both flatter");
    status = score_all(data, &know, draft, err);
out:
    knowledge_release(&know, 1);
    cw_seen_free(seen);
    if (status == CW_OK) {
        cw_draft_finish(draft);
        *out = &draft->report;
    } else if (draft) {
        cw_report_free(&draft->report);
    }
    return status;
}
