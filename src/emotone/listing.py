"""Predictions of many files on the terminal: a table, JSON lines or CSV, as they come."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emotone.errors import AudioError, UsageError
from emotone.recognizer import Prediction

SUFFIXES = (
    ".aac", ".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mka", ".mkv", ".mp3", ".mp4",
    ".oga", ".ogg", ".opus", ".wav", ".webm", ".wma",
)  # fmt: skip
Kind = Literal["table", "json", "csv"]


def files_in(paths: Sequence[Path]) -> list[Path]:
    """Expand folders, with all folders in them, and patterns such as ``calls/*.wav``.

    Raises:
        UsageError: if a folder or a pattern has no audio files.
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
                raise UsageError(f"{path}: no file has a name like this")
        else:
            found = [path]
        files += found
    return files


def show(answers: Iterable[tuple[Path, Prediction | AudioError]], total: int, kind: Kind) -> int:
    """Print predictions to standard output and errors to standard error, as they come.

    Args:
        answers: files and what was recognised in them, or why nothing was.
        total: how many there will be.
        kind: ``table`` for people, ``json`` for an object per line, ``csv``.

    Returns:
        How many files could not be used.
    """
    failed = 0
    writer = csv.writer(sys.stdout)
    console = Console(stderr=True)
    with Progress(
        TextColumn("recognising"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, redirect_stdout=False,
        disable=not console.is_terminal or sys.stdout.isatty(),
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=total)
        for number, (file, answer) in enumerate(answers):
            progress.advance(task)
            if isinstance(answer, AudioError):
                failed += 1
                print(f"error: {answer}", file=sys.stderr)
                continue
            if kind == "json":
                print(json.dumps({"file": str(file)} | as_dict(answer), ensure_ascii=False))
            elif kind == "csv":
                if number == failed:  # the first that could be used
                    writer.writerow(["file", *as_row(answer)])
                writer.writerow([file, *as_row(answer).values()])
            else:
                sure = "" if answer.confident else "  not sure"
                print(f"{answer.label:<10} {100 * answer.confidence:3.0f} %  {file}{sure}")
    if failed:
        print(f"{failed} of {total} files could not be used", file=sys.stderr)
    return failed


def as_dict(prediction: Prediction) -> dict[str, object]:
    """What a JSON object says of a prediction; probabilities to four digits."""
    shares = {label: round(share, 4) for label, share in prediction.probabilities.items()}
    return {
        "label": prediction.label,
        "confidence": round(prediction.confidence, 4),
        "confident": prediction.confident,
        "probabilities": shares,
    }


def as_row(prediction: Prediction) -> dict[str, object]:
    """Columns of a prediction in CSV."""
    values = as_dict(prediction)
    shares = values.pop("probabilities")
    assert isinstance(shares, dict)
    return values | {f"p_{label}": share for label, share in shares.items()}
