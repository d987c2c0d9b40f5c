"""Standard output and standard error as people need them: any text, and ours alone."""

import codecs
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PLAIN = {"…": "...", "±": "+-", "–": "-", "−": "-", "×": "x", "Δ": "d", "→": "->"}
REPLACE = "emotone.replace"  # name of the error handler
STANDARD_OUTPUT, STANDARD_ERROR = 1, 2  # file descriptors


def accept_any_text() -> None:
    """Print what the encoding of the terminal lacks in ASCII, instead of failing."""
    codecs.register_error(REPLACE, _replaced)
    if sys.stdout is None:  # closed by the caller, who does not want it
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=REPLACE)


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
        ours, sys.stdout = sys.stdout, before
        os.dup2(direct, STANDARD_OUTPUT)
        ours.detach()  # what could not be written, since the disk is full, is not tried again
