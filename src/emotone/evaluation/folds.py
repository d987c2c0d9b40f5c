"""Protocols: training, validation and test speakers. No speaker has two roles unless asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emotone.corpora import Corpus
from emotone.corpora.contradictions import refuse_conflicts
from emotone.errors import FoldError
from emotone.evaluation.groups import sentences, stratified_groups, text_groups
from emotone.evaluation.protocol import ProtocolOptions, independence
from emotone.evaluation.validation import unique, validation_speakers
from emotone.options import nearest
from emotone.text import agree, plural

ROLES = ("training", "validation", "test")
SPEAKER_DEPENDENT_VALIDATION = 0.1  # share of the training utterances
# in errors about folds that divide sentences
OTHER_GROUPS = {
    "independent": ", or more protocol.text_groups",
    "matched": ", or fewer protocol.text_groups",
}


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
        texts: sentences of each role, if the protocol divides them.
        text_matched: whether all roles have the sentences of the test alone; otherwise those are
            in no other role.
        drawn: whether only some utterances of the training speakers are trained on.
    """

    name: str
    training: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    speakers: dict[str, tuple[str, ...]]
    speaker_dependent: bool = False
    texts: dict[str, tuple[str, ...]] | None = None
    text_matched: bool = False
    drawn: bool = False

    @property
    def text_independent(self) -> bool:
        """Whether what is said in the test is in no other role."""
        return self.texts is not None and not self.text_matched

    @property
    def independence(self) -> str:
        """Whether what is tested is new to the model: the speakers, and what they say."""
        return independence(
            speaker_dependent=self.speaker_dependent,
            text_independent=self.text_independent,
            text_matched=self.text_matched,
        )

    def as_dict(self, corpus: Corpus) -> dict[str, Any]:
        """Record for ``folds.json``: speakers and numbers of utterances of each role.

        Utterances that speakers do not define are listed: those of a speaker-dependent fold, and
        training utterances that were drawn. A fold that divides sentences lists these.
        """
        record: dict[str, Any] = {"name": self.name, "speaker_dependent": self.speaker_dependent}
        for role in ROLES:
            numbers = list(getattr(self, role))
            record[role] = {"speakers": self.speakers[role], "utterances": len(numbers)}
            if self.speaker_dependent or (self.drawn and role == "training"):
                record[role]["names"] = corpus.table["utterance"].iloc[numbers].tolist()
            if self.texts is not None:
                record[role]["texts"] = self.texts[role]
        return record


def make_fold(
    corpus: Corpus,
    name: str,
    training: Sequence[int],
    validation: Sequence[int] | None,
    test: Sequence[int] | None,
    *,
    speaker_dependent: bool = False,
    texts: Literal["independent", "matched"] | None = None,
    drawn: bool = False,
) -> Fold:
    """Make a fold and check it. Every fold is made by this function.

    Args:
        corpus: corpus to divide.
        name: name of the fold.
        training: numbers of the training utterances.
        validation: numbers of the utterances that choose the epoch; ``None`` to keep the last.
        test: numbers of the utterances that are scored; ``None`` for no test.
        speaker_dependent: whether roles may share speakers.
        texts: whether no other role may share sentences with the test (``"independent"``), or may
            have others (``"matched"``); ``None`` if any may.
        drawn: whether only some utterances of the training speakers are trained on.

    Raises:
        FoldError: if a role is empty, roles share a speaker (or an utterance, where speakers may
            be shared) or a sentence that they must not, or a class that occurs has no utterance
            in training.
    """
    given = dict(zip(ROLES, (training, validation, test), strict=True))
    roles = {role: tuple(numbers or ()) for role, numbers in given.items()}
    column = corpus.table["speaker"].to_numpy()
    speakers = {role: unique(column[list(numbers)]) for role, numbers in roles.items()}
    for role, numbers in roles.items():
        if not numbers and given[role] is not None:
            raise FoldError(
                f"fold {name}: no speaker is left for {role}; use "
                f"{'more' if role == 'training' else 'fewer'} folds or fewer validation speakers"
                f"{OTHER_GROUPS.get(texts or '', '')}"
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
            "classes out of the corpus (corpus.keep), or train on more of its speakers"
            f"{OTHER_GROUPS.get(texts or '', '')}"
        )
    return Fold(
        name,
        **roles,
        speakers=speakers,
        speaker_dependent=speaker_dependent,
        texts=_texts_of(corpus, name, roles, texts) if texts else None,
        text_matched=texts == "matched",
        drawn=drawn,
    )


