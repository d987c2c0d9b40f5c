"""The web page in a real browser, with a microphone that plays a file."""

import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import soundfile

import emotone
from emotone.corpora.synthetic import utterance
from emotone.serve.page import FILES
from tests.helpers import spoken

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("page")]  # one fixture for all

SAMPLES = {
    "four-manners.flac": [
        (1, emotion, take)
        for emotion in ("anger", "neutral", "sadness", "happiness")
        for take in range(2)
    ],
    "happiness.flac": [(3, "happiness", take) for take in range(2)],
}
CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "secret name.wav"
    speech = np.concatenate([spoken(0, 2.5), np.zeros(16_000 * 4, np.float32), spoken(1, 2.5)])
    soundfile.write(path, speech, 16_000)
    return path


class Server:
    """A running `emotone serve` with the shipped models."""

    def __init__(self, temporary: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "emotone", "serve", "--port", str(port), "--workers", "1"]
        self.url = f"http://127.0.0.1:{port}/"
        environment = os.environ | {"TMPDIR": str(temporary)}
        self.process = subprocess.Popen(
            [*command, *options],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            try:
                if httpx.get(f"{self.url}ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("temporary"))
    yield running
    running.process.kill()
    running.process.wait()


class Visit:
    """A browser on the page; remembers what it asked for and what went wrong."""

    def __init__(self, browser: Any, server: Server, **size: int) -> None:
        self.page = browser.new_page(viewport=size) if size else browser.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        self.page.goto(server.url)
        self.page.wait_for_selector("#emotone-model option", state="attached")

    def text(self, name: str) -> str:
        found: str = self.page.inner_text(f"#emotone-{name}")
        return found

    def upload(self, path: Path) -> None:
        self.page.set_input_files("#emotone-file", path)
        self.page.wait_for_selector("#emotone-answer:not([hidden])")

    def download(self, name: str) -> str:
        with self.page.expect_download() as started:
            self.page.click(f"#emotone-{name}")
        assert started.value.suggested_filename == f"emotone.{name}"
        return Path(started.value.path()).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser(recording: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    microphone = (
        "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}",
    )  # fmt: skip
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *microphone])
        yield started
        started.close()


@needs_browser
def test_an_upload_is_answered_drawn_and_downloaded(
    browser: Any, server: Server, recording: Path
) -> None:
    visit = Visit(browser, server)
    visit.upload(recording)
    whole = emotone.load().predict(recording)
    segments = emotone.load().segments(recording)
    doubt = "" if whole.confident else ", not sure"
    assert visit.text("label").replace("\xa0", " ") == (
        f"{whole.label}{doubt} ({100 * whole.confidence:.0f} %)"
    )
    bars = visit.text("bars").replace("\xa0", " ")
    for label, share in whole.probabilities.items():
        assert label in bars
        assert f"{100 * share:.0f} %" in bars
    said = visit.page.get_attribute("#emotone-timeline", "aria-label")
    assert "3 to 6 seconds: no speech" in said
    assert f"0 to 3 seconds: {segments[0].prediction.label}" in said  # type: ignore[union-attr]
    answer = json.loads(visit.download("json"))
    assert answer["label"] == whole.label
    assert len(answer["segments"]) == len(segments)
    rows = list(csv.DictReader(io.StringIO(visit.download("csv"))))
    assert [float(row["start"]) for row in rows] == [segment.start for segment in segments]
    assert rows[0]["label"] == segments[0].prediction.label  # type: ignore[union-attr]
    visit.page.select_option("#emotone-model", "emotone-8")
    visit.page.wait_for_selector("#emotone-bars li:nth-child(8)")
    assert visit.complaints == []
    assert all(url.startswith((server.url, "blob:")) for url in visit.asked)


@needs_browser
def test_live_audio_is_answered_while_one_talks(browser: Any, server: Server) -> None:
    visit = Visit(browser, server)
    visit.page.click("#emotone-talk")
    visit.page.wait_for_selector("#emotone-answer:not([hidden])", timeout=20_000)
    visit.page.wait_for_selector("#emotone-timeline rect:nth-of-type(21)")
    assert visit.page.get_attribute("#emotone-talk", "aria-pressed") == "true"
    visit.page.click("#emotone-talk")
    visit.page.wait_for_selector("#emotone-status:has-text('ended')")
    assert len(json.loads(visit.download("json"))["segments"]) >= 1
    assert visit.complaints == []


@needs_browser
def test_a_bad_file_a_sample_a_phone_and_the_keyboard(
    browser: Any, server: Server, tmp_path: Path
) -> None:
    visit = Visit(browser, server, width=375, height=700)
    (tmp_path / "bad.wav").write_bytes(b"no audio" * 99)
    visit.page.set_input_files("#emotone-file", tmp_path / "bad.wav")
    visit.page.wait_for_selector("#emotone-error:not([hidden])")
    assert "not audio that can be decoded" in visit.text("error")
    assert "send a WAV" in visit.text("error")
    for _ in range(20):  # reach the first sample by keyboard alone
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("document.activeElement.dataset.sample"):
            break
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#emotone-answer:not([hidden])")
    assert "(synthetic)" in visit.text("status")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 375
    unnamed = visit.page.evaluate(
        """[...document.querySelectorAll('input, select, audio, svg[role=img]')].filter(
            (one) => !(one.labels?.length || one.getAttribute('aria-label'))).length"""
    )
    assert unnamed == 0


@needs_browser
def test_labels_are_text(browser: Any, server: Server) -> None:
    label = '<img src=x onerror=alert(1)>, "odd"'
    answer = {
        "model": "m", "seconds": 1.0, "label": label, "confidence": 1.0, "confident": True,
        "probabilities": {label: 1.0},
    }  # fmt: skip
    visit = Visit(browser, server)
    page = visit.page
    page.route("**/v1/models", lambda route: route.fulfill(json=[{"name": "m", "labels": [label]}]))
    page.route("**/v1/predict?*", lambda route: route.fulfill(json=answer))
    segments = answer | {"segments": [answer | {"start": 0.0, "end": 1.0}]}
    page.route("**/v1/segments?*", lambda route: route.fulfill(json=segments))
    page.reload()
    page.wait_for_selector("#emotone-model option", state="attached")
    page.click("[data-sample='happiness.flac']")
    page.wait_for_selector("#emotone-answer:not([hidden])")
    assert label in visit.text("bars")
    assert page.locator("#emotone-timeline text").first.text_content() == label
    assert page.locator("main img").count() == 0
    (row,) = csv.DictReader(io.StringIO(visit.download("csv")))
    assert row["label"] == label
    assert visit.complaints == []


@needs_browser
def test_the_documentation_contacts_no_other_server(browser: Any, server: Server) -> None:
    asked: list[str] = []
    page = browser.new_page()
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{server.url}docs")
    page.wait_for_selector("#operations-default-predict_v1_predict_post")
    assert all(url.startswith((server.url, "data:")) for url in asked)
    assert complaints == []


def test_samples_are_synthetic_speech() -> None:
    assert {path.name for path in (FILES / "samples").iterdir()} == set(SAMPLES)
    for name, parts in SAMPLES.items():
        made = np.concatenate([utterance(*part) for part in parts])
        kept, rate = soundfile.read(FILES / "samples" / name, dtype="float32")
        assert rate == 16_000
        np.testing.assert_allclose(kept, made, atol=1 / 2**14)


@needs_browser
def test_a_browser_gives_the_token_as_a_password(browser: Any, tmp_path: Path) -> None:
    server = Server(tmp_path, "--token", "a long secret")
    assert httpx.get(server.url).status_code == 401
    password = {"username": "anyone", "password": "a long secret"}
    with browser.new_context(http_credentials=password) as context:
        visit = Visit(context, server)
        visit.page.click("[data-sample='happiness.flac']")
        visit.page.wait_for_selector("#emotone-answer:not([hidden])")
        visit.page.click("#emotone-talk")
        said = visit.page.locator("#emotone-status")
        said.filter(has_text=re.compile(r"^Live: \d+ s processed\.$")).wait_for()
    server.process.kill()
    server.process.wait()


@needs_browser
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_the_server_stops_while_the_page_is_open(
    browser: Any, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    server = Server(tmp_path, "--stop-s", "2")
    visit = Visit(browser, server)
    visit.page.click("#emotone-talk")
    visit.page.wait_for_selector("#emotone-status:has-text('recorded')")
    server.process.send_signal(sent)
    assert server.process.wait(timeout=10) == code
    assert [path.name for path in tmp_path.iterdir()] == []
