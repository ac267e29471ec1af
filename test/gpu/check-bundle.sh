#!/usr/bin/env bash
# ===- check-bundle.sh - run-on-gpu.sh where there is no GPU --------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
# Packs a small bundle, unpacks it in a fresh folder and runs it there, times
# included, with stand-ins for the driver (stub/), PyTorch and CUDA's tools
# (standin/). Then what may go wrong on the way; at the end every statement of the
# bundle's scripts must have been run (check-on-stub.sh does that for those that
# come from elsewhere).
#
#   bash test/gpu/check-bundle.sh [--build FOLDER]
#
# Needs attnc ($ATTNC) and the stub driver, and Python with NumPy ($PYTHON).
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build
[ "${1:-}" != --build ] || build=$2
python=${PYTHON:-python3}
case $python in # it runs in other folders, too
  /*) ;;
  */*) python=$PWD/$python ;;
esac
export ATTNC=${ATTNC:-$PWD/$build/bin/attnc}
work=$PWD/$build/gpu-bundle-check
rm -rf "$work"
mkdir -p "$work/there"

bash test/gpu/pack-for-gpu.sh --out "$work" --tiny --targets sm_90a \
  --decoders llama --kernels "$work/ir" --cases "attention_d64 decode_d128 \
stored_d64 own_d64 own_causal_d64 own_d128 own_causal_d128 own_window_d128 \
own_alibi_d128 own_softcap_d128 own_window_d64_f16 linear_256" \
  >"$work/pack.txt" 2>&1 || { cat "$work/pack.txt"; exit 1; }
tar -C "$work/there" -xf "$work/gpu-bundle.tar.xz"
rm -rf "$work/gpu-bundle"
bundle=$work/there/gpu-bundle

export LD_LIBRARY_PATH=$PWD/$build/stub-driver ATTNC_STUB_KERNELS=$work/ir
export ATTNC_STUB_CHIP=90 ATTNC_STUB_STRICT=1 PYTHONDONTWRITEBYTECODE=1
plain=$PATH standin=$PWD/test/gpu/standin lines=$work/lines.txt
export PATH=$standin/bin:$PATH
trace="$python $PWD/test/gpu/trace-lines.py"

# shellcheck disable=SC2016 # for the traced shell
traced='PS4="+shell \${BASH_SOURCE} \${LINENO} "; set -x; . "$0"'

# attempt STATUS TEXT ARGUMENT...: run-on-gpu.sh ends with STATUS and says TEXT.
attempt() {
  local expected=$1 text=$2 status=0
  shift 2
  (cd "$work/there" && exec 9>>"$lines" &&
    PYTHON="$trace run $bundle $lines" BASH_XTRACEFD=9 bash -c "$traced" \
      "$bundle/run-on-gpu.sh" "$@") >"$work/output.txt" 2>&1 || status=$?
  if [ "$status" -ne "$expected" ] || ! grep -qe "$text" "$work/output.txt"; then
    echo "run-on-gpu.sh $*: status $status, expected $expected and '$text'"
    tail -n 40 "$work/output.txt"
    exit 1
  fi
}

PYTHONPATH=$standin attempt 0 "^== passed" --small --rounds 2
cp "$work/output.txt" "$work/table.txt"
for text in "SDPA flash" "FlexAttention tuned" "attnc, its kernel" \
  "torch.compile tuned" "cuBLAS" "GB/s" "rows/ms" "falls short" "memcheck"; do
  grep -qe "$text" "$work/table.txt" || { echo "the table lacks $text"; exit 1; }
done
! grep -e WRONG -e FAILED "$work/table.txt"

# What goes wrong has to be seen.
attempt 2 "is not an option" --fast
PATH=$plain attempt 1 "no nvidia-smi" --only check
mkdir "$work/none"
echo 'raise ImportError("it is not here")' >"$work/none/torch.py"
PYTHONPATH=$work/none attempt 0 "PyTorch is not installed" "$bundle" --only time \
  --out "$work/other"
ATTNC_STUB_DEVICES=0 PYTHONPATH=$standin attempt 1 "PyTorch sees no GPU" \
  --only time
ATTNC_STUB_CHIP=75 attempt 1 "needs a chip" --only check
mv "$bundle/decode_d128" "$work"
PYTHONPATH=$standin attempt 0 "decode_d128 *not in this bundle" --only time \
  --times decode --small --rounds 1
mv "$work/decode_d128" "$bundle"
# A truth of zeros, a library that is none, and little else.
rm -rf "$bundle"/{attention,own,decode}_* "$bundle"/encoder{,_f32}
$python -c 'import numpy, sys
path = sys.argv[1]
numpy.save(path, 0 * numpy.load(path))' "$bundle/stored_d64/out0.npy"
: >"$bundle/linear_256/liblinear_256.so"
attempt 1 "WRONG" --only check,sanitize
! $trace run "$bundle" "$lines" "$bundle/check.py" "$bundle" --case none
$trace missing "$lines" "$bundle"/{library,check,timing,contest,peers}.py \
  "$bundle"/{encoder_weights.py,run-on-gpu.sh}
