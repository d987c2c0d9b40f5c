"""Any database in audformat, the format in which audEERING publishes corpora.

A folder with ``db.yaml``, tables and audio, as ``emotone download`` writes it. A table, filewise or
segmented, has a column of emotions; the speakers are in it or in another table of the same files.

Licence: that of the database
Home page: https://audeering.github.io/audformat/
Language: any
Speakers: any
Utterances: any
Emotions: any
Layout: db.yaml
"""

import os
from glob import escape
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    corpus_from_rows,
    existing_root,
    label_of,
)
from emotone.corpora.info import corpus_info
from emotone.errors import CorpusError
from emotone.options import nearest
from emotone.text import agree, plural

INFO = corpus_info(__name__)


class AudformatOptions(CorpusOptions):
    """A database in audformat; ``root`` is the folder that holds ``db.yaml``.

    Attributes:
        table: name of the table of emotions; by default the first that has the column.
        emotion: name of the column of emotions.
        speaker: name of the column of speakers.
    """

    name: Literal["audformat"] = "audformat"
    table: str | None = None
    emotion: str = "emotion"
    speaker: str = "speaker"


def read(options: AudformatOptions) -> Corpus:
    """Read a database.

    Raises:
        CorpusError: if the folder does not exist or holds no database, a table or column does not
            exist, the database is damaged, or an emotion is unknown and ``strict_labels`` is set.
    """
    import audformat

    root = existing_root(options, INFO.layout)
    if not (root / "db.yaml").is_file():
        raise CorpusError(
            f"audformat: no db.yaml in {root}; corpus.root must be the folder that holds db.yaml"
        )
    if pickled := sorted(root.glob("db.*.pkl")):
        raise CorpusError(
            f"audformat: {pickled[0]} is a pickled table, which could execute code when it is "
            "read; save the database as CSV or Parquet and remove this file"
        )
    try:
        database = audformat.Database.load(str(root), load_data=False)
    except Exception as error:  # the library raises many kinds for a damaged file
        raise _damaged(root / "db.yaml", error) from error
    name = _table_with(database, options.emotion, options.table)
    table = _rows(root, name, options.emotion)
    table["speaker"] = _speakers(root, database, name, table, options.speaker)
    unlabelled = int(table[[options.emotion, "speaker"]].isna().any(axis=1).sum())
    sexes = _sexes(database, options.speaker)
    rows = []
    for row in table.dropna(subset=[options.emotion, "speaker"]).to_dict("records"):
        stem = row["file"].rpartition(".")[0].replace("/", "-")
        rows.append(
            {
                "utterance": f"{stem}#{row['start']:g}" if database[name].is_segmented else stem,
                "file": str(_inside(root, row["file"])),
                "start": row["start"],
                "end": row["end"],
                "emotion": label_of(str(row[options.emotion]), options, f"audformat: {root}"),
                "speaker": str(row["speaker"]),
                "sex": sexes.get(str(row["speaker"]), ""),
            }
        )
    if not rows:
        raise CorpusError(f"audformat: table '{name}' in {root} has no labelled utterance")
    problem = f"{plural(unlabelled, 'row')} without emotion or speaker {agree(unlabelled, 'are')}"
    problems = [f"{problem} left out"] if unlabelled else []
    language = database.languages[0] if database.languages else ""
    return corpus_from_rows(database.name, rows, language=language, problems=problems)


def _rows(root: Path, name: str, column: str) -> pd.DataFrame:
    """Read a table of a database: ``file``, ``start`` and ``end`` in seconds, and its columns.

    Times may also be numbers, which are seconds. Every text but an empty one is a name, NA too.
    """
    path = root / f"db.{name}.parquet"
    try:
        if path.is_file():
            table = pd.read_parquet(path)
        else:
            path = root / f"db.{name}.csv"
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        table["file"] = table[["file", column]]["file"].astype(str)
        for time, default in (("start", 0.0), ("end", float("nan"))):
            given = table[time] if time in table.columns else pd.Series(default, table.index)
            table[time] = given.map(_seconds).fillna(default)
    except Exception as error:  # the libraries raise many kinds for a damaged file
        raise _damaged(path, error) from error
    return table


def _seconds(time: Any) -> float:
    """Seconds of a time: a duration, a number, or a text of either."""
    try:
        return float(time)
    except (TypeError, ValueError):
        return float(pd.Timedelta(time).total_seconds())


def _damaged(path: Path, error: Exception) -> CorpusError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return CorpusError(f"audformat: {path} cannot be read ({reason}); copy the database again")


def _table_with(database: Any, column: str, requested: str | None) -> str:
    tables = {name: list(database[name].columns) for name in database.tables}
    if requested is not None and requested not in tables:
        raise CorpusError(
            f"audformat: no table '{requested}'{nearest(requested, tables)}; there are "
            f"{', '.join(tables)}"
        )
    for name in [requested] if requested is not None else tables:
        if column in tables[name]:
            return str(name)
    found = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in tables.items())
    raise CorpusError(
        f"audformat: no column '{column}' in table {requested or 'any'} ({found}); set "
        "corpus.emotion and corpus.table"
    )


def _speakers(
    root: Path, database: Any, name: str, table: pd.DataFrame, column: str
) -> "pd.Series[Any]":
    """Speakers of the rows of a table, from itself or from another table of the same files."""
    if column in table.columns:
        return table[column]
    for other in database.tables:
        if other != name and column in database[other].columns:
            by_file = _rows(root, other, column).groupby("file")[column].first()
            return pd.Series(by_file.reindex(table["file"]).to_numpy(), index=table.index)
    raise CorpusError(
        f"audformat: no column '{column}' in any table; set corpus.speaker to the column of "
        "speakers"
    )


def _sexes(database: Any, column: str) -> dict[str, str]:
    """Sexes of the speakers, if the scheme of the speakers has them."""
    for scheme in (column, "speaker"):
        labels = database.schemes[scheme].labels if scheme in database.schemes else None
        if isinstance(labels, dict):
            return {
                str(speaker): str(about.get("gender", about.get("sex", "")))
                for speaker, about in labels.items()
                if isinstance(about, dict)
            }
    return {}


def _inside(root: Path, file: str) -> Path:
    """The path of a file, also if it is there with another extension."""
    path = root / file
    if os.path.isfile(path):  # noqa: PTH113  (also False for a name that is too long)
        return path
    return next(iter(sorted(path.parent.glob(f"{escape(path.stem)}.*"))), path)
