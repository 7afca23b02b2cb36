/* permutation.h: the random order in which scikit-learn deals rows, so that a split made there can be made
 * here. */
#ifndef CW_PERMUTATION_H
#define CW_PERMUTATION_H

#include <stddef.h>
#include <stdint.h>

/* order gets 0..count-1 (count below 2^32) in the order of numpy.random.RandomState(seed).permutation(count).
 */
void cw_numpy_permutation(uint32_t seed, size_t count, size_t *order);
/* scikit-learn's train_test_split with a test share above 0 and below 1 (0.20: every fifth row, rounded up):
 * the first cw_test_count entries of the permutation are the test rows, the rest the training rows, in that
 * order. */
size_t cw_test_count(size_t count, double share);

#endif
