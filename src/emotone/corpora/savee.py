"""SAVEE, Surrey Audio-Visual Expressed Emotion (Haq & Jackson, AVSP 2009).

480 utterances, 4 men, 7 emotions, English. ``DC_a01.wav`` or ``DC/a01.wav``: speaker, emotion and
number.
"""

import re
from typing import Literal

from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    corpus_from_rows,
    existing_root,
    incomplete,
    no_such_corpus,
    sound_files,
)

LAYOUT = "DC_a01.wav, … or DC/a01.wav, …"
NAME = re.compile(r"(?P<speaker>DC|JE|JK|KL)_(?P<emotion>a|d|f|h|n|sa|su)\d\d")
EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


class SaveeOptions(CorpusOptions):
    """SAVEE; ``root`` is the folder that holds its files or the speakers' folders."""

    name: Literal["savee"] = "savee"


def parse(stem: str) -> dict[str, str] | None:
    """Read what a file's name says, without extension, with the speaker before it."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    return {"emotion": EMOTIONS[match["emotion"]], "speaker": match["speaker"], "sex": "male"}


def read(options: SaveeOptions) -> Corpus:
    """Read SAVEE.

    Raises:
        CorpusError: if the folder is missing or holds no SAVEE.
    """
    root = existing_root(options, "savee", LAYOUT)
    rows: dict[str, dict[str, str]] = {}
    strangers = []
    for path in sound_files(root):
        for name in (path.stem, f"{path.parent.name}_{path.stem}"):
            if row := parse(name):
                rows.setdefault(name, {"utterance": name, "file": str(path), **row})
                break
        else:
            strangers.append(path.stem)
    if not rows:
        raise no_such_corpus("savee", root, LAYOUT, strangers)
    problems = incomplete("savee", len(rows), 480)
    return corpus_from_rows("savee", rows.values(), language="eng", problems=problems)
