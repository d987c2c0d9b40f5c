import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emotone import corpora
from emotone.corpora import COLUMNS, EMOTIONS, READERS, Corpus, emodb
from emotone.corpora.cremad import CremadOptions
from emotone.corpora.emobox import EmoboxOptions
from emotone.corpora.emodb import EmodbOptions
from emotone.corpora.iemocap import IemocapOptions
from emotone.corpora.nemo import NemoOptions
from emotone.corpora.ravdess import RavdessOptions
from emotone.corpora.savee import SaveeOptions
from emotone.corpora.synthetic import SyntheticOptions
from emotone.corpora.table import TableOptions
from emotone.corpora.tess import TessOptions
from emotone.corpora.urdu import UrduOptions
from emotone.errors import CorpusError, FoldError
from emotone.evaluation.folds import ProtocolOptions, make_folds
from tests.helpers import full_iemocap, real_corpus, small_audformat, write

EMODB_NAMES = ["03a01Fa", "03a01Wa", "08a02Nb", "16b10Td", "14a05Ac"]
RAVDESS_NAMES = ["03-01-06-01-02-01-12", "03-01-01-01-01-02-01", "03-01-08-02-01-01-02"]


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


def small_cremad(root: Path) -> CremadOptions:
    for name in ("1001_DFA_ANG_XX", "1002_IEO_HAP_HI", "1002_TIE_NEU_X"):
        write(root / "AudioWAV" / f"{name}.wav")
    (root / "VideoDemographics.csv").write_text("ActorID,Age,Sex\n1001,51,Male\n1002,21,Female\n")
    return CremadOptions(root=root)


def small_urdu(root: Path) -> UrduOptions:
    for name in ("Angry/SM1_F10_A010", "Happy/SF5_F1_H01", "Neutral/SM27_F9_N09", "Sad/SM1_F2_S2"):
        write(root / f"{name}.wav")
    return UrduOptions(root=root)


def small_savee(root: Path) -> SaveeOptions:
    for name in ("DC_a01", "JE_sa15", "JK/su03", "KL/n30"):
        write(root / f"{name}.wav")
    return SaveeOptions(root=root)


def small_tess(root: Path) -> TessOptions:
    for name in ("OAF_angry/OAF_back_angry", "YAF_ps/YAF_pike_ps", "OAF_neutral/OA_bite_neutral"):
        write(root / f"{name}.wav")
    return TessOptions(root=root)


def small_iemocap(root: Path) -> IemocapOptions:
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


def small_emobox(root: Path) -> EmoboxOptions:
    small_emodb(root / "audio")
    lists = root / "lists"
    for fold, names in (("1", EMODB_NAMES[:2]), ("2", EMODB_NAMES[2:])):
        (lists / f"fold_{fold}").mkdir(parents=True)
        path = lists / f"fold_{fold}" / f"emodb_test_fold_{fold}.jsonl"
        path.write_text("".join(emobox_line(name) for name in names))
    (lists / "emodb.jsonl").write_text("".join(map(emobox_line, EMODB_NAMES)))
    (lists / "label_map.json").write_text(json.dumps({"happy": "Happy", "boredem": "Boredom"}))
    return EmoboxOptions(root=lists, audio=root / "audio")


def emobox_line(name: str) -> str:
    parsed = emodb.parse(name)
    assert parsed is not None
    emotion = {"happiness": "happy"}.get(parsed["emotion"], parsed["emotion"])
    entry = {"key": f"emodb-{name}", "dataset": "emodb", "wav": f"x/{name}.wav", "emo": emotion}
    return json.dumps(entry) + "\n"


