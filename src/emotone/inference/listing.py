"""A table of files, or of stretches of files, as input: CSV or TSV.

The column ``file`` is required; ``start`` and ``end``, in seconds, may be there and may be empty.
Other columns are ignored. Paths are relative to the table.
"""

from pathlib import Path

from emotone import csv_tables
from emotone.errors import UsageError
from emotone.inference.spans import Span
from emotone.text import shown


def read(path: Path) -> dict[Path, list[Span]]:
    """Read a table; returns the spans of each file, in the order of the rows.

    A table without times has one span for each of its files, the whole of it.

    Raises:
        UsageError: if it cannot be read, has no column ``file``, no rows, a row with more fields
            than columns, or a time that is not a number.
    """
    spans: dict[Path, list[Span]] = {}
    for number, row in csv_tables.records(path, ("file",)):
        name = f"{path}: row {number}"
        if not row["file"]:
            raise UsageError(f"{name} has no file; fill it in")
        start, end = (seconds(row.get(column, ""), name, column) for column in ("start", "end"))
        span = Span(start or 0.0, end, name=name)
        spans.setdefault(path.parent / row["file"], []).append(span)
    if not spans:
        raise UsageError(f"{path}: no rows; add one per file or part of a file")
    return spans


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
