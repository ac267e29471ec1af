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

LONG = dict(rope_type="longrope", rope_theta=1000.0,
            short_factor=[1.0, 1.25, 1.75], long_factor=[1.5, 3.0, 6.0])
GEMMA = LLAMA | dict(hidden_size=21, num_attention_heads=3, num_key_value_heads=1,
                     head_dim=10, tie_word_embeddings=True)
NEOX = dict(vocab_size=40, hidden_size=30, num_hidden_layers=2,
            num_attention_heads=3, intermediate_size=37, max_position_embeddings=90,
            bos_token_id=1, eos_token_id=0)
FALCON = dict(vocab_size=40, hidden_size=30, num_hidden_layers=2,
              num_attention_heads=5, max_position_embeddings=90, bos_token_id=1,
              eos_token_id=0)
BLOOM = dict(vocab_size=40, hidden_size=21, n_layer=2, n_head=3, seq_length=90,
             bos_token_id=1, eos_token_id=0)

# Folder -> class, numbers; then, where config.json shall be as published
# checkpoints have it, what is said there otherwise (None: not at all).
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
    "gemma": ("GemmaForCausalLM", GEMMA, dict(
        hidden_act="gelu", hidden_activation="gelu_pytorch_tanh",
        rope_parameters=None, rope_theta=10000.0, tie_word_embeddings=None)),
    "gemma2": ("Gemma2ForCausalLM", GEMMA | dict(
        num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, head_dim=6,
        hidden_size=30, query_pre_attn_scalar=6, sliding_window=7,
        attn_logit_softcapping=3.0, final_logit_softcapping=5.0)),
    "gemma2-plain": ("Gemma2ForCausalLM", GEMMA | dict(
        num_hidden_layers=1, query_pre_attn_scalar=7, sliding_window=5,
        attn_logit_softcapping=None, final_logit_softcapping=None,
        attention_bias=True), dict(
            layer_types=None, hidden_act="gelu_pytorch_tanh", rope_parameters=None,
            rope_theta=10000.0)),
    "phi3": ("Phi3ForCausalLM", LLAMA | dict(
        hidden_size=30, num_attention_heads=3, num_key_value_heads=1,
        sliding_window=9, max_position_embeddings=90,
        original_max_position_embeddings=90), dict(
            auto_map=dict(AutoModelForCausalLM="modeling_phi3.Phi3ForCausalLM"),
            rope_parameters=None, rope_theta=10000.0, rope_scaling=None,
            attention_bias=False)),
    "phi3-long": ("Phi3ForCausalLM", LLAMA | dict(
        hidden_size=36, num_attention_heads=4, num_key_value_heads=4,
        max_position_embeddings=360, original_max_position_embeddings=90,
        rope_parameters=LONG | dict(partial_rotary_factor=0.75))),
    "gpt-neox": ("GPTNeoXForCausalLM", NEOX | dict(
        rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                             partial_rotary_factor=0.4)), dict(
            rope_parameters=None, rotary_pct=0.4, rotary_emb_base=10000)),
    "gpt-neox-serial": ("GPTNeoXForCausalLM", NEOX | dict(
        num_hidden_layers=1, use_parallel_residual=False, attention_bias=False,
        tie_word_embeddings=True, hidden_act="gelu_fast", rope_parameters=dict(
            rope_type="linear", factor=2.0, rope_theta=10000.0,
            partial_rotary_factor=0.65))),
    "falcon": ("FalconForCausalLM", FALCON, dict(
        auto_map=dict(AutoModel="modeling_falcon.FalconModel"), num_kv_heads=None,
        ffn_hidden_size=None, rope_parameters=None,
        apply_residual_connection_post_layernorm=False)),
    "falcon-new": ("FalconForCausalLM", FALCON | dict(
        hidden_size=36, num_attention_heads=6, num_kv_heads=2, bias=True,
        new_decoder_architecture=True)),
    "falcon-new-one": ("FalconForCausalLM", FALCON | dict(
        num_hidden_layers=1, num_attention_heads=3, num_kv_heads=3,
        new_decoder_architecture=True, num_ln_in_parallel_attn=1,
        ffn_hidden_size=37, tie_word_embeddings=False)),
    "falcon-rw": ("FalconForCausalLM", FALCON | dict(
        hidden_size=36, num_attention_heads=18, alibi=True, multi_query=False,
        parallel_attn=False, bias=True, tie_word_embeddings=False)),
    "bloom": ("BloomForCausalLM", BLOOM, dict(
        hidden_size=None, n_embed=21, n_head=None, num_attention_heads=3,
        attention_softmax_in_fp32=True, bias_dropout_fusion=True, n_inner=None,
        masked_softmax_fusion=True, offset_alibi=100, skip_bias_add=True,
        skip_bias_add_qkv=False)),
    "bloom-normed": ("BloomForCausalLM", BLOOM | dict(
        n_layer=1, hidden_size=20, n_head=5,
        apply_residual_connection_post_layernorm=True)),
    "llama-dynamic": ("LlamaForCausalLM", LLAMA | dict(rope_parameters=dict(
        rope_type="dynamic", rope_theta=10000.0, factor=4.0))),
    "llama-longrope": ("LlamaForCausalLM", LLAMA | dict(rope_parameters=LONG | dict(
        original_max_position_embeddings=90, attention_factor=1.125))),
    "llama-yarn-scaled": ("LlamaForCausalLM", LLAMA | dict(rope_parameters=YARN | dict(
        mscale=1.5, mscale_all_dim=0.75, truncate=False, beta_fast=16))),
    "smollm": ("LlamaForCausalLM", LLAMA | dict(
        num_attention_heads=3, num_key_value_heads=1, hidden_size=18,
        tie_word_embeddings=True), dict(
            rope_parameters=None, rope_theta=10000.0, rope_scaling=None,
            is_llama_config=True, rope_interleaved=False, head_dim=None,
            **{"transformers.js_config": dict(kv_cache_dtype=dict(fp16="float16"))})),
    "dialogpt": ("GPT2LMHeadModel", GPT2 | dict(n_layer=1, n_positions=90), dict(
        n_ctx=90, n_inner=None, tie_word_embeddings=None, scale_attn_weights=None,
        task_specific_params=dict(conversational=dict(max_length=1000)),
        reorder_and_upcast_attn=None, add_cross_attention=None,
        scale_attn_by_inverse_layer_idx=None)),
    "qwen2.5": ("Qwen2ForCausalLM", LLAMA | dict(
        num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=1,
        tie_word_embeddings=True), dict(
            rope_parameters=None, rope_theta=10000.0, layer_types=None,
            sliding_window=90, max_window_layers=1, use_sliding_window=False,
            use_mrope=False, torch_dtype="bfloat16", dtype=None)),
}


