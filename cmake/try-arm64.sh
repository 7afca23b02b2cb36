#!/usr/bin/env bash
# Unpacks a package for arm64 somewhere else and starts it under an emulator that sees the cross compiler's C library and nothing else:
# whatever the package lacks is missed here. Emulated times say nothing about a board.
#   bash cmake/try-arm64.sh PACKAGE.tar.gz
set -euo pipefail
package=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Only the C library's own files: not the compiler's libstdc++, libgomp and others.
mkdir "$work/sys" "$work/sys/lib"
for name in ld-linux-aarch64.so.1 libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1; do
    cp -L "/usr/aarch64-linux-gnu/lib/$name" "$work/sys/lib/"
done
cd "$work"
tar xf "$package"
run() { env -u LD_LIBRARY_PATH qemu-aarch64 -cpu max -L "$work/sys" "$work"/convwise-arm64/bin/convwise "$@"; }
run doctor >doctor
grep -q '^armcl ' doctor
run impls ic16ih14oc32kh3ph1 | grep -q 'armcl.winograd .*library'
printf '%s\n' ic16ih14oc32kh3ph1 ic32ih14oc32kh1 ic16ih28oc48kh3ph1 g16ic16ih14oc16kh3ph1 >layers.txt
run measure --layers layers.txt --store my.db >/dev/null
run train --store my.db -o model.json --learner tree >/dev/null
run choose ic16ih14oc32kh3ph1 --model model.json >/dev/null
run emit --model model.json -o choice.c >/dev/null
echo "measured, learned, chose and emitted"
