/* armcl.cpp: the C++ half of the Arm Compute Library backend (armcl.h): version 20.08, NEON functions.
 * Caller's memory is never copied here, and what the library wants beside it is taken from the caller's
 * workspace. */
#include "armcl_tensors.h"
#include "arm_compute/core/CPP/ICPPKernel.h"
#include "arm_compute/core/Version.h"
#include "arm_compute/runtime/BlobLifetimeManager.h"
#include "arm_compute/runtime/IAllocator.h"
#include "arm_compute/runtime/MemoryManagerOnDemand.h"
#include "arm_compute/runtime/NEON/NEFunctions.h"
#include "arm_compute/runtime/PoolManager.h"
#include "arm_compute/runtime/Scheduler.h"
#include "arm_compute/runtime/Tensor.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <omp.h>
#include <vector>

namespace ac = arm_compute;

namespace {

using armcl::fail;
using armcl::info_of;
using armcl::tensor_of;

/* ---- Threads ---- */

thread_local unsigned threads_now = 1;

/* Windows of a kernel, or workloads, shared out among OpenMP's threads. With one thread nothing is allocated
 * and OpenMP is not entered. */
class OpenMP final : public ac::IScheduler {
  public:
    void set_num_threads(unsigned int n) override { threads_now = std::max(n, 1u); }
    unsigned int num_threads() const override { return threads_now; }

    void schedule(ac::ICPPKernel *kernel, const Hints &hints) override {
        const bool all = hints.split_dimension() == split_dimensions_all;
        share(kernel->window(), kernel->is_parallelisable(), hints,
              [=](const ac::Window &window, const ac::ThreadInfo &info, const ac::Window &place) {
                  if (all)
                      kernel->run_nd(window, info, place);
                  else
                      kernel->run(window, info);
              });
    }

    void schedule_op(ac::ICPPKernel *kernel, const Hints &hints, ac::ITensorPack &tensors) override {
        share(kernel->window(), kernel->is_parallelisable(), hints,
              [&](const ac::Window &window, const ac::ThreadInfo &info, const ac::Window &) {
                  kernel->run_op(tensors, window, info);
              });
    }

  protected:
    void run_workloads(std::vector<Workload> &workloads) override {
        parallel(workloads.size(), [&](size_t i, const ac::ThreadInfo &info) { workloads[i](info); });
    }

  private:
    /* body(i, info) for i below count; thread_id is below num_threads, as scratch space is divided by it. */
    template <typename Body> void parallel(size_t count, const Body &body) {
        const int threads = static_cast<int>(std::min<size_t>(threads_now, count));
        ac::ThreadInfo info;
        info.num_threads = threads;
        info.cpu_info = &_cpu_info;
        if (threads <= 1) {
            for (size_t i = 0; i < count; i++) body(i, info);
            return;
        }
#pragma omp parallel for num_threads(threads) schedule(dynamic) firstprivate(info)
        for (size_t i = 0; i < count; i++) {
            info.thread_id = omp_get_thread_num();
            body(i, info);
        }
    }

    /* Splits along the dimension of the hint, or along the longer of two where any will do. */
    template <typename Body>
    void share(const ac::Window &window, bool parallelisable, const Hints &hints, const Body &body) {
        size_t split = hints.split_dimension();
        if (split == split_dimensions_all)
            split = window.num_iterations(ac::Window::DimX) >= window.num_iterations(ac::Window::DimY)
                        ? ac::Window::DimX
                        : ac::Window::DimY;
        size_t count = std::min<size_t>(threads_now, window.num_iterations(split));
        if (hints.strategy() == StrategyHint::DYNAMIC && count > 1)
            count = std::min<size_t>(
                window.num_iterations(split),
                std::max<size_t>(count, static_cast<size_t>(std::max(hints.threshold(), 0))));
        if (!parallelisable || count <= 1) {
            ac::ThreadInfo info;
            info.cpu_info = &_cpu_info;
            body(window, info, place_of(split, 0, 1));
            return;
        }
        parallel(count, [&](size_t i, const ac::ThreadInfo &info) {
            body(window.split_window(split, i, count), info, place_of(split, i, count));
        });
    }

