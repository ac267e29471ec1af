# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A compiled language model from Python: attn_library of attn/attn.h by ctypes."""
import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, byref, c_char_p, c_float, c_int32, c_int64,
                    c_size_t, c_uint32, c_uint64, c_void_p)

CONTEXT_FULL = 11
FUNCTIONS = ("describe last_error open close info session_open session_close "
             "session_bytes call cancel tokenize encode_text session_reset "
             "session_length session_truncate session_fork session_reserve "
             "session_save session_load generate generate_text detokenize generation "
             "session_feed generate_batch chat_prompt chat_tokenize chat "
             "session_adapter").split()


class Table(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("abi_version", c_uint32),
                ("name", c_char_p)] + [(name, c_void_p) for name in FUNCTIONS]


class Buffer(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("bytes", c_size_t)]


class GenerateOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("max_tokens", c_int64),
                ("temperature", c_float), ("top_k", c_int32), ("top_p", c_float),
                ("min_p", c_float), ("repetition_penalty", c_float),
                ("seed", c_uint64), ("stop_tokens", c_void_p),
                ("stop_token_count", c_size_t), ("stop_strings", c_void_p),
                ("stop_string_count", c_size_t), ("keeps_model_stops", c_int32),
                ("sequence", c_int64), ("draft", c_void_p),
                ("draft_session", c_void_p), ("draft_tokens", c_int64)]


class GenerateResult(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("prompt_tokens", c_int64),
                ("tokens", c_int64), ("stop", c_int32), ("reused_tokens", c_int64),
                ("draft_tokens", c_int64), ("draft_accepted", c_int64)]


class GenerateRequest(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("options", POINTER(GenerateOptions)),
                ("ids", POINTER(c_int32)), ("count", c_size_t), ("text", c_char_p),
                ("length", c_size_t), ("result", POINTER(GenerateResult))]


SEQUENCE_CALLBACK = CFUNCTYPE(c_int32, c_void_p, c_int64, c_int32, c_void_p, c_size_t)
CALLBACK = CFUNCTYPE(c_int32, c_void_p, c_int32, c_void_p, c_size_t)
STOPS = ("length", "token", "string", "caller", "context", "error")


class OpenOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("weights_path", c_char_p),
                ("weights_data", c_void_p), ("weights_size", c_size_t),
                ("threads", c_int32), ("executor", c_void_p),
                ("allocator", c_void_p), ("log", c_void_p),
                ("log_context", c_void_p), ("device", c_char_p),
                ("variant", c_char_p), ("max_bytes", c_uint64),
                ("stream", c_void_p)]


class Failure(Exception):
    def __init__(self, status, text):
        super().__init__("status %d: %s" % (status, text))
        self.status = status


class Library:
    def __init__(self, path, threads=1, device=None):
        name = os.path.basename(path)[3:-3]
        self.handle = ctypes.CDLL(path)
        find = getattr(self.handle, name + "_library")
        find.restype = POINTER(Table)
        self.address = find()
        self.table = self.address.contents
        self.model = c_void_p()
        options = OpenOptions(ctypes.sizeof(OpenOptions), threads=threads,
                              device=device and device.encode())
        self("open", byref(options), byref(self.model))

    def __call__(self, function, *arguments):
        call = CFUNCTYPE(c_int32, *[type(a) if not isinstance(a, type(byref(c_int32())))
                                    else c_void_p for a in arguments])
        status = call(getattr(self.table, function))(*arguments)
        if status:
            error = CFUNCTYPE(c_char_p)(self.table.last_error)
            raise Failure(status, error().decode())

    def session(self):
        return Session(self)

    def close(self):
        CFUNCTYPE(None, c_void_p)(self.table.close)(self.model)


