#!/usr/bin/env bash
# measure, impls and doctor as programs: what they print, how they fail, that a store survives being killed at any moment.
set -u
convwise=$CW_BUILD/convwise
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
check() { # what, wanted, got
    [ "$2" = "$3" ] || { printf 'FAILED %s: wanted "%s", got "%s"\n' "$1" "$2" "$3"; failed=1; }
}
refused() { # exit code, text on standard error, command...
    local wanted=$1 text=$2
    shift 2
    "$@" >out 2>err </dev/null
    check "exit code of $*" "$wanted" $?
    grep -qF -- "$text" err || { printf 'FAILED %s: standard error lacks "%s": %s\n' "$*" "$text" "$(cat err)"; failed=1; }
    check "standard output of $*" "" "$(cat out)"
}
query() { # store, python expression over `rows`, all measurements as (problem, impl, state)
    python3 - "$@" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
check = db.execute("pragma integrity_check").fetchone()[0]
rows = db.execute("select p.text, i.name, m.state from measurement m join problem p on p.id = m.problem"
                  " join impl i on i.id = m.impl").fetchall()
print(eval(sys.argv[2]))
END
}
json() { # file, python expression over the document d
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$@"
}
field() { json "$work/out.json" "$1"; }

# A table of its own, both precisions; then nothing is left to do.
printf '%s\n' '# a comment' 'mb1ic8ih9oc8oh9kh3ph1n"first"' 'mb1ic8ih9oc16oh9kh1ph0' 'mb1ic8ih9oc8oh9kh3ph1n"again"' >tiny.txt
fast=(--only 'own.*,ref,null' --passes 1)
"$convwise" measure --layers tiny.txt --precision f32,u8 --store a.db "${fast[@]}" --json >out.json 2>err
check "exit code" 0 $?
check "four problems" "4 done" "$(field '"%d %s" % (d["problems_done"], d["ended"])')"
check "direct is measured in all" 4 "$(query a.db 'sum(r[1] == "own.direct" and r[2] in ("ok", "cut off") for r in rows)')"
check "nothing wrong" "[]" "$(field 'd["failed"]')"
check "a line of progress" 1 "$(grep -c '^0/' err)"
before=$(query a.db 'len(rows)')
"$convwise" measure --layers tiny.txt --precision f32,u8 --store a.db "${fast[@]}" --json --quiet >out.json 2>err
check "resumed" "0 True" "$(field '"%d %s" % (d["stored"], d["store_measurements"] > 0)')"
check "still as many" "$before" "$(query a.db 'len(rows)')"
check "quiet" "" "$(cat err)"
check "network is recorded" tiny "$(python3 -c 'import sqlite3; print(sqlite3.connect("a.db").execute("select name from net").fetchone()[0])')"

# bf16, as a precision and as arithmetic for f32: the latter only where it is asked for.
"$convwise" measure --layers tiny.txt --precision bf16 --store h.db "${fast[@]}" -q >out 2>err
check "bf16" 2 "$(query h.db 'sum(r[1] == "own.direct" and r[2] == "ok" and ",bf16" in r[0] for r in rows)')"
lower=(--problem ic16ih9oc16kh3ph1 --only 'onednn.*' --passes 1 -q)
"$convwise" measure "${lower[@]}" --store l.db >out 2>err
check "fpmath: strict" 0 "$(query l.db 'sum(".bf16." in r[1] for r in rows)')"
refused 2 "neither strict nor bf16" "$convwise" measure "${lower[@]}" --fpmath f16 --store l.db
if "$convwise" impls ic16ih9oc16kh3ph1 | grep '^onednn[.]bf16[.]' | grep -q 'yes'; then
    "$convwise" measure "${lower[@]}" --fpmath bf16 --store l.db >out 2>err
    check "fpmath: bf16" True "$(query l.db 'any(".bf16." in r[1] and r[2] in ("ok", "cut off") for r in rows)')"
    check "fpmath: no candidate" 0 "$(python3 -c 'import sqlite3; print(sqlite3.connect("l.db").execute("select max(candidate) from impl where name like \"%.bf16.%\"").fetchone()[0])')"
fi
# Conditions: cold caches and NCHW are problems of their own, of the same network; --cache tells them apart.
for how in "hot nhwc" "cold nhwc" "hot nchw"; do
    "$convwise" measure --layers tiny.txt --cache "${how% *}" --layout "${how#* }" --store c.db --only 'own.direct,own.gemm,own.winograd_f2x3' --passes 1 -q >out 2>err
    check "exit code with $how" 0 $?
