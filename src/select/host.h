/* host.h: the machine that a model chooses for. */
#ifndef CW_SELECT_HOST_H
#define CW_SELECT_HOST_H

#include "../backend/context.h"
#include "../learn/learn.h"
#include "../problem/problem.h"

/* The one asked for, else the context's, else the model's only one. CW_INVALID: features read one, and there
 * is none. ctx NULL = none. */
cw_status cw_model_host(const cw_model *model, const cw_context *ctx, cw_host *out, cw_error *err);

#endif
