"""One run: fit the model on the fold's training utterances, predict its test utterances."""

from pathlib import Path

import pandas as pd
from safetensors.torch import save

from emotone.evaluation.scoring import predictions_table
from emotone.experiments.enrolment import enrolled_predictions
from emotone.experiments.learners import Probabilities, fit
from emotone.experiments.plan import Run


def execute(run: Run, initial: Path | None) -> None:
    """Execute a run, from its checkpoint if there is one, and write its folder.

    Args:
        run: a run; if its fold has no test utterances, weights are written instead of predictions.
        initial: weights to start from; ``None`` for random ones.

    Raises:
        StorageError: if results cannot be written.
    """
    experiment, fold, folder = run.experiment, run.fold, run.folder
    assert experiment.data is not None
    teacher = experiment.teacher
    soft_labels = None if teacher is None else teacher.soft_labels(fold)
    fitted = fit(
        experiment.config, experiment.data, fold, run.seed, initial, folder.checkpoint, soft_labels
    )
    if fold.test:
        enrolment = None
        if experiment.config.features.norm == "enrol" and fitted.network is not None:
            enrolment = enrolled_predictions(run, fitted.network)
        disturbed = None if fitted.disturbed is None else _table(run, fitted.disturbed)
        folder.write_predictions(_table(run, fitted.probabilities), enrolment, disturbed)
    else:
        assert fitted.network is not None
        folder.write_weights(save(fitted.network.state_dict()))
    folder.finish(fitted.record)


def _table(run: Run, probabilities: Probabilities) -> pd.DataFrame:
    corpus, fold = run.experiment.corpus, run.fold
    table = predictions_table(corpus, fold.test, fold.name, run.seed, probabilities(fold.test))
    if fold.speaker_dependent:
        table["protocol"] = "speaker-dependent"
    return table
