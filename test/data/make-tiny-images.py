#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes test/data/images: tiny random models that read images, and the towers
of texts that belong to them.

    python3 test/data/make-tiny-images.py test/data/images

Needs torch and transformers (the checked-in files: 2.15.0 and 5.23.0), as
make-tiny-families.py does. Images are not square, patches do not divide them,
heads are odd in number and rows no multiple of 16.
"""
import json
import os
import shutil
import sys

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import pre_tokenizers

VIT = dict(hidden_size=21, num_hidden_layers=2, num_attention_heads=3,
           intermediate_size=34, image_size=[10, 14], patch_size=[4, 3],
           num_channels=2, pooler_output_size=13)
TEXT = dict(vocab_size=30, hidden_size=20, intermediate_size=28, projection_dim=9,
            num_hidden_layers=2, num_attention_heads=5, max_position_embeddings=12,
            bos_token_id=28, eos_token_id=29, pad_token_id=1)
IMAGE = dict(hidden_size=21, intermediate_size=28, projection_dim=9,
             num_hidden_layers=1, num_attention_heads=3, image_size=11,
             patch_size=4)

# Folder -> class, numbers.
MODELS = {
    "vit": ("ViTModel", VIT),
    "vit-classes": ("ViTForImageClassification", VIT | dict(
        hidden_size=14, num_attention_heads=7, num_hidden_layers=1, num_labels=5,
        image_size=12, patch_size=5, num_channels=1, qkv_bias=False)),
    # Its end token is the largest id, whatever the configuration says.
    "clip": ("CLIPModel", dict(text_config=TEXT | dict(eos_token_id=2),
                               vision_config=IMAGE, projection_dim=9)),
    "clip-text": ("CLIPTextModel", TEXT | dict(num_hidden_layers=1)),
    "clip-text-projected": ("CLIPTextModelWithProjection",
                            TEXT | dict(hidden_act="gelu", num_hidden_layers=1)),
    "clip-image": ("CLIPVisionModel", IMAGE),
    "clip-image-projected": ("CLIPVisionModelWithProjection",
                             IMAGE | dict(hidden_act="gelu")),
    # With a tokenizer: texts go in.
    "clip-words": ("CLIPTextModelWithProjection",
                   TEXT | dict(vocab_size=603, max_position_embeddings=24,
                               bos_token_id=601, eos_token_id=602,
                               pad_token_id=602, num_hidden_layers=1)),
}

SENTENCES = ["a photo of a cat", "two dogs on the beach",
             "a red car in front of the old house",
             "the quick brown fox jumps over the lazy dog",
             "a drawing of mountains at night",
             "people walking in the rain with umbrellas"]


def make_tokenizer(positions):
    """CLIP's: bytes, bytes that end a word, what merges make, two marks."""
    plain = transformers.CLIPTokenizer().backend_tokenizer
    trained = tokenizers.Tokenizer(tokenizers.models.BPE(
        continuing_subword_prefix="", end_of_word_suffix="</w>"))
    trained.normalizer = plain.normalizer
    trained.pre_tokenizer = plain.pre_tokenizer
    trained.train_from_iterator(SENTENCES, tokenizers.trainers.BpeTrainer(
        vocab_size=140, end_of_word_suffix="</w>", show_progress=False))
    merges = [tuple(merge)
              for merge in json.loads(trained.to_str())["model"]["merges"]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = alphabet + [byte + "</w>" for byte in alphabet]
    words += dict.fromkeys(
        left + right for left, right in merges if left + right not in words)
    words += ["<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(
        vocab={word: index for index, word in enumerate(words)}, merges=merges,
        model_max_length=positions)


def fill(model, rng):
    """As in make-tiny-families.py; patches are rows of many numbers, too."""
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            shape = tuple(tensor.shape)
            if len(shape) >= 2:
                inputs = int(np.prod(shape[1:]))
                scale = (1.0 if "embedding" in name and "patch" not in name
                         else 1.0 / np.sqrt(inputs))
                values = rng.normal(0.0, scale, shape)
            else:
                is_scale = "norm" in name.lower() and name.endswith("weight")
                spread = 1.0 if "class_embedding" in name else 0.2
                values = rng.normal(1.0 if is_scale else 0.0, spread, shape)
            tensor.copy_(torch.from_numpy(np.asarray(values, np.float32)))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for seed, (name, (class_name, numbers)) in enumerate(MODELS.items()):
        model_class = getattr(transformers, class_name)
        model = model_class(model_class.config_class(**numbers))
        fill(model, np.random.default_rng(5000 + seed))
        folder = os.path.join(sys.argv[1], name)
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
        if name == "clip-words":
            tokenizer = make_tokenizer(numbers["max_position_embeddings"])
            assert len(tokenizer) == numbers["vocab_size"], len(tokenizer)
            tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
