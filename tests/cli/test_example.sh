#!/usr/bin/env bash
# The example program: stays under 60 lines, takes what the model chooses, and its numbers are those of a plain convolution.
set -u
cd "$(dirname "$0")/../.."
example=$CW_BUILD/examples/example_choose_and_run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
[ "$(wc -l <examples/choose_and_run.c)" -lt 60 ] || fail "the example has 60 lines or more"
expected() { # ic size oc kernel pad -> the first four outputs, by plain loops over the example's ramps
    python3 - "$@" <<'EOF'
import sys
ic, size, oc, k, pad = map(int, sys.argv[1:])
ramp = lambda i: (i % 17 - 8) / 8
for c in range(4):  # output channels at the top left pixel; weights are (oc, kh, kw, ic), the source is NHWC
    s = sum(ramp(((y - pad) * size + x - pad) * ic + i) * ramp(((c * k + y) * k + x) * ic + i)
            for y in range(k) for x in range(k) for i in range(ic)
            if 0 <= y - pad < size and 0 <= x - pad < size)
    print(max(s, 0))
EOF
}
agree() { # implementation, problem, ic size oc kernel pad
    local impl=$1 problem=$2
    shift 2
    out=$("$example" tests/data/model.json "$problem") || fail "$problem"
    [ "${out%%:*}" = "$impl" ] || fail "$problem ran ${out%%:*}, not $impl"
    paste <(expected "$@") <(echo "$out" | sed 's/.*first: //' | tr ' ' '\n') |
        awk '{ d = $1 - $2; if (d < 0) d = -d; if (NF != 2 || d > 1e-3 * (1 + $1)) { print; bad = 1 } } END { exit bad || NR != 4 }' ||
        fail "$problem: outputs differ from a plain convolution: $out"
}
agree own.gemm ic24ih10oc8kh1 24 10 8 1 0
agree own.winograd_f4x3 ic16ih12oc8kh3ph1 16 12 8 3 1
agree own.gemm ic3ih12oc8kh3sh2ph1 3 12 8 3 1
"$example" tests/data/model.json ic64ih56oc64kh3ph1 >/dev/null || fail "a layer of ResNet-18"
refused() { "$@" >"$work/out" 2>"$work/err"; local code=$?; [ $code -ne 0 ] && [ -s "$work/err" ] && [ ! -s "$work/out" ] || fail "$* was not refused"; }
refused "$example"
refused "$example" "$work/none.json"
refused "$example" tests/data/model.json ic3ih1oc1kh9
refused "$example" tests/data/model.json ic8ih8oc8kh1,u8
echo "the example agrees with a plain convolution"
