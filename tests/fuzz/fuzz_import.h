/* fuzz_import.h: bytes as a file, imported into a store that lives as long as the process. Every third import
 * is read back; the store is begun anew now and then, so that it stays small. */
#ifndef CW_FUZZ_IMPORT_H
#define CW_FUZZ_IMPORT_H
#include "../../include/convwise/import.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline cw_status fuzz_check_row(void *arg, const cw_measurement *m) {
    (void)arg;
    bool timed = m->state == CW_STATE_OK || m->state == CW_STATE_CUT_OFF;
    if (cw_problem_check(&m->problem, NULL) != CW_OK || timed != (m->time_ns > 0)) abort();
    return CW_OK;
}

static inline void fuzz_import(const char *kind, const cw_import_options *how, const uint8_t *data,
                               size_t size) {
    static cw_store *store;
    static char path[64], folder[32];
    static unsigned runs;
    cw_import_options options = *how;
    cw_error err;
    char input[64], name[32];
    cw_import_summary s;
    if (!store) {
        snprintf(folder, sizeof folder, "/tmp/convwise-fuzz-XXXXXX");
        if (!mkdtemp(folder)) abort();
        snprintf(path, sizeof path, "%s/store.db", folder);
        if (cw_store_open(path, CW_STORE_WRITE, &store, &err) != CW_OK) abort();
    }
    snprintf(input, sizeof input, "%s/input", folder);
    FILE *file = fopen(input, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
    snprintf(name, sizeof name, "%u", runs);
    options.name = name;
    if (cw_import(store, kind, input, &options, &s, &err) == CW_OK) {
        if (s.times + s.labels + s.absent == 0 && strcmp(kind, "csv") != 0) abort();
        if (cw_store_each(store, NULL, fuzz_check_row, NULL, &err) != CW_OK) abort();
    } else if (!err.message[0]) {
        abort();
    }
    unlink(input);
    if (++runs % 64 == 0) {
        cw_store_close(store);
        unlink(path);
        rmdir(folder);
        store = NULL;
    }
}
#endif
