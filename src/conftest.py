"""What the examples in docstrings find: a folder with speech, and a recogniser."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import emotone
from emotone.corpora.synthetic import EMOTIONS, utterance

RATE = 16_000
# modules whose examples use the names below
WITH_EXAMPLES = ("recognizer", "model", "corpora", "crossval")


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of two speakers: ``call.wav`` of one, ``her1.wav`` to ``her3.wav`` of another."""
    folder = tmp_path_factory.mktemp("examples")
    call = np.concatenate([utterance(0, emotion, take) for emotion in EMOTIONS for take in (0, 1)])
    soundfile.write(folder / "call.wav", call[: 6 * RATE], RATE)
    for take in (1, 2, 3):
        soundfile.write(folder / f"her{take}.wav", utterance(1, "neutral", take), RATE)
    return folder


@pytest.fixture(scope="session")
def names(speech: Path) -> dict[str, Any]:
    """Names that the examples use without defining them."""
    samples, _ = soundfile.read(speech / "call.wav", dtype="float32")
    return {
        "emotone": emotone,
        "recognizer": emotone.load(),
        "samples": samples,
        "Path": Path,
        "Span": emotone.Span,
    }


@pytest.fixture(autouse=True)
def _in_the_folder(
    request: pytest.FixtureRequest,
    doctest_namespace: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run the examples of the public interface in the folder with speech."""
    if any(f".{module}" in request.node.name for module in WITH_EXAMPLES):
        doctest_namespace.update(request.getfixturevalue("names"))
        monkeypatch.chdir(request.getfixturevalue("speech"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the examples that train as slow."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.name.endswith(".crossval.crossval"):
            item.add_marker(pytest.mark.slow)
