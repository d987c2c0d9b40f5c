from pathlib import Path

from emotone import corpora
from emotone.corpora.ased import AsedOptions, parse
from tests.helpers import real_corpus, rows, write


def example(root: Path) -> AsedOptions:
    names = ("n1-03-01-02-50", "n1-01-01-02-50", "S4-01-02-02-50", "a5-07-01-01-50")
    for name in names:
        write(root / "folder" / f"{name}.wav")
    return AsedOptions(root=root)


def test_names(tmp_path: Path) -> None:
    """The last name contradicts the others in the sex of the speaker."""
    assert rows(corpora.read(example(tmp_path)), "emotion", "speaker", "sex", "text") == {
        "n1-03-01-02-50": ("neutral", "50", "male", "n1-03"),
        "n1-01-01-02-50": ("neutral", "50", "male", "01"),
        "S4-01-02-02-50": ("sadness", "50", "male", "01"),
        "a5-07-01-01-50": ("anger", "50", "male", "a5-07"),
    }
    assert parse("n1-08-01-02-50") is None


def test_real_corpus_shares_two_sentences_between_emotions() -> None:
    corpus = corpora.read(AsedOptions(root=real_corpus("ased")))
    table = corpus.table
    assert len(table) == 2474
    assert len(corpus.speakers) == 65
    assert table["emotion"].value_counts().to_dict() == {
        "anger": 486, "fear": 510, "happiness": 486, "neutral": 522, "sadness": 470,
    }  # fmt: skip
    emotions = table.groupby("text")["emotion"].nunique()
    assert emotions[emotions > 1].to_dict() == {"01": 5, "02": 5}
    assert (emotions == 1).sum() == 25
    assert table.groupby("speaker")["sex"].nunique().unique().tolist() == [1]
    assert table.drop_duplicates("speaker")["sex"].value_counts().to_dict() == {
        "female": 25, "male": 40,
    }  # fmt: skip
