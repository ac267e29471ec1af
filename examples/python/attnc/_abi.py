# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""include/attn/attn.h and attn/text.h in ctypes, and the way to a table.

Nothing here knows any model: a library's one exported function NAME_library()
returns an attn_library, by which everything else is called. ctypes gives up the
interpreter's lock for the time of each of these calls.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import re
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t
from ctypes import c_uint32, c_uint64, c_void_p
from typing import Any, Optional

from ._errors import AbiError, FileError, UnavailableError, make_error

ABI_VERSION = 1

_LogCallback = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights_path", c_char_p),
        ("weights_data", c_void_p),
        ("weights_size", c_size_t),
        ("threads", c_int32),
        ("executor", c_void_p),
        ("allocator", c_void_p),
        ("log", _LogCallback),
        ("log_context", c_void_p),
        ("device", c_char_p),
        ("variant", c_char_p),
        ("max_bytes", c_uint64),
        ("stream", c_void_p),
    ]


class Buffer(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("bytes", c_size_t)]


class TextBatch(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("count", c_int64),
        ("texts", POINTER(c_char_p)),
        ("lengths", POINTER(c_size_t)),
        ("pairs", POINTER(c_char_p)),
        ("pair_lengths", POINTER(c_size_t)),
        ("max_length", c_int64),
        ("seq", c_int64),
        ("input_ids", c_void_p),
        ("attention_mask", c_void_p),
        ("token_type_ids", c_void_p),
        ("longest", c_int64),
    ]


class GenerateOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_tokens", c_int64),
        ("temperature", c_float),
        ("top_k", c_int32),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repetition_penalty", c_float),
        ("seed", c_uint64),
        ("stop_tokens", POINTER(c_int32)),
        ("stop_token_count", c_size_t),
        ("stop_strings", POINTER(c_char_p)),
        ("stop_string_count", c_size_t),
        ("keeps_model_stops", c_int32),
        ("sequence", c_int64),
        ("draft", c_void_p),
        ("draft_session", c_void_p),
        ("draft_tokens", c_int64),
    ]


class GenerateResult(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("prompt_tokens", c_int64),
        ("tokens", c_int64),
        ("stop", c_int),
        ("reused_tokens", c_int64),
        ("draft_tokens", c_int64),
        ("draft_accepted", c_int64),
    ]


class Generation(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("vocabulary", c_int64),
        ("positions", c_int64),
        ("sequences", c_int64),
        ("stop_tokens", POINTER(c_int32)),
        ("stop_token_count", c_size_t),
        ("defaults", POINTER(GenerateOptions)),
        ("tokenizer", c_char_p),
    ]


class Message(ctypes.Structure):
    _fields_ = [("role", c_char_p), ("content", c_char_p)]


TokenCallback = ctypes.CFUNCTYPE(c_int32, c_void_p, c_int32, c_void_p, c_size_t)


