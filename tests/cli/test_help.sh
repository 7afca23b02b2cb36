#!/usr/bin/env bash
# Every command answers --help, refuses what it does not know with exit code 2, and has its paragraph in docs/cli.md; commands and
# paragraphs are the same set. Unknown commands get a suggestion.
set -u
convwise=$CW_BUILD/convwise
bad=0
complain() { echo "$*"; bad=1; }

commands=$("$convwise" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 9 ] || complain "only these commands: $commands"
for command in $commands; do
    "$convwise" "$command" --help >/dev/null 2>&1 || complain "convwise $command --help fails"
    "$convwise" "$command" --help | grep -q -- '--help' || complain "convwise $command --help does not list options"
    "$convwise" "$command" --no-such-option >/dev/null 2>&1
    [ $? -eq 2 ] || complain "convwise $command --no-such-option does not exit with 2"
    grep -q "^## convwise $command" docs/cli.md || complain "docs/cli.md says nothing of $command"
done
for documented in $(sed -n 's/^## convwise \([a-z]*\).*/\1/p' docs/cli.md); do
    echo "$commands" | grep -qx "$documented" || complain "docs/cli.md tells of $documented, which is not a command"
done

"$convwise" mesure 2>&1 | grep -q "Did you mean 'measure'" || complain "no suggestion for mesure"
"$convwise" mesure >/dev/null 2>&1
[ $? -eq 2 ] || complain "an unknown command does not exit with 2"
"$convwise" >/dev/null 2>&1
[ $? -eq 2 ] || complain "no command does not exit with 2"
"$convwise" --version | grep -q '^convwise [0-9]' || complain "--version"
if [ -w /dev/full ]; then
    "$convwise" --help >/dev/full 2>/dev/null && complain "a full disk goes unnoticed"
fi
exit $bad