    static ac::Window place_of(size_t split, size_t i, size_t count) {
        ac::Window place;
        for (size_t d = 0; d < 2; d++)
            place.set(d, d == split ? ac::Window::Dimension(static_cast<int>(i), static_cast<int>(count))
                                    : ac::Window::Dimension(0, 1));
        return place;
    }
};

ac::Scheduler::Type former_scheduler;
int scheduler_users;

/* ---- Memory ---- */

/* A tensor whose memory comes with each call. */
class View final : public ac::ITensor {
  public:
    ac::TensorInfo tensor_info;
    uint8_t *memory = nullptr;
    ac::ITensorInfo *info() const override { return const_cast<ac::TensorInfo *>(&tensor_info); }
    ac::ITensorInfo *info() override { return &tensor_info; }
    uint8_t *buffer() const override { return memory; }
};

constexpr size_t line = 64;

/* The library's memory pools, laid out in the workspace of the run at hand. */
class Space final : public ac::IAllocator {
  public:
    uint8_t *base = nullptr;
    size_t bytes = 0;

    void *allocate(size_t, size_t) override { return nullptr; }
    void free(void *) override {}
    std::unique_ptr<ac::IMemoryRegion> make_region(size_t size, size_t alignment) override {
        alignment = std::max(alignment, line);
        std::unique_ptr<ac::IMemoryRegion> region(new Region(*this, bytes, alignment, size));
        bytes += size + alignment; /* the workspace itself is at any multiple of 64 */
        return region;
    }

  private:
    class Region final : public ac::IMemoryRegion {
      public:
        Region(const Space &space, size_t offset, size_t alignment, size_t size)
            : IMemoryRegion(size), space_(space), offset_(offset), alignment_(alignment) {}
        std::unique_ptr<ac::IMemoryRegion> extract_subregion(size_t, size_t) override { return nullptr; }
        void *buffer() override { return address(); }
        const void *buffer() const override { return address(); }

