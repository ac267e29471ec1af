# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A DeBERTa whose products are wide enough for narrow weights, and an adapter of it.

    python3 wide-deberta.py DEBERTA OUT

DEBERTA is the folder of a tiny one; OUT/model and OUT/adapter are written. The
adapter changes the matrices that distances go through, too.
"""
import json
import os
import random
import sys

import model_file

HIDDEN, INTERMEDIATE, RANK = 96, 160, 2

source, out = sys.argv[1:]
with open(os.path.join(source, "config.json")) as file:
    config = json.load(file)
model = model_file.Model(os.path.join(source, "model.safetensors"))
sizes = {size: size for shape in model.shapes.values() for size in shape}
sizes |= {config["hidden_size"]: HIDDEN, config["intermediate_size"]: INTERMEDIATE}
model.resize(sizes)
draw = random.Random(3)
for name in list(model.tensors):
    if name.endswith("LayerNorm.weight"):
        model.add(name, [HIDDEN], [draw.uniform(0.5, 1.5) for _ in range(HIDDEN)])
config |= {"hidden_size": HIDDEN, "pooler_hidden_size": HIDDEN,
           "intermediate_size": INTERMEDIATE}
os.makedirs(os.path.join(out, "model"))
with open(os.path.join(out, "model", "config.json"), "w") as file:
    json.dump(config, file)
model.write(os.path.join(out, "model", "model.safetensors"))

adapter = model_file.Model()
modules = ["query_proj", "key_proj"]
for layer in range(config["num_hidden_layers"]):
    for module in modules:
        stem = f"base_model.model.encoder.layer.{layer}.attention.self.{module}."
        for which, shape in [("A", [RANK, HIDDEN]), ("B", [HIDDEN, RANK])]:
            adapter.add(stem + f"lora_{which}.weight", shape,
                        [draw.gauss(0, 0.2) for _ in range(RANK * HIDDEN)])
os.makedirs(os.path.join(out, "adapter"))
with open(os.path.join(out, "adapter", "adapter_config.json"), "w") as file:
    json.dump({"peft_type": "LORA", "r": RANK, "lora_alpha": 4,
               "target_modules": modules, "bias": "none"}, file)
adapter.write(os.path.join(out, "adapter", "adapter_model.safetensors"))
