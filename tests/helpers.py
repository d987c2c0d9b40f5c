"""What several tests use: generated audio, small corpora and models, the command line."""

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import audformat
import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from emotone.cli import main
from emotone.corpora import Corpus, synthetic
from emotone.corpora.audformat import AudformatOptions
from emotone.corpora.emodb import EmodbOptions
from emotone.corpora.ravdess import RavdessOptions
from emotone.evaluation.results import Epoch, RunRecord
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.plan import Run
from emotone.experiments.shipping import train

ABLATIONS = ("ablation", "benchmark", "choices", "few-labels")  # first words of their shipped files
LOCAL = {"Host": "localhost"}  # the service answers to no other name
DATA = Path(__file__).parents[2] / "shared" / "data"


# a network and a training so small that a run takes a second
TINY: dict[str, Any] = {
    "features": {"mels": 16, "hop_ms": 20.0, "deltas": 1},
    "model": {
        "channels": [4, 6],
        "time_strides": [2, 2],
        "mel_pools": [2, 2],
        "lstm": 4,
        "hidden": 4,
    },
    "training": {"epochs": 3, "batch": 4},
}


ABLATION: dict[str, Any] = {
    "base": {
        "protocol": {"name": "kfold", "folds": 2},
        "seeds": [0, 1],
        "runtime": {"jobs": 2},
        **TINY,
    },
    "ingredients": {"summary": {"model.summary": "mean"}, "deltas": {"features.deltas": 2}},
    "variants": {
        "baseline": [],
        "baseline + summary": ["summary"],
        "both": ["summary", "deltas", {"training.epochs": 2, "seeds": [0]}],
    },
    "references": ["baseline"],
}


def voice(seed: int, seconds: float = 0.4, rate: int = 16_000) -> NDArray[np.float32]:
    """A harmonic tone with noise: something that is neither silent nor equal to another seed's."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = rng.uniform(90, 300)
    tone = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 6))
    return (0.1 * tone + 0.01 * rng.normal(size=len(time))).astype(np.float32)


def spoken(seed: int, seconds: float) -> NDArray[np.float32]:
    """Synthetic speech at 16 kHz, which models that hear only speech hear."""
    samples = round(seconds * 16_000)
    parts: list[NDArray[np.float32]] = []
    while sum(len(part) for part in parts) < samples:
        emotion = synthetic.EMOTIONS[(seed + len(parts)) % len(synthetic.EMOTIONS)]
        parts.append(synthetic.utterance(seed, emotion, len(parts)))
    return np.concatenate(parts)[:samples]


def tone(rate: int, seconds: float = 1.0, hz: float = 440.0) -> NDArray[np.float64]:
    """A sine of amplitude 0.5."""
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def loudest_hz(waveform: NDArray[Any]) -> float:
    """Frequency of the largest component of a waveform at 16 kHz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.fft.rfftfreq(len(waveform), 1 / 16_000)[spectrum.argmax()])


def wav(seconds: float = 1.0, seed: int = 0, rate: int = 16_000) -> bytes:
    """A WAV file with a voice."""
    file = io.BytesIO()
    soundfile.write(file, voice(seed, seconds, rate), rate, format="WAV")
    return file.getvalue()


def real_corpus(name: str) -> Path:
    """Folder of a real corpus, or skip the test."""
    root = DATA / name
    if not root.is_dir():
        pytest.skip(f"the corpus {name} is not on this machine")
    return root


def trained(root: Path, **changes: Any) -> Path:
    """A model folder of a small network."""
    rows = ["file,emotion,speaker"]
    for number in range(8):
        name = f"{number}.wav"
        soundfile.write(root / name, voice(20_000 + number, 0.3 + 0.1 * number), 16_000)
        rows.append(f"{name},{('anger', 'neutral')[number % 2]},s{number // 4}")
    (root / "table.csv").write_text("\n".join(rows))
    asked = {
        "corpus": {"name": "table", "root": str(root / "table.csv")},
        "protocol": {"validation_speakers": 0},
        **TINY,
    } | changes
    recorder = Recorder()
    folder = train(ExperimentConfig.model_validate(asked), root / "out", recorder)
    assert recorder.runs == ["all speakers, seed 0"]
    return folder


