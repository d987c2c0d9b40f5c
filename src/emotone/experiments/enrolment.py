"""Speaker enrolment: test utterances predicted with other utterances of their speaker."""

import numpy as np
import pandas as pd

from emotone.evaluation.scoring import predictions_table
from emotone.experiments.plan import Run
from emotone.models.network import Network
from emotone.training.posteriors import posteriors
from emotone.training.speakers import enrolment_statistics
from emotone.training.spectrograms import Spectrograms

COUNTS = (0, 3, 10, 25)  # enrolment utterances of the test speaker
DRAWS = 5
COLUMNS = ["utterance", "fold", "seed", "speaker", "truth", "prediction"]


def enrolled_predictions(run: Run, network: Network) -> pd.DataFrame:
    """Predict test utterances with statistics of their speakers, for ``norm: enrol``.

    Enrolment utterances of each speaker are drawn at random, at most half of all. The rest are
    scored, the same for every number of enrolment utterances. Smaller draws are part of larger
    ones.

    Returns:
        Predictions with the columns ``draw`` and ``enrolled``, the number of enrolment utterances.
    """
    data, corpus = run.experiment.data, run.experiment.corpus
    assert isinstance(data, Spectrograms)
    tables = []
    for draw in range(DRAWS):
        enrolled, scored = _drawn(run, data, np.random.default_rng([run.seed, draw]))
        for count in COUNTS:
            statistics = enrolment_statistics(
                network, data, {speaker: known[:count] for speaker, known in enrolled.items()}
            )
            probabilities = posteriors(
                network, data, scored, run.experiment.config.training, statistics
            )
            table = predictions_table(corpus, scored, run.fold.name, run.seed, probabilities)
            tables.append(table[COLUMNS].assign(draw=draw, enrolled=count))
    return pd.concat(tables, ignore_index=True)


def _drawn(
    run: Run, data: Spectrograms, rng: np.random.Generator
) -> tuple[dict[str, list[int]], list[int]]:
    """Utterances of each test speaker to enrol with, and those to score."""
    enrolled: dict[str, list[int]] = {}
    scored: list[int] = []
    for speaker in run.fold.speakers["test"]:
        theirs = rng.permutation([n for n in run.fold.test if data.speakers[n] == speaker])
        most = min(max(COUNTS), len(theirs) // 2)
        enrolled[speaker] = theirs[:most].tolist()
        scored += sorted(theirs[most:].tolist())
    return enrolled, scored
