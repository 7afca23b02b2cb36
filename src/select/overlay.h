/* overlay.h: inside view of measured times laid over a model. */
#ifndef CW_OVERLAY_H
#define CW_OVERLAY_H

#include "../../include/convwise/tools.h"

typedef struct cw_overlay_entry {
    cw_problem problem; /* canonical */
    char impl[128];
    double ns, prepare_ns; /* of a run with its reorders; of preparing, NaN = not known */
} cw_overlay_entry;

struct cw_overlay {
    cw_overlay_entry *entries; /* by problem */
    size_t count, capacity;
};

/* NULL = not measured; overlay NULL is fine. */
const cw_overlay_entry *cw_overlay_find(const cw_overlay *overlay, const cw_problem *p, const char *impl);

#endif
