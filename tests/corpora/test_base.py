from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora.base import corpus_from_rows
from emotone.corpora.emodb import EmodbOptions
from emotone.errors import CorpusError
from tests.helpers import small_emodb


def test_a_folder_that_looks_right_is_suggested(tmp_path: Path) -> None:
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


def test_emotions_can_be_renamed_and_left_out(tmp_path: Path) -> None:
    options = small_emodb(tmp_path)
    changes = {"map": {"fear": None, "anger": "happiness"}, "keep": ("happiness", "neutral")}
    corpus = corpora.read(EmodbOptions.model_validate(options.model_dump() | changes))
    assert corpus.table["emotion"].value_counts().to_dict() == {"happiness": 2, "neutral": 1}
    assert corpus.problems[1:] == (
        "1 utterance of fear is left out because of corpus.map or corpus.keep",
        "1 utterance of sadness is left out because of corpus.map or corpus.keep",
    )


def test_a_mapping_takes_any_target_and_other_names_of_emotions(tmp_path: Path) -> None:
    options = small_emodb(tmp_path)
    changed = options.model_copy(update={"map": {"angry": "furious"}, "keep": ("furious", "sad")})
    assert corpora.read(changed).labels == ["furious", "sadness"]


def test_files_can_be_excluded(tmp_path: Path) -> None:
    options = small_emodb(tmp_path)
    before = corpora.read(options)
    name = Path(before.table["file"][0]).name
    corpus = corpora.read(options.model_copy(update={"exclude": (name,)}))
    assert corpus.table["file"].tolist() == before.table["file"].tolist()[1:]
    assert "1 utterance is left out because of corpus.exclude" in corpus.problems
    with pytest.raises(CorpusError, match=r"corpus\.exclude has 'x\*', which no file is called"):
        corpora.read(options.model_copy(update={"exclude": ("x*",)}))
    with pytest.raises(CorpusError, match=r"no utterance is left after corpus\.exclude"):
        corpora.read(options.model_copy(update={"exclude": ("wav/*",)}))


def test_a_mapping_with_unknown_names_is_an_error(tmp_path: Path) -> None:
    options = small_emodb(tmp_path)
    with pytest.raises(
        CorpusError, match="renames 'feer', which does not occur; did you mean 'fear'"
    ):
        corpora.read(options.model_copy(update={"map": {"feer": None}}))
    with pytest.raises(ValueError, match="unknown emotion 'hapiness'; did you mean 'happiness'"):
        EmodbOptions(map={"fear": "hapiness"}, strict_labels=True)
    with pytest.raises(ValueError, match="unknown emotion 'hapiness'; did you mean 'happiness'"):
        EmodbOptions(keep=("hapiness",), strict_labels=True)
    with pytest.raises(CorpusError, match="keep has 'saddnes', which does not occur; did you mean"):
        corpora.read(options.model_copy(update={"keep": ("saddnes",)}))
    with pytest.raises(CorpusError, match="no utterance is left"):
        corpora.read(options.model_copy(update={"keep": ("calm",)}))


def test_names_of_utterances_are_unique() -> None:
    names = ["a", "a", "a#2", "a"]
    rows = [{"utterance": name, "file": "x", "emotion": "e", "speaker": "s"} for name in names]
    assert sorted(corpus_from_rows("made", rows).table["utterance"]) == ["a", "a#2", "a#3", "a#4"]
