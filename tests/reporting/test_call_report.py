"""The page of a call, as text and in a browser."""

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import emotone
from emotone.audio import SAMPLE_RATE
from emotone.corpora.synthetic import utterance
from emotone.errors import UsageError
from emotone.inference.call import Call, Turn, summary
from emotone.inference.formats import lines
from emotone.inference.prediction import Prediction
from emotone.inference.recognizer import Recognizer
from emotone.inference.spans import Span
from emotone.reporting import call_report
from tests.helpers import Links, one_line
from tests.helpers import emotone as command

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("call-page")]

NAME = "Ann </script><b>&"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def base() -> Recognizer:
    return emotone.load()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers, one after the other, each on a channel."""
    path = tmp_path_factory.mktemp("call") / "a <call>.wav"
    one, other = utterance(0, "anger", 0), utterance(1, "neutral", 0)
    parts = [np.stack([one, 0 * one], axis=1), np.stack([0 * other, other], axis=1)]
    soundfile.write(path, np.concatenate(parts), SAMPLE_RATE)
    return path


@pytest.fixture(scope="module")
def page(base: Recognizer, recording: Path) -> Path:
    turns = [Span(0, 1.5, NAME), Span(1.5, 1.6, NAME), Span(2.2, 3.5, "Bob")]
    call = base.call(recording, channels="split", turns=turns)
    path = recording.with_name("call.html")
    assert call_report.write(call, recording, base, path) == [path]
    assert not path.with_suffix(".mp3").exists()
    return path


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    values: dict[str, Any] = json.loads(found[1])
    return values


def test_the_page_stands_alone(page: Path, base: Recognizer, recording: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert links.found == []
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    assert text.count("</script>") == 2
    values = data_of(page)
    assert values["title"] == "a <call>.wav"
    assert [one["speaker"] for one in values["turns"]] == [NAME, NAME, "Bob"]
    assert [one["label"] is None for one in values["turns"]] == [False, True, False]
    assert set(values["colours"]) == set(base.labels)
    assert len(set(values["colours"].values())) == len(base.labels)
    sound = recording.with_name("sound.mp3")
    sound.write_bytes(base64.b64decode(values["embedded"]))
    assert soundfile.info(sound).duration == pytest.approx(values["seconds"], abs=0.2)
    assert len(sound.read_bytes()) < 8 * 1000 * values["seconds"]
    for track, speaker in enumerate(values["speakers"]):
        loud = np.array(values["peaks"][str(speaker["track"])])
        half = len(loud) * 1.9 / values["seconds"]
        own = loud[: int(half)] if track == 0 else loud[int(half) :]
        assert own.sum() > 0.95 * loud.sum()


def test_a_probability_is_rounded_once(base: Recognizer, recording: Path, tmp_path: Path) -> None:
    shares = {label: 0.22504 if label == "anger" else 0.0 for label in base.labels}
    sure = Prediction("neutral", shares | {"neutral": 0.77496}, confident=True)
    turn = Turn(0.0, 1.5, sure, "Bob")
    call = Call(3.5, [turn], [summary("Bob", [turn], base.labels, 3.5, 1, enrolled=False)])
    call_report.write(call, recording, base, tmp_path / "call.html")
    line = next(lines(recording, call, "table", []))
    assert " 77 %" in line
    found = data_of(tmp_path / "call.html")["turns"][0]["confidence"]
    assert f"{100 * found:.0f}" == "77"


def test_long_audio_is_beside_the_page(
    base: Recognizer, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_report, "EMBEDDED_S", 1.0)
    call = base.call(recording)
    path = tmp_path / "new" / "long.html"
    written = call_report.write(call, recording, base, path)
    assert written == [path, tmp_path / "new" / "long.mp3"]
    assert data_of(path)["beside"] == "long.mp3"
    assert "embedded" not in data_of(path)
    assert call_report.write(call, recording, base, path) == written  # emotone's own
    written[1].write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"long.mp3 exists and was not made by emotone"):
        call_report.write(call, recording, base, path)
    assert written[1].read_bytes() == b"mine"


def test_every_emotion_has_a_colour_of_its_own() -> None:
    labels = ["anger", "pride", "neutral", "shame"]
    found = call_report.colours(labels)
    assert list(found) == labels
    assert len(set(found.values())) == 4
    assert found["anger"] == call_report.colours(["anger"])["anger"]
    script = Path(emotone.__file__).parent / "serve" / "page" / "files" / "emotions.js"
    on_the_page = re.findall(r'(\w+): "(#\w{6})"', script.read_text())
    assert dict(on_the_page) == call_report.COLOURS


def test_the_command_writes_it(recording: Path, tmp_path: Path) -> None:
    page, out = tmp_path / "call.html", tmp_path / "out.csv"
    asked: list[str | Path] = ["predict", recording, "--channels", "split", "--output", out]
    for _ in range(2):  # then the output has the call already, and the page is still written
        page.unlink(missing_ok=True)
        done = command(*asked, "--report", page)
        assert done.returncode == 0, done.stderr
        assert f"report: {page}" in done.stderr
        assert len(data_of(page)["turns"]) == out.read_text().count("\n") - 1
    page.write_text("mine")
    assert "was not made by emotone" in one_line(command(*asked, "--report", page))
    assert page.read_text() == "mine"
    wrong: list[tuple[list[str | Path], str]] = [
        (["--report", tmp_path / "call.pdf"], "expected a name ending in .html"),
        ([recording, tmp_path / "b.wav", "--report", tmp_path / "c.html"], "is of one recording"),
    ]
    for extra, message in wrong:
        assert message in one_line(command("predict", recording, *extra))


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_playback_follows_in_a_browser(page: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        for width in (1280, 375):
            tab = browser.new_page(viewport={"width": width, "height": 800})
            faults: list[str] = []
            tab.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
            tab.on("console", lambda message, faults=faults: faults.append(message.text))
            tab.goto(page.as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            assert tab.locator(".lane .name").all_inner_texts() == [NAME, "Bob"]
            assert tab.locator("#rows tr").count() == 3
            inside = "one => one.parentElement.scrollWidth <= one.parentElement.clientWidth"
            assert tab.locator("#speakers").evaluate(inside)
            flows = tab.locator(".flow rect").evaluate_all(
                "all => all.map((one) => [one.x.baseVal.value, one.width.baseVal.value])"
            )
            shown = {(round(x, 2), round(x + width, 2)) for x, width in flows}
            answered = [turn for turn in data_of(page)["turns"] if turn["label"] is not None]
            assert shown == {(turn["start"], round(turn["end"], 2)) for turn in answered}
            tab.locator("#rows button").nth(2).click()
            tab.wait_for_function("document.querySelector('#rows tr.on td').innerText === '0:02.2'")
            assert tab.inner_text("#now").startswith("Bob: ")
            assert tab.evaluate("document.getElementById('audio').currentTime") >= 2.2
            tab.select_option("#by-speaker", label="Bob")
            assert tab.locator("#rows tr:visible").count() == 1
            tab.emulate_media(media="print")
            assert not tab.locator("#audio").is_visible()
            assert faults == []
        browser.close()
