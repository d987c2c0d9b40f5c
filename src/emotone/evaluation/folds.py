"""Protocols: training, validation and test speakers. No speaker has two roles unless asked."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from emotone.corpora import Corpus
from emotone.corpora.contradictions import refuse_conflicts
from emotone.errors import FoldError
from emotone.options import Options, Seed, nearest
from emotone.text import agree, plural

ROLES = ("training", "validation", "test")
SPEAKER_DEPENDENT_VALIDATION = 0.1  # share of the training utterances


class ProtocolOptions(Options):
    """How a corpus is divided.

    Attributes:
        name: what is tested in turn. ``leave_one_speaker_out``: each speaker, as for the 3-D ACRNN
            on EMO-DB and IEMOCAP. ``leave_one_session_out``: all speakers of each session, the
            five-fold protocol of most papers on IEMOCAP, EmoBox among them. ``kfold``: groups of
            speakers, stratified by emotion and sex as far as whole speakers allow.
            ``fold_column``: each value of a column of the corpus, such as EmoBox's folds.
            ``cross_corpus``: all of ``test_corpora``, after training on the other corpora; or
            leave-one-corpus-out if none is named.
        folds: number of groups of ``kfold``.
        column: column that names the folds, for ``fold_column``.
        test_corpora: corpora to test on, for ``cross_corpus``.
        validation: where validation speakers come from. ``speakers``: any training speakers.
            ``session``: all speakers of one other session; with ``leave_one_session_out`` three
            sessions are left for training. ``session_speakers``: ``validation_speakers`` of one
            other session, whose other speakers are training speakers. ``partner``: the other
            speakers of the test speaker's session, with ``leave_one_speaker_out``; the 8/1/1
            division of ten speakers that the 3-D ACRNN and many papers on IEMOCAP use.
        validation_speakers: number of validation speakers, of both sexes if two or more and the
            sexes are known. With 0, no validation set is used and the last epoch is kept.
        speaker_dependent: allow a predefined ``fold_column`` that shares speakers between
            training and test; all results are then labelled speaker-dependent. A tenth of the
            training utterances is the validation set.
        seed: seed for the choice of validation speakers and for the groups.
    """

    name: Literal[
        "leave_one_speaker_out", "leave_one_session_out", "kfold", "fold_column", "cross_corpus"
    ] = "leave_one_speaker_out"
    folds: int = Field(5, ge=2)
    column: str = "fold"
    test_corpora: tuple[str, ...] = ()
    validation: Literal["speakers", "session", "session_speakers", "partner"] = "speakers"
    validation_speakers: int = Field(1, ge=0)
    speaker_dependent: bool = False
    seed: Seed = 0

    @property
    def needs_validation(self) -> bool:
        """Whether there is a validation set."""
        return self.validation_speakers > 0 or self.validation in ("session", "partner")


@dataclass(frozen=True)
class Fold:
    """One division of a corpus into roles, by number of the utterance.

    Attributes:
        name: name of the fold.
        training: training utterances.
        validation: utterances that choose the epoch.
        test: utterances that are scored, once.
        speakers: names of the speakers in each role.
        speaker_dependent: whether roles may share speakers.
    """

    name: str
    training: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    speakers: dict[str, tuple[str, ...]]
    speaker_dependent: bool = False

    def as_dict(self, corpus: Corpus) -> dict[str, Any]:
        """Record for ``folds.json``: speakers and numbers of utterances of each role.

        A speaker-dependent fold, which speakers do not define, lists its utterances.
        """
        record: dict[str, Any] = {"name": self.name, "speaker_dependent": self.speaker_dependent}
        for role in ROLES:
            numbers = list(getattr(self, role))
            record[role] = {"speakers": self.speakers[role], "utterances": len(numbers)}
            if self.speaker_dependent:
                record[role]["names"] = corpus.table["utterance"].iloc[numbers].tolist()
        return record


def make_fold(
    corpus: Corpus,
    name: str,
    training: Sequence[int],
    validation: Sequence[int] | None,
    test: Sequence[int] | None,
    *,
    speaker_dependent: bool = False,
) -> Fold:
    """Make a fold and check it. Every fold is made by this function.

    Args:
        corpus: corpus to divide.
        name: name of the fold.
        training: numbers of the training utterances.
        validation: numbers of the utterances that choose the epoch; ``None`` to keep the last.
        test: numbers of the utterances that are scored; ``None`` for no test.
        speaker_dependent: whether roles may share speakers.

    Raises:
        FoldError: if a role is empty, roles share a speaker (or an utterance, where speakers may
            be shared), or a class that occurs has no utterance in training.
    """
    given = dict(zip(ROLES, (training, validation, test), strict=True))
    roles = {role: tuple(numbers or ()) for role, numbers in given.items()}
    column = corpus.table["speaker"].to_numpy()
    speakers = {role: _unique(column[list(numbers)]) for role, numbers in roles.items()}
    for role, numbers in roles.items():
        if not numbers and given[role] is not None:
            raise FoldError(
                f"fold {name}: no speaker is left for {role}; use fewer folds or fewer validation "
                "speakers"
            )
    for one, other in combinations(ROLES, 2):
        shared = set(speakers[one]) & set(speakers[other])
        if shared and not speaker_dependent:
            raise _shared(name, one, other, shared)
        if twice := set(roles[one]) & set(roles[other]):
            utterance = corpus.table["utterance"].iloc[min(twice)]
            raise FoldError(f"fold {name}: {utterance} is in {one} and {other}")
    trained = set(corpus.table["emotion"].to_numpy()[list(roles["training"])])
    if missing := [label for label in corpus.labels if label not in trained]:
        raise FoldError(
            f"fold {name}: no training utterance has the label {', '.join(missing)}; leave such "
            "classes out of the corpus (corpus.keep), or use fewer validation speakers"
        )
    return Fold(name, **roles, speakers=speakers, speaker_dependent=speaker_dependent)


def training_fold(corpus: Corpus, name: str, validation_speakers: int, seed: int = 0) -> Fold:
    """Make a fold without test: all speakers are training or validation speakers.

    Raises:
        FoldError: if no training speaker is left, or a class has no utterance in training.
    """
    refuse_conflicts(corpus)
    table = corpus.table
    options = ProtocolOptions(validation_speakers=validation_speakers)
    chosen = _validation_speakers(table, table[:0], options, np.random.default_rng(seed))
    validating = table["speaker"].isin(chosen).to_numpy()
    training, validation = (np.flatnonzero(part).tolist() for part in (~validating, validating))
    return make_fold(corpus, name, training, validation if validation_speakers else None, None)


def make_folds(corpus: Corpus, options: ProtocolOptions) -> list[Fold]:
    """Divide a corpus.

    Raises:
        FoldError: if the corpus does not allow the protocol, or a fold is not sound, see
            :func:`make_fold`.
    """
    refuse_conflicts(corpus)
    if options.speaker_dependent and options.name != "fold_column":
        raise FoldError(
            f"protocol.speaker_dependent applies to fold_column only; {options.name} divides by "
            "speaker"
        )
    speakers = corpus.speakers
    needed = 2 + options.needs_validation
    if len(speakers) < needed and not options.speaker_dependent:
        raise FoldError(
            f"{corpus.name} has {len(speakers)} speaker{'s' * (len(speakers) != 1)} "
            f"({', '.join(speakers)}); at least {needed} are needed: to train, "
            f"{'to validate, ' * options.needs_validation}to test"
        )
    return [
        _fold(corpus, options, name, test, np.random.default_rng([options.seed, number]))
        for number, (name, test) in enumerate(_tests(corpus, options).items())
    ]


def _fold(
    corpus: Corpus,
    options: ProtocolOptions,
    name: str,
    test: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Fold:
    """Divide all utterances but the test utterances into training and validation."""
    table = corpus.table
    rest = ~test
    if options.name == "cross_corpus":
        rest &= ~table["corpus"].isin(options.test_corpora).to_numpy()
    shared = set(table["speaker"][rest]) & set(table["speaker"][test])
    if shared and not options.speaker_dependent:
        raise _shared(name, "training", "test", shared)
    if shared:
        numbers = rng.permutation(np.flatnonzero(rest))
        count = max(round(SPEAKER_DEPENDENT_VALIDATION * len(numbers)), 1)
        count *= options.needs_validation
        validation = np.isin(np.arange(len(table)), numbers[:count])
    else:
        chosen = _validation_speakers(table[rest], table[test], options, rng)
        validation = rest & table["speaker"].isin(chosen).to_numpy()
    training, validating, tested = (
        np.flatnonzero(part).tolist() for part in (rest & ~validation, validation, test)
    )
    return make_fold(
        corpus,
        name,
        training,
        validating if options.needs_validation else None,
        tested,
        speaker_dependent=options.speaker_dependent,
    )


def _shared(fold: str, one: str, other: str, speakers: Iterable[str]) -> FoldError:
    return FoldError(
        f"fold {fold}: {one} and {other} share the speakers {', '.join(sorted(speakers))}, so its "
        "figures would not hold for new speakers; divide by speaker, or set "
        "protocol.speaker_dependent=true, and all results will be labelled speaker-dependent"
    )


def _tests(corpus: Corpus, options: ProtocolOptions) -> dict[str, NDArray[np.bool_]]:
    """Name and test utterances of each fold."""
    table = corpus.table
    if options.name == "leave_one_speaker_out":
        column = "speaker"
    elif options.name == "leave_one_session_out":
        column = "session"
        _need_sessions(corpus, "leave_one_session_out")
    elif options.name == "kfold":
        return _groups(corpus, options)
    elif options.name == "cross_corpus":
        known = _unique(table["corpus"])
        for name in options.test_corpora:
            if name not in known:
                raise FoldError(
                    f"protocol.test_corpora: no corpus '{name}'{nearest(name, known)}; there are "
                    f"{', '.join(known)}"
                )
        if options.test_corpora:
            test = table["corpus"].isin(options.test_corpora).to_numpy()
            return {"+".join(options.test_corpora): test}
        column = "corpus"
    else:
        column = options.column
        if column not in table.columns:
            raise FoldError(
                f"protocol.column: {corpus.name} has no column '{column}'"
                f"{nearest(column, table.columns)}; it has {', '.join(table.columns)}"
            )
        if (table[column].fillna("").astype(str) == "").any():
            missing = int((table[column].fillna("").astype(str) == "").sum())
            which = f"{plural(missing, 'utterance')} {agree(missing, 'have')}"
            raise FoldError(f"protocol.column: {which} no '{column}'; fill it in")
    values = table[column].astype(str)
    names = _unique(values)
    if len(names) < 2:
        raise FoldError(
            f"{corpus.name} has only one {column}, '{names[0]}'; {options.name} needs two or more"
        )
    return {name: (values == name).to_numpy() for name in names}


def _groups(corpus: Corpus, options: ProtocolOptions) -> dict[str, NDArray[np.bool_]]:
    from sklearn.model_selection import StratifiedGroupKFold  # slow to load, not always needed

    count = len(corpus.speakers)
    if options.folds > count:
        raise FoldError(
            f"protocol.folds={options.folds}, but {corpus.name} has "
            f"{plural(count, 'speaker')}; ask for at most {plural(count, 'fold')}"
        )
    table = corpus.table
    splitter = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    strata = table["emotion"] + "/" + table["sex"]
    with warnings.catch_warnings():  # about strata with fewer utterances than folds
        warnings.simplefilter("ignore", UserWarning)
        divided = list(splitter.split(table, strata, table["speaker"]))
    numbers = np.arange(len(table))
    return {str(fold + 1): np.isin(numbers, test) for fold, (_, test) in enumerate(divided)}


def _validation_speakers(
    rest: pd.DataFrame, test: pd.DataFrame, options: ProtocolOptions, rng: np.random.Generator
) -> Sequence[str]:
    """Choose validation speakers among those that are not tested."""
    if options.validation == "partner":
        sessions = set(test["session"])
        partners = _unique(rest.loc[rest["session"].isin(sessions), "speaker"])
        if not partners or sessions == {""}:
            raise FoldError(
                f"protocol.validation=partner: no speaker shares a session with "
                f"{', '.join(_unique(test['speaker']))}; use protocol.validation=speakers"
            )
        return partners
    if options.validation in ("session", "session_speakers"):
        sessions_left = [name for name in _unique(rest["session"]) if name]
        if not sessions_left:
            raise FoldError(
                f"protocol.validation={options.validation}: the corpus has no sessions; use "
                "protocol.validation=speakers"
            )
        rest = rest[rest["session"] == rng.choice(sessions_left)]
        if options.validation == "session":
            return _unique(rest["speaker"])
    first = rest.drop_duplicates("speaker").sort_values("speaker")
    sexes = dict(zip(first["speaker"], first["sex"], strict=True))
    return _draw(sexes, options.validation_speakers, rng)


def _draw(sexes: dict[str, str], count: int, rng: np.random.Generator) -> list[str]:
    """Draw speakers, alternating between the sexes."""
    seen: dict[str, int] = {}
    turns = []
    for speaker in rng.permutation(list(sexes)):
        sex = sexes[speaker]
        turns.append((seen.get(sex, 0), str(speaker)))
        seen[sex] = seen.get(sex, 0) + 1
    return sorted(speaker for _, speaker in sorted(turns, key=lambda turn: turn[0])[:count])


def _need_sessions(corpus: Corpus, protocol: str) -> None:
    without = int((corpus.table["session"] == "").sum())
    if without:
        raise FoldError(
            f"{protocol}: {plural(without, 'utterance')} of {corpus.name} "
            f"{agree(without, 'have')} no session; use "
            "leave_one_speaker_out or kfold"
        )


def _unique(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({str(value) for value in values}))