      private:
        const Space &space_;
        size_t offset_, alignment_;
        uint8_t *address() const {
            if (!space_.base) return nullptr;
            uint8_t *at = space_.base + offset_;
            return at + (alignment_ - reinterpret_cast<uintptr_t>(at) % alignment_) % alignment_;
        }
    };
};

/* ---- Descriptions ---- */

/* Everything that the functions ask for beside the tensors. */
struct Description {
    ac::TensorInfo src, dst, weights, bias;
    ac::PadStrideInfo window;
    ac::Size2D dilation;
    ac::ActivationLayerInfo clamp;
    unsigned multiplier; /* depthwise: outputs a channel */
};

bool is_depthwise(const cw_problem *p) {
    return p->g > 1 && p->g == p->ic;
}

/* u8: with scales of 1 for source and destination the library's requantisation is cw_quant's. */
ac::ActivationLayerInfo clamp_of(const cw_problem *p, const cw_conv_args *args) {
    using Kind = ac::ActivationLayerInfo::ActivationFunction;
    if (p->prec == CW_U8) {
        const float lo = std::rint(std::min(std::max(args->lo, 0.0f), 255.0f)),
                    hi = std::rint(std::min(std::max(args->hi, 0.0f), 255.0f)),
                    zero = static_cast<float>(args->quant.dst_zp);
        if (lo <= 0 && hi >= 255) return ac::ActivationLayerInfo();
        return ac::ActivationLayerInfo(Kind::LU_BOUNDED_RELU, hi - zero, lo - zero);
    }
    return armcl::float_clamp(args);
}

/* 20.08 takes u8 activations with weights that have a scale for each channel by turning all into s8 around
 * its matrix product, but it never configures the way back and crashes. So GEMM gets s8: what the library
 * would subtract from every byte is subtracted where the tensors are copied. */
bool is_signed(const cw_problem *p, armcl_function function) {
    return p->prec == CW_U8 && function == ARMCL_GEMM;
}

Description describe(const cw_problem *p, armcl_function function, cw_layout layout,
                     const cw_conv_args *args) {
    const bool u8 = p->prec == CW_U8, depthwise = is_depthwise(p), s8 = is_signed(p, function);
    const ac::DataType type = s8   ? ac::DataType::QASYMM8_SIGNED
                              : u8 ? ac::DataType::QASYMM8
                                   : ac::DataType::F32;
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    Description d;
    d.src = info_of(layout, p->mb, p->ic, p->ih, p->iw, type);
    d.dst = info_of(layout, p->mb, p->oc, sizes.oh, sizes.ow, type);
    d.weights = info_of(layout, depthwise ? 1 : p->oc, depthwise ? p->oc : p->ic, p->kh, p->kw,
                        u8 ? ac::DataType::QSYMM8_PER_CHANNEL : ac::DataType::F32);
    d.bias = ac::TensorInfo(ac::TensorShape(static_cast<size_t>(p->oc)), 1,
                            u8 ? ac::DataType::S32 : ac::DataType::F32);
    if (u8) {
        const float *scale = args->quant.scale;
        const int32_t shift = s8 ? 128 : 0;
        d.src.set_quantization_info(ac::QuantizationInfo(1.0f, args->quant.src_zp - shift));
        d.dst.set_quantization_info(ac::QuantizationInfo(1.0f, args->quant.dst_zp - shift));
        d.weights.set_quantization_info(ac::QuantizationInfo(std::vector<float>(scale, scale + p->oc)));
    }
    d.window = armcl::window_of(p);
    d.dilation = armcl::dilation_of(p);
    d.clamp = clamp_of(p, args);
    d.multiplier = static_cast<unsigned>(p->oc / p->ic);
    return d;
}

bool validate(const Description &d, armcl_function function) {
    const bool dilated = d.dilation.x() != 1 || d.dilation.y() != 1;
    switch (function) {
    case ARMCL_GEMM:
        return bool(ac::NEGEMMConvolutionLayer::validate(&d.src, &d.weights, &d.bias, &d.dst, d.window,
                                                         ac::WeightsInfo(), d.dilation, d.clamp));
    case ARMCL_DIRECT:
        return !dilated && bool(ac::NEDirectConvolutionLayer::validate(&d.src, &d.weights, &d.bias, &d.dst,
                                                                       d.window, d.clamp));
    case ARMCL_WINOGRAD:
        return !dilated && bool(ac::NEWinogradConvolutionLayer::validate(&d.src, &d.weights, &d.bias, &d.dst,
                                                                         d.window, d.clamp));
    case ARMCL_DEPTHWISE:
        return bool(ac::NEDepthwiseConvolutionLayer::validate(&d.src, &d.weights, &d.bias, &d.dst, d.window,
                                                              d.multiplier, d.clamp, d.dilation));
    default:
        return false;
    }
}

/* Some values, where there are no arguments yet: whether a function is offered does not depend on them. */
struct Asked {
    std::vector<float> scale;
    cw_conv_args args;
    explicit Asked(const cw_problem *p) : scale(static_cast<size_t>(p->oc), 0.5f), args() {
        args.lo = 1;
        args.hi = 6;
        args.quant.src_zp = p->zp ? 3 : 0;
        args.quant.dst_zp = p->zp ? 5 : 0;
        args.quant.scale = scale.data();
    }
};

/* 20.08 leaves the border of a depthwise layer's source unset where it has pads at the sides only. */
bool fits(const cw_problem *p, armcl_function function) {
    if (function != ARMCL_DEPTHWISE) return p->g == 1;
    return is_depthwise(p) && (p->pt || p->pb || !(p->pl || p->pr));
}

} // namespace

/* ---- A convolution ---- */

struct armcl_conv {
    unsigned threads;
    Space space;
    View src, dst;
    ac::Tensor weights, bias;
    armcl_tensor src_tensor, dst_tensor;
    std::shared_ptr<ac::MemoryManagerOnDemand> memory;
    std::unique_ptr<ac::IFunction> function;
};

