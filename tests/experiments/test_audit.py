"""Audits of the shipped model on synthetic speech."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.random import Generator

from emotone import corpora
from emotone.audio import Waveform, disturbances
from emotone.corpora import Corpus
from emotone.corpora.synthetic import SyntheticOptions
from emotone.corpora.table import TableOptions
from emotone.errors import AudioError, UsageError
from emotone.evaluation.audit_results import AUDIT, Audit, Requirement
from emotone.evaluation.changes import CHANGES
from emotone.experiments import audit_material
from emotone.experiments.audit import ANSWERS, audit
from emotone.experiments.audit_answers import generator
from emotone.experiments.audit_material import CorpusMaterial, Recordings
from emotone.experiments.audit_selection import AuditOptions, utterances
from emotone.inference.recognizer import Recognizer, load
from tests.helpers import trained, voice

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audit")]  # a whole audit for all


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    root = tmp_path_factory.mktemp("synthetic") / "corpus"
    return corpora.read(SyntheticOptions(root=root, speakers=3, utterances=4))


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return load("emotone-base")


@pytest.fixture(scope="module")
def finished(
    corpus: Corpus, recognizer: Recognizer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Audit]:
    out = tmp_path_factory.mktemp("audit") / "out"
    return out, audit(recognizer, corpus, out)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three changes, so that an audit takes a second."""
    kept = {name: CHANGES[name] for name in ("gain", "babble", "opus")}
    monkeypatch.setattr("emotone.experiments.audit.CHANGES", kept)


def test_an_audit_has_all_changes_that_need_no_folder(finished: tuple[Path, Audit]) -> None:
    out, found = finished
    assert [effect.change for effect in found.robustness] == [
        name
        for name, change in CHANGES.items()
        if change.needs not in ("noise", "short_rooms", "long_rooms")
    ]
    assert "recorded noise: skipped, no folder of noise was given (--noise)" in found.subject.notes
    subject = found.subject
    assert (subject.utterances, subject.speakers, subject.known_speakers) == (12, 3, 0)
    assert (subject.model, subject.synthetic) == ("emotone-base", True)
    assert AUDIT.validate_json((out / "audit.json").read_bytes()) == found


def test_the_answers_are_those_of_the_recogniser(
    finished: tuple[Path, Audit], corpus: Corpus, recognizer: Recognizer
) -> None:
    out, found = finished
    lines = [json.loads(line) for line in (out / ANSWERS).read_text().splitlines()[1:]]
    assert [line["utterance"] for line in lines] == corpus.table["utterance"].tolist()
    right = 0
    for line, (_, row) in zip(lines, corpus.table.iterrows(), strict=True):
        expected = recognizer.predict(row["file"])
        assert line["probabilities"] == pytest.approx([*expected.probabilities.values()], abs=1e-4)
        right += expected.label == row["emotion"]
    assert found.clean.war == pytest.approx(right / 12)
    (silence,) = [effect for effect in found.robustness if effect.change == "silence"]
    same = 0
    for file in corpus.table["file"]:
        speech, _ = soundfile.read(file, dtype="float32")
        padded = np.pad(speech, (32_000, 48_000))
        same += recognizer.predict((padded, 16_000)).label == recognizer.predict(file).label
    assert silence.unchanged == pytest.approx(same / 12)


def test_gain_changes_nothing_and_silence_gets_no_answer(finished: tuple[Path, Audit]) -> None:
    _, found = finished
    gain = found.robustness[0]
    assert (gain.change, gain.unchanged, gain.uar_change, gain.passed) == ("gain", 1.0, 0.0, True)
    silence = found.non_speech[0]
    assert (silence.kind, silence.answered, silence.confident) == ("silence", 0.0, 0.0)


def test_an_audit_that_was_killed_goes_on(
    finished: tuple[Path, Audit], corpus: Corpus, recognizer: Recognizer, tmp_path: Path
) -> None:
    whole = (finished[0] / ANSWERS).read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / ANSWERS).write_bytes(b"".join(lines[:9]) + lines[9][:100])
    counted = []

    @contextmanager
    def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
        counted.append((what, total))
        yield lambda: counted.append((what, -1))

    again = audit(recognizer, corpus, tmp_path, progress=counting)
    recognised = [number for what, number in counted if what == "recognising utterances"]
    assert recognised == [4, -1, -1, -1, -1]
    assert again == finished[1]
    assert (tmp_path / ANSWERS).read_bytes() == whole


def test_a_damaged_answer_is_named(
    finished: tuple[Path, Audit], corpus: Corpus, recognizer: Recognizer, tmp_path: Path
) -> None:
    lines = (finished[0] / ANSWERS).read_bytes().splitlines(keepends=True)
    for damage in (b"{}\n", b"\xff\n"):
        (tmp_path / ANSWERS).write_bytes(b"".join([*lines[:3], damage, *lines[4:]]))
        with pytest.raises(UsageError, match=r": line 4 is damaged; remove the file, then"):
            audit(recognizer, corpus, tmp_path)


