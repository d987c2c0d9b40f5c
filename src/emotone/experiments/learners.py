"""The two families of model in an experiment: trained networks and fitted estimators.

Computes the input of a model from a corpus, and fits the model to the training utterances of a
fold. Only this module distinguishes the families.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.corpora import Corpus
from emotone.evaluation.folds import Fold
from emotone.evaluation.results import RunRecord
from emotone.experiments.config import ExperimentConfig
from emotone.features.utterances import cached
from emotone.models.kinds import EstimatorKind, Vectors
from emotone.models.network import Network, multiply_adds
from emotone.training import loop
from emotone.training.hardware import fabric_on, usable_precision
from emotone.training.posteriors import posteriors
from emotone.training.pretraining import FineTuningOptions
from emotone.training.spectrograms import Spectrograms, load_or_compute

Data = Spectrograms | Vectors
Probabilities = Callable[[Sequence[int]], NDArray[np.float32]]  # (utterances, labels)


@dataclass(frozen=True)
class FittedModel:
    """A model fitted to the training utterances of a fold.

    Attributes:
        record: record of the run.
        probabilities: maps numbers of utterances to probabilities ``(utterances, labels)``.
        disturbed: the same for disturbed utterances; ``None`` if there are none.
        network: the network; ``None`` for estimators.
    """

    record: RunRecord
    probabilities: Probabilities
    network: Network | None = None
    disturbed: Probabilities | None = None


def read_data(
    config: ExperimentConfig, corpus: Corpus, cache: Path, advance: Callable[[], None]
) -> Data:
    """Compute the input of the model from a corpus, or load it from the cache.

    Args:
        config: configuration of the experiment.
        corpus: corpus whose audio is read.
        cache: folder of earlier inputs.
        advance: called once per utterance.

    Raises:
        CorpusError: if audio is missing, damaged, silent or too short; names the files.
        UsageError: if a package that the model needs is not installed.
        StorageError: if the cache cannot be written.
    """
    workers = config.runtime.processes
    if config.model.is_network:
        front_end = config.model.front_end(config.features)
        front_end.device = fabric_on(config.runtime.device, config.training.precision).device
        return load_or_compute(
            corpus, front_end, cache, disturbances=config.training.disturb,
            workers=workers, advance=advance,
        )  # fmt: skip
    return _vectors(corpus, config.model, cache, workers=workers, advance=advance)


def fit(
    config: ExperimentConfig,
    data: Data,
    fold: Fold,
    seed: int,
    initial: Path | None,
    checkpoint: Path,
    soft_labels: NDArray[np.float32] | None = None,
) -> FittedModel:
    """Fit the model to the training utterances of a fold; test utterances are not used.

    Args:
        config: configuration of the experiment.
        data: from :func:`read_data`.
        fold: fold with the training and validation utterances.
        seed: seed of everything random.
        initial: weights that a network starts from.
        checkpoint: file that keeps the state of a training after each epoch.
        soft_labels: of a teacher, for a network.
    """
    if isinstance(data, Spectrograms):
        return _trained(config, data, fold, seed, initial, checkpoint, soft_labels)
    assert not config.model.is_network
    start = time.perf_counter()
    fitted = config.model.fit(data, fold.training, fold.validation)
    record = RunRecord(
        fold=fold.name,
        seed=seed,
        seconds=time.perf_counter() - start,
        parameters=fitted.parameters,
        multiply_adds_per_s=fitted.multiply_adds_per_s,
        validation_uar=fitted.validation_uar,
        choices=fitted.record,
    )
    return FittedModel(record, fitted.probabilities)


def _trained(
    config: ExperimentConfig,
    data: Spectrograms,
    fold: Fold,
    seed: int,
    initial: Path | None,
    checkpoint: Path,
    soft_labels: NDArray[np.float32] | None,
) -> FittedModel:
    assert config.model.is_network
    network, history = loop.fit(
        data,
        fold.training,
        fold.validation,
        features=config.features,
        model=config.model,
        options=config.training,
        seed=seed,
        device=config.runtime.device,
        initial=initial,
        fine_tuning=config.pretraining or FineTuningOptions(),
        soft_labels=soft_labels,
        checkpoint=checkpoint,
    )
    kept = history.kept_epoch(config.training.tolerance)
    record = RunRecord(
        fold=fold.name,
        seed=seed,
        seconds=sum(epoch.seconds for epoch in history.epochs),
        parameters=network.size,
        multiply_adds_per_s=multiply_adds(network) if config.model.reads_log_mel else None,
        validation_uar=history.epochs[kept].validation_uar,
        history=tuple(history.epochs),
        kept_epoch=kept + 1,
        choices={"precision": usable_precision(config.training.precision, config.runtime.device)},
    )

    def of_version(version: int) -> Probabilities:
        return lambda utterances: posteriors(
            network, data, utterances, config.training, version=version
        )

    disturbed = None if data.test_version is None else of_version(data.test_version)
    return FittedModel(record, of_version(0), network, disturbed)


def epoch_cost(config: ExperimentConfig, data: Data, labels: Sequence[str]) -> float:
    """Multiply-adds of an epoch over a whole corpus, to compare experiments by; 0 if unknown."""
    if not config.model.is_network or not isinstance(data, Spectrograms):
        return 0.0
    network = Network(config.features, config.model, labels)
    return multiply_adds(network) * data.seconds(config.training.segment_s)


def _vectors(
    corpus: Corpus,
    kind: EstimatorKind,
    cache: Path,
    *,
    workers: int,
    advance: Callable[[], None],
) -> Vectors:
    values = cached(corpus, kind.inputs, kind.extract, cache, advance, workers=workers)
    targets = np.array([corpus.labels.index(name) for name in corpus.table["emotion"]])
    return Vectors(values, targets, corpus.table["speaker"].to_numpy(), corpus.labels)
