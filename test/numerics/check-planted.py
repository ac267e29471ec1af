#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether `attnc verify` sees mistakes in a library, in every format.

    python3 check-planted.py ATTNC MODEL OUT [--only FORMAT,..] [OPTION...]

MODEL is the folder of a Llama with two layers, tied embeddings and biases; a
wider one is made of it, all of whose products have panels to be narrow in. For
each format a library is compiled below OUT and verified against that model,
which must pass, and against twelve copies of it with a mistake in each, which
must not. The options go to `attnc compile`.
"""
import array
import json
import os
import random
import shutil
import struct
import subprocess
import sys

FORMATS = {
    "f32": [],
    "bf16": ["--weights=bf16"],
    "bf16-f32": ["--weights=bf16", "--activations=f32"],
    "int8": ["--weights=int8"],
    "int8-f32": ["--weights=int8", "--activations=f32"],
    "int8-grouped": ["--weights=int8", "--group=8"],
    "int4": ["--weights=int4"],
    "int4-8": ["--weights=int4", "--group=8"],
    "int8-cache": ["--weights=int8", "--cache=int8"],
}
LAYER = "model.layers.%d."
WIDE = {"hidden_size": 64, "head_dim": 16, "num_key_value_heads": 2,
        "intermediate_size": 96, "vocab_size": 64}


class Model:
    """The tensors of a safetensors file of f32, to be changed."""

    def __init__(self, path):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            self.header = json.loads(file.read(length))
            data = file.read()
        self.header.pop("__metadata__", None)
        self.tensors = {}
        for name, entry in self.header.items():
            assert entry["dtype"] == "F32", name
            begin, end = entry["data_offsets"]
            self.tensors[name] = array.array("f", data[begin:end])

    def resize(self, sizes):
        """Other numbers, in shapes whose dimensions are `sizes` of what they were."""
        source = random.Random(7)
        end = 0
        for name, entry in self.header.items():
            shape = [sizes[dim] for dim in entry["shape"]]
            count = shape[0] * (shape[1] if len(shape) == 2 else 1)
            if "norm" in name:
                numbers = [source.uniform(0.5, 1.5) for _ in range(count)]
            else:
                width = shape[-1] ** -0.5 if len(shape) == 2 else 0.3
                numbers = [source.gauss(0, width) for _ in range(count)]
            self.tensors[name] = array.array("f", numbers)
            entry["shape"] = shape
            entry["data_offsets"] = [end, end + 4 * count]
            end += 4 * count

    def write(self, path):
        header = json.dumps(self.header).encode()
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            for name in sorted(self.header,
                               key=lambda n: self.header[n]["data_offsets"]):
                file.write(self.tensors[name].tobytes())

    def rows(self, name, first, count):
        """The slice of these rows."""
        width = self.header[name]["shape"][-1]
        return slice(first * width, (first + count) * width)

    def negate(self, name, first=0, count=None):
        if count is None:
            count = self.header[name]["shape"][0]
            first = 0
        where = self.rows(name, first, count)
        if len(self.header[name]["shape"]) == 1:
            where = slice(None)
        tensor = self.tensors[name]
        tensor[where] = array.array("f", [-x for x in tensor[where]])

    def swap_rows(self, name, one, other, count=1):
        tensor = self.tensors[name]
        a, b = self.rows(name, one, count), self.rows(name, other, count)
        tensor[a], tensor[b] = tensor[b], tensor[a]

    def swap(self, one, other):
        assert self.header[one]["shape"] == self.header[other]["shape"]
        self.tensors[one], self.tensors[other] = (self.tensors[other],
                                                  self.tensors[one])

    def turn_rows(self, name):
        """Every row's numbers one place on."""
        width = self.header[name]["shape"][-1]
        tensor = self.tensors[name]
        for begin in range(0, len(tensor), width):
            row = tensor[begin:begin + width]
            tensor[begin:begin + width] = row[-1:] + row[:-1]


