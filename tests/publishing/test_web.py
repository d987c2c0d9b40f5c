"""The static page: what is written, and in Chromium the answers of Python."""

import base64
import functools
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
import soundfile
import soxr
from typer.testing import CliRunner

import emotone
from emotone.audio import SAMPLE_RATE
from emotone.cli.app import app
from emotone.errors import AudioError, ModelError, UsageError
from emotone.inference.model_folder import MODELS
from emotone.publishing import npm
from emotone.publishing.web import write_page
from tests.helpers import spoken

CHROMIUM = shutil.which("chromium")
MODEL = MODELS / "emotone-base"
TOLERANCE = 1e-3  # of a probability; measured: 3e-5 for WAV and FLAC


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package in an empty cache folder, which does not have it yet."""
    monkeypatch.setattr(npm, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "emotone" / "onnxruntime-web-1.30.0.tgz"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small package in place of the pinned one."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, place in npm.FILES.items():
            entry = tarfile.TarInfo(place)
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    data = content.getvalue()
    integrity = base64.b64encode(hashlib.sha512(data).digest()).decode()
    monkeypatch.setattr(npm, "INTEGRITY", integrity)
    return data


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address of a registry, and the file that is its package."""
    path = tmp_path / "registry" / "onnxruntime-web" / "-" / "onnxruntime-web-1.30.0.tgz"
    path.parent.mkdir(parents=True)
    with served(tmp_path / "registry") as address:
        yield address, path


class served:  # noqa: N801
    """A static server of a folder, such as ``python -m http.server``."""

    def __init__(self, folder: Path) -> None:
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *arguments: Any) -> None:
                pass

        handler = functools.partial(Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/"

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_the_page_is_written_with_a_runtime_that_is_fetched_once(
    cache: Path, package: bytes, registry: tuple[str, Path], tmp_path: Path
) -> None:
    address, file = registry
    file.write_bytes(package)
    megabytes: list[None] = []
    index = write_page(
        MODEL, tmp_path / "page", registry=address, advance=lambda: megabytes.append(None)
    )
    assert len(megabytes) == 1
    assert cache.read_bytes() == package
    file.unlink()
    out = index.parent
    assert write_page(MODEL, out, registry=address) == index  # its own, from the cache
    assert (out / "ort.wasm").read_text() == "ort.wasm"
    assert (out / "model.onnx").read_bytes() == (MODEL / "model.onnx").read_bytes()
    about = json.loads((out / "model.json").read_text())
    assert about["labels"] == emotone.load().labels
    assert about["frames"] == "speech"
    assert (out / "page" / "page.css").is_file()
    assert "Silero" in (out / "silero_vad.LICENSE").read_text()
    assert "Microsoft" in (out / "LICENSES.txt").read_text()


def test_what_is_missing_is_said_in_one_line(
    cache: Path, package: bytes, registry: tuple[str, Path], tmp_path: Path
) -> None:
    address, file = registry
    arguments = ["export", "emotone-base", "--web", str(tmp_path / "page"), "--registry", address]
    result = CliRunner().invoke(app, arguments)
    said = str(result.exception)
    assert "onnxruntime-web 1.30.0, which cannot be had from" in said
    assert "404" in said
    assert said.endswith(f"put onnxruntime-web-1.30.0.tgz at {cache}")
    file.write_bytes(package[:-1])
    with pytest.raises(UsageError, match="SHA-512 differs"):
        write_page(MODEL, tmp_path / "page", registry=address)
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"another")
    with pytest.raises(UsageError, match="damaged or another version"):
        write_page(MODEL, tmp_path / "page", registry=address)
    assert not (tmp_path / "page").exists()


def test_the_registry_is_that_of_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "onnxruntime-web/-/onnxruntime-web-1.30.0.tgz"
    monkeypatch.delenv("npm_config_registry", raising=False)
    assert npm.address() == f"https://registry.npmjs.org/{place}"
    monkeypatch.setenv("npm_config_registry", "https://npm.example/mirror")
    assert npm.address() == f"https://npm.example/mirror/{place}"
    assert npm.address("http://localhost:1/") == f"http://localhost:1/{place}"
    with pytest.raises(UsageError, match="--registry: expected the address"):
        npm.address("file:///etc")


