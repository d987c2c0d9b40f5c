"""Answers that are chosen among some of the model's emotions."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

import emotone
from emotone.audio import SAMPLE_RATE
from emotone.errors import UsageError
from emotone.inference.recognizer import Recognizer
from tests.helpers import emotone as command
from tests.helpers import one_line, spoken

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base() -> Recognizer:
    return emotone.load()


def test_probabilities_are_divided_by_their_sum(base: Recognizer) -> None:
    for seconds in (2.0, 25.0):  # within a part of 10 s, and the mean over several
        speech = (spoken(1, seconds), SAMPLE_RATE)
        whole = base.predict(speech).probabilities
        for labels in (["neutral", "anger"], "sadness, anger ,happiness"):
            chosen = base.with_only(labels)
            found = chosen.predict(speech)
            kept = {label: whole[label] for label in base.labels if label in labels}
            expected = {label: value / sum(kept.values()) for label, value in kept.items()}
            assert found.probabilities == pytest.approx(expected, abs=1e-6)
            assert list(found.probabilities) == chosen.labels  # in the order of the model
            assert found.confidence == max(found.probabilities.values())
            assert found.confident == (found.confidence >= base.threshold)
    assert base.labels == ["anger", "happiness", "neutral", "sadness"]


def test_every_answer_is_chosen_so(base: Recognizer) -> None:
    speech = (spoken(2, 4.0), SAMPLE_RATE)
    chosen = base.with_only(["anger", "neutral"])
    for segment in chosen.segments(speech):
        assert segment.prediction is not None
        assert set(segment.prediction.probabilities) == {"anger", "neutral"}
    assert emotone.load(only="anger,neutral").predict(speech) == chosen.predict(speech)
    assert pickle.loads(pickle.dumps(chosen)).predict(speech) == chosen.predict(speech)
    assert chosen.with_only(None).predict(speech) == base.predict(speech)
    embedding = chosen.predict(speech, embedding=True).embedding
    np.testing.assert_array_equal(embedding, base.predict(speech, embedding=True).embedding)


def test_emotions_without_any_probability_are_equally_probable(base: Recognizer) -> None:
    found = base.with_only("anger,sadness").prediction(np.array([0.0, 1.0, 0.0, 0.0]))
    assert found.probabilities == {"anger": 0.5, "sadness": 0.5}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("anger,neutrl", "does not know 'neutrl'; did you mean 'neutral'"),
        ("joyful,anger", "it knows anger, happiness, neutral, sadness"),
        ("anger", "expected two or more of anger, happiness, neutral, sadness .* got anger"),
        (["anger", "anger"], "got anger"),
        ([], "got none"),
    ],
)
def test_what_cannot_be_chosen_is_named(
    base: Recognizer, labels: str | list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        base.with_only(labels)


def test_the_command_records_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", spoken(1, 2.0), SAMPLE_RATE)
    out = tmp_path / "out.csv"
    asked: list[str | Path] = ["predict", tmp_path / "a.wav", "--output", out, "--only"]
    assert command(*asked, "anger,neutral").returncode == 0
    header = "file,label,confidence,confident,p_anger,p_neutral"
    assert out.read_text().splitlines()[0] == header
    record = json.loads((tmp_path / "out.csv.emotone.json").read_text())
    assert record["settings"]["labels"] == ["anger", "neutral"]
    assert "labels: ['anger', 'neutral'] found" in one_line(command(*asked, "anger,sadness"))
    assert "got anger" in one_line(command(*asked, "anger"))
