/* cmd_emit.c: `convwise emit`: a model as C source or as ONNX, to standard output or a file. */
#include "cli.h"
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *model, *output, *machine;
    cw_emit_options emit;
    cw_fpmath fpmath;
    bool onnx;
} options;

enum { HEADER = 1000, SELF_TEST, MACHINE, FPMATH };

static const struct argp_option table[] = {
    {"model", 'm', "FILE", 0, "Model that 'convwise train' made (needed)", 0},
    {"format", 'f', "FORMAT", 0, "c (default), or onnx: trees as ONNX-ML", 0},
    {"prefix", 'p', "NAME", 0, "Begins every name in the file (default: convwise)", 0},
    {"machine", MACHINE, "M", 0, CLI_MACHINE_HELP, 0},
    {"fpmath", FPMATH, "MODE", 0, "bf16: take a model that was trained with it (default: strict)", 0},
    {"output", 'o', "FILE", 0, "Write to FILE instead of standard output", 0},
    {"header", HEADER, NULL, 0, "Only the declarations, for callers", 0},
    {"self-test", SELF_TEST, NULL, 0, "Add a self-test under #ifdef NAME_SELF_TEST", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case 'm':
        o->model = arg;
        return 0;
    case 'f':
        o->onnx = strcmp(arg, "onnx") == 0;
        if (!o->onnx && strcmp(arg, "c") != 0) argp_error(state, "'%.60s' is not a format: c, onnx", arg);
        return 0;
    case 'p':
        o->emit.prefix = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case MACHINE:
        o->machine = arg;
        return 0;
    case FPMATH:
        o->fpmath = cli_fpmath(state, arg);
        return 0;
    case HEADER:
        o->emit.header = true;
        return 0;
    case SELF_TEST:
        o->emit.self_test = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected '%.60s'", arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->model) argp_error(state, "--model FILE is missing ('convwise train' makes one)");
        if (o->onnx && (o->emit.prefix || o->emit.header || o->emit.self_test))
            argp_error(state, "--prefix, --header and --self-test are of C");
        if (o->onnx && !o->output && isatty(STDOUT_FILENO))
            argp_error(state, "an ONNX file is not for a terminal: --output FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static cw_status emit_onnx(const options *o, const cw_model *model, cw_error *err) {
    char *bytes = NULL;
    size_t size = 0;
    if (o->output) return cw_emit_onnx_save(model, o->output, err);
    cw_status status = cw_emit_onnx(model, &bytes, &size, err);
    if (status == CW_OK) fwrite(bytes, 1, size, stdout); /* main checks that it arrived */
    cw_free(bytes);
    return status;
}

static cw_status emit_c(const options *o, const cw_model *model, cw_error *err) {
    char *text = NULL;
    if (o->output) return cw_emit_c_save(model, &o->emit, o->output, err);
    cw_status status = cw_emit_c(model, &o->emit, &text, err);
    if (status == CW_OK) fputs(text, stdout);
    cw_free(text);
    return status;
}

/* What is emitted has no limits: who takes it is to know what it may choose. */
static cw_status check_fpmath(const options *o, const cw_model *model, cw_error *err) {
    for (size_t i = 0; o->fpmath == CW_FPMATH_STRICT && i < cw_model_classes(model); i++)
        if (cw_impl_is_reduced(cw_model_class(model, i))) {
            snprintf(err->message, sizeof err->message,
                     "the model may choose %.80s, which computes f32 in bf16: say --fpmath bf16, or train "
                     "without it",
                     cw_model_class(model, i));
            return err->status = CW_MISMATCH;
        }
    return CW_OK;
}

int cmd_emit(int argc, char **argv) {
    static const struct argp argp = {
        table,
        parse,
        NULL,
        "Writes a model as one C99 file that stands alone (no library, no allocation), or as ONNX.\v"
        "The C file's head says how to call it; docs/embedding.md walks through it. docs/formats.md tells "
        "what the "
        "ONNX file holds.",
        NULL,
        NULL,
        NULL};
    options o = {0};
    cw_error err = {0};
    cw_model *model = NULL;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0) return CLI_USAGE;
    cw_status status = cw_model_load(o.model, &model, &err);
    if (status == CW_OK && o.machine) status = cw_model_on(model, o.machine, &err);
    if (status == CW_OK) status = check_fpmath(&o, model, &err);
    if (status == CW_OK) status = o.onnx ? emit_onnx(&o, model, &err) : emit_c(&o, model, &err);
    cw_model_free(model);
    return status == CW_OK ? CLI_DONE : cli_fail(&err);
}
