"""Calls: each speaker on a channel, or in given turns."""

import csv
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import emotone
from emotone import Span
from emotone.audio import SAMPLE_RATE, Waveform
from emotone.audio.activity import only_speech
from emotone.corpora.synthetic import EMOTIONS, utterance
from emotone.errors import AudioError, UsageError
from emotone.inference.call import Turn, summary
from emotone.inference.dividing import at_pauses, in_windows, within
from emotone.inference.prediction import Prediction
from emotone.inference.recognizer import Recognizer
from tests.helpers import emotone as command
from tests.helpers import one_line

pytestmark = pytest.mark.slow

GAP_S = 0.8


@pytest.fixture(scope="module")
def base() -> Recognizer:
    return emotone.load()


def conversation(
    count: int = 8, gap_s: float = GAP_S
) -> tuple[NDArray[np.float32], list[Span], list[Waveform]]:
    """Two speakers who take turns, each on a channel; the turns, and the utterances alone."""
    channels: list[list[Waveform]] = [[], []]
    turns, alone, position = [], [], 0.0
    for number in range(count):
        speaker = number % 2
        speech = utterance(speaker, EMOTIONS[number % len(EMOTIONS)], number)
        gap = np.zeros(round(gap_s * SAMPLE_RATE), np.float32)
        for channel, kept in enumerate(channels):
            kept += [speech if channel == speaker else np.zeros_like(speech), gap]
        seconds = len(speech) / SAMPLE_RATE
        turns.append(Span(position, position + seconds, ("Ann", "Bob")[speaker]))
        alone.append(speech)
        position += seconds + gap_s
    return np.stack([np.concatenate(kept) for kept in channels], axis=1), turns, alone


@pytest.fixture(scope="module")
def made() -> tuple[NDArray[np.float32], list[Span], list[Waveform]]:
    return conversation()


@pytest.fixture
def files(tmp_path: Path, made: tuple[NDArray[np.float32], list[Span], list[Waveform]]) -> Path:
    samples, turns, _ = made
    soundfile.write(tmp_path / "call.wav", samples, SAMPLE_RATE)
    soundfile.write(tmp_path / "mono.wav", samples.sum(axis=1), SAMPLE_RATE)
    rows = "".join(f"{turn.start},{turn.end},{turn.speaker}\n" for turn in turns)
    (tmp_path / "turns.csv").write_text(f"start,end,speaker\n{rows}")
    return tmp_path


def probabilities(turn: Any) -> list[float]:
    assert turn.prediction is not None
    return list(turn.prediction.probabilities.values())


def test_each_channel_is_a_speaker_enrolled_with_their_speech(
    base: Recognizer, made: tuple[NDArray[np.float32], list[Span], list[Waveform]]
) -> None:
    samples, given, alone = made
    call = base.call((samples, SAMPLE_RATE), channels="split")
    assert call.seconds == pytest.approx(len(samples) / SAMPLE_RATE)
    assert [turn.speaker for turn in call.turns] == ["channel 1", "channel 2"] * 4
    for turn, expected in zip(call.turns, given, strict=True):
        assert expected.end is not None
        assert abs(turn.start - expected.start) < 0.3
        assert abs(turn.end - expected.end) < 0.3
    for number in range(2):
        own = [(speech, SAMPLE_RATE) for speech in alone[number::2]]
        known = base.for_speaker(own)
        for turn, speech in zip(call.turns[number::2], own, strict=True):
            expected_ = list(known.predict(speech).probabilities.values())
            assert probabilities(turn) == pytest.approx(expected_, abs=0.2)
            unknown = list(base.predict(speech).probabilities.values())
            assert probabilities(turn) != pytest.approx(unknown, abs=1e-4)
    assert [(one.channel, one.enrolled, one.turns) for one in call.speakers] == [
        (1, True, 4), (2, True, 4)
    ]  # fmt: skip


@pytest.mark.parametrize(("gap_s", "leak"), [(0.0, 0.05), (0.3, 0.05), (0.5, 0.01), (0.8, 0.01)])
def test_a_voice_that_leaks_into_the_other_channel_is_not_its_speaker(
    base: Recognizer, gap_s: float, leak: float
) -> None:
    """However short the pause between turns is."""
    samples = conversation(gap_s=gap_s)[0]
    samples += 1e-4 * np.random.default_rng(0).standard_normal(samples.shape, np.float32)
    clean = base.call((samples, SAMPLE_RATE), channels="split")
    leaking = base.call((samples + leak * samples[:, ::-1], SAMPLE_RATE), channels="split")
    for one, other in zip(clean.turns, leaking.turns, strict=True):
        assert one.speaker == other.speaker
        assert abs(one.start - other.start) < 0.1
        assert abs(one.end - other.end) < 0.1
        assert probabilities(one) == pytest.approx(probabilities(other), abs=0.15)


