import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

import emotone
from emotone.corpora import synthetic
from emotone.errors import AudioError, ModelError, SpeechTypeError
from emotone.inference.neutral import centred, offsets
from emotone.inference.prediction import Prediction
from emotone.inference.provenance import settings_of
from emotone.inference.recognizer import Recognizer
from tests.helpers import emotone as command
from tests.helpers import one_line

SPEECH = [(synthetic.utterance(1, emotion, 0), 16_000) for emotion in ("neutral", "anger")]
REFERENCE = [-1.0, 0.0, 1.0]


def reference(recognizer: Recognizer) -> np.ndarray:
    """Without what its digits leave of a mean."""
    rounded = np.array(recognizer.config.neutral)
    return np.asarray(rounded - rounded.mean())


def logits(prediction: Prediction) -> np.ndarray:
    return centred(np.array(list(prediction.probabilities.values())))


@pytest.fixture(scope="module")
def base() -> Recognizer:
    return emotone.load()


def test_more_recordings_move_further_to_the_reference() -> None:
    answers = np.exp([[0.6, 0.0, -0.6]])  # a factor common to all does not matter
    difference = np.array([-1.6, 0.0, 1.6])
    for count in (1, 3):
        found = offsets(REFERENCE, np.repeat(answers, count, axis=0))
        np.testing.assert_allclose(found, difference * count / (count + 1), atol=1e-12)


def test_an_emotion_without_any_probability_has_a_finite_logit() -> None:
    assert np.isfinite(centred(np.array([0.0, 0.0, 1.0]))).all()


def test_neutral_speech_is_answered_half_way_to_that_of_others(base: Recognizer) -> None:
    """With one recording, and all other speech is moved as far."""
    hers = base.with_neutral(SPEECH[:1])
    before, after = ([logits(each.predict(one)) for one in SPEECH] for each in (base, hers))
    others = reference(base)
    assert np.argmax(others) == base.labels.index("neutral")
    np.testing.assert_allclose(after[0], (before[0] + others) / 2, atol=1e-6)
    np.testing.assert_allclose(after[1] - before[1], (others - before[0]) / 2, atol=1e-6)
    assert hers.with_neutral(SPEECH[:1]).predict(SPEECH[1]) == hers.predict(SPEECH[1])


def test_windows_and_streams_are_moved_too(base: Recognizer) -> None:
    hers = base.with_neutral(SPEECH[:1])
    (before,), (after,) = (each.segments(SPEECH[1], window=10, hop=10) for each in (base, hers))
    assert before.prediction is not None
    assert after.prediction is not None
    assert hers.offsets is not None
    moved_by = logits(after.prediction) - logits(before.prediction)
    np.testing.assert_allclose(moved_by, hers.offsets - hers.offsets.mean(), atol=1e-6)


def test_it_is_kept_by_copies_and_other_choices(base: Recognizer) -> None:
    hers = base.with_neutral(SPEECH[:1])
    answer = hers.predict(SPEECH[1])
    assert pickle.loads(pickle.dumps(hers)).predict(SPEECH[1]) == answer
    some = hers.with_only("anger,neutral").predict(SPEECH[1]).probabilities
    share = answer.probabilities["anger"] + answer.probabilities["neutral"]
    assert some["anger"] == pytest.approx(answer.probabilities["anger"] / share)
    assert base.with_only("anger,neutral").with_neutral(SPEECH[:1]).predict(
        SPEECH[1]
    ).probabilities == pytest.approx(some)
    assert "with_neutral" in repr(hers)
    assert "with_neutral" not in repr(base)


def test_another_speaker_has_another_neutral_voice(base: Recognizer) -> None:
    known = base.for_speaker(SPEECH)
    assert base.with_neutral(SPEECH[:1]).for_speaker(SPEECH).offsets is None
    hers = known.with_neutral(SPEECH[:1])
    before, after = (logits(each.predict(SPEECH[0])) for each in (known, hers))
    np.testing.assert_allclose(after, (before + reference(base)) / 2, atol=1e-6)


def test_an_output_says_that_it_was_made_with_a_reference(base: Recognizer) -> None:
    one, other = (base.with_neutral([speech]) for speech in SPEECH)
    assert "neutral" not in settings_of(base)  # so that outputs of before can be continued
    assert settings_of(one) == settings_of(base.with_neutral(SPEECH[:1]))
    assert settings_of(one)["neutral"] != settings_of(other)["neutral"]


def test_what_cannot_be_used_is_refused(base: Recognizer, recognizer: Recognizer) -> None:
    with pytest.raises(ModelError, match="train one that answers neutral with --calibrate"):
        recognizer.with_neutral(SPEECH)  # a model that was not calibrated
    with pytest.raises(SpeechTypeError, match="with_neutral takes"):
        base.with_neutral(SPEECH[0])  # type: ignore[arg-type]
    with pytest.raises(SpeechTypeError, match="several answers, got one; pass a list"):
        base.with_neutral(base.predict(SPEECH[0]).probabilities)
    with pytest.raises(AudioError, match="no neutral recording was given"):
        base.with_neutral([])
    with pytest.raises(AudioError, match="no speech"):
        base.with_neutral([(np.full(16_000, 1e-3, np.float32), 16_000)])


def test_the_command(base: Recognizer, tmp_path: Path) -> None:
    folder = tmp_path / "neutral"
    folder.mkdir()
    for name, (samples, rate) in zip((folder / "a.wav", tmp_path / "b.wav"), SPEECH, strict=True):
        soundfile.write(name, samples, rate, subtype="FLOAT")
    done = command("predict", tmp_path / "b.wav", "--neutral", folder, "--json")
    assert done.returncode == 0, done.stderr
    expected = base.with_neutral(SPEECH[:1]).predict(SPEECH[1])
    assert f'"confidence": {expected.confidence:.3f}'[:-1] in done.stdout
    done = command("predict", tmp_path / "b.wav", "--neutral", tmp_path / "c.wav")
    assert (done.returncode, "c.wav: no such file" in one_line(done)) == (1, True)
    done = command(
        "predict", folder / "a.wav", "--neutral", folder, "--report", tmp_path / "a.html"
    )
    assert "--neutral cannot be combined with" in one_line(done)
