"""What was trained on is not tested on, whatever it is called and however it is stored."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from emotone.corpora.fingerprints import BYTES, fingerprint, fingerprints_in, same_content
from emotone.errors import FoldError, ModelError, UsageError
from emotone.experiments.adaptation import adapt
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import crossval
from emotone.experiments.shipping import train
from emotone.inference import model_folder
from tests.helpers import TINY, Recorder, config, emotone, one_line, trained, voice

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model trained on a table; the files are at hand."""
    (tmp_path / "model").mkdir()
    return trained(tmp_path / "model")


def renamed(model: Path, root: Path, rate_hz: int = 16_000) -> Path:
    """The training files of a model in another format, with other names and speakers."""
    root.mkdir()
    rows = pd.read_csv(model.parent / "table.csv")
    for name in rows["file"]:
        samples, rate = soundfile.read(model.parent / name)
        samples = soxr.resample(0.3 * samples, rate, rate_hz)
        soundfile.write(root / f"x{name[:-4]}.flac", samples, rate_hz)
    names = [f"x{name[:-4]}.flac" for name in rows["file"]]
    people = [f"person{number // 2}" for number in range(len(rows))]
    rows = rows.assign(file=names, speaker=people)
    for number in range(4):  # what the model does not know
        soundfile.write(root / f"new{number}.wav", voice(500 + number, 0.5), 16_000)
    new = {"file": [f"new{number}.wav" for number in range(4)],
           "emotion": ["anger", "neutral"] * 2, "speaker": ["p", "p", "q", "q"]}  # fmt: skip
    pd.concat([rows, pd.DataFrame(new)]).to_csv(root / "mine.csv", index=False)
    return root / "mine.csv"


def asked(table: Path) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "corpus": {"name": "table", "root": str(table)},
            "protocol": {"name": "kfold", "folds": 2, "validation_speakers": 0},
            "training": TINY["training"] | {"epochs": 1},
        }
    )


@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
def test_renamed_copies_of_training_files_are_refused(
    model: Path, tmp_path: Path, rate_hz: int
) -> None:
    table = renamed(model, tmp_path / "own", rate_hz)
    with pytest.raises(
        UsageError,
        match=r"8 of 12 utterances of mine were in the training of out: x0, x1, x2, x3, x4, …, "
        "of the speakers person0, person1, person2, person3; leave these speakers out",
    ):
        adapt(str(model), asked(table), tmp_path / "new", Recorder())
    assert not list((tmp_path / "new").rglob("*.safetensors"))


def test_it_can_be_allowed_and_is_then_said(model: Path, tmp_path: Path) -> None:
    table = renamed(model, tmp_path / "own")
    out = tmp_path / "new"
    given = ("protocol.validation_speakers=0", "training.epochs=1", "training.batch=4")
    done = emotone("adapt", model, table, *given, "--out", out)
    assert done.returncode == 2
    assert "adapt --allow-overlap" in one_line(done)
    done = emotone("adapt", model, table, *given, "--out", tmp_path / "2", "--allow-overlap")
    assert done.returncode == 0, done.stderr
    adapted = model_folder.read(tmp_path / "2")
    assert adapted.training["pretrained_on"] == "table (overlap allowed)"
    of_model, of_adapted = fingerprints_in(model), fingerprints_in(tmp_path / "2")
    assert of_model is not None
    assert of_adapted is not None
    assert {bytes(row) for row in of_model} < {bytes(row) for row in of_adapted}
    new = np.stack([fingerprint(voice(500 + number, 0.5)) for number in range(4)])
    assert len(set(same_content(new, of_adapted))) == 4


def test_a_model_has_fingerprints_of_its_training(model: Path, tmp_path: Path) -> None:
    found = fingerprints_in(model)
    assert found is not None
    assert found.shape == (8, BYTES)
    known = np.stack([fingerprint(voice(20_000 + n, 0.3 + 0.1 * n)) for n in range(9)])
    assert {one for one, _ in same_content(known, found)} == set(range(8))
    (model / model_folder.FINGERPRINTS).write_bytes(bytes(34))
    with pytest.raises(ModelError, match="SHA-256 differs"):
        fingerprints_in(model)


def test_a_model_without_fingerprints_is_used_as_before(model: Path, tmp_path: Path) -> None:
    table = renamed(model, tmp_path / "own")
    path = model / model_folder.CONFIG
    path.write_text(path.read_text().replace(model_folder.FINGERPRINTS, "other.bin"))
    assert fingerprints_in(model) is None
    adapted = adapt(str(model), asked(table), tmp_path / "new", Recorder())
    assert adapted.folder == tmp_path / "new"


def test_a_copy_under_another_speaker_stops_a_split(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table()
    shutil.copy(table.parent / "s0_anger_0.wav", table.parent / "s1_anger_1.wav")
    samples, _ = soundfile.read(table.parent / "s0_neutral_0.wav")
    soundfile.write(table.parent / "s3_neutral_1.wav", 0.5 * samples, 16_000)
    each = {"protocol": {"name": "leave_one_speaker_out"}}
    with pytest.raises(
        FoldError,
        match=r"fold s0: s0_anger_0 \(test\) and s1_anger_1 \((training|validation)\) have the "
        r"same content, as does 1 further pair; leave one of each out \(corpus\.exclude\)",
    ):
        crossval(config(table, **each), tmp_path / "out", Recorder())
    changed = (
        config(table, **each)
        .corpus[0]
        .model_copy(update={"exclude": ("s1_anger_1.wav", "s3_neutral_1.wav")})
    )
    kept = config(table, **each).model_copy(update={"corpus": (changed,)})
    assert crossval(kept, tmp_path / "kept", Recorder()).setting.utterances == 14


def test_a_copy_of_the_same_speaker_is_no_leak(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table()
    shutil.copy(table.parent / "s0_anger_0.wav", table.parent / "s0_anger_1.wav")
    assert crossval(config(table), tmp_path / "out", Recorder()).setting.utterances == 16


def test_a_corpus_that_is_read_twice_is_refused(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, other = make_table(), make_table(folder="other")
    other = other.rename(other.with_name("other.csv"))
    for name in ("s0_anger_0.wav", "s1_anger_0.wav"):
        shutil.copy(table.parent / name, other.parent / name)
    both = [{"name": "table", "root": str(path)} for path in (table, other)]
    asked = ExperimentConfig.model_validate(TINY | {"corpus": both})
    message = (
        "table and other share recordings, so also speakers: .*s0_anger_0 .*as does 1 further pair;"
    )
    with pytest.raises(UsageError, match=message):
        train(asked, tmp_path / "out", Recorder())
    assert not (tmp_path / "out" / model_folder.CONFIG).exists()
