/* forest_cuts.h: the best cut of one node of a tree that is grown on binned columns (forest_grow.c). */
#ifndef CW_FOREST_CUTS_H
#define CW_FOREST_CUTS_H

#include "forest_grow.h"

/* Rows that codes up to `code` of the column go left. merit: of both sides, the sum over classes of (sum of
 * values)^2 / rows: what is left of the squared values after taking off the squared error around the means;
 * gain: how much more that is than the node's own. merit 0 = there is no cut. */
typedef struct cw_cut {
    double merit, gain;
    size_t column;
    uint8_t code;
} cw_cut;

/* A bit a column: known to be the same in all rows of a node, so below too. */
typedef struct cw_columns {
    uint64_t bits[CW_MODEL_MOST / 64];
} cw_columns;

/* What looking for cuts needs; one a tree. */
typedef struct cw_cutter cw_cutter;

/* draws: as cw_forest_grow's. NULL out: nothing to free. */
cw_status cw_cutter_make(const cw_forest_growth *how, const uint8_t *draws, cw_cutter **out, cw_error *err);
void cw_cutter_free(cw_cutter *cutter);
/* The best cut of a node of the rows row[0..n), n from 1. Reads and adds to `constant`. */
cw_cut cw_cutter_best(cw_cutter *cutter, const uint32_t *row, size_t n, cw_rng *rng, cw_columns *constant);

#endif
