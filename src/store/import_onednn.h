/* import_onednn.h: one line of oneDNN's verbose log, for the reader and its tests. */
#ifndef CW_STORE_IMPORT_ONEDNN_H
#define CW_STORE_IMPORT_ONEDNN_H

#include "import.h"
#include "lines.h"

typedef enum cw_log_what {
    CW_LOG_OTHER,   /* not a convolution that ran on a CPU */
    CW_LOG_VERSION, /* impl has the library's version */
    CW_LOG_THREADS, /* threads */
    CW_LOG_RUN,     /* everything */
    CW_LOG_LEFT,    /* a convolution that ran, but not one that a problem can say: why */
    CW_LOG_BAD      /* a convolution that ran, but is not understood: why */
} cw_log_what;

typedef struct cw_log_line {
    char impl[CW_STORE_NAME_MAX + 1]; /* "onednn." and the implementation */
    cw_problem problem;               /* threads is 1: the log says them elsewhere */
    int32_t threads;
    double ns;
    char why[120];
} cw_log_line;

/* Splits text in place. Lines of 2.x and 3.x, with and without time stamps. */
cw_log_what cw_log_parse(char *text, cw_log_line *out);

#endif
