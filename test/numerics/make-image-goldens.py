#!/usr/bin/env python3
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes what the reference implementation computes for the models that
make-tiny-images.py made.

    python3 test/numerics/make-image-goldens.py test/data/images \\
        test/numerics/data/images

Per model one JSON file with cases: `inputs`, whose elements are `integers` over
`divisor`, and per entry its outputs as make-goldens.py describes them.
"""
import importlib.util
import json
import os
import sys

import numpy as np
import torch
import transformers

spec = importlib.util.spec_from_file_location(
    "goldens", os.path.join(os.path.dirname(__file__), "make-goldens.py"))
goldens = importlib.util.module_from_spec(spec)
spec.loader.exec_module(goldens)

# Lengths of the texts, and the length of all with padding.
TEXTS = [([1], 1), ([12], 12), ([3, 7, 5], 9), ([2, 4], 4)]
BATCHES = [1, 3]


def load(folder, attention):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        (name,) = json.load(file)["architectures"]
    model, info = getattr(transformers, name).from_pretrained(
        folder, attn_implementation=attention, dtype=torch.float32,
        output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    return model.eval()


def write_text(number, lengths, seq, vocabulary):
    """Ids that end with the largest one, which stands in the padding too."""
    ids = goldens.make_ids(len(lengths), seq, vocabulary - 1, 300 + number)
    for row, length in zip(ids, lengths):
        row[length - 1] = vocabulary - 1
        if number % 2 == 0:
            row[length:] = vocabulary - 1
    return ids


def make_image(number, batch, config):
    size = config.image_size
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    count = batch * config.num_channels * height * width
    pixels = goldens.make_ids(1, count, 2048, 700 + number)[0] - 1024
    return pixels.reshape(batch, config.num_channels, height, width)


def run_texts(model, ids, mask):
    inputs = dict(input_ids=torch.from_numpy(ids),
                  attention_mask=torch.from_numpy(mask))
    if isinstance(model, transformers.CLIPModel):
        output = model.get_text_features(**inputs)
        return "text_embed", {"text_embeds": output.pooler_output}
    output = model(**inputs)
    if isinstance(model, transformers.CLIPTextModelWithProjection):
        return "text_embed", {"text_embeds": output.text_embeds}
    return "text_encode", {
        "last_hidden_state":
            output.last_hidden_state * inputs["attention_mask"][..., None],
        "pooler_output": output.pooler_output}


def run_images(model, pixels):
    pixels = torch.from_numpy(pixels / 512).to(next(model.parameters()).dtype)
    if isinstance(model, transformers.CLIPModel):
        output = model.get_image_features(pixel_values=pixels)
        return "image_embed", {"image_embeds": output.pooler_output}
    output = model(pixel_values=pixels)
    if isinstance(model, transformers.CLIPVisionModelWithProjection):
        return "image_embed", {"image_embeds": output.image_embeds}
    if isinstance(model, transformers.ViTForImageClassification):
        return "predict", {"logits": output.logits}
    isVit = isinstance(model, transformers.ViTModel)
    return "encode" if isVit else "image_encode", {
        "last_hidden_state": output.last_hidden_state,
        "pooler_output": output.pooler_output}


def make_case(models, run, inputs, *arguments):
    double, singles = models
    with torch.no_grad():
        with goldens.in_double():
            entry, exact = run(double, *arguments)
        roughs = [run(single, *arguments)[1] for single in singles]
    outputs = {}
    for name, value in exact.items():
        assert value.dtype == torch.float64, name
        value = value.numpy()
        described = goldens.describe(value, roughs[0][name].numpy(), 9)
        described["f32_rms"] = max(
            float(np.sqrt(np.square(value - rough[name].numpy()).mean()))
            for rough in roughs)
        outputs[name] = described
    return {"inputs": {
        name: {"shape": list(array.shape), "divisor": divisor,
               "integers": array.ravel().tolist()}
        for name, (array, divisor) in inputs.items()},
        "entry": entry, "outputs": outputs}


def make_model(folder):
    singles = [load(folder, "eager"), load(folder, "sdpa")]
    models = load(folder, "eager").double(), singles
    config, cases = singles[0].config, []
    text = getattr(config, "text_config", config)
    if hasattr(text, "vocab_size"):
        for number, (lengths, seq) in enumerate(TEXTS):
            ids = write_text(number, lengths, seq, text.vocab_size)
            mask = goldens.make_mask(lengths, seq)
            cases.append(make_case(
                models, run_texts,
                {"input_ids": (ids, 1), "attention_mask": (mask, 1)}, ids, mask))
    image = getattr(config, "vision_config", config)
    if hasattr(image, "image_size"):
        for number, batch in enumerate(BATCHES):
            pixels = make_image(number, batch, image)
            cases.append(make_case(models, run_images,
                                   {"pixel_values": (pixels, 512)}, pixels))
    return cases


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    for name in sorted(os.listdir(sys.argv[1])):
        cases = make_model(os.path.join(sys.argv[1], name))
        with open(os.path.join(sys.argv[2], name + ".json"), "w",
                  encoding="utf-8") as file:
            json.dump({"model": name, "cases": cases}, file,
                      separators=(",", ":"))
            file.write("\n")


if __name__ == "__main__":
    main()
