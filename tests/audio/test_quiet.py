"""Decoders print nothing, in Python and in the command, whatever they find."""

import ctypes
import io
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emotone.audio.quiet import quiet
from tests.helpers import voice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="C's streams have other names")


def damaged(path: Path) -> Path:
    """A file about which libsndfile prints."""
    file = io.BytesIO()
    kind = path.suffix[1:].upper()
    soundfile.write(file, np.tile(voice(0, 1.0), 4), 16_000, format=kind)
    data, rng = bytearray(file.getvalue()), random.Random(0)
    for _ in range(1500):
        data[rng.randrange(2000, len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return path


def run(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)


@pytest.mark.parametrize("name", ["a.sds", "a.mp3"])
def test_python_prints_nothing_about_damaged_files(tmp_path: Path, name: str) -> None:
    path = damaged(tmp_path / name)
    plain = run("import soundfile, sys; soundfile.SoundFile(sys.argv[1]).read()", path)
    assert plain.stdout + plain.stderr.partition("Traceback")[0], "libsndfile prints nothing"
    ours = run(
        "import sys\n"
        "from emotone import audio\n"
        "from emotone.errors import AudioError\n"
        "try: audio.read(sys.argv[1], truncated='accept')\n"
        "except AudioError: pass\n",
        path,
    )
    assert (ours.returncode, ours.stdout, ours.stderr) == (0, "", "")


def test_the_output_of_predict_is_json_alone(tmp_path: Path) -> None:
    path = damaged(tmp_path / "a.sds")
    soundfile.write(tmp_path / "b.wav", voice(1, 1.0), 16_000)
    command = [sys.executable, "-m", "emotone", "predict", *map(str, [path, tmp_path / "b.wav"])]
    done = subprocess.run(
        [*command, "--json", "--model", "emotone-8"], capture_output=True, text=True, check=False
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert str(tmp_path / "b.wav") in {answer["file"] for answer in answers}
    assert all(line.startswith(("error: ", "1 of 2")) for line in done.stderr.splitlines())


def test_c_prints_again_afterwards_and_python_all_the_time() -> None:
    code = (
        "import ctypes\n"
        "from emotone.audio.quiet import quiet\n"
        "c = ctypes.CDLL(None)\n"
        "def both(text):\n"
        "    c.puts(text.encode()); c.fflush(None); print('python', text, flush=True)\n"
        "with quiet():\n"
        "    with quiet():\n"
        "        both('inner')\n"
        "    both('outer')\n"
        "both('after')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == [
        "python inner", "python outer", "after", "python after", ""
    ]  # fmt: skip


def test_threads_leave_the_streams_as_they_were() -> None:
    def often() -> None:
        for _ in range(300):
            with quiet():
                pass

    stream = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stdout")
    before = stream.value
    threads = [threading.Thread(target=often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert before
    assert stream.value == before
