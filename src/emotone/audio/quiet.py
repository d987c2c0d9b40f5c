"""Keeps decoders from printing: what is wrong with a file is said by emotone alone.

libsndfile and its libmpg123 print about damaged files, each in its own words, to C's standard
output and standard error, which belong to the program that uses emotone. While they work, C's
streams lead nowhere. Python has streams of its own, so nothing else is lost.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

# variables of the C library: their names; musl's cannot be changed, Windows has none
STREAMS = ("__stdoutp", "__stderrp") if sys.platform == "darwin" else ("stdout", "stderr")

_lock = threading.Lock()  # guards the following two
_users = 0
_before: list[int | None] = []


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what C libraries print; may be entered by several threads at once."""
    global _users
    streams, nowhere = _streams()
    with _lock:
        _users += 1
        if _users == 1:
            _before[:] = [stream.value for stream in streams]
            for stream in streams:
                stream.value = nowhere
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for stream, value in zip(streams, _before, strict=True):
                    stream.value = value


@cache
def _streams() -> tuple[list[Any], int | None]:
    """Return C's standard streams and one that leads nowhere; none where they are constant."""
    try:
        library = ctypes.CDLL(None)
        if sys.platform != "darwin":
            library.gnu_get_libc_version  # noqa: B018  (raises in other C libraries)
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.devnull.encode(), b"w")
        streams = [ctypes.c_void_p.in_dll(library, name) for name in STREAMS]
    except (AttributeError, OSError, TypeError, ValueError):
        return [], None
    return (streams, nowhere) if nowhere else ([], None)
