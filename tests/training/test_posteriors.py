from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from emotone.models.network import Network
from emotone.training import posteriors as module
from emotone.training.options import TrainingOptions
from emotone.training.posteriors import evaluate, posteriors
from emotone.training.speakers import enrolment_statistics, speaker_statistics
from emotone.training.spectrograms import Spectrograms


@pytest.mark.parametrize("norm", ["train", "utterance", "enrol", "speaker"])
def test_posteriors_are_those_of_each_utterance_alone(
    data: Spectrograms, make_network: Callable[..., Network], norm: str
) -> None:
    network = make_network(norm)
    statistics = speaker_statistics(network, data, [0, 3, 5]) if norm == "speaker" else None
    together = posteriors(network, data, [5, 0, 3])
    assert together.dtype == np.float32
    for row, number in enumerate([5, 0, 3]):
        log_mel, frames = data[number][None], torch.tensor([data.frames[number]])
        own = None if statistics is None else statistics[data.speakers[number]][None]
        with torch.no_grad():
            stacked = network.features.stack(log_mel, frames, own)
            expected = network.backbone(stacked, frames).softmax(dim=1)[0]
        np.testing.assert_allclose(together[row], expected, atol=1e-5)


def test_enrolled_speakers_change_posteriors(
    data: Spectrograms, make_network: Callable[..., Network]
) -> None:
    network = make_network("enrol")
    known = enrolment_statistics(network, data, {"s1": [4, 7], "s0": [1]})
    found = posteriors(network, data, [5, 0], statistics=known)
    frames = torch.tensor([data.frames[5]])
    with torch.no_grad():
        stacked = network.features.stack(data[5][None], frames, known["s1"][None])
        expected = network.backbone(stacked, frames).softmax(dim=1)[0]
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    assert not np.allclose(found, posteriors(network, data, [5, 0]), atol=1e-5)


@pytest.mark.parametrize("answer", ["mean", "max"])
@pytest.mark.parametrize("rest", ["padded", "overlapping"])
def test_posteriors_of_segments_are_their_mean_or_maximum(
    data: Spectrograms, make_network: Callable[..., Network], rest: str, answer: str
) -> None:
    network = make_network()
    asked = TrainingOptions.model_validate(
        {"segment_s": 0.2, "segment_rest": rest, "segment_answer": answer, "crop": 1.0}
    )
    whole = posteriors(network, data, [3, 1], asked)[1]
    frames, parts = int(data.frames[1]), []
    assert frames % 10
    for start in range(0, frames, 10):
        if rest == "overlapping":
            start = min(start, frames - 10)
        piece = data[1][start : start + 10]
        padded = functional.pad(piece, (0, 0, 0, 10 - len(piece)))[None]
        stacked = network.features.stack(padded, torch.tensor([len(piece)]))
        with torch.no_grad():
            parts.append(network.backbone(stacked, torch.tensor([10])).softmax(dim=1)[0].numpy())
    highest = np.max(parts, axis=0)
    expected = np.mean(parts, axis=0) if answer == "mean" else highest / highest.sum()
    np.testing.assert_allclose(whole, expected, atol=1e-5)


def test_posteriors_do_not_depend_on_the_size_of_batches(
    data: Spectrograms, make_network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, everything = make_network(), list(range(len(data.targets)))
    together = posteriors(network, data, everything)
    monkeypatch.setattr(module, "EVALUATION_BATCH", 3)
    np.testing.assert_allclose(posteriors(network, data, everything), together, atol=1e-5)


def test_loss_uar_and_standard_error_of_an_unbalanced_set(
    data: Spectrograms, make_network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 4 of anger 3 are recognised, of 2 of neutral one."""
    utterances = [0, 1, 4, 5, 2, 3]
    assert data.targets[utterances].tolist() == [0, 0, 0, 0, 1, 1]
    table = np.array([[0.5, 0.5], [0.8, 0.2], [0.25, 0.75], [1, 0], [0.5, 0.5], [0, 1]], np.float32)

    def fixed(*_arguments: Any) -> Any:
        return table

    monkeypatch.setattr(module, "posteriors", fixed)
    found = evaluate(make_network(), data, utterances, TrainingOptions())
    assert found.validation_ccc is None
    assert found.validation_loss == pytest.approx(
        -np.log([0.5, 0.8, 0.25, 1, 0.5, 1]).mean(), rel=1e-6
    )
    assert found.validation_uar == pytest.approx((3 / 4 + 1 / 2) / 2)
    variance = (3 / 4 * 1 / 4 / 4 + 1 / 2 * 1 / 2 / 2) / 2**2
    assert found.standard_error == pytest.approx(np.sqrt(variance))


def test_an_impossible_class_does_not_make_the_loss_infinite(
    data: Spectrograms, make_network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible = np.array([[0, 1]], np.float32)
    monkeypatch.setattr(module, "posteriors", lambda *arguments: impossible)
    found = evaluate(make_network(), data, [0], TrainingOptions())
    assert found.validation_loss == pytest.approx(12 * np.log(10), rel=1e-4)
    assert found.validation_uar == 0
