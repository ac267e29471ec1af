#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds a compiled language model to tokens and text that are known.

    python3 check-story.py ATTNC LIB.so GREEDY.json

GREEDY.json holds prompt_ids, the greedy_ids that follow and their greedy_text.
"""
import json
import subprocess
import sys

from attn_session import Library


def run(attnc, library, *options):
    done = subprocess.run([attnc, "run", library, "--json", *options],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    attnc, library, file = sys.argv[1:]
    with open(file) as opened:
        golden = json.load(opened)
    ids, text = golden["greedy_ids"], golden["greedy_text"]
    prompt = ",".join(map(str, golden["prompt_ids"]))
    for threads in ("1", "2"):
        made = run(attnc, library, "--prompt-ids", prompt, "--greedy",
                   "--max-tokens", str(len(ids)), "--threads", threads)
        assert made["ids"] == ids, made["ids"]
        assert made["text"] == text, made["text"]
        assert made["stop"] == "length", made["stop"]
    # The tokenizer puts the first token there itself; text is a prompt as well.
    assert run(attnc, library, "--prompt", "", "--greedy", "--max-tokens",
               "50")["ids"] == ids[:50]
    words = text[:text.index(" ", 40)]
    made = run(attnc, library, "--prompt", words, "--greedy", "--max-tokens", "60")
    assert (words + made["text"]).startswith(text[:150]), made["text"]
    # It ends before a text, and in the text's own bytes.
    made = run(attnc, library, "--prompt-ids", prompt, "--greedy", "--max-tokens",
               "200", "--stop", "Lily", "--stop", "zebra")
    assert made["stop"] == "string", made["stop"]
    assert made["text"] == text[:text.index("Lily")], made["text"]
    # A second prompt goes on in the same sequence, without special tokens.
    session = Library(library).session()
    first = session.generate(golden["prompt_ids"], max_tokens=5)[0]
    assert first == ids[:5], first
    session.generate(" there was", max_tokens=3)
    assert session.length(0) > 5 + 1, session.length(0)
    print("200 tokens")


if __name__ == "__main__":
    main()