def script(path: Path) -> ModuleType:
    """Import a script that is no part of the package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def emotone(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which has loaded PyTorch already."""
    command = ["emotone", *map(str, arguments)]
    out, error = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        Path(os.devnull).open() as nothing,
        mock.patch.multiple(sys, argv=command, stdin=nothing, stdout=out, stderr=error),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    printed = []
    for stream in (out, error):
        stream.flush()
        printed.append(stream.buffer.getvalue().decode())
    return subprocess.CompletedProcess(command, int(ended.value.code or 0), *printed)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def error_of(response: Any, status: int, code: str) -> str:
    """Message of an answer of the service that must be an error."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert error["hint"]
    return str(error["message"])


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.epochs_of: dict[str, int] = {}
        self.failures: list[str] = []
        self.left = -1

    def corpus(self, corpus: Any, folds: Any) -> None: ...

    def reading(self, done: int, total: int) -> None: ...

    def start(self, missing: Any, finished: int, slots: int) -> None:
        self.left = len(missing)

    def epochs(self, run: Run, history: Sequence[Epoch]) -> None:
        assert len(history) >= self.epochs_of.get(run.name, 0)
        self.epochs_of[run.name] = len(history)

    def finished(self, run: Run, record: RunRecord) -> None:
        self.runs.append(run.name)

    def failed(self, run: Run, error: Exception) -> None:
        self.failures.append(run.name)


def values(table: Path, **changes: Any) -> dict[str, Any]:
    base = {
        "corpus": {"name": "table", "root": str(table)},
        "protocol": {"name": "kfold", "folds": 2},
        **TINY,
    }
    return base | changes


def config(table: Path, **changes: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate(values(table, **changes))


def predictions(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "predictions.csv", dtype={"fold": str})


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [v for k, v in attributes if k in ("src", "href", "xlink:href") and v]
        if tag not in ("meta", "br", "link", "path", "use"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [v for k, v in attributes if k in ("src", "href", "xlink:href") and v]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for one in lists for child in one.read_text().split()]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def wait_until_ended(pid: int) -> None:
    """Wait until all threads of a process have ended, so that its files and pipes are closed."""
    deadline = time.monotonic() + 20
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # gone
        while (
            len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
            or Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
        ):
            assert time.monotonic() < deadline, f"process {pid} goes on"
            time.sleep(0.01)


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(0, 0.1), 16_000)


def small_audformat(root: Path, *, segmented: bool = False) -> AudformatOptions:
    database = audformat.Database("made", languages=["deu"])
    database.schemes["emotion"] = audformat.Scheme(labels=["angry", "happiness"])
    people = {"s1": {"gender": "female"}, "s2": {"gender": "male"}}
    database.schemes["speaker"] = audformat.Scheme(labels=people)
    files = ["audio/001.wav", "audio/002.wav"]
    for file in files:
        write(root / file)
    index = (
        audformat.segmented_index(files, ["0s", "0.02s"], ["0.05s", "0.1s"])
        if segmented
        else audformat.filewise_index(files)
    )
    database["emotion"] = audformat.Table(index)
    database["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["emotion"]["emotion"].set(["angry", "happiness"])
    database["files"] = audformat.Table(audformat.filewise_index(files))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set(["s1", "s2"])
    database.save(str(root))
    return AudformatOptions(root=root)


IEMOCAP_COUNTS = {
    "neu": 1708,
    "ang": 1103,
    "sad": 1084,
    "hap": 595,
    "exc": 1041,
    "fru": 1849,
    "xxx": 2507,
}


def full_iemocap(root: Path, *, smaller: int = 1) -> None:
    """A tree of the size of IEMOCAP in the layout of its release, with generated audio."""
    labels = [label for label, count in IEMOCAP_COUNTS.items() for _ in range(count // smaller)]
    rng = np.random.default_rng(0)
    rng.shuffle(labels)
    lines: dict[Path, list[str]] = {}
    for number, label in enumerate(labels):
        session = 1 + number % 5
        kind = "impro" if number % 2 else "script"
        dialog = f"Ses0{session}{'FM'[number // 5 % 2]}_{kind}0{1 + number % 7}"
        name = f"{dialog}_{'FM'[number // 10 % 2]}{number:04d}"
        folder = root / f"Session{session}"
        audio = folder / "sentences" / "wav" / dialog / f"{name}.wav"
        audio.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(audio, 0.1 * rng.normal(size=1600), 16_000)
        path = folder / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
        lines.setdefault(path, ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"])
        ratings = ", ".join(f"{1 + 0.5 * (number * step % 9):.4f}" for step in (1, 2, 4))
        lines[path].append(f"[{number}.0 - {number}.5]\t{name}\t{label}\t[{ratings}]")
    for path, text in lines.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(text) + "\n")


EMODB_NAMES = ["03a01Fa", "03a01Wa", "08a02Nb", "16b10Td", "14a05Ac"]


def small_emodb(root: Path) -> EmodbOptions:
    for number, name in enumerate(EMODB_NAMES):
        write(root / "wav" / f"{name}.{'wav' if number % 2 else 'flac'}")
    return EmodbOptions(root=root)


def small_ravdess(root: Path) -> RavdessOptions:
    for name in ("03-01-06-01-02-01-12", "03-01-01-01-01-02-01", "03-01-08-02-01-01-02"):
        write(root / f"Actor_{name[-2:]}" / f"{name}.wav")
    return RavdessOptions(root=root)


def rows(corpus: Corpus, *columns: str) -> dict[str, tuple[Any, ...]]:
    """Columns of a corpus by utterance."""
    table = corpus.table.set_index("utterance")
    return {
        str(name): tuple(row)
        for name, row in zip(table.index, table[list(columns)].values, strict=True)
    }
