#!/usr/bin/env bash
# Does boosting lose what it promises? On MIOpen's find-db, forward, two dimensions, by groups: the loss promised over the loss met in ten
# parts by rising promise, a row a seed. Markdown (docs/results.md has it).
#     bench/reliability.sh DATA [BUILD]      DATA has finddb/*.fdb.txt.bz2
# SEEDS: how many, 3. Takes half an hour. Needs python3.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: bench/reliability.sh DATA [BUILD]" >&2; exit 2; }
data=$1 build=${2:-build/release} seeds=${SEEDS:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "| set | seed | promised over met, least promised first | within 1.5 |"
echo "|---|---:|---|---:|"
for gpu in gfx908:gfx90878.HIP: gfx1030:gfx1030_36.HIP:--families gfx906:gfx906_60.HIP:--families; do
    IFS=: read -r name file families <<<"$gpu"
    [ -e "$data/finddb/$file.fdb.txt.bz2" ] || continue
    "$build/convwise" import finddb "$data/finddb/$file.fdb.txt.bz2" --store "$work/$name.db" >/dev/null 2>&1
    for precision in f32 f16; do
        for ((seed = 0; seed < seeds; seed++)); do
            "$build/convwise" validate --store "$work/$name.db" --precision $precision --direction fwd --dims 2 --at-least 2 $families \
                --split group --learner boost --reliability --seed $seed --json >"$work/report.json" 2>/dev/null
            python3 - "$work/report.json" "$name $precision${families:+, families}" $seed <<'P'
import json, sys
parts = json.load(open(sys.argv[1]))["learners"][0]["reliability"]
def ratio(p): return p["promised"] / p["met"] if p["met"] else None
kept = sum(1 for p in parts if (1 / 1.5 <= ratio(p) <= 1.5 if p["met"] else p["promised"] < 5e-5))
print("| %s | %s | %s | %d of %d |" % (sys.argv[2], sys.argv[3], " ".join("–" if ratio(p) is None else "%.2f" % ratio(p) for p in parts),
                                     kept, len(parts)))
P
        done
    done
done
