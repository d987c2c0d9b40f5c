"""Paths of a command: what cannot be used is said, and the rest is recognised."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from emotone.errors import AudioError, UsageError
from emotone.inference.prediction import Prediction
from emotone.inference.recognizer import Recognizer
from emotone.inference.sources import files_in
from tests.helpers import DATA, emotone, one_line, voice, wav

pytestmark = pytest.mark.slow

CASES = DATA.parent / "cases"
NOT_UTF8 = os.fsdecode(b"caf\xe9.wav")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A folder with a recording whose name is not UTF-8, another one, and other files."""
    root = tmp_path / "calls"
    root.mkdir()
    (root / NOT_UTF8).write_bytes(wav(seed=1))
    (root / "plain.wav").write_bytes(wav(seed=2))
    (root / "._plain.wav").write_bytes(b"macOS")
    (root / "notes.txt").touch()
    return root


def test_what_is_left_out_is_said_and_is_no_failure(folder: Path, calls: Path) -> None:
    done = emotone("predict", calls, "--json", "--model", folder)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 2
    assert done.stderr.splitlines() == [
        f"{calls}: 2 files left out: 1 whose suffix is not one of audio (.txt 1), "
        "1 that macOS adds (._*, __MACOSX)"
    ]


def test_names_that_are_not_utf8_are_written_and_continued(
    folder: Path, calls: Path, tmp_path: Path
) -> None:
    lines = emotone("predict", calls, "--json", "--model", folder).stdout.splitlines()
    assert {json.loads(line)["file"] for line in lines} == {
        str(calls / NOT_UTF8), str(calls / "plain.wav")
    }  # fmt: skip
    table = emotone("predict", calls, "--csv", "--model", folder).stdout
    names = {row["file"] for row in csv.DictReader(io.StringIO(table))}
    assert names == {str(calls / r"caf\udce9.wav"), str(calls / "plain.wav")}
    assert r"caf\udce9.wav" in emotone("predict", calls, "--model", folder).stdout
    for suffix in (".csv", ".jsonl", ".parquet"):
        command = ("predict", calls, "--model", folder, "--output", tmp_path / f"a{suffix}")
        assert emotone(*command).returncode == 0
        (calls / "z.wav").write_bytes(wav(seed=3))
        again = emotone(*command)
        assert again.returncode == 0
        assert "of 3 files are in" in again.stderr
        (calls / "z.wav").unlink()
    read = pd.read_parquet(tmp_path / "a.parquet")
    assert len(read) == 3
    (calls / NOT_UTF8).write_bytes(b"no audio")
    assert r"caf\udce9.wav: not audio" in one_line(emotone("predict", calls, "--model", folder))


