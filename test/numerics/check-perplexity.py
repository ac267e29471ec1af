#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`attnc bench --perplexity` against the sum over single tokens.

    python3 check-perplexity.py ATTNC LIB TOKENIZER TEXTS

TOKENIZER has one token for each character. Every token is given alone, by `decode`,
and the next one looked up in what comes back; the tool gives whole texts to `score`.
Needs nothing but Python.
"""
import array
import json
import math
import subprocess
import sys

from attn_session import Library


def main(attnc, path, tokenizer, texts):
    with open(tokenizer, encoding="utf-8") as file:
        vocabulary = json.load(file)["model"]["vocab"]
    with open(texts, encoding="utf-8") as file:
        parts = [part.strip("\n") for part in file.read().split("\n\n")]
    session = Library(path).session()
    surprise = tokens = 0
    for part in filter(None, parts):
        ids = [vocabulary[character] for character in part]
        session.reset()
        for token, following in zip(ids, ids[1:]):
            logits = array.array("f", session.run("decode", [[token]], len(vocabulary))[0])
            highest = max(logits)
            whole = sum(math.exp(x - highest) for x in logits)
            surprise += highest + math.log(whole) - logits[following]
            tokens += 1
    command = [attnc, "bench", path, "--perplexity", texts, "--json"]
    got = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    expected = math.exp(surprise / tokens)
    assert got["tokens"] == tokens and got["texts"] == len(list(filter(None, parts))), got
    assert abs(got["perplexity"] / expected - 1) < 1e-5, (got, expected)
    assert 1 < expected < 1000, expected
    print("perplexity %.6f over %d tokens, as token by token" % (expected, tokens))


if __name__ == "__main__":
    main(*sys.argv[1:])