def test_given_turns_find_their_channel(
    base: Recognizer, made: tuple[NDArray[np.float32], list[Span], list[Waveform]]
) -> None:
    samples, turns, alone = made
    for order, channels in (([0, 1], {"Ann": 1, "Bob": 2}), ([1, 0], {"Ann": 2, "Bob": 1})):
        call = base.call((samples[:, order], SAMPLE_RATE), channels="split", turns=turns)
        assert {one.speaker: one.channel for one in call.speakers} == channels
        known = base.for_speaker([(np.concatenate(alone[::2]), SAMPLE_RATE)])
        expected = list(known.predict((alone[0], SAMPLE_RATE)).probabilities.values())
        assert probabilities(call.turns[0]) == pytest.approx(expected, abs=0.05)
    named = [Span(t.start, t.end, t.speaker, 2 if t.speaker == "Ann" else 1) for t in turns]
    found = base.call((samples, SAMPLE_RATE), channels="split", turns=named)
    assert {one.speaker: one.channel for one in found.speakers} == {"Ann": 2, "Bob": 1}
    assert {turn.prediction for turn in found.turns} == {None}  # the other one speaks there
    assert "'Ann': no speech found, so there is no answer" in found.notes
    with pytest.raises(
        AudioError, match="'Ann' is on channel 3; give each speaker one channel, from 1 to"
    ):
        base.call((samples, SAMPLE_RATE), channels="split", turns=[Span(0, 1, "Ann", 3)])
    with pytest.raises(AudioError, match="'Ann' is on channel 1 and 2; give each speaker one"):
        base.call(
            (samples, SAMPLE_RATE), channels="split",
            turns=[Span(0, 1, "Ann", 2), Span(1, 2, "Ann", 1), Span(2, 3, "Ann")],
        )  # fmt: skip
    some = [Span(t.start, t.end, t.speaker, 2 if k == 0 else None) for k, t in enumerate(turns)]
    found = base.call((samples, SAMPLE_RATE), channels="split", turns=some)
    assert {one.speaker: one.channel for one in found.speakers} == {"Ann": 2, "Bob": 2}


def test_turns_without_names_are_on_one_channel_and_a_note_says_so(
    base: Recognizer, made: tuple[NDArray[np.float32], list[Span], list[Waveform]]
) -> None:
    samples, turns, _ = made
    unnamed = [Span(turn.start, turn.end, "speaker") for turn in turns]
    call = base.call((samples, SAMPLE_RATE), channels="split", turns=unnamed)
    (speaker,) = call.speakers
    assert (
        f"the turns name no speaker, so all are answered on channel {speaker.channel}; name who "
        "speaks to have the other channels answered"
    ) in call.notes
    assert base.call((samples, SAMPLE_RATE), channels="split", turns=turns).notes == []


def test_turns_of_one_channel_are_recordings_of_their_own(
    base: Recognizer, made: tuple[NDArray[np.float32], list[Span], list[Waveform]]
) -> None:
    samples, turns, _ = made
    mono = samples.sum(axis=1)
    call = base.call((mono, SAMPLE_RATE), turns=turns)
    parts = [mono[turn.samples[0] : int(turn.samples[1])] for turn in turns]
    for number in range(2):
        enroller = base.enroller()
        for part in parts[number::2]:
            enroller.push(only_speech(part))
        known = base.for_speaker(enroller.speaker(base.config.features))
        for turn, part in zip(call.turns[number::2], parts[number::2], strict=True):
            expected = list(known.predict((part, SAMPLE_RATE)).probabilities.values())
            assert probabilities(turn) == pytest.approx(expected, abs=0.02)
    assert [(one.channel, one.enrolled) for one in call.speakers] == [(None, True)] * 2
    crossed = base.call((mono, SAMPLE_RATE), turns=[*turns, Span(1, 2, "Eve")])
    assert "2 turns have two speakers at once on one channel" in crossed.notes[0]
    enrolled = base.for_speaker([(parts[0], SAMPLE_RATE)])
    assert not any(one.enrolled for one in enrolled.call((mono, SAMPLE_RATE), turns=turns).speakers)


