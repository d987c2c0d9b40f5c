"""nEMO, emotional speech in Polish.

``data.tsv`` has one row per utterance with ``file_id``, ``emotion``, ``speaker_id`` and ``gender``;
``samples`` holds the audio. ``raw_text``, if it is there, is what is said.

Citation: Christop, "nEMO: Dataset of Emotional Speech in Polish", LREC-COLING 2024
Licence: CC BY-NC-SA 4.0
Home page: https://huggingface.co/datasets/amu-cai/nEMO
Language: Polish (pol)
Speakers: 9
Utterances: 4481
Emotions: anger, fear, happiness, neutral, sadness, surprise
Layout: data.tsv and samples/SOB_anger_1.wav, …
"""

from typing import Literal

from emotone import csv_tables
from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    audio_by_stem,
    corpus_from_rows,
    existing_root,
    incomplete,
    no_such_corpus,
)
from emotone.corpora.info import corpus_info
from emotone.errors import CorpusError
from emotone.text import shown

INFO = corpus_info(__name__)
EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
GENDERS = ("female", "male")
REQUIRED = ("file_id", "emotion", "speaker_id", "gender")


class NemoOptions(CorpusOptions):
    """nEMO; ``root`` is the folder that holds ``data.tsv`` and ``samples``."""

    name: Literal["nemo"] = "nemo"


def read(options: NemoOptions) -> Corpus:
    """Read nEMO. Rows without audio are listed among the problems of the corpus.

    Raises:
        CorpusError: if the folder does not exist or holds no nEMO, or ``data.tsv`` is damaged.
    """
    root = existing_root(options, INFO.layout)
    index = root / "data.tsv"
    if not index.is_file():
        raise CorpusError(
            f"nemo: no data.tsv in {root}; corpus.root must be the folder that holds {INFO.layout}"
        )
    table = csv_tables.records(index, REQUIRED, CorpusError)
    files = audio_by_stem(root / "samples")
    rows, absent, unknown = [], 0, set()
    for number, row in table:
        if empty := [column for column in REQUIRED if not row[column]]:
            raise CorpusError(f"{index}: row {number} has no {empty[0]}; copy the file again")
        if row["gender"] not in GENDERS:
            raise CorpusError(
                f"{index}: row {number} has the gender {shown(row['gender'])}; expected "
                f"{' or '.join(GENDERS)}: copy the file again"
            )
        stem = row["file_id"].rpartition(".")[0] or row["file_id"]
        emotion = EMOTIONS.get(row["emotion"])
        if emotion is None:
            unknown.add(row["emotion"])
        elif stem not in files:
            absent += 1
        else:
            rows.append(
                {
                    "utterance": stem,
                    "file": str(files[stem]),
                    "emotion": emotion,
                    "speaker": row["speaker_id"],
                    "sex": row["gender"],
                    "text": row.get("raw_text", ""),
                }
            )
    if not rows:
        raise no_such_corpus("nemo", root, INFO.layout)
    problems = []
    if absent:
        problems.append(f"{absent} of {len(table)} rows of data.tsv have no audio in samples")
    problems += incomplete("nemo", len(rows), INFO.utterances)
    if unknown:
        problems.append(f"rows with other emotions are left out: {', '.join(sorted(unknown))}")
    return corpus_from_rows("nemo", rows, language=INFO.language_code, problems=problems)
