"""Adapt a trained model to other speech, and measure the gain."""

from dataclasses import dataclass
from pathlib import Path

from emotone.errors import UsageError
from emotone.evaluation.results import AblationResults
from emotone.experiments.ablation import ablate, place_of
from emotone.experiments.config import ExperimentConfig, PretrainingOptions
from emotone.experiments.plan import SILENT, Observer
from emotone.experiments.shipping import COMPARISON, refuse_other_model, train
from emotone.experiments.variants import Ablation
from emotone.inference import model_folder
from emotone.models.registry import options_of
from emotone.models.weights import weights_of

__all__ = ["Adaptation", "adapt"]

SCRATCH, ADAPTED = "from scratch", "adapted"


@dataclass(frozen=True)
class Adaptation:
    """An adapted model and its comparison with training from scratch.

    Attributes:
        folder: model folder; its subfolder ``comparison`` has all results.
        results: results of the two variants.
    """

    folder: Path
    results: AblationResults


def adapt(
    model: str,
    config: ExperimentConfig,
    out: Path,
    observer: Observer = SILENT,
    *,
    allow_overlap: bool = False,
) -> Adaptation:
    """Train a model further on other speech, and compare with training from scratch.

    Both are cross-validated over the same folds and seeds, speaker-independent. Then a network
    that starts from the model is trained on all speakers, and calibrated with the
    cross-validation. With several seeds it is an ensemble, as in :func:`train`.

    Args:
        model: see :func:`emotone.inference.model_folder.locate`.
        config: corpus, protocol and training; features and network are the model's, the emotions
            may differ.
        out: model folder; resumes if the same adaptation was started in it.
        observer: progress callbacks.
        allow_overlap: test also on utterances that the model was trained on.

    Raises:
        UsageError: if ``out`` holds something else, or the model was trained on speakers or
            utterances of the corpus.
        ModelError: if there is no such model.
        CorpusError, FoldError: if the corpus cannot be used.
        StorageError: if the folder cannot be written.
        InterruptedRunError: after Ctrl-C.
    """
    folder = model_folder.locate(model)
    trained = model_folder.read(folder)
    weights_of(folder, trained)  # before networks of these sizes are built
    features, network = options_of(trained)
    if config.pretraining is not None:
        raise UsageError("pretraining: an adapted network starts from the model; leave it out")
    refuse_other_model(out)
    scratch = config.model_copy(update={"features": features, "model": network})
    try:
        scratch.check_model()  # a copy is not validated
    except ValueError as error:
        raise UsageError(str(error)) from error
    start = PretrainingOptions(model=model, allow_overlap=allow_overlap, allow_other_labels=True)
    adapted = scratch.model_copy(update={"pretraining": start})
    both = Ablation(scratch, {SCRATCH: scratch, ADAPTED: adapted}, (SCRATCH,))
    results = ablate(both, out / COMPARISON, observer)
    calibrate = out / COMPARISON / place_of(ADAPTED)
    return Adaptation(train(adapted, out, observer, calibrate), results)
