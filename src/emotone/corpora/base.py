"""Shared by all corpus readers: options, columns of the table, names of emotions, file search."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field, field_validator

from emotone import audio
from emotone.corpora.info import CorpusInfo
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


class CorpusOptions(Options):
    """Options that all readers share. Each reader extends them with its own name and options.

    Attributes:
        name: name of the reader; each reader narrows it to a literal.
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


SEARCH_LIMIT = 200  # files or folders examined to suggest the right folder


@dataclass(frozen=True)
class Corpus:
    """A corpus as one table.

    Attributes:
        name: name of the corpus.
        table: one row per utterance with :data:`COLUMNS`: ``utterance`` is unique; ``file`` is a
            path; ``start`` and ``end`` are seconds within it (``end`` is NaN for the end of the
            file); ``sex`` is ``female``, ``male`` or empty; ``session`` may be empty; ``language``
            is an ISO 639-3 code or empty. Further columns are the corpus's own.
        problems: problems of this copy, one sentence each.
    """

    name: str
    table: pd.DataFrame
    problems: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> list[str]:
        """The emotions that occur, in alphabetical order, as a network's outputs."""
        return sorted(self.table["emotion"].unique())

    @property
    def speakers(self) -> list[str]:
        """The speakers, in alphabetical order."""
        return sorted(self.table["speaker"].unique())


def corpus_from_rows(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    language: str = "",
    problems: Iterable[str] = (),
) -> Corpus:
    """Build a corpus from one mapping per utterance; missing columns get their default value."""
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
    """Apply ``map`` and ``keep``; utterances left out are counted among the problems.

    Raises:
        CorpusError: if ``map`` renames an emotion that does not occur, or no utterance is left.
    """
    if not options.map and not options.keep:
        return corpus
    table = corpus.table
    present = sorted(table["emotion"].unique())
    for emotion in options.map:
        if emotion not in present:
            raise CorpusError(
                f"{corpus.name}: corpus.map renames '{emotion}', which does not occur"
                f"{nearest(emotion, present)}; the emotions are {', '.join(present)}"
            )
    new = table["emotion"].map(lambda emotion: options.map.get(emotion, emotion))
    kept = new.notna() & (new.isin(options.keep) if options.keep else True)
    if not kept.any():
        raise CorpusError(
            f"{corpus.name}: no utterance is left after corpus.map and corpus.keep; the emotions "
            f"are {', '.join(present)}"
        )
    problems = [
        f"{count} utterances of {emotion} are left out because of corpus.map or corpus.keep"
        for emotion, count in table.loc[~kept, "emotion"].value_counts().sort_index().items()
    ]
    table = table.assign(emotion=new)[kept].reset_index(drop=True)
    return Corpus(corpus.name, table, (*corpus.problems, *problems))


def existing_root(options: CorpusOptions, layout: str) -> Path:
    """Return the root directory of a corpus; ``layout`` says what it should hold.

    Raises:
        CorpusError: if no root is given or it is not a folder.
    """
    corpus = options.name
    if options.root is None:
        raise CorpusError(f"{corpus}: no root given; set corpus.root=FOLDER")
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


def audio_paths(root: Path) -> list[Path]:
    """Audio files below ``root``, sorted; see :func:`emotone.audio.search`.

    Raises:
        CorpusError: if a folder cannot be read.
    """
    found = audio.search(root)
    if found.unreadable:
        raise CorpusError(f"{found.unreadable[0]}; change its permissions or move it elsewhere")
    return found.files


def audio_by_stem(root: Path) -> dict[str, Path]:
    """Audio files below ``root`` by name without extension; the first of each name."""
    found: dict[str, Path] = {}
    for path in audio_paths(root):
        found.setdefault(path.stem, path)
    return found


def corpus_from_names(
    options: CorpusOptions, info: CorpusInfo, parse: Callable[[str], dict[str, str] | None]
) -> Corpus:
    """Read a corpus whose file names identify emotion and speaker.

    Args:
        options: options of the reader, with the root directory.
        info: facts about the corpus.
        parse: maps a file name without its extension to ``emotion``, ``speaker``, ``sex`` and
            further columns; ``None`` if it is not a name of the corpus, an empty mapping if the
            file is left out on purpose.

    Raises:
        CorpusError: if the root directory does not exist or no file has a name of the corpus.
    """
    name, root = options.name, existing_root(options, info.layout)
    files = audio_by_stem(root)
    rows, unrecognised = [], []
    for stem, path in files.items():
        row = parse(stem)
        if row is None:
            unrecognised.append(stem)
        elif row:
            rows.append({"utterance": stem, "file": str(path), **row})
    if not rows:
        raise no_such_corpus(name, root, info.layout, unrecognised, parse)
    problems = incomplete(name, len(rows), info.utterances)
    if unrecognised:
        shown = ", ".join(unrecognised[:3]) + (", …" if len(unrecognised) > 3 else "")
        problems.append(f"{len(unrecognised)} audio files with other names are left out: {shown}")
    return corpus_from_rows(name, rows, language=info.language_code, problems=problems)


def no_such_corpus(
    name: str,
    root: Path,
    layout: str,
    found: Sequence[str],
    parse: Callable[[str], dict[str, str] | None] = lambda stem: None,
) -> CorpusError:
    """Return the error for a folder in which no file has a name of the corpus.

    Suggests a folder beside or above it that holds such files, if there is one.
    """
    content = f"{len(found)} audio files such as {found[0]}" if found else "no audio files"
    if not found and (others := audio.search(root).others.most_common(1)):
        content += f", but {others[0][1]} files with the suffix {others[0][0]}"
    hint = ""
    here = root.resolve()
    for folder in (here.parent, *_folders(here.parent)):
        paths = islice(folder.glob("*"), SEARCH_LIMIT)
        names = [path.stem for path in paths if path.suffix.lower() in audio.SUFFIXES]
        if folder != here and any(parse(stem) for stem in names):
            hint = f"; did you mean {folder}?"
            break
    return CorpusError(
        f"{name}: no utterances in {root}, which holds {content}{hint}; corpus.root must be the "
        f"folder that holds {layout}"
    )


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    try:
        return sorted(path for path in islice(parent.iterdir(), SEARCH_LIMIT) if path.is_dir())
    except OSError:
        return []


def incomplete(corpus: str, found: int, published: int | None) -> list[str]:
    """Return the problem, if any, that a corpus has fewer utterances than were published."""
    if published is None or found >= published:
        return []
    return [f"{found} of {published} utterances of {corpus} were found; is the copy complete?"]


def canonical(label: str) -> str | None:
    """Return emotone's name of the emotion that a corpus calls ``label``, if it is known."""
    name = label.strip().lower()
    name = ALIASES.get(name, name)
    return name if name in EMOTIONS else None


def _check_known(emotion: str) -> None:
    if emotion not in EMOTIONS:
        raise ValueError(
            f"unknown emotion '{emotion}'{nearest(emotion, EMOTIONS)}; known emotions are "
            f"{', '.join(EMOTIONS)}"
        )
