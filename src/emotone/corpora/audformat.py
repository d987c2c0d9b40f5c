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
        database = audformat.Database.load(str(root))
        name = _table_with(database, options.emotion, options.table)
        table = _rows(root, database, name)
        table["speaker"] = _speakers(database, name, table, options.speaker)
    except CorpusError:
        raise
    except Exception as error:  # the libraries raise many kinds for a damaged database
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CorpusError(
            f"audformat: the database in {root} cannot be read ({reason}); copy it again"
        ) from error
    unlabelled = int(table[[options.emotion, "speaker"]].isna().any(axis=1).sum())
    table = table.dropna(subset=[options.emotion, "speaker"])
    sexes = _sexes(database, options.speaker)
    segmented = audformat.index_type(table) == audformat.define.IndexType.SEGMENTED
    rows = []
    index: Any
    for index, row in table.iterrows():
        file, start, end = index if segmented else (index, pd.Timedelta(0), pd.NaT)
        stem = str(file).rpartition(".")[0].replace("/", "-")
        rows.append(
            {
                "utterance": f"{stem}#{start.total_seconds():g}" if segmented else stem,
                "file": str(_inside(root, file)),
                "start": start.total_seconds(),
                "end": float("nan") if pd.isna(end) else end.total_seconds(),
                "emotion": label_of(str(row[options.emotion]), options, f"audformat: {root}"),
                "speaker": str(row["speaker"]),
                "sex": sexes.get(row["speaker"], ""),
            }
        )
    if not rows:
        raise CorpusError(f"audformat: table '{name}' in {root} has no labelled utterance")
    problems = [f"{unlabelled} rows without emotion or speaker are left out"] if unlabelled else []
    language = database.languages[0] if database.languages else ""
    return corpus_from_rows(database.name, rows, language=language, problems=problems)


def _rows(root: Path, database: Any, name: str) -> pd.DataFrame:
    """Read a table of a database; also one whose times are numbers, which are seconds."""
    path = root / f"db.{name}.csv"
    if database[name].is_segmented and path.is_file():
        frame = pd.read_csv(path, dtype=str)
        times = [pd.to_numeric(frame[column], errors="coerce") for column in ("start", "end")]
        if times[0].notna().all():
            start, end = (pd.to_timedelta(values, unit="s") for values in times)
            index = pd.MultiIndex.from_arrays(
                [frame["file"], start, end], names=["file", "start", "end"]
            )
            return frame.drop(columns=["file", "start", "end"]).set_index(index)
    found: pd.DataFrame = database[name].get()
    return found


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
        f"audformat: no column '{column}' in any table; set corpus.speaker to the column of "
        "speakers"
    )


def _sexes(database: Any, column: str) -> dict[Any, str]:
    """Sexes of the speakers, if the scheme of the speakers has them."""
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
    """The path of a file, also if it is there with another extension."""
    path = root / str(file)
    if path.is_file():
        return path
    return next(iter(sorted(path.parent.glob(f"{path.stem}.*"))), path)
