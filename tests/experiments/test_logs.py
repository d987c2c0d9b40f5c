import json
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pandas as pd
import pytest

from emotone.evaluation.results import Epoch
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments import logs
from emotone.experiments.config import RuntimeOptions
from emotone.experiments.crossval import crossval
from emotone.experiments.logs import Logs
from tests.helpers import TINY, Recorder, config, emotone, one_line

pytestmark = pytest.mark.slow

HISTORY = [Epoch(1.5, 1.25, 0.5, 0.1, 2.0), Epoch(1.0, 1.125, 0.75, 0.1, 2.0), Epoch(0.5)]


def made_run(root: Path, name: str = "1-0", variant: str = "") -> Any:
    """What the logs need of a run."""
    settings = SimpleNamespace(identity=lambda: {"training": {"epochs": 3}, "seeds": [0]})
    experiment = SimpleNamespace(folder=ResultsFolder(root), name=variant, config=settings)
    return SimpleNamespace(
        experiment=experiment,
        folder=RunFolder(root / "runs" / name),
        name=f"fold {name}",
        fold=SimpleNamespace(name=name[0]),
        seed=0,
    )


def written(log: Sequence[str], root: Path, histories: Sequence[list[Epoch]], **folder: Any) -> Any:
    """Write histories of one run, as they grow; returns the run."""
    run = made_run(root)
    open_logs = Logs(RuntimeOptions.model_validate({"log": log} | folder))
    for history in histories:
        open_logs.write(run, history)
    open_logs.close()
    return run


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_the_results_folder_always_has_the_curves(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    results = crossval(config(make_table(), seeds=[0, 1]), out, Recorder())
    found = pd.read_csv(out / "curves.csv")
    assert list(found) == [
        "epoch", "training_loss", "validation_loss", "validation_uar", "standard_error", "seconds",
        "fold", "seed",
    ]  # fmt: skip
    assert len(found) == 2 * 2 * 3
    for run in results.runs:
        rows = found[(found["fold"] == int(run.fold)) & (found["seed"] == run.seed)]
        assert rows["epoch"].tolist() == [1, 2, 3]
        assert rows["training_loss"].tolist() == [epoch.training_loss for epoch in run.history]
        assert rows["validation_uar"].tolist() == [epoch.validation_uar for epoch in run.history]


def test_a_run_folder_has_its_curves_while_it_runs(tmp_path: Path) -> None:
    run = written([], tmp_path, [HISTORY[:1], HISTORY[:2]])
    assert pd.read_csv(run.folder.path / "curves.csv")["training_loss"].tolist() == [1.5, 1.0]


def test_tensorboard_has_each_epoch_once_also_after_an_interruption(tmp_path: Path) -> None:
    written(["tensorboard"], tmp_path, [HISTORY[:1], HISTORY[:2]])
    written(["tensorboard"], tmp_path, [HISTORY])  # in another process, resumed
    found = scalars(tmp_path / "tensorboard" / "1-0")
    assert found["training_loss"] == [(1, 1.5), (2, 1.0), (3, 0.5)]
    assert found["validation_uar"] == [(1, 0.5), (2, 0.75)]


def test_mlflow_has_each_epoch_once_also_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    written(["mlflow"], tmp_path, [HISTORY[:1], HISTORY[:2]])
    (tmp_path / "runs" / "1-0" / "run.json").write_text("{}")
    run = written(["mlflow"], tmp_path, [HISTORY])
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow'}.db")
    (known,) = json.loads((tmp_path / "mlflow-runs.json").read_text()).values()
    losses = client.get_metric_history(known, "training_loss")
    assert [(found.step, found.value) for found in losses] == [(1, 1.5), (2, 1.0), (3, 0.5)]
    stored = client.get_run(known)
    assert stored.info.run_name == run.name
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"fold": "1", "seed": "0", "training.epochs": "3", "seeds": "[0]"}


def test_the_folder_of_the_logs_may_be_another(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "logs"
    written(["tensorboard"], out, [HISTORY], log_folder=elsewhere)
    assert "training_loss" in scalars(elsewhere / "tensorboard" / "1-0")
    assert not (out / "tensorboard").exists()


def test_variants_have_folders_of_their_own(tmp_path: Path) -> None:
    names = {logs._name(made_run(tmp_path, "1-0", variant)) for variant in ("", "a b", "c")}
    assert names == {"1-0", "a-b-1-0", "c-1-0"}


def test_a_log_that_fails_later_does_not_stop_the_training(tmp_path: Path) -> None:
    opened = Logs(RuntimeOptions(log=("tensorboard",)))
    run = made_run(tmp_path)
    with (
        mock.patch.object(logs._TensorBoard, "write", side_effect=RuntimeError("no\nserver")),
        pytest.warns(UserWarning, match="runtime.log: tensorboard stopped: no server"),
    ):
        opened.write(run, HISTORY[:1])
    opened.write(run, HISTORY)
    assert len(pd.read_csv(run.folder.path / "curves.csv")) == 3


@pytest.mark.timeout(90)  # by default MLflow tries again for minutes
def test_a_server_that_is_gone_does_not_hold_the_training_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with pytest.warns(UserWarning, match="runtime.log: mlflow stopped: "):
        written(["mlflow"], tmp_path, [HISTORY])


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_missing_package_is_named_before_anything_is_written(
    name: str, make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    done = emotone("crossval", make_table(), f"runtime.log=[{name}]", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert f"{name} needs a package that is not installed" in one_line(done)
    assert f"pip install 'emotone[{name}]'" in one_line(done)
    assert not (tmp_path / "out").exists()


def test_an_unknown_log_is_refused(make_table: Callable[..., Path], tmp_path: Path) -> None:
    done = emotone("crossval", make_table(), "runtime.log=[wandb]", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "'tensorboard', 'csv' or 'mlflow', got 'wandb'" in one_line(done)


def test_logs_are_no_part_of_the_experiment(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(), tmp_path / "out"
    training = TINY["training"] | {"epochs": 1}
    crossval(config(table, training=training), out, Recorder())
    again = Recorder()
    crossval(config(table, training=training, runtime={"log": ["tensorboard"]}), out, again)
    assert again.left == 0
