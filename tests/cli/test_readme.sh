#!/usr/bin/env bash
# What the README says works: its commands exist, its files exist, its five lines of C compile and run against a model.
set -u
bad=0
complain() { echo "$*"; bad=1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for command in $(sed -n 's|^\./dev \([a-z]*\).*|\1|p' README.md); do
    ./dev list | grep -q "^  $command " || complain "README: ./dev $command is not in ./dev list"
done
for command in $(sed -n 's/^convwise \([a-z]*\).*/\1/p' README.md); do
    "$CW_BUILD/convwise" "$command" --help >/dev/null || complain "README: convwise $command does not work"
done
for file in $(grep -o '](\([a-zA-Z][^):]*\))' README.md | sed 's/](\(.*\))/\1/'); do
    [ -e "$file" ] || complain "README: $file does not exist"
done

# The five lines, with the variables they use.
{
    echo '#include <convwise.h>'
    echo '#include <math.h>'
    echo '#include <stdio.h>'
    echo 'static float weights[64 * 64 * 9];'
    echo 'int main(void) {'
    echo 'cw_error err = {0}; cw_problem p; cw_context *ctx = 0; cw_model *model = 0; cw_choice best = {0}; cw_conv *conv = 0;'
    echo 'size_t count; cw_conv_args args = {.weights = weights, .lo = 0, .hi = INFINITY};'
    sed -n '/^```c$/,/^```$/p' README.md | grep -v '```' | sed 's|"model.json"|"tests/data/model.json"|; s|; *\(/\*.*\)\?$|;|' |
        sed 's|^\(cw_[^;]*\);|if (\1 != CW_OK) return puts(err.message), 1;|'
    echo 'puts(cw_conv_impl(conv)); cw_conv_free(conv); cw_model_free(model); cw_context_close(ctx); return 0; }'
} >"$work/five.c"
[ "$(grep -c '!= CW_OK' "$work/five.c")" -eq 5 ] || complain "README: five lines of C were not found"
if cc -std=c11 -Wall -Werror -Iinclude "$work/five.c" -L"$CW_BUILD" -lconvwise -Wl,-rpath,"$CW_BUILD" -o "$work/five"; then
    "$work/five" | grep -q '\.' || complain "README: the five lines do not run"
else
    complain "README: the five lines do not compile"
fi
exit $bad
