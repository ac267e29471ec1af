#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles every model of a folder of language models and holds it to what
transformers computes, and sessions to what they promise.

    python3 check-decoders.py ATTNC MODELS GOLDENS OUT [--only A,B] [--bits] [OPTION...]

Logits: the root of the mean square of the errors against float64 is at most twice
that of the reference's own f32, none is above 2e-5. Tokens: the 64 greedy ones are
equal, with one and two threads, in a batch, and whoever guesses them. Bits: those
of a prompt in one piece, in chunks and token by token; of a ragged batch and of
each sequence alone; of a fork, a truncation and a loaded sequence, and of a replay;
a saved sequence holds nothing that was cut off. With --bits nothing else is
checked: for formats that lose digits. Needs nothing but Python.
"""
import array
import ctypes
import json
import math
import os
import subprocess
import sys

from attn_session import CONTEXT_FULL, Failure, Library

MOST_OF_REFERENCE, MOST = 2.0, 2e-5


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def refuses(status, action, *arguments):
    try:
        action(*arguments)
    except Failure as failure:
        check(failure.status == status, "status %d: %s" % (failure.status, failure))
        return
    raise AssertionError("nothing was refused")


class Model:
    def __init__(self, library, golden):
        self.library, self.golden = library, golden
        self.vocabulary = len(golden["logits"][0])
        self.ids = golden["ids"]
        self.session = library.session()

    def fresh(self):
        self.session.reset()
        return self.session

    def run(self, *rows, entry="decode", session=None):
        return (session or self.session).run(entry, list(rows), self.vocabulary)

    def check_logits(self):
        self.fresh()
        got = array.array("f", self.run(self.ids, entry="score")[0])
        exact = [x for row in self.golden["logits"] for x in row]
        errors = [abs(a - b) for a, b in zip(got, exact)]
        rms = math.sqrt(sum(e * e for e in errors) / len(errors))
        check(max(errors) <= MOST, "logits off by %g" % max(errors))
        check(rms <= MOST_OF_REFERENCE * self.golden["reference_rms"],
              "rms error %g, the reference's is %g" %
              (rms, self.golden["reference_rms"]))
        return rms / self.golden["reference_rms"]

    def check_chunks(self):
        """Any cutting of a prompt gives the same bits."""
        ids = self.ids + self.golden["greedy"][:60]  # into a second block
        self.fresh()
        whole = self.run(ids, entry="score")[0]
        row = 4 * self.vocabulary
        for sizes in ([1], [5], [64, 1], [3, 40, 2]):
            self.fresh()
            at, turn = 0, 0
            while at < len(ids):
                piece = ids[at:at + sizes[turn % len(sizes)]]
                bits = self.run(piece, entry="score")[0]
                check(bits == whole[at * row:(at + len(piece)) * row],
                      "chunks of %s differ at %d" % (sizes, at))
                at, turn = at + len(piece), turn + 1
            check(self.session.length(0) == len(ids), "the length is wrong")
        self.fresh()
        check(self.run(ids)[0] == whole[-row:], "decode and score differ")

    def check_batch(self):
        """Sequences of different lengths, together and alone."""
        rows = [self.ids, self.ids[4:7], [5], self.ids[::-1]]
        steps = [[7], [8, 9], [10], [11, 12, 13]]
        self.fresh()
        first, second = self.run(*rows), self.run(*steps)
        for b, (row, step) in enumerate(zip(rows, steps)):
            self.fresh()
            check(self.run(row)[0] == first[b], "row %d differs alone" % b)
            check(self.run(step)[0] == second[b], "row %d differs later" % b)

    def check_sequences(self):
        """Forks share what they have in common and part afterwards."""
        session, ids = self.fresh(), self.ids
        self.run(ids)
        session.fork(0, 1)
        session.fork(1, 2)
        forked = self.run([3], [4, 5], [6])
        again = self.run([7], [7], [7])
        for b, step in enumerate(([3], [4, 5], [6])):
            self.fresh()
            self.run(ids)
            check(self.run(step)[0] == forked[b], "fork %d differs" % b)
            check(self.run([7])[0] == again[b], "fork %d differs later" % b)
        # Back and on again.
        self.fresh()
        expected = [self.run(ids)[0], self.run([3])[0]]
        if not self.golden.get("window"):
            longer = session.save(0)
            session.truncate(0, len(ids))
            kept = session.save(0)
            check(kept != longer, "a truncation saves what it cut off")
            self.fresh()
            self.run(ids)
            check(session.save(0) == kept, "what was cut off is in a saved one")
            session.truncate(0, len(ids) - 2)
            check(self.run(ids[-2:])[0] == expected[0], "a truncation differs")
            session.truncate(0, len(ids))
            check(self.run([3])[0] == expected[1], "a second truncation differs")
        # Saved and loaded, in another session too.
        session.truncate(0, len(ids)) if not self.golden.get("window") else None
        data = session.save(0)
        after = self.run([9])[0]
        other = self.library.session()
        other.load(2, data)
        other.fork(2, 0)
        check(self.run([9], session=other)[0] == after, "a loaded one differs")
        other.close()

    def check_limits(self, foreign):
        session = self.fresh()
        positions = 90
        while session.length(0) < positions - 1:
            session.run("decode", [[1] * min(32, positions - 1 - session.length(0))],
                        self.vocabulary)
        refuses(CONTEXT_FULL, self.run, [1, 2])
        check(session.length(0) == positions - 1, "a refused call had an effect")
        before = session.save(0)
        refuses(CONTEXT_FULL, session.generate, [1, 2])
        check(session.save(0) == before, "a refused prompt had an effect")
        self.run([1])
        made, _, stop = self.fresh().generate([1] * (positions - 1), max_tokens=9,
                                              keeps_model_stops=1)
        check(stop == "context" and len(made) == 2, "the context ended %s %s" %
              (stop, made))
        refuses(1, session.truncate, 0, positions + 1)
        refuses(1, session.fork, 0, 64)
        refuses(1, session.load, 0, before[:-1])
        refuses(1, session.load, 0, before[:-1] + bytes([before[-1] ^ 1]))
        if foreign:
            refuses(4, session.load, 0, foreign)
        self.fresh()
        session.reserve(2, positions)
        refuses(1, session.reserve, 2, positions + 1)
        return before

    def check_greedy(self):
        greedy = self.golden["greedy"]
        made, _, stop = self.fresh().generate(self.ids, max_tokens=len(greedy),
                                              keeps_model_stops=1)
        check(made == greedy and stop == "length", "tokens %s differ" % made)
        # In two calls: the last token is fed by the second one.
        first = self.fresh().generate(self.ids, max_tokens=20, keeps_model_stops=1)[0]
        rest = self.session.generate([], max_tokens=10, keeps_model_stops=1)[0]
        check(first + rest == greedy[:30], "a second call differs")
        made, _, stop = self.fresh().generate(self.ids, max_tokens=64,
                                              keeps_model_stops=1, stop_after=5)
        check(made == greedy[:5] and stop == "caller", "the callback did not stop it")
        made, _, stop = self.fresh().generate(self.ids, keeps_model_stops=1,
                                              stop_tokens=[greedy[9]])
        end = greedy.index(greedy[9]) + 1
        check(made == greedy[:end] and stop == "token", "a stop token did not stop it")

    def check_together(self):
        """A batch, each prompt at another place, makes what each makes alone."""
        prompts, most = [self.ids, self.ids[4:7], [5]], [20, 30, 25]
        alone = [self.fresh().generate(prompt, max_tokens=count, keeps_model_stops=1)[0]
                 for prompt, count in zip(prompts, most)]
        made = self.fresh().generate_batch(prompts, [3, 0, 1], most)
        check(made == alone, "tokens in a batch differ: %s" % made)

    def check_drafts(self, drafts):
        """Guesses of the model itself, and of others, change nothing."""
        greedy = self.golden["greedy"]
        for draft in [self.library] + drafts:
            other = draft.session()
            for guesses in (1, 3, 6):
                made = self.fresh().generate(
                    self.ids, max_tokens=len(greedy), keeps_model_stops=1,
                    draft=ctypes.cast(draft.address, ctypes.c_void_p),
                    draft_session=other.handle, draft_tokens=guesses)[0]
                check(made == greedy, "with a draft %s differ" % made)
                check(self.session.guessed > 0, "nothing was guessed")
                if draft is self.library:
                    check(self.session.accepted == self.session.guessed,
                          "its own guesses were refused")
                check(self.session.length(0) == len(self.ids) + len(greedy) - 1,
                      "the length is wrong")
            other.close()

    def check_sampling(self):
        def draw(**options):
            return self.fresh().generate(self.ids, max_tokens=30, keeps_model_stops=1,
                                         **options)[0]
        first = draw(temperature=2.0, seed=1)
        check(first == draw(temperature=2.0, seed=1), "a seed gave other tokens")
        check(first != draw(temperature=2.0, seed=2), "two seeds gave the same")
        greedy = self.golden["greedy"][:30]
        check(draw(temperature=0.5, top_k=1, seed=3) == greedy, "top_k 1 is greedy")
        check(draw(temperature=0.5, top_p=1e-6, seed=3) == greedy, "top_p 0 is greedy")
        check(draw(temperature=0.5, min_p=1.0, seed=3) == greedy, "min_p 1 is greedy")
        check(len(set(draw(repetition_penalty=1e5))) > len(set(greedy)),
              "the penalty changed nothing")


def check_model(name, attnc, model, golden, out, options, checks, foreign, drafts):
    subprocess.run([attnc, "compile", "-q", model, "-o", out, "--name", "m"] + options,
                   check=True)
    path = os.path.join(out, "libm.so")
    subprocess.run([attnc, "verify", path, model], check=True,
                   stdout=subprocess.DEVNULL)
    with open(golden) as file:
        expected = json.load(file)
    config = {}
    if os.path.isdir(model):
        with open(os.path.join(model, "config.json")) as file:
            config = json.load(file)
    if config.get("sliding_window") and config.get("use_sliding_window", True):
        expected["window"] = config["sliding_window"]
    runs = [Model(Library(path, threads), expected) for threads in (1, 2)]
    if "--bits" in checks:
        for run in runs:
            run.check_chunks()
            run.check_batch()
            run.check_sequences()
            run.check_together()
        print("%s: bits" % name, flush=True)
        return None
    for run in runs:
        ratio = run.check_logits()
        run.check_chunks()
        run.check_batch()
        run.check_sequences()
        run.check_greedy()
        run.check_together()
        run.check_drafts(drafts)
        run.check_sampling()
        saved = run.check_limits(foreign)
    print("%s: rms error %.2f of the reference's" % (name, ratio), flush=True)
    drafts[:] = [runs[0].library]  # guesses for the next one
    return saved


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    attnc, models, goldens, out, *options = sys.argv[1:]
    names = sorted(os.listdir(models))
    expected = sorted(file.removesuffix(".json") for file in os.listdir(goldens))
    # GGUF files are some of the models again.
    stems = [name.removesuffix(".gguf") for name in names]
    check(stems == expected or (stems != names and set(stems) < set(expected)),
          "models %s, goldens %s" % (names, expected))
    if options[:1] == ["--only"]:
        check(set(options[1].split(",")) <= set(names), options[1])
        names, options = options[1].split(","), options[2:]
    checks = [option for option in options if option == "--bits"]
    options = [option for option in options if option not in checks]
    good, saved, drafts = True, None, []
    for name in names:
        try:
            saved = check_model(name, attnc, os.path.join(models, name),
                                os.path.join(goldens, name.removesuffix(".gguf") + ".json"),
                                os.path.join(out, name), options, checks, saved, drafts)
        except (AssertionError, Failure, subprocess.CalledProcessError) as error:
            good = False
            print("FAILED %s: %s" % (name, error), flush=True)
    print(len(names), "models")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
