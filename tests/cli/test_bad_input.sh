#!/usr/bin/env bash
# Bad input, one table: what is refused says so in one line (what, where), exits with the documented code, prints nothing else and
# leaves every file as it was. Then outputs that cannot be written, folders that may not be, disks that are full, signals.
# What a single command's own test refuses already is not repeated here.
set -u
convwise=$CW_BUILD/convwise make=$CW_BUILD/tests/make_store
nets=$PWD/data/nets sample=$PWD/tests/data/model.json
work=$(mktemp -d)
mounted=
finish() {
    [ -n "$mounted" ] && umount "$work/full"
    chmod -R u+rwx "$work"
    rm -rf "$work"
}
trap finish EXIT
chmod 755 "$work"
cd "$work" || exit 1
bad=0
complain() { printf 'FAILED %s\n' "$*" | cut -c1-400; bad=1; }
fingerprint() { find . -path ./log -prune -o -printf '%p %y %s %l\n' | sort; find . -path ./log -prune -o -type f -print0 | sort -z | xargs -0 md5sum 2>/dev/null; }
# refuse CODE TEXT COMMAND...: fails with the code and says the text; usage errors (2) take argp's two lines more
refuse() {
    local code=$1 text=$2 got lines most=1
    shift 2
    [ "$code" = 2 ] && most=3
    before=$(fingerprint)
    timeout 20 "$@" >log/out 2>log/err </dev/null
    got=$?
    lines=$(wc -l <log/err)
    [ $got -eq "$code" ] || complain "$*: exit code $got, not $code: $(head -c 300 log/err)"
    grep -qaF -- "$text" log/err || complain "$*: does not say \"$text\": $(head -c 300 log/err)"
    grep -qa 'Sanitizer\|runtime error' log/err && complain "$*: $(head -c 600 log/err)"
    [ "$lines" -ge 1 ] && [ "$lines" -le $most ] || complain "$*: says $lines lines"
    [ "$(wc -c <log/err)" -le 1000 ] || complain "$*: says $(wc -c <log/err) bytes"
    [ -s log/out ] && complain "$*: prints $(head -c 100 log/out)"
    [ "$(fingerprint)" = "$before" ] || complain "$*: changed files: $(diff <(echo "$before") <(fingerprint))"
}
c() { local code=$1 text=$2; shift 2; refuse "$code" "$text" "$convwise" "$@"; }

mkdir log folder
"$make" made.db rule "$nets/alexnet.txt" "$nets/squeezenet1_1.txt"
"$make" lone.db one-winner "$nets/alexnet.txt"
"$make" none.db rule
cp "$sample" model.json
printf 'mb1ic8ih9oc8oh9kh3ph1n"a"\n' >tiny.txt
mkfifo pipe
: >empty
head -c 5000 made.db >cut.db
head -c 60000 made.db >half.db
printf 'not a store, nor a model\n' >junk
printf 'mb1ic8ih9oc8oh9kh3ph1\n\n# fine\nmb1ic8ih9oc8kh99\n' >line4.txt
printf 'mb1ic8ih9oc8oh9kh3ph1\nmb1ic\0ih9\n' >zero.txt
cp tiny.txt $'b\xff.txt'
ln -s made.db link.db
ln -s loop loop
long=$(head -c 100000 /dev/zero | tr '\0' x)
fast=(--only own.direct,null --passes 1 -q)

# Problems.
while IFS='|' read -r code text problem; do
    c "$code" "$text" choose "$problem" --model model.json
    c "$code" "$text" measure --problem "$problem" --store new.db "${fast[@]}"
done <<'END'
1|ic is missing|
1|cannot read "x"|x
1|ic is 0|ic0ih5oc3kh3
1|larger than the padded input|ic3ih5oc3kh9
1|at least 1|ic3ih5oc3kh0
1|at least 1|ic3ih5oc3kh3sh0
1|needs a number|ic-3ih5oc3kh3
1|ic is larger than|ic99999999999999999999ih5oc3kh3
1|ic is larger than|ic2147483647ih2147483647oc2147483647kh1
1|2^31 elements|mb1000000ic65536ih65536oc65536kh1
1|2^31 elements|ic65536ih16384oc65536kh1
1|padding along h|ic3ih5oc3kh3ph999999
1|dh is larger than|ic3ih5oc3kh3dh2147483647
1|must divide|g3ic4ih5oc3kh3
1|given twice|ic3ih5oc3kh3ic4
1|cannot read "f15"|ic3ih5oc3kh3,f15
1|cannot read "t0"|ic3ih5oc3kh3,t0
1|no closing quote|ic3ih5oc3kh3n"x
END
c 1 'cannot read' choose $'ic3\xff\xfeih5' --model model.json
c 1 'cannot read' choose "$long" --model model.json

# Options.
while IFS='|' read -r code text options; do
    # shellcheck disable=SC2086
    c "$code" "$text" measure --layers tiny.txt --store new.db $options
