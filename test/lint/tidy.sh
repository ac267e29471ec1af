#!/usr/bin/env bash
# clang-tidy on the C++ files that changed, with the checks of .clang-tidy.
#
#   bash test/lint/tidy.sh               against origin/main, or the last commit
#   bash test/lint/tidy.sh --base REV    against another revision
#   bash test/lint/tidy.sh --all         every file; half an hour on two cores
#   bash test/lint/tidy.sh --most N      at most N of them, and says so
#   bash test/lint/tidy.sh FILE...       these files
#
# Needs a built build/ (compile commands, generated headers). A header counts by
# the files that include it. A file of the compiler takes 5 to 15 seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."

tidy=clang-tidy-22
base= all= most= files=()
while [ $# -gt 0 ]; do
  case $1 in
    --base) base=${2:?"--base needs a revision"} && shift ;;
    --all) all=1 ;;
    --most) most=${2:?"--most needs a number"} && shift ;;
    -*) echo "tidy.sh: '$1' is not an option; expected --base, --most or --all" >&2
        exit 2 ;;
    *) files+=("$1") ;;
  esac
  shift
done

if ! command -v $tidy >/dev/null; then
  echo "tidy.sh: $tidy is not installed: bash compiler/packages.sh test" >&2
  exit 1
fi
if [ ! -f build/compile_commands.json ]; then
  echo "tidy.sh: build/ is not configured: cmake --preset ci && cmake --build --preset ci" >&2
  exit 1
fi

# Changed against the base, in the index or not, and new files.
changed() {
  if [ -n "$all" ]; then
    git ls-files -co --exclude-standard
    return
  fi
  if [ -z "$base" ]; then
    base=HEAD~1
    git rev-parse -q --verify origin/main >/dev/null && base=origin/main
  fi
  if ! git rev-parse -q --verify "$base" >/dev/null; then
    echo "tidy: there is no revision '$base' to compare with; --all looks at every file" >&2
    return
  fi
  git diff --name-only --diff-filter=d "$(git merge-base "$base" HEAD)"
  git ls-files -o --exclude-standard
}

if [ ${#files[@]} -eq 0 ]; then
  # Only what the build compiles has compile commands.
  mapfile -t files < <(changed | sort -u | grep -E '\.(cpp|c)$' |
    while read -r file; do
      grep -qF "\"file\": \"$PWD/$file\"" build/compile_commands.json &&
        echo "$file"
    done || true)
fi
if [ ${#files[@]} -eq 0 ]; then
  echo "tidy: no file changed"
  exit 0
fi
echo "tidy: ${#files[@]} files"
if [ -n "$most" ] && [ ${#files[@]} -gt "$most" ]; then
  echo "tidy: the first $most of them; without --most, all"
  files=("${files[@]:0:most}")
fi
if ! printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" $tidy -p build --quiet; then
  echo "tidy.sh: mend what is listed above. Where a finding is wrong, write" >&2
  echo "  // NOLINTNEXTLINE(check): why    before the line." >&2
  exit 1
fi
