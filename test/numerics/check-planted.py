#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether `attnc verify` sees mistakes in a library, in every format.

    python3 check-planted.py ATTNC MODEL OUT [--only FORMAT,..] [OPTION...]

MODEL is the folder of a Llama with two layers, tied embeddings and biases; a
wider one is made of it, all of whose products have panels to be narrow in, and
of that one a GGUF file whose layers are in Q8_0, Q4_0 and BF16, and two adapters.
For each format a library is compiled below OUT and verified against that model,
which must pass, and against twelve copies of it with a mistake in each, which
must not; where it has an adapter, against four with a mistake in that, too. The
options go to `attnc compile`.
"""
import json
import os
import random
import shutil
import subprocess
import sys

import gguf_file
from gguf_file import BF16, F32, FLOAT32, Q4_0, Q8_0, STRING, UINT32
from model_file import Model

FORMATS = {
    "f32": [],
    "bf16": ["--weights=bf16"],
    "bf16-f32": ["--weights=bf16", "--activations=f32"],
    "int8": ["--weights=int8"],
    "int8-f32": ["--weights=int8", "--activations=f32"],
    "int8-grouped": ["--weights=int8", "--group=8"],
    "int4": ["--weights=int4"],
    "int4-8": ["--weights=int4", "--group=8"],
    "cache": ["--cache=int8"],
    "int8-cache": ["--weights=int8", "--cache=int8"],
    # Tables stand in the file once more, in f32, where a GPU is served, too.
    "int8-gpu": ["--weights=int8", "--target=x86-64-v3,sm_80"],
    "int4-gpu": ["--weights=int4", "--target=x86-64-v3,sm_80"],
}
# Of the GGUF file.
STORED = {
    "stored": ["--weights=stored"],
    "stored-int8": ["--weights=stored", "--activations=int8"],
}
# With both adapters, of which sessions choose the first; `none` do not.
ADAPTED = {
    "adapter-f32": [],
    "adapter-bf16": ["--weights=bf16"],
    "adapter-int8": ["--weights=int8"],
    "adapter-int4": ["--weights=int4", "--group=8"],
    "adapter-none": ["--weights=int8"],
}
LAYER = "model.layers.%d."
WIDE = {"hidden_size": 64, "head_dim": 16, "num_key_value_heads": 2,
        "intermediate_size": 96, "vocab_size": 64}
# Rank, modules, and whether it is DoRA.
ADAPTERS = {"first": (5, ("q_proj", "v_proj", "gate_proj", "down_proj"), True),
            "second": (12, ("q_proj", "k_proj", "o_proj", "up_proj"), False)}


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


def adapter_mistakes():
    """The same for the first adapter."""
    first, last = "base_model.model." + LAYER % 0, "base_model.model." + LAYER % 1
    return [
        ("adapter-row", lambda m: m.negate(first + "self_attn.q_proj.lora_B.weight",
                                           3, 1)),
        ("adapter-depth", lambda m: m.turn_rows(last + "mlp.down_proj.lora_A.weight")),
        ("adapter-rank", lambda m: m.swap_rows(
            first + "mlp.gate_proj.lora_A.weight", 0, 1)),
        ("adapter-size", lambda m: m.swap(
            first + "self_attn.q_proj.lora_magnitude_vector",
            last + "self_attn.q_proj.lora_magnitude_vector")),
    ]


def widen(source, folder):
    """The wider model; its settings."""
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
    return config


def choose_type(name):
    """The format of a tensor in the GGUF file; that of the first layer is Q8_0."""
    if "norm" in name or name.endswith("bias"):
        return F32
    if "self_attn.o_proj" in name:
        return BF16
    return Q4_0 if name.startswith(LAYER % 1) else Q8_0


def write_gguf(folder, path, config):
    """A Llama with biases is a Qwen2, if only queries, keys and values have them."""
    model = Model(os.path.join(folder, "model.safetensors"))
    values = [("general.architecture", STRING, "qwen2")]
    for key, name in (("block_count", "num_hidden_layers"),
                      ("embedding_length", "hidden_size"),
                      ("feed_forward_length", "intermediate_size"),
                      ("context_length", "max_position_embeddings"),
                      ("attention.head_count", "num_attention_heads"),
                      ("attention.head_count_kv", "num_key_value_heads")):
        values.append(("qwen2." + key, UINT32, config[name]))
    values += [("qwen2.attention.layer_norm_rms_epsilon", FLOAT32, config["rms_norm_eps"]),
               ("qwen2.rope.freq_base", FLOAT32, 10000.0)]
    tensors = []
    for name, shape in model.shapes.items():
        if name.endswith("bias") and not any(
                part in name for part in ("q_proj", "k_proj", "v_proj")):
            continue
        kind = choose_type(name)
        tensors.append((gguf_file.rename(name), shape, kind,
                        gguf_file.quantize(kind, model.tensors[name])))
    gguf_file.write(path, values, tensors)


def write_adapter(folder, base, name):
    """A folder in PEFT's format, for the model of `base`."""
    rank, modules, is_dora = ADAPTERS[name]
    draw = random.Random(name)
    adapter = Model()
    for tensor, shape in base.shapes.items():
        parts = tensor.split(".")
        if parts[-1] != "weight" or parts[-2] not in modules:
            continue
        stem = "base_model.model." + tensor.removesuffix("weight")
        for part, size in (("lora_A", (rank, shape[1])), ("lora_B", (shape[0], rank))):
            adapter.add(stem + part + ".weight", size,
                        [draw.gauss(0, size[1] ** -0.5)
                         for _ in range(size[0] * size[1])])
        if is_dora:
            adapter.add(stem + "lora_magnitude_vector", (shape[0],),
                        [draw.uniform(0.5, 1.5) for _ in range(shape[0])])
    os.makedirs(folder, exist_ok=True)
    adapter.write(os.path.join(folder, "adapter_model.safetensors"))
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as file:
        json.dump({"peft_type": "LORA", "r": rank, "lora_alpha": rank,
                   "use_dora": is_dora, "target_modules": list(modules)}, file)


