import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import torch
import yaml
from numpy.typing import NDArray

import emotone as package
from emotone import audio
from emotone.errors import AudioError, ModelError, UsageError
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.shipping import rebuilt, train
from emotone.inference import model_folder
from emotone.inference.recognizer import BATCH, Recognizer, Speaker
from tests.helpers import TINY, Recorder, emotone, one_line, voice


def test_a_model_folder_holds_what_the_design_says(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()} - {".lock"}
    assert names == {"config.json", "model.onnx", "model.safetensors", "MODEL_CARD.md"}
    config = model_folder.read(folder)
    assert config.labels == ("anger", "neutral")
    assert config.training["utterances"] == 8
    assert "8 " in (folder / "MODEL_CARD.md").read_text()
    assert str(folder.parent) not in (folder / "config.json").read_text()


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


def test_a_file_at_another_rate_is_heard_alike(recognizer: Recognizer, tmp_path: Path) -> None:
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


def test_what_is_long_is_heard_in_windows_without_its_silence(recognizer: Recognizer) -> None:
    waveform = np.concatenate([call(21), np.zeros(12 * 16_000, np.float32)])
    heard = recognizer.segments((waveform, 16_000), window=3.0, hop=3.0)
    shares = [list(s.prediction.probabilities.values()) for s in heard if s.prediction]
    assert 0 < len(shares) < len(heard)
    found = recognizer.predict((waveform, 16_000))
    assert list(found.probabilities.values()) == pytest.approx(np.mean(shares, axis=0), abs=1e-5)
    (silent,) = recognizer.predict_many([(np.zeros(40 * 16_000, np.int16), 16_000)])
    assert "silent throughout" in str(silent)


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


def test_a_speaker_can_be_told(enrolling: Path, tmp_path: Path) -> None:
    recognizer = package.load(enrolling)
    network = rebuilt(enrolling)
    heard = [voice(n, 2.0) * np.float32(0.03) for n in range(5)]
    known = recognizer.for_speaker([(waveform, 16_000) for waveform in heard])
    assert known.speaker is not None
    assert known.speaker.recordings == 5
    assert recognizer.speaker is None
    log_mels = [
        network.features.log_mel(torch.from_numpy(one)[None], torch.tensor([len(one)]))[0][0]
        for one in heard
    ]
    moments = network.features.moments(log_mels)
    np.testing.assert_allclose(known.speaker.statistics, moments.statistics(), atol=2e-3)
    waveform = voice(7, 1.0) * np.float32(0.03)
    inputs = torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])
    with torch.no_grad():
        told = network(*inputs, network.features.enrolled(moments)[None]).softmax(dim=1)[0]
        plain = network(*inputs).softmax(dim=1)[0]
    found = known.predict((waveform, 16_000)).probabilities
    assert list(found.values()) == pytest.approx(told.tolist(), abs=5e-5)
    without = recognizer.predict((waveform, 16_000)).probabilities
    assert list(without.values()) == pytest.approx(plain.tolist(), abs=1e-4)
    assert list(found.values()) != pytest.approx(plain.tolist(), abs=2e-4)

    known.speaker.save(tmp_path / "me.json")
    assert (tmp_path / "me.json").stat().st_size < 10_000
    again = recognizer.for_speaker(Speaker.load(tmp_path / "me.json"))
    kept = again.predict((waveform, 16_000)).probabilities
    assert list(kept.values()) == pytest.approx(list(found.values()), abs=5e-5)


def test_speakers_that_cannot_be_told_are_refused(
    recognizer: Recognizer, enrolling: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"train one with features\.norm=enrol"):
        recognizer.for_speaker([(voice(0), 16_000)])
    able = package.load(enrolling)
    with pytest.raises(AudioError, match="has sound"):
        able.for_speaker([(np.zeros(16_000, np.float32), 16_000)])
    known = able.for_speaker([(voice(0), 16_000)]).speaker
    assert known is not None
    for other in (
        replace(known, statistics=np.ones((2, 1, 5), np.float32)),
        replace(known, features=known.features | {"level": "rms"}),
    ):
        with pytest.raises(ModelError, match="hears other features"):
            able.for_speaker(other)
    (tmp_path / "no.json").write_text("[]")
    with pytest.raises(UsageError, match="is not a speaker"):
        Speaker.load(tmp_path / "no.json")
    with pytest.raises(UsageError, match="cannot read"):
        Speaker.load(tmp_path / "gone.json")
    (tmp_path / "zero.json").write_text(
        '{"features": {}, "recordings": 1, "mean": [[0]], "std": [[0]]}'
    )
    with pytest.raises(UsageError, match="damaged"):
        Speaker.load(tmp_path / "zero.json")


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


