"""What the tables of an MP4, M4A or MOV file say about its bytes (ISO/IEC 14496-12)."""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
TRACK_PATH = (b"trak", b"mdia", b"minf", b"stbl")
MAX_TABLES = 1 << 28  # bytes; those of a recording of a day have a few MB


def missing(file: BinaryIO, size: int) -> str | None:
    """Say what is missing at the end of a file; see :func:`emotone.audio.containers.missing`."""
    tables = None
    for name, start, end in _top_boxes(file, size):
        if name == b"moov":
            if end > size:
                return f"its tables lack {end - size} bytes"
            file.seek(start)
            tables = file.read(min(end - start, MAX_TABLES))
    if tables is None:
        return "its tables are missing, which are written last"
    needed = max((_last_byte(track) for track in _inside(tables, TRACK_PATH)), default=0)
    if not needed:  # the sound is in fragments, each with its own table
        needed = max(end for _, _, end in _top_boxes(file, size))
    return f"{needed - size} of {needed} bytes are missing" if needed > size else None


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start of the content and end of each box."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, name = struct.unpack(">I4s", head[:8])
        start = at + 8
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
            start = at + 16
        end = size if length == 0 else at + length
        if end < start:
            return
        yield name, start, end
        at = end


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        if length < 8:
            return
        yield name, content[at + 8 : at + length]
        at += length


def _inside(content: bytes, path: tuple[bytes, ...]) -> Iterator[bytes]:
    for name, inner in _boxes(content):
        if name == path[0]:
            if len(path) == 1:
                yield inner
            else:
                yield from _inside(inner, path[1:])


def _last_byte(table: bytes) -> int:
    """Return the end of the last chunk of a track, in bytes from the file's start; 0 if none."""
    boxes = dict(_boxes(table))
    try:
        width, name = (8, b"co64") if b"co64" in boxes else (4, b"stco")
        offsets = _numbers(boxes[name], 4, width)
        if not len(offsets):
            return 0
        same_size, count = struct.unpack_from(">II", boxes[b"stsz"], 4)
        (entries,) = struct.unpack_from(">I", boxes[b"stsc"], 4)
        _, in_last_chunk, _ = struct.unpack_from(">III", boxes[b"stsc"], 8 + 12 * (entries - 1))
        if same_size:
            # 1 stands for a sample of PCM of any width in QuickTime files
            return int(offsets.max() + same_size * in_last_chunk)
        sizes = _numbers(boxes[b"stsz"], 8, 4)
        last = sizes[max(count - in_last_chunk, 0) :]
        return max(int(offsets.max()) + 1, int(offsets[-1]) + int(last.sum()))
    except (KeyError, struct.error):
        return 0


def _numbers(box: bytes, at: int, width: int) -> NDArray[Any]:
    (count,) = struct.unpack_from(">I", box, at)
    count = min(count, (len(box) - at - 4) // width)
    return np.frombuffer(box, f">u{width}", count, at + 4)
