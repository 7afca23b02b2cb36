/* import_columns.h: what a file's columns and names mean: presets and the texts of --columns. For kinds whose
 * files name their columns themselves. */
#ifndef CW_STORE_IMPORT_COLUMNS_H
#define CW_STORE_IMPORT_COLUMNS_H

#include "import.h"

enum { CW_COLUMNS_MAX = 128, CW_FILE_COLUMNS_MAX = 4096 };

/* X(name, default): numbers of a problem that a column or a constant gives; -1 = as the field before it
 * (iw as ih, kw as kh...), or an error where there is none. */
#define CW_COLUMN_NUMBERS(X)                                                                                 \
    X(mb, 1)                                                                                                 \
    X(g, 1)                                                                                                  \
    X(ic, -1)                                                                                                \
    X(oc, -1)                                                                                                \
    X(ih, -1)                                                                                                \
    X(iw, -1)                                                                                                \
    X(kh, -1) X(kw, -1) X(sh, 1) X(sw, -1) X(ph, 0) X(pw, -1) X(dh, 0) X(dw, -1) X(threads, 1) X(zp, 0)

typedef enum cw_role {
#define X(name, otherwise) CW_ROLE_##name,
    CW_COLUMN_NUMBERS(X)
#undef X
        CW_ROLE_NUMBERS,
    CW_ROLE_LAYOUT = CW_ROLE_NUMBERS, /* a constant: nhwc or nchw */
    CW_ROLE_PREC,
    CW_ROLE_NET,
    CW_ROLE_NAME,
    CW_ROLE_CLASS,
    CW_ROLE_COUNT,
    CW_ROLE_PREC_VALUE = CW_ROLE_COUNT, /* how the file writes a precision */
    CW_ROLE_IMPL                        /* the column of its times, or how the file calls it */
} cw_role;

/* One `ours=theirs`. */
typedef struct cw_column {
    cw_role role;
    char ours[128], theirs[128];
    int32_t value; /* of a constant, or the cw_prec of a value */
    int32_t at;    /* column of the file, -1 = a constant or a name */
    double to_ns;  /* IMPL: unit of its times in nanoseconds */
    cw_family family;
    char backend[128];
} cw_column;

typedef struct cw_columns {
    const char *fingerprint, *cpu; /* the preset's; fingerprint NULL without one */
    cw_column list[CW_COLUMNS_MAX];
    size_t count;
    const cw_column *roles[CW_ROLE_COUNT]; /* NULL = not given */
} cw_columns;

/* Reads the preset of this kind, then the options' text. CW_INVALID, CW_NOT_FOUND. */
cw_status cw_columns_parse(cw_columns *c, cw_importer *im, const char *kind);
/* Finds the columns in the file's own names, which are on this line. impls_are_columns: else they are names
 * of classes. */
cw_status cw_columns_bind(cw_columns *c, cw_importer *im, int64_t line, const char *const *names,
                          size_t count, bool impls_are_columns);
/* Whether the map uses this column of the file. */
bool cw_columns_uses(const cw_columns *c, size_t at);
/* A finite decimal number. */
bool cw_columns_real(const char *text, double *out);
/* A line's problem; false: what is wrong, in why. */
bool cw_columns_problem(const cw_columns *c, char *const *values, cw_problem *out, char why[160]);
/* The implementation that the file calls so; NULL = none. */
const cw_column *cw_columns_class(const cw_columns *c, const char *theirs);
/* An implementation's measurement of a problem, without time and state. */
cw_measurement cw_columns_measurement(const cw_column *impl, const cw_problem *p);

#endif
