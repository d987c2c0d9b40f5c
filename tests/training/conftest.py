"""Spectrograms of a small corpus for the tests of training."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.features import FeatureOptions, Features
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network
from emotone.training.options import TrainingOptions
from emotone.training.spectrograms import Spectrograms, load_or_compute
from tests.helpers import TINY


@pytest.fixture
def data(make_table: Callable[..., Path], tmp_path: Path) -> Spectrograms:
    """Four speakers with two takes of anger, 16 or 21 frames, and then of neutral."""
    corpus = corpora.read(TableOptions(root=make_table()))
    return load_or_compute(
        corpus, Features(FeatureOptions.model_validate(TINY["features"])), tmp_path / "kept"
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


@pytest.fixture
def make_options() -> Callable[..., TrainingOptions]:
    """Make the options of a tiny training, with changes."""

    def make(**changes: object) -> TrainingOptions:
        return TrainingOptions.model_validate(TINY["training"] | changes)

    return make


@pytest.fixture
def two_tables(make_table: Callable[..., Path]) -> list[TableOptions]:
    """Corpus a with anger and neutral, corpus b with anger and fear, of three speakers each."""
    tables = []
    for name, emotions in (("a", ("anger", "neutral")), ("b", ("anger", "fear"))):
        table = make_table(3, emotions, folder=name)
        tables.append(TableOptions(root=table.rename(table.with_name(f"{name}.csv"))))
    return tables


@pytest.fixture
def two_corpora(two_tables: list[TableOptions], tmp_path: Path) -> Spectrograms:
    """Both corpora: utterances 0 to 11 are of a, 12 to 23 of b, labels anger, fear, neutral.

    A speaker has two takes of anger and then two of the other emotion.
    """
    features = FeatureOptions.model_validate(TINY["features"])
    return load_or_compute(corpora.read_all(two_tables), Features(features), tmp_path / "kept")
