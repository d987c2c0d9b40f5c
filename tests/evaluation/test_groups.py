from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from emotone import corpora
from emotone.corpora import Corpus
from emotone.corpora.base import corpus_from_rows
from emotone.corpora.emodb import EmodbOptions
from emotone.corpora.ravdess import RavdessOptions
from emotone.corpora.table import TableOptions
from emotone.errors import FoldError
from emotone.evaluation.folds import ROLES, Fold, make_fold, make_folds
from emotone.evaluation.protocol import ProtocolOptions
from tests.helpers import real_corpus, write


def corpus_of(texts: Mapping[str, tuple[str, ...]], speakers: int = 4, **changes: Any) -> Corpus:
    """Each speaker says each text with the emotions that it has."""
    rows = [
        {
            "utterance": f"s{speaker}-{emotion}-{text}",
            "file": f"s{speaker}-{emotion}-{text}.wav",
            "emotion": emotion,
            "speaker": f"s{speaker}",
            "text": text,
        }
        for speaker in range(speakers)
        for text, emotions in texts.items()
        for emotion in emotions
    ]
    return corpus_from_rows("made", [row | changes for row in rows])


BOTH = ("anger", "neutral")
SHARED = dict.fromkeys(("t1", "t2", "t3", "t4", "t5"), BOTH)


def options(**changes: Any) -> ProtocolOptions:
    return ProtocolOptions.model_validate({"text_independent": True} | changes)


def said(corpus: Corpus, fold: Fold, role: str) -> set[str]:
    return set(corpus.table["text"].iloc[list(getattr(fold, role))])


def check(corpus: Corpus, folds: list[Fold]) -> None:
    """Nobody who is tested, and nothing that is said in the test, occurs in another role."""
    for fold in folds:
        assert fold.independence == "speaker- and text-independent"
        assert fold.texts is not None
        for role in ("training", "validation"):
            assert not said(corpus, fold, role) & said(corpus, fold, "test")
            assert not set(fold.speakers[role]) & set(fold.speakers["test"])
        for role in ROLES:
            assert len(fold.texts[role]) == len(said(corpus, fold, role))
    tested = sorted(number for fold in folds for number in fold.test)
    assert tested == list(range(len(corpus.table)))


@pytest.mark.parametrize("groups", [2, 5])
@pytest.mark.parametrize("validation", [0, 1])
def test_speakers_and_sentences_of_the_test_have_no_other_role(
    groups: int, validation: int
) -> None:
    corpus = corpus_of(SHARED)
    folds = make_folds(corpus, options(text_groups=groups, validation_speakers=validation))
    check(corpus, folds)
    assert len(folds) == 4 * groups
    assert [fold.name for fold in folds[:2]] == ["s0, texts 1", "s0, texts 2"]
    assert folds[0].speakers["validation"] == folds[1].speakers["validation"]
    for fold in folds:  # nothing else is left out
        others = len(corpus.table) * 3 / 4 * (1 - len(said(corpus, fold, "test")) / 5)
        assert len(fold.training) + len(fold.validation) == others


def test_few_training_utterances_are_drawn_from_the_sentences_that_are_left() -> None:
    corpus = corpus_of(SHARED)
    for fold in make_folds(corpus, options(training_per_class=1)):
        assert len(fold.training) == corpus.table["emotion"].nunique()
        assert fold.texts is not None
        assert set(fold.texts["training"]) == said(corpus, fold, "training")
        assert not said(corpus, fold, "training") & said(corpus, fold, "test")


def test_matched_sentences_have_the_same_tests_and_are_all_that_training_has() -> None:
    corpus = corpus_of(SHARED)
    unseen = make_folds(corpus, options())
    matched = make_folds(corpus, options(text_independent=False, text_matched=True))
    assert [(fold.name, fold.test) for fold in matched] == [
        (fold.name, fold.test) for fold in unseen
    ]
    for fold in matched:
        assert fold.independence == "speaker-independent, text-matched"
        assert not set(fold.speakers["training"]) & set(fold.speakers["test"])
        for role in ("training", "validation"):
            assert said(corpus, fold, role) == said(corpus, fold, "test")
        tested = fold.as_dict(corpus)["test"]["texts"]
        assert set(tested) == said(corpus, fold, "test")
    with pytest.raises(FoldError, match=r"label fear; .* or fewer protocol\.text_groups"):
        make_folds(
            corpus_of({"t1": BOTH, "t2": BOTH, "t3": ("fear",)}),
            options(text_independent=False, text_matched=True),
        )
    corpus = corpus_of({"t1": BOTH, "t2": BOTH})
    with pytest.raises(FoldError, match="training has the sentence 't2', which is not tested"):
        make_fold(corpus, "x", [0, 1, 2, 3], None, [4], texts="matched")


