"""Groups of speakers and of sentences, each as alike as whole speakers or sentences allow."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emotone.corpora import Corpus
from emotone.errors import FoldError
from emotone.evaluation.protocol import ProtocolOptions


def stratified_groups(
    whole: "pd.Series[Any]", strata: "pd.Series[Any]", count: int, seed: int
) -> list[NDArray[np.bool_]]:
    """Divide utterances into groups with similar shares of each stratum.

    Args:
        whole: speaker or sentence of each utterance, which is in one group with all its utterances.
        strata: such as the emotion of each utterance; without effect if none has a member for each
            group.
        count: number of groups, at most that of the speakers or sentences.
        seed: of the order in which they are distributed.

    Returns:
        Which utterances are in each group.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # slow to load, not always needed

    if strata.value_counts().max() < count:
        strata = pd.Series("", index=strata.index)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # about strata with fewer utterances than groups
        warnings.simplefilter("ignore", UserWarning)
        divided = list(splitter.split(whole, strata, whole))
    numbers = np.arange(len(whole))
    return [np.isin(numbers, members) for _, members in divided]


def sentences(corpus: Corpus) -> "pd.Series[str]":
    """What is said in each utterance, without case, spaces and punctuation; empty if unknown."""
    return corpus.table["text"].map(_letters)


def text_groups(corpus: Corpus, options: ProtocolOptions) -> list[NDArray[np.bool_]]:
    """Divide the utterances of a corpus by what is said, stratified by emotion.

    Raises:
        FoldError: if the corpus does not allow text-independent folds; says why.
    """
    option = options.texts_option
    if options.speaker_dependent or options.name == "cross_corpus":
        other = "protocol.speaker_dependent" if options.speaker_dependent else options.name
        raise FoldError(
            f"{option} divides the speakers and the sentences of the same corpora, which {other} "
            "does not; leave one of both out"
        )
    said = sentences(corpus)
    if missing := int((said == "").sum()):
        raise FoldError(
            f"{option}: what is said is not known of {missing} of {len(said)} utterances of "
            f"{corpus.name} (column text); fill it in if the corpus is a table, or leave the "
            "option out"
        )
    emotions_of = corpus.table["emotion"].groupby(said).nunique()
    if emotions_of.max() == 1:
        raise FoldError(
            f"{option}: every emotion of {corpus.name} has its own sentences, so no fold can tell "
            "what is said from how it is said; use a corpus whose emotions share sentences, or "
            "leave the option out"
        )
    if options.text_groups > len(emotions_of):
        raise FoldError(
            f"protocol.text_groups={options.text_groups}, but {corpus.name} has "
            f"{len(emotions_of)} sentence{'s' * (len(emotions_of) > 1)}; it needs one per group"
        )
    return stratified_groups(said, corpus.table["emotion"], options.text_groups, options.seed)


def _letters(text: str) -> str:
    """Letters and digits of a text in lower case; the text itself if it has none."""
    return "".join(char for char in text.casefold() if char.isalnum()) or text
