"""CSV and TSV tables of other people; any mistake in one is one short line.

The first row names the columns. A spreadsheet may have written semicolons or tabs for commas,
further empty fields at the end of a row, and rows of empty fields.
"""

import csv
from collections import Counter
from pathlib import Path

from emotone.errors import EmotoneError, UsageError
from emotone.options import nearest

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def is_table(path: Path) -> bool:
    """Whether a path is a table, by its suffix."""
    return path.suffix.lower() in SEPARATORS


def read(
    path: Path, error: type[EmotoneError] = UsageError
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read a table as text.

    Args:
        path: the table.
        error: what is raised.

    Returns:
        Names of the columns, none for an empty file; number of each row that is not empty, 1 for
        the first of the file, and its fields, one for each column.

    Raises:
        EmotoneError: if it cannot be read, is not a table in UTF-8, a quotation mark is not closed,
            two columns have one name, or a row has more fields than there are columns.
    """
    try:
        lines = _lines(path, error)
    except OSError as reason:
        raise error(f"{path}: cannot be read: {reason.strerror or reason}") from reason
    except UnicodeDecodeError as reason:
        raise error(
            f"{path}: cannot be read as a {path.suffix[1:].upper()} table ({reason}); save it "
            "again, in UTF-8"
        ) from reason
    header = [name.strip() for name in lines[0][1]] if lines else []
    while header and not header[-1]:
        header.pop()
    for name, count in Counter(filter(None, header)).items():
        if count > 1:
            raise error(
                f"{path}: {count} columns are called '{name}'; remove or rename all but one"
            )
    rows = []
    for number, fields in lines[1:]:
        if any(field.strip() for field in fields[len(header) :]):
            raise error(
                f"{path}: row {number} has {len(fields)} fields, the header has {len(header)}; put "
                "fields that contain the separator between quotation marks"
            )
        rows.append((number, (fields + [""] * len(header))[: len(header)]))
    return header, rows


def records(
    path: Path, required: tuple[str, ...], error: type[EmotoneError] = UsageError
) -> list[tuple[int, dict[str, str]]]:
    """Read a table; the fields of each row by column, without spaces around them.

    Args:
        path: the table.
        required: columns that it must have.
        error: what is raised.

    Returns:
        Number of each row, see :func:`read`, and its fields.

    Raises:
        EmotoneError: see :func:`read`; or if a required column is missing.
    """
    header, rows = read(path, error)
    for column in required:
        if column not in header:
            others = [name for name in header if name not in required]
            raise error(
                f"{path}: no column '{column}'{nearest(column, others)}; required are "
                f"{', '.join(required)}, found {', '.join(header) or 'none'}"
            )
    return [
        (number, dict(zip(header, (field.strip() for field in fields), strict=True)))
        for number, fields in rows
    ]


def _lines(path: Path, error: type[EmotoneError]) -> list[tuple[int, list[str]]]:
    """Numbers and fields of the rows that are not empty."""
    lines = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        separator = SEPARATORS[path.suffix.lower()]
        if separator == ",":
            separator = max(",;\t", key=first.count)
        file.seek(0)
        number = 0
        try:
            for line in csv.reader(file, delimiter=separator, strict=True):
                number += 1
                if any(map(str.strip, line)):
                    lines.append((number, line))
        except csv.Error as reason:
            raise error(
                f"{path}: row {number + 1} cannot be read ({reason}); close each quotation mark, "
                "and write one within a field twice"
            ) from reason
    return lines
