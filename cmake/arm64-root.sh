#!/usr/bin/env bash
# Makes a folder that holds arm64 Debian packages with all they depend on, for a cross build to look into and for an emulator to
# run with. They are downloaded and unpacked, not installed: no foreign architecture is added, nothing of this system changes, no
# package's scripts run, and root is not needed.
#   bash cmake/arm64-root.sh FOLDER PACKAGE...
# FOLDER/packages says what is in it; nothing is done where that is the same list already.
set -euo pipefail
root=$1
shift
[ "$(cat "$root/packages" 2>/dev/null)" = "$*" ] && exit 0
state=$root.apt
rm -rf "$root" "$state"
mkdir -p "$root" "$state/lists/partial" "$state/cache/archives/partial"
state=$(cd "$state" && pwd)
: >"$state/status" # nothing is installed: every dependency is downloaded
cat >"$state/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state/cache";
END
export APT_CONFIG=$state/apt.conf
apt-get update -qq
apt-get install -qq --yes --download-only -o Debug::NoLocking=true "$@"
for package in "$state"/cache/archives/*.deb; do dpkg -x "$package" "$root"; done
rm -rf "$state"
find "$root/usr/share" -mindepth 1 -maxdepth 1 ! -name pocl -exec rm -rf {} +

# A linker takes an absolute link for one into the system that it runs on.
find "$root" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
    ln -sfnr "$root$(readlink "$link")" "$link"
done
# What Debian's "alternatives" would have linked.
for folder in "$root"/usr/lib/aarch64-linux-gnu/openblas-*; do
    [ -d "$folder" ] || continue
    ln -sfnr "$folder/libopenblas.so.0" "$root/usr/lib/aarch64-linux-gnu/libopenblas.so.0"
    ln -sfnr "$folder/libopenblas.so" "$root/usr/lib/aarch64-linux-gnu/libopenblas.so"
    ln -sfnr "$folder/pkgconfig/openblas.pc" "$root/usr/lib/aarch64-linux-gnu/pkgconfig/openblas.pc"
done
echo "$*" >"$root/packages"
