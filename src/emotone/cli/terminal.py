"""Standard output and standard error as people need them: any text, and ours alone."""

import codecs
import io
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

PLAIN = {"…": "...", "±": "+-", "–": "-", "−": "-", "×": "x", "Δ": "d", "→": "->"}
REPLACE = "emotone.replace"  # name of the error handler
STANDARD_ERROR = 2  # file descriptor
FORWARD_S = 0.5  # limit for forwarding the last lines
# what libmpg123, within libsndfile, prints about damaged MP3 files
NOISE = re.compile(rb"\[(src/)?libmpg123/|Note: |Warning: (Big|Frank|Xing|Encountered)|\s*$")


def accept_any_text() -> None:
    """Print what the encoding of the terminal lacks in ASCII, instead of failing."""
    codecs.register_error(REPLACE, _replaced)
    for descriptor, name in ((1, "stdout"), (STANDARD_ERROR, "stderr")):
        if getattr(sys, name) is None:  # closed by the caller, who does not want it
            nothing = os.open(os.devnull, os.O_WRONLY)
            if nothing != descriptor:  # which another file would get, and with it the messages
                os.dup2(nothing, descriptor)
            setattr(sys, name, open(descriptor, "w", closefd=False))  # noqa: SIM115
    with suppress(OSError, ValueError):  # another stream
        sys.stderr = _unfailing(sys.stderr.fileno(), sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=REPLACE)


class _Unfailing(io.FileIO):
    """A descriptor, which stays open, for messages; they are lost if nobody can take them."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _unfailing(descriptor: int, like: TextIO) -> TextIO:
    raw = _Unfailing(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), like.encoding, like.errors, line_buffering=True, write_through=True
    )


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Return the replacement of characters that cannot be encoded, valid within JSON."""
    assert isinstance(error, UnicodeEncodeError)
    failed = error.object[error.start : error.end]
    return "".join(PLAIN.get(char) or json.dumps(char)[1:-1] for char in failed), error.end


@contextmanager
def library_messages_hidden() -> Iterator[None]:
    """Drop what C libraries print about damaged files; emotone reports these files itself.

    They write to file descriptor 2. Meanwhile it is a pipe, from which a thread forwards all other
    lines, and ``sys.stderr`` writes to a copy of the descriptor.
    """
    try:
        direct = os.dup(STANDARD_ERROR)
        if sys.stderr.fileno() != STANDARD_ERROR:
            raise OSError
    except (OSError, ValueError, AttributeError):  # closed, or another stream
        yield
        return
    before = sys.stderr
    sys.stderr = _unfailing(direct, before)
    reading, writing = os.pipe()
    os.dup2(writing, STANDARD_ERROR)
    os.close(writing)
    forward = threading.Thread(target=_forward, args=(reading, direct), daemon=True)
    forward.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(direct, STANDARD_ERROR)
        forward.join(FORWARD_S)  # worker processes may still have the pipe
        sys.stderr = before


def _forward(reading: int, direct: int) -> None:
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not NOISE.match(line):
                with suppress(OSError):  # nobody takes it
                    os.write(direct, line)
