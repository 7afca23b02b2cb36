/* cmd_train.c: `convwise train`: a store's measurements to a model file, validated on the way. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

typedef struct options {
    cli_learn learn;
    const char *split, *output;
    bool json, no_calibrate, force;
} options;

enum { VALIDATE = 1000, NO_CALIBRATE, FORCE };

static const struct argp_option table[] = {
    {"validate", VALIDATE, "SPLIT", 0,
     "How the figures that the model carries are found: network, near, group, machine, kfold:N, holdout:F or "
     "none "
     "(default: "
     "network where the store has at least two, else group)",
     0},
    {"output", 'o', "MODEL", 0, "File to write (default model.json)", 0},
    {"no-calibrate", NO_CALIBRATE, NULL, 0,
     "Do not find out how much a choice may lose (saves five trainings)", 0},
    {"force", FORCE, NULL, 0, "Write the model even where it is slower than the static order", 0},
    {"json", 'j', NULL, 0, "Print one JSON document: file, learner, size, figures", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->learn;
        return 0;
    case VALIDATE:
        o->split = arg;
        return 0;
    case NO_CALIBRATE:
        o->no_calibrate = true;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case FORCE:
        o->force = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected '%.60s'", arg);
        return 0;
    case ARGP_KEY_END:
        if (o->learn.learners[0] && o->learn.learners[1])
            argp_error(state, "a model has one learner ('convwise validate' compares them)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Where the split was not asked for, data that cannot be split is no failure: the model goes without figures.
 */
static cw_status add_figures(const options *o, const cw_dataset *data, cw_model *model, cw_error *err) {
    if (o->split && strcmp(o->split, "none") == 0) return CW_OK;
    const char *learners[] = {cw_model_learner(model), NULL};
    cw_validate_options how = {
        .split = o->split, .learners = learners, .train = o->learn.train, .seed = o->learn.train.seed};
    cw_report *report = NULL;
    cw_status status = cw_validate(data, &how, &report, err);
    if (status == CW_OK) status = cw_model_set_validation(model, report, err);
    cw_report_free(report);
    if (status == CW_INVALID && !o->split) {
        fprintf(stderr, "convwise: the model goes without validation figures: %s\n", err->message);
        return CW_OK;
    }
    return status;
}

static double figure(const json_t *figures, const char *key) {
    return json_number_value(json_object_get(figures, key));
}

/* A model that would do harm is not written: slower, fall-backs included, than the list that needs no model.
 */
static cw_status refuse_harm(const options *o, const json_t *model, cw_error *err) {
    const json_t *overall = json_object_get(json_object_get(model, "no_harm"), "overall");
    if (o->force || !json_is_true(json_object_get(overall, "worse"))) return CW_OK;
    snprintf(
        err->message, sizeof err->message,
        "not written: on %.0f held-out problems the model takes %.1f us, the static order %.1f us (geomean "
        "%+.1f %%); measure more, take another learner, or --force",
        figure(overall, "rows"), figure(overall, "us"), figure(overall, "static_us"),
        100 * (figure(overall, "geomean") - 1));
    return err->status = CW_INVALID;
}

/* Which groups of shapes the static order or the library chooses for. */
static void print_fallbacks(const json_t *model) {
    const json_t *found = json_object_get(model, "no_harm"), *overall = json_object_get(found, "overall"),
                 *group;
    size_t i;
    if (json_is_true(json_object_get(overall, "worse_than_library")))
        printf("On %.0f held-out problems it took %+.1f %% time beside the library's own choice (geomean "
               "%+.1f %%): "
               "leave the choice to the library, or measure more.\n",
               figure(overall, "library_rows"), 100 * (figure(overall, "library_pooled") - 1),
               100 * (figure(overall, "library_geomean") - 1));
    json_array_foreach(json_object_get(found, "groups"), i, group) {
        const char *name = json_string_value(json_object_get(group, "group"));
        if (json_is_true(json_object_get(group, "static")))
            printf("For %s the static order chooses: the learner took %+.1f %% time beside it (geomean %+.1f "
                   "%%) on %.0f held-out problems.\n",
                   name, 100 * (figure(group, "pooled") - 1), 100 * (figure(group, "geomean") - 1),
                   figure(group, "rows"));
        if (json_is_true(json_object_get(group, "library")))
            printf(
                "For %s the library's own choice comes first, where it is known: the learner took %+.1f %% "
                "time beside it (geomean %+.1f %%) on %.0f held-out problems.\n",
                name, 100 * (figure(group, "library_pooled") - 1),
                100 * (figure(group, "library_geomean") - 1), figure(group, "library_rows"));
    }
}

