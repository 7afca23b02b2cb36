#!/usr/bin/env bash
# Bad input to convwise import, one table for all kinds: a good file and one line more, which is its last line after an edit by sed.
# What is not understood is named with file and line, counted, and nothing of it is stored; --strict, and whatever spoils a whole
# file, refuses it with exit code 1 in one line and leaves the store as it was, or absent.
set -u
convwise=$CW_BUILD/convwise
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work" || exit 1
bad=0
tried=0
complain() { printf 'FAILED %s\n' "$*" | cut -c1-400; bad=1; }

declare -A options=([arff]="--preset mali-t860" [layers]="--preset mali-t860" [finddb]="--machine gpu --kept 4 --scope problem"
                    [onednn-log]="--machine here" [csv]=)
kinds=(arff layers finddb onednn-log csv)
cat >good.arff <<'END'
@relation convolution
@attribute tensor_1 integer
@attribute tensor_2 integer
@attribute tensor_3 integer
@attribute tensor_4 integer
@attribute tensor_5 integer
@attribute tensor_6 integer
@attribute tensor_7 integer
@attribute tuner integer
@attribute precision integer
@attribute architecture integer
@attribute class {conv,directconv,winogradconv,other}
@data
512,7,7,1,256,1,0,0,0,0,conv
1024,7,7,1,256,1,0,0,0,0,conv
END
cat >good.layers <<'END'
network,precision,cin,h,w,kernel,cout,stride,pad,gemm_us,direct_us,winograd_us
net,fp32,64,28,28,3,64,1,1,2000,3000,1000
net,fp32,64,56,56,3,64,1,1,7000,9000,
END
cat >good.finddb <<'END'
512-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F=fft:3,8,miopenConvolutionFwdAlgoFFT
576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F=fft:7,8,miopenConvolutionFwdAlgoFFT;wino:5,8,miopenConvolutionFwdAlgoWinograd
END
tensors="src_f32::blocked:acdb:f0 wei_f32::blocked:Acdb16a:f0 dst_f32::blocked:acdb:f0"
cat >good.onednn-log <<END
onednn_verbose,info,oneDNN v2.6.0 (commit 52b5f107dd9cf10910aaa19cb47f3abf9b349815)
onednn_verbose,info,cpu,runtime:OpenMP,nthr:1
onednn_verbose,exec,cpu,convolution,jit:avx2,forward_inference,$tensors,,alg:convolution_direct,mb1_ic64oc64_ih28oh28kh3sh1dh0ph1_iw28ow28kw3sw1dw0pw1,3
onednn_verbose,exec,cpu,convolution,jit:avx2,forward_inference,$tensors,,alg:convolution_direct,mb1_ic64oc64_ih56oh56kh3sh1dh0ph1_iw56ow56kw3sw1dw0pw1,7
END
# shellcheck disable=SC2086
"$convwise" import layers good.layers ${options[layers]} --store made.db >/dev/null && "$convwise" store export made.db | tr -d '\r' | grep -v ,absent, >good.csv ||
    complain "the good files cannot be made"
"$convwise" import layers good.layers --preset mali-t860 --name base --store base.db >/dev/null || complain "no store to begin with"
sqlite3 base.db .dump >base.sql

