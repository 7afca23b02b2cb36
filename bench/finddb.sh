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

row() { # file's JSON report, precision, direction: one row of the table
    python3 - "$@" <<'P'
import json, sys
report = json.load(open(sys.argv[1]))
who = {c.get("learner") or c.get("baseline"): c["pooled"] for c in report["learners"] + report["baselines"]}
seeds = [s["regret"]["tree"] for s in report["seeds"]]
tree, bayes, static = who["tree"], who["bayes"], who["best static"]
print("| %s | %s | %d | %d | %.3f | **%.3f** | %.3f | %.0f %% | %.1f %% | %+.1f %% (%+.1f to %+.1f) |" % (
    sys.argv[2], sys.argv[3], tree["layers"], len(report["classes"]), static["geomean"], tree["geomean"], bayes["geomean"],
    100 * tree["within_5pct"], 100 * tree["over_1_5x"], 100 * sum(seeds) / len(seeds), 100 * min(seeds), 100 * max(seeds)))
P
}

cat <<'P'
# MIOpen's find-db, learned

Made by `bench/finddb.sh FOLDER` from AMD's measurements of every solver (public, MIT). Two dimensions, problems with at least two
recorded solvers, five folds by group (input channels, output channels, kernel) so that copies of a layer at other sizes and batches
stay together. Choices are limited to the solvers in a problem's record; geometric means of time over the best, first of three
seeds; pooled loss of the tree over three seeds, mean (least to most). Where a file has only the best solver of each family, the choice is
among families. A tree with default settings on engineered features; [validating.md](validating.md) explains the words.
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
                --split group --seeds 3 $families --json >"$work/report.json" 2>/dev/null || continue
            row "$work/report.json" $precision $direction
        done
    done
done
