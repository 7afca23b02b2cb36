/* import.h: what the readers of other programs' files share. To add a kind: a file import_<kind>.c with one
 * function, a prototype here and a row in import.c. A reader reads lines, makes measurements of them and
 * hands these to cw_importer_add; transaction, source, run and summary are not its business. */
#ifndef CW_STORE_IMPORT_H
#define CW_STORE_IMPORT_H

#include "store.h"
#include "../../include/convwise/import.h"

enum { CW_IMPORT_IMPLS = 512 }; /* different implementations that one import may have */

typedef struct cw_importer {
    cw_store *store;
    const char *path;
    const cw_import_options *options;
    cw_import_summary sum; /* readers count; times, labels, absent and problems are counted here */
    const char *scope;     /* of sum.most_kept: "problem" or "family" */
    cw_buf facts;          /* more for the source's summary: JSON members, each after a comma: `,"tuner":0` */
    bool once; /* what is said again word for word is counted as duplicate and not stored again; what is said
                  differently is counted and stored, and is the newer */
    cw_error *err;
    int64_t source, run, created; /* created: of the next measurement */
    /* Rows that the last measurements belonged to, so that most need no look-up. */
    cw_problem problem;
    int64_t problem_id, newest_problem;
    bool problem_known; /* before its line */
    struct cw_importer_impl {
        char *name;
        int64_t id, library_id;
        int64_t problem_id; /* that it was last added for */
    } impls[CW_IMPORT_IMPLS];
    size_t impl_count, impl_next;
} cw_importer;

typedef cw_status cw_import_fn(cw_importer *im);
cw_import_fn cw_import_arff, cw_import_layers, cw_import_csv, cw_import_finddb, cw_import_onednn_log;

/* Begins the run that following measurements belong to. fingerprint: where the options name none. */
cw_status cw_importer_begin_run(cw_importer *im, const char *fingerprint, const char *cpu, int32_t threads);
/* The same, of a machine that is known in full. */
cw_status cw_importer_begin_run_on(cw_importer *im, const cw_machine *machine, int32_t threads);
/* Stores a measurement, or rejects its line where it cannot be one. The same implementation has the same
 * backend, version and family throughout an import. */
cw_status cw_importer_add(cw_importer *im, int64_t line, const cw_measurement *m);
cw_status cw_importer_add_net(cw_importer *im, const cw_net *net);
/* Counts what this import says more than once of one problem and implementation (duplicates), and problems of
 * which it says different things (contradictory: two implementations are the fastest, or two times). */
cw_status cw_importer_count_repeats(cw_importer *im);
/* Complains of a line that stays; for what is handled as documented. */
void cw_importer_note(cw_importer *im, int64_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Counts a line as not understood and complains: CW_OK, or in strict mode the error that ends the import. */
cw_status cw_importer_reject(cw_importer *im, int64_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* CW_FORMAT, "path:line: ...": the file as a whole cannot be understood. line 0 = no line. */
cw_status cw_importer_refuse(cw_importer *im, int64_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
