"""The command that recognises, as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from emotone.inference import parquet
from emotone.inference.recognizer import load
from tests.helpers import emotone, one_line, voice

pytestmark = pytest.mark.slow


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder of four recordings, one of which is no audio."""
    root = tmp_path / "recordings"
    (root / "more").mkdir(parents=True)
    for number, name in enumerate(("a.wav", "b.flac", "more/c.ogg")):
        soundfile.write(root / name, voice(number, 2.5 + number), 16_000)
    (root / "d.wav").write_bytes(b"no audio")
    return root


def test_segments_have_times(folder: Path, recordings: Path) -> None:
    wav = recordings / "a.wav"
    arguments = ("--segments", "--window", "1", "--hop", "0.5", "--model", folder)
    shown = emotone("predict", wav, *arguments)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("\n") == 4
    assert "0.5 … 1.5 s" in shown.stdout
    lines = emotone("predict", wav, "--json", *arguments).stdout.splitlines()
    assert [(one["start"], one["end"]) for one in map(json.loads, lines)] == [
        (0.0, 1.0), (0.5, 1.5), (1.0, 2.0), (1.5, 2.5)
    ]  # fmt: skip
    header, *rows = emotone("predict", wav, "--csv", *arguments).stdout.splitlines()
    assert header == "file,start,end,label,confidence,confident,p_anger,p_neutral"
    assert [row.split(",")[1] for row in rows] == ["0.0", "0.5", "1.0", "1.5"]
    wrong = emotone("predict", wav, "--segments", "--hop", "9", "--model", folder)
    assert wrong.returncode == 2
    assert "at most the window of 3 s" in one_line(wrong)


def test_windows_without_sound_get_no_emotion(folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.append(voice(0, 1), np.zeros(32_000)), 16_000)
    arguments = ("--segments", "--window", "1", "--hop", "1", "--model", folder)
    shown = emotone("predict", tmp_path / "a.wav", *arguments).stdout.splitlines()
    assert ["no speech" in line for line in shown] == [False, True, True]
    rows = emotone("predict", tmp_path / "a.wav", "--csv", *arguments).stdout.splitlines()
    assert rows[2].endswith("a.wav,1.0,2.0,,,,,")
    last = json.loads(
        emotone("predict", tmp_path / "a.wav", "--json", *arguments).stdout.splitlines()[-1]
    )
    assert last["label"] is None


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_output_is_continued(
    folder: Path, recordings: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"answers{suffix}"
    command = ("predict", recordings, "--model", folder, "--output", out)
    first = emotone(*command)
    assert first.returncode == 1
    assert "1 of 4 files could not be used" in first.stderr
    whole = out.read_text()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 3 + (suffix == ".csv")
    out.write_text("".join(lines[:-1]) + lines[-1][:20])  # killed in the middle of a line
    (recordings / "d.wav").unlink()
    again = emotone(*command)
    assert again.returncode == 0, again.stderr
    assert out.read_text() == whole
    assert "2 of 3 files are in" in again.stderr
    finished = emotone(*command)
    assert "3 of 3 files are in" in finished.stderr
    assert out.read_text() == whole
    assert not list(tmp_path.glob(".*"))

    (tmp_path / f"other{suffix}").write_text("something,else\n")
    other = emotone(*command[:-1], tmp_path / f"other{suffix}")
    assert other.returncode == 2
    assert "was not made by emotone; nothing was changed" in one_line(other)
    assert (tmp_path / f"other{suffix}").read_text() == "something,else\n"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("end", [2, 12])  # the name of the last file is cut off, or what follows
def test_an_output_killed_among_the_windows_of_a_file_is_continued(
    folder: Path, tmp_path: Path, suffix: str, end: int
) -> None:
    names = ["a.wav", "line\n\u2028break.wav", "déjà.wav"]
    for seed, name in enumerate(names):
        soundfile.write(tmp_path / name, voice(seed, 1.0), 16_000)
    out = tmp_path / f"answers{suffix}"
    files = [tmp_path / name for name in names]
    windows = ("--segments", "--window", "0.4", "--hop", "0.2")
    command: list[str | Path] = ["predict", *files, "--model", folder, *windows, "--output", out]
    assert emotone(*command).returncode == 0
    whole = out.read_bytes()
    start = whole.rindex("déjà".encode())
    out.write_bytes(whole[: start + end])
    again = emotone(*command)
    assert "2 of 3 files are in" in again.stderr
    assert out.read_bytes() == whole


@pytest.mark.parametrize("segments", [[], ["--segments", "--window", "0.2", "--hop", "0.1"]])
def test_parquet_says_what_csv_says(
    folder: Path, recordings: Path, tmp_path: Path, segments: list[str]
) -> None:
    command: list[str | Path] = ["predict", recordings, "--model", folder, *segments, "--output"]
    emotone(*command, tmp_path / "a.csv")
    done = emotone(*command, tmp_path / "a.parquet")
    assert done.returncode == 1
    found = pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(found, pd.read_csv(tmp_path / "a.csv"), check_dtype=False)
    assert found["confident"].dropna().isin([True, False]).all()
    made = ["a.csv", "a.csv.emotone.json", "a.parquet", "a.parquet.emotone.json"]
    assert sorted(path.name for path in tmp_path.glob("a.*")) == made


def test_parquet_is_continued(folder: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.parquet"
    rows = tmp_path / "answers.parquet.csv"
    command = ("predict", recordings, "--model", folder, "--output", out)
    emotone(*command)
    whole = pd.read_parquet(out)
    again = emotone(*command)  # finished
    assert "3 of 4 files are in" in again.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(out), whole)
    text = emotone("predict", recordings, "--model", folder, "--csv").stdout
    rows.write_text(text)
    out.unlink()
    rows.write_text(rows.read_text()[:-20])  # killed in the middle of a line
    killed = emotone(*command)
    assert "of 4 files are in" in killed.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(out), whole)
    assert not rows.exists()

    other = tmp_path / "other.parquet"
    pd.DataFrame({"file": ["x"]}).to_parquet(other)
    before = other.read_bytes()
    refused = emotone(*command[:-1], other)
    assert refused.returncode == 2
    assert "was not made by emotone; nothing was changed" in one_line(refused)
    assert other.read_bytes() == before


