from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora.ravdess import RavdessOptions
from emotone.errors import CorpusError
from tests.helpers import real_corpus, rows, small_ravdess, write


def example(root: Path) -> RavdessOptions:
    return small_ravdess(root)


def test_names(tmp_path: Path) -> None:
    options = small_ravdess(tmp_path)
    write(tmp_path / "Actor_12" / "03-02-06-01-02-01-12.wav")  # sung
    assert rows(corpora.read(options), "emotion", "speaker", "sex", "intensity") == {
        "03-01-06-01-02-01-12": ("fear", "12", "female", "normal"),
        "03-01-01-01-01-02-01": ("neutral", "01", "male", "normal"),
        "03-01-08-02-01-01-02": ("surprise", "02", "female", "strong"),
    }


def test_other_modalities_are_left_out_and_counted(tmp_path: Path) -> None:
    options = small_ravdess(tmp_path)
    for name in ("01-01-06-01-02-01-12", "02-01-06-01-02-01-12", "01-01-01-01-01-02-01"):
        (tmp_path / "video").mkdir(exist_ok=True)
        (tmp_path / "video" / f"{name}.mp4").touch()
    corpus = corpora.read(options)
    assert len(corpus.table) == 3
    assert "1 file of silent video and 2 files of video are left out, see corpus.modality" in (
        corpus.problems
    )
    with_video = corpora.read(options.model_copy(update={"modality": "video"}))
    assert sorted(with_video.table["utterance"]) == ["01-01-01-01-01-02-01", "01-01-06-01-02-01-12"]
    alone = options.model_copy(update={"root": tmp_path / "video"})
    with pytest.raises(CorpusError, match=r"which holds 1 file of silent video and 2 files of vid"):
        corpora.read(alone)


def test_real_corpus_has_the_published_counts() -> None:
    corpus = corpora.read(RavdessOptions(root=real_corpus("ravdess")))
    assert len(corpus.table) == 1440
    assert len(corpus.speakers) == 24
    assert corpus.table["emotion"].value_counts().to_dict() == {"neutral": 96} | dict.fromkeys(
        ("anger", "calm", "disgust", "fear", "happiness", "sadness", "surprise"), 192
    )
    assert corpus.table.groupby("speaker")["sex"].first().value_counts().to_dict() == {
        "female": 12,
        "male": 12,
    }
    assert corpus.problems == ()
