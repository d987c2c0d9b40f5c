"""nEMO (Christop, LREC-COLING 2024), CC BY-NC-SA 4.0.

4481 utterances, 9 actors, 6 emotions, Polish. ``data.tsv`` has a row per utterance with
``file_id``, ``emotion``, ``speaker_id`` and ``gender``; the audio lies in ``samples``.
"""

from typing import Literal

import pandas as pd

from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    audio_files,
    corpus_from_rows,
    existing_root,
    incomplete,
    no_such_corpus,
)
from emotone.errors import CorpusError

LAYOUT = "data.tsv and samples/SOB_anger_1.wav, …"
EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
PUBLISHED = 4481
NEEDED = ("file_id", "emotion", "speaker_id", "gender")


class NemoOptions(CorpusOptions):
    """nEMO; ``root`` is the folder that holds ``data.tsv`` and ``samples``."""

    name: Literal["nemo"] = "nemo"


def read(options: NemoOptions) -> Corpus:
    """Read nEMO. Rows whose audio is absent are a problem named in the corpus, not an error.

    Raises:
        CorpusError: if the folder is missing or holds no nEMO.
    """
    root = existing_root(options, "nemo", LAYOUT)
    index = root / "data.tsv"
    if not index.is_file():
        raise CorpusError(
            f"nemo: no data.tsv in {root}; corpus.root must be the folder of {LAYOUT}"
        )
    table = pd.read_csv(index, sep="\t", dtype=str, keep_default_na=False)
    missing = [column for column in NEEDED if column not in table.columns]
    if missing:
        raise CorpusError(
            f"nemo: {index} has no column {', '.join(missing)}, only {', '.join(table.columns)}"
        )
    files = audio_files(root / "samples")
    rows, absent, unknown = [], 0, set()
    for row in table.to_dict("records"):
        stem = row["file_id"].strip().rpartition(".")[0] or row["file_id"].strip()
        emotion = EMOTIONS.get(row["emotion"].strip())
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
                    "speaker": row["speaker_id"].strip(),
                    "sex": row["gender"].strip(),
                }
            )
    if not rows:
        raise no_such_corpus("nemo", root, LAYOUT, list(files))
    problems = []
    if absent:
        problems.append(f"{absent} of {len(table)} rows of data.tsv have no audio in samples")
    problems += incomplete("nEMO", len(rows), PUBLISHED)
    if unknown:
        problems.append(f"rows with unknown emotions are left out: {', '.join(sorted(unknown))}")
    return corpus_from_rows("nemo", rows, language="pol", problems=problems)
