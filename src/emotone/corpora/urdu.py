"""URDU, emotional speech from Urdu talk shows.

``Angry/SM1_F10_A010.wav`` is speaker SM1 (S, then M for a man or F for a woman, then a number),
file, emotion and its number.

Citation: Latif, Qayyum, Usman & Qadir, "Cross Lingual Speech Emotion Recognition: Urdu vs.
    Western Languages", FIT 2018
Licence: see the home page
Home page: https://github.com/siddiquelatif/URDU-Dataset
Language: Urdu (urd)
Speakers: 38
Utterances: 400
Emotions: anger, happiness, neutral, sadness
Layout: Angry/SM1_F10_A010.wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
NAME = re.compile(r"(?P<speaker>S(?P<sex>[MF])\d+)_F\d+_(?P<emotion>[AHNS])\d+")
EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}


class UrduOptions(CorpusOptions):
    """URDU; ``root`` is the folder that holds ``Angry``, ``Happy``, ``Neutral`` and ``Sad``."""

    name: Literal["urdu"] = "urdu"


def parse(stem: str) -> dict[str, str] | None:
    """Read a file name without its extension; ``None`` if it is not one of the corpus's."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    return {
        "emotion": EMOTIONS[match["emotion"]],
        "speaker": match["speaker"],
        "sex": "male" if match["sex"] == "M" else "female",
    }


def read(options: UrduOptions) -> Corpus:
    """Read URDU.

    Raises:
        CorpusError: if the folder does not exist or holds no URDU.
    """
    return corpus_from_names(options, INFO, parse)
