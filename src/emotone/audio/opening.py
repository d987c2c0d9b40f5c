"""Opening a file that should hold audio; where it holds something else, what that is."""

import io
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from emotone.errors import AudioError

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/+[^/]", re.IGNORECASE)
HEADERLESS = (".al", ".pcm", ".raw", ".sb", ".sw", ".ub", ".ul", ".uw", ".vox")
NOT_AUDIO = {  # by the first bytes
    b"version https://git-lfs": "a Git LFS pointer, not the audio itself; run git lfs pull",
    b"/annex/objects/": "a git-annex pointer, not the audio itself; run git annex get",
    b"<!doctype html": "a web page, not audio; download the file itself",
    b"<html": "a web page, not audio; download the file itself",
    b"pk\3\4": "a ZIP archive, not audio; unpack it",
    b"\x1f\x8b": "a gzip archive, not audio; unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, not audio; unpack it",
    b"rar!": "a RAR archive, not audio; unpack it",
    b"%pdf-": "a PDF document, not audio; give the recording",
}


def opened(path: Path) -> BinaryIO:
    """Open a file; what comes out of a pipe, as of ``<(command)``, is copied to a temporary file.

    Returns:
        The file, seekable; its ``name`` is a path.

    Raises:
        AudioError: if it does not exist, is empty, cannot be read or is known not to be audio;
            without its name.
    """
    file: BinaryIO
    try:
        _check_existence(path)
        if path.is_fifo():
            file = _copied(path)
        elif path.is_file():
            file = path.open("rb")
        else:
            kind = "a folder" if path.is_dir() else "a device or socket"
            raise AudioError(f"{kind}, not a file; save the audio to a file first")
    except (OSError, ValueError) as error:
        raise AudioError(
            f"cannot be read ({reason(error)}); check the path and its permissions"
        ) from error
    try:
        _check_content(file)
    except BaseException:
        file.close()
        raise
    return file


def reason(error: Exception) -> str:
    """Return the text of an error, without its number and the name of the file."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip().rstrip(".")


class Part(io.RawIOBase, BinaryIO):
    """The bytes of a file from ``start`` to ``end``, as a file; see :class:`io.RawIOBase`."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._size, self._at = file, start, end - start, 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place, in bytes."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(origin + offset, 0)
        return self._at

    def tell(self) -> int:
        """Return the place, in bytes."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read bytes into a buffer; return their number."""
        self._file.seek(self._start + self._at)
        data = self._file.read(max(min(len(buffer), self._size - self._at), 0))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _copied(pipe: Path) -> BinaryIO:
    copy = tempfile.NamedTemporaryFile(prefix="emotone-")  # noqa: SIM115
    with pipe.open("rb") as source:
        shutil.copyfileobj(source, copy)
    copy.seek(0)
    return cast(BinaryIO, copy)


def _check_existence(path: Path) -> None:
    if path.exists():
        return
    if ADDRESS.match(str(path)):
        raise AudioError("an address, not a file; download it first and give the file")
    if path.is_symlink():
        raise AudioError(f"a link to {path.readlink()}, which does not exist; check the link")
    raise AudioError("no such file; check the path")


def _check_content(file: BinaryIO) -> None:
    try:
        head = file.read(32).lower()
        file.seek(0)
    except OSError as error:
        raise AudioError(f"cannot be read ({reason(error)}); copy it again") from error
    if not head:
        raise AudioError("the file is empty (0 bytes); copy or record it again")
    for start, what in NOT_AUDIO.items():
        if head.lstrip().startswith(start):
            raise AudioError(what)
