#!/usr/bin/env bash
# ===- run-on-gpu.sh - numbers and times on a machine with a GPU ----------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
# Runs what pack-for-gpu.sh packed: the numbers of every kernel and of the
# encoder, language models against their variants for processors,
# compute-sanitizer on a few small cases, times against PyTorch.
#
#   bash run-on-gpu.sh [BUNDLE] [--out FOLDER] [--rounds N] [--small]
#                      [--only check,sessions,sanitize,time] [--times WORD,...]
#
# BUNDLE is the unpacked folder, by default the one that the script lies in. The
# machine needs NVIDIA's driver and Python with NumPy; compute-sanitizer and
# PyTorch where they are wanted. --times picks from attention, decode, product
# and encoder; --small times small sizes, where a GPU is emulated.
set -uo pipefail

bundle= out= only=check,sessions,sanitize,time rounds=20 small=
times=attention,decode,product,encoder
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift ;;
    --only) only=$2; shift ;;
    --rounds) rounds=$2; shift ;;
    --times) times=$2; shift ;;
    --small) small=--small ;;
    -*) echo "run-on-gpu.sh: '$1' is not an option" >&2; exit 2 ;;
    *) bundle=$1 ;;
  esac
  shift
done
bundle=${bundle:-$(cd "$(dirname "$0")" && pwd)}
out=${out:-$bundle/results}
python=${PYTHON:-python3}
mkdir -p "$out"
device=cuda:0
failed=0

say() { printf '\n== %s\n' "$*"; }
wants() { [[ ,$only, == *,$1,* ]]; }
skip() { printf 'skipped: %s\n' "$*"; }

if ! command -v nvidia-smi >/dev/null; then
  echo "run-on-gpu.sh: there is no nvidia-smi, so no NVIDIA GPU either" >&2
  exit 1
fi
nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit \
  --format=csv | tee "$out/gpu.csv"

if wants check; then
  say "numbers"
  $python "$bundle/check.py" "$bundle" --device "$device" | tee "$out/check.txt"
  [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
fi

if wants sessions; then
  say "language models"
  for folder in "$bundle"/decoders/*/; do
    name=$(basename "$folder")
    # Off by what random weights of a few dozen columns make of 8 bits.
    tolerance=0.25
    [[ $name == *-f32 ]] && tolerance=1e-3
    printf '%-18s ' "$name"
    $python "$bundle/check-decoder.py" "$folder/libmodel.so" \
      "$folder/golden.json" $tolerance --device "$device" |
      tee "$out/session-$name.txt"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
  done
fi

if wants sanitize; then
  say "compute-sanitizer"
  sanitizer=$(command -v compute-sanitizer ||
    ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
  cases="attention_d64 causal_d128 decode_d128 stored_d64 stored_causal_d128"
  cases="$cases product linear encoder_f32"
  if [ -z "$sanitizer" ]; then
    skip "compute-sanitizer is not installed"
  else
    for tool in memcheck racecheck synccheck initcheck; do
      for name in $cases; do
        [ -d "$bundle/$name" ] || continue
        if "$sanitizer" --tool "$tool" --error-exitcode 9 $python \
             "$bundle/check.py" "$bundle" --device "$device" --case "$name" \
             --rounds 1 >"$out/$tool-$name.txt" 2>&1; then
          printf '%-10s %-20s ok\n' $tool "$name"
        else
          printf '%-10s %-20s FAILED\n' $tool "$name"
          tail -n 20 "$out/$tool-$name.txt"
          failed=1
        fi
      done
    done
  fi
fi

if wants time; then
  say "times"
  if ! $python -c 'import torch' 2>/dev/null; then
    skip "PyTorch is not installed"
  else
    $python "$bundle/timing.py" "$bundle" --rounds "$rounds" --only "$times" \
      --json "$out/timing.json" $small | tee "$out/timing.txt"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
    nvidia-smi --query-gpu=clocks.sm,temperature.gpu,power.draw --format=csv
  fi
fi

say "$([ $failed -eq 0 ] && echo passed || echo FAILED), results in $out"
exit $failed
