"""Any corpus as a table: CSV, TSV or Parquet.

The columns ``file``, ``emotion`` and ``speaker`` are required; ``start`` and ``end`` (seconds),
``sex``, ``session`` and ``language`` are optional; others are kept. Paths are relative to the
table.

Licence: that of the corpus
Language: any
Speakers: any
Utterances: any
Emotions: any
Layout: the table (corpus.root is its file)
"""

from typing import Literal

import pandas as pd

from emotone.corpora.base import EMOTIONS, Corpus, CorpusOptions, corpus_from_rows
from emotone.errors import CorpusError
from emotone.options import nearest

REQUIRED = ("file", "emotion", "speaker")
TEXT_COLUMNS = ("sex", "session", "language")
SEPARATORS = {".csv": ",", ".tsv": "\t"}


class TableOptions(CorpusOptions):
    """A table of utterances; ``root`` is the table's file."""

    name: Literal["table"] = "table"


def read(options: TableOptions) -> Corpus:
    """Read a table of utterances.

    Raises:
        CorpusError: if the table does not exist, lacks a column, has an unknown emotion, an empty
            field or a time that is not a number, or lists a file that does not exist.
    """
    table = _load(options)
    path = options.root
    assert path is not None
    for column in REQUIRED:
        if column not in table.columns:
            raise CorpusError(
                f"{path}: no column '{column}'{nearest(column, table.columns)}; required are "
                f"{', '.join(REQUIRED)}, found {', '.join(table.columns)}"
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
                f"{nearest(str(emotion), EMOTIONS)}; known emotions are "
                f"{', '.join(EMOTIONS)}; rename it with corpus.map"
            )
    for column, default in (("start", 0.0), ("end", float("nan"))):
        table[column] = _seconds(options, table, column, default)
    for column in TEXT_COLUMNS:
        values = table[column].fillna("") if column in table.columns else ""
        table[column] = pd.Series(values, index=table.index, dtype=str)
    table["speaker"] = table["speaker"].astype(str)
    table["file"] = [str(path.parent / file) for file in table["file"]]
    missing = [file for file in table["file"].unique() if not (path.parent / file).is_file()]
    if missing:
        raise CorpusError(
            f"{path}: {len(missing)} files do not exist, the first is {missing[0]}; paths are "
            f"relative to {path.parent}"
        )
    table["utterance"] = _names(table)
    table["corpus"] = path.stem
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return corpus_from_rows(path.stem, rows)


def _load(options: TableOptions) -> pd.DataFrame:
    path = options.root
    if path is None:
        raise CorpusError("table: no root given; set corpus.root=TABLE.csv")
    if not path.is_file():
        raise CorpusError(
            f"table: the file {path} does not exist; corpus.root must be the table file"
        )
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        if path.suffix.lower() in SEPARATORS:
            text = dict.fromkeys(["file", "emotion", "speaker", *TEXT_COLUMNS], str)
            return pd.read_csv(path, sep=SEPARATORS[path.suffix.lower()], dtype=text)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise CorpusError(
            f"{path}: cannot be read as a {path.suffix[1:].upper()} table ({reason}); "
            "save it again, in UTF-8"
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
    """Names of the utterances: the file's, with the row's number if several have it."""
    stems = [file.rsplit("/", 1)[-1].rsplit(".", 1)[0] for file in table["file"]]
    counts = pd.Series(stems).value_counts()
    return [stem if counts[stem] == 1 else f"{stem}#{number}" for number, stem in enumerate(stems)]
