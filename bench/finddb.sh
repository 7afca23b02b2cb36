#!/usr/bin/env bash
# What can be learned from MIOpen's find-db, as Markdown (docs/finddb.md): for each GPU, precision and direction, two dimensions,
# problems with at least two recorded solvers, split by groups with three seeds.
#     bench/finddb.sh FOLDER [BUILD]      FOLDER has the *.fdb.txt.bz2 files
# Needs the sqlite3 shell and python3.
set -eu
cd "$(dirname "$0")/.."
folder=$1 build=${2:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

row() { # file's JSON report, precision, direction: one row of the table; counts the row for the summary
    python3 - "$@" "$work/summary" <<'P'
import json, sys
report = json.load(open(sys.argv[1]))
tree, bayes, static = (report["spread"][who] for who in ("tree", "bayes", "best static"))
def spread(figures): return "%.3f (%.3f to %.3f)" % (figures["mean"], figures["least"], figures["most"])
loss = {k: 100 * v for k, v in tree["regret"].items()}
print("| %s | %s | %d | %d | %.3f | %s | %s | %.0f %% | %.1f %% | %+.1f %% (%+.1f to %+.1f) |" % (
    sys.argv[2], sys.argv[3], report["learners"][0]["pooled"]["layers"], len(report["classes"]), static["geomean"]["mean"],
    spread(tree["geomean"]), spread(bayes["geomean"]), 100 * tree["within_5pct"]["mean"], 100 * tree["over_1_5x"]["mean"],
    loss["mean"], loss["least"], loss["most"]))
with open(sys.argv[4], "a") as summary:
    for name, who in (("tree", tree), ("bayes", bayes)):
        least, most = static["geomean"]["least"], static["geomean"]["most"]
        verdict = "ahead" if who["geomean"]["most"] < least else "behind" if who["geomean"]["least"] > most else "even"
        print(name, verdict, file=summary)
P
}

cat <<'P'
# MIOpen's find-db, learned

Made by `bench/finddb.sh FOLDER` from AMD's measurements of every solver (public, MIT): the seed's two learners, a tree with default
settings and naive Bayes, on three GPUs. Two dimensions, problems with at least two recorded solvers, five folds by group (input
channels, output channels, kernel) so that copies of a layer at other sizes and batches stay together. Figures are geometric means of
time over the best, mean of three seeds (least to most); *pooled loss* is the sum of times over the sum of the best.
[validating.md](validating.md) explains the words, [learners.md](learners.md) has the learners that do better.

Read them with care: the records are censored. gfx908's keep the four fastest solvers of a problem, the other two the best solver of
each family (there the choice is among families). Choices are limited to what a record has, and that a solver is in a record
says already that it is among the fast ones: with all solvers to choose from every figure would be worse.
P
for file in "$folder"/*.fdb.txt.bz2 "$folder"/*.fdb.txt; do
    [ -e "$file" ] || continue
    store=$work/store.db
    rm -f "$store"*
    "$build/convwise" import finddb "$file" --store "$store" >"$work/import" 2>"$work/complaints" || { cat "$work/complaints" >&2; exit 1; }
    families=
    sqlite3 "$store" "SELECT 1 FROM source WHERE scope = 'family'" | grep -q 1 && families=--families
    printf '\n## %s%s\n\n' "$(basename "$file")" "${families:+, by family}"
    sed 1d "$work/import" | sed 's/^ */- /'
    printf '\n| precision | direction | problems | classes | best static | tree | bayes | tree within 5 %% | tree over 1.5x | tree, pooled loss |\n'
    printf '|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n'
    for precision in f32 f16 bf16; do
        for direction in fwd bwd_d bwd_w; do
            # shellcheck disable=SC2086
            "$build/convwise" validate --store "$store" --precision $precision --direction $direction --dims 2 --at-least 2 \
                --split group --seeds 3 --learner tree --learner bayes $families --json >"$work/report.json" 2>/dev/null || continue
            row "$work/report.json" $precision $direction
        done
    done
done
python3 - "$work/summary" <<'P'
import collections, sys
count = collections.Counter(open(sys.argv[1]).read().splitlines())
rows = sum(count.values()) // 2
print("\n## What holds\n")
for name, who in (("tree", "The tree"), ("bayes", "Naive Bayes")):
    print("- %s is ahead of the best static order on %d of %d sets, behind on %d; on the others the seeds' ranges meet." % (
        who, count[name + " ahead"], rows, count[name + " behind"]))
P