def test_parquet_keeps_names_that_look_like_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,label\nNA,null\nx,\n")
    parquet.from_csv(tmp_path / "a.csv", tmp_path / "a.parquet", ["file", "label"])
    found = pd.read_parquet(tmp_path / "a.parquet")
    assert found["file"].tolist() == ["NA", "x"]
    assert found["label"].fillna("nobody").tolist() == ["null", "nobody"]


def test_parquet_without_a_single_answer(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    out = tmp_path / "answers.parquet"
    done = emotone("predict", tmp_path / "broken.wav", "--model", folder, "--output", out)
    assert done.returncode == 1
    one_line(done)
    assert len(pd.read_parquet(out)) == 0


@pytest.mark.parametrize("name", ["out.CSV", "out.Parquet"])
def test_suffixes_of_outputs_may_be_capital_letters(
    folder: Path, tmp_path: Path, name: str
) -> None:
    soundfile.write(tmp_path / "a.wav", voice(0, 0.5), 16_000)
    done = emotone("predict", tmp_path / "a.wav", "--model", folder, "--output", tmp_path / name)
    assert done.returncode == 0, done.stderr
    read = pd.read_csv if name == "out.CSV" else pd.read_parquet
    assert len(read(tmp_path / name)) == 1


def test_outputs_of_no_known_kind_are_refused(folder: Path, recordings: Path) -> None:
    wrong = emotone("predict", recordings, "--model", folder, "--output", "answers.docx")
    assert wrong.returncode == 2
    assert "must end in .csv, .jsonl" in one_line(wrong)


def test_standard_input(folder: Path, recordings: Path) -> None:
    command = [sys.executable, "-m", "emotone", "predict", "-", "--json", "--model", str(folder)]
    for name in ("a.wav", "more/c.ogg"):
        sound = (recordings / name).read_bytes()
        done = subprocess.run(command, input=sound, capture_output=True)
        assert done.returncode == 0, done.stderr
        expected = load(folder).predict(recordings / name)
        assert json.loads(done.stdout)["label"] == expected.label
    for data, message in ((b"", "file is empty"), (b"x" * 99, "not audio"), (sound[:300], "input")):
        wrong = subprocess.run(command, input=data, capture_output=True, text=False)
        assert wrong.returncode == 1
        first = wrong.stderr.decode().splitlines()[0]
        assert first.startswith("error: standard input: ")
        assert message in first


def test_a_reader_that_goes_away_is_no_traceback(folder: Path, recordings: Path) -> None:
    (recordings / "d.wav").unlink()
    command = f"{sys.executable} -m emotone predict {recordings} --csv --model {folder} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_a_picture_of_a_recording(folder: Path, recordings: Path, tmp_path: Path) -> None:
    wav, picture = recordings / "a.wav", tmp_path / "a.png"
    shown = emotone("predict", wav, "--plot", picture, "--model", folder)
    assert shown.returncode == 0, shown.stderr
    with Image.open(picture) as image:
        assert image.width > 800
        assert len(set(image.convert("L").tobytes())) > 20
    for name, message in (("a.txt", "expected a name ending in .png"), ("no/way.png", None)):
        wrong = emotone("predict", wav, "--plot", tmp_path / name, "--model", folder)
        assert (message is None) == (wrong.returncode == 0)
    two = emotone("predict", wav, wav.parent / "b.flac", "--plot", picture, "--model", folder)
    assert "--plot draws one file, got 2 files; give the path" in one_line(two)


def test_a_speaker_can_be_given_and_kept(
    enrolling: Path, folder: Path, recordings: Path, tmp_path: Path
) -> None:
    wav, kept = recordings / "a.wav", tmp_path / "me.json"
    (recordings / "d.wav").unlink()
    command = ("predict", wav, "--json", "--model", enrolling)
    first = emotone(*command, "--speaker", recordings, "--save-speaker", kept)
    assert first.returncode == 0, first.stderr
    second = emotone(*command, "--speaker", kept)
    assert second.stdout == first.stdout
    unable = emotone("predict", wav, "--model", folder, "--speaker", recordings)
    assert "does not support speaker enrolment" in one_line(unable)
    missing = emotone(*command, "--save-speaker", kept)
    assert "give --speaker" in one_line(missing)


def test_what_users_give_instead_of_speech(folder: Path, tmp_path: Path) -> None:
    """Each ends in one line or in an answer, never in a traceback."""
    rng = np.random.default_rng(0)
    one_dead = np.stack([voice(0, 2.0), np.zeros(32_000, np.float32)], axis=1)
    soundfile.write(tmp_path / "one-dead-channel.wav", one_dead, 16_000)
    soundfile.write(tmp_path / "short.wav", voice(0, 0.2), 16_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(32_000), 16_000)
    soundfile.write(tmp_path / "8-bit.wav", voice(0, 1.0), 8000, subtype="PCM_U8")
    (tmp_path / "random.mp3").write_bytes(rng.bytes(5000))
    (tmp_path / "empty.wav").touch()
    shown = emotone(
        "predict", "--json", "--model", folder, *sorted(tmp_path.glob("*.*")), tmp_path / "gone.wav"
    )
    answered = {Path(json.loads(line)["file"]).stem for line in shown.stdout.splitlines()}
    assert shown.returncode == 1
    assert "Traceback" not in shown.stderr
    assert answered == {"one-dead-channel", "short", "8-bit"}
    assert shown.stderr.count("error: ") == 4
    (tmp_path / "folder.wav").mkdir()
    assert "no audio files" in one_line(
        emotone("predict", tmp_path / "folder.wav", "--model", folder)
    )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_threshold_of_one_s_own(folder: Path, recordings: Path, jobs: str) -> None:
    (recordings / "d.wav").unlink()
    command = ("predict", recordings, "--json", "--jobs", jobs, "--model", folder)
    own = [json.loads(line) for line in emotone(*command).stdout.splitlines()]
    between = sorted(one["confidence"] for one in own)[1]
    done = emotone(*command, "--threshold", str(between - 1e-4))
    assert done.returncode == 0, done.stderr
    chosen = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(one["confident"] for one in own)
    assert sorted(one["confident"] for one in chosen) == [False, True, True]
    assert [one["probabilities"] for one in chosen] == [one["probabilities"] for one in own]
    shown = emotone("predict", recordings, "--threshold", "1", "--model", folder).stdout
    assert shown.count("not sure") == 3


@pytest.mark.parametrize("command", [("predict", "a.wav"), ("serve",)])
@pytest.mark.parametrize("threshold", ["1.5", "-0.1", "nan", "high"])
def test_thresholds_that_are_no_probability_are_refused(
    command: tuple[str, ...], threshold: str
) -> None:
    wrong = emotone(*command, "--threshold", threshold)
    assert wrong.returncode == 2
    assert "threshold" in wrong.stderr
    assert "Traceback" not in wrong.stderr