def _function(result: Any, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(result, *arguments)


# Of functions that are not called from here.
_unused = c_void_p


class Table(ctypes.Structure):
    """attn_library."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("abi_version", c_uint32),
        ("name", c_char_p),
        ("describe", _function(c_char_p)),
        ("last_error", _function(c_char_p)),
        ("open", _function(c_int, POINTER(Options), POINTER(c_void_p))),
        ("close", _function(None, c_void_p)),
        ("info", _function(c_int, c_void_p, c_char_p, c_size_t, POINTER(c_size_t))),
        ("session_open", _function(c_int, c_void_p, POINTER(c_void_p))),
        ("session_close", _function(None, c_void_p)),
        (
            "session_bytes",
            _function(
                c_int, c_void_p, c_char_p, POINTER(c_int64), c_size_t,
                POINTER(c_uint64),
            ),
        ),
        (
            "call",
            _function(
                c_int, c_void_p, c_char_p, POINTER(c_int64), c_size_t,
                POINTER(Buffer), c_size_t, POINTER(Buffer), c_size_t,
            ),
        ),
        ("cancel", _function(c_int, c_void_p)),
        ("tokenize", _function(c_int, c_void_p, POINTER(TextBatch))),
        (
            "encode_text",
            _function(
                c_int, c_void_p, c_int64, POINTER(c_char_p), POINTER(c_size_t),
                c_void_p,
            ),
        ),
        ("session_reset", _unused),
        ("session_length", _unused),
        ("session_truncate", _function(c_int, c_void_p, c_int64, c_int64)),
        ("session_fork", _unused),
        ("session_reserve", _unused),
        ("session_save", _unused),
        ("session_load", _unused),
        (
            "generate",
            _function(
                c_int, c_void_p, POINTER(GenerateOptions), POINTER(c_int32), c_size_t,
                TokenCallback, c_void_p, POINTER(GenerateResult),
            ),
        ),
        (
            "generate_text",
            _function(
                c_int, c_void_p, POINTER(GenerateOptions), c_char_p, c_size_t,
                TokenCallback, c_void_p, POINTER(GenerateResult),
            ),
        ),
        ("detokenize", _unused),
        ("generation", _function(POINTER(Generation))),
        ("session_feed", _unused),
        ("generate_batch", _unused),
        ("chat_prompt", _unused),
        ("chat_tokenize", _unused),
        (
            "chat",
            _function(
                c_int, c_void_p, POINTER(GenerateOptions), POINTER(Message), c_size_t,
                TokenCallback, c_void_p, POINTER(GenerateResult),
            ),
        ),
        ("session_adapter", _function(c_int, c_void_p, c_char_p)),
    ]


_LEVELS = {0: logging.DEBUG, 1: logging.INFO, 2: logging.WARNING}


def _log(_context: Any, level: int, message: bytes) -> None:
    logging.getLogger("attnc").log(
        _LEVELS.get(level, logging.INFO), "%s", message.decode(errors="replace")
    )


# Lives as long as the process: libraries keep the pointer.
LOG_CALLBACK = _LogCallback(_log)


class Library:
    """A loaded library: its table, and its description read from JSON."""

    def __init__(self, path: "str | os.PathLike[str]", name: Optional[str]) -> None:
        # Absolute, so that it is this file and not one on the loader's path.
        self.path = os.path.abspath(os.fspath(path))
        if name is None:
            match = re.fullmatch(r"lib([A-Za-z_]\w*)\.so[.\d]*",
                                 os.path.basename(self.path))
            if not match:
                raise ValueError(
                    f"{self.path}: not named libNAME.so; say name=..., the name "
                    "it was compiled with"
                )
            name = match.group(1)
        try:
            # Kept: the library must stay loaded while objects of it live.
            self._handle = ctypes.CDLL(self.path)
        except OSError as error:
            raise FileError(str(error)) from None
        try:
            function = getattr(self._handle, name + "_library")
        except AttributeError:
            raise UnavailableError(
                f"{self.path}: no function {name}_library; expected a library "
                "that attnc compiled with this name, or say name=..."
            ) from None
        function.restype = POINTER(Table)
        given = function().contents
        if given.abi_version != ABI_VERSION:
            raise AbiError(
                f"{self.path}: ABI version {given.abi_version}; this "
                f"package speaks {ABI_VERSION}; compile the model again"
            )
        # ABI version 1 began with a table that ends there.
        first = Table.session_reset.offset
        if given.struct_size < first:
            raise AbiError(
                f"{self.path}: its attn_library has {given.struct_size} "
                f"bytes; expected at least {first}; compile the model again"
            )
        # A library of an earlier attnc has a shorter table: what it lacks is
        # absent. What one of a later attnc has more is not for us.
        self.table: Any = Table()
        size = min(given.struct_size, ctypes.sizeof(Table))
        ctypes.memmove(ctypes.byref(self.table), ctypes.byref(given), size)
        self.table.struct_size = size
        self.name = self.table.name.decode()
        self.description = json.loads(self.table.describe())

    def check(self, status: int) -> None:
        """Raises what a status that is not ATTN_OK stands for."""
        if status != 0:
            message = self.table.last_error() or b""
            raise make_error(status, message.decode(errors="replace"))
