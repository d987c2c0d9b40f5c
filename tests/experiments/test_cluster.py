"""Experiments on a Ray cluster of several machines, each a set of processes here."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
import yaml

from emotone.errors import AudioError, StorageError, UsageError
from emotone.experiments.cluster import RemoteError, connected
from emotone.experiments.crossval import crossval
from emotone.inference import jobs
from emotone.inference.prediction import Prediction
from emotone.inference.recognizer import Recognizer
from emotone.inference.worker import CrashedError
from tests.helpers import Recorder, config, emotone, one_line, values, voice

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]  # one fixture for all

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'emotone[cluster]'")


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    """A cluster of a head without cores and two machines with one each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def answers(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "predictions.csv", dtype={"fold": str})


def test_results_equal_those_of_this_machine(
    machines: Any, make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table()
    crossval(config(table, seeds=[0, 1]), tmp_path / "here", Recorder())
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(yaml.safe_dump(values(table, seeds=[0, 1])))
    there = tmp_path / "there"
    done = emotone("crossval", experiment, "--cluster", machines.address, "--out", there)
    assert done.returncode == 0, done.stderr
    assert (there / "report.html").is_file()
    pd.testing.assert_frame_equal(answers(tmp_path / "here"), answers(tmp_path / "there"))
    # a results folder does not depend on where it was made, so it can be continued here
    again = Recorder()
    crossval(config(table, seeds=[0, 1]), tmp_path / "there", again)
    assert again.left == 0


def test_a_machine_that_dies_loses_nothing(
    machines: Any, make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table()
    longer = {"epochs": 12, "patience": 12}
    here = Recorder()
    crossval(config(table, seeds=[0, 1], training=longer), tmp_path / "here", here)
    victim = machines.add_node(num_cpus=1)

    class Killer(Recorder):
        """Takes a machine away once the first run is finished."""

        def finished(self, run: Any, result: Any) -> None:
            if not self.runs:
                machines.remove_node(victim, allow_graceful=False)
            super().finished(run, result)

    killer = Killer()
    far = {"cluster": machines.address}
    crossval(config(table, seeds=[0, 1], training=longer, runtime=far), tmp_path / "far", killer)
    assert sorted(killer.runs) == sorted(here.runs)
    pd.testing.assert_frame_equal(answers(tmp_path / "here"), answers(tmp_path / "far"))


def test_a_run_that_fails_is_reported_and_the_rest_goes_on(
    machines: Any, make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(), tmp_path / "out"

    class Spoiler(Recorder):
        """Makes one result impossible to write."""

        def start(self, missing: Any, finished: int, slots: int) -> None:
            super().start(missing, finished, slots)
            (missing[0].folder.path / "run.json").mkdir(parents=True)

    far = {"cluster": machines.address}
    with pytest.raises(
        StorageError, match=r"1 of 4 runs failed \(fold 1, seed 0\); fold 1, seed 0: "
    ):
        crossval(config(table, seeds=[0, 1], runtime=far), out, Spoiler())
    assert len(list(out.glob("runs/*/predictions.csv"))) >= 3
    (out / "runs" / "1-0" / "run.json").rmdir()
    again = Recorder()
    crossval(config(table, seeds=[0, 1]), out, again)
    assert again.runs == ["fold 1, seed 0"]


def test_a_killed_worker_is_replaced_and_one_that_always_dies_is_an_error(
    machines: Any, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"

    def die_once() -> int:
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def total(values: list[int]) -> int:
        return sum(values)

    def refuse() -> None:
        raise AudioError("not audio")

    with connected(machines.address) as executor:
        assert executor.slots >= 2
        assert executor.submit(total, executor.share([1, 2])).result() == 3
        assert executor.submit(die_once).result() != os.getpid()
        with pytest.raises(AudioError, match=r"^not audio$"):
            executor.submit(refuse).result()
        with pytest.raises(RemoteError, match=r"ZeroDivisionError.*in the same version"):
            executor.submit(lambda: 1 / 0).result()
        with pytest.raises(CrashedError, match="died 4 times"):
            executor.submit(die).result()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nobody"])
def test_no_cluster_is_one_line(
    make_table: Callable[..., Path], tmp_path: Path, address: str
) -> None:
    with pytest.raises(UsageError, match="start one with 'ray start --head'"):
        crossval(config(make_table(), runtime={"cluster": address}), tmp_path / "x", Recorder())


def test_files_are_recognised_as_on_this_machine(
    machines: Any, folder: Path, tmp_path: Path
) -> None:
    speech = tmp_path / "speech"
    speech.mkdir()
    for number in range(70):
        soundfile.write(speech / f"{number:02d}.wav", voice(number, 0.3 + number / 50), 16_000)
    for number in (3, 60):
        (speech / f"{number:02d}.wav").write_bytes(b"no audio")
    command: list[str | Path] = ["predict", speech, "--model", folder, "--segments", "--output"]
    here = emotone(*command, tmp_path / "here.csv")
    far = emotone(*command, tmp_path / "there.csv", "--cluster", machines.address)
    assert (here.returncode, here.stderr) == (far.returncode, far.stderr)
    assert far.returncode == 1
    assert (tmp_path / "here.csv").read_text() == (tmp_path / "there.csv").read_text()


def test_a_machine_that_dies_costs_no_answer(machines: Any, folder: Path, tmp_path: Path) -> None:
    for number in range(20):
        soundfile.write(tmp_path / f"{number:02d}.wav", voice(number, 2), 16_000)
    files = sorted(tmp_path.glob("*.wav")) * 20
    recognizer = Recognizer(folder)
    victim = machines.add_node(num_cpus=1)
    found = []
    with connected(machines.address) as executor:
        for answer in jobs.recognise_files(recognizer, files, None, executor):
            found.append(answer)
            if len(found) == 100:
                machines.remove_node(victim, allow_graceful=False)
    assert found == list(recognizer.predict_many(files))


def test_a_file_that_kills_its_process_is_named(
    machines: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of a decoder that crashes: a path over which the worker dies."""
    for name in ("a", "deadly", "z"):
        soundfile.write(tmp_path / f"{name}.wav", voice(0), 16_000)
    recognise = jobs._recognise

    def dies_over_deadly(task: Any, files: Any) -> Any:
        if any("deadly" in file.name.name for file in files):
            os._exit(1)
        return recognise(task, files)

    monkeypatch.setattr(jobs, "_recognise", dies_over_deadly)
    monkeypatch.setattr("emotone.experiments.cluster.RETRIES", 0)
    files = sorted(tmp_path.glob("*.wav"))
    with connected(machines.address) as executor:
        found = list(jobs.recognise_files(Recognizer(folder), files, None, executor))
    assert [type(answer) for answer in found] == [Prediction, AudioError, Prediction]
    assert "deadly.wav" in str(found[1])


@pytest.mark.parametrize("extra", [["--jobs", "2"], ["-"]])
def test_recognition_on_a_cluster_refuses_what_it_cannot(
    extra: list[str], folder: Path, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", voice(0), 16_000)
    done = emotone("predict", tmp_path / "a.wav", "--model", folder, "--cluster", "auto", *extra)
    assert done.returncode == 2
    assert "--cluster cannot be combined with" in one_line(done)
