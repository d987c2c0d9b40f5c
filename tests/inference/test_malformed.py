"""Malformed model folders: every use gives a finite answer or one line, soon."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.errors import ModelError, UsageError
from emotone.experiments import shipping
from emotone.experiments.adaptation import adapt
from emotone.experiments.audit import audit
from emotone.experiments.config import ExperimentConfig
from emotone.inference.recognizer import Recognizer
from tests.helpers import TINY, Recorder, emotone, one_line, voice, wav
from tests.inference.malformed import changes, copied

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE_S = 5.0  # for one use of one folder
SPEECH = voice(0, 1.0), 16_000


class BeganError(Exception):
    """All checks are done, the work would begin."""


def began(*_: object) -> None:
    raise BeganError


class Beginning(Recorder):
    def start(self, missing: object, finished: int, slots: int) -> None:
        raise BeganError


def predicted(folder: Path, _table: Path, _out: Path) -> None:
    recognizer = Recognizer(folder)
    for one in (recognizer, recognizer.for_speaker([SPEECH])):
        answer = one.predict(SPEECH)
        assert all(map(math.isfinite, answer.probabilities.values()))
        assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert np.isfinite(recognizer.embed(SPEECH)).all()


def exported(folder: Path, _table: Path, out: Path) -> None:
    shipping.export(folder, out)


def adapted(folder: Path, table: Path, out: Path) -> None:
    values = {
        "corpus": {"name": "table", "root": str(table)},
        "protocol": {"validation_speakers": 0},
        "training": TINY["training"],
    }
    adapt(str(folder), ExperimentConfig.model_validate(values), out, Beginning())


def audited(folder: Path, table: Path, out: Path) -> None:
    corpus = corpora.read(TableOptions(root=table))
    audit(Recognizer(folder), corpus, out, progress=began)  # type: ignore[arg-type]


USES: dict[str, Callable[[Path, Path, Path], None]] = {
    "predict": predicted, "export": exported, "adapt": adapted, "audit": audited,
}  # fmt: skip
MESSAGES = {  # of some faults, for each use that reads the faulty part
    ("predict", "config.json a pipe"): "it is a pipe, socket or device, not a file",
    ("predict", "config.json a device"): "it is a pipe, socket or device, not a file",
    ("predict", "config.json deep"): "is not JSON",
    ("predict", "model.onnx a folder"): "it is a folder, not a file",
    ("predict", "model.onnx 4 TB"): "it is larger than 2147 MB",
    ("predict", "model.onnx truncated"): "not an ONNX file, or damaged",
    ("predict", "model.onnx endless loop"): "it uses the operator 'Loop', which no export",
    ("predict", "model.onnx weights elsewhere"): "its weights are in another file",
    ("predict", "model.onnx weights NaN"): "has weights that are not finite",
    ("predict", "model.onnx weights of a petabyte"): " weights",
    ("predict", "model.onnx answers NaN"): "the network's logits are not (1, 2) finite numbers",
    ("predict", "model.onnx answers infinite"): "the network's logits are not (1, 2) finite",
    ("predict", "model.onnx other input"): "expected the inputs waveform, lengths",
    ("predict", "model.onnx fixed input"): "expected the inputs waveform, lengths of any size",
    ("predict", "labels one more"): "expected the output logits of shape (batch, 3), got",
    ("predict", "other sample rate"): "8000 Hz, but this emotone recognises at 16000 Hz",
    ("predict", "NaN temperature"): "is not JSON",
    ("predict", "labels twice"): "labels: must differ and be printable",
    ("export", "other features"): "backbone.lstm.backwards.weight_ih_l0 is float32",
    ("export", "unknown option"): "unknown option 'colour'; ",
    ("export", "network of a petabyte"): "lstm: input should be less than or equal to 65536, got",
    ("export", "model.safetensors missing"): "backbone.hidden.weight is missing",
    ("export", "model.safetensors NaN"): "backbone.hidden.weight is not finite",
    ("export", "model.safetensors type"): "is float64 (4, 24), expected float32 (4, 24)",
    ("export", "model.safetensors with a huge header"): "holds no weights as safetensors",
    ("adapt", "model.safetensors infinite"): "backbone.hidden.weight is not finite",
    ("adapt", "other network"): "weights of a network of other sizes",
    ("adapt", "corpora of numbers"): "corpora and speakers must be lists of names",
    ("audit", "fingerprints.bin truncated"): "are not fingerprints of 34 bytes each",
    ("audit", "model.onnx unknown operator"): "it uses the operator 'Cosh'",
}


def used(name: str, folder: Path, table: Path, out: Path) -> str | None:
    """Use a folder; return the error, or ``None`` if the work would begin."""
    before = time.monotonic()
    try:
        USES[name](folder, table, out)
    except BeganError:
        return None
    except (ModelError, UsageError) as error:
        message = str(error)
        assert len(message) < 700, message
        assert "\n" not in message
        return message
    finally:
        assert time.monotonic() - before < PATIENCE_S
    return None


def test_every_fault_is_one_line_or_harms_nothing(
    enrolling: Path,
    make_table: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shipping, "to_onnx", began)
    table = make_table(takes=1).rename(tmp_path / "corpus" / "mine.csv")
    assert {used(name, enrolling, table, tmp_path / name) for name in USES} == {None}
    answers: dict[tuple[str, str], str | None] = {}
    for number, (fault, change) in enumerate(changes(enrolling)):
        folder = copied(enrolling, tmp_path / f"model{number}", change)
        for name in USES:
            try:
                answers[name, fault] = used(name, folder, table, tmp_path / f"{name}{number}")
            except Exception as error:
                raise AssertionError(f"{name} with {fault}: {error!r}") from error
    assert len(answers) > 1500
    for case, message in MESSAGES.items():
        assert message in (answers[case] or ""), case
    for case in (("predict", "model.safetensors a pipe"), ("adapt", "model.onnx noise")):
        assert answers[case] is None, case  # not read


@pytest.mark.parametrize(
    ("command", "fault", "message"),
    [
        ("predict", "config.json a pipe", "a pipe, socket or device"),
        ("predict", "model.onnx endless loop", "the operator 'Loop'"),
        ("export", "model.safetensors NaN", "not finite"),
        ("serve", "config.json a device", "a pipe, socket or device"),
    ],
)
def test_commands_say_so_in_one_line(
    enrolling: Path, tmp_path: Path, command: str, fault: str, message: str
) -> None:
    folder = copied(enrolling, tmp_path / "model", dict(changes(enrolling))[fault])
    (tmp_path / "a.wav").write_bytes(wav())
    arguments: dict[str, list[str | Path]] = {
        "predict": [tmp_path / "a.wav", "--model", folder],
        "export": [folder, "--out", tmp_path / "a.onnx"],
        "serve": ["--model", folder],
    }
    done = emotone(command, *arguments[command])
    assert (done.returncode, done.stdout) == (1, "")
    assert message in one_line(done)
