"""Adapt a trained model to speech of one's own, and say what that gains."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotone.errors import UsageError
from emotone.experiments import ablation
from emotone.experiments.ablation import Ablation
from emotone.experiments.config import ExperimentConfig, PretrainingOptions
from emotone.experiments.runs import Observer
from emotone.experiments.shipping import COMPARISON, train
from emotone.inference import model_folder
from emotone.models.registry import options_of

SCRATCH, ADAPTED = "from scratch", "adapted"


@dataclass(frozen=True)
class Adaptation:
    """An adapted model and what adapting was worth.

    Attributes:
        folder: model folder; ``comparison`` in it has all results.
        results: table of the two variants, see :func:`emotone.experiments.ablation.table`.
    """

    folder: Path
    results: dict[str, Any]


def adapt(model: str, config: ExperimentConfig, out: Path, observer: Observer) -> Adaptation:
    """Train a model further on other speech, and compare with training from scratch.

    Both are cross-validated over the same folds and seeds, speaker-independent. Then all speakers
    are learnt, beginning with the model, and calibrated with its cross-validation.

    Args:
        model: see :func:`emotone.inference.model_folder.locate`.
        config: corpus, protocol and training; features and network are the model's, the emotions
            may be others.
        out: model folder; one in which the same was begun is continued.
        observer: is told of progress.

    Raises:
        UsageError: if ``out`` holds something else, or the model has learnt speakers of the corpus.
        ModelError: if there is no such model.
        CorpusError, FoldError: if the corpus cannot be used.
        StorageError: if the folder cannot be written.
        InterruptedRunError: after Ctrl-C.
    """
    features, network = options_of(model_folder.read(model_folder.locate(model)))
    if config.pretraining is not None:
        raise UsageError("pretraining: an adapted network begins with the model; leave it out")
    if (out / model_folder.CONFIG).is_file():
        raise UsageError(f"{out} holds a finished model; choose another --out")
    scratch = config.model_copy(update={"features": features, "model": network})
    adapted = scratch.model_copy(update={"pretraining": PretrainingOptions(model=model)})
    both = Ablation(scratch, {SCRATCH: scratch, ADAPTED: adapted}, (SCRATCH,))
    results = ablation.ablate(both, out / COMPARISON, observer)
    calibrate = out / COMPARISON / ablation.VARIANTS / ablation.folder_name(ADAPTED)
    last = adapted.model_copy(update={"seeds": adapted.seeds[:1]})
    return Adaptation(train(last, out, observer, calibrate), results)
