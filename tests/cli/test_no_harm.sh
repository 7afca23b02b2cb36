#!/usr/bin/env bash
# train --no-harm: the static order chooses where the learner is worse, in choices, in emitted C and in validation; a model
# that is worse all over is not written unless forced.
. "$(dirname "$0")/lib.sh"

# direct takes 100; gemm 90 or 1000, by a rule that channels do not tell. `rows FIRST LAST KERNEL PAD STRIDE`
echo "network,precision,cin,h,w,kernel,cout,stride,pad,gemm_us,direct_us,winograd_us" >head.csv
rows() {
    for ((i = $1; i < $2; i++)); do
        echo "n,fp32,$((2 * i + 1)),14,14,$3,8,$5,$4,$(((i * i * 40503 + i * 977 >> 4) % 2 ? 90 : 1000)),100,"
    done
}
learnable() { for ((i = $1; i < $2; i++)); do echo "n,fp32,$((2 * i + 1)),14,14,1,8,1,0,$((i < ($1 + $2) / 2 ? 25 : 400)),100,"; done; }
(cat head.csv; rows 0 60 3 1 1; learnable 0 60) >half.csv
(cat head.csv; rows 0 18 3 1 1; rows 20 38 3 1 2; rows 40 58 1 0 1) >noise.csv
for name in half noise; do
    "$convwise" import layers $name.csv --preset mali-t860 --store $name.db >/dev/null || complain "import fails"
done

"$convwise" train --store half.db -o half.json >out || complain "train fails"
grep -q 'For f32 3x3s1 the static order chooses' out || complain "train does not say where it falls back: $(cat out)"
is "$(json half.json '[g["group"] for g in d["no_harm"]["groups"] if g["static"]]')" "['f32 3x3s1']"
"$convwise" train --store half.db --json -o again.json >report
is "$(json report 'd["no_harm"]["margin"], len(d["no_harm"]["groups"]), d["no_harm"]["overall"]["rows"]')" "0.01 2 120"
cmp half.json again.json || complain "the same data and options give other bytes"
"$convwise" train --store half.db --no-harm=off -o off.json | grep -q 'static order chooses' && complain "--no-harm=off is not off"
is "$(json off.json 'd["no_harm"]')" None
for ((i = 0; i < 60; i += 7)); do
    problem="ic$((2 * i + 1))ih14oc8kh3ph1,nchw"
    is "$("$convwise" choose "$problem" --model half.json --no-check --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["ranking"][0]["implementation"])')" armcl.direct
done
"$convwise" choose ic9ih14oc8kh3ph1,nchw --model half.json --no-check --explain | grep -q 'the static order was faster' || complain "choose --explain does not tell"
"$convwise" emit --model half.json --prefix pick --self-test -o self.c || complain "emit fails"
"${CC:-cc}" -std=c99 -Wall -Wextra -pedantic -Werror -Dpick_SELF_TEST -o self self.c && ./self || complain "the emitted C disagrees"
"$convwise" validate --store half.db --model half.json --json >report
is "$(json report 'd["learners"][0]["pooled"]["chosen_us"]')" 9750.0 # 60 x 100; 30 x 25 and 30 x 100

# worse all over: three groups of 18 rows, too few for any of them to fall back
"$convwise" train --store noise.db -o noise.json >out 2>err
is $? 1
grep -q 'not written: on 54 held-out problems the model takes [0-9.]* us, the static order [0-9.]* us' err || complain "refused without both figures: $(cat err)"
[ -e noise.json ] && complain "a refused model was written"
"$convwise" train --store noise.db --force -o noise.json >/dev/null || complain "--force does not write it"
"$convwise" train --store noise.db --no-harm=off -o plain.json >/dev/null || complain "--no-harm=off does not write it"
for margin in 0 -1 1.5 much nan; do
    "$convwise" train --store half.db --no-harm=$margin -o never.json >out 2>err
    is $? 2
done
[ -e never.json ] && complain "a wrong margin wrote a model"
"$convwise" validate --store half.db --split group --learner tree --no-harm --json >with
"$convwise" validate --store half.db --split group --learner tree --json >without
is "$(python3 -c 'import json; a, b = (json.load(open(f))["learners"][0]["pooled"]["chosen_us"] for f in ("with", "without")); print(a < b)')" True
exit $bad
