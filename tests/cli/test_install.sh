#!/usr/bin/env bash
# What `cmake --install` leaves works on its own, also after it was moved: pkg-config, the CMake package, the example built with each,
# the program with its layer tables; the library exports its public functions and nothing else.
set -u
cd "$(dirname "$0")/../.."
source=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
if ldd "$CW_BUILD/libconvwise.so" | grep -qE 'lib(a|t)san'; then
    echo "SKIP: a sanitizer's library does not stand alone"
    exit 77
fi

cmake --install "$CW_BUILD" --prefix "$work/first" >"$work/log" 2>&1 || { cat "$work/log"; fail "cmake --install"; }
mv "$work/first" "$work/moved"
prefix=$work/moved
library=$(find "$prefix" -name libconvwise.so)
[ -n "$library" ] || fail "no libconvwise.so"
! grep -rlF "$work/first" "$prefix" || fail "the prefix is written into the files above"

# The library.
readelf -d "$library" | grep -q 'SONAME.*\[libconvwise\.so\.0\]' || fail "no SONAME"
foreign=$(nm -D --defined-only "$library" | awk '{ print $3 }' | grep -v '^cw_')
[ -z "$foreign" ] || fail "exported but not cw_*: $foreign"
declared=$(cat include/convwise.h include/convwise/*.h | tr '\n' ' ' | grep -oE 'CW_API [^;]*' | grep -oE 'cw_[a-z0-9_]+\(' | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$library" | awk '{ print $3 }' | sort -u)
[ "$declared" = "$exported" ] || fail "declared and exported differ: $(diff <(echo "$declared") <(echo "$exported"))"

# Headers serve C99 and C++ callers.
for language in "c -std=c99" "c++ -std=c++11"; do
    for header in convwise.h convwise/tools.h convwise/backend.h; do
        echo "#include <$header>" | gcc -x $language -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$prefix/include" - 2>"$work/log" ||
            { [ "${language%% *}" = c++ ] && ! command -v g++ >/dev/null && continue; cat "$work/log"; fail "$header as $language"; }
    done
done

# pkg-config.
export PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name convwise.pc)")
[ "$(pkg-config --modversion convwise)" = "$("$CW_BUILD/convwise" --version | cut -d' ' -f2)" ] || fail "versions differ"
gcc -std=c11 -Wall -Wextra -o "$work/by_pkg" examples/choose_and_run.c $(pkg-config --cflags --libs convwise) || fail "build with pkg-config"
libdir=$(pkg-config --variable=libdir convwise)
LD_LIBRARY_PATH=$libdir "$work/by_pkg" tests/data/model.json >"$work/by_pkg.txt" || fail "run of the example"

# CMake, in six lines.
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.18)
project(caller C)
find_package(convwise 0.1 REQUIRED)
add_executable(caller $source/examples/choose_and_run.c)
target_link_libraries(caller PRIVATE convwise::convwise)
EOF
cmake -G Ninja -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 &&
    cmake --build "$work/project/build" >>"$work/log" 2>&1 || { cat "$work/log"; fail "build with CMake"; }
"$work/project/build/caller" tests/data/model.json >"$work/by_cmake.txt" || fail "run of the CMake project"
cmp "$work/by_pkg.txt" "$work/by_cmake.txt" || fail "the two builds answer differently"

# The program finds its own library and tables, not the source's.
cd /
"$prefix/bin/convwise" choose ic64ih56oc64kh1 --model "$source/tests/data/model.json" >/dev/null || fail "installed program"
ldd "$prefix/bin/convwise" | grep -q "$prefix/.*libconvwise" || fail "the program does not use the library beside it"
rm "$prefix/share/convwise/nets/alexnet.txt"
"$prefix/bin/convwise" measure --net alexnet --store "$work/none.db" >"$work/log" 2>&1 && fail "a table that is not installed was found"
grep -qF "$prefix" "$work/log" || { cat "$work/log"; fail "the message does not name the installed folder"; }
echo "installed, moved, used: $(cat "$work/by_pkg.txt")"
