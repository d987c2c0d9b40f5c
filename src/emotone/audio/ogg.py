"""The pages of an Ogg file: whether the last one is there, and where streams begin (RFC 3533)."""

from collections.abc import Iterator
from typing import BinaryIO

BEGINS, ENDS = 2, 4  # flags of a page: first and last of its logical stream
SEARCHED = 1 << 16  # bytes read at once in search of the next page


def missing(file: BinaryIO, size: int) -> str | None:
    """Say what is missing at the end of a file; see :func:`emotone.audio.containers.missing`."""
    unfinished: set[int] = set()
    in_headers = False
    end = 0
    for _, end, flags, serial in _pages(file, size):
        if flags & BEGINS:
            if not in_headers and unfinished:
                break
            unfinished.add(serial)
        in_headers = bool(flags & BEGINS)
        if flags & ENDS and end <= size:
            unfinished.discard(serial)
    if end > size:
        return f"its last page lacks {end - size} bytes"
    return "its end-of-stream page is missing" if unfinished else None


def links(file: BinaryIO, size: int) -> list[int]:
    """Return where the streams that follow each other begin, in bytes."""
    starts, in_headers = [], False
    for start, _, flags, _ in _pages(file, size):
        if flags & BEGINS and not in_headers:
            starts.append(start)
        in_headers = bool(flags & BEGINS)
    return starts


def _pages(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield start, end, flags and serial number of each page; look on where one is damaged."""
    at = searched_from = 0
    while at < size:
        file.seek(at)
        head = file.read(27)
        if head[:4] != b"OggS":
            at = _next_page(file, searched_from, size)
            continue
        if len(head) < 27:
            yield at, size + 1, 0, -1
            return
        sizes = file.read(head[26])
        end = at + 27 + head[26] + sum(sizes)
        yield at, end, head[5], int.from_bytes(head[14:18], "little")
        at, searched_from = end, at + 4  # a page that was cut may hold the start of the next one


def _next_page(file: BinaryIO, at: int, size: int) -> int:
    """Return where the next page begins; ``size`` if there is none."""
    while at < size:
        file.seek(at)
        found = file.read(SEARCHED).find(b"OggS")
        if found >= 0:
            return at + found
        at += SEARCHED - 3
    return size
