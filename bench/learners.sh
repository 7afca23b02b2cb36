#!/usr/bin/env bash
# Every learner on what is public and on this machine's own stores; writes Markdown to standard output (docs/results.md is that).
#     bench/learners.sh DATA [STORE...]
# DATA has finddb/*.fdb.txt.bz2 and mali-t860/; STORE: collations (bench/collation.sh makes one). LEARNERS, SEEDS: which, and how
# many of each. DIRECTION: of the find-db's problems (fwd, bwd_d, bwd_w). BUILD: build folder. Takes an hour with three seeds. Needs
# python3.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: bench/learners.sh DATA [STORE...]" >&2; exit 2; }
data=$1 build=${BUILD:-build/release} seeds=${SEEDS:-3} direction=${DIRECTION:-fwd}
shift
read -r -a learners <<<"${LEARNERS:-bayes tree regret-tree forest extra-trees regret-forest boost ensemble}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=()
for learner in "${learners[@]}"; do options+=(--learner "$learner"); done

table() { # JSON reports of validate --seeds: one table, a row a contender
    python3 - "$@" <<'P'
import json, sys
columns = [("geomean", lambda v: "%.3f" % v), ("within_5pct", lambda v: "%.0f %%" % (100 * v)),
           ("over_1_5x", lambda v: "%.1f %%" % (100 * v)), ("accuracy", lambda v: "%.0f %%" % (100 * v)),
           ("regret", lambda v: "%+.1f %%" % (100 * v))]
print("| contender | geomean (least to most) | within 5 % | over 1.5x | right | pooled loss (least to most) |\n|---|---:|---:|---:|---:|---:|")
report = json.load(open(sys.argv[1]))
names = [l["learner"] for l in report["learners"]] + ["best static"]
if any(b["baseline"] == "library" for b in report["baselines"]) and len(sys.argv) > 2: names.append("library")
for name in names:
    s = report["spread"][name]
    def whole(key, show): return "%s (%s to %s)" % tuple(show(s[key][k]) for k in ("mean", "least", "most"))
    print("| %s | %s | %s | %s | %s | %s |" % (name, whole(*columns[0]), columns[1][1](s["within_5pct"]["mean"]),
          columns[2][1](s["over_1_5x"]["mean"]), columns[3][1](s["accuracy"]["mean"]), whole(*columns[4])))
P
}

cat <<'P'
# Every learner, on measurements it has not seen

Made by `bench/learners.sh DATA STORE...`; default settings; mean over the seeds (least to most). *Geomean*: of the chosen
implementation's time over the fastest one's. [validating.md](validating.md) has the other words, [learners.md](learners.md) the learners.

P
for gpu in gfx908:gfx90878.HIP: gfx1030:gfx1030_36.HIP:--families gfx906:gfx906_60.HIP:--families; do
    IFS=: read -r name file families <<<"$gpu"
    [ -e "$data/finddb/$file.fdb.txt.bz2" ] || continue
    "$build/convwise" import finddb "$data/finddb/$file.fdb.txt.bz2" --store "$work/$name.db" >/dev/null 2>&1
    for precision in f32 f16; do
        report=$work/$name.$precision.json
        "$build/convwise" validate --store "$work/$name.db" --precision $precision --direction "$direction" --dims 2 --at-least 2 $families \
            --split group --seeds "$seeds" "${options[@]}" --json >"$report" 2>/dev/null
        printf '## find-db %s, %s, %s%s\n\nFive folds by group, choices within the record (masked).\n\n' "$name" "$precision" \
            "${direction/#fwd/forward}" "${families:+, among families}"
        table "$report"
        echo
    done
done
if [ -e "$work/gfx908.db" ] && [ "$direction" = fwd ]; then
    printf '## find-db gfx908, f32, forward, not masked by the record\n\nCandidates: every solver measured on the same kernel, stride, dilation, layout and grouping (`--mask kind --absent slow`); one without a\ntime counts as the slowest of the record.\n\n'
    "$build/convwise" validate --store "$work/gfx908.db" --precision f32 --direction fwd --dims 2 --at-least 2 --split group \
        --seeds "$seeds" --mask kind --absent slow "${options[@]}" --json >"$work/kind.json" 2>/dev/null
    table "$work/kind.json"
    echo
fi
for store in "$@"; do
    printf '## This machine: %s, leave one network out\n\n' "$(basename "$store" .db)"
    "$build/convwise" validate --store "$store" --split network --seeds "$seeds" "${options[@]}" --json >"$work/own.json" 2>/dev/null
    table "$work/own.json" library
    python3 - "$work/own.json" <<'P'
import json, sys
report = json.load(open(sys.argv[1]))
library = {(g["name"], g["precision"]): g for b in report["baselines"] if b["baseline"] == "library" for g in b["groups"]}
print()
for l in report["learners"]:
    ahead = [g["name"] for g in l["groups"] if g["chosen_us"] < library[g["name"], g["precision"]]["chosen_us"]]
    print("- %s is ahead of the library's own choice on %d of %d networks" % (l["learner"], len(ahead), len(l["groups"])))
print()
P
done
