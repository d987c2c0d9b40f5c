"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song: the speech.

``03-01-06-01-02-01-12.wav`` is modality (03 is audio only), channel (01 is speech), emotion,
intensity, statement, repetition and actor; odd actors are men. Songs are left out, and so are
recordings of another modality: each says again what the audio-only one says.

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
from collections import Counter
from typing import Literal

from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_names
from emotone.corpora.info import corpus_info
from emotone.errors import CorpusError
from emotone.text import plural

INFO = corpus_info(__name__)
NAME = re.compile(
    r"(?P<modality>0[123])-(?P<channel>01|02)-(?P<emotion>0[1-8])-(?P<intensity>01|02)"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>\d\d)"
)
MODALITIES = {"01": "video", "02": "silent video", "03": "audio"}
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
    """RAVDESS; ``root`` is the folder that holds ``Actor_01``, …. Songs are left out.

    Attributes:
        modality: files to read: ``audio``, or ``video``, which is video with audio.
    """

    name: Literal["ravdess"] = "ravdess"
    modality: Literal["audio", "video"] = "audio"


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
        "modality": MODALITIES[match["modality"]],
    }


def read(options: RavdessOptions) -> Corpus:
    """Read RAVDESS.

    Raises:
        CorpusError: if the folder does not exist or holds no RAVDESS of this modality.
    """
    others: Counter[str] = Counter()

    def parse_modality(stem: str) -> dict[str, str] | None:
        row = parse(stem)
        if row and row["modality"] != options.modality:
            others[row["modality"]] += 1
            return {}
        return row

    try:
        corpus = corpus_from_names(options, INFO, parse_modality)
    except CorpusError as error:
        if not others:
            raise
        raise CorpusError(
            f"ravdess: no file of modality '{options.modality}' in {options.root}, which holds "
            f"{_counted(others)}; set corpus.modality"
        ) from error
    problems = [f"{_counted(others)} are left out, see corpus.modality"] if others else []
    return Corpus(corpus.name, corpus.table, (*corpus.problems, *problems))


def _counted(others: Counter[str]) -> str:
    return " and ".join(
        f"{plural(count, 'file')} of {name}" for name, count in sorted(others.items())
    )
