#!/usr/bin/env bash
# convwise import finddb and onednn-log as a user meets them: whole files of MIOpen where they are at hand, against counts taken
# by other means; bad files, which must leave the store as it was.
set -u
cd "$(dirname "$0")/../.."
convwise=$(realpath "${CW_BUILD:-build/release}")/convwise
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
fail() { echo "FAIL: $*"; bad=1; }

# refused WHAT MESSAGE KIND FILE...: fails, says so, and the store's rows are those before.
rows() { sqlite3 "$work/s.db" "SELECT (SELECT count(*) FROM measurement), (SELECT count(*) FROM problem), (SELECT count(*) FROM source), (SELECT count(*) FROM run)"; }
refused() {
    local what=$1 message=$2 before
    shift 2
    before=$(rows)
    if "$convwise" import "$@" --store "$work/s.db" >"$work/out" 2>"$work/err"; then fail "$what was imported"; fi
    grep -q "$message" "$work/err" || fail "$what: '$message' is not in: $(tail -n 1 "$work/err")"
    [ "$(rows)" = "$before" ] || fail "$what changed the store"
}

key=576-4-4-1x1-192-4-4-8-0x0-1x1-1x1-0-NCHW-FP32-F
good="$key=fft:2,8,miopenConvolutionFwdAlgoFFT"
echo "$good" >"$work/good.txt"
"$convwise" import finddb "$work/good.txt" --machine gpu --kept 4 --scope problem --store "$work/s.db" --json >"$work/out" 2>&1 || fail "good.txt: $(cat "$work/out")"
[ "$(sqlite3 "$work/s.db" 'SELECT kept, scope FROM source')" = "4|problem" ] || fail "--kept and --scope are not in the store"

for i in $(seq 2000); do echo "${key/576/$i}=fft:$i,8,miopenConvolutionFwdAlgoFFT"; done >"$work/many.txt"
bzip2 -k "$work/many.txt"
head -c 3000 "$work/many.txt.bz2" >"$work/cut.bz2"
{ echo "$good"; head -c 10000000 /dev/zero | tr '\0' x; } >"$work/long.txt"
printf '%s\n%s' "$good" 'a' >"$work/nul.txt"; printf '\0b\n' >>"$work/nul.txt"
refused "a truncated archive" "cut.bz2:[0-9]*: the compressed file is cut short" finddb "$work/cut.bz2" --machine gpu
refused "a line of 10 MB" "long.txt:2: longer than 1 MiB" finddb "$work/long.txt" --machine gpu
refused "a NUL byte" "nul.txt:2: holds a NUL" finddb "$work/nul.txt" --machine gpu
refused "a folder" "is a folder" finddb "$work" --machine gpu
refused "a missing file" "No such file" finddb "$work/none" --machine gpu
refused "a file of something else" "no line has a problem" finddb LICENSE --machine gpu
refused "an unknown machine" "\-\-machine" finddb "$work/many.txt"
refused "a file a second time" "already" finddb "$work/good.txt" --machine gpu
refused "a log without threads" ":1: nothing before this says" onednn-log <(echo "onednn_verbose,exec,cpu,convolution,ref:any,forward_inference,src_f32::blocked:acdb:f0 wei_f32::blocked:a:f0 dst_f32::blocked:acdb:f0,,,mb1_ic3oc8_ih8oh8kh1sh1dh0ph0_iw8ow8kw1sw1dw0pw0,1")
if [ "$(id -u)" -ne 0 ]; then
    install -m 000 "$work/good.txt" "$work/secret.txt"
    refused "an unreadable file" "Permission denied" finddb "$work/secret.txt" --machine gpu
else
    echo "SKIP an unreadable file: root may read everything"
fi
for time in -1 inf nan soon 1e999 ""; do
    { cat "$work/good.txt"; echo "$key=fft:$time,8,miopenConvolutionFwdAlgoFFT"; } >"$work/time.txt"
    refused "the time '$time'" "time.txt:2: a time is" finddb "$work/time.txt" --machine gpu --strict
done
"$convwise" import finddb "$work/many.txt.bz2" --machine gpu --store "$work/s.db" >/dev/null 2>&1 || fail "a good archive"
[ "$(rows)" = "2001|2000|2|2" ] || fail "after all that the store has $(rows)"

# Whole files: lines, records with a time above zero, solvers. Problems above 2^31 elements and keys that contradict themselves
# are left out, so that problems and times are fewer by these.
data=../shared/data/finddb
while read -r file machine problems times solvers kept contradictory; do
    [ -r "$data/$file.HIP.fdb.txt.bz2" ] || { echo "SKIP $file: $data is not there"; continue; }
    rm -f "$work/f.db"
    "$convwise" import finddb "$data/$file.HIP.fdb.txt.bz2" --strict --json --store "$work/f.db" >"$work/out" 2>/dev/null || fail "$file is refused"
    got=$(sqlite3 "$work/f.db" "SELECT json_extract(summary, '\$.lines'), json_extract(summary, '\$.records') - json_extract(summary, '\$.zero_times'),
        (SELECT count(*) FROM impl), coalesce(kept, 0), json_extract(summary, '\$.contradictory'), (SELECT fingerprint FROM machine) FROM source")
    [ "$got" = "$problems|$times|$solvers|$kept|$contradictory|$machine" ] || fail "$file: $got"
    left=$(sqlite3 "$work/f.db" "SELECT json_extract(summary, '\$.lines') - json_extract(summary, '\$.problems') - json_extract(summary, '\$.contradictory')
        - json_extract(summary, '\$.other') - json_extract(summary, '\$.rejected') FROM source")
    [ "$left" = 0 ] || fail "$file: $left lines are unaccounted for"
done <<'EOF'
gfx906_60 gfx906-60 120454 244451 63 0 77
gfx1030_36 gfx1030-36 106105 328080 32 0 233
gfx90878 gfx908-78 183610 608132 70 4 364
EOF
[ $bad -eq 0 ] && echo "imports of find-db and verbose logs hold"
exit $bad