def mistakes(head):
    """Name and what it does to a Model; heads have `head` rows."""
    first, last = LAYER % 0, LAYER % 1
    attention = first + "self_attn."
    return [
        ("row", lambda m: m.negate(attention + "q_proj.weight", 3, 1)),
        ("query", lambda m: m.negate(attention + "q_proj.weight")),
        ("key", lambda m: m.negate(attention + "k_proj.weight")),
        ("value", lambda m: m.negate(attention + "v_proj.weight")),
        ("output", lambda m: m.negate(last + "self_attn.o_proj.weight")),
        ("heads", lambda m: m.swap_rows(attention + "q_proj.weight", 0, head, head)),
        ("bias", lambda m: m.negate(attention + "v_proj.bias")),
        ("gate", lambda m: m.swap(first + "mlp.gate_proj.weight",
                                  first + "mlp.up_proj.weight")),
        ("gate-row", lambda m: m.negate(last + "mlp.gate_proj.weight", 5, 1)),
        ("depth", lambda m: m.turn_rows(last + "mlp.down_proj.weight")),
        ("norms", lambda m: m.swap(first + "input_layernorm.weight",
                                   last + "post_attention_layernorm.weight")),
        ("tokens", lambda m: m.swap_rows("model.embed_tokens.weight", 7, 11)),
    ]


def widen(source, folder):
    """The wider model; the number of its rows for a head."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    heads, kept = config["num_attention_heads"], dict(config)
    config.update(WIDE)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    sizes = {kept[name]: config[name]
             for name in ("hidden_size", "intermediate_size")}
    # Both the vocabulary and all heads of queries have 40.
    assert kept["vocab_size"] == heads * kept["head_dim"]
    sizes[kept["vocab_size"]] = heads * config["head_dim"]
    sizes[kept["num_key_value_heads"] * kept["head_dim"]] = (
        config["num_key_value_heads"] * config["head_dim"])
    assert len(sizes) == 4
    path = os.path.join(folder, "model.safetensors")
    model = Model(path)
    model.resize(sizes)
    model.write(path)
    return config["head_dim"]


def verify(attnc, library, model):
    """Exit code and report of `attnc verify`."""
    result = subprocess.run([attnc, "verify", library, model, "--quick", "--json"],
                            capture_output=True, text=True)
    if result.returncode not in (0, 3):
        sys.exit(f"attnc verify {library} {model} gave {result.returncode}:\n"
                 + result.stderr)
    return result.returncode, json.loads(result.stdout)


def explain(report):
    for output in report["outputs"]:
        print("   ", output["output"], "used", output["used_share"],
              "of what is allowed")
    for output in report.get("own_roundings", []):
        print("    own roundings:", output)
    for failure in report["failures"][:3]:
        print("   ", failure["case"], failure["failure"])


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    attnc, source, out, *options = sys.argv[1:]
    names = list(FORMATS)
    if options[:1] == ["--only"]:
        names, options = options[1].split(","), options[2:]
    original, source = source, os.path.join(out, "wide")
    head = widen(original, source)
    for name, change in mistakes(head):
        folder = os.path.join(out, "faulty", name)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder, copy_function=shutil.copyfile)
        path = os.path.join(folder, "model.safetensors")
        model = Model(path)
        change(model)
        model.write(path)
    good = True
    for name in names:
        folder = os.path.join(out, name)
        subprocess.run([attnc, "compile", "-q", source, "-o", folder, "--name", "m",
                        *FORMATS[name], *options], check=True)
        library = os.path.join(folder, "libm.so")
        code, report = verify(attnc, library, source)
        if code:
            print(f"{name}: the library differs from its own model")
            explain(report)
            good = False
        seen = 0
        for mistake, _ in mistakes(head):
            code, report = verify(attnc, library,
                                  os.path.join(out, "faulty", mistake))
            seen += code != 0
            if not code:
                print(f"{name}: '{mistake}' was not seen")
                explain(report)
        print(f"{name}: {seen} of {len(mistakes(head))} mistakes seen")
        good &= seen == len(mistakes(head))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
