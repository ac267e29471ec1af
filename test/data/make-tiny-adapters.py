#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes small adapters in PEFT's format, and what they compute.

    pip install peft==0.21.2
    python3 test/data/make-tiny-adapters.py test/data test/numerics/data/adapters

Below test/data/adapters one folder per adapter, of the tiny model that its name
begins with; below test/numerics/data/adapters one golden file each, in the form
of make-goldens.py: the model with the adapter beside it, not merged, in float64,
and the error of the same in f32. Of language models the logits behind every one of
some ids, and the root of the mean square of the errors that f32 makes.
"""
import importlib.util
import json
import os
import shutil
import sys

import numpy as np
import peft
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
spec = importlib.util.spec_from_file_location(
    "goldens", os.path.join(ROOT, "numerics", "make-goldens.py")
)
goldens = importlib.util.module_from_spec(spec)
spec.loader.exec_module(goldens)

ATTENTION = ["query", "value"]
ADAPTERS = {
    "tiny-bert-lora": ("tiny-bert", dict(r=3, lora_alpha=7, target_modules=ATTENTION)),
    "tiny-bert-dora": (
        "tiny-bert",
        dict(r=2, lora_alpha=4, target_modules=["key", "dense"], use_dora=True),
    ),
    "tiny-bert-ranks": (
        "tiny-bert",
        dict(
            r=4,
            lora_alpha=5,
            target_modules=ATTENTION + ["word_embeddings"],
            use_rslora=True,
            rank_pattern={"encoder.layer.0.attention.self.query": 1},
            alpha_pattern={"layer.0.attention.self.query": 9, "value": 2},
        ),
    ),
    "bert-sequence-head": (
        "families/bert-sequence",
        dict(r=2, lora_alpha=3, target_modules=ATTENTION, task_type="SEQ_CLS",
             modules_to_save=["classifier"]),
    ),
}
DECODERS = {
    "qwen2-lora": (
        "decoders/qwen2",
        dict(r=3, lora_alpha=4, target_modules=["q_proj", "v_proj", "gate_proj",
                                                "down_proj"]),
    ),
    "qwen2-dora": (
        "decoders/qwen2",
        dict(r=2, lora_alpha=5, target_modules=["q_proj", "k_proj", "v_proj",
                                                "o_proj", "up_proj"], use_dora=True),
    ),
    "gpt2-lora": (
        "decoders/gpt2",
        dict(r=4, lora_alpha=3, target_modules=["c_attn", "c_proj"],
             fan_in_fan_out=True),
    ),
}


def make(folder, settings, seed):
    """The model with its adapter, filled with numbers that matter."""
    if "/decoders/" in folder:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, attn_implementation="eager").eval()
    else:
        model = goldens.load_with_head(folder)
    model = peft.get_peft_model(model, peft.LoraConfig(**settings)).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_magnitude" in name:
                parameter.mul_(1 + 0.3 * torch.randn_like(parameter))
            elif "lora_" in name or "modules_to_save" in name:
                parameter.normal_(0, 0.3)
    return model


def save(model, target, base):
    """The adapter's folder, without what differs from run to run."""
    shutil.rmtree(target, ignore_errors=True)
    model.save_pretrained(target)
    os.remove(os.path.join(target, "README.md"))
    with open(os.path.join(target, "adapter_config.json")) as file:
        config = json.load(file)
    config["base_model_name_or_path"] = base
    config["target_modules"] = sorted(config["target_modules"])
    with open(os.path.join(target, "adapter_config.json"), "w") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")


def make_decoders(data, out):
    for seed, (name, (base, settings)) in enumerate(DECODERS.items(), 50):
        folder = os.path.join(data, base)
        model = make(folder, settings, seed)
        save(model, os.path.join(data, "adapters", name), base)
        double = make(folder, settings, seed).double()
        ids = torch.from_numpy(
            goldens.make_ids(1, 13, model.config.vocab_size, 700 + seed))
        with torch.no_grad():
            single = model(input_ids=ids).logits[0].double()
            exact = double(input_ids=ids).logits[0]
        with open(os.path.join(out, name + ".json"), "w") as file:
            json.dump({"ids": ids[0].tolist(), "logits": exact.tolist(),
                       "reference_rms": float((single - exact).square().mean().sqrt())},
                      file, separators=(",", ":"))
            file.write("\n")


def main(data, out):
    os.makedirs(out, exist_ok=True)
    make_decoders(data, out)
    for seed, (name, (base, settings)) in enumerate(ADAPTERS.items()):
        folder = os.path.join(data, base)
        model = make(folder, settings, seed)
        save(model, os.path.join(data, "adapters", name), base)
        double = make(folder, settings, seed).double()
        inner, inner64 = model.base_model.model, double.base_model.model
        vocabulary = inner.config.vocab_size
        cases = []
        for number, (lengths, seq) in enumerate(goldens.TINY_CASES):
            ids = goldens.make_ids(len(lengths), seq, vocabulary, 17 + number)
            types = goldens.make_ids(len(lengths), seq, 2, 91 + number)
            mask = goldens.make_mask(lengths, seq)
            exact = goldens.run_with_head(inner64, ids, mask, types)
            single = goldens.run_with_head(inner, ids, mask, types)
            cases.append(
                {
                    "batch": len(lengths),
                    "seq": seq,
                    "lengths": lengths,
                    "input_ids": ids.ravel().tolist(),
                    "token_type_ids": types.ravel().tolist(),
                    "outputs": {key: goldens.describe(exact[key], single[key])
                                for key in exact},
                }
            )
        with open(os.path.join(out, name + ".json"), "w") as file:
            json.dump({"model": name, "cases": cases}, file, separators=(",", ":"))
            file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
