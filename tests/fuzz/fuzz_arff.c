/* fuzz_arff.c: any bytes as a file to import. The first byte chooses how. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const cw_import_options ways[] = {
        {.preset = "mali-t860"},
        {.columns = "ic=c,ih=h,kh=k,oc=o,class=class,acme.gemm=a,acme.direct=b c", .machine = "m"},
    };
    if (size < 1) return 0;
    fuzz_import("arff", &ways[data[0] % 2], data + 1, size - 1);
    return 0;
}
