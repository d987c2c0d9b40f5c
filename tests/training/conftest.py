"""Spectrograms of a small corpus for the tests of training."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.features import FeatureOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network
from emotone.training.spectrograms import Spectrograms, load_or_compute
from tests.helpers import TINY


@pytest.fixture
def data(make_table: Callable[..., Path], tmp_path: Path) -> Spectrograms:
    """Four speakers with two takes of anger, 16 or 21 frames, and then of neutral."""
    corpus = corpora.read(TableOptions(root=make_table()))
    return load_or_compute(
        corpus, FeatureOptions.model_validate(TINY["features"]), tmp_path / "kept"
    )


@pytest.fixture
def make_network(data: Spectrograms) -> Callable[[str], Network]:
    """Make an untrained network with a norm and the statistics of the whole corpus."""

    def make(norm: str = "train") -> Network:
        features = FeatureOptions.model_validate(TINY["features"] | {"norm": norm})
        torch.manual_seed(0)
        network = Network(features, CrnnOptions.model_validate(TINY["model"]), data.labels)
        network.features.fit(network.features.moments(data[n] for n in range(len(data.targets))))
        return network.eval()

    return make
