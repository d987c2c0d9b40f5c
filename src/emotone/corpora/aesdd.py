"""AESDD, the Acted Emotional Speech Dynamic Database, Greek.

``anger/a06 (5)b.wav`` is emotion, text, speaker and take; most have one take. There is no neutral
speech.

Citation: Vryzas, Kotsakis, Liatsou, Dimoulas & Kalliris, "Speech Emotion Recognition for
    Performance Interaction", Journal of the Audio Engineering Society 66(6), 2018
Licence: free for research
Home page: http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/
Language: Greek (ell)
Speakers: 6
Utterances: 604
Emotions: anger, disgust, fear, happiness, sadness
Layout: anger/a01 (1).wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
NAME = re.compile(r"(?P<emotion>[adfhs])(?P<text>\d\d) ?\(0?(?P<speaker>\d)\)[ab]?")
EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "s": "sadness",
}


class AesddOptions(CorpusOptions):
    """AESDD; ``root`` is the folder that holds ``anger`` to ``sadness``."""

    name: Literal["aesdd"] = "aesdd"


def parse(stem: str) -> dict[str, str] | None:
    """Read a file name without its extension; ``None`` if it is not one of the corpus's."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    return {
        "emotion": EMOTIONS[match["emotion"]],
        "speaker": match["speaker"],
        "text": match["text"],
    }


def read(options: AesddOptions) -> Corpus:
    """Read AESDD.

    Raises:
        CorpusError: if the folder does not exist or holds no AESDD.
    """
    return corpus_from_names(options, INFO, parse)
