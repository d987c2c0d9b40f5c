"""Predictions of many files as they come: a table, JSON lines, CSV or Parquet."""

import csv
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from emotone.errors import AudioError, StorageError, UsageError
from emotone.files import replacing
from emotone.inference import parquet
from emotone.inference.execution import Executor
from emotone.inference.jobs import in_order, recognise_files
from emotone.inference.recognizer import Prediction, Recognizer, Segment, Speaker

SUFFIXES = (
    ".aac", ".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mka", ".mkv", ".mov", ".mp3", ".mp4",
    ".oga", ".ogg", ".opus", ".wav", ".webm", ".wma",
)  # fmt: skip
STDIN = "-"
Kind = Literal["table", "json", "csv"]
PARQUET = ".parquet"
# of --output; rows of Parquet are collected as CSV
KINDS: dict[str, Kind] = {".csv": "csv", ".jsonl": "json", ".txt": "table", PARQUET: "csv"}


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
    return list(dict.fromkeys(files))


def speaker_of(paths: Sequence[Path]) -> Speaker | list[Path]:
    """Recordings of a speaker in folders or files, or the speaker that was saved as JSON."""
    if len(paths) == 1 and paths[0].suffix == ".json":
        return Speaker.load(paths[0])
    return files_in(paths)


def recognise(
    recognizer: Recognizer,
    files: Sequence[Path],
    *,
    kind: Kind = "table",
    output: Path | None = None,
    segments: tuple[float, float] | None = None,
    executor: Executor | None = None,
) -> int:
    """Recognise files; answers go to standard output or a file, errors to standard error.

    A file ``output`` that is there already is continued: what it says of files stays, and they
    are not heard again.

    Args:
        recognizer: to ask.
        files: to recognise; ``-`` is standard input.
        kind: ``table`` for people, ``json`` for an object per line, ``csv``.
        output: file to write, by whose name the kind is chosen.
        segments: window and hop in seconds, to recognise windows of each file.
        executor: where to recognise; ``None`` for this process. Answers and their order do not
            depend on it.

    Returns:
        How many files could not be used.

    Raises:
        UsageError: if ``output`` is of no known kind, or was not written by the same command.
        StorageError: if ``output`` cannot be written.
    """
    if output is not None:
        if output.suffix not in KINDS:
            raise UsageError(f"{output}: the name must end in {', '.join(KINDS)}")
        kind = KINDS[output.suffix]
    header = ["file", *(["start", "end"] if segments is not None else []), *columns(recognizer)]
    with (
        _target(output, kind, header) as (target, done),
        tempfile.TemporaryDirectory() as temporary,
    ):
        left = [file for file in files if str(file) not in done]
        if len(left) < len(files):
            print(f"{len(files) - len(left)} of {len(files)} files are in {output} already",
                  file=sys.stderr)  # fmt: skip
        failed = 0
        with _progress(to_terminal=target is sys.stdout) as progress:
            task = progress.add_task("recognising", total=len(left))
            heard = 0.0

            def advance(seconds: float) -> None:
                nonlocal heard
                heard += seconds
                text = f"recognising, {heard / 60:.0f} min heard"
                progress.update(task, description=text)

            readable = _readable(left, Path(temporary))
            if executor is None:
                found = in_order(recognizer, readable, segments, advance)
            else:
                found = recognise_files(recognizer, readable, segments, executor)
            for file, answer in zip(left, found, strict=True):
                progress.advance(task)
                if isinstance(answer, AudioError):
                    failed += 1
                    said = str(answer).removeprefix(temporary + os.sep)
                    print(f"error: {said}", file=sys.stderr)
                    continue
                # in one piece, so that a process that is killed leaves whole files behind
                target.write("".join(_lines(file, answer, kind, header)))
                target.flush()
    if failed:
        print(f"{failed} of {len(files)} files could not be used", file=sys.stderr)
    return failed


def columns(recognizer: Recognizer) -> list[str]:
    """Columns of a prediction in CSV."""
    return ["label", "confidence", "confident", *(f"p_{label}" for label in recognizer.labels)]


def as_dict(prediction: Prediction | None) -> dict[str, Any]:
    """What a JSON object says of a prediction; probabilities to four digits."""
    if prediction is None:
        return {"label": None, "confidence": None, "confident": None, "probabilities": None}
    shares = {label: round(share, 4) for label, share in prediction.probabilities.items()}
    return {
        "label": prediction.label,
        "confidence": round(prediction.confidence, 4),
        "confident": prediction.confident,
        "probabilities": shares,
    }