def test_processes_do_not_change_the_results(
    finished: tuple[Path, Audit], corpus: Corpus, recognizer: Recognizer, tmp_path: Path
) -> None:
    assert audit(recognizer, corpus, tmp_path, AuditOptions(jobs=2)) == finished[1]


@pytest.mark.usefixtures("few")
def test_another_audit_in_the_folder_is_refused(
    corpus: Corpus, recognizer: Recognizer, tmp_path: Path
) -> None:
    audit(recognizer, corpus, tmp_path)
    with pytest.raises(UsageError, match=r"holds another audit .* choose an empty --out"):
        audit(recognizer, corpus, tmp_path, AuditOptions(seed=1))
    (tmp_path / ANSWERS).write_text("mine\n")
    with pytest.raises(UsageError, match="holds another audit"):
        audit(recognizer, corpus, tmp_path)
    (tmp_path / ANSWERS).unlink()
    with pytest.raises(UsageError, match=r"holds other files \(audit"):
        audit(recognizer, corpus, tmp_path)
    (tmp_path / ANSWERS).touch()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds other files \(notes.txt"):
        audit(recognizer, corpus, tmp_path)


@pytest.mark.usefixtures("few")
def test_an_audit_of_other_audio_under_the_same_names_is_refused(
    corpus: Corpus, recognizer: Recognizer, tmp_path: Path
) -> None:
    table, rows = tmp_path / "t.csv", corpus.table.iloc[[0, 1, -1]]
    for name, file in zip("abc", rows["file"], strict=True):
        shutil.copy(file, tmp_path / f"{name}.wav")
    table.write_text("file,emotion,speaker\na.wav,anger,s\nb.wav,neutral,t\n")
    same, out = corpora.read(TableOptions(root=table)), tmp_path / "out"
    audit(recognizer, same, out)
    shutil.copy(tmp_path / "c.wav", tmp_path / "b.wav")
    with pytest.raises(UsageError, match=r"holds another audit \(of other audio\); choose an emp"):
        audit(recognizer, same, out)
    with pytest.raises(UsageError, match=r"another audit \(of other threshold, audio\)"):
        audit(recognizer.with_threshold(0.9), same, out)


def test_utterances_that_cannot_be_used_are_named_and_left_out(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    recognizer = load("emotone-8")  # hears whatever is not silent
    path = make_table()
    (path.parent / "s0_anger_0.wav").write_bytes(b"RIFF")
    soundfile.write(path.parent / "s1_neutral_1.wav", np.zeros(8000), 16_000)
    found = audit(recognizer, corpora.read(TableOptions(root=path)), tmp_path / "out")
    assert found.subject.utterances == 14
    (note,) = [note for note in found.subject.notes if "get no answer" in note]
    assert note.startswith("2 utterances get no answer: ")
    assert "s0_anger_0.wav: not audio that can be decoded" in note
    assert "s1_neutral_1: the array: silent throughout" in note


@pytest.mark.usefixtures("few")
def test_a_corpus_that_cannot_be_decoded_is_an_error(
    make_table: Callable[..., Path], recognizer: Recognizer, tmp_path: Path
) -> None:
    path = make_table(speakers=1)
    for file in path.parent.glob("*.wav"):
        file.write_bytes(b"RIFF")
    with pytest.raises(AudioError, match=r"no utterance of table gets an answer: .*not audio"):
        audit(recognizer, corpora.read(TableOptions(root=path)), tmp_path / "out")


@pytest.mark.usefixtures("few")
def test_a_codec_that_ffmpeg_lacks_is_skipped_and_its_requirement_missed(
    corpus: Corpus, recognizer: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(waveform: Waveform, codec: str, bit_rate: int | None = None) -> None:
        raise ValueError("unknown encoder")

    monkeypatch.setattr("emotone.evaluation.changes.through_codec", lacking)
    asked = Requirement("robustness.codec.opus.unchanged", 0.5, None)
    found = audit(recognizer, corpus, tmp_path, required=[asked])
    assert [effect.change for effect in found.robustness] == ["gain", "babble"]
    reason = "skipped, the local FFmpeg cannot encode it (unknown encoder)"
    assert f"Opus, 16 kbit/s: {reason}" in found.subject.notes
    assert found.requirements == (replace(asked, found=None),)
    assert not found.requirements[0].passed


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of noise and of rooms, of a short and a long RT60."""
    noise, rooms = tmp_path / "noise", tmp_path / "rooms"
    for folder in (noise, rooms):
        folder.mkdir()
    rng = np.random.default_rng(0)
    for name, level in (("a", 0.1), ("b", 0.2)):
        soundfile.write(noise / f"{name}.wav", level * rng.uniform(-1, 1, 8000), 16_000)
    (noise / "broken.wav").write_bytes(b"RIFF")
    for name, rt60_s in (("short", 0.3), ("long", 1.5)):
        response = disturbances.synthetic_room(rng, rt60_s)
        soundfile.write(rooms / f"{name}.wav", 0.5 * response / np.abs(response).max(), 16_000)
    return noise, rooms


def test_recordings_of_folders_are_used(
    corpus: Corpus, recognizer: Recognizer, folders: tuple[Path, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    kept = {name: CHANGES[name] for name in ("environment", "measured_short", "measured_long")}
    monkeypatch.setattr("emotone.experiments.audit.CHANGES", kept)
    noise, rooms = folders
    found = audit(recognizer, corpus, tmp_path / "out", AuditOptions(noise=noise, rooms=rooms))
    assert [effect.change for effect in found.robustness] == list(kept)
    assert found.non_speech[-1].kind == "recorded"
    assert found.non_speech[-1].answered == 0.0  # tones, which are no speech
    assert any("broken.wav: not audio that can be decoded" in note for note in found.subject.notes)


def test_rooms_are_told_by_their_reverberation_and_half_can_be_kept(
    folders: tuple[Path, Path],
) -> None:
    noise, rooms = folders
    found, problems = audit_material.find(noise, rooms, test_half=False)
    assert [path.name for path in found.noises] == ["a.wav", "b.wav"]
    assert [path.name for path in found.short_rooms] == ["short.wav"]
    assert [path.name for path in found.long_rooms] == ["long.wav"]
    assert len(problems) == 1
    half, _ = audit_material.find(noise, rooms, test_half=True)
    assert [path.name for path in half.noises] == ["b.wav"]
    assert ([path.name for path in half.short_rooms], half.long_rooms) == (["short.wav"], ())


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "--noise: the folder .* does not exist"), (b"", "it holds no audio files"),
     (b"RIFF", "no file of .* can be used: .*not audio")],
)  # fmt: skip
def test_folders_without_audio_are_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    folder = tmp_path / "noise"
    if content is not None:
        folder.mkdir()
    if content:
        (folder / "a.wav").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        audit_material.find(folder, None, test_half=False)


def test_a_test_half_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="--test-half chooses among noises and rooms; give"):
        audit_material.find(None, None, test_half=True)


def test_one_recording_has_no_test_half(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(800, 0.1), 16_000)
    found, _ = audit_material.find(tmp_path, None, test_half=False)
    assert [path.name for path in found.noises] == ["a.wav"]
    with pytest.raises(UsageError, match=r"^--noise: 1 audio file in .*; at least 2 are needed"):
        audit_material.find(tmp_path, None, test_half=True)


def test_babble_is_of_other_speakers(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = utterances(corpus.table)
    mixed: list[int] = []

    def babble(rng: Generator, speakers: list[Waveform], samples: int) -> Waveform:
        mixed.extend(len(sound) for sound in speakers)
        return voice(0, samples / 16_000)

    monkeypatch.setattr(disturbances, "babble", babble)
    material = CorpusMaterial(rows, Recordings())
    material.speaker = "S01"
    for seed in range(5):
        material.babble(np.random.default_rng(seed), 1600)
    lengths = {len(one.read()): one.speaker for one in rows}
    assert len(mixed) == 25
    assert {lengths[length] for length in mixed} == {"S00", "S02"}


@pytest.mark.usefixtures("few")
def test_validation_speakers_are_new_to_their_model(tmp_path: Path) -> None:
    folder = trained(tmp_path, protocol={"validation_speakers": 1})
    corpus = corpora.read(TableOptions(root=tmp_path / "table.csv"))
    found = audit(load(folder), corpus, tmp_path / "audit", AuditOptions(new_speakers=True))
    assert (found.subject.speakers, found.subject.known_speakers) == (1, 0)
    assert found.subject.utterances == 4
    assert any(note.startswith("1 speaker chose the epoch") for note in found.subject.notes)
    every = audit(load(folder), corpus, tmp_path / "every")
    assert (every.subject.speakers, every.subject.known_speakers) == (2, 1)


@pytest.mark.usefixtures("few")
def test_the_threshold_of_the_recogniser_counts(
    corpus: Corpus, recognizer: Recognizer, tmp_path: Path
) -> None:
    sure = audit(recognizer.with_threshold(0), corpus, tmp_path / "all", AuditOptions(jobs=2))
    assert sure.coverage.confident == 1.0
    assert sure.robustness[0].confident == 1.0
    assert sure.subject.threshold == 0.0
    none = audit(recognizer.with_threshold(1), corpus, tmp_path / "none")
    assert none.coverage.confident == 0.0
    with pytest.raises(UsageError, match="holds another audit"):
        audit(recognizer, corpus, tmp_path / "none")


def test_random_draws_depend_on_seed_utterance_and_change() -> None:
    draws = {
        generator(seed, utterance, change).integers(2**60)
        for seed in (0, 1)
        for utterance in ("a", "b")
        for change in ("gain", "tone")
    }
    assert len(draws) == 8
    assert generator(0, "a", "gain").integers(2**60) in draws


def test_a_model_folder_that_moved_audits_the_same(
    corpus: Corpus, recognizer: Recognizer, finished: tuple[Path, Audit], tmp_path: Path
) -> None:
    shutil.copytree(recognizer.folder, tmp_path / "moved")
    shutil.copytree(finished[0], tmp_path / "out")
    found = audit(load(tmp_path / "moved"), corpus, tmp_path / "out")
    assert found.robustness == finished[1].robustness
    assert found.subject.model == "moved"
