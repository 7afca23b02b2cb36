/* progress.c: draws progress. */
#include "progress.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 24 };
static const double redraw_s = 0.1, line_s = 5;

cli_progress cli_progress_begin(bool quiet) {
    const char *term = getenv("TERM");
    bool able = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    return (cli_progress){.terminal = able, .quiet = quiet, .last_s = -INFINITY};
}

const char *cli_duration(double seconds, char text[32]) {
    if (!(seconds >= 0) || seconds > 1e8) return "?";
    long s = (long)(seconds + 0.5);
    if (s < 60)
        snprintf(text, 32, "%lds", s);
    else if (s < 3600)
        snprintf(text, 32, "%ldm%02lds", s / 60, s % 60);
    else
        snprintf(text, 32, "%ldh%02ldm", s / 3600, s % 3600 / 60);
    return text;
}

static int width(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void cli_progress_show(cli_progress *p, size_t done, size_t total, double elapsed_s, double eta_s,
                       const char *now) {
    if (p->quiet || elapsed_s - p->last_s < (p->terminal ? redraw_s : line_s)) return;
    p->last_s = elapsed_s;
    char eta[32], elapsed[32], line[512];
    const char *left = isnan(eta_s) ? "?" : cli_duration(eta_s, eta);
    if (!p->terminal) {
        fprintf(stderr, "%zu/%zu  %s, about %s left  %s\n", done, total, cli_duration(elapsed_s, elapsed),
                left, now);
        return;
    }
    char bar[BAR + 1] = {0};
    size_t full = total ? done * BAR / total : BAR;
    for (size_t i = 0; i < BAR; i++) bar[i] = i < full ? '#' : '.';
    snprintf(line, sizeof line, "[%s] %zu/%zu  %s left  %s", bar, done, total, left, now);
    fprintf(stderr, "\r%.*s\033[K", width() - 1, line);
    p->drawn = true;
}

void cli_progress_end(cli_progress *p) {
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}
