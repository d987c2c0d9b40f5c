"""What a container says about its length, and whether a file has all of it.

Decoders shorten a cut file without an error, and their frame counts may be estimates. The
containers themselves say how many bytes, pages or frames belong to them.

Sources: RIFF and RF64 (EBU Tech 3306), Wave64, AIFF-C, AU, CAF, Ogg (RFC 3533), Matroska
(RFC 9559), FLAC (RFC 9639). MP4 and MP3 are in modules of their own.
"""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from emotone.audio import mp3, mp4

AVI = b"AVI "
PLACEHOLDERS = (  # lengths that programs write when they cannot know the length
    range(0x7FFF0000, 0x80000101),
    range(0xFFFF0000, 0x100000000),
)
EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
BEGINS, ENDS = 2, 4  # flags of an Ogg page: first and last of its logical stream
SEARCHED = 1 << 16  # bytes read at once in search of the next Ogg page


def missing(file: BinaryIO) -> str | None:
    """Say what is missing at the end of a file, according to its container.

    Args:
        file: the file, seekable.

    Returns:
        What is missing, such as ``"100 of 200 bytes of sound are missing"``; ``None`` if the file
        is complete or its container says nothing about its length.
    """
    size = file.seek(0, 2)
    file.seek(0)
    magic = file.read(12)
    file.seek(0)
    check = _check_for(magic)
    return check(file, size) if check else mp3.missing(file)


def sound_to_the_end(file: BinaryIO) -> bool:
    """Whether a WAV file gives its sound a length of 0 although sound follows, as from a pipe."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
        return False
    for name, start, length in _chunks(file, 12, "<4sI"):
        if name == b"data":
            if length or start == size:
                return False
            end = start
            for follower, begin, more in _chunks(file, start, "<4sI"):
                if not follower.isascii() or begin + more > size:
                    return True
                end = begin + more
            return end + end % 2 < size
    return False


def ogg_links(file: BinaryIO) -> list[tuple[int, int]]:
    """Return start and end, in bytes, of the streams that follow each other in an Ogg file."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"OggS":
        return []
    starts, in_headers = [], False
    for start, _, flags, _ in _pages(file, size):
        if flags & BEGINS and not in_headers:
            starts.append(start)
        in_headers = bool(flags & BEGINS)
    return list(zip(starts, [*starts[1:], size], strict=True))


def flac_samples(file: BinaryIO) -> int:
    """Return the number of samples that a FLAC file promises; 0 if it is unknown or no FLAC."""
    file.seek(0)
    head = file.read(26)
    if head[:4] != b"fLaC" or head[4] & 0x7F or len(head) < 26:
        return 0
    return int.from_bytes(head[18:26], "big") & (1 << 36) - 1


def _check_for(magic: bytes) -> Callable[[BinaryIO, int], str | None] | None:
    by_magic: dict[bytes, Callable[[BinaryIO, int], str | None]] = {
        b"RIFF": _riff,
        b"RIFX": _riff,
        b"RF64": _riff,
        b"BW64": _riff,
        b"riff": _w64,
        b"FORM": _aiff,
        b".snd": _au,
        b"dns.": _au,
        b"caff": _caf,
        b"OggS": _ogg,
        b"\x1a\x45\xdf\xa3": _matroska,
        b"fLaC": lambda file, size: None,  # counted in samples, see flac_samples
    }
    if magic[4:8] in mp4.FIRST_BOXES:
        return mp4.missing
    return by_magic.get(magic[:4])


def _lacking(length: int, start: int, size: int, slack: int = 0) -> str | None:
    lack = start + length - size
    return f"{lack} of {length} bytes of sound are missing" if lack > slack else None


