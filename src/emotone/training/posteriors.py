"""Class probabilities of utterances, and their evaluation."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.evaluation import metrics
from emotone.models.network import Network
from emotone.training.batching import make_examples, stack
from emotone.training.options import TrainingOptions
from emotone.training.speakers import Statistics, speaker_statistics, statistics_of_batch
from emotone.training.spectrograms import Spectrograms

EVALUATION_BATCH = 32


def posteriors(
    network: Network,
    data: Spectrograms,
    utterances: Sequence[int],
    options: TrainingOptions | None = None,
    statistics: Statistics | None = None,
    version: int = 0,
) -> NDArray[np.float32]:
    """Class probabilities of utterances, in float32, from all segments if there are any.

    Args:
        network: is switched to evaluation mode.
        data: spectrograms of the corpus.
        utterances: numbers of the utterances.
        options: how to cut the utterances into segments; ``None`` for whole utterances.
        statistics: statistics of speakers, for ``norm: enrol``; ``None`` for the training set's.
            For ``norm: speaker`` they are computed here.
        version: of the utterances, see :meth:`Spectrograms.version`.

    Returns:
        Shape ``(utterances, labels)``, in the order of ``utterances``.
    """
    network.eval()
    options = options or TrainingOptions()
    examples, at_least = make_examples(data, utterances, options, version)
    examples = sorted(examples, key=len)
    if network.features.options.norm == "speaker":
        statistics = speaker_statistics(network, data, utterances)
    answers = np.zeros((len(data.targets), len(data.labels)), np.float32)
    add = np.maximum if options.segment_answer == "max" else np.add
    device = next(network.parameters()).device
    for first in range(0, len(examples), EVALUATION_BATCH):
        batch = examples[first : first + EVALUATION_BATCH]
        numbers = [example.utterance for example in batch]
        log_mel, frames = (values.to(device) for values in stack(data, batch, at_least=at_least))
        of_batch = statistics_of_batch(statistics, data, numbers)
        with torch.no_grad():
            stacked = network.features.stack(
                log_mel, frames, None if of_batch is None else of_batch.to(device)
            )
            if at_least:  # zero-padded segments are not masked
                frames = torch.full_like(frames, at_least)
            probabilities = network.backbone(stacked, frames).softmax(dim=1).cpu().numpy()
        for number, row in zip(numbers, probabilities, strict=True):
            answers[number] = add(answers[number], row)
    chosen = answers[list(utterances)]
    return np.asarray(chosen / chosen.sum(axis=1, keepdims=True), np.float32)


def evaluate(
    network: Network, data: Spectrograms, utterances: Sequence[int], options: TrainingOptions
) -> tuple[float, float, float]:
    """Mean cross-entropy in nats, UAR and standard error of the UAR on some utterances."""
    probabilities = posteriors(network, data, utterances, options)
    targets = data.targets[list(utterances)]
    likelihood = probabilities[np.arange(len(targets)), targets].clip(1e-12)
    names = np.array(data.labels)
    counts = metrics.confusion(
        names[targets].tolist(), names[probabilities.argmax(axis=1)].tolist(), data.labels
    )
    loss = float(-np.log(likelihood).mean())
    return loss, float(metrics.uar_of(counts)), metrics.uar_standard_error(counts)
