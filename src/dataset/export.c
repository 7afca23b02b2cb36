/* export.c: a dataset as ARFF, for other learners: its features and the fastest implementation of each row.
 * Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/ */
#include "dataset.h"
#include "../base/base.h"
#include <math.h>
#include <string.h>

/* Quoted where a reader could take it for something else. */
static void put_word(cw_buf *buf, const char *text) {
    if (*text && !strpbrk(text, " ,{}%'\"\\\t") && strcmp(text, "?") != 0) {
        cw_buf_put(buf, text);
        return;
    }
    cw_buf_put(buf, "'");
    for (; *text; text++) cw_buf_printf(buf, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    cw_buf_put(buf, "'");
}

cw_status cw_dataset_arff(const cw_dataset *data, char **out, cw_error *err) {
    cw_buf buf = {0};
    cw_buf_printf(&buf, "%% convwise %s: the fastest of %zu implementations for %zu problems on %s\n",
                  CW_VERSION, data->classes, data->rows, data->fingerprint);
    cw_buf_put(&buf, "@RELATION convolution\n");
    for (size_t i = 0; i < data->columns; i++) {
        cw_buf_put(&buf, "@ATTRIBUTE ");
        put_word(&buf, data->features[i]->name);
        cw_buf_put(&buf, " NUMERIC\n");
    }
    cw_buf_put(&buf, "@ATTRIBUTE class {");
    for (size_t c = 0; c < data->classes; c++) {
        if (c > 0) cw_buf_put(&buf, ",");
        put_word(&buf, data->class_info[c].name);
    }
    cw_buf_put(&buf, "}\n@DATA\n");
    for (size_t row = 0; row < data->rows && !buf.failed; row++) {
        for (size_t i = 0; i < data->columns; i++) {
            double x = data->x[row * data->columns + i];
            if (fabs(x) < 1e15 && x == floor(x))
                cw_buf_printf(&buf, "%lld", (long long)x); /* most are whole */
            else
                cw_buf_double(&buf, x);
            cw_buf_put(&buf, ",");
        }
        put_word(&buf, data->class_info[data->y[row]].name);
        cw_buf_put(&buf, "\n");
    }
    *out = cw_buf_take(&buf);
    return *out ? CW_OK : cw_fail_memory(err);
}
