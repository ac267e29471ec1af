#!/usr/bin/env bash
# Installs the Debian packages that are missing, and only those.
#
#   bash compiler/packages.sh build         what building attnc needs
#   bash compiler/packages.sh build test    and what the tests need
#
# Debian 12 as root or with sudo. Prints nothing when all is there.
set -euo pipefail

# clang and lld build attnc; LLVM, MLIR and lld are what it is made of. pip
# fetches the trained encoder.
build=(ca-certificates clang-22 cmake ccache lld-22 liblld-22-dev
       libmlir-22-dev llvm-22-dev llvm-22-tools mlir-22-tools
       ninja-build python3 python3-pip zlib1g-dev libzstd-dev libopenblas0-serial)
# GoogleTest, lit and FileCheck (llvm-22-tools), sanitizers, OpenBLAS's provider,
# formatting and linting; g++ checks that headers are not clang's alone. oneTBB
# and NumPy are hosts of compiled models; dpkg-dev, make and pkg-config build
# packages and outside projects.
test=(clang-format-22 clang-tidy-22 dpkg-dev file g++ gcc git libclang-rt-22-dev
      libgmock-dev libgtest-dev libtbb-dev make pkg-config python3-numpy
      python3-venv)

wanted=()
for group in "$@"; do
  case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    *) echo "packages.sh: '$group' is not a group; expected build or test" >&2
       exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "packages.sh: these packages are missing and need root to install:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
fail() {
  echo "packages.sh: installing failed. To see why, run:" >&2
  echo "  ${as_root[*]} apt-get update && ${as_root[*]} apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
}
"${as_root[@]}" apt-get update -q || fail
"${as_root[@]}" apt-get install -y -q --no-install-recommends \
  -o Dpkg::Use-Pty=0 "${missing[@]}" || fail