def _chunks(file: BinaryIO, at: int, header: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start of the content and its length; chunks begin at even bytes."""
    width = struct.calcsize(header)
    while True:
        file.seek(at)
        head = file.read(width)
        if len(head) < width:
            return
        name, length = struct.unpack(header, head)
        yield name, at + width, length
        at += width + length + length % 2


def _riff(file: BinaryIO, size: int) -> str | None:
    order = ">" if file.read(4) == b"RIFX" else "<"
    (whole,) = struct.unpack(order + "I", file.read(4).ljust(4, b"\0"))
    form = file.read(4)
    if form == AVI:
        return _lacking(whole, 8, size)
    if form != b"WAVE":
        return None
    long_length = None
    for name, start, length in _chunks(file, 12, order + "4sI"):
        if name == b"ds64":
            file.seek(start + 8)
            (long_length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        if name == b"data":
            if length == 0xFFFFFFFF and long_length and long_length < 1 << 62:
                length = long_length
            elif length == 0 or any(length in lengths for lengths in PLACEHOLDERS):
                return None
            return _lacking(length, start, size, slack=start)  # some count from the file's start
    return "its sound is missing"


def _w64(file: BinaryIO, size: int) -> str | None:
    at = 40  # after the GUID of RIFF, the file's length and the GUID of WAVE
    while at + 24 <= size:
        file.seek(at)
        name, length = struct.unpack("<16sQ", file.read(24))
        if name[:4] == b"data":
            unknown = length <= 24 or length >= 1 << 62
            return None if unknown else _lacking(length - 24, at + 24, size)
        at += max(length + -length % 8, 24)
    return "its sound is missing"


def _aiff(file: BinaryIO, size: int) -> str | None:
    file.seek(8)
    if file.read(4) not in (b"AIFF", b"AIFC"):
        return None
    for name, start, length in _chunks(file, 12, ">4sI"):
        if name == b"SSND":
            unknown = length == 0 or any(length in lengths for lengths in PLACEHOLDERS)
            return None if unknown else _lacking(length, start, size)
    return "its sound is missing"


def _au(file: BinaryIO, size: int) -> str | None:
    order = ">" if file.read(4) == b".snd" else "<"
    start, length = struct.unpack(order + "II", file.read(8).ljust(8, b"\0"))
    unknown = any(length in lengths for lengths in PLACEHOLDERS)
    return None if unknown else _lacking(length, start, size)


def _caf(file: BinaryIO, size: int) -> str | None:
    at = 8
    while at + 12 <= size:
        file.seek(at)
        name, length = struct.unpack(">4sq", file.read(12))
        if name == b"data":
            return None if length < 0 else _lacking(length, at + 12, size)
        at += 12 + max(length, 0)
    return "its sound is missing"


def _pages(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield start, end, flags and serial number of each Ogg page; look on where one is damaged."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(27)
        if head[:4] != b"OggS":
            found = (head + file.read(SEARCHED)).find(b"OggS", 1)
            at += found if found >= 0 else SEARCHED
            continue
        if len(head) < 27:
            yield at, size + 1, 0, -1
            return
        sizes = file.read(head[26])
        end = at + 27 + head[26] + sum(sizes)
        yield at, end, head[5], int.from_bytes(head[14:18], "little")
        at = end


def _ogg(file: BinaryIO, size: int) -> str | None:
    unfinished: set[int] = set()
    in_headers = False
    end = 0
    for _, end, flags, serial in _pages(file, size):
        if flags & BEGINS:
            if not in_headers:
                unfinished.clear()  # an earlier stream that was never closed
            unfinished.add(serial)
        in_headers = bool(flags & BEGINS)
        if flags & ENDS and end <= size:
            unfinished.discard(serial)
    if end > size:
        return f"its last page lacks {end - size} bytes"
    return "its end-of-stream page is missing" if unfinished else None


def _matroska(file: BinaryIO, size: int) -> str | None:
    at = 0
    while at < size:
        file.seek(at)
        name, _ = _number(file, keep_marker=True)
        length, unknown = _number(file)
        start = file.tell()
        if unknown or (name == SEGMENT and length == 0):
            if name not in (SEGMENT, CLUSTER):
                return None
            at = start  # a live recording: go through what is inside
            continue
        if start + length > size:
            return _lacking(length, start, size)
        at = start + length
    return None


def _number(file: BinaryIO, *, keep_marker: bool = False) -> tuple[int, bool]:
    """Read a number of variable length of EBML; also say whether it means "unknown"."""
    first = file.read(1)
    if not first or not first[0]:
        return 0, True
    width = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(width - 1), "big")
    bits = value & (1 << 7 * width) - 1
    return (value if keep_marker else bits), bits == (1 << 7 * width) - 1
