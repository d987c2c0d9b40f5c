from pathlib import Path

import pytest

from emotone.errors import UsageError
from emotone.experiments.corpus_arguments import corpus_options, several


def test_a_name_a_root_and_options() -> None:
    options = corpus_options("emodb", ["x", "corpus.keep=[anger, neutral]"])
    assert (options.name, options.root, options.keep) == ("emodb", Path("x"), ("anger", "neutral"))


def test_corpora_follow_each_other() -> None:
    synthetic_words = ["synthetic", "speakers=4", "utterances=8"]
    emodb, synthetic, savee = several(
        ["emodb", "x", "keep=[anger]", *synthetic_words, "savee", "y"]
    )
    assert (emodb.name, emodb.root, emodb.keep) == ("emodb", Path("x"), ("anger",))
    assert (synthetic.name, synthetic.root) == ("synthetic", None)
    assert synthetic.model_dump()["utterances"] == 8
    assert (savee.name, savee.root, savee.keep) == ("savee", Path("y"), ())


def test_a_folder_may_have_an_equals_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a=b").mkdir()
    monkeypatch.chdir(tmp_path)
    (options,) = several(["emodb", "a=b"])
    assert options.root == Path("a=b")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["emobd", "x"], "got 'emobd'; did you mean 'emodb'"),
        (["emodb", "x", "y"], "got 'y'"),
        (["emodb", "x", "rot=3"], "unknown option 'corpus.rot'; did you mean 'root'"),
        (["synthetic", "speakers=1"], "corpus.speakers: input should be greater than or equal"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        several(words)
