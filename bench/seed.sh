#!/usr/bin/env bash
# The seed's experiment from its own tables; writes Markdown to standard output (docs/seed.md is that).
#     bench/seed.sh DATA [BUILD]
# DATA: folder with dataset.arff (labels), layers.csv (times of the networks' layers) and reported.csv (what the authors published).
# Further tables of layers, DATA/layers-*.csv, are taken in too. Needs python3. Takes seconds; nothing is measured.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: bench/seed.sh DATA [BUILD]" >&2; exit 2; }
data=$1 build=${2:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
store=$work/seed.db
"$build/convwise" import arff "$data/dataset.arff" --store "$store" --preset mali-t860 --json >"$work/arff.json"
for table in "$data"/layers.csv "$data"/layers-*.csv; do
    [ -f "$table" ] || continue
    "$build/convwise" import layers "$table" --store "$store" --preset mali-t860 --json >>"$work/layers.json"
done
command=("$build/convwise" validate --store "$store" --seed-mode)
[ -f "$data/reported.csv" ] && command+=(--reported "$data/reported.csv")
"${command[@]}" --json >"$work/report.json"
python3 bench/seed.py "$work/report.json" "$work/arff.json"
"${command[@]}" --markdown
