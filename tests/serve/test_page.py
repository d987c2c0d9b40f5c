"""The web page in a real browser, with a microphone that plays a file."""

import csv
import io
import itertools
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import soundfile

import emotone
from emotone.corpora.synthetic import utterance
from emotone.inference.formats import as_dict
from emotone.serve.page import FILES
from tests.helpers import spoken
from tests.serve.browsing import (
    CHROMIUM,
    CONTRASTS,
    QUIET,
    TARGETS,
    Server,
    Visit,
    needs_browser,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("page")]  # one fixture for all

SAMPLES = {
    "four-manners.flac": [
        (1, emotion, take)
        for emotion in ("anger", "neutral", "sadness", "happiness")
        for take in range(2)
    ],
    "happiness.flac": [(3, "happiness", take) for take in range(2)],
}
WIDTHS = (1280, 768, 375)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "secret name.wav"
    speech = np.concatenate([spoken(0, 2.5), np.zeros(16_000 * 4, np.float32), spoken(1, 2.5)])
    soundfile.write(path, speech, 16_000)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("temporary"))
    yield running
    running.kill()


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


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Visit]:
    visit = Visit(browser, server, viewport={"width": 1280, "height": 800})
    yield visit
    visit.page.close()


def said(answer: dict[str, Any]) -> str:
    """What the page says of an answer, be it of a recording or of a window."""
    if answer["label"] is None:
        return "no speech"
    doubt = "" if answer["confident"] else ", not sure"
    return f"{answer['label']} {int(100 * answer['confidence'] + 0.5)} %{doubt}"


def upload_of(server: Server, path: Path, kind: str = "predict") -> dict[str, Any]:
    found: dict[str, Any] = httpx.post(
        f"{server.url}v1/{kind}", files={"file": path.read_bytes()}, timeout=60
    ).json()
    return found


