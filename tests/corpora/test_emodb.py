from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora.emodb import EmodbOptions
from emotone.errors import CorpusError
from tests.helpers import EMODB_NAMES, real_corpus, rows, small_emodb, write


def example(root: Path) -> EmodbOptions:
    return small_emodb(root)


def test_names(tmp_path: Path) -> None:
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


def test_windows_media_files_are_read_as_any_other(tmp_path: Path) -> None:
    by_name = {name: (tmp_path / "wav" / f"{name}.wma") for name in EMODB_NAMES}
    (tmp_path / "wav").mkdir()
    for path in by_name.values():
        path.touch()
    table = corpora.read(EmodbOptions(root=tmp_path)).table
    assert dict(zip(table["utterance"], table["file"], strict=True)) == {
        name: str(path) for name, path in by_name.items()
    }


def test_files_of_no_audio_suffix_are_counted_and_not_suggested(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    for name in EMODB_NAMES:
        (tmp_path / "e" / f"{name}.lab").touch()
    with pytest.raises(CorpusError, match=r"no audio files, but 5 files with the suffix \.lab; co"):
        corpora.read(EmodbOptions(root=tmp_path / "e"))


def test_real_corpus_has_the_published_counts() -> None:
    corpus = corpora.read(EmodbOptions(root=real_corpus("emodb")))
    assert len(corpus.table) == 535
    assert len(corpus.speakers) == 10
    assert corpus.table["emotion"].value_counts().to_dict() == {  # Burkhardt et al. 2005
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    }
    assert corpus.table.groupby("speaker")["sex"].first().value_counts().to_dict() == {
        "female": 5,
        "male": 5,
    }
    assert corpus.problems == ()
