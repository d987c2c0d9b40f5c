from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from emotone.corpora import Corpus
from emotone.corpora.base import corpus_from_rows
from emotone.errors import FoldError
from emotone.evaluation.folds import (
    ROLES,
    Fold,
    make_fold,
    make_folds,
    training_fold,
)
from emotone.evaluation.protocol import ProtocolOptions


def corpus_of(
    speakers: int,
    emotions: tuple[str, ...] = ("anger", "neutral"),
    *,
    sessions: bool = False,
    corpora: int = 1,
) -> Corpus:
    rows = [
        {
            "utterance": f"s{speaker:02d}-{emotion}-{take}",
            "file": f"s{speaker:02d}-{emotion}-{take}.wav",
            "emotion": emotion,
            "speaker": f"s{speaker:02d}",
            "sex": "female" if speaker % 2 else "male",
            "session": str(speaker // 2) if sessions else "",
            "corpus": f"c{speaker % corpora}",
            "part": str(take),
        }
        for speaker in range(speakers)
        for emotion in emotions
        for take in range(2 + speaker % 3)
    ]
    return corpus_from_rows("made", rows)


def protocol(**options: Any) -> ProtocolOptions:
    return ProtocolOptions.model_validate(options)


def check(corpus: Corpus, folds: list[Fold]) -> None:
    """Each utterance has at most one role in a fold, speakers likewise; each is tested once."""
    column = corpus.table["speaker"]
    for fold in folds:
        numbers = [number for role in ROLES for number in getattr(fold, role)]
        assert len(set(numbers)) == len(numbers)
        named = [speaker for role in ROLES for speaker in fold.speakers[role]]
        assert len(set(named)) == len(named)
        for role in ROLES:
            assert set(column.iloc[list(getattr(fold, role))]) == set(fold.speakers[role])
    tested = [number for fold in folds for number in fold.test]
    assert sorted(tested) == list(range(len(column)))


@settings(max_examples=80, deadline=None)
@given(
    speakers=st.integers(6, 20),
    folds=st.integers(2, 4),
    count=st.integers(0, 2),
    seed=st.integers(0, 5),
    name=st.sampled_from(["leave_one_speaker_out", "leave_one_session_out", "kfold"]),
    validation=st.sampled_from(["speakers", "session", "session_speakers", "partner"]),
)
def test_no_speaker_has_two_roles_and_each_is_tested_once(
    speakers: int, folds: int, count: int, seed: int, name: str, validation: str
) -> None:
    assume(validation != "partner" or (name == "leave_one_speaker_out" and speakers % 2 == 0))
    assume(name != "kfold" or (validation == "speakers" and speakers >= 8))
    corpus = corpus_of(speakers, sessions=True)
    options = protocol(
        name=name, folds=folds, validation=validation, validation_speakers=count, seed=seed
    )
    made = make_folds(corpus, options)
    check(corpus, made)
    assert make_folds(corpus, options) == made
    for fold in made:
        assert len({n for role in ROLES for n in getattr(fold, role)}) == len(corpus.table)
        sessions = {int(speaker[1:]) // 2 for speaker in fold.speakers["validation"]}
        if count == 0 and validation in ("speakers", "session_speakers"):
            assert not fold.validation
            continue
        if validation == "session":
            assert len(sessions) == 1
        if validation == "partner":
            assert sessions == {int(fold.name[1:]) // 2}
        if validation == "session_speakers":
            assert len(sessions) == 1
            if name == "leave_one_session_out":
                assert str(sessions.pop()) != fold.name


@pytest.mark.parametrize(
    ("training", "validation", "test", "message"),
    [
        (["s00", "s01"], ["s01"], ["s02"], "training and validation share the speakers s01, so"),
        (["s00", "s01"], ["s02"], ["s00", "s01"], "training and test share the speakers s00, s01"),
        (["s00"], ["s01", "s02"], ["s02"], "validation and test share the speakers s02"),
        ([], ["s01"], ["s02"], "no speaker is left for training"),
        (["s00"], [], ["s02"], "no speaker is left for validation"),
    ],
)
def test_overlap_is_an_error_that_names_the_speakers(
    training: list[str], validation: list[str], test: list[str], message: str
) -> None:
    corpus = corpus_of(3)

    def of(speakers: list[str]) -> list[int]:
        return corpus.table.index[corpus.table["speaker"].isin(speakers)].tolist()

    with pytest.raises(FoldError, match=message):
        make_fold(corpus, "1", of(training), of(validation), of(test))


def test_two_validation_speakers_are_of_both_sexes() -> None:
    for fold in make_folds(corpus_of(12), protocol(validation_speakers=2)):
        assert {int(speaker[1:]) % 2 for speaker in fold.speakers["validation"]} == {0, 1}


def test_the_seed_chooses_the_validation_speakers() -> None:
    corpus = corpus_of(12)
    chosen = [
        tuple(fold.speakers["validation"] for fold in make_folds(corpus, protocol(seed=seed)))
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_more_groups_than_members_of_any_stratum_are_folds_all_the_same() -> None:
    rows = [
        {"utterance": f"{n}", "file": f"{n}.wav", "emotion": emotion, "speaker": f"s{n}"}
        for n, emotion in enumerate(("anger", "neutral") * 3)
    ]
    corpus = corpus_from_rows("made", rows)
    options = protocol(name="kfold", folds=6, validation_speakers=0)
    folds = make_folds(corpus, options)
    check(corpus, folds)
    assert [len(fold.test) for fold in folds] == [1] * 6


def test_one_inner_fold_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected 0, or 2 or more inner folds, got 1"):
        protocol(nested=1)


def test_groups_are_stratified_by_emotion_and_sex() -> None:
    for fold in make_folds(corpus_of(16), protocol(name="kfold", folds=4)):
        women = sum(int(speaker[1:]) % 2 for speaker in fold.speakers["test"])
        assert 1 <= women <= len(fold.speakers["test"]) - 1


def test_cross_corpus_trains_on_one_and_tests_on_the_other() -> None:
    corpus = corpus_of(12, corpora=3)
    (fold,) = make_folds(corpus, protocol(name="cross_corpus", test_corpora=["c1"]))
    assert fold.name == "c1"
    column = corpus.table["corpus"]
    assert set(column.iloc[list(fold.test)]) == {"c1"}
    assert set(column.iloc[[*fold.training, *fold.validation]]) == {"c0", "c2"}
    each = make_folds(corpus, protocol(name="cross_corpus"))
    assert [fold.name for fold in each] == ["c0", "c1", "c2"]
    check(corpus, each)
    with pytest.raises(FoldError, match=r"no corpus 'c9'.*there are c0, c1, c2"):
        make_folds(corpus, protocol(name="cross_corpus", test_corpora=["c9"]))
    with pytest.raises(FoldError, match="has only one corpus, 'c0'"):
        make_folds(corpus_of(6), protocol(name="cross_corpus"))


def test_a_predefined_split_that_shares_speakers_stops_with_their_names() -> None:
    corpus = corpus_of(4)
    options = protocol(name="fold_column", column="part")
    with pytest.raises(FoldError, match=r"share the speakers s00, .*speaker_dependent=true"):
        make_folds(corpus, options)
    allowed = options.model_copy(update={"speaker_dependent": True})
    folds = make_folds(corpus, allowed)
    tested = sorted(number for fold in folds for number in fold.test)
    assert tested == list(range(len(corpus.table)))
    for fold in folds:
        assert fold.speaker_dependent
        assert not {*fold.training, *fold.validation} & set(fold.test)
        record = fold.as_dict(corpus)
        assert record["speaker_dependent"] is True
        assert len(record["test"]["names"]) == len(fold.test)


def test_a_predefined_split_by_speaker_is_independent() -> None:
    corpus = corpus_of(6)
    table = corpus.table.assign(half=[int(s[1:]) % 3 for s in corpus.table["speaker"]])
    corpus = Corpus("made", table)
    check(corpus, make_folds(corpus, protocol(name="fold_column", column="half")))
    (fold,) = make_folds(corpus, protocol(name="fold_column", column="half", only=[1]))
    assert fold.name == "1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "fold_column", "column": "prt"}, "no column 'prt'; did you mean 'part'"),
        ({"name": "fold_column", "column": "session"}, "utterances have no 'session'"),
        ({"name": "fold_column", "column": "language"}, "utterances have no 'language'"),
        ({"name": "leave_one_session_out"}, "have no session; use leave_one_speaker_out or kfold"),
        (
            {"validation": "partner"},
            "no speaker shares a session with s00; use protocol.validation=speakers",
        ),
        ({"validation": "session"}, "the corpus has no sessions; use protocol.validation=speakers"),
        ({"speaker_dependent": True}, "speaker_dependent applies to fold_column only"),
        ({"name": "kfold", "folds": 9}, "protocol.folds=9, but made has 6 speakers; .* at most 6"),
        (
            {"validation_speakers": 5},
            "no speaker is left for training; use more folds or fewer validation",
        ),
    ],
)
def test_protocols_that_the_corpus_does_not_allow(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldError, match=message):
        make_folds(corpus_of(6), protocol(**options))


@pytest.mark.parametrize("speakers", [1, 2])
def test_too_few_speakers(speakers: int) -> None:
    with pytest.raises(FoldError, match=rf"has {speakers} speakers? \(s00.*at least 3 are needed"):
        make_folds(corpus_of(speakers), protocol())


def test_a_class_without_training_utterances_is_an_error() -> None:
    corpus = corpus_of(4)
    fear = corpus.table.iloc[:1].assign(utterance="only", file="only.wav", emotion="fear")
    table = pd.concat([corpus.table, fear], ignore_index=True)
    with pytest.raises(FoldError, match="fold s00: no training utterance has the label fear"):
        make_folds(Corpus("made", table), protocol())


@pytest.mark.parametrize("validation", [0, 1, 2])
def test_a_training_fold_tests_nobody(validation: int) -> None:
    made = corpus_of(speakers=6)
    options = protocol(validation_speakers=validation, seed=1)
    fold = training_fold(made, "all", options)
    assert fold.test == ()
    assert len(fold.speakers["validation"]) == validation
    speakers = made.table["speaker"].to_numpy()
    assert {*speakers[list(fold.validation)]} == {*fold.speakers["validation"]}
    assert sorted(fold.training + fold.validation) == list(range(len(made.table)))
    if validation == 2:  # of both sexes
        first = made.table.drop_duplicates("speaker").set_index("speaker")["sex"]
        assert {first[speaker] for speaker in fold.speakers["validation"]} == {"female", "male"}
    again = training_fold(made, "all", options)
    assert again == fold


def test_an_utterance_in_two_roles_is_named() -> None:
    made = corpus_of(3)
    name = made.table["utterance"][1]
    with pytest.raises(FoldError, match=f"fold x: {name} is in training and test"):
        make_fold(made, "x", [0, 1, 2, 3, 4, 5], [6], [1, 2], speaker_dependent=True)


def test_few_training_utterances_of_each_emotion_are_drawn_for_each_fold() -> None:
    corpus = corpus_of(6)
    whole = make_folds(corpus, protocol(validation_speakers=1))
    few = make_folds(corpus, protocol(validation_speakers=1, training_per_class=3))
    check(corpus, few)
    emotions = corpus.table["emotion"]
    for all_of_it, fold in zip(whole, few, strict=True):
        assert (fold.validation, fold.test) == (all_of_it.validation, all_of_it.test)
        assert set(fold.training) < set(all_of_it.training)
        counts = emotions.iloc[list(fold.training)].value_counts()
        assert counts.to_dict() == {"anger": 3, "neutral": 3}
        record = fold.as_dict(corpus)
        assert record["training"]["names"] == [
            corpus.table["utterance"].iloc[number] for number in fold.training
        ]
        assert "names" not in record["test"]  # its speakers say which
    assert few == make_folds(corpus, protocol(validation_speakers=1, training_per_class=3))
    others = make_folds(corpus, protocol(validation_speakers=1, training_per_class=3, seed=1))
    assert others != few


def test_training_speakers_are_drawn_from_corpora_and_sexes_in_turn() -> None:
    corpus = corpus_of(24, corpora=3)
    people = corpus.table.drop_duplicates("speaker").set_index("speaker")
    whole = make_folds(corpus, protocol(validation_speakers=1))
    smaller: list[set[str]] = [set() for _ in whole]
    for most in (3, 6, 12, 100):
        folds = make_folds(corpus, protocol(validation_speakers=1, training_speakers=most))
        check(corpus, folds)
        for all_of_it, fold, before in zip(whole, folds, smaller, strict=True):
            assert (fold.validation, fold.test) == (all_of_it.validation, all_of_it.test)
            drawn = {*fold.speakers["training"]}
            assert len(drawn) == min(most, 22)
            assert before <= drawn <= {*all_of_it.speakers["training"]}
            before |= drawn
            if most in (6, 12):
                counts = people.loc[sorted(drawn)].groupby(["corpus", "sex"]).size()
                assert counts.tolist() == [most // 6] * 6
            spoken = corpus.table["speaker"].isin(drawn).to_numpy().nonzero()[0].tolist()
            assert list(fold.training) == spoken  # all that they say
            assert "names" not in fold.as_dict(corpus)["training"]


def test_a_training_fold_draws_speakers_and_utterances() -> None:
    corpus = corpus_of(6)
    options = protocol(validation_speakers=1, training_speakers=2, training_per_class=1)
    fold = training_fold(corpus, "all", options)
    assert len(fold.speakers["validation"]) == 1
    assert len(fold.training) == 2
    wide = training_fold(corpus, "all", options.model_copy(update={"training_per_class": None}))
    assert len(wide.speakers["training"]) == 2
    assert set(fold.training) < set(wide.training)


def test_a_label_that_no_drawn_speaker_has_is_named() -> None:
    corpus = corpus_of(6)
    fear = corpus.table.iloc[-1:].assign(utterance="only", file="only.wav", emotion="fear")
    table = pd.concat([corpus.table, fear], ignore_index=True)
    options = protocol(validation_speakers=0, training_speakers=1, seed=1)
    with pytest.raises(FoldError, match=r"the label fear; .* train on more of its speakers"):
        training_fold(Corpus("made", table), "all", options)


def test_all_training_utterances_are_kept_if_there_are_no_more_than_asked_for() -> None:
    corpus = corpus_of(4)
    whole = make_folds(corpus, protocol(validation_speakers=0))
    some = make_folds(corpus, protocol(validation_speakers=0, training_per_class=1000))
    assert [fold.training for fold in some] == [fold.training for fold in whole]


def test_no_training_utterance_is_an_error() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        protocol(training_per_class=0)
