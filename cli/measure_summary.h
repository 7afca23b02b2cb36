/* measure_summary.h: what a store says of the problems that were asked for, as measure's last words. */
#ifndef CLI_MEASURE_SUMMARY_H
#define CLI_MEASURE_SUMMARY_H

#include "cli.h"

typedef struct cli_summary cli_summary;

/* Counts the store's newest measurements on this machine of these problems (sorted by memcmp). */
cw_status cli_summary_make(cw_store *store, const cw_machine *machine, const cw_problem *problems,
                           size_t count, cli_summary **out, cw_error *err);
void cli_summary_free(cli_summary *summary);
/* No measurement is of these problems. */
bool cli_summary_empty(const cli_summary *summary);
/* A table of states by backend, and what failed or was wrong, by name. */
void cli_summary_print(const cli_summary *summary);
/* {"backends": [...], "failed": [...]} */
json_t *cli_summary_json(const cli_summary *summary);
int cli_compare_problems(const void *a, const void *b);

#endif
