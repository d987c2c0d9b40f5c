"""ASED, the Amharic Speech Emotion Dataset, version 1.

``n1-03-01-02-50.wav`` is emotion, sentence, repetition, sex (01 female, 02 male) and speaker.
Sentences 01 and 02 are the same for all emotions, 03 to 07 are another five for each; ``text``
says which. Most texts therefore reveal the emotion. In five names the sex contradicts the speaker's
other names; the majority decides.

Citation: Retta, Almekhlafi, Sutcliffe, Mhamed, Ali & Feng, "A New Amharic Speech Emotion Dataset
    and Classification Benchmark", ACM Transactions on Asian and Low-Resource Language Information
    Processing 22(1), 2023
Licence: none stated; public, to be cited
Home page: https://doi.org/10.1145/3529759
Language: Amharic (amh)
Speakers: 65
Utterances: 2474
Emotions: anger, fear, happiness, neutral, sadness
Layout: 01Neutral/n1-03-01-02-50.wav, …
"""

import re
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info

INFO = corpus_info(__name__)
NAME = re.compile(
    r"(?P<emotion>n1|f2|h3|s4|a5)-(?P<sentence>0[1-7])-\d\d-(?P<sex>0[12])-(?P<speaker>\d\d)",
    re.IGNORECASE,  # one name begins with a capital letter
)
EMOTIONS = {
    "n1": "neutral",
    "f2": "fear",
    "h3": "happiness",
    "s4": "sadness",
    "a5": "anger",
}
SHARED_SENTENCES = ("01", "02")


class AsedOptions(CorpusOptions):
    """ASED; ``root`` is the folder that holds ``01Neutral`` to ``05Angry``."""

    name: Literal["ased"] = "ased"


def parse(stem: str) -> dict[str, str] | None:
    """Read a file name without its extension; ``None`` if it is not one of the corpus's."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    emotion, sentence = match["emotion"].lower(), match["sentence"]
    return {
        "emotion": EMOTIONS[emotion],
        "speaker": match["speaker"],
        "sex": "female" if match["sex"] == "01" else "male",
        "text": sentence if sentence in SHARED_SENTENCES else f"{emotion}-{sentence}",
    }


def read(options: AsedOptions) -> Corpus:
    """Read ASED.

    Raises:
        CorpusError: if the folder does not exist or holds no ASED.
    """
    corpus = corpus_from_names(options, INFO, parse)
    sexes = corpus.table.groupby("speaker")["sex"].agg(lambda named: named.mode().iloc[0])
    table = corpus.table.assign(sex=corpus.table["speaker"].map(sexes))
    return Corpus(corpus.name, table, corpus.problems)
