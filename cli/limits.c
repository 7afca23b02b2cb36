/* limits.c: the options of a choice within limits. */
#include "cli.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORKSPACE = 3000, EXACT, MAX_ERROR, DETERMINISTIC, NO_REORDERS, ALLOW, FORBID, FPMATH, CALLS };

static const struct argp_option table[] = {
    {NULL, 0, NULL, 0, "Limits:", 2},
    {"workspace", WORKSPACE, "BYTES", 0, "At most so much scratch memory, e.g. 0, 65536, 512K, 8M", 2},
    {"exact", EXACT, NULL, 0, "No Winograd, FFT or saturating kernels", 2},
    {"max-error", MAX_ERROR, "E", 0, "Largest error over the largest output (u8: steps) met in training", 2},
    {"deterministic", DETERMINISTIC, NULL, 0, "Only what gives the same bits whenever it runs", 2},
    {"no-reorders", NO_REORDERS, NULL, 0, "Only what works in the problem's layout", 2},
    {"allow", ALLOW, "PATTERNS", 0, "Only implementations that match, e.g. 'own.*,onednn.brg*'", 2},
    {"forbid", FORBID, "PATTERNS", 0, "No implementations that match", 2},
    {"fpmath", FPMATH, "MODE", 0, CLI_FPMATH_HELP, 2},
    {"calls", CALLS, "N", 0, "It will run N times: count what preparing costs as well", 2},
    {0},
};

static int64_t bytes_of(struct argp_state *state, const char *text) {
    static const char units[] = "KMG";
    char *end;
    double value = strtod(text, &end);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) value *= pow(1024, (double)(unit - units + 1)), end++;
    if (end == text || *end || !(value >= 0 && value < 9e18) || !isdigit((unsigned char)*text))
        argp_error(state, "--workspace wants bytes such as 0, 65536, 512K or 8M, not '%.60s'", text);
    return value < 1 ? CW_NO_WORKSPACE : (int64_t)value;
}

static double above_zero(struct argp_state *state, const char *name, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0 && value < INFINITY))
        argp_error(state, "--%s wants a number above 0, not '%.60s'", name, text);
    return value;
}

cw_fpmath cli_fpmath(struct argp_state *state, const char *text) {
    if (strcmp(text, "bf16") == 0) return CW_FPMATH_BF16;
    if (strcmp(text, "strict") != 0) argp_error(state, "--fpmath: '%.60s' is neither strict nor bf16", text);
    return CW_FPMATH_STRICT;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    cw_limits *limits = state->input;
    switch (key) {
    case WORKSPACE:
        limits->workspace_bytes = bytes_of(state, arg);
        return 0;
    case EXACT:
        limits->exact = true;
        return 0;
    case MAX_ERROR:
        limits->max_error = above_zero(state, "max-error", arg);
        return 0;
    case DETERMINISTIC:
        limits->deterministic = true;
        return 0;
    case NO_REORDERS:
        limits->no_reorders = true;
        return 0;
    case ALLOW:
        limits->allow = arg;
        return 0;
    case FORBID:
        limits->forbid = arg;
        return 0;
    case FPMATH:
        limits->fpmath = cli_fpmath(state, arg);
        return 0;
    case CALLS:
        limits->calls = above_zero(state, "calls", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_limits_argp = {table, parse, NULL, NULL, NULL, NULL, NULL};
