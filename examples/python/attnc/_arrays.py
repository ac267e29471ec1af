# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which arrays a library may work on as they lie, and what becomes of others.

An array of the right type whose elements lie one after the other is used where
it is. Another one is refused, unless the caller asked for conversion: a silent
copy would cost time, and a silent change of type, the values. Lists and numbers
are no arrays yet, so they become ones of the right type.
"""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

# bfloat16 is not a type of NumPy: its bits travel as uint16.
DTYPES: "Dict[str, np.dtype[Any]]" = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(np.uint16),
    "i8": np.dtype(np.int8),
    "u8": np.dtype(np.uint8),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "bool": np.dtype(np.bool_),
}


def _convert(where: str, value: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A new array of `dtype`; refuses values that it cannot hold."""
    array = np.asarray(value)
    if array.size == 0:
        return np.zeros(array.shape, dtype)
    if array.dtype.kind not in "biuf" or (dtype.kind != "f" and array.dtype.kind == "f"):
        raise TypeError(
            f"{where} holds {array.dtype}, which does not convert to {dtype}"
        )
    if dtype.kind in "iu" and array.dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        low, high = int(array.min()), int(array.max())
        if low < bounds.min or high > bounds.max:
            raise ValueError(
                f"{where} has values from {low} to {high}; {dtype} holds "
                f"{bounds.min} to {bounds.max}"
            )
    return np.ascontiguousarray(array, dtype)


def as_input(
    where: str, value: Any, dtype: np.dtype[Any], convert: bool
) -> np.ndarray[Any, Any]:
    """The array to read from: `value` itself wherever that is possible."""
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return _convert(where, value, dtype)
    if value.dtype != dtype:
        if not convert:
            raise TypeError(
                f"{where} holds {value.dtype}; expected {dtype}: say "
                f".astype(np.{dtype}), or convert=True"
            )
        return _convert(where, value, dtype)
    if not (value.flags.c_contiguous and value.flags.aligned):
        if not convert:
            raise ValueError(
                f"{where} is not C-contiguous; say np.ascontiguousarray(...), or "
                "convert=True"
            )
        return np.array(value, dtype, order="C")
    return value


def check_output(
    where: str, value: Any, dtype: np.dtype[Any], shape: "tuple[int, ...]"
) -> np.ndarray[Any, Any]:
    """`value`, if results can be written straight into it."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{where} is a {type(value).__name__}; expected an array")
    if value.dtype != dtype:
        raise TypeError(f"{where} holds {value.dtype}; expected {dtype}")
    if value.shape != shape:
        raise ValueError(f"{where} has the shape {value.shape}; expected {shape}")
    flags = value.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable):
        what = "writeable" if not flags.writeable else "C-contiguous"
        raise ValueError(f"{where} is not {what}; results are written in place")
    return value
