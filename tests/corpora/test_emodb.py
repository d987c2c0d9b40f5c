from pathlib import Path

from emotone import corpora
from emotone.corpora.emodb import EmodbOptions
from tests.helpers import real_corpus, rows, small_emodb, write


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
