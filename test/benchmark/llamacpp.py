# ===- llamacpp.py - llama.cpp's C API by ctypes ----------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# As the wheel of xllamacpp exports it. Parameters are passed on as the library's
# defaults, but for what stands at their beginning: their later fields differ from
# version to version.
#
# ===----------------------------------------------------------------------===//
import ctypes
import glob
import importlib.util
import os
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_uint32, c_void_p


class Parameters(ctypes.Structure):
    """Of a model or a context: at least as large as either."""
    _fields_ = [("words", c_uint32 * 256)]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", c_int32), ("token", POINTER(c_int32)),
                ("embd", c_void_p), ("pos", POINTER(c_int32)),
                ("n_seq_id", POINTER(c_int32)),
                ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8))]


def load():
    folder = os.path.dirname(importlib.util.find_spec("xllamacpp").origin)
    library = ctypes.CDLL(glob.glob(os.path.join(folder, "*.so"))[0])
    for name, result, arguments in (
            ("llama_print_system_info", c_char_p, []),
            ("llama_log_set", None, [c_void_p, c_void_p]),
            ("llama_model_default_params", Parameters, []),
            ("llama_context_default_params", Parameters, []),
            ("llama_model_load_from_file", c_void_p, [c_char_p, Parameters]),
            ("llama_init_from_model", c_void_p, [c_void_p, Parameters]),
            ("llama_set_n_threads", None, [c_void_p, c_int32, c_int32]),
            ("llama_model_get_vocab", c_void_p, [c_void_p]),
            ("llama_vocab_n_tokens", c_int32, [c_void_p]),
            ("llama_get_memory", c_void_p, [c_void_p]),
            ("llama_memory_clear", None, [c_void_p, c_bool]),
            ("llama_memory_seq_rm", c_bool, [c_void_p, c_int32, c_int32, c_int32]),
            ("llama_batch_init", Batch, [c_int32, c_int32, c_int32]),
            ("llama_batch_free", None, [Batch]),
            ("llama_decode", c_int32, [c_void_p, Batch]),
            ("llama_get_logits_ith", POINTER(c_float), [c_void_p, c_int32]),
            ("llama_free", None, [c_void_p]),
            ("llama_model_free", None, [c_void_p])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


SILENT = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)(lambda *_: None)


class Model:
    """A GGUF file, one sequence."""

    def __init__(self, path, context, threads):
        self.library = load()
        self.library.llama_log_set(ctypes.cast(SILENT, c_void_p), None)
        self.model = self.library.llama_model_load_from_file(
            path.encode(), self.library.llama_model_default_params())
        if not self.model:
            raise RuntimeError("llama.cpp does not load " + path)
        parameters = self.library.llama_context_default_params()
        # n_ctx, n_batch, n_ubatch.
        parameters.words[0] = context
        parameters.words[1] = parameters.words[2] = 512
        self.context = self.library.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise RuntimeError("llama.cpp makes no context for " + path)
        self.library.llama_set_n_threads(self.context, threads, threads)
        self.memory = self.library.llama_get_memory(self.context)
        self.vocabulary = self.library.llama_vocab_n_tokens(
            self.library.llama_model_get_vocab(self.model))
        self.batch = self.library.llama_batch_init(512, 0, 1)
        self.length = 0

    def info(self):
        return self.library.llama_print_system_info().decode()

    def truncate(self, length):
        if not self.library.llama_memory_seq_rm(self.memory, 0, length, -1):
            raise RuntimeError("llama.cpp does not take tokens back")
        self.length = length

    def append(self, ids, all_logits=False):
        """At most 512 tokens; logits of the last one, or of all, by logits()."""
        batch = self.batch
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i] = token, self.length + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = all_logits or i == len(ids) - 1
        status = self.library.llama_decode(self.context, batch)
        if status:
            raise RuntimeError("llama_decode: %d" % status)
        self.length += len(ids)

    def logits(self, index=-1):
        """Of token `index` of the last append (-1: the last one)."""
        return self.logits_pointer(index)[:self.vocabulary]

    def logits_pointer(self, index=-1):
        return self.library.llama_get_logits_ith(self.context, index)

    def close(self):
        self.library.llama_batch_free(self.batch)
        self.library.llama_free(self.context)
        self.library.llama_model_free(self.model)