def _texts_of(
    corpus: Corpus, name: str, roles: Mapping[str, Sequence[int]], relation: str
) -> dict[str, tuple[str, ...]]:
    """Sentences of each role; raises a :class:`FoldError` if they are not related so."""
    said = sentences(corpus).to_numpy()
    texts = {role: unique(said[list(numbers)]) for role, numbers in roles.items()}
    tested = set(texts["test"])
    for role in ("training", "validation"):
        if relation == "independent" and (shared := set(texts[role]) & tested):
            raise FoldError(
                f"fold {name}: {role} and test share the sentence '{min(shared)}', so the fold is "
                "not text-independent"
            )
        if relation == "matched" and (others := set(texts[role]) - tested):
            raise FoldError(
                f"fold {name}: {role} has the sentence '{min(others)}', which is not tested, so "
                "the fold is not text-matched"
            )
    return texts


def training_fold(corpus: Corpus, name: str, options: ProtocolOptions) -> Fold:
    """Make a fold without test: all speakers are training or validation speakers.

    Args:
        corpus: corpus to divide.
        name: name of the fold.
        options: how many speakers validate, and what is drawn of the others; what divides a corpus
            for tests does not matter.

    Raises:
        FoldError: if no training speaker is left, or a class has no utterance in training.
    """
    refuse_conflicts(corpus)
    table = corpus.table
    validating = ProtocolOptions(validation_speakers=options.validation_speakers)
    rng = np.random.default_rng(options.seed)
    chosen = validation_speakers(table, table[:0], validating, rng)
    is_chosen = table["speaker"].isin(chosen).to_numpy()
    training, validation = (np.flatnonzero(part).tolist() for part in (~is_chosen, is_chosen))
    fold = make_fold(
        corpus, name, training, validation if options.validation_speakers else None, None
    )
    return _drawn(corpus, fold, options, 0)


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
    groups = text_groups(corpus, options) if options.texts_option else []
    folds = [
        _fold(corpus, options, name, test, np.random.default_rng([options.seed, number]))
        for number, (name, test) in enumerate(_tests(corpus, options).items())
    ]
    if options.texts_option:
        folds = [
            part
            for fold in folds
            for part in _by_text(corpus, fold, groups, matched=options.text_matched)
        ]
    if options.nested:
        folds = [
            part
            for number, fold in enumerate(folds)
            for part in _nested(corpus, fold, options, number)
        ]
    folds = [_drawn(corpus, fold, options, number) for number, fold in enumerate(folds)]
    names = [fold.name for fold in folds]
    for name in options.only:
        if name not in names:
            raise FoldError(
                f"protocol.only: no fold '{name}'{nearest(name, names)}; there are "
                f"{'; '.join(names)}"
            )
    return [fold for fold in folds if not options.only or fold.name in options.only]


def _nested(corpus: Corpus, fold: Fold, options: ProtocolOptions, number: int) -> Iterator[Fold]:
    """Divide the training speakers of a fold into inner folds; its test speakers have no role."""
    seen = np.array(sorted({*fold.training, *fold.validation}))
    table = corpus.table.iloc[seen]
    count = table["speaker"].nunique()
    if options.nested > count or fold.texts is not None or fold.speaker_dependent:
        reason = f"fold {fold.name} has {count} training speakers" if fold.texts is None else ""
        raise FoldError(
            f"protocol.nested={options.nested}: {reason or 'it does not divide sentences'}; it "
            "needs a speaker per inner fold, and none of text_independent, text_matched and "
            "speaker_dependent"
        )
    strata = table["emotion"] + "/" + table["sex"]
    groups = stratified_groups(table["speaker"], strata, options.nested, options.seed)
    for inner, tested in enumerate(groups, start=1):
        rng = np.random.default_rng([options.seed, number, inner])
        rest, chosen = table[~tested], []
        if options.needs_validation:
            chosen = list(validation_speakers(rest, table[tested], options, rng))
        validates = table["speaker"].isin(chosen).to_numpy() & ~tested
        yield make_fold(
            corpus,
            f"{fold.name}, inner {inner}",
            seen[~tested & ~validates].tolist(),
            seen[validates].tolist() if options.needs_validation else None,
            seen[tested].tolist(),
        )


