/* fuzz_csv.c: any bytes as a file to import. The first byte chooses how. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct {
        const char *kind;
        cw_import_options options;
    } ways[] = {
        {"layers", {.preset = "mali-t860"}},
        {"layers",
         {.columns = "net=n,ic=c,ih=h,kh=k,oc=o,ph=p,prec=t,acme.gemm=g_us,acme.direct=d:ms",
          .machine = "m"}},
        {"csv", {0}},
    };
    if (size < 1) return 0;
    fuzz_import(ways[data[0] % 3].kind, &ways[data[0] % 3].options, data + 1, size - 1);
    return 0;
}
