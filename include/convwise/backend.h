/* convwise/backend.h: the contract for those who add an implementation.
 *
 * A backend is one constant `cw_backend` and one row in src/backend/table.c. It lists implementations; an
 * implementation prepares a kernel for one problem; a kernel runs. Backends do not see each other and print
 * nothing. What a backend need not do: validate problems (they passed cw_problem_check), check outputs, take
 * times, or guard against being called from two threads (a context belongs to one).
 * CONTRIBUTING.md tells how to add one. */
#ifndef CONVWISE_BACKEND_H
#define CONVWISE_BACKEND_H

#include "../convwise.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CW_BACKEND_ABI = 3 };

/* The machine, as far as choosing code depends on it. */
typedef struct cw_machine {
    char cpu[96]; /* model name as the kernel gives it; " + " and the device, if there is one */
    char isa[16]; /* best of: portable, sse41, avx2, avx512, neon */
    bool avx2, avx512, vnni, bf16; /* avx2 with FMA; avx512 = F, BW, DQ, VL */
    int32_t cores;                 /* usable by this process */
    int64_t l1d, l2, l3;           /* bytes a core sees; 0 = unknown */
    char device[160];              /* name of the device that the context was asked for, "" = none */
    char fingerprint[33];          /* 16 hex digits: hash of all above but cores */
    bool capped;                   /* isa and flags are below what the CPU has: see cw_machine_cap */
} cw_machine;

typedef struct cw_impl cw_impl;
typedef struct cw_kernel cw_kernel;

/* One thing that can win. The backend owns it, at one address from open to close; it may be the first member
 * of something larger. */
struct cw_impl {
    const char *name; /* permanent: "<backend>.<what>" */
    cw_family family;
    bool candidate; /* false: never chosen (ref, null), or, where reduced, only where asked */
    /* True if outputs equal the reference up to rounding: direct and GEMM kinds. False: Winograd and FFT,
     * whose error grows with the transform, and u8 kinds that saturate 16-bit sums. Decides the limit that
     * measuring verifies against. */
    bool exact;
    /* Packs, compiles, allocates. On failure nothing is left behind. */
    cw_status (*prepare)(const cw_impl *impl, const cw_problem *p, const cw_conv_args *args, cw_kernel **out,
                         cw_error *err);
    /* True: a problem's output is the same, to the bit, whenever it runs: no sum depends on which thread
     * comes first. False: it may differ, or nobody knows. */
    bool deterministic;
    /* True: it may work in a layout of its own, between reorders that each run pays for. */
    bool own_layout;
    /* True: u8 outputs are requantised in integers, twice rounded: next to a half they may be one step off.
     */
    bool fixed_point;
    /* True: arithmetic of lower precision than the problem's; not exact and no candidate, and the part of the
     * name behind the backend's begins with the arithmetic: "onednn.bf16.<kernel>" (cw_impl_is_reduced). */
    bool reduced;
};

/* A prepared convolution; the first member of the backend's own. */
struct cw_kernel {
    size_t workspace_bytes; /* that run wants, 64-byte aligned */
    /* Sizes of source and destination in the implementation's own layout, 0 where it works on the problem's
     * layout directly. Where not 0 the reorder hooks are mandatory, and run gets tensors in the own layout.
     */
    size_t src_own_bytes, dst_own_bytes;
    /* The timed call: no allocation. */
    cw_status (*run)(cw_kernel *kernel, const void *src, void *dst, void *workspace);
    cw_status (*src_reorder)(cw_kernel *kernel, const void *plain, void *own);
    cw_status (*dst_reorder)(cw_kernel *kernel, const void *own, void *plain);
    void (*destroy)(cw_kernel *kernel);
};

/* What a run takes of the caller's memory: the kernel's workspace, and behind it the tensors in its own
 * layout. */
static inline int64_t cw_workspace_total(size_t workspace_bytes, size_t src_own_bytes, size_t dst_own_bytes) {
    const size_t line = 63;
    return (int64_t)(((workspace_bytes + line) & ~line) + ((src_own_bytes + line) & ~line) +
                     ((dst_own_bytes + line) & ~line));
}

/* Called once for each implementation. why_not: NULL = supports the problem, else a short static reason.
 * library_choice: the one the library would take by itself for this problem; at most one a backend. */
typedef void cw_impl_visit(void *arg, const cw_impl *impl, const char *why_not, bool library_choice);

typedef struct cw_backend {
    int abi; /* CW_BACKEND_ABI */
    const char *name;
    const char *package; /* Debian package it needs, NULL = none */
    bool third_party;    /* its code can crash: measure it in a child process */
    bool on_device;      /* runs on machine->device: opened only in contexts that have one */
    bool nchw;           /* takes NCHW problems; else they come as NHWC, and are transposed around it */
    /* Never fails for want of a library: what was not found at build time has no row. machine outlives the
     * state. */
    cw_status (*open)(const cw_machine *machine, void **state, cw_error *err);
    void (*close)(void *state);
    const char *(*version)(void *state); /* of the library, for the store */
    /* Visits every implementation in a stable order. p NULL: all that exist, with why_not NULL. With p, at
     * least those that support it; those known but unsupported with the reason. */
    cw_status (*list)(void *state, const cw_problem *p, cw_impl_visit *visit, void *arg, cw_error *err);
    /* Bytes that cw_conv_workspace will say of a prepared impl (cw_workspace_total), for an impl that list
     * has just told supports p; -1 = unknown. NULL = always unknown. */
    int64_t (*workspace)(void *state, const cw_impl *impl, const cw_problem *p);
} cw_backend;

#ifdef __cplusplus
}
#endif
#endif
