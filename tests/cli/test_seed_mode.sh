#!/usr/bin/env bash
# validate --seed-mode on tables of its own: import, tables, Markdown, JSON, another network by a second table, refusals.
. "$(dirname "$0")/lib.sh"

{
    echo "@RELATION convolution"
    for i in 1 2 3 4 5 6 7; do echo "@ATTRIBUTE tensor_$i INTEGER"; done
    for name in tuner precision architecture; do echo "@ATTRIBUTE $name INTEGER"; done
    echo "@ATTRIBUTE class {conv,directconv,winogradconv}"
    echo "@DATA"
    for channels in 8 16 24 32 40; do
        for size in 7 14 28; do
            for precision in 0 1; do
                echo "$channels,$size,$size,1,$channels,1,0,0,$precision,0,conv"
                echo "$channels,$size,$size,3,$channels,1,1,0,$precision,0,$([ $precision = 0 ] && echo winogradconv || echo directconv)"
            done
        done
    done
} >labels.arff
heads=network,precision,cin,h,w,kernel,cout,stride,pad,gemm_us,direct_us,winograd_us
# small: in fp32 the Winograd that the labels promise has no time on the second layer.
printf '%s\n' $heads small,fp32,8,14,14,3,8,1,1,30,40,10 small,fp32,48,14,14,3,48,1,1,100,120, \
    small,uint8,8,14,14,3,8,1,1,30,20, small,uint8,48,14,14,3,48,1,1,50,60, >layers.csv
printf '%s\n' $heads more,fp32,16,28,28,1,16,1,0,5,9, more,uint8,16,28,28,1,16,1,0,4,9, >more.csv
"$convwise" import arff labels.arff --store s.db --preset mali-t860 >/dev/null || complain "import arff fails"
refused 3 "no times" "$convwise" validate --store s.db --seed-mode
"$convwise" import layers layers.csv --store s.db --preset mali-t860 >/dev/null || complain "import layers fails"

"$convwise" validate --store s.db --seed-mode --json >a.json || complain "--seed-mode fails"
is "$(json a.json '[(g["network"], g["precision"], g["best_static"]) for g in d["groups"]]')" \
    "[('small', 'f32', 'armcl.gemm'), ('small', 'u8', 'armcl.direct')]"
tree='[c for c in d["contenders"] if (c["name"], c["split"], c["mode"]) == ("tree", "network", "ALL")][0]["groups"][0]'
is "$(json a.json "[$tree[k] for k in ('layers', 'ran', 'right', 'published_us', 'charged_us', 'oracle_us', 'rows')]")" \
    "[2, 1, 1, 10.0, 110.0, 110.0, 58]"
is "$(json a.json "$tree['speedup_published'], round($tree['speedup_charged'], 6)")" "1200.0 18.181818"
"$convwise" validate --store s.db --seed-mode --json >b.json
cmp a.json b.json || complain "the same store gives another report"

# Another network: another table, the same commands.
"$convwise" import layers more.csv --store s.db --preset mali-t860 >/dev/null || complain "import of a second table fails"
"$convwise" validate --store s.db --seed-mode >table || complain "the table fails"
grep -q '^more  *f32  *1 ' table || complain "the second network is not in the table"
grep -q '1200.00% \*' table || complain "the inflated speed-up is not marked"
"$convwise" validate --store s.db --seed-mode --markdown >page.md || complain "--markdown fails"
grep -q '^| more | u8 | 1 |' page.md || complain "the second network is not in the Markdown"
awk -F'|' '/^\|/ { if (n && NF != n) { print FILENAME ":" NR ": " NF " cells, not " n; exit 1 } n = NF; next } { n = 0 }' page.md ||
    complain "a Markdown table is ragged"

printf '%s\n' network,classifier,mode,precision,conv_us,conv_n,direct_us,direct_n,winograd_us,winograd_n,predicted_us,predicted_n,layers_n,oracle_us,best_static_us,best_static_name,accuracy_pct,speedup_pct \
    small,DecisionTree,ALL,fp32,130,2,160,2,10,1,10,1,2,110,130,Conv,50,1200 \
    small,DecisionTree,ALL,uint8,80,2,80,2,0,0,11,1,2,70,80,Directconv,50,0 >reported.csv
"$convwise" validate --store s.db --seed-mode --reported reported.csv >table || complain "--reported fails"
grep -q 'Totals equal: 2 of 2 rows. Predictions: of 2 by learners that are here 1 equal, 0 explained by draws, 1 different' table ||
    complain "the comparison is not as it should be: $(grep Totals table)"
"$convwise" validate --store s.db --seed-mode --reported reported.csv --json >c.json
is "$(json c.json '[(r["totals_equal"], r["prediction"]) for r in d["published"]]')" "[(True, 'equal'), (True, 'different')]"

echo "network,mode" >bad.csv
refused 1 "bad.csv:1: no column is called classifier" "$convwise" validate --store s.db --seed-mode --reported bad.csv
refused 1 "absent.csv" "$convwise" validate --store s.db --seed-mode --reported absent.csv
refused 2 "own splits" "$convwise" validate --store s.db --seed-mode --split group
refused 2 "need --seed-mode" "$convwise" validate --store s.db --markdown
"$CW_BUILD/tests/make_store" no.db rule "$nets/squeezenet1_1.txt" || complain "make_store fails"
refused 3 "no labels" "$convwise" validate --store no.db --seed-mode

# Labels are good for training as well.
"$convwise" train --store s.db --features seed --validate none -o m.json >/dev/null || complain "train --features seed fails"
grep -q tensor_1 m.json || complain "the features are not the seed's"
exit $bad