SMALL: dict[str, Callable[[Path], Any]] = {
    "audformat": small_audformat,
    "cremad": small_cremad,
    "emobox": small_emobox,
    "iemocap": small_iemocap,
    "savee": small_savee,
    "tess": small_tess,
    "urdu": small_urdu,
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
    options_class = READERS[name].options
    assert options_class.model_fields["name"].default == name


FOLDERS = [name for name in READERS if name not in ("synthetic", "table")]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_root_that_does_not_exist_is_an_error(name: str, tmp_path: Path) -> None:
    options_class, reader = READERS[name][:2]
    with pytest.raises(CorpusError, match=r"does not exist; corpus\.root must be the folder"):
        reader(options_class(name=name, root=tmp_path / "gone"))
    with pytest.raises(CorpusError, match=r"no root given; set corpus\.root="):
        reader(options_class(name=name))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_root_without_the_corpus_is_an_error(name: str, tmp_path: Path) -> None:
    write(tmp_path / "something.wav")
    options_class, reader = READERS[name][:2]
    with pytest.raises(CorpusError, match=r"corpus\.root must be the folder that holds "):
        reader(options_class(name=name, root=tmp_path))


def test_a_folder_that_looks_right_is_named(tmp_path: Path) -> None:
    small_emodb(tmp_path / "emodb")
    (tmp_path / "emodb" / "docs").mkdir()
    with pytest.raises(
        CorpusError, match=r"holds no audio files; did you mean .*wav\?; corpus\.root must"
    ):
        corpora.read(EmodbOptions(root=tmp_path / "emodb" / "docs"))
    with pytest.raises(
        CorpusError, match=r"03a01Fa\.flac is a file; corpus\.root must be the folder"
    ):
        corpora.read(EmodbOptions(root=tmp_path / "emodb" / "wav" / "03a01Fa.flac"))
    with pytest.raises(CorpusError, match=r"emobd does not exist; did you mean 'emodb'\?"):
        corpora.read(EmodbOptions(root=tmp_path / "emobd"))


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
    assert corpus.problems == (
        "5 of 535 utterances of emodb were found; is the copy complete?",
        "1 audio files with other names are left out: noise",
    )


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
    assert corpus.problems[0] == "1 of 3 rows of data.tsv have no audio in samples"


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
    assert len(corpus.table) == 4481
    assert len(corpus.speakers) == 9
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
        ("file,emotion\na.wav,anger\n", "no column 'speaker'; required are file, emotion, speaker"),
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
        (None, r"set corpus\.root=TABLE\.csv"),
        (tmp_path / "gone.csv", "does not exist"),
        (tmp_path / "t.xls", r"expected \.csv, \.tsv or \.parquet, got '\.xls'"),
        (tmp_path / "t.parquet", "cannot be read as a PARQUET table"),
    ):
        with pytest.raises(CorpusError, match=message):
            corpora.read(TableOptions(root=root))


def test_cremad_sexes_come_from_the_demographics(tmp_path: Path) -> None:
    options = small_cremad(tmp_path)
    assert rows(corpora.read(options), "emotion", "speaker", "sex", "level") == {
        "1001_DFA_ANG_XX": ("anger", "1001", "male", "XX"),
        "1002_IEO_HAP_HI": ("happiness", "1002", "female", "HI"),
        "1002_TIE_NEU_X": ("neutral", "1002", "female", "X"),
    }
    (tmp_path / "VideoDemographics.csv").unlink()
    corpus = corpora.read(options)
    assert set(corpus.table["sex"]) == {""}
    assert "there is no VideoDemographics.csv" in corpus.problems[-1]


def test_urdu_savee_and_tess_names(tmp_path: Path) -> None:
    assert rows(corpora.read(small_urdu(tmp_path / "urdu")), "emotion", "speaker", "sex") == {
        "SM1_F10_A010": ("anger", "SM1", "male"),
        "SF5_F1_H01": ("happiness", "SF5", "female"),
        "SM27_F9_N09": ("neutral", "SM27", "male"),
        "SM1_F2_S2": ("sadness", "SM1", "male"),
    }
    assert rows(corpora.read(small_savee(tmp_path / "savee")), "emotion", "speaker") == {
        "DC_a01": ("anger", "DC"),
        "JE_sa15": ("sadness", "JE"),
        "JK_su03": ("surprise", "JK"),
        "KL_n30": ("neutral", "KL"),
    }
    assert rows(corpora.read(small_tess(tmp_path / "tess")), "emotion", "speaker", "text") == {
        "OAF_back_angry": ("anger", "OAF", "back"),
        "YAF_pike_ps": ("surprise", "YAF", "pike"),
        "OA_bite_neutral": ("neutral", "OAF", "bite"),
    }


def test_iemocap_speakers_and_labels(tmp_path: Path) -> None:
    options = small_iemocap(tmp_path)
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
    with pytest.raises(CorpusError, match="no audio in"):
        corpora.read(options.model_copy(update={"part": "scripted"}))