def fill(model, rng):
    """Larger numbers than a model starts training with, so that attention is
    not nearly uniform; small enough that no row loses many digits."""
    is_gemma = type(model).__name__.startswith("Gemma")
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            shape = tuple(tensor.shape)
            if len(shape) == 2:
                table = "embed" in name or "wte" in name or "wpe" in name
                table = table and "embed_out" not in name
                depth = shape[0] if name.startswith("transformer.h") else shape[1]
                # Gemma multiplies its table by sqrt(depth).
                deviation = 0.4 if is_gemma else 1.0
                values = rng.normal(0.0, deviation if table else 1.5 / np.sqrt(depth),
                                    shape)
            else:
                is_scale = ("norm" in name or "ln_" in name) and name.endswith("weight")
                # Gemma's norms add the one themselves.
                center = 1.0 if is_scale and not is_gemma else 0.0
                # Both halves of a layer of Gemma 2 outweigh its input, else a
                # tied table repeats the last token.
                if "Gemma2" in type(model).__name__ and "post_" in name:
                    center = 3.0
                values = rng.normal(center, 0.2, shape)
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


def rewrite_config(folder, changes):
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        config = json.load(file)
    for key, value in changes.items():
        config.pop(key, None)
        if value is not None or key in ("rope_scaling", "n_inner"):
            config[key] = value
    with open(path, "w") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")


def make(name, class_name, numbers, changes, number, models, goldens):
    model_class = getattr(transformers, class_name)
    for attempt in range(100):
        config = model_class.config_class(**numbers)
        # Falcon's eager attention adds the slopes twice, its usual one once.
        kind = "sdpa" if numbers.get("alibi") else "eager"
        config._attn_implementation = kind
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
    if changes:
        rewrite_config(folder, changes)
        again = model_class.from_pretrained(folder, attn_implementation="eager",
                                            dtype=torch.float32)
        assert torch.equal(again(torch.tensor([ids])).logits,
                           model(torch.tensor([ids])).logits), name
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
    for number, (name, (class_name, numbers, *changes)) in enumerate(MODELS.items()):
        if not names or name in names:
            make(name, class_name, numbers, changes[0] if changes else {}, number,
                 models, goldens)


if __name__ == "__main__":
    main()
