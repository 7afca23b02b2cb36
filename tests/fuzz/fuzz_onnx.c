/* fuzz_onnx.c: any bytes as an ONNX file, with names given and without. What is read must predict, be written as a
 * model, as C and as ONNX, and come back from ONNX the same. */
#include "include/convwise/tools.h"
#include "src/learn/learn.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth) {
    if (!truth) abort();
}

static char *json_of(const cw_model *m) {
    char *text = NULL;
    must(cw_model_json(m, &text, NULL) == CW_OK);
    return text;
}

static void use(const cw_model *m, uint64_t seed) {
    static double x[CW_MODEL_MOST], cost[CW_MODEL_MOST], share[CW_MODEL_MOST], ns[CW_MODEL_MOST];
    cw_rng rng = cw_rng_seed(seed);
    double sum = 0;
    for (size_t c = 0; c < m->column_count; c++) x[c] = 100 * cw_rng_normal(&rng);
    m->learner->predict(m->state, x, cost, share, ns);
    for (size_t c = 0; c < m->class_count; c++) {
        must(!isnan(cost[c]) && share[c] >= 0 && share[c] <= 1);
        sum += share[c];
    }
    must(fabs(sum - 1) < 1e-9);
}

static void ask(const uint8_t *data, size_t size, const cw_onnx_options *options) {
    cw_model *m = NULL, *back = NULL;
    char *bytes = NULL, *code = NULL;
    size_t written;
    double rounding = 0;
    if (cw_model_parse_onnx(data, size, "fuzz", options, &m, &rounding, NULL) != CW_OK) {
        must(!m);
        return;
    }
    must(rounding >= 0 && rounding < INFINITY);
    use(m, cw_hash(data, size, 0));
    if (cw_emit_c(m, NULL, &code, NULL) == CW_OK) must(code[0]);
    cw_free(code);
    if (cw_emit_onnx(m, &bytes, &written, NULL) == CW_OK) {
        must(cw_model_parse_onnx(bytes, written, "again", NULL, &back, &rounding, NULL) == CW_OK);
        char *first = json_of(m), *second = json_of(back);
        must(strcmp(first, second) == 0);
        cw_free(first);
        cw_free(second);
        cw_model_free(back);
    }
    cw_free(bytes);
    cw_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const cw_onnx_options given = {"ic,oc,ih,kh,macs", "a,b,c,d,e"};
    ask(data, size, NULL);
    ask(data, size, &given);
    return 0;
}