@needs_browser
def test_an_upload_is_answered_drawn_and_downloaded(
    visit: Visit, server: Server, recording: Path
) -> None:
    visit.upload(recording)
    whole = upload_of(server, recording)
    segments = upload_of(server, recording, "segments")["segments"]
    assert visit.text("label") == said(whole)
    assert visit.text("status") == f"secret name.wav: {said(whole)}."
    bars = visit.text("bars")
    for label, share in whole["probabilities"].items():
        assert f"{label}\n{int(100 * share + 0.5)} %" in bars
    visit.page.click("summary")
    rows = [row.split("\t") for row in visit.text("table").splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [
        (f"{one['start']:.1f} s", f"{one['end']:.1f} s") for one in segments
    ]
    assert [row[2] for row in rows] == [one["label"] or "no speech" for one in segments]
    assert "no speech" in [row[2] for row in rows]
    answer = json.loads(visit.download("json"))
    assert answer["file"] == "secret name.wav"
    assert answer["label"] == whole["label"]
    assert answer["segments"] == segments
    table = list(csv.DictReader(io.StringIO(visit.download("csv"))))
    assert [float(row["start"]) for row in table] == [one["start"] for one in segments]
    assert table[0]["label"] == segments[0]["label"]
    visit.page.select_option("#emotone-model", "emotone-8")
    visit.page.wait_for_selector("#emotone-bars li:nth-child(8)")
    eight = emotone.load("emotone-8").predict(recording)
    assert visit.text("label").startswith(f"{eight.label} ")
    assert visit.complaints == []
    assert all(url.startswith((server.url, "blob:", "data:")) for url in visit.asked)


@needs_browser
def test_live_audio_is_answered_while_one_talks_and_becomes_a_recording(visit: Visit) -> None:
    visit.page.click("#emotone-live")
    visit.wait("about", "Live, the last 3 s")
    visit.page.wait_for_selector("#emotone-timeline .bar")
    assert visit.page.get_attribute("#emotone-live", "aria-pressed") == "true"
    assert visit.page.is_hidden("#emotone-play")
    live = visit.page.locator("#emotone-table tbody tr").first.text_content()
    visit.page.click("#emotone-live")
    visit.wait("list", "Live ")
    visit.wait("play")
    assert visit.page.get_attribute("#emotone-live", "aria-pressed") == "false"
    assert visit.page.locator("#emotone-table tbody tr").first.text_content() == live
    answer = json.loads(visit.download("json"))
    assert answer["segments"][-1]["end"] == pytest.approx(answer["seconds"], abs=0.01)
    assert visit.complaints == []


@needs_browser
def test_what_is_recorded_is_sent_when_one_stops(visit: Visit) -> None:
    visit.page.click("#emotone-record")
    visit.wait("record", "Stop (0:02)")
    assert not any("/v1/predict" in url for url in visit.asked)
    visit.page.click("#emotone-record")
    visit.wait("list", "Recording ")
    visit.wait("course")
    answer = json.loads(visit.download("json"))
    assert 2 <= answer["seconds"] < 6
    assert answer["label"] is not None  # the microphone plays speech
    visit.page.click("#emotone-play")
    visit.wait("now", "0:01 / ")


@needs_browser
def test_answers_are_relative_to_a_neutral_reference(visit: Visit, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("neutral.wav", "other.wav")]
    for speaker, path in enumerate(paths):
        soundfile.write(path, spoken(speaker, 2.5), 16_000, subtype="FLOAT")
    alone = emotone.load()
    hers = alone.with_neutral([alone.predict(paths[0]).probabilities])
    before, after = (as_dict(one.predict(paths[1])) for one in (alone, hers))
    assert said(before) != said(after)

    def answers() -> list[str]:
        visit.wait("status", "2 recordings answered.")
        found = visit.page.locator("#emotone-list .said").all_text_contents()
        return [text.replace("\xa0", " ") for text in found]

    visit.upload(*paths)
    first = said(as_dict(alone.predict(paths[0])))
    assert answers() == [first, said(before)]
    visit.page.click("#emotone-neutral")
    assert visit.page.get_attribute("#emotone-neutral", "aria-pressed") == "true"
    assert answers() == [f"{first}, neutral reference", said(after)]
    visit.page.click("#emotone-list li:nth-child(2) button")
    visit.wait("about", "other.wav · 2.5 s · emotone-base · relative to neutral.wav")
    visit.wait("course")
    assert visit.page.get_attribute("#emotone-neutral", "aria-pressed") == "false"
    answer = json.loads(visit.download("json"))
    assert answer["relative_to"] == "neutral.wav"
    (window,) = answer["segments"]
    assert window["probabilities"] == pytest.approx(after["probabilities"], abs=1e-3)
    visit.page.click("#emotone-live")
    visit.wait("about", "Live, the last 3 s · relative to neutral.wav")
    assert visit.page.is_hidden("#emotone-neutral")
    visit.page.click("#emotone-live")
    visit.wait("list", "Live ")
    visit.wait("status", "3 recordings answered.")
    visit.page.click("#emotone-list li:nth-child(1) button")
    visit.page.click("#emotone-neutral")  # no longer
    visit.wait("status", "3 recordings answered.")
    found = visit.page.locator("#emotone-list .said").all_text_contents()
    assert [text.replace("\xa0", " ") for text in found[:2]] == [first, said(before)]
    assert visit.complaints == []


@needs_browser
def test_many_files_are_answered_and_one_error_stops_no_other(
    visit: Visit, recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no audio" * 99)
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.flac", spoken(number, 1.2), 16_000)
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000, np.float32), 16_000)
    paths = sorted(tmp_path.iterdir())
    visit.page.set_input_files("#emotone-file", paths)
    visit.wait("status", "6 recordings answered, 1 of them with an error.")
    names = visit.page.locator("#emotone-list .name").all_text_contents()
    assert names == [path.name for path in paths]
    texts = visit.page.locator("#emotone-list .said").all_text_contents()
    answers = dict(zip(names, texts, strict=True))
    assert answers["bad.wav"].startswith("error: not audio that can be decoded")
    assert answers["silence.wav"] == "no speech"
    assert "%" in answers["3.flac"]
    rows = list(csv.DictReader(io.StringIO(visit.download("all-csv"))))
    assert [row["file"] for row in rows] == [name for name in names if name != "bad.wav"]
    everything = json.loads(visit.download("all-json"))
    assert [one["file"] for one in everything if "error" in one] == ["bad.wav"]
    asked = [url for url in visit.asked if "/v1/segments" in url]
    assert len(asked) == 2  # of the first, which is looked at, and of the silent one
    visit.page.click("#emotone-list li:nth-child(3) button")
    visit.wait("about", "2.flac")
    visit.wait("course")
    visit.page.click("#emotone-clear")
    visit.wait("empty")
    assert visit.page.is_hidden("#emotone-recordings")


