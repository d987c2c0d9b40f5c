"""Output of predictions: standard output, or a file that an interrupted command resumes."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from emotone.errors import StorageError, UsageError
from emotone.files import replacing
from emotone.inference import parquet
from emotone.inference.formats import Kind, printable, row

PARQUET = ".parquet"
# by suffix; rows of Parquet are collected as CSV
KINDS: dict[str, Kind] = {".csv": "csv", ".jsonl": "json", ".txt": "table", PARQUET: "csv"}


def kind_of(output: Path) -> Kind:
    """Return the format of an output file, by its suffix.

    Raises:
        UsageError: if the suffix is unknown.
    """
    if output.suffix not in KINDS:
        raise UsageError(f"{output}: the name must end in {', '.join(KINDS)}")
    return KINDS[output.suffix]


@contextmanager
def opened(
    output: Path | None, kind: Kind, columns: list[str]
) -> Iterator[tuple[TextIO, set[str]]]:
    """Open an output.

    Parquet cannot be written row by row: until everything is done, there is a CSV file beside it.

    Args:
        output: file; ``None`` for standard output.
        kind: format of the lines.
        columns: columns of CSV.

    Yields:
        A text file to append lines to, and the names of the audio files already in it.

    Raises:
        UsageError: if the file was not written by the same command.
        StorageError: if it cannot be written.
    """
    first = row(columns, columns) if kind == "csv" else ""
    if output is None:
        sys.stdout.write(first)
        yield sys.stdout, set()
        return
    try:
        if output.suffix == PARQUET:
            with _parquet(output, columns) as target:
                yield target
            return
        done, kept = _kept(output, kind, columns) if output.exists() else (set(), "")
        output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output) as temporary:
            temporary.write_text(first + kept, encoding="utf-8", newline="")
        with output.open("a", encoding="utf-8", newline="") as file:
            yield file, done
    except OSError as error:
        raise StorageError(
            f"cannot write {output}: {error.strerror}; give another --output"
        ) from error


@contextmanager
def _parquet(output: Path, columns: list[str]) -> Iterator[tuple[TextIO, set[str]]]:
    parquet.library()
    rows = output.with_name(f"{output.name}.csv")
    if output.exists() and not rows.exists():
        parquet.to_csv(output, rows, columns)
    with opened(rows, "csv", columns) as target:
        yield target
    parquet.from_csv(rows, output, columns)
    rows.unlink()


def _kept(output: Path, kind: Kind, columns: list[str]) -> tuple[set[str], str]:
    """Return the audio files already in an output, and their lines.

    The lines of the last file may be cut off, so that file is recognised again.
    """
    other = UsageError(
        f"{output} was not written by this command with this model; give another --output"
    )
    if kind == "table":
        raise UsageError(f"{output} exists already; tables cannot be continued, remove it")
    try:
        text = output.read_bytes().decode("utf-8", errors="replace")  # the end may be cut off
        if kind == "csv":  # parsed, since names of files may hold line breaks
            read = [one for one in csv.reader(io.StringIO(text, newline="")) if one] or [columns]
            if len(read) > 1 and (len(read[-1]) < len(columns) or not text.endswith("\n")):
                read.pop()
            if read.pop(0) != columns:
                raise other
            found = [(one[0], row(one, columns)) for one in read]
        else:
            whole = text.split("\n")[:-1]
            found = [(printable(json.loads(line)["file"]), f"{line}\n") for line in whole]
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise other from error
    last = found[-1][0] if found else None
    kept = [(file, line) for file, line in found if file != last]
    return {file for file, _ in kept}, "".join(line for _, line in kept)
