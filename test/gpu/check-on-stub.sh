#!/usr/bin/env bash
# ===- check-on-stub.sh - compiled libraries on the stub driver ------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
# Compiles cases and a tiny encoder for GPUs and runs them whole, from the C
# functions to the kernels, with the stub driver and the emulator in place of
# NVIDIA's driver and a GPU:
#
#   bash test/gpu/check-on-stub.sh [--build FOLDER] [--targets "sm_80 sm_90a"]
#                                  [--seeds "0 1"] [CASE...]
#
# Without cases: a few small ones and the encoder. Needs Python with NumPy.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build targets="sm_80 sm_90a" seeds="0 1" cases=()
python=${PYTHON:-python3} attnc=${ATTNC:-}
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift ;;
    --targets) targets=$2; shift ;;
    --seeds) seeds=$2; shift ;;
    -*) echo "check-on-stub.sh: '$1' is not an option" >&2; exit 2 ;;
    *) cases+=("$1") ;;
  esac
  shift
done
[ ${#cases[@]} -gt 0 ] ||
  cases=(encoder attention_d64 window_d64 alibi_d64 grouped_d64 cross_d64 product)

work=$build/gpu-stub
rm -rf "$work"
mkdir -p "$work"
failed=0
for target in $targets; do
  for name in "${cases[@]}"; do
    folder=$work/$target/$name
    if [ "$name" = encoder ]; then
      $python test/gpu/bundle/encoder.py "$folder" --layers 2 --width 64 \
        --heads 2 --vocabulary 100 --batch 3 --seq 19
      model=$folder
    else
      $python test/gpu/bundle/cases.py "$work/$target" "$name"
      model=$folder/$name.mlir
    fi
    if ! "${attnc:-$build/bin/attnc}" compile "$model" -o "$folder" --name "$name" \
         --target="$target" --dump-ir="$folder/ir" >"$folder/log" 2>&1; then
      echo "$target $name does not compile:"
      tail -n 5 "$folder/log"
      failed=$((failed + 1))
      continue
    fi
    for seed in $seeds; do
      if ! LD_LIBRARY_PATH=$build/stub-driver ATTNC_STUB_KERNELS=$folder/ir \
           ATTNC_STUB_CHIP=${target//[!0-9]/} ATTNC_STUB_SEED=$seed \
           $python test/gpu/bundle/check.py "$work/$target" --case "$name" \
           >"$folder/check-$seed" 2>&1; then
        failed=$((failed + 1))
      fi
      grep "^$name " "$folder/check-$seed" || cat "$folder/check-$seed"
    done
  done
done
echo "$failed failed"
[ $failed -eq 0 ]
