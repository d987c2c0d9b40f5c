"""URDU, emotional speech from Urdu talk shows (Latif et al., FIT 2018).

400 utterances, 38 speakers, 4 emotions. ``Angry/SM1_F10_A010.wav``: speaker SM1 (S, then M for a
man or F for a woman, then a number), file, emotion and its number.
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names

LAYOUT = "Angry/SM1_F10_A010.wav, …"
NAME = re.compile(r"(?P<speaker>S(?P<sex>[MF])\d+)_F\d+_(?P<emotion>[AHNS])\d+")
EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}


class UrduOptions(CorpusOptions):
    """URDU; ``root`` is the folder that holds ``Angry``, ``Happy``, ``Neutral`` and ``Sad``."""

    name: Literal["urdu"] = "urdu"


def parse(stem: str) -> dict[str, str] | None:
    """Read what a file's name says, without extension."""
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
        CorpusError: if the folder is missing or holds no URDU.
    """
    return corpus_from_names(
        options, "urdu", layout=LAYOUT, parse=parse, language="urd", published=400
    )
