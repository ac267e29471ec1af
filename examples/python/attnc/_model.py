# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models: opening, entries by name, text."""

from __future__ import annotations

import collections
import ctypes
import json
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple
from typing import Union

import numpy as np
import numpy.typing as npt

from . import _abi
from ._arrays import DTYPES, as_input, check_output
from ._entries import Entry, infer_sizes, read_entry
from ._errors import UnavailableError
from ._generate import Generated, Listener, OnToken, as_messages, as_prompt
from ._generate import make_options, need
from ._session import OpenModel

Text = Union[str, bytes]


def _buffers(arrays: Sequence[Optional["npt.NDArray[Any]"]]) -> Any:
    buffers = (_abi.Buffer * len(arrays))()
    for buffer, array in zip(buffers, arrays):
        if array is not None:
            buffer.data, buffer.bytes = array.ctypes.data, array.nbytes
    return buffers


def _text_arrays(texts: Sequence[Text], what: str) -> Tuple[Any, Any]:
    """char *[count] and size_t[count]; the first keeps the bytes alive."""
    encoded = []
    for index, text in enumerate(texts):
        if not isinstance(text, (str, bytes)):
            raise TypeError(
                f"{what}[{index}] is a {type(text).__name__}; expected a str"
            )
        # A lone surrogate is no UTF-8: the library replaces it by U+FFFD.
        encoded.append(
            text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        )
    count = len(encoded)
    return (
        (ctypes.c_char_p * count)(*encoded),
        (ctypes.c_size_t * count)(*map(len, encoded)),
    )


