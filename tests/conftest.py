"""Generated audio and small corpora that all tests share."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import soundfile
import torch

from emotone.inference.recognizer import Recognizer, load
from tests.helpers import TINY, trained, voice

torch.set_num_threads(1)  # small networks are slower with more, much slower on a busy machine


@pytest.fixture
def make_table(tmp_path: Path) -> Callable[..., Path]:
    """Write a small corpus as a table with audio files; returns the path of the table."""

    def make(
        speakers: int = 4,
        emotions: tuple[str, ...] = ("anger", "neutral"),
        takes: int = 2,
        folder: str = "corpus",
    ) -> Path:
        root = tmp_path / folder
        root.mkdir()
        rows: list[dict[str, str]] = []
        for speaker in range(speakers):
            for emotion in emotions:
                for take in range(takes):
                    name = f"s{speaker}_{emotion}_{take}.wav"
                    seconds = 0.3 + 0.1 * take
                    soundfile.write(root / name, voice(len(rows), seconds), 16_000)
                    rows.append({"file": name, "emotion": emotion, "speaker": f"s{speaker}"})
        pd.DataFrame(rows).to_csv(root / "table.csv", index=False)
        return root / "table.csv"

    return make


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def enrolling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes statistics of a speaker."""
    features = TINY["features"] | {"norm": "enrol"}
    return trained(tmp_path_factory.mktemp("enrolling"), features=features)


@pytest.fixture(scope="session")
def recognizer(folder: Path) -> Recognizer:
    return load(folder)
