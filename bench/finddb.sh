#!/usr/bin/env bash
# What can be learned from MIOpen's find-db: for each GPU, precision and direction, forward in the sense of the layer, two
# dimensions, problems with at least two recorded solvers, split by groups with three seeds. Writes Markdown (docs/finddb.md).
#     bench/finddb.sh FOLDER [BUILD]      FOLDER has the *.fdb.txt.bz2 files
set -eu
cd "$(dirname "$0")/.."
folder=$1 build=${2:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for file in "$folder"/*.fdb.txt.bz2 "$folder"/*.fdb.txt; do
    [ -e "$file" ] || continue
    store=$work/$(basename "$file").db
    "$build/convwise" import finddb "$file" --store "$store" >"$work/import" 2>"$work/complaints" || { cat "$work/complaints" >&2; exit 1; }
    echo "## $(basename "$file")"
    echo
    echo '```'
    cat "$work/import"
    echo '```'
    families=
    sqlite3 "$store" "SELECT 1 FROM source WHERE scope = 'family'" | grep -q 1 && families=--families
    for precision in f32 f16 bf16; do
        for direction in fwd bwd_d bwd_w; do
            echo
            echo "### $precision, $direction${families:+, by family}"
            echo
            echo '```'
            "$build/convwise" validate --store "$store" --precision $precision --direction $direction --dims 2 --at-least 2 \
                --split group $families 2>&1 | grep -vE '^(Split|Learners|Baselines)' || true
            echo '```'
        done
    done
    echo
done