def _by_text(
    corpus: Corpus, fold: Fold, groups: Sequence[NDArray[np.bool_]], *, matched: bool
) -> Iterator[Fold]:
    """Divide the test of a fold by what is said; others are left with these sentences, or none."""
    for number, said in enumerate(groups, start=1):
        test = [one for one in fold.test if said[one]]
        if test:
            training, validation = (
                [one for one in role if said[one] == matched]
                for role in (fold.training, fold.validation)
            )
            yield make_fold(
                corpus,
                f"{fold.name}, texts {number}",
                training,
                validation if fold.validation else None,
                test,
                texts="matched" if matched else "independent",
            )


def _drawn(corpus: Corpus, fold: Fold, options: ProtocolOptions, number: int) -> Fold:
    """Leave what ``training_speakers`` and ``training_per_class`` ask for of a fold's training."""
    seed = [options.seed, number]
    if options.training_speakers is not None:
        table = corpus.table.iloc[list(fold.training)]
        speakers = _speakers_in_turn(table, seed)[: options.training_speakers]
        is_kept = table["speaker"].isin(speakers).to_numpy()
        fold = _with_training(corpus, fold, is_kept, drawn=fold.drawn)
    if options.training_per_class is not None:
        labels = corpus.table["emotion"].iloc[list(fold.training)]
        shuffled = labels.sample(frac=1, random_state=np.random.default_rng(seed))
        places = shuffled.groupby(shuffled).cumcount().reindex(labels.index)
        is_kept = (places < options.training_per_class).to_numpy()
        fold = _with_training(corpus, fold, is_kept, drawn=True)
    return fold


def _speakers_in_turn(table: pd.DataFrame, seed: Sequence[int]) -> list[str]:
    """All speakers in random order: one of each corpus and sex, then another of each, and so on."""
    people = table.drop_duplicates("speaker").sort_values("speaker")
    shuffled = people.sample(frac=1, random_state=np.random.default_rng(seed))
    turns = shuffled.groupby(["corpus", "sex"]).cumcount()
    return shuffled["speaker"].iloc[np.argsort(turns, kind="stable")].tolist()


def _with_training(corpus: Corpus, fold: Fold, is_kept: NDArray[np.bool_], *, drawn: bool) -> Fold:
    """Make the fold again with a part of its training utterances."""
    relation: Literal["independent", "matched"] = "matched" if fold.text_matched else "independent"
    return make_fold(
        corpus,
        fold.name,
        np.array(fold.training)[is_kept].tolist(),
        fold.validation or None,
        fold.test or None,
        speaker_dependent=fold.speaker_dependent,
        texts=relation if fold.texts else None,
        drawn=drawn,
    )


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
        chosen = validation_speakers(table[rest], table[test], options, rng)
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
        known = unique(table["corpus"])
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
    names = unique(values)
    if len(names) < 2:
        raise FoldError(
            f"{corpus.name} has only one {column}, '{names[0]}'; {options.name} needs two or more"
        )
    return {name: (values == name).to_numpy() for name in names}


def _groups(corpus: Corpus, options: ProtocolOptions) -> dict[str, NDArray[np.bool_]]:
    count = len(corpus.speakers)
    if options.folds > count:
        raise FoldError(
            f"protocol.folds={options.folds}, but {corpus.name} has "
            f"{plural(count, 'speaker')}; ask for at most {plural(count, 'fold')}"
        )
    table = corpus.table
    strata = table["emotion"] + "/" + table["sex"]
    groups = stratified_groups(table["speaker"], strata, options.folds, options.seed)
    return {str(number): test for number, test in enumerate(groups, start=1)}


def _need_sessions(corpus: Corpus, protocol: str) -> None:
    without = int((corpus.table["session"] == "").sum())
    if without:
        raise FoldError(
            f"{protocol}: {plural(without, 'utterance')} of {corpus.name} "
            f"{agree(without, 'have')} no session; use "
            "leave_one_speaker_out or kfold"
        )
