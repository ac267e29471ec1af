# ===- train.py - trains the example's model ---------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   pip install -r requirements.txt
#   python train.py model
#
# A small Llama (RoPE, RMSNorm, SwiGLU, grouped heads, tied embedding) over bytes
# reads `<s>DATE=` and writes the date in ISO 8601, then a newline, which ends
# its answers. Minutes on two cores; the seed is fixed. Writes the folder that
# attnc compiles, in f16, with training.log beside the weights.
#
# ===----------------------------------------------------------------------===//
import argparse
import math
import pathlib
import random
import time

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM

import dates

SEED = 2021
ANSWER = 11  # ten bytes of ISO 8601, newline


def make_tokenizer():
    """Bytes, each one token: byte-level BPE without merges, and <s>, which
    stands before every text."""
    names = sorted(pre_tokenizers.ByteLevel.alphabet()) + ["<s>"]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", names.index("<s>"))]
    )
    tokenizer.add_special_tokens(["<s>"])
    return tokenizer


def make_model(tokenizer):
    end = tokenizer.encode("\n", add_special_tokens=False).ids[0]
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=96,
            intermediate_size=256,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=128,
            bos_token_id=tokenizer.token_to_id("<s>"),
            eos_token_id=end,
            pad_token_id=end,
            tie_word_embeddings=True,
        )
    )


def make_batches(tokenizer, source, size):
    """Token ids and the same as labels, -100 where nothing is to be learnt (in
    the question and in the padding): `size` lines in four parts, short lines
    first, so that there is little padding."""
    lines = []
    for _ in range(size):
        text, answer = dates.make_line(source)
        lines.append(torch.tensor(tokenizer.encode(f"{text}={answer}\n").ids))
    lines.sort(key=len)
    for part in range(4):
        chosen = lines[part * size // 4 : (part + 1) * size // 4]
        ids = torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True)
        labels = torch.full_like(ids, -100)
        for row, line in enumerate(chosen):
            labels[row, len(line) - ANSWER : len(line)] = line[-ANSWER:]
        yield ids, labels


@torch.no_grad()
def find_wrong(model, tokenizer, lines):
    """The lines that are not answered to the letter, greedily."""
    wrong = []
    for text, expected in lines:
        prompt = torch.tensor([tokenizer.encode(f"{text}=").ids])
        ids = model.generate(prompt, attention_mask=torch.ones_like(prompt),
                             do_sample=False, max_new_tokens=ANSWER)
        answer = tokenizer.decode(ids[0, prompt.shape[1] :].tolist())
        if answer != expected + "\n":
            wrong.append(f"{text} = {answer.rstrip()}, not {expected}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--held-out", type=int, default=4000)
    arguments = parser.parse_args()

    torch.manual_seed(SEED)
    source = random.Random(SEED)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    log = open(arguments.folder / "training.log", "w")

    def tell(line):
        print(line, flush=True)
        log.write(line + "\n")
        log.flush()

    parameters = sum(p.numel() for p in model.parameters())
    tell(f"{parameters} parameters, {arguments.steps} steps of {arguments.batch} lines, "
         f"torch {torch.__version__}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.rate,
                                  betas=(0.9, 0.98), weight_decay=0.01)
    # A rise of 100 steps, then half a cosine to nothing.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / 100)
        * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, step / arguments.steps)))),
    )
    total, every = 0.0, 100
    for step in range(1, arguments.steps + 1):
        optimizer.zero_grad()
        for ids, labels in make_batches(tokenizer, source, arguments.batch):
            # Padding stands on the right, where a causal model does not look.
            loss = model(input_ids=ids, labels=labels).loss / 4
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % every == 0:
            tell(f"step {step:5d}  loss {total / every:.5f}  "
                 f"{time.process_time():5.0f} s of one core")
            total = 0.0

    # What is measured is what is saved: weights rounded to f16.
    model.eval().half().float()
    lines = dates.make_held_out(random.Random(SEED + 1), arguments.held_out)
    for what, part in ("dates", lines[::2]), ("dates in held-out forms", lines[1::2]):
        wrong = find_wrong(model, tokenizer, part)
        right = len(part) - len(wrong)
        tell(f"held-out {what}: {right} of {len(part)} right ({100 * right / len(part):.2f}%)")
        for line in wrong[:20]:
            tell("  " + line)
    model.half().save_pretrained(arguments.folder)
    tokenizer.save(str(arguments.folder / "tokenizer.json"))
    log.close()


if __name__ == "__main__":
    main()