def test_windows_and_pauses_of_an_unknown_speaker(
    base: Recognizer, made: tuple[NDArray[np.float32], list[Span], list[Waveform]]
) -> None:
    samples = made[0]
    mono = base.call((samples.sum(axis=1), SAMPLE_RATE))
    assert {turn.speaker for turn in mono.turns} == {"speaker"}
    assert len(mono.turns) == 8
    (speaker,) = mono.speakers
    assert (speaker.enrolled, speaker.channel) == (False, None)
    split = base.call((samples, SAMPLE_RATE), channels="split", windows=(3, 1.5))
    expected = in_windows(len(samples), 3, 1.5)
    for name in ("channel 1", "channel 2"):
        times = [(turn.start, turn.end) for turn in split.turns if turn.speaker == name]
        assert times == [(a / SAMPLE_RATE, b / SAMPLE_RATE) for a, b in expected]
    assert any(turn.prediction is None for turn in split.turns)


def test_a_model_that_hears_everything_answers_calls(
    recognizer: Recognizer, made: tuple[NDArray[np.float32], list[Span], list[Waveform]]
) -> None:
    samples, turns, _ = made
    for call in (
        recognizer.call((samples, SAMPLE_RATE), channels="split"),
        recognizer.call((samples, SAMPLE_RATE), channels="split", turns=turns),
        recognizer.call((samples.sum(axis=1), SAMPLE_RATE), turns=turns),
    ):
        assert len(call.turns) == 8
        assert not any(one.enrolled for one in call.speakers)  # this model cannot
        mono = samples.sum(axis=1)
        for turn in call.turns:
            part = mono[round(turn.start * SAMPLE_RATE) : round(turn.end * SAMPLE_RATE)]
            expected = list(recognizer.predict((part, SAMPLE_RATE)).probabilities.values())
            assert probabilities(turn) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mono.wav", {"channels": "split"}, "mono.wav: 1 channel, where each speaker should have"),
        ("same.wav", {"channels": "split"}, "same.wav: all channels are the same"),
        ("louder.wav", {"channels": "split"}, "louder.wav: all channels are the same"),
        ("inverted.wav", {"channels": "split"}, "inverted.wav: all channels are the same"),
        ("quiet.wav", {"channels": "split"}, "quiet.wav: no speech found"),
        ("silent.wav", {"channels": "split"}, "silent.wav: no speech found"),
        ("call.wav", {"turns": [Span(0, 900, "Ann")]}, "0 s to 900 s is outside the recording"),
        ("none.wav", {"channels": "split"}, "none.wav: no such file"),
        ("short.wav", {"turns": [Span(0, 0.01, "Ann")]}, "short.wav: 10.0 ms are too short"),
    ],
)
def test_recordings_that_are_no_such_call(
    base: Recognizer, files: Path, name: str, options: dict[str, Any], message: str
) -> None:
    mono, _ = soundfile.read(files / "mono.wav")
    soundfile.write(files / "same.wav", np.stack([mono, mono], axis=1), SAMPLE_RATE)
    soundfile.write(files / "louder.wav", np.stack([0.6 * mono, mono], axis=1), SAMPLE_RATE)
    soundfile.write(files / "inverted.wav", np.stack([mono, -mono], axis=1), SAMPLE_RATE)
    soundfile.write(files / "silent.wav", np.zeros((SAMPLE_RATE, 2)), SAMPLE_RATE)
    quiet = np.zeros((SAMPLE_RATE, 2))
    quiet[::50, 0] = 1e-3
    soundfile.write(files / "quiet.wav", quiet, SAMPLE_RATE)
    soundfile.write(files / "short.wav", mono[:160], SAMPLE_RATE)
    with pytest.raises(AudioError, match=message):
        base.call(files / name, **options)


def test_options_that_exclude_each_other(base: Recognizer) -> None:
    for options, message in (
        ({"channels": "left"}, "channels must be 'mix' or 'split', got 'left'"),
        ({"turns": [Span(0, 1, "a")], "windows": (3, 1)}, "into turns or into windows"),
        ({"windows": (1, 2)}, "the hop must be"),
        ({"turns": [Span(0, 1)]}, "has no speaker"),
        ({"turns": []}, "no turns"),
    ):
        with pytest.raises(UsageError, match=message):
            base.call("call.wav", **options)


def test_a_channel_without_speech_is_said(base: Recognizer, files: Path) -> None:
    samples, _ = soundfile.read(files / "call.wav")
    samples[:, 1] = 0
    soundfile.write(files / "half.wav", samples, SAMPLE_RATE)
    done = command("predict", files / "half.wav", "--channels", "split", "--json")
    assert done.returncode == 0
    assert "half.wav: 'channel 2': no speech found, so there is no answer" in done.stderr
    speakers = {json.loads(line)["speaker"] for line in done.stdout.splitlines()}
    assert speakers == {"channel 1"}


