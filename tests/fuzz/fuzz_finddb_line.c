/* fuzz_finddb_line.c: any bytes as lines of MIOpen's find-db, parsed only (a store is hundreds of times
 * slower: fuzz_finddb.c). What is understood can be stored, and its problem survives its own text. */
#include "../../src/store/import_finddb.h"
#include <math.h>
#include <string.h>
#include "fuzz_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_problem(const cw_problem *p) {
    char text[CW_PROBLEM_TEXT];
    cw_problem canonical = *p, again;
    cw_error err;
    if (cw_problem_check(p, &err) != CW_OK) {
        if (!err.message[0]) abort();
        return;
    }
    cw_problem_canonical(&canonical);
    if (cw_problem_format(&canonical, text, sizeof text) >= sizeof text) abort();
    if (cw_problem_parse(text, &again, &err) != CW_OK || cw_problem_compare(&canonical, &again) != 0) abort();
}

static void check_line(char *text) {
    static cw_finddb_line line;
    if (cw_finddb_line_parse(text, &line) != NULL) return;
    if (line.count < 1 || line.count > CW_FINDDB_RECORDS) abort();
    if (!line.contradictory) check_problem(&line.problem);
    for (size_t i = 0; i < line.count; i++) {
        const cw_finddb_record *r = &line.records[i];
        if (!cw_store_name_ok(r->impl, CW_STORE_NAME_MAX) || (unsigned)r->family >= CW_FAMILY_COUNT) abort();
        if (!isfinite(r->ns) || r->ns < 0 || r->workspace < 0 || (unsigned)r->algorithm >= 5) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_lines(data, size, check_line);
    return 0;
}
