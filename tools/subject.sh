#!/usr/bin/env bash
# How docs/pictures/subject.png and the judge's numbers of docs/training.md are made: subject.sh PROGRAM OUT, after `make demo reference`.
# Trains OUT/sonk.safetensors on models/sonk-hedgehog/train, and the same name as a textual inversion; experiments/subject/prompts.jsonl are the sheet's
# columns, unseen.jsonl are backgrounds no training picture has.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
out=$2
wrong=models/wrong-lora/wrong.safetensors
pictures=(--data models/sonk-hedgehog/train --captions --steps 300 --batch-size 4)

mkdir -p "$out"
"$program" train lora "${pictures[@]}" --rank 8 --learning-rate 1e-3 -o "$out/sonk.safetensors"
"$program" lora merge "$out/sonk.safetensors" "$wrong" -o "$out/merged.safetensors" >/dev/null
"$program" train embedding "${pictures[@]}" --name sonk --vectors 1 --initializer blue --learning-rate 5e-3 -o "$out/word-1.safetensors"
"$program" train embedding "${pictures[@]}" --name sonk --vectors 4 --learning-rate 2e-2 -o "$out/word-4.safetensors"
draw() { "$program" generate --prompts "experiments/subject/$1.jsonl" --steps 25 --cfg-scale 5 -o "$out/$1-$2" "${@:3}" >/dev/null; }
arms=(before after branch two merged word-1 word-4)
for set in prompts unseen; do
  draw $set before
  draw $set after --lora "$out/sonk.safetensors"
  draw $set branch --lora "$out/sonk.safetensors" -n wrong --lora "$wrong:1:negative"
  draw $set two --lora "$out/sonk.safetensors" -n wrong --lora "$wrong"
  draw $set merged --lora "$out/merged.safetensors" -n wrong
  draw $set word-1 --embedding "$out/word-1.safetensors=sonk"
  draw $set word-4 --embedding "$out/word-4.safetensors=sonk"
done

files=(models/sonk-hedgehog/held_out/0{0..5}.png - -)
for arm in "${arms[@]}"; do files+=("$out/prompts-$arm"/000{0..7}.png); done
"$(dirname "$program")/negativa_sheet" "$out/subject.png" "sonk hedgehog: ten pictures, 300 steps" \
  "emoji-xl (64x64), 25 steps, cfg 5; no training picture is on black or yellow; top row: drawn pictures that were not trained on" 8 \
  white black red blue orange teal yellow yellow "held out" "before" "LoRA" "LoRA, and wrong-lora on the negative branch" "LoRA and wrong-lora, two --lora" \
  "LoRA and wrong-lora, merged into one file" "textual inversion, 1 vector" "textual inversion, 4 vectors" -- "${files[@]}"
for arm in "${arms[@]}"; do echo -n "$arm: "; build/reference/bin/python tools/judge.py "sonk hedgehog" "$out/unseen-$arm"/*.png; done
build/reference/bin/python tools/picture_distance.py "$out/unseen-two" "$out/unseen-merged"
