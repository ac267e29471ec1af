#!/usr/bin/env bash
# failed-output.sh WEIGHTS WORK DISTURBED: compiles one matrix product where
# writing fails: under limits, in places that cannot be written, and with each
# single attempt to write failing in turn (DISTURBED is disturbed-file.so).
# Every failure is an error with a code, leaves no partial file behind, and
# leaves files that were there as they were.
set -u
work=$2
model=$work/linear.mlir
rm -rf "$work"
mkdir -p "$work"
sed "s,@FILE@,$1," "$(dirname "$0")/linear.mlir.in" >"$model"
bad=0
complain() {
  echo "failed-output.sh: $*" >&2
  bad=1
}

state() { # every file below a folder with its bytes
  (cd "$1" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

# expect_failure NAME FOLDER COMMAND...: fails with a code of its own.
expect_failure() {
  local name=$1 folder=$2 before status
  shift 2
  before=$(state "$folder")
  "$@" >"$work/log" 2>&1
  status=$?
  [ $status -eq 1 ] || complain "$name: exit code $status"
  grep -q 'error\[A060' "$work/log" ||
    complain "$name: no error[A060x]: $(cat "$work/log")"
  [ "$(state "$folder")" = "$before" ] ||
    complain "$name: files changed: $(find "$folder" -type f)"
}

limited() { # limited KILOBYTES COMMAND...: no file grows beyond
  (
    ulimit -f "$1"
    shift
    "$@"
  )
}

compile() { attnc compile "$model" --name tiny -q -o "$@"; }

compile "$work/full" || complain "the plain compilation fails"
mkdir "$work/fresh"
for kilobytes in 1 3 10 40 100 200; do
  expect_failure "limit $kilobytes, fresh" "$work/fresh" \
    limited $kilobytes compile "$work/fresh"
  expect_failure "limit $kilobytes, over files" "$work/full" \
    limited $kilobytes compile "$work/full"
  expect_failure "limit $kilobytes, embedded" "$work/full" \
    limited $kilobytes compile "$work/full" --embed-weights
done
rm -rf "$work/fresh"
mkdir "$work/fresh"
limited 16 attnc compile "$model" -q --emit=list >/dev/null ||
  complain "--emit=list needs no files"
expect_failure "dumps" "$work/fresh" \
  limited 1 compile "$work/out" --dump-ir="$work/dumps"

# Each attempt finds no space left, into a fresh folder and over files. Only the
# renames at the end have no way back: before the first one nothing changes.
attempts=0
for ((n = 1; n < 500; n++)); do
  rm -rf "$work/each"
  mkdir "$work/each"
  LD_PRELOAD=$3 NO_SPACE=$n attnc compile "$model" --name tiny -q \
    -o "$work/each" >"$work/log" 2>&1
  status=$?
  if [ $status -eq 0 ]; then
    diff -r "$work/each" "$work/full" >/dev/null && break
    complain "attempt $n fails, and nobody says so"
  fi
  attempts=$n
  [ $status -eq 1 ] || complain "attempt $n: exit code $status: $(cat "$work/log")"
  grep -q 'error\[A060[15]\]: ' "$work/log" &&
    grep -q 'No space left' "$work/log" ||
    complain "attempt $n: $(cat "$work/log")"
  left=$(find "$work/each" -name '.*' -type f)
  [ -z "$left" ] || complain "attempt $n leaves $left"
  [ $bad -eq 0 ] || break
done
[ $attempts -gt 10 ] || complain "only $attempts attempts to write"

# Places that are no folders.
touch "$work/file"
expect_failure "below a file" "$work/fresh" compile "$work/file/out"
expect_failure "below /proc" "$work/fresh" compile /proc/attnc/out
mkdir -p "$work/taken/libtiny.so"
expect_failure "a folder in the way" "$work/taken" compile "$work/taken"
grep -q "error\[A0601\]: .*libtiny.so' cannot be replaced" "$work/log" ||
  complain "a folder in the way: $(cat "$work/log")"

# A full and a read-only file system, where a namespace of our own may mount.
if unshare -rm true 2>/dev/null; then
  export -f compile
  export model work
  mkdir "$work/disk"
  unshare -rm bash -c '
    mount -t tmpfs -o size=$((120 * 1024)) none "$work/disk"
    compile "$work/disk" >"$work/log" 2>&1
    echo $? >"$work/status"
    find "$work/disk" -type f >"$work/left"
    mount -o remount,ro "$work/disk"
    compile "$work/disk" >"$work/log-ro" 2>&1
    echo $? >>"$work/status"'
  [ "$(tr '\n' ' ' <"$work/status")" = "1 1 " ] ||
    complain "full disk: exit codes $(cat "$work/status")"
  grep -q 'error\[A060' "$work/log" || complain "full: $(cat "$work/log")"
  grep -q 'error\[A0601\]' "$work/log-ro" ||
    complain "read-only: $(cat "$work/log-ro")"
  [ ! -s "$work/left" ] || complain "full disk: left $(cat "$work/left")"
else
  echo "no mounts in a namespace here: full disk not tried"
fi
[ $bad -eq 0 ] && echo "failed outputs: all as expected"
exit $bad
