"""One run: fit the model on the fold's training utterances, predict its test utterances."""

from pathlib import Path

from safetensors.torch import save

from emotone.evaluation.scoring import predictions_table
from emotone.experiments.enrolment import enrolled_predictions
from emotone.experiments.learners import fit
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
    fitted = fit(experiment.config, experiment.data, fold, run.seed, initial, folder.checkpoint)
    if fold.test:
        table = predictions_table(
            experiment.corpus, fold.test, fold.name, run.seed, fitted.probabilities(fold.test)
        )
        if fold.speaker_dependent:
            table["protocol"] = "speaker-dependent"
        enrolment = None
        if experiment.config.features.norm == "enrol" and fitted.network is not None:
            enrolment = enrolled_predictions(run, fitted.network)
        folder.write_predictions(table, enrolment)
    else:
        assert fitted.network is not None
        folder.write_weights(save(fitted.network.state_dict()))
    folder.finish(fitted.record)
