# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gives a GGUF file of a tiny decoder of 40 tokens a tokenizer of characters, a chat
template, the end of a turn as a stop token, and a temperature.

    python3 chat-gguf.py MODEL.gguf TARGET.gguf
"""
import struct
import sys

CHATML = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
          "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
          "{% endif %}")
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
UINT32, INT32, FLOAT, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def array(kind, values):
    return struct.pack("<IQ", kind, len(values)) + b"".join(values)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += struct.calcsize("<" + form)
        return value

    def string(self):
        size = self.number("Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def skip(self, kind):
        if kind == STRING:
            self.string()
        elif kind == ARRAY:
            inner, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip(inner)
        else:
            self.at += SIZES[kind]


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    reader = Reader(data)
    assert data[:4] == b"GGUF"
    reader.at = 4
    version, tensors, count = reader.number("I"), reader.number("Q"), reader.number("Q")
    kept = []
    for _ in range(count):
        start = reader.at
        key = reader.string()
        reader.skip(reader.number("I"))
        if not key.startswith("tokenizer."):
            kept.append(data[start:reader.at])
    infos = reader.at
    for _ in range(tensors):
        reader.string()
        rank = reader.number("I")
        reader.at += 8 * rank + 4 + 8
    infos, end = data[infos:reader.at], (reader.at + 31) // 32 * 32
    tokens = SPECIAL + ["\n", "\u2581"] + [chr(c) for c in range(ord("a"), ord("z") + 1)]
    tokens += ["<", ">", "|", "_", ":", "/", "\ufffd"]
    kinds = [2] + [3] * 4 + [1] * 35
    kept += [
        entry("tokenizer.ggml.model", STRING, text("llama")),
        entry("tokenizer.ggml.tokens", ARRAY, array(STRING, [text(t) for t in tokens])),
        entry("tokenizer.ggml.scores", ARRAY,
              array(FLOAT, [struct.pack("<f", -i) for i in range(40)])),
        entry("tokenizer.ggml.token_type", ARRAY,
              array(INT32, [struct.pack("<i", kind) for kind in kinds])),
        entry("tokenizer.ggml.unknown_token_id", UINT32, struct.pack("<I", 0)),
        entry("tokenizer.ggml.bos_token_id", UINT32, struct.pack("<I", 1)),
        entry("tokenizer.ggml.eos_token_id", UINT32, struct.pack("<I", 2)),
        entry("tokenizer.ggml.eot_token_id", UINT32, struct.pack("<I", 4)),
        entry("tokenizer.ggml.add_space_prefix", BOOL, b"\0"),
        entry("tokenizer.chat_template", STRING, text(CHATML)),
        entry("general.sampling.temp", FLOAT, struct.pack("<f", 0.25))]
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, len(kept)) + b"".join(kept) + infos
    with open(sys.argv[2], "wb") as file:
        file.write(head + bytes(-len(head) % 32) + data[end:])


main()
