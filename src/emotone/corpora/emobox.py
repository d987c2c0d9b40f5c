"""A corpus as EmoBox lists it, with EmoBox's folds.

``<corpus>.jsonl`` has one line per utterance with ``key``, ``wav`` and ``emo``; ``label_map.json``
renames emotions; ``fold_N/<corpus>_test_fold_N.jsonl`` lists the test utterances of a fold. The
option ``audio`` is the corpus's own folder, which holds the audio. EmoBox does not name speakers.
They are read from the file names, so the corpus must be one whose file names identify speakers.

Citation: Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and
    Benchmark", Interspeech 2024
Licence: that of the corpus
Home page: https://github.com/emo-box/EmoBox
Language: any
Speakers: any
Utterances: any
Emotions: any
Layout: emodb.jsonl, label_map.json and fold_1, …
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    audio_by_stem,
    corpus_from_rows,
    existing_root,
    label_of,
)
from emotone.corpora.info import corpus_info
from emotone.corpora.registry import readers
from emotone.errors import CorpusError
from emotone.text import shown

INFO = corpus_info(__name__)
TESTED = "*_test_fold_*.jsonl"
ENTRY = ("dataset", "wav", "emo")  # beside the key


class EmoboxOptions(CorpusOptions):
    """A corpus as EmoBox lists it; ``root`` is EmoBox's folder of the corpus.

    Attributes:
        audio: the folder that holds the corpus's audio.
    """

    name: Literal["emobox"] = "emobox"
    audio: Path | None = None


def read(options: EmoboxOptions) -> Corpus:
    """Read a corpus by EmoBox's lists. Adds ``fold``, the fold in which an utterance is tested.

    Raises:
        CorpusError: if a folder does not exist, a line is malformed, a corpus is unknown, or a fold
            lists an utterance that the corpus does not have.
    """
    root = existing_root(options, INFO.layout)
    lists = sorted(root.glob("*.jsonl"))
    if len(lists) != 1:
        raise CorpusError(
            f"emobox: expected one .jsonl file in {root}, found {len(lists)}; corpus.root must be "
            f"the folder that holds {INFO.layout}, EmoBox's folder of one corpus"
        )
    if options.audio is None or not options.audio.is_dir():
        given = options.audio
        problem = "no audio folder given" if given is None else f"{given} is not a folder"
        raise CorpusError(
            f"emobox: {problem}; set corpus.audio=FOLDER, the folder that holds the corpus's audio"
        )
    labels = _labels(root)
    entries = dict(_entries(lists[0]))
    folds = _folds(root, entries)
    files = audio_by_stem(options.audio)
    rows, absent = [], []
    for key, entry in entries.items():
        stem = Path(entry["wav"]).stem
        if stem not in files:
            absent.append(stem)
            continue
        text = labels.get(entry["emo"], entry["emo"])
        emotion = label_of(text, options, f"emobox: {lists[0]}: {key}")
        row = {"utterance": stem, "file": str(files[stem]), "fold": folds.get(key, "")}
        rows.append({**_speaker(entry["dataset"], stem, lists[0]), **row, "emotion": emotion})
    if not rows:
        raise CorpusError(
            f"emobox: none of the {len(entries)} utterances of {lists[0].name} has its audio in "
            f"{options.audio}; the first is {absent[0]}"
        )
    problems = [f"{len(absent)} of {len(entries)} utterances have no audio"] if absent else []
    return corpus_from_rows(next(iter(entries.values()))["dataset"], rows, problems=problems)


def _labels(root: Path) -> dict[str, str]:
    path = root / "label_map.json"
    try:
        labels = json.loads(_text(path))
    except ValueError as error:
        raise CorpusError(f"emobox: {path} cannot be read ({error}); copy it again") from error
    if not isinstance(labels, dict) or not all(map(_is_text, labels.values())):
        raise CorpusError(
            f"emobox: {path}: expected the new name of each emotion, such as "
            f'{{"boredem": "boredom"}}, got {shown(labels)}; copy it again'
        )
    return labels


def _entries(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    lines = _text(path).splitlines()
    if not lines:
        raise CorpusError(f"emobox: {path} lists no utterances; copy it again")
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            key, *values = (_name(entry[field]) for field in ("key", *ENTRY))
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(
                f"emobox: {path}, line {number}: expected JSON with key, dataset, wav and emo, got "
                f"{line[:60]!r}; copy the file again"
            ) from error
        named = dict(zip(ENTRY, values, strict=True))
        for field, value in {"key": key, **named}.items():
            if not _is_text(value):
                raise CorpusError(
                    f"emobox: {path}, line {number}: '{field}' is empty; copy the file again"
                )
        yield key, named


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _name(value: object) -> str:
    if not isinstance(value, str | int):
        raise TypeError(f"{shown(value)} is no name")
    return str(value)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CorpusError(f"emobox: {path} cannot be read ({reason}); copy it again") from error


def _tested(root: Path) -> Iterator[Path]:
    """Lists of the utterances that each fold tests."""
    for folder in sorted(root.glob("fold_*/")):
        lists = sorted(folder.glob(TESTED))
        if not lists:
            raise CorpusError(
                f"emobox: {folder} has no list of tested utterances, {TESTED}; copy it again"
            )
        yield from lists


def _folds(root: Path, entries: dict[str, dict[str, str]]) -> dict[str, str]:
    """Fold in which each utterance is tested."""
    folds: dict[str, str] = {}
    for path in _tested(root):
        match = re.search(r"_test_fold_(\w+)\.jsonl$", path.name)
        if match is None:
            raise CorpusError(
                f"emobox: {path} has no fold at the end of its name; expected a name such as "
                f"{path.name.partition('_test_fold_')[0]}_test_fold_1.jsonl: rename or remove it"
            )
        for key, _ in _entries(path):
            if key not in entries:
                raise CorpusError(f"emobox: {path} lists {key}, which the corpus does not have")
            if key in folds:
                raise CorpusError(f"emobox: {key} is tested in folds {folds[key]} and {match[1]}")
            folds[key] = match[1]
    return folds


def _speaker(dataset: str, stem: str, source: Path) -> dict[str, str]:
    parsers = {name: reader.parse for name, reader in readers().items() if reader.parse is not None}
    if dataset not in parsers:
        raise CorpusError(
            f"emobox: the file names of '{dataset}' do not identify speakers; corpora whose names "
            f"do are {', '.join(parsers)}"
        )
    row = parsers[dataset](stem)
    if not row:
        raise CorpusError(f"emobox: {source}: '{stem}' is not named as {dataset} names its files")
    return row
