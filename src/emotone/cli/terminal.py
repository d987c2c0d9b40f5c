"""Standard output and standard error as people need them: any text, and ours alone."""

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

PLAIN = {"…": "...", "±": "+-", "–": "-", "−": "-", "×": "x", "Δ": "d", "→": "->"}
REPLACE = "emotone.replace"  # name of the error handler
STANDARD_OUTPUT, STANDARD_ERROR = 1, 2  # file descriptors


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
def standard_output_is_ours() -> Iterator[None]:
    """Keep what libraries print themselves out of the output, which other programs may read.

    ``sys.stdout`` writes to a copy of the file descriptor; what libraries write to the descriptor
    goes where errors go.
    """
    try:
        sys.stdout.flush()
        if sys.stdout.fileno() != STANDARD_OUTPUT:
            raise OSError
        direct = os.dup(STANDARD_OUTPUT)
        os.dup2(STANDARD_ERROR, STANDARD_OUTPUT)
    except (OSError, ValueError, AttributeError):  # closed, or another stream
        yield
        return
    before = sys.stdout
    sys.stdout = open(  # noqa: SIM115, PTH123  (a descriptor, which stays open)
        direct, "w", encoding=before.encoding, errors=before.errors,
        buffering=1 if before.line_buffering else -1,
    )  # fmt: skip
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(direct, STANDARD_OUTPUT)
        sys.stdout = before
