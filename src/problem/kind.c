/* kind.c: the kind of a problem: what decides, sizes aside, whether an implementation takes it at all; and
 * its group of shapes. */
#include "facts.h"
#include "problem.h"
#include <stdio.h>
#include <string.h>

const char *const cw_kind_names[CW_KIND_FIELD_COUNT] = {
#define X(name, widening, expression) #name,
    CW_KIND_FIELDS(X)
#undef X
};

const char *const cw_kind_expressions[CW_KIND_FIELD_COUNT] = {
#define X(name, widening, expression) #expression,
    CW_KIND_FIELDS(X)
#undef X
};

const uint8_t cw_kind_widenings[CW_KIND_FIELD_COUNT] = {
#define X(name, widening, expression) widening,
    CW_KIND_FIELDS(X)
#undef X
};

const char *const cw_fact_names[CW_FACT_COUNT] = {
#define X(name) #name,
    CW_FACTS(X)
#undef X
};

void cw_problem_kind(const cw_problem *p, int width, int32_t key[CW_KIND_FIELD_COUNT]) {
    int32_t *to = key;
#define X(name, widening, expression)                                                                        \
    *to++ = (widening) > 0 && (widening) <= width ? CW_KIND_ANY : (expression);
    CW_KIND_FIELDS(X)
#undef X
}

static const char *const shape_names[CW_SHAPE_COUNT] = {
#define X(symbol, name, condition) name,
    CW_SHAPES(X)
#undef X
};

const char *const cw_shape_conditions[CW_SHAPE_COUNT] = {
#define X(symbol, name, condition) #condition,
    CW_SHAPES(X)
#undef X
};

int32_t cw_problem_shape_group(const cw_problem *p) {
    int32_t shape = 0;
#define X(symbol, name, condition)                                                                           \
    if (condition) return p->prec * CW_SHAPE_COUNT + shape;                                                  \
    shape++;
    CW_SHAPES(X)
#undef X
    return p->prec * CW_SHAPE_COUNT + shape - 1;
}

void cw_shape_group_name(int32_t group, char *text, size_t size) {
    snprintf(text, size, "%s %s", cw_prec_name((cw_prec)(group / CW_SHAPE_COUNT)),
             shape_names[group % CW_SHAPE_COUNT]);
}

int32_t cw_shape_group_find(const char *name) {
    char text[32];
    for (int32_t group = 0; group < CW_SHAPE_GROUPS; group++) {
        cw_shape_group_name(group, text, sizeof text);
        if (strcmp(name, text) == 0) return group;
    }
    return -1;
}
