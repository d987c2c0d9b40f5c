import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from emotone.corpora import Corpus
from emotone.corpora.base import corpus_from_rows
from emotone.errors import FoldError
from emotone.folds import Fold, ProtocolOptions, make_folds


def corpus_of(speakers: int, emotions: tuple[str, ...] = ("anger", "neutral")) -> Corpus:
    return corpus_from_rows(
        "made",
        [
            {
                "utterance": f"s{speaker:02d}-{emotion}-{take}",
                "file": "x.wav",
                "emotion": emotion,
                "speaker": f"s{speaker:02d}",
                "sex": "female" if speaker % 2 else "male",
            }
            for speaker in range(speakers)
            for emotion in emotions
            for take in range(1 + speaker % 3)
        ],
    )


@settings(max_examples=60, deadline=None)
@given(
    speakers=st.integers(4, 20),
    folds=st.integers(2, 4),
    validation=st.integers(1, 2),
    seed=st.integers(0, 5),
    name=st.sampled_from(["leave_one_speaker_out", "kfold"]),
)
def test_each_speaker_has_one_role_and_is_tested_once(
    speakers: int, folds: int, validation: int, seed: int, name: str
) -> None:
    corpus = corpus_of(speakers)
    options = ProtocolOptions.model_validate(
        {"name": name, "folds": folds, "validation_speakers": validation, "seed": seed}
    )
    assume(speakers >= 8 or (name, validation) != ("kfold", 2))  # or nobody is left to train
    made = make_folds(corpus, options)
    assert len(made) == (speakers if name == "leave_one_speaker_out" else folds)
    for fold in made:
        roles = [*fold.training, *fold.validation, *fold.test]
        assert sorted(roles) == corpus.speakers
        assert len(fold.validation) == validation
    tested = [speaker for fold in made for speaker in fold.test]
    assert sorted(tested) == corpus.speakers
    assert make_folds(corpus, options) == made


@pytest.mark.parametrize(
    ("training", "validation", "test", "message"),
    [
        (["a", "b"], ["b"], ["c"], "training and validation share the speakers b;"),
        (["a", "b"], ["c"], ["a", "b"], "training and test share the speakers a, b;"),
        (["a"], ["b", "c"], ["c"], "validation and test share the speakers c;"),
        ([], ["b"], ["c"], "no speaker for training"),
    ],
)
def test_overlap_is_an_error_that_names_the_speakers(
    training: list[str], validation: list[str], test: list[str], message: str
) -> None:
    with pytest.raises(FoldError, match=message):
        Fold("1", tuple(training), tuple(validation), tuple(test))


def test_two_validation_speakers_are_of_both_sexes() -> None:
    corpus = corpus_of(12)
    for fold in make_folds(corpus, ProtocolOptions(validation_speakers=2)):
        assert {int(speaker[1:]) % 2 for speaker in fold.validation} == {0, 1}


def test_groups_are_stratified_by_emotion_and_sex() -> None:
    corpus = corpus_of(16)
    for fold in make_folds(corpus, ProtocolOptions(name="kfold", folds=4)):
        women = sum(int(speaker[1:]) % 2 for speaker in fold.test)
        assert 1 <= women <= len(fold.test) - 1


def test_one_speaker_is_too_few() -> None:
    with pytest.raises(FoldError, match=r"has 1 speaker \(s00\); at least 3 are needed"):
        make_folds(corpus_of(1), ProtocolOptions())
    with pytest.raises(FoldError, match=r"has 2 speakers \(s00, s01\); at least 3 are needed"):
        make_folds(corpus_of(2), ProtocolOptions())


def test_more_folds_than_speakers_is_an_error() -> None:
    with pytest.raises(
        FoldError, match=r"protocol\.folds=5, but made has 4 speakers; .* at most 4"
    ):
        make_folds(corpus_of(4), ProtocolOptions(name="kfold", folds=5))


def test_a_class_without_training_utterances_is_an_error() -> None:
    corpus = corpus_of(4)
    fear = corpus.table.iloc[:1].assign(utterance="only", emotion="fear")
    table = pd.concat([corpus.table, fear], ignore_index=True)
    with pytest.raises(FoldError, match="fold s00: no training speaker shows fear"):
        make_folds(Corpus("made", table), ProtocolOptions())
