/* arm_rules.h: which algorithm the Arm Compute Library 20.08 chooses by itself for a convolution: its
 * get_convolution_method functions as rules. Needs no library. Not here: whether its choice is any good. */
#ifndef CW_ARM_RULES_H
#define CW_ARM_RULES_H

#include "problem.h"

/* X(symbol, name): OpenCL (whatever the GPU) and NEON functions. */
#define CW_ARMS(X) X(CL, "cl") X(NEON, "neon")
typedef enum cw_arm {
#define X(symbol, name) CW_ARM_##symbol,
    CW_ARMS(X)
#undef X
        CW_ARM_COUNT
} cw_arm;
const char *cw_arm_name(cw_arm arm);

/* DIRECT, GEMM, WINOGRAD or FFT. p: valid, forward, two dimensions. fast_math: the library may lose accuracy
 * for speed (its default is false). */
cw_family cw_arm_choice(cw_arm arm, const cw_problem *p, bool fast_math);

#endif
