"""Statistics of speakers, which normalise features for ``norm: speaker`` and ``norm: enrol``."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from emotone.features import Features, Moments
from emotone.models.network import Network
from emotone.training.spectrograms import Spectrograms

MOST_ENROLLED = 50  # utterances of a speaker from which statistics are taken in training
ENROL_STREAM = 2  # of random numbers that are independent of those of augmentation

Statistics = Mapping[str, Tensor]  # of each speaker: mean and std, (2, channels, mels)


def speaker_statistics(
    network: Network, data: Spectrograms, utterances: Sequence[int]
) -> Statistics:
    """Statistics of the speakers of some utterances over all their utterances in the corpus."""
    return {
        speaker: network.features.moments(
            data[number] for number in data.of_speakers([speaker])
        ).statistics()
        for speaker in sorted(set(data.speakers[list(utterances)]))
    }


def enrolment_statistics(
    network: Network, data: Spectrograms, utterances: Mapping[str, Sequence[int]]
) -> Statistics:
    """Statistics of speakers from a few utterances of each, for ``norm: enrol``.

    Args:
        network: provides the statistics of its training set, towards which to shrink.
        data: spectrograms of the corpus.
        utterances: numbers of the enrolment utterances of each speaker.
    """
    features = network.features
    return {
        speaker: features.enrolled(features.moments(data[number] for number in numbers))
        for speaker, numbers in utterances.items()
    }


def statistics_of_batch(
    statistics: Statistics | None, data: Spectrograms, utterances: Sequence[int]
) -> Tensor | None:
    """Statistics of the speaker of each utterance, shape ``(batch, 2, channels, mels)``, if any."""
    if not statistics:
        return None
    return torch.stack([statistics[data.speakers[number]] for number in utterances])


class TrainingEnrolment:
    """Speakers enrolled in training with random numbers of their other utterances.

    Args:
        features: front end with the statistics of the training set, on the CPU.
        moments: moments of each training utterance.
        data: spectrograms of the corpus.
        utterances: numbers of the training utterances.
        seed: seed of the random draws.
    """

    def __init__(
        self,
        features: Features,
        moments: Moments,
        data: Spectrograms,
        utterances: Sequence[int],
        seed: int,
    ) -> None:
        self.features, self.moments, self.seed = features, moments, seed
        self.utterances = np.array(utterances)
        self.speakers = data.speakers[self.utterances]
        self.speaker_of = data.speakers

    def draw(self, numbers: Sequence[int], epoch: int) -> Tensor:
        """Statistics of the speaker of each utterance, never from the utterance itself.

        Depends only on the seed, the epoch and the utterance. In a third of the cases no utterance
        is enrolled; otherwise the logarithm of their number is uniform.

        Returns:
            Shape ``(batch, 2, channels, mels)``.
        """
        return torch.stack([self._draw_one(number, epoch) for number in numbers])

    def _draw_one(self, number: int, epoch: int) -> Tensor:
        rng = np.random.default_rng([self.seed, epoch, number, ENROL_STREAM])
        same_speaker = np.flatnonzero(self.speakers == self.speaker_of[number])
        others = same_speaker[self.utterances[same_speaker] != number]
        most = min(MOST_ENROLLED, len(others))
        count = 0 if rng.random() < 1 / 3 else min(int((most + 1) ** rng.random()), most)
        chosen = rng.choice(others, count, replace=False)
        return self.features.enrolled(self.moments[chosen.tolist()])
