from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora.iemocap import IemocapOptions
from emotone.errors import CorpusError
from emotone.evaluation.folds import make_folds
from emotone.evaluation.protocol import ProtocolOptions
from tests.helpers import full_iemocap, rows, write


def example(root: Path) -> IemocapOptions:
    for session in (1, 2):
        dialog = f"Ses0{session}F_impro01"
        lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        for number, (sex, label) in enumerate([("F", "neu"), ("M", "exc"), ("F", "xxx")]):
            name = f"{dialog}_{sex}{number:03d}"
            lines += [f"[6.2901 - 8.2357]\t{name}\t{label}\t[2.5000, 3.5000, 4.5000]"]
            lines += ["C-E2:\tNeutral;\t()", ""]
            write(root / f"Session{session}/sentences/wav/{dialog}/{name}.wav")
        folder = root / f"Session{session}" / "dialog" / "EmoEvaluation"
        (folder / "Categorical").mkdir(parents=True)
        (folder / f"{dialog}.txt").write_bytes("\r\n".join(lines).encode())
        (folder / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07[rubbish")
        (folder / "Categorical" / f"{dialog}_e1_cat.txt").write_text("[not - a]\tsummary")
    return IemocapOptions(root=root)


def test_speakers_and_labels(tmp_path: Path) -> None:
    options = example(tmp_path)
    corpus = corpora.read(options)
    columns = ("emotion", "speaker", "sex", "session", "part", "valence", "arousal", "dominance")
    assert rows(corpus, *columns) == {
        f"Ses0{n}F_impro01_{sex}00{k}": (
            emotion, f"Ses0{n}{sex}", word, str(n), "improvised", 2.5, 3.5, 4.5
        )
        for n in (1, 2)
        for k, (sex, word, emotion) in enumerate(
            [("F", "female", "neutral"), ("M", "male", "happiness")]
        )
    }  # fmt: skip
    assert corpus.problems == (
        "2 utterances with the label xxx are left out",
        "only Session1, Session2 of the five sessions were found",
    )
    apart = corpora.read(options.model_copy(update={"excitement": "leave_out"}))
    assert apart.labels == ["neutral"]


@pytest.mark.parametrize(
    ("part", "labels", "message"),
    [
        ("scripted", {}, r"with corpus\.part=scripted: the evaluation files list none; .*part=all"),
        (
            "improvised",
            {"neu": "fru", "exc": "xxx"},
            r"part=improvised: these labels are left out: fru \(2\), xxx \(4\); copy",
        ),
        ("all", {"neu": "xxx"}, r"[^=]: these labels are left out: exc \(2\), xxx \(4\)"),
        (
            "all",
            {},
            r"[^=]: 4 labelled utterances have no audio in SessionN/sentences/wav and these",
        ),
    ],
)
def test_nothing_that_can_be_used_is_explained(
    tmp_path: Path, part: str, labels: dict[str, str], message: str
) -> None:
    options = example(tmp_path)
    for path in tmp_path.rglob("Ses*_impro01.txt"):
        text = path.read_text()
        for old, new in labels.items():
            text = text.replace(f"\t{old}\t", f"\t{new}\t")
        path.write_text(text)
    if part == "all":
        options = options.model_copy(update={"excitement": "leave_out" if labels else "merge"})
        for path in tmp_path.rglob("*.wav") if not labels else ():
            path.unlink()
    with pytest.raises(CorpusError, match=message):
        corpora.read(options.model_copy(update={"part": part}))


@pytest.mark.parametrize("valence", ["2,5000", "2.5.00", "-", "."])
def test_a_malformed_line_is_an_error_with_its_number(tmp_path: Path, valence: str) -> None:
    options = example(tmp_path)
    path = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text(path.read_text().replace("neu\t[2.5000", f"neu\t[{valence}"))
    with pytest.raises(CorpusError, match=r"Ses01F_impro01\.txt, line 3: expected \[start - end\]"):
        corpora.read(options)


def test_a_folder_that_looks_right_is_suggested(tmp_path: Path) -> None:
    example(tmp_path / "IEMOCAP_full_release")
    with pytest.raises(
        CorpusError, match=r"; did you mean .*IEMOCAP_full_release\?; corpus\.root must"
    ):
        corpora.read(IemocapOptions(root=tmp_path))
    with pytest.raises(
        CorpusError, match=r"; did you mean .*IEMOCAP_full_release\?; corpus\.root must"
    ):
        corpora.read(IemocapOptions(root=tmp_path / "IEMOCAP_full_release" / "Session1"))


def test_missing_audio_is_a_problem_not_an_error(tmp_path: Path) -> None:
    options = example(tmp_path)
    next((tmp_path / "Session1" / "sentences").rglob("*F000.wav")).unlink()
    assert (
        "1 labelled utterance of Session1 has no audio; is the copy complete?"
        in corpora.read(options).problems
    )


def test_of_full_size_has_the_counts_of_the_literature(tmp_path: Path) -> None:
    full_iemocap(tmp_path)
    corpus = corpora.read(IemocapOptions(root=tmp_path))
    assert len(corpus.table) == 5531
    assert corpus.table["emotion"].value_counts().to_dict() == {
        "neutral": 1708, "happiness": 1636, "anger": 1103, "sadness": 1084,
    }  # fmt: skip
    assert corpus.speakers == [f"Ses0{n}{sex}" for n in range(1, 6) for sex in "FM"]
    assert sorted(corpus.table["session"].unique()) == list("12345")
    assert corpus.problems == (
        "1849 utterances with the label fru are left out",
        "2507 utterances with the label xxx are left out",
    )
    apart = corpora.read(IemocapOptions(root=tmp_path, excitement="leave_out"))
    assert apart.table["emotion"].value_counts()["happiness"] == 595
    parts = [
        len(corpora.read(IemocapOptions.model_validate({"root": tmp_path, "part": part})).table)
        for part in ("improvised", "scripted")
    ]
    assert sum(parts) == 5531
    assert min(parts) > 2000
    by_session = make_folds(corpus, ProtocolOptions(name="leave_one_session_out"))
    assert [fold.name for fold in by_session] == list("12345")
    for fold in by_session:
        assert fold.speakers["test"] == (f"Ses0{fold.name}F", f"Ses0{fold.name}M")
