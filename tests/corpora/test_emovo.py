from pathlib import Path

from emotone import corpora
from emotone.corpora.emovo import EmovoOptions, parse
from tests.helpers import real_corpus, rows, write


def example(root: Path) -> EmovoOptions:
    for name in ("dis-f1-b1", "gio-m3-n5", "neu-f2-l4", "rab-m1-d2"):
        write(root / name[4:6] / f"{name}.wav")
    return EmovoOptions(root=root)


def test_names(tmp_path: Path) -> None:
    assert rows(corpora.read(example(tmp_path)), "emotion", "speaker", "sex", "text") == {
        "dis-f1-b1": ("disgust", "f1", "female", "b1"),
        "gio-m3-n5": ("happiness", "m3", "male", "n5"),
        "neu-f2-l4": ("neutral", "f2", "female", "l4"),
        "rab-m1-d2": ("anger", "m1", "male", "d2"),
    }
    assert parse("dis-f4-b1") is None


def test_real_corpus_has_the_published_counts() -> None:
    table = corpora.read(EmovoOptions(root=real_corpus("emovo"))).table
    # 14 sentences by 6 actors in each of 7 emotions (Costantini et al. 2014)
    assert len(table) == 14 * 6 * 7
    assert table.groupby(["speaker", "emotion"])["text"].nunique().unique().tolist() == [14]
