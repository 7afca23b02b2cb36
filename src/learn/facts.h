/* facts.h: numbers that are known of each class beside what the learner learned. What they mean is decided by
 * whoever fills and reads the table: src/problem/facts.h. */
#ifndef CW_LEARN_FACTS_H
#define CW_LEARN_FACTS_H

#include "../base/base.h"
#include <jansson.h>

enum { CW_FACTS_MOST = 64 };

typedef struct cw_facts {
    size_t fields, classes;
    char **names;  /* fields */
    double *value; /* classes x fields; NaN = not known, never infinite */
} cw_facts;

/* Nothing known; NULL = out of memory. */
cw_facts *cw_facts_alloc(const char *const *names, size_t fields, size_t classes);
void cw_facts_free(cw_facts *facts); /* NULL is fine */
/* {"fields": [names], "rows": [[values, null = not known], ...]}; NULL = out of memory. */
json_t *cw_facts_save(const cw_facts *facts);
/* Checks everything that cw_facts promises. */
cw_status cw_facts_load(const json_t *json, size_t classes, cw_facts **out, cw_error *err);

#endif
