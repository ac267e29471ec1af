# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An open model of the library, with a session for each thread that calls.

A session works for one thread at a time, so each thread gets its own, which
goes when the thread does. Closing never pulls anything away from under a call:
`with opened:` counts those who use the handles, and after close() the last of
them frees all.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from typing import Any, List

from ._abi import Library, Options


class Handle:
    """A handle of the library, closed once: by close() or with this object."""

    def __init__(self, value: ctypes.c_void_p, close: Any) -> None:
        self.value = value
        self.close = weakref.finalize(self, close, value)
        # At exit a daemon thread may still be in a call; the system cleans up.
        self.close.atexit = False


class OpenModel:
    """The handles of one open model, usable inside `with`."""

    def __init__(self, library: Library, options: Options) -> None:
        value = ctypes.c_void_p()
        library.check(library.table.open(ctypes.byref(options), ctypes.byref(value)))
        self.library = library
        self.closed = False
        self._model = Handle(value, library.table.close)
        self._users = 0
        self._local = threading.local()
        self._sessions: "weakref.WeakSet[Handle]" = weakref.WeakSet()
        # Re-entrant: a signal handler or a finalizer may call a model, too.
        self._lock = threading.RLock()

    def __enter__(self) -> "OpenModel":
        with self._lock:
            if self.closed:
                raise ValueError(f"the model {self.library.name} is closed")
            self._users += 1
        return self

    def __exit__(self, *_exception: Any) -> None:
        with self._lock:
            self._users -= 1
            self._free_unused()

    def close(self) -> None:
        with self._lock:
            self.closed = True
            self._free_unused()

    def _free_unused(self) -> None:
        if self.closed and self._users == 0:
            for session in list(self._sessions):
                session.close()
            self._model.close()

    @property
    def model(self) -> ctypes.c_void_p:
        return self._model.value

    @property
    def session(self) -> ctypes.c_void_p:
        """The calling thread's session, opened by its first call."""
        session = getattr(self._local, "session", None)
        if session is None:
            value = ctypes.c_void_p()
            table = self.library.table
            self.library.check(table.session_open(self.model, ctypes.byref(value)))
            session = Handle(value, table.session_close)
            with self._lock:
                self._sessions.add(session)
            self._local.session = session
        return session.value

    def sessions(self) -> List[Handle]:
        """Those of all threads; they live as long as the list."""
        with self._lock:
            return list(self._sessions)
