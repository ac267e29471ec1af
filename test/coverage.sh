#!/usr/bin/env bash
# How many branches of the runtime and of the readers of models the tests take.
#
#   bash test/coverage.sh                builds, tests, prints a table; the exit
#                                        status is 1 below a threshold
#   bash test/coverage.sh --missing PATH what no test has done, from the last run:
#                                        PATH begins a file's name
#
# A branch is one outcome of one condition, as clang counts them: `a && b` has
# four. Tests that run compiled libraries are not counted: attnc links its own
# runtime into those. What they do to the system, unit-runtime-faults does to
# the instrumented runtime.
#
# runtime/cuda counts among the rest and stands by itself, too: its tests run on
# the stub driver (test/gpu). Code that no test program takes out of the archives
# counts too, as not taken. runtime/text/*.inc hold tables and no code.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A wanted=([runtime]=95 [runtime/cuda]=95 [compiler/import]=90)
tests=(unit-runtime unit-runtime-faults unit-text unit-gpu-device
  attnc_import_tests)
libraries=(lib/libunit-runtime-toy.so lib/libattn_runtime.a lib/libattnc_import.a)

build=build-coverage
tools=/usr/lib/llvm-22/bin
profile=$build/coverage.profdata
objects=()
for object in "${tests[@]/#/bin/}" "${libraries[@]}"; do
  objects+=(-object "$build/$object")
done

export_coverage() { # export_coverage OPTION...
  $tools/llvm-cov export "${objects[@]}" -instr-profile "$profile" "$@" \
    2>"$build/llvm-cov.log"
}

if [ "${1:-}" = --missing ] && [ $# -eq 2 ]; then
  export_coverage -sources "${!wanted[@]}" |
    python3 test/coverage.py missing "$2"
  exit
elif [ $# -ne 0 ]; then
  echo "coverage.sh: expected no argument, or --missing PATH; got: $*" >&2
  exit 2
fi

cmake --preset coverage >&2
cmake --build --preset coverage --target "${tests[@]}" >&2

rm -rf "$build/profiles"
export LLVM_PROFILE_FILE=$PWD/$build/profiles/%p-%m.profraw
for name in "${tests[@]}"; do
  "$build/bin/$name" --gtest_brief=1 >&2 ||
    { echo "coverage.sh: $name failed" >&2; exit 1; }
done
$tools/llvm-profdata merge -sparse "$build"/profiles/*.profraw -o "$profile"

status=0
for room in "${!wanted[@]}"; do
  export_coverage --summary-only -sources "$room" |
    python3 test/coverage.py table "$room" "${wanted[$room]}" || status=1
done
exit $status
