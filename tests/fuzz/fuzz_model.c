/* fuzz_model.c: any bytes as a model file. What loads must predict, explain, be emitted, and write a text
 * that reads back to the same text. Where this build knows its features, it must also rank, explain and be
 * emitted as a program would ask. */
#include "include/convwise/tools.h"
#include "src/learn/learn.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth) {
    if (!truth) abort();
}

static void use(const cw_model *m, uint64_t seed) {
    static double x[CW_MODEL_MOST], cost[CW_MODEL_MOST], share[CW_MODEL_MOST], ns[CW_MODEL_MOST];
    cw_rng rng = cw_rng_seed(seed);
    for (size_t c = 0; c < m->column_count; c++) x[c] = 100 * cw_rng_normal(&rng);
    m->learner->predict(m->state, x, cost, share, ns);
    double sum = 0;
    for (size_t c = 0; c < m->class_count; c++) {
        must(!isnan(cost[c]) && share[c] >= 0 && share[c] <= 1);
        sum += share[c];
    }
    must(fabs(sum - 1) < 1e-9);
    cw_buf out = {0};
    m->learner->explain(m->state, x, (const char *const *)m->columns, (const char *const *)m->classes, &out);
    must(m->learner->emit_c(m->state, "p", m->static_rank, m->class_count, &out, NULL) == CW_OK);
    cw_buf_release(&out);
}

/* By the public functions: the whole way of a model file. */
static void ask(const uint8_t *data, size_t size) {
    static const char *const problems[] = {"ic64ih56oc64kh3ph1", "mb2g96ic96ih7iw9oc96kh5ph2,u8,zp",
                                           "ic1ih1oc1kh1,t2", "ic3ih224oc32kh3sh2ph1,u8"};
    static cw_choice choices[CW_MODEL_MOST];
    cw_model *m = NULL;
    if (cw_model_parse((const char *)data, size, "fuzz", &m, NULL) != CW_OK) return;
    size_t classes = cw_model_classes(m);
    for (size_t i = 0; i < CW_COUNT(problems); i++) {
        cw_problem p;
        size_t count = 0;
        char *why = NULL;
        must(cw_problem_parse(problems[i], &p, NULL) == CW_OK);
        must(cw_choose(m, NULL, &p, choices, classes, &count, NULL) == CW_OK && count == classes);
        for (size_t c = 1; c < count; c++) must(choices[c - 1].cost <= choices[c].cost);
        must(cw_model_explain(m, &p, &why, NULL) == CW_OK && why);
        cw_free(why);
    }
    for (int kind = 0; kind < 4; kind++) {
        cw_emit_options options = {.prefix = "fuzz", .header = kind & 1, .self_test = kind & 2};
        char *text = NULL;
        must(cw_emit_c(m, &options, &text, NULL) == CW_OK && text[0]);
        cw_free(text);
    }
    cw_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ask(data, size);
    cw_model *m = NULL, *back = NULL;
    char *text = NULL, *again = NULL;
    if (cw_model_from_text((const char *)data, size, "fuzz", &m, NULL) != CW_OK) {
        must(!m);
        return 0;
    }
    use(m, cw_hash(data, size, 0));
    must(cw_model_json(m, &text, NULL) == CW_OK);
    must(cw_model_from_text(text, strlen(text), "fuzz", &back, NULL) == CW_OK);
    must(cw_model_json(back, &again, NULL) == CW_OK);
    must(strcmp(text, again) == 0);
    cw_free(text);
    cw_free(again);
    cw_model_free(m);
    cw_model_free(back);
    return 0;
}
