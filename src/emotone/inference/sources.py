"""Which files to recognise: folders, patterns, standard input; and the recordings of a speaker."""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from emotone import csv_tables
from emotone.audio import SUFFIXES, search
from emotone.errors import UsageError
from emotone.inference import listing
from emotone.inference.spans import Span
from emotone.inference.speaker import Speaker

STDIN = "-"


@dataclass(frozen=True)
class Sources:
    """What the paths of a command hold.

    Attributes:
        files: the files, each once.
        errors: what cannot be used, a sentence each.
        notes: what is left out, a sentence each.
        spans: of the files in tables with times, by absolute path.
    """

    files: list[Path]
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spans: dict[Path, list[Span]] = field(default_factory=dict)


def files_in(paths: Sequence[Path]) -> Sources:
    """Expand folders, including their subfolders, tables, and patterns such as ``calls/*.wav``.

    Raises:
        UsageError: if there is no file at all, or a table cannot be read.
    """
    files: list[Path] = []
    errors: list[str] = []
    notes: list[str] = []
    spans: dict[Path, list[Span]] = {}
    whole: dict[Path, None] = {}  # files that no table gives, in their order
    for path in paths:
        found = [path]
        if csv_tables.is_table(path) and _holds(path.is_file):
            listed = listing.read(path)
            for file, rows in listed.items():
                spans.setdefault(file.absolute(), []).extend(rows)
            files += listed
            continue
        if _holds(path.is_dir):
            folder = search(path)
            found = folder.files
            errors += folder.unreadable
            notes += [folder.left_out] if folder.left_out else []
            if not found and not folder.unreadable:
                looked_for = " ".join(SUFFIXES)
                errors.append(f"{path}: no audio files in this folder (looked for {looked_for})")
        elif any(letter in str(path) for letter in "*?[") and not _holds(path.exists):
            start = Path(path.anchor) if path.is_absolute() else Path()
            found = sorted(start.glob(str(path.relative_to(path.anchor))))
            if not found:
                errors.append(f"{path}: no file matches this pattern")
        files += found
        whole |= dict.fromkeys(file.absolute() for file in found)
    if not files:
        raise UsageError("; ".join([*errors, *notes]))
    if all(span.is_whole for rows in spans.values() for span in rows):
        spans = {}
    for file in whole.keys() & spans.keys():
        spans[file].append(Span())
    return Sources(list(dict.fromkeys(files)), errors, notes, spans)


def speaker_of(paths: Sequence[Path]) -> Speaker | list[Path]:
    """Return the recordings of a speaker in folders or files, or the speaker of a JSON file.

    Raises:
        UsageError: if a path holds no recordings.
    """
    if len(paths) == 1 and paths[0].suffix.lower() == ".json":
        return Speaker.load(paths[0])
    return recordings_of(paths)


def recordings_of(paths: Sequence[Path]) -> list[Path]:
    """Return the recordings in folders or files.

    Raises:
        UsageError: if a path holds no recordings.
    """
    sources = files_in(paths)
    if sources.errors:
        raise UsageError("; ".join(sources.errors))
    return sources.files


class Copies:
    """Copies of what can be read once only, which are files that every process can read.

    Args:
        folder: folder for them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, str] = {}

    def readable(self, files: Iterable[Path]) -> Iterator[Path]:
        """Replace ``-``, standard input, and pipes by files with their content.

        Raises:
            UsageError: if standard input is a terminal or closed.
        """
        for file in files:
            if str(file) != STDIN and not _holds(file.is_fifo):
                yield file
                continue
            copy = self._folder / str(len(self._names))
            self._names[str(copy)] = "standard input" if str(file) == STDIN else str(file)
            with copy.open("wb") as target:
                if str(file) == STDIN:
                    shutil.copyfileobj(_standard_input(), target)
                else:
                    with file.open("rb") as pipe:
                        shutil.copyfileobj(pipe, target)
            yield copy

    def named(self, message: str) -> str:
        """Return a message with the names of what was copied."""
        for copy, name in self._names.items():
            message = message.replace(f"{copy}:", f"{name}:")
        return message


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("- is standard input: pipe audio into it, such as < call.wav")
    return sys.stdin.buffer


def _holds(question: Callable[[], bool]) -> bool:
    """Ask a path; the answer is no if it cannot be, as for a name that is too long."""
    try:
        return question()
    except OSError:
        return False