done
check "texts" "['', ',cold', ',nchw']" "$(query c.db 'sorted({r[0].split("ph1")[1] for r in rows if "ph1" in r[0]})')"
check "nothing is wrong" "[]" "$(query c.db '[r for r in rows if r[2] not in ("ok", "cut off", "unsupported")]')"
check "transposed" 0 "$(python3 -c 'import sqlite3; print(sqlite3.connect("c.db").execute("select count(*) from latest where time_ns is not null and (src_reorder_ns > 0) <> (problem like \"%nchw%\")").fetchone()[0])')"
check "errors" 0 "$(python3 -c 'import sqlite3; print(sqlite3.connect("c.db").execute("select count(*) from measurement where time_ns is not null and not (0 < mean_error and mean_error < error)").fetchone()[0])')"
for cache in "hot 4" "cold 2" "all 6"; do
    "$convwise" validate --store c.db --split kfold:2 --learner tree --cache "${cache% *}" --json >out.json 2>err
    check "rows of $cache" "${cache#* }" "$(field 'sum(g["layers"] for g in d["learners"][0]["groups"] if g["name"].startswith("fold"))')"
done
refused 2 "--cache: 'warm' is not hot or cold" "$convwise" measure --layers tiny.txt --cache warm --store c.db
refused 2 "--layout: 'nhcw' is not nhwc or nchw" "$convwise" measure --layers tiny.txt --layout nhcw --store c.db

# A grid is no network; a budget ends early with what it has; a bad library setting does not reach the times.
OPENBLAS_CORETYPE=Nonsense "$convwise" measure --grid size=5,ic=2:4:*2,oc=3,kernel=3,stride=1,pad=1 --store g.db "${fast[@]}" -q >out 2>err
check "grid" 2 "$(query g.db 'len({r[0] for r in rows})')"
check "removed" 1 "$(python3 -c 'import sqlite3; print(sqlite3.connect("g.db").execute("select conditions from run").fetchone()[0])' | grep -c 'OPENBLAS_CORETYPE=Nonsense (removed)')"
"$convwise" measure --net alexnet --store b.db --budget 0.000001 -q >out
check "budget: exit code" 0 $?
check "budget: said" 1 "$(grep -c 'The budget ended it after 0 problems' out)"

# Bad input: named, and no store is made.
printf 'mb1ic8ih9oc8oh9kh3ph1\nmb1ic8ih9oc8kh99\n' >bad.txt
refused 1 "bad.txt:2" "$convwise" measure --layers bad.txt --store no.db
refused 3 "no network or file is called alexnt" "$convwise" measure --net alexnt --store no.db
refused 1 "missing.txt" "$convwise" measure --layers missing.txt --store no.db
refused 2 "nothing to measure" "$convwise" measure --store no.db
refused 2 "--precision: 'f64'" "$convwise" measure --net alexnet --precision f64 --store no.db
refused 2 "--budget" "$convwise" measure --net alexnet --budget soon --store no.db
refused 2 "--passes" "$convwise" measure --net alexnet --passes 9 --store no.db
refused 2 "--grid: 'width'" "$convwise" measure --grid width=3 --store no.db
refused 1 "grid: size" "$convwise" measure --grid size=9:3 --store no.db
refused 1 "x" "$convwise" measure --problem xyz --store no.db
check "no store was made" no "$([ -e no.db ] && echo yes || echo no)"
refused 1 "nowhere" "$convwise" measure --layers tiny.txt --store nowhere/a.db
printf 'This is a letter, not a store. It is long enough to be taken for one.' >letter.db
refused 1 "letter.db" "$convwise" measure --layers tiny.txt --store letter.db
check "a foreign file is left alone" "This is a letter" "$(head -c 16 letter.db)"

# impls and doctor.
"$convwise" impls ic64ih56oc64kh3ph1 --json >out.json
check "impls" "True" "$(field 'any(i["name"] == "own.direct" and i["supported"] for i in d["implementations"])')"
check "impls: text" 1 "$("$convwise" impls | grep -c '^own.direct ')"
check "impls: a reason" 1 "$("$convwise" impls ic64ih56oc64kh3ph1,u8 | grep '^own.winograd_f2x3' | grep -c 'f32 only')"
refused 1 "kernel" "$convwise" impls ic3ih5oc3kh9
refused 2 "one problem at a time" "$convwise" impls ic3ih5oc3kh3 ic3ih5oc3kh3
"$convwise" doctor --json >out.json
check "doctor" "True True" "$(field '"%s %s" % (d["machine"]["cores"] > 0, d["networks"]["tables"] >= 12)')"
check "doctor: text" 1 "$("$convwise" doctor | grep -c '^own ')"

