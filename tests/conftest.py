"""Generated audio and small corpora that all tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from emotone.config import ExperimentConfig
from emotone.recognizer import Recognizer, load
from emotone.trainer import train

DATA = Path(__file__).parents[2] / "shared" / "data"

torch.set_num_threads(1)  # small networks are slower with more, much slower on a busy machine

# a network and a training so small that a run takes a second
TINY: dict[str, Any] = {
    "features": {"mels": 16, "hop_ms": 20.0, "deltas": 1},
    "model": {
        "channels": [4, 6],
        "time_strides": [2, 2],
        "mel_pools": [2, 2],
        "lstm": 4,
        "hidden": 4,
    },
    "training": {"epochs": 3, "batch": 4},
}


def voice(seed: int, seconds: float = 0.4, rate: int = 16_000) -> NDArray[np.float32]:
    """A harmonic tone with noise: something that is neither silent nor equal to another seed's."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(90, 300)
    tone = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 6))
    return (0.1 * tone + 0.01 * rng.normal(size=len(time))).astype(np.float32)


def real_corpus(name: str) -> Path:
    """Folder of a real corpus, or skip the test."""
    root = DATA / name
    if not root.is_dir():
        pytest.skip(f"the corpus {name} is not on this machine")
    return root


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


def trained(root: Path, **changes: Any) -> Path:
    """A model folder of a small network."""
    rows = ["file,emotion,speaker"]
    for number in range(8):
        name = f"{number}.wav"
        soundfile.write(root / name, voice(number, 0.3 + 0.1 * number), 16_000)
        rows.append(f"{name},{('anger', 'neutral')[number % 2]},s{number // 4}")
    (root / "table.csv").write_text("\n".join(rows))
    asked = {
        "corpus": {"name": "table", "root": str(root / "table.csv")},
        "protocol": {"validation_speakers": 0},
        **TINY,
    } | changes
    from test_experiment import Recorder  # imports this file

    recorder = Recorder()
    folder = train(ExperimentConfig.model_validate(asked), root / "out", recorder)
    assert recorder.runs == ["all-0"]
    return folder


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
