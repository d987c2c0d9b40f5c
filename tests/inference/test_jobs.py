"""Recognition in several processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import soundfile

from emotone import audio
from emotone.audio import Waveform
from emotone.errors import AudioError
from emotone.inference.execution import ProcessExecutor
from emotone.inference.jobs import Answer, in_order, recognise_files
from emotone.inference.manner import InWindows, Manner
from emotone.inference.prediction import Prediction
from emotone.inference.recognizer import Recognizer, load
from tests.helpers import children, emotone, voice

pytestmark = pytest.mark.slow

COUNT = 40


def in_processes(
    recognizer: Recognizer, files: list[Path], manner: Manner | None, jobs: int
) -> list[Answer]:
    with closing(ProcessExecutor(jobs)) as executor:
        return list(recognise_files(recognizer, files, manner, executor))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many recordings, two of which are no audio."""
    root = tmp_path_factory.mktemp("many")
    for number in range(COUNT):
        soundfile.write(root / f"{number:02d}.wav", voice(number, 0.5 + number / 20), 16_000)
    for number in (3, 20):
        (root / f"{number:02d}.wav").write_bytes(b"no audio")
    return root


@pytest.mark.parametrize("manner", [None, InWindows(1.0, 0.5)])
def test_answers_and_their_order_are_those_of_one_process(
    folder: Path, recordings: Path, manner: Manner | None
) -> None:
    recognizer = Recognizer(folder)
    files = sorted(recordings.iterdir())
    alone = [str(one) for one in in_order(recognizer, files, manner)]
    together = [str(one) for one in in_processes(recognizer, files, manner, jobs=3)]
    assert together == alone
    assert sum("not audio" in one for one in together) == 2


def test_the_command_writes_the_same_and_counts_what_failed(
    folder: Path, recordings: Path, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        done = emotone(
            "predict", recordings, "--jobs", str(jobs), "--model", folder,
            "--output", tmp_path / f"{jobs}.csv",
        )  # fmt: skip
        assert done.returncode == 1
        assert f"2 of {COUNT} files could not be used" in done.stderr
    assert (tmp_path / "1.csv").read_text() == (tmp_path / "2.csv").read_text()


def test_killed_at_any_moment_it_continues_with_nothing_lost_or_twice(
    folder: Path, recordings: Path, tmp_path: Path
) -> None:
    command = ["predict", str(recordings), "--jobs", "2", "--model", str(folder), "--output"]
    emotone(*command, tmp_path / "whole.csv")
    whole = (tmp_path / "whole.csv").read_text()
    output = tmp_path / "killed.csv"
    for least in (1, len(whole) // 3, len(whole) // 2):
        process = subprocess.Popen(
            [sys.executable, "-m", "emotone", *command, str(output)],
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and (not output.exists() or output.stat().st_size < least):
            time.sleep(0.005)
        workers = children(process.pid) if process.poll() is None else []
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < deadline, "a worker outlived its parent"
            time.sleep(0.05)
    emotone(*command, output)
    assert output.read_text() == whole


def test_a_file_that_kills_its_process_is_named_and_the_rest_goes_on(
    folder: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "from emotone import audio\n"
        "blocks = audio.blocks\n"
        "def crashing(path, **options):\n"
        "    if str(path).endswith(('07.wav', '31.wav')):\n"
        "        os._exit(1)\n"
        "    return blocks(path, **options)\n"
        "audio.blocks = crashing\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)  # of started processes
    files = sorted(recordings.iterdir())
    found = in_processes(Recognizer(folder), files, None, jobs=2)
    failed = {files[n].name: str(one) for n, one in enumerate(found) if isinstance(one, AudioError)}
    assert set(failed) == {"03.wav", "07.wav", "20.wav", "31.wav"}
    assert failed["07.wav"].endswith(
        "07.wav: the decoder crashed, its process died (exit code 1); convert it to WAV"
    )
    assert sum(isinstance(one, Prediction) for one in found) == COUNT - 4


def test_a_known_speaker_is_known_in_every_process(recordings: Path) -> None:
    recognizer = load("emotone-8")
    files = [recordings / "00.wav", recordings / "01.wav"]
    known = recognizer.for_speaker([recordings / "05.wav"])
    expected = [str(one) for one in in_order(known, files, None)]
    assert [str(one) for one in in_processes(known, files, None, jobs=2)] == expected
    assert expected != [str(one) for one in in_order(recognizer, files, None)]


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_file_that_crashes_the_decoder_takes_nothing_along_without_jobs(
    folder: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = audio.blocks

    def crashing(path: str | Path, **options: Any) -> Iterator[Waveform]:
        if Path(path).name == "07.wav":
            os.kill(os.getpid(), signal.SIGKILL)
        return blocks(path, **options)

    monkeypatch.setattr(audio, "blocks", crashing)
    output = tmp_path / "a.csv"
    done = emotone("predict", recordings, "--model", folder, "--output", output)
    assert done.returncode == 1
    assert "07.wav: the decoder crashed, its process died (SIGKILL); convert it" in done.stderr
    assert f"3 of {COUNT} files could not be used" in done.stderr
    files = [line.partition(",")[0] for line in output.read_text().splitlines()]
    assert len(files) == 1 + COUNT - 3