class Model:
    """An open model. Made by load(); closed by close(), `with`, or when dropped.

    Any number of threads may call one model at once: each has a session of its
    own, and Python's lock is not held during a call. Every entry of the library
    is a method, `model.embed(input_ids=...)`, unless this class has a method of
    that name; `model.call("encode", ...)` reaches those.
    """

    def __init__(self, library: _abi.Library, options: _abi.Options) -> None:
        self._opened = OpenModel(library, options)
        self._table = library.table
        self._check = library.check
        self.name: str = library.name
        #: The library's description of itself.
        self.description: Dict[str, Any] = library.description
        #: Its functions by name.
        self.entries: Dict[str, Entry] = {
            entry["name"]: read_entry(entry) for entry in self.description["entries"]
        }
        self._results: Dict[str, Any] = {
            name: collections.namedtuple(
                name + "_result", [a.name for a in entry.outputs], rename=True
            )
            for name, entry in self.entries.items()
        }

    # --- Life -----------------------------------------------------------------

    def close(self) -> None:
        """Frees the model. Calls under way in other threads still finish, the
        last of them frees it then; later ones raise ValueError. A second close
        does nothing."""
        self._opened.close()

    @property
    def closed(self) -> bool:
        return self._opened.closed

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_exception: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else ", ".join(self.entries)
        return f"<attnc.Model {self.name} ({state})>"

    def cancel(self) -> None:
        """Stops the calls that other threads have under way: they raise
        CancelledError within one phase. Later calls are as ever."""
        with self._opened as opened:
            for session in opened.sessions():
                self._check(self._table.cancel(session.value))

    def info(self) -> Dict[str, Any]:
        """The open model: variant and why, threads, bytes, weights."""
        needed = ctypes.c_size_t(1024)
        with self._opened as opened:
            while True:
                text = ctypes.create_string_buffer(needed.value + 1)
                self._check(
                    self._table.info(
                        opened.model, text, len(text), ctypes.byref(needed)
                    )
                )
                if needed.value < len(text):
                    result: Dict[str, Any] = json.loads(text.value)
                    return result

    # --- Calls by name --------------------------------------------------------

    def call(
        self,
        entry: str,
        inputs: Optional[Mapping[str, npt.ArrayLike]] = None,
        /,
        *,
        out: Any = None,
        sizes: Optional[Mapping[str, int]] = None,
        convert: bool = False,
        **arrays: Any,
    ) -> Any:
        """Runs `entry` on arrays by name, in keywords or the mapping `inputs`.

        Shapes and types are those of `print(model.entries[entry])`; sizes come
        from the shapes, or from `sizes` where no input has them. C-contiguous
        arrays of the right type are read where they lie. Others are refused, or
        with convert=True copied; lists and numbers are always converted. None,
        or leaving it out, is an optional input's default.

        Returns the output, or a namedtuple where there are several. `out` is
        what to write into instead of a new array: an array, or with several
        outputs a mapping of arrays, C-contiguous, of the right type and shape,
        apart from the inputs.

        Raises TypeError (names, types), ValueError (shapes, values,
        InvalidArgumentError), OutOfMemoryError, CancelledError, SystemFailure.
        """
        described = self._entry(entry)
        read = self._read_inputs(described, {**(inputs or {}), **arrays}, convert)
        bound = infer_sizes(described, read, sizes or {})
        written = self._make_outputs(described, bound, out)
        for output, array in written.items():
            for name, other in [*read.items(), *written.items()]:
                if other is not array and np.may_share_memory(array, other):
                    raise ValueError(f"{entry}: {output} and {name} overlap")
        ordered = [bound[name] for name in described.sizes]
        size_array = (ctypes.c_int64 * len(ordered))(*ordered)
        input_buffers = _buffers([read.get(a.name) for a in described.inputs])
        output_buffers = _buffers(list(written.values()))

        with self._opened as opened:
            self._check(
                self._table.call(
                    opened.session, entry.encode(), size_array, len(ordered),
                    input_buffers, len(input_buffers),
                    output_buffers, len(output_buffers),
                )
            )
        if len(written) == 1:
            return next(iter(written.values()))
        return self._results[entry](*written.values())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        entries = self.__dict__.get("entries", {})
        if name not in entries:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}"
                + (f"; {self.name} has the entries: {', '.join(entries)}" if entries else "")
            )

        def bound(inputs: Any = None, /, **arrays: Any) -> Any:
            return self.call(name, inputs, **arrays)

        bound.__name__ = name
        bound.__doc__ = f"{entries[name]}\n\nSee Model.call."
        return bound

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *self.entries]

    def session_bytes(self, entry: str, **sizes: int) -> int:
        """The bytes that a session needs for a call of `entry` of these sizes."""
        described = self._entry(entry)
        bound = infer_sizes(described, {}, sizes)
        values = [bound[name] for name in described.sizes]
        result = ctypes.c_uint64()
        with self._opened as opened:
            self._check(
                self._table.session_bytes(
                    opened.model, entry.encode(), (ctypes.c_int64 * len(values))(*values),
                    len(values), ctypes.byref(result),
                )
            )
        return result.value

    # --- Adapters -------------------------------------------------------------

    @property
    def adapters(self) -> List[str]:
        """The adapters that the library keeps apart; empty if there are none."""
        return list(self.description.get("adapters", []))

    def choose_adapter(self, name: Optional[str]) -> None:
        """The calls of this thread compute with the adapter of this name from
        now on; with None they compute without any, as at first."""
        if not self._table.session_adapter:
            raise UnavailableError(
                f"{self.name}: this library has no adapters; compile it with "
                "--adapters"
            )
        with self._opened as opened:
            encoded = None if name is None else name.encode()
            self._check(self._table.session_adapter(opened.session, encoded))

    # --- Text -----------------------------------------------------------------

    def encode(
        self,
        texts: Union[Text, Sequence[Text]],
        *,
        out: Optional["npt.NDArray[np.float32]"] = None,
    ) -> "npt.NDArray[np.float32]":
        """Embeds texts: float32 [count, width], or [width] for a single str.

        Texts longer than the model's limit are truncated as its own tokenizer
        truncates. `out` is an array to write into. Raises UnavailableError if
        the library turns no text into vectors.
        """
        if isinstance(texts, (str, bytes)):
            row = None if out is None else out[None]
            vector: "npt.NDArray[np.float32]" = self.encode([texts], out=row)[0]
            return vector if out is None else out
        texts = list(texts)
        pointers, lengths = _text_arrays(texts, "texts")
        shape = (len(texts), self._text_width())
        if out is None:
            out = np.empty(shape, np.float32)
        result = check_output("out", out, DTYPES["f32"], shape)
        with self._opened as opened:
            if texts:
                self._check(
                    self._table.encode_text(
                        opened.session, len(texts), pointers, lengths,
                        result.ctypes.data,
                    )
                )
        return result

    def tokenize(
        self,
        texts: Union[Text, Sequence[Text]],
        pairs: Union[None, Text, Sequence[Text]] = None,
        *,
        max_length: int = 0,
    ) -> Dict[str, "npt.NDArray[np.int32]"]:
        """Texts, or pairs of texts, to int32 [count, longest] arrays by name.

        What comes out is what entries take: `model.embed(model.tokenize(...))`.
        Rows end in the pad token; max_length 0 is the model's own limit.
        """
        if not self._table.tokenize:
            raise self._no_text("no tokenizer; call it with token ids")
        texts = [texts] if isinstance(texts, (str, bytes)) else list(texts)
        batch = _abi.TextBatch(struct_size=ctypes.sizeof(_abi.TextBatch))
        batch.count, batch.max_length = len(texts), max_length
        batch.texts, batch.lengths = _text_arrays(texts, "texts")
        if pairs is not None:
            pairs = [pairs] if isinstance(pairs, (str, bytes)) else list(pairs)
            if len(pairs) != len(texts):
                raise ValueError(f"{len(pairs)} pairs for {len(texts)} texts")
            batch.pairs, batch.pair_lengths = _text_arrays(pairs, "pairs")
        taken = {a.name for entry in self.entries.values() for a in entry.inputs}
        rows: "Dict[str, npt.NDArray[np.int32]]" = {}
        with self._opened as opened:
            self._check(self._table.tokenize(opened.model, ctypes.byref(batch)))
            batch.seq = batch.longest
            for name in ("input_ids", "attention_mask", "token_type_ids"):
                if name == "input_ids" or name in taken:
                    rows[name] = np.empty((len(texts), batch.seq), np.int32)
                    setattr(batch, name, rows[name].ctypes.data)
            self._check(self._table.tokenize(opened.model, ctypes.byref(batch)))
        return rows

    # --- Language models ------------------------------------------------------

    def generate(
        self,
        prompt: Union[Text, Sequence[int]],
        *,
        stop: Union[str, Sequence[str]] = (),
        on_token: Optional[OnToken] = None,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = None,
        top_k: Optional[int] = None,
        top_p: Optional[float] = None,
        min_p: Optional[float] = None,
        repetition_penalty: Optional[float] = None,
        seed: Optional[int] = None,
    ) -> Generated:
        """Continues a prompt, a str or token ids, from an empty sequence.

        What is not given is what the model's authors recommend; temperature=0
        takes the likeliest token each time. `stop` is a text to stop before, or
        several. `on_token(token, text)` sees each token as it is made, and stops
        by returning something true. Raises UnavailableError if the library is
        no language model, ContextFullError if the prompt is too long.
        """
        given = {
            "max_tokens": max_tokens, "temperature": temperature, "top_k": top_k,
            "top_p": top_p, "min_p": min_p,
            "repetition_penalty": repetition_penalty, "seed": seed,
        }
        table, name = self._table, self.name
        need(table.generate, name, "no entry that generates text")
        data = as_prompt(prompt)
        if isinstance(data, bytes):
            need(table.generate_text, name, "no tokenizer; give token ids")
            function: Any = table.generate_text
        else:
            function = table.generate
        return self._generate(
            function, data, stop, on_token, given, restarts=True
        )

    def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        stop: Union[str, Sequence[str]] = (),
        on_token: Optional[OnToken] = None,
        **options: Any,
    ) -> Generated:
        """Answers a conversation: [{"role": "user", "content": "Hello!"}].

        The whole of it is given each time; what the thread's session holds of
        it already is not computed again. Options are those of generate().
        """
        need(self._table.chat, self.name, "no chat template")
        unknown = set(options) - {
            "max_tokens", "temperature", "top_k", "top_p", "min_p",
            "repetition_penalty", "seed",
        }
        if unknown:
            raise TypeError(f"chat: no option {', '.join(sorted(unknown))}")
        data = as_messages(messages)
        return self._generate(
            self._table.chat, data, stop, on_token, options, restarts=False
        )

    def _generate(
        self,
        function: Any,
        data: Any,
        stop: Union[str, Sequence[str]],
        on_token: Optional[OnToken],
        given: Mapping[str, Any],
        restarts: bool,
    ) -> Generated:
        stops = [stop] if isinstance(stop, str) else list(stop)
        options = make_options(self._table, stops, given)
        listener = Listener(on_token)
        with self._opened as opened:
            if restarts:
                self._check(self._table.session_truncate(opened.session, 0, 0))
            self._check(
                function(
                    opened.session, ctypes.byref(options), data, len(data),
                    listener.callback, None, ctypes.byref(listener.result),
                )
            )
        return listener.finish()

    # --- Inside ---------------------------------------------------------------

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise AttributeError(
                f"{self.name} has no entry {name!r}; it has: {', '.join(self.entries)}"
            )
        return self.entries[name]

    def _no_text(self, what: str) -> Exception:
        return UnavailableError(f"{self.name} has {what}")

    def _text_width(self) -> int:
        text = self.description.get("text") or {}
        if "entry" not in text or not self._table.encode_text:
            raise self._no_text("no entry that turns text into vectors")
        for output in self.entries[text["entry"]].outputs:
            if output.dtype == "f32" and len(output.dims) == 2:
                return int(output.dims[1])
        raise self._no_text("no output [batch, width] for text")

    @staticmethod
    def _read_inputs(
        entry: Entry, given: Mapping[str, Any], convert: bool
    ) -> Dict[str, "npt.NDArray[Any]"]:
        left = dict(given)
        read = {}
        for argument in entry.inputs:
            value = left.pop(argument.name, None)
            if value is not None:
                where = f"{entry.name}: {argument.name}"
                read[argument.name] = as_input(
                    where, value, argument.numpy_dtype, convert
                )
            elif argument.default is None:
                raise TypeError(f"{entry.name}: the input {argument} is missing")
        if left:
            raise TypeError(
                f"{entry.name}: no input {', '.join(left)}; expected {entry}"
            )
        return read

    @staticmethod
    def _make_outputs(
        entry: Entry, sizes: Mapping[str, int], out: Any
    ) -> Dict[str, "npt.NDArray[Any]"]:
        given = {} if out is None else out
        if not isinstance(given, Mapping):
            if len(entry.outputs) != 1:
                raise TypeError(
                    f"{entry.name}: out is a {type(out).__name__}; expected a "
                    f"mapping of arrays for {entry}"
                )
            given = {entry.outputs[0].name: out}
        left = dict(given)
        written = {}
        for argument in entry.outputs:
            shape = tuple(d if isinstance(d, int) else sizes[d] for d in argument.dims)
            array = left.pop(argument.name, None)
            if array is None:
                # The library refuses sizes out of bounds; empty() comes first.
                if min(shape, default=1) < 0:
                    raise ValueError(f"{entry.name}: {argument} would be {shape}")
                array = np.empty(shape, argument.numpy_dtype)
            where = f"{entry.name}: out ({argument.name})"
            written[argument.name] = check_output(
                where, array, argument.numpy_dtype, shape
            )
        if left:
            raise TypeError(
                f"{entry.name}: no output {', '.join(left)}; expected {entry}"
            )
        return written


