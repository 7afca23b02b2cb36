/* cmd_convert.c: `convwise convert`: an ONNX file of trees, ours or another's, as a model file. */
#include "cli.h"

typedef struct options {
    const char *input, *output;
    cw_onnx_options onnx;
    bool json;
} options;

static const struct argp_option table[] = {
    {"features", 'f', "SET|NAMES", 0,
     "What the columns are: engineered, raw, seed, or names of features, comma-separated", 0},
    {"classes", 'c', "NAMES", 0,
     "The implementation of label 0, 1, 2, ..., comma-separated; or LABEL=NAME. Not needed where labels are "
     "names",
     0},
    {"output", 'o', "MODEL", 0, "File to write (default model.json)", 0},
    {"json", 'j', NULL, 0, "Print one JSON document: model, learner, classes, rounding", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case 'f':
        o->onnx.features = arg;
        return 0;
    case 'c':
        o->onnx.classes = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->input) argp_error(state, "unexpected '%.60s'", arg);
        o->input = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->input) argp_error(state, "FILE is missing: an ONNX file of trees");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int report(const options *o, const cw_model *model, double rounding) {
    if (o->json)
        return cli_print_json(json_pack("{sosssisf}", "model", cli_json_path(o->output), "learner",
                                        cw_model_learner(model), "classes", (int)cw_model_classes(model),
                                        "rounding", rounding));
    printf("Read %s: learner %s, chooses among %zu implementations.\n", o->input, cw_model_learner(model),
           cw_model_classes(model));
    if (rounding > 0)
        printf("Costs are within %.2g of the exact sums of its leaves: implementations closer than that may "
               "change "
               "places.\n",
               rounding);
    printf("Written to %s. Next: convwise choose PROBLEM --model %s, or convwise validate --model %s\n",
           o->output, o->output, o->output);
    return CLI_DONE;
}

int cmd_convert(int argc, char **argv) {
    static const struct argp argp = {
        table,
        parse,
        "FILE",
        "Makes a model of trees that scikit-learn, LightGBM, XGBoost or others trained and wrote as ONNX "
        "(TreeEnsembleClassifier, TreeEnsembleRegressor), or that 'convwise emit --format onnx' wrote.\v"
        "A classifier's best score wins; a regressor has one target an implementation and predicts costs, of "
        "which "
        "the smallest wins. docs/formats.md tells what is read.",
        NULL,
        NULL,
        NULL};
    options o = {.output = "model.json"};
    cw_error err = {0};
    cw_model *model = NULL;
    double rounding = 0;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0) return CLI_USAGE;
    cw_status status = cw_model_load_onnx(o.input, &o.onnx, &model, &rounding, &err);
    if (status == CW_OK) status = cw_model_save(model, o.output, &err);
    int code = status == CW_OK ? report(&o, model, rounding) : cli_fail(&err);
    cw_model_free(model);
    return code;
}
