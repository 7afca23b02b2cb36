/* limits.h: what cw_limits exclude, and what preparing costs. */
#ifndef CW_LIMITS_H
#define CW_LIMITS_H

#include "../backend/context.h"
#include "../learn/learn.h"
#include "../problem/problem.h"

/* One implementation, as far as it is known. */
typedef struct cw_candidate {
    const char *name;
    const double *facts;   /* CW_FACTS of training; NULL = none */
    const cw_found *found; /* here; NULL = no context, or not found */
} cw_candidate;

/* Numbers and signs. */
cw_status cw_limits_check(const cw_limits *limits, cw_error *err);
/* NULL = allowed; else a static text that begins with the limit's name. */
const char *cw_limits_exclude(const cw_limits *limits, const cw_candidate *of, const cw_problem *p,
                              const cw_sizes *sizes);
/* Predicted ns to prepare one, NaN = not known. */
double cw_prepare_ns(const double *facts, const cw_sizes *sizes);
/* The facts of a class, NULL = none. */
const double *cw_facts_of(const cw_model *model, size_t class);

#endif
