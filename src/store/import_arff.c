/* import_arff.c: ARFF (Attribute-Relation File Format, of Weka) as labels: each row says which implementation
 * is the fastest for a problem, and has no time. Numeric and nominal attributes; text and date attributes may
 * be there but not be used; no sparse rows, no relational attributes.
 * Format: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/ */
#include "import_columns.h"
#include "lines.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct attribute {
    char *name;
    char **values; /* of a nominal one */
    size_t value_count, value_capacity;
    bool numeric;
    char *first; /* value of the first row, while all rows have the same; else NULL */
} attribute;

typedef struct arff {
    cw_importer *im;
    cw_lines *lines;
    cw_columns columns;
    attribute *attributes;
    size_t count, capacity;
    char **fields;
    int64_t rows, taken; /* rows of data, and those that were understood */
} arff;

/* ---- Words ---- */

static char *skip_blanks(char *at) {
    return at + strspn(at, " \t");
}

/* Takes a word, which ends at a blank or one of `ends`, or is quoted by ' or " with backslash before what
 * stands for itself; *at moves behind it. The word ends with a NUL in place, so *end tells what ended it.
 * NULL = a quote is not closed. */
static char *take_word(char **at, const char *ends, char *end) {
    char *in = skip_blanks(*at), *word = in, *out;
    if (*in == '\'' || *in == '"') {
        char quote = *in++;
        for (word = out = in; *in && *in != quote; *out++ = *in++)
            if (*in == '\\' && in[1]) in++;
        if (!*in) return NULL;
        in = skip_blanks(in + 1);
    } else {
        while (*in && !strchr(ends, *in)) in++;
        out = in;
        while (out > word && (out[-1] == ' ' || out[-1] == '\t')) out--;
    }
    *end = *in;
    *at = *in ? in + 1 : in;
    *out = '\0';
    return word;
}

/* Whether the line begins with this keyword, in whatever letters; *at moves behind it. */
static bool keyword(char **at, const char *word) {
    size_t length = strlen(word);
    if (strncasecmp(*at, word, length) != 0 || ((*at)[length] && !strchr(" \t", (*at)[length]))) return false;
    *at = skip_blanks(*at + length);
    return true;
}

/* ---- Header ---- */

static cw_status read_nominal(arff *a, attribute *t, char *at, int64_t line) {
    char end = ',';
    while (end == ',') {
        char *value = take_word(&at, ",}", &end);
        if (!value || (end != ',' && end != '}'))
            return cw_importer_refuse(a->im, line, "the values of \"%.60s\" do not end with }", t->name);
        if (!*value && end == '}' && t->value_count == 0) break;
        for (size_t i = 0; i < t->value_count; i++)
            if (strcmp(t->values[i], value) == 0)
                return cw_importer_refuse(a->im, line, "\"%.50s\" has the value \"%.50s\" twice", t->name,
                                          value);
        if (!cw_grow(&t->values, &t->value_capacity, t->value_count + 1, sizeof *t->values))
            return cw_fail_memory(a->im->err);
        t->values[t->value_count] = cw_strdup(value);
        if (!t->values[t->value_count++]) return cw_fail_memory(a->im->err);
    }
    at = skip_blanks(at);
    return *at && *at != '%' ? cw_importer_refuse(a->im, line, "\"%.40s\" behind the values", at) : CW_OK;
}

static cw_status read_attribute(arff *a, char *at, int64_t line) {
    static const char *const numeric[] = {"numeric", "integer", "real"}, *const skipped[] = {"string",
                                                                                             "date"};
    char end;
    char *name = take_word(&at, " \t{", &end);
    if (!name || !*name) return cw_importer_refuse(a->im, line, "@attribute without a name");
    if (a->count == CW_FILE_COLUMNS_MAX)
        return cw_importer_refuse(a->im, line, "more than %d attributes", CW_FILE_COLUMNS_MAX);
    if (!cw_grow(&a->attributes, &a->capacity, a->count + 1, sizeof *a->attributes))
        return cw_fail_memory(a->im->err);
    attribute *t = &a->attributes[a->count++];
    *t = (attribute){.name = cw_strdup(name)};
    if (!t->name) return cw_fail_memory(a->im->err);
    /* A quoted name may stand directly before its type, of which take_word took a character. */
    if (end && !strchr(" \t{", end)) at--, *at = end;
    at = skip_blanks(at);
    if (end == '{') return read_nominal(a, t, at, line);
    if (*at == '{') return read_nominal(a, t, at + 1, line);
    for (size_t i = 0; i < CW_COUNT(numeric); i++)
        if (keyword(&at, numeric[i])) return t->numeric = true, CW_OK;
    for (size_t i = 0; i < CW_COUNT(skipped); i++)
        if (keyword(&at, skipped[i])) return CW_OK;
    return cw_importer_refuse(a->im, line,
                              "attribute \"%.50s\" has the type \"%.30s\", which is not read here", name, at);
}

