"""The models that ship with the package."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import emotone as package
from emotone import corpora
from emotone.audio.disturbances import coloured_noise, hum, music, surrounded
from emotone.errors import AudioError
from emotone.experiments.corpus_arguments import corpus_options
from emotone.inference import model_folder
from emotone.inference.hearing import Hearing
from emotone.models.weights import rebuilt
from tests.helpers import emotone, real_corpus, spoken

pytestmark = pytest.mark.slow

LABELS = {
    "emotone-base": ["anger", "happiness", "neutral", "sadness"],
    "emotone-8": [
        "anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"
    ],
}  # fmt: skip


def test_these_models_ship() -> None:
    assert {path.name for path in model_folder.MODELS.iterdir()} == set(LABELS)
    assert package.load().folder == model_folder.MODELS / "emotone-base"


@pytest.mark.parametrize("name", LABELS)
def test_a_shipped_model_is_whole_and_small(name: str) -> None:
    folder = model_folder.MODELS / name
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != ".lock"}
    names = {"config.json", "model.onnx", "model.safetensors", "MODEL_CARD.md"}
    assert names <= set(files) <= names | {"fingerprints.bin"}
    assert sum(files.values()) < 5e6
    assert b".py" not in (folder / "model.onnx").read_bytes()  # traces of where it was made
    assert package.load(name).labels == LABELS[name]
    network = rebuilt(folder)
    hears = Hearing(network.features.options.frames).window
    for seconds in (1.0, 4.7):
        waveform = spoken(1, seconds)
        heard = torch.from_numpy(hears(waveform))[None]
        with torch.no_grad():
            log_mel = network.features.log_mel(heard, torch.tensor([heard.shape[1]]))
            logits, embedding, _ = network.outputs(*log_mel)
        cooled = logits / model_folder.read(folder).temperature
        found = package.load(name).predict((waveform, 16_000), embedding=True)
        np.testing.assert_allclose(found.embedding, embedding[0].numpy(), atol=1e-4)  # type: ignore[arg-type]
        assert list(found.probabilities.values()) == pytest.approx(
            cooled.softmax(dim=1)[0].tolist(), abs=1e-4
        )


def test_gain_does_not_matter() -> None:
    recognizer = package.load()
    for seed in range(5):
        speech = spoken(seed, 2.0)
        loud = recognizer.predict((speech, 16_000)).probabilities
        quiet = recognizer.predict((speech * np.float32(0.05), 16_000)).probabilities
        assert quiet == pytest.approx(loud, abs=0.02)


def test_what_surrounds_speech_hardly_matters() -> None:
    recognizer, rng = package.load(), np.random.default_rng(0)
    for seed in range(3):
        speech = spoken(seed, 3.0)
        expected = recognizer.predict((speech, 16_000)).probabilities
        around = surrounded(speech, 2.0, 3.0)
        hiss = around + np.float32(1e-3) * coloured_noise(rng, len(around))  # -60 dBFS
        for changed in (around, hiss, around + np.float32(0.01)):
            found = recognizer.predict((changed, 16_000)).probabilities
            assert max(abs(found[label] - expected[label]) for label in expected) < 0.25
        assert recognizer.predict((around, 16_000)).probabilities == pytest.approx(
            expected, abs=0.1
        )


def test_what_is_not_speech_gets_no_emotion() -> None:
    rng = np.random.default_rng(0)
    for sound in (coloured_noise(rng, 48_000), hum(rng, 48_000), music(rng, 48_000)):
        with pytest.raises(AudioError, match="no speech found"):
            package.load().predict((0.1 * sound, 16_000))


@pytest.mark.parametrize(("name", "corpus"), [("emotone-base", "emodb"), ("emotone-8", "ravdess")])
def test_it_recognises_its_training_data(name: str, corpus: str) -> None:
    root = real_corpus(corpus)
    recognizer = package.load(name)
    table = corpora.read(corpus_options(corpus, [str(root)])).table
    table = table[table["emotion"].isin(recognizer.labels)].iloc[::12]
    answers = list(recognizer.predict_many(table["file"]))
    right = [
        not isinstance(answer, AudioError) and answer.label == emotion
        for answer, emotion in zip(answers, table["emotion"], strict=True)
    ]
    assert np.mean(right) > 0.75


def test_the_command_needs_no_model_no_torch_and_no_network(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", spoken(0, 2.0), 16_000)
    expected = package.load().predict(tmp_path / "a.wav").label
    assert emotone("predict", tmp_path / "a.wav").stdout.startswith(expected)
    code = (
        "import sys, socket; sys.modules['torch'] = None\n"
        "socket.socket.connect = None\n"
        f"import emotone; print(emotone.load().predict({str(tmp_path / 'a.wav')!r}).label)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr
