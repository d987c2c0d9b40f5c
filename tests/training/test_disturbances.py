import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from emotone import corpora
from emotone.audio import SAMPLE_RATE, Waveform, read
from emotone.audio.activity import only_speech
from emotone.audio.disturbances import speech_power
from emotone.audio.folders import search
from emotone.corpora import Corpus, synthetic
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError
from emotone.experiments.config import checked
from emotone.features import FeatureOptions, Features
from emotone.training.batching import Example, disturb, make_examples, stack, whole_utterances
from emotone.training.disturbances import DisturbanceOptions, Disturber, half
from emotone.training.options import TrainingOptions
from emotone.training.spectrograms import Spectrograms, load_or_compute
from tests.helpers import loudest_hz, tone

KINDS = ("room", "silence", "noise", "equaliser", "gain", "clip", "band", "codec")
NOTHING: dict[str, Any] = dict.fromkeys(KINDS, 0.0)
FEATURES = FeatureOptions(mels=16, hop_ms=20)


@pytest.fixture(scope="module")
def speech() -> Waveform:
    return synthetic.utterance(1, "sadness", 0)


def disturber(version: int = 0, **options: Any) -> Disturber:
    return Disturber(DisturbanceOptions.model_validate(NOTHING | options), version)


@pytest.mark.parametrize("kind", KINDS)
def test_each_disturbance_is_repeatable_and_differs_by_version(kind: str, speech: Waveform) -> None:
    once, again, other = (disturber(n, **{kind: 1.0})(speech) for n in (0, 0, 1))
    np.testing.assert_array_equal(once, again)
    assert once.dtype == np.float32
    assert np.isfinite(once).all()
    assert len(once) != len(other) or not np.allclose(once, other, atol=1e-4)
    changed = once / np.sqrt(speech_power(once)) * np.sqrt(speech_power(speech))
    assert len(once) != len(speech) or not np.allclose(changed, speech, atol=1e-3)


def test_without_any_disturbance_only_the_level_changes(speech: Waveform) -> None:
    changed = disturber()(speech)
    ratio = np.abs(changed).max() / np.abs(speech).max()
    np.testing.assert_allclose(changed, ratio * speech, atol=1e-6)
    assert 0.01 <= np.abs(changed).max() <= 1


def test_silence_is_put_around(speech: Waveform) -> None:
    longer = disturber(silence=1.0)(speech)
    added = (len(longer) - len(speech)) / SAMPLE_RATE
    assert 0.2 <= added <= 4
    assert not longer[: SAMPLE_RATE // 10].any()
    assert not longer[-SAMPLE_RATE // 10 :].any()


def test_every_second_file_is_kept_for_tests(tmp_path: Path) -> None:
    """Noise is a tone of 300 Hz in the files for training, and of 5000 Hz in the others."""
    (tmp_path / "in").mkdir()
    for name, hz in (("a", 300), ("b", 5000), ("in/c", 300), ("in/d", 5000)):
        soundfile.write(tmp_path / f"{name}.wav", tone(SAMPLE_RATE, 1.0, hz), SAMPLE_RATE)
    files = search(tmp_path).files
    assert [path.stem for path in half(files)] == ["a", "c"]
    assert [path.stem for path in half(files, test=True)] == ["b", "d"]
    used = disturber(noise=1.0, noise_folder=tmp_path).noises
    assert [round(loudest_hz(noise)) for noise in used] == [300, 300]
    rooms = disturber(room=1.0, room_folder=tmp_path).rooms
    assert [round(loudest_hz(room)) for room in rooms] == [300, 300]


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="noise_folder: no audio files in"):
        DisturbanceOptions(noise_folder=tmp_path)


@pytest.mark.parametrize("name", ["noise_folder", "room_folder"])
def test_one_recording_cannot_serve_training_and_tests(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(SAMPLE_RATE, 0.1, 300), SAMPLE_RATE)
    DisturbanceOptions.model_validate({"versions": 1, name: tmp_path})
    message = rf"{name}: 1 audio file in .*; at least 2 are needed, one half for training, the"
    with pytest.raises(ValueError, match=message):
        DisturbanceOptions.model_validate({"test": True, name: tmp_path})
    soundfile.write(tmp_path / "b.wav", tone(SAMPLE_RATE, 0.1, 300), SAMPLE_RATE)
    options = DisturbanceOptions.model_validate({"test": True, name: tmp_path})
    (tmp_path / "b.wav").unlink()  # after the configuration was checked
    with pytest.raises(CorpusError, match=r"1 audio file in .*; at least 2 are needed"):
        Disturber(options, 0, test=True)


def test_silent_recordings_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(1600), SAMPLE_RATE)
    options = DisturbanceOptions(versions=1, noise_folder=tmp_path)
    with pytest.raises(CorpusError, match="each file for training are silent; give recordings"):
        Disturber(options, 0)
    soundfile.write(tmp_path / "a.wav", tone(SAMPLE_RATE, 0.1, 300), SAMPLE_RATE)
    assert len(Disturber(options, 0).noises) == 1