def test_both_options_are_refused() -> None:
    with pytest.raises(ValueError, match="text_independent and text_matched exclude each other"):
        options(text_matched=True)


def test_without_the_option_nothing_changes() -> None:
    corpus = corpus_of(SHARED)
    folds = make_folds(corpus, options(text_independent=False))
    assert [fold.name for fold in folds] == ["s0", "s1", "s2", "s3"]
    assert folds[0].texts is None
    assert folds[0].independence == "speaker-independent"
    assert "texts" not in folds[0].as_dict(corpus)["test"]


def test_case_and_punctuation_make_no_other_sentence() -> None:
    corpus = corpus_of({"Come in!": ("anger",), "come  in": ("neutral",), "Go.": BOTH})
    folds = make_folds(corpus, options(validation_speakers=0))
    assert len(folds) == 8
    for fold in folds:
        assert fold.texts is not None
        assert sorted((*fold.texts["training"], *fold.texts["test"])) == ["comein", "go"]
    record = folds[0].as_dict(corpus)
    assert record["test"]["texts"] == folds[0].texts["test"]  # type: ignore[index]


def test_a_speaker_who_says_nothing_of_a_group_is_tested_once() -> None:
    corpus = corpus_of({"t1": BOTH, "t2": BOTH})
    only = corpus.table[(corpus.table["speaker"] != "s0") | (corpus.table["text"] == "t1")]
    folds = make_folds(Corpus("made", only.reset_index(drop=True)), options(validation_speakers=0))
    assert [fold.name.partition(",")[0] for fold in folds].count("s0") == 1
    assert len(folds) == 7


@pytest.mark.parametrize(
    ("corpus", "changes", "message"),
    [
        (corpus_of(SHARED, text=""), {}, "not known of 40 of 40 utterances of made .column text"),
        (
            corpus_of({"t1": ("anger",), "t2": ("neutral",), "t3": ("neutral",)}),
            {},
            "every emotion of made has its own sentences, so no fold can tell",
        ),
        (corpus_of(SHARED), {"text_groups": 6}, "text_groups=6, but made has 5 sentences"),
        (corpus_of({"t1": BOTH}), {}, "text_groups=2, but made has 1 sentence; it needs one"),
        (
            corpus_of({"t1": BOTH, "t2": BOTH, "t3": ("fear",)}),
            {},
            r"no training utterance has the label fear; .* or more protocol\.text_groups",
        ),
        (corpus_of(SHARED), {"name": "cross_corpus"}, "which cross_corpus does not; leave one"),
        (
            corpus_of(SHARED),
            {"name": "fold_column", "column": "text", "speaker_dependent": True},
            r"which protocol\.speaker_dependent does not; leave one of both out",
        ),
    ],
)
def test_corpora_that_do_not_allow_it_are_refused_with_the_reason(
    corpus: Corpus, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(FoldError, match=message):
        make_folds(corpus, options(**changes))


def test_a_sentence_in_two_roles_is_named() -> None:
    corpus = corpus_of({"t1": BOTH, "t2": BOTH})
    with pytest.raises(FoldError, match="fold x: training and test share the sentence 't1'"):
        make_fold(corpus, "x", [0, 1, 2, 3], None, [6, 7], texts="independent")


def test_several_corpora_have_sentences_of_their_own(tmp_path: Path) -> None:
    tables = []
    for name in ("a", "b"):
        write(tmp_path / name / "1.wav")
        path = tmp_path / name / f"{name}.csv"
        path.write_text("file,emotion,speaker,text\n1.wav,anger,s1,go\n1.wav,fear,s1,\n")
        tables.append(TableOptions(root=path))
    assert corpora.read_all(tables).table["text"].tolist() == ["a/go", "", "b/go", ""]


def test_real_emodb_and_ravdess() -> None:
    emodb = corpora.read(EmodbOptions(root=real_corpus("emodb")))
    folds = make_folds(emodb, options())
    check(emodb, folds)
    assert len(folds) == 20
    assert all(len(said(emodb, fold, "training")) == 5 for fold in folds)
    ravdess = corpora.read(RavdessOptions(root=real_corpus("ravdess")))
    folds = make_folds(ravdess, options(name="kfold", folds=6))
    check(ravdess, folds)
    assert len(folds) == 12
