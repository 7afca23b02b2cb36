/* seed_mode.h: `convwise validate --seed-mode`: the seed's experiment on a store, as tables, Markdown or
 * JSON. */
#ifndef CLI_SEED_MODE_H
#define CLI_SEED_MODE_H

#include "cli.h"
#include "../include/convwise/seed.h"

typedef enum cli_seed_form { CLI_SEED_TEXT, CLI_SEED_MARKDOWN, CLI_SEED_JSON } cli_seed_form;

typedef struct cli_seed {
    const char *published; /* table to compare with, NULL = none */
    bool fast_math;
    cli_seed_form form;
} cli_seed;

/* Store, machine, precision, threads and smoothing as learn says. Returns the exit code. */
int cli_seed_mode(const cli_learn *learn, const cli_seed *seed);
/* As JSON on standard output (docs/seed.md). */
int cli_seed_json(const cw_seed_report *report, const cw_seed_published *rows,
                  const cw_seed_comparison *compared, size_t count);
const char *cli_seed_match_name(cw_seed_match match);

#endif
