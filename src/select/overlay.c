/* overlay.c: measured times of a store, kept so that choices for these very problems go by them. */
#include "overlay.h"
#include "../base/base.h"
#include "../problem/problem.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct loading {
    cw_overlay *overlay;
    cw_error *err;
} loading;

static cw_status add(void *arg, const cw_measurement *m) {
    loading *l = arg;
    cw_overlay *o = l->overlay;
    bool choosable = m->candidate || cw_impl_is_reduced(m->impl); /* limits decide about the latter */
    if (!choosable || (m->state != CW_STATE_OK && m->state != CW_STATE_CUT_OFF)) return CW_OK;
    if (!cw_grow(&o->entries, &o->capacity, o->count + 1, sizeof *o->entries)) return cw_fail_memory(l->err);
    cw_overlay_entry *e = &o->entries[o->count++];
    e->problem = m->problem;
    snprintf(e->impl, sizeof e->impl, "%s", m->impl);
    e->ns = m->time_ns + m->src_reorder_ns + m->dst_reorder_ns;
    e->prepare_ns = m->prepare_ns > 0 ? m->prepare_ns : NAN;
    return CW_OK;
}

static int by_problem(const void *a, const void *b) {
    const cw_overlay_entry *x = a, *y = b;
    int order = cw_problem_compare(&x->problem, &y->problem);
    return order ? order : strcmp(x->impl, y->impl);
}

cw_status cw_overlay_load(cw_store *store, const char *fingerprint, cw_overlay **out, cw_error *err) {
    loading l = {.overlay = cw_alloc(sizeof *l.overlay), .err = err};
    if (!l.overlay) return cw_fail_memory(err);
    cw_status status = cw_store_each(store, fingerprint, add, &l, err);
    if (status != CW_OK) {
        cw_overlay_free(l.overlay);
        return status;
    }
    if (l.overlay->count > 0)
        qsort(l.overlay->entries, l.overlay->count, sizeof *l.overlay->entries, by_problem);
    *out = l.overlay;
    return CW_OK;
}

void cw_overlay_free(cw_overlay *overlay) {
    if (!overlay) return;
    cw_free(overlay->entries);
    cw_free(overlay);
}

const cw_overlay_entry *cw_overlay_find(const cw_overlay *overlay, const cw_problem *p, const char *impl) {
    size_t first = 0, behind = overlay ? overlay->count : 0;
    while (first < behind) {
        size_t middle = first + (behind - first) / 2;
        const cw_overlay_entry *e = &overlay->entries[middle];
        int order = cw_problem_compare(p, &e->problem);
        if (!order) order = strcmp(impl, e->impl);
        if (!order) return e;
        if (order < 0)
            behind = middle;
        else
            first = middle + 1;
    }
    return NULL;
}