def spoil(source, folder, file, change):
    """A copy of a folder with a mistake in one of its files."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, copy_function=shutil.copyfile)
    path = os.path.join(folder, file)
    model = Model(path)
    change(model)
    model.write(path)


class Planted:
    """All models below a folder, right ones and faulty ones."""

    def __init__(self, source, out):
        self.out = out
        self.right = os.path.join(out, "wide")
        config = widen(source, self.right)
        self.faulty, self.faulty_adapters = {}, {}
        for name, change in mistakes(config["head_dim"]):
            self.faulty[name] = os.path.join(out, "faulty", name)
            spoil(self.right, self.faulty[name], "model.safetensors", change)
        for folder in (self.right, *self.faulty.values()):
            write_gguf(folder, folder + ".gguf", config)
        self.adapters = {name: os.path.join(out, "adapters", name) for name in ADAPTERS}
        base = Model(os.path.join(self.right, "model.safetensors"))
        for name, folder in self.adapters.items():
            write_adapter(folder, base, name)
        for name, change in adapter_mistakes():
            self.faulty_adapters[name] = os.path.join(out, "faulty", name)
            spoil(self.adapters["first"], self.faulty_adapters[name],
                  "adapter_model.safetensors", change)

    def describe(self, name):
        """What `attnc compile` takes for a format; what `attnc verify` takes that
        must pass; and, by mistake, what must not."""
        if name in FORMATS:
            return [self.right, *FORMATS[name]], [self.right], {
                mistake: [folder] for mistake, folder in self.faulty.items()}
        if name in STORED:
            right = self.right + ".gguf"
            return [right, *STORED[name]], [right], {
                mistake: [folder + ".gguf"] for mistake, folder in self.faulty.items()}
        adapters = ",".join(self.adapters.values())
        chosen = ["--adapter", self.adapters["first"]]
        if name == "adapter-none":
            chosen = []
        wrong = {mistake: [folder, *chosen] for mistake, folder in self.faulty.items()}
        if chosen:
            for mistake, folder in self.faulty_adapters.items():
                wrong[mistake] = [self.right, "--adapter", "first=" + folder]
        return ([self.right, "--adapters", adapters, *ADAPTED[name]],
                [self.right, *chosen], wrong)


def verify(attnc, library, arguments):
    """Exit code and report of `attnc verify`."""
    result = subprocess.run([attnc, "verify", library, *arguments, "--quick", "--json"],
                            capture_output=True, text=True)
    if result.returncode not in (0, 3):
        sys.exit(f"attnc verify {library} {arguments} gave {result.returncode}:\n"
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


def check(attnc, planted, name, options):
    """Whether a format's library passes, and fails against every mistake."""
    compiled, right, wrong = planted.describe(name)
    folder = os.path.join(planted.out, name)
    subprocess.run([attnc, "compile", "-q", *compiled, "-o", folder, "--name", "m",
                    *options], check=True)
    library = os.path.join(folder, "libm.so")
    code, report = verify(attnc, library, right)
    good = code == 0
    if not good:
        print(f"{name}: the library differs from its own model")
        explain(report)
    seen = 0
    for mistake, arguments in wrong.items():
        code, report = verify(attnc, library, arguments)
        seen += code != 0
        if not code:
            print(f"{name}: '{mistake}' was not seen")
            explain(report)
    print(f"{name}: {seen} of {len(wrong)} mistakes seen", flush=True)
    return good and seen == len(wrong)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    attnc, source, out, *options = sys.argv[1:]
    names = [*FORMATS, *STORED, *ADAPTED]
    if options[:1] == ["--only"]:
        names, options = options[1].split(","), options[2:]
    planted = Planted(source, out)
    results = [check(attnc, planted, name, options) for name in names]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
