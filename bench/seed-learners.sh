#!/usr/bin/env bash
# Every learner on the seed's measurements, engineered features, settings chosen inside training: the time lost against the fastest operators, all
# networks together, in both splits; Markdown (docs/seed-learners.md is that).
#     bench/seed-learners.sh DATA [BUILD]
# DATA as for bench/seed.sh. LEARNERS, SEEDS (3). About ten minutes. Needs python3.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: bench/seed-learners.sh DATA [BUILD]" >&2; exit 2; }
data=$1 build=${2:-build/release} seeds=${SEEDS:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
store=$work/seed.db
"$build/convwise" import arff "$data/dataset.arff" --store "$store" --preset mali-t860 >/dev/null
for table in "$data"/layers.csv "$data"/layers-*.csv; do
    [ ! -f "$table" ] || "$build/convwise" import layers "$table" --store "$store" --preset mali-t860 >/dev/null
done
for learner in ${LEARNERS:-tree forest extra-trees regret-forest boost ensemble}; do
    for ((seed = 0; seed < seeds; seed++)); do
        "$build/convwise" validate --store "$store" --seed-mode --learner "$learner" --features engineered --tune --seed $seed \
            --json >"$work/$learner.$seed.json" 2>/dev/null
    done
done
cat <<'P'
# Every learner on the seed's measurements

Made by `bench/seed-learners.sh DATA`: the seed's experiment ([seed.md](seed.md) explains data, splits and charging) with engineered features, all labels
that a split leaves, and settings chosen inside training (`--tune`). Time lost against the fastest operator of each layer, all
networks together; mean over the seeds (least to most). *Slower than GEMM*: networks and precisions on which always-GEMM is faster, in the worst seed; *behind the rule*: on
which the Arm library's own rule is, among those where it loses anything.

P
python3 - "$work" "$seeds" ${LEARNERS:-tree forest extra-trees regret-forest boost ensemble} <<'P'
import json, sys
work, seeds, learners = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
def time(contender): return {(g["network"], g["precision"]): g["charged_us"] for g in contender["groups"]}
def worse(ours, theirs): return sorted("%s %s" % k for k in ours if ours[k] > theirs[k] * 1.00001)
print("| learner | split | f32 | u8 | slower than GEMM | behind the rule |\n|---|---|---:|---:|---|---|")
for learner in learners:
    reports = [json.load(open("%s/%s.%d.json" % (work, learner, s))) for s in range(seeds)]
    for split in ("network", "near"):
        cells, slower, behind = [], set(), set()
        for prec in ("f32", "u8"):
            losses = []
            for r in reports:
                c = next(x for x in r["contenders"] if x["name"] == learner and x["split"] == split and x["mode"] == "ALL")
                losses.append(100 * c["pooled"][prec]["regret"])
                named = {x["name"]: time(x) for x in r["contenders"] if not x["split"]}
                slower |= set(worse(time(c), named["always gemm"]))
                headroom = {k for k in named["arm cl"] if named["arm cl"][k] > named["oracle"][k] * 1.00001}
                behind |= set(worse({k: v for k, v in time(c).items() if k in headroom}, named["arm cl"]))
            cells.append("%.2f %% (%.2f to %.2f)" % (sum(losses) / len(losses), min(losses), max(losses)))
        print("| %s | %s | %s | %s | %s | %s |" % (learner, split, *cells, ", ".join(sorted(slower)) or "none", ", ".join(sorted(behind)) or "none"))
report = json.load(open("%s/%s.0.json" % (work, learners[0])))
for name in ("arm cl", "always gemm"):
    c = next(x for x in report["contenders"] if x["name"] == name)
    print("| %s | – | %.2f %% | %.2f %% | | |" % (name, 100 * c["pooled"]["f32"]["regret"], 100 * c["pooled"]["u8"]["regret"]))
P
