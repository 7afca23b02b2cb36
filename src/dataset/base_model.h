/* base_model.h: what a model of few rows takes over from a model of another machine. */
#ifndef CW_BASE_MODEL_H
#define CW_BASE_MODEL_H

#include "dataset.h"

/* The base's class of that name, -1 = none, or no base. */
int32_t cw_base_class(const cw_model *base, const char *name);
/* Can the learner go on from the base with these data? CW_INVALID: not this learner. CW_MISMATCH: the base is
 * no sum of trees, reads other features, or knows none of the implementations. */
cw_status cw_base_check(const cw_dataset *data, const cw_model *base, const char *learner, cw_error *err);
/* The model's first classes are the base's. Its extents become those of either; what is seen to run on a kind
 * of problem without rows here is what the base saw; facts that no machine changes (workspace, error,
 * layouts) the worse of the two. */
cw_status cw_base_merge(cw_model *model, const cw_model *base, cw_error *err);

#endif
