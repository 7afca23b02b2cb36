#!/usr/bin/env bash
# Time of one choice by a model, as C compiled by gcc and clang, and by the library:
#     ./dev bench choose MODEL [BUILD [STORE [PRECISION]]]
# BUILD: build folder (default build/release). STORE: its forward problems of PRECISION (default f32) are asked (needs
# sqlite3), so that rows are like those of training; otherwise layers of data/nets. Run it on an idle machine.
set -eu
cd "$(dirname "$0")/.."
model=$1 build=${2:-build/release} store=${3:-} precision=${4:-f32}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/convwise" emit --model "$model" --prefix bench -o "$work/bench.c"
problems=()
if [ -n "$store" ]; then
    # f32 is not written.
    sqlite3 -readonly "$store" 'SELECT text FROM problem' | grep -v ,bwd |
        if [ "$precision" = f32 ]; then grep -vE ',(f16|bf16|u8|s8|f64)'; else grep ",$precision"; fi >"$work/problems"
    problems=("$work/problems")
fi
libraries=()
for compiler in "gcc -O2" "clang -O2" "gcc -O3 -march=native"; do
    read -ra command <<<"$compiler"
    object=$work/${compiler//[^a-zA-Z0-9]/_}
    if ! "${command[@]}" -std=c99 -fPIC -c -o "$object.o" "$work/bench.c"; then
        echo "skipped: $compiler" >&2
        continue
    fi
    # What needs no other function cannot allocate.
    [ -z "$(nm -u "$object.o")" ] || { echo "$compiler: the emitted file needs $(nm -u "$object.o")" >&2; exit 1; }
    "${command[@]}" -shared -o "$object.so" "$object.o"
    libraries+=("$compiler=$object.so")
    echo "$compiler: $(size "$object.o" | awk 'NR == 2 { print $1 + $2 }') bytes of code and tables, no undefined symbol"
done
echo
# One core, so that the scheduler does not move it.
taskset -c "$(($(nproc) - 1))" "$build/bench/bench_choose" "$model" bench ${problems[@]+"${problems[@]}"} "${libraries[@]}"
