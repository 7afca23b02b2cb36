#!/usr/bin/env bash
# convwise import and the exports that others read: messages with file and line, exit codes, nothing stored where refused, and a model
# trained on what was exported and imported again is the same.
set -u
convwise=$CW_BUILD/convwise
make_store=$CW_BUILD/tests/make_store
[ -x "$make_store" ] || make_store=$(find "$CW_BUILD" -name make_store -type f | head -1)
nets=$PWD/data/nets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
complain() { echo "$*"; bad=1; }
# expect CODE TEXT COMMAND...: exit code, and a text in what it says
expect() {
    local code=$1 text=$2 said
    shift 2
    said=$("$@" 2>&1)
    local got=$?
    [ $got -eq "$code" ] || complain "$*: exit code $got, not $code: $said"
    grep -qF -- "$text" <<<"$said" || complain "$*: does not say '$text': $said"
}
cd "$work" || exit 1

# A network of another name in the seed's format, without any change but the file.
cat >other.csv <<'END'
network,precision,cin,h,w,kernel,cout,stride,pad,gemm_us,direct_us,winograd_us
Other net,fp32,3,224,224,3,64,1,1,1000,900,700
Other net,fp32,64,224,224,3,64,1,1,5000,9000,
Other net,fp32,64,224,224,1,64,1,0,500,400,
Other net,fp32,64,224,224,3,64,1,1,5000,9000,
Other net,uint8,3,224,224,3,64,1,1,1000,0,
END
expect 0 "1 times of zero" "$convwise" import layers other.csv --preset mali-t860 --store other.db
expect 0 "other.csv:6: direct_us is 0" "$convwise" import layers other.csv --preset mali-t860 --store other.db --name twice
expect 1 "would count it twice" "$convwise" import layers other.csv --preset mali-t860 --store other.db
expect 1 "other.csv:6: direct_us is 0" "$convwise" import layers other.csv --preset mali-t860 --store other.db --strict --name third
expect 0 "Other net" "$convwise" store info other.db
"$convwise" import layers other.csv --preset mali-t860 --store j.db --json 2>/dev/null |
    python3 -c 'import json,sys; d = json.load(sys.stdin); assert (d["lines"], d["problems"], d["times"], d["absent"], d["networks"], d["most_kept"]) == (6, 4, 10, 5, 1, None), d' ||
    complain "--json of import"

# Refused: the store stays byte for byte.
cp other.db before.db
printf '@relation x\n@data\n1\n' >bad.arff
expect 1 "bad.arff:2: there is no column" "$convwise" import arff bad.arff --preset mali-t860 --store other.db
expect 3 "no preset" "$convwise" import arff bad.arff --preset unknown --store other.db
expect 3 "no kind of import" "$convwise" import nothing bad.arff --store other.db
expect 2 "needs a kind and a file" "$convwise" import arff --store other.db
expect 1 "$work" "$convwise" import layers "$work" --preset mali-t860 --store other.db
head -c 10485760 /dev/zero | tr '\0' x >long.csv
expect 1 "long.csv:1:" "$convwise" import layers long.csv --preset mali-t860 --store other.db
for store in before other; do sqlite3 $store.db .dump >$store.sql; done
cmp before.sql other.sql || complain "a refused import changes the store"
(head -1 other.csv; for i in $(seq 30); do echo "N,fp32,x"; done; sed -n 2p other.csv) >many.csv
expect 0 "... and 10 more lines" "$convwise" import layers many.csv --preset mali-t860 --store many.db
[ "$("$convwise" import layers many.csv --preset mali-t860 --store all.db --all 2>&1 | grep -c '^many.csv:[0-9]*: 3 fields')" -eq 30 ] ||
    complain "--all does not report every line"

# Out as CSV, in again: the same rows, the same model. Its validation differs, as networks are not in the CSV.
"$make_store" made.db rule "$nets/resnet18.txt" "$nets/vgg16.txt" || complain "make_store fails"
"$convwise" store export made.db -o made.csv && "$convwise" import csv made.csv --store again.db --strict >/dev/null &&
    "$convwise" store export again.db | cmp - made.csv || complain "CSV does not come back"
for learner in tree bayes; do
    for store in made again; do
        "$convwise" train --store $store.db --learner $learner --no-harm=off --no-calibrate -o $store.$learner.json >/dev/null 2>&1 || complain "train fails on $store"
    done
    python3 - made.$learner.json again.$learner.json <<'END' || complain "$learner: the model of imported rows differs"
import json, sys
a, b = (json.load(open(p)) for p in sys.argv[1:])
for model in (a, b):
    del model["validation"], model["provenance"]["cpu"]
assert a == b
END
done

# JSON lines have the CSV's rows.
"$convwise" store export made.db --format jsonl -o made.jsonl
python3 - <<'END' || complain "JSON lines and CSV differ"
import csv, json
rows = list(csv.DictReader(open("made.csv", newline="")))
objects = [json.loads(line) for line in open("made.jsonl")]
assert len(rows) == len(objects) > 50
for row, o in zip(rows, objects):
    assert list(row) == list(o)
    for key, text in row.items():
        assert (text == "" and o[key] in (None, "")) or text == o[key] or float(text) == o[key], (key, text, o[key])
END
expect 2 "no format" "$convwise" store export made.db --format xml
expect 2 "for --format arff" "$convwise" store export made.db --features raw

# Out as ARFF, in again as labels: one a problem, the fastest.
"$convwise" store export made.db --format arff -o made.arff || complain "ARFF export fails"
expect 0 "labels" "$convwise" import arff made.arff --strict --machine m --store labels.db --columns \
    "mb=mb,g=g,ic=ic,oc=oc,ih=ih,iw=iw,kh=kh,kw=kw,sh=sh,sw=sw,dh=dh,dw=dw,ph=pt,pw=pl,threads=threads,zp=zp,prec=prec,f32=0,u8=1,class=class,made.direct=made.direct,made.gemm=made.gemm,made.winograd=made.winograd,made.depthwise=made.depthwise"
difference=$(sqlite3 made.db "ATTACH 'labels.db' AS l; SELECT count(*) FROM fastest f WHERE NOT EXISTS (SELECT 1 FROM l.latest x WHERE
    x.problem = f.problem AND x.impl = f.impl AND x.state = 'label')")
[ "$difference" = 0 ] || complain "$difference problems have another label than their fastest"
exit $bad
