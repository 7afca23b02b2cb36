/* fuzz_finddb.c: any bytes as a file to import. The first byte chooses how. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const cw_import_options ways[] = {
        {.machine = "m"},
        {.machine = "m", .kept = 4, .scope = "problem", .strict = true},
    };
    if (size < 1) return 0;
    fuzz_import("finddb", &ways[data[0] % 2], data + 1, size - 1);
    return 0;
}
