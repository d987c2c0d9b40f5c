"""The loss of dimensions, and what a network with both heads learns."""

from dataclasses import replace

import audmetric
import numpy as np
import pytest
import torch

from emotone import corpora
from emotone.corpora.synthetic import SyntheticOptions
from emotone.evaluation.results import Epoch
from emotone.features import FeatureOptions, Features
from emotone.models.crnn import CrnnOptions
from emotone.models.network import with_labels
from emotone.training.concordance import concordance, with_concordance
from emotone.training.history import History
from emotone.training.loop import fit
from emotone.training.mixup import mixup
from emotone.training.options import TrainingOptions
from emotone.training.posteriors import posteriors
from emotone.training.spectrograms import Spectrograms, load_or_compute
from tests.helpers import TINY

NAN = float("nan")


def test_concordance_is_that_of_audmetric_over_the_known_values() -> None:
    rng = np.random.default_rng(0)
    found, wanted = rng.uniform(size=(2, 12, 3))
    wanted[:4, 1] = NAN
    wanted[1:, 2] = NAN  # one value is too few
    values = concordance(torch.tensor(found), torch.tensor(wanted))
    expected = [
        audmetric.concordance_cc(wanted[:, 0], found[:, 0]),
        audmetric.concordance_cc(wanted[4:, 1], found[4:, 1]),
    ]
    np.testing.assert_allclose(values.numpy(), expected, atol=1e-5)


def test_missing_and_constant_values_have_finite_gradients() -> None:
    found = torch.full((3, 3), 0.5, requires_grad=True)
    wanted = torch.tensor([[0.2, 0.4, NAN], [NAN, 0.4, NAN], [0.9, 0.4, NAN]])
    loss = with_concordance(torch.tensor(1.0), found, wanted, 0.5)
    loss.backward()
    assert found.grad is not None
    assert found.grad.isfinite().all()
    assert (found.grad[1, 0], *found.grad[:, 2]) == (0, 0, 0, 0)
    none_known = with_concordance(torch.tensor(2.0), found, torch.full((3, 3), NAN), 0.25)
    assert float(none_known) == 1.5


def test_the_weight_is_that_of_the_dimensions() -> None:
    found, wanted = torch.tensor([[0.1], [0.5], [0.8]]), torch.tensor([[0.1], [0.5], [0.8]])
    classes = torch.tensor(2.0)
    assert float(with_concordance(classes, found, wanted, 0.25)) == pytest.approx(1.5, abs=1e-5)
    assert float(with_concordance(classes, 1 - found, wanted, 1)) > 1
    assert with_concordance(classes, found[:, :0], wanted[:, :0], 0.25) is classes


def test_mixup_mixes_values_and_a_missing_one_stays_missing() -> None:
    features, frames = torch.zeros(3, 1, 2, 2), torch.full((3,), 2)
    values = torch.tensor([[0.0, 0.5], [1.0, NAN], [0.5, 0.1]])
    _, _, mixed = mixup(features, frames, torch.tensor([0.5, 0.75, 1.0]), values)
    expected = torch.tensor([[0.25, 0.3], [0.75, NAN], [0.5, NAN]])
    torch.testing.assert_close(mixed, expected, equal_nan=True)


@pytest.fixture
def speech(tmp_path_factory: pytest.TempPathFactory) -> Spectrograms:
    place = tmp_path_factory.mktemp("dimensions")
    names = ("arousal", "valence")
    options = SyntheticOptions(root=place / "s", speakers=3, utterances=8, dimensions=names)
    features = FeatureOptions.model_validate(TINY["features"])
    return load_or_compute(corpora.read(options), Features(features), place / "kept")


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_a_network_learns_dimensions_beside_or_instead_of_classes(
    speech: Spectrograms, weight: float
) -> None:
    speech.wanted[3] = NAN
    options = TrainingOptions.model_validate(
        TINY["training"]
        | {"epochs": 25, "dimensions_weight": weight, "learning_rate": 0.01, "averaging": 0}
    )
    known = [number for number in range(24) if number != 3]
    network, history = fit(
        speech, range(24), range(16, 24), features=FeatureOptions.model_validate(TINY["features"]),
        model=CrnnOptions.model_validate(TINY["model"] | {"hidden": 16, "dropout": 0}),
        options=options, seed=0,
    )  # fmt: skip
    assert network.backbone.output.out_features == 4 + 2
    answers = posteriors(network, speech, known)
    assert answers.shape == (23, 6)
    np.testing.assert_allclose(answers[:, :4].sum(axis=1), 1, atol=1e-5)
    values = answers[:, 4:]
    assert values.min() >= 0
    assert values.max() <= 1
    assert audmetric.concordance_cc(speech.wanted[known, 0], values[:, 0]) > 0.5
    last = history.epochs[-1]
    assert last.validation_ccc is not None
    assert (last.validation_uar is None) == (weight == 1)
    fewer = with_labels(network, ["sadness", "anger"])
    np.testing.assert_allclose(posteriors(fewer, replaced(speech), known)[:, 2:], values, atol=1e-6)


def replaced(data: Spectrograms) -> Spectrograms:
    """The same with two labels."""
    light, values = data.detach()
    light.labels = ["sadness", "anger"]
    return light.attach(values)


def test_only_dimensions_choose_the_epoch_by_their_concordance() -> None:
    history = History([Epoch(1.0, validation_ccc=value) for value in (0.1, 0.7, 0.5, 0.6)])
    assert history.best_epoch() == 1
    assert history.kept_epoch(2.0) == 1
    assert history.is_over(TrainingOptions(patience=2))
    assert not history.is_over(TrainingOptions(patience=3))
    both = [replace(epoch, validation_uar=0.5, standard_error=0.0) for epoch in history.epochs]
    assert History(both).kept_epoch(0) == 3