namespace {

void configure(armcl_conv *c, armcl_function function, const Description &d) {
    ac::ITensor *src = &c->src, *weights = &c->weights, *bias = &c->bias, *dst = &c->dst;
    switch (function) {
    case ARMCL_GEMM: {
        auto *f = new ac::NEGEMMConvolutionLayer(c->memory);
        c->function.reset(f);
        f->configure(src, weights, bias, dst, d.window, ac::WeightsInfo(), d.dilation, d.clamp);
        break;
    }
    case ARMCL_DIRECT: {
        auto *f = new ac::NEDirectConvolutionLayer(c->memory);
        c->function.reset(f);
        f->configure(src, weights, bias, dst, d.window, d.clamp);
        break;
    }
    case ARMCL_WINOGRAD: {
        auto *f = new ac::NEWinogradConvolutionLayer(c->memory);
        c->function.reset(f);
        f->configure(src, weights, bias, dst, d.window, d.clamp);
        break;
    }
    default: {
        auto *f = new ac::NEDepthwiseConvolutionLayer(c->memory);
        c->function.reset(f);
        f->configure(src, weights, bias, dst, d.window, d.multiplier, d.clamp, d.dilation);
    }
    }
}

/* All but the weights: what is known of memory is known after it. */
std::unique_ptr<armcl_conv> configured(const cw_problem *p, armcl_function function, cw_layout layout,
                                       const cw_conv_args *args) {
    threads_now = static_cast<unsigned>(p->threads);
    const Description d = describe(p, function, layout, args);
    std::unique_ptr<armcl_conv> c(new armcl_conv());
    c->threads = threads_now;
    c->memory = std::make_shared<ac::MemoryManagerOnDemand>(std::make_shared<ac::BlobLifetimeManager>(),
                                                            std::make_shared<ac::PoolManager>());
    c->src.tensor_info = d.src;
    c->dst.tensor_info = d.dst;
    c->weights.allocator()->init(d.weights);
    c->bias.allocator()->init(d.bias);
    configure(c.get(), function, d);
    c->src_tensor = tensor_of(c->src.tensor_info);
    c->dst_tensor = tensor_of(c->dst.tensor_info);
    c->memory->populate(c->space, 1);
    return c;
}

/* Weights come as (oc, kh, kw, ic/g). */
void fill(armcl_conv *c, const cw_problem *p, const cw_conv_args *args) {
    const bool depthwise = is_depthwise(p);
    const size_t element = p->prec == CW_U8 ? 1 : 4;
    const ptrdiff_t unit = static_cast<ptrdiff_t>(element), pixel = depthwise ? unit : unit * p->ic,
                    channel = pixel * p->kh * p->kw;
    const int32_t extent[4] = {depthwise ? 1 : p->oc, depthwise ? p->oc : p->ic, p->kh, p->kw};
    const armcl_tensor ours = {0, 0, 0, {channel, depthwise ? channel : unit, pixel * p->kw, pixel}};
    const armcl_tensor theirs = tensor_of(*c->weights.info());
    c->weights.allocator()->allocate();
    std::memset(c->weights.buffer(), 0, theirs.bytes);
    armcl_copy(extent, element, &ours, args->weights, &theirs, c->weights.buffer());
    c->bias.allocator()->allocate();
    std::memset(c->bias.buffer(), 0, c->bias.info()->total_size());
    if (args->bias)
        std::memcpy(c->bias.buffer() + c->bias.info()->offset_first_element_in_bytes(), args->bias,
                    static_cast<size_t>(p->oc) * 4);
}

/* Packing may need scratch memory, too. Winograd packs the weights of its matrix product in its first run
 * only: that run is here, on zeros. */
void prepare(armcl_conv *c, armcl_function function) {
    std::vector<uint8_t> scratch(c->space.bytes + line), src, dst;
    void *start = scratch.data();
    size_t room = scratch.size();
    c->space.base = static_cast<uint8_t *>(std::align(line, c->space.bytes, start, room));
    c->function->prepare();
    if (function == ARMCL_WINOGRAD) {
        src.resize(c->src_tensor.bytes);
        dst.resize(c->dst_tensor.bytes);
        c->src.memory = src.data();
        c->dst.memory = dst.data();
        c->function->run();
    }
    c->space.base = c->src.memory = c->dst.memory = nullptr;
    if (!c->weights.is_used()) c->weights.allocator()->free();
}

} // namespace

/* ---- C ---- */

