#!/usr/bin/env bash
# What the portfolio is worth: the sum over each network's convolutions of the times of oneDNN's own choice over the best of all
# implementations, over what a rule written by hand takes, and over what a learner chooses that never saw the network. Measures all
# networks (every implementation of a layer interleaved), then prints Markdown (docs/portfolio.md is that).
#     bench/portfolio.sh [STORE] [BUILD]
# PRECISION (f32), THREADS (1), BATCH (1), LAYOUT (nhwc), CACHE (hot): of the layers. MAX_ISA: use no instructions above it (sse41,
# avx2, avx512). FPMATH (strict): bf16 = f32 may be computed in bf16, too. REPEATS (2): how often they are measured into STORE (out/portfolio.db, made anew), 0 = tell of the STORE that is there.
# LEARNER (ensemble). SEEDS (3). Keep the machine idle. Needs python3.
set -eu
cd "$(dirname "$0")/.."
store=${1:-out/portfolio.db} build=${2:-build/release} precision=${PRECISION:-f32} threads=${THREADS:-1} batch=${BATCH:-1}
layout=${LAYOUT:-nhwc} cache=${CACHE:-hot} fpmath=${FPMATH:-strict} max_isa=${MAX_ISA:-}
repeats=${REPEATS:-2} learner=${LEARNER:-ensemble} seeds=${SEEDS:-3}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
mkdir -p "$(dirname "$store")"
[ "$repeats" = 0 ] || rm -f "$store" "$store-wal" "$store-shm" "$store-journal"
for ((i = 0; i < repeats; i++)); do
    "$build/convwise" measure --net all --precision "$precision" --threads "$threads" --batch "$batch" \
        --layout "$layout" --cache "$cache" --fpmath "$fpmath" ${max_isa:+--max-isa "$max_isa"} --store "$store" --again --json >/dev/null
done
reports=()
trap 'rm -f "${reports[@]}"' EXIT
for ((seed = 0; seed < seeds; seed++)); do
    report=$(mktemp)
    reports+=("$report")
    "$build/convwise" validate --store "$store" --precision "$precision" --cache "$cache" --fpmath "$fpmath" --split network --learner "$learner" --seed $seed --json >"$report" 2>/dev/null
done
title="$precision, $([ "$threads" = 1 ] && echo "one thread" || echo "$threads threads"), batch $batch"
[ "$layout" = nhwc ] || title="$title, $layout"
[ "$cache" = hot ] || title="$title, $cache cache"
[ "$fpmath" = strict ] || title="$title, computed in f32 or $fpmath"
printf '## %s%s\n\n' "$title" "${max_isa:+, at most $max_isa}"
python3 bench/portfolio.py "$store" "$precision" "$threads" "$batch" "$layout" "$cache" "$fpmath" "${reports[@]}"
