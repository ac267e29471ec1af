#!/usr/bin/env bash
# From a bare Debian 12 to a ranked answer: installs what is missing, builds
# attnc, compiles a sentence encoder to a C library, and searches with it.
#
#   bash examples/quickstart.sh             the trained encoder all-MiniLM-L6-v2
#   bash examples/quickstart.sh FOLDER      another folder with an encoder
#   QUERY="..." bash examples/quickstart.sh another question
#
# All is written below build/. The second run takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

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
installed=$(since "$start")

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
built=$(since "$start")

start=$(seconds)
if [ $# -ge 1 ]; then
  model=$1
  begin "look at the model" "build/bin/attnc info $model"
  build/bin/attnc info "$model"
else
  model=build/models/all-minilm-l6-v2
  begin "fetch the model (90 MB, once)" "bash examples/fetch-model.sh"
  bash examples/fetch-model.sh
fi
fetched=$(since "$start")

start=$(seconds)
out=build/quickstart
begin "compile the model" "build/bin/attnc compile $model -o $out --name encoder"
if [ ! -f $out/encoder.weights ] || [ build/bin/attnc -nt $out/encoder.weights ] ||
   [ "$(cat $out/model.txt 2>/dev/null)" != "$model" ]; then
  build/bin/attnc compile "$model" -o $out --name encoder
  echo "$model" >$out/model.txt
fi
compiled=$(since "$start")

start=$(seconds)
begin "build the program" "clang-22 -std=c11 -O2 -I$out examples/02-sentence-search/search.c $out/libencoder.a -o $out/search"
clang-22 -std=c11 -O2 -Wall -Wextra -Werror -pedantic -I$out \
  examples/02-sentence-search/search.c $out/libencoder.a -o $out/search
linked=$(since "$start")

start=$(seconds)
begin "search" "$out/search examples/02-sentence-search/sentences.txt \"a question\""
$out/search examples/02-sentence-search/sentences.txt \
  "${QUERY:-How do I look after a plant that is drying out?}"
searched=$(since "$start")

step="list the files" mend="ls -l $out"
printf '\nFiles in %s:\n' "$out"
(cd $out && ls -l libencoder.so libencoder.a encoder.h encoder.weights search |
  awk '{ printf "  %12d  %s\n", $5, $NF }')
printf '\nTimes: install %s, build %s, fetch %s, compile %s, link %s, search %s\n' \
  "$installed" "$built" "$fetched" "$compiled" "$linked" "$searched"
