import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from emotone.errors import AudioError, UsageError
from emotone.inference.averaging import BATCH
from emotone.inference.recognizer import Recognizer
from emotone.models.weights import rebuilt
from tests.helpers import voice

pytestmark = pytest.mark.slow


def test_answers_are_those_of_the_network(folder: Path, recognizer: Recognizer) -> None:
    network = rebuilt(folder)
    for seconds in (0.03, 0.5, 2.0, 7.3):
        waveform = voice(9, seconds)
        with torch.no_grad():
            logits = network(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))
        expected = logits.softmax(dim=1)[0].tolist()
        found = recognizer.predict((waveform, 16_000))
        assert list(found.probabilities.values()) == pytest.approx(expected, abs=1e-4)
        assert found.label == ("anger", "neutral")[int(np.argmax(expected))]
        assert found.confidence == max(found.probabilities.values())
        assert found.confident == (found.confidence >= 0.5)


def test_batch_and_order_change_nothing(recognizer: Recognizer, tmp_path: Path) -> None:
    speech = [(voice(n, 0.2 + 0.1 * (n % 7)), 16_000) for n in range(BATCH + 3)]
    alone = [recognizer.predict(one) for one in speech]
    for order in (range(len(speech)), range(len(speech) - 1, -1, -1)):
        for number, found in zip(
            order, recognizer.predict_many([speech[n] for n in order]), strict=True
        ):
            assert not isinstance(found, AudioError)
            assert found.probabilities == pytest.approx(alone[number].probabilities, abs=1e-5)


def test_a_file_at_another_rate_is_resampled(recognizer: Recognizer, tmp_path: Path) -> None:
    waveform = voice(3, 1.0, rate=48_000)
    soundfile.write(tmp_path / "stereo.flac", np.stack([waveform, waveform], axis=1), 48_000)
    found = recognizer.predict(tmp_path / "stereo.flac")
    expected = recognizer.predict((waveform, 48_000))
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-3)


def test_two_threads_get_right_answers(folder: Path) -> None:
    one, other = Recognizer(folder), Recognizer(folder, threads=2)
    speech = [(voice(n, 0.5), 16_000) for n in range(12)]
    expected = [one.predict(s).probabilities for s in speech]
    wrong: list[int] = []

    def work(recognizer: Recognizer) -> None:
        for number, s in enumerate(speech):
            if recognizer.predict(s).probabilities != pytest.approx(expected[number], abs=1e-5):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(r,)) for r in (one, other, one)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def call(seconds: float = 9.7) -> NDArray[np.float32]:
    """Voices that change, with a silence from 4 to 8 s."""
    parts = [voice(n, 1.0) for n in range(int(seconds) + 1)]
    waveform = np.concatenate(parts)[: round(seconds * 16_000)]
    waveform[4 * 16_000 : 8 * 16_000] = 0
    return waveform


def test_segments_are_predictions_of_windows(recognizer: Recognizer, tmp_path: Path) -> None:
    waveform = call()
    soundfile.write(tmp_path / "call.wav", waveform, 16_000, subtype="FLOAT")
    done: list[float] = []
    found = recognizer.segments(tmp_path / "call.wav", window=2.0, hop=1.0, advance=done.append)
    assert [segment.start for segment in found] == [0, 1, 2, 3, 4, 5, 6, 7, 7.7]
    assert found[-1].end == sum(done) == 9.7
    for segment in found:
        part = waveform[round(segment.start * 16_000) : round(segment.end * 16_000)]
        if segment.prediction is None:
            assert not part.any()
            continue
        expected = recognizer.predict((part, 16_000)).probabilities
        assert segment.prediction.probabilities == pytest.approx(expected, abs=1e-5)
    assert [segment.prediction is None for segment in found].count(True) == 3
    (short,) = recognizer.segments((waveform[:8000], 16_000))
    assert (short.start, short.end) == (0, 0.5)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
