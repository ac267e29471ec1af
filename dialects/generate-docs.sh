#!/usr/bin/env bash
#===- generate-docs.sh - the reference pages of the dialects ---------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
#
# Writes dialects/*/*Dialect.md from the descriptions in TableGen; with --check
# compares instead and fails where a page is not up to date.
#
#===----------------------------------------------------------------------===#
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${LLVM_PREFIX:-/usr/lib/llvm-22}
tblgen=$(command -v mlir-tblgen-22 || command -v "$prefix/bin/mlir-tblgen" ||
         command -v mlir-tblgen) || {
  echo "generate-docs.sh: mlir-tblgen is not installed; bash compiler/packages.sh installs it" >&2
  exit 1
}

# page DIALECT FILE: the page on standard output. [TOC] is for another renderer.
page() {
  "$tblgen" -gen-dialect-doc "-dialect=$1" -I "$prefix/include" -I . \
      -I "dialects/$1" "dialects/$1/$2" |
    sed -e '/^\[TOC\]$/d' -e 's/[[:space:]]*$//' | cat -s
}

status=0
for dialect in attn:AttnOps.td:AttnDialect.md kernel:KernelOps.td:KernelDialect.md \
    warp:WarpOps.td:WarpDialect.md; do
  IFS=: read -r name source target <<< "$dialect"
  target="dialects/$name/$target"
  if [[ ${1:-} != --check ]]; then
    page "$name" "$source" > "$target.new"
    mv "$target.new" "$target"
  elif ! page "$name" "$source" | cmp -s - "$target"; then
    echo "$target is not up to date with dialects/$name/*.td" >&2
    status=1
  fi
done
exit $status
