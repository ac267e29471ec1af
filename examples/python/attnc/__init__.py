# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs attention models that attnc compiled, with NumPy arrays.

    import attnc

    model = attnc.load("libminilm.so")
    vectors = model.encode(["a cat", "a dog"])           # float32 [2, 384]
    hidden = model.call("encode", input_ids=ids)         # any entry, by name

    model = attnc.load("libsmol.so")                     # a language model
    print(model.generate("Once upon a time", max_tokens=50).text)

Everything is learnt from the library's own description of itself: the same
package drives every model.
"""

from ._errors import (
    AbiError,
    CancelledError,
    ContextFullError,
    DeviceError,
    Error,
    FileError,
    InvalidArgumentError,
    OutOfMemoryError,
    SystemFailure,
    UnavailableError,
    UnsupportedProcessorError,
    VocabularyError,
    WeightsError,
)
from ._entries import Argument, Entry
from ._generate import Generated
from ._model import Model, load

__version__ = "0.1.0"

__all__ = [
    "AbiError",
    "Argument",
    "CancelledError",
    "ContextFullError",
    "DeviceError",
    "Entry",
    "Error",
    "FileError",
    "Generated",
    "InvalidArgumentError",
    "Model",
    "OutOfMemoryError",
    "SystemFailure",
    "UnavailableError",
    "UnsupportedProcessorError",
    "VocabularyError",
    "WeightsError",
    "load",
]
