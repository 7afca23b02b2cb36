#!/usr/bin/env bash
# train and validate end to end on a store of made-up times: files, JSON, tables, and every kind of refusal.
. "$(dirname "$0")/lib.sh"

make="$CW_BUILD/tests/make_store"
"$make" made.db rule "$nets"/{resnet18,squeezenet1_1,mobilenet_v1}.txt || complain "make_store fails"

# tune, calibrate, masks
"$convwise" train --store made.db --no-calibrate --tune -o plain.json >/dev/null || complain "train --tune fails"
"$convwise" train --store made.db -o sure.json >/dev/null
is "$(json plain.json 'd["calibration"]')" None
is "$(json sure.json 'len(d["calibration"]["steps"]) >= 1, d["version"], len(d["seen"]["kinds"]) > 3')" "True 2 True"
"$convwise" choose ic64ih56oc64kh3ph1 --model sure.json --no-check --json >choice
is "$(json choice 'd["ranking"][0]["expected_regret"] >= 0, d["ranking"][1]["expected_regret"]')" "True None"
"$convwise" choose ic64ih57oc64kh5ph2 --model sure.json --no-check | grep -q 'no such kernel was there in training' || complain "an unseen kernel is not said to be one"
"$convwise" choose g2ic64ih57oc64kh3ph1 --model sure.json --no-check | grep -q 'never measured on such a kernel' || complain "an unseen grouping is not said to be one"
"$convwise" validate --store made.db --split near --learner tree --reliability --tune --mask kind --absent slow --json >report
is "$(json report '[s["fold"] for s in d["learners"][0]["settings"]]')" "['mobilenet_v1', 'resnet18', 'squeezenet1_1']"
is "$(json report 'all("max_depth" in s["settings"] for s in d["learners"][0]["settings"])')" True
is "$(json report '0 < sum(r["layers"] for r in d["learners"][0]["reliability"]) <= 146')" True
"$convwise" validate --store made.db --learner tree --reliability | grep -q 'expected to lose' || complain "no table of promises"
refused 2 "neither record nor kind" "$convwise" validate --store made.db --mask none
refused 2 "neither masked nor slow" "$convwise" train --store made.db --absent fast
refused 2 "seeds" "$convwise" validate --store made.db --seeds 0

# train: the file, its figures, the same bytes again
"$convwise" train --store made.db --learner tree -o tree.json >out || complain "train fails"
grep -q 'split network' out || complain "train does not say how it validated"
"$convwise" train --store made.db --learner tree -o again.json >/dev/null
cmp tree.json again.json || complain "the same data and options give other bytes"
"$convwise" train --store made.db --learner bayes --features raw --var-smoothing 1e-6 --precision u8 --json -o bayes.json >bayes
is "$(json bayes 'd["learner"], d["features"], d["validation"]["split"], sorted(set(d["validation"]) & {"f32", "u8"})')" \
   "bayes raw network ['u8']"
"$convwise" train --store made.db --validate none --no-harm=off --json -o plain.json >plain
is "$(json plain 'd["learner"], d["validation"]')" "ensemble None"
"$convwise" train --store made.db --learner tree --max-depth 1 --json -o stump.json >/dev/null || complain "train --max-depth fails"
cmp -s tree.json stump.json && complain "--max-depth changes nothing"

# validate: the table, the JSON, a given model
"$convwise" validate --store made.db --learner tree --learner bayes >table || complain "validate fails"
grep -q '^resnet18 .*f32' table || complain "no row of resnet18, f32"
grep -q '^all .*u8' table || complain "no pooled row of u8"
awk 'length > 120 { print "too wide: " $0; bad = 1 } END { exit bad }' table || bad=1
"$make" long.db rule "$nets"/{alexnet,deeplabv3_mobilenet_v3_large}.txt
"$convwise" validate --store long.db --learner tree --learner bayes >table
"$convwise" validate --store long.db --learner tree --json >report
grep -q '^deeplabv3_mobilen[.][.][.] *u8' table || complain "a long name is not cut with an ellipsis"
awk 'length > 120 { print "too wide: " $0; bad = 1 } END { exit bad }' table || bad=1
is "$(awk '$1 == "all" && $2 == "f32" { print $4 }' table)" \
   "$(json report '"%.3f" % (d["learners"][0]["precisions"]["f32"]["oracle_us"] / 1e3)')"
"$convwise" validate --store made.db --json --split network --learner tree --learner bayes >report
is "$(json report '[l["learner"] for l in d["learners"]], [g["name"] for g in d["learners"][0]["groups"]][::2]')" \
   "['tree', 'bayes'] ['mobilenet_v1', 'resnet18', 'squeezenet1_1']"
