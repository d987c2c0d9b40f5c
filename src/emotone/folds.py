"""Protocols: who trains, who validates, who is tested. No speaker ever has two roles."""

import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from emotone.corpora import Corpus
from emotone.errors import FoldError
from emotone.options import Options


class ProtocolOptions(Options):
    """How speakers are divided.

    Attributes:
        name: ``leave_one_speaker_out`` tests each speaker once; ``kfold`` tests groups of
            speakers, stratified by emotion and sex as far as whole speakers allow.
        folds: number of groups of ``kfold``.
        validation_speakers: how many of each fold's training speakers validate instead; of both
            sexes if two or more and the sexes are known.
        seed: of the choice of validation speakers and of the groups.
    """

    name: Literal["leave_one_speaker_out", "kfold"] = "leave_one_speaker_out"
    folds: int = Field(5, ge=2)
    validation_speakers: int = Field(1, ge=1)
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class Fold:
    """One division of the speakers into disjoint roles.

    Raises:
        FoldError: if a role is empty or a speaker has two roles.
    """

    name: str
    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        roles = self.roles()
        for role, speakers in roles.items():
            if not speakers:
                raise FoldError(f"fold {self.name}: no speaker for {role}; add speakers or folds")
        for (first, some), (second, others) in combinations(roles.items(), 2):
            if shared := sorted(set(some) & set(others)):
                raise FoldError(
                    f"fold {self.name}: {first} and {second} share the speakers "
                    f"{', '.join(shared)}; each speaker must have one role"
                )

    def roles(self) -> dict[str, tuple[str, ...]]:
        """Speakers by role."""
        return {"training": self.training, "validation": self.validation, "test": self.test}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def make_folds(corpus: Corpus, options: ProtocolOptions) -> list[Fold]:
    """Divide the speakers of a corpus.

    Raises:
        FoldError: if there are too few speakers, or a class has no utterance in training.
    """
    speakers = corpus.speakers
    least = options.validation_speakers + 2
    if len(speakers) < least:
        raise FoldError(
            f"{corpus.name} has {len(speakers)} speaker{'s' * (len(speakers) != 1)} "
            f"({', '.join(speakers)}); at least {least} are needed: one to test, "
            f"{options.validation_speakers} to validate, one to train"
        )
    if options.name == "leave_one_speaker_out":
        tests: list[tuple[str, ...]] = [(speaker,) for speaker in speakers]
    else:
        tests = _groups(corpus, options)
    first = corpus.table.drop_duplicates("speaker")
    sexes = dict(zip(first["speaker"], first["sex"], strict=True))
    folds = []
    for number, test in enumerate(tests):
        others = [speaker for speaker in speakers if speaker not in test]
        rng = np.random.default_rng([options.seed, number])
        validation = _draw(others, sexes, options.validation_speakers, rng)
        training = tuple(speaker for speaker in others if speaker not in validation)
        name = test[0] if options.name == "leave_one_speaker_out" else str(number + 1)
        folds.append(Fold(name, training, validation, test))
    for fold in folds:
        _check_classes(corpus, fold)
    return folds


def _groups(corpus: Corpus, options: ProtocolOptions) -> list[tuple[str, ...]]:
    from sklearn.model_selection import StratifiedGroupKFold  # slow to load, not always needed

    count = len(corpus.speakers)
    if options.folds > count:
        raise FoldError(
            f"protocol.folds={options.folds}, but {corpus.name} has {count} speakers; "
            f"ask for at most {count} folds"
        )
    table = corpus.table
    splitter = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    strata = table["emotion"] + "/" + table["sex"]
    groups = []
    with warnings.catch_warnings():  # that a stratum is smaller than the number of folds
        warnings.simplefilter("ignore", UserWarning)
        divided = list(splitter.split(table, strata, table["speaker"]))
    for _, rows in divided:
        groups.append(tuple(sorted(table["speaker"].iloc[rows].unique())))
    empty = [number for number, group in enumerate(groups) if not group]
    if empty:
        raise FoldError(
            f"{corpus.name}: {count} speakers of very different size cannot be divided into "
            f"{options.folds} folds; ask for fewer"
        )
    return groups


def _draw(
    speakers: list[str], sexes: dict[str, str], count: int, rng: np.random.Generator
) -> tuple[str, ...]:
    """Draw validation speakers, the sexes in turn."""
    order = [str(speaker) for speaker in rng.permutation(speakers)]
    turns: dict[str, int] = {}
    keyed = []
    for speaker in order:
        sex = sexes[speaker]
        keyed.append((turns.get(sex, 0), speaker))
        turns[sex] = turns.get(sex, 0) + 1
    chosen = [speaker for _, speaker in sorted(keyed, key=lambda pair: pair[0])[:count]]
    return tuple(sorted(chosen))


def _check_classes(corpus: Corpus, fold: Fold) -> None:
    seen = _emotions_of(corpus.table, fold.training)
    if missing := [label for label in corpus.labels if label not in seen]:
        raise FoldError(
            f"fold {fold.name}: no training speaker shows {', '.join(missing)}; leave such "
            "classes out of the corpus, or use fewer validation speakers"
        )


def _emotions_of(table: pd.DataFrame, speakers: Iterable[str]) -> set[str]:
    return set(table.loc[table["speaker"].isin(list(speakers)), "emotion"])