@needs_browser
def test_errors_name_the_file_and_say_once_what_to_do(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no audio" * 99)
    (tmp_path / "empty.wav").touch()
    visit.page.set_input_files("#emotone-file", [tmp_path / "bad.wav"])
    visit.wait("error")
    assert visit.text("error") == (
        "bad.wav: not audio that can be decoded, or damaged; convert it to WAV or copy it again."
    )
    visit.page.set_input_files("#emotone-file", [tmp_path / "empty.wav"])
    visit.wait("error", "empty.wav")
    assert visit.text("error") == (
        "empty.wav: the file is empty (0 bytes); copy or record it again."
    )
    visit.page.evaluate("document.querySelector('#emotone-model option').value = 'nobody'")
    visit.page.click("#emotone-live")
    visit.wait("error", "Live audio ended: unknown model; see /v1/models.")
    assert visit.page.get_attribute("#emotone-live", "aria-pressed") == "false"
    visit.page.route("**/v1/predict?*", lambda route: route.abort())
    visit.page.click("[data-sample='happiness.flac']")
    visit.wait("error", "Happiness (synthetic): the server does not answer; check that it runs")


@needs_browser
def test_a_busy_server_is_asked_again(visit: Visit) -> None:
    answers = iter((503, 429))

    def busy(route: Any) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            error = {"code": "busy", "message": "too many requests are waiting", "hint": "wait"}
            route.fulfill(status=status, json={"error": error}, headers={"Retry-After": "0.05"})

    visit.page.route("**/v1/predict?*", busy)
    visit.sample()
    assert "%" in visit.text("label")


@needs_browser
def test_recordings_are_dropped_on_the_page(visit: Visit, recording: Path) -> None:
    dropped = visit.page.evaluate_handle(
        """(bytes) => {
            const files = new DataTransfer();
            for (const name of ["a.wav", "b.wav"])
                files.items.add(new File([Uint8Array.from(bytes)], name));
            return files;
        }""",
        list(recording.read_bytes()),
    )
    visit.page.dispatch_event("body", "dragover", {"dataTransfer": dropped})
    assert "over" in visit.page.get_attribute("#emotone-drop", "class")
    visit.page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    assert "over" not in visit.page.get_attribute("#emotone-drop", "class")
    visit.wait("status", "2 recordings answered.")
    visit.wait("about", "a.wav")
    assert visit.complaints == []


@needs_browser
def test_playback_moves_along_the_timeline_and_a_click_seeks(
    visit: Visit, server: Server, recording: Path
) -> None:
    visit.upload(recording)
    segments = upload_of(server, recording, "segments")["segments"]
    cursor = visit.page.locator("#emotone-timeline .cursor")
    begin = float(cursor.get_attribute("x1"))
    assert visit.text("now") == f"0:00 / 0:09 · {said(segments[0])}"
    visit.page.click("#emotone-play")
    visit.wait("now", "0:01 / 0:09")
    assert float(cursor.get_attribute("x1")) > begin + 20
    assert visit.text("play") == "Pause"
    visit.page.click("#emotone-play")
    box = visit.page.locator("#emotone-timeline").bounding_box()
    visit.page.mouse.click(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
    visit.wait("now", f"0:08 / 0:09 · {said(segments[-1])}")
    assert visit.page.evaluate("document.querySelector('audio').currentTime") > 8.8
    visit.page.mouse.click(
        box["x"] + (box["width"] + begin) / 2, box["y"] + 10
    )  # in the middle, which is silent
    visit.wait("now", "0:04 / 0:09 · no speech")


@needs_browser
def test_everything_is_done_by_keyboard_alone(visit: Visit) -> None:
    keyboard = visit.page.keyboard
    visit.tab_to("#emotone-file")
    visit.tab_to("#emotone-model")
    keyboard.press("ArrowDown")
    visit.tab_to("[data-sample='happiness.flac']")
    keyboard.press("Enter")
    visit.wait("course")
    assert visit.page.locator("#emotone-bars li").count() == 8  # the second model
    visit.tab_to(".recording")
    keyboard.press("Enter")
    visit.tab_to("#emotone-play")
    keyboard.press("Space")
    visit.wait("play", "Pause")
    keyboard.press("Space")
    visit.wait("play", "Play")
    visit.tab_to("#emotone-timeline")
    keyboard.press("Home")
    visit.wait("now", "0:00 / 0:03")
    keyboard.press("ArrowRight")
    visit.wait("now", "0:01 / 0:03")
    assert visit.page.get_attribute("#emotone-timeline", "aria-valuetext").startswith(
        "0:01 of 0:03, "
    )
    assert visit.page.get_attribute("#emotone-timeline", "aria-valuenow") == "1.0"
    keyboard.press("End")
    visit.wait("now", "0:03 / 0:03")
    visit.tab_to("summary")
    keyboard.press("Enter")
    assert visit.page.is_visible("#emotone-table")
    visit.tab_to("#emotone-csv")
    for _ in range(40):
        keyboard.press("Shift+Tab")
        if visit.page.evaluate("document.activeElement.id") == "emotone-clear":
            break
    keyboard.press("Enter")
    visit.wait("status", "The list is empty.")
    assert visit.page.evaluate("document.activeElement.id") == "emotone-file"
    unnamed = visit.page.evaluate(
        """[...document.querySelectorAll("input, select, button, [role=slider]")].filter(
            (one) => !(one.labels?.length || one.ariaLabel || one.textContent)).length"""
    )
    assert unnamed == 0


@needs_browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_can_be_pressed_and_read(
    browser: Any, server: Server, conversation: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    visit = Visit(browser, server, viewport={"width": width, "height": 800}, color_scheme=scheme)
    (tmp_path / f"{'a-long-name-without-any-space' * 3}.wav").write_bytes(b"no audio" * 99)
    visit.page.select_option("#emotone-model", "emotone-8")
    visit.page.set_input_files("#emotone-file", list(tmp_path.iterdir()))
    visit.wait("error")
    visit.sample()
    visit.page.click("summary")
    visit.page.select_option("#emotone-voices", "split")
    visit.upload(conversation)
    visit.page.click("#emotone-list li:first-child button")
    visit.wait("error")
    for place in (2, 3, 3):  # with the error, with an answer, and with that of a call
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        small = [target for target in visit.page.evaluate(TARGETS) if target[1] < 44]
        assert small == []
        found = visit.page.evaluate(CONTRASTS)
        assert len(found) > 10
        assert [one for one in found if one[1] < 4.5] == []
        visit.page.click(f"#emotone-list li:nth-child({place}) button")
        visit.wait("course")
        top = "document.querySelector('#emotone-label').getBoundingClientRect().top"
        if width < 960:  # one column: the answer is below the list, and the page went there
            assert 0 <= visit.page.evaluate(top) < 400
    visit.page.close()


@needs_browser
def test_emotions_differ_in_greyscale_and_have_name_and_number(visit: Visit) -> None:
    labels = sorted(
        {label for name in ("emotone-base", "emotone-8") for label in emotone.load(name).labels}
    )
    colours = dict(
        visit.page.evaluate(
            "async (labels) => [...(await import('/page/emotions.js')).colours(labels)]",
            [*labels, "boredom", "mine", "yours"],
        )
    )
    assert len(set(colours.values())) == 9  # nine, and then from the beginning
    levels = sorted(_lightness(colours[label]) for label in [*labels, "boredom"])
    assert min(b - a for a, b in itertools.pairwise(levels)) > 6  # of 100; two are just noticeable
    visit.page.click("[data-sample='four-manners.flac']")
    visit.wait("course")
    drawn = visit.page.locator("#emotone-timeline text").all_text_contents()
    assert emotone.load().labels == drawn[:1] + [text for text in drawn[1:] if text.isalpha()]
    numbers = [text for text in drawn if re.fullmatch(r"\d+\??", text)]
    assert len(numbers) == visit.page.locator("#emotone-timeline .best").count() > 3


def _lightness(colour: str) -> float:
    """CIE L* of a colour, all that greyscale keeps of it."""
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16)


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call in which the second channel speaks first, and then the first."""
    path = tmp_path_factory.mktemp("call") / "call.flac"
    one, other = spoken(0, 3), spoken(1, 3)
    soundfile.write(path, np.block([[0 * one, one], [other, 0 * other]]).T, 16_000)
    return path


@needs_browser
def test_a_call_has_a_lane_and_a_summary_for_each_speaker(
    visit: Visit, server: Server, conversation: Path, recording: Path
) -> None:
    visit.tab_to("#emotone-voices")
    visit.page.keyboard.press("ArrowDown")
    visit.upload(conversation)
    call = upload_of(server, conversation, "call?channels=split")
    turns = call["turns"]
    assert [one["speaker"] for one in turns][:: len(turns) - 1] == ["channel 2", "channel 1"]
    assert visit.text("label") == f"2 speakers, {len(turns)} turns"
    assert visit.text("status") == f"call.flac: 2 speakers, {len(turns)} turns."
    summaries = visit.page.locator("#emotone-bars li")
    for one, summary in zip(call["speakers"], summaries.all_inner_texts(), strict=True):
        confident, answered = (int(one[key] + 0.5) for key in ("confident_seconds", "seconds"))
        plural = "" if one["turns"] == 1 else "s"
        said_of = f"{one['speaker']}, {one['turns']} turn{plural}, confident for {confident} of"
        assert f"{said_of} {answered}\xa0s" in summary
        for label, share in one["shares"].items():
            assert (f"{label} {int(100 * share + 0.5)}\xa0%" in summary) == (share > 0)
    lanes = visit.page.locator("#emotone-timeline .lane")
    assert lanes.all_text_contents() == ["channel 1", "channel 2"]
    waves = visit.page.locator("#emotone-timeline .wave").evaluate_all(
        "all => all.map((one) => one.getAttribute('d').match(/(?<=v)[0-9.]+/g).map(Number))"
    )
    halves = [np.array_split(wave, 2) for wave in waves]
    assert [begin.sum() < end.sum() for begin, end in halves] == [True, False]
    visit.page.focus("#emotone-timeline")
    visit.page.keyboard.press("ArrowRight")
    visit.wait("now", f"0:01 / 0:06 · channel 2: {said(turns[0])}".replace(" %", "\xa0%"))
    visit.page.click("summary")
    rows = [row.split("\t")[0] for row in visit.text("table").splitlines()[1:]]
    assert rows == [one["speaker"] for one in turns]
    assert json.loads(visit.download("json"))["turns"] == turns
    for name in ("csv", "all-csv"):
        table = list(csv.DictReader(io.StringIO(visit.download(name))))
        assert [(row["speaker"], float(row["start"])) for row in table] == [
            (one["speaker"], one["start"]) for one in turns
        ]
    assert visit.complaints == []


@needs_browser
def test_a_summary_says_how_the_second_half_of_a_call_differs(
    visit: Visit, server: Server, conversation: Path
) -> None:
    call = upload_of(server, conversation, "call?channels=split")
    call["speakers"][0] |= {
        "shares": {"anger": 0.25, "neutral": 0.75},
        "trend": {"anger": -0.5, "neutral": 0.5},
    }
    visit.page.route("**/v1/call*", lambda route: route.fulfill(json=call))
    visit.page.select_option("#emotone-voices", "split")
    visit.upload(conversation)
    (summary, *_) = visit.page.locator("#emotone-bars li").all_inner_texts()
    assert "neutral 75\xa0% (+50), anger 25\xa0% (−50)" in summary
    assert "in brackets, how many points more or less" in visit.text("threshold")


@needs_browser
def test_the_choice_of_calls_concerns_files_and_answers_them_again(
    visit: Visit, conversation: Path, recording: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.flac"
    sound, rate = soundfile.read(conversation)
    soundfile.write(half, sound * [1, 0], rate)
    visit.page.select_option("#emotone-voices", "split")
    visit.page.set_input_files("#emotone-file", [recording])
    visit.wait("error", "secret name.wav: 1 channel, where each speaker should have one, 2 to 8;")
    assert visit.text("error").endswith("; choose “One speaker”.")
    visit.sample()
    visit.wait("label", "happiness")
    visit.page.set_input_files("#emotone-file", [half])
    visit.wait("label", "2 speakers, ")
    assert "'channel 2': no speech found" in visit.text("threshold")
    assert "channel 2, 0 turns\nno confident turn" in re.sub(r"\s*\n\s*", "\n", visit.text("bars"))
    visit.page.select_option("#emotone-voices", "one")
    visit.wait("status", "3 recordings answered.")
    said = visit.page.locator("#emotone-list .said").all_text_contents()
    assert all("%" in one for one in said)
    visit.wait("course")
    assert visit.page.locator("#emotone-timeline .lane").count() == 0


@needs_browser
def test_labels_are_text(visit: Visit, conversation: Path) -> None:
    label = '<img src=x onerror=alert(1)>, "odd"'
    answer = {
        "model": "m", "seconds": 1.0, "label": label, "confidence": 1.0, "confident": True,
        "probabilities": {label: 1.0},
    }  # fmt: skip
    page = visit.page
    model = {"name": "m", "labels": [label], "confident_from": 0.5}
    page.route("**/v1/models", lambda route: route.fulfill(json=[model]))
    page.route("**/v1/predict?*", lambda route: route.fulfill(json=answer))
    part = answer | {"start": 0.0, "end": 1.0}
    page.route("**/v1/segments?*", lambda route: route.fulfill(json=answer | {"segments": [part]}))
    speaker = {
        "speaker": label, "channel": 1, "turns": 1, "seconds": 1.0, "confident_seconds": 1.0,
        "shares": {label: 1.0},
    }  # fmt: skip
    call = {"model": "m", "seconds": 1.0, "turns": [part | {"speaker": label}],
            "speakers": [speaker], "notes": [label]}  # fmt: skip
    page.route("**/v1/call?*", lambda route: route.fulfill(json=call))
    visit.open(page.url)
    visit.sample()
    assert label in visit.text("bars")
    assert label in visit.text("label")
    page.select_option("#emotone-voices", "split")
    visit.upload(conversation)
    visit.wait("label", "1 speaker, 1 turn")
    visit.wait("course")
    assert visit.text("bars").count(label) == 2
    assert label in visit.text("threshold")
    assert page.locator("#emotone-timeline text").first.text_content() == label
    assert page.locator("main img").count() == 0
    (row,) = csv.DictReader(io.StringIO(visit.download("csv")))
    assert row["label"] == row["speaker"] == label
    assert visit.complaints == []


@needs_browser
@pytest.mark.parametrize("width", WIDTHS)
def test_the_documentation_is_read_by_keyboard_and_contacts_no_other_server(
    browser: Any, server: Server, width: int
) -> None:
    asked: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 800})
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{server.url}docs")
    page.wait_for_selector(".opblock")
    groups = page.locator(".opblock-tag").evaluate_all("all => all.map((one) => one.dataset.tag)")
    assert groups == ["Recordings", "Live audio", "Models", "Operation"]
    opened = "#operations-Live_audio-stream"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(one) => document.activeElement.closest(one) !== null", opened):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{opened} .opblock-description")
    said = page.inner_text(opened)
    assert "websockets.sync.client" in said
    assert "no worker was free" in said
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert all(url.startswith((server.url, "data:")) for url in asked)
    assert complaints == []
    page.close()


def test_samples_are_synthetic_speech() -> None:
    assert {path.name for path in (FILES / "samples").iterdir()} == set(SAMPLES)
    for name, parts in SAMPLES.items():
        made = np.concatenate([utterance(*part) for part in parts])
        kept, rate = soundfile.read(FILES / "samples" / name, dtype="float32")
        assert rate == 16_000
        np.testing.assert_allclose(kept, made, atol=1 / 2**14)


def test_nothing_is_read_as_markup() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in FILES.glob("*.js")]
    assert len(scripts) > 5
    for text in scripts:
        assert (
            re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
            is None
        )


@needs_browser
def test_a_browser_gives_the_token_as_a_password(browser: Any, tmp_path: Path) -> None:
    server = Server(tmp_path, "--token", "a long secret")
    assert httpx.get(server.url).status_code == 401
    password = {"username": "anyone", "password": "a long secret"}
    with browser.new_context(http_credentials=password) as context:
        visit = Visit(context, server)
        visit.sample()
        visit.page.click("#emotone-live")
        visit.wait("about", "Live, the last 3 s")
    server.kill()


@needs_browser
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_the_server_stops_while_the_page_is_open(
    browser: Any, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    server = Server(tmp_path, "--stop-s", "2")
    visit = Visit(browser, server)
    visit.page.click("#emotone-live")
    visit.wait("live", "Stop (0:01)")
    server.process.send_signal(sent)
    assert server.process.wait(timeout=10) == code
    visit.wait("error", "Live audio ended: ")
    assert [path.name for path in tmp_path.iterdir()] == []
    visit.page.close()
