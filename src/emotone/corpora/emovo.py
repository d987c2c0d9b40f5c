"""EMOVO, an Italian corpus of acted emotional speech.

``dis-f1-b1.wav`` is emotion (disgusto, gioia, neutrale, paura, rabbia, sorpresa, tristezza),
speaker and sentence; f1 to f3 are women, m1 to m3 men.

Citation: Costantini, Iaderola, Paoloni & Todisco, "EMOVO Corpus: an Italian Emotional Speech
    Database", LREC 2014
Licence: free for research
Home page: http://lrec-conf.org/proceedings/lrec2014/summaries/591.html
Language: Italian (ita)
Speakers: 6
Utterances: 588
Emotions: anger, disgust, fear, happiness, neutral, sadness, surprise
Layout: f1/dis-f1-b1.wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
NAME = re.compile(
    r"(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm][123])-(?P<text>[bdln]\d)"
)
EMOTIONS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}


class EmovoOptions(CorpusOptions):
    """EMOVO; ``root`` is the folder that holds ``f1`` to ``m3``."""

    name: Literal["emovo"] = "emovo"


def parse(stem: str) -> dict[str, str] | None:
    """Read a file name without its extension; ``None`` if it is not one of the corpus's."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    return {
        "emotion": EMOTIONS[match["emotion"]],
        "speaker": match["speaker"],
        "sex": "female" if match["speaker"].startswith("f") else "male",
        "text": match["text"],
    }


def read(options: EmovoOptions) -> Corpus:
    """Read EMOVO.

    Raises:
        CorpusError: if the folder does not exist or holds no EMOVO.
    """
    return corpus_from_names(options, INFO, parse)
