#!/usr/bin/env bash
# Makes build/reference, the virtual environment of the libraries we compare with (about 5 GB, torch's CUDA wheels among them).
# Run again with the same tools/reference.txt, it does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=build/reference
wanted=$(sha256sum <tools/reference.txt)
[ "$(cat $folder/.installed 2>/dev/null || true)" != "$wanted" ] || exit 0

python=python3
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
  { echo "reference: Python 3.11 to 3.13 expected, got $("$python" -V 2>&1); put one first in PATH" >&2; exit 1; }
echo "reference: installing tools/reference.txt into $folder (about 5 GB)" >&2
"$folder"/bin/python -m pip --version >/dev/null 2>&1 || { rm -rf $folder; "$python" -m venv $folder; }  # one that works gets what it lacks
quiet=(-q)
[ ! -t 2 ] || quiet=()
$folder/bin/python -m pip install "${quiet[@]}" --disable-pip-version-check --no-cache-dir --only-binary=:all: -r tools/reference.txt >&2 ||
  { echo "reference: pip failed (its words are above); check network and disk space, then run again" >&2; exit 1; }
echo "$wanted" >$folder/.installed