def test_of_long_recordings_only_what_is_used_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, (25 * 8000, 2)), 8000)
    whole = read(tmp_path / "a.wav")
    ends: list[float | None] = []

    def counting(path: Path, start_s: float = 0.0, end_s: float | None = None) -> Waveform:
        ends.append(end_s)
        return read(path, start_s, end_s)

    monkeypatch.setattr("emotone.training.disturbances.read", counting)
    (noise,) = disturber(noise_folder=tmp_path).noises
    np.testing.assert_array_equal(noise, whole[: 20 * SAMPLE_RATE])
    assert ends == [21.0]


def test_folders_are_no_part_of_an_experiments_identity(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE)
    values = {"corpus": {"name": "synthetic"}}
    with_folder = {"disturb": {"versions": 2, "noise_folder": str(tmp_path)}}
    config = checked(values | {"training": with_folder}, "test")
    assert str(tmp_path) not in config.as_yaml()
    assert config.identity()["training"]["disturb"]["versions"] == 2


@pytest.fixture
def corpus(make_table: Callable[..., Path]) -> Corpus:
    return corpora.read(TableOptions(root=make_table()))


@pytest.fixture
def disturbed(corpus: Corpus, tmp_path: Path) -> Spectrograms:
    """Two versions of each utterance, with silence around."""
    options = DisturbanceOptions.model_validate(NOTHING | {"versions": 2, "silence": 1.0})
    return load_or_compute(corpus, Features(FEATURES), tmp_path / "kept", disturbances=options)


def test_versions_are_kept_beside_the_utterances(
    disturbed: Spectrograms, corpus: Corpus, tmp_path: Path
) -> None:
    clean = load_or_compute(corpus, Features(FEATURES), tmp_path / "clean")
    assert (clean.versions, disturbed.versions) == (0, 2)
    np.testing.assert_array_equal(disturbed.frames, clean.frames)
    assert disturbed.of_speakers(["s1"]) == clean.of_speakers(["s1"])
    restored = pickle.loads(pickle.dumps(disturbed))
    for number, file in enumerate(corpus.table["file"]):
        torch.testing.assert_close(disturbed[number], clean[number])
        for version in (1, 2):
            options = DisturbanceOptions.model_validate(NOTHING | {"silence": 1.0})
            waveform = torch.from_numpy(Disturber(options, version - 1)(read(file)))[None]
            expected, _ = Features(FEATURES).log_mel(waveform, torch.tensor([waveform.shape[1]]))
            found = torch.from_numpy(np.array(restored.version(number, version)))
            torch.testing.assert_close(found, expected[0])


def test_only_speech_is_kept_if_asked_for(tmp_path: Path) -> None:
    spoken = np.pad(synthetic.utterance(1, "anger", 0), (16_000, 16_000))
    rows = ["file,emotion,speaker"]
    for number, waveform in enumerate([spoken, tone(SAMPLE_RATE)]):
        soundfile.write(tmp_path / f"{number}.wav", waveform, SAMPLE_RATE, subtype="FLOAT")
        rows.append(f"{number}.wav,anger,s{number}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    corpus = corpora.read(TableOptions(root=tmp_path / "table.csv"))
    options = FEATURES.model_copy(update={"frames": "speech"})
    data = load_or_compute(corpus, Features(options), tmp_path / "kept")
    assert len(data[0]) == 1 + len(only_speech(spoken)) // options.hop
    assert len(data[1]) == 1 + SAMPLE_RATE // options.hop  # no speech found: all of it
    everything = load_or_compute(corpus, Features(FEATURES), tmp_path / "kept")
    assert len(everything[0]) == 1 + len(spoken) // options.hop


def test_a_share_of_the_examples_is_disturbed(disturbed: Spectrograms) -> None:
    examples = whole_utterances(disturbed, [0, 1, 2, 3]) * 200
    chosen = disturb(examples, disturbed, 0.75, np.random.default_rng(0))
    assert [one.utterance for one in chosen] == [one.utterance for one in examples]
    versions = np.bincount([one.version for one in chosen]) / len(chosen)
    np.testing.assert_allclose(versions, [0.25, 0.375, 0.375], atol=0.06)
    for one in chosen[:20]:
        assert len(one) == len(disturbed.version(one.utterance, one.version))
        stacked, _ = stack(disturbed, [one])
        expected = disturbed.version(one.utterance, one.version)
        np.testing.assert_array_equal(stacked[0], expected)
    assert disturb(examples, disturbed, 0, np.random.default_rng(0)) == examples


def test_the_version_for_tests_is_no_version_for_training(corpus: Corpus, tmp_path: Path) -> None:
    options = DisturbanceOptions.model_validate(NOTHING | {"versions": 1, "silence": 1.0})
    with_test = options.model_copy(update={"test": True})
    plain = load_or_compute(corpus, Features(FEATURES), tmp_path / "plain", disturbances=options)
    tested = load_or_compute(
        corpus, Features(FEATURES), tmp_path / "tested", disturbances=with_test
    )
    assert (plain.test_version, tested.test_version) == (None, 2)
    assert plain.versions == tested.versions == 1
    assert len(tested.version(0, 2)) != len(tested.version(0, 1))
    examples = disturb(whole_utterances(tested, [0] * 100), tested, 1.0, np.random.default_rng(0))
    assert {one.version for one in examples} == {1}
    whole, _ = make_examples(tested, [0], TrainingOptions(), 2)
    assert whole == [Example(0, 0, len(tested.version(0, 2)), 2)]
