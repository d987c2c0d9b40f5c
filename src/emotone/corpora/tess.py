"""TESS, the Toronto Emotional Speech Set (Pichora-Fuller & Dupuis, 2020), CC BY-NC-ND 4.0.

2800 utterances, 2 speakers, 7 emotions, English. ``OAF_back_angry.wav``: older (OAF) or younger
(YAF) woman, word, emotion; ``ps`` is pleasant surprise. A few files say OA for OAF.
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names

LAYOUT = "OAF_back_angry.wav, …"
NAME = re.compile(r"(?P<speaker>[OY]A)F?_(?P<word>[a-z]+)_(?P<emotion>[a-z]+)", re.IGNORECASE)
EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}


class TessOptions(CorpusOptions):
    """TESS; ``root`` is the folder that holds its files or their folders."""

    name: Literal["tess"] = "tess"


def parse(stem: str) -> dict[str, str] | None:
    """Read what a file's name says, without extension."""
    match = NAME.fullmatch(stem)
    if match is None or match["emotion"].lower() not in EMOTIONS:
        return None
    return {
        "emotion": EMOTIONS[match["emotion"].lower()],
        "speaker": f"{match['speaker'].upper()}F",
        "sex": "female",
        "text": match["word"].lower(),
    }


def read(options: TessOptions) -> Corpus:
    """Read TESS.

    Raises:
        CorpusError: if the folder is missing or holds no TESS.
    """
    return corpus_from_names(
        options, "tess", layout=LAYOUT, parse=parse, language="eng", published=2800
    )
