"""What all corpus readers share: the table's columns, the names of emotions, finding files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from emotone.errors import CorpusError
from emotone.options import Options

EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)

COLUMNS = (
    "utterance",
    "file",
    "start",
    "end",
    "emotion",
    "speaker",
    "sex",
    "session",
    "language",
    "corpus",
)

AUDIO_SUFFIXES = frozenset(
    [".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".webm"]
)


class CorpusOptions(Options):
    """Which corpus, and where it lies. Every reader extends it with its own name and options."""

    root: Path | None = None


@dataclass(frozen=True)
class Corpus:
    """A corpus as one table.

    Attributes:
        name: of the corpus.
        table: one row per utterance with :data:`COLUMNS`: ``utterance`` is unique; ``file`` is a
            path; ``start`` and ``end`` are seconds within it (``end`` is NaN for the end of the
            file); ``sex`` is ``female``, ``male`` or empty; ``session`` may be empty; ``language``
            is an ISO 639-3 code or empty. Further columns are the corpus's own.
        problems: what is wrong with it, a sentence each.
    """

    name: str
    table: pd.DataFrame
    problems: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> list[str]:
        """The emotions that occur, in alphabetical order: the order of the network's outputs."""
        return sorted(self.table["emotion"].unique())

    @property
    def speakers(self) -> list[str]:
        """The speakers, in order."""
        return sorted(self.table["speaker"].unique())


def corpus_from_rows(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    language: str = "",
    problems: Iterable[str] = (),
) -> Corpus:
    """Build a corpus from one mapping per utterance; columns left out get their neutral value."""
    defaults: dict[str, Any] = {
        "start": 0.0,
        "end": float("nan"),
        "sex": "",
        "session": "",
        "language": language,
        "corpus": name,
    }
    table = pd.DataFrame([defaults | dict(row) for row in rows])
    extra = [column for column in table.columns if column not in COLUMNS]
    table = table[[*COLUMNS, *extra]].sort_values("utterance", ignore_index=True)
    return Corpus(name, table, tuple(problems))


def existing_root(options: CorpusOptions, corpus: str, layout: str) -> Path:
    """Return the corpus's folder.

    Raises:
        CorpusError: if no root is given or it is not a folder.
    """
    if options.root is None:
        raise CorpusError(f"{corpus}: no root given; say where it lies with corpus.root=FOLDER")
    if not options.root.is_dir():
        raise CorpusError(
            f"{corpus}: the folder {options.root} does not exist; corpus.root must be the folder "
            f"that holds {layout}"
        )
    return options.root


def audio_files(root: Path) -> dict[str, Path]:
    """Find audio files below ``root`` by stem, whatever their extension.

    AppleDouble files (``._name``) are left out. Of several files with one stem the first in
    alphabetical order counts.
    """
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith("._"):
            found.setdefault(path.stem, path)
    return found


def no_such_corpus(corpus: str, root: Path, layout: str, found: int) -> CorpusError:
    """Return the error for a folder in which no file has a name of the corpus."""
    return CorpusError(
        f"{corpus}: no utterance of it in {root} ({found} audio files, none named as expected); "
        f"corpus.root must be the folder that holds {layout}"
    )


def unnamed(corpus: str, names: list[str]) -> list[str]:
    """Return the problem, if any, that some files do not follow the corpus's naming."""
    if not names:
        return []
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return [f"{len(names)} audio files are not named as {corpus} names them, left out: {shown}"]
