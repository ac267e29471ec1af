#!/usr/bin/env bash
# ===- pack-for-gpu.sh - what travels to a machine with a GPU -------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
# Compiles the cases of bundle/cases.py and an encoder and packs them, with the
# scripts that check and time them, into one archive of at most 60 MB:
#
#   bash test/gpu/pack-for-gpu.sh [--out FOLDER] [--targets sm_90a,sm_80]
#                                 [--cases "NAME..."] [--decoders "NAME..."]
#                                 [--tiny] [--kernels FOLDER]
#
# Needs attnc (build/bin, or $ATTNC), Python with NumPy ($PYTHON) and, for
# cubins, ptxas. --tiny makes encoders of two layers, for an emulator; --kernels
# writes the IR of all that is packed to FOLDER, for the stub driver.
# On the other machine: tar xf gpu-bundle.tar.xz && bash gpu-bundle/run-on-gpu.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

out=build/gpu targets=sm_90a,sm_80 cases= kernels= most=$((60 * 1000 * 1000))
encoder="--layers 6" level=6 small="--layers 2 --width 64 --heads 2 --vocabulary 100"
decoders="gpt2 llama qwen2-window"
python=${PYTHON:-python3} attnc=${ATTNC:-build/bin/attnc}
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift ;;
    --targets) targets=$2; shift ;;
    --cases) cases=$2; shift ;;
    --decoders) decoders=$2; shift ;;
    --kernels) kernels=$2; shift ;;
    --tiny) encoder=$small level=1 ;;
    *) echo "pack-for-gpu.sh: '$1' is not an option" >&2; exit 2 ;;
  esac
  shift
done
[ -x "$attnc" ] || { echo "pack-for-gpu.sh: no $attnc; build it first" >&2; exit 1; }

bundle=$out/gpu-bundle
rm -rf "$bundle" "$out/gpu-bundle.tar.xz"
mkdir -p "$bundle"
scripts=test/gpu/bundle
# shellcheck disable=SC2086
$python $scripts/cases.py "$bundle" $cases
# The encoder that is timed, with weights of bf16, and one of f32.
# shellcheck disable=SC2086
$python $scripts/encoder.py "$bundle/encoder" --stored $encoder
# shellcheck disable=SC2086
$python $scripts/encoder.py "$bundle/encoder_f32" $small

failed=0
build() { # MODEL FOLDER LIBRARY OPTION...: only what is called stays.
  local model=$1 folder=$2 name=$3 log
  shift 3
  log=$out/$(basename "$folder").log
  [ -z "$kernels" ] || set -- "$@" --dump-ir="$kernels/$(basename "$folder")"
  if "$attnc" compile "$model" -o "$folder" --name "$name" "$@" >"$log" 2>&1; then
    rm -rf "$folder"/lib*.a "$folder"/attn "$folder"/*.h "$folder"/*.mlir \
      "$folder"/options "$folder"/*.safetensors
  else
    echo "$folder does not compile:" >&2
    tail -n 3 "$log" >&2
    failed=$((failed + 1))
    rm -rf "$folder"
  fi
}

for folder in "$bundle"/*/; do
  folder=${folder%/}
  name=$(basename "$folder")
  model=$folder
  [ -f "$folder/$name.mlir" ] && model=$folder/$name.mlir
  # shellcheck disable=SC2046
  build "$model" "$folder" "$name" --target="$targets" $(cat "$folder/options")
done
# Language models for the check of sessions, in products that are exact and in
# those that are usual, beside a variant for processors to compare with.
both=$targets
[[ ,$targets, == *,x86-64-v3,* ]] || both=x86-64-v3,$targets
for name in $decoders; do
  for products in f32 bf16; do
    folder=$bundle/decoders/$name-$products
    build "test/data/decoders/$name" "$folder" model --products=$products \
      --target="$both"
    [ ! -d "$folder" ] ||
      cp "test/numerics/data/decoders/$name.json" "$folder/golden.json"
  done
done
cp test/gpu/check-decoder.py test/numerics/attn_session.py "$bundle"
for script in bf16 library check timing contest peers encoder_weights; do
  cp $scripts/$script.py "$bundle"
done
cp test/gpu/run-on-gpu.sh "$bundle"
tar -C "$out" -c gpu-bundle | xz -T0 -$level >"$out/gpu-bundle.tar.xz"
bytes=$(stat -c %s "$out/gpu-bundle.tar.xz")
printf '%s: %d cases, %d.%d MB packed\n' "$out/gpu-bundle.tar.xz" \
  "$(find "$bundle" -name case.json | wc -l)" $((bytes / 1000000)) \
  $((bytes / 100000 % 10))
if [ "$bytes" -gt $most ]; then
  echo "pack-for-gpu.sh: more than 60 MB; leave cases out with --cases" >&2
  exit 1
fi
[ $failed -eq 0 ] || { echo "$failed cases do not compile" >&2; exit 1; }
