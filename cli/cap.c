/* cap.c: --max-isa of several commands. What the libraries are told in this process is
 * cw_context_open_with's matter; here is what must be told before a process starts. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* OpenBLAS reads these when it is loaded, before main: with them, its times are those of another CPU. */
static const char *const variables[] = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"};
enum { VARIABLES = sizeof variables / sizeof *variables };

/* Its kernels for a machine capped there. */
static const struct {
    const char *isa, *core;
} cores[] = {{"sse41", "Penryn"}, {"avx2", "Haswell"}, {"avx512", "SkylakeX"}};

static const char *wanted(size_t variable, const char *max_isa) {
    for (size_t i = 0; max_isa && variable == 0 && i < sizeof cores / sizeof *cores; i++)
        if (strcmp(cores[i].isa, max_isa) == 0) return cores[i].core;
    return NULL;
}

/* Sets what is to be, and writes what was there to found. Whether anything changed, or -1. */
static int set_all(const char *max_isa, char *found, size_t size) {
    int changed = 0;
    for (size_t i = 0; i < VARIABLES; i++) {
        const char *value = getenv(variables[i]), *want = wanted(i, max_isa);
        size_t used = strlen(found);
        if (value ? want && strcmp(value, want) == 0 : !want) continue;
        if (value)
            snprintf(found + used, size - used, "%s%s=%s (removed)", used ? "; " : "", variables[i], value);
        changed = 1;
        if ((want ? setenv(variables[i], want, 1) : unsetenv(variables[i])) != 0) return -1;
    }
    return changed;
}

int cli_openblas_for(const char *max_isa, int argc, char **argv) {
    char found[512] = "";
    cw_error err = {0};
    cw_machine machine;
    cw_machine_detect(&machine);
    if (max_isa && cw_machine_cap(&machine, max_isa, &err) != CW_OK) return cli_fail(&err);
    int changed = set_all(max_isa, found, sizeof found);
    if (!changed) return CLI_DONE;
    char **again = calloc((size_t)argc + 2, sizeof *again);
    if (changed < 0 || !again || (found[0] && setenv(CLI_REMOVED, found, 1) != 0)) {
        free(again);
        return cli_fail(&(cw_error){.status = CW_NO_MEMORY});
    }
    char program[] = "convwise";
    again[0] = program;
    again[1] = argv[0] + strlen("convwise "); /* argv[0]: "convwise NAME" */
    for (int i = 1; i < argc; i++) again[i + 1] = argv[i];
    execv("/proc/self/exe", again);
    free(again);
    fprintf(stderr, "convwise: cannot start again with other settings of OpenBLAS: %s; %s %s yourself\n",
            strerror(errno), max_isa ? "set" : "unset", variables[0]);
    return CLI_FAILED;
}

char **cli_copy_arguments(int argc, char **argv) {
    size_t bytes = 0;
    for (int i = 0; i < argc; i++) bytes += strlen(argv[i]) + 1;
    size_t pointers = ((size_t)argc + 1) * sizeof(char *);
    char **copy = malloc(pointers + bytes);
    if (!copy) return NULL;
    char *at = (char *)copy + pointers;
    for (int i = 0; i < argc; i++) {
        copy[i] = at;
        at = stpcpy(at, argv[i]) + 1;
    }
    copy[argc] = NULL;
    return copy;
}
