"""One network trained by several processes that torchrun starts."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import emotone as package
from emotone.experiments.config import load
from emotone.experiments.crossval import crossval
from emotone.training import parallel
from tests.helpers import TINY, Recorder

EXACT = TINY["training"] | {"precision": "32-true", "batch": 3}  # batches of 3, 3 and 2


def started(*arguments: str | Path, processes: int = 2) -> list[str]:
    """Command that starts emotone in several processes."""
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, "-m", *launcher, "-m", "emotone", *map(str, arguments)]


def together(*arguments: str | Path, processes: int = 2) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        started(*arguments, processes=processes),
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip


@pytest.fixture
def experiment(make_table: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write an experiment of which a fold is trained on 8 utterances."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "e.yaml"
        values = {
            "corpus": {"name": "table", "root": str(make_table())},
            "protocol": {"name": "kfold", "folds": 2, "validation_speakers": 0},
            **TINY,
            "training": EXACT,
        }
        path.write_text(yaml.safe_dump(values | changes))
        return path

    return write


def losses(out: Path) -> dict[str, list[float]]:
    """Loss after each epoch of each run."""
    return {
        path.parent.name: [
            epoch["training_loss"] for epoch in json.loads(path.read_text())["history"]
        ]
        for path in sorted(out.glob("runs/*/run.json"))
    }


def assert_equal(one: Path, other: Path) -> None:
    assert losses(one).keys() == losses(other).keys()
    for name, curve in losses(one).items():
        np.testing.assert_allclose(losses(other)[name], curve, rtol=2e-4, err_msg=name)
    first, second = (pd.read_csv(out / "predictions.csv") for out in (one, other))
    columns = ["p_anger", "p_neutral"]
    np.testing.assert_allclose(second[columns], first[columns], atol=2e-3)


# at a low rate, because AdamW makes differences of rounding as large as the rate where gradients
# are zero, as those of weights before a batch normalisation are
SEGMENTS = EXACT | {"segment_s": 0.2, "crop": 1.0, "batch": 12, "learning_rate": 2e-4}
SEGMENTS |= {"batch_norm": "population"}
KINDS: dict[str, dict[str, Any]] = {
    "crnn": {
        "features": TINY["features"] | {"norm": "enrol"},
        "protocol": {"name": "kfold", "folds": 2, "validation_speakers": 1},
    },
    "acrnn": {
        "model": {"kind": "acrnn-3d", "first_channels": 4, "channels": 4, "linear": 8, "lstm": 4},
        "training": SEGMENTS,
    },
}


# the last batch has two utterances, of which three processes cannot have one each
@pytest.mark.parametrize(("kind", "processes"), [("crnn", 3), ("acrnn", 2)])
def test_several_processes_learn_as_one(
    kind: str, processes: int, experiment: Callable[..., Path], tmp_path: Path
) -> None:
    asked = experiment(**KINDS[kind])
    crossval(load(asked), tmp_path / "alone", Recorder())
    done = together("crossval", asked, "--out", tmp_path / "together", processes=processes)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report:") == 1
    assert_equal(tmp_path / "alone", tmp_path / "together")


def test_a_training_goes_on_with_another_number_of_processes(
    experiment: Callable[..., Path], tmp_path: Path
) -> None:
    asked = experiment(training=EXACT | {"epochs": 30, "patience": 30})
    crossval(load(asked), tmp_path / "alone", Recorder())
    out = tmp_path / "changing"
    process = subprocess.Popen(
        started("crossval", asked, "--out", out),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not list(out.glob("runs/*/checkpoint.safetensors")):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.terminate()
        process.wait()
    assert len(losses(out)) < len(losses(tmp_path / "alone"))
    crossval(load(asked), out, Recorder())
    assert_equal(tmp_path / "alone", out)


def test_train_writes_one_model(experiment: Callable[..., Path], tmp_path: Path) -> None:
    done = together("train", experiment(), "--out", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model:") == 1
    (file, *_) = tmp_path.glob("corpus/*.wav")
    assert package.load(tmp_path / "model").predict(file).label in ("anger", "neutral")


def test_a_mistake_is_told_once(experiment: Callable[..., Path], tmp_path: Path) -> None:
    asked = experiment()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    done = together("crossval", asked, "--out", tmp_path / "out")
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] != []
    assert done.stderr.count("error: ") == 1
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_each_example_is_one_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(1, 6):
        monkeypatch.setattr(parallel, "processes", lambda size=size: size)
        for count in range(size, 20):
            batch = list(range(count))
            shares = []
            for rank in range(size):
                monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
                shares.append(batch[parallel.share(batch)])
            assert [example for part in shares for example in part] == batch
            lengths = {len(part) for part in shares}
            assert max(lengths) - min(lengths) <= 1
