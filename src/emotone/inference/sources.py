"""Which files to recognise: folders, patterns, standard input; and the recordings of a speaker."""

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emotone.audio import SUFFIXES
from emotone.errors import UsageError
from emotone.inference.speaker import Speaker

STDIN = "-"


def files_in(paths: Sequence[Path]) -> list[Path]:
    """Expand folders, including their subfolders, and patterns such as ``calls/*.wav``.

    Raises:
        UsageError: if a folder has no audio files, or a pattern matches nothing.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES]
            if not found:
                raise UsageError(
                    f"{path}: no audio files in this folder (looked for {' '.join(SUFFIXES)})"
                )
        elif not path.exists() and any(letter in str(path) for letter in "*?["):
            start = Path(path.anchor) if path.is_absolute() else Path()
            found = sorted(start.glob(str(path.relative_to(path.anchor))))
            if not found:
                raise UsageError(f"{path}: no file matches this pattern")
        else:
            found = [path]
        files += found
    return list(dict.fromkeys(files))


def speaker_of(paths: Sequence[Path]) -> Speaker | list[Path]:
    """Return the recordings of a speaker in folders or files, or the speaker of a JSON file."""
    if len(paths) == 1 and paths[0].suffix == ".json":
        return Speaker.load(paths[0])
    return files_in(paths)


def readable(files: Iterable[Path], folder: Path) -> Iterator[Path]:
    """Replace ``-`` by a file in a temporary folder with the content of standard input.

    Raises:
        UsageError: if standard input is a terminal.
    """
    for file in files:
        if str(file) != STDIN:
            yield file
            continue
        if sys.stdin.isatty():
            raise UsageError("- is standard input: pipe audio into it, such as < call.wav")
        copy = folder / "standard input"
        with copy.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        yield copy