def test_a_stream_gives_the_answers_of_segments(recognizer: Recognizer, rate: int) -> None:
    rng = np.random.default_rng(rate)
    samples = (np.stack([voice(1, 8.3, rate), voice(2, 8.3, rate)], axis=1) * 2**15).astype("int16")
    expected = recognizer.segments((samples, rate), window=1.0, hop=0.4)
    stream, found, position = recognizer.stream(rate, window=1.0, hop=0.4), [], 0
    while position < len(samples):
        size = int(rng.integers(0, rate))
        now = stream.push(samples[position : position + size])
        position += size
        assert all(segment.end <= position / rate for segment in now)
        found += now
    found += stream.close()
    assert [(s.start, s.end) for s in found] == [(s.start, s.end) for s in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.prediction is not None
        assert other.prediction is not None
        assert one.prediction.probabilities == pytest.approx(
            other.prediction.probabilities, abs=1e-5
        )


def probabilities(recognizer: Recognizer, waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.array(list(recognizer.predict((waveform, 16_000)).probabilities.values()))


def test_a_recording_of_any_length_is_answered_by_its_parts(recognizer: Recognizer) -> None:
    """Parts of 10 s, the last of which ends with the recording; each sample counts once."""
    whole = np.concatenate([voice(number, 1.0) for number in range(25)])[: 243 * 1600]
    starts, weights = (0.0, 10.0, 14.3), (10.0, 10.0, 4.3)
    alone = [
        probabilities(recognizer, whole[round(start * 16_000) :][: 10 * 16_000]) for start in starts
    ]
    assert np.ptp(alone, axis=0).max() > 0.001  # so that another weight would show
    expected = np.average(alone, axis=0, weights=weights)
    np.testing.assert_allclose(probabilities(recognizer, whole), expected, atol=1e-5)


@pytest.mark.parametrize("seconds", [3, 10, 20, 30, 60])
def test_the_answer_does_not_jump_at_any_length(recognizer: Recognizer, seconds: float) -> None:
    whole = np.concatenate([voice(number, 1.0) for number in range(61)])
    shorter, longer = whole[: seconds * 16_000], whole[: seconds * 16_000 + 160]
    difference = probabilities(recognizer, shorter) - probabilities(recognizer, longer)
    assert np.abs(difference).max() < 0.01


def test_parts_without_sound_do_not_count(recognizer: Recognizer) -> None:
    silence, sound = np.zeros(10 * 16_000, np.float32), voice(0, 10.0)
    found = probabilities(recognizer, np.concatenate([silence, sound, silence]))
    np.testing.assert_allclose(found, probabilities(recognizer, sound), atol=1e-5)
    (silent,) = recognizer.predict_many([(np.zeros(40 * 16_000, np.int16), 16_000)])
    assert "silent throughout" in str(silent)


def test_the_mean_over_parts_spans_all_batches(recognizer: Recognizer) -> None:
    """17 parts of 10 s in three batches, two of them silent; each is recognised alone here."""
    count, silent = 2 * BATCH + 1, {BATCH - 1, BATCH}
    parts = [voice(number, 10.0) * (0 if number in silent else 1) for number in range(count)]
    alone = [probabilities(recognizer, part) for n, part in enumerate(parts) if n not in silent]
    assert np.ptp(alone, axis=0).max() > 0.001  # so that a part more or less would show
    found = probabilities(recognizer, np.concatenate(parts))
    np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)


def test_memory_does_not_grow_with_the_length(folder: Path, tmp_path: Path) -> None:
    minute = (voice(0, 60.0) * 2**15).astype(np.int16)
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 16_000, 1) as file:
        for _ in range(60):
            file.write(minute)
    code = (
        "import resource, emotone\n"
        f"recognizer = emotone.load({str(folder)!r})\n"
        f"recognizer.segments(({str(tmp_path)!r} + '/short.wav'), window=10, hop=10)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"found = recognizer.segments(({str(tmp_path)!r} + '/long.wav'), window=10, hop=10)\n"
        "assert len(found) == 360, len(found)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    soundfile.write(tmp_path / "short.wav", np.tile(minute, 4), 16_000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 50  # MiB; an hour of samples alone has 220


def test_memory_does_not_grow_with_the_overlap(folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", voice(0, 80.0), 16_000)
    code = (
        "import resource, emotone\n"
        f"recognizer = emotone.load({str(folder)!r})\n"
        f"path = {str(tmp_path / 'call.wav')!r}\n"
        "recognizer.segments(path, window=60, hop=60)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "found = recognizer.segments(path, window=60, hop=0.05)\n"
        "assert len(found) == 401, len(found)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 50  # MiB; 401 windows with samples of their own have 1470


UNUSABLE: list[tuple[Any, str]] = [
    ((np.zeros(16_000, np.float32), 16_000), "silent throughout"),
    ((voice(0)[:300], 16_000), r"18\.8 ms are too short .*; at least 25 ms"),
    ((np.zeros((2, 0)), 16_000), "holds no samples|channels"),
    ((np.full(16_000, np.nan), 16_000), "NaN"),
    ("gone.wav", "no such file"),
]


@pytest.mark.parametrize(("speech", "message"), UNUSABLE)
def test_unusable_speech_is_refused(recognizer: Recognizer, speech: Any, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        recognizer.predict(speech)
    (found,) = recognizer.predict_many([speech])
    assert isinstance(found, AudioError)


def test_importing_and_loading_change_nothing_around_them(folder: Path) -> None:
    code = (
        "import logging, os, signal, sys, threading\n"
        "def state(): return (dict(os.environ), os.getcwd(), logging.root.handlers[:],\n"
        "    logging.root.level, threading.active_count(),\n"
        "    [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)], sys.excepthook)\n"
        "before = state()\n"
        f"import emotone; recognizer = emotone.load({str(folder)!r})\n"
        "import numpy; recognizer.predict((numpy.ones(16000), 16000))\n"
        "assert state() == before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_telemetry_is_kept_or_sent(folder: Path, tmp_path: Path) -> None:
    # ONNX Runtime keeps what it would upload in these folders, unless it finds itself under test
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    environment = kept | dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(tmp_path))
    code = (
        "import os, numpy, emotone; before = dict(os.environ)\n"
        f"model = emotone.load({str(folder)!r})\n"
        "model.predict((numpy.random.default_rng(0).normal(0, 0.1, 16_000), 16_000))\n"
        "assert dict(os.environ) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []


def test_recognising_needs_no_torch_and_importing_is_light(folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(1, 1.0), 16_000)
    code = (
        "import sys; sys.modules['torch'] = None; import emotone\n"
        "assert not {'numpy', 'onnxruntime'} & set(sys.modules)\n"
        f"print(emotone.load({str(folder)!r}).predict({str(tmp_path / 'a.wav')!r}).label)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() in ("anger", "neutral"), done.stderr


def test_the_threshold_decides_what_is_confident(recognizer: Recognizer) -> None:
    speech = [(voice(n, 1.0), 16_000) for n in range(3)]
    own = recognizer.predict(speech[0])
    assert recognizer.threshold == recognizer.config.confident_from == 0.5
    assert own.confident
    for threshold, confident in (
        (own.confidence, True),
        (float(np.nextafter(own.confidence, 1)), False),
        (0, True),
        (1, False),
        (None, True),
    ):
        chosen = recognizer.with_threshold(threshold)
        found = chosen.predict(speech[0])
        assert found == replace(own, confident=confident)
        (segment,) = chosen.segments(speech[0])
        assert segment.prediction == found
    assert recognizer.threshold == 0.5
    strict = recognizer.with_threshold(1.0)
    assert strict.with_threshold(None).threshold == 0.5
    assert strict.with_threshold(np.float32(0.25)).threshold == 0.25  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [-0.01, 1.01, np.nan, np.inf, "0.5"])
def test_thresholds_that_are_no_probability_are_refused(
    recognizer: Recognizer, threshold: Any
) -> None:
    with pytest.raises(UsageError, match=f"must be a number from 0 to 1, got {threshold!r}"):
        recognizer.with_threshold(threshold)
