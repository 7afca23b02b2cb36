#!/usr/bin/env bash
# The demo, whole: every step runs, every file it tells of is there, the emitted file answers, and a second start measures nothing again.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
complain() { echo "$*"; bad=1; }

"$CW_BUILD/convwise" demo -o "$work/demo" >"$work/out" 2>"$work/err" || { tail -n 20 "$work/out" "$work/err"; complain "the demo fails"; }
for file in demo.db tree.json bayes.json choice.c choice.h ask.c ask; do
    [ -s "$work/demo/$file" ] || complain "no $file"
done
for text in 'best ms' 'best static' library winograd 'resnet18 *f32' 'resnet18 *u8' 'squeezenet1_1 *f32' 'googlenet *u8' 'Next:'; do
    grep -q -- "$text" "$work/out" || complain "the output lacks: $text"
done
answer=$("$work/demo/ask")
case "$answer" in
    *onednn.* | *own.*) ;;
    *) complain "the emitted file answers: $answer" ;;
esac
# Told in the same words by the library (the first of the ranking).
grep -A 3 '^rank' "$work/out" | grep -q -- "^ *1 *${answer##*: } " || complain "the library's first is not ${answer##*: }"

grep -q 'The budget ended' "$work/out" && ended=1 || ended=0 # on a busy machine; then the second start goes on
before=$(sqlite3 "$work/demo/demo.db" 'SELECT count(*) FROM measurement')
"$CW_BUILD/convwise" demo -o "$work/demo" >"$work/out" 2>"$work/err" || complain "the second start fails"
[ "$(sqlite3 "$work/demo/demo.db" 'SELECT count(*) FROM measurement')" = "$before" ] ||
    [ $ended = 1 ] || complain "the second start measures what is there"
exit $bad
