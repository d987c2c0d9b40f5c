"""CREMA-D (Cao et al., IEEE Trans. Affective Computing 5(4), 2014), Open Database License.

7442 utterances, 91 actors, 6 emotions, English. ``1001_DFA_ANG_XX.wav``: actor, sentence, emotion,
level (LO, MD, HI, XX unspecified). ``VideoDemographics.csv``, if there, tells the actors' sexes.
"""

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.errors import CorpusError

LAYOUT = "AudioWAV/1001_DFA_ANG_XX.wav, …"
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
    """Read what a file's name says, without extension."""
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
        CorpusError: if the folder is missing or holds no CREMA-D, or the demographics are damaged.
    """
    corpus = corpus_from_names(
        options, "cremad", layout=LAYOUT, parse=parse, language="eng", published=7442
    )
    assert options.root is not None
    places = [folder / DEMOGRAPHICS for folder in (options.root, options.root.parent)]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        problem = f"no {DEMOGRAPHICS}, so the actors' sexes are not known"
        return Corpus(corpus.name, corpus.table, (*corpus.problems, problem))
    table = corpus.table.assign(sex=corpus.table["speaker"].map(_sexes(path)).fillna(""))
    return Corpus(corpus.name, table, corpus.problems)


def _sexes(path: Path) -> dict[str, str]:
    table = pd.read_csv(path, dtype=str)
    if not {"ActorID", "Sex"} <= set(table.columns):
        raise CorpusError(
            f"cremad: {path} needs the columns ActorID and Sex, it has {', '.join(table.columns)}"
        )
    return dict(zip(table["ActorID"], table["Sex"].str.lower(), strict=True))
