#!/usr/bin/env bash
# Fuzzes for hours: each reader for the given time on all cores.
#
#   bash test/fuzz/run-long.sh [--record] [HOURS] [FUZZER...]
#
# HOURS may be a fraction (default: 1); FUZZER is attn-ir, config, gguf, safetensors,
# tokenizer, weights or random-programs (default: all). What a fuzzer finds goes
# to build/corpus/fuzz-NAME: crash-*, timeout-*, oom-* and leak-* are findings, the rest
# is the corpus, which is cut back to what adds coverage. A table of what ran
# ends the run; with --record its rows are added to test/fuzz/README.md.
set -uo pipefail
cd "$(dirname "$0")/../.."

record=
if [ "${1:-}" = --record ]; then
  record=1
  shift
fi
hours=${1:-1}
[ $# -gt 0 ] && shift
seconds=$(awk -v hours="$hours" 'BEGIN { printf "%d", hours * 3600 }')
if [ "$seconds" -lt 1 ]; then
  echo "run-long.sh: '$hours' is not a time in hours" >&2
  exit 2
fi
fuzzers=("$@")
[ ${#fuzzers[@]} -gt 0 ] ||
  fuzzers=(safetensors weights gguf config tokenizer attn-ir random-programs)
cores=$(nproc)
today=$(date +%Y-%m-%d)
rows=()
found=0

# add_row NAME SECONDS EXECUTIONS COVERAGE FINDINGS
add_row() {
  local minutes=$((($2 * cores + 59) / 60))
  rows+=("| $today | $1 | $minutes | $3 | $4 | $5 |")
  found=$((found + $5))
}

# run_reader NAME: a libFuzzer program, its corpus merged afterwards.
run_reader() {
  local name=$1 program=build/bin/fuzz-$1 corpus=build/corpus/fuzz-$1
  local seeds=test/fuzz/seeds/$1 log=build/corpus/fuzz-$1.log started=$SECONDS
  mkdir -p "$corpus"
  "$program" -fork="$cores" -ignore_crashes=1 -ignore_timeouts=1 \
    -ignore_ooms=1 -max_total_time="$seconds" -max_len=8192 -timeout=20 \
    -rss_limit_mb=2048 -artifact_prefix="$corpus/" "$corpus" "$seeds" \
    >"$log" 2>&1
  local spent=$((SECONDS - started))
  # "#123456: cov: 789 ft: 1011 corp: 12 exec/s: 345 ... "
  local last executions coverage findings
  last=$(grep -E '^#[0-9]+: cov:' "$log" | tail -1)
  executions=$(sed -nE 's/^#([0-9]+):.*/\1/p' <<<"$last")
  coverage=$(sed -nE 's/.*cov: ([0-9]+) ft: ([0-9]+).*/\1 edges, \2 features/p' \
    <<<"$last")
  findings=$(find "$corpus" -name 'crash-*' -o -name 'timeout-*' \
    -o -name 'oom-*' -o -name 'leak-*' | wc -l)
  rm -rf "$corpus.small"
  mkdir -p "$corpus.small"
  if "$program" -merge=1 -max_len=8192 -rss_limit_mb=2048 "$corpus.small" \
       "$seeds" "$corpus" >>"$log" 2>&1; then
    find "$corpus" -maxdepth 1 -type f ! -name 'crash-*' ! -name 'timeout-*' \
      ! -name 'oom-*' ! -name 'leak-*' -delete
    find "$corpus.small" -type f -exec mv -t "$corpus" {} +
  fi
  rm -rf "$corpus.small"
  add_row "$name" "$spent" "${executions:-0}" "${coverage:-unknown}" "$findings"
}

# run_programs: one process per core, each with seeds of its own.
run_programs() {
  local corpus=build/corpus/random-programs started=$SECONDS core
  local first=$(($(date +%s) * 1000))
  mkdir -p "$corpus"
  for ((core = 0; core < cores; core++)); do
    build/bin/random-programs --seed $((first + core * 100000000)) \
      --count 1000000000 --seconds "$seconds" --output "$corpus" \
      >"$corpus/$core.log" 2>&1 &
  done
  wait
  local programs findings
  programs=$(tail -qn 1 "$corpus"/*.log |
    awk '{ sum += $1 } END { print sum + 0 }')
  findings=$(find "$corpus" -name 'seed-*.mlir' ! -name '*-small.mlir' \
    -o -name 'crash-*.mlir' | wc -l)
  add_row random-programs $((SECONDS - started)) "$programs programs" \
    "" "$findings"
}

for name in "${fuzzers[@]}"; do
  program=build/bin/fuzz-$name
  [ "$name" = random-programs ] && program=build/bin/random-programs
  if [ ! -x "$program" ]; then
    echo "run-long.sh: $program is not built; cmake --preset ci &&" \
      "cmake --build --preset ci --target fuzz" >&2
    exit 2
  fi
  echo "$name: $seconds s on $cores cores"
  if [ "$name" = random-programs ]; then
    run_programs
  else
    run_reader "$name"
  fi
done

echo "| date | reader | core-minutes | executions | coverage | findings |"
echo "|---|---|---|---|---|---|"
printf '%s\n' "${rows[@]}"
[ -z "$record" ] || printf '%s\n' "${rows[@]}" >>test/fuzz/README.md
[ "$found" -eq 0 ]
