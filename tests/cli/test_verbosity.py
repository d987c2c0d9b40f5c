"""``--quiet``, ``--verbose``, ``NO_COLOR`` and pipes."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import TINY, emotone, one_line, voice

ESCAPE = "\x1b"


def demo(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    tiny = [
        f"{section}.{name}={str(value).replace(' ', '')}"
        for section, values in TINY.items()
        for name, value in values.items()
    ]
    few = ["corpus.speakers=4", "corpus.utterances=4", "protocol.folds=2", "runtime.jobs=1"]
    return emotone(
        "demo", *few, *tiny, "protocol.validation_speakers=1", "--out", str(out), *options
    )


@pytest.mark.slow
def test_quiet_prints_results_only_and_verbose_a_line_per_epoch(tmp_path: Path) -> None:
    quiet = demo(tmp_path / "quiet", "--quiet")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "UAR (balanced accuracy, UA)" in quiet.stdout
    assert "report: " in quiet.stdout
    verbose = demo(tmp_path / "verbose", "--verbose")
    line = r"^.+: epoch (\d) of 3, loss [\d.]+$"
    epochs = re.findall(line, verbose.stderr, re.MULTILINE)
    assert epochs == ["1", "2", "3"] * 2
    usual = demo(tmp_path / "usual")
    assert "epoch 1 of 3" not in usual.stderr
    assert "16 utterances, 4 speakers" in usual.stderr


def test_quiet_still_names_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "broken.wav").write_bytes(b"no audio either")
    loud, quiet = emotone("predict", str(tmp_path)), emotone("predict", str(tmp_path), "-q")
    assert quiet.returncode == 1
    assert "notes.txt" not in quiet.stderr
    assert len(loud.stderr.splitlines()) > len(quiet.stderr.splitlines())
    assert "broken.wav" in one_line(quiet)


def test_verbose_shows_where_an_error_comes_from() -> None:
    done = emotone("config", "nothing.like.this", "--verbose")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "error: unknown option 'nothing.like.this'" in done.stderr
    assert "Traceback" not in emotone("config", "nothing.like.this").stderr
    both = emotone("config", "--verbose", "--quiet")
    assert one_line(both) == "error: --verbose and --quiet exclude each other; give one of them"


@pytest.mark.parametrize("command", [["corpora"], ["models"], ["config", "training"]])
def test_a_pipe_gets_no_control_characters(command: list[str]) -> None:
    assert ESCAPE not in emotone(*command).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="needs script, as Linux has it")
def test_no_color_is_respected_on_a_terminal() -> None:
    program = f"{sys.executable} -m emotone models"
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(
        ["script", "-qec", program, os.devnull], env=environment, capture_output=True, text=True
    )
    assert "emotone-base" in done.stdout, done.stderr
    colours = re.findall(rf"{ESCAPE}\[([\d;]*)m", done.stdout)
    assert all(set(code.split(";")) <= {"0", "1", "2", "3", "4", ""} for code in colours), colours


def test_long_names_are_never_cut(
    make_table: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    monkeypatch.setenv("COLUMNS", "40")
    label = "a-label-that-is-longer-than-the-whole-terminal-is-wide"
    table = make_table(emotions=("anger", label))
    text = emotone("corpus", str(table)).stdout
    name = tmp_path / f"{'long' * 20}.wav"
    soundfile.write(name, voice(0, 1.0), 16_000)
    assert str(name) in emotone("predict", str(name), "--model", "emotone-8").stdout
    heads = text.partition("─")[0].partition(" hours")[2].split()  # above the line
    assert "".join(one for one in heads if one not in ("speaker", "anger", "all")) == label
