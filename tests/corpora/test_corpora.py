"""The contract of all readers, and several corpora in one.

The test of each reader, ``test_<name>.py`` in this folder, has a function ``example`` that writes a
small copy of the corpus to a folder and returns the options to read it.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from emotone import corpora
from emotone.corpora import COLUMNS, EMOTIONS, READERS
from emotone.corpora.base import CorpusOptions
from emotone.errors import CorpusError
from tests.helpers import small_emodb, small_ravdess, write


def example(name: str, root: Path) -> CorpusOptions:
    options = importlib.import_module(f"tests.corpora.test_{name}").example(root)
    assert isinstance(options, READERS[name].options)
    return options


@pytest.mark.parametrize("name", READERS)
def test_each_reader_keeps_the_contract(name: str, tmp_path: Path) -> None:
    options = example(name, tmp_path)
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


@pytest.mark.parametrize("name", READERS)
def test_each_reader_documents_its_corpus(name: str, tmp_path: Path) -> None:
    info = READERS[name].info
    assert info.title
    assert info.description
    if info.utterances is not None:  # the reader is of one corpus
        assert info.citation
        assert info.home_page.startswith(("https://", "http://"))
        assert info.language
        assert info.speakers
        assert info.emotions
    assert set(info.emotions) <= set(EMOTIONS)
    assert list(info.emotions) == sorted(info.emotions)
    corpus = corpora.read(example(name, tmp_path))
    if info.emotions:
        assert set(corpus.labels) <= set(info.emotions)
    if info.language_code:
        assert set(corpus.table["language"]) == {info.language_code}


LABELS = {
    name: labels
    for name, reader in READERS.items()
    if isinstance(labels := getattr(sys.modules[reader.options.__module__], "EMOTIONS", None), dict)
}  # of the readers that map a corpus's labels to emotions


@pytest.mark.parametrize("name", LABELS)
def test_the_documented_emotions_are_those_of_the_labels(name: str) -> None:
    assert set(READERS[name].info.emotions) == set(LABELS[name].values())


FOLDERS = [name for name in READERS if name not in ("synthetic", "table")]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_root_that_does_not_exist_is_an_error(name: str, tmp_path: Path) -> None:
    options_class, reader = READERS[name][:2]
    with pytest.raises(CorpusError, match=r"does not exist; corpus\.root must be the folder"):
        reader(options_class(name=name, root=tmp_path / "gone"))
    with pytest.raises(CorpusError, match=r"no folder given; put it after the name \("):
        reader(options_class(name=name))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_root_without_the_corpus_is_an_error(name: str, tmp_path: Path) -> None:
    write(tmp_path / "something.wav")
    options_class, reader = READERS[name][:2]
    with pytest.raises(CorpusError, match=r"corpus\.root must be the folder that holds "):
        reader(options_class(name=name, root=tmp_path))


def test_several_corpora_become_one_with_distinct_names(tmp_path: Path) -> None:
    several: list[Any] = [small_emodb(tmp_path / "a"), small_ravdess(tmp_path / "b")]
    corpus = corpora.read_all(several)
    assert corpus.name == "emodb+ravdess"
    assert len(corpus.table) == 8
    assert "emodb/03" in corpus.speakers
    assert "ravdess/12" in corpus.speakers
    assert all(problem.startswith(("emodb: ", "ravdess: ")) for problem in corpus.problems)
    with pytest.raises(CorpusError, match="must have different names, got emodb, emodb"):
        corpora.read_all([several[0], several[0]])
