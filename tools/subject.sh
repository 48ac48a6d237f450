#!/usr/bin/env bash
# How docs/pictures/subject.png and the judge's numbers of docs/training.md are made: subject.sh PROGRAM OUT, after `make demo reference`.
# Trains OUT/sonk.safetensors on models/sonk-hedgehog/train; experiments/subject/prompts.jsonl are the sheet's columns, unseen.jsonl are backgrounds
# no training picture has.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
out=$2
wrong=models/wrong-lora/wrong.safetensors

mkdir -p "$out"
"$program" train lora --data models/sonk-hedgehog/train --captions --rank 8 --steps 300 --batch-size 4 --learning-rate 1e-3 -o "$out/sonk.safetensors"
draw() { "$program" generate --prompts "experiments/subject/$1.jsonl" --steps 25 --cfg-scale 5 -o "$out/$2" "${@:3}" >/dev/null; }
after=(--lora "$out/sonk.safetensors")
both=("${after[@]}" -n wrong --lora "$wrong:1:negative")
for set in prompts unseen; do
  draw $set $set-before
  draw $set $set-after "${after[@]}"
  draw $set $set-both "${both[@]}"
done

files=(models/sonk-hedgehog/held_out/0{0..5}.png - -)
for arm in before after both; do files+=("$out/prompts-$arm"/000{0..7}.png); done
"$(dirname "$program")/negativa_sheet" "$out/subject.png" "sonk hedgehog: ten pictures, 300 steps" \
  "emoji-xl (64x64), 25 steps, cfg 5; no training picture is on black or yellow; top row: drawn pictures that were not trained on" 8 \
  white black red blue orange teal yellow yellow "held out" "before" "after" "after, and wrong-lora on the negative branch" -- "${files[@]}"
for arm in before after both; do echo -n "$arm: "; build/reference/bin/python tools/judge.py "sonk hedgehog" "$out/unseen-$arm"/*.png; done
