#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes test/data/decoders, a tiny random model per family of language models,
and test/numerics/data/decoders, what transformers computes with each in float64.

    python3 test/data/make-tiny-decoders.py test/data/decoders \
        test/numerics/data/decoders [NAME...]

Needs torch and transformers (the checked-in files: 2.15.0 and 5.23.0). Sizes are
odd on purpose. A golden file holds

    ids     a prompt
    logits  of all its positions, float64; reference_rms and reference_max are the
            errors of the reference's own f32
    greedy  the 64 tokens that follow, chosen by the largest logit; margin is the
            smallest distance of the largest two. The seed is the first that gives
            1e-3 or more.
"""
import json
import os
import shutil
import sys

import numpy as np
import torch
import transformers

PROMPT, STEPS, MARGIN = 13, 64, 1e-3

GPT2 = dict(vocab_size=40, n_embd=21, n_layer=2, n_head=3, n_positions=90,
            bos_token_id=1, eos_token_id=0)
LLAMA = dict(vocab_size=40, hidden_size=24, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, intermediate_size=37,
             max_position_embeddings=90, bos_token_id=1, eos_token_id=0,
             pad_token_id=None)
ROPE3 = dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0,
             high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", rope_theta=1000.0, factor=3.0,
            original_max_position_embeddings=30)

# Folder -> class, numbers.
MODELS = {
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gpt2-untied": ("GPT2LMHeadModel", GPT2 | dict(
        n_inner=30, scale_attn_weights=False, tie_word_embeddings=False,
        activation_function="relu")),
    "llama": ("LlamaForCausalLM", LLAMA),
    "llama-tied": ("LlamaForCausalLM", LLAMA | dict(
        head_dim=10, num_key_value_heads=1, tie_word_embeddings=True,
        attention_bias=True, mlp_bias=True)),
    "llama3": ("LlamaForCausalLM", LLAMA | dict(rope_parameters=ROPE3)),
    "llama-linear": ("LlamaForCausalLM", LLAMA | dict(rope_parameters=dict(
        rope_type="linear", rope_theta=10000.0, factor=2.0))),
    "llama-yarn": ("LlamaForCausalLM", LLAMA | dict(rope_parameters=YARN)),
    "mistral": ("MistralForCausalLM", LLAMA | dict(sliding_window=7)),
    "qwen2": ("Qwen2ForCausalLM", LLAMA),
    "qwen2-window": ("Qwen2ForCausalLM", LLAMA | dict(
        use_sliding_window=True, sliding_window=5, layer_types=[
            "full_attention", "sliding_attention"])),
    "qwen3": ("Qwen3ForCausalLM", LLAMA | dict(head_dim=6)),
}


def fill(model, rng):
    """Larger numbers than a model starts training with, so that attention is
    not nearly uniform; small enough that no row loses many digits."""
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            shape = tuple(tensor.shape)
            if len(shape) == 2:
                table = "embed" in name or "wte" in name or "wpe" in name
                depth = shape[0] if name.startswith("transformer.h") else shape[1]
                values = rng.normal(0.0, 1.0 if table else 1.5 / np.sqrt(depth), shape)
            else:
                is_scale = ("norm" in name or "ln_" in name) and name.endswith("weight")
                values = rng.normal(1.0 if is_scale else 0.0, 0.2, shape)
            tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def all_logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def continue_greedily(model, ids):
    tokens, margin = list(ids), np.inf
    for _ in range(STEPS):
        last = all_logits(model, tokens)[-1]
        best, second = np.sort(last)[::-1][:2]
        margin = min(margin, best - second)
        tokens.append(int(np.argmax(last)))
    return tokens[len(ids):], margin


def make(name, class_name, numbers, number, models, goldens):
    model_class = getattr(transformers, class_name)
    for attempt in range(100):
        config = model_class.config_class(**numbers)
        config._attn_implementation = "eager"
        model = model_class(config).eval()
        seed = 5000 + 100 * number + attempt
        rng = np.random.default_rng(seed)
        fill(model, rng)
        ids = [int(i) for i in rng.integers(1, numbers["vocab_size"], PROMPT)]
        exact = model_class(config).eval().double()
        exact.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
        greedy, margin = continue_greedily(exact, ids)
        # A few different tokens, so that a constant does not pass.
        if margin >= MARGIN and len(set(greedy)) >= 4:
            break
    else:
        sys.exit(name + ": no seed gives such a margin")
    folder = os.path.join(models, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    generation = os.path.join(folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)
    logits = all_logits(exact, ids)
    error = all_logits(model, ids) - logits
    golden = {"seed": seed, "ids": ids, "greedy": greedy, "margin": float(margin),
              "reference_rms": float(np.sqrt((error ** 2).mean())),
              "reference_max": float(np.abs(error).max()),
              "logits": [[float("%.9g" % x) for x in row] for row in logits]}
    with open(os.path.join(goldens, name + ".json"), "w") as file:
        json.dump(golden, file)
        file.write("\n")
    print(name, "seed", seed, "margin %.2e" % margin, len(set(greedy)), "tokens")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    models, goldens, *names = sys.argv[1:]
    os.makedirs(models, exist_ok=True)
    os.makedirs(goldens, exist_ok=True)
    for number, (name, (class_name, numbers)) in enumerate(MODELS.items()):
        if not names or name in names:
            make(name, class_name, numbers, number, models, goldens)


if __name__ == "__main__":
    main()
