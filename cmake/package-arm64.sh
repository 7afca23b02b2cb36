#!/usr/bin/env bash
# Makes FOLDER and FOLDER.tar.gz from a cross build: the program, the layer tables, and every shared library that it wants
# but for the C and C++ libraries' own, which every Debian and Ubuntu has (apt needs them): Debian 12's C++ library would ask
# for a newer C library than all else does. The program finds them beside itself, wherever it is unpacked.
#   bash cmake/package-arm64.sh BUILD ROOT FOLDER
set -euo pipefail
build=$1 root=$2 folder=$3
rm -rf "$folder" "$folder.tar.gz"
cmake --install "$build" --prefix "$PWD/$folder" >/dev/null

wanted() { aarch64-linux-gnu-readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }
todo=("$folder/bin/convwise" "$folder"/lib/libconvwise.so.0)
while [ ${#todo[@]} -gt 0 ]; do
    file=${todo[0]}
    todo=("${todo[@]:1}")
    for name in $(wanted "$file"); do
        case $name in libc.so.* | libm.so.* | ld-linux-* | libstdc++.so.* | libgcc_s.so.*) continue ;; esac
        [ -e "$folder/lib/$name" ] && continue
        found=$(find "$root/lib" "$root/usr/lib" -name "$name" | head -n 1)
        [ -n "$found" ] || { echo "$name, which $file wants, is not in $root" >&2; exit 1; }
        cp -L "$found" "$folder/lib/$name"
        chmod 644 "$folder/lib/$name"
        todo+=("$folder/lib/$name")
    done
done
aarch64-linux-gnu-strip --strip-unneeded "$folder"/bin/convwise "$folder"/lib/*.so.*

# The newest symbol version of the C library that anything asks for: what the board's must be.
newest=$(for file in "$folder"/bin/convwise "$folder"/lib/*.so.*; do aarch64-linux-gnu-readelf -V "$file"; done |
    grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
cat >"$folder/README" <<END
convwise for arm64 Linux with the C library ${newest#GLIBC_} or newer (ldd --version) and libstdc++6.

    bin/convwise demo      measures three networks, learns, validates, emits C (its last two steps need a C compiler)
    bin/convwise doctor    what is here

Beside convwise (MIT) lib/ holds Debian 12's builds of the Arm Compute Library (MIT), OpenBLAS (BSD), SQLite (public domain), jansson
(MIT), bzip2 (BSD), protobuf-c (BSD), XNNPACK with pthreadpool and cpuinfo (BSD), CLBlast (Apache 2), OpenCL's loader (BSD),
libsmartcols (LGPL 2.1+, may be replaced), and GCC's libgomp and libgfortran (GPL 3 with the runtime exception); their sources are Debian's: https://sources.debian.org.
END
tar -C "$(dirname "$folder")" -czf "$folder.tar.gz" "$(basename "$folder")"