done <<'END'
2|'0' is not a whole number|--threads 0
2|'-1' is not a whole number|--threads -1
2|'99999' is not a whole number|--threads 99999
2|'abc' is not a whole number|--threads abc
1|usable cores|--threads 1000
2|'abc' is not a time|--budget abc
2|'nan' is not a time|--budget nan
2|'1e99' is not a time|--budget 1e99
2|'f99' is not|--precision f99
2|names none|--precision ,
2|names no pattern|--only ,
2|--passes|--passes 0
2|--seed|--seed x
2|--batch|--batch 9999999
2|with =RANGE|--grid size
1|grid: size wants|--grid size=1:999999999
1|no kernel fits|--grid size=5,ic=2,oc=3,kernel=9,pad=0
END
c 2 'names none' measure --layers tiny.txt --precision '' --store new.db
c 2 'nothing to measure' measure --net '' --store new.db
c 2 'nothing to measure' measure --net ,, --store new.db
while IFS='|' read -r code text options; do
    # shellcheck disable=SC2086
    c "$code" "$text" validate --store made.db $options
done <<'END'
1|no split is called bogus|--split bogus
1|kfold:1|--split kfold:1
1|kfold:99999|--split kfold:99999
1|kfold:abc|--split kfold:abc
1|holdout:2|--split holdout:2
1|holdout:nan|--split holdout:nan
2|requires an argument|--learner
2|'f99' is not a precision|--precision f99
2|'0' is not a whole number|--threads 0
3|no times of this|--threads 7
3|nothing of machine x|--machine x
2|--seed|--seed -1
END
c 1 'no split is called' validate --store made.db --split "$long"
c 2 'whole number' measure --layers tiny.txt --threads "$long"
c 2 'with =RANGE' measure --grid "$long"
c 1 'too long' measure --grid "size=$long" --store new.db
c 3 'no network or file' measure --net "$long" --store new.db
c 1 'File name too long' measure --layers tiny.txt --store "$long" "${fast[@]}"
c 1 'identifier' emit --model model.json --prefix "$long"
c 1 'identifier' emit --model model.json --prefix $'\xff'
refuse 2 'is not a command' "$convwise" "$long"

# Files that are not what they should be: store, model, table.
while IFS='|' read -r text file; do
    c 1 "$text" store info "$file"
    c 1 "$text" store export "$file"
    c 1 "$text" train --store "$file" -o new.json
    c 1 "$text" validate --store "$file"
    c 1 "$text" store merge made.db "$file"
done <<'END'
name is empty|
is a folder|folder
not a regular file|pipe
not a regular file|/dev/null
is empty, not a store|empty
cut short|cut.db
cut short|half.db
is not a store|junk
No such file|missing
symbolic links|loop
END
for file in folder pipe /dev/null cut.db half.db junk '' loop model.json nowhere/a.db; do
    c 1 "${file:-empty}" measure --layers tiny.txt --store "$file" "${fast[@]}"
done
while IFS='|' read -r text file; do
    c 1 "$text" choose ic8ih9oc8kh3 --model "$file"
    c 1 "$text" emit --model "$file"
    c 1 "$text" validate --store made.db --model "$file"
done <<'END'
name of the file to read is empty|
is a folder|folder
is empty|empty
is empty|/dev/null
not a model|junk
not a model|made.db
No such file|missing
END
sed 's/"macs"/"moon"/' model.json >moon.json
c 1 "wants feature 'moon'" choose ic8ih9oc8kh3 --model moon.json
c 1 'train it anew' validate --store made.db --model model.json
while IFS='|' read -r text file; do
    c 1 "$text" measure --layers "$file" --store new.db "${fast[@]}"
done <<'END'
line4.txt:4|line4.txt
zero byte|zero.txt
has no layers|empty
is a folder|folder
No such file|missing
junk:1|junk
END
c 1 'printable ASCII' measure --layers $'b\xff.txt' --store new.db "${fast[@]}"
c 1 'won by made.gemm' train --store lone.db -o new.json
c 3 'no times' train --store none.db -o new.json
c 3 'no times' validate --store none.db

# A model whose implementations this build lacks still gets an answer: the implementation that supports everything.
sed 's/"own\./"gone./g' model.json >gone.json
"$convwise" choose ic64ih56oc64kh1 --model gone.json >log/out || complain "a model of other implementations is refused"
grep -q "None of the model's implementations" log/out || complain "choose does not say that it lacks all of the model's"

# Outputs that cannot be written.
for to in '' folder nowhere/x /dev/full; do
    [ "$to" = /dev/full ] && [ ! -w /dev/full ] && continue
    c 1 "${to:-empty}" train --store made.db -o "$to"
    c 1 "${to:-empty}" emit --model model.json -o "$to"
    c 1 "${to:-empty}" store export made.db -o "$to"
done
cp made.db other.db
"$convwise" measure --layers tiny.txt --store f.db "${fast[@]}" >/dev/null || complain "measure fails"
while read -r command; do
    # shellcheck disable=SC2086
    timeout 20 "$convwise" $command >/dev/full 2>log/err </dev/null
    code=$?
    [ $code -eq 1 ] && [ "$(wc -l <log/err)" -eq 1 ] && grep -q 'cannot write to standard output: No space' log/err ||
        complain "$command >/dev/full: exit code $code: $(cat log/err)"
    # shellcheck disable=SC2086
    timeout 20 "$convwise" $command 2>log/err </dev/null | :
    code=${PIPESTATUS[0]}
    case $code in 0 | 1 | 141) ;; *) complain "$command | head: exit code $code: $(cat log/err)" ;; esac
