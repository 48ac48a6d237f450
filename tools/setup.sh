#!/usr/bin/env bash
# Installs what the build needs: Debian packages (only those missing) and libtorch, unpacked from pinned wheels into build/deps.
# Run again, it does nothing. GPU=1 adds the CUDA libraries; NEGATIVA_LIBTORCH=DIR uses the libtorch in DIR and fetches nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(g++ cmake ninja-build pkg-config python3-pip python3-venv unzip ca-certificates
  libfmt-dev nlohmann-json3-dev libcli11-dev libtomlplusplus-dev
  libpng-dev libjpeg-dev libwebp-dev libexif-dev liblcms2-dev libfreetype-dev libharfbuzz-dev libicu-dev libssl-dev
  libboost1.81-dev libsqlite3-dev libcurl4-openssl-dev libgtest-dev libgmock-dev)

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
  done
}

install_packages() {
  command -v dpkg-query >/dev/null || { say "not a Debian system: what the build needs is listed in docs/building.md"; return; }
  local missing as_root=()
  read -r -d '' -a missing <<<"$(missing_packages)" || true
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    as_root=(sudo)
    [ -t 0 ] || as_root+=(-n)
    { command -v sudo >/dev/null && "${as_root[@]}" true; } || die "no root rights here; as root, run: apt-get install ${missing[*]}"
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  say "installing ${#missing[@]} packages: ${missing[*]}"
  # Package lists may be absent (a fresh image) or out of date (downloads of versions that are gone): refreshed only then.
  apt-cache show "${missing[@]}" >/dev/null 2>&1 || "${apt[@]}" update
  "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
    { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } ||
    die "apt-get failed (its words are above); install these yourself and run again: ${missing[*]}"
}

pip_download() {  # requirement, folder
  local python quiet=(-q) platforms=() tag
  for python in python3 /usr/bin/python3 none; do "$python" -m pip --version >/dev/null 2>&1 && break; done
  [ "$python" != none ] || die "no pip found; install python3-pip"
  # The tags are the wheels' own: the same files are fetched whatever Python and C library are here.
  for tag in _2_28 _2_27 _2_25 _2_18 _2_17 2014 _2_12 2010 _2_5 1; do platforms+=(--platform "manylinux${tag}_x86_64"); done
  [ ! -t 2 ] || quiet=()
  "$python" -m pip download "${quiet[@]}" --no-deps --no-cache-dir --disable-pip-version-check --only-binary=:all: \
    --python-version 311 "${platforms[@]}" -d "$2" "$1" >&2
}

unpack_wheel() {  # requirement, SHA-256, folder
  local wheel members=('nvidia/*/lib/*')
  if [[ $1 == torch==* ]]; then
    members=('torch/include/*' torch/lib/libc10.so torch/lib/libtorch_cpu.so torch/lib/libgomp.so.1)
    [ "$set" = cpu ] || members+=('torch/lib/*cuda*.so' torch/lib/libtorch_nvshmem.so torch/lib/libcaffe2_nvrtc.so)
  fi
  say "fetching ${1/==/ }"
  pip_download "$1" "$3" || die "cannot fetch $1 (pip's words are above); check the network and pip's settings, then run again"
  wheel=$(echo "$3"/*.whl)
  if [ "$(sha256sum <"$wheel")" != "$2  -" ]; then
    rm -f "$wheel"
    die "$(basename "$wheel") is not the file pinned in tools/wheels.txt (SHA-256 differs) and was deleted; run again, or ask your package mirror"
  fi
  # -DD: files get today's time, so whatever was compiled against other headers is compiled again.
  unzip -q -DD "$wheel" "${members[@]}" -d "$3" || die "cannot unpack $(basename "$wheel"); is the disk full?"
  rm -f "$wheel"
}

unpack_libtorch() {
  local deps=build/deps set=cpu wanted have stamp requirement sum new
  [ "${GPU:-0}" = 0 ] || set=gpu
  wanted=$(sed '/^#/d' tools/wheels.txt)
  stamp=$(sha256sum <<<"$wanted" | cut -c1-16)
  mkdir -p $deps
  exec 9>$deps/.lock
  flock 9
  have=$(cat $deps/.unpacked 2>/dev/null || true)
  if [ "$have" = "$set $stamp" ] || [ "$have" = "gpu $stamp" ]; then return; fi
  [ "$(uname -m)" = x86_64 ] || die "the pinned wheels are for x86-64, this is $(uname -m); set NEGATIVA_LIBTORCH to a libtorch 2.11.0 folder"

  rm -rf $deps/.new.*
  new=$(mktemp -d $deps/.new.XXXXXX)
  trap "rm -rf '$new'" EXIT
  while read -r of requirement sum; do
    if [ "$of" = cpu ] || [ "$set" = gpu ]; then unpack_wheel "$requirement" "$sum" "$new" </dev/null; fi
  done <<<"$wanted"
  rm -rf $deps/.unpacked $deps/torch $deps/nvidia
  mv "$new"/torch "$new"/nvidia $deps/
  echo "$set $stamp" >$deps/.unpacked
  say "libtorch is in $deps ($(du -sh $deps | cut -f1))"
}

install_packages
if [ -n "${NEGATIVA_LIBTORCH:-}" ]; then
  [ -e "$NEGATIVA_LIBTORCH/include/ATen/ATen.h" ] ||
    die "NEGATIVA_LIBTORCH=$NEGATIVA_LIBTORCH has no include/ATen/ATen.h; give the folder that holds libtorch's include/ and lib/"
else
  unpack_libtorch
fi
