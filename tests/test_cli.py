import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import TINY


def emotone(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "emotone", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


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
    assert "utterances/s" in done.stderr
    assert "audio hours/hour" in done.stderr.replace("\n", " ")
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


@pytest.mark.parametrize("arguments", [["crossval"], ["crossval", "x.yaml"], ["unknown"], ["--no"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = emotone(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert emotone("--version").stdout.strip().count(".") == 2
    for command in ("crossval", "demo", "report"):
        done = emotone(command, "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout


def test_without_torch_it_says_what_to_install(experiment: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; "
        f"sys.argv = ['emotone', 'crossval', {str(experiment)!r}, '--out', {str(tmp_path)!r}]; "
        "from emotone.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs the package 'torch': pip install 'emotone[train]'" in one_line(done)
