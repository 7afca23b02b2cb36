/* tile.c: compiles tile_isa.h for each instruction set and picks one. Built with -ffp-contract=fast: a
 * multiply and an add become one fused instruction where the target has it, which doubles the speed. */
#include "tile.h"
#include "bf16.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Sum of two int16 products in each 32-bit lane, for machines without an instruction for it. */
#define CW_PORTABLE_PAIRS(x, w) ((((x) << 16) >> 16) * (((w) << 16) >> 16) + ((x) >> 16) * ((w) >> 16))

#define CW_ISA(name) name##_portable
#define CW_TARGET
#define CW_LANES       4
#define CW_ROWS        4
#define CW_PAIRS(x, w) CW_PORTABLE_PAIRS(x, w)
#define CW_WIDEN(p)    ((ints){(p)[0], (p)[1], (p)[2], (p)[3]})
#include "tile_isa.h"

#if defined(__x86_64__)
#define CW_ISA(name)   name##_avx2
#define CW_TARGET      __attribute__((target("avx2,fma")))
#define CW_LANES       8
#define CW_ROWS        6
#define CW_PAIRS(x, w) (ints) _mm256_madd_epi16((__m256i)(x), (__m256i)(w))
#define CW_WIDEN(p)    ((ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(p))))
#include "tile_isa.h"

#define CW_ISA(name)   name##_avx512
#define CW_TARGET      __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define CW_LANES       16
#define CW_ROWS        8
#define CW_PAIRS(x, w) (ints) _mm512_madd_epi16((__m512i)(x), (__m512i)(w))
#define CW_WIDEN(p)    ((ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p))))
#include "tile_isa.h"
#endif

const cw_tile *cw_tile_for(const cw_machine *machine) {
#if defined(__x86_64__)
    if (machine->avx512) return &tile_avx512;
    if (machine->avx2) return &tile_avx2;
#endif
    (void)machine;
    return &tile_portable;
}
