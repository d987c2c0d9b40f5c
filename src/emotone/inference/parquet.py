"""Any number of predictions as Parquet; needs pyarrow."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emotone.errors import UsageError
from emotone.files import replacing

TEXT, FLAG = ("file", "speaker", "label"), "confident"  # all other columns are numbers
EMBEDDING = re.compile(r"e\d+")  # columns of single precision


def library() -> Any:
    """Import pyarrow.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise UsageError(
            "Parquet needs pyarrow: pip install pyarrow, or give a file that ends in .csv"
        ) from error
    return pyarrow


def from_csv(source: Path, target: Path, header: Sequence[str]) -> None:
    """Convert a CSV file of predictions to Parquet, a block at a time."""
    arrow = library()
    kinds = dict.fromkeys(TEXT, arrow.string()) | {FLAG: arrow.bool_()}
    kinds |= {name: arrow.float32() for name in header if EMBEDDING.fullmatch(name)}
    types = {name: kinds.get(name, arrow.float64()) for name in header}
    options = arrow.csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True
    )
    parsing = arrow.csv.ParseOptions(newlines_in_values=True)
    with (
        source.open("rb") as text,  # opened here: names need not be UTF-8
        arrow.csv.open_csv(text, convert_options=options, parse_options=parsing) as rows,
        replacing(target) as temporary,
        temporary.open("wb") as table,
        arrow.parquet.ParquetWriter(table, rows.schema) as writer,
    ):
        for block in rows:
            writer.write_batch(block)


def to_csv(source: Path, target: Path, header: Sequence[str]) -> None:
    """Convert a file of :func:`from_csv` back to CSV, to continue it.

    Raises:
        UsageError: if it is something else.
    """
    arrow = library()
    other = (
        f"{source} holds something other than these predictions; nothing was changed. Give another "
        "file, or --force to start anew"
    )
    try:
        file = arrow.parquet.ParquetFile(source)
    except (arrow.ArrowException, OSError) as error:
        raise UsageError(other) from error
    with file:
        if file.schema_arrow.names != list(header):
            raise UsageError(other)
        with (
            replacing(target) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as out,
        ):
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            for block in file.iter_batches():
                writer.writerows(row.values() for row in block.to_pylist())
