"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song: the speech.

``03-01-06-01-02-01-12.wav`` is modality (03 is audio only), channel (01 is speech), emotion,
intensity, statement, repetition and actor; odd actors are men. Songs are left out.

Citation: Livingstone & Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song
    (RAVDESS)", PLoS ONE 13(5), 2018
Licence: CC BY-NC-SA 4.0
Home page: https://zenodo.org/record/1188976
Language: English (eng)
Speakers: 24
Utterances: 1440
Emotions: anger, calm, disgust, fear, happiness, neutral, sadness, surprise
Layout: Actor_01/03-01-01-01-01-01-01.wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
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
    """Read a file name without its extension; ``None`` if it is not one of the corpus's.

    The result is empty for a song.
    """
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
        CorpusError: if the folder does not exist or holds no RAVDESS.
    """
    return corpus_from_names(options, INFO, parse)
