/* armcl_cl.cpp: the Arm Compute Library's OpenCL side (version 20.08) as a backend of its own: its functions
 * on a GPU, untuned, between copies of the caller's tensors into and out of its own. docs/armcl.md. */
#include "armcl_tensors.h"
#include "arm_compute/core/CL/OpenCL.h"
#include "arm_compute/runtime/CL/CLFunctions.h"
#include "arm_compute/runtime/CL/CLScheduler.h"
#include "arm_compute/runtime/CL/CLTensor.h"
#include "opencl.h"
#include <cstring>
#include <memory>
#include <unistd.h>
#include <vector>

namespace {

namespace ac = arm_compute;

/* ---- What there is ---- */

struct State;

struct Impl {
    cw_impl base; /* first */
    ac::ConvolutionMethod method;
    State *state;
};

constexpr size_t impl_count = 3;

struct State {
    Impl impls[impl_count];
    cw_opencl_device device;
    char version[64];
};

/* The library has one queue for the process; the one who starts it decides on which device. 0 = nobody yet.
 */
pid_t owner;
char device_in_use[sizeof cw_opencl_device::name];

/* Everything that a function asks for beside the tensors. */
struct Description {
    ac::TensorInfo src, dst, weights, bias;
    ac::PadStrideInfo window;
    ac::Size2D dilation;
    ac::ActivationLayerInfo clamp;

    Description(const cw_problem *p, const cw_conv_args *args) {
        cw_sizes sizes;
        cw_problem_sizes(p, &sizes);
        const cw_layout layout = static_cast<cw_layout>(p->layout);
        src = armcl::info_of(layout, p->mb, p->ic, p->ih, p->iw, ac::DataType::F32);
        dst = armcl::info_of(layout, p->mb, p->oc, sizes.oh, sizes.ow, ac::DataType::F32);
        weights = armcl::info_of(layout, p->oc, p->ic, p->kh, p->kw, ac::DataType::F32);
        bias = ac::TensorInfo(ac::TensorShape(static_cast<size_t>(p->oc)), 1, ac::DataType::F32);
        window = armcl::window_of(p);
        dilation = armcl::dilation_of(p);
        clamp = armcl::float_clamp(args);
    }

