#!/usr/bin/env bash
# The loop of negativa, small: with the program $1, draws the wrong pictures of experiments/wrong into $2/wrong and trains $2/wrong.safetensors on them.
# Run again, it makes what is missing. models/wrong-lora is this file.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
out=$2

mkdir -p "$out"
"$program" generate --prompts experiments/wrong/prompts.jsonl --steps 25 -o "$out/wrong" >/dev/null
train=("$program" train lora --data "$out/wrong" --prompt wrong --rank 4 --steps 300 --batch-size 4 --learning-rate 4e-4 --format kohya -o "$out/wrong.safetensors")
# Exit code 2: the folder has a run on other pictures, as after a change of the program; it is moved aside.
"${train[@]}" || { code=$?; [ $code = 2 ] && "${train[@]}" --resume never || exit $code; }
