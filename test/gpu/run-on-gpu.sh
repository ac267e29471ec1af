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
#   bash run-on-gpu.sh [BUNDLE] [--out FOLDER] [--rounds N] [--dry-run]
#                      [--only check,sessions,sanitize,time]
#
# BUNDLE is the unpacked folder, by default the one that the script lies in. The
# machine needs NVIDIA's driver and Python with NumPy; compute-sanitizer and
# PyTorch where they are wanted. --dry-run goes through all of it without a GPU:
# device "cpu" or, with $ATTNC_STUB_DRIVER, the folder of a stand-in for
# libcuda.so.1, "cuda:0".
set -uo pipefail

bundle= out= only=check,sessions,sanitize,time rounds=20 dry=
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift ;;
    --only) only=$2; shift ;;
    --rounds) rounds=$2; shift ;;
    --dry-run) dry=1 ;;
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

if [ -n "$dry" ]; then
  if [ -n "${ATTNC_STUB_DRIVER:-}" ]; then
    export LD_LIBRARY_PATH=$ATTNC_STUB_DRIVER${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  else
    device=cpu
  fi
elif command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit \
    --format=csv | tee "$out/gpu.csv"
else
  echo "run-on-gpu.sh: no nvidia-smi; --dry-run checks the script without a GPU" >&2
  exit 1
fi

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
  small="attention_d64 causal_d128 product encoder"
  if [ -z "$sanitizer" ] && [ -z "$dry" ]; then
    skip "compute-sanitizer is not installed"
  else
    for tool in memcheck racecheck synccheck initcheck; do
      for name in $small; do
        [ -d "$bundle/$name" ] || continue
        # Writes of a stage that is refilled are what racecheck is slow at.
        command=("$sanitizer" --tool "$tool" --error-exitcode 9)
        [ -n "$dry" ] && command=()
        "${command[@]}" $python "$bundle/check.py" "$bundle" \
          --device "$device" --case "$name" --rounds 1 \
          >"$out/$tool-$name.txt" 2>&1
        status=$?
        if [ $status -eq 0 ]; then
          printf '%-10s %-16s ok\n' $tool "$name"
        else
          printf '%-10s %-16s FAILED\n' $tool "$name"
          tail -n 20 "$out/$tool-$name.txt"
          failed=1
        fi
      done
      [ -n "$dry" ] && break # one tool is as good as four
    done
  fi
fi

if wants time; then
  say "times"
  if ! $python -c 'import torch' 2>/dev/null; then
    skip "PyTorch is not installed"
  elif [ -n "$dry" ] && [ "$device" != cpu ]; then
    skip "times against PyTorch on a stand-in for the driver"
  else
    $python "$bundle/timing.py" "$bundle" --rounds "$rounds" \
      --json "$out/timing.json" ${dry:+--dry-run} | tee "$out/timing.txt"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
  fi
fi

say "$([ $failed -eq 0 ] && echo passed || echo FAILED), results in $out"
exit $failed
