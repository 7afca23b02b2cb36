/* fuzz_problem.c: any bytes as problem text: what is accepted is valid, survives formatting and gives finite
 * features. */
#include "../../src/problem/problem.h"
#include "../../src/base/base.h"
#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[512], canonical[CW_PROBLEM_TEXT];
    if (size >= sizeof text) size = sizeof text - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    cw_problem p, again;
    cw_error err;
    if (cw_problem_parse(text, &p, &err) != CW_OK) return 0;
    if (cw_problem_check(&p, NULL) != CW_OK) abort();
    cw_problem_format(&p, canonical, sizeof canonical);
    if (cw_problem_parse(canonical, &again, &err) != CW_OK || cw_problem_compare(&p, &again) != 0) abort();
    for (size_t i = 0; i < cw_feature_count; i++) {
        const cw_feature *feature = &cw_features[i];
        double x;
        cw_features_eval(&feature, 1, &p, &x);
        if (!isfinite(x)) abort();
    }
    return 0;
}
