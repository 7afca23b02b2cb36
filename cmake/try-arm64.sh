#!/usr/bin/env bash
# Unpacks a package for arm64 somewhere else and starts it under an emulator that sees the cross compiler's C and C++ libraries and
# nothing else: whatever the package lacks is missed here. The steps of `convwise demo` one by one and on four layers: the demo starts
# itself anew for each, which an emulator cannot. Emulated times say nothing about a board.
#   bash cmake/try-arm64.sh PACKAGE.tar.gz
set -euo pipefail
package=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/sys" "$work/sys/lib"
for name in ld-linux-aarch64.so.1 libc.so.6 libm.so.6 libstdc++.so.6 libgcc_s.so.1; do
    cp -L "/usr/aarch64-linux-gnu/lib/$name" "$work/sys/lib/"
done
cd "$work"
tar xf "$package"
run() { env -u LD_LIBRARY_PATH qemu-aarch64 -cpu max -L "$work/sys" "$work"/convwise-arm64/bin/convwise "$@"; }
run doctor >doctor
grep -q '^armcl ' doctor
run impls ic16ih14oc32kh3ph1 | grep -q 'armcl.winograd .*library'
printf '%s\n' ic16ih14oc32kh3ph1 ic32ih14oc32kh1 ic16ih28oc48kh3ph1 g16ic16ih14oc16kh3ph1 >layers.txt
run measure --layers layers.txt --store my.db --quiet >/dev/null
run validate --store my.db --split kfold:2 >/dev/null
run train --store my.db -o model.json --learner tree >/dev/null
run choose ic16ih14oc32kh3ph1 --model model.json >/dev/null
run emit --model model.json -o choice.c >/dev/null
echo "measured, learned, chose and emitted"