# take KIND FILE [OPTION...]: imports into a copy of base.db; the code in $code, the messages in err, the counts in out
take() {
    local kind=$1 file=$2
    shift 2
    rm -f s.db*
    cp base.db s.db
    # shellcheck disable=SC2086
    timeout 20 "$convwise" import "$kind" "$file" ${options[$kind]} --name bad --store s.db --json "$@" >out 2>err </dev/null
    code=$?
    tried=$((tried + 1))
    grep -qa 'Sanitizer\|runtime error' err && complain "$kind $file: $(head -c 600 err)"
}
count() { sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" out; }
stored() { sqlite3 s.db "SELECT problem.text, impl.name, state, time_ns FROM measurement m JOIN problem ON m.problem = problem.id JOIN impl ON m.impl = impl.id
    WHERE run IN (SELECT id FROM run WHERE source = (SELECT id FROM source WHERE name = 'bad')) ORDER BY 1, 2, 3, 4"; }
as_it_was() { [ "$(echo "${1%.db}".db*)" = "$1" ] && sqlite3 "$1" .dump | cmp -s - base.sql; }
# refused WHAT TEXT KIND FILE [OPTION...]
refused() {
    local what=$1 text=$2 kind=$3 file=$4
    shift 2
    take "$@"
    [ $code -eq 1 ] || complain "$kind: $what: exit code $code, not 1: $(head -c 300 err)"
    grep -qaF -- "$text" err || complain "$kind: $what: does not say \"$text\": $(tail -n 1 err)"
    [ "$(tail -n 1 err | wc -c)" -le 300 ] || complain "$kind: $what: says too much"
    [ -s out ] && complain "$kind: $what: prints $(head -c 100 out)"
    as_it_was s.db || complain "$kind: $what: the store is not as it was: $(echo s.db*)"
}
# unmade WHAT TEXT KIND FILE: the same, and where there was no store there is none
unmade() {
    refused "$@"
    # shellcheck disable=SC2086
    "$convwise" import "$3" "$4" ${options[$3]} --store new.db >out 2>&1 </dev/null
    [ "$(echo new.db*)" = 'new.db*' ] || complain "$3: $1: leaves a new store: $(echo new.db*)"
    rm -f new.db*
}

for kind in "${kinds[@]}"; do
    take "$kind" "good.$kind" --strict
    [ $code -eq 0 ] || complain "$kind: the good file is refused: $(head -c 300 err)"
    stored >"good.$kind.rows"
    [ "$(wc -l <"good.$kind.rows")" -ge 2 ] || complain "$kind: the good file gives $(wc -l <"good.$kind.rows") rows"
done

# One line: KIND|WHAT IT SAYS|EDIT. It must be rejected.
while IFS='|' read -r kind text edit; do
    { cat "good.$kind"; tail -n 1 "good.$kind" | sed "$edit"; } >"bad.$kind"
    cmp -s <(tail -n 1 "bad.$kind") <(tail -n 1 "good.$kind") && complain "$kind: $edit edits nothing"
    at="bad.$kind:$(wc -l <"bad.$kind"): "
    take "$kind" "bad.$kind"
    [ $code -eq 0 ] && [ "$(count rejected)" = 1 ] || complain "$kind: $edit: exit code $code, rejected $(count rejected): $(head -c 300 err)"
    grep -F -- "$at" err | grep -qF -- "$text" || complain "$kind: $edit: does not say \"$at...$text\": $(head -c 300 err)"
    stored | cmp -s - "good.$kind.rows" || complain "$kind: $edit: something of the line is stored"
    for name in zero_times contradictory duplicates; do
        [ "$(count $name)" = 0 ] || complain "$kind: $edit: counted as $name, too"
    done
    refused "$edit, strict" "$at" "$kind" "bad.$kind" --strict
    grep -qF -- "$text" err || complain "$kind: $edit: --strict does not say \"$text\": $(head -c 300 err)"
done <<'END'
arff|10 values|s/,0,conv/,conv/
arff|12 values|s/$/,1/
arff|must be a number|s/^1024/x/
arff|must be a number|s/^1024//
arff|must be a whole number|s/^1024/-1/
arff|must be a whole number|s/^1024/7.5/
arff|must be a number|s/^1024/inf/
arff|must be a number|s/^1024/nan/
arff|must be a number|s/^1024/1e999/
arff|must be a number|s/^1024/0x10/
arff|ic is 0|s/^1024/0/
arff|is missing|s/^1024/?/
arff|is not a value of class|s/conv/unknown/
arff|stands for no implementation|s/conv/other/
arff|larger than the padded input|s/,7,7,1,/,7,7,9,/
arff|a quote is not closed|s/conv/'conv/
arff|a comma is missing|s/conv/'conv'x/
layers|11 fields|s/,7000//
layers|13 fields|s/$/,1/
layers|must be a time|s/7000/x/
layers|must be a time|s/7000/-7000/
layers|must be a time|s/7000/-0.5/
layers|must be a time|s/7000/inf/
layers|must be a time|s/7000/-inf/
layers|must be a time|s/7000/nan/
layers|must be a time|s/7000/1e999/
layers|must be a time|s/7000/0x1p3/
layers|must be a time|s/7000/7000 /
layers|must be a time|s/7000,9000/0,x/
layers|which precision|s/fp32/fp64/
layers|must be a whole number|s/,64,56/,x,56/
layers|must be a whole number|s/,64,56/,-1,56/
layers|must be a whole number|s/,64,56/,nan,56/
layers|must be a whole number|s/,64,56/,,56/
layers|a comma is missing behind a quote|s/net/"net"x/
layers|a quote is not closed|s/net/"net/
layers|a network's name|s/net//
finddb|15 to 19 fields|s/576-//
finddb|does not fit its layout|s/^/576-/
finddb|does not fit its layout|s/-0-NCHW/-0-0-NCHW/
finddb|neither 3 nor 5 fields|s/7,8/7/
finddb|neither 3 nor 5 fields|s/7,8/7,8,9/
finddb|no colon|s/fft://
finddb|no '='|s/=/:/
finddb|no colon|s/$/;/
finddb|a time is not a number|s/:7/:x/
finddb|a time is negative|s/:7/:-7/
finddb|a time is not a number|s/:7/:inf/
finddb|a time is not a number|s/:7/:-inf/
finddb|a time is not a number|s/:7/:nan/
finddb|a time is not a number|s/:7/:1e999/
finddb|a time is not a number|s/:7/:/
finddb|a time is negative|s/:7/:0/;s/wino:5/wino:-5/
finddb|not a number of bytes|s/7,8/7,-8/
finddb|an algorithm is unknown|s/AlgoFFT/AlgoMagic/
finddb|an algorithm is unknown|s/FwdAlgoFFT/BwdDataAlgoFFT/
finddb|a solver's name|s/fft:7/f f:7/
finddb|the precision is none|s/FP32/FP64/
finddb|the direction is none|s/-F=/-X=/
finddb|number of groups|s/-F=/-F_h2=/
finddb|a size in the key|s/^576/x/
finddb|a size in the key|s/^576/0/
finddb|a size in the key|s/^576/99999999999/
onednn-log|ten fields|s/,7$//
onednn-log|ten fields|s/$/,7/
onednn-log|not a number of milliseconds|s/,7$/,x/
onednn-log|not a number of milliseconds|s/,7$/,-7/
onednn-log|not a number of milliseconds|s/,7$/,inf/
onednn-log|not a number of milliseconds|s/,7$/,nan/
onednn-log|not a number of milliseconds|s/,7$/,1e999/
onednn-log|not a number of milliseconds|s/,7$/,/
onednn-log|propagation "sideways" is unknown|s/forward_inference/sideways/
onednn-log|no name of an implementation|s/jit:avx2/jit avx2/
onednn-log|tensors are not understood|s/src_f32/f32/
onednn-log|its problem|s/ic64/ic0/
onednn-log|its problem|s/mb1_/mb1_mb1_/
csv|fields: the first line has|s/,armcl,/,/
csv|fields: the first line has|s/$/,1/
csv|time_ns|s/,9000000.0,/,x,/
csv|time|s/,9000000.0,/,-9000000,/
csv|time_ns|s/,9000000.0,/,inf,/
csv|time_ns|s/,9000000.0,/,nan,/
csv|time_ns|s/,9000000.0,/,1e999,/
csv|time|s/,9000000.0,/,0,/
csv|time|s/,9000000.0,/,,/
csv|state|s/,ok,/,fine,/
csv|family|s/,direct,ok/,magic,ok/
csv|implementation|s/armcl.direct/arm cl/
csv|cannot read|s/ic64/xx64/
csv|is not a fingerprint|s/^[^,]*/a b/
csv|created_ms|s/^\([^,]*\),[0-9]*/\1,-1/
END

# One line: KIND|COUNT=NUMBER|EDIT. It must be taken, and what is odd about it counted.
while IFS='|' read -r kind wanted edit; do
    { cat "good.$kind"; tail -n 1 "good.$kind" | sed "$edit"; } >"odd.$kind"
    take "$kind" "odd.$kind"
    [ $code -eq 0 ] && [ "$(count rejected)" = 0 ] && [ "$(count "${wanted%=*}")" = "${wanted#*=}" ] ||
        complain "$kind: $edit: exit code $code, ${wanted%=*} $(count "${wanted%=*}"), not ${wanted#*=}: $(head -c 300 err)"
    # What is said again changes nothing that counts, and a zero never becomes a time.
    [ "$(sqlite3 s.db 'SELECT count(*) FROM measurement WHERE time_ns <= 0')" = 0 ] || complain "$kind: $edit: a time is not above zero"
done <<'END'
arff|duplicates=1|s/x/x/
arff|contradictory=1|s/conv/directconv/
layers|duplicates=3|s/x/x/
layers|contradictory=1|s/7000/8000/
layers|zero_times=1|s/7000/0/
layers|zero_times=1|s/7000/-0/
finddb|duplicates=2|s/x/x/
finddb|duplicates=2|s/:7/:8/
finddb|zero_times=1|s/:7/:0.0/
finddb|contradictory=1|s/576-4-4/576-5-4/
onednn-log|times=2|s/x/x/
onednn-log|zero_times=1|s/,7$/,0/
onednn-log|other=3|s/_f32/_f64/g
csv|duplicates=1|s/x/x/
csv|contradictory=1|s/,9000000.0,/,8000000.0,/
END

# Whole files: what reads as the good one, and what spoils it.
for kind in "${kinds[@]}"; do
    lines=$(wc -l <"good.$kind")
    sed 's/$/\r/' "good.$kind" >crlf
    tr '\n' '\r' <"good.$kind" >cr
    awk '{ printf "%s%s", $0, NR % 3 == 1 ? "\r\n" : NR % 3 == 2 ? "\r" : "\n" }' "good.$kind" >mixed
    head -c -1 "good.$kind" >unended
    { printf '\357\273\277'; cat "good.$kind"; } >bom
    bzip2 -c "good.$kind" >packed.bz2
    bzip2 -c bom >bom.bz2
    { bzip2 -c <(head -n 1 "good.$kind"); bzip2 -c <(tail -n +2 "good.$kind"); } >twice.bz2
    for file in crlf cr mixed unended bom packed.bz2 bom.bz2 twice.bz2; do
        take "$kind" $file --strict
        [ $code -eq 0 ] || complain "$kind: $file: exit code $code: $(head -c 300 err)"
        stored | cmp -s - "good.$kind.rows" || complain "$kind: $file: other rows than those of the good file"
    done

    size=$(stat -c %s packed.bz2)
    for length in 4 10 20 $((size / 2)) $((size - 10)) $((size - 1)); do
        head -c "$length" packed.bz2 >cut.bz2
        unmade "cut to $length of $size bytes" "cut.bz2:$([ $length -lt $((size - 10)) ] && echo 1 || echo $((lines + 1))): the compressed file is cut short" "$kind" cut.bz2
    done
    { cat packed.bz2; echo more; } >tail.bz2
    unmade "text behind an archive" "the compressed file is damaged" "$kind" tail.bz2
    : >empty
    unmade "an empty file" "empty: " "$kind" empty
    bzip2 -c empty >empty.bz2
    unmade "an empty archive" "empty.bz2: " "$kind" empty.bz2
    mkdir -p folder
    unmade "a folder" "folder: is a folder" "$kind" folder
    unmade "a missing file" "missing: cannot open: No such file" "$kind" missing
    { cat "good.$kind"; head -c 10000000 /dev/zero | tr '\0' x; } >long
    unmade "a line of 10 MB" "long:$((lines + 1)): longer than 1 MiB" "$kind" long
    head -c 10000000 /dev/zero | tr '\0' x >longest
    unmade "nothing but a line of 10 MB" "longest:1: longer than 1 MiB" "$kind" longest
    { cat "good.$kind"; printf 'a\0b\n'; } >nul
    unmade "a NUL byte" "nul:$((lines + 1)): holds a NUL byte" "$kind" nul
    # Opened, but not to be read, not even by root.
    [ -r /proc/self/mem ] && unmade "a file that cannot be read" "/proc/self/mem: cannot read" "$kind" /proc/self/mem
done
for kind in layers csv; do # records that may span lines
    lines=$(wc -l <"good.$kind")
    { cat "good.$kind"; echo '"open'; tail -n +2 "good.$kind"; } >open
    unmade "a quote that never closes" "open:$((lines + 1)): a " $kind open
    grep -q "it opens here, and takes lines to $((lines * 2)) along\|it opens here, and takes lines to $((lines + 2)) along" err || complain "$kind: says $(cat err)"
    sed '1s/\([^,]*\),/\1,\1,/' "good.$kind" >twice
    unmade "two columns of one name" "twice:1: " $kind twice
done
sed '3s/tensor_2/tensor_1/' good.arff >twice
unmade "two attributes of one name" "twice:13: two columns are called" arff twice

# May not be opened: as somebody whom root's rights do not help.
as=()
[ "$(id -u)" -eq 0 ] && as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
if [ ${#as[@]} -gt 0 ] && ! "${as[@]}" "$convwise" --version >/dev/null 2>&1; then
    echo "SKIP a file without rights: cannot run as somebody else"
else
    mkdir own
    chmod 777 own
    for kind in "${kinds[@]}"; do
        cp "good.$kind" secret
        chmod 000 secret
        cp base.db own/s.db
        chmod 666 own/s.db
        # shellcheck disable=SC2086
        ${as[@]+"${as[@]}"} "$convwise" import "$kind" secret ${options[$kind]} --name bad --store own/s.db >out 2>err && complain "$kind: a file without rights is read"
        grep -qF "secret: cannot open: Permission denied" err || complain "$kind: a file without rights: $(cat err)"
        as_it_was own/s.db || complain "$kind: a file without rights: the store is not as it was"
        rm -f secret
    done
fi
[ $bad -eq 0 ] && echo "bad imports are refused or counted: $tried imports"
exit $bad
