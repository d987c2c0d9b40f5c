"""An output is continued only by the command that made it, and by one process at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from emotone.inference.provenance import settings_of
from emotone.inference.recognizer import Recognizer, load
from tests.helpers import emotone, one_line, voice

pytestmark = pytest.mark.slow
KINDS = [".csv", ".jsonl", ".parquet"]


@pytest.fixture
def audio(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{number}.wav" for number in range(3)]
    for number, file in enumerate(files):
        soundfile.write(file, voice(number, 1.0), 16_000)
    return files


@pytest.mark.parametrize("suffix", KINDS)
def test_another_setting_is_named_and_nothing_changes(
    folder: Path, audio: list[Path], tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"out{suffix}"
    command: list[str | Path] = ["predict", *audio, "--model", folder, "--output", out]
    assert emotone(*command).returncode == 0
    before = out.read_bytes()
    for extra, message in (
        (("--threshold", "0.9"), "threshold: 0.5 found, 0.9 requested"),
        (("--truncated", "accept"), "truncated: error found, accept requested"),
        (("--segments", "--hop", "0.5"), "segments: False found, True requested"),
        (("--model", "emotone-base"), "model: "),
    ):
        refused = emotone(*command, *extra)
        assert refused.returncode == 2
        assert "was made with other settings (" in one_line(refused)
        assert message in one_line(refused)
        assert out.read_bytes() == before
    anew = emotone(*command, "--threshold", "0.9", "--force")
    assert anew.returncode == 0, anew.stderr
    assert "already" not in anew.stderr
    record = json.loads((tmp_path / f"out{suffix}.emotone.json").read_text())
    assert (record["written_by"], record["settings"]["threshold"]) == ("emotone predict", 0.9)


def test_another_hop_is_named(folder: Path, audio: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    command: list[str | Path] = [
        "predict",
        *audio,
        "--model",
        folder,
        "--segments",
        "--output",
        out,
    ]
    assert emotone(*command, "--hop", "0.5").returncode == 0
    assert "hop: 0.5 found, 1.0 requested" in one_line(emotone(*command))
    same = emotone(*command, "--hop", "0.5", "--window", "3")
    assert "2 of 3 files are in" in same.stderr
    assert "one that may lack windows is recognised again" in same.stderr


@pytest.mark.parametrize(
    "name", ["notes.jsonl", "notes.csv", "notes.parquet", "notes.parquet.csv", "notes.txt"]
)
def test_a_file_of_the_user_is_refused_untouched(
    folder: Path, audio: list[Path], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text('{"file": "mine", "note": "precious"}\n')
    out = tmp_path / name.removesuffix(".csv") if name.endswith(".parquet.csv") else tmp_path / name
    before = sorted(tmp_path.iterdir())
    refused = emotone("predict", *audio, "--model", folder, "--output", out)
    assert refused.returncode == 2
    assert f"{name} exists and was not made by emotone; nothing was changed" in one_line(refused)
    assert (tmp_path / name).read_text() == '{"file": "mine", "note": "precious"}\n'
    assert sorted(tmp_path.iterdir()) == before


def test_what_replaced_an_output_is_refused(
    folder: Path, audio: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    command: list[str | Path] = ["predict", *audio, "--model", folder, "--output", out]
    assert emotone(*command).returncode == 0
    out.write_text('{"file": "mine", "note": "precious"}\n')
    refused = emotone(*command)
    assert "holds something other than these predictions" in one_line(refused)
    assert out.read_text() == '{"file": "mine", "note": "precious"}\n'


def test_two_processes_do_not_share_an_output(
    folder: Path, audio: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    pipe = tmp_path / "slow.wav"
    os.mkfifo(pipe)  # the first process waits for its content
    command = ["predict", str(audio[0]), str(pipe), "--model", str(folder), "--output", str(out)]
    with (
        subprocess.Popen([sys.executable, "-m", "emotone", *command]) as first,
        pipe.open("wb"),  # waits until the first process has come to the pipe
    ):
        second = emotone("predict", *audio, "--model", folder, "--output", out)
        assert second.returncode == 2
        assert f"another emotone is writing to {out}" in one_line(second)
        first.kill()
        first.wait()
    third = emotone("predict", *audio, "--model", folder, "--output", out)
    assert third.returncode == 0, third.stderr
    assert [json.loads(line)["file"] for line in out.read_text().splitlines()] == [
        str(file) for file in audio
    ]


def test_settings_are_those_that_answers_depend_on(enrolling: Path, audio: list[Path]) -> None:
    plain = load(enrolling)
    speaker = plain.for_speaker(audio)
    assert settings_of(plain)["speaker"] is None
    assert settings_of(speaker)["speaker"] == settings_of(plain.for_speaker(audio))["speaker"]
    assert settings_of(speaker)["speaker"] != settings_of(plain.for_speaker(audio[:1]))["speaker"]
    assert settings_of(Recognizer(enrolling, threads=2)) == settings_of(plain)


def test_pictures_and_speakers_of_others_stay(
    enrolling: Path, audio: list[Path], tmp_path: Path
) -> None:
    command = ("predict", audio[0], "--model", enrolling)
    for name, options in (
        ("a.png", ("--plot", tmp_path / "a.png")),
        ("a.json", ("--speaker", audio[1], "--save-speaker", tmp_path / "a.json")),
    ):
        (tmp_path / name).write_text("precious")
        refused = emotone(*command, *options)
        assert refused.returncode == 2
        assert "was not made by emotone" in one_line(refused)
        assert refused.stdout == ""
        assert (tmp_path / name).read_text() == "precious"
        assert emotone(*command, *options, "--force").returncode == 0
        assert emotone(*command, *options).returncode == 0  # now it is emotone's
    wrong = emotone(*command, "--speaker", audio[1], "--save-speaker", tmp_path / "a.txt")
    assert "expected a name ending in .json" in one_line(wrong)


def test_windows_need_a_use(folder: Path, audio: list[Path]) -> None:
    wrong = emotone("predict", audio[0], "--model", folder, "--window", "2")
    assert wrong.returncode == 2
    assert "--window and --hop belong to --segments or --plot" in one_line(wrong)


def test_control_characters_of_names_are_not_printed(folder: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "a\x1b[31m\x9b.wav", tmp_path / "b\x1b]0;x\x07.wav"
    soundfile.write(good, voice(0, 1.0), 16_000)
    bad.write_bytes(b"no audio")
    done = emotone("predict", good, bad, "--model", folder)
    assert r"a\u001b[31m\u009b.wav" in done.stdout
    assert r"b\u001b]0;x\u0007.wav" in done.stderr
    assert not set("\x1b\x07\x9b") & set(done.stdout + done.stderr)
    lines = emotone("predict", good, "--json", "--model", folder).stdout
    assert "\x9b" not in lines
    assert json.loads(lines)["file"] == str(good)
