import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from emotone.errors import StorageError, UsageError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments import execution
from emotone.experiments.crossval import crossval
from tests.helpers import Recorder, children, command_of, config
from tests.inference import calls

pytestmark = pytest.mark.slow


def test_a_run_that_fails_does_not_stop_the_others(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(), tmp_path / "out"

    class Spoiler(Recorder):
        """Makes the result of the first run impossible to write."""

        def start(self, missing: Any, finished: int, slots: int) -> None:
            super().start(missing, finished, slots)
            (missing[0].folder.path / "run.json").mkdir(parents=True)

    spoiler = Spoiler()
    with pytest.raises(
        StorageError, match=r"1 of 4 runs failed \(fold 1, seed 0\); fold 1, seed 0: cannot"
    ):
        crossval(config(table, seeds=[0, 1]), out, spoiler)
    assert spoiler.failures == ["fold 1, seed 0"]
    assert sorted(spoiler.runs) == ["fold 1, seed 1", "fold 2, seed 0", "fold 2, seed 1"]
    (out / "runs" / "1-0" / "run.json").rmdir()
    again = Recorder()
    crossval(config(table, seeds=[0, 1]), out, again)
    assert again.runs == ["fold 1, seed 0"]


def test_an_error_of_a_run_comes_back_as_itself(
    make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(execution, "_execute_here", calls.fail)
    with pytest.raises(ZeroDivisionError, match="a fault of the program") as caught:
        crossval(config(make_table(), runtime={"jobs": 1}), tmp_path / "out", recorder)
    assert "memory" not in str(caught.value)
    assert recorder.failures == ["fold 1, seed 0", "fold 2, seed 0"]


def test_a_damaged_checkpoint_is_said_by_its_run(
    make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, out = config(make_table(), runtime={"jobs": 1}), tmp_path / "out"
    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(execution, "_execute_here", calls.fail)
        crossval(asked, out, Recorder())
    checkpoint = ResultsFolder(out).run("1", 0).checkpoint
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write_bytes(b"damaged")
    recorder = Recorder()
    with pytest.raises(StorageError, match=r"fold 1, seed 0: .* is damaged; remove it, then the"):
        crossval(asked, out, recorder)
    assert recorder.runs == ["fold 2, seed 0"]


def test_a_device_that_is_not_there_is_said_before_anything_is_trained(
    make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = config(make_table(), runtime={"jobs": 1, "device": "cuda"})
    with pytest.raises(UsageError, match=r"runtime\.device=cuda: .*use runtime\.device=cpu"):
        crossval(asked, tmp_path / "out", recorder)
    assert recorder.failures == []


def test_epochs_are_reported_while_a_run_is_under_way(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    class Watcher(Recorder):
        """Notes when epochs are reported."""

        def __init__(self) -> None:
            super().__init__()
            self.before_the_end = 0

        def epochs(self, run: Any, history: Any) -> None:
            super().epochs(run, history)
            if len(history) < 200 and run.name not in self.runs:
                self.before_the_end += 1

    watcher = Watcher()
    training = {"epochs": 200, "patience": 200, "batch": 4}
    asked = config(make_table(takes=1), training=training, runtime={"jobs": 2})
    results = crossval(asked, tmp_path / "out", watcher)
    assert watcher.before_the_end > 0
    assert set(watcher.epochs_of.values()) == {200}
    assert [run.epochs for run in results.runs] == [200, 200]
    assert ResultsFolder(tmp_path / "out").is_complete


def test_no_process_starts_where_nothing_is_left(
    make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = config(make_table())
    crossval(asked, tmp_path / "out", Recorder())
    monkeypatch.setattr("emotone.experiments.execution.ProcessExecutor", None)
    again = Recorder()
    crossval(asked, tmp_path / "out", again)
    assert again.left == 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's /proc")
def test_a_run_whose_process_is_killed_is_named_and_the_others_go_on(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    class Killer(Recorder):
        """Kills the process of the first run when it has trained for an epoch."""

        def epochs(self, run: Any, history: Any) -> None:
            super().epochs(run, history)
            if run.name == "fold 1, seed 0" and not self.runs and not self.killed:
                self.killed = True
                for server in children(os.getpid()):
                    if "forkserver" in command_of(server):
                        (worker,) = children(server)
                        os.kill(worker, signal.SIGKILL)

        killed = False

    killer = Killer()
    training = {"epochs": 60, "patience": 60, "batch": 4}
    asked = config(make_table(), training=training, runtime={"jobs": 1})
    with pytest.raises(
        StorageError, match=r"seed 0: its process died \(SIGKILL\), possibly out of memory; use"
    ):
        crossval(asked, tmp_path / "out", killer)
    assert killer.killed
    assert killer.failures == ["fold 1, seed 0"]
    assert killer.runs == ["fold 2, seed 0"]
