/* csv.h: reading CSV (RFC 4180) record by record, in constant memory. Writing it is in transfer.c. */
#ifndef CW_STORE_CSV_H
#define CW_STORE_CSV_H

#include "lines.h"

/* A record's fields are valid, and the caller's to change, until the next one is read. Zero to start with. */
typedef struct cw_csv {
    cw_lines *lines;
    char **fields;
    size_t count;
    int64_t line;      /* the record's first */
    const char *wrong; /* NULL, or why the record is not RFC 4180: then there are no fields */
    size_t field_capacity;
    cw_buf text; /* of a record that spans lines, or is split */
} cw_csv;

cw_status cw_csv_open(cw_csv *csv, const char *path, cw_error *err);
/* The next record that is not an empty line; *more = false behind the last. Fields may be quoted, quotes
 * inside doubled, and hold line ends, which become LF. Errors as of cw_lines_next: the file cannot be read
 * on; so where a record that is wrong spans lines, as nobody can know which of them belong to it. */
cw_status cw_csv_next(cw_csv *csv, bool *more, cw_error *err);
void cw_csv_close(cw_csv *csv);

#endif
