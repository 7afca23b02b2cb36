#!/usr/bin/env bash
# A new machine with few measurements: probes picked by another machine's model, and training that goes on from it.
. "$(dirname "$0")/lib.sh"

make="$CW_BUILD/tests/make_store"
"$make" there.db rule "$nets"/{resnet18,squeezenet1_1,mobilenet_v1}.txt || complain "make_store fails"
"$make" here.db rule "$nets/alexnet.txt"
"$make" one.db one-winner "$nets/alexnet.txt"
"$convwise" train --store there.db --learner boost --validate none --no-harm=off -o base.json >/dev/null || complain "train fails"
"$convwise" train --store there.db --learner tree --validate none --no-harm=off -o tree.json >/dev/null

# Probes: the first of more are the same; never more than there are different layers; nothing is measured or made.
net="$nets/resnet18.txt"
"$convwise" measure --layers "$net" --base base.json --probes 4 --dry-run --store none.db >four || complain "--dry-run fails"
"$convwise" measure --layers "$net" --base base.json --probes 100 --dry-run --json --store none.db >all.json
[ -e none.db ] && complain "--dry-run makes a store"
is "$(grep -c '^mb1' four)" 4
is "$(json all.json 'd["dry_run"], len(d["probes"]) == len({p["problem"] for p in d["probes"]}), 4 < len(d["probes"]) < 20')" "True True True"
is "$(awk '/^mb1/ { print $1 }' four | paste -sd' ')" "$(json all.json '" ".join(p["problem"] for p in d["probes"][:4])')"
is "$(json all.json 'all(a["gain"] >= b["gain"] for a, b in zip(d["probes"], d["probes"][1:])), sum(p["gain"] for p in d["probes"]) < 1 + 1e-9')" "True True"
is "$("$convwise" measure --layers "$net" --dry-run | grep -c '^mb1')" "$("$convwise" measure --layers "$net" --dry-run --json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)["probes"]))')"
small="--problem ic8ih8oc8kh3ph1 --problem ic8ih9oc8kh3ph1 --problem ic64ih8oc8kh1"
# shellcheck disable=SC2086
"$convwise" measure $small --base base.json --probes 2 --only own.direct --passes 1 --store probes.db --json -q >measured.json || complain "measuring probes fails"
is "$(json measured.json 'd["problems"], d["stored"], len(d["probes"])')" "2 2 2"

# Training on few rows: the same bytes again and with threads; a row set that one wins is no obstacle.
"$convwise" train --store here.db --base base.json -o a.json >out || complain "train --base fails"
grep -q 'base [0-9a-f]* x 0.5, offsets only' out || complain "train does not say what it kept of the base: $(cat out)"
"$convwise" train --store here.db --base base.json --train-threads 3 -o b.json >/dev/null
cmp a.json b.json || complain "threads change the model"
refused 1 "won by made.gemm" "$convwise" train --store one.db -o never.json
"$convwise" train --store one.db --base base.json --no-harm=off -o won.json >/dev/null || complain "one winner stops train --base"
"$convwise" choose ic256ih13oc384kh3ph1 --model won.json --no-check --json >choice
is "$(json choice 'd["ranking"][0]["implementation"]')" made.gemm
"$convwise" validate --store here.db --split group --learner boost --learner forest --base base.json --json >report || complain "validate --base fails"
is "$(json report '[[", base " in s["settings"] for s in l["settings"]][0] for l in d["learners"]]')" "[True, False]"

# A model like any other.
"$convwise" emit --model a.json --prefix pick --self-test -o pick.c &&
    "${CC:-cc}" -std=c99 -Wall -Wextra -pedantic -Werror -Dpick_SELF_TEST -o pick pick.c && ./pick ||
    complain "the emitted file differs from the model"
"$convwise" choose ic64ih56oc64kh3ph1 --model a.json --no-check --explain >/dev/null || complain "choose --explain fails"
"$convwise" train --store here.db --base a.json -o c.json >/dev/null || complain "a model that went on from a base is no base"

refused 1 "no sum of trees" "$convwise" train --store here.db --base tree.json -o never.json
refused 1 "learner boost, not forest" "$convwise" train --store here.db --base base.json --learner forest -o never.json
refused 1 "features (engineered) are not the data's" "$convwise" train --store here.db --base base.json --features raw -o never.json
refused 1 "none of the base's implementations" "$convwise" train --store here.db --base base.json --families -o never.json
refused 1 "here.db" "$convwise" train --store here.db --base here.db -o never.json
refused 1 "no sum of trees" "$convwise" measure --layers "$net" --base tree.json --probes 3 --dry-run
refused 2 "belong together" "$convwise" measure --layers "$net" --probes 3 --dry-run
refused 2 "belong together" "$convwise" measure --layers "$net" --base base.json
refused 2 "probes" "$convwise" measure --layers "$net" --base base.json --probes 0
refused 2 "learners that train" "$convwise" validate --store here.db --model a.json --base base.json
[ -e never.json ] && complain "a refused training wrote a model"
exit $bad
