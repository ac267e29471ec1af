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
#                                 [--cases "NAME..."] [--tiny]
#
# Needs attnc (build/bin, or $ATTNC), Python with NumPy ($PYTHON) and, for
# cubins, ptxas. --tiny makes an encoder of two layers, to check the script.
# On the other machine: tar xf gpu-bundle.tar.xz && bash gpu-bundle/run-on-gpu.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

out=build/gpu targets=sm_90a,sm_80 cases= encoder="--layers 6" most=$((60 << 20))
python=${PYTHON:-python3} attnc=${ATTNC:-build/bin/attnc}
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift ;;
    --targets) targets=$2; shift ;;
    --cases) cases=$2; shift ;;
    --tiny) encoder="--layers 2 --width 64 --heads 2 --vocabulary 100" ;;
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
# shellcheck disable=SC2086
$python $scripts/encoder.py "$bundle/encoder" $encoder

failed=0
for folder in "$bundle"/*/; do
  name=$(basename "$folder")
  model=$folder
  [ -f "$folder$name.mlir" ] && model=$folder$name.mlir
  if "$attnc" compile "$model" -o "$folder" --name "$name" \
       --target="$targets" >"$out/$name.log" 2>&1; then
    # The shared library and its weights are all that is called.
    rm -rf "$folder"lib*.a "$folder"attn "$folder"*.h
  else
    echo "$name does not compile for $targets:" >&2
    tail -n 3 "$out/$name.log" >&2
    failed=$((failed + 1))
    rm -rf "$folder"
  fi
done
# Language models for the check of sessions, in products that are exact and in
# those that are usual, beside a variant for processors to compare with.
both=$targets
[[ ,$targets, == *,x86-64-v3,* ]] || both=x86-64-v3,$targets
for name in gpt2 llama qwen2-window; do
  for products in f32 bf16; do
    folder=$bundle/decoders/$name-$products
    if "$attnc" compile "test/data/decoders/$name" -o "$folder" --name model \
         --products=$products --target="$both" \
         >"$out/$name.log" 2>&1; then
      rm -rf "$folder"/lib*.a "$folder"/attn "$folder"/*.h
      cp "test/numerics/data/decoders/$name.json" "$folder/golden.json"
    else
      echo "$name does not compile for $targets:" >&2
      tail -n 3 "$out/$name.log" >&2
      failed=$((failed + 1))
    fi
  done
done
cp test/gpu/check-decoder.py test/numerics/attn_session.py "$bundle"
cp $scripts/library.py $scripts/check.py $scripts/timing.py \
   $scripts/encoder.py test/gpu/run-on-gpu.sh "$bundle"
tar -C "$out" -c gpu-bundle | xz -T0 -6 >"$out/gpu-bundle.tar.xz"
bytes=$(stat -c %s "$out/gpu-bundle.tar.xz")
printf '%s: %d cases, %d.%d MB packed\n' "$out/gpu-bundle.tar.xz" \
  "$(find "$bundle" -name case.json | wc -l)" $((bytes / 1000000)) \
  $((bytes / 100000 % 10))
if [ "$bytes" -gt $most ]; then
  echo "pack-for-gpu.sh: more than 60 MB; leave cases out with --cases" >&2
  exit 1
fi
[ $failed -eq 0 ] || { echo "$failed cases do not compile" >&2; exit 1; }
