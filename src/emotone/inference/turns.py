"""Who speaks when: turns in RTTM, CSV, TSV, SubRip (SRT) and WebVTT files, or as JSON values."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, TypeVar

from emotone import csv_tables
from emotone.errors import UsageError
from emotone.files import read_regular
from emotone.inference import listing
from emotone.inference.spans import Span, refuse_others
from emotone.text import shown

MOST_BYTES = 50_000_000
UNKNOWN = "speaker"  # who speaks if a file does not say it
Row = TypeVar("Row")
SUFFIXES = (".rttm", ".csv", ".tsv", ".srt", ".vtt")
TIME = r"((?:\d+:)?\d+:\d+(?:[.,]\d+)?)"
TIMES = re.compile(rf"{TIME}\s*-->\s*{TIME}")
ALMOST_TIMES = re.compile(r"\s*\d+:\S*\s*[-–—]*>|\s*\d*:\d+\S*\s+[-–—]+\s*\d+:\d+")
VOICE = re.compile(r"<v(?:\.[^ >]*)? ([^>]+)>")  # WebVTT
PREFIX = re.compile(
    r"\s*(?:[-–>]+\s*)?(?:\[([^\]]{1,40})\]|([^\W\d_][^:.?!,\n]{0,39})):?(?<=[:\]])"
)


def read(path: Path, recording: str = "") -> list[Span]:
    """Read the turns of a recording.

    Args:
        path: file whose suffix says what it is.
        recording: name of the recording without suffix; RTTM files and tables with a column
            ``file`` may hold those of several.

    Returns:
        Spans with speaker, in order of time; see :func:`checked`.

    Raises:
        UsageError: if the file cannot be read, has no turns, or turns that cannot be used.
    """
    suffix = path.suffix.lower()
    if suffix in csv_tables.SEPARATORS:
        return checked(_from_table(path, recording), str(path))
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: expected turns as {', '.join(SUFFIXES)}, got '{path.suffix}'")
    try:
        text = read_regular(path, MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text; save it again, in UTF-8") from error
    spans = _from_rttm(text, path, recording) if suffix == ".rttm" else _from_cues(text, path)
    return checked(spans, str(path))


def from_values(values: Sequence[Any]) -> list[Span]:
    """Return the turns of JSON values, objects with ``start``, ``end`` and ``speaker``.

    ``channel``, from 1, may be there.

    Raises:
        UsageError: if one is something else, or see :func:`checked`.
    """
    spans = []
    for number, one in enumerate(values, start=1):
        name = f"turn {number}"
        if not isinstance(one, dict) or not {"start", "end", "speaker"} <= one.keys():
            raise UsageError(f"{name}: expected an object with start, end and speaker")
        start, end, channel = one["start"], one["end"], one.get("channel")
        if not all(isinstance(time, int | float) and abs(time) < 1e9 for time in (start, end)):
            raise UsageError(f"{name}: expected start and end in seconds, got {shown(one)}")
        if not isinstance(channel, int | None):
            raise UsageError(f"{name}: expected a channel from 1 or null, got {shown(channel)}")
        if not isinstance(one["speaker"], str):
            raise UsageError(f"{name}: expected speaker as text, got {shown(one['speaker'])}")
        spans.append(Span(float(start), float(end), one["speaker"], channel, name))
    return checked(spans, "turns")


def checked(spans: Iterable[Span], name: str) -> list[Span]:
    """Return turns in order of time.

    Raises:
        UsageError: if there are none, one has no speaker or no end, or two of one speaker overlap.
    """
    spans = list(spans)
    refuse_others(spans, name)
    turns = sorted(spans, key=lambda span: (span.start, span.end or 0.0))
    if not turns:
        raise UsageError(f"{name}: no turns in it; expected a start, an end and a speaker for each")
    for turn in turns:
        if not turn.speaker or turn.end is None:
            raise UsageError(f"{turn} has no {'end' if turn.speaker else 'speaker'}; fill it in")
    for speaker, own in by_speaker(turns):
        for one, other in pairwise(own):
            if other.start < (one.end or 0.0):
                raise UsageError(
                    f"{other} overlaps with {one}, both of {shown(speaker)}; a speaker has one "
                    "turn at a time: join them, or name the speakers apart"
                )
    return turns


def by_speaker(spans: Iterable[Span]) -> Iterator[tuple[str, list[Span]]]:
    """Yield each speaker, in alphabetical order, with their spans, in the order given."""

    def name(span: Span) -> str:
        return span.speaker

    for speaker, own in groupby(sorted(spans, key=name), key=name):
        yield speaker, list(own)


def crossing(spans: Sequence[Span]) -> int:
    """Count the turns that overlap with one of another speaker.

    Args:
        spans: in order of time.
    """
    found: set[int] = set()
    open_: list[int] = []
    for key, span in enumerate(spans):
        open_ = [one for one in open_ if (spans[one].end or 0.0) > span.start]
        found.update([*open_, key] if open_ else [])
        open_.append(key)
    return len(found)


def at_once(spans: Sequence[Span]) -> int:
    """Return how many turns share a moment at most.

    Args:
        spans: in order of time.
    """
    ends: list[float] = []
    most = 0
    for span in spans:
        while ends and ends[0] <= span.start:
            heappop(ends)
        heappush(ends, span.end or 0.0)
        most = max(most, len(ends))
    return most


def _from_table(path: Path, recording: str) -> list[Span]:
    spans: dict[str, list[Span]] = {}
    for number, row in csv_tables.records(path, ("start", "end", "speaker")):
        name = f"{path}: row {number}"
        start, end = (listing.seconds(row[column], name, column) for column in ("start", "end"))
        if start is None:
            raise UsageError(f"{name} has no start; fill it in")
        channel = _channel(row["channel"], name) if row.get("channel") else None
        span = Span(start, end, row["speaker"], channel, name)
        spans.setdefault(row.get("file", ""), []).append(span)
    return _of_recording(spans, path, recording)


def _of_recording(rows: Mapping[str, list[Row]], path: Path, recording: str) -> list[Row]:
    """The rows of a recording among those of several; those of one alone need not name it."""
    named = [one for one in rows if Path(one).stem == recording]
    name = recording if recording in rows else next(iter(named), None)
    if len(rows) > 1 and name is None:
        raise UsageError(
            f"{path}: turns of {len(rows)} recordings, none of them named {recording}; they are "
            f"of {', '.join(list(rows)[:3])}{', …' if len(rows) > 3 else ''}"
        )
    return rows[name] if name is not None else next(iter(rows.values()), [])


def _channel(text: str, name: str) -> int:
    digits = text.removesuffix(".0")  # what a column of numbers with gaps is often saved as
    if not digits.isdecimal() or len(digits) > 9:
        raise UsageError(f"{name} has {shown(text)} as channel; expected a whole number from 1")
    return int(digits)


def _from_rttm(text: str, path: Path, recording: str) -> list[Span]:
    rows: dict[str, list[tuple[float, float, str, int | None, str]]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        name = f"{path}: line {number}"
        if len(fields) < 8:
            raise UsageError(
                f"{name}: expected SPEAKER FILE CHANNEL START DURATION <NA> <NA> NAME, got "
                f"{len(fields)} fields"
            )
        start, duration = (
            listing.seconds(value, name, what) or 0.0
            for value, what in zip(fields[3:5], ("start", "duration"), strict=True)
        )
        channel = _channel(fields[2], name) if fields[2].isdecimal() else None
        row = start, start + duration, fields[7], channel, name
        rows.setdefault(fields[1], []).append(row)
    own = _of_recording(rows, path, recording)
    # nearly all RTTM files have one channel throughout, which then says nothing
    told = len({channel for _, _, _, channel, _ in own}) > 1
    return [
        Span(start, end, speaker, channel if told else None, name)
        for start, end, speaker, channel, name in own
    ]


def _from_cues(text: str, path: Path) -> list[Span]:
    """Read the cues of SRT or WebVTT.

    A cue names its speaker as ``<v NAME>``, ``[NAME]`` or ``NAME:``; ``NAME:`` counts if it stands
    before several cues or is in capitals. One without name is of the speaker before.
    """
    cues = list(_cues(text, path))
    prefixes = [PREFIX.match(said) for _, _, said in cues]
    counts = Counter(found[2] for found in prefixes if found)
    spans, speaker = [], UNKNOWN
    for (number, times, said), prefix in zip(cues, prefixes, strict=True):
        voice = VOICE.search(said)
        if voice:
            speaker = voice[1].strip()
        elif prefix and prefix[1]:
            speaker = prefix[1].strip()
        elif prefix and (counts[prefix[2]] > 1 or prefix[2].isupper()):
            speaker = prefix[2].strip()
        start, end = (_clock(time) for time in times.groups())
        spans.append(Span(start, end, speaker, None, f"{path}: line {number}"))
    return spans


def _cues(text: str, path: Path) -> Iterator[tuple[int, re.Match[str], str]]:
    """Yield the number of the line with the times of each cue, the times, and what is said."""
    number, times, said = 0, None, list[str]()
    for place, line in enumerate([*text.splitlines(), ""], start=1):  # the last cue ends, too
        found = TIMES.search(line)
        if times is not None and (found or not line.strip()):
            yield number, times, "\n".join(said)
            times = None
        if found:
            number, times, said = place, found, []
        elif times is None and ALMOST_TIMES.match(line):
            raise UsageError(
                f"{path}: line {place}: expected times such as 00:01:02,500 --> 00:01:04,000, got "
                f"{shown(line.strip())}"
            )
        else:
            said.append(line)


def _clock(time: str) -> float:
    """Read a time such as ``1:02:03,5``."""
    seconds = 0.0
    for part in time.replace(",", ".").split(":"):
        seconds = 60 * seconds + float(part)
    return round(seconds, 3)
