"""Any corpus as a table of your own: CSV, TSV or Parquet.

Columns ``file``, ``emotion`` and ``speaker`` are needed; ``start`` and ``end`` (seconds), ``sex``,
``session`` and ``language`` are used if there; others are kept. Paths are relative to the table.
"""

from typing import Literal

import pandas as pd

from emotone.corpora.base import EMOTIONS, Corpus, CorpusOptions, corpus_from_rows
from emotone.errors import CorpusError
from emotone.options import nearest

NEEDED = ("file", "emotion", "speaker")
TEXT = ("sex", "session", "language")
SEPARATORS = {".csv": ",", ".tsv": "\t"}


class TableOptions(CorpusOptions):
    """A table of utterances; ``root`` is the table's file."""

    name: Literal["table"] = "table"


def read(options: TableOptions) -> Corpus:
    """Read a table of utterances.

    Raises:
        CorpusError: if the table is missing, lacks a column, has an unknown emotion, an empty
            field, a time that is no number, or names a file that does not exist.
    """
    table = _load(options)
    path = options.root
    assert path is not None
    for column in NEEDED:
        if column not in table.columns:
            raise CorpusError(
                f"{path}: no column '{column}'{nearest(column, table.columns)}; needed are "
                f"{', '.join(NEEDED)}, found {', '.join(table.columns)}"
            )
        empty = table.index[table[column].fillna("").astype(str).str.strip() == ""]
        if len(empty):
            raise CorpusError(f"{path}: row {empty[0] + 2} has no {column}; fill it in")
    if table.empty:
        raise CorpusError(f"{path}: no rows; add one per utterance")
    for row, emotion in enumerate(table["emotion"]):
        if emotion not in EMOTIONS and emotion not in options.map:
            raise CorpusError(
                f"{path}: row {row + 2} has the unknown emotion '{emotion}'"
                f"{nearest(str(emotion), EMOTIONS)}; known are "
                f"{', '.join(EMOTIONS)}; corpus.map can rename it"
            )
    for column, default in (("start", 0.0), ("end", float("nan"))):
        table[column] = _seconds(options, table, column, default)
    for column in TEXT:
        values = table[column].fillna("") if column in table.columns else ""
        table[column] = pd.Series(values, index=table.index, dtype=str)
    table["speaker"] = table["speaker"].astype(str)
    table["file"] = [str(path.parent / file) for file in table["file"]]
    absent = [file for file in table["file"].unique() if not (path.parent / file).is_file()]
    if absent:
        raise CorpusError(
            f"{path}: {len(absent)} files do not exist, the first is {absent[0]}; paths are "
            f"relative to {path.parent}"
        )
    table["utterance"] = _names(table)
    table["corpus"] = path.stem
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return corpus_from_rows(path.stem, rows)


def _load(options: TableOptions) -> pd.DataFrame:
    path = options.root
    if path is None:
        raise CorpusError("table: no root given; say which file with corpus.root=TABLE.csv")
    if not path.is_file():
        raise CorpusError(f"table: the file {path} does not exist; corpus.root must be the table")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        if path.suffix.lower() in SEPARATORS:
            text = dict.fromkeys(["file", "emotion", "speaker", *TEXT], str)
            return pd.read_csv(path, sep=SEPARATORS[path.suffix.lower()], dtype=text)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise CorpusError(
            f"{path}: cannot be read as a {path.suffix[1:].upper()} table ({reason}); "
            "write it again, in UTF-8"
        ) from error
    raise CorpusError(f"{path}: expected .csv, .tsv or .parquet, got '{path.suffix}'")


def _seconds(options: TableOptions, table: pd.DataFrame, column: str, default: float) -> pd.Series:
    if column not in table.columns:
        return pd.Series(default, index=table.index, dtype=float)
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = numbers.isna() & table[column].notna()
    if wrong.any() or (numbers < 0).any():
        row = int((wrong | (numbers < 0)).to_numpy().argmax())
        raise CorpusError(
            f"{options.root}: row {row + 2} has '{table[column].iloc[row]}' as {column}; "
            "expected seconds, at least 0, as a number"
        )
    return numbers.fillna(default).astype(float)


def _names(table: pd.DataFrame) -> list[str]:
    """Name utterances by file, and by number too where files share a name."""
    stems = [file.rsplit("/", 1)[-1].rsplit(".", 1)[0] for file in table["file"]]
    counts = pd.Series(stems).value_counts()
    return [stem if counts[stem] == 1 else f"{stem}#{number}" for number, stem in enumerate(stems)]