void armcl_version(char *text, size_t size) {
    std::snprintf(text, size, "unknown");
    try {
        const std::string told = ac::build_information();
        const size_t at = told.find("arm_compute_version=");
        if (at == std::string::npos) return;
        const size_t begin = told.find_first_not_of("v", at + std::strlen("arm_compute_version="));
        std::snprintf(text, size, "%s", told.substr(begin, told.find(' ', begin) - begin).c_str());
    } catch (const std::exception &) {
    }
}

void armcl_open(void) {
    static std::shared_ptr<OpenMP> ours;
    if (scheduler_users++) return;
    former_scheduler = ac::Scheduler::get_type();
    if (!ours) ours = std::make_shared<OpenMP>();
    ac::Scheduler::set(ours);
}

void armcl_close(void) {
    if (--scheduler_users == 0) ac::Scheduler::set(former_scheduler);
}

bool armcl_offers(const cw_problem *p, armcl_function function, cw_layout layout) {
    if (!fits(p, function)) return false;
    try {
        threads_now = static_cast<unsigned>(p->threads);
        const Asked asked(p);
        return validate(describe(p, function, layout, &asked.args), function);
    } catch (const std::exception &) { /* some checks throw what they should return */
        return false;
    }
}

armcl_function armcl_choice(const cw_problem *p, cw_layout layout) {
    if (is_depthwise(p)) return ARMCL_DEPTHWISE;
    if (p->g > 1) return ARMCL_FUNCTIONS;
    try {
        const Asked asked(p);
        const Description d = describe(p, ARMCL_GEMM, layout, &asked.args);
        switch (ac::NEConvolutionLayer::get_convolution_method(&d.src, &d.weights, &d.dst, d.window,
                                                               ac::WeightsInfo(), d.dilation, d.clamp)) {
        case ac::ConvolutionMethod::GEMM:
            return ARMCL_GEMM;
        case ac::ConvolutionMethod::DIRECT:
            return ARMCL_DIRECT;
        case ac::ConvolutionMethod::WINOGRAD:
            return ARMCL_WINOGRAD;
        default: /* FFT is not listed: docs/armcl.md */
            return ARMCL_FUNCTIONS;
        }
    } catch (const std::exception &) {
        return ARMCL_FUNCTIONS;
    }
}

int64_t armcl_ask_workspace(const cw_problem *p, armcl_function function, cw_layout layout, armcl_tensor *src,
                            armcl_tensor *dst) {
    try {
        const Asked asked(p);
        const std::unique_ptr<armcl_conv> c = configured(p, function, layout, &asked.args);
        *src = c->src_tensor;
        *dst = c->dst_tensor;
        return static_cast<int64_t>(c->space.bytes);
    } catch (const std::exception &) {
        return -1;
    }
}

cw_status armcl_create(const cw_problem *p, armcl_function function, cw_layout layout,
                       const cw_conv_args *args, armcl_conv **out, cw_error *err) {
    try {
        if (!validate(describe(p, function, layout, args), function))
            return fail(err, CW_UNSUPPORTED, "it refuses these arguments");
        std::unique_ptr<armcl_conv> c = configured(p, function, layout, args);
        fill(c.get(), p, args);
        prepare(c.get(), function);
        *out = c.release();
        return CW_OK;
    } catch (const std::bad_alloc &) {
        return fail(err, CW_NO_MEMORY, "out of memory");
    } catch (const std::exception &e) {
        return fail(err, CW_BACKEND, e.what());
    }
}

size_t armcl_workspace(const armcl_conv *conv) {
    return conv->space.bytes;
}
const armcl_tensor *armcl_source(const armcl_conv *conv) {
    return &conv->src_tensor;
}
const armcl_tensor *armcl_destination(const armcl_conv *conv) {
    return &conv->dst_tensor;
}

cw_status armcl_run(armcl_conv *c, const void *src, void *dst, void *workspace) {
    try {
        threads_now = c->threads;
        c->src.memory = static_cast<uint8_t *>(const_cast<void *>(src));
        c->dst.memory = static_cast<uint8_t *>(dst);
        c->space.base = static_cast<uint8_t *>(workspace);
        c->function->run();
        return CW_OK;
    } catch (const std::exception &) {
        return CW_BACKEND;
    }
}

void armcl_destroy(armcl_conv *conv) {
    delete conv;
}
