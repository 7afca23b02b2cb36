#!/usr/bin/env bash
# What the portfolio is worth: the sum over each network's convolutions of the times of oneDNN's own choice over the best of all
# implementations, and over what a learner chooses that never saw the network. Measures all networks (every implementation of a layer
# interleaved), then prints Markdown (docs/portfolio.md is that).
#     bench/portfolio.sh [STORE] [BUILD]
# PRECISION (f32), THREADS (1), BATCH (1): of the layers. MAX_ISA: use no instructions above it (sse41, avx2, avx512). REPEATS (2): how often they are measured into STORE (out/portfolio.db, made
# anew), 0 = tell of the STORE that is there. LEARNER (ensemble). SEEDS (3). Keep the machine idle. Needs python3.
set -eu
cd "$(dirname "$0")/.."
store=${1:-out/portfolio.db} build=${2:-build/release} precision=${PRECISION:-f32} threads=${THREADS:-1} batch=${BATCH:-1}
max_isa=${MAX_ISA:-}
repeats=${REPEATS:-2} learner=${LEARNER:-ensemble} seeds=${SEEDS:-3}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
mkdir -p "$(dirname "$store")"
[ "$repeats" = 0 ] || rm -f "$store" "$store-wal" "$store-shm" "$store-journal"
for ((i = 0; i < repeats; i++)); do
    "$build/convwise" measure --net all --precision "$precision" --threads "$threads" --batch "$batch" ${max_isa:+--max-isa "$max_isa"} --store "$store" --again --json >/dev/null
done
reports=()
trap 'rm -f "${reports[@]}"' EXIT
for ((seed = 0; seed < seeds; seed++)); do
    report=$(mktemp)
    reports+=("$report")
    "$build/convwise" validate --store "$store" --precision "$precision" --split network --learner "$learner" --seed $seed --json >"$report" 2>/dev/null
done
printf '## %s, %s, batch %s%s\n\n' "$precision" "$([ "$threads" = 1 ] && echo "one thread" || echo "$threads threads")" "$batch" "${max_isa:+, at most $max_isa}"
python3 - "$learner" "${reports[@]}" <<'P'
import json, sys
reports = [json.load(open(name)) for name in sys.argv[2:]]
groups = [r["learners"][0]["groups"] for r in reports]
print("| network | oneDNN's own choice, ms | best of all, ms | own choice / best | own choice / learned (least to most) | of the possible |\n|---|---:|---:|---:|---:|---:|")
total = [0.0, 0.0] + [0.0] * len(reports)
def row(name, library, best, chosen):
    ratios = [library / c for c in chosen]
    mean = sum(ratios) / len(ratios)
    print("| %s | %.1f | %.1f | %.2f | %.2f (%.2f to %.2f) | %.0f %% |" % (
        name, library / 1e3, best / 1e3, library / best, mean, min(ratios), max(ratios), 100 * mean * best / library))
for i, g in enumerate(groups[0]):
    chosen = [s[i]["chosen_us"] for s in groups]
    total = [a + b for a, b in zip(total, [g["library_us"], g["oracle_us"]] + chosen)]
    row(g["name"], g["library_us"], g["oracle_us"], chosen)
row("all", total[0], total[1], total[2:])
print("\nLearned: `%s`, each network left out in turn, %d seeds." % (sys.argv[1], len(reports)))
P
