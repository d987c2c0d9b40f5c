"""Class probabilities and dimensions of utterances, and their evaluation."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.evaluation import concordance, metrics
from emotone.evaluation.results import Epoch
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
    """Class probabilities and dimensions, in float32, from all segments if there are any.

    Dimensions are the mean over segments.

    Args:
        network: is switched to evaluation mode.
        data: spectrograms of the corpus.
        utterances: numbers of the utterances.
        options: how to cut the utterances into segments; ``None`` for whole utterances.
        statistics: statistics of speakers, for ``norm: enrol``; ``None`` for the training set's.
            For ``norm: speaker`` they are computed here.
        version: of the utterances, see :meth:`Spectrograms.version`.

    Returns:
        Shape ``(utterances, labels + dimensions)``, in the order of ``utterances``.
    """
    network.eval()
    options = options or TrainingOptions()
    examples, at_least = make_examples(data, utterances, options, version)
    examples = sorted(examples, key=len)
    if network.features.options.norm == "speaker":
        statistics = speaker_statistics(network, data, utterances)
    answers = np.zeros((len(data.targets), len(data.labels)), np.float32)
    sums = np.zeros((len(data.targets), 1 + len(data.dimensions)), np.float32)  # with a count
    add = np.maximum if options.segment_answer == "max" else np.add
    device = next(network.parameters()).device
    for first in range(0, len(examples), EVALUATION_BATCH):
        batch = examples[first : first + EVALUATION_BATCH]
        numbers = [example.utterance for example in batch]
        log_mel, frames = (values.to(device) for values in stack(data, batch, at_least=at_least))
        of_batch = statistics_of_batch(statistics, data, numbers)
        with torch.no_grad():
            logits, _, values = network.outputs(
                log_mel, frames, None if of_batch is None else of_batch.to(device),
                # zero-padded segments are not masked
                padded=torch.full_like(frames, at_least) if at_least else None,
            )  # fmt: skip
            probabilities, dimensions = logits.softmax(dim=1).cpu().numpy(), values.cpu().numpy()
        for number, row, added in zip(numbers, probabilities, dimensions, strict=True):
            answers[number] = add(answers[number], row)
            sums[number] += [1, *added]
    chosen, summed = answers[list(utterances)], sums[list(utterances)]
    chosen = chosen / chosen.sum(axis=1, keepdims=True)
    return np.hstack([chosen, summed[:, 1:] / summed[:, :1]]).astype(np.float32)


def evaluate(
    network: Network, data: Spectrograms, utterances: Sequence[int], options: TrainingOptions
) -> Epoch:
    """Evaluate a network on some utterances.

    Returns:
        Cross-entropy in nats, UAR and its standard error, none of them where only dimensions are
        learnt; and the mean concordance correlation of the dimensions.
    """
    answers = posteriors(network, data, utterances, options)
    probabilities, values = np.split(answers, [len(data.labels)], axis=1)
    ccc = concordance.mean_ccc(data.wanted[list(utterances)], values)
    if data.dimensions and options.dimensions_weight == 1:
        return Epoch(np.nan, validation_ccc=ccc)
    targets = data.targets[list(utterances)]
    likelihood = probabilities[np.arange(len(targets)), targets].clip(1e-12)
    names = np.array(data.labels)
    counts = metrics.confusion(
        names[targets].tolist(), names[probabilities.argmax(axis=1)].tolist(), data.labels
    )
    loss = float(-np.log(likelihood).mean())
    error = metrics.uar_standard_error(counts)
    return Epoch(np.nan, loss, float(metrics.uar_of(counts)), error, validation_ccc=ccc)
