# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Text that a language model makes: options, results, what callbacks see."""

from __future__ import annotations

import codecs
import ctypes
from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Sequence
from typing import Union

from . import _abi
from ._errors import UnavailableError

#: Called with each token and the text that it completes; true to stop.
OnToken = Callable[[int, str], Any]

_STOPS = ("length", "token", "string", "caller", "context", "error")


class Generated(NamedTuple):
    """What generate() and chat() made."""

    text: str  #: empty in a library without text
    ids: List[int]
    #: "length", "token" (a stop token), "string", "caller" (the callback),
    #: "context" (no position is left) or "unknown" (of a later attnc)
    stop: str
    prompt_tokens: int


def make_options(table: Any, stop: Sequence[str], given: Mapping[str, Any]) -> Any:
    """attn_generate_options: the model's own, and over them what is given."""
    options = _abi.GenerateOptions()
    if table.generation:  # else one of an earlier attnc, which recommends nothing
        defaults = table.generation().contents.defaults
        size = min(defaults.contents.struct_size, ctypes.sizeof(options))
        ctypes.memmove(ctypes.byref(options), defaults, size)
    options.struct_size = ctypes.sizeof(options)
    for name, value in given.items():
        if value is not None:
            setattr(options, name, value)
    strings = (ctypes.c_char_p * len(stop))(*[text.encode() for text in stop])
    options.stop_strings = strings
    options.stop_string_count = len(stop)
    return options


class Listener:
    """Collects tokens. What the caller's function raises ends the generation and
    is raised once the library has returned."""

    def __init__(self, on_token: Optional[OnToken]) -> None:
        self.ids: List[int] = []
        self.pieces: List[str] = []
        self.error: Optional[BaseException] = None
        self._on_token = on_token
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.callback = _abi.TokenCallback(self._take)
        self.result = _abi.GenerateResult(
            struct_size=ctypes.sizeof(_abi.GenerateResult)
        )

    def _take(self, _context: Any, token: int, text: Any, length: int) -> int:
        piece = self._decoder.decode(ctypes.string_at(text, length) if length else b"")
        if token >= 0:
            self.ids.append(token)
        self.pieces.append(piece)
        try:
            return int(bool(self._on_token and self._on_token(token, piece)))
        except BaseException as error:  # it must not pass through the library
            self.error = error
            return 1

    def finish(self) -> Generated:
        if self.error:
            raise self.error
        return Generated(
            "".join(self.pieces),
            self.ids,
            # A library of a later attnc may stop for reasons of its own.
            dict(enumerate(_STOPS)).get(self.result.stop, "unknown"),
            self.result.prompt_tokens,
        )


def as_prompt(prompt: Union[str, bytes, Sequence[int]]) -> Union[bytes, Any]:
    """Bytes of UTF-8, or an array of token ids."""
    if isinstance(prompt, str):
        return prompt.encode("utf-8", "surrogatepass")
    if isinstance(prompt, bytes):
        return prompt
    ids = list(prompt)
    return (ctypes.c_int32 * len(ids))(*ids)


def as_messages(messages: Sequence[Mapping[str, str]]) -> Any:
    array = (_abi.Message * len(messages))()
    for place, message in zip(array, messages):
        for field in ("role", "content"):
            if not isinstance(message.get(field), str) or "\0" in message[field]:
                raise TypeError(
                    f"a message needs a str as {field!r}; this one is {message!r}"
                )
            setattr(place, field, message[field].encode("utf-8", "surrogatepass"))
    return array


def need(function: Any, name: str, what: str) -> Any:
    """The table's function, if the library has it."""
    if not function:
        raise UnavailableError(f"{name} has {what}")
    return function
