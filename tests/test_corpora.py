from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import real_corpus, voice

from emotone import corpora
from emotone.corpora import COLUMNS, EMOTIONS, READERS, Corpus
from emotone.corpora.emodb import EmodbOptions
from emotone.corpora.nemo import NemoOptions
from emotone.corpora.ravdess import RavdessOptions
from emotone.corpora.synthetic import SyntheticOptions
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError

EMODB_NAMES = ["03a01Fa", "03a01Wa", "08a02Nb", "16b10Td", "14a05Ac"]
RAVDESS_NAMES = ["03-01-06-01-02-01-12", "03-01-01-01-01-02-01", "03-01-08-02-01-01-02"]


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(0, 0.1), 16_000)


def small_emodb(root: Path) -> EmodbOptions:
    for number, name in enumerate(EMODB_NAMES):
        write(root / "wav" / f"{name}.{'wav' if number % 2 else 'flac'}")
    return EmodbOptions(root=root)


def small_ravdess(root: Path) -> RavdessOptions:
    for name in RAVDESS_NAMES:
        write(root / f"Actor_{name[-2:]}" / f"{name}.wav")
    return RavdessOptions(root=root)


def small_nemo(root: Path) -> NemoOptions:
    write(root / "samples" / "WR0_surprised_64.flac")
    write(root / "samples" / "EB0_neutral_13.wav")
    lines = ["file_id\temotion\traw_text\tspeaker_id\tgender\tage"]
    lines += ["WR0_surprised_64.wav\tsurprised\tUcho.\t        WR0\tmale\t23"]
    lines += ["EB0_neutral_13.wav\tneutral\tHistoria.\tEB0\tfemale\t27"]
    lines += ["EB0_anger_1.wav\tanger\tHistoria.\tEB0\tfemale\t27"]
    (root / "data.tsv").write_text("\n".join(lines), encoding="utf-8")
    return NemoOptions(root=root)


def small_table(root: Path) -> TableOptions:
    write(root / "a.wav")
    write(root / "sub" / "b.wav")
    text = "file,emotion,speaker,session,take\na.wav,anger,007,1,x\nsub/b.wav,fear,8,2,y\n"
    (root / "table.csv").write_text(text)
    return TableOptions(root=root / "table.csv")


def small_synthetic(root: Path) -> SyntheticOptions:
    return SyntheticOptions(root=root / "made", speakers=2, utterances=4)


SMALL: dict[str, Callable[[Path], Any]] = {
    "emodb": small_emodb,
    "nemo": small_nemo,
    "ravdess": small_ravdess,
    "synthetic": small_synthetic,
    "table": small_table,
}


@pytest.mark.parametrize("name", READERS)
def test_each_reader_keeps_the_contract(name: str, tmp_path: Path) -> None:
    options = SMALL[name](tmp_path)
    corpus = corpora.read(options)
    table = corpus.table
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
    assert len(table) > 0
    assert table["utterance"].is_unique
    assert table["utterance"].is_monotonic_increasing
    assert set(table["emotion"]) <= set(EMOTIONS)
    assert set(table["sex"]) <= {"female", "male", ""}
    assert table["start"].dtype == table["end"].dtype == float
    assert all(Path(file).is_file() for file in table["file"])
    for column in ("speaker", "session", "language", "corpus"):
        assert all(isinstance(value, str) for value in table[column])
    assert (table["speaker"] != "").all()
    assert corpus.labels == sorted(set(table["emotion"]))
    pd.testing.assert_frame_equal(corpora.read(options).table, table)
    options_class, _ = READERS[name]
    assert options_class.model_fields["name"].default == name


@pytest.mark.parametrize("name", ["emodb", "nemo", "ravdess"])
def test_a_root_that_does_not_exist_is_an_error(name: str, tmp_path: Path) -> None:
    options_class, reader = READERS[name]
    with pytest.raises(CorpusError, match=r"does not exist; corpus\.root must be the folder"):
        reader(options_class(root=tmp_path / "gone"))
    with pytest.raises(CorpusError, match=r"no root given; say where it lies with corpus\.root="):
        reader(options_class())


@pytest.mark.parametrize("name", ["emodb", "nemo", "ravdess"])
def test_a_root_without_the_corpus_is_an_error(name: str, tmp_path: Path) -> None:
    write(tmp_path / "something.wav")
    options_class, reader = READERS[name]
    with pytest.raises(CorpusError, match=r"corpus\.root must be the folder (that holds|of) "):
        reader(options_class(root=tmp_path))


def rows(corpus: Corpus, *columns: str) -> dict[str, tuple[Any, ...]]:
    table = corpus.table.set_index("utterance")
    return {
        str(name): tuple(row)
        for name, row in zip(table.index, table[list(columns)].values, strict=True)
    }


