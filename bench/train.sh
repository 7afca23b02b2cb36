#!/usr/bin/env bash
# Training time beside scikit-learn's and XGBoost's, as docs/training.md:
#     ./dev bench train [FOLDER] [--runs N] [--threads N] [--only LEARNERS] [--output FILE]
# and how time and memory grow with the rows, as docs/training-growth.md:
#     ./dev bench train --growth [--most ROWS] [--limit SECONDS] [--only LEARNERS] [--output FILE]
# FOLDER has gfx90878.HIP.fdb.txt.bz2 of MIOpen's find-db (default: where the tests look for it); without it the rows are made.
# The rest is described by bench/train.py --help. Run it on an idle machine.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build/release}
folder=${CW_SHARED:-../shared}/data/finddb
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then folder=$1 && shift; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

file=$folder/gfx90878.HIP.fdb.txt.bz2
matrices=()
if [[ " $* " == *" --growth "* ]]; then
    :
elif [ -e "$file" ]; then
    "$build/convwise" import finddb "$file" --store "$work/store.db" >/dev/null 2>"$work/complaints" ||
        { cat "$work/complaints" >&2; exit 1; }
    for precision in f32 f16; do
        "$build/bench/bench_train" matrix "$work/store.db" $precision "$work/$precision"
        matrices+=("MIOpen's find-db, gfx908, $precision, forward=$work/$precision")
    done
else
    echo "train.sh: no $file: the rows are made" >&2
    "$build/bench/bench_train" made 15642 62 20 "$work/made"
    matrices+=("Made rows=$work/made")
fi
python3 bench/train.py --program "$build/bench/bench_train" "$@" ${matrices[@]+"${matrices[@]}"}
