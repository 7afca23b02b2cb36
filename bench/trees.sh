#!/usr/bin/env bash
# Time of one choice by emitted sums of trees of given sizes (random trees, no data needed):
#     bench/trees.sh [BUILD]
# BUILD: build folder (default build/release). Run it on an idle machine.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# One core, so that the scheduler does not move it.
taskset -c "$(($(nproc) - 1))" "$build/bench/bench_trees" "$work" "gcc -O2" "clang -O2"
