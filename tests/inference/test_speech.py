"""Speech as callers give it: what is taken, and what is refused with which words."""

import copy
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import emotone as package
from emotone.errors import AudioError, EmotoneError, ModelError, SpeechTypeError, UsageError
from emotone.inference import speech
from emotone.inference.prediction import Prediction, Segment
from emotone.inference.recognizer import Recognizer
from emotone.inference.speech import pieces
from tests.helpers import voice, wav

SAMPLES = voice(3, 1.0)


def waveform(given: Any) -> Any:
    return np.concatenate(list(pieces(given)))


def in_zip() -> Any:
    """A member of an archive, which is no file of the system."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.wav", wav(1.0, 3))
    return zipfile.ZipFile(archive).open("a.wav")


@pytest.mark.parametrize(
    "given",
    [
        lambda: wav(1.0, 3),
        lambda: bytearray(wav(1.0, 3)),
        lambda: memoryview(wav(1.0, 3)),
        lambda: io.BytesIO(wav(1.0, 3)),
        in_zip,
    ],
)
def test_content_is_read_as_the_file_is(tmp_path: Path, given: Callable[[], Any]) -> None:
    (tmp_path / "a.wav").write_bytes(wav(1.0, 3))
    expected = waveform(tmp_path / "a.wav")
    assert len(expected) == 16_000
    assert np.array_equal(waveform(given()), expected)
    assert np.array_equal(waveform(str(tmp_path / "a.wav")), expected)
    with (tmp_path / "a.wav").open("rb") as file:
        assert np.array_equal(waveform(file), expected)


@pytest.mark.parametrize("rate", [16_000, np.int64(8000)])
def test_samples_and_rate_come_in_either_order(rate: Any) -> None:
    expected = waveform((SAMPLES, rate))
    assert len(expected) == pytest.approx(16_000 * 16_000 / rate, abs=2)
    for given in (
        (rate, SAMPLES),
        [SAMPLES, rate],
        (SAMPLES.tolist(), rate),
        (torch.from_numpy(SAMPLES), rate),
    ):
        assert np.array_equal(waveform(given), expected)


def test_temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    waveform(wav())
    with pytest.raises(AudioError):
        waveform(b"no audio")
    assert list(tmp_path.iterdir()) == []


def closed() -> io.BytesIO:
    file = io.BytesIO(wav())
    file.close()
    return file


def read_before() -> io.BytesIO:
    file = io.BytesIO(wav())
    file.read()
    return file


UNUSABLE: list[tuple[Callable[[], Any], str]] = [
    (lambda: b"no audio", "^the bytes: not audio that can be decoded"),
    (lambda: b"", "^the bytes: nothing in it; give an audio file"),
    (lambda: io.BytesIO(b"x" * 99), "^the file object: not audio"),
    (read_before, r"^the file object: nothing in it; .*call seek\(0\)"),
    (closed, "^the file object: cannot read it .*closed file"),
    (lambda: (SAMPLES, 16_000.5), "positive whole number of Hz, got 16000.5"),
    (lambda: (SAMPLES, True), "positive whole number of Hz, got True"),
    (lambda: (["a", "b"], 16_000), "expected real numbers"),
]


@pytest.mark.parametrize(("given", "message"), UNUSABLE)
def test_what_is_no_audio_is_named_as_the_caller_knows_it(
    given: Callable[[], Any], message: str
) -> None:
    with pytest.raises(AudioError, match=message) as raised:
        waveform(given())
    assert not isinstance(raised.value, TypeError)
    assert "/emotone-" not in str(raised.value)


def test_a_file_object_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x" * 99)
    with (
        (tmp_path / "a.wav").open("rb") as file,
        pytest.raises(AudioError, match=r"^\S+/a\.wav: not audio"),
    ):
        waveform(file)


WRONG: list[tuple[Any, str]] = [
    (None, "got NoneType; see Recognizer.predict"),
    (float("nan"), "got float"),
    (SAMPLES, r"got ndarray; an array needs its sampling rate, \(samples, rate\)"),
    (["a.wav", "b.wav", "c.wav", "d.wav"], r"list of 4 \(str, str, str, …\); .* predict_many"),
    ((SAMPLES, SAMPLES), r"got tuple of 2 \(ndarray, ndarray\)"),
    ((16_000, 8000), r"got tuple of 2 \(int, int\)"),
    ((SAMPLES, "16000"), r"got tuple of 2 \(ndarray, str\)"),
    (([[1.0, 2.0], [1.0]], 16_000), "the samples cannot be read as an array"),
    ((torch.zeros(9, requires_grad=True), 16_000), "cannot be read as an array: .*requires grad"),
    (io.StringIO("text"), "the file object: expected bytes .* got str; open the file in binary"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_what_is_no_speech_is_a_type_error_of_the_product(given: Any, message: str) -> None:
    with pytest.raises(SpeechTypeError, match=message) as raised:
        waveform(given)
    assert isinstance(raised.value, TypeError)
    assert isinstance(raised.value, EmotoneError)


def test_a_wrong_entry_does_not_end_the_batch(recognizer: Recognizer) -> None:
    with pytest.raises(TypeError, match="expected a path"):
        recognizer.predict(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a path"):
        recognizer.segments(None)  # type: ignore[arg-type]
    mixed: list[Any] = [wav(1.0, 1), None, (voice(1, 1.0), 16_000), io.BytesIO(wav(1.0, 1))]
    first, wrong, second, third = recognizer.predict_many(mixed)
    assert isinstance(wrong, SpeechTypeError)
    for answer in (first, second, third):
        assert isinstance(answer, Prediction)
        assert answer.probabilities == pytest.approx(
            recognizer.predict(wav(1.0, 1)).probabilities, abs=1e-3
        )


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("a.wav", r"got one, a\.wav; pass a list"),
        (Path("a.wav"), r"got one, a\.wav; pass a list"),
        (b"RIFF", "got one, the bytes; pass a list"),
        (io.BytesIO(b"RIFF"), "got one, the file object; pass a list"),
        ((SAMPLES, 16_000), "got one, the array; pass a list"),
        (SAMPLES, "got one, the array; pass a list"),
        (None, "takes a list of recordings, got NoneType"),
    ],
)
def test_one_recording_instead_of_several_is_refused_at_once(
    recognizer: Recognizer, enrolling: Path, given: Any, what: str
) -> None:
    with pytest.raises(SpeechTypeError, match=f"predict_many takes.*{what}|predict_many {what}"):
        recognizer.predict_many(given)
    with pytest.raises(SpeechTypeError, match="for_speaker takes"):
        package.load(enrolling).for_speaker(given)


def test_paths_in_an_array_are_several_recordings() -> None:
    paths = np.array(["a.wav", "b.wav"])
    assert speech.several(paths, "predict_many") is paths


def test_a_stream_is_not_used_after_it_was_closed(recognizer: Recognizer) -> None:
    stream = recognizer.stream(16_000)
    stream.push(SAMPLES)
    (last,) = stream.close()
    assert last.end == 1.0
    uses: list[Callable[[], Any]] = [lambda: stream.push(SAMPLES), stream.close]
    for use in uses:
        with pytest.raises(UsageError, match=r"was closed; start another one with Recognizer\.str"):
            use()


def test_copies_answer_alike(enrolling: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(enrolling.parent)
    plain = package.load(enrolling.name)  # relative, but found from anywhere afterwards
    known = plain.for_speaker([(voice(n, 2.0) * np.float32(0.03), 16_000) for n in range(3)])
    given = (SAMPLES, 16_000)
    assert known.predict(given) != plain.predict(given)
    pickled = pickle.dumps(known)
    assert len(pickled) < (enrolling / "model.onnx").stat().st_size / 4
    monkeypatch.chdir(os.sep)
    for again in (pickle.loads(pickled), copy.deepcopy(known), copy.copy(known)):
        assert again is not known
        assert again.predict(given) == known.predict(given)
    assert pickle.loads(pickle.dumps(plain)).predict(given) == plain.predict(given)
    assert copy.copy(known)._session is known._session
    assert pickle.loads(pickle.dumps(known.with_threshold(0.9))).threshold == 0.9


def test_a_copy_of_a_model_that_is_gone_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    pickled = pickle.dumps(Recognizer(tmp_path / "model"))
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(ModelError, match="is not a model folder"):
        pickle.loads(pickled)


def test_a_recogniser_says_what_it_is(enrolling: Path) -> None:
    plain = package.load(enrolling)
    shown = f"Recognizer({str(enrolling)!r}, labels=['anger', 'neutral'], threshold=0.5)"
    assert repr(plain) == shown
    known = plain.for_speaker([(voice(n), 16_000) for n in range(3)])
    assert repr(known).endswith("threshold=0.5, speaker=<3 recordings>)")


def test_a_prediction_as_a_dictionary_holds_plain_values() -> None:
    probabilities = {"anger": 0.75, "neutral": 0.25}
    plain = Prediction("anger", probabilities, confident=True)
    expected = {
        "label": "anger", "confidence": 0.75, "confident": True, "probabilities": probabilities
    }  # fmt: skip
    assert plain.to_dict() == expected
    plain.to_dict()["probabilities"].clear()
    assert plain.probabilities == probabilities
    embedded = Prediction("anger", probabilities, True, np.array([0.5, 2], np.float32))
    assert json.loads(json.dumps(embedded.to_dict())) == expected | {"embedding": [0.5, 2.0]}


def test_an_encoded_recording_of_any_length_is_taken(recognizer: Recognizer) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.tile(voice(0, 3.0), 12), 16_000, format="FLAC")
    whole = recognizer.predict(file.getvalue())
    assert whole.probabilities == pytest.approx(
        recognizer.predict((voice(0, 3.0), 16_000)).probabilities, abs=1e-3
    )
    assert len(recognizer.segments(file.getvalue(), window=3, hop=3)) == 12


def test_a_segment_is_plain_python() -> None:
    spoken = Segment(0.0, 3.0, Prediction("anger", {"anger": 0.75, "calm": 0.25}, True))
    assert json.loads(json.dumps(spoken.to_dict())) == {
        "start": 0.0, "end": 3.0, "label": "anger", "confidence": 0.75, "confident": True,
        "probabilities": {"anger": 0.75, "calm": 0.25},
    }  # fmt: skip
    nothing = {"label": None, "confidence": None, "confident": None, "probabilities": None}
    assert Segment(1.0, 2.0, None).to_dict() == {"start": 1.0, "end": 2.0} | nothing
