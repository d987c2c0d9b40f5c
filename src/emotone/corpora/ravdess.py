"""RAVDESS, speech part (Livingstone & Russo, PLoS ONE 13(5), 2018), CC BY-NC-SA 4.0.

1440 utterances, 24 actors, 8 emotions, English. ``03-01-06-01-02-01-12.wav``: modality (03 audio
only), channel (01 speech), emotion, intensity, statement, repetition, actor; odd actors are men.
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


def read(options: RavdessOptions) -> Corpus:
    """Read RAVDESS.

    Raises:
        CorpusError: if the folder is missing or holds no RAVDESS.
    """
    root = existing_root(options, "ravdess", LAYOUT)
    files = audio_files(root)
    matches = {stem: NAME.fullmatch(stem) for stem in files}
    rows = [
        {
            "utterance": stem,
            "file": str(files[stem]),
            "emotion": EMOTIONS[match["emotion"]],
            "speaker": match["actor"],
            "sex": "male" if int(match["actor"]) % 2 else "female",
            "intensity": "normal" if match["intensity"] == "01" else "strong",
            "text": match["statement"],
        }
        for stem, match in matches.items()
        if match and match["channel"] == "01"
    ]
    if not rows:
        raise no_such_corpus("ravdess", root, LAYOUT, len(files))
    problems = unnamed("RAVDESS", [stem for stem, match in matches.items() if not match])
    return corpus_from_rows("ravdess", rows, language="eng", problems=problems)
