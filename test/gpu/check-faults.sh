#!/usr/bin/env bash
# ===- check-faults.sh - seeded faults in compiled kernels ----------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
# check-faults.py on kernels of every kind: products and attention by warp groups
# (sm_90a) and by warps (sm_80), attention with states; then a language model on a
# driver that fails (check-device-faults.py).
#
#   bash test/gpu/check-faults.sh [--all] [--build FOLDER]
#
# By default three of them, of each class of faults the first that is noticed, and a
# few failures of the driver: a minute; --all takes every piece of all out in turn
# and lets 300 calls fail, for many minutes. Needs attnc ($ATTNC), the stub
# driver, and Python with NumPy ($PYTHON).
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

check_packed() { # rows behind a sequence are NaN: they have to be cleared
  local folder=$work/sm_90a/behind
  mkdir -p "$folder"
  PYTHONPATH=test/gpu $python -c "import attention_program
print(attention_program.program(64, 'bf16', ['behind']))" > "$folder/forms.mlir"
  "$attnc" compile -q "$folder/forms.mlir" -o "$folder" --name forms \
    --target=sm_90a --products=bf16 --dump-ir="$folder/ir"
  echo "== packed sequences, sm_90a"
  # Groups seldom come so far apart that one multiplies what another clears.
  ATTNC_STUB_CHIP=90 $python test/gpu/check-faults.py "${how[@]}" --seeds 12 \
    --classes fence,clear "$folder/ir" "$stub" $python \
    test/gpu/check-attention.py --run "$folder" sm_90a 64 bf16 \
    --device cuda:0 --only behind || failed=1
}

check_case stored_d64 sm_90a attention
check_packed
check_case linear sm_90a 'linear.*[0-9]$' # those for few rows do not run
if [ -n "$all" ]; then
  # Only what lies in memory as products want it is copied asynchronously.
  check_case stored_d64 sm_80 attention
  check_case stored_causal_d64 sm_90a attention
  check_case linear sm_80 'linear.*[0-9]$'
  cached=(test/gpu/check-cached.py "$attnc" "$work/cached" sm_80 f32 --only steps
    --stub "$stub")
  echo "== attention with states, sm_80"
  $python "${cached[@]}"
  $python test/gpu/check-faults.py "${how[@]}" "$work/cached/steps/ir" "$stub" \
    $python "${cached[@]}" --kernels {} || failed=1
fi
model=$work/llama
"$attnc" compile -q test/data/decoders/llama -o "$model" --name model \
  --target=sm_80 --products=f32 --dump-ir="$model/ir"
echo "== a language model on a driver that fails"
LD_LIBRARY_PATH=$stub $python test/gpu/check-device-faults.py \
  "$model/libmodel.so" --points $([ -n "$all" ] && echo 100 || echo 4) \
  --seconds 600 || failed=1
[ $failed -eq 0 ]
