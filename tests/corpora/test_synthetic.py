from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emotone import audio, corpora
from emotone.corpora.synthetic import EMOTIONS, SyntheticOptions, utterance
from emotone.errors import CorpusError
from emotone.evaluation import metrics


def example(root: Path) -> SyntheticOptions:
    return SyntheticOptions(root=root / "made", speakers=2, utterances=4)


def test_same_seed_same_speech() -> None:
    np.testing.assert_array_equal(utterance(3, "anger", 1), utterance(3, "anger", 1))
    assert not np.array_equal(utterance(3, "anger", 1)[:1000], utterance(3, "anger", 2)[:1000])
    assert not np.array_equal(
        utterance(3, "anger", 1)[:1000], utterance(3, "anger", 1, seed=1)[:1000]
    )


def mean_over_speakers(emotion: str, measure: str) -> float:
    values = []
    for speaker in range(8):
        speech = utterance(speaker, emotion, 0)
        spectrum = np.abs(np.fft.rfft(speech)) ** 2
        hz = np.fft.rfftfreq(len(speech), 1 / audio.SAMPLE_RATE)
        values.append(
            {
                "energy": float(10 * np.log10((speech**2).mean())),
                "seconds": len(speech) / audio.SAMPLE_RATE,
                "centroid": float((hz * spectrum).sum() / spectrum.sum()),
            }[measure]
        )
    return float(np.mean(values))


def test_emotions_change_the_voice_as_in_the_literature() -> None:
    for measure in ("energy", "centroid"):
        anger, neutral, sadness = (
            mean_over_speakers(emotion, measure) for emotion in ("anger", "neutral", "sadness")
        )
        assert anger > neutral > sadness, measure
    assert mean_over_speakers("sadness", "seconds") > mean_over_speakers("anger", "seconds")


def test_utterances_are_neither_clipped_nor_silent() -> None:
    for emotion in EMOTIONS:
        for speaker in range(6):
            speech = utterance(speaker, emotion, 0)
            assert 0.01 < np.abs(speech).max() < 0.96


def energy_statistics(file: str) -> tuple[float, float]:
    waveform = audio.read(file)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 400)[::160]
    energy = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    return float(energy.mean()), float(energy.std())


def test_energy_alone_does_not_separate_the_emotions(tmp_path: Path) -> None:
    corpus = corpora.read(SyntheticOptions(root=tmp_path / "made"))
    inputs = np.array([energy_statistics(file) for file in corpus.table["file"]])
    truth: NDArray[np.object_] = corpus.table["emotion"].to_numpy()
    speakers = corpus.table["speaker"].to_numpy()
    prediction = truth.copy()
    for speaker in corpus.speakers:
        test = speakers == speaker
        model = make_pipeline(StandardScaler(), LogisticRegression())
        prediction[test] = model.fit(inputs[~test], truth[~test]).predict(inputs[test])
    assert metrics.uar(truth.tolist(), prediction.tolist()) < 0.60


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(CorpusError, match="does not hold this synthetic corpus"):
        corpora.read(SyntheticOptions(root=tmp_path / "mine"))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    small = SyntheticOptions(root=tmp_path / "made", speakers=2, utterances=4)
    corpora.read(small)
    with pytest.raises(CorpusError, match=r"set corpus\.root to another folder"):
        corpora.read(small.model_copy(update={"seed": 1}))


def test_the_default_folder_is_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    corpus = corpora.read(SyntheticOptions(speakers=2, utterances=4))
    assert all(Path(file).is_relative_to(tmp_path) for file in corpus.table["file"])
