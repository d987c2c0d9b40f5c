"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset.

``1001_DFA_ANG_XX.wav`` is actor, sentence, emotion and level (LO, MD, HI or XX for unspecified).
The sexes of the actors are in ``VideoDemographics.csv``, which may be in the folder or beside it.

Citation: Cao, Cooper, Keutmann, Gur, Nenkova & Verma, "CREMA-D: Crowd-sourced Emotional
    Multimodal Actors Dataset", IEEE Transactions on Affective Computing 5(4), 2014
Licence: Open Database License
Home page: https://github.com/CheyneyComputerScience/CREMA-D
Language: English (eng)
Speakers: 91
Utterances: 7442
Emotions: anger, disgust, fear, happiness, neutral, sadness
Layout: AudioWAV/1001_DFA_ANG_XX.wav, …
"""

import re
from pathlib import Path
from typing import Literal

from emotone import csv_tables
from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info
from emotone.errors import CorpusError

INFO = corpus_info(__name__)
DEMOGRAPHICS = "VideoDemographics.csv"
NAME = re.compile(
    r"(?P<actor>\d{4})_(?P<text>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX?)"
)
EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}


class CremadOptions(CorpusOptions):
    """CREMA-D; ``root`` is the folder that holds ``AudioWAV``."""

    name: Literal["cremad"] = "cremad"


def parse(stem: str) -> dict[str, str] | None:
    """Read a file name without its extension; ``None`` if it is not one of the corpus's."""
    match = NAME.fullmatch(stem)
    if match is None:
        return None
    return {
        "emotion": EMOTIONS[match["emotion"]],
        "speaker": match["actor"],
        "text": match["text"],
        "level": match["level"][:2],
    }


def read(options: CremadOptions) -> Corpus:
    """Read CREMA-D.

    Raises:
        CorpusError: if the folder does not exist or holds no CREMA-D, or the demographics are
            damaged or have no columns ``ActorID`` and ``Sex``.
    """
    corpus = corpus_from_names(options, INFO, parse)
    assert options.root is not None
    places = [folder / DEMOGRAPHICS for folder in (options.root, options.root.parent)]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        problem = f"there is no {DEMOGRAPHICS}, so the sexes of the actors are unknown"
        return Corpus(corpus.name, corpus.table, (*corpus.problems, problem))
    table = corpus.table.assign(sex=corpus.table["speaker"].map(_sexes(path)).fillna(""))
    return Corpus(corpus.name, table, corpus.problems)


def _sexes(path: Path) -> dict[str, str]:
    rows = csv_tables.records(path, ("ActorID", "Sex"), CorpusError)
    return {row["ActorID"]: row["Sex"].lower() for _, row in rows}
