"""Output of predictions: standard output, or a file that an interrupted command resumes."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from emotone.errors import StorageError, UsageError
from emotone.files import replacing
from emotone.inference import parquet
from emotone.inference.formats import VALUE, Kind, row
from emotone.inference.provenance import reserved
from emotone.text import encodable

PARQUET = ".parquet"
# by suffix; rows of Parquet are collected as CSV
KINDS: dict[str, Kind] = {".csv": "csv", ".jsonl": "json", ".txt": "table", PARQUET: "csv"}


@dataclass(frozen=True)
class Kept:
    """What an output holds already.

    Attributes:
        files: names of the audio files that are done.
        partial: whether another one may lack windows, so that it is recognised again.
        text: lines about ``files``.
    """

    files: set[str] = field(default_factory=set)
    partial: bool = False
    text: str = ""


def kind_of(output: Path) -> Kind:
    """Return the format of an output file, by its suffix.

    Raises:
        UsageError: if the suffix is unknown.
    """
    if output.suffix.lower() not in KINDS:
        raise UsageError(f"{output}: the name must end in {', '.join(KINDS)}")
    return KINDS[output.suffix.lower()]


@contextmanager
def opened(
    output: Path | None,
    kind: Kind,
    columns: list[str],
    settings: Mapping[str, Any],
    *,
    force: bool = False,
) -> Iterator[tuple[TextIO, Kept]]:
    """Open an output; no other process can, until the block ends.

    Parquet cannot be written row by row: until everything is done, there is a CSV file beside it.

    Args:
        output: file; ``None`` for standard output. Its folders are created.
        kind: format of the lines.
        columns: columns of CSV.
        settings: see :func:`emotone.inference.provenance.settings_of`.
        force: start anew, whatever is there.

    Yields:
        A text file to append lines to, and what is in it already.

    Raises:
        UsageError: if emotone did not make the file, made it with other settings, or is just
            writing to it; nothing is changed then.
        StorageError: if it cannot be written.
    """
    if output is None:
        sys.stdout.write(_first(kind, columns))
        yield sys.stdout, Kept()
        return
    is_parquet = output.suffix.lower() == PARQUET
    if is_parquet:
        parquet.library()
    rows = output.with_name(f"{output.name}.csv") if is_parquet else output
    try:
        with reserved(output, {output, rows}, settings, force=force):
            if is_parquet and output.exists() and not rows.exists():
                parquet.to_csv(output, rows, columns)
            with _appending(rows, kind, columns) as target:
                yield target
            if is_parquet:
                parquet.from_csv(rows, output, columns)
                rows.unlink()
    except OSError as error:
        raise StorageError(f"cannot write {output}: {error.strerror}; give another file") from error


@contextmanager
def _appending(path: Path, kind: Kind, columns: list[str]) -> Iterator[tuple[TextIO, Kept]]:
    kept = _kept(path, kind, columns) if path.exists() else Kept()
    with replacing(path) as temporary:
        temporary.write_text(_first(kind, columns) + kept.text, encoding="utf-8", newline="")
    with path.open("a", encoding="utf-8", newline="") as file:
        yield file, kept


def _first(kind: Kind, columns: list[str]) -> str:
    """Return the first line of a format."""
    return row(columns, columns) if kind == "csv" else ""


def _kept(output: Path, kind: Kind, columns: list[str]) -> Kept:
    """Return what is in an output.

    Lines at the end may be missing. So the last line is dropped if it is cut off, and the last file
    if it has several.
    """
    if kind == "table":
        raise UsageError(
            f"{output} exists already; tables cannot be continued: --force starts it anew"
        )
    try:
        text = output.read_bytes().decode("utf-8", errors="replace")  # the end may be cut off
        found = _csv_lines(text, columns) if kind == "csv" else _json_lines(text, columns)
    except (csv.Error, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{output} holds something other than these predictions; nothing was changed. Give "
            "another file, or --force to start anew"
        ) from error
    last = found[-1][0] if found and "start" in columns else None
    kept = [(file, line) for file, line in found if file != last]
    return Kept({file for file, _ in kept}, last is not None, "".join(line for _, line in kept))


def _csv_lines(text: str, columns: list[str]) -> list[tuple[str, str]]:
    """Return whole lines of CSV, each after the name of its file."""
    # parsed, since names of files may hold line breaks
    read = [one for one in csv.reader(io.StringIO(text, newline="")) if one] or [columns]
    if len(read) > 1 and (len(read[-1]) < len(columns) or not text.endswith("\n")):
        read.pop()
    if read.pop(0) != columns:
        raise ValueError("other columns")
    return [(one[0], row(one, columns)) for one in read]


def _json_lines(text: str, columns: list[str]) -> list[tuple[str, str]]:
    """Return whole lines of JSON, each after the name of its file."""
    keys = {name for name in columns if not name.startswith(("p_", VALUE))} | {"probabilities"}
    if any(name.startswith(VALUE) for name in columns):
        keys.add("dimensions")
    found = []
    for line in text.split("\n")[:-1]:
        values = json.loads(line)
        if values.keys() != keys:
            raise ValueError("other keys")
        found.append((encodable(values["file"]), f"{line}\n"))
    return found
