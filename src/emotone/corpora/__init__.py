"""Speech corpora, each read into one table with the same columns.

A reader is a module with an options class, whose ``name`` is the corpus's, and a function ``read``.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from emotone.corpora import (
    audformat,
    cremad,
    emobox,
    emodb,
    iemocap,
    nemo,
    ravdess,
    savee,
    synthetic,
    table,
    tess,
    urdu,
)
from emotone.corpora.base import COLUMNS, EMOTIONS, Corpus, CorpusOptions, relabelled
from emotone.errors import CorpusError

READERS: dict[str, tuple[type[CorpusOptions], Callable[[Any], Corpus]]] = {
    "audformat": (audformat.AudformatOptions, audformat.read),
    "cremad": (cremad.CremadOptions, cremad.read),
    "emobox": (emobox.EmoboxOptions, emobox.read),
    "emodb": (emodb.EmodbOptions, emodb.read),
    "iemocap": (iemocap.IemocapOptions, iemocap.read),
    "nemo": (nemo.NemoOptions, nemo.read),
    "ravdess": (ravdess.RavdessOptions, ravdess.read),
    "savee": (savee.SaveeOptions, savee.read),
    "synthetic": (synthetic.SyntheticOptions, synthetic.read),
    "table": (table.TableOptions, table.read),
    "tess": (tess.TessOptions, tess.read),
    "urdu": (urdu.UrduOptions, urdu.read),
}

AnyCorpusOptions = Annotated[
    audformat.AudformatOptions
    | cremad.CremadOptions
    | emobox.EmoboxOptions
    | emodb.EmodbOptions
    | iemocap.IemocapOptions
    | nemo.NemoOptions
    | ravdess.RavdessOptions
    | savee.SaveeOptions
    | synthetic.SyntheticOptions
    | table.TableOptions
    | tess.TessOptions
    | urdu.UrduOptions,
    Field(discriminator="name"),
]

__all__ = ["COLUMNS", "EMOTIONS", "READERS", "AnyCorpusOptions", "Corpus", "read", "read_all"]


def read(options: AnyCorpusOptions) -> Corpus:
    """Read the corpus that ``options`` names, with its emotions mapped as they ask.

    Raises:
        CorpusError: if it is not there, or is not that corpus.
    """
    _, reader = READERS[options.name]
    return relabelled(reader(options), options)


def read_all(several: Sequence[AnyCorpusOptions]) -> Corpus:
    """Read corpora into one table. With two or more, names get the corpus's before them.

    Raises:
        CorpusError: as of :func:`read`, or if two have the same name.
    """
    if len(several) == 1:
        return read(several[0])
    corpora = [read(options) for options in several]
    names = [corpus.name for corpus in corpora]
    if len(set(names)) < len(names):
        raise CorpusError(f"corpora must have different names, got {', '.join(names)}")
    tables = []
    for corpus in corpora:
        frame = corpus.table.copy()
        for column in ("utterance", "speaker", "session"):
            given = frame[column] != ""
            frame.loc[given, column] = corpus.name + "/" + frame.loc[given, column]
        tables.append(frame.assign(corpus=corpus.name))
    joined = pd.concat(tables, ignore_index=True)
    problems = [f"{corpus.name}: {problem}" for corpus in corpora for problem in corpus.problems]
    return Corpus("+".join(names), joined, tuple(problems))
