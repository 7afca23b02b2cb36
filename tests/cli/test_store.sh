#!/usr/bin/env bash
# convwise store: info, export, merge, diff on stores made with SQL on an empty store, so that no library has to be measured.
set -u
convwise=$CW_BUILD/convwise
command -v sqlite3 >/dev/null || { echo "SKIP: needs the sqlite3 program"; exit 77; }
command -v python3 >/dev/null || { echo "SKIP: needs python3"; exit 77; }
folder=$(mktemp -d) && cd "$folder" || exit 1
trap 'rm -rf "$folder"' EXIT
bad=0
complain() { echo "$*"; bad=1; }
# expect CODE TEXT COMMAND...: exit code, and a text that its output or error mentions
expect() {
    local code=$1 text=$2 output
    shift 2
    output=$("$@" 2>&1)
    local got=$?
    [ $got -eq "$code" ] || complain "$*: exit $got, not $code: $output"
    [[ $output == *"$text"* ]] || complain "$*: does not say '$text': $output"
}
# field FILE EXPRESSION: of a JSON document d
field() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

# make FILE TIME-OF-A TIME-OF-B RUN: a store with two implementations of one problem, from merging a store of the same schema
make() {
    sqlite3 "$1" "
        INSERT INTO machine VALUES (1, 'm1', 'Test CPU', 'avx2', 1, 0, 0, 0, 2, 32768, 0, 0);
        INSERT INTO run VALUES (1, '$4', 1, 1700000000, 'test', 1, 1, '{}', NULL);
        INSERT INTO library VALUES (1, 'own', '1.0');
        INSERT INTO impl VALUES (1, 'own.a', 'direct', 1), (2, 'own.b', 'gemm', 1);
        INSERT INTO problem VALUES (1, 'mb1ic8ih16oc8oh16kh3ph1', 1,1,8,16,16,8,3,3,1,1,0,0,1,1,1,1,0,0,0,1, 0,0,0,0,0,0,0, 0);
        INSERT INTO measurement VALUES
            (1, 1, 1, 1, 1, 1000, 'ok', 'a \"quoted\", text', 0, 5, $2, $2, $2, 0, 0, 0, 0, 0, 0, 0,0,0,0,0,0,0,0, NULL, NULL, NULL),
            (2, 1, 1, 2, 1, 2000, 'ok', '', 0, 5, $3, $3, $3, 0, 0, 0, 0, 0, 0, 0,0,0,0,0,0,0,0, NULL, NULL, NULL);
        INSERT INTO net VALUES (1, 'net');
        INSERT INTO net_layer VALUES (1, 1, 1, 'first', 1,1,8,16,16,8,3,3,1,1,0,0,1,1,1,1,0,0, 0);"
}
: >empty.db
"$convwise" store merge new.db empty.db 2>/dev/null && complain "merging an empty file succeeds"
[ -e new.db ] && complain "merging nothing makes a store"
"$CW_BUILD/tests/make_store" seed.db rule && sqlite3 seed.db "DELETE FROM run; DELETE FROM machine"
cp seed.db before.db
cp seed.db after.db
make before.db 1000.0 2000.0 aaaa
make after.db 3000.0 1500.0 bbbb

"$convwise" store info before.db --json >info.json || complain "info fails"
[ "$(field info.json '(d["measurements"], d["states"]["ok"], d["machines"][0]["cpu"], d["networks"][0]["layers"])')" = \
    "(2, 2, 'Test CPU', 1)" ] || complain "info: $(cat info.json)"
expect 0 "Test CPU" "$convwise" store info before.db

"$convwise" store export before.db -o out.csv || complain "export fails"
"$convwise" store export before.db | cmp - out.csv || complain "export to standard output differs"
python3 - out.csv <<'P' || complain "the CSV is not what was stored"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
assert [(r["impl"], float(r["time_ns"]), r["family"]) for r in rows] == [("own.a", 1000, "direct"), ("own.b", 2000, "gemm")], rows
assert rows[0]["detail"] == 'a "quoted", text' and rows[0]["pass1_ns"] == "" and rows[0]["threads"] == "1"
P

"$convwise" store diff before.db after.db --json >diff.json || complain "diff fails"
[ "$(field diff.json 'sorted(d["changed"][0].items())')" = \
    "[('kept_us', 3.0), ('now', 'own.b'), ('now_us', 1.5), ('problem', 'mb1ic8ih16oc8oh16kh3ph1'), ('was', 'own.a'), ('was_us', 1.0)]" ] ||
    complain "diff: $(cat diff.json)"
expect 0 "2.00" "$convwise" store diff before.db after.db
expect 0 "changed for 0" "$convwise" store diff before.db before.db
expect 0 "0 problems in both" "$convwise" store diff before.db after.db --machine other

# A write that fails leaves what was there, and nothing beside it.
echo kept >whole.csv
(trap '' XFSZ && ulimit -f 0 && "$convwise" store export before.db -o whole.csv; echo "code $?") 2>&1 | cat >err
grep -q "code 1" err || complain "a failed export is not told"
grep -q "whole.csv: cannot write: File too large" err || complain "a failed export: $(cat err)"
[ "$(cat whole.csv)" = kept ] || complain "a failed export overwrites"
[ -z "$(ls whole.csv.* 2>/dev/null)" ] || complain "a failed export leaves $(ls whole.csv.*)"

expect 0 "2 new" "$convwise" store merge before.db after.db
expect 0 "0 new" "$convwise" store merge before.db after.db
expect 1 "itself" "$convwise" store merge before.db before.db

expect 2 "needs an action" "$convwise" store
expect 2 "no action" "$convwise" store look before.db
expect 2 "one store" "$convwise" store info
expect 2 "two stores" "$convwise" store diff before.db
expect 2 "-o FILE" "$convwise" store export before.db --json
expect 1 "is empty, not a store" "$convwise" store info empty.db
expect 1 "No such file" "$convwise" store info missing.db
expect 1 "is a folder" "$convwise" store info .
expect 1 "not an SQLite database" "$convwise" store info out.csv
sqlite3 before.db "PRAGMA user_version = 99"
expect 1 "update convwise" "$convwise" store info before.db
sqlite3 foreign.db "CREATE TABLE t (x)"
expect 1 "another program" "$convwise" store info foreign.db
[ ! -e missing.db ] || complain "info creates a store"
exit $bad
