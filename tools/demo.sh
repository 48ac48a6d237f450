#!/usr/bin/env bash
# What `make demo` shows, with the program $1: the bundled model's first picture in the terminal; what base, refiner, negative prompt, weights and LoRA do;
# then the small experiment: LoRAs trained on wrong pictures, and what they do to twelve prompts in all arms. Run again, it makes what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
out=build/demo
settings=(--steps 25 --cfg-scale 5 -s 4)

mkdir -p $out
"$program" generate -p "red apple on a blue background" "${settings[@]}" -o $out/first.png --show

# The lines of experiments/demo/prompts.jsonl are this sheet's pictures, row by row.
"$program" generate --prompts experiments/demo/prompts.jsonl --refiner models/emoji-xl/refiner --refiner-start 1 "${settings[@]}" -o $out/pictures >/dev/null
mapfile -t lines <experiments/demo/prompts.jsonl
columns=(
  "base"
  "base, refiner from 0.8"
  "negative prompt: blurry, ugly, low quality"
  "weights: (blue)0.3; (pizza)0.3, (volcano)1.5; (fox)1.5"
  "negative prompt: wrong; LoRA 0"
  "negative prompt: wrong; LoRA 0.5"
  "negative prompt: wrong; LoRA 1"
  "negative prompt: wrong; LoRA 1 on the negative branch only")
rows=("red apple on a blue background" "pizza next to volcano on a teal background" "fox on a white background")
files=()
for i in "${!lines[@]}"; do files+=("$(printf '%s/pictures/%04d.png' $out "$i")"); done
"$(dirname "$program")/negativa_sheet" $out/sheet.png "negativa: one seed, what changes the picture" \
  "emoji-xl (64x64), 25 steps, cfg 5, seed 1; LoRA: models/wrong-lora" ${#columns[@]} "${columns[@]}" "${rows[@]}" -- "${files[@]}"

"$program" experiment run experiments/wrong/demo.toml -o $out/experiment
echo "what changes a picture: $PWD/$out/sheet.png"
echo "the experiment's pictures, LoRAs and numbers: $PWD/$out/experiment"
echo "draw, train and compare in the browser: $program studio --open"
