"""Any corpus as a table: CSV, TSV or Parquet.

The columns ``file``, ``emotion`` and ``speaker`` are required; ``start`` and ``end`` (seconds),
``sex``, ``session``, ``text`` (what is said) and ``language`` are optional; others are kept. Paths
are relative to the table.

Licence: that of the corpus
Language: any
Speakers: any
Utterances: any
Emotions: any
Layout: the table (corpus.root is its file)
"""

import csv
import io
import os
from pathlib import Path
from typing import Literal

import pandas as pd

from emotone import csv_tables
from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_rows, label_of
from emotone.corpora.labels import normalised
from emotone.errors import CorpusError
from emotone.options import nearest
from emotone.text import agree, plural

REQUIRED = ("file", "emotion", "speaker")
TEXT_COLUMNS = ("sex", "session", "text", "language")
SUFFIXES = (*csv_tables.SEPARATORS, ".parquet")


class TableOptions(CorpusOptions):
    """A table of utterances; ``root`` is the table's file."""

    name: Literal["table"] = "table"


def read(options: TableOptions) -> Corpus:
    """Read a table of utterances.

    Raises:
        CorpusError: if the table does not exist, lacks a column, has an empty field, a time that is
            not a number or, with ``strict_labels``, an unknown emotion, or lists a file that does
            not exist.
    """
    table = _load(options)
    path = options.root
    assert path is not None
    if not _is_utf8(path):
        raise CorpusError(
            f"{os.fsencode(path)!r}: the path of a table must be UTF-8; rename the folder or file"
        )
    for column in REQUIRED:
        if column not in table.columns:
            raise CorpusError(
                f"{path}: no column '{column}'{nearest(column, table.columns)}; required are "
                f"{', '.join(REQUIRED)}, found {', '.join(table.columns)}"
            )
        table[column] = table[column].fillna("").astype(str)
        empty = table.index[table[column].map(normalised) == ""]
        if len(empty):
            raise CorpusError(f"{path}: row {empty[0]} has no {column}; fill it in")
    if table.empty:
        raise CorpusError(f"{path}: no rows; add one per utterance")
    table["emotion"] = [
        label_of(emotion, options, f"{path}: row {row}")
        for row, emotion in table["emotion"].items()
    ]
    for column, default in (("start", 0.0), ("end", float("nan"))):
        table[column] = _seconds(options, table, column, default)
    reversed_ = table.index[table["end"] <= table["start"]]
    if len(reversed_):
        start, end = table.loc[reversed_[0], ["start", "end"]]
        raise CorpusError(
            f"{path}: row {reversed_[0]} is from {start:g} to {end:g} s; expected an end after the "
            "start"
        )
    for column in TEXT_COLUMNS:
        values = table[column].fillna("") if column in table.columns else ""
        table[column] = pd.Series(values, index=table.index, dtype=str)
    table["file"] = [str(path.parent / file) for file in table["file"]]
    missing = [
        file
        for file in table["file"].unique()
        if not options.leaves_out(file) and not os.path.isfile(file)  # noqa: PTH113
    ]
    if missing:
        raise CorpusError(
            f"{path}: {plural(len(missing), 'file')} {agree(len(missing), 'do')} not exist, the "
            f"first is {missing[0]}; relative paths start from {path.parent}"
        )
    table["utterance"] = _names(table)
    table["corpus"] = path.stem
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return corpus_from_rows(path.stem, rows)


def _load(options: TableOptions) -> pd.DataFrame:
    """Read the table; its index is the number of the row, as a spreadsheet shows it."""
    path = options.root
    if path is None:
        raise CorpusError("table: no file given; give the table itself, such as TABLE.csv")
    if not path.is_file():
        raise CorpusError(
            f"table: the file {path} does not exist; corpus.root must be the table file"
        )
    if csv_tables.is_table(path):
        return _read_text(path)
    if path.suffix.lower() != ".parquet":
        raise CorpusError(f"{path}: expected .csv, .tsv or .parquet, got '{path.suffix}'")
    try:
        table = pd.read_parquet(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # the library raises many kinds for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CorpusError(
            f"{path}: cannot be read as a PARQUET table ({reason}); write or copy it again"
        ) from error
    return table.set_index(pd.RangeIndex(2, len(table) + 2))


def _read_text(path: Path) -> pd.DataFrame:
    """Read a CSV or TSV table."""
    header, rows = csv_tables.read(path, CorpusError)
    if not header:
        raise CorpusError(
            f"{path}: cannot be read as a CSV table (the file is empty); add a header with "
            f"{', '.join(REQUIRED)}, and a row per utterance"
        )
    clean = io.StringIO()
    csv.writer(clean).writerows([header, *(fields for _, fields in rows)])
    clean.seek(0)
    table = pd.read_csv(clean, skip_blank_lines=False)
    for column in (*REQUIRED, *TEXT_COLUMNS):  # as text: 007 and NA are names
        if column in header:
            place = header.index(column)
            table[column] = pd.Series([fields[place] for _, fields in rows], dtype=object)
    return table.set_index(pd.Index([number for number, _ in rows], dtype=int))


def _seconds(options: TableOptions, table: pd.DataFrame, column: str, default: float) -> pd.Series:
    if column not in table.columns:
        return pd.Series(default, index=table.index, dtype=float)
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = numbers.isna() & table[column].notna()
    if wrong.any() or (numbers < 0).any():
        place = int((wrong | (numbers < 0)).to_numpy().argmax())
        row, given = table.index[place], table[column].iloc[place]
        raise CorpusError(
            f"{options.root}: row {row} has '{given}' as {column}; "
            "expected seconds, at least 0, as a number"
        )
    return numbers.fillna(default).astype(float)


def _names(table: pd.DataFrame) -> list[str]:
    """Names of the utterances: the file's, with the row's number if several have it."""
    stems = [file.rsplit("/", 1)[-1].rsplit(".", 1)[0] for file in table["file"]]
    counts = pd.Series(stems).value_counts()
    return [stem if counts[stem] == 1 else f"{stem}#{number}" for number, stem in enumerate(stems)]


def _is_utf8(path: Path) -> bool:
    """Whether text, such as a column of a table, can hold the path."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
