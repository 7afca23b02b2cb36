/* probes.h: picking what measure measures. */
#ifndef CW_CLI_PROBES_H
#define CW_CLI_PROBES_H

#include "cli.h"

/* Keeps of problems the at most `most` to measure, best first. *out: one entry each, by free. */
cw_status cli_probes_pick(const char *path, cw_context *ctx, size_t most, cw_problem *problems, size_t *count,
                          cw_probe **out, cw_error *err);
/* The problems, with why they were picked; probes NULL = they were not. */
void cli_probes_print(const cw_problem *problems, const cw_probe *probes, size_t count);
json_t *cli_probes_json(const cw_problem *problems, const cw_probe *probes, size_t count);

#endif
