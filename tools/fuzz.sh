#!/usr/bin/env bash
# tools/fuzz.sh TARGET SECONDS: libFuzzer on one reader, from its seeds and what earlier runs found interesting; ends with an error at the first finding,
# whose input stays in build/fuzz/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1 seconds=$2
folder=build/fuzz/corpus/$target
mkdir -p "$folder/found"
case $target in
  lora_file) python3 tools/fuzz_seeds.py "$folder/seeds" "$folder/words" ;;
  pickle_file)
    mkdir -p "$folder/seeds"
    cp tests/golden/pickles/*.{pt,bin,ckpt} "$folder/seeds"
    printf '"%s"\n' torch._utils _rebuild_tensor_v2 collections OrderedDict FloatStorage HalfStorage archive/data.pkl >"$folder/words" ;;
  *) echo "fuzz: there is no target $target" >&2; exit 2 ;;
esac
OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1 "build/fuzz/fuzz_$target" "$folder/found" "$folder/seeds" -dict="$folder/words" -max_total_time="$seconds" \
  -max_len=300000 -rss_limit_mb=4096 -timeout=20 -artifact_prefix="build/fuzz/$target-" -print_final_stats=1
