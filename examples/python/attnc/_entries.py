# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A library's entries, read from its description, and the sizes of a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from ._arrays import DTYPES
from ._errors import AbiError


@dataclass(frozen=True)
class Argument:
    """An input or output of an entry.

    dims: a number, or the name of a size, per axis. An input with a default may
    be left out.
    """

    name: str
    dtype: str
    dims: Tuple[Union[int, str], ...]
    default: Optional[int] = None

    def __str__(self) -> str:
        text = f"{self.name}: {self.dtype}[{', '.join(map(str, self.dims))}]"
        return text if self.default is None else f"{text} = {self.default}"

    @property
    def numpy_dtype(self) -> "np.dtype[Any]":
        return DTYPES[self.dtype]


@dataclass(frozen=True)
class Entry:
    """A function of the library: what it takes and gives."""

    name: str
    sizes: Tuple[str, ...]
    inputs: Tuple[Argument, ...]
    outputs: Tuple[Argument, ...]

    def __str__(self) -> str:
        inputs = ", ".join(map(str, self.inputs))
        return f"{self.name}({inputs}) -> {', '.join(map(str, self.outputs))}"


def _read_argument(json_object: Mapping[str, Any]) -> Argument:
    if json_object["dtype"] not in DTYPES:
        raise AbiError(
            f"{json_object['name']} is of the type {json_object['dtype']!r}; this "
            f"package knows {', '.join(DTYPES)}; take the one of the attnc that "
            "made the library"
        )
    return Argument(
        json_object["name"],
        json_object["dtype"],
        tuple(json_object["dims"]),
        json_object.get("default"),
    )


def read_entry(json_object: Mapping[str, Any]) -> Entry:
    return Entry(
        json_object["name"],
        tuple(json_object["sizes"]),
        tuple(map(_read_argument, json_object["inputs"])),
        tuple(map(_read_argument, json_object["outputs"])),
    )


def infer_sizes(
    entry: Entry,
    arrays: Mapping[str, "npt.NDArray[Any]"],
    given: Mapping[str, int],
) -> Dict[str, int]:
    """The entry's sizes, from the shapes of its inputs and from `given`."""
    sizes, source = {}, {}
    for name, value in given.items():
        if name not in entry.sizes:
            raise TypeError(
                f"{entry.name}: no size {name}; it has {', '.join(entry.sizes)}"
            )
        sizes[name], source[name] = int(value), "sizes"
    for argument in entry.inputs:
        if argument.name not in arrays:
            continue
        shape = arrays[argument.name].shape
        where = f"{entry.name}: {argument.name} has the shape {shape}"
        if len(shape) != len(argument.dims):
            raise ValueError(f"{where}; expected {argument}")
        for length, dim in zip(shape, argument.dims):
            if isinstance(dim, int):
                if length != dim:
                    raise ValueError(f"{where}; expected {argument}")
            elif sizes.setdefault(dim, length) != length:
                raise ValueError(
                    f"{where}, where {source[dim]} makes {dim} = {sizes[dim]}; "
                    f"expected {argument}"
                )
            else:
                source.setdefault(dim, argument.name)
    for name in entry.sizes:
        if name not in sizes:
            raise TypeError(
                f"{entry.name}: no input that was given has the size {name}; say "
                f"sizes={{'{name}': ...}}"
            )
    return sizes
