"""EMO-DB, the Berlin Database of Emotional Speech.

``03a01Fa.wav`` is speaker 03, text a01, emotion F (Freude, happiness) and version a. The sexes of
the speakers are those of the database's documentation.

Citation: Burkhardt, Paeschke, Rolfes, Sendlmeier & Weiss, "A Database of German Emotional
    Speech", Interspeech 2005
Licence: free to use; CC0 in audEERING's copy
Home page: http://emodb.bilderbar.info
Language: German (deu)
Speakers: 10
Utterances: 535
Emotions: anger, boredom, disgust, fear, happiness, neutral, sadness
Layout: wav/03a01Fa.wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
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
    """Read a file name without its extension; ``None`` if it is not one of the corpus's."""
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
        CorpusError: if the folder does not exist or holds no EMO-DB.
    """
    return corpus_from_names(options, INFO, parse)
