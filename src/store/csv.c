/* csv.c: CSV (RFC 4180) record by record. Not here: what columns mean. */
#include "csv.h"
#include <string.h>

cw_status cw_csv_open(cw_csv *csv, const char *path, cw_error *err) {
    return cw_lines_open(path, &csv->lines, err);
}

void cw_csv_close(cw_csv *csv) {
    cw_lines_close(csv->lines);
    cw_free(csv->fields);
    cw_buf_release(&csv->text);
    *csv = (cw_csv){0};
}

/* Whether the text ends inside a quoted field: quotes inside are doubled, so an odd number of them is open.
 */
static bool inside_quotes(const char *text) {
    bool inside = false;
    for (; *text; text++) inside ^= *text == '"';
    return inside;
}

/* Splits in place; NULL, or what is wrong. */
static const char *split(cw_csv *csv, char *in, bool *memory) {
    for (;;) {
        if (!cw_grow(&csv->fields, &csv->field_capacity, csv->count + 1, sizeof *csv->fields))
            return *memory = true, "out of memory";
        char *out = in;
        csv->fields[csv->count++] = in;
        if (*in == '"') {
            for (in++; *in && (*in != '"' || in[1] == '"'); *out++ = *in++)
                if (*in == '"') in++;
            if (!*in) return "a quote is not closed";
            in++;
            if (*in && *in != ',') return "a comma is missing behind a quote";
        } else {
            in += strcspn(in, ",\"");
            if (*in == '"') return "a quote inside a field that does not begin with one";
            out = in;
        }
        char end = *in;
        *out = '\0';
        if (!end) return NULL;
        in++;
    }
}

cw_status cw_csv_next(cw_csv *csv, bool *more, cw_error *err) {
    char *text;
    csv->count = 0;
    csv->wrong = NULL;
    do {
        cw_status status = cw_lines_next(csv->lines, &text, NULL, err);
        if (status != CW_OK) return status;
    } while (text && !*text);
    *more = text != NULL;
    if (!text) return CW_OK;
    csv->line = cw_lines_number(csv->lines);
    if (inside_quotes(text)) { /* the record goes on: the line is copied, as the next one replaces it */
        csv->text.length = 0;
        cw_buf_put(&csv->text, text);
        bool open = true;
        while (open) {
            cw_status status = cw_lines_next(csv->lines, &text, NULL, err);
            if (status != CW_OK) return status;
            if (!text) break; /* split tells of the open quote */
            cw_buf_put(&csv->text, "\n");
            cw_buf_put(&csv->text, text);
            open ^= inside_quotes(text);
            if (csv->text.failed) return cw_fail_memory(err);
            if (csv->text.length > CW_LINE_MAX)
                return cw_fail(err, CW_FORMAT,
                               "%.100s:%lld: a quote opens here and does not close within %d bytes",
                               cw_lines_path(csv->lines), (long long)csv->line, CW_LINE_MAX);
        }
        if (csv->text.failed) return cw_fail_memory(err);
        text = csv->text.text;
    }
    bool memory = false;
    csv->wrong = split(csv, text, &memory);
    if (csv->wrong) csv->count = 0;
    if (memory) return cw_fail_memory(err);
    if (csv->wrong && cw_lines_number(csv->lines) > csv->line)
        return cw_fail(err, CW_FORMAT, "%.100s:%lld: %s: it opens here, and takes lines to %lld along",
                       cw_lines_path(csv->lines), (long long)csv->line, csv->wrong,
                       (long long)cw_lines_number(csv->lines));
    return CW_OK;
}
