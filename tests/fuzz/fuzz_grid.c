/* fuzz_grid.c: any bytes as the six ranges of a grid, one a line; an empty line leaves a range at its
 * default. What is made holds possible layers with names, and nothing is made of what is refused. */
#include "../../include/convwise/tools.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[2048], *lines[6] = {NULL}, *next = text;
    if (size >= sizeof text) size = sizeof text - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    for (int i = 0; i < 6 && next; i++) {
        char *end = strchr(next, '\n');
        if (end) *end = '\0';
        if (*next) lines[i] = next;
        next = end ? end + 1 : NULL;
    }
    cw_grid grid = {lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]};
    cw_net net = {.layers = NULL};
    if (cw_grid_make(&grid, &net, NULL) != CW_OK) {
        if (net.layers) abort();
        return 0;
    }
    if (net.count == 0) abort();
    for (size_t i = 0; i < net.count; i++)
        if (cw_problem_check(&net.layers[i].problem, NULL) != CW_OK || !net.layers[i].name[0]) abort();
    cw_net_release(&net);
    return 0;
}
