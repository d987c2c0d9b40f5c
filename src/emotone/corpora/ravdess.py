"""RAVDESS, speech part (Livingstone & Russo, PLoS ONE 13(5), 2018), CC BY-NC-SA 4.0.

1440 utterances, 24 actors, 8 emotions, English. ``03-01-06-01-02-01-12.wav``: modality (03 audio
only), channel (01 speech), emotion, intensity, statement, repetition, actor; odd actors are men.
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names

LAYOUT = "Actor_01/03-01-01-01-01-01-01.wav, …"
NAME = re.compile(
    r"\d\d-(?P<channel>01|02)-(?P<emotion>0[1-8])-(?P<intensity>01|02)"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>\d\d)"
)
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}


class RavdessOptions(CorpusOptions):
    """RAVDESS; ``root`` is the folder that holds ``Actor_01``, …. Songs are left out."""

    name: Literal["ravdess"] = "ravdess"


def parse(stem: str) -> dict[str, str] | None:
    """Read what a file's name says, without extension."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    if match["channel"] == "02":  # a song
        return {}
    return {
        "emotion": EMOTIONS[match["emotion"]],
        "speaker": match["actor"],
        "sex": "male" if int(match["actor"]) % 2 else "female",
        "intensity": "normal" if match["intensity"] == "01" else "strong",
        "text": match["statement"],
    }


def read(options: RavdessOptions) -> Corpus:
    """Read RAVDESS.

    Raises:
        CorpusError: if the folder is missing or holds no RAVDESS.
    """
    return corpus_from_names(
        options, "ravdess", layout=LAYOUT, parse=parse, language="eng", published=1440
    )
