/* imported.c: trees that others trained. A learner like any, but that it does not learn: src/onnx makes its
 * states. */
#include "trees.h"

static cw_status train(const cw_matrix *data, const cw_learn_options *options, void **state, cw_error *err) {
    (void)data;
    (void)options;
    (void)state;
    return cw_fail(err, CW_UNSUPPORTED, "imported trees cannot be trained here");
}

const cw_learner cw_learner_imported = {
    .name = "imported", .summary = "trees that others trained", .train = train, CW_TREES_LEARNER};
