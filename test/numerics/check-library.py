#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares a compiled library with what the reference implementation computes.

    python3 test/numerics/check-library.py ATTNC LIB.so GOLDENS.json [OPTION...]

GOLDENS.json is one of test/numerics/data (make-goldens.py says what is in it);
options go to `attnc run`.
Fails if an error against float64 is more than twice the error that the
reference's own f32 run makes, or more than 2e-5: case by case for the trained
encoder, whose reference errors are over thousands of numbers, and over all cases
for the tiny models, where one case may have twenty. The families' models are a
few dozen numbers wide, and one row with a small variance decides the largest
error of either side: there the root of the mean square over all cases is held to
twice the reference's, and the largest error to 2e-5. Needs nothing but Python.
"""
import array
import ast
import json
import os
import subprocess
import sys
import tempfile

MOST_OF_REFERENCE = 2.0
MOST = 2e-5


def make_ids(batch, seq, vocabulary, seed):
    """The same numbers as in make-goldens.py."""
    state, ids = seed & 0xFFFFFFFF, []
    for _ in range(batch * seq):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        ids.append((state >> 8) % vocabulary)
    return ids


def write_npy(path, shape, values, kind="i"):
    text = "{'descr': '<%s4', 'fortran_order': False, 'shape': %r, }" % (
        kind, tuple(shape))
    text += " " * (-(len(text) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little"))
        file.write(text.encode() + array.array(kind, values).tobytes())


def read_npy(path):
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10 : 10 + size].decode())
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    values = array.array("f")
    values.frombytes(data[10 + size :])
    return header["shape"], values


class Checker:
    def __init__(self, attnc, library, goldens, options=()):
        self.attnc, self.library, self.goldens = attnc, library, goldens
        self.options = options  # of `attnc run`
        # By output and, for the trained encoder, case:
        self.worst = {}  # (error, batch, seq)
        self.reference = {}  # largest f32 error of the reference
        self.squares = {}  # by output: [sum of ours, of the reference's, count]
        self.compared = 0

    def run(self, entry, case, folder):
        """Runs an entry; returns a function from output names to tensors."""
        batch, seq = case["batch"], case["seq"]
        ids = case.get("input_ids") or make_ids(
            batch, seq, self.goldens["vocab_size"], case["seed"]
        )
        inputs = {
            "input_ids": ids,
            "attention_mask": [
                int(s < length) for length in case["lengths"] for s in range(seq)
            ],
        }
        # Families without token types have no such input.
        if self.goldens.get("vocab_size") or "token_type_ids" in case:
            inputs["token_type_ids"] = (
                case.get("token_type_ids") or [0] * (batch * seq)
            )
        command = [self.attnc, "run", self.library, "--entry", entry,
                   "--output", folder, *self.options]
        for name, values in inputs.items():
            path = os.path.join(folder, "in-" + name + ".npy")
            write_npy(path, (batch, seq), values)
            command += ["--input", name + "=" + path]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return lambda name: read_npy(os.path.join(folder, name + ".npy"))

    def run_named(self, case, folder):
        """Runs the entry of a case that says its inputs itself."""
        command = [self.attnc, "run", self.library, "--entry", case["entry"],
                   "--output", folder]
        for name, given in case["inputs"].items():
            path = os.path.join(folder, "in-" + name + ".npy")
            divisor = given["divisor"]
            values = [i / divisor for i in given["integers"]]
            if divisor == 1:
                write_npy(path, given["shape"], given["integers"])
            else:
                write_npy(path, given["shape"], values, "f")
            command += ["--input", name + "=" + path]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return lambda name: read_npy(os.path.join(folder, name + ".npy"))

    def note_squares(self, output, values, expected, f32_rms):
        sums = self.squares.setdefault(output, [0.0, 0.0, 0])
        sums[0] += sum((a - b) ** 2 for a, b in zip(values, expected))
        sums[1] += len(expected) * f32_rms**2
        sums[2] += len(expected)

    def note(self, output, case, pairs, f32_error):
        if "inputs" in case:
            shape = next(iter(case["inputs"].values()))["shape"]
            case = dict(case, batch=shape[0], seq=shape[1])
        key = (output, "" if "outputs" in case else (case["batch"], case["seq"]))
        self.reference[key] = max(self.reference.get(key, 0.0), f32_error)
        for actual, expected in pairs:
            error = abs(actual - expected)
            if error != error:
                error = float("inf")
            self.compared += 1
            if key not in self.worst or error > self.worst[key][0]:
                self.worst[key] = (error, case["batch"], case["seq"])

    def check_outputs(self, case, read, names):
        outputs = case["outputs"]
        for name in names:
            shape, values = read(name)
            assert list(shape) == outputs[name]["shape"], (name, shape)
            expected = outputs[name]["values"]
            assert len(values) == len(expected), name
            self.note(name, case, zip(values, expected),
                      outputs[name]["f32_error"])
            if "f32_rms" in outputs[name]:
                self.note_squares(name, values, expected,
                                  outputs[name]["f32_rms"])

    def check_whole(self, case, folder):
        outputs = case["outputs"]
        for entry, names in (
            ("encode", ("last_hidden_state", "pooler_output")),
            ("embed", ("sentence_embedding",)),
            ("predict", ("logits", "seq_relationship_logits", "start_logits",
                         "end_logits")),
        ):
            wanted = [name for name in names if name in outputs]
            if not wanted:
                continue
            self.check_outputs(case, self.run(entry, case, folder), wanted)

    def check_samples(self, case, folder):
        columns = case["columns"]
        (batch, seq, hidden), values = self.run("encode", case, folder)(
            "last_hidden_state"
        )
        assert (batch, seq) == (case["batch"], case["seq"])
        for sample in case["samples"]:
            start = (sample["row"] * seq + sample["position"]) * hidden
            self.note("last_hidden_state", case,
                      ((values[start + c], v)
                       for c, v in zip(columns, sample["values"])),
                      case["f32_error"])
        for row, length in enumerate(case["lengths"]):
            masked = values[(row * seq + length) * hidden : (row + 1) * seq * hidden]
            assert not any(masked), "masked positions are not zero"
        (batch, size), values = self.run("embed", case, folder)("sentence_embedding")
        for row, expected in enumerate(case["embedding"]):
            self.note("sentence_embedding", case,
                      ((values[row * size + c], v)
                       for c, v in zip(columns, expected)),
                      case["embedding_f32_error"])

    def check(self):
        with tempfile.TemporaryDirectory() as folder:
            for case in self.goldens["cases"]:
                if "inputs" in case:
                    self.check_outputs(case, self.run_named(case, folder),
                                       case["outputs"])
                elif "outputs" in case:
                    self.check_whole(case, folder)
                else:
                    self.check_samples(case, folder)
        return self.report()

    def report(self):
        """Prints the worst case of each output, and every case that fails."""
        good, closest = self.compared > 0, {}
        for (output, case), (error, batch, seq) in self.worst.items():
            reference = self.reference[output, case]
            limit = min(MOST_OF_REFERENCE * reference, MOST)
            if output in self.squares:
                limit = MOST
            line = (f"{output}: error {error:.2e} at batch {batch}, seq {seq}; "
                    f"reference f32 {reference:.2e}; limit {limit:.2e}")
            closest[output] = max(closest.get(output, (0.0, "")),
                                  (error / limit, line))
            if not error <= limit:
                good = False
                print("WRONG " + line)
        for output, (ours, reference, count) in self.squares.items():
            ours, reference = (ours / count) ** 0.5, (reference / count) ** 0.5
            line = f"{output}: rms {ours:.2e}; reference f32 {reference:.2e}"
            if not ours <= MOST_OF_REFERENCE * reference:
                good = False
                line = "WRONG " + line
            print(line)
        for _, line in closest.values():
            print("closest to its limit: " + line)
        print(f"{self.compared} numbers in {len(self.goldens['cases'])} cases")
        return good


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    with open(sys.argv[3], encoding="utf-8") as file:
        goldens = json.load(file)
    try:
        good = Checker(sys.argv[1], sys.argv[2], goldens, sys.argv[4:]).check()
    except subprocess.CalledProcessError as error:
        sys.exit("failed: " + " ".join(error.cmd))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