def segment_as_dict(segment: Segment) -> dict[str, Any]:
    """What a JSON object says of a segment; times in seconds."""
    times = {"start": round(segment.start, 3), "end": round(segment.end, 3)}
    return times | as_dict(segment.prediction)


def _readable(files: Iterable[Path], folder: Path) -> Iterator[Path]:
    """Put what comes through standard input into a file."""
    for file in files:
        if str(file) != STDIN:
            yield file
            continue
        if sys.stdin.isatty():
            raise UsageError("- is standard input: pipe audio into it, such as < call.wav")
        kept = folder / "standard input"
        with kept.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        yield kept


def _lines(
    file: Path, answer: Prediction | list[Segment], kind: Kind, header: list[str]
) -> Iterator[str]:
    for part in answer if isinstance(answer, list) else [answer]:
        segment = isinstance(part, Segment)
        prediction = part.prediction if isinstance(part, Segment) else part
        said = segment_as_dict(part) if isinstance(part, Segment) else as_dict(part)
        values = {"file": str(file)} | said
        if kind == "json":
            yield json.dumps(values, ensure_ascii=False) + "\n"
        elif kind == "csv":
            shares = values.pop("probabilities") or {}
            yield _row([*(values | {f"p_{k}": v for k, v in shares.items()}).values()], header)
        else:
            when = f"{values['start']:8.1f} … {values['end']:.1f} s  " if segment else ""
            yield f"{when}{_said(prediction)}  {file}{_doubt(prediction)}\n"


def _said(prediction: Prediction | None) -> str:
    if prediction is None:
        return f"{'no sound':<10}      "
    return f"{prediction.label:<10} {100 * prediction.confidence:3.0f} %"


def _doubt(prediction: Prediction | None) -> str:
    return "" if prediction is None or prediction.confident else "  not sure"


def _row(values: Sequence[Any], header: Sequence[str]) -> str:
    text = io.StringIO()
    empty = [""] * (len(header) - len(values))
    csv.writer(text, lineterminator="\n").writerow([*values, *empty])
    return text.getvalue()


@contextmanager
def _target(
    output: Path | None, kind: Kind, header: list[str]
) -> Iterator[tuple[TextIO, set[str]]]:
    """Where to write, and which files it says something of already.

    Parquet cannot be written row by row: until all is done, there is a CSV file beside it.
    """
    if output is not None and output.suffix == PARQUET:
        rows = output.with_name(f"{output.name}.csv")
        parquet.library()
        try:
            if output.exists() and not rows.exists():
                parquet.to_csv(output, rows, header)
            with _target(rows, kind, header) as target:
                yield target
            parquet.from_csv(rows, output, header)
            rows.unlink()
        except OSError as error:
            raise StorageError(
                f"cannot write {output}: {error.strerror}; give another --output"
            ) from error
        return
    first = _row(header, header) if kind == "csv" else ""
    if output is None:
        sys.stdout.write(first)
        yield sys.stdout, set()
        return
    done, kept = _kept(output, kind, header) if output.exists() else (set(), "")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output) as temporary:
            temporary.write_text(first + kept, encoding="utf-8", newline="")
        with output.open("a", encoding="utf-8", newline="") as target:
            yield target, done
    except OSError as error:
        raise StorageError(
            f"cannot write {output}: {error.strerror}; give another --output"
        ) from error


def _kept(output: Path, kind: Kind, header: list[str]) -> tuple[set[str], str]:
    """Files that an output says something of, and the rows that stay.

    What it says of the last file may be cut off, so that one is heard again.
    """
    other = UsageError(
        f"{output} was not written by this command with this model; give another --output"
    )
    if kind == "table":
        raise UsageError(f"{output} is there already; tables cannot be continued, remove it")
    try:
        text = output.read_bytes().decode("utf-8", errors="replace")  # the end may be cut off
        if kind == "csv":  # by a reader, since names of files may hold line breaks
            read = [row for row in csv.reader(io.StringIO(text, newline="")) if row] or [header]
            if len(read) > 1 and (len(read[-1]) < len(header) or not text.endswith("\n")):
                read.pop()
            if read.pop(0) != header:
                raise other
            rows = [(row[0], _row(row, header)) for row in read]
        else:
            rows = [(json.loads(line)["file"], f"{line}\n") for line in text.split("\n")[:-1]]
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise other from error
    last = rows[-1][0] if rows else None
    stay = [(file, line) for file, line in rows if file != last]
    return {file for file, _ in stay}, "".join(line for _, line in stay)


def _progress(*, to_terminal: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console, transient=True, redirect_stdout=False,
        disable=not console.is_terminal or (to_terminal and sys.stdout.isatty()),
    )  # fmt: skip