def test_other_folders_are_refused(cache: Path, package: bytes, tmp_path: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(package)
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("my own page")
    with pytest.raises(UsageError, match="holds other files"):
        write_page(MODEL, site)
    assert [path.name for path in site.iterdir()] == ["index.html"]
    write_page(MODEL, site, force=True)
    with pytest.raises(UsageError, match="is a file"):
        write_page(MODEL, site / "index.html")
    with pytest.raises(ModelError, match="not a model folder"):
        write_page(tmp_path, tmp_path / "page")
    with pytest.raises(UsageError, match="either --out or --web"):
        CliRunner().invoke(app, ["export", "emotone-base"], catch_exceptions=False)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page of emotone-base in a browser whose microphone plays speech."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    root = tmp_path_factory.mktemp("web")
    cached = platformdirs.user_cache_path("emotone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(npm, "user_cache_path", lambda name: cached)
        try:
            write_page(MODEL, root / "page", name="emotone-base")
        except UsageError as error:
            pytest.skip(f"needs ONNX Runtime Web: {error}")
    soundfile.write(root / "microphone.wav", spoken(1, 4.0), SAMPLE_RATE)
    flags = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"]
    flags += ["--use-fake-device-for-media-stream", "--disable-background-networking"]
    flags += [f"--use-file-for-fake-audio-capture={root / 'microphone.wav'}"]
    with served(root / "page") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        opened: Any = browser.new_page()
        complaints: list[str] = []
        asked: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda said: complaints.append(said.text))
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(address)
        opened.wait_for_selector("#emotone-file:not([disabled])")
        yield opened
        assert complaints == []
        assert all(url.startswith((address, "blob:", "data:")) for url in asked)
        browser.close()


def answered(page: Any, file: Path) -> dict[str, Any] | str:
    """The answer about a file, or the error."""
    page.set_input_files("#emotone-file", file)
    page.wait_for_selector("#emotone-answer:not([hidden]), #emotone-error:not([hidden])")
    if page.is_visible("#emotone-error"):
        return str(page.inner_text("#emotone-error"))
    with page.expect_download() as started:
        page.click("#emotone-json")
    found: dict[str, Any] = json.loads(Path(started.value.path()).read_text(encoding="utf-8"))
    return found


def at(rate: int, seconds: float = 2.0) -> Any:
    return soxr.resample(spoken(0, seconds), SAMPLE_RATE, rate)


STEREO = np.stack([at(44_100), -at(44_100)], axis=1)  # its channels cancel
PAUSES = np.concatenate([np.pad(spoken(one, 2.0), (0, 16_000)) for one in range(13)])


@pytest.mark.slow
@pytest.mark.xdist_group("web")
@pytest.mark.parametrize(
    ("name", "samples", "rate", "coding"),
    [
        ("16k.wav", at(16_000), 16_000, "PCM_16"),
        ("48k.wav", at(48_000), 48_000, "PCM_24"),
        ("22k.wav", at(22_050), 22_050, "PCM_U8"),
        ("8k.wav", at(8_000), 8_000, "PCM_32"),
        ("cancelling.wav", STEREO, 44_100, "FLOAT"),
        ("double.wav", at(16_000), 16_000, "DOUBLE"),
        ("32k.flac", at(32_000), 32_000, "PCM_16"),
        ("two blocks, three parts.wav", PAUSES, 16_000, "PCM_16"),
    ],
)
def test_the_browser_answers_as_python_does(
    page: Any, tmp_path: Path, name: str, samples: Any, rate: int, coding: str
) -> None:
    soundfile.write(tmp_path / name, samples, rate, subtype=coding)
    expected = emotone.load().predict(tmp_path / name)
    answer = answered(page, tmp_path / name)
    assert isinstance(answer, dict), answer
    assert answer["label"] == expected.label
    assert answer["confident"] == expected.confident
    assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=TOLERANCE)
    assert answer["seconds"] == pytest.approx(len(samples) / rate, abs=0.001)


@pytest.mark.slow
@pytest.mark.xdist_group("web")
def test_the_page_speaks_of_no_windows(page: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", spoken(0, 2.0), SAMPLE_RATE)
    answered(page, tmp_path / "call.wav")
    said = page.inner_text("#emotone-threshold").replace("\u00a0", " ")
    percent = round(100 * emotone.load().config.confident_from)
    assert said == f"Below {percent} % (the line), an answer is “not sure”."


@pytest.mark.slow
@pytest.mark.xdist_group("web")
def test_the_browser_refuses_what_python_refuses(page: Any, tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(48_000)
    spike = spoken(0, 1.0)
    spike[99] = 50
    soundfile.write(tmp_path / "noise.wav", noise, SAMPLE_RATE)
    soundfile.write(tmp_path / "short.wav", noise[:99], SAMPLE_RATE)
    soundfile.write(tmp_path / "spike.wav", spike, SAMPLE_RATE, subtype="FLOAT")
    content = (tmp_path / "noise.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[:20_000])
    (tmp_path / "text.wav").write_text("no audio")
    said = {
        "short": "too short",
        "spike": "full scale",
        "cut": "are missing; copy the file again",
        "text": "convert it to WAV",
    }
    for name, words in said.items():
        with pytest.raises(AudioError, match=words):
            emotone.load().predict(tmp_path / f"{name}.wav")
        assert words in answered(page, tmp_path / f"{name}.wav")
    answer = answered(page, tmp_path / "noise.wav")
    assert isinstance(answer, dict)
    assert answer["label"] is None
    assert answer["seconds"] == pytest.approx(len(noise) / SAMPLE_RATE)
    assert page.inner_text("#emotone-label") == "no speech"


@pytest.mark.slow
@pytest.mark.xdist_group("web")
def test_the_microphone_is_answered_on_a_narrow_screen(page: Any) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    page.click("#emotone-record")
    page.wait_for_selector("#emotone-status:has-text('Recording: 3')")
    page.click("#emotone-record")
    page.wait_for_selector("#emotone-answer:not([hidden])")
    assert page.inner_text("#emotone-label").partition(" ")[0] in emotone.load().labels
    assert page.locator("body").evaluate("body => body.scrollWidth") == 375