def test_the_rest_goes_on(folder: Path, calls: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = calls / "plain.wav"
    bad = [
        tmp_path / "empty", tmp_path / "*.xyz", tmp_path / f"{'x' * 300}*.wav",
        tmp_path / f"{'x' * 300}.wav", tmp_path / "gone.wav"
    ]  # fmt: skip
    done = emotone("predict", *bad, good, "--json", "--model", folder)
    assert done.returncode == 1
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [str(good)]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == len(bad)
    for path, error in zip(bad, errors, strict=True):
        assert error.startswith(f"error: {path}: ")
    with pytest.raises(UsageError, match=r"no audio files in this folder.*no file matches this"):
        files_in(bad[:2])


UNPRIVILEGED = """
import multiprocessing.popen_fork  # while it may be read, as the following
import os
from emotone.cli import main
from emotone.inference import predict, sources

found = sources.files_in

def files_in(paths):
    if os.getuid() == 0:
        os.setuid(65534)
    return found(paths)

sources.files_in = files_in
main()
"""


def test_files_and_folders_without_permission(folder: Path) -> None:
    """As a user who may not read them; the tests may run as root, who may read all."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        root.chmod(0o755)
        (root / "closed").mkdir()
        for path in (root / "good.wav", root / "secret.wav", root / "closed" / "a.wav"):
            path.write_bytes(wav())
        for path in (root / "closed", root / "secret.wav"):
            path.chmod(0)
        model = shutil.copytree(folder, root / "model")
        command = ["predict", str(root), str(root / "secret.wav"), "--model", str(model)]
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, *command], capture_output=True, text=True
        )
        (root / "closed").chmod(0o700)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stdout.count("\n") == 1
    assert str(root / "good.wav") in done.stdout
    closed = f"{root / 'closed'}: the folder cannot be read (Permission denied)"
    secret = f"{root / 'secret.wav'}: cannot be read (Permission denied)"
    assert f"error: {closed}" in done.stderr
    assert f"error: {secret}" in done.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_pipes_are_read_in_any_number_of_processes(
    folder: Path, calls: Path, tmp_path: Path, jobs: str
) -> None:
    contents = {"good": wav(seed=2), "bad": b"no audio"}
    for name, content in contents.items():
        os.mkfifo(tmp_path / name)
        target = (tmp_path / name).write_bytes
        threading.Thread(target=target, args=(content,), daemon=True).start()
    paths = [tmp_path / name for name in contents]
    done = emotone("predict", *paths, "--json", "--jobs", jobs, "--model", folder)
    (line,) = done.stdout.splitlines()
    plain = emotone("predict", calls / "plain.wav", "--json", "--model", folder).stdout
    assert json.loads(line) == json.loads(plain) | {"file": str(tmp_path / "good")}
    assert one_line(done).startswith(f"error: {tmp_path / 'bad'}: not audio")


def test_standard_input_that_is_closed_is_said(folder: Path) -> None:
    command = f"{sys.executable} -m emotone predict - --model {folder} <&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode in (1, 2)
    assert "standard input" in one_line(done)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_cut_file_is_recognised_if_asked(folder: Path, tmp_path: Path, jobs: str) -> None:
    whole, cut, short = (tmp_path / name for name in ("whole.wav", "cut.wav", "short.wav"))
    soundfile.write(whole, voice(0, 4.0), 16_000)
    soundfile.write(short, voice(0, 4.0)[:32_000], 16_000)
    cut.write_bytes(whole.read_bytes()[: 44 + 64_000])
    command = ("predict", cut, short, "--json", "--jobs", jobs, "--model", folder)
    refused = emotone(*command)
    assert refused.returncode == 1
    assert "cut.wav: truncated: 64000 of 128000 bytes are missing" in one_line(refused)
    for more in ((), ("--segments",)):
        accepted = emotone(*command, *more, "--truncated", "accept")
        assert accepted.returncode == 0
        answers = [json.loads(line) for line in accepted.stdout.splitlines()]
        half = len(answers) // 2
        for one, other in zip(answers[:half], answers[half:], strict=True):
            assert one | {"file": ""} == other | {"file": ""}


def test_truncated_in_python(recognizer: Recognizer, tmp_path: Path) -> None:
    (tmp_path / "cut.wav").write_bytes(wav(2.0)[:40_000])
    with pytest.raises(AudioError, match=r"cut\.wav: truncated"):
        recognizer.predict(tmp_path / "cut.wav")
    answer = recognizer.predict(tmp_path / "cut.wav", truncated="accept")
    (many,) = recognizer.predict_many([tmp_path / "cut.wav"], truncated="accept")
    (segment,) = recognizer.segments(tmp_path / "cut.wav", truncated="accept")
    assert isinstance(many, Prediction)
    assert segment.prediction is not None
    for one in (many, segment.prediction):
        assert one.probabilities == pytest.approx(answer.probabilities)
    with pytest.raises(UsageError, match="truncated must be 'error' or 'accept', got 'yes'"):
        recognizer.predict(tmp_path / "cut.wav", truncated="yes")  # type: ignore[arg-type]


def test_every_shared_case_is_answered_or_refused_in_one_line(folder: Path) -> None:
    if not CASES.is_dir():
        pytest.skip("the shared cases are not on this machine")
    refused = {
        "aiff-half.aiff", "float-spike-1e30.wav", "mkv-unknown-codec.mkv", "ogg-half.ogg",
        "wav-unknown-codec.wav",
    }  # fmt: skip
    cases = sorted(path for path in CASES.iterdir() if path.suffix != ".md")
    done = emotone("predict", *cases, "--json", "--model", folder)
    answered = {Path(json.loads(line)["file"]).name for line in done.stdout.splitlines()}
    assert {path.name for path in cases} - answered == refused | {"headerless.raw"}
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == len(refused) + 1
    of_folder = emotone("predict", CASES, "--json", "--model", folder)
    assert of_folder.stdout == done.stdout
    assert "2 files left out: 2 whose suffix is not one of audio (" in of_folder.stderr
