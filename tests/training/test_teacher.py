import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from emotone.corpora import read_all
from emotone.errors import FoldError, UsageError
from emotone.evaluation.folds import make_folds
from emotone.evaluation.protocol import ProtocolOptions
from emotone.experiments.config import ExperimentConfig, checked
from emotone.experiments.crossval import crossval
from emotone.training.loss import mixed_labels
from emotone.training.teacher import Teacher, TeacherOptions, read_teacher
from tests.helpers import TINY, Recorder, config, emotone, one_line, values, voice

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
SHORT = {"training": TINY["training"] | {"epochs": 1}}
STUDENT = {"name": "kfold", "folds": 3, "validation_speakers": 0}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A table of six speakers, and results of a nested and of an ordinary cross-validation."""
    root = tmp_path_factory.mktemp("teacher")
    rows = []
    for speaker in range(6):
        for number, emotion in enumerate(("anger", "neutral") * 2):
            name = f"s{speaker}_{number}.wav"
            soundfile.write(root / name, voice(speaker * 10 + number, 0.3), 16_000)
            rows.append((name, emotion, f"s{speaker}"))
    table = root / "table.csv"
    pd.DataFrame(rows, columns=["file", "emotion", "speaker"]).to_csv(table, index=False)
    found = {"table": table}
    for name, changes in (("nested", {"nested": 2}), ("plain", {})):
        found[name] = root / name
        asked = config(table, protocol=STUDENT | changes, **SHORT)
        crossval(asked, found[name], Recorder())
    return found


def student(taught: dict[str, Path], teacher: Any, **changes: Any) -> ExperimentConfig:
    training = SHORT["training"] | {"teacher": teacher}
    return config(taught["table"], protocol=STUDENT, **({"training": training} | changes))


def test_nested_folds_leave_the_test_speakers_out(taught: dict[str, Path]) -> None:
    corpus = read_all(config(taught["table"]).corpus)
    outer = make_folds(corpus, ProtocolOptions.model_validate(STUDENT))
    inner = make_folds(corpus, ProtocolOptions.model_validate(STUDENT | {"nested": 2}))
    assert [fold.name for fold in inner[:2]] == ["1, inner 1", "1, inner 2"]
    for fold in outer:
        parts = [part for part in inner if part.name.startswith(f"{fold.name},")]
        tested = [number for part in parts for number in part.test]
        assert sorted(tested) == sorted(fold.training)
        for part in parts:
            assert not set(fold.test) & {*part.training, *part.validation, *part.test}
            assert not set(part.speakers["training"]) & set(part.speakers["test"])
    with pytest.raises(FoldError, match="fold 1 has 4 training speakers; it needs a speaker per"):
        make_folds(corpus, ProtocolOptions.model_validate(STUDENT | {"nested": 5}))


def test_soft_labels_are_of_teachers_that_heard_neither_speaker_nor_test_speakers(
    taught: dict[str, Path],
) -> None:
    corpus = read_all(config(taught["table"]).corpus)
    folds = make_folds(corpus, ProtocolOptions.model_validate(STUDENT))
    teacher = read_teacher(TeacherOptions(results=taught["nested"]), corpus, ())
    predictions = pd.read_csv(taught["nested"] / "predictions.csv", dtype={"fold": str})
    for fold in folds:
        found = teacher.soft_labels(fold)
        assert found.shape == (len(corpus.table), 2)
        assert not found[list(fold.test)].any()
        np.testing.assert_allclose(found[list(fold.training)].sum(axis=1), 1, atol=1e-6)
        number = fold.training[0]
        row = corpus.table.iloc[number]
        usable = predictions[predictions["utterance"] == row["utterance"]]
        usable = usable[
            [
                not teacher.heard[name] & {row["speaker"], *fold.speakers["test"]}
                for name in usable["fold"]
            ]
        ]
        expected = usable[["p_anger", "p_neutral"]].mean().to_numpy()
        np.testing.assert_allclose(found[number], expected, atol=2e-6)


def test_temperature_flattens(taught: dict[str, Path]) -> None:
    corpus = read_all(config(taught["table"]).corpus)
    fold = make_folds(corpus, ProtocolOptions.model_validate(STUDENT))[0]
    plain, flat = (
        read_teacher(
            TeacherOptions(results=taught["nested"], temperature=temperature), corpus, ()
        ).soft_labels(fold)[fold.training[0]]
        for temperature in (1.0, 2.0)
    )
    expected = np.sqrt(plain) / np.sqrt(plain).sum()
    np.testing.assert_allclose(flat, expected, atol=1e-5)


def test_labels_are_mixed_within_what_is_possible() -> None:
    soft = np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5], [0, 0, 0]], np.float32)
    possible = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]], bool)
    mixed = mixed_labels(np.array([0, 1, 2]), possible, soft, 0.5)
    np.testing.assert_allclose(mixed, [[0.6, 0.15, 0.25], [0.2, 0.8, 0], [0, 0, 0.5]], atol=1e-6)
    np.testing.assert_array_equal(mixed_labels(np.array([1]), possible[:1], None, 0.0), [[0, 1, 0]])


def test_a_teacher_changes_the_student_and_its_report_says_so(
    taught: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    results = crossval(student(taught, str(taught["nested"])), out, Recorder())
    assert results.independence == "speaker-independent, taught by CRNN"
    plain = pd.read_csv(taught["plain"] / "predictions.csv")
    found = pd.read_csv(out / "predictions.csv")
    assert found["utterance"].tolist() == plain["utterance"].tolist()
    assert not np.allclose(found["p_anger"], plain["p_anger"], atol=1e-4)
    stored = yaml.safe_load((out / "config.yaml").read_text())["training"]["teacher"]
    assert set(stored) == {"sha256", "weight", "temperature"}  # not where the folder is
    again = Recorder()
    crossval(student(taught, {"results": str(taught["nested"])}), out, again)
    assert again.left == 0
    with pytest.raises(UsageError, match=r"training\.teacher\.weight: 0\.5 found, 0\.9 requested"):
        crossval(
            student(taught, {"results": str(taught["nested"]), "weight": 0.9}), out, Recorder()
        )
    with pytest.raises(UsageError, match=r"does not say where its teacher is; set training\.teac"):
        crossval(student(taught, stored), tmp_path / "moved", Recorder())


def test_a_teacher_that_heard_test_speakers_is_refused(
    taught: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(
        FoldError,
        match=r"fold 1: .*plain has no prediction that may be used for 16 of 16 training utt.*"
        r"trained on its speaker or on test speakers of this fold \(.*\)\. .*protocol\.nested=3",
    ) as raised:
        crossval(student(taught, str(taught["plain"])), out, Recorder())
    assert "\n" not in str(raised.value)
    assert not out.exists()


def test_a_teacher_that_heard_the_speaker_is_refused_for_that_utterance(
    taught: dict[str, Path],
) -> None:
    corpus = read_all(config(taught["table"]).corpus)
    fold = make_folds(corpus, ProtocolOptions.model_validate(STUDENT))[0]
    real = read_teacher(TeacherOptions(results=taught["nested"]), corpus, ())
    speaker = fold.speakers["training"][0]
    heard = {name: names | {speaker} for name, names in real.heard.items()}
    made = Teacher("made", "CRNN", corpus, real.predictions, heard, real.texts, real.options)
    with pytest.raises(FoldError, match="may be used for 4 of 16 training utterances, such as s"):
        made.soft_labels(fold)


def test_a_fold_of_unseen_sentences_needs_a_teacher_that_did_not_hear_them(
    taught: dict[str, Path],
) -> None:
    corpus = read_all(config(taught["table"]).corpus)
    fold = make_folds(corpus, ProtocolOptions.model_validate(STUDENT))[0]
    fold = replace(fold, texts={"training": ("a",), "validation": (), "test": ("b",)})
    teacher = read_teacher(TeacherOptions(results=taught["nested"]), corpus, ())
    with pytest.raises(FoldError, match="or on test speakers or sentences of this fold"):
        teacher.soft_labels(fold)
    others = replace(teacher, texts=dict.fromkeys(teacher.texts, frozenset({"a"})))
    assert others.soft_labels(fold).any()
    same = replace(teacher, texts=dict.fromkeys(teacher.texts, frozenset({"a", "b"})))
    with pytest.raises(FoldError, match="test speakers or sentences"):
        same.soft_labels(fold)
    assert same.soft_labels(replace(fold, text_matched=True)).any()  # its sentences are known


def test_a_teacher_of_another_corpus_is_refused(
    taught: dict[str, Path], make_table: Make, tmp_path: Path
) -> None:
    other = make_table()
    done = emotone(
        "crossval", other, f"training.teacher={taught['nested']}", "--out", tmp_path / "out"
    )
    assert done.returncode == 2
    assert "holds predictions for another corpus than table: no utterance has" in one_line(done)
    relabelled = tmp_path / "relabelled.csv"
    rows = pd.read_csv(taught["table"])
    rows["emotion"] = rows["emotion"].map({"anger": "neutral", "neutral": "anger"})
    rows["file"] = [str(taught["table"].parent / file) for file in rows["file"]]
    rows.to_csv(relabelled, index=False)
    corpus = read_all(config(relabelled).corpus)
    with pytest.raises(UsageError, match="another corpus than relabelled: labels differ"):
        read_teacher(TeacherOptions(results=taught["nested"]), corpus, ())


def test_a_teacher_of_renamed_speakers_is_refused(taught: dict[str, Path], tmp_path: Path) -> None:
    renamed = tmp_path / "renamed.csv"  # so the teacher's speakers would seem to be others
    rows = pd.read_csv(taught["table"])
    rows["speaker"] = "new " + rows["speaker"]
    rows["file"] = [str(taught["table"].parent / file) for file in rows["file"]]
    rows.to_csv(renamed, index=False)
    corpus = read_all(config(renamed).corpus)
    with pytest.raises(UsageError, match="another corpus than renamed: speakers differ"):
        read_teacher(TeacherOptions(results=taught["plain"]), corpus, ())


def test_a_teacher_of_synthetic_speech_with_another_seed_is_refused(tmp_path: Path) -> None:
    def asked(seed: int, **changes: Any) -> ExperimentConfig:
        speech = {"name": "synthetic", "speakers": 6, "utterances": 4, "seed": seed}
        return checked({**TINY, **SHORT, "corpus": speech, "protocol": STUDENT} | changes, "test")

    crossval(asked(1, protocol=STUDENT | {"nested": 2}), tmp_path / "teacher", Recorder())
    training = SHORT["training"] | {"teacher": str(tmp_path / "teacher")}
    with pytest.raises(
        UsageError, match=r"of other speakers .* names: corpus\.seed=1, here 0; use"
    ):
        crossval(asked(0, training=training), tmp_path / "pupil", Recorder())
    crossval(asked(1, training=training), tmp_path / "pupil", Recorder())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"teacher": "nowhere"}}, "training.teacher: nowhere holds no finished exp"),
        ({"training": {"teacher": {}}}, "training.teacher: give the results folder of the"),
        ({"training": {"teacher": {"result": "x"}}}, "unknown option 'training.teacher.result'"),
        (
            {"training": {"teacher": {"sha256": "x", "weight": 2}}},
            "training.teacher.weight: .*got 2",
        ),
        (
            {"training": {"teacher": {"sha256": "x"}}, "model": {"kind": "opensmile-svm"}},
            "training.teacher: model.kind=opensmile-svm cannot be taught",
        ),
    ],
)
def test_bad_options_are_one_line(make_table: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        checked(values(make_table(), **changes), "test")
    assert "\n" not in str(raised.value)


def test_a_teacher_that_was_taught_or_is_damaged_cannot_teach(
    taught: dict[str, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in taught["nested"].iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    settings = yaml.safe_load((copy / "config.yaml").read_text())
    corpus = read_all(config(taught["table"]).corpus)
    (copy / "config.yaml").write_text("training: [")
    with pytest.raises(UsageError, match=r"configuration in .*copy is damaged: .*line 1, column"):
        read_teacher(TeacherOptions(results=copy), corpus, ())
    for damaged in ("[1]", "training: [1]"):
        (copy / "config.yaml").write_text(damaged)
        with pytest.raises(UsageError, match=r"copy is damaged: it has no sections"):
            read_teacher(TeacherOptions(results=copy), corpus, ())
    for changes, message in (
        ({"training": settings["training"] | {"teacher": {"sha256": "x"}}}, "had a teacher itself"),
        ({"pretraining": {"allow_overlap": True}}, "started from a model that was trained on this"),
    ):
        (copy / "config.yaml").write_text(yaml.safe_dump(settings | changes))
        with pytest.raises(UsageError, match=message):
            read_teacher(TeacherOptions(results=copy), corpus, ())
    (copy / "config.yaml").write_text(yaml.safe_dump(settings))
    for folds in (None, "[]", '{"folds": [{"name": "1"}]}', "{"):
        (copy / "folds.json").unlink(missing_ok=True)
        if folds is not None:
            (copy / "folds.json").write_text(folds)
        with pytest.raises(UsageError, match=r"copy has no readable list of folds"):
            read_teacher(TeacherOptions(results=copy), corpus, ())
    (copy / "folds.json").write_bytes((taught["nested"] / "folds.json").read_bytes())
    table = pd.read_csv(copy / "predictions.csv", dtype=str)
    for value in ("", "inf", "high"):
        table.loc[3, "p_anger"] = value
        table.to_csv(copy / "predictions.csv", index=False)
        with pytest.raises(UsageError, match=r"no readable predictions: p_anger is not a number"):
            checked(values(taught["table"], training={"teacher": str(copy)}), "test")
    table["p_anger"] = "0.5"
    table.rename(columns={"fold": "fld"}).to_csv(copy / "predictions.csv", index=False)
    with pytest.raises(UsageError, match=r"predictions in .*copy are damaged: no column fold"):
        read_teacher(TeacherOptions(results=copy), corpus, ())


def test_a_teacher_of_fewer_utterances_says_so(taught: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(taught["nested"], tmp_path / "copy")
    corpus = read_all(config(taught["table"]).corpus)
    (fold, *_) = make_folds(corpus, ProtocolOptions.model_validate(STUDENT))
    table = pd.read_csv(copy / "predictions.csv", dtype=str)
    name = corpus.table["utterance"].iloc[fold.training[0]]
    table[table["utterance"] != name].to_csv(copy / "predictions.csv", index=False)
    teacher = read_teacher(TeacherOptions(results=copy), corpus, ())
    with pytest.raises(FoldError, match=rf"no prediction at all for 1 of .*, such as {name}; make"):
        teacher.soft_labels(fold)
