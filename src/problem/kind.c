/* kind.c: the kind of a problem: what decides, sizes aside, whether an implementation takes it at all. */
#include "problem.h"

const char *const cw_kind_names[CW_KIND_FIELD_COUNT] = {
#define X(name, expression) #name,
    CW_KIND_FIELDS(X)
#undef X
};

const char *const cw_kind_expressions[CW_KIND_FIELD_COUNT] = {
#define X(name, expression) #expression,
    CW_KIND_FIELDS(X)
#undef X
};

void cw_problem_kind(const cw_problem *p, int32_t key[CW_KIND_FIELD_COUNT]) {
    int32_t *to = key;
#define X(name, expression) *to++ = (expression);
    CW_KIND_FIELDS(X)
#undef X
}