def load(
    path: "str | os.PathLike[str]",
    *,
    name: Optional[str] = None,
    weights: Union[None, str, "os.PathLike[str]"] = None,
    threads: int = 0,
    variant: Optional[str] = None,
    max_bytes: int = 0,
) -> Model:
    """Opens the model in a library that attnc compiled.

    path: libNAME.so, a file (the loader's search path is not used).
    name: NAME, if the file was renamed.
    weights: its weights file; by default embedded, or NAME.weights beside it.
    threads: 0 for what the affinity mask and the control group allow.
    variant: one of those in `model.description["variants"]`; by default the
        best that runs here.
    max_bytes: the most that the model and its sessions may take; 0 for no limit.

    Raises FileError, WeightsError, AbiError, UnsupportedProcessorError,
    OutOfMemoryError, InvalidArgumentError and SystemFailure (all attnc.Error).
    What the library logs goes to logging.getLogger("attnc").
    """
    if not -(2**31) <= threads < 2**31 or not 0 <= max_bytes < 2**64:
        raise ValueError(f"threads is {threads}, max_bytes {max_bytes}: out of range")
    library = _abi.Library(path, name)
    options = _abi.Options(
        struct_size=ctypes.sizeof(_abi.Options),
        threads=threads,
        max_bytes=max_bytes,
        log=_abi.LOG_CALLBACK,
    )
    if weights is not None:
        options.weights_path = os.fsencode(os.path.abspath(weights))
    if variant is not None:
        options.variant = variant.encode()
    return Model(library, options)