    bool dilated() const { return dilation.x() != 1 || dilation.y() != 1; }
};

/* A clamp like any, where there are no arguments yet. */
const cw_conv_args asked = {nullptr, nullptr, 1, 6, {0, 0, nullptr}};

bool validate(const Description &d, ac::ConvolutionMethod method) {
    switch (method) {
    case ac::ConvolutionMethod::GEMM:
        return bool(ac::CLGEMMConvolutionLayer::validate(&d.src, &d.weights, &d.bias, &d.dst, d.window,
                                                         ac::WeightsInfo(), d.dilation, d.clamp));
    case ac::ConvolutionMethod::DIRECT:
        return !d.dilated() && bool(ac::CLDirectConvolutionLayer::validate(&d.src, &d.weights, &d.bias,
                                                                           &d.dst, d.window, d.clamp));
    default:
        return !d.dilated() && bool(ac::CLWinogradConvolutionLayer::validate(&d.src, &d.weights, &d.bias,
                                                                             &d.dst, d.window, d.clamp));
    }
}

/* ---- A convolution ---- */

struct Kernel {
    cw_kernel base; /* first */
    std::unique_ptr<ac::IFunction> function;
    ac::CLTensor src, dst, weights, bias;
    armcl_tensor plain_src, plain_dst; /* as the caller has them */
    int32_t src_extent[4], dst_extent[4];
};

Kernel *kernel_of(cw_kernel *kernel) {
    return reinterpret_cast<Kernel *>(kernel);
}

/* Not in open: what a fork comes behind must not have started OpenCL. */
cw_status start(const State *s, cw_error *err) {
    if (owner && owner != getpid())
        return armcl::fail(err, CW_BACKEND, "OpenCL was started before this process was forked");
    if (owner && std::strcmp(device_in_use, s->device.name) != 0)
        return armcl::fail(err, CW_MISMATCH,
                           "it has one device a process, and an earlier context took another");
    if (owner) return CW_OK;
    const cl_device_id id = cw_opencl_get(s->device.name);
    if (!id) return armcl::fail(err, CW_BACKEND, "the device is gone");
    cl::Device device(id, true);
    cl::Context context(device);
    ac::CLScheduler::get().default_init_with_context(device, context, nullptr);
    owner = getpid();
    std::snprintf(device_in_use, sizeof device_in_use, "%s", s->device.name);
    return CW_OK;
}

template <typename Function> Function *made(Kernel *k) {
    Function *f = new Function();
    k->function.reset(f);
    return f;
}

void configure(Kernel *k, ac::ConvolutionMethod method, const Description &d) {
    switch (method) {
    case ac::ConvolutionMethod::GEMM:
        made<ac::CLGEMMConvolutionLayer>(k)->configure(&k->src, &k->weights, &k->bias, &k->dst, d.window,
                                                       ac::WeightsInfo(), d.dilation, d.clamp);
        break;
    case ac::ConvolutionMethod::DIRECT:
        made<ac::CLDirectConvolutionLayer>(k)->configure(&k->src, &k->weights, &k->bias, &k->dst, d.window,
                                                         d.clamp);
        break;
    default:
        made<ac::CLWinogradConvolutionLayer>(k)->configure(&k->src, &k->weights, &k->bias, &k->dst, d.window,
                                                           d.clamp);
    }
}

void write(ac::CLTensor &to, const int32_t extent[4], const armcl_tensor &plain, const void *from) {
    const armcl_tensor own = armcl::tensor_of(*to.info());
    to.map(true);
    armcl_copy(extent, sizeof(float), &plain, from, &own, to.buffer());
    to.unmap();
}

void read(ac::CLTensor &from, const int32_t extent[4], const armcl_tensor &plain, void *to) {
    const armcl_tensor own = armcl::tensor_of(*from.info());
    from.map(true);
    armcl_copy(extent, sizeof(float), &own, from.buffer(), &plain, to);
    from.unmap();
}

cw_status run(cw_kernel *kernel, const void *src, void *dst, void *) {
    Kernel *k = kernel_of(kernel);
    try {
        write(k->src, k->src_extent, k->plain_src, src);
        k->function->run();
        read(k->dst, k->dst_extent, k->plain_dst, dst);
        return CW_OK;
    } catch (const std::exception &) {
        return CW_BACKEND;
    }
}

void destroy(cw_kernel *kernel) {
    delete kernel_of(kernel);
}

/* Weights come as (oc, kh, kw, ic). */
void fill(Kernel *k, const cw_problem *p, const cw_conv_args *args) {
    const int32_t extent[4] = {p->oc, p->ic, p->kh, p->kw};
    armcl_tensor ours;
    armcl_dense(&ours, CW_NHWC, extent, sizeof(float));
    write(k->weights, extent, ours, args->weights);
    const std::vector<float> zeros(static_cast<size_t>(p->oc));
    const void *bias = args->bias ? args->bias : zeros.data();
    k->bias.map(true);
    std::memcpy(k->bias.buffer() + k->bias.info()->offset_first_element_in_bytes(), bias,
                zeros.size() * sizeof(float));
    k->bias.unmap();
}

std::unique_ptr<Kernel> create(const cw_problem *p, ac::ConvolutionMethod method, const Description &d,
                               const cw_conv_args *args) {
    cw_sizes sizes;
    cw_problem_sizes(p, &sizes);
    const int32_t src[4] = {p->mb, p->ic, p->ih, p->iw}, dst[4] = {p->mb, p->oc, sizes.oh, sizes.ow};
    std::unique_ptr<Kernel> k(new Kernel());
    std::copy(src, src + 4, k->src_extent);
    std::copy(dst, dst + 4, k->dst_extent);
    armcl_dense(&k->plain_src, static_cast<cw_layout>(p->layout), src, sizeof(float));
    armcl_dense(&k->plain_dst, static_cast<cw_layout>(p->layout), dst, sizeof(float));
    k->src.allocator()->init(d.src);
    k->dst.allocator()->init(d.dst);
    k->weights.allocator()->init(d.weights);
    k->bias.allocator()->init(d.bias);
    configure(k.get(), method, d);
    for (ac::CLTensor *tensor : {&k->src, &k->dst, &k->weights, &k->bias}) tensor->allocator()->allocate();
    fill(k.get(), p, args);
    /* Once, on what is there: weights are packed and kernels compiled in the first run. */
    k->function->run();
    ac::CLScheduler::get().sync();
    k->base.run = run;
    k->base.destroy = destroy;
    return k;
}

cw_status prepare(const cw_impl *impl, const cw_problem *problem, const cw_conv_args *args, cw_kernel **out,
                  cw_error *err) {
    const Impl *mine = reinterpret_cast<const Impl *>(impl);
    cw_problem p = *problem;
    cw_problem_canonical(&p);
    try {
        const cw_status status = start(mine->state, err);
        if (status != CW_OK) return status;
        const Description d(&p, args);
        if (!validate(d, mine->method)) return armcl::fail(err, CW_UNSUPPORTED, "it refuses these arguments");
        *out = &create(&p, mine->method, d, args).release()->base;
        return CW_OK;
    } catch (const std::bad_alloc &) {
        return armcl::fail(err, CW_NO_MEMORY, "out of memory");
    } catch (const std::exception &e) {
        return armcl::fail(err, CW_BACKEND, e.what());
    }
}

/* ---- The backend ---- */

const Impl rows[impl_count] = {
    {{"armcl.cl.gemm", CW_FAMILY_GEMM, true, true, prepare, true, true, false, false},
     ac::ConvolutionMethod::GEMM,
     nullptr},
    {{"armcl.cl.direct", CW_FAMILY_DIRECT, true, true, prepare, true, true, false, false},
     ac::ConvolutionMethod::DIRECT,
     nullptr},
    {{"armcl.cl.winograd", CW_FAMILY_WINOGRAD, true, false, prepare, true, true, false, false},
     ac::ConvolutionMethod::WINOGRAD,
     nullptr},
};

const char *why_not(const cw_problem *p, ac::ConvolutionMethod method) {
    if (p->prec != CW_F32) return "f32 only";
    if (p->g > 1) return "one group only";
    try {
        if (validate(Description(p, &asked), method)) return nullptr;
    } catch (const std::exception &) { /* some checks throw what they should return */
    }
    return "the library does not offer it for this problem";
}

/* The model of the GPU is asked for, but decides nothing. */
bool is_choice(const cw_problem *p, ac::ConvolutionMethod method) {
    try {
        const Description d(p, &asked);
        return ac::CLConvolutionLayer::get_convolution_method(&d.src, &d.weights, &d.dst, d.window,
                                                              ac::WeightsInfo(), d.clamp,
                                                              ac::GPUTarget::MIDGARD, d.dilation) == method;
    } catch (const std::exception &) {
        return false;
    }
}

cw_status list(void *state, const cw_problem *problem, cw_impl_visit *visit, void *arg, cw_error *) {
    const State *s = static_cast<const State *>(state);
    cw_problem p = {};
    if (problem) {
        p = *problem;
        cw_problem_canonical(&p);
    }
    for (const Impl &impl : s->impls) {
        const char *reason = problem ? why_not(&p, impl.method) : nullptr;
        visit(arg, &impl.base, reason, problem && !reason && is_choice(&p, impl.method));
    }
    return CW_OK;
}

/* All is in the device's memory. */
int64_t workspace(void *, const cw_impl *, const cw_problem *) {
    return 0;
}

cw_status open_state(const cw_machine *machine, void **out, cw_error *err) {
    cw_opencl_device device;
    const cw_status status = cw_opencl_find(machine->device, &device, err);
    if (status != CW_OK) return status;
    State *s = new (std::nothrow) State();
    if (!s) return armcl::fail(err, CW_NO_MEMORY, "out of memory");
    char number[16];
    s->device = device;
    armcl_version(number, sizeof number);
    std::snprintf(s->version, sizeof s->version, "%s, driver %.30s", number, device.driver);
    for (size_t i = 0; i < impl_count; i++) {
        s->impls[i] = rows[i];
        s->impls[i].state = s;
    }
    *out = s;
    return CW_OK;
}

void close_state(void *state) {
    delete static_cast<State *>(state);
}

const char *version(void *state) {
    return static_cast<const State *>(state)->version;
}

} // namespace

extern "C" {
extern const cw_backend cw_backend_armcl_cl;
const cw_backend cw_backend_armcl_cl = {CW_BACKEND_ABI, "armcl.cl",  "libarm-compute-dev ocl-icd-opencl-dev",
                                        true,           true,        true,
                                        open_state,     close_state, version,
                                        list,           workspace};
}
