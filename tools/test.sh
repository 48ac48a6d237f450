#!/usr/bin/env bash
# Runs every test of a build folder; ctest's summary line comes last, also when tests fail.
set -uo pipefail
ctest --test-dir "$1" --output-on-failure --no-tests=error -j "$(nproc)" 2>&1 |
  sed -u -e '/^[0-9]*% tests passed, [0-9]* tests failed out of/{h;d}' -e '$G'