def test_iemocap_says_where_a_line_is_damaged(tmp_path: Path) -> None:
    options = small_iemocap(tmp_path)
    path = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text(path.read_text().replace("neu\t[2.5000", "neu\t[2,5000"))
    with pytest.raises(CorpusError, match=r"Ses01F_impro01\.txt, line 3: expected \[start - end\]"):
        corpora.read(options)


def test_iemocap_names_the_folder_that_looks_right(tmp_path: Path) -> None:
    small_iemocap(tmp_path / "IEMOCAP_full_release")
    with pytest.raises(
        CorpusError, match=r"; did you mean .*IEMOCAP_full_release\?; corpus\.root must"
    ):
        corpora.read(IemocapOptions(root=tmp_path))
    with pytest.raises(
        CorpusError, match=r"; did you mean .*IEMOCAP_full_release\?; corpus\.root must"
    ):
        corpora.read(IemocapOptions(root=tmp_path / "IEMOCAP_full_release" / "Session1"))


def test_iemocap_half_copied_is_a_problem(tmp_path: Path) -> None:
    options = small_iemocap(tmp_path)
    next((tmp_path / "Session1" / "sentences").rglob("*F000.wav")).unlink()
    assert (
        "1 labelled utterances of Session1 have no audio; is the copy complete?"
        in corpora.read(options).problems
    )


def test_iemocap_of_full_size_has_the_counts_of_the_literature(tmp_path: Path) -> None:
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


def test_emobox_folds_emotions_and_speakers(tmp_path: Path) -> None:
    corpus = corpora.read(small_emobox(tmp_path))
    assert corpus.name == "emodb"
    assert rows(corpus, "emotion", "speaker", "fold") == {
        "03a01Fa": ("happiness", "03", "1"),
        "03a01Wa": ("anger", "03", "1"),
        "08a02Nb": ("neutral", "08", "2"),
        "16b10Td": ("sadness", "16", "2"),
        "14a05Ac": ("fear", "14", "2"),
    }


def test_emobox_damaged_lists_are_named(tmp_path: Path) -> None:
    options = small_emobox(tmp_path)
    assert options.root is not None
    path = options.root / "fold_2" / "emodb_test_fold_2.jsonl"
    whole = path.read_text()
    path.write_text(whole + emobox_line("03a07Wc"))
    with pytest.raises(CorpusError, match=r"lists emodb-03a07Wc, which the corpus does not have"):
        corpora.read(options)
    path.write_text(whole + emobox_line("03a01Fa"))
    with pytest.raises(CorpusError, match=r"emodb-03a01Fa is tested in folds 1 and 2"):
        corpora.read(options)
    path.write_text("{")
    with pytest.raises(CorpusError, match=r"emodb_test_fold_2\.jsonl, line 1: expected JSON with"):
        corpora.read(options)
    with pytest.raises(CorpusError, match=r"set corpus\.audio=FOLDER, the folder that holds"):
        corpora.read(options.model_copy(update={"audio": None}))


def test_emobox_needs_file_names_that_identify_speakers(tmp_path: Path) -> None:
    options = small_emobox(tmp_path)
    assert options.root is not None
    for path in options.root.rglob("*.jsonl"):
        path.write_text(path.read_text().replace('"dataset": "emodb"', '"dataset": "meld"'))
    known = "cremad, emodb, ravdess, savee, tess, urdu"
    with pytest.raises(CorpusError, match=f"names of 'meld' do not identify .* do are {known}$"):
        corpora.read(options)


@pytest.mark.parametrize(("name", "folds", "counts"), [("emodb", 5, 535), ("ravdess", 6, 1440)])
def test_emoboxs_published_folds(name: str, folds: int, counts: int) -> None:
    root = real_corpus("emobox") / name
    corpus = corpora.read(EmoboxOptions(root=root, audio=real_corpus(name)))
    options_class, reader = READERS[name][:2]
    ours = reader(options_class(name=name, root=real_corpus(name)))
    assert len(corpus.table) == counts
    assert corpus.table["fold"].nunique() == folds
    for column in ("utterance", "emotion", "speaker", "sex"):
        assert corpus.table[column].tolist() == ours.table[column].tolist()
    protocol = ProtocolOptions(name="fold_column")
    if name == "ravdess":
        assert len(make_folds(corpus, protocol)) == 6
        return
    with pytest.raises(FoldError, match=r"share the speakers 03, 08.*speaker_dependent=true"):
        make_folds(corpus, protocol)
    dependent = make_folds(corpus, protocol.model_copy(update={"speaker_dependent": True}))
    assert sorted(n for fold in dependent for n in fold.test) == list(range(535))


