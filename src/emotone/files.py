"""Files that emotone writes, atomic, locked, never over others'; files that others made."""

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from emotone.errors import StorageError, UsageError

TEMPORARY = ".emotone-tmp"  # end of the names of files that are being written
MARK = "written by emotone"  # in files that emotone may overwrite
MARKED_BYTES = 1 << 14  # at the beginning and at the end of a file, where the mark may be
PICTURES = {".png": "Software", ".svg": "Creator", ".pdf": "Creator"}  # field of the mark
PICTURE_DPI = 110


def exists(path: str | Path) -> bool:
    """Whether there is a file or folder; of a word too long for a path, pathlib raises instead."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def hash_of(path: Path) -> str:
    """SHA-256 of a file, read again only if its size or time has changed since.

    Raises:
        OSError: if it cannot be read.
    """
    status = path.stat()
    return _hash_of(path, status.st_size, status.st_mtime_ns)


@cache
def _hash_of(path: Path, size: int, modified: int) -> str:  # noqa: ARG001  # they tell a change
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of_all(paths: Iterable[Path], advance: Callable[[], None]) -> str:
    """SHA-256 of what is in files, in their order; those that cannot be read are passed over.

    Args:
        paths: the files.
        advance: called after each.
    """
    whole = hashlib.sha256()
    for path in paths:
        with suppress(OSError):
            whole.update(bytes.fromhex(hash_of(path)))
        advance()
    return whole.hexdigest()


def is_marked(path: Path) -> bool:
    """Whether a file says, at its beginning or its end, that emotone wrote it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        ends = file.read(MARKED_BYTES)
        file.seek(max(size - MARKED_BYTES, 0))
        return MARK.encode() in ends + file.read()


def refuse_foreign(
    path: Path, is_ours: Callable[[Path], bool] = is_marked, *, force: bool | None = None
) -> None:
    """Raise unless a file may be written: it does not exist, or emotone made it.

    Args:
        path: file that is to be written.
        is_ours: whether emotone made the file.
        force: whether any file may be overwritten; ``None`` if the user cannot choose that.

    Raises:
        UsageError: if emotone did not make it.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file")
    if force or not (path.exists() or path.is_symlink()):
        return
    try:
        if path.is_file() and is_ours(path):
            return
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}; choose another name") from error
    other = (
        "Move it, or choose another name" if force is None else "Choose another name, or --force"
    )
    raise UsageError(f"{path} exists and was not made by emotone; nothing was changed. {other}")


@contextmanager
def locked(path: Path, output: str | Path, option: str) -> Iterator[IO[str]]:
    """Reserve an output for this process; yields the file of the lock, which may hold text.

    The file stays; the lock ends with the block or the process, however that ends.

    Args:
        path: file of the lock.
        output: what it reserves.
        option: option of the command line that chooses the output, or what it chooses.

    Raises:
        UsageError: if another process has reserved it.
        StorageError: if the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write to {output}: {error.strerror}; choose another {option}"
        ) from error
    with file:
        if not _lock(file.fileno()):
            raise UsageError(
                f"another emotone is writing to {output}; wait for it or choose another {option}"
            )
        yield file


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; returns whether no other process has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # locked bytes cannot be read there
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    Folders above it are created.

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


def check_picture(path: Path, *, force: bool = False) -> None:
    """Check the name of a picture that is to be written.

    Raises:
        UsageError: if the suffix is not that of an image format, or see :func:`refuse_foreign`.
    """
    if path.suffix.lower() not in PICTURES:
        raise UsageError(f"--plot: expected a name ending in {', '.join(PICTURES)}, got {path}")
    refuse_foreign(path, force=force)


def save_picture(figure: Any, path: Path) -> None:
    """Write a Matplotlib figure in the image format of the suffix of ``path``, with the mark.

    Raises:
        StorageError: see :func:`replacing`.
    """
    import matplotlib
    from matplotlib.text import Text

    for text in figure.findobj(Text):  # names of speakers and labels are no formulas
        text.set_parse_math(False)
    suffix = path.suffix.lower()
    with replacing(path) as temporary, matplotlib.rc_context({"text.parse_math": False}):
        figure.savefig(
            temporary, format=suffix[1:], dpi=PICTURE_DPI, metadata={PICTURES[suffix]: MARK}
        )


@contextmanager
def suppress_os_errors() -> Iterator[None]:
    """Ignore an ``OSError`` while cleaning up, so that it does not hide the first one."""
    try:
        yield
    except OSError:
        return
