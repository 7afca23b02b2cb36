#!/usr/bin/env bash
# choose and emit as programs: what they print, how they fail, that a failure leaves files alone. The model is tests/data/model.json.
set -u
cd "$(dirname "$0")/../.."
convwise=$CW_BUILD/convwise model=tests/data/model.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
check() { # what, wanted, got
    [ "$2" = "$3" ] || { printf 'FAILED %s: wanted "%s", got "%s"\n' "$1" "$2" "$3"; failed=1; }
}
refused() { # exit code, text on standard error, command...
    local wanted=$1 text=$2
    shift 2
    "$@" >"$work/out" 2>"$work/err"
    check "exit code of $*" "$wanted" $?
    grep -qF -- "$text" "$work/err" || { printf 'FAILED %s: standard error lacks "%s": %s\n' "$*" "$text" "$(cat "$work/err")"; failed=1; }
    check "standard output of $*" "" "$(cat "$work/out")"
}
first() { "$convwise" choose "$@" --model $model --top 1 | awk 'NR == 3 { print $2 }'; }

check "3x3" own.winograd_f4x3 "$(first ic64ih56oc64kh3ph1)"
check "1x1" own.gemm "$(first ic64ih56oc64kh1)"
check "depthwise" own.direct "$(first g64ic64ih56oc64kh3ph1)"
check "u8 has no winograd" yes "$(first ic64ih56oc64kh3ph1 --precision u8 | grep -qE "^own.(gemm|direct)$" && echo yes)"
check "why" 1 "$("$convwise" choose ic64ih56oc64kh3ph1 --model $model --explain | grep -c '^kh = 3.0 > 2.0$')"
check "what this build lacks" 1 "$("$convwise" choose ic64ih56oc64kh1 --model $model --all | grep -c 'gone.kernel.*no implementation of that name')"
check "not checked" 4 "$("$convwise" choose ic64ih56oc64kh1 --model $model --no-check | grep -c 'not checked')"
check "what cannot run is left out" 0 "$("$convwise" choose ic64ih56oc64kh1 --model $model | grep -c 'gone.kernel')"
check "and counted" 1 "$("$convwise" choose ic64ih56oc64kh1 --model $model | grep -c '^[1-9] cannot run here: --all shows them')"
check "all" 0 "$("$convwise" choose ic64ih56oc64kh1 --model $model --all | grep -c -e '--all')"
# A model of 14 implementations: ten are shown.
"${PYTHON:-python3}" - $model "$work/many.json" <<'END'
import json, sys
model = json.load(open(sys.argv[1]))
more = 14 - len(model["classes"])
model["classes"] += [f"more.{i}" for i in range(more)]
model["static_order"] += range(14 - more, 14)
for node in model["state"]["nodes"]:
    if isinstance(node, dict):
        node["counts"] += [0] * more
        if "log_ns_per_unit" in node: node["log_ns_per_unit"] += [None] * more
json.dump(model, open(sys.argv[2], "w"))
END
check "ten of 14" "10 1" "$("$convwise" choose ic64ih56oc64kh1 --model "$work/many.json" --no-check >"$work/ten" &&
    echo "$(grep -c 'not checked' "$work/ten") $(grep -c '^4 more can run: --all' "$work/ten")")"
check "--top counts what cannot run" 14 "$("$convwise" choose ic64ih56oc64kh1 --model "$work/many.json" --top 99 | grep -c '^ *[0-9]* [a-z]*[.]')"
check "json" "own.gemm True" "$("$convwise" choose ic64ih56oc64kh1 --model $model --json |
    python3 -c 'import json, sys; d = json.load(sys.stdin); c = d["ranking"][0]; print(c["implementation"], c["supported"])')"