def test_audformat_filewise_and_segmented(tmp_path: Path) -> None:
    expected = {
        "emotion": ["anger", "happiness"],
        "speaker": ["s1", "s2"],
        "sex": ["female", "male"],
    }
    table = corpora.read(small_audformat(tmp_path / "files")).table
    assert table[list(expected)].to_dict("list") == expected
    assert set(table["language"]) == {"deu"}
    table = corpora.read(small_audformat(tmp_path / "segments", segmented=True)).table
    assert table[list(expected)].to_dict("list") == expected
    assert table["start"].tolist() == [0.0, 0.02]
    assert table["end"].tolist() == [0.05, 0.1]


def test_audformat_missing_columns_are_named(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    for changes, message in (
        ({"emotion": "mood"}, "no column 'mood' in table any .*emotion: emotion; files: speaker"),
        ({"speaker": "actor"}, "no column 'actor' in any table"),
        ({"table": "emotions"}, "no table 'emotions'; did you mean 'emotion'"),
    ):
        with pytest.raises(CorpusError, match=message):
            corpora.read(options.model_copy(update=changes))


def test_audformat_pickles_are_not_opened(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    (tmp_path / "db.files.pkl").write_bytes(b"anything")
    with pytest.raises(CorpusError, match="is a pickled table, which could execute code"):
        corpora.read(options)


def test_emotions_can_be_renamed_and_left_out(tmp_path: Path) -> None:
    options = small_emodb(tmp_path)
    changes = {"map": {"fear": None, "anger": "happiness"}, "keep": ("happiness", "neutral")}
    corpus = corpora.read(EmodbOptions.model_validate(options.model_dump() | changes))
    assert corpus.table["emotion"].value_counts().to_dict() == {"happiness": 2, "neutral": 1}
    assert corpus.problems[1:] == (
        "1 utterances of fear are left out because of corpus.map or corpus.keep",
        "1 utterances of sadness are left out because of corpus.map or corpus.keep",
    )


def test_a_mapping_with_unknown_names_is_an_error(tmp_path: Path) -> None:
    options = small_emodb(tmp_path)
    with pytest.raises(
        CorpusError, match="renames 'feer', which does not occur; did you mean 'fear'"
    ):
        corpora.read(options.model_copy(update={"map": {"feer": None}}))
    with pytest.raises(ValueError, match="unknown emotion 'hapiness'; did you mean 'happiness'"):
        EmodbOptions(map={"fear": "hapiness"})
    with pytest.raises(ValueError, match="unknown emotion 'hapiness'; did you mean 'happiness'"):
        EmodbOptions(keep=("hapiness",))
    with pytest.raises(CorpusError, match="no utterance is left"):
        corpora.read(options.model_copy(update={"keep": ("calm",)}))


def test_a_table_may_use_names_that_are_mapped(tmp_path: Path) -> None:
    options = small_table(tmp_path)
    assert options.root is not None
    options.root.write_text(options.root.read_text().replace("anger", "wrath"))
    mapped = options.model_copy(update={"map": {"wrath": "anger"}})
    assert corpora.read(mapped).labels == ["anger", "fear"]


def test_several_corpora_become_one_with_names_apart(tmp_path: Path) -> None:
    several: list[Any] = [small_emodb(tmp_path / "a"), small_ravdess(tmp_path / "b")]
    corpus = corpora.read_all(several)
    assert corpus.name == "emodb+ravdess"
    assert len(corpus.table) == 8
    assert "emodb/03" in corpus.speakers
    assert "ravdess/12" in corpus.speakers
    assert all(problem.startswith(("emodb: ", "ravdess: ")) for problem in corpus.problems)
    with pytest.raises(CorpusError, match="must have different names, got emodb, emodb"):
        corpora.read_all([several[0], several[0]])
