"""Worker processes that are busy, slow or dead."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.helpers import LOCAL, children, command_of, error_of, wait_until_ended, wav

pytestmark = pytest.mark.slow


def test_who_cannot_be_served_now_receives_503(folder: Path) -> None:
    app = create(ServeOptions(models=(str(folder),), workers=1, seconds=1, queue=1))
    service: Any = app.state.service
    sound = {"file": wav()}
    with TestClient(app, headers=LOCAL) as client:
        service.workers._free._value -= 1
        late = client.post("/v1/predict", files=sound)
        assert "no worker was free" in error_of(late, 503, "busy")
        service.workers._free.release()
        service.waiting = 2
        full = client.post("/v1/predict", files=sound)
        assert "too many requests" in error_of(full, 503, "busy")
        assert full.headers["retry-after"] == "1"
        service.waiting = 0
        assert client.post("/v1/predict", files=sound).status_code == 200


def workers_since(before: list[int]) -> list[int]:
    new = set(children(os.getpid())) - set(before)
    return [pid for pid in new if "spawn_main" in command_of(pid)]


def test_an_idle_worker_that_dies_costs_no_request(folder: Path) -> None:
    options = ServeOptions(models=(str(folder),), workers=1, seconds=30)
    others = children(os.getpid())
    with TestClient(create(options), headers=LOCAL) as client:
        sound = {"file": wav()}
        assert client.post("/v1/predict", files=sound).status_code == 200
        (worker,) = workers_since(others)
        os.kill(worker, signal.SIGKILL)
        wait_until_ended(worker)
        assert client.post("/v1/predict", files=sound).status_code == 200
        assert "emotone_worker_restarts 1.0" in client.get("/metrics").text


def test_a_request_whose_worker_dies_or_is_slow_gets_an_error_and_others_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of a codec with a defect: one that crashes or hangs on audio of some length."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "from emotone import audio\n"
        "blocks = audio.blocks\n"
        "def defective(path, *rest):\n"
        "    for block in blocks(path, *rest):\n"
        "        if 32_000 <= len(block) < 48_000:\n"
        "            os._exit(1)\n"
        "        if len(block) >= 48_000:\n"
        "            time.sleep(600)\n"
        "        yield block\n"
        "audio.blocks = defective\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)  # of started processes
    options = ServeOptions(models=(str(folder),), workers=2, seconds=5)

    def post(seconds: float) -> httpx.Response:
        response: httpx.Response = running.post("/v1/predict", files={"file": wav(seconds)})
        return response

    with TestClient(create(options), headers=LOCAL) as running, ThreadPoolExecutor() as pool:
        slow, crashed = pool.submit(post, 3), pool.submit(post, 2)
        fine = [pool.submit(post, 1) for _ in range(5)]
        assert [one.result().status_code for one in fine] == [200] * 5
        assert not slow.done()
        assert "cannot be decoded: its process died" in error_of(crashed.result(), 400, "not_audio")
        assert "took longer than 5 s" in error_of(slow.result(), 400, "not_audio")
        assert post(1).status_code == 200
        assert "emotone_worker_restarts 2.0" in running.get("/metrics").text


def test_a_request_whose_worker_is_killed_is_tried_once_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Audio of 2 s kills once, longer audio always; in place of somebody who kills workers."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, pathlib\n"
        "from emotone import audio\n"
        "blocks = audio.blocks\n"
        f"killed = pathlib.Path({str(tmp_path / 'killed')!r})\n"
        "def deadly(path, *rest):\n"
        "    for block in blocks(path, *rest):\n"
        "        if len(block) >= 48_000 or len(block) >= 32_000 and not killed.exists():\n"
        "            killed.touch()\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield block\n"
        "audio.blocks = deadly\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)  # of started processes
    options = ServeOptions(models=(str(folder),), workers=1, seconds=30)
    with TestClient(create(options), headers=LOCAL) as client:
        assert client.post("/v1/predict", files={"file": wav(2)}).status_code == 200
        always = client.post("/v1/predict", files={"file": wav(3)})
        assert error_of(always, 503, "busy") == "the worker was killed twice"
        assert client.post("/v1/predict", files={"file": wav(1)}).status_code == 200
        assert "emotone_worker_restarts 3.0" in client.get("/metrics").text


def test_ready_says_whether_a_worker_can_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os\nif os.path.exists({str(broken)!r}):\n    os._exit(1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)  # of started processes
    others = children(os.getpid())
    options = ServeOptions(models=(str(folder),), workers=1, seconds=1)
    with TestClient(create(options), headers=LOCAL) as client:
        assert client.get("/ready").status_code == 200
        broken.touch()
        (worker,) = workers_since(others)
        os.kill(worker, signal.SIGKILL)
        wait_until_ended(worker)
        error_of(client.get("/ready"), 503, "starting")
        time.sleep(1)  # and it stays so
        error_of(client.get("/ready"), 503, "starting")
        late = client.post("/v1/predict", files={"file": wav()})
        assert "no worker could start" in error_of(late, 503, "busy")
        broken.unlink()
        deadline = time.monotonic() + 60
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert client.post("/v1/predict", files={"file": wav()}).status_code == 200
