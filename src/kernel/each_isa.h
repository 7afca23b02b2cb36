/* each_isa.h: compiles a body of inner loops, the header named by CW_BODY, once for each instruction set; no
 * include guard on purpose. The body gets CW_ISA(name) a name of its own for each version, CW_TARGET the
 * function attribute, CW_LANES floats in a vector, CW_REGISTERS vectors that fit the registers, CW_CLAMP(v,
 * lo, hi) on vectors of type `floats`, a NaN staying one. CW_FOR_ISA(machine, name): the version to run. */
#include "kernel.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define CW_ISA(name) name##_portable
#define CW_TARGET
#define CW_LANES 4
#if defined(__aarch64__)
#define CW_REGISTERS 32
#else
#define CW_REGISTERS 16
#endif
typedef int32_t mask_portable __attribute__((vector_size(16)));
#define CW_PICK(m, a, b)    ((floats)(((m) & (mask_portable)(a)) | (~(m) & (mask_portable)(b))))
#define CW_CLAMP(v, lo, hi) CW_PICK((v) < (lo), lo, CW_PICK((v) > (hi), hi, v))
#include CW_BODY
#undef CW_ISA
#undef CW_TARGET
#undef CW_LANES
#undef CW_REGISTERS
#undef CW_CLAMP

#if defined(__x86_64__)
#define CW_ISA(name)        name##_avx2
#define CW_TARGET           __attribute__((target("avx2,fma")))
#define CW_LANES            8
#define CW_REGISTERS        16
#define CW_CLAMP(v, lo, hi) (floats) _mm256_min_ps((__m256)(hi), _mm256_max_ps((__m256)(lo), (__m256)(v)))
#include CW_BODY
#undef CW_ISA
#undef CW_TARGET
#undef CW_LANES
#undef CW_REGISTERS
#undef CW_CLAMP

#define CW_ISA(name)        name##_avx512
#define CW_TARGET           __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define CW_LANES            16
#define CW_REGISTERS        32
#define CW_CLAMP(v, lo, hi) (floats) _mm512_min_ps((__m512)(hi), _mm512_max_ps((__m512)(lo), (__m512)(v)))
#include CW_BODY
#undef CW_ISA
#undef CW_TARGET
#undef CW_LANES
#undef CW_REGISTERS
#undef CW_CLAMP

#define CW_FOR_ISA(machine, name)                                                                            \
    ((machine)->avx512 ? &name##_avx512 : (machine)->avx2 ? &name##_avx2 : &name##_portable)
#else
#define CW_FOR_ISA(machine, name) ((void)(machine), &name##_portable)
#endif
