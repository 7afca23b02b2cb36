/* fuzz_onednn_line.c: any bytes as lines of oneDNN's verbose log, parsed only (a store is hundreds of times
 * slower: fuzz_onednn_log.c). What is understood can be stored. */
#include "../../src/store/import_onednn.h"
#include <math.h>
#include <string.h>
#include "fuzz_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(char *text) {
    cw_log_line line = {0};
    cw_error err;
    switch (cw_log_parse(text, &line)) {
    case CW_LOG_RUN:
        if (cw_problem_check(&line.problem, &err) != CW_OK || line.problem.threads != 1) abort();
        if (!cw_store_name_ok(line.impl, CW_STORE_NAME_MAX) || strncmp(line.impl, "onednn.", 7) != 0) abort();
        if (!isfinite(line.ns) || line.ns < 0) abort();
        if ((unsigned)cw_family_of_onednn(line.impl + 7) >= CW_FAMILY_COUNT) abort();
        break;
    case CW_LOG_BAD:
    case CW_LOG_LEFT:
        if (!line.why[0]) abort();
        break;
    case CW_LOG_THREADS:
        if (line.threads < 1 || line.threads > CW_THREADS_MAX) abort();
        break;
    case CW_LOG_VERSION:
        if (strlen(line.impl) > CW_STORE_NAME_MAX) abort();
        break;
    case CW_LOG_OTHER:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_lines(data, size, check_line);
    return 0;
}