# A lesser machine, where the CPU is more: another machine in the store, nothing above the cap, in the child processes too.
refused 1 'is no instruction set to cap at' "$convwise" impls --max-isa avx3
if "$convwise" impls --max-isa avx2 >impls.txt 2>/dev/null; then
    check "impls: none above the cap" 0 "$(grep -c avx512 impls.txt)"
    cap=(--problem ic16ih14oc16kh3ph1 --problem ic64ih7oc32kh1,u8 --passes 1)
    "$convwise" measure "${cap[@]}" --max-isa avx2 --store cap.db --json -q >out.json 2>err
    check "capped: exit code" 0 $?
    check "capped: nothing wrong" "[]" "$(field 'd["failed"]')"
    check "capped: said" True "$(field 'any(b["ok"] for b in d["backends"] if b["name"] == "own")')"
    check "capped: nothing above" 0 "$(query cap.db 'sum("avx512" in r[1] or "vnni" in r[1] for r in rows)')"
    check "capped: own.gemm" True "$(query cap.db 'any(r[1] == "own.gemm" and r[2] in ("ok", "cut off") for r in rows)')"
    check "capped: OpenBLAS's kernels" 1 "$(python3 -c 'import sqlite3; print(sqlite3.connect("cap.db").execute("select conditions from run").fetchone()[0])' | grep -c 'OPENBLAS_CORETYPE=Haswell')"
    "$convwise" measure "${cap[@]}" --max-isa avx2 --store cap.db --json -q >out.json 2>err
    check "capped: resumed" 0 "$(field 'd["stored"]')"
    "$convwise" measure "${cap[@]}" --only 'own.direct' --store cap.db --json -q >out.json 2>err
    check "uncapped: another machine" "2 2" "$(python3 -c 'import sqlite3; d = sqlite3.connect("cap.db"); print(d.execute("select count(distinct fingerprint) from machine").fetchone()[0], d.execute("select count(distinct isa) from machine").fetchone()[0])')"
    "$convwise" doctor --max-isa avx2 --json >out.json
    check "capped: doctor" "avx2 False" "$(field '"%s %s" % (d["machine"]["isa"], d["machine"]["avx512"])')"
    check "capped: doctor says who cannot" True "$(field 'all(b["why_not"] for b in d["backends"] if b["name"] == "xnnpack" and b["version"])')"
else
    echo "SKIP: this CPU cannot be capped at AVX2"
fi

# Ctrl-C: what is stored stays, no child is left.
"$convwise" measure --net resnet18 --store c.db -q >out 2>err &
pid=$!
sleep 1
kill -INT $pid
wait $pid
check "interrupted: exit code" 1 $?
grep -q 'interrupted' err || { echo "FAILED interrupted: standard error says $(cat err)"; failed=1; }
check "interrupted: store" ok "$(query c.db check)"

# kill -9, ten times at random moments.
RANDOM=7
has_tables() { python3 -c 'import sqlite3, sys; sys.exit(not sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM sqlite_master").fetchone()[0])' "$1"; }
many=(--grid 'size=8:20:4,ic=8,16,oc=8,kernel=3,stride=1,pad=1' --store k.db "${fast[@]}")
last=0
for round in 1 2 3 4 5 6 7 8 9 10; do
    "$convwise" measure "${many[@]}" --again -q >out 2>err &
    pid=$!
    sleep "$(printf '0.%03d' $((RANDOM % 450 + 20)))"
    child=$(cat /proc/$pid/task/$pid/children 2>/dev/null)
    kill -9 $pid
    wait $pid 2>/dev/null
    for one in $child; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e "/proc/$one/fd" ] && sleep 0.05; done
        grep -q '^State:[[:space:]]*[RSD]' "/proc/$one/status" 2>/dev/null && { echo "FAILED round $round: child $one outlived its parent"; failed=1; }
    done
    # Killed before the store was begun: there is nothing to lose yet.
    [ -e k.db ] && { [ "$last" -gt 0 ] || has_tables k.db; } || continue
    check "round $round: integrity" ok "$(query k.db check)"
    rows=$(query k.db 'len(rows)')
    [ "$rows" -ge "$last" ] || { echo "FAILED round $round: $last rows became $rows"; failed=1; }
    last=$rows
done
[ "$last" -gt 0 ] || { echo "FAILED ten rounds stored nothing"; failed=1; }
"$convwise" measure "${many[@]}" -q >out 2>err
check "after ten kills: exit code" 0 $?
check "after ten kills: complete" 8 "$(query k.db 'len({r[0] for r in rows if r[1] == "own.direct"})')"
check "after ten kills: integrity" ok "$(query k.db check)"

[ $failed -eq 0 ] && echo "measure holds"
exit $failed
