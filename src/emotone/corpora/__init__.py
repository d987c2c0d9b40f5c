"""Speech corpora, each read into one table with the same columns.

A reader is a module of this folder with an options class, whose ``name`` is the corpus's, and a
function ``read``. A scan of the folder finds it: see ``docs/how-to/add-a-corpus.md``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeAlias, Union

import pandas as pd
from pydantic import Field

from emotone.corpora.base import COLUMNS, Corpus, CorpusOptions
from emotone.corpora.contradictions import spelling_problems
from emotone.corpora.dimensions import joined, only_own, with_dimensions
from emotone.corpora.labels import EMOTIONS
from emotone.corpora.registry import readers
from emotone.corpora.selection import excluded, relabelled
from emotone.errors import CorpusError

READERS = readers()

if TYPE_CHECKING:
    AnyCorpusOptions: TypeAlias = CorpusOptions
else:  # the options of one of the readers, chosen by their name
    AnyCorpusOptions = Annotated[
        Union[tuple(reader.options for reader in READERS.values())],  # noqa: UP007
        Field(discriminator="name"),
    ]

__all__ = [
    "COLUMNS",
    "EMOTIONS",
    "READERS",
    "AnyCorpusOptions",
    "Corpus",
    "CorpusOptions",
    "read",
    "read_all",
]


def read(options: AnyCorpusOptions) -> Corpus:
    """Read the corpus that ``options`` describe, with all that they leave out, rename and map.

    Raises:
        CorpusError: if the root directory does not exist or holds something else.

    >>> from emotone.corpora.synthetic import SyntheticOptions
    >>> corpus = read(SyntheticOptions(root=Path("speech"), speakers=4, utterances=4))
    >>> len(corpus.table), corpus.speakers, corpus.labels
    (16, ['S00', 'S01', 'S02', 'S03'], ['anger', 'happiness', 'neutral', 'sadness'])
    """
    corpus = relabelled(excluded(READERS[options.name].read(options), options), options)
    problems = (*corpus.problems, *spelling_problems(corpus.table))
    return with_dimensions(replace(corpus, problems=problems), options)


def read_all(several: Sequence[AnyCorpusOptions]) -> Corpus:
    """Read corpora into one table.

    With two or more, names of utterances, speakers, sessions and texts begin with that of their
    corpus.

    Raises:
        CorpusError: see :func:`read`, or if two corpora have the same name.

    >>> from emotone.corpora.synthetic import SyntheticOptions
    >>> read_all([SyntheticOptions(root=Path("speech"), speakers=4, utterances=4)]).name
    'synthetic'
    """
    if len(several) == 1:
        return read(several[0])
    corpora = [read(options) for options in several]
    names = [corpus.name for corpus in corpora]
    if len(set(names)) < len(names):
        raise CorpusError(f"corpora must have different names, got {', '.join(names)}")
    dimensions, tables = joined(corpora), []
    for corpus in corpora:
        frame = only_own(corpus, dimensions)
        for column in ("utterance", "speaker", "session", "text"):
            given = frame[column] != ""
            frame.loc[given, column] = corpus.name + "/" + frame.loc[given, column]
        tables.append(frame.assign(corpus=corpus.name))
    table = pd.concat(tables, ignore_index=True)
    problems = [f"{corpus.name}: {problem}" for corpus in corpora for problem in corpus.problems]
    return Corpus("+".join(names), table, tuple(problems), dimensions)