class Session:
    def __init__(self, library):
        self.library = library
        self.handle = c_void_p()
        library("session_open", library.model, byref(self.handle))

    def close(self):
        CFUNCTYPE(None, c_void_p)(self.library.table.session_close)(self.handle)

    def run(self, entry, rows, vocabulary, mask=None):
        """Appends rows of ids, filled up on the right; returns the logits' bytes:
        of the last positions (decode), or of all of them (score), per row."""
        batch, seq = len(rows), max(len(row) for row in rows)
        ids = (c_int32 * (batch * seq))()
        kept = (c_int32 * (batch * seq))()
        for b, row in enumerate(rows):
            for s, token in enumerate(row):
                ids[b * seq + s], kept[b * seq + s] = token, 1
        if mask:
            kept[:] = mask
        places = 1 if entry == "decode" else seq
        out = (c_float * (batch * places * vocabulary))()
        sizes = (c_int64 * 2)(batch, seq)
        inputs = (Buffer * 2)(*[Buffer(ctypes.cast(a, c_void_p), ctypes.sizeof(a))
                                for a in (ids, kept)])
        outputs = (Buffer * 1)(Buffer(ctypes.cast(out, c_void_p), ctypes.sizeof(out)))
        self.library("call", self.handle, c_char_p(entry.encode()),
                     ctypes.cast(sizes, c_void_p), c_size_t(2),
                     ctypes.cast(inputs, c_void_p), c_size_t(2),
                     ctypes.cast(outputs, c_void_p), c_size_t(1))
        data, step = bytes(out), 4 * places * vocabulary
        return [data[b * step:(b + 1) * step] for b in range(batch)]

    def reset(self):
        self.library("session_reset", self.handle)

    def length(self, sequence):
        length = c_int64()
        self.library("session_length", self.handle, c_int64(sequence), byref(length))
        return length.value

    def truncate(self, sequence, length):
        self.library("session_truncate", self.handle, c_int64(sequence),
                     c_int64(length))

    def fork(self, source, target):
        self.library("session_fork", self.handle, c_int64(source), c_int64(target))

    def reserve(self, sequences, length):
        self.library("session_reserve", self.handle, c_int64(sequences),
                     c_int64(length))

    def save(self, sequence):
        needed = c_size_t()
        self.library("session_save", self.handle, c_int64(sequence), c_void_p(),
                     c_size_t(0), byref(needed))
        data = ctypes.create_string_buffer(needed.value)
        self.library("session_save", self.handle, c_int64(sequence),
                     ctypes.cast(data, c_void_p), c_size_t(needed.value),
                     byref(needed))
        return data.raw

    def load(self, sequence, data):
        buffer = ctypes.create_string_buffer(data, len(data))
        self.library("session_load", self.handle, c_int64(sequence),
                     ctypes.cast(buffer, c_void_p), c_size_t(len(data)))

    def generate(self, prompt, stop_after=None, **given):
        """A prompt of ids or text: the tokens, the text, why it ended."""
        options = GenerateOptions(ctypes.sizeof(GenerateOptions))
        strings = given.pop("stop_strings", [])
        tokens = given.pop("stop_tokens", [])
        for name, value in given.items():
            setattr(options, name, value)
        string_array = (c_char_p * len(strings))(*[s.encode() for s in strings])
        token_array = (c_int32 * len(tokens))(*tokens)
        options.stop_strings = ctypes.cast(string_array, c_void_p)
        options.stop_string_count = len(strings)
        options.stop_tokens = ctypes.cast(token_array, c_void_p)
        options.stop_token_count = len(tokens)
        made, pieces = [], []

        @CALLBACK
        def take(_, token, text, length):
            if token >= 0:
                made.append(token)
            piece = ctypes.string_at(text, length) if length else b""
            piece.decode()  # whole characters only
            pieces.append(piece)
            return int(len(made) == stop_after)

        result = GenerateResult(ctypes.sizeof(GenerateResult))
        if isinstance(prompt, str):
            data = prompt.encode()
            self.library("generate_text", self.handle, byref(options),
                         c_char_p(data), c_size_t(len(data)), take, c_void_p(),
                         byref(result))
        else:
            array = (c_int32 * len(prompt))(*prompt)
            self.library("generate", self.handle, byref(options),
                         ctypes.cast(array, c_void_p), c_size_t(len(prompt)), take,
                         c_void_p(), byref(result))
        assert result.tokens == len(made), (result.tokens, made)
        self.accepted, self.guessed = result.draft_accepted, result.draft_tokens
        return made, b"".join(pieces).decode(), STOPS[result.stop]

    def generate_batch(self, prompts, sequences, max_tokens):
        """Prompts of ids for some sequences: the tokens of each."""
        count = len(prompts)
        arrays = [(c_int32 * len(prompt))(*prompt) for prompt in prompts]
        options = [GenerateOptions(ctypes.sizeof(GenerateOptions), max_tokens=most,
                                   keeps_model_stops=1, sequence=sequence)
                   for sequence, most in zip(sequences, max_tokens)]
        requests = (GenerateRequest * count)()
        for request, option, array in zip(requests, options, arrays):
            request.struct_size = ctypes.sizeof(GenerateRequest)
            request.options = ctypes.pointer(option)
            request.ids = ctypes.cast(array, POINTER(c_int32))
            request.count = len(array)
        made = {sequence: [] for sequence in sequences}

        @SEQUENCE_CALLBACK
        def take(_, sequence, token, text, length):
            if token >= 0:
                made[sequence].append(token)
            return 0

        self.library("generate_batch", self.handle, ctypes.cast(requests, c_void_p),
                     c_size_t(count), take, c_void_p())
        return [made[sequence] for sequence in sequences]
