#!/usr/bin/env bash
# model diff: changed layers, their times and totals as counted by hand from a store of ten times; JSON, table, refusals.
. "$(dirname "$0")/lib.sh"

# store NAME: gemm's and direct's times of channels 8, 16, 32, 64
head="network,precision,cin,h,w,kernel,cout,stride,pad,gemm_us,direct_us,winograd_us"
row() { echo "n,fp32,$1,14,14,1,8,1,0,$2,$3,"; }
(echo $head; row 8 10 20; row 16 10 20; row 32 40 20; row 64 40 20) >a.csv # gemm up to 16
(echo $head; row 8 10 20; row 16 30 20; row 32 40 20; row 64 40 20) >b.csv # gemm up to 8
for name in a b; do
    "$convwise" import layers $name.csv --preset mali-t860 --store $name.db >/dev/null || complain "import fails"
    "$convwise" train --store $name.db --learner tree --features raw --min-leaf 1 --validate none --no-harm=off -o $name.json >/dev/null || complain "train fails"
done
"$convwise" model diff a.json b.json --store b.db --json >diff || complain "model diff fails"
is "$(json diff 'd["layers"], d["layers_changed"], d["layers_unknown"]')" "4 1 0"
is "$(json diff '[(c["was"], c["was_us"], c["now"], c["now_us"], c["layers"], c["by"]) for c in d["changed"]]')" \
   "[('armcl.gemm', 30.0, 'armcl.direct', 20.0, 1, 'measured')]"
is "$(json diff 'd["measured"]["was_us"], d["measured"]["now_us"], d["measured"]["layers"], d["predicted"]["layers"]')" "80.0 70.0 4 0"
"$convwise" model diff a.json b.json --store b.db >table || complain "the table fails"
grep -q 'measured: 4 layers, 80.0 us before, 70.0 us after: -12.5 %' table || complain "no totals: $(cat table)"
grep -q 'ic16.*armcl.gemm.*30.0.*armcl.direct.*20.0.*0.67.*measured' table || complain "no line of the change: $(cat table)"
"$convwise" model diff b.json a.json --store b.db --json >back # the other way round
is "$(json back '[(c["was"], c["now"]) for c in d["changed"]], d["measured"]["was_us"], d["measured"]["now_us"]')" "[('armcl.direct', 'armcl.gemm')] 70.0 80.0"
"$convwise" model diff a.json a.json --store a.db --json >same || complain "diff of equals fails"
is "$(json same 'd["changed"], d["layers"]')" "[] 4"

# layers of a table, one of them three times, none in the store: predicted. Tables say nothing of layouts: models of nhwc.
for name in a b; do
    "$convwise" store export $name.db | sed 's/,nchw//; s/"\(mb1[^"]*\)"/\1/' >$name.nhwc.csv
    "$convwise" import csv $name.nhwc.csv --store $name.nhwc.db >/dev/null || complain "import csv fails"
    "$convwise" train --store $name.nhwc.db --learner tree --features raw --min-leaf 1 --validate none --no-harm=off -o $name.nhwc.json >/dev/null
done
printf '%s\n' 'ic8ih14oc8kh1' 'ic16ih14oc8kh1' 'ic16ih14oc8kh1' 'ic16ih14oc8kh1' >layers.txt
"$convwise" model diff a.nhwc.json b.nhwc.json --layers layers.txt --no-check --json >predicted || complain "--layers fails"
is "$(json predicted 'd["layers"], d["layers_changed"], [(c["layers"], c["by"], c["now"]) for c in d["changed"]], d["measured"]["layers"]')" \
   "4 3 [(3, 'predicted', 'armcl.direct')] 0"
"$convwise" model diff a.json b.json --net alexnet --precision both --no-check --json >net || complain "--net fails"
is "$(json net 'd["layers"]')" 10
"$convwise" model diff a.json b.json --net alexnet --json >here || complain "checked here fails" # armcl is not here: the last resort is
is "$(json here 'd["layers_changed"]')" 0

refused 2 "action" "$convwise" model
refused 2 "no action" "$convwise" model merge a.json b.json
refused 2 "two models" "$convwise" model diff a.json --store a.db
refused 2 "needs layers" "$convwise" model diff a.json b.json
refused 2 "precision" "$convwise" model diff a.json b.json --net alexnet --precision f64
refused 3 "no network" "$convwise" model diff a.json b.json --net nothing
refused 1 "missing.json" "$convwise" model diff missing.json b.json --store a.db
refused 1 "a.db" "$convwise" model diff a.db b.json --store a.db
refused 1 "missing.db" "$convwise" model diff a.json b.json --store missing.db
refused 3 "no times" "$convwise" model diff a.json b.json --store a.db --machine nobody
exit $bad
