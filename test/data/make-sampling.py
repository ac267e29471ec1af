#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes test/data/sampling.tsv, with what probability transformers draws tokens.

    python3 test/data/make-sampling.py > test/data/sampling.tsv

Needs torch and transformers (the checked-in file: 2.15.0 and 5.23.0). Each line is
a case: temperature, top_k, top_p, min_p, repetition penalty (0: the rule is left
out), then with blanks between them the logits, the tokens seen, and the
probabilities in float64 after transformers' processors in the order in which
`generate` applies them. Rules whose limit a probability meets within 1e-6 would be
decided by rounding; such cases are drawn again.
"""
import numpy as np
import torch
from transformers.generation import logits_process as rules

VOCABULARY, CASES, SEEN = 24, 60, 9


def draw_case(rng):
    def maybe(value):
        return value if rng.random() < 0.5 else 0
    return dict(temperature=float(np.float32(rng.choice([0.3, 0.7, 1.0, 1.7]))),
                top_k=int(maybe(rng.integers(1, VOCABULARY + 4))),
                top_p=float(np.float32(maybe(rng.uniform(0.05, 0.999)))),
                min_p=float(np.float32(maybe(rng.uniform(0.001, 0.6)))),
                penalty=float(np.float32(maybe(rng.uniform(0.7, 1.9)))))


def process(logits, seen, case, shift=0.0):
    chain = rules.LogitsProcessorList()
    if case["penalty"]:
        chain.append(rules.RepetitionPenaltyLogitsProcessor(case["penalty"]))
    chain.append(rules.TemperatureLogitsWarper(case["temperature"]))
    if case["top_k"]:
        chain.append(rules.TopKLogitsWarper(case["top_k"]))
    if case["top_p"]:
        chain.append(rules.TopPLogitsWarper(case["top_p"] + shift))
    if case["min_p"]:
        chain.append(rules.MinPLogitsWarper(case["min_p"] + shift))
    scores = chain(torch.tensor([seen]), torch.tensor([logits], dtype=torch.float64))
    return torch.softmax(scores, -1)[0].tolist()


def main():
    rng = np.random.default_rng(11)
    made = 0
    while made < CASES:
        case = draw_case(rng)
        logits = rng.normal(0, 2.5, VOCABULARY).astype(np.float32).tolist()
        seen = [int(token) for token in rng.integers(0, VOCABULARY, SEEN)]
        expected = process(logits, seen, case)
        kept = [share > 0 for share in expected]
        if any([share > 0 for share in process(logits, seen, case, shift)] != kept
               for shift in (-1e-6, 1e-6)):
            continue
        made += 1
        print(*(f"{value:.9g}" for value in case.values()),
              " ".join(f"{value:.9g}" for value in logits),
              " ".join(map(str, seen)),
              " ".join(f"{value:.17g}" for value in expected), sep="\t")


if __name__ == "__main__":
    main()
