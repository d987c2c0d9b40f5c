"""EMO-DB, the Berlin Database of Emotional Speech (Burkhardt et al., Interspeech 2005).

535 utterances, 10 speakers, 7 emotions, German. ``03a01Fa.wav``: speaker 03, text a01, emotion F
(Freude), version a. Speakers' sexes are those of the database's documentation.
"""

import re
from typing import Literal

from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    audio_files,
    corpus_from_rows,
    existing_root,
    no_such_corpus,
    unnamed,
)

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


def read(options: EmodbOptions) -> Corpus:
    """Read EMO-DB.

    Raises:
        CorpusError: if the folder is missing or holds no EMO-DB.
    """
    root = existing_root(options, "emodb", LAYOUT)
    files = audio_files(root)
    matches = {stem: NAME.fullmatch(stem) for stem in files}
    rows = [
        {
            "utterance": stem,
            "file": str(files[stem]),
            "emotion": EMOTIONS[match["emotion"]],
            "speaker": match["speaker"],
            "sex": "male" if match["speaker"] in MEN else "female",
            "text": match["text"],
        }
        for stem, match in matches.items()
        if match
    ]
    if not rows:
        raise no_such_corpus("emodb", root, LAYOUT, len(files))
    problems = unnamed("EMO-DB", [stem for stem, match in matches.items() if not match])
    return corpus_from_rows("emodb", rows, language="deu", problems=problems)