/* The header is complete: which attribute is what? */
static cw_status begin_data(arff *a, int64_t line) {
    cw_importer *im = a->im;
    const char **names = cw_alloc_n(a->count + 1, sizeof *names);
    a->fields = cw_alloc_n(a->count + 1, sizeof *a->fields);
    cw_status status = names && a->fields ? CW_OK : cw_fail_memory(im->err);
    for (size_t i = 0; i < a->count && names; i++) names[i] = a->attributes[i].name;
    if (status == CW_OK) status = cw_columns_bind(&a->columns, im, line, names, a->count, false);
    cw_free(names);
    if (status != CW_OK) return status;
    const cw_column *class = a->columns.roles[CW_ROLE_CLASS];
    if (!class)
        return cw_fail(im->err, CW_INVALID, "%.100s: which attribute is the class? (--columns class=...)",
                       im->path);
    return cw_importer_begin_run(im, a->columns.fingerprint, a->columns.cpu, 1);
}

static cw_status read_header(arff *a) {
    char *text, end;
    bool begun = false;
    cw_status status;
    while ((status = cw_lines_next(a->lines, &text, NULL, a->im->err)) == CW_OK && text) {
        int64_t line = cw_lines_number(a->lines);
        text = skip_blanks(text);
        if (!*text || *text == '%') continue;
        if (keyword(&text, "@data")) return begin_data(a, line);
        if (keyword(&text, "@relation")) {
            if (!take_word(&text, "", &end)) return cw_importer_refuse(a->im, line, "a quote is not closed");
        } else if (keyword(&text, "@attribute")) {
            status = read_attribute(a, text, line);
        } else if (keyword(&text, "@end")) {
            continue;
        } else {
            return cw_importer_refuse(a->im, line, "%s: expected @relation, @attribute or @data",
                                      begun ? "this is not a header's line" : "this is not ARFF");
        }
        if (status != CW_OK) return status;
        begun = true;
    }
    if (status != CW_OK) return status;
    return cw_importer_refuse(a->im, 0, cw_lines_number(a->lines) == 0 ? "is empty" : "ends without @data");
}

/* ---- Data ---- */

/* Splits a row into a->fields; NULL, or what is wrong with it. */
static const char *split(arff *a, char *text, size_t *count) {
    char end = ',';
    *count = 0;
    while (end == ',') {
        char *field = take_word(&text, ",", &end);
        if (!field) return "a quote is not closed";
        if (end && end != ',') return "a comma is missing behind a quote";
        if (*count < a->count) a->fields[*count] = field;
        ++*count;
    }
    return NULL;
}

static bool declared(const attribute *t, const char *value) {
    for (size_t i = 0; i < t->value_count; i++)
        if (strcmp(t->values[i], value) == 0) return true;
    return false;
}

/* Follows which attributes never change: of those that are not used this is all there is to tell. */
static cw_status watch_constants(arff *a) {
    for (size_t i = 0; i < a->count; i++) {
        attribute *t = &a->attributes[i];
        if (a->taken == 0) {
            t->first = cw_strdup(a->fields[i]);
            if (!t->first) return cw_fail_memory(a->im->err);
        } else if (t->first && strcmp(t->first, a->fields[i]) != 0) {
            cw_free(t->first);
            t->first = NULL;
        }
    }
    return CW_OK;
}

