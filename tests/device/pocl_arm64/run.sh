#!/usr/bin/env bash
# Runs test_armcl_cl of an arm64 build on PoCL for arm64, all of it under qemu's emulation, with what that needs (docs/armcl.md).
#   bash tests/device/pocl_arm64/run.sh BUILD ROOT POCL      all absolute; ROOT and POCL are made by cmake/arm64-root.sh
set -euo pipefail
build=$1 root=$2 pocl=$3 work=$1/pocl
mkdir -p "$work/lib" "$work/bin" "$work/vendors" "$work/cache"

# In front of the loader for all of the program; also under the name that the Arm Compute Library opens by itself.
aarch64-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -shared -fPIC --sysroot="$root" tests/device/pocl_arm64/shim.c \
    -o "$work/lib/libOpenCL.so" -L"$root/usr/lib/aarch64-linux-gnu" -Wl,--no-as-needed -l:libOpenCL.so.1 -ldl

# PoCL's compiler starts "ld", which is this system's. The cross linker does not know where GCC's library is.
cat >"$work/bin/ld" <<'LD'
#!/bin/sh
exec aarch64-linux-gnu-ld -L"$(dirname "$(aarch64-linux-gnu-gcc -print-libgcc-file-name)")" "$@"
LD
chmod +x "$work/bin/ld"

# The Arm Compute Library starts a thread for each further CPU as soon as it is loaded, and qemu cannot start threads in the child of a
# process that has some: one CPU.
mkdir -p "$work/root/sys/devices/system/cpu"
echo 0 >"$work/root/sys/devices/system/cpu/online"
ln -sfn "$root/lib" "$root/usr" "$work/root/"

# By its full path: PoCL looks for its files beside itself, by a call that qemu does not lead into ROOT.
ls "$pocl"/usr/lib/aarch64-linux-gnu/libpocl.so.2.* >"$work/vendors/pocl.icd"

# What the system's own programs say of the emulated program's library, and the compiler of the library's kernels, is of no interest.
PATH=$work/bin:$PATH OCL_ICD_VENDORS=$work/vendors POCL_CACHE_DIR=$work/cache qemu-aarch64 -cpu max -L "$work/root" \
    -E HWLOC_SYNTHETIC="pack:1 l3:1 core:1 pu:1" -E HWLOC_THISSYSTEM=1 -E LD_PRELOAD="$work/lib/libOpenCL.so" \
    -E LD_LIBRARY_PATH="$work/lib:$pocl/usr/lib/aarch64-linux-gnu:$pocl/lib/aarch64-linux-gnu" "$build/tests/test_armcl_cl" \
    2> >(grep -v -e 'cannot be preloaded' -e 'warnings* generated' >&2)
