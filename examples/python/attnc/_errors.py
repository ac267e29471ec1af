# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One exception per attn_status; the text is the library's own message."""

from __future__ import annotations


class Error(Exception):
    """What a compiled library refused or could not do.

    The subclasses are also what Python programs expect to catch: ValueError for
    a bad argument, MemoryError, OSError for files and threads.
    """

    #: The attn_status of include/attn/attn.h.
    status: int = 0


class InvalidArgumentError(Error, ValueError):
    """NULL, out of range, wrong size or type."""

    status = 1


class OutOfMemoryError(Error, MemoryError):
    """The allocator or max_bytes said no."""

    status = 2


class FileError(Error, OSError):
    """A file could not be opened or read."""

    status = 3


class WeightsError(Error):
    """The weights are damaged, or of another model or layout."""

    status = 4


class AbiError(Error):
    """The library was built for another ATTN_ABI_VERSION."""

    status = 5


class UnsupportedProcessorError(Error):
    """No variant of the library runs on this processor."""

    status = 6


class CancelledError(Error):
    """Model.cancel() stopped the call; its outputs may be partly written."""

    status = 7


class SystemFailure(Error, OSError):
    """Threads or another service of the system failed."""

    status = 8


class UnavailableError(Error):
    """The library was built without this part."""

    status = 9


class DeviceError(Error, OSError):
    """No GPU or driver that can run it, or one that failed or was lost."""

    status = 10


class ContextFullError(Error, ValueError):
    """A sequence would have more positions than the library was compiled for."""

    status = 11


class VocabularyError(Error, ValueError):
    """Two libraries of different vocabularies."""

    status = 12


_BY_STATUS = {kind.status: kind for kind in Error.__subclasses__()}


def make_error(status: int, message: str) -> Error:
    """The exception for a status that is not ATTN_OK."""
    error = _BY_STATUS.get(status, Error)(message)
    error.status = status
    return error