static cw_status read_row(arff *a, char *text, int64_t line) {
    cw_importer *im = a->im;
    char why[160];
    size_t count;
    double number;
    cw_problem p;
    if (*text == '{')
        return cw_importer_refuse(im, line, "sparse rows are not read: write every value of a row");
    a->rows++;
    const char *wrong = split(a, text, &count);
    if (wrong) return cw_importer_reject(im, line, "%s", wrong);
    if (count != a->count)
        return cw_importer_reject(im, line, "%zu values: the header has %zu attributes", count, a->count);
    for (size_t i = 0; i < count; i++) {
        const attribute *t = &a->attributes[i];
        const char *value = a->fields[i];
        if (strcmp(value, "?") == 0) {
            if (cw_columns_uses(&a->columns, i))
                return cw_importer_reject(im, line, "%.60s is missing (\"?\")", t->name);
        } else if (t->value_count > 0 && !declared(t, value)) {
            return cw_importer_reject(im, line, "\"%.50s\" is not a value of %.50s", value, t->name);
        } else if (t->numeric && !cw_columns_real(value, &number)) {
            return cw_importer_reject(im, line, "%.50s is \"%.50s\": must be a number", t->name, value);
        }
    }
    if (!cw_columns_problem(&a->columns, a->fields, &p, why)) return cw_importer_reject(im, line, "%s", why);
    const char *class = a->fields[a->columns.roles[CW_ROLE_CLASS]->at];
    const cw_column *impl = cw_columns_class(&a->columns, class);
    if (!impl)
        return cw_importer_reject(
            im, line, "class \"%.40s\" stands for no implementation (--columns backend.name=%.40s)", class,
            class);
    cw_measurement m = cw_columns_measurement(impl, &p);
    m.state = CW_STATE_LABEL;
    cw_status status = watch_constants(a);
    a->taken++;
    return status == CW_OK ? cw_importer_add(im, line, &m) : status;
}

static cw_status read_data(arff *a) {
    char *text;
    cw_status status;
    while ((status = cw_lines_next(a->lines, &text, NULL, a->im->err)) == CW_OK && text) {
        text = skip_blanks(text);
        if (!*text || *text == '%') continue;
        status = read_row(a, text, cw_lines_number(a->lines));
        if (status != CW_OK) break;
    }
    if (status != CW_OK) return status;
    if (a->rows == 0) return cw_importer_refuse(a->im, 0, "has no rows behind @data");
    if (a->taken == 0)
        return cw_importer_refuse(a->im, 0, "none of its %lld rows can be understood", (long long)a->rows);
    return CW_OK;
}

/* What is not a number or a letter of plain text becomes a question mark: it is for people. */
static void put_json_text(cw_buf *buf, const char *text) {
    cw_buf_put(buf, "\"");
    for (size_t n = 0; *text && n < 60; text++, n++)
        cw_buf_printf(buf, "%c", *text < ' ' || *text > '~' || *text == '"' || *text == '\\' ? '?' : *text);
    cw_buf_put(buf, "\"");
}

static void tell_of_unused(arff *a) {
    bool any = false;
    for (size_t i = 0; i < a->count; i++) {
        const attribute *t = &a->attributes[i];
        if (cw_columns_uses(&a->columns, i)) continue;
        if (!t->first) {
            cw_importer_note(a->im, 0, "attribute \"%.60s\" is not used, and not always the same", t->name);
            continue;
        }
        cw_buf_put(&a->im->facts, any ? "," : ",\"constant\":{");
        put_json_text(&a->im->facts, t->name);
        cw_buf_put(&a->im->facts, ":");
        put_json_text(&a->im->facts, t->first);
        any = true;
    }
    if (any) cw_buf_put(&a->im->facts, "}");
}

static void release(arff *a) {
    for (size_t i = 0; i < a->count; i++) {
        attribute *t = &a->attributes[i];
        for (size_t v = 0; v < t->value_count; v++) cw_free(t->values[v]);
        cw_free(t->values);
        cw_free(t->name);
        cw_free(t->first);
    }
    cw_free(a->attributes);
    cw_free(a->fields);
    cw_lines_close(a->lines);
    cw_free(a);
}

cw_status cw_import_arff(cw_importer *im) {
    arff *a = cw_alloc(sizeof *a); /* too large for the stack of a small thread */
    if (!a) return cw_fail_memory(im->err);
    a->im = im;
    cw_status status = cw_columns_parse(&a->columns, im, "arff");
    if (status == CW_OK) status = cw_lines_open(im->path, &a->lines, im->err);
    if (status == CW_OK) status = read_header(a);
    if (status == CW_OK) status = read_data(a);
    if (status == CW_OK) status = cw_importer_count_repeats(im);
    if (status == CW_OK) tell_of_unused(a);
    if (a->lines) im->sum.lines = cw_lines_number(a->lines);
    release(a);
    return status;
}
