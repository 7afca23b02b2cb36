#!/usr/bin/env bash
# Several machines' times in one store: train --machine all --features pooled, choose and emit --machine, validate --split machine.
# gemm wins where the weights (4 bytes) do not fit the machine's second cache: 256 KiB of the first, 4 MiB of the second.
. "$(dirname "$0")/lib.sh"

rows() {
    echo "network,precision,cin,h,w,kernel,cout,stride,pad,gemm_us,direct_us,winograd_us"
    for c in 64 96 128 192 256 320 384 512 768 1024 1536 2048; do
        echo "$1,fp32,$c,14,14,1,$c,1,0,$((c * c * 4 > $2 ? 10 : 20)),$((c * c * 4 > $2 ? 20 : 10)),"
    done
}
for machine in "small 262144" "large 4194304"; do
    set -- $machine
    rows "$1" "$2" >"$1.csv"
    "$convwise" import layers "$1.csv" --preset mali-t860 --store "$1.db" >/dev/null || complain "import fails"
    sqlite3 "$1.db" "update machine set fingerprint = '$1', l2 = $2" || { echo "SKIP: sqlite3 cannot change the store"; exit 77; }
    "$convwise" store merge both.db "$1.db" >/dev/null || complain "merge fails"
done
"$convwise" train --store both.db --machine all --features pooled --min-leaf 1 --validate none --no-harm=off -o model.json >/dev/null || complain "train fails"
is "$(python3 -c 'import json; print([(m["fingerprint"], m["l2"]) for m in json.load(open("model.json"))["machines"]])')" "[('large', 4194304), ('small', 262144)]"
choose() { "$convwise" choose "$1" --model model.json --no-check --json "${@:2}" | python3 -c 'import json,sys; print(json.load(sys.stdin)["ranking"][0]["implementation"])'; }
is "$(choose ic512ih14oc512kh1,nchw --machine small) $(choose ic512ih14oc512kh1,nchw --machine large)" "armcl.gemm armcl.direct"
is "$(choose ic512ih14oc512kh1,nchw --machine 1,0,262144,0,0) $(choose ic512ih14oc512kh1,nchw --machine 1,0,4194304,0,0)" "armcl.gemm armcl.direct"
for machine in small large; do
    "$convwise" emit --model model.json --machine $machine --prefix pick --self-test -o $machine.c || complain "emit fails"
    "${CC:-cc}" -std=c99 -Wall -Wextra -pedantic -Werror -Dpick_SELF_TEST -o $machine $machine.c && ./$machine || complain "the emitted C of $machine disagrees"
done
cmp -s small.c large.c && complain "the machine changes nothing in the emitted C"
"$convwise" choose ic512ih14oc512kh1 --model model.json --explain >/dev/null || complain "choose for this machine fails"
"$convwise" model diff model.json model.json --store both.db --machine small --json >/dev/null || complain "model diff fails"
"$convwise" validate --store both.db --machine all --features pooled --split machine --learner tree --json >report || complain "split machine fails"
is "$(python3 -c 'import json; print([g["name"] for g in json.load(open("report"))["learners"][0]["groups"]])')" "['large', 'small']"
refused 1 "several machines" "$convwise" choose ic512ih14oc512kh1,nchw --model model.json --no-check
refused 1 "several machines" "$convwise" emit --model model.json
refused 3 "none that the model was trained on" "$convwise" emit --model model.json --machine medium
refused 3 "none that the model was trained on" "$convwise" choose ic8ih8oc8kh1 --model model.json --machine 1,2,3
refused 1 "one machine" "$convwise" validate --store small.db --split machine
refused 2 "feature set" "$convwise" train --store both.db --features poled
exit $bad
