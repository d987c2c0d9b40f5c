"""EMO-DB, the Berlin Database of Emotional Speech (Burkhardt et al., Interspeech 2005).

535 utterances, 10 speakers, 7 emotions, German. ``03a01Fa.wav``: speaker 03, text a01, emotion F
(Freude), version a. Speakers' sexes are those of the database's documentation.
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names

LAYOUT = "wav/03a01Fa.wav, …"
NAME = re.compile(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z])?")
EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
MEN = {"03", "10", "11", "12", "15"}


class EmodbOptions(CorpusOptions):
    """EMO-DB; ``root`` is the folder that holds ``wav``."""

    name: Literal["emodb"] = "emodb"


def parse(stem: str) -> dict[str, str] | None:
    """Read what a file's name says, without extension."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    return {
        "emotion": EMOTIONS[match["emotion"]],
        "speaker": match["speaker"],
        "sex": "male" if match["speaker"] in MEN else "female",
        "text": match["text"],
    }


def read(options: EmodbOptions) -> Corpus:
    """Read EMO-DB.

    Raises:
        CorpusError: if the folder is missing or holds no EMO-DB.
    """
    return corpus_from_names(
        options, "emodb", layout=LAYOUT, parse=parse, language="deu", published=535
    )
