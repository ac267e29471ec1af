#!/usr/bin/env bash
# Compiles a language model and talks with it in this terminal.
#
#   bash examples/05-chat/chat.sh MODEL [--weights FORMAT] [OPTION of chat]...
#
# MODEL is a HuggingFace folder with a chat template, or a GGUF file. What is
# compiled lies in build/chat/, by the model's name, and is kept for the next
# time. --weights is `attnc compile`'s: int8 reads a quarter of the bytes of f32
# per token.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
attnc=${ATTNC:-$root/build/bin/attnc}
compiler=${CC:-cc}

if [ $# -lt 1 ] || [[ $1 == -* ]]; then
  echo "usage: chat.sh MODEL [--weights FORMAT] [--system TEXT] [--greedy]" \
    "[--max-tokens N] [--seed N]" >&2
  exit 2
fi
model=$1
shift
weights=()
if [ "${1:-}" = --weights ]; then
  [ $# -ge 2 ] || {
    echo "chat.sh: --weights needs a format, such as int8" >&2
    exit 2
  }
  weights=(--weights "$2")
  shift 2
fi
name=$(basename "$model" .gguf)
out=${CHAT_OUTPUT:-$root/build/chat}/$name${weights[1]:+-${weights[1]}}

# Again if the model or the compiler is newer than what there is.
program=$root/examples/05-chat/chat.c
if [ ! -f "$out/model.h" ] || [ "$attnc" -nt "$out/model.h" ] ||
  [ -n "$(find -L "$model" -newer "$out/model.h" -print -quit)" ]; then
  "$attnc" compile "$model" -o "$out" --name model -q "${weights[@]}" >&2
fi
if [ ! -x "$out/chat" ] || [ "$out/model.h" -nt "$out/chat" ] ||
  [ "$program" -nt "$out/chat" ]; then
  "$compiler" -std=c11 -O2 -I"$out" "$program" "$out/libmodel.a" -o "$out/chat"
fi
exec "$out/chat" "$@"
