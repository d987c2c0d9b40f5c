"""The service against files and requests that are wrong in many ways."""

import io
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.helpers import LOCAL, children, spoken, voice
from tests.serve.conftest import started

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MUTATIONS = 2000
Running = tuple[str, "subprocess.Popen[str]"]


def encoded() -> dict[str, bytes]:
    """The same speech in several formats."""
    speech, files = voice(0, 0.4), {}
    for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF"):
        file = io.BytesIO()
        soundfile.write(file, speech, 16_000, format=kind)
        files[kind] = file.getvalue()
    for kind, codec in (("mp4", "aac"), ("webm", "libopus")):
        file = io.BytesIO()
        with av.open(file, "w", format=kind) as container:
            stream = container.add_stream(codec, rate=48_000)
            assert isinstance(stream, av.AudioStream)
            samples = np.repeat(speech, 3)[None].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = 48_000
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
        files[kind] = file.getvalue()
    return files


def mutated(sound: bytes, rng: np.random.Generator) -> bytes:
    """Flip bits, cut, lie in the header, repeat, or put something foreign before or after."""
    data = np.frombuffer(sound, np.uint8).copy()
    way = rng.integers(6)
    if way == 0:
        places = rng.integers(len(data), size=rng.integers(1, 50))
        data[places] ^= rng.integers(1, 256, size=len(places)).astype(np.uint8)
    elif way == 1:
        data = data[: rng.integers(len(data))]
    elif way == 2:  # sizes, rates and counts stand in the first bytes
        place = rng.integers(0, min(len(data), 96) - 4)
        data[place : place + 4] = rng.choice([0, 1, 127, 255], size=4)
    elif way == 3:
        start, size = int(rng.integers(len(data))), int(rng.integers(1, 400))
        data = np.concatenate([data[:start], np.tile(data[start : start + size], 3), data[start:]])
    elif way == 4:
        data = np.concatenate([rng.integers(256, size=rng.integers(1, 99)).astype(np.uint8), data])
    else:
        start, size = int(rng.integers(len(data))), int(rng.integers(1, 999))
        data = np.concatenate([data[:start], data[start + size :]])
    return data.tobytes()


def test_no_mutated_file_breaks_the_service(folder: Path) -> None:
    files = encoded()
    rng = np.random.default_rng(0)
    statuses: Counter[int] = Counter()
    app = create(ServeOptions(models=(str(folder),), workers=2, seconds=30, minutes=1))
    with TestClient(app, headers=LOCAL, raise_server_exceptions=True) as client:
        for number in range(MUTATIONS):
            kind = sorted(files)[number % len(files)]
            name = f"x.{rng.choice(['wav', 'mp3', 'flac', 'txt', 'exe'])}"
            upload = {"file": (name, mutated(files[kind], rng))}
            answer = client.post(f"/v1/{'predict' if number % 2 else 'segments'}", files=upload)
            statuses[answer.status_code] += 1
            assert answer.status_code in (200, 400, 413), (number, kind, answer.text)
        for sound in files.values():
            assert client.post("/v1/predict", files={"file": sound}).status_code == 200
    assert statuses[200] > MUTATIONS / 20  # some changes do no harm
    assert statuses[400] > MUTATIONS / 4


def test_schemathesis_finds_nothing(address: Running, tmp_path: Path) -> None:
    url, _ = address
    # the schema can say that a file is asked for, not that it must be audio
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json",
        "--exclude-checks", "positive_data_acceptance", "--max-examples", "100", "--seed", "1",
        "--generation-deterministic",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONUTF8": "1"}
    found = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=300
    )  # it keeps a cache where it runs
    assert found.returncode == 0, found.stdout[-3000:]


@pytest.fixture
def shipped() -> Iterator[Running]:
    """The service as a reader of the documentation starts it, with the model that ships."""
    yield from started(Path("emotone-base"))


def test_the_examples_of_the_documentation_work(shipped: Running, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    url, process = shipped
    soundfile.write(tmp_path / "call.wav", spoken(0, 3.5), 16_000)
    (two := tmp_path / "two").mkdir()
    both = np.stack([spoken(0, 3.5), spoken(1, 3.5)], axis=1)
    soundfile.write(two / "call.wav", both, 16_000)
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    lines = re.findall(r"^curl .*$", text, flags=re.MULTILINE)
    asked = {path for line in lines for path in re.findall(r":8000(/[a-z0-9/]*)", line)}
    assert asked == {
        "/v1/predict", "/v1/segments", "/v1/call", "/v1/models", "/health", "/ready", "/metrics",
    }  # fmt: skip
    for line in lines:
        command = line.replace("http://127.0.0.1:8000", url).replace("curl ", "curl -sS --fail ", 1)
        place = two if "/v1/call" in line else tmp_path
        done = subprocess.run(command, shell=True, cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout.strip()
    client = [sys.executable, str(ROOT / "examples" / "client.py"), "--url", url, "call.wav"]
    done = subprocess.run(client, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    windows = [line.split() for line in said if line[0].isdigit()]
    live = [line.split()[1:] for line in said if line.startswith("live")]
    assert len(windows) == 2
    assert windows == live
    (tmp_path / "call.wav").write_bytes(b"no audio" * 99)
    done = subprocess.run(client, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("call.wav: not audio that can be decoded")
    assert len(children(process.pid)) >= 1
