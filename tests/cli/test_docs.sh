#!/usr/bin/env bash
# Runs the documents: every block of docs/*.md fenced as ```sh run, in order, a fresh folder for each document, stopping at the
# first command that fails. What they may use: convwise on the PATH; convwise.db, a store of made-up times for three networks.
# Also: a line of any other block that begins with "convwise COMMAND" names a command and options that exist.
set -u
source=$PWD
PATH=$(cd "$CW_BUILD" && pwd):$PATH
make_store=$(cd "$CW_BUILD" && pwd)/tests/make_store
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
complain() { echo "$*"; bad=1; }

# The blocks of a document: "run" those that are marked, "other" the rest; indented ones are others.
blocks() { # run|other, document
    awk -v want="$1" '
        /^```/ { inside = inside ? 0 : 1; kind = ($0 == "```sh run") ? "run" : "other"; next }
        inside { if (kind == want) print; next }
        /^    / && want == "other" { sub(/^ +/, ""); print }' "$2"
}

ran=0
for document in docs/*.md; do
    name=$(basename "$document" .md)
    mkdir "$work/$name"
    blocks run "$document" >"$work/$name.sh"
    [ -s "$work/$name.sh" ] || continue
    "$make_store" "$work/$name/convwise.db" rule data/nets/{resnet18,squeezenet1_1,mobilenet_v1}.txt || complain "make_store fails"
    if (cd "$work/$name" && SOURCE=$source bash -eux -o pipefail "$work/$name.sh") >"$work/log" 2>&1; then
        ran=$((ran + $(grep -cv '^ *\(#\|$\)' "$work/$name.sh")))
    else
        complain "$document: a command fails:"
        tail -n 15 "$work/log"
    fi
done
echo "$ran commands ran"
[ "$ran" -ge 15 ] || complain "too few: are the blocks still marked?"

# Options in what is not run.
for document in docs/*.md; do
    while read -r program command rest; do
        [ "$program" = convwise ] || continue
        if ! help=$(convwise "$command" --help 2>/dev/null); then
            [ "$command" = COMMAND ] || complain "$document: no such command: convwise $command"
            continue
        fi
        for option in $(grep -oE -- '(^| )--[a-z-]+' <<<"$rest"); do
            grep -qE -- "$option([ =]|\$)" <<<"$help" || complain "$document: convwise $command has no $option"
        done
    done < <(blocks other "$document")
done
exit $bad