static json_t *model_json(const cw_model *model) {
    char *text = NULL;
    if (cw_model_json(model, &text, NULL) != CW_OK) return NULL;
    json_t *json = json_loads(text, 0, NULL);
    cw_free(text);
    return json;
}

static void print_summary(const options *o, const cw_dataset *data, const cw_model *model,
                          const json_t *json) {
    const json_t *validation = json_object_get(json, "validation");
    printf("Learned a %s from %zu problems: chooses among %zu implementations by %s features.\n",
           cw_model_learner(model), cw_dataset_rows(data), cw_model_classes(model), cw_model_features(model));
    const char *split = json_string_value(json_object_get(validation, "split"));
    const char *note = json_string_value(json_object_get(validation, "note"));
    if (split)
        printf("On layers it had not seen (split %s%s%s):\n", split, note ? "; " : "", note ? note : "");
    for (int prec = CW_F32; prec < CW_PREC_COUNT; prec++) {
        const json_t *s = json_object_get(validation, cw_prec_name((cw_prec)prec));
        if (!s) continue;
        double oracle = figure(s, "oracle_us");
        printf("  %-3s  %+.1f %% time over the fastest choice, right for %.0f %% of %.0f layers; best static "
               "%+.1f %%, "
               "library %+.1f %%\n",
               cw_prec_name((cw_prec)prec), 100 * figure(s, "regret"), 100 * figure(s, "accuracy"),
               figure(s, "layers"), 100 * (figure(s, "best_static_us") / oracle - 1),
               100 * (figure(s, "library_us") / oracle - 1));
    }
    print_fallbacks(json);
    if (o->learn.base_path)
        printf("Settings: %s.\n",
               json_string_value(json_object_get(json_object_get(json, "provenance"), "settings")));
    printf("Written to %s. Next: convwise choose PROBLEM --model %s, or convwise emit --model %s\n",
           o->output, o->output, o->output);
}

static int print_json(const options *o, const cw_dataset *data, const cw_model *model, const json_t *json) {
    json_t *validation = json_object_get(json, "validation"), *no_harm = json_object_get(json, "no_harm");
    return cli_print_json(json_pack("{sosssisisssO?sO?}", "model", cli_json_path(o->output), "learner",
                                    cw_model_learner(model), "rows", (int)cw_dataset_rows(data), "classes",
                                    (int)cw_model_classes(model), "features", cw_model_features(model),
                                    "validation", validation, "no_harm", no_harm));
}

static int train(options *o) {
    cw_error err = {0};
    cw_dataset *data = NULL;
    cw_model *model = NULL;
    cw_status status = cli_learn_load(&o->learn, &data, &err);
    cw_train_options settings = o->learn.train;
    settings.learner = o->learn.learners[0];
    settings.split = o->split && strcmp(o->split, "none") != 0 ? o->split : NULL;
    settings.calibrate = !o->no_calibrate;
    json_t *json = NULL;
    if (!o->learn.no_harm_given) settings.no_harm = CLI_MARGIN;
    if (status == CW_OK && (status = cw_train(data, &settings, &model, &err)) == CW_OK &&
        (status = add_figures(o, data, model, &err)) == CW_OK &&
        (status = refuse_harm(o, json = model_json(model), &err)) == CW_OK)
        status = cw_model_save(model, o->output, &err);
    int code = status == CW_OK ? CLI_DONE : cli_fail(&err);
    if (status == CW_OK) {
        if (o->json)
            code = print_json(o, data, model, json);
        else
            print_summary(o, data, model, json);
    }
    json_decref(json);
    cw_model_free(model);
    cw_model_free(o->learn.base);
    cw_dataset_free(data);
    return code;
}

int cmd_train(int argc, char **argv) {
    static const struct argp_child children[] = {{&cli_learn_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        table,
        parse,
        "",
        "Learns from a store's measurements which implementation is fastest, and writes the model as a file.",
        children,
        NULL,
        NULL};
    options o = {.output = "model.json"};
    if (argp_parse(&argp, argc, argv, 0, NULL, &o)) return CLI_USAGE;
    return train(&o);
}
