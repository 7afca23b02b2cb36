#!/usr/bin/env bash
# What another machine's model is worth where few problems are measured; writes Markdown to standard output (the tables of
# docs/few-shot.md).
#     bench/probes.sh DATA
# DATA has finddb/*.fdb.txt.bz2. SEEDS: how many (3). BUILD: build folder. RAW: folder that keeps each run's results, so that what is
# there is not run again. About 12 minutes. Needs python3.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { echo "usage: bench/probes.sh DATA" >&2; exit 2; }
data=$1 build=${BUILD:-build/release} seeds=${SEEDS:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
raw=${RAW:-$work}

store() { # GPU: the path of its store, made where missing
    local file=$work/$1.db
    [ -e "$file" ] || "$build/convwise" import finddb "$data/finddb/$1.HIP.fdb.txt.bz2" --store "$file" >"$work/import" 2>&1 ||
        { cat "$work/import" >&2; exit 1; }
    echo "$file"
}

for pair in gfx906_60:gfx90878 gfx90878:gfx1030_36; do
    from=${pair%:*} to=${pair#*:}
    for precision in f32 f16; do
        results=()
        for ((seed = 0; seed < seeds; seed++)); do
            result=$raw/raw.$from.$to.$precision.$seed
            [ -s "$result" ] || "$build/bench/bench_fewshot" "$(store "$from")" "$(store "$to")" precision=$precision families=1 seed=$seed \
                draws=3 >"$result" 2>/dev/null
            results+=("$result")
        done
        printf '### From %s to %s, %s, by family\n\n' "${from%_*}" "${to%_*}" "$precision" | sed 's/gfx90878/gfx908/g'
        python3 - "${results[@]}" <<'P'
import collections, math, sys
got = collections.defaultdict(list)
for name in sys.argv[1:]:
    for line in open(name):
        seed, probes, how, who, geomean, pooled = line.rstrip("\n").split("\t")
        got[how, who, int(probes) if how not in ("none", "all") else 0].append((float(geomean), float(pooled)))
counts = sorted({key[2] for key in got if key[2]})
def geomean(figures):
    values = [f[0] for f in figures]
    return "%.3f (%.3f–%.3f)" % (math.exp(sum(map(math.log, values)) / len(values)), min(values), max(values))
def pooled(figures): return "%+.0f %%" % (100 * sum(f[1] for f in figures) / len(figures))
base, order = got["none", "base alone", 0], got["all", "static order", 0]
print("The base alone: %s, pooled %s. The static order of all problems here: %s, pooled %s.\n" % (geomean(base), pooled(base), geomean(order), pooled(order)))
print("| probes | found | static order | from scratch | on the base | pooled: static | scratch | base |\n|---:|---|---:|---:|---:|---:|---:|---:|")
for n in counts:
    for how in ("random", "picked"):
        ways = [got[how, who, n] for who in ("static order", "from scratch", "on the base")]
        best = min(range(3), key=lambda k: sum(math.log(f[0]) for f in ways[k]))
        cells = [("**%s**" if k == best else "%s") % geomean(w) for k, w in enumerate(ways)]
        print("| %d | %s | %s | %s |" % (n, how, " | ".join(cells), " | ".join(map(pooled, ways))))
print()
P
    done
done
