/* cmd_emit.c: `convwise emit`: a model as C source, to standard output or a file. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct options {
    const char *model, *output;
    cw_emit_options emit;
} options;

enum { HEADER = 1000, SELF_TEST };

static const struct argp_option table[] = {
    {"model", 'm', "FILE", 0, "Model that 'convwise train' made (needed)", 0},
    {"format", 'f', "FORMAT", 0, "c, the default and only one", 0},
    {"prefix", 'p', "NAME", 0, "Begins every name in the file (default: convwise)", 0},
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
        if (strcmp(arg, "c") != 0) argp_error(state, "'%s' is not a format: c", arg);
        return 0;
    case 'p':
        o->emit.prefix = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case HEADER:
        o->emit.header = true;
        return 0;
    case SELF_TEST:
        o->emit.self_test = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected '%s'", arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->model) argp_error(state, "--model FILE is missing ('convwise train' makes one)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool write_stream(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file) return false;
    bool good = fputs(text, file) != EOF;
    return fclose(file) == 0 && good;
}

/* By way of a file beside it, so that an old one is replaced whole or not at all; devices are written
 * directly. */
static int write_output(const char *path, const char *text) {
    struct stat about;
    bool direct = stat(path, &about) == 0 && !S_ISREG(about.st_mode), good;
    if (direct) {
        good = write_stream(path, text);
    } else {
        char *beside = malloc(strlen(path) + 5);
        if (!beside) return CLI_FAILED;
        strcat(strcpy(beside, path), ".tmp");
        good = write_stream(beside, text) && rename(beside, path) == 0;
        int reason = errno;
        if (!good) remove(beside);
        errno = reason;
        free(beside);
    }
    if (good) return CLI_DONE;
    fprintf(stderr, "convwise: cannot write %s: %s\n", path, strerror(errno));
    return CLI_FAILED;
}

int cmd_emit(int argc, char **argv) {
    static const struct argp argp = {
        table,
        parse,
        NULL,
        "Writes a model as one C99 file that stands alone: no library, no allocation.\v"
        "The file's head says how to call it; docs/embedding.md walks through it.",
        NULL,
        NULL,
        NULL};
    options o = {0};
    cw_error err = {0};
    cw_model *model = NULL;
    char *text = NULL;
    if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0) return CLI_USAGE;
    int code = CLI_DONE;
    cw_status status = cw_model_load(o.model, &model, &err);
    if (status == CW_OK) status = cw_emit_c(model, &o.emit, &text, &err);
    if (status != CW_OK)
        code = cli_fail(&err);
    else if (o.output)
        code = write_output(o.output, text);
    else
        fputs(text, stdout);
    cw_free(text);
    cw_model_free(model);
    return code;
}
