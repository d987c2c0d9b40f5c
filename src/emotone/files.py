"""Atomic file writes, also of pictures; reading of files that others made."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emotone.errors import StorageError, UsageError

TEMPORARY = ".emotone-tmp"  # end of the names of files that are being written
PICTURES = (".png", ".svg", ".pdf")
PICTURE_DPI = 110


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    Raises:
        StorageError: if the folder cannot be written, for instance because the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"cannot write {path}: {reason}; free some space or choose another folder, "
            "then run the same command again: finished work is kept"
        ) from error
    finally:
        with suppress_os_errors():
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically.

    Raises:
        StorageError: see :func:`replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_regular(path: Path, limit: int) -> bytes:
    """Read a file that somebody else may have made: a regular one, of a bounded size.

    A pipe, which could be waited for forever, or a device such as ``/dev/zero`` is not read.

    Args:
        path: a file, or a link to one.
        limit: most bytes.

    Raises:
        OSError: if it cannot be read, is another kind of file or too large.
    """
    kind = path.stat().st_mode
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "a pipe, socket or device"
        raise OSError(errno.EINVAL, f"it is {what}, not a file")
    with path.open("rb") as file:
        data = file.read(limit + 1) if os.fstat(file.fileno()).st_size <= limit else None
    if data is None or len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit / 1e6:.0f} MB")
    return data


def check_picture_name(path: Path) -> None:
    """Raise a :class:`UsageError` unless the suffix of ``path`` is that of an image format."""
    if path.suffix.lower() not in PICTURES:
        raise UsageError(f"--plot: expected a name ending in {', '.join(PICTURES)}, got {path}")


def save_picture(figure: Any, path: Path) -> None:
    """Write a Matplotlib figure in the image format of the suffix of ``path``.

    Raises:
        StorageError: see :func:`replacing`.
    """
    import matplotlib
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # names of speakers and labels are no formulas
        text.set_parse_math(False)
    with replacing(path) as temporary, matplotlib.rc_context({"text.parse_math": False}):
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=PICTURE_DPI)


@contextmanager
def suppress_os_errors() -> Iterator[None]:
    """Ignore an ``OSError`` while cleaning up, so that it does not hide the first one."""
    try:
        yield
    except OSError:
        return
