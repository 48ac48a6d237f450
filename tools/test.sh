#!/usr/bin/env bash
# Runs the tests of a build folder, all or those that further arguments pick for ctest; its summary line comes last, also when tests fail.
set -uo pipefail
ctest --test-dir "$1" "${@:2}" --output-on-failure --no-tests=error -j "$(nproc)" 2>&1 |
  sed -u -e '/^[0-9]*% tests passed, [0-9]* tests failed out of/{h;d}' -e '$G'
