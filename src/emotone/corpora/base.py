"""Shared by all corpus readers: options, columns of the table, file search."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import ConfigDict, Field, field_validator, model_validator

from emotone import audio
from emotone.corpora.info import CorpusInfo
from emotone.corpora.labels import EMOTIONS, canonical, normalised, unknown
from emotone.errors import CorpusError
from emotone.options import Options, nearest
from emotone.text import agree, plural

COLUMNS = (
    "utterance",
    "file",
    "start",
    "end",
    "emotion",
    "speaker",
    "sex",
    "session",
    "text",
    "language",
    "corpus",
)


Dimension = Annotated[str, Field(pattern=r"^\w[\w -]*$", max_length=100)]


class CorpusOptions(Options):
    """Options that all readers share. Each reader extends them with its own name and options.

    Attributes:
        name: name of the reader.
        root: root directory of the corpus.
        map: new names of emotions, such as ``{calm: neutral}``; null leaves an emotion out.
        keep: the emotions to keep, after ``map``; empty for all.
        exclude: files to leave out: names, or patterns such as ``03a*.wav`` and ``Actor_01/*``.
        strict_labels: refuse labels that are not emotions that emotone knows.
        dimensions: columns of numbers to learn beside the emotions, such as ``[arousal, valence]``;
            see :mod:`emotone.corpora.dimensions`.
        scale: lowest and highest value of these columns, which become 0 and 1; ``None`` for the
            reader's: 1 to 5 for IEMOCAP, 0 to 1 for all others.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)  # a label may be a number

    name: str
    root: Path | None = None
    map: dict[str, str | None] = Field(default_factory=dict)
    keep: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strict_labels: bool = False
    dimensions: tuple[Dimension, ...] = ()
    scale: tuple[float, float] | None = None

    own_scale: ClassVar[tuple[float, float]] = (0.0, 1.0)
    decides_speech: ClassVar[tuple[str, ...]] = ()  # options that change what a name stands for

    @field_validator("map")
    @classmethod
    def _map_normalised(cls, names: dict[str, str | None]) -> dict[str, str | None]:
        return {
            normalised(name): None if new is None else normalised(new)
            for name, new in names.items()
        }

    @field_validator("keep")
    @classmethod
    def _keep_normalised(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(normalised(name) for name in names)

    @model_validator(mode="after")
    def _known_if_strict(self) -> "CorpusOptions":
        if self.strict_labels:
            for emotion in (*self.map.values(), *self.keep):
                if emotion is not None and emotion not in EMOTIONS:
                    raise ValueError(unknown(emotion))
        return self

    @model_validator(mode="after")
    def _usable_dimensions(self) -> "CorpusOptions":
        if len(set(self.dimensions)) < len(self.dimensions):
            raise ValueError(f"dimensions must differ, got {', '.join(self.dimensions)}")
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise ValueError(f"scale must be the lowest and the highest value, got {self.scale}")
        return self

    def leaves_out(self, file: str) -> bool:
        """Whether ``exclude`` names a file."""
        return any(matches(file, pattern) for pattern in self.exclude)


SEARCH_LIMIT = 200  # files or folders examined to suggest the right folder


@dataclass(frozen=True)
class Corpus:
    """A corpus as one table.

    Attributes:
        name: name of the corpus.
        table: one row per utterance with :data:`COLUMNS`: ``utterance`` is unique; ``file`` is a
            path; ``start`` and ``end`` are seconds within it (``end`` is NaN for the end of the
            file); ``sex`` is ``female``, ``male`` or empty; ``session`` may be empty; ``text`` is
            what is said, or a name of the sentence, equal for equal sentences, or empty;
            ``language`` is an ISO 639-3 code or empty. Further columns are the corpus's own.
        problems: problems of this copy, one sentence each.
        dimensions: columns with values in 0 … 1, NaN where there is none, that a network learns
            beside the emotions; see :mod:`emotone.corpora.dimensions`.
    """

    name: str
    table: pd.DataFrame
    problems: tuple[str, ...] = field(default=())
    dimensions: tuple[str, ...] = ()

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

    Names of speakers and sessions, and texts, are normalised, see :func:`normalised`; an
    utterance's name that another one has gets a number.
    """
    defaults: dict[str, Any] = {
        "start": 0.0,
        "end": float("nan"),
        "sex": "",
        "session": "",
        "text": "",
        "language": language,
        "corpus": name,
    }
    table = pd.DataFrame([defaults | dict(row) for row in rows])
    for column in ("speaker", "session", "text"):
        table[column] = [normalised(str(value)) for value in table[column]]
    table["utterance"] = _unique([str(value) for value in table["utterance"]])
    extra = [column for column in table.columns if column not in COLUMNS]
    table = table[[*COLUMNS, *extra]].sort_values("utterance", ignore_index=True)
    return Corpus(name, table, tuple(problems))


def existing_root(options: CorpusOptions, layout: str) -> Path:
    """Return the root directory of a corpus; ``layout`` says what it should hold.

    Raises:
        CorpusError: if no root is given or it is not a folder.
    """
    corpus = options.name
    if options.root is None:
        raise CorpusError(
            f"{corpus}: no folder given; put it after the name ({corpus} FOLDER) or set root in "
            "the configuration"
        )
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
        raise no_such_corpus(name, root, info.layout, parse)
    problems = incomplete(name, len(rows), info.utterances)
    doubles = [str(path) for path in audio_paths(root) if files[path.stem] != path]
    if doubles:
        shown = ", ".join(doubles[:3]) + (", …" if len(doubles) > 3 else "")
        problems.append(
            f"{plural(len(doubles), 'audio file')} {agree(len(doubles), 'are')} left out, as "
            f"another has the same name without extension: {shown}"
        )
    if unrecognised:
        shown = ", ".join(unrecognised[:3]) + (", …" if len(unrecognised) > 3 else "")
        problems.append(f"{len(unrecognised)} audio files with other names are left out: {shown}")
    return corpus_from_rows(name, rows, language=info.language_code, problems=problems)


def no_such_corpus(
    name: str,
    root: Path,
    layout: str,
    parse: Callable[[str], dict[str, str] | None] = lambda stem: None,
) -> CorpusError:
    """Return the error for a folder in which no file has a name of the corpus.

    Suggests a folder beside or above it that holds such files, if there is one.
    """
    found = audio_paths(root)
    content = (
        f"{plural(len(found), 'audio file')} such as {found[0].stem}" if found else "no audio files"
    )
    if not found and (others := audio.search(root).others.most_common(1)):
        content += f", but {plural(others[0][1], 'file')} with the suffix {others[0][0]}"
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


def matches(file: str, pattern: str) -> bool:
    """Whether a file has the name, or fits the pattern, ``pattern``."""
    path = Path(file)
    return path.name == pattern or path.stem == pattern or path.match(pattern)


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
