from pathlib import Path

from emotone import corpora
from emotone.corpora.ravdess import RavdessOptions
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
