/* seen.h: which classes were seen to have a time on which kinds of row. What a kind is (a few whole numbers,
 * with names) is decided by whoever fills the table: src/problem's cw_problem_kind. */
#ifndef CW_SEEN_H
#define CW_SEEN_H

#include "../base/base.h"
#include <jansson.h>

enum { CW_SEEN_FIELDS = 32, CW_SEEN_KINDS = 1000000 }; /* most of each */

typedef struct cw_seen {
    size_t fields, kinds, classes;
    char **names; /* fields */
    int32_t *key; /* kinds x fields: ascending (first field first), no two equal */
    uint8_t *has; /* kinds x classes: 1 = seen, 0 = not; each kind has at least one */
} cw_seen;

/* All zero; NULL = out of memory. */
cw_seen *cw_seen_alloc(const char *const *names, size_t fields, size_t kinds, size_t classes);
void cw_seen_free(cw_seen *seen); /* NULL is fine */
/* Keys in the order of the table; 0 = equal. */
int cw_seen_compare(const int32_t *a, const int32_t *b, size_t fields);
/* The row of `has` of just this key, NULL = the kind was never seen. Does not allocate. */
const uint8_t *cw_seen_find(const cw_seen *seen, const int32_t *key);
/* {"fields": [names], "kinds": [[[key], [classes]], ...]}; NULL = out of memory. */
json_t *cw_seen_save(const cw_seen *seen);
/* Checks everything that cw_seen promises. */
cw_status cw_seen_load(const json_t *json, size_t classes, cw_seen **out, cw_error *err);

#endif