def broken(folder: Path, tmp_path: Path, change: Callable[[Path], object]) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    change(copy)
    return copy


def edited(**changes: Any) -> Callable[[Path], object]:
    def change(copy: Path) -> None:
        path = copy / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (lambda copy: (copy / "config.json").unlink(), "is not a model folder: no readable config"),
    (lambda copy: (copy / "config.json").write_text("{"), "is not JSON"),
    (lambda copy: (copy / "config.json").write_text("{}"), "not of a model of emotone"),
    (edited(format=99), "a model of format 99, this emotone reads up to 1; upgrade"),
    (edited(labels=["anger"]), "labels: .*the model folder is damaged"),
    (lambda copy: (copy / "model.onnx").unlink(), "cannot read it"),
    (lambda copy: (copy / "model.onnx").write_bytes(b"x"), r"SHA-256 differs"),
    (edited(sha256={"model.onnx": "0"}), r"SHA-256 differs"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_broken_folders_are_refused(
    folder: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Recognizer(broken(folder, tmp_path, change))


def test_a_model_with_other_inputs_is_refused(folder: Path, tmp_path: Path) -> None:
    kind = onnx.TensorProto.FLOAT
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["image"], ["logits"])],
        "other", [value("image", kind, [1, 2])], [value("logits", kind, [1, 2])],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 20)]
    data = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()

    def change(copy: Path) -> None:
        (copy / "model.onnx").write_bytes(data)
        edited(sha256={"model.onnx": hashlib.sha256(data).hexdigest()})(copy)

    with pytest.raises(ModelError, match="expected the inputs waveform, lengths, got image"):
        Recognizer(broken(folder, tmp_path, change))


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


def test_nobody_is_told_that_it_is_used(folder: Path, tmp_path: Path) -> None:
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


def test_training_into_a_folder_in_use_is_refused(folder: Path, tmp_path: Path) -> None:
    asked = ExperimentConfig.model_validate({"corpus": {"name": "synthetic"}, "seeds": [0, 1]})
    with pytest.raises(UsageError, match=r"one model has one seed, got \[0, 1\]"):
        train(asked, tmp_path, Recorder())
    one = asked.model_copy(update={"seeds": (0,)})
    with pytest.raises(UsageError, match="holds a finished model"):
        train(one, folder, Recorder())
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match=r"holds other files \(thesis\.txt"):
        train(one, tmp_path, Recorder())


def test_the_commands(tmp_path: Path, make_table: Callable[..., Path]) -> None:
    table = make_table()
    path = tmp_path / "e.yaml"
    protocol = {"protocol": {"validation_speakers": 1}}
    corpus = {"corpus": {"name": "table", "root": str(table)}}
    path.write_text(yaml.safe_dump(corpus | protocol | TINY))
    model = tmp_path / "model"
    done = emotone("train", path, "--out", model)
    assert done.returncode == 0, done.stderr
    assert "3 speakers are learnt, 1 validate" in done.stderr
    assert done.stdout.strip() == f"model: {model}"

    wav = table.parent / "s0_anger_0.wav"
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    shown = emotone("predict", wav, tmp_path / "bad.wav", "--model", model)
    assert shown.returncode == 1
    assert shown.stdout.count("\n") == 1
    assert str(wav) in shown.stdout
    assert str(tmp_path / "bad.wav") in one_line(shown)
    assert "1 of 2 files could not be used" in shown.stderr

    lines = emotone("predict", table.parent, "--json", "--model", model)
    assert lines.returncode == 0, lines.stderr
    answers = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [Path(answer["file"]).name for answer in answers] == sorted(
        file.name for file in table.parent.glob("*.wav")
    )
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)

    csv = emotone("predict", table.parent / "s1_*.wav", "--csv", "--model", model)
    header, *rows = csv.stdout.splitlines()
    assert header == "file,label,confidence,confident,p_anger,p_neutral"
    assert len(rows) == 4

    cases: list[tuple[tuple[str | Path, ...], str]] = [
        ((tmp_path / "none",), "no such file"),
        ((tmp_path / "model",), "no audio files in this folder"),
        ((tmp_path / "*.xyz",), "no file has a name like this"),
        ((wav, "--json", "--csv"), "exclude each other"),
        ((wav, "--model", tmp_path), "is not a model folder"),
    ]
    for arguments, message in cases:
        chosen = () if "--model" in arguments else ("--model", model)
        wrong = emotone("predict", *arguments, *chosen)
        assert wrong.returncode in (1, 2)
        assert message in one_line(wrong)
    assert len(audio.read(wav)) > 0