# Limits: what our own implementations must leave.
able() { "$convwise" choose "$@" --model $model --json | python3 -c 'import json, sys; print(*sorted(c["implementation"] for c in json.load(sys.stdin)["ranking"] if c["supported"]))'; }
check "exact" "own.direct own.gemm" "$(able ic64ih56oc64kh3ph1 --exact)"
check "no workspace" "own.direct" "$(able ic64ih56oc64kh3ph1 --workspace 0)"
check "workspace of 8 MiB" "own.direct own.gemm own.winograd_f4x3" "$(able ic64ih56oc64kh3ph1 --workspace 8M --forbid '*f2x3')"
check "1x1 needs none" "own.direct own.gemm" "$(able ic64ih56oc64kh1 --workspace 0)"
check "allow" "own.gemm" "$(able ic64ih56oc64kh3ph1 --allow '*.gemm' --deterministic --no-reorders)"
check "the limit is named" 1 "$("$convwise" choose ic64ih56oc64kh3ph1 --model $model --exact --all | grep -c 'winograd_f4x3.*limit exact: it is not')"
refused 3 "own.direct: limit allow" "$convwise" choose ic64ih56oc64kh3ph1 --model $model --allow 'none.*'
refused 3 "limit deterministic: not known" "$convwise" choose ic64ih56oc64kh3ph1 --model $model --no-check --deterministic
refused 3 "does not know what preparing costs" "$convwise" choose ic64ih56oc64kh3ph1 --model $model --calls 10
for bad in -1 1T M nan ''; do refused 2 "--workspace wants bytes" "$convwise" choose ic64ih56oc64kh1 --model $model "--workspace=$bad"; done
for bad in 0 -1 nan inf x; do
    refused 2 "number above 0" "$convwise" choose ic64ih56oc64kh1 --model $model "--calls=$bad"
    refused 2 "number above 0" "$convwise" choose ic64ih56oc64kh1 --model $model "--max-error=$bad"
done

# What surrounds a choice, times of a store, and whether to measure.
for ic in 8 9 12 24; do
    "$convwise" measure --problem ic${ic}ih9oc8kh3ph1 --only own.direct,own.gemm --passes 1 --store "$work/own.db" >/dev/null 2>&1 || failed=1
done
field() { "${PYTHON:-python3}" -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
check "explained" "True True True" "$("$convwise" choose ic8ih9oc8kh3ph1 --model $model --explain --store "$work/own.db" --json |
    field 'd["ranking"][0]["measured"], d["nearest"][0]["distance"] == 0, len(d["flips"]) > 0' | tr -d '(),')"
check "without a store" "None" "$("$convwise" choose ic8ih9oc8kh3ph1 --model $model --explain --json | field 'd["nearest"]')"
check "in words" 1 "$("$convwise" choose ic8ih9oc8kh3ph1 --model $model --explain --store "$work/own.db" | grep -c '^measured at distance 0.00: mb1ic8ih9oc8')"
refused 2 "--measure needs" "$convwise" choose ic8ih9oc8kh3ph1 --model $model --measure --calls 10
refused 2 "--measure needs" "$convwise" choose ic8ih9oc8kh3ph1 --model $model --measure --store "$work/own.db"
refused 1 "none.db" "$convwise" choose ic8ih9oc8kh3ph1 --model $model --store "$work/none.db"
"${PYTHON:-python3}" - "$work" <<'END'
# Preparation as if measured, and a promise, in a model that has neither.
import json, sys
model = json.load(open("tests/data/model.json"))
model["facts"] = {"fields": "transforms reorders workspace error_f32 error_u8 prepare prepare_weights prepare_macs log_ns_per_mac".split(),
                  "rows": [[0, 0, 0, 0, 0, 5, 0, 0, -1]] * len(model["classes"])}
model["calibration"] = {"signal": "share", "steps": [[1, 0.1]]}
model["version"] = 2
json.dump(model, open(sys.argv[1] + "/promises.json", "w"))
END
trade() { "$convwise" choose ic10ih9oc8kh3ph1 --model "$work/promises.json" --measure --store "$work/own.db" --json "$@" |
    field 'd["measuring"]["measured"], d["ranking"][0]["measured"]' | tr -d '(),'; }
check "few calls" "False False" "$(trade --calls 1)"
check "many calls" "True True" "$(trade --calls 1e12)"
check "once measured" "False True" "$(trade --calls 1e12)"

