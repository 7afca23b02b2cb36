/* cli.h: what the commands of the program share. Commands use the public headers only. */
#ifndef CW_CLI_H
#define CW_CLI_H

#include "../include/convwise.h"
#include "../include/convwise/tools.h"
#include <argp.h>
#include <jansson.h>
#include <stdio.h>

/* Exit codes (docs/cli.md). */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_NONE = 3 };

/* One command. argv[0] is "convwise NAME". To add one: a file cmd_<name>.c, a prototype and a row in main.c.
 */
typedef int cli_main(int argc, char **argv);
cli_main cmd_doctor, cmd_impls, cmd_measure, cmd_store, cmd_train, cmd_validate, cmd_choose, cmd_emit,
    cmd_demo, cmd_import, cmd_convert, cmd_model;

/* "convwise: message" on standard error; returns the exit code that belongs to the status. */
int cli_fail(const cw_error *err);
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints JSON on standard output and releases it; returns CLI_DONE, or CLI_FAILED where it cannot be written.
 */
int cli_print_json(json_t *json);
/* A path as JSON text: bytes that are not UTF-8 become '?'. */
json_t *cli_json_path(const char *path);

/* A table on standard output. columns: NULL-ended names, ">name" = aligned right. */
typedef struct cli_table cli_table;
cli_table *cli_table_new(const char *const *columns);
void cli_table_add(cli_table *table, const char *const *cells); /* as many as columns; NULL = empty */
void cli_table_print(cli_table *table);                         /* and frees it */

/* Layers named on a command line: networks by name or file, grids, problems. Released with
 * cli_layers_release. */
typedef struct cli_layers {
    cw_net *nets;
    size_t net_count;
} cli_layers;
/* name: a table under data/nets (e.g. "resnet18"), "all", or a path to a table. */
cw_status cli_layers_add_net(cli_layers *layers, const char *name, cw_error *err);
void cli_layers_release(cli_layers *layers);
/* What train and validate share: which rows, which features, which settings. An argp child; its input is a
 * cli_learn, which starts as {0}. */
typedef struct cli_learn {
    const char *store;
    cw_dataset_options data;
    cw_train_options train;
    const char *learners[16]; /* NULL-ended, in the order given */
    bool prec_given, no_harm_given;
    const char *base_path;
    cw_model *base; /* what cli_learn_load read from there; free with cw_model_free */
} cli_learn;
#define CLI_MACHINE_HELP                                                                                     \
    "Machine to choose for, where the model's features read its numbers: a fingerprint of its training, "    \
    "here, or "                                                                                              \
    "CORES,L1D,L2,L3,VECTOR (bytes; default: this one, or the only one of its training)"
#define CLI_MARGIN 0.01 /* of --no-harm */
extern const struct argp cli_learn_argp;
/* What surrounds a choice (choose_explain.c). store NULL = nothing measured is asked for; free with free. */
typedef struct cli_surroundings cli_surroundings;
cw_status cli_surroundings_find(const cw_model *model, cw_context *ctx, cw_store *store, const cw_problem *p,
                                const cw_limits *limits, cli_surroundings **out, cw_error *err);
void cli_surroundings_print(const cli_surroundings *s, const cw_choice *ranking, size_t count);
void cli_surroundings_json(const cli_surroundings *s, const cw_choice *ranking, size_t count, json_t *out);
/* The options of cw_limits: an argp child whose input is a cw_limits. */
extern const struct argp cli_limits_argp;
/* --fpmath MODE, wherever there is a choice; cli_fpmath reads it, and does not return where it is none. */
#define CLI_FPMATH_HELP "Arithmetic for f32: strict (default), or bf16: also what is faster but less precise"
cw_fpmath cli_fpmath(struct argp_state *state, const char *text);
/* The whole number that an option --name was given as text; does not return where it is none. */
int64_t cli_whole(struct argp_state *state, const char *name, const char *text, int64_t least, int64_t most);
/* Loads the base, if one is asked for, then the rows, of the base's features unless others are asked for. */
cw_status cli_learn_load(cli_learn *learn, cw_dataset **out, cw_error *err);

/* --max-isa of commands that open a context. Starts this program once more where OpenBLAS, which settles on
 * its kernels before main, would run others than a machine capped there has (NULL: than the CPU's own). Comes
 * back with CLI_DONE where nothing is to be done, else with what the command returns. argv: argv[0] is
 * "convwise NAME".
 */
int cli_openblas_for(const char *max_isa, int argc, char **argv);
#define CLI_MAX_ISA_HELP                                                                                     \
    "Use no instructions above ISA (sse41, avx2, avx512: without VNNI), as if on a lesser machine"
/* What an earlier start found and removed: an environment variable. */
#define CLI_REMOVED "CONVWISE_REMOVED_ENVIRONMENT"
/* In one piece of memory; NULL = none left. For commands whose options are written into. */
char **cli_copy_arguments(int argc, char **argv);

/* --device of commands that open a context: cw_context_options. */
#define CLI_DEVICE_HELP                                                                                      \
    "Also use a device beside the CPU: opencl (a GPU, or else the first device) or opencl:NAME"

/* Folder with nets/: beside the source or installed. */
const char *cli_data_folder(void);

#endif
