/* progress.h: how far a long command is, on standard error: a bar that redraws itself on a terminal, else a
 * line every few seconds. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_progress {
    bool terminal, quiet;
    bool drawn;    /* a bar stands on the last line */
    double last_s; /* when something was last shown */
} cli_progress;

cli_progress cli_progress_begin(bool quiet);
/* elapsed_s since the start; eta_s: NaN = not known yet; now: what is at hand. */
void cli_progress_show(cli_progress *p, size_t done, size_t total, double elapsed_s, double eta_s,
                       const char *now);
/* Removes the bar, so that other text may follow. */
void cli_progress_end(cli_progress *p);
/* "12s", "3m05s", "1h02m"; text of at least 32 bytes. */
const char *cli_duration(double seconds, char text[32]);

#endif
