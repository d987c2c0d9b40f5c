import re
from collections.abc import Callable
from pathlib import Path

import audformat
import pandas as pd
import pytest
import yaml

from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.config import load
from emotone.experiments.crossval import crossval
from tests.helpers import TINY, Recorder, emotone, one_line

pytestmark = pytest.mark.slow


@pytest.fixture
def experiment(make_table: Callable[..., Path], tmp_path: Path) -> Path:
    path = tmp_path / "e.yaml"
    base = {
        "corpus": {"name": "table", "root": str(make_table())},
        "protocol": {"name": "kfold", "folds": 2},
        **TINY,
    }
    path.write_text(yaml.safe_dump(base))
    return path


def test_crossval_prints_the_table_and_writes_the_report(experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = emotone("crossval", experiment, "--out", out)
    assert done.returncode == 0, done.stderr
    for part in ("UAR (balanced accuracy, UA)", "WAR (accuracy, WA)", "95 % interval", "± "):
        assert part in done.stdout
    assert "speaker-independent" in done.stdout
    # a log file: what is tested, then a line per run, and nothing else
    introduction, *lines = done.stderr.splitlines()
    assert introduction.endswith("2 folds, speaker-independent")
    assert {line.split(": ")[1] for line in lines} == {"fold 1, seed 0", "fold 2, seed 0"}
    said = (
        r"fold \d, seed 0: (training loss \d\.\d{3}|validation UAR [\d.]+ %), epoch 3 of 3, \d+ s"
    )
    for number, line in enumerate(lines, start=1):
        assert re.match(rf"{number} of 2: {said}(; \d+ s left)?$", line), line
    assert all(len(line) <= 80 for line in done.stderr.splitlines() if "/" not in line)
    assert (out / "report.html").is_file()
    again = emotone("report", out)
    assert again.returncode == 0
    assert again.stdout.split() == [str(out / f"report.{kind}") for kind in ("html", "md", "tex")]


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("training.epoch=3", 2, "did you mean 'epochs'?"),
        ("training.epochs=x", 2, "training.epochs: input should be a valid integer"),
        ("corpus.root=gone.csv", 1, "does not exist"),
        ("protocol.folds=9", 1, "ask for at most 4 folds"),
    ],
)
def test_bad_input_is_one_line_with_the_right_code(
    experiment: Path, tmp_path: Path, override: str, code: int, message: str
) -> None:
    done = emotone("crossval", experiment, override, "--out", tmp_path / "out")
    assert done.returncode == code
    assert message in one_line(done)


def test_another_experiment_in_the_folder_is_wrong_usage(experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").touch()
    done = emotone("crossval", experiment, "--out", out)
    assert done.returncode == 2
    assert "choose an empty --out" in one_line(done)


def test_a_place_that_cannot_be_written_is_one_line(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = emotone("crossval", experiment, "--out", tmp_path / "file" / "out")
    assert done.returncode == 1
    assert "cannot write to" in one_line(done)


def test_an_unfinished_folder_has_no_report(tmp_path: Path) -> None:
    done = emotone("report", tmp_path)
    assert done.returncode == 2
    assert "holds no finished experiment" in one_line(done)


def test_a_speaker_dependent_run_says_so_everywhere(experiment: Path, tmp_path: Path) -> None:
    table = tmp_path / "corpus" / "table.csv"
    rows = pd.read_csv(table)
    rows.assign(fold=[1, 2] * 8).to_csv(table, index=False)
    out = tmp_path / "out"
    asked = ["protocol.name=fold_column"]
    done = emotone("crossval", experiment, *asked, "--out", out)
    assert done.returncode == 1
    assert "share the speakers s0, s1, s2, s3" in one_line(done)
    done = emotone("crossval", experiment, *asked, "protocol.speaker_dependent=true", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "speaker-dependent" in done.stdout
    assert "speaker-independent" not in done.stdout + done.stderr
    for name in ("report.html", "report.md", "report.tex", "predictions.csv"):
        assert "speaker-dependent" in (out / name).read_text(), name
    for name in ("config.yaml", "folds.json", "results.json"):
        assert "speaker_dependent" in (out / name).read_text(), name


def test_two_corpora_train_one_and_test_the_other(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    first, second = make_table(folder="a"), make_table(folder="b")
    second = second.rename(second.with_name("other.csv"))
    base = {
        "corpus": [{"name": "table", "root": str(first)}, {"name": "table"}],
        "protocol": {"name": "cross_corpus", "test_corpora": ["other"]},
        **TINY,
    }
    path, out = tmp_path / "e.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(base))
    done = emotone("crossval", path, f"corpus.1.root={second}", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "table+other" in done.stdout
    assert "UAR of other" in done.stdout
    predictions = pd.read_csv(out / "predictions.csv")
    assert set(predictions["speaker"]) == {f"other/s{n}" for n in range(4)}
    results = ResultsFolder(out).results()
    assert list(results.by_corpus) == ["other"]
    assert results.by_corpus["other"].uar == results.scores.uar
    assert "Rates per corpus" in (out / "report.html").read_text()
    assert "| other | 16 |" in (out / "report.md").read_text()
    assert "UAR of other &" in (out / "report.tex").read_text()
    done = emotone("crossval", path, "corpus.root=x", "--out", tmp_path / "2")
    assert done.returncode == 2
    assert "say which, such as corpus.0.root=" in one_line(done)


def test_export_writes_a_database_that_audformat_loads(experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    crossval(load(experiment), out, Recorder())
    done = emotone("report", out, "--audformat", tmp_path / "db")
    assert done.returncode == 0, done.stderr
    database = audformat.Database.load(str(tmp_path / "db"))
    table = database["predictions"].get()
    assert audformat.index_type(table) == "segmented"
    predictions = pd.read_csv(out / "predictions.csv").set_index("utterance")
    assert len(table) == len(predictions) == 16
    for (file, start, _), row in table.iterrows():
        expected = predictions.loc[Path(file).stem]
        assert row["prediction"] == expected["prediction"]
        assert row["truth"] == expected["truth"]
        assert row["anger"] == pytest.approx(expected["p_anger"])
        assert start == pd.Timedelta(0)
