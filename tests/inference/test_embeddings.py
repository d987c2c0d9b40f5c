"""Embeddings: of recordings, in files, from older models, and as input of other classifiers."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import soundfile
import torch

import emotone as package
from emotone import corpora
from emotone.corpora.synthetic import SyntheticOptions
from emotone.errors import AudioError, ModelError
from emotone.experiments.shipping import export
from emotone.inference.averaging import BATCH
from emotone.inference.recognizer import Recognizer
from emotone.models.weights import rebuilt
from tests.helpers import TINY, emotone, one_line, voice

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "embeddings.md"
SIZE = 3 * 2 * TINY["model"]["lstm"]  # mean, deviation and maximum of both directions


def tensors(waveform: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])


def test_an_embedding_is_the_network_s_summary(folder: Path, recognizer: Recognizer) -> None:
    network = rebuilt(folder)
    assert recognizer.embedding_size == SIZE
    for seconds in (0.03, 0.5, 7.3):
        waveform = voice(9, seconds)
        with torch.no_grad():
            expected = network.embed(*tensors(waveform))[0].numpy()
        found = recognizer.embed((waveform, 16_000))
        assert found.dtype == np.float32
        assert found.shape == (SIZE,)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        plain = recognizer.predict((waveform, 16_000))
        asked = recognizer.predict((waveform, 16_000), embedding=True)
        assert plain.embedding is None
        assert asked == plain  # embeddings are not compared
        assert np.array_equal(asked.embedding, found)  # type: ignore[arg-type]


def test_many_embeddings_come_in_order_among_errors(recognizer: Recognizer) -> None:
    speech = [(voice(n, 0.3 + 0.1 * n), 16_000) for n in range(BATCH + 3)]
    speech[4] = (np.zeros(16_000, np.float32), 16_000)
    answers = list(recognizer.predict_many(speech, embedding=True))
    assert isinstance(answers[4], AudioError)
    for number, (one, answer) in enumerate(zip(speech, answers, strict=True)):
        if isinstance(answer, AudioError):
            assert number == 4
            continue
        assert answer.embedding is not None
        np.testing.assert_allclose(answer.embedding, recognizer.embed(one), atol=1e-5)


def test_the_embedding_of_a_long_recording_is_the_mean_over_parts(
    recognizer: Recognizer,
) -> None:
    count, silent = 2 * BATCH + 1, {3, BATCH}
    windows = [voice(number, 10.0) * (0 if number in silent else 1) for number in range(count)]
    alone = [
        recognizer.embed((window, 16_000))
        for number, window in enumerate(windows)
        if number not in silent
    ]
    assert np.ptp(alone, axis=0).max() > 0.01  # so that a window more or less would show
    found = recognizer.predict((np.concatenate(windows), 16_000), embedding=True)
    np.testing.assert_allclose(found.embedding, np.mean(alone, axis=0), atol=1e-5)  # type: ignore[arg-type]
    assert sum(found.probabilities.values()) == pytest.approx(1)


def test_an_enrolled_speaker_changes_the_embedding(enrolling: Path) -> None:
    recognizer, network = package.load(enrolling), rebuilt(enrolling)
    recordings = [voice(n, 2.0) * np.float32(0.03) for n in range(5)]
    known = recognizer.for_speaker([(waveform, 16_000) for waveform in recordings])
    features = network.features
    moments = features.moments(features.log_mel(*tensors(one))[0][0] for one in recordings)
    waveform = voice(7, 1.0)
    with torch.no_grad():
        expected = network.embed(*tensors(waveform), features.enrolled(moments)[None])[0].numpy()
    found = known.embed((waveform, 16_000))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(found - recognizer.embed((waveform, 16_000))).max() > 0.01


@pytest.fixture
def old(folder: Path, tmp_path: Path) -> Path:
    """The model as emotone exported it before it had embeddings."""
    copy = tmp_path / "old"
    copy.mkdir()
    for path in folder.glob("[!.]*"):
        (copy / path.name).write_bytes(path.read_bytes())
    model = onnx.load(copy / "model.onnx")
    (extra,) = (output for output in model.graph.output if output.name == "embedding")
    model.graph.output.remove(extra)
    data = model.SerializeToString()
    (copy / "model.onnx").write_bytes(data)
    config = json.loads((copy / "config.json").read_text())
    config["sha256"]["model.onnx"] = hashlib.sha256(data).hexdigest()
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_a_model_without_embeddings_says_what_to_do_and_is_exported_with_them(
    old: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    speech = (voice(0, 1.0), 16_000)
    former = package.load(old)
    assert former.predict(speech) == recognizer.predict(speech)
    message = "gives no embeddings.*emotone export .*old --out NEW_FOLDER"
    for ask in (former.embed, lambda one: former.predict_many([one], embedding=True)):
        with pytest.raises(ModelError, match=message):
            ask(speech)
    soundfile.write(tmp_path / "a.wav", *speech)
    command = ("predict", tmp_path / "a.wav", "--embeddings", tmp_path / "a.parquet", "--model")
    assert "gives no embeddings" in one_line(emotone(*command, old))
    assert not (tmp_path / "a.parquet").exists()

    done = emotone("export", old, "--out", tmp_path / "new")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "config.json", "model.onnx", "model.safetensors", "MODEL_CARD.md",
        "fingerprints.bin",
    }  # fmt: skip
    renewed = package.load(tmp_path / "new")
    assert renewed.predict(speech) == former.predict(speech)
    np.testing.assert_allclose(renewed.embed(speech), recognizer.embed(speech), atol=1e-6)
    again = emotone("export", old, "--out", tmp_path / "new")
    assert again.returncode == 2
    assert "new exists; give --out a new folder" in one_line(again)
    assert export(old, tmp_path / "a.onnx").is_file()


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    root = tmp_path / "recordings"
    root.mkdir()
    for number in range(4):
        soundfile.write(root / f"{number}.wav", voice(number, 0.5 + number / 4), 16_000)
    (root / "broken.wav").write_bytes(b"no audio")
    return root


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_command_writes_the_embeddings_that_python_gives(
    folder: Path, recordings: Path, tmp_path: Path, jobs: str
) -> None:
    out = tmp_path / "e.parquet"
    command = ("predict", recordings, "--model", folder, "--jobs", jobs, "--embeddings", out)
    done = emotone(*command)
    assert done.returncode == 1
    assert "1 of 5 files could not be used" in done.stderr
    found = pd.read_parquet(out)
    answer = ["file", "label", "confidence", "confident", "p_anger", "p_neutral"]
    assert list(found) == [*answer, *(f"e{number}" for number in range(SIZE))]
    assert found["file"].tolist() == [str(recordings / f"{number}.wav") for number in range(4)]
    numbers = found.filter(regex=r"^e\d+$").to_numpy()
    assert numbers.dtype == np.float32
    expected = list(package.load(folder).predict_many(found["file"], embedding=True))
    for row, prediction in zip(numbers, expected, strict=True):
        assert not isinstance(prediction, AudioError)
        assert np.array_equal(row, prediction.embedding)  # type: ignore[arg-type]

    (recordings / "broken.wav").unlink()
    again = emotone(*command)  # continued
    assert again.returncode == 0, again.stderr
    assert "4 of 4 files are in" in again.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(out), found, atol=1e-6)
    emotone(*command[:-1], tmp_path / "e.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "e.csv"), found, check_dtype=False, atol=1e-6
    )


def test_the_command_writes_those_of_an_enrolled_speaker(
    enrolling: Path, recordings: Path, tmp_path: Path
) -> None:
    (recordings / "broken.wav").unlink()
    out = tmp_path / "e.parquet"
    done = emotone(
        "predict", recordings / "0.wav", "--model", enrolling, "--speaker", recordings,
        "--embeddings", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plain = package.load(enrolling)
    known = plain.for_speaker(sorted(recordings.iterdir()))
    found = pd.read_parquet(out).loc[0, "e0":].to_numpy(np.float32)
    np.testing.assert_allclose(found, known.embed(recordings / "0.wav"), atol=1e-6)
    assert np.abs(found - plain.embed(recordings / "0.wav")).max() > 1e-3


def test_what_embeddings_cannot_be_combined_with(recordings: Path) -> None:
    cases: list[tuple[tuple[str, ...], str]] = [
        (("e.jsonl",), "must end in .parquet or .csv"),
        (("e.PARQUET", "--segments"), "one row per file; leave out --segments"),
        (("e.parquet", "--json"), "exclude each other"),
        (("e.parquet", "--output", "a.csv"), "exclude each other"),
    ]
    for arguments, message in cases:
        wrong = emotone("predict", recordings, "--embeddings", *arguments)
        assert wrong.returncode == 2
        assert message in one_line(wrong)


def test_the_page_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``docs/how-to/embeddings.md``, on synthetic speech and with the model that ships."""
    monkeypatch.chdir(tmp_path)
    options = SyntheticOptions(root=Path("recordings"), speakers=6, utterances=12)
    table = corpora.read(options).table
    table[["file", "emotion", "speaker"]].to_csv("labels.csv", index=False)
    shutil.copy(table["file"].iloc[0], "new.wav")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    for language, code in blocks:
        if language == "sh":
            done = emotone(*code.split()[1:])
            assert done.returncode == 0, done.stderr
        else:
            exec(code, names)
    assert names["embeddings"].shape == (6 * 12, names["recognizer"].embedding_size)
    assert names["vector"].shape == (384,)
    right = (names["answers"] == names["table"]["emotion"]).mean()
    assert right > 0.6  # chance is 0.25
    expected = names["table"].set_index("file")["emotion"][table["file"].iloc[0]]
    assert names["classifier"].predict([names["vector"]])[0] == expected
