#!/usr/bin/env bash
# The house's rules that a script can check: who may include whom, sizes of files, what every file starts with, no output and no
# environment in the library.
set -u
cd "$(dirname "$0")/../.."
bad=0
complain() { echo "$*"; bad=1; }

# folder: the folders of src/ it may include besides itself (docs/design.md has the picture)
declare -A may=(
    [base]=""
    [machine]="base"
    [problem]="base"
    [kernel]="base problem"
    [backend]="base problem machine kernel"
    [measure]="base problem machine kernel backend store"
    [store]="base problem"
    [learn]="base"
    [dataset]="base problem learn store"
    [select]="base problem learn backend machine"
    [onnx]="base problem learn"
    [emit]="base problem learn select"
)
while IFS=: read -r file line; do
    folder=$(echo "$file" | cut -d/ -f2)
    target=$(echo "$line" | sed -n 's|.*#include "\.\./\([a-z]*\)/.*|\1|p')
    [ -z "$target" ] && continue
    [ -n "${may[$folder]+x}" ] || { complain "$file: folder src/$folder is not in the table of tests/house/test_layers.sh"; continue; }
    [ "$target" = "$folder" ] || [[ " ${may[$folder]} " == *" $target "* ]] || complain "$file includes $target: $folder may include: ${may[$folder]}"
done < <(grep -H '#include "\.\./[a-z]*/' src/*/*.[ch])

if grep -n '^#include' cli/*.[ch] examples/*.c | grep '"' | grep -v '"cli.h"' | grep -vE '"\.\./include/convwise(/[a-z]+)?\.h"|"[a-z_]+\.h"'; then
    complain "cli/ and examples/ use the public headers only"
fi
grep -n 'include "\.\./src' cli/*.[ch] examples/*.c && complain "cli/ and examples/ use the public headers only"

# The library never prints, exits or reads the environment. The child process of measuring is allowed _exit.
grep -nE '\b(printf|puts|putchar|perror|getenv|setlocale|exit|abort|srand|rand)\(' src/*/*.c | grep -vE '_exit\(|cw_buf_printf' &&
    complain "the library must not print, exit, or read the environment"

while read -r lines file; do
    [ "$lines" -le 700 ] || complain "$file has $lines lines: two rooms would be clearer (limit 700)"
done < <(wc -l src/*/*.[ch] cli/*.[ch] tests/*/*.[ch] bench/*.c 2>/dev/null | grep -v ' total$')

for file in src/*/*.[ch] cli/*.[ch] include/*.h include/convwise/*.h tests/*/*.[ch] bench/*.c examples/*.c; do
    [ -e "$file" ] || continue
    head -c 2 "$file" | grep -q '/\*' || complain "$file does not open with a comment on what it is"
done

if git rev-parse --git-dir >/dev/null 2>&1; then
    git grep -nE '\b(TODO|FIXME|XXX)\b' -- '*.c' '*.h' '*.py' '*.sh' '*.md' ':!tests/house' && complain "unfinished text above"
fi
[ $bad -eq 0 ] && echo "house rules hold"
exit $bad
