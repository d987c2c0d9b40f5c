"""SAVEE, Surrey Audio-Visual Expressed Emotion.

``DC_a01.wav`` or ``DC/a01.wav`` is speaker, emotion and number. All speakers are men.

Each emotion has 15 sentences. Three are common to all, and neutral speech, which has 30, repeats
two of each other emotion. Names do not say which numbers these are; ``text`` follows a comparison
of the recordings (dynamic time warping of cepstra, mean over the four speakers: at most 0.40 for
the same sentence, at least 0.41 for different ones): 01 to 03 are common, and n16 to n30 repeat 01
to 03, a04, a05, d04, d05, f04, f05, su04, su05, sa04, sa05, h04 and h05.

Citation: Haq & Jackson, "Speaker-Dependent Audio-Visual Emotion Recognition", AVSP 2009
Licence: free for research, on registration
Home page: http://kahlan.eps.surrey.ac.uk/savee/
Language: English (eng)
Speakers: 4
Utterances: 480
Emotions: anger, disgust, fear, happiness, neutral, sadness, surprise
Layout: DC_a01.wav, … or DC/a01.wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    audio_paths,
    corpus_from_rows,
    existing_root,
    incomplete,
    no_such_corpus,
)
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
NAME = re.compile(
    r"(?P<speaker>DC|JE|JK|KL)_(?P<sentence>(?P<emotion>a|d|f|h|n|sa|su)(?P<number>\d\d))"
)
EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
COMMON = ("01", "02", "03")
REPEATED = (*COMMON, *(f"{emotion}{number}" for emotion in ("a", "d", "f", "su", "sa", "h")
                       for number in ("04", "05")))  # fmt: skip
FIRST_REPEATED = 16  # n16 is the first of them


class SaveeOptions(CorpusOptions):
    """SAVEE; ``root`` is the folder that holds its files or the speakers' folders."""

    name: Literal["savee"] = "savee"


def parse(stem: str) -> dict[str, str] | None:
    """Read a name such as ``DC_a01``, of speaker and file; ``None`` if it is not SAVEE's."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    return {
        "emotion": EMOTIONS[match["emotion"]],
        "speaker": match["speaker"],
        "sex": "male",
        "text": _text(match["sentence"], match["emotion"], match["number"]),
    }


def _text(sentence: str, emotion: str, number: str) -> str:
    """Name of a sentence, the same for the same sentence of other emotions."""
    repeated = int(number) - FIRST_REPEATED
    if emotion == "n" and 0 <= repeated < len(REPEATED):
        return REPEATED[repeated]
    return number if number in COMMON else sentence


def read(options: SaveeOptions) -> Corpus:
    """Read SAVEE.

    Raises:
        CorpusError: if the folder does not exist or holds no SAVEE.
    """
    root = existing_root(options, INFO.layout)
    rows: dict[str, dict[str, str]] = {}
    for path in audio_paths(root):
        for name in (path.stem, f"{path.parent.name}_{path.stem}"):
            if row := parse(name):
                rows.setdefault(name, {"utterance": name, "file": str(path), **row})
                break
    if not rows:
        raise no_such_corpus("savee", root, INFO.layout)
    problems = incomplete("savee", len(rows), INFO.utterances)
    return corpus_from_rows("savee", rows.values(), language=INFO.language_code, problems=problems)
