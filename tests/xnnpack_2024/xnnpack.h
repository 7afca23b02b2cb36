/* xnnpack.h: of XNNPACK as of November 2024 (Debian 13), the declarations that src/backend/xnnpack_api.h
 * uses, so that its second branch is compiled where only the first can be linked. Not here: anything to link
 * or run. */
#ifndef CW_TEST_XNNPACK_2024_H
#define CW_TEST_XNNPACK_2024_H

#include <pthreadpool.h>
#include <stddef.h>
#include <stdint.h>

#define XNN_EXTRA_BYTES        16
#define XNN_FLAG_YIELD_WORKERS 0x00000010

enum xnn_status {
    xnn_status_success = 0,
    xnn_status_uninitialized = 1,
    xnn_status_invalid_parameter = 2,
    xnn_status_invalid_state = 3,
    xnn_status_unsupported_parameter = 4,
    xnn_status_unsupported_hardware = 5,
    xnn_status_out_of_memory = 6,
    xnn_status_reallocation_required = 7,
    xnn_status_deprecated = 8,
};

struct xnn_allocator;
typedef struct xnn_operator *xnn_operator_t;
typedef struct xnn_code_cache *xnn_code_cache_t;
typedef struct xnn_weights_cache_provider *xnn_weights_cache_t;

enum xnn_status xnn_initialize(const struct xnn_allocator *allocator);
enum xnn_status xnn_deinitialize(void);
enum xnn_status xnn_run_operator(xnn_operator_t op, pthreadpool_t threadpool);
enum xnn_status xnn_delete_operator(xnn_operator_t op);

enum xnn_status xnn_create_convolution2d_nhwc_f32(
    uint32_t input_padding_top, uint32_t input_padding_right, uint32_t input_padding_bottom,
    uint32_t input_padding_left, uint32_t kernel_height, uint32_t kernel_width, uint32_t subsampling_height,
    uint32_t subsampling_width, uint32_t dilation_height, uint32_t dilation_width, uint32_t groups,
    size_t group_input_channels, size_t group_output_channels, size_t input_channel_stride,
    size_t output_channel_stride, const float *kernel, const float *bias, float output_min, float output_max,
    uint32_t flags, xnn_code_cache_t code_cache, xnn_weights_cache_t weights_cache,
    xnn_operator_t *convolution_op_out);

enum xnn_status xnn_reshape_convolution2d_nhwc_f32(xnn_operator_t convolution_op, size_t batch_size,
                                                   size_t input_height, size_t input_width,
                                                   size_t *workspace_size, size_t *workspace_alignment,
                                                   size_t *output_height_out, size_t *output_width_out,
                                                   pthreadpool_t threadpool);

enum xnn_status xnn_setup_convolution2d_nhwc_f32(xnn_operator_t convolution_op, void *workspace,
                                                 const float *input, float *output);

enum xnn_status xnn_create_convolution2d_nhwc_qs8_qc8w(
    uint32_t input_padding_top, uint32_t input_padding_right, uint32_t input_padding_bottom,
    uint32_t input_padding_left, uint32_t kernel_height, uint32_t kernel_width, uint32_t subsampling_height,
    uint32_t subsampling_width, uint32_t dilation_height, uint32_t dilation_width, uint32_t groups,
    size_t group_input_channels, size_t group_output_channels, size_t input_channel_stride,
    size_t output_channel_stride, int8_t input_zero_point, float input_scale, const float *kernel_scale,
    const int8_t *kernel, const int32_t *bias, int8_t output_zero_point, float output_scale,
    int8_t output_min, int8_t output_max, uint32_t flags, xnn_code_cache_t code_cache,
    xnn_weights_cache_t weights_cache, xnn_operator_t *convolution_op_out);

enum xnn_status xnn_reshape_convolution2d_nhwc_qs8_qc8w(xnn_operator_t convolution_op, size_t batch_size,
                                                        size_t input_height, size_t input_width,
                                                        size_t *workspace_size, size_t *workspace_alignment,
                                                        size_t *output_height_out, size_t *output_width_out,
                                                        pthreadpool_t threadpool);

enum xnn_status xnn_setup_convolution2d_nhwc_qs8_qc8w(xnn_operator_t convolution_op, void *workspace,
                                                      const int8_t *input, int8_t *output);

#endif
