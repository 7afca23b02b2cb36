/* none.c: the public calls in a build without protobuf-c. */
#include "../base/base.h"
#include "../../include/convwise/tools.h"

static cw_status without(cw_error *err) {
    return cw_fail(
        err, CW_UNSUPPORTED,
        "this convwise was built without ONNX: install libprotobuf-c-dev and protobuf-c-compiler, and "
        "build it again");
}

cw_status cw_emit_onnx(const cw_model *model, char **out, size_t *size, cw_error *err) {
    (void)model;
    *out = NULL;
    *size = 0;
    return without(err);
}

cw_status cw_emit_onnx_save(const cw_model *model, const char *path, cw_error *err) {
    (void)model;
    (void)path;
    return without(err);
}

cw_status cw_model_parse_onnx(const void *bytes, size_t size, const char *where,
                              const cw_onnx_options *options, cw_model **out, double *rounding,
                              cw_error *err) {
    (void)bytes;
    (void)size;
    (void)where;
    (void)options;
    (void)rounding;
    *out = NULL;
    return without(err);
}

cw_status cw_model_load_onnx(const char *path, const cw_onnx_options *options, cw_model **out,
                             double *rounding, cw_error *err) {
    return cw_model_parse_onnx(path, 0, path, options, out, rounding, err);
}
