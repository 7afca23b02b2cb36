/* convwise/import.h: measurements that others made, into a store.
 *
 * Formats and what becomes of their oddities: docs/formats.md, "Imports". Same conventions as <convwise.h>.
 */
#ifndef CONVWISE_IMPORT_H
#define CONVWISE_IMPORT_H

#include "tools.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cw_import_options {
    const char *preset; /* what the file's names mean, e.g. "mali-t860"; NULL = none */
    const char
        *columns; /* "ic=cin,ih=h,armcl.gemm=gemm_us": adds to the preset or overrides it; NULL = none */
    const char *machine; /* fingerprint of what was measured; NULL = the preset's, or as the kind knows it */
    int32_t kept; /* at most so many implementations of a problem are in the file; 0 = as the kind knows it */
    const char
        *scope;       /* of kept: "problem", or "family": the best of each family; NULL = as the kind knows */
    const char *name; /* of the source, unique among its kind; NULL = the file's name without folders */
    const char *net;  /* name for a network that the file does not name; NULL = no such network */
    bool strict;      /* refuse the file for the first line that is not understood */
    /* Called for every line of which something is not taken as it stands; line 0 = the whole file. Texts are
     * valid during the call. */
    void (*complain)(void *arg, const char *path, int64_t line, const char *what);
    void *arg;
} cw_import_options;

/* What an import read and what it made of it. */
typedef struct cw_import_summary {
    int64_t lines;         /* of the file, all of them */
    int64_t problems;      /* different ones, as they are in the store */
    int64_t times, labels; /* measurements stored with a time, and as label */
    int64_t absent;        /* stored as absent: the file has no time and does not say why */
    int64_t rejected;      /* lines not understood: nothing of them is stored */
    int64_t zero_times;    /* times of exactly 0: stored as absent; onednn-log: left out */
    int64_t contradictory; /* what contradicts itself, as the kind counts it */
    int64_t duplicates;    /* what says again what was said before */
    int64_t swapped;       /* problems turned into the forward sense */
    int64_t other;         /* lines that are well-formed but tell of something else */
    int64_t networks;
    int32_t most_kept; /* at most so many implementations of a problem are in the file; 0 = all measured */
} cw_import_summary;

/* One kind of file. */
typedef struct cw_import_kind {
    const char *name, *about;
} cw_import_kind;
/* All kinds; ended by a NULL name. */
CW_API const cw_import_kind *cw_import_kinds(void);

/* Reads the file into the store, in one transaction: where it fails the store is as it was. A name that the
 * store has of this kind already is refused: measurements are only ever added, so that they would count
 * twice. Memory does not grow with the file but for what a kind keeps of its networks. options NULL = all
 * zero. out may be NULL; it is filled where the import succeeds. CW_NOT_FOUND: no such kind, preset or
 * column; CW_FORMAT: file and line. */
CW_API cw_status cw_import(cw_store *store, const char *kind, const char *path,
                           const cw_import_options *options, cw_import_summary *out, cw_error *err);

#ifdef __cplusplus
}
#endif
#endif
