#!/usr/bin/env bash
# Times a compiled encoder against onnxruntime on this machine, in one run.
#
#   bash test/benchmark/run.sh            the trained encoder all-MiniLM-L6-v2
#   bash test/benchmark/run.sh FOLDER     another BERT folder
#
# Makes a virtual environment with pinned peers in build/benchmark; writes
# build/benchmark/encoder.json. Times are medians of calls in turn; the ratio is
# the peer's time over ours. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=build/benchmark
mkdir -p $work
if [ ! -f $work/venv/ready ]; then
  bash compiler/packages.sh test
  python3 -m venv $work/venv
  $work/venv/bin/pip install --quiet --disable-pip-version-check \
    -r test/benchmark/requirements.txt
  touch $work/venv/ready
fi
[ -x build/bin/attnc ] || { echo "run.sh: build first: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
if [ $# -ge 1 ]; then
  model=$1
else
  bash examples/fetch-model.sh
  model=build/models/all-minilm-l6-v2
fi
build/bin/attnc compile "$model" -o $work/out --name encoder -q
grep -m1 "model name" /proc/cpuinfo
$work/venv/bin/python test/benchmark/encoder.py $work/out/libencoder.so "$model" \
  --json $work/encoder.json
