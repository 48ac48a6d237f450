#!/usr/bin/env bash
# How the table of docs/wrong.md and docs/pictures/wrong_sweep.png are made: wrong_sweep.sh PROGRAM OUT, after `make demo reference`. Trains the wrong-LoRA
# gently, strongly and too much, draws experiments/wrong/judged.jsonl with each, on both branches and on the negative one alone, and asks the judge whether the
# prompt's object is to be seen.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
out=$2
runs=("1e-4 4" "4e-4 4" "1e-3 8")  # learning rate, pictures a step

mkdir -p "$out"
"$program" generate --prompts experiments/wrong/prompts.jsonl --steps 25 -o "$out/wrong" -q >/dev/null
draw() { "$program" generate --prompts experiments/wrong/judged.jsonl --steps 25 --cfg-scale 5 -o "$out/$1" -q "${@:2}" >/dev/null; }
draw nothing
draw word -n wrong
arms=(nothing word)
for run in "${runs[@]}"; do
  read -r rate batch <<<"$run"
  lora=$out/$rate.safetensors
  "$program" train lora --data "$out/wrong" --prompt wrong --rank 4 --steps 300 --batch-size "$batch" --learning-rate "$rate" --format kohya -o "$lora" -q
  "$program" compare --prompts experiments/wrong/compare.jsonl --seeds 1 --lora "$lora" --steps 25 --cfg-scale 5 -o "$out/$rate.png" -q >/dev/null
  draw "$rate-both" -n wrong --lora "$lora"
  draw "$rate-negative" -n wrong --lora "$lora:1:negative"
  arms+=("$rate-both" "$rate-negative")
done
build/reference/bin/python tools/judge.py --prompts "${arms[@]/#/$out/}"

files=() prompts=()
for i in 2 6 12 24 30 34; do
  prompts+=("$(sed -n "$((i + 1))s/.*\"prompt\": \"\([^\"]*\)\".*/\1/p" experiments/wrong/judged.jsonl)")
  for arm in "${arms[@]}"; do files+=("$out/$arm/$(printf %04d "$i").png"); done
done
"$(dirname "$program")/negativa_sheet" "$out/wrong_sweep.png" "The wrong-LoRA, trained gently, strongly, too much" \
  "emoji-xl (64x64), 25 steps, cfg 5, the same noise in a row; 300 steps of batch 4 (1e-3: batch 8), rank 4" 8 nothing "\"wrong\"" "1e-4, both branches" \
  "1e-4, negative branch" "4e-4, both branches" "4e-4, negative branch" "1e-3, both branches" "1e-3, negative branch" "${prompts[@]}" -- "${files[@]}"
