"""Follows docs/how-to/add-a-model.md: its modules work without any other change."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

import emotone as package
from emotone.evaluation.results_folder import ResultsFolder
from tests.helpers import TINY, predictions, voice

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kinds")]  # one fixture for all

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-model.md"
MODULE = re.compile(r"`src/emotone/models/(\w+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)
IN_PLACE = """
import pathlib
import emotone.models
emotone.models.__path__.append(str(pathlib.Path(__file__).parent / "models"))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's modules, and with a corpus whose anger is loud."""
    root = tmp_path_factory.mktemp("place")
    (root / "models").mkdir()
    for name, code in MODULE.findall(PAGE.read_text("utf-8")):
        (root / "models" / name).write_text(code)
    # all Python processes that have the folder on their path, workers included, find the modules
    (root / "sitecustomize.py").write_text(IN_PLACE)
    rows = []
    for number in range(16):
        emotion = ("anger", "neutral")[number % 2]
        quieter = 1.0 if emotion == "anger" else 0.1
        soundfile.write(root / f"{number}.wav", quieter * voice(number), 16_000)
        rows.append({"file": f"{number}.wav", "emotion": emotion, "speaker": f"s{number // 4}"})
    pd.DataFrame(rows).to_csv(root / "table.csv", index=False)
    return root


def run(place: Path, command: str, kind: str) -> Path:
    """Run a command with ``model.kind``; returns its folder."""
    asked: dict[str, Any] = {
        "corpus": {"name": "table", "root": str(place / "table.csv")},
        "protocol": {"name": "kfold", "folds": 2},
        "features": TINY["features"],
        "training": TINY["training"],
        "runtime": {"jobs": 1},
    }
    (place / "experiment.yaml").write_text(yaml.safe_dump(asked))
    out = place / f"{command}-{kind}"
    paths = [str(place), str(Path(package.__file__).parents[1])]
    subprocess.run(
        [sys.executable, "-m", "emotone", command, place / "experiment.yaml",
         f"model.kind={kind}", "--out", out],
        check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, capture_output=True,
    )  # fmt: skip
    return out


def test_the_page_has_an_estimator_and_a_network(place: Path) -> None:
    found = sorted(path.name for path in (place / "models").iterdir())
    assert found == ["level_bayes.py", "mean_pool.py"]


def test_the_estimator_is_cross_validated(place: Path) -> None:
    out = run(place, "crossval", "level-bayes")
    results = ResultsFolder(out).results()
    # means and variances of two numbers of two emotions
    assert results.system.parameters == 2 * 2 * 2
    assert results.scores.uar.mean == 1.0  # anger is 20 dB louder
    table = predictions(out)
    assert sorted(table["utterance"]) == list(range(16))
    assert (table["prediction"] == table["truth"]).all()
    np.testing.assert_allclose(table[["p_anger", "p_neutral"]].sum(axis=1), 1, atol=1e-5)


def test_the_network_is_cross_validated(place: Path) -> None:
    out = run(place, "crossval", "mean-pool")
    results = ResultsFolder(out).results()
    inputs, hidden, labels = 2 * 16, 16, 2  # static and delta channels of 16 mels
    assert results.system.parameters == hidden * (inputs + 1) + labels * (hidden + 1)
    assert results.system.multiply_adds_per_s == round((inputs * hidden + hidden * labels) / 10)
    assert [run.epochs for run in results.runs] == [3, 3]
    assert len(predictions(out)) == 16


def test_the_network_can_be_shipped(place: Path) -> None:
    out = run(place, "train", "mean-pool")
    answer = package.load(out).predict(place / "0.wav")
    assert answer.label in ("anger", "neutral")
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
