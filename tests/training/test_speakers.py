from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch

from emotone.features import FeatureOptions, Features
from emotone.models.network import Network
from emotone.training import speakers
from emotone.training.speakers import (
    TrainingEnrolment,
    enrolment_statistics,
    speaker_statistics,
    statistics_of_batch,
)
from emotone.training.spectrograms import Spectrograms
from tests.helpers import TINY


def test_statistics_of_speakers_are_over_all_their_utterances(
    data: Spectrograms, make_network: Callable[[str], Network]
) -> None:
    found = speaker_statistics(make_network("speaker"), data, [5, 0, 1])
    assert list(found) == ["s0", "s1"]
    for speaker, utterances in (("s0", range(4)), ("s1", range(4, 8))):
        together = np.concatenate([data[number].numpy() for number in utterances])
        np.testing.assert_allclose(found[speaker][0, 0], together.mean(axis=0), rtol=1e-4)
        np.testing.assert_allclose(found[speaker][1, 0], together.std(axis=0), rtol=1e-3)


def test_enrolment_shrinks_towards_the_training_set(
    data: Spectrograms, make_network: Callable[[str], Network]
) -> None:
    """Two utterances beside a prior of five: the mean is 2/7 the speaker's."""
    found = enrolment_statistics(make_network("enrol"), data, {"s1": [4, 6], "s2": []})
    speaker = np.concatenate([data[4].numpy(), data[6].numpy()])
    everyone = np.array(data.values)
    mean = 2 / 7 * speaker.mean(axis=0) + 5 / 7 * everyone.mean(axis=0)
    variance = 2 / 7 * speaker.var(axis=0) + 5 / 7 * everyone.var(axis=0)
    np.testing.assert_allclose(found["s1"][0, 0], mean, rtol=1e-4)
    np.testing.assert_allclose(found["s1"][1, 0], np.sqrt(variance), rtol=1e-3)
    np.testing.assert_allclose(found["s2"][0, 0], everyone.mean(axis=0), rtol=1e-4)


def test_each_row_of_a_batch_has_the_statistics_of_its_speaker(data: Spectrograms) -> None:
    known = {f"s{number}": torch.full((2, 1, 3), float(number)) for number in range(4)}
    rows = statistics_of_batch(known, data, [9, 0, 15, 1])
    assert rows is not None
    assert rows.shape == (4, 2, 1, 3)
    assert rows[:, 0, 0, 0].tolist() == [2, 0, 3, 0]
    assert statistics_of_batch(None, data, [0]) is None
    assert statistics_of_batch({}, data, [0]) is None


class RecordedMoments:
    """Stands for moments: gives the positions that were chosen."""

    def __getitem__(self, clips: Sequence[int]) -> Sequence[int]:
        return clips


class RecordingFeatures:
    def __init__(self) -> None:
        self.chosen: list[list[int]] = []

    def enrolled(self, clips: list[int]) -> torch.Tensor:
        self.chosen.append(clips)
        return torch.zeros(2, 1, 1)


def recorded_draws(
    data: Any, training: Sequence[int], number: int, epochs: int, seed: int = 0
) -> list[list[int]]:
    features = RecordingFeatures()
    moments: Any = RecordedMoments()
    enrolment = TrainingEnrolment(cast(Any, features), moments, data, training, seed)
    for epoch in range(epochs):
        assert enrolment.draw([number], epoch).shape == (1, 2, 1, 1)
    return features.chosen


class Speakers:
    """Stands for spectrograms: utterances 0 to 9 are of a, 10 to 14 of b."""

    speakers = np.array(["a"] * 10 + ["b"] * 5, object)


def test_enrolment_in_training_draws_other_training_utterances_of_the_speaker() -> None:
    training = [0, 2, 3, 5, 8, 10, 11]  # of a five: the others of utterance 3 are 0, 2, 5 and 8
    drawn = recorded_draws(Speakers(), training, 3, 1000)
    seen = {training[position] for positions in drawn for position in positions}
    assert seen == {0, 2, 5, 8}
    assert all(len(set(positions)) == len(positions) for positions in drawn)
    assert {len(positions) for positions in drawn} == {0, 1, 2, 3, 4}
    assert drawn == recorded_draws(Speakers(), training, 3, 1000)
    assert drawn != recorded_draws(Speakers(), training, 3, 1000, seed=1)


def test_the_number_enrolled_in_training_is_uniform_in_its_logarithm() -> None:
    """Of 9 others none in a third of the cases, else k with probability log10((k + 1) / k)."""
    drawn = recorded_draws(Speakers(), range(10), 4, 6000)
    counts = Counter(map(len, drawn))
    assert counts[0] / 6000 == pytest.approx(1 / 3, abs=0.02)
    for count in range(1, 10):
        expected = 2 / 3 * np.log10((count + 1) / count)
        assert counts[count] / 6000 == pytest.approx(expected, abs=0.02)


def test_a_speaker_with_a_single_utterance_is_not_enrolled() -> None:
    assert recorded_draws(Speakers(), [0, 10, 11], 0, 50) == [[]] * 50


def test_no_more_than_50_utterances_are_enrolled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speakers, "MOST_ENROLLED", 3)
    drawn = recorded_draws(Speakers(), range(10), 4, 300)
    assert max(map(len, drawn)) == 3


def test_enrolled_rows_are_in_the_order_of_the_batch(data: Spectrograms) -> None:
    features = Features(FeatureOptions.model_validate(TINY["features"] | {"norm": "enrol"}))
    training = list(range(8))
    moments = features.moments(data[number] for number in training)
    features.fit(moments)
    enrolment = TrainingEnrolment(features, moments, data, training, seed=0)
    together = enrolment.draw([6, 1, 3], epoch=5)
    for row, number in enumerate([6, 1, 3]):
        assert torch.equal(together[row], enrolment.draw([number], epoch=5)[0])
    assert not torch.equal(together, enrolment.draw([6, 1, 3], epoch=6))
