/* import_finddb.h: a line of MIOpen's find-db and its pieces, for the reader, its tests and fuzzing. */
#ifndef CW_STORE_IMPORT_FINDDB_H
#define CW_STORE_IMPORT_FINDDB_H

#include "import.h"
#include "lines.h"

/* Parses a key, which is split in place. NULL, or why it is not understood. The problem is in the forward
 * sense and may still be out of range (cw_problem_check). contradictory: the two sizes in the key do not
 * belong to one convolution. */
const char *cw_finddb_key(char *text, cw_problem *out, bool *contradictory);

typedef struct cw_finddb_record {
    char impl[CW_STORE_NAME_MAX + 1]; /* "miopen." and the solver, <4> as :4 */
    int algorithm;                    /* of MIOpen's five, from 0: what "family" censoring is by */
    cw_family family;
    double ns; /* 0 = recorded as 0 */
    int64_t workspace;
} cw_finddb_record;

/* Parses a record of either style, which is split in place; of a problem of that direction. NULL, or why not.
 */
const char *cw_finddb_record_parse(char *text, cw_dir dir, cw_finddb_record *out);

enum { CW_FINDDB_RECORDS = 256 }; /* of one line; MIOpen has about a hundred solvers */

typedef struct cw_finddb_line {
    cw_problem problem; /* as of cw_finddb_key */
    bool contradictory;
    cw_finddb_record records[CW_FINDDB_RECORDS];
    size_t count;
} cw_finddb_line;

/* Parses a line, which is split in place. NULL, or why it is not understood. */
const char *cw_finddb_line_parse(char *text, cw_finddb_line *out);

#endif
