"""TESS, the Toronto Emotional Speech Set.

``OAF_back_angry.wav`` is the older (OAF) or the younger (YAF) woman, word and emotion; ``ps`` is
pleasant surprise. A few file names have OA instead of OAF.

Citation: Pichora-Fuller & Dupuis, "Toronto emotional speech set (TESS)", 2020,
    doi 10.5683/SP2/E8H2MF
Licence: CC BY-NC-ND 4.0
Home page: https://doi.org/10.5683/SP2/E8H2MF
Language: English (eng)
Speakers: 2
Utterances: 2800
Emotions: anger, disgust, fear, happiness, neutral, sadness, surprise
Layout: OAF_back_angry.wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
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
    """Read a file name without its extension; ``None`` if it is not one of the corpus's."""
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
        CorpusError: if the folder does not exist or holds no TESS.
    """
    return corpus_from_names(options, INFO, parse)
