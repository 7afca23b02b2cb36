/* main.c: the table of commands and the dispatcher. */
#include "cli.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
    const char *name;
    cli_main *run;
    const char *about;
} commands[] = {
    {"doctor", cmd_doctor, "what this machine and its backends are, and what may disturb times"},
    {"impls", cmd_impls, "every implementation, and whether it supports a problem"},
    {"measure", cmd_measure, "times implementations on layers, into a store"},
    {"import", cmd_import, "measurements that others made, into a store"},
    {"store", cmd_store, "look at stores of measurements, export, merge and compare them"},
    {"train", cmd_train, "learn a model from measurements"},
    {"validate", cmd_validate, "how well learners choose for layers they have not seen"},
    {"choose", cmd_choose, "rank implementations for a problem by a model, and say why"},
    {"emit", cmd_emit, "write a model as C source that stands alone, or as ONNX"},
    {"convert", cmd_convert, "trees that others trained (ONNX) as a model"},
    {"model", cmd_model, "compare two models: which layers change, what it costs or gains"},
    {"demo", cmd_demo, "the main job end to end on this machine, in about three minutes"},
    {NULL, NULL, NULL},
};

static void print_help(FILE *to) {
    fputs("Usage: convwise COMMAND [options]\n\n"
          "Learns from measurements which convolution implementation is fastest for a layer.\n\n"
          "Commands:\n",
          to);
    for (const struct command *c = commands; c->name; c++) fprintf(to, "  %-9s %s\n", c->name, c->about);
    fputs("\n'convwise COMMAND --help' tells a command's options; --json prints one JSON document.\n", to);
}

/* Edit distance (Damerau-Levenshtein without repeats of a swap), for "did you mean". */
static size_t distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b), d[32][32];
    if (n > 30 || m > 30) return 99;
    for (size_t i = 0; i <= n; i++) d[i][0] = i;
    for (size_t j = 0; j <= m; j++) d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

static int unknown(const char *name) {
    const struct command *near = NULL;
    for (const struct command *c = commands; c->name; c++)
        if (distance(name, c->name) <= 2 && (!near || distance(name, c->name) < distance(name, near->name)))
            near = c;
    return near ? cli_usage("'%s' is not a command. Did you mean '%s'?", name, near->name)
                : cli_usage("'%.60s' is not a command. See 'convwise --help'.", name);
}

/* However the program ends, --help of argp included: what it printed must have arrived. */
static void check_output(void) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return;
    fprintf(stderr, "convwise: cannot write to standard output: %s\n", strerror(errno));
    _exit(CLI_FAILED);
}

int main(int argc, char **argv) {
    argp_err_exit_status = CLI_USAGE;
    atexit(check_output);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like a full disk, not the end */
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        printf("convwise %s\n", cw_version());
        return CLI_DONE;
    }
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(name, c->name) != 0) continue;
        char full[32];
        snprintf(full, sizeof full, "convwise %s", c->name);
        argv[1] = full;
        return c->run(argc - 1, argv + 1);
    }
    return unknown(name);
}
