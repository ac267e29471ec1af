#!/bin/bash
# check-symbols.sh ARCHIVE LIST COMPILER
#
# What ships must need libc alone, and no libc younger than 2.34: compares the
# undefined symbols of ARCHIVE with LIST, both ways, then links it whole and
# reads the versions that the result asks for.
set -euo pipefail
archive=$1 list=$2 compiler=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

nm --format=posix "$archive" | awk '$2 == "U" { print $1 }' | sort -u >"$folder/undefined"
nm --format=posix --defined-only "$archive" | awk 'NF > 2 { print $1 }' | sort -u >"$folder/defined"
comm -23 "$folder/undefined" "$folder/defined" >"$folder/needed"
grep -v -e '^#' -e '^$' "$list" | sort -u >"$folder/allowed"

failed=0
while read -r symbol; do
  echo "$archive needs $symbol, which $list does not list:"
  echo "  find another way, or add it with a reason"
  failed=1
done < <(comm -23 "$folder/needed" "$folder/allowed")
while read -r symbol; do
  echo "$list lists $symbol, which nothing needs: remove it"
  failed=1
done < <(comm -13 "$folder/needed" "$folder/allowed")

"$compiler" -shared -nodefaultlibs -Wl,--no-undefined -o "$folder/whole.so" \
  -Wl,--whole-archive "$archive" -Wl,--no-whole-archive -lc
readelf --dyn-syms --wide "$folder/whole.so" |
  grep -o '@GLIBC_[0-9.]*' | sort -u -V | tr -d @ >"$folder/versions"
newest=$(tail -n 1 "$folder/versions")
if [ "$(printf '%s\nGLIBC_2.34\n' "$newest" | sort -V | tail -n 1)" != GLIBC_2.34 ]; then
  echo "$archive needs $newest; the floor is GLIBC_2.34:"
  readelf --dyn-syms --wide "$folder/whole.so" | grep "@$newest" || true
  failed=1
fi
if readelf --dynamic "$folder/whole.so" | grep NEEDED | grep -v -e 'libc\.so\.6' -e 'ld-linux'; then
  echo "$archive needs a library besides libc"
  failed=1
fi
[ $failed = 0 ] && echo "$(wc -l <"$folder/needed") symbols of libc, newest version $newest"
exit $failed