done <<END
--help
--version
choose --help
doctor
doctor --json
impls
impls --json
measure --layers tiny.txt --store f.db ${fast[*]}
measure --layers tiny.txt --store f.db ${fast[*]} --json
store info made.db
store info made.db --json
store export made.db
store diff made.db other.db
store diff made.db other.db --json
store merge other.db made.db --json
train --store made.db -o m.json
train --store made.db -o m.json --json
validate --store made.db
validate --store made.db --json
choose ic8ih9oc8kh3 --model model.json
choose ic8ih9oc8kh3 --model model.json --json
emit --model model.json
END
# Standard output that is a file is written to, not replaced, and what was in it stays.
echo first >appended
"$convwise" store export made.db >>appended || complain "export into a file fails"
[ "$(head -n 1 appended)" = first ] && [ "$(wc -l <appended)" -gt 100 ] || complain "export does not append to its standard output"
[ -L /dev/stdout ] || complain "/dev/stdout is no longer a link"
"$convwise" measure --layers tiny.txt --store $'\xff.db' "${fast[@]}" --json >log/out || complain "a store's name that is no UTF-8 is refused"

# A folder that may not be written; as somebody whom root's rights do not help.
mkdir ro
cp made.db model.json tiny.txt ro/
chmod 444 ro/*
chmod 555 ro
as=()
[ "$(id -u)" -eq 0 ] && as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if [ ${#as[@]} -gt 0 ] && ! "${as[@]}" "$convwise" --version >/dev/null 2>&1; then
    echo "SKIP read-only folder: cannot run as somebody else"
else
    for store in ro/made.db ro/new.db; do
        refuse 1 "$store" ${as[@]+"${as[@]}"} "$convwise" measure --layers tiny.txt --store $store "${fast[@]}"
    done
    refuse 1 ro/made.db ${as[@]+"${as[@]}"} "$convwise" store merge ro/made.db made.db
    refuse 1 ro/m.json ${as[@]+"${as[@]}"} "$convwise" train --store ro/made.db -o ro/m.json
    refuse 1 ro/m.c ${as[@]+"${as[@]}"} "$convwise" emit --model ro/model.json -o ro/m.c
    refuse 1 ro/m.csv ${as[@]+"${as[@]}"} "$convwise" store export ro/made.db -o ro/m.csv
    ${as[@]+"${as[@]}"} "$convwise" store info ro/made.db >/dev/null || complain "a read-only store cannot be read"
fi

# A full disk.
mkdir full
if mount -t tmpfs -o size=512k tmpfs full 2>/dev/null; then
    mounted=yes
    cp made.db full/s.db
    cp model.json full/m.json
    head -c 600000 /dev/zero >full/fill 2>/dev/null
    c 1 'disk full' measure --layers tiny.txt --store full/s.db "${fast[@]}"
    c 1 'disk full' measure --layers tiny.txt --store full/new.db "${fast[@]}"
    c 1 'disk full' store merge full/s.db f.db
    c 1 'No space' train --store made.db -o full/m.json
    c 1 'No space' emit --model model.json -o full/m.json
    c 1 'No space' store export made.db -o full/new.csv
    rm full/fill
    "$convwise" measure --layers tiny.txt --store full/s.db "${fast[@]}" >/dev/null || complain "does not go on where there is room again"
else
    echo "SKIP full disk: cannot mount a small tmpfs"
fi

# Told to end: alone, twice (as timeout does), or with all its processes. The store is one whole file, without failures of our making.
settled() { # what, store
    [ -e "$2" ] && [ ! -e "$2-lock" ] && [ ! -e "$2-wal" ] || complain "$1: leaves $(echo "$2"*)"
    "$convwise" store info "$2" --json | grep -q '"failed": 0' || complain "$1: an implementation is blamed"
}
for signal in INT TERM HUP; do
    timeout -s $signal 0.7 env --default-signal=INT "$convwise" measure --net vgg16 --store $signal.db -q >/dev/null 2>log/err
    grep -q interrupted log/err || complain "$signal: says $(cat log/err)"
    settled "$signal" $signal.db
done

# While one measures, others read, and a second writer is turned away.
"$convwise" measure --net vgg16 --store busy.db -q >/dev/null 2>&1 &
writer=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -s busy.db ] && [ -e busy.db-wal ] && break || sleep 0.1; done
"$convwise" measure --layers tiny.txt --store busy.db "${fast[@]}" >/dev/null 2>log/err && complain "two write into one store"
grep -q "another convwise (process $writer)" log/err || complain "the second writer is told: $(cat log/err)"
"$convwise" store info busy.db >/dev/null || complain "nobody can read while one measures"
kill -TERM $writer
wait $writer
settled "with a reader" busy.db

[ $bad -eq 0 ] && echo "bad input is refused"
exit $bad
