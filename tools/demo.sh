#!/usr/bin/env bash
# What `make demo` shows, with the program $1: the bundled model's first picture in the terminal.
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/demo
mkdir -p $out
"$1" generate -p "red apple on a blue background" -s 1 --steps 25 --cfg-scale 5 -o $out/first.png --show
echo "the picture: $PWD/$out/first.png"
