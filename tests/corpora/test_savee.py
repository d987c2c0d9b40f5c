from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora.savee import SaveeOptions
from emotone.errors import CorpusError
from tests.helpers import real_corpus, rows, write


def example(root: Path) -> SaveeOptions:
    for name in ("DC_a01", "JE_sa15", "JK/su03", "KL/n30", "KL/n15", "KL/n16", "KL/h05"):
        write(root / f"{name}.wav")
    return SaveeOptions(root=root)


def test_names(tmp_path: Path) -> None:
    assert rows(corpora.read(example(tmp_path)), "emotion", "speaker", "text") == {
        "DC_a01": ("anger", "DC", "01"),
        "JE_sa15": ("sadness", "JE", "sa15"),
        "JK_su03": ("surprise", "JK", "03"),
        "KL_h05": ("happiness", "KL", "h05"),
        "KL_n15": ("neutral", "KL", "n15"),
        "KL_n16": ("neutral", "KL", "01"),
        "KL_n30": ("neutral", "KL", "h05"),
    }


def test_another_folder_is_refused_with_the_number_of_its_files(tmp_path: Path) -> None:
    for name in ("ann/1", "ann/2", "bob/1", "bob/2"):
        write(tmp_path / f"{name}.wav")
    with pytest.raises(CorpusError, match="holds 4 audio files such as 1; "):
        corpora.read(SaveeOptions(root=tmp_path))


def test_real_savee_has_the_sentences_that_its_authors_describe() -> None:
    table = corpora.read(SaveeOptions(root=real_corpus("savee"))).table
    emotions = table.groupby("text")["emotion"].nunique()
    # 3 common ones, 2 of each emotion that neutral speech repeats, and 10 of each emotion; the
    # neutral ones are 12 of its own
    assert emotions.value_counts().to_dict() == {7: 3, 2: 12, 1: 6 * 10 + 12}
    assert table.groupby(["speaker", "text"]).size().max() == 8  # neutral has the common ones twice
