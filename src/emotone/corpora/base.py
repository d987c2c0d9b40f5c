"""What all corpus readers share: the table's columns, the names of emotions, finding files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field, field_validator

from emotone.errors import CorpusError
from emotone.options import Options, nearest

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

ALIASES = {
    "angry": "anger",
    "bored": "boredom",
    "boredem": "boredom",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "joy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}

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
    """Options that all readers share. Each reader extends them with its own name and options.

    Attributes:
        name: of the reader; each gives it as a literal.
        root: root directory of the corpus.
        map: new names of emotions, such as ``{calm: neutral}``; null leaves an emotion out.
        keep: the emotions to keep, after ``map``; empty for all.
    """

    name: str
    root: Path | None = None
    map: dict[str, str | None] = Field(default_factory=dict)
    keep: tuple[str, ...] = ()

    @field_validator("map")
    @classmethod
    def _map_to_known(cls, mapping: dict[str, str | None]) -> dict[str, str | None]:
        for emotion in mapping.values():
            if emotion is not None:
                _check_known(emotion)
        return mapping

    @field_validator("keep")
    @classmethod
    def _keep_known(cls, emotions: tuple[str, ...]) -> tuple[str, ...]:
        for emotion in emotions:
            _check_known(emotion)
        return emotions


LOOKED_AT = 200  # files or folders, at most, in search of a corpus that lies elsewhere


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


def relabelled(corpus: Corpus, options: CorpusOptions) -> Corpus:
    """Apply ``map`` and ``keep``; what is left out is counted among the problems.

    Raises:
        CorpusError: if ``map`` names an emotion that the corpus does not have, or nothing is left.
    """
    if not options.map and not options.keep:
        return corpus
    table = corpus.table
    present = sorted(table["emotion"].unique())
    for emotion in options.map:
        if emotion not in present:
            raise CorpusError(
                f"{corpus.name}: corpus.map names '{emotion}', which it does not have"
                f"{nearest(emotion, present)}; it has {', '.join(present)}"
            )
    new = table["emotion"].map(lambda emotion: options.map.get(emotion, emotion))
    kept = new.notna() & (new.isin(options.keep) if options.keep else True)
    if not kept.any():
        raise CorpusError(
            f"{corpus.name}: corpus.map and corpus.keep leave no utterance; it has "
            f"{', '.join(present)}"
        )
    problems = [
        f"{count} utterances of {emotion} are left out, as corpus.map or corpus.keep ask"
        for emotion, count in table.loc[~kept, "emotion"].value_counts().sort_index().items()
    ]
    table = table.assign(emotion=new)[kept].reset_index(drop=True)
    return Corpus(corpus.name, table, (*corpus.problems, *problems))


def existing_root(options: CorpusOptions, corpus: str, layout: str) -> Path:
    """Return the corpus's folder.

    Raises:
        CorpusError: if no root is given or it is not a folder.
    """
    if options.root is None:
        raise CorpusError(f"{corpus}: no root given; say where it lies with corpus.root=FOLDER")
    if options.root.is_file():
        raise CorpusError(
            f"{corpus}: {options.root} is a file; corpus.root must be the folder that holds "
            f"{layout}"
        )
    if not options.root.is_dir():
        siblings = [path.name for path in _folders(options.root.parent)]
        raise CorpusError(
            f"{corpus}: the folder {options.root} does not exist"
            f"{nearest(options.root.name, siblings)}; corpus.root must be the folder that holds "
            f"{layout}"
        )
    return options.root


def sound_files(root: Path) -> list[Path]:
    """Audio files below ``root``, in order; AppleDouble files (``._name``) are left out."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith("._")
    ]


def audio_files(root: Path) -> dict[str, Path]:
    """Audio files below ``root`` by stem, whatever their extension; the first of each stem."""
    found: dict[str, Path] = {}
    for path in sound_files(root):
        found.setdefault(path.stem, path)
    return found


def corpus_from_names(
    options: CorpusOptions,
    name: str,
    *,
    layout: str,
    parse: Callable[[str], dict[str, str] | None],
    language: str,
    published: int,
) -> Corpus:
    """Read a corpus whose file names say everything.

    Args:
        options: with the root.
        name: of the corpus.
        layout: example of its files, for messages.
        parse: stem of a file to ``emotion``, ``speaker``, ``sex`` and what else the name says;
            ``None`` if it is not named as the corpus names its files, an empty mapping if it is
            left out on purpose.
        language: ISO 639-3 code.
        published: number of utterances of the whole corpus.

    Raises:
        CorpusError: if the root is missing or no file is named as expected.
    """
    root = existing_root(options, name, layout)
    files = audio_files(root)
    rows, strangers = [], []
    for stem, path in files.items():
        row = parse(stem)
        if row is None:
            strangers.append(stem)
        elif row:
            rows.append({"utterance": stem, "file": str(path), **row})
    if not rows:
        raise no_such_corpus(name, root, layout, strangers, parse)
    problems = incomplete(name, len(rows), published)
    if strangers:
        shown = ", ".join(strangers[:3]) + (", …" if len(strangers) > 3 else "")
        problems.append(
            f"{len(strangers)} audio files are not named as {name} names them, left out: {shown}"
        )
    return corpus_from_rows(name, rows, language=language, problems=problems)


def no_such_corpus(
    name: str,
    root: Path,
    layout: str,
    found: Sequence[str],
    parse: Callable[[str], dict[str, str] | None] = lambda stem: None,
) -> CorpusError:
    """Return the error for a folder in which no file has a name of the corpus.

    Names a folder beside or above it that holds such files, if there is one.
    """
    there = f"{len(found)} audio files such as {found[0]}" if found else "no audio files"
    near = ""
    for folder in (root.resolve().parent, *_folders(root.resolve().parent)):
        names = islice((path.stem for path in folder.glob("*") if path.is_file()), LOOKED_AT)
        if any(parse(stem) for stem in names):
            near = f", but in {folder}"
            break
    return CorpusError(
        f"{name}: no utterance of it in {root}, which holds {there}{near}; corpus.root must be "
        f"the folder that holds {layout}"
    )


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    try:
        return sorted(path for path in islice(parent.iterdir(), LOOKED_AT) if path.is_dir())
    except OSError:
        return []


def incomplete(corpus: str, found: int, published: int) -> list[str]:
    """Return the problem, if any, that a corpus has fewer utterances than were published."""
    if found >= published:
        return []
    return [f"{found} of the {published} utterances of {corpus} are here; is the copy complete?"]


def canonical(label: str) -> str | None:
    """Return emotone's name of an emotion that another collection calls ``label``, if known."""
    name = label.strip().lower()
    name = ALIASES.get(name, name)
    return name if name in EMOTIONS else None


def _check_known(emotion: str) -> None:
    if emotion not in EMOTIONS:
        raise ValueError(
            f"unknown emotion '{emotion}'{nearest(emotion, EMOTIONS)}; known are "
            f"{', '.join(EMOTIONS)}"
        )
