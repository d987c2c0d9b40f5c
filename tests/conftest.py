"""Generated audio and small corpora that all tests share."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import soundfile
import torch
from filelock import FileLock

from emotone.inference import model_folder
from emotone.inference.recognizer import Recognizer, load
from emotone.models import export
from emotone.models.network import Network
from tests.helpers import TINY, trained, voice

torch.set_num_threads(1)  # small networks are slower with more, much slower on a busy machine


@pytest.fixture
def make_table(tmp_path: Path) -> Callable[..., Path]:
    """Write a small corpus as a table with audio files; returns the path of the table.

    Each folder has other audio.
    """

    def make(
        speakers: int = 4,
        emotions: tuple[str, ...] = ("anger", "neutral"),
        takes: int = 2,
        folder: str = "corpus",
    ) -> Path:
        root = tmp_path / folder
        root.mkdir()
        first = 0 if folder == "corpus" else zlib.crc32(folder.encode()) % 10_000 + 100
        rows: list[dict[str, str]] = []
        for speaker in range(speakers):
            for emotion in emotions:
                for take in range(takes):
                    name = f"s{speaker}_{emotion}_{take}.wav"
                    seconds = 0.3 + 0.1 * take
                    soundfile.write(root / name, voice(first + len(rows), seconds), 16_000)
                    rows.append({"file": name, "emotion": emotion, "speaker": f"s{speaker}"})
        pd.DataFrame(rows).to_csv(root / "table.csv", index=False)
        return root / "table.csv"

    return make


def shared(factory: pytest.TempPathFactory) -> Path:
    """The folder that the processes of a test run share."""
    several = "PYTEST_XDIST_WORKER" in os.environ
    return factory.getbasetemp().parent if several else factory.getbasetemp()


@pytest.fixture(scope="session", autouse=True)
def traced_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The processes of a test run share traced graphs: each takes seconds, many tests need them."""
    root, trace = shared(tmp_path_factory), export._trace

    def kept(network: Network, *, enrolling: bool) -> bytes:
        key = hashlib.sha256(repr(export._structure(network)).encode()).hexdigest()
        file = root / f"{key}.onnx"
        with FileLock(root / f"{key}.lock"):
            if not file.is_file():
                file.write_bytes(trace(network, enrolling=enrolling))
        return file.read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_trace", kept)
        yield


def trained_once(factory: pytest.TempPathFactory, name: str, **changes: dict[str, object]) -> Path:
    """A model folder that the processes of a test run share; the first one trains it."""
    root = shared(factory)
    with FileLock(root / f"{name}.lock"):
        if not (root / name / "out" / model_folder.CONFIG).is_file():
            (root / name).mkdir()
            trained(root / name, **changes)
    return root / name / "out"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_once(tmp_path_factory, "model")


@pytest.fixture(scope="session")
def enrolling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes statistics of a speaker."""
    features = TINY["features"] | {"norm": "enrol"}
    return trained_once(tmp_path_factory, "enrolling", features=features)


@pytest.fixture(scope="session")
def recognizer(folder: Path) -> Recognizer:
    return load(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a trained model or a server as slow; other slow modules mark themselves."""
    for item in items:
        if {"folder", "enrolling", "recognizer"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
