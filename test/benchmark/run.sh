#!/usr/bin/env bash
# Times compiled encoders and kernels against their peers on this machine.
#
#   bash test/benchmark/run.sh                  the trained encoder, a random model
#                                               of BERT-base's size, kernels alone
#   bash test/benchmark/run.sh MODEL_FOLDER     a model folder of yours, and kernels
#   bash test/benchmark/run.sh --peers all      PyTorch and IREE too (GBs to download)
#   bash test/benchmark/run.sh --quick          f32, few shapes: ten minutes
#   bash test/benchmark/run.sh --smoke          does it work? in seconds, tiny shapes
#   bash test/benchmark/run.sh --decode ...     language models, against llama.cpp,
#                                               onnxruntime and OpenVINO (--torch:
#                                               and PyTorch)
#   bash test/benchmark/run.sh --help           all options
#   bash test/benchmark/run.sh --prepare ...    installs the peers only
#
# Needs a build (build/bin/attnc). The peers, pinned in requirements/, go into a
# virtual environment in build/benchmark; the report into build/benchmark/results.
# README.md says how to read it. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."

export PYTHONDONTWRITEBYTECODE=1
work=build/benchmark
peers=onnxruntime,openvino
prepare= smoke= help= folder= decode=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --prepare) prepare=1 ;;
    --decode) decode=1 peers=llamacpp,onnxruntime,openvino ;;
    --torch) peers=$peers,torch ;;
    --peers=*) peers=${1#--peers=} ;;
    --peers) peers=${2:?run.sh: --peers wants names} && shift ;;
    --smoke) smoke=1 && options+=("$1") ;;
    -h | --help) help=1 ;;
    --threads | --dtypes | --shapes | --seconds | --output | --sizes | --formats | --cache)
      options+=("$1" "${2:?run.sh: $1 wants a value}") && shift ;;
    -*) options+=("$1") ;;
    *) folder=$1 && options+=("$1") ;;
  esac
  shift
done
[ -z "${ATTNC_BENCHMARK_TORCH:-}" ] || peers=$peers,torch
[ "$peers" != all ] || peers=onnxruntime,openvino,torch,iree
[ -z "$smoke" ] || peers=onnxruntime

script=run.py
[ -z "$decode" ] || script=decode.py
[ -z "$help" ] || exec python3 test/benchmark/$script --help

# What a peer needs is installed again when its pins change.
for peer in ${peers//,/ }; do
  wanted=test/benchmark/requirements/$peer.txt
  if [ ! -f "$wanted" ]; then
    echo "run.sh: '$peer' is not a peer; expected onnxruntime, openvino, torch, iree, llamacpp or all" >&2
    exit 2
  fi
  cmp -s "$wanted" "$work/venv/$peer.txt" && continue
  if [ ! -x $work/venv/bin/pip ]; then
    bash compiler/packages.sh test
    python3 -m venv $work/venv
  fi
  $work/venv/bin/pip install --quiet --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$work/venv/$peer.txt"
done
[ -z "$prepare" ] || exit 0

if [ ! -x build/bin/attnc ]; then
  echo "run.sh: build first: cmake --preset release && cmake --build --preset release" >&2
  exit 1
fi
if [ -z "$smoke" ]; then
  cmake -DATTNC_BUILD_BENCHMARKS=ON build >/dev/null
  cmake --build build --target benchmark-peaks >/dev/null
fi
[ -z "$decode" ] || exec $work/venv/bin/python test/benchmark/decode.py --peers "$peers" "${options[@]}"
[ -n "$smoke$folder" ] || bash examples/fetch-model.sh
exec $work/venv/bin/python test/benchmark/run.py --peers "$peers" "${options[@]}"