def test_emodb_names(tmp_path: Path) -> None:
    options = small_emodb(tmp_path)
    write(tmp_path / "wav" / "._03a01Fa.wav")
    write(tmp_path / "wav" / "noise.wav")
    corpus = corpora.read(options)
    assert rows(corpus, "emotion", "speaker", "sex", "text") == {
        "03a01Fa": ("happiness", "03", "male", "a01"),
        "03a01Wa": ("anger", "03", "male", "a01"),
        "08a02Nb": ("neutral", "08", "female", "a02"),
        "16b10Td": ("sadness", "16", "female", "b10"),
        "14a05Ac": ("fear", "14", "female", "a05"),
    }
    (problem,) = corpus.problems
    assert problem == "1 audio files are not named as EMO-DB names them, left out: noise"


def test_ravdess_names(tmp_path: Path) -> None:
    options = small_ravdess(tmp_path)
    write(tmp_path / "Actor_12" / "03-02-06-01-02-01-12.wav")  # sung
    assert rows(corpora.read(options), "emotion", "speaker", "sex", "intensity") == {
        "03-01-06-01-02-01-12": ("fear", "12", "female", "normal"),
        "03-01-01-01-01-02-01": ("neutral", "01", "male", "normal"),
        "03-01-08-02-01-01-02": ("surprise", "02", "female", "strong"),
    }


def test_nemo_rows_without_audio_are_a_problem_not_an_error(tmp_path: Path) -> None:
    corpus = corpora.read(small_nemo(tmp_path))
    assert rows(corpus, "emotion", "speaker", "sex") == {
        "WR0_surprised_64": ("surprise", "WR0", "male"),
        "EB0_neutral_13": ("neutral", "EB0", "female"),
    }
    assert corpus.problems == ("1 of 3 rows of data.tsv have no audio in samples",)


@pytest.mark.parametrize(
    ("name", "options", "utterances", "speakers", "counts"),
    [
        (
            "emodb",
            EmodbOptions,
            535,
            10,
            # Burkhardt et al. 2005 and the database's page
            {"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71,
             "neutral": 79, "sadness": 62},
        ),
        (
            "ravdess",
            RavdessOptions,
            1440,
            24,
            {"neutral": 96} | dict.fromkeys(
                ("anger", "calm", "disgust", "fear", "happiness", "sadness", "surprise"), 192
            ),
        ),
    ],
)  # fmt: skip
def test_published_counts(
    name: str, options: Any, utterances: int, speakers: int, counts: dict[str, int]
) -> None:
    corpus = corpora.read(options(root=real_corpus(name)))
    assert len(corpus.table) == utterances
    assert len(corpus.speakers) == speakers
    assert corpus.table["emotion"].value_counts().to_dict() == counts
    assert corpus.table.groupby("speaker")["sex"].first().value_counts().to_dict() == {
        "female": speakers // 2,
        "male": speakers // 2,
    }
    assert corpus.problems == ()


def test_real_nemo() -> None:
    corpus = corpora.read(NemoOptions(root=real_corpus("nemo")))
    assert len(corpus.table) == 1784
    assert len(corpus.speakers) == 4
    assert len(corpus.labels) == 6


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_tables_of_all_kinds(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "a.wav")
    frame = pd.DataFrame(
        {
            "file": ["a.wav", "a.wav"],
            "emotion": ["anger", "calm"],
            "speaker": ["007", "8"],
            "start": [0.0, 0.05],
            "end": [0.05, np.nan],
            "note": ["x", "y"],
        }
    )
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if suffix == "tsv" else ",", index=False)
    table = corpora.read(TableOptions(root=path)).table
    assert table["utterance"].tolist() == ["a#0", "a#1"]
    assert table["speaker"].tolist() == ["007", "8"]
    assert table["start"].tolist() == [0.0, 0.05]
    assert np.isnan(table["end"][1])
    assert table["note"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,emotion\na.wav,anger\n", "no column 'speaker'; needed are file, emotion, speaker"),
        ("file,emotion,speakr\na.wav,anger,1\n", "no column 'speaker'; did you mean 'speakr'?"),
        (
            "file,emotion,speaker\na.wav,angry,1\n",
            "row 2 has the unknown emotion 'angry'; did you mean 'anger'?",
        ),
        ("file,emotion,speaker\na.wav,anger,\n", "row 2 has no speaker; fill it in"),
        ("file,emotion,speaker\ngone.wav,anger,1\n", "1 files do not exist, the first is "),
        ("file,emotion,speaker\n", "no rows; add one per utterance"),
        ("", "cannot be read as a CSV table"),
        ("file,emotion,speaker,start\na.wav,anger,1,soon\n", "row 2 has 'soon' as start"),
        ("file,emotion,speaker,start\na.wav,anger,1,-1\n", "row 2 has '-1' as start"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "a.wav")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(CorpusError) as caught:
        corpora.read(TableOptions(root=tmp_path / "t.csv"))
    assert message in str(caught.value)


def test_tables_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "t.xls").touch()
    (tmp_path / "t.parquet").write_text("no")
    for root, message in (
        (None, "say which file with"),
        (tmp_path / "gone.csv", "does not exist"),
        (tmp_path / "t.xls", r"expected \.csv, \.tsv or \.parquet, got '\.xls'"),
        (tmp_path / "t.parquet", "cannot be read as a PARQUET table"),
    ):
        with pytest.raises(CorpusError, match=message):
            corpora.read(TableOptions(root=root))
