/* armcl_tensors.h: our tensors and clamps in the Arm Compute Library's words, for its NEON functions
 * (armcl.cpp) and for those on OpenCL devices (armcl_cl.cpp). C++ only. */
#ifndef CW_ARMCL_TENSORS_H
#define CW_ARMCL_TENSORS_H

#include "armcl.h"
#include "arm_compute/core/TensorInfo.h"
#include "arm_compute/core/Types.h"
#include <algorithm>
#include <cfloat>
#include <cstdio>

namespace armcl {

namespace ac = arm_compute;

inline ac::TensorInfo info_of(cw_layout layout, int32_t n, int32_t c, int32_t h, int32_t w,
                              ac::DataType type) {
    const size_t N = static_cast<size_t>(n), C = static_cast<size_t>(c), H = static_cast<size_t>(h),
                 W = static_cast<size_t>(w);
    ac::TensorInfo info(layout == CW_NHWC ? ac::TensorShape(C, W, H, N) : ac::TensorShape(W, H, C, N), 1,
                        type);
    info.set_data_layout(layout == CW_NHWC ? ac::DataLayout::NHWC : ac::DataLayout::NCHW);
    return info;
}

inline ac::PadStrideInfo window_of(const cw_problem *p) {
    auto size = [](int32_t value) { return static_cast<unsigned>(value); };
    return ac::PadStrideInfo(size(p->sw), size(p->sh), size(p->pl), size(p->pr), size(p->pt), size(p->pb),
                             ac::DimensionRoundingType::FLOOR);
}

inline ac::Size2D dilation_of(const cw_problem *p) {
    return ac::Size2D(static_cast<size_t>(p->dw) + 1, static_cast<size_t>(p->dh) + 1);
}

/* Floats only. */
inline ac::ActivationLayerInfo float_clamp(const cw_conv_args *args) {
    using Kind = ac::ActivationLayerInfo::ActivationFunction;
    const float lo = std::max(args->lo, -FLT_MAX), hi = std::min(args->hi, FLT_MAX);
    if (lo == 0) {
        if (hi == FLT_MAX) return ac::ActivationLayerInfo(Kind::RELU);
        return ac::ActivationLayerInfo(Kind::BOUNDED_RELU, hi);
    }
    if (lo == -FLT_MAX && hi == FLT_MAX) return ac::ActivationLayerInfo();
    return ac::ActivationLayerInfo(Kind::LU_BOUNDED_RELU, hi, lo);
}

/* Where the elements of a configured tensor lie. */
inline armcl_tensor tensor_of(const ac::ITensorInfo &info) {
    const bool nhwc = info.data_layout() == ac::DataLayout::NHWC;
    const size_t order[4] = {3, nhwc ? 0u : 2u, nhwc ? 2u : 1u, nhwc ? 1u : 0u}; /* n, c, y, x */
    armcl_tensor t;
    t.bytes = info.total_size();
    t.flip = info.data_type() == ac::DataType::QASYMM8_SIGNED ? 0x80 : 0;
    t.offset = static_cast<ptrdiff_t>(info.offset_first_element_in_bytes());
    for (size_t i = 0; i < 4; i++)
        t.stride[i] =
            order[i] < info.num_dimensions() ? static_cast<ptrdiff_t>(info.strides_in_bytes()[order[i]]) : 0;
    return t;
}

inline cw_status fail(cw_error *err, cw_status status, const char *what) {
    if (!err) return status;
    err->status = status;
    std::snprintf(err->message, sizeof err->message, "Arm Compute Library: %s", what);
    for (char *at = err->message; *at; at++)
        if (*at == '\n') *at = ' ';
    return status;
}

} // namespace armcl

#endif
