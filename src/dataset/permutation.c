/* permutation.c: NumPy's legacy random permutation: the Mersenne Twister MT19937 (Matsumoto, Nishimura,
 * "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random number generator", ACM TOMACS
 * 8, 1998; seeding of 2002), bounded by masking and rejection, and a Fisher-Yates shuffle from the end. */
#include "permutation.h"
#include <math.h>

enum { N = 624, M = 397 };

typedef struct twister {
    uint32_t state[N];
    size_t next;
} twister;

static void seed_twister(twister *t, uint32_t seed) {
    t->state[0] = seed;
    for (uint32_t i = 1; i < N; i++)
        t->state[i] = 1812433253U * (t->state[i - 1] ^ (t->state[i - 1] >> 30)) + i;
    t->next = N;
}

static void refill(twister *t) {
    for (size_t i = 0; i < N; i++) {
        uint32_t y = (t->state[i] & 0x80000000U) | (t->state[(i + 1) % N] & 0x7fffffffU);
        t->state[i] = t->state[(i + M) % N] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfU : 0);
    }
    t->next = 0;
}

static uint32_t draw(twister *t) {
    if (t->next == N) refill(t);
    uint32_t y = t->state[t->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

/* 0..most, most > 0: what is above is drawn again after masking to as many bits as most has. */
static uint32_t draw_up_to(twister *t, uint32_t most) {
    uint32_t mask = most, value;
    for (unsigned shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
    do {
        value = draw(t) & mask;
    } while (value > most);
    return value;
}

void cw_numpy_permutation(uint32_t seed, size_t count, size_t *order) {
    twister t;
    seed_twister(&t, seed);
    for (size_t i = 0; i < count; i++) order[i] = i;
    for (size_t i = count; i-- > 1;) {
        size_t j = draw_up_to(&t, (uint32_t)i), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

size_t cw_test_count(size_t count, double share) {
    return (size_t)ceil(share * (double)count);
}