is "$(json report 'sorted(set("name precision layers accuracy chosen_us oracle_us best_static_us library_us regret geomean within_5pct over_1_5x infeasible".split()) - set(d["learners"][1]["groups"][0]))')" "[]"
is "$(json report 'sum(g["layers"] for g in d["learners"][0]["groups"]) == d["learners"][0]["pooled"]["layers"] == 146')" True
is "$(json report 'sum(map(sum, d["learners"][0]["confusion"])) == 146')" True
is "$(json report '[b["pooled"]["regret"] for b in d["baselines"] if b["baseline"] == "oracle"]')" "[0.0]"
is "$(json report 'all(g["infeasible"] == 0 for l in d["learners"] + d["baselines"] for g in l["groups"])')" True
"$convwise" validate --store made.db --json --split kfold:4 --learner tree --seed 3 --seeds 3 >report
is "$(json report 'd["note"], [s["seed"] for s in d["seeds"]], len(d["learners"])')" "random: flatters [3, 4, 5] 1"
is "$(json report 'd["seeds"][0]["geomean"]["tree"] == d["learners"][0]["pooled"]["geomean"]')" True
for figure in geomean within_5pct accuracy over_1_5x regret; do # against Python's own mean and deviation
    is "$(json report "(lambda v, s: max(abs(x - y) for x, y in zip([s[k] for k in ('mean', 'least', 'most', 'sd')],
        [__import__('statistics').mean(v), min(v), max(v), __import__('statistics').stdev(v)])) < 1e-9)(
        [s['$figure']['tree'] for s in d['seeds']], d['spread']['tree']['$figure'])")" True
done
"$convwise" validate --store made.db --json --split kfold:4 --learner tree --seed 4 >second # the second seed alone is the same
is "$(json second 'd["learners"][0]["pooled"]["geomean"], d.get("seeds")')" "$(json report 'd["seeds"][1]["geomean"]["tree"], None')"
"$convwise" validate --store made.db --split holdout:0.3 | grep -q 'random: flatters' || complain "holdout is not labelled"
"$convwise" validate --store made.db --model plain.json --json --confusion >report
is "$(json report '"in sample" in d["note"], d["learners"][0]["pooled"]["accuracy"]')" "True 1.0"
"$convwise" validate --store made.db --model bayes.json --confusion | grep -q '(the same)' || complain "no confusion list"

# what is refused
"$make" one.db one-winner "$nets/alexnet.txt"
"$make" single.db rule "$nets/alexnet.txt"
"$make" empty.db rule
refused 1 "all .* problems are won by made.gemm" "$convwise" train --store one.db -o never.json
refused 3 "convwise measure" "$convwise" train --store empty.db -o never.json
refused 3 "convwise measure" "$convwise" validate --store empty.db
refused 1 "missing.db" "$convwise" train --store missing.db -o never.json
echo "not a database, nor anything else of use" >junk.db
refused 1 "junk.db" "$convwise" validate --store junk.db
refused 1 "no-such-folder" "$convwise" train --store made.db -o no-such-folder/model.json
refused 1 "no split is called nets" "$convwise" validate --store made.db --split nets
refused 1 "kfold:1" "$convwise" validate --store made.db --split kfold:1
refused 1 "made.db" "$convwise" validate --store made.db --model made.db
refused 1 "without alexnet" "$convwise" train --store single.db --validate network -o never.json
refused 2 "oak" "$convwise" train --store made.db --learner oak
refused 2 "features\|feature set" "$convwise" validate --store made.db --features best
refused 2 "f64" "$convwise" train --store made.db --precision f64
refused 2 "min-leaf" "$convwise" train --store made.db --min-leaf 0
refused 2 "var-smoothing" "$convwise" train --store made.db --var-smoothing nan
refused 2 "one learner" "$convwise" train --store made.db --learner tree --learner bayes
refused 2 "unexpected" "$convwise" validate --store made.db more
refused 2 "brings its own" "$convwise" validate --store made.db --model tree.json --split near
[ -e never.json ] && complain "a refused training wrote a model"

# one network: trained all the same, validated by groups
"$convwise" train --store single.db --json -o single.json >single || complain "one network cannot be trained on"
is "$(json single 'd["validation"]["split"]')" group

# A model of the store answers for problems like its own; emitted C falls back where the model does (problems of the self-test with
# two threads, and larger or smaller ones).
"$convwise" choose ic64ih56oc64kh3ph1,t2 --model single.json --json >far || complain "choose fails far from training"
is "$(json far 'd["by_static_order"], d["unlike_training"]')" "True threads is far above those of training"
"$convwise" choose ic64ih56oc64kh3ph1 --model single.json --json >near || complain "choose fails near training"
is "$(json near 'd["unlike_training"]')" None
"$convwise" emit --model single.json --prefix pick --self-test -o pick.c &&
    "${CC:-cc}" -std=c99 -Wall -Wextra -pedantic -Werror -Dpick_SELF_TEST -o pick pick.c && ./pick ||
    complain "the emitted file differs from the model"
exit $bad
