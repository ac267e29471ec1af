# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes dates-greedy.json: what transformers makes of some dates, in f32.

    pip install -r examples/04-generate/requirements.txt
    python3 test/examples/Inputs/make-dates-golden.py examples/04-generate > \
        test/examples/Inputs/dates-greedy.json

Texts that are no dates are among them: whatever the model makes of those, the
library makes the same. `margin` is the least distance of the best two logits.
"""
import json
import random
import sys

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

sys.path.insert(0, sys.argv[1])
import dates

model = LlamaForCausalLM.from_pretrained(sys.argv[1] + "/model", dtype=torch.float32).eval()
tokenizer = Tokenizer.from_file(sys.argv[1] + "/model/tokenizer.json")
texts = [text for text, _ in dates.make_held_out(random.Random(64), 12)]
texts += ["the third of March, 2021", "31/31/31", "no date at all", "日本"]
cases = []
for text in texts:
    prompt = tokenizer.encode(text + "=").ids
    with torch.no_grad():
        made = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False, max_new_tokens=32, output_logits=True, return_dict_in_generate=True)
    best = [logits[0].topk(2).values for logits in made.logits]
    cases.append({
        "text": text + "=", "prompt": prompt, "ids": made.sequences[0, len(prompt):].tolist(),
        "margin": round(min(float(a - b) for a, b in best), 4)})
json.dump({"cases": cases}, sys.stdout, ensure_ascii=False, separators=(",", ":"))
print()
