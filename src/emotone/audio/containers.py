"""What a container says about its length, and whether a file has all of it.

Decoders shorten a cut file without an error, and their frame counts may be estimates. The
containers themselves say how many bytes, pages or frames belong to them.

Sources: RIFF and RF64 (EBU Tech 3306), Wave64, AIFF-C, AU, CAF, Ogg (RFC 3533), Matroska
(RFC 9559), FLAC (RFC 9639), ASF, VOC, NIST SPHERE. Ogg, MP4 and MP3 are in modules of their own.
"""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from emotone.audio import mp3, mp4, ogg
from emotone.audio.opening import Part
from emotone.errors import AudioError

AVI = b"AVI "
PLACEHOLDERS = (  # lengths that programs write when they cannot know the length
    range(0x7FFF0000, 0x80000101),
    range(0xFFFF0000, 0x100000000),
)
EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
FLAC_START = b"fLaC\0\0\0\x22"  # and the length of what follows, with more metadata after it
SEARCHED = 1 << 20  # bytes read at once in search of the next stream


def missing(file: BinaryIO) -> str | None:
    """Say what is missing at the end of a file, according to its container.

    Args:
        file: the file, seekable.

    Returns:
        What is missing, such as ``"100 of 200 bytes are missing"``; ``None`` if the file
        is complete or its container says nothing about its length.
    """
    size = file.seek(0, 2)
    _, magic = _beginning(file)
    check = _check_for(magic)
    if magic[:4] == b"RIFF" and (joined := links(file)):
        start = joined[-1][0]  # only the last one can lack its end
        file, size = Part(file, start, size), size - start
    file.seek(0)
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


def links(file: BinaryIO) -> list[tuple[int, int]]:
    """Return start and end, in bytes, of the streams that follow each other in a file.

    Returns:
        One pair for most Ogg, FLAC and WAV files; none for other containers.
    """
    size = file.seek(0, 2)
    start, magic = _beginning(file)
    if magic[:4] == b"OggS":
        starts = ogg.links(file, size)
    elif magic[:8] == FLAC_START:
        starts = [start, *_found(file, FLAC_START, start + 1)]
    elif magic[:4] == b"RIFF" and magic[8:] == b"WAVE":
        starts = list(_wave_files(file))
    else:
        return []
    if not starts:
        raise AudioError("its beginning is missing; copy the file again")
    return list(zip(starts, [*starts[1:], size], strict=True))


def _wave_files(file: BinaryIO) -> Iterator[int]:
    """Yield where WAV files begin that were joined byte by byte."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        yield at
        (length,) = struct.unpack("<I", head[4:8])
        at += 8 + length + length % 2


def flac_samples(file: BinaryIO) -> int:
    """Return the number of samples that a FLAC file promises; 0 if it is unknown or no FLAC."""
    start, magic = _beginning(file)
    file.seek(start + 18)
    count = int.from_bytes(file.read(8), "big") & (1 << 36) - 1
    return count if magic[:4] == b"fLaC" and not magic[4] & 0x7F else 0


def _beginning(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the content begins, after an ID3 tag if there is one, and its first bytes."""
    start = mp3.after_tag(file)
    file.seek(start)
    return start, file.read(12)


def _found(file: BinaryIO, pattern: bytes, at: int) -> Iterator[int]:
    """Yield the places of a pattern from ``at`` on, in bytes."""
    file.seek(at)
    kept = b""
    while chunk := file.read(SEARCHED):
        data = kept + chunk
        place = data.find(pattern)
        while place >= 0:
            yield at - len(kept) + place
            place = data.find(pattern, place + 1)
        kept = data[1 - len(pattern) :]
        at += len(chunk)


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
        b"OggS": ogg.missing,
        b"0&\xb2u": _asf,
        b"Crea": _voc,
        b"NIST": _sphere,
        b"\x1a\x45\xdf\xa3": _matroska,
        b"fLaC": lambda file, size: None,  # counted in samples, see flac_samples
    }
    if magic[4:8] in mp4.FIRST_BOXES:
        return mp4.missing
    return by_magic.get(magic[:4])


def _lacking(length: int, start: int, size: int, slack: int = 0) -> str | None:
    lack = start + length - size
    return f"{lack} of {length} bytes are missing" if lack > slack else None


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
    if file.read(4) not in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        return None
    for name, start, length in _chunks(file, 12, ">4sI"):
        if name in (b"SSND", b"BODY"):
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


def _asf(file: BinaryIO, size: int) -> str | None:
    at = 0
    while at + 24 <= size:
        file.seek(at + 16)
        length = int.from_bytes(file.read(8), "little")
        if not 24 <= length < 1 << 62:  # a live recording
            return None
        if at + length > size:
            return _lacking(length, at, size)
        at += length
    return None


def _voc(file: BinaryIO, size: int) -> str | None:
    file.seek(20)
    at = int.from_bytes(file.read(2), "little")
    while at + 4 <= size:
        file.seek(at)
        kind, *length = file.read(4)
        end = at + 4 + int.from_bytes(length, "little")
        if not kind:
            return None
        if end > size:
            return _lacking(end - at, at, size)
        at = end
    return None


def _sphere(file: BinaryIO, size: int) -> str | None:
    header = file.read(1024).decode("latin-1")
    words = [line.split(None, 2) for line in header.splitlines()]
    fields = {one[0]: one[2] for one in words if len(one) == 3}
    if "," in fields.get("sample_coding", ""):  # compressed
        return None
    try:
        samples, width = int(fields["sample_count"]), int(fields["sample_n_bytes"])
        length = samples * width * int(fields.get("channel_count", 1))
        return _lacking(length, int(words[1][0]), size)
    except (KeyError, ValueError, IndexError):
        return None


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
