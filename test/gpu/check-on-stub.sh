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
# Without cases: a few small ones, the encoder (with tensors of f32 and of bf16
# between its kernels) and language models (gpt2, llama:
# names of test/data/decoders), which are held to the variant for processors in
# products of f32 and of bf16, one of them with narrow weights and narrow caches,
# another with adapters; products with weights of every format (products), all
# forms of attention with states (cached), and all forms of attention without, of
# every head size and format (attention); softmax, norms, rotations and pooling
# (rows).
# Needs Python with NumPy.
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
  cases=(encoder encoder_bf16 attention_d64 window_d64 alibi_d64 grouped_d64 cross_d64 product
         stored_d64 stored_grouped_d32 stored_causal_d96 own_d128
         own_window_d64_f16 gpt2 llama qwen2 qwen2-window products cached
         attention rows)

# Whatever a process did wrong or still holds at its end fails it.
export ATTNC_STUB_STRICT=1
work=$build/gpu-stub
rm -rf "$work"
mkdir -p "$work"
failed=0

on_stub() { # FOLDER TARGET SEED COMMAND...
  local folder=$1 target=$2 seed=$3
  shift 3
  LD_LIBRARY_PATH=$build/stub-driver ATTNC_STUB_KERNELS=$folder/ir \
    ATTNC_STUB_CHIP=${target//[!0-9]/} ATTNC_STUB_SEED=$seed "$@"
}

# A language model against its variant for processors: exact products give equal
# tokens; those of bf16 are off by what tiny random weights make of 8 bits.
check_decoder() { # MODEL TARGET
  local variant format weights cache tolerance folder seed adapters=() chosen=()
  local variants="f32:f32:f32 bf16:f32:f32"
  # Weights and states that both variants read as the same bits.
  [ "$1-$2" != llama-sm_80 ] ||
    variants="$variants f32:bf16:f32 f32:int8:bf16 f32:int4:int8 bf16:int4:int8"
  if [ "$1-$2" = qwen2-sm_80 ]; then
    adapters=(--adapters=test/data/adapters/qwen2-lora,test/data/adapters/qwen2-dora)
    chosen=(--adapters qwen2-lora,qwen2-dora)
  fi
  for variant in $variants; do
    IFS=: read -r format weights cache <<< "$variant"
    tolerance=1e-4
    # Sums that differ in their last bit may be rounded apart where they are kept.
    [ "$cache" = f32 ] || tolerance=1e-3
    [ "$format" = f32 ] || tolerance=0.25
    folder=$work/$2/$1-$format-$weights-$cache
    if ! "${attnc:-$build/bin/attnc}" compile "test/data/decoders/$1" -o "$folder" \
         --name model --target="x86-64-v3,$2" --products="$format" \
         --weights="$weights" --activations=f32 --cache="$cache" "${adapters[@]}" \
         --dump-ir="$folder/ir" >"$work/$1.log" 2>&1; then
      echo "$2 $1 does not compile:"
      tail -n 5 "$work/$1.log"
      failed=$((failed + 1))
      continue
    fi
    for seed in $seeds; do
      printf '%s %s %s %s ' "$2" "$format" "$weights" "$cache"
      on_stub "$folder" "$2" "$seed" $python test/gpu/check-decoder.py \
        "$folder/libmodel.so" "test/numerics/data/decoders/$1.json" $tolerance \
        "${chosen[@]}" ||
        failed=$((failed + 1))
    done
  done
}

for target in $targets; do
  for name in "${cases[@]}"; do
    folder=$work/$target/$name
    if [ -d "test/data/decoders/$name" ]; then
      check_decoder "$name" "$target"
      continue
    fi
    if [ "$name" = cached ]; then
      format=f32
      [ "$target" = sm_80 ] || format=bf16
      for cache in f32 bf16 int8; do
        $python test/gpu/check-cached.py "${attnc:-$build/bin/attnc}" \
          "$folder-$cache" "$target" $format --cache $cache \
          --stub "$build/stub-driver" || failed=$((failed + 1))
      done
      continue
    fi
    if [ "$name" = attention ]; then
      $python test/gpu/check-attention.py "${attnc:-$build/bin/attnc}" "$folder" \
        --targets "$target" --stub "$build/stub-driver" || failed=$((failed + 1))
      continue
    fi
    if [ "$name" = products ] || [ "$name" = rows ]; then
      $python "test/gpu/check-$name.py" "${attnc:-$build/bin/attnc}" "$folder" \
        "$target" --stub "$build/stub-driver" || failed=$((failed + 1))
      continue
    fi
    if [ "$name" = encoder ] || [ "$name" = encoder_bf16 ]; then
      more=(--seq 19)
      [ "$name" = encoder ] || more=(--seq 150 --stored)
      $python test/gpu/bundle/encoder.py "$folder" --layers 2 --width 64 \
        --heads 2 --vocabulary 100 --batch 3 "${more[@]}"
      model=$folder
    else
      $python test/gpu/bundle/cases.py "$work/$target" "$name"
      model=$folder/$name.mlir
    fi
    if ! "${attnc:-$build/bin/attnc}" compile "$model" -o "$folder" --name "$name" \
         --target="$target" $(cat "$folder/options" 2>/dev/null || true) \
         --dump-ir="$folder/ir" >"$folder/log" 2>&1; then
      echo "$target $name does not compile:"
      tail -n 5 "$folder/log"
      failed=$((failed + 1))
      continue
    fi
    for seed in $seeds; do
      if ! on_stub "$folder" "$target" "$seed" \
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
