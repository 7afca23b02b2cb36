/* fuzz_layers.c: any bytes as a layer table. */
#include "../../include/convwise/tools.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[] = "/tmp/convwise-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    close(fd);
    cw_net net;
    cw_error err;
    if (cw_net_read(path, &net, &err) == CW_OK) {
        for (size_t i = 0; i < net.count; i++) {
            cw_problem p = cw_layer_problem(&net.layers[i], CW_U8, 1, 1);
            if (cw_problem_check(&p, NULL) != CW_OK || !net.layers[i].name[0]) abort();
        }
        cw_net_release(&net);
    }
    unlink(path);
    return 0;
}
