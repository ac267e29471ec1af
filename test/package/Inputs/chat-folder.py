# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes of a tiny decoder of 40 tokens one that holds conversations.

    python3 chat-folder.py DECODER FOLDER [--template TEXT] [--named NAME]
                           [--jinja TEXT] [--generation JSON] [--swap]

A token is a character. --named makes a list of one template, --jinja writes chat_template.jinja, --generation
generation_config.json; --swap gives two letters each other's ids.
"""
import argparse
import json
import os
import shutil

CHATML = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
          "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
          "{% endif %}")
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]


def write(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(value if isinstance(value, str) else json.dumps(value))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("decoder")
    parser.add_argument("folder")
    parser.add_argument("--template", default=CHATML)
    parser.add_argument("--named")
    parser.add_argument("--jinja")
    parser.add_argument("--generation")
    parser.add_argument("--swap", action="store_true")
    given = parser.parse_args()
    shutil.copytree(given.decoder, given.folder, copy_function=shutil.copyfile)
    tokens = SPECIAL + ["\n", " "] + [chr(c) for c in range(ord("a"), ord("z") + 1)]
    tokens += ["<", ">", "|", "_", ":", "/", "\ufffd"]
    assert len(tokens) == 40
    if given.swap:
        a, b = tokens.index("a"), tokens.index("b")
        tokens[a], tokens[b] = tokens[b], tokens[a]
    write(given.folder, "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "pre_tokenizer": None, "decoder": {"type": "Fuse"},
        "added_tokens": [
            {"id": i, "content": token, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
            for i, token in enumerate(SPECIAL)],
        "post_processor": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": []}})
    config = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
    if given.template:
        config["chat_template"] = given.template
    if given.named:
        config["chat_template"] = [{"name": given.named, "template": CHATML}]
    write(given.folder, "tokenizer_config.json", config)
    if given.jinja:
        write(given.folder, "chat_template.jinja", given.jinja)
    if given.generation:
        write(given.folder, "generation_config.json", given.generation)


main()
