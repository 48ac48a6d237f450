#!/usr/bin/env bash
# Formats every source file, or with --check says which are not formatted. One version, since each formats a little differently;
# without it a check exits 77, which ctest shows as a skipped test.
set -euo pipefail
cd "$(dirname "$0")/.."
format=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$format" ] || ! "$format" --version | grep -q 'version 14\.'; then
  echo "format: clang-format-14 is not installed; try: apt-get install clang-format-14"
  [ "${1:-}" = --check ] && exit 77
  exit 1
fi
how=(-i)
[ "${1:-}" != --check ] || how=(--dry-run -Werror)
find src apps tests bench -name '*.h' -print0 -o -name '*.cpp' -print0 | xargs -0 -n 50 -P "$(nproc)" "$format" "${how[@]}"
