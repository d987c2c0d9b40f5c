"""The frames of an MP3 file, counted (ISO/IEC 11172-3 and 13818-3; the header of Xing)."""

from typing import BinaryIO, NamedTuple

KBPS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # MPEG-1, layer III
KBPS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # MPEG-2 and 2.5
RATES = (44_100, 48_000, 32_000)  # of MPEG-1, in Hz; halved in MPEG-2, again in 2.5
READ = 1 << 20  # bytes at once
LONGEST = 1 << 12  # bytes; no frame is longer
SEARCHED = 1 << 16  # bytes in which the first frame of an MP3 file is found


class Frames(NamedTuple):
    """Counts of an MP3 file.

    Attributes:
        found: frames with sound.
        headers: headers of Xing or Info; more than one if files were joined.
        promised: frames according to all headers.
        samples: samples of a frame.
        damaged: number of frames that may be lost in the damaged bytes between frames.
    """

    found: int
    headers: int
    promised: int
    samples: int
    damaged: int


def missing(file: BinaryIO) -> str | None:
    """Say what is missing at the end of a file; see :func:`emotone.audio.containers.missing`."""
    frames = count(file)
    if frames is None or frames.found + frames.damaged >= frames.promised - 1:
        return None
    return f"{frames.promised - frames.found} of {frames.promised} frames are missing"


def after_tag(file: BinaryIO) -> int:
    """Return where the content begins, in bytes: after the ID3 tag, if there is one."""
    file.seek(0)
    head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(head[6:]))


def count(file: BinaryIO) -> Frames | None:
    """Count the frames of a file; ``None`` if it does not begin as an MP3 file."""
    file.seek(after_tag(file))
    data, limit = file.read(READ), SEARCHED
    at = found = headers = promised = samples = 0
    used = gap = skipped = 0  # bytes of frames, since the last one, and between all of them
    while True:
        if len(data) - at < LONGEST and (more := file.read(READ)):
            data, at, limit = data[at:] + more, 0, limit - at
        if at + 4 > len(data) or (not samples and at > limit):
            break
        frame = _frame(data, at)
        if frame is None or ((gap or not samples) and not _follows(data, at, frame[0])):
            step = data.find(b"\xff", at + 1)
            step = step if step >= 0 else len(data)
            gap, at = gap + step - at, step
            continue
        length, of_frame = frame
        skipped, gap = skipped + gap if samples else 0, 0
        samples = samples or of_frame
        if of_header := _promised(data[at : at + length]):  # this frame has no sound
            headers, promised = headers + 1, promised + of_header
        else:
            found += at + length <= len(data)
        used, at = used + length, at + length
    if not samples:
        return None
    return Frames(found, headers, promised, samples, skipped * (found + headers) // used)


def _frame(data: bytes, at: int) -> tuple[int, int] | None:
    """Length in bytes and samples of the frame that begins here; ``None`` if none does."""
    if data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:  # synchronisation, layer III
        return None
    version = data[at + 1] >> 3 & 3  # 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5
    kbps, rate = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or rate == 3 or kbps in (0, 15):
        return None
    first = version == 3
    hz = RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = (KBPS_1 if first else KBPS_2)[kbps - 1] * 1000
    return (144 if first else 72) * bits // hz + (data[at + 2] >> 1 & 1), 1152 if first else 576


def _follows(data: bytes, at: int, length: int) -> bool:
    """Whether another frame of the same kind follows, which chance alone rarely brings about."""
    end = at + length
    if end + 4 > len(data):
        return False
    return _frame(data, end) is not None and (data[end + 1] ^ data[at + 1]) & 0xFE == 0


def _promised(frame: bytes) -> int:
    for name in (b"Xing", b"Info"):
        at = frame.find(name, 4, 64)
        if at >= 0 and len(frame) >= at + 12 and frame[at + 7] & 1:
            return int.from_bytes(frame[at + 8 : at + 12], "big")
    return 0
