import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from emotone.errors import CorpusError, FoldError, UsageError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.config import ExperimentConfig, load
from emotone.experiments.crossval import crossval
from emotone.experiments.overrides import PRESETS
from tests.helpers import TINY, Recorder, config, full_iemocap, predictions, snapshot, values, voice

pytestmark = pytest.mark.slow

PATIENCE_S = 300  # how long a test waits for another process before it gives up
RUNS = [f"fold {fold}, seed {seed}" for fold in (1, 2) for seed in (0, 1)]


def test_a_results_folder_holds_what_the_design_says(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(), tmp_path / "out"
    recorder = Recorder()
    results = crossval(config(table, seeds=[0, 1]), out, recorder)
    assert sorted(recorder.runs) == RUNS
    assert recorder.epochs_of == dict.fromkeys(recorder.runs, 3)
    assert ResultsFolder(out).results() == results
    found = predictions(out)
    assert len(found) == 2 * 16
    assert found.groupby("seed")["utterance"].nunique().tolist() == [16, 16]
    folds = json.loads((out / "folds.json").read_text())["folds"]
    for fold in folds:
        tested = set(found.loc[found["fold"] == fold["name"], "speaker"])
        assert tested == set(fold["test"]["speakers"])
        assert not tested & {*fold["training"]["speakers"], *fold["validation"]["speakers"]}
    assert (found[["p_anger", "p_neutral"]].sum(axis=1) - 1).abs().max() < 1e-5
    assert str(table.parent) not in (out / "config.yaml").read_text()
    left = {path.name for path in out.iterdir()}
    assert left == {
        ".lock", "config.yaml", "curves.csv", "folds.json", "predictions.csv", "results.json",
    }  # fmt: skip

    # the same command once more computes nothing and changes nothing
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = Recorder()
    assert crossval(config(table, seeds=[0, 1]), out, again) == results
    assert (again.left, again.runs) == (0, [])
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stamps


def test_validation_is_optional(make_table: Callable[..., Path], tmp_path: Path) -> None:
    protocol = {"name": "kfold", "folds": 2, "validation_speakers": 0}
    results = crossval(config(make_table(), protocol=protocol), tmp_path / "out", Recorder())
    assert results.validation_uar is None
    assert [run.kept_epoch for run in results.runs] == [3, 3]
    for fold in json.loads((tmp_path / "out" / "folds.json").read_text())["folds"]:
        assert fold["validation"] == {"speakers": [], "utterances": 0}
        assert len(fold["training"]["speakers"]) == 2


def test_results_do_not_depend_on_the_number_of_jobs(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table()
    for jobs in (1, 2):
        crossval(config(table, runtime={"jobs": jobs}), tmp_path / str(jobs), Recorder())
    pd.testing.assert_frame_equal(predictions(tmp_path / "1"), predictions(tmp_path / "2"))


def command(path: Path, out: Path, *overrides: str) -> list[str]:
    return [sys.executable, "-m", "emotone", "crossval", str(path), *overrides, "--out", str(out)]


def start(path: Path, out: Path) -> subprocess.Popen[str]:
    # CI may start us with SIGINT ignored, which children inherit
    return subprocess.Popen(
        command(path, out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.005)


@pytest.fixture
def experiment(make_table: Callable[..., Path], tmp_path: Path) -> Path:
    """A configuration file whose two runs, one after the other, are long enough to be killed."""
    path = tmp_path / "experiment.yaml"
    asked = values(make_table(), runtime={"jobs": 1})
    asked["training"] = {"epochs": 30, "batch": 4, "patience": 30}
    path.write_text(yaml.safe_dump(asked))
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="kills process groups as Linux does")
def test_after_kill_9_the_same_experiment_ends_with_the_same_predictions(
    experiment: Path, tmp_path: Path
) -> None:
    expected, out = tmp_path / "expected", tmp_path / "out"
    crossval(load(experiment), expected, Recorder())
    for run in ("1-0", "2-0"):
        process = start(experiment, out)
        wait_for(out / "runs" / run / "checkpoint.safetensors", process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    again = Recorder()
    crossval(load(experiment), out, again)
    assert again.runs == ["fold 2, seed 0"]
    pd.testing.assert_frame_equal(predictions(out), predictions(expected))
    assert not list(out.rglob("*.safetensors"))
    assert not list(out.rglob("*.emotone-tmp"))


@pytest.mark.skipif(sys.platform != "linux", reason="sends signals as Linux does")
def test_ctrl_c_says_how_to_continue_and_leaves_no_process(
    experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(experiment, out)
    wait_for(out / "runs" / "1-0" / "checkpoint.safetensors", process)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "error: stopped; run the same command again to continue" in stderr
    assert "Traceback" not in stderr
    deadline = time.monotonic() + PATIENCE_S
    with pytest.raises(ProcessLookupError):  # its process group is empty
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.05)


def children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's /proc")
def test_workers_die_with_their_parent(experiment: Path, tmp_path: Path) -> None:
    process = start(experiment, tmp_path / "out")
    wait_for(tmp_path / "out" / "runs" / "1-0" / "checkpoint.safetensors", process)
    workers = children(process.pid)
    assert workers
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


def test_a_folder_of_another_experiment_is_left_alone(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(), tmp_path / "out"
    crossval(config(table), out, Recorder())
    before = snapshot(out)
    other = config(table, training=TINY["training"] | {"epochs": 4})
    with pytest.raises(
        UsageError, match=r"another experiment \(training\.epochs: 3 found, 4 requested"
    ):
        crossval(other, out, Recorder())
    with pytest.raises(UsageError, match=r"\(seeds: \[0\] found, \[1\] requested\)"):
        crossval(config(table, seeds=[1]), out, Recorder())
    assert snapshot(out) == before


def test_seeds_can_be_added_but_not_left_out(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(takes=3), tmp_path / "out"
    changes = {
        "features": TINY["features"] | {"norm": "enrol"},
        "training": TINY["training"] | {"disturb": {"versions": 1, "test": True}},
    }
    asked = config(table, seeds=[1, 0], **changes)
    expected = crossval(asked, tmp_path / "expected", Recorder())
    crossval(config(table, seeds=[0], **changes), out, Recorder())
    recorder = Recorder()
    results = crossval(asked, out, recorder)
    assert sorted(recorder.runs) == RUNS[1::2]
    assert {path.name for path in out.iterdir()} == {
        path.name for path in (tmp_path / "expected").iterdir()
    }
    for name in ("predictions.csv", "enrolment.csv", "disturbed.csv", "config.yaml"):
        assert (out / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()
    assert replace(results, runs=(), system=expected.system) == replace(expected, runs=())
    assert [(run.fold, run.seed) for run in results.runs] == [
        (run.fold, run.seed) for run in expected.runs
    ]
    before = snapshot(out)
    with pytest.raises(UsageError, match=r"\(seeds: \[1, 0\] found, \[1\] requested\)"):
        crossval(config(table, seeds=[1], **changes), out, Recorder())
    assert snapshot(out) == before


def test_a_folder_in_which_nothing_has_run_takes_another_experiment(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(), tmp_path / "out"
    audio = sorted(table.parent.glob("*.wav"))[0]
    whole = audio.read_bytes()
    audio.write_bytes(b"damaged")
    with pytest.raises(CorpusError, match=audio.name):
        crossval(config(table), out, Recorder())
    left_out = {"name": "table", "root": str(table), "exclude": [audio.stem]}
    crossval(config(table, corpus=left_out), out, Recorder())  # as the error says

    done = tmp_path / "done"
    audio.write_bytes(whole)
    results = crossval(config(table), done, Recorder())
    audio.write_bytes(b"damaged")
    with pytest.raises(CorpusError, match=audio.name):
        crossval(config(table, seeds=[0, 1]), done, Recorder())
    assert crossval(config(table), done, Recorder()) == results
    assert yaml.safe_load((done / "config.yaml").read_text())["seeds"] == [0]


def test_after_kill_9_with_more_seeds_the_first_ones_are_kept(
    make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, out = make_table(), tmp_path / "out"
    crossval(config(table), out, Recorder())
    before = predictions(out)

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("evaluation.run_folder.RunFolder.finish", "experiments.crossval.run_all"):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(f"emotone.{place}", kill)
            crossval(config(table, seeds=[0, 1]), out, Recorder())
    recorder = Recorder()
    crossval(config(table, seeds=[0, 1]), out, recorder)
    assert sorted(recorder.runs) == RUNS[1::2]
    found = predictions(out)
    pd.testing.assert_frame_equal(found[found["seed"] == 0].reset_index(drop=True), before)


def truncate(name: str) -> Callable[[Path], object]:
    return lambda out: os.truncate(out / name, 300)


def drop_a_seed(out: Path) -> None:
    folder = ResultsFolder(out)
    results = folder.results()
    folder.write_results(replace(results, setting=replace(results.setting, seeds=(0,))))


@pytest.mark.parametrize(
    "damage",
    [
        truncate("results.json"),
        lambda out: (out / "results.json").write_text('{"corpus": "made", "UAR": {}}'),
        truncate("predictions.csv"),
        lambda out: (out / "predictions.csv").unlink(),
        drop_a_seed,
    ],
    ids=["results", "emotone 0.1", "predictions", "no predictions", "seed"],
)
def test_a_finished_folder_that_is_not_whole_is_made_again(
    make_table: Callable[..., Path], tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    asked, out = config(make_table(takes=1), seeds=[0, 1]), tmp_path / "out"
    scores = crossval(asked, out, Recorder()).scores
    before = (out / "predictions.csv").read_bytes()
    damage(out)
    again = Recorder()
    assert crossval(asked, out, again).scores == scores
    assert sorted(again.runs) == RUNS
    assert ResultsFolder(out).results().scores == scores
    assert (out / "predictions.csv").read_bytes() == before
    assert ResultsFolder(out).is_complete


def test_results_of_a_newer_version_are_left_alone(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    asked, out = config(make_table(takes=1)), tmp_path / "out"
    crossval(asked, out, Recorder())
    (out / "results.json").write_text('{"format": 99}')
    before = snapshot(out)
    with pytest.raises(UsageError, match="install the version that wrote it"):
        crossval(asked, out, Recorder())
    assert snapshot(out) == before


def test_damaged_folds_are_refused(make_table: Callable[..., Path], tmp_path: Path) -> None:
    asked, out = config(make_table(takes=1)), tmp_path / "out"
    crossval(asked, out, Recorder())
    os.truncate(out / "folds.json", 30)
    for damage in (b"", b"\xff"):
        (out / "folds.json").write_bytes((out / "folds.json").read_bytes() + damage)
        before = snapshot(out)
        with pytest.raises(UsageError, match=r"list of folds in .* is damaged.*another --out"):
            crossval(asked, out, Recorder())
        assert snapshot(out) == before


def test_a_corpus_that_changed_is_refused(make_table: Callable[..., Path], tmp_path: Path) -> None:
    table, out = make_table(), tmp_path / "out"
    crossval(config(table), out, Recorder())
    before = snapshot(out)
    rows = pd.read_csv(table)
    rows.loc[0, "emotion"] = "neutral"
    rows.to_csv(table, index=False)
    with pytest.raises(UsageError, match="the corpus is not the one that"):
        crossval(config(table), out, Recorder())
    assert snapshot(out) == before


def test_other_audio_under_the_same_names_is_refused(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = make_table(), tmp_path / "out"
    results = crossval(config(table), out, Recorder())
    found = predictions(out)
    moved = tmp_path / "elsewhere"
    shutil.copytree(table.parent, moved)
    again = Recorder()
    crossval(config(moved / table.name), out, again)
    assert again.runs == []
    soundfile.write(moved / "s2_anger_0.wav", voice(77), 16_000)
    more = config(moved / table.name, seeds=[0, 1])
    with pytest.raises(UsageError, match=r"the corpus is not the one that .*the audio differs"):
        crossval(more, out, Recorder())
    assert crossval(config(table), out, Recorder()) == results
    assert predictions(out).equals(found)
    # folders of earlier versions do not say what they heard
    record = json.loads((out / "folds.json").read_text())
    del record["audio"]
    (out / "folds.json").write_text(json.dumps(record))
    crossval(more, out, again)
    assert len(again.runs) == 2


def test_a_folder_with_other_files_is_left_alone(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"holds other files \(thesis\.txt, …\)"):
        crossval(config(make_table()), out, Recorder())


def test_two_at_once_are_refused(make_table: Callable[..., Path], tmp_path: Path) -> None:
    table, out = make_table(), tmp_path / "out"

    class Second(Recorder):
        def start(self, missing: Any, finished: int, slots: int) -> None:
            with pytest.raises(UsageError, match="another emotone is writing to"):
                crossval(config(table), out, Recorder())

    crossval(config(table), out, Second())


def test_unusable_corpora_end_before_training(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(FoldError, match="has 1 speaker"):
        crossval(config(make_table(speakers=1, folder="one")), tmp_path / "1", Recorder())
    assert not (tmp_path / "1").exists()  # nothing was begun
    table = make_table(folder="silent")
    soundfile.write(table.parent / "s0_anger_0.wav", 0 * voice(0), 16_000)
    with pytest.raises(CorpusError, match="holds only zeros"):
        crossval(config(table), tmp_path / "2", Recorder())


def test_enrolment_is_measured_beside_the_headline(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    features = TINY["features"] | {"norm": "enrol"}
    asked = config(make_table(takes=3), features=features, seeds=[0, 1])
    results = crossval(asked, tmp_path / "out", Recorder())
    scored = ResultsFolder(tmp_path / "out").enrolment()
    assert scored is not None
    assert [point.enrolled for point in results.enrolment] == [0, 3, 10, 25]
    assert results.enrolment[0].gain.difference == 0
    assert not results.system.transductive
    rows = scored.groupby(["seed", "draw", "enrolled"])["utterance"]
    assert rows.nunique().unique().tolist() == [12]  # half of each speaker's six
    sets = rows.agg(frozenset).unstack("enrolled")
    assert (sets.nunique(axis=1) == 1).all()  # the same utterances whatever the number


def test_disturbed_utterances_are_tested_beside_the_others(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    training = TINY["training"] | {"disturb": {"versions": 1, "test": True}}
    asked = config(make_table(takes=3), training=training, seeds=[0, 1])
    results = crossval(asked, tmp_path / "out", Recorder())
    clean, disturbed = predictions(tmp_path / "out"), ResultsFolder(tmp_path / "out").disturbed()
    assert disturbed is not None
    for column in ("utterance", "fold", "seed", "truth"):
        assert disturbed[column].tolist() == clean[column].tolist()
    assert not np.allclose(disturbed["p_anger"], clean["p_anger"], atol=1e-3)
    assert results.disturbed is not None
    assert results.disturbed.by_corpus == {}
    right = disturbed["truth"] == disturbed["prediction"]
    assert results.disturbed.uar.mean == pytest.approx(
        right.groupby(disturbed["truth"]).mean().mean()
    )
    (tmp_path / "out" / "disturbed.csv").unlink()
    again = crossval(asked, tmp_path / "out", Recorder())  # not whole, so made again
    assert again.disturbed == results.disturbed


def test_the_ensemble_of_seeds_is_reported_beside(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    results = crossval(config(make_table(), seeds=[0, 1]), tmp_path / "out", Recorder())
    table = predictions(tmp_path / "out")
    mean = table.groupby(["utterance", "truth"])[["p_anger", "p_neutral"]].mean()
    guess = mean.to_numpy().argmax(axis=1)
    truth = (mean.index.get_level_values("truth") == "neutral").astype(int)
    recalls = [(guess[truth == label] == label).mean() for label in (0, 1)]
    assert results.scores.ensemble is not None
    assert results.scores.ensemble.uar.mean == pytest.approx(sum(recalls) / 2)


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount a small file system")
def test_a_full_disk_ends_in_one_line_and_can_be_continued(
    experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small"
    out.mkdir()
    inner = " ".join(f"'{word}'" for word in command(experiment, out / "results"))
    script = f"mount -t tmpfs -o size=48k none '{out}' && {inner}"
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert "No space left on device; free some space" in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "folds"),
    [("iemocap-session", 5), ("iemocap-speaker", 10), ("iemocap-improvised", 10)],
)
def test_the_iemocap_experiments_run_from_end_to_end(tmp_path: Path, name: str, folds: int) -> None:
    full_iemocap(tmp_path / "iemocap", smaller=20)
    tiny = [f"{section}.{key}={json.dumps(value)}" for section, options in TINY.items()
            for key, value in options.items()]  # fmt: skip
    asked = load(
        PRESETS / f"{name}.yaml", [*tiny, "training.epochs=1", f"corpus.root={tmp_path}/iemocap"]
    )
    results = crossval(asked, tmp_path / "out", Recorder())
    assert len(results.runs) == folds
    assert results.setting.labels == ("anger", "happiness", "neutral", "sadness")
    assert results.setting.speakers == 10
    record = json.loads((tmp_path / "out" / "folds.json").read_text())
    for fold in record["folds"]:
        sessions = {
            role: {speaker[:5] for speaker in fold[role]["speakers"]}
            for role in ("training", "validation", "test")
        }
        if name == "iemocap-session":
            assert [len(sessions[role]) for role in sessions] == [3, 1, 1]
            assert not sessions["validation"] & sessions["test"]
        else:
            assert sessions["validation"] == sessions["test"]
            assert len(fold["training"]["speakers"]) == 8


def test_corpora_with_labels_of_their_own_are_trained_together(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    """Each corpus after the two others; the probabilities are those of all three labels."""
    sets = {"a": ("anger", "neutral"), "b": ("anger", "fear"), "c": ("anger", "fear", "neutral")}
    several = []
    for name, emotions in sets.items():
        table = make_table(3, emotions, folder=name)
        root = table.rename(table.with_name(f"{name}.csv"))
        several.append({"name": "table", "root": str(root)})
    probabilities = {}
    for labels in ("all", "corpus"):
        training = TINY["training"] | {"labels": labels, "corpus_balance": "sampling"}
        asked = ExperimentConfig.model_validate(
            TINY
            | {
                "corpus": several,
                "protocol": {"name": "cross_corpus", "validation_speakers": 1},
                "training": training,
            }
        )
        results = crossval(asked, tmp_path / labels, Recorder())
        assert len(results.runs) == 3
        assert results.setting.labels == ("anger", "fear", "neutral")
        columns = ["p_anger", "p_fear", "p_neutral"]
        found = predictions(tmp_path / labels)
        assert found["truth"].value_counts().to_dict() == {"anger": 18, "fear": 12, "neutral": 12}
        probabilities[labels] = found[columns].to_numpy()
        np.testing.assert_allclose(probabilities[labels].sum(axis=1), 1, atol=1e-5)
    assert not np.allclose(probabilities["all"], probabilities["corpus"])
