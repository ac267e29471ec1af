#!/usr/bin/env bash
# From a bare Debian 12 to answers: installs what is missing, builds attnc,
# compiles a model to a C library, and runs a program with it.
#
#   bash examples/quickstart.sh                  dates as people write them, in
#                                                ISO 8601 (examples/04-generate)
#   bash examples/quickstart.sh DATE...          other dates
#   bash examples/quickstart.sh --search         sentences by meaning, with the
#                                                encoder all-MiniLM-L6-v2 (90 MB,
#                                                once; examples/02-sentence-search)
#   bash examples/quickstart.sh --search FOLDER  another folder with an encoder
#   QUERY="..." bash examples/quickstart.sh --search
#
# All is written below build/. The second run takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

example=generate
if [ "${1:-}" = --search ]; then
  example=search
  shift
elif [[ "${1:-}" == -* ]]; then
  echo "quickstart.sh: '$1' is not an option; expected --search or dates" >&2
  exit 2
fi

step=
mend=
trap 'status=$?; [ $status -eq 0 ] || {
  echo "quickstart.sh: the step \"$step\" failed." >&2
  echo "To repeat it alone: $mend" >&2; }' EXIT
begin() { # begin NAME MEND
  step=$1 mend=$2
  printf '== %s\n' "$step"
}
seconds() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(seconds)" 'BEGIN { printf "%.1f s", b - a }'; }

start=$(seconds)
begin "install packages" "bash compiler/packages.sh build"
bash compiler/packages.sh build
times="install $(since "$start")"

start=$(seconds)
begin "build attnc" "cmake --preset release -DATTNC_BUILD_TESTS=OFF && cmake --build --preset release --target attnc attn-opt"
if [ ! -f build/build.ninja ]; then
  cmake --preset release -DATTNC_BUILD_TESTS=OFF >build-configure.log 2>&1 || {
    cat build-configure.log >&2
    exit 1
  }
  mv build-configure.log build/configure.log
fi
cmake --build --preset release --target attnc attn-opt
times+=", build $(since "$start")"

if [ $example = generate ]; then
  name=dates program=dates
  folder=examples/04-generate
  model=$folder/model
else
  name=encoder program=search
  folder=examples/02-sentence-search
  if [ $# -ge 1 ]; then
    model=$1
    begin "look at the model" "build/bin/attnc info $model"
    build/bin/attnc info "$model"
  else
    start=$(seconds)
    model=build/models/all-minilm-l6-v2
    begin "fetch the model (90 MB, once)" "bash examples/fetch-model.sh"
    bash examples/fetch-model.sh
    times+=", fetch $(since "$start")"
  fi
fi
out=build/quickstart/$example

start=$(seconds)
begin "compile the model" "build/bin/attnc compile $model -o $out --name $name"
if [ ! -f $out/$name.weights ] || [ build/bin/attnc -nt $out/$name.weights ] ||
   [ "$(cat $out/model.txt 2>/dev/null)" != "$model" ]; then
  build/bin/attnc compile "$model" -o $out --name $name
  echo "$model" >$out/model.txt
fi
times+=", compile $(since "$start")"

start=$(seconds)
begin "build the program" "clang-22 -std=c11 -O2 -I$out $folder/$program.c $out/lib$name.a -o $out/$program"
clang-22 -std=c11 -O2 -Wall -Wextra -Werror -pedantic -I$out \
  $folder/$program.c $out/lib$name.a -o $out/$program
times+=", link $(since "$start")"

start=$(seconds)
if [ $example = generate ]; then
  begin "read dates" "$out/dates \"3 March 2021\""
  if [ $# -ge 1 ]; then
    $out/dates "$@"
  else
    $out/dates <$folder/dates.txt
  fi
else
  begin "search" "$out/search $folder/sentences.txt \"a question\""
  $out/search $folder/sentences.txt \
    "${QUERY:-How do I look after a plant that is drying out?}"
fi
times+=", run $(since "$start")"

step="list the files" mend="ls -l $out"
printf '\nFiles in %s:\n' "$out"
(cd $out && ls -l lib$name.so lib$name.a $name.h $name.weights $program |
  awk '{ printf "  %12d  %s\n", $5, $NF }')
printf '\nTimes: %s\n' "$times"
