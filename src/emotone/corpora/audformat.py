"""A database in audformat, as audEERING publishes them and ``audb`` loads them.

A folder with ``db.yaml``, tables and audio. A table, filewise or segmented, has a column of
emotions; speakers are in it or in another table of the same files.
"""

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from emotone.corpora.base import (
    ALIASES,
    EMOTIONS,
    Corpus,
    CorpusOptions,
    canonical,
    corpus_from_rows,
    existing_root,
)
from emotone.errors import CorpusError
from emotone.options import nearest

LAYOUT = "db.yaml"


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
        CorpusError: if the folder is missing or holds no database, a table or column is not there,
            or an emotion is unknown.
    """
    import audformat

    root = existing_root(options, "audformat", LAYOUT)
    if not (root / "db.yaml").is_file():
        raise CorpusError(f"audformat: no db.yaml in {root}; corpus.root must be the folder of it")
    if pickled := sorted(root.glob("db.*.pkl")):
        raise CorpusError(
            f"audformat: {pickled[0]} is a pickled table, which could run code when it is read; "
            "save the database as CSV or Parquet and remove it"
        )
    database = audformat.Database.load(str(root))
    name = _table_with(database, options.emotion, options.table)
    table = database[name].get()
    table["speaker"] = _speakers(database, name, table, options.speaker)
    unlabelled = int(table[[options.emotion, "speaker"]].isna().any(axis=1).sum())
    table = table.dropna(subset=[options.emotion, "speaker"])
    sexes = _sexes(database, options.speaker)
    segmented = audformat.index_type(table) == audformat.define.IndexType.SEGMENTED
    rows = []
    for index, row in table.iterrows():
        file, start, end = index if segmented else (index, pd.Timedelta(0), pd.NaT)
        label = str(row[options.emotion])
        emotion = canonical(label) or (label if label in options.map else None)
        if emotion is None:
            raise CorpusError(
                f"audformat: unknown emotion '{label}' in {root}{nearest(label, EMOTIONS)}; rename "
                f"it with corpus.map; known are {', '.join([*EMOTIONS, *ALIASES])}"
            )
        stem = str(file).rpartition(".")[0].replace("/", "-")
        rows.append(
            {
                "utterance": f"{stem}#{start.total_seconds():g}" if segmented else stem,
                "file": str(_inside(root, file)),
                "start": start.total_seconds(),
                "end": float("nan") if pd.isna(end) else end.total_seconds(),
                "emotion": emotion,
                "speaker": str(row["speaker"]),
                "sex": sexes.get(row["speaker"], ""),
            }
        )
    if not rows:
        raise CorpusError(f"audformat: table '{name}' in {root} has no labelled utterance")
    problems = [f"{unlabelled} rows have no emotion or speaker, left out"] if unlabelled else []
    language = database.languages[0] if database.languages else ""
    return corpus_from_rows(database.name, rows, language=language, problems=problems)


def _table_with(database: Any, column: str, asked: str | None) -> str:
    tables = {name: list(database[name].columns) for name in database.tables}
    if asked is not None and asked not in tables:
        raise CorpusError(
            f"audformat: no table '{asked}'{nearest(asked, tables)}; there are {', '.join(tables)}"
        )
    for name in [asked] if asked is not None else tables:
        if column in tables[name]:
            return str(name)
    found = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in tables.items())
    raise CorpusError(
        f"audformat: no column '{column}' in table {asked or 'any'} ({found}); name it with "
        "corpus.emotion and corpus.table"
    )


def _speakers(database: Any, name: str, table: pd.DataFrame, column: str) -> "pd.Series[Any]":
    if column in table.columns:
        return table[column]
    files = table.index.get_level_values("file")
    for other in database.tables:
        if other != name and column in database[other].columns:
            values = database[other][column].get()
            by_file = values.groupby(values.index.get_level_values("file")).first()
            return pd.Series(by_file.reindex(files).to_numpy(), index=table.index)
    raise CorpusError(
        f"audformat: no column '{column}' in any table; name the speakers' with corpus.speaker"
    )


def _sexes(database: Any, column: str) -> dict[Any, str]:
    """Sexes of speakers, where the scheme of the speakers tells them."""
    for scheme in (column, "speaker"):
        labels = database.schemes[scheme].labels if scheme in database.schemes else None
        if isinstance(labels, dict):
            return {
                speaker: str(about.get("gender", about.get("sex", "")))
                for speaker, about in labels.items()
                if isinstance(about, dict)
            }
    return {}


def _inside(root: Path, file: Any) -> Path:
    """The file's path, whatever its extension there."""
    path = root / str(file)
    if path.is_file():
        return path
    return next(iter(sorted(path.parent.glob(f"{path.stem}.*"))), path)