refused 1 "kernel" "$convwise" choose ic64ih3oc64kh7 --model $model
refused 1 "cannot read" "$convwise" choose nonsense --model $model
refused 2 "PROBLEM is missing" "$convwise" choose --model $model
refused 2 "--model FILE is missing" "$convwise" choose ic64ih56oc64kh1
refused 1 "not a precision" "$convwise" choose ic64ih56oc64kh1 --model $model --precision f64
refused 2 "exclude each other" "$convwise" choose ic64ih56oc64kh1 --model $model --top 3 --all
refused 2 "number from 1" "$convwise" choose ic64ih56oc64kh1 --model $model --top 0
refused 1 "No such file" "$convwise" choose ic64ih56oc64kh1 --model "$work/none.json"
: >"$work/empty.json"
refused 1 "is empty" "$convwise" choose ic64ih56oc64kh1 --model "$work/empty.json"
head -c 300 $model >"$work/cut.json"
refused 1 "cut.json:" "$convwise" emit --model "$work/cut.json"
sed 's/"macs"/"moon"/' $model >"$work/moon.json"
refused 1 "wants feature 'moon'" "$convwise" emit --model "$work/moon.json"
refused 1 "wants feature 'moon'" "$convwise" choose ic64ih56oc64kh1 --model "$work/moon.json"
# A model that may choose what computes f32 in bf16: only where that is asked for, and what is emitted has no limits.
sed 's/own[.]winograd_f4x3/onednn.bf16.made/' $model >"$work/lower.json"
"$convwise" choose ic64ih56oc64kh3ph1 --model "$work/lower.json" --no-check --all >"$work/out"
check "strict" 1 "$(grep 'onednn.bf16.made' "$work/out" | grep -c 'limit fpmath')"
"$convwise" choose ic64ih56oc64kh3ph1 --model "$work/lower.json" --no-check --all --fpmath bf16 >"$work/out"
check "asked for" 0 "$(grep -c 'limit fpmath' "$work/out")"
for format in c onnx; do
    refused 1 "say --fpmath bf16" "$convwise" emit --model "$work/lower.json" --format $format -o "$work/lower.$format"
    check "nothing written" no "$([ -e "$work/lower.$format" ] && echo yes || echo no)"
done
"$convwise" emit --model "$work/lower.json" --fpmath bf16 -o "$work/lower.c" || failed=1
refused 1 "identifier" "$convwise" emit --model $model --prefix 'a b'
refused 2 "not a format" "$convwise" emit --model $model --format cobol

"$convwise" emit --model $model --prefix pick -o "$work/pick.c" || failed=1
"$convwise" emit --model $model --prefix pick >"$work/stdout.c" || failed=1
cmp "$work/pick.c" "$work/stdout.c" || failed=1
"$convwise" emit --model $model --prefix pick --self-test -o "$work/self.c" || failed=1
"${CC:-cc}" -std=c99 -Wall -Wextra -pedantic -Werror -Dpick_SELF_TEST -o "$work/self" "$work/self.c" && "$work/self" || { echo "FAILED self-test"; failed=1; }
# The program of docs/embedding.md.
"$convwise" emit --model $model --prefix pick --header -o "$work/pick.h" || failed=1
sed -n '/^```c$/,/^```$/p' docs/embedding.md | grep -v '^```' >"$work/caller.c"
"${CC:-cc}" -std=c99 -Wall -Wextra -pedantic -Werror -o "$work/caller" "$work/caller.c" "$work/pick.c" || failed=1
check "docs/embedding.md" own.winograd_f4x3 "$("$work/caller")"
refused 1 "cannot create" "$convwise" emit --model $model -o "$work/no/such/folder.c"
refused 1 "cannot write" "$convwise" emit --model $model -o /dev/full
(ulimit -f 0; trap '' XFSZ; "$convwise" emit --model $model -o "$work/pick.c" 2>/dev/null) && { echo "FAILED a full disk was not noticed"; failed=1; }
cmp "$work/pick.c" "$work/stdout.c" || { echo "FAILED a failed write changed the old file"; failed=1; }
check "left over files" "" "$(ls "$work" | grep tmp)"
exit $failed
