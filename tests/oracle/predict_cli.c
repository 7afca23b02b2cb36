/* predict_cli.c: what a model file says about rows of features, for the tests' oracles: reads rows of doubles
 * from standard input, writes a row's costs as doubles. Features need not be those of this build. */
#include "src/learn/learn.h"
#include <stdio.h>

int main(int argc, char **argv) {
    static double x[CW_MODEL_MOST], cost[CW_MODEL_MOST];
    cw_error err = {0};
    cw_model *m = NULL;
    char *text = NULL;
    size_t size = 0;
    cw_status status = argc == 2 ? cw_read_file(argv[1], CW_MODEL_BYTES, &text, &size, &err) : CW_INVALID;
    if (status == CW_OK) status = cw_model_from_text(text, size, argv[1], &m, &err);
    if (status != CW_OK) fprintf(stderr, "predict_cli MODEL: %s\n", err.message);
    while (status == CW_OK && fread(x, sizeof *x, m->column_count, stdin) == m->column_count) {
        m->learner->predict(m->state, x, cost, NULL, NULL);
        fwrite(cost, sizeof *cost, m->class_count, stdout);
    }
    cw_model_free(m);
    cw_free(text);
    return status == CW_OK ? 0 : 1;
}
