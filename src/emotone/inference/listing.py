"""A table of files, or of stretches of files, as input: CSV or TSV.

The column ``file`` is required; ``start`` and ``end``, in seconds, may be there and may be empty.
Other columns are ignored. Paths are relative to the table.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from emotone.errors import UsageError
from emotone.inference.spans import Span
from emotone.options import nearest
from emotone.text import shown

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def is_table(path: Path) -> bool:
    """Whether a path is a table, by its suffix."""
    return path.suffix.lower() in SEPARATORS


def read(path: Path) -> dict[Path, list[Span]]:
    """Read a table; returns the spans of each file, in the order of the rows.

    A table without times has one span for each of its files, the whole of it.

    Raises:
        UsageError: if it cannot be read, has no column ``file``, no rows, or a time that is none.
    """
    spans: dict[Path, list[Span]] = {}
    for number, row in records(path, ("file",)):
        name = f"{path}: row {number}"
        if not row["file"]:
            raise UsageError(f"{name} has no file; fill it in")
        start, end = (seconds(row.get(column, ""), name, column) for column in ("start", "end"))
        span = Span(start or 0.0, end, name=name)
        spans.setdefault(path.parent / row["file"], []).append(span)
    if not spans:
        raise UsageError(f"{path}: no rows; add one per file or part of a file")
    return spans


def records(path: Path, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV or TSV table as text; a spreadsheet may have written semicolons.

    Yields:
        Number of the row, 2 for the first after the header, and its fields by column.

    Raises:
        UsageError: if it cannot be read as one, or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = SEPARATORS[path.suffix.lower()]
            first = file.readline()
            if separator == "," and first.count(";") > first.count(","):
                separator = ";"
            file.seek(0)
            rows = csv.reader(file, delimiter=separator)
            header = [name.strip() for name in next(rows, [])]
            for column in required:
                if column not in header:
                    raise UsageError(
                        f"{path}: no column '{column}'{nearest(column, header)}; required are "
                        f"{', '.join(required)}, found {', '.join(header) or 'none'}"
                    )
            for number, row in enumerate(rows, start=2):
                if any(field.strip() for field in row):
                    fields = [field.strip() for field in row] + [""] * len(header)
                    yield number, dict(zip(header, fields, strict=False))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path}: cannot be read as a table ({error}); save it again, in UTF-8"
        ) from error


def seconds(text: str, name: str, what: str) -> float | None:
    """Read a time in seconds; ``None`` if it is empty.

    Raises:
        UsageError: if it is not a number.
    """
    try:
        return float(text) if text else None
    except ValueError:
        raise UsageError(
            f"{name} has {shown(text)} as {what}; expected seconds as a number, such as 12.5"
        ) from None
