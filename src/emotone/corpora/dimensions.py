"""Dimensions of emotion, such as arousal and valence: columns of numbers, mapped to 0 … 1.

A reader states the scale of its numbers in ``own_scale`` of its options; ``corpus.scale`` replaces
it. The lowest value becomes 0, the highest 1. An utterance without a value is kept: it trains and
tests the classes alone.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from emotone.corpora.base import COLUMNS, Corpus, CorpusOptions
from emotone.errors import CorpusError
from emotone.options import nearest
from emotone.text import agree, plural


def with_dimensions(corpus: Corpus, options: CorpusOptions) -> Corpus:
    """Map the columns of ``corpus.dimensions`` to 0 … 1; missing values are counted as a problem.

    Raises:
        CorpusError: if the corpus has no such column, a value is no number or outside the scale, or
            all values of a dimension are equal.
    """
    if not options.dimensions:
        return corpus
    scale = options.own_scale if options.scale is None else options.scale
    columns, problems = {}, []
    for name in options.dimensions:
        values = _numbers(corpus, name)
        columns[name] = (values - scale[0]) / (scale[1] - scale[0])
        outside = (values < scale[0]) | (values > scale[1])
        if outside.any():
            first = int(outside.to_numpy().argmax())
            raise CorpusError(
                f"{corpus.name}: {name} of {corpus.table['utterance'].iloc[first]} is "
                f"{values.iloc[first]:g}, outside the scale {scale[0]:g} to {scale[1]:g}; correct "
                f"it, or set corpus.scale=[lowest,highest]"
            )
        if values.nunique() < 2:
            raise CorpusError(
                f"{corpus.name}: all utterances have the same {name}, for which the concordance "
                "correlation is undefined; leave it out of corpus.dimensions"
            )
        if missing := int(values.isna().sum()):
            utterances = plural(missing, "utterance")
            problems.append(f"{utterances} {agree(missing, 'have')} no {name}")
    table = corpus.table.assign(**columns)
    return replace(
        corpus, table=table, problems=(*corpus.problems, *problems), dimensions=options.dimensions
    )


def joined(corpora: Sequence[Corpus]) -> tuple[str, ...]:
    """Return the dimensions that occur in corpora, each once."""
    return tuple(dict.fromkeys(name for corpus in corpora for name in corpus.dimensions))


def only_own(corpus: Corpus, dimensions: Sequence[str]) -> pd.DataFrame:
    """Return the table of a corpus with NaN for the dimensions that it does not use."""
    missing = {name: np.nan for name in dimensions if name not in corpus.dimensions}
    return corpus.table.assign(**missing)


def _numbers(corpus: Corpus, name: str) -> "pd.Series[float]":
    table = corpus.table
    own = [str(column) for column in table.columns if column not in COLUMNS]
    if name not in own:
        known = ", ".join(own) or "none"
        raise CorpusError(
            f"{corpus.name}: corpus.dimensions has '{name}', which the corpus has no column for"
            f"{nearest(name, own)}; its further columns are {known}"
        )
    values = pd.to_numeric(table[name], errors="coerce").astype(float)
    given = table[name].notna() & (table[name].astype(str).str.strip() != "")
    wrong = (values.isna() & given) | np.isinf(values)
    if wrong.any():
        first = int(wrong.to_numpy().argmax())
        raise CorpusError(
            f"{corpus.name}: {name} of {table['utterance'].iloc[first]} is "
            f"'{table[name].iloc[first]}'; expected a number, or nothing where it is not known"
        )
    return values
