#!/usr/bin/env bash
# ===- check-faults.sh - seeded faults in compiled kernels ----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
# check-faults.py on kernels of every kind: products and attention by warp groups
# (sm_90a) and by warps (sm_80), attention with states.
#
#   bash test/gpu/check-faults.sh [--all] [--build FOLDER]
#
# By default two of them, and of each class of faults the first that is noticed:
# half a minute; --all takes every piece of all out in turn, for minutes. Needs
# attnc ($ATTNC) and the stub driver, and Python with NumPy ($PYTHON).
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build all=
while [ $# -gt 0 ]; do
  case $1 in
    --all) all=1 ;;
    --build) build=$2; shift ;;
    *) echo "check-faults.sh: '$1' is not an option" >&2; exit 2 ;;
  esac
  shift
done
python=${PYTHON:-python3} attnc=${ATTNC:-$build/bin/attnc}
work=$build/gpu-faults stub=$PWD/$build/stub-driver
rm -rf "$work"
failed=0
how=(--seeds 4)
[ -n "$all" ] || how+=(--quick)

check_case() { # NAME TARGET PROGRAMS
  local folder=$work/$2/$1
  $python test/gpu/bundle/cases.py "$work/$2" "$1"
  # shellcheck disable=SC2046
  "$attnc" compile -q "$folder/$1.mlir" -o "$folder" --name "$1" --target="$2" \
    --dump-ir="$folder/ir" $(cat "$folder/options")
  echo "== $1, $2"
  ATTNC_STUB_CHIP=${2//[!0-9]/} $python test/gpu/check-faults.py "${how[@]}" \
    --programs "$3" "$folder/ir" "$stub" $python test/gpu/bundle/check.py \
    "$work/$2" --case "$1" --rounds 1 || failed=1
}

check_case stored_d64 sm_90a attention
check_case linear sm_90a 'linear.*[0-9]$' # those for few rows do not run
if [ -n "$all" ]; then
  check_case attention_d64 sm_80 attention
  check_case product sm_80 matmul
  cached=(test/gpu/check-cached.py "$attnc" "$work/cached" sm_80 f32 --only steps
    --stub "$stub")
  echo "== attention with states, sm_80"
  $python "${cached[@]}"
  $python test/gpu/check-faults.py "${how[@]}" "$work/cached/steps/ir" "$stub" \
    $python "${cached[@]}" --kernels {} || failed=1
fi
[ $failed -eq 0 ]
