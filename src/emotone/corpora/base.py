"""Shared by all corpus readers: options, columns of the table, names of emotions, file search."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field, model_validator

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

AUDIO_SUFFIXES = frozenset(
    [".aif", ".aiff", ".flac", ".m4a", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".webm"]
)


class CorpusOptions(Options):
    """Options that all readers share. Each reader extends them with its own name and options.

    Attributes:
        name: name of the reader; each reader narrows it to a literal.
        root: root directory of the corpus.
        map: new names of emotions, such as ``{calm: neutral}``; null leaves an emotion out.
        keep: the emotions to keep, after ``map``; empty for all.
        exclude: files to leave out: names, or patterns such as ``03a*.wav`` and ``Actor_01/*``.
        strict_labels: refuse labels that are not emotions that emotone knows.
    """

    name: str
    root: Path | None = None
    map: dict[str, str | None] = Field(default_factory=dict)
    keep: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strict_labels: bool = False

    @model_validator(mode="after")
    def _known_if_strict(self) -> "CorpusOptions":
        if self.strict_labels:
            for emotion in (*self.map.values(), *self.keep):
                if emotion is not None and emotion not in EMOTIONS:
                    raise ValueError(unknown(emotion))
        return self

    def leaves_out(self, file: str) -> bool:
        """Whether ``exclude`` names a file."""
        return any(_matches(file, pattern) for pattern in self.exclude)


INVISIBLE = "\u200b\u2060\ufeff"  # zero-width spaces and the byte-order mark
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
    """Build a corpus from one mapping per utterance; missing columns get their default value.

    Names of speakers and sessions are normalised, see :func:`normalised`; an utterance's name that
    another one has gets a number.
    """
    defaults: dict[str, Any] = {
        "start": 0.0,
        "end": float("nan"),
        "sex": "",
        "session": "",
        "language": language,
        "corpus": name,
    }
    table = pd.DataFrame([defaults | dict(row) for row in rows])
    for column in ("speaker", "session"):
        table[column] = [normalised(str(value)) for value in table[column]]
    table["utterance"] = _unique([str(value) for value in table["utterance"]])
    extra = [column for column in table.columns if column not in COLUMNS]
    table = table[[*COLUMNS, *extra]].sort_values("utterance", ignore_index=True)
    return Corpus(name, table, tuple(problems))


def relabelled(corpus: Corpus, options: CorpusOptions) -> Corpus:
    """Apply ``map`` and ``keep``; utterances left out are counted among the problems.

    Both may use another name of a known emotion, such as ``sad``, if it is no label itself.

    Raises:
        CorpusError: if ``map`` renames an emotion that does not occur, ``keep`` has an unknown one
            that does not occur, or no utterance is left.
    """
    if not options.map and not options.keep:
        return corpus
    table = corpus.table
    present = sorted(table["emotion"].unique())
    new_names = {_occurring(emotion, present): name for emotion, name in options.map.items()}
    new_names |= {emotion: options.map[emotion] for emotion in present if emotion in options.map}
    for emotion in new_names:
        if emotion not in present:
            raise CorpusError(
                f"{corpus.name}: corpus.map renames '{emotion}', which does not occur"
                f"{nearest(emotion, present)}; the emotions are {', '.join(present)}"
            )
    new = table["emotion"].map(lambda emotion: new_names.get(emotion, emotion))
    left = sorted(new.dropna().unique())
    keep = [_occurring(emotion, left) for emotion in options.keep]
    for emotion in keep:
        if emotion not in left and emotion not in EMOTIONS:
            raise CorpusError(
                f"{corpus.name}: corpus.keep has '{emotion}', which does not occur"
                f"{nearest(emotion, left)}; the emotions are {', '.join(left)}"
            )
    kept = new.notna() & (new.isin(keep) if keep else True)
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
    """Audio files below ``root``, sorted; without AppleDouble files (``._name``)."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith("._")
    ]


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
    hint = ""
    for folder in (root.resolve().parent, *_folders(root.resolve().parent)):
        names = islice((path.stem for path in folder.glob("*") if path.is_file()), SEARCH_LIMIT)
        if any(parse(stem) for stem in names):
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


def label_of(text: str, options: CorpusOptions, place: str) -> str:
    """Return the label that a corpus gives as ``text``.

    A label that ``map`` renames stays as it is, another name of a known emotion becomes
    emotone's, and any other label is the user's own.

    Args:
        text: of the corpus.
        options: of the corpus.
        place: how an error begins.

    Raises:
        CorpusError: if the label is unknown and ``strict_labels`` is set.
    """
    label = normalised(text)
    if label in options.map:
        return label
    known = canonical(label)
    if known is None and options.strict_labels:
        raise CorpusError(f"{place}: {unknown(label)}; rename it with corpus.map")
    return known or label


def normalised(name: str) -> str:
    """Return a name in Unicode's form NFC, with single spaces within it and none around it."""
    visible = "".join(char for char in name if char not in INVISIBLE)
    return " ".join(unicodedata.normalize("NFC", visible).split())


def excluded(corpus: Corpus, options: CorpusOptions) -> Corpus:
    """Apply ``exclude``; utterances left out are counted among the problems.

    Raises:
        CorpusError: if a name or pattern fits no file, or no utterance is left.
    """
    if not options.exclude:
        return corpus
    files = corpus.table["file"]
    for pattern in options.exclude:
        if not any(_matches(file, pattern) for file in files.unique()):
            names = sorted({Path(file).name for file in files})
            raise CorpusError(
                f"{corpus.name}: corpus.exclude has '{pattern}', which no file is called"
                f"{nearest(pattern, names)}"
            )
    out = files.map(options.leaves_out).astype(bool)
    if out.all():
        raise CorpusError(f"{corpus.name}: no utterance is left after corpus.exclude")
    problem = f"{int(out.sum())} utterances are left out because of corpus.exclude"
    table = corpus.table[~out].reset_index(drop=True)
    return Corpus(corpus.name, table, (*corpus.problems, problem))


def spelling_problems(table: pd.DataFrame) -> list[str]:
    """Name speakers and labels that differ in capital letters only."""
    problems = []
    for column, what in (("speaker", "one person"), ("emotion", "one label")):
        names: dict[str, list[str]] = {}
        for name in sorted(table[column].unique()):
            names.setdefault(name.casefold(), []).append(f"'{name}'")
        problems += [
            f"the {column}s {', '.join(same)} differ in capital letters only; are they {what}?"
            for same in names.values()
            if len(same) > 1
        ]
    return problems


def conflicts(table: pd.DataFrame) -> list[str]:
    """Name files that occur more than once with different labels or speakers.

    A row of a whole file conflicts with any other row of it; rows of segments conflict if they
    begin and end alike.
    """
    places = {file: os.path.realpath(file) for file in table["file"].unique()}
    columns = ("file", "start", "end", "emotion", "speaker")
    rows: dict[str, list[tuple[tuple[float, float], str, str]]] = {}
    for file, start, end, emotion, speaker in zip(*(table[name] for name in columns), strict=True):
        extent = (float(start), float("inf") if pd.isna(end) else float(end))
        rows.setdefault(places[file], []).append((extent, emotion, speaker))
    found = []
    for file, several in rows.items():
        whole = any(extent == (0.0, float("inf")) for extent, _, _ in several)
        groups: dict[Any, list[tuple[str, str]]] = {}
        for extent, emotion, speaker in several:
            groups.setdefault(None if whole else extent, []).append((emotion, speaker))
        for group in groups.values():
            for what, values in zip(("labels", "speakers"), zip(*group, strict=True), strict=True):
                if len(set(values)) > 1:
                    names = ", ".join(sorted(set(values)))
                    found.append(f"{Path(file).name} is listed with several {what} ({names})")
    return found


def _matches(file: str, pattern: str) -> bool:
    path = Path(file)
    return path.name == pattern or path.stem == pattern or path.match(pattern)


def _occurring(emotion: str, present: Sequence[str]) -> str:
    """Return ``emotion``, or emotone's name of it if only that is present."""
    known = canonical(emotion)
    return known if emotion not in present and known in present and known else emotion


def _unique(names: Sequence[str]) -> list[str]:
    """Number names that another one has already."""
    taken, result = set(names), []
    used: set[str] = set()
    for name in names:
        new, number = name, 1
        while new in used or (new != name and new in taken):
            number += 1
            new = f"{name}#{number}"
        used.add(new)
        result.append(new)
    return result


def unknown(emotion: str) -> str:
    """Say that a label is unknown, and what is known."""
    return (
        f"unknown emotion '{emotion}'{nearest(emotion, EMOTIONS)}; known emotions are "
        f"{', '.join(EMOTIONS)}"
    )
