# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Python package on libraries of other versions: other-versions.py KIND LIB REAL

KIND: `sentence` or `text` compares LIB with REAL; `refused` expects AbiError,
whose message is printed.
"""
import sys

import attnc

kind, path, real = sys.argv[1:]
if kind == "refused":
    try:
        attnc.load(path, threads=1)
    except attnc.AbiError as error:
        print(error)
        sys.exit()
    sys.exit("opened")

with attnc.load(path, threads=1) as other, attnc.load(real, threads=1) as model:
    assert list(other.entries) == list(model.entries)
    if kind == "sentence":
        texts = ["a cat sees the bird", "fish"]
        assert other.encode(texts).tobytes() == model.encode(texts).tobytes()
    else:
        results = [m.generate("hi", max_tokens=9, temperature=0)
                   for m in (other, model)]
        assert results[0] == results[1] and len(results[0].ids) == 9
    try:
        other.choose_adapter("a")
        sys.exit("chose an adapter")
    except attnc.UnavailableError:
        print("same")
