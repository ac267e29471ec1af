# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of examples/04-generate; the first argument is that folder.

check-dates.py FOLDER generator       what dates.py makes is the same everywhere
check-dates.py FOLDER answers PROGRAM COUNT   held-out dates through dates.c
check-dates.py FOLDER greedy ATTNC LIBRARY GOLDEN.json   tokens of transformers
"""
import hashlib
import json
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
FOLDER, COMMAND, *ARGUMENTS = sys.argv[1:]
sys.path.insert(0, FOLDER)
import dates

# Of the first 2,000 lines that training sees, as "TEXT=DATE" each.
DIGEST = "9eb9e63b20ae63583649e23bfbc49c60167935de044c286a1d380fc3158bf9c1"


def generator():
    source = random.Random(2021)
    lines = [dates.make_line(source) for _ in range(2000)]
    text = "".join(f"{line}={answer}\n" for line, answer in lines)
    digest = hashlib.sha256(text.encode()).hexdigest()
    answers = {}
    for line, answer in lines:
        if answers.setdefault(line, answer) != answer:
            return f"two answers to {line}"
        if dates.is_held_out_date(dates.datetime.date.fromisoformat(answer)):
            return f"a held-out date in training: {line}"
    held_out = dates.make_held_out(random.Random(1), 500)
    if not all(dates.is_held_out_date(dates.datetime.date.fromisoformat(answer))
               for _, answer in held_out):
        return "a date that is not held out"
    forms = [dates.pick_form(source, index % 2 == 1) for index in range(500)]
    if [dates.is_held_out_form(form) for form in forms] != [False, True] * 250:
        return "a form on the wrong side"
    if digest != DIGEST:
        return f"the lines have the digest {digest}"
    return None


def answers(program, count):
    lines = dates.make_held_out(random.Random(4), int(count))
    text = "".join(line + "\n" for line, _ in lines)
    output = subprocess.run([program], input=text.encode(), check=True,
                            stdout=subprocess.PIPE).stdout.decode()
    came = [line.split("  ", 1) for line in output.splitlines()]
    if [line for _, line in came] != [line for line, _ in lines]:
        return "not every date has one answer"
    for what, begin in ("dates", 0), ("dates in held-out forms", 1):
        pairs = list(zip(lines, came))[begin::2]
        wrong = [f"{line}: {answer}, not {expected}"
                 for (line, expected), (answer, _) in pairs if answer != expected]
        print(f"{len(pairs) - len(wrong)} of {len(pairs)} {what} right", *wrong, sep="\n")
        if len(wrong) > len(pairs) // 100:
            return "fewer than 99% are right"
    return None


def greedy(attnc, library, golden):
    with open(golden) as file:
        cases = json.load(file)["cases"]
    for case in cases:
        for given in (["--prompt", case["text"]],
                      ["--prompt-ids", ",".join(map(str, case["prompt"]))]):
            made = json.loads(subprocess.run(
                [attnc, "run", library, *given, "--greedy", "--json"],
                check=True, stdout=subprocess.PIPE).stdout)
            if made["ids"] != case["ids"] or made["prompt_tokens"] != len(case["prompt"]):
                return f"{given}: {made['ids']}, not {case['ids']}"
    print(f"{len(cases)} answers as transformers gives them")
    return None


problem = {"generator": generator, "answers": answers, "greedy": greedy}[COMMAND](*ARGUMENTS)
print(problem or f"{COMMAND}: right")
sys.exit(bool(problem))
