/* fuzz_onednn_log.c: any bytes as a file to import. The first byte chooses how. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const cw_import_options ways[] = {
        {.machine = "m"},
        {.machine = "m", .columns = "threads=2", .strict = true},
    };
    if (size < 1) return 0;
    fuzz_import("onednn-log", &ways[data[0] % 2], data + 1, size - 1);
    return 0;
}