def test_the_command_writes_a_row_per_turn(files: Path) -> None:
    out = files / "out.csv"
    asked: list[str | Path] = [
        "predict", files / "call.wav", "--channels", "split", "--output", out
    ]  # fmt: skip
    assert command(*asked, "--turns", files / "turns.csv").returncode == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert list(rows[0])[:5] == ["file", "start", "end", "speaker", "label"]
    assert [row["speaker"] for row in rows] == ["Ann", "Bob"] * 4
    record = json.loads((files / "out.csv.emotone.json").read_text())["settings"]
    assert (record["channels"], record["window"]) == ("split", None)
    assert "turns: " in one_line(command(*asked))
    assert "window: None found, 3.0 requested" in one_line(command(*asked, "--segments"))
    mixed = command("predict", files / "call.wav", "--output", out, "--turns", files / "turns.csv")
    assert "channels: split found, mix requested" in one_line(mixed)
    table = command("predict", files / "call.wav", "--turns", files / "turns.csv").stdout
    assert "call.wav: Ann, 4 turns, " in table
    parquet = files / "out.parquet"
    command("predict", files / "call.wav", "--channels", "split", "--output", parquet)
    assert parquet.is_file()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--speaker", "mono.wav"), "--speaker cannot be combined with --channels split"),
        (("--embeddings", "e.csv"), "--embeddings cannot be combined"),
        (("--plot", "p.png"), "--plot cannot be combined"),
        (("--segments", "--turns", "turns.csv"), "into turns or into windows"),
        (("mono.wav", "--turns", "turns.csv"), "is of one recording, got 2"),
        (("--turns", "none.csv"), "none.csv: cannot be read"),
    ],
)
def test_wrong_usage_is_one_line(
    files: Path, monkeypatch: pytest.MonkeyPatch, extra: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(files)
    done = command("predict", "call.wav", "--channels", "split", *extra)
    assert done.returncode == 2
    assert message in one_line(done)


def test_memory_does_not_grow_with_the_length(recognizer: Recognizer, tmp_path: Path) -> None:
    peaks = []
    for repeats in (6, 24):
        samples = np.tile(conversation(4)[0], (repeats, 1))
        soundfile.write(tmp_path / "long.wav", samples, SAMPLE_RATE)
        del samples
        tracemalloc.start()
        recognizer.call(tmp_path / "long.wav", channels="split")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_speech_is_divided_at_pauses() -> None:
    def seconds(*pairs: tuple[float, float]) -> list[tuple[int, int]]:
        return [(round(a * SAMPLE_RATE), round(b * SAMPLE_RATE)) for a, b in pairs]

    assert at_pauses(seconds((0, 1), (1.4, 2), (2.6, 3), (5, 5.3))) == [
        seconds((0, 1), (1.4, 2)), seconds((2.6, 3))
    ]  # fmt: skip
    long = at_pauses(seconds((0, 1), (1.4, 9), (9.3, 16)))
    assert long == [seconds((0, 1), (1.4, 9)), seconds((9.3, 16))]
    assert [len(part) for part in at_pauses(seconds((0, 40)))] == [1, 1, 1]
    many = seconds(*((0.5 * n, 0.5 * n + 0.4) for n in range(2000)))
    assert all(part[-1][1] - part[0][0] <= 15 * SAMPLE_RATE for part in at_pauses(many))
    assert within(seconds((0, 1), (2, 3)), *seconds((0.5, 2.5))[0]) == seconds((0, 0.5), (1.5, 2))


def turn(start: float, end: float, label: str | None, confident: bool = True) -> Turn:
    if label is None:
        return Turn(start, end, None, "Ann")
    found = dict.fromkeys(("anger", "neutral"), 0.1) | {label: 0.9}
    return Turn(start, end, Prediction(label, found, confident), "Ann")


def test_a_summary_counts_confident_time() -> None:
    turns = [
        turn(0, 1, "anger"), turn(2, 5, "neutral"), turn(6, 7, "anger", confident=False),
        turn(10, 14, None), turn(50, 53, "anger"), turn(60, 61, "anger"),
    ]  # fmt: skip
    found = summary("Ann", turns, ["anger", "neutral"], 80.0, 2, enrolled=True)
    assert (found.turns, found.seconds, found.confident_turns) == (6, 9, 5 - 1)
    assert found.confident_seconds == 8
    assert found.shares == {"anger": 5 / 8, "neutral": 3 / 8}
    assert found.trend == {"anger": 1 - 1 / 4, "neutral": -3 / 4}
    none = summary("Ann", turns[2:4], ["anger", "neutral"], 80.0, None, enrolled=False)
    assert (none.shares, none.trend) == ({"anger": 0, "neutral": 0}, None)
    overlapping = [turn(0, 3, "anger"), turn(1, 4, "anger")]
    assert summary("Ann", overlapping, ["anger"], 9, None, enrolled=False).seconds == 4
