#!/usr/bin/env bash
# Time and memory of importing MIOpen's find-db:
#     bench/import.sh FOLDER [BUILD]
# FOLDER has *.fdb.txt.bz2; BUILD: build folder (default build/release). The last row is the largest file repeated to 1 GB, plain:
# all but the first time it says what was said before, which is counted and not stored again. SIZE=bytes makes it smaller.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 convwise=$(realpath "${2:-build/release}")/convwise
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
row() { # file, machine or nothing
    rm -f "$work/s.db"
    if ! /usr/bin/time -f '%e %M' -o "$work/time" "$convwise" import finddb "$1" ${2:+--machine "$2"} --json --store "$work/s.db" \
        >"$work/out" 2>"$work/err"; then
        tail -n 1 "$work/err" >&2
        exit 1
    fi
    read -r seconds kilobytes <"$work/time"
    printf '%-28s %9d %8d %9d %10d %7.1f %8.1f %8.1f\n' "$(basename "$1")" \
        $(sqlite3 "$work/s.db" "SELECT json_extract(summary, '\$.lines'), json_extract(summary, '\$.problems'),
            json_extract(summary, '\$.times'), json_extract(summary, '\$.duplicates') FROM source" | tr '|' ' ') \
        "$seconds" "$(echo "$kilobytes / 1024" | bc -l)" "$(echo "$(stat -c %s "$work/s.db") / 1048576" | bc -l)"
}
printf '%-28s %9s %8s %9s %10s %7s %8s %8s\n' FILE LINES PROBLEMS TIMES DUPLICATES SECONDS PEAK_MiB STORE_MiB
for file in "$folder"/*.fdb.txt.bz2; do row "$file"; done
largest=$(ls -S "$folder"/*.fdb.txt.bz2 | head -n 1)
bzip2 -dc "$largest" >"$work/once"
size=${SIZE:-1000000000}
while [ "$(stat -c %s "$work/repeated" 2>/dev/null || echo 0)" -lt "$size" ]; do cat "$work/once" >>"$work/repeated"; done
row "$work/repeated" repeated
